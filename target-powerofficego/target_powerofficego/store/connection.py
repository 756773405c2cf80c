"""The open link store: one connection for all threads of a run, and how rows go through it.

`StoreConnection` holds the connection to an SQLite file or to PostgreSQL, under a lock. `Rows` is
the base class of the parts of the store, which read and write the rows of one namespace.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import sqlalchemy as sa

from target_powerofficego.dataflow.table import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.location import (
    StoreLocation,
    keep_private,
    lock_file,
    lock_session,
    open_private,
)
from target_powerofficego.store.tables import migrate
from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from _typeshed import DataclassInstance


_CONNECT_SECONDS = 10
_LOCK_SECONDS = 10
_LONGEST_LOCK_SECONDS = 60
"""How long to wait for a lock of another session of PostgreSQL: on a row, or on a whole table that
it erases from or migrates."""

_SQLITE: Mapping[str, Any] = {
    "connect_args": {"check_same_thread": False},
    "poolclass": sa.pool.StaticPool,
    "paramstyle": "named",
}
_POSTGRESQL: Mapping[str, Any] = {
    "connect_args": {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "target-powerofficego",
        "client_encoding": "utf8",
    }
}
_LOCK_OF_ALL_SHOPS = int.from_bytes(b"go links", "big")
"""The number of the lock in PostgreSQL that does not belong to a particular shop."""
_COUNT_OLD_READERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()
    AND age(backend_xmin) > age(pg_current_xact_id()::xid)
"""
"""Counts the sessions whose transaction began earlier, and which still see the rows of then."""

WhenOlder = Literal["refuse", "migrate", "read"]
"""What to do with a store of an earlier version: only a run that holds the lock migrates it, and
only a dry run, which works on a copy, reads it without migrating."""


class StoreConnection:
    """The foundation of all parts of the link store.

    Args:
        location: the path of an SQLite file, or the URL of a PostgreSQL database.
        locked_for: the shop whose lock to hold, as only one run may write for a shop; None for
            read-only use.
        when_older: what to do with a store that an earlier version of this program wrote.

    Raises:
        LinkStoreError: the store cannot be opened, or a run for the shop is under way.
    """

    def __init__(
        self,
        location: str | StoreLocation,
        *,
        locked_for: str | None = None,
        when_older: WhenOlder = "refuse",
    ) -> None:
        self.location = (
            location if isinstance(location, StoreLocation) else StoreLocation.of(location)
        )
        self.run: int | None = None
        """The number of the current run, once it has one."""
        self.opened_at = now()
        self.namespace = 0
        self._lock = threading.RLock()
        self._depth = 0
        self.write_count = 0
        """How often this connection has written; while it stays the same, so does what was read."""
        has_store(self.location)  # fails if the database belongs to another program
        with contextlib.ExitStack() as opened:
            self._opened = opened
            if locked_for and not self.location.is_postgresql:
                self.lock(locked_for)
            self.connection = connect(self.location, is_durable=True)
            opened.callback(_disconnect, self.connection)
            if locked_for and self.location.is_postgresql:
                self.lock(locked_for)
            self._prepare_schema(when_older)
            self._opened = opened.pop_all()

    def lock(self, shop_name: str) -> None:
        """Hold the lock of a run for this shop until the store is closed.

        Raises:
            LinkStoreError: a run is under way.
        """
        if self.location.is_postgresql:
            lock_session(self.connection, self.location, shop_name)
        elif (lock := lock_file(self.location, shop_name)) is not None:
            self._opened.callback(lock.release)

    def close(self) -> None:
        """Close the connection and release the lock."""
        with self._lock:
            self._opened.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything done inside it durably, or nothing; may be nested.

        Raises:
            LinkStoreError: the database failed (full, locked, damaged).
        """
        with self._lock:
            self._require_session()
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self.connection.commit()
            except BaseException as failure:
                if self._depth == 1:
                    self.connection.rollback()
                if isinstance(failure, sa.exc.DBAPIError):
                    raise self._error(failure.orig) from None
                raise
            finally:
                self._depth -= 1

    def _require_session(self) -> None:
        """Check that the session that was opened, and holds the run's lock, is not lost.

        SQLAlchemy would silently open another one, without the lock.
        """
        if self.connection.invalidated:
            raise LinkStoreError(
                f"the connection to the link store {self.location} was lost; run again"
            )

    def _error(self, error: BaseException | None) -> LinkStoreError:
        """Return an error without the statement and its values, which may be personal data."""
        return LinkStoreError(
            f"the link store {self.location} cannot be read or written: {_first_line(error)};"
            " correct that, then run again"
        )

    def _prepare_schema(self, when_older: WhenOlder) -> None:
        with self.transaction():
            version = self._schema_version()
            if version is None or (version < t.SCHEMA_VERSION and when_older == "migrate"):
                self._lock_schema()
                version = self._schema_version()
            if version is None:
                t.tables.create_all(self.connection)
                self.connection.execute(sa.insert(t.about).values(schema_version=t.SCHEMA_VERSION))
            elif version < t.SCHEMA_VERSION and when_older == "migrate":
                migrate(self.connection, version)
            elif version < t.SCHEMA_VERSION and when_older == "refuse":
                raise LinkStoreError(
                    f"the link store {self.location} was written by an earlier version of this"
                    " program; the next run of target-powerofficego will migrate it"
                )
            elif version > t.SCHEMA_VERSION:
                raise LinkStoreError(
                    f"the link store {self.location} was written by a newer version of this"
                    " program: upgrade target-powerofficego"
                )

    def _schema_version(self) -> int | None:
        """Return the version of the tables; None if there are no tables yet."""
        if not sa.inspect(self.connection).has_table(t.about.name):
            return None
        return self.connection.scalar(sa.select(t.about.c.schema_version))

    def _lock_schema(self) -> None:
        """Keep runs of other shops from creating or migrating this store during the transaction."""
        if self.location.is_postgresql:
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_OF_ALL_SHOPS)))
        else:
            self.connection.exec_driver_sql("BEGIN IMMEDIATE")

    def fetch_directly(self, query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a query in the driver's syntax, past SQLAlchemy, and return its rows.

        For queries that are run for every record: SQLAlchemy takes longer than the database.

        Raises:
            LinkStoreError: the database failed.
        """
        with self._lock:
            self._require_session()
            driver: Any = self.connection.connection.driver_connection
            try:
                rows: list[tuple[Any, ...]] = driver.execute(query, parameters).fetchall()
                if self._depth == 0:
                    driver.rollback()
            except self.connection.dialect.loaded_dbapi.Error as error:
                raise self._error(error) from None
        return rows

    def purge_deleted(self) -> None:
        """Remove deleted data from the pages of the database, where it would otherwise remain.

        Raises:
            LinkStoreError: another program uses the store, so its file still has deleted data.
        """
        purge = _purge_sqlite if self.location.path else _purge_postgresql
        with self._lock:
            self.connection.rollback()
            engine = self.connection.engine.execution_options(isolation_level="AUTOCOMMIT")
            try:
                with engine.connect() as connection:
                    is_clean = purge(connection)
            except sa.exc.DBAPIError:
                is_clean = False
        if not is_clean:
            raise LinkStoreError(
                f"the data was erased, but another program uses the link store {self.location},"
                " whose file still has the deleted values: erase again once that program has ended"
            )


def _purge_sqlite(connection: sa.Connection) -> bool:
    """Rewrite the file; return whether its log, which has the old pages, was emptied."""
    connection.exec_driver_sql("VACUUM")
    checkpoint = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return bool(checkpoint.scalar_one() == 0)


def _purge_postgresql(connection: sa.Connection) -> bool:
    """Rewrite the tables, and PostgreSQL's statistics of common values.

    Return whether no other session can still see the old rows; PostgreSQL keeps them if one can.
    """
    connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_SECONDS * 1000}")
    old_readers = connection.exec_driver_sql(_COUNT_OLD_READERS).scalar_one()
    names = ", ".join(table.name for table in t.tables.sorted_tables)
    connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {names}")
    return not old_readers


def connect(location: StoreLocation, *, is_durable: bool = False) -> sa.Connection:
    """Return a connection to a link store; a durable one loses nothing when the power fails.

    Raises:
        LinkStoreError: the connection fails.
    """
    with _opening(location):
        return _connection_to(location, is_durable=is_durable)


@contextlib.contextmanager
def _opening(location: StoreLocation) -> Iterator[None]:
    """Turn the errors of opening a store into `LinkStoreError`."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise LinkStoreError(
            f"the link store {location} cannot be opened: {_first_line(error.orig)}"
        ) from None
    except ImportError:
        raise LinkStoreError(
            "a link store in PostgreSQL needs the package psycopg: install"
            " target-powerofficego[postgresql]"
        ) from None


def has_store(location: StoreLocation) -> bool:
    """Return whether a run has created a link store there; the check itself changes nothing.

    Raises:
        LinkStoreError: the database cannot be read, or belongs to another program.
    """
    columns = _columns_by_table(location)
    if _is_of_other_program(columns, is_shared=location.is_postgresql):
        raise LinkStoreError(
            f"{location} is a database of another program, and nothing was changed in it: set"
            " link_store to a place of its own"
        )
    return t.about.name in columns


def _is_of_other_program(columns: Mapping[str, set[str]], *, is_shared: bool) -> bool:
    """Return whether a database belongs to another program, judging by the columns of its tables.

    A PostgreSQL database may be shared, as long as no other table has the name of one of ours. A
    store whose creation was interrupted has some of our tables, in their present form.
    """
    ours = {table.name: set(table.c.keys()) for table in t.tables.sorted_tables}
    if t.about.name in columns:
        has_our_about = columns[t.about.name] == ours[t.about.name]
        namespaces = columns.get(t.namespaces.name, ours[t.namespaces.name])
        return not (has_our_about and namespaces >= ours[t.namespaces.name])
    if not is_shared and set(columns) - set(ours):
        return True
    return any(columns[name] != ours[name] for name in set(columns) & set(ours))


def has_tables(location: StoreLocation) -> bool:
    """Return whether a database has any table, of a link store or of another program.

    Raises:
        LinkStoreError: the database cannot be read.
    """
    return bool(_columns_by_table(location))


def _columns_by_table(location: StoreLocation) -> dict[str, set[str]]:
    """Return the names of the existing tables, each with its columns if they identify a link store.

    In a complete store, `about` and `namespaces` do; otherwise each table with one of our names.
    """
    exists = location.path.exists() if location.path else location.is_postgresql
    if not exists:
        return {}
    with _opening(location), contextlib.ExitStack() as opened:
        connection = connect(location)
        opened.callback(_disconnect, connection)
        inspector = sa.inspect(connection)
        names = inspector.get_table_names()
        is_complete = t.about.name in names
        identifying = {t.about.name, t.namespaces.name} if is_complete else t.tables.tables
        return {
            name: {column["name"] for column in inspector.get_columns(name)}
            if name in identifying
            else set()
            for name in names
        }


def _connection_to(location: StoreLocation, *, is_durable: bool) -> sa.Connection:
    if is_durable and location.path is not None:
        _make_private_file(location.path)
    options = _POSTGRESQL if location.is_postgresql else _SQLITE
    connection = sa.create_engine(location.url, hide_parameters=True, **options).connect()
    if location.is_postgresql:
        _require_utf8(connection, location)
        connection.exec_driver_sql(f"SET lock_timeout = '{_LONGEST_LOCK_SECONDS}s'")
        connection.commit()
    if is_durable and not location.is_postgresql:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        connection.rollback()
    return connection


def _require_utf8(connection: sa.Connection, location: StoreLocation) -> None:
    """Check that a database in PostgreSQL can store every character.

    Raises:
        LinkStoreError: it cannot; the connection is closed.
    """
    driver: Any = connection.connection.driver_connection
    encoding = driver.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        _disconnect(connection)
        raise LinkStoreError(
            f"the database of the link store {location} uses {encoding}, which does not have every"
            " character: create one with ENCODING 'UTF8'"
        )


def _disconnect(connection: sa.Connection) -> None:
    connection.close()
    connection.engine.dispose()


def _make_private_file(path: Path) -> None:
    """Create the file of a store, or make it private; SQLite gives its journals the same rights.

    An existing file is not opened: closing it would release the locks that SQLite holds on it.
    """
    if not path.exists():
        with contextlib.suppress(OSError):  # SQLite will report why it cannot be created
            os.close(open_private(str(path), os.O_RDWR | os.O_CREAT))
    for journal in ("", "-wal", "-shm"):
        keep_private(path.with_name(path.name + journal))


def _first_line(error: BaseException | None) -> str:
    """Return the first line of a database's message; PostgreSQL may quote values in the others."""
    return str(error).strip().partition("\n")[0]


Value = TypeVar("Value", bound="DataclassInstance")


class Rows:
    """One part of the link store.

    Args:
        store: the open store; unless stated otherwise, methods work in its chosen namespace.
    """

    def __init__(self, store: StoreConnection) -> None:
        self._store = store

    def _key(self, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - what columns hold
        """Return these values with the chosen namespace, unless they include one."""
        return {"namespace": self._store.namespace, **values}

    def _where(
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
        return sa.select(table).where(*self._where(table, **values), *conditions)

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
            self._store.write_count += 1
            return self._store.connection.execute(statement, parameters)

    def _insert(self, table: sa.Table, **values: Any) -> int:  # noqa: ANN401 - what columns hold
        """Insert a row, and return the id that the database gave it."""
        key = self._write(sa.insert(table).values(values)).inserted_primary_key
        if key is None:
            raise LinkStoreError("the database gave no id to a new row")
        return int(key[0])

    def _insert_all(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows to which the database gives no id."""
        if rows:
            self._write(sa.insert(table), rows)

    def _update(
        self,
        table: sa.Table,
        conditions: Iterable[sa.ColumnElement[bool]],
        **values: Any,  # noqa: ANN401 - what columns hold
    ) -> int:
        """Update the rows that fulfil the conditions, and return how many they are."""
        return self._write(sa.update(table).where(*conditions).values(values)).rowcount

    def _delete(self, table: sa.Table, conditions: Iterable[sa.ColumnElement[bool]]) -> None:
        self._write(sa.delete(table).where(*conditions))

    def _delete_from(
        self,
        tables: Iterable[sa.Table],
        **values: Any,  # noqa: ANN401 - what columns hold
    ) -> None:
        """Delete the namespace's rows with these values from each table."""
        with self._store.transaction():
            for table in tables:
                self._delete(table, self._where(table, **values))

    def _upsert(
        self,
        table: sa.Table,
        key: Mapping[str, Any],
        values: Mapping[str, Any],
        only_new: Mapping[str, Any] | None = None,
    ) -> None:
        """Insert a row, or update the existing row with this key.

        Values of `only_new` are inserted with a new row; an existing row keeps its own.
        """
        row = {**key, **values, **(only_new or {})}
        self._write(_upsert_statement(table, tuple(key), tuple(values), tuple(row)), row)


@functools.lru_cache(maxsize=32)
def _upsert_statement(
    table: sa.Table, key: tuple[str, ...], values: tuple[str, ...], row: tuple[str, ...]
) -> sa.TextClause:
    """Return the statement that inserts a row, or updates these values if the key exists.

    It is text that both SQLite and PostgreSQL accept, so SQLAlchemy need not compile it for each
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
    """Return a row as an instance of a dataclass; each field is the column of its name, if any."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return kind(
        **{field.name: columns[field.name] for field in fields(kind) if field.name in columns}
    )
