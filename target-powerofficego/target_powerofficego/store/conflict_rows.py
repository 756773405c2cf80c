"""Properties that both sides changed, with both values and the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.table import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import to_json
from target_powerofficego.store.rows import Rows
from target_powerofficego.store.values import KeptConflict
from target_powerofficego.store.ways import on_the_way_back

if TYPE_CHECKING:
    from target_powerofficego.decisions.changes import Conflict


class ConflictRows(Rows):
    """The conflicts found when merging."""

    def note(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Keep a conflict; one that recurs unchanged is only noted as seen again."""
        base = conflict.base
        values = {
            "shop_value": conflict.shop,
            "go_value": conflict.go,
            "base_value": None if base is None else {"shop": base.shop, "go": base.go},
            "winner": conflict.winner,
            "why": conflict.why,
        }
        key = self._key(entity=entity, shop_id=shop_id, property=conflict.row)
        seen = now()
        with self._store.transaction():
            last = self._last(key)
            if last is not None and _says(last, values):
                self._update(t.conflicts, [t.conflicts.c.id == last.id], last_seen=seen)
                return
            when = {"run": self._store.run, "first_seen": seen, "last_seen": seen}
            self._insert(t.conflicts, **key, **when, **values)

    def asked(self, entity: str, shop_id: str) -> dict[str, tuple[Any, Any]]:
        """Return the properties of a record that a person must decide on, with both values."""
        query = self._select(t.conflicts, entity=entity, shop_id=shop_id)
        last = {row.property: row for row in self._all(query.order_by(t.conflicts.c.id))}
        return {
            name: (row.shop_value, row.go_value) for name, row in last.items() if row.winner is None
        }

    def newest(self, count: int, entity: str | None = None) -> list[KeptConflict]:
        """Return the conflicts seen most recently in all namespaces, newest first."""
        query = _KEPT if entity is None else _KEPT.where(t.conflicts.c.entity == entity)
        return self._values(KeptConflict, query.limit(count))

    def forget(self, entity: str, shop_id: str) -> None:
        """Forget the conflicts of a record, with their values."""
        self._delete_from((t.conflicts,), entity=entity, shop_id=shop_id)

    def _last(self, key: dict[str, Any]) -> sa.Row[Any] | None:
        query = self._select(t.conflicts, **key)
        return self._first(query.order_by(t.conflicts.c.id.desc()).limit(1))


def _says(kept: sa.Row[Any], values: dict[str, Any]) -> bool:
    """Return whether a conflict is kept with exactly these values: 1.0 is not 1.00."""
    return all(to_json(getattr(kept, name)) == to_json(value) for name, value in values.items())


def _is_waiting() -> sa.Exists:
    """Return the condition that a conflict's record is waiting, on either way."""
    entity = t.conflicts.c.entity
    kept_as = (entity, entity + on_the_way_back(""))
    return sa.exists().where(
        t.unsettled.c.namespace == t.conflicts.c.namespace,
        t.unsettled.c.entity.in_(kept_as),
        t.unsettled.c.shop_id == t.conflicts.c.shop_id,
    )


_KEPT = (
    sa.select(
        t.conflicts,
        t.conflicts.c.shop_value.label("shop"),
        t.conflicts.c.go_value.label("go"),
        t.conflicts.c.base_value.label("base"),
        t.namespaces.c.shop_name,
        sa.and_(t.conflicts.c.winner.is_(None), ~_is_waiting()).label("is_settled"),
    )
    .join(t.namespaces)
    .order_by(t.conflicts.c.last_seen.desc(), t.conflicts.c.id.desc())
)
"""The conflicts of all namespaces, last seen first, with columns named as in `KeptConflict`."""
