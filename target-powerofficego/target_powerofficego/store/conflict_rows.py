"""Properties that both sides changed, with both values and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import from_json, from_stamp, to_json, to_stamp
from target_powerofficego.store.connection import StoreConnection
from target_powerofficego.store.values import KeptConflict
from target_powerofficego.store.ways import on_the_way_back

if TYPE_CHECKING:
    from target_powerofficego.decisions.changes import Conflict


class ConflictRows(StoreConnection):
    """The conflicts that merges met."""

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Keep a conflict; one that comes again as it was is only seen once more."""
        base = conflict.base
        told = {
            "shop_value": to_json(conflict.shop),
            "go_value": to_json(conflict.go),
            "base_value": None if base is None else to_json({"shop": base.shop, "go": base.go}),
            "winner": conflict.winner,
            "why": conflict.why,
        }
        seen = to_stamp(now())
        with self.transaction():
            last = self._last_conflict(entity, shop_id, conflict.row)
            if last is not None and all(getattr(last, name) == told[name] for name in told):
                statement: sa.Update | sa.Insert = (
                    sa.update(t.conflicts).where(t.conflicts.c.id == last.id)
                ).values(last_seen=seen)
            else:
                statement = sa.insert(t.conflicts).values(
                    namespace=self.namespace,
                    run=self.run,
                    entity=entity,
                    shop_id=shop_id,
                    property=conflict.row,
                    first_seen=seen,
                    last_seen=seen,
                    **told,
                )
            self._connection.execute(statement)

    def asked(self, entity: str, shop_id: str) -> dict[str, tuple[Any, Any]]:
        """Return the properties of a record that a person is to decide, with both values."""
        query = sa.select(t.conflicts).where(
            *self._key(t.conflicts, entity), t.conflicts.c.shop_id == shop_id
        )
        last = {row.property: row for row in self._all(query.order_by(t.conflicts.c.id))}
        return {
            name: (from_json(row.shop_value), from_json(row.go_value))
            for name, row in last.items()
            if row.winner is None
        }

    def conflicts(self, newest: int, entity: str | None = None) -> list[KeptConflict]:
        """Return the conflicts of all namespaces that were seen last, the newest first."""
        query = sa.select(
            t.conflicts, t.namespaces.c.shop_name, _is_waiting().label("is_waiting")
        ).join(t.namespaces)
        if entity is not None:
            query = query.where(t.conflicts.c.entity == entity)
        newest_first = (t.conflicts.c.last_seen.desc(), t.conflicts.c.id.desc())
        return [_conflict(row) for row in self._all(query.order_by(*newest_first).limit(newest))]

    def _last_conflict(self, entity: str, shop_id: str, row: str) -> sa.Row[Any] | None:
        query = sa.select(t.conflicts).where(
            *self._key(t.conflicts, entity),
            t.conflicts.c.shop_id == shop_id,
            t.conflicts.c.property == row,
        )
        return self._first(query.order_by(t.conflicts.c.id.desc()).limit(1))


def _is_waiting() -> sa.Exists:
    """Return whether the record of a conflict waits, on either way."""
    entity = t.conflicts.c.entity
    kept_as = (entity, entity + on_the_way_back(""))
    return sa.exists().where(
        t.unsettled.c.namespace == t.conflicts.c.namespace,
        t.unsettled.c.entity.in_(kept_as),
        t.unsettled.c.shop_id == t.conflicts.c.shop_id,
    )


def _conflict(row: sa.Row[Any]) -> KeptConflict:
    return KeptConflict(
        id=row.id,
        shop_name=row.shop_name,
        run=row.run,
        entity=row.entity,
        shop_id=row.shop_id,
        property=row.property,
        shop=from_json(row.shop_value),
        go=from_json(row.go_value),
        base=None if row.base_value is None else from_json(row.base_value),
        winner=row.winner,
        is_settled=row.winner is None and not row.is_waiting,
        why=row.why,
        first_seen=from_stamp(row.first_seen),
        last_seen=from_stamp(row.last_seen),
    )
