"""The shop's state, and what a person does on its screens."""

from __future__ import annotations

import bisect
import copy
import hashlib
from typing import TYPE_CHECKING, Any

import simplejson

from go_sandbox.shop.contract import STREAMS
from go_sandbox.shop.stamps import Clock, sortable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from go_sandbox.storage import Storage

Record = dict[str, Any]
Place = tuple[str, str]

FAKE_TOKEN = "not-a-real-shop-token"  # noqa: S105
SWITCHES = (
    *("rate_limit", "patches_move_updated_at", "reshapes_patches", "clock_skew_seconds"),
    *("tells_updated_at", "whole_seconds"),
)


class Shelf:
    """Records by id, and in listing order: by (`updated_at`, `id`).

    Keeps each record's JSON text, so that listing thousands costs little.
    """

    def __init__(self, storage: Storage, stream: str) -> None:
        self._table = storage.table(f"shop.{stream}")
        self._places: dict[str, Place] = {}
        self._texts: dict[str, str] = {}
        for record in self._table.values():
            self._index(record)
        self._order = sorted(self._places.values())

    def get(self, record_id: str) -> Record | None:
        """Return a copy of a record."""
        return self._table.get(record_id)

    def all(self) -> list[Record]:
        """Return copies of all records in the order they were first put."""
        return self._table.values()

    def put(self, record: Record) -> None:
        """Store a record and move it to its new place."""
        record_id = str(record["id"])
        old = self._places.get(record_id)
        if old is not None:
            self._order.pop(bisect.bisect_left(self._order, old))
        self._table.put(record_id, record)
        bisect.insort(self._order, self._index(record))

    def clear(self) -> None:
        """Remove every record, as if it had never existed."""
        for record_id in self._places:
            self._table.delete(record_id)
        self._places.clear()
        self._texts.clear()
        self._order.clear()

    def page(self, *, since: str | None, after: Place | None, limit: int) -> list[Place]:
        """Return up to `limit` places, none changed before `since` and all later than `after`."""
        start = 0
        if since is not None:
            start = bisect.bisect_left(self._order, (since, ""))
        if after is not None:
            start = max(start, bisect.bisect_right(self._order, after))
        return self._order[start : start + limit]

    def text(self, record_id: str) -> str | None:
        """Return a record as JSON text."""
        return self._texts.get(record_id)

    def etag(self, record_id: str) -> str:
        """Return the entity tag of a record, which every change replaces."""
        digest = hashlib.sha256(self._texts[record_id].encode()).hexdigest()
        return f'"{digest[:20]}"'

    def _index(self, record: Record) -> Place:
        record_id = str(record["id"])
        place = (sortable(record["updated_at"]), record_id)
        self._places[record_id] = place
        self._texts[record_id] = simplejson.dumps(record, use_decimal=True, ensure_ascii=False)
        return place


class Shop:
    """Customers, products and orders of one web shop.

    Records are kept as they are put, including mistakes.

    Attributes:
        rate_limit: requests that the shop's API answers in any one second before a 429;
            None is no limit.
        patches_move_updated_at: whether a change through the API moves `updated_at`, as the
            contract requires; the ETag changes in any case.
        reshapes_patches: whether the API trims text, removes double spaces and those in phone
            numbers, and rounds money to two decimals.
        clock_skew_seconds: how far the shop's clock is ahead; behind, if negative.
        tells_updated_at: whether the API sends when a record was last changed, as the contract
            requires; without it, every list contains all records.
        whole_seconds: whether stamps have no fractions, so that two edits may have the same one.
    """

    def __init__(self, storage: Storage, *, rate_limit: int | None = None) -> None:
        self.token = FAKE_TOKEN
        self.rate_limit = rate_limit
        self.patches_move_updated_at = True
        self.reshapes_patches = False
        self.clock_skew_seconds: float = 0
        self.tells_updated_at = True
        self.whole_seconds = False
        self.lock = storage.lock
        self._storage = storage
        self.clock = Clock(lambda: self.clock_skew_seconds, lambda: self.whole_seconds)
        self._shelves = {stream: Shelf(storage, stream) for stream in STREAMS}

    def shelf(self, stream: str) -> Shelf:
        """Return the records of a stream.

        Raises:
            KeyError: when the shop has no such stream.
        """
        return self._shelves[stream]

    def records(self, stream: str) -> list[Record]:
        """Return copies of all records of a stream, deleted ones included."""
        return self.shelf(stream).all()

    def as_sent(self, record: Record) -> Record:
        """Return a record as the API sends it."""
        has_stamp = self.tells_updated_at
        return {name: value for name, value in record.items() if has_stamp or name != "updated_at"}

    def record(self, stream: str, record_id: object) -> Record | None:
        """Return a copy of one record, or None."""
        return self.shelf(stream).get(str(record_id))

    def put(self, stream: str, record: Mapping[str, Any]) -> Record:
        """Create or replace a record.

        A missing id is made up; `created_at` and `updated_at` are filled in unless given.
        """
        with self.lock:
            new = copy.deepcopy(dict(record))
            if new.get("id") is None:
                new["id"] = self._free_id(stream)
            old = self.shelf(stream).get(new["id"]) or {}
            if new.get("updated_at") is None:
                new["updated_at"] = self.clock.next(after=old.get("updated_at"))
            if new.get("created_at") is None:
                new["created_at"] = old.get("created_at") or new["updated_at"]
            self.shelf(stream).put(new)
            return new

    def edit(self, stream: str, record_id: object, changes: Mapping[str, Any]) -> Record:
        """Change some fields as a person would; objects are merged, lists replaced.

        Raises:
            KeyError: when there is no such record.
        """
        with self.lock:
            record = self.record(stream, record_id)
            if record is None:
                raise KeyError(f"the shop has no record {record_id} in {stream}")
            stamp = self.clock.next(after=record.get("updated_at"))
            edited: Record = {**merged(record, changes), "updated_at": stamp}
            self.shelf(stream).put(edited)
            return edited

    def remove(self, stream: str, record_id: object) -> Record:
        """Mark a record as deleted; it stays listed.

        Raises:
            KeyError: when there is no such record.
        """
        with self.lock:
            record = self.edit(stream, record_id, {})
            record["deleted_at"] = record["updated_at"]
            self.shelf(stream).put(record)
            return record

    def _free_id(self, stream: str) -> str:
        while True:
            free = str(self._storage.next_number(f"shop.{stream}"))
            if self.record(stream, free) is None:
                return free

    def clear(self) -> None:
        """Remove every record, as if it had never existed."""
        with self.lock:
            for shelf in self._shelves.values():
                shelf.clear()


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> Record:
    """Return `old` with changes: objects member by member, anything else replaced, null kept."""
    result = copy.deepcopy(dict(old))
    for name, value in changes.items():
        known = result.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            result[name] = merged(known, value)
        else:
            result[name] = copy.deepcopy(value)
    return result
