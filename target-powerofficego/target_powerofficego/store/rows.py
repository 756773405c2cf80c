"""What the parts of the link store share: how rows of one namespace are read and written."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from _typeshed import DataclassInstance

    from target_powerofficego.store.connection import StoreConnection

Value = TypeVar("Value", bound="DataclassInstance")


class Rows:
    """One part of the link store.

    Args:
        store: the open store; unless stated otherwise, everything is of its chosen namespace.
    """

    def __init__(self, store: StoreConnection) -> None:
        self._store = store

    def _key(self, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - what columns hold
        """Return these values with the namespace, unless they name another one."""
        return {"namespace": self._store.namespace, **values}

    def _of(
        self,
        table: sa.Table,
        **values: Any,  # noqa: ANN401 - what columns hold
    ) -> list[sa.ColumnElement[bool]]:
        """Return the conditions for the namespace's rows with these values."""
        return [table.c[name] == value for name, value in self._key(**values).items()]

    def _select(
        self,
        table: sa.Table,
        *conditions: sa.ColumnElement[bool],
        **values: Any,  # noqa: ANN401 - what columns hold
    ) -> sa.Select[Any]:
        """Return a query for the namespace's rows with these values."""
        return sa.select(table).where(*self._of(table, **values), *conditions)

    def _all(
        self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None
    ) -> Sequence[sa.Row[Any]]:
        with self._store.transaction():
            return self._store.connection.execute(query, parameters).all()

    def _values(self, kind: type[Value], query: sa.Select[Any]) -> list[Value]:
        return [value_of(kind, row) for row in self._all(query)]

    def _first(
        self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None
    ) -> sa.Row[Any] | None:
        with self._store.transaction():
            return self._store.connection.execute(query, parameters).first()

    def _write(
        self,
        statement: sa.Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> sa.CursorResult[Any]:
        with self._store.transaction():
            return self._store.connection.execute(statement, parameters)

    def _insert(self, table: sa.Table, **values: Any) -> int:  # noqa: ANN401 - what columns hold
        """Add a row, and return the id that the database gave it."""
        key = self._write(sa.insert(table).values(values)).inserted_primary_key
        if key is None:
            raise LinkStoreError("the database gave no id to a new row")
        return int(key[0])

    def _insert_all(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to which the database gives no id."""
        if rows:
            self._write(sa.insert(table), rows)

    def _update(
        self,
        table: sa.Table,
        which: Iterable[sa.ColumnElement[bool]],
        **values: Any,  # noqa: ANN401 - what columns hold
    ) -> int:
        """Change rows, and return how many."""
        return self._write(sa.update(table).where(*which).values(values)).rowcount

    def _delete(self, table: sa.Table, which: Iterable[sa.ColumnElement[bool]]) -> None:
        self._write(sa.delete(table).where(*which))

    def _delete_from(
        self,
        tables: Iterable[sa.Table],
        **values: Any,  # noqa: ANN401 - what columns hold
    ) -> None:
        """Delete the namespace's rows with these values from each table."""
        with self._store.transaction():
            for table in tables:
                self._delete(table, self._of(table, **values))

    def _upsert(
        self,
        table: sa.Table,
        key: Mapping[str, Any],
        values: Mapping[str, Any],
        only_new: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a row, or change these values of the existing one with this key."""
        row = {**key, **values, **(only_new or {})}
        self._write(_upserting(table, tuple(key), tuple(values), tuple(row)), row)


@functools.lru_cache(maxsize=32)
def _upserting(
    table: sa.Table, key: tuple[str, ...], values: tuple[str, ...], row: tuple[str, ...]
) -> sa.TextClause:
    """Return the statement that inserts a row, or changes its values if the key exists.

    It is text that both SQLite and PostgreSQL read, so that SQLAlchemy need not compile it for each
    row.
    """
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    text = sa.text(
        f"INSERT INTO {table.name} ({', '.join(row)})"  # noqa: S608 - names of our own columns
        f" VALUES ({', '.join(f':{name}' for name in row)})"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )
    return text.bindparams(*(sa.bindparam(name, type_=table.c[name].type) for name in row))


def value_of(kind: type[Value], row: sa.Row[Any]) -> Value:
    """Return a row as an instance of this class: each field from the column of its name, if any."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return kind(
        **{field.name: columns[field.name] for field in fields(kind) if field.name in columns}
    )
