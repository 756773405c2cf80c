"""The export of a link store, row by row, and the import into another database.

Some data is left out: entries of Go, which the next run reads; how often a record that may be an
old version was read, which is counted again; and what the last message about a shop reported, so
that what waits is reported again.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.store import tables as t
from target_powerofficego.store.connection import Rows
from target_powerofficego.store.go_rows import COMPARISON
from target_powerofficego.store.tables import from_stamp, to_stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

TRANSFERRED: tuple[sa.Table, ...] = (
    *(t.namespaces, t.runs, t.links, t.settled, t.intents),
    *(t.unsettled, t.waits, t.conflicts, t.erasures, t.payments),
)
"""The tables in the order of their rows: a row comes after the rows that it refers to."""

JSON_COLUMNS: Mapping[str, frozenset[str]] = {
    table.name: frozenset(column.name for column in table.c if isinstance(column.type, t.Json))
    for table in TRANSFERRED
}
"""The columns that hold JSON, by table; their values are transferred, not their text."""

REFERENCES: Mapping[str, str] = {
    "namespace": "namespaces",
    "unsettled_id": "unsettled",
    "run": "runs",
}
"""The columns that refer to a row by its id, and the table of that row."""

_LEFT_OUT = (t.go_keys, t.go_entries, t.watermarks, t.doubts, t.notices)


class TransferRows(Rows):
    """Exports rows, and imports them with ids of this database."""

    def export_rows(self, namespace_ids: Collection[int]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each row of these namespaces with the name of its table; stamps are text."""
        for table in TRANSFERRED:
            query = sa.select(table).where(_belongs_to(table, namespace_ids))
            for row in self._all(query.order_by(*table.primary_key.columns)):
                yield (
                    table.name,
                    {
                        name: to_stamp(value) if isinstance(value, datetime.datetime) else value
                        for name, value in row._mapping.items()  # noqa: SLF001 - its public name
                    },
                )

    def is_empty(self) -> bool:
        """Return whether nothing is linked, open, paid or unanswered in any namespace."""
        queries = (
            sa.select(t.links.c.namespace),
            sa.select(t.unsettled.c.namespace),
            sa.select(t.payments.c.namespace),
            sa.select(t.intents.c.namespace).where(t.intents.c.kind != COMPARISON),
        )
        return all(self._first(query.limit(1)) is None for query in queries)

    def import_rows(self, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Replace all that is stored of the rows' namespaces by these rows, in one transaction."""
        by_table: dict[str, list[Mapping[str, Any]]] = {table.name: [] for table in TRANSFERRED}
        for name, row in rows:
            by_table[name].append(row)
        new_ids: dict[str, dict[int, int]] = {name: {} for name in REFERENCES.values()}
        with self._store.transaction():
            for row in by_table["namespaces"]:
                self._forget_namespace(row["client_id"], row["shop_name"])
            for table in TRANSFERRED:
                self._import_table(table, by_table[table.name], new_ids)

    def _import_table(
        self,
        table: sa.Table,
        rows: Sequence[Mapping[str, Any]],
        new_ids: Mapping[str, dict[int, int]],
    ) -> None:
        imported = [
            {name: _imported(table.c[name], row[name], new_ids) for name in row if name != "id"}
            for row in rows
        ]
        if "id" in table.c:
            # a database that assigns ids to a batch may do so in another order
            ids = [self._insert(table, **values) for values in imported]
            if table.name in new_ids:
                new_ids[table.name].update(zip((row["id"] for row in rows), ids, strict=True))
        else:
            self._insert_all(table, imported)

    def _forget_namespace(self, client_id: str, shop_name: str) -> None:
        query = sa.select(t.namespaces.c.id).where(
            t.namespaces.c.client_id == client_id, t.namespaces.c.shop_name == shop_name
        )
        ids = [row.id for row in self._all(query)]
        for table in (*_LEFT_OUT, *reversed(TRANSFERRED)):
            self._delete(table, [_belongs_to(table, ids)])


def _belongs_to(table: sa.Table, namespace_ids: Collection[int]) -> sa.ColumnElement[bool]:
    if table is t.namespaces:
        return table.c.id.in_(namespace_ids)
    if table is t.waits:
        unsettled = sa.select(t.unsettled.c.id).where(t.unsettled.c.namespace.in_(namespace_ids))
        return table.c.unsettled_id.in_(unsettled)
    return table.c.namespace.in_(namespace_ids)


def _imported(
    column: sa.Column[Any],
    value: Any,  # noqa: ANN401 - JSON
    new_ids: Mapping[str, Mapping[int, int]],
) -> Any:  # noqa: ANN401 - what a column holds
    if value is None:
        return None
    if column.name in REFERENCES:
        return new_ids[REFERENCES[column.name]][value]
    return from_stamp(value) if isinstance(column.type, t.Stamp) else value
