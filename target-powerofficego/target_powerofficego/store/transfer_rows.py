"""All that a link store knows, row by row, out of one database and into another.

What Go was read to hold is left out: the next run reads it. So is how often a record was read that
may be an old version: that is counted anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import from_json, to_json
from target_powerofficego.store.connection import StoreConnection, new_id
from target_powerofficego.store.intent_rows import COMPARISON

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

TRANSFERRED: tuple[sa.Table, ...] = (
    *(t.namespaces, t.runs, t.links, t.settled, t.intents),
    *(t.unsettled, t.waits, t.conflicts, t.erasures, t.payments),
)
"""In the order in which rows come: what another row names comes before it."""

JSON_COLUMNS: Mapping[str, frozenset[str]] = {
    "links": frozenset({"base"}),
    "intents": frozenset({"detail"}),
    "unsettled": frozenset({"payload"}),
    "conflicts": frozenset({"shop_value", "go_value", "base_value"}),
    "runs": frozenset({"outcomes", "calls", "settings"}),
}
"""The columns that hold JSON, by table; they are told as what they say."""

REFERENCES: Mapping[str, str] = {
    "namespace": "namespaces",
    "unsettled_id": "unsettled",
    "run": "runs",
}
"""The columns that name a row by its id, and the table of that row."""

_LEFT_OUT = (t.go_keys, t.go_entries, t.watermarks, t.doubts)
_AT_A_TIME = 1000


class TransferRows(StoreConnection):
    """Reads all rows out, and takes them in again under ids of this database."""

    def rows_out(self, namespace_ids: Collection[int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return each row of these namespaces with the name of its table."""
        for table in TRANSFERRED:
            is_json = JSON_COLUMNS.get(table.name, frozenset())
            query = sa.select(table).where(_is_of(table, namespace_ids))
            for row in self._all(query.order_by(*table.primary_key.columns)):
                values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
                told = {
                    name: from_json(value) if name in is_json and value is not None else value
                    for name, value in values.items()
                }
                yield table.name, told

    def is_empty(self) -> bool:
        """Tell whether nothing is linked, open, paid or unanswered in any namespace."""
        queries = (
            sa.select(t.links.c.namespace),
            sa.select(t.unsettled.c.namespace),
            sa.select(t.payments.c.namespace),
            sa.select(t.intents.c.namespace).where(t.intents.c.kind != COMPARISON),
        )
        return all(self._first(query.limit(1)) is None for query in queries)

    def take_in(self, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Take rows in, in one transaction, in place of all that is known of their namespaces."""
        by_table: dict[str, list[Mapping[str, Any]]] = {table.name: [] for table in TRANSFERRED}
        for name, row in rows:
            by_table[name].append(row)
        new_ids: dict[str, dict[int, int]] = {name: {} for name in REFERENCES.values()}
        with self.transaction():
            for row in by_table["namespaces"]:
                self._forget_namespace(row["client_id"], row["shop_name"])
            for table in TRANSFERRED:
                self._insert(table, by_table[table.name], new_ids)

    def _insert(
        self,
        table: sa.Table,
        rows: Sequence[Mapping[str, Any]],
        new_ids: Mapping[str, dict[int, int]],
    ) -> None:
        is_json = JSON_COLUMNS.get(table.name, frozenset())
        has_own_id = "id" in table.c
        stored = [
            {
                name: _stored(table.c[name], value, new_ids, is_json=name in is_json)
                for name, value in row.items()
                if name != "id"
            }
            for row in rows
        ]
        if table.name in new_ids:
            for row, values in zip(rows, stored, strict=True):
                result = self._connection.execute(sa.insert(table).values(values))
                new_ids[table.name][row["id"]] = new_id(result)
            return
        if has_own_id:
            # databases that give ids in a batch may give them in another order
            for values in stored:
                self._connection.execute(sa.insert(table).values(values))
            return
        for start in range(0, len(stored), _AT_A_TIME):
            self._connection.execute(sa.insert(table), stored[start : start + _AT_A_TIME])

    def _forget_namespace(self, client_id: str, shop_name: str) -> None:
        query = sa.select(t.namespaces.c.id).where(
            t.namespaces.c.client_id == client_id, t.namespaces.c.shop_name == shop_name
        )
        found = [row.id for row in self._connection.execute(query)]
        for table in (*_LEFT_OUT, *reversed(TRANSFERRED)):
            self._connection.execute(sa.delete(table).where(_is_of(table, found)))


def _is_of(table: sa.Table, namespace_ids: Collection[int]) -> sa.ColumnElement[bool]:
    if table is t.namespaces:
        return table.c.id.in_(namespace_ids)
    if table is t.waits:
        own = sa.select(t.unsettled.c.id).where(t.unsettled.c.namespace.in_(namespace_ids))
        return table.c.unsettled_id.in_(own)
    return table.c.namespace.in_(namespace_ids)


def _stored(
    column: sa.Column[Any],
    value: Any,  # noqa: ANN401 - JSON
    new_ids: Mapping[str, Mapping[int, int]],
    *,
    is_json: bool,
) -> Any:  # noqa: ANN401 - what a column holds
    if value is None and column.nullable:
        return None
    if column.name in REFERENCES:
        return new_ids[REFERENCES[column.name]][value]
    return to_json(value) if is_json else value
