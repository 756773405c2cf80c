"""The entries of one kind: in memory, written through to storage, remembered for late readers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from go_sandbox.go.replica import Moment, Replica
    from go_sandbox.storage import Storage

Entry = dict[str, Any]


class Register:
    """Entries by id, in the order they were made.

    An entry that was put is never changed in place: it is replaced by a new one.

    Args:
        storage: where the entries survive.
        kind: the resource, such as "Customers".
        unique: fields of which an index is kept, to find who holds a value.
        replica: what late readers see.
    """

    def __init__(
        self, storage: Storage, kind: str, unique: tuple[str, ...], replica: Replica
    ) -> None:
        self.kind = kind
        self._table = storage.table(f"go {kind}")
        self._entries: dict[str, Entry] = {}
        self._holders: dict[str, dict[object, str]] = {field: {} for field in unique}
        self._replica = replica
        self._past: deque[tuple[Moment, str, Entry | None]] = deque()
        for entry in self._table.values():
            self._entries[str(entry["Id"])] = entry
            self._index(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, entry_id: object, *, late: bool = False) -> Entry | None:
        """Return the entry; `late` as a reader sees it who lags behind."""
        return (self._late() if late else self._entries).get(str(entry_id))

    def values(self, *, late: bool = False) -> list[Entry]:
        """Return all entries; `late` as a reader sees them who lags behind."""
        return list((self._late() if late else self._entries).values())

    def put(self, entry: Entry) -> Entry:
        """Store the entry under its `Id`, in place of the one that was there."""
        key = str(entry["Id"])
        self._remember(key)
        self._unindex(key)
        self._entries[key] = entry
        self._index(entry)
        self._table.put(key, entry)
        return entry

    def remove(self, entry_id: object) -> None:
        """Take the entry away."""
        key = str(entry_id)
        self._remember(key)
        self._unindex(key)
        self._entries.pop(key, None)
        self._table.delete(key)

    def holder(self, field: str, value: object) -> Entry | None:
        """Return the entry that has this value in a unique field."""
        key = self._holders[field].get(value)
        return None if key is None else self._entries[key]

    def _index(self, entry: Entry) -> None:
        for field, holders in self._holders.items():
            if entry.get(field) is not None:
                holders.setdefault(entry[field], str(entry["Id"]))

    def _unindex(self, key: str) -> None:
        entry = self._entries.get(key, {})
        for field, holders in self._holders.items():
            if holders.get(entry.get(field)) == key:
                del holders[entry[field]]

    def _remember(self, key: str) -> None:
        while self._past and self._replica.shows(self._past[0][0]):
            self._past.popleft()
        if self._replica.is_behind:
            self._past.append((self._replica.now(), key, self._entries.get(key)))

    def _late(self) -> dict[str, Entry]:
        if not self._past or self._replica.shows(self._past[-1][0]):
            return self._entries
        entries = dict(self._entries)
        for moment, key, before in reversed(self._past):
            if self._replica.shows(moment):
                break
            if before is None:
                entries.pop(key, None)
            else:
                entries[key] = before
        return entries
