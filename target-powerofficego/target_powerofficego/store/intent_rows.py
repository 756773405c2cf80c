"""Intents: what was about to be written; one is left over where its answer never came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.table import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.rows import Rows
from target_powerofficego.store.values import Intent
from target_powerofficego.store.ways import entity_of, on_the_way_back

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_powerofficego.store.connection import StoreConnection
    from target_powerofficego.store.settled_rows import SettledRows
    from target_powerofficego.store.ways import WayName

COMPARISON = "compare"
"""The kind that is not a write, but a note that one must still be compared with the shop."""
SENDING = "send"
"""The kind of a request to make and send an invoice, which stays until Go is known to be done."""
KINDS = ("create", "patch", "delete", SENDING, COMPARISON)

_PART_OF = {"delivery_addresses": "customers", "contact_persons": "customers"}
"""What is written together with another entity's record, and under its id."""

_IS_WRITE = t.intents.c.kind != COMPARISON


class IntentRows(Rows):
    """Writes without an answer yet, and orders that must still be compared with Go's."""

    def __init__(self, store: StoreConnection, settled: SettledRows) -> None:
        super().__init__(store)
        self._settled = settled

    def begin(self, entity: str, shop_id: str, kind: str, detail: Mapping[str, Any]) -> Intent:
        """Commit what is about to be written, before the call.

        The version settled before this write is forgotten: should it come again, it is an edit.
        """
        row = {"entity": entity, "shop_id": shop_id, "kind": kind, "detail": detail}
        started = now()
        with self._store.transaction():
            self._settled.open_anew(_PART_OF.get(entity, entity_of(entity)), shop_id)
            number = self._insert(t.intents, **self._key(**row, started_at=started))
        return Intent(number, entity, shop_id, kind, detail, started)

    def note(self, intent: Intent, detail: Mapping[str, Any]) -> None:
        """Replace the detail of an intent that stays open."""
        self._update(t.intents, [t.intents.c.id == intent.id], detail=detail)

    def end(self, intent: Intent) -> None:
        """Remove an intent, in the transaction that stores its answer."""
        self._delete(t.intents, [t.intents.c.id == intent.id])

    def all(self, way: WayName | None = None) -> list[Intent]:
        """Return the writes of one way, or of both, left without an answer, oldest first."""
        is_back = t.intents.c.entity.endswith(on_the_way_back(""), autoescape=True)
        of_way = {"forward": [sa.not_(is_back)], "back": [is_back]}
        return self._intents(_IS_WRITE, *(of_way[way] if way else []))

    def of_record(self, entities: Collection[str], shop_id: str) -> list[Intent]:
        """Return the writes left without an answer of one record, oldest first."""
        is_its_own = t.intents.c.shop_id == shop_id
        return self._intents(_IS_WRITE, t.intents.c.entity.in_(entities), is_its_own)

    def of_entity(self, entity: str) -> list[Intent]:
        """Return the writes left without an answer of one entity, oldest first."""
        return self._intents(_IS_WRITE, t.intents.c.entity == entity)

    def note_comparison(self, entity: str, shop_id: str) -> None:
        """Note, along with a write, that its result in Go must still be compared with the shop."""
        with self._store.transaction():
            if not self.is_comparison_due(entity, shop_id):
                self.begin(entity, shop_id, COMPARISON, {})

    def is_comparison_due(self, entity: str, shop_id: str) -> bool:
        """Return whether a record was written but not yet found to be as the shop has it."""
        return bool(self._intents(*self._comparison(entity, shop_id)))

    def end_comparison(self, entity: str, shop_id: str) -> None:
        """Note that Go has what the shop has, or no longer has anything."""
        self._delete(t.intents, self._comparison(entity, shop_id))

    def _comparison(self, entity: str, shop_id: str) -> list[sa.ColumnElement[bool]]:
        return self._of(t.intents, kind=COMPARISON, entity=entity, shop_id=shop_id)

    def _intents(self, *conditions: sa.ColumnElement[bool]) -> list[Intent]:
        query = self._select(t.intents, *conditions)
        return self._values(Intent, query.order_by(t.intents.c.id))
