"""Intents: what was about to be written, left over where its answer never came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import from_json, from_stamp, to_json, to_stamp
from target_powerofficego.store.connection import new_id
from target_powerofficego.store.link_rows import LinkRows
from target_powerofficego.store.values import Intent
from target_powerofficego.store.ways import entity_of, on_the_way_back

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_powerofficego.store.ways import WayName

COMPARISON = "compare"
"""The kind of what is no write, but a note that one is yet to be compared with the shop."""
SENDING = "send"
"""The kind of a request to make and send an invoice, which stays until Go is known to be done."""
KINDS = ("create", "patch", "delete", SENDING, COMPARISON)

_PART_OF = {"delivery_addresses": "customers", "contact_persons": "customers"}
"""What is written with another entity's record, and under its id."""


class IntentRows(LinkRows):
    """Writes without an answer yet, and orders that are yet to be compared with Go's."""

    def begin_intent(
        self, entity: str, shop_id: str, kind: str, detail: Mapping[str, Any]
    ) -> Intent:
        """Commit what is about to be written, before the call.

        The version settled before it is forgotten: should it come again, it is an edit.
        """
        started = now()
        with self.transaction():
            self.open_anew(_PART_OF.get(entity, entity_of(entity)), shop_id)
            result = self._connection.execute(
                sa.insert(t.intents).values(
                    namespace=self.namespace,
                    entity=entity,
                    shop_id=shop_id,
                    kind=kind,
                    detail=to_json(detail),
                    started_at=to_stamp(started),
                )
            )
            number = new_id(result)
        return Intent(number, entity, shop_id, kind, detail, started)

    def note_in_intent(self, intent: Intent, detail: Mapping[str, Any]) -> None:
        """Keep another detail of an intent that stays."""
        with self.transaction():
            self._connection.execute(
                sa.update(t.intents)
                .where(t.intents.c.id == intent.id)
                .values(detail=to_json(detail))
            )

    def end_intent(self, intent: Intent) -> None:
        """Remove an intent, in the transaction that stores its answer."""
        with self.transaction():
            self._connection.execute(sa.delete(t.intents).where(t.intents.c.id == intent.id))

    def intents(self, way: WayName | None = None) -> list[Intent]:
        """Return the writes of a way, or of both, left without an answer, oldest first."""
        is_back = t.intents.c.entity.endswith(on_the_way_back(""), autoescape=True)
        of_way = {"forward": [sa.not_(is_back)], "back": [is_back]}
        return self._intents(t.intents.c.kind != COMPARISON, *(of_way[way] if way else []))

    def intents_of(self, entities: Collection[str], shop_id: str) -> list[Intent]:
        """Return the writes left without an answer of one record, oldest first."""
        return self._intents(
            t.intents.c.kind != COMPARISON,
            t.intents.c.entity.in_(entities),
            t.intents.c.shop_id == shop_id,
        )

    def intents_of_entity(self, entity: str) -> list[Intent]:
        """Return the writes left without an answer of one entity, oldest first."""
        return self._intents(t.intents.c.kind != COMPARISON, t.intents.c.entity == entity)

    def note_comparison(self, entity: str, shop_id: str) -> None:
        """Note, with a write, that what came of it in Go is yet to be compared with the shop's."""
        with self.transaction():
            if not self.is_comparison_due(entity, shop_id):
                self.begin_intent(entity, shop_id, COMPARISON, {})

    def is_comparison_due(self, entity: str, shop_id: str) -> bool:
        """Tell whether a record was written and never found to be as the shop has it."""
        return bool(self._intents(*self._comparison(entity, shop_id)))

    def end_comparison(self, entity: str, shop_id: str) -> None:
        """Note that Go has what the shop has, or nothing any more."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.intents).where(
                    t.intents.c.namespace == self.namespace, *self._comparison(entity, shop_id)
                )
            )

    def _comparison(self, entity: str, shop_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            t.intents.c.kind == COMPARISON,
            t.intents.c.entity == entity,
            t.intents.c.shop_id == shop_id,
        )

    def _intents(self, *conditions: sa.ColumnElement[bool]) -> list[Intent]:
        query = sa.select(t.intents).where(t.intents.c.namespace == self.namespace, *conditions)
        return [
            Intent(
                row.id,
                row.entity,
                row.shop_id,
                row.kind,
                from_json(row.detail),
                from_stamp(row.started_at),
            )
            for row in self._all(query.order_by(t.intents.c.id))
        ]
