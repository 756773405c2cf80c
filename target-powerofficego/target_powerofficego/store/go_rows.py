"""What was read from Go: entries, the keys they are found by, and how far lists were read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import to_key
from target_powerofficego.store.rows import Rows

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping


class GoRows(Rows):
    """The index of Go."""

    def put(
        self,
        entity: str,
        go_id: str,
        body: Mapping[str, Any],
        keys: Iterable[str],
        read_at: datetime.datetime,
    ) -> None:
        """Keep an entry as read from Go, and the keys it is found by."""
        key = self._key(entity=entity, go_id=go_id)
        with self._store.transaction():
            self._upsert(t.go_entries, key, {"body": body, "read_at": read_at})
            self._delete_from((t.go_keys,), **key)
            match_keys = sorted({to_key(text) for text in keys})
            self._insert_all(t.go_keys, [{**key, "match_key": text} for text in match_keys])

    def remove(self, entity: str, go_id: str) -> None:
        """Forget an entry that Go no longer has."""
        self._delete_from((t.go_keys, t.go_entries), entity=entity, go_id=go_id)

    def clear(self, entity: str) -> None:
        """Forget all entries of an entity, before it is read in full."""
        self._delete_from((t.go_keys, t.go_entries), entity=entity)

    def get(self, entity: str, go_id: str) -> tuple[dict[str, Any], datetime.datetime] | None:
        """Return an entry as last read from Go, and when that was."""
        row = self._first(self._select(t.go_entries, entity=entity, go_id=go_id))
        return None if row is None else (row.body, row.read_at)

    def ids(self, entity: str, match_key: str) -> list[str]:
        """Return the ids of the entries found by a key, in the order of their ids."""
        rows = self._all(self._select(t.go_keys, entity=entity, match_key=to_key(match_key)))
        return sorted((str(row.go_id) for row in rows), key=lambda go_id: (len(go_id), go_id))

    def key_exists(self, entity: str, prefix: str) -> bool:
        """Return whether any entry is found by a key with this prefix."""
        begins_so = t.go_keys.c.match_key.startswith(prefix, autoescape=True)
        query = self._select(t.go_keys, begins_so, entity=entity)
        return self._first(query.limit(1)) is not None

    def count(self, entity: str) -> int:
        """Return how many entries of an entity have been read from Go."""
        query = sa.select(sa.func.count()).select_from(t.go_entries)
        ((count,),) = self._all(query.where(*self._of(t.go_entries, entity=entity)))
        return int(count)

    def watermark(self, entity: str) -> tuple[str | None, datetime.datetime] | None:
        """Return the newest stamp of Go seen for an entity, and when it was last read in full."""
        row = self._first(self._select(t.watermarks, entity=entity))
        return None if row is None else (row.changed_since, row.full_read_at)

    def remove_watermark(self, entity: str) -> None:
        """Forget how far an entity was read, before it is read in full."""
        self._delete_from((t.watermarks,), entity=entity)

    def put_watermark(
        self, entity: str, changed_since: str | None, full_read_at: datetime.datetime
    ) -> None:
        """Remember how far an entity was read."""
        values = {"changed_since": changed_since, "full_read_at": full_read_at}
        self._upsert(t.watermarks, self._key(entity=entity), values)
