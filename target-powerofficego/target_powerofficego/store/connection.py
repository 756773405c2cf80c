"""One connection for all threads of a run, under a lock; to an SQLite file or to PostgreSQL."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.migrations import migrate
from target_powerofficego.store.private_file import keep_private, private
from target_powerofficego.store.run_lock import lock_file, lock_session
from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.dialects import postgresql

_CONNECT_SECONDS = 10
_Text = tuple[str, "list[str] | None"]
"""A statement as the driver takes it, and in which order its values, None for by their names."""


WhenOlder = Literal["refuse", "migrate", "read"]
"""What to do with a store of an earlier version: only a run under its lock may migrate it, and only
a dry run, which works on a copy, reads it as it is."""


class StoreConnection:
    """What all parts of the link store rest on.

    Args:
        location: the path of an SQLite file, or the URL of a PostgreSQL database.
        locked_for: the shop whose one run at a time this is; None for who only looks.
        when_older: what to do with a store that an earlier version of this program wrote.

    Raises:
        LinkStoreError: it cannot be opened, or a run for the shop is under way.
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
        """The number of the run under way, once it has one."""
        self.opened_at = now()
        self._attempted: set[tuple[str, str]] = set()
        self.is_new = False
        self.namespace = 0
        self._texts: dict[sa.Select[Any], _Text] = {}
        self._lock = threading.RLock()
        self._depth = 0
        has_store(self.location)
        with contextlib.ExitStack() as opened:
            self._opened = opened
            if locked_for and not self.location.is_postgresql:
                self.lock(locked_for)
            self._connection = connect(self.location, is_durable=True)
            opened.callback(self._disconnect)
            if locked_for and self.location.is_postgresql:
                self.lock(locked_for)
            self._prepare_schema(when_older)
            self._opened = opened.pop_all()

    def lock(self, shop_name: str) -> None:
        """Hold the lock that a run for this shop takes, until the store is closed.

        Raises:
            LinkStoreError: a run is under way.
        """
        if self.location.is_postgresql:
            lock_session(self._connection, self.location, shop_name)
        elif (held := lock_file(self.location, shop_name)) is not None:
            self._opened.callback(held.release)

    def close(self) -> None:
        """Close the connection, and let another run begin."""
        with self._lock:
            self._opened.close()

    def _disconnect(self) -> None:
        self._connection.close()
        self._connection.engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is done inside is committed together, durably; may be nested.

        Raises:
            LinkStoreError: the database failed (full, locked, damaged).
        """
        with self._lock:
            self._check_not_lost()
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._connection.commit()
            except BaseException as failure:
                if self._depth == 1:
                    self._connection.rollback()
                if isinstance(failure, sa.exc.DBAPIError):
                    raise self._unusable(failure.orig) from None
                raise
            finally:
                self._depth -= 1

    def _check_not_lost(self) -> None:
        """See that the session is still the one that was opened: the lock of a run is its own.

        SQLAlchemy would open another one by itself, without the lock.
        """
        if self._connection.invalidated:
            msg = f"the connection to the link store {self.location} was lost; run again"
            raise LinkStoreError(msg)

    def _unusable(self, error: BaseException | None) -> LinkStoreError:
        """Return an error without the statement and its values, which may be personal."""
        return LinkStoreError(
            f"the link store {self.location} cannot be read or written: {_first_line(error)};"
            " see to it, then run again"
        )

    def _prepare_schema(self, when_older: WhenOlder) -> None:
        with self.transaction():
            found = None
            if sa.inspect(self._connection).has_table(t.about.name):
                found = self._first(sa.select(t.about))
            self.is_new = found is None
            if found is None:
                t.tables.create_all(self._connection)
                self._connection.execute(sa.insert(t.about).values(schema_version=t.SCHEMA_VERSION))
                return
            version = int(found.schema_version)
            if version < t.SCHEMA_VERSION and when_older == "migrate":
                migrate(self._connection, version)
                return
        if version > t.SCHEMA_VERSION:
            msg = (
                f"the link store {self.location} was written by a newer version of this program:"
                " upgrade target-powerofficego"
            )
            raise LinkStoreError(msg)
        if version < t.SCHEMA_VERSION and when_older == "refuse":
            msg = (
                f"the link store {self.location} was written by an earlier version of this program;"
                " the next run of target-powerofficego brings it up to date"
            )
            raise LinkStoreError(msg)

    def _key(self, table: sa.Table, entity: str) -> tuple[sa.ColumnElement[bool], ...]:
        return table.c.namespace == self.namespace, table.c.entity == entity

    def _all(
        self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None
    ) -> Sequence[sa.Row[Any]]:
        with self.transaction():
            return self._connection.execute(query, parameters).all()

    def _first(
        self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None
    ) -> sa.Row[Any] | None:
        with self.transaction():
            return self._connection.execute(query, parameters).first()

    def _first_at_once(
        self, query: sa.Select[Any], parameters: Mapping[str, Any]
    ) -> tuple[Any, ...] | None:
        """As `_first`, by the driver itself: SQLAlchemy's work takes longer than the database's."""
        if query not in self._texts:
            self._texts[query] = _text_of(query.compile(dialect=self._connection.dialect))
        text, names = self._texts[query]
        told = parameters if names is None else tuple(parameters[name] for name in names)
        with self._lock:
            self._check_not_lost()
            driver: Any = self._connection.connection.driver_connection
            try:
                row: tuple[Any, ...] | None = driver.execute(text, told).fetchone()
                if self._depth == 0:
                    driver.rollback()
            except self._connection.dialect.loaded_dbapi.Error as error:
                raise self._unusable(error) from None
        return row

    def _upsert(
        self,
        table: sa.Table,
        key: Mapping[str, Any],
        values: Mapping[str, Any],
        only_new: Mapping[str, Any] | None = None,
    ) -> None:
        row = {**key, **values, **(only_new or {})}
        text, names = _upsert_text(
            self._connection.dialect, table, tuple(key), tuple(values), (*row,)
        )
        told = row if names is None else tuple(row[name] for name in names)
        with self.transaction():
            self._connection.exec_driver_sql(text, told)


@functools.lru_cache(maxsize=32)
def _upsert_text(
    dialect: sa.Dialect,
    table: sa.Table,
    key: tuple[str, ...],
    values: tuple[str, ...],
    row: tuple[str, ...],
) -> _Text:
    """Return what writes a row of these columns, its values if there is one under the key.

    SQLAlchemy keeps no such statement: it would be compiled anew for each row.
    """
    insert = _insert_of(dialect)(table)
    statement = insert.on_conflict_do_update(
        index_elements=key, set_={name: insert.excluded[name] for name in values}
    )
    return _text_of(statement.compile(dialect=dialect, column_keys=row))


def _insert_of(
    dialect: sa.Dialect,
) -> Callable[[sa.Table], sqlite.Insert] | Callable[[sa.Table], postgresql.Insert]:
    if dialect.name != "postgresql":
        return sqlite.insert
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a file needs none of it

    return postgresql.insert


def _text_of(compiled: sa.Compiled) -> _Text:
    return str(compiled), getattr(compiled, "positiontup", None)


def new_id(result: sa.CursorResult[Any]) -> int:
    """Return the id that the database gave a new row."""
    key = result.inserted_primary_key
    if key is None:
        msg = "the database gave no id to a new row"
        raise LinkStoreError(msg)
    return int(key[0])


def connect(location: StoreLocation, *, is_durable: bool = False) -> sa.Connection:
    """Return a connection to a link store; a durable one loses nothing when the power fails.

    Raises:
        LinkStoreError: there is none to be had.
    """
    try:
        return _connection_to(location, is_durable=is_durable)
    except sa.exc.DBAPIError as error:
        msg = f"the link store {location} cannot be opened: {_first_line(error.orig)}"
        raise LinkStoreError(msg) from None
    except ImportError:
        msg = (
            "a link store in PostgreSQL needs the package psycopg: install"
            " target-powerofficego[postgresql]"
        )
        raise LinkStoreError(msg) from None


def has_store(location: StoreLocation) -> bool:
    """Tell whether a run has made a link store there; nothing is made or changed by looking.

    Raises:
        LinkStoreError: it cannot be looked at, or belongs to another program.
    """
    columns = _columns_by_table(location)
    if _is_of_another(columns, is_shared=location.is_postgresql):
        msg = (
            f"{location} is a database of another program, and nothing was changed in it: set"
            " link_store to a place of its own"
        )
        raise LinkStoreError(msg)
    return t.about.name in columns


def _is_of_another(columns: Mapping[str, set[str]], *, is_shared: bool) -> bool:
    """Tell by its tables' columns whether a database is another program's.

    One of PostgreSQL may be shared, if no table there has the name of one of ours. A store whose
    making was cut off has some of our tables, as they are made now.
    """
    ours = {table.name: set(table.c.keys()) for table in t.tables.sorted_tables}
    if t.about.name in columns:
        is_about_ours = columns[t.about.name] == ours[t.about.name]
        namespaces = columns.get(t.namespaces.name, ours[t.namespaces.name])
        return not (is_about_ours and namespaces >= ours[t.namespaces.name])
    if not is_shared and set(columns) - set(ours):
        return True
    return any(columns[name] != ours[name] for name in set(columns) & set(ours))


def has_tables(location: StoreLocation) -> bool:
    """Tell whether there is any table there, of a link store or of another program.

    Raises:
        LinkStoreError: it cannot be looked at.
    """
    return bool(_columns_by_table(location))


def _columns_by_table(location: StoreLocation) -> dict[str, set[str]]:
    """Return each table that is there, with the names of its columns if its name is one of ours."""
    if location.path is None and not location.is_postgresql:
        return {}
    if location.path is not None and not location.path.exists():
        return {}
    connection = connect(location)
    try:
        there = sa.inspect(connection)
        return {
            name: {
                column["name"]
                for column in (there.get_columns(name) if name in t.tables.tables else ())
            }
            for name in there.get_table_names()
        }
    except sa.exc.DBAPIError as error:
        msg = f"the link store {location} cannot be opened: {_first_line(error.orig)}"
        raise LinkStoreError(msg) from None
    finally:
        connection.close()
        connection.engine.dispose()


def _connection_to(location: StoreLocation, *, is_durable: bool) -> sa.Connection:
    if location.is_postgresql:
        arguments = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "target-powerofficego",
        }
        return sa.create_engine(
            location.url, connect_args=arguments, hide_parameters=True
        ).connect()
    if is_durable:
        _make_private_file(location)
    connection = sa.create_engine(
        location.url,
        connect_args={"check_same_thread": False},
        poolclass=sa.pool.StaticPool,
        hide_parameters=True,
    ).connect()
    if is_durable:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        connection.rollback()
    return connection


def _make_private_file(location: StoreLocation) -> None:
    """Make the file of a new store, or keep one private; its journals get its rights from SQLite.

    One that is there is not opened: closing it would let go of locks that SQLite holds on it.
    """
    if location.path is None:
        return
    if not location.path.exists():
        with contextlib.suppress(OSError):  # SQLite says why it cannot be
            os.close(private(str(location.path), os.O_RDWR | os.O_CREAT))
    for journal in ("", "-wal", "-shm"):
        keep_private(location.path.with_name(location.path.name + journal))


def _first_line(error: BaseException | None) -> str:
    """Return what the database says; PostgreSQL's further lines may quote values."""
    return str(error).strip().partition("\n")[0]
