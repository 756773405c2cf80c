"""All records of one stream, kept in the order that the shop lists them."""

from __future__ import annotations

import bisect
import hashlib
from typing import TYPE_CHECKING, Any

import simplejson

from go_sandbox.shop.stamps import sortable

if TYPE_CHECKING:
    from go_sandbox.storage import Storage

Record = dict[str, Any]
Place = tuple[str, str]


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

    def __len__(self) -> int:
        return len(self._places)

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
        """Forget every record, as if it had never been."""
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
        """Return the entity tag of a record: another one after any change."""
        digest = hashlib.sha256(self._texts[record_id].encode()).hexdigest()
        return f'"{digest[:20]}"'

    def _index(self, record: Record) -> Place:
        record_id = str(record["id"])
        place = (sortable(record["updated_at"]), record_id)
        self._places[record_id] = place
        self._texts[record_id] = simplejson.dumps(record, use_decimal=True, ensure_ascii=False)
        return place
