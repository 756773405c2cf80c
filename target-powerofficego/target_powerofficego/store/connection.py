"""One connection for all threads of a run, under a lock; SQLite by path, other databases by URL."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from target_powerofficego.store import tables as t
from target_powerofficego.store.migrations import migrate
from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


WhenOlder = Literal["refuse", "migrate", "read"]
"""What to do with a store of an earlier version: only a run under its lock may migrate it, and only
a dry run, which works on a copy, reads it as it is."""


class StoreConnection:
    """What all parts of the link store rest on."""

    def __init__(
        self,
        location: str,
        *,
        connection: sa.Connection | None = None,
        when_older: WhenOlder = "refuse",
    ) -> None:
        self.location = location
        self.run: int | None = None
        """The number of the run under way, once it has one."""
        self.is_new = False
        self.namespace = 0
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = connection if connection is not None else self._connect()
        self._prepare_schema(when_older)

    @property
    def url(self) -> str:
        """The database URL: a plain path is a SQLite file."""
        return self.location if "://" in self.location else f"sqlite:///{self.location}"

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
            self._connection.engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is done inside is committed together, durably; may be nested.

        Raises:
            LinkStoreError: the database failed (full, locked, damaged).
        """
        with self._lock:
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._connection.commit()
            except BaseException as failure:
                if self._depth == 1:
                    self._connection.rollback()
                if isinstance(failure, sa.exc.DBAPIError):
                    raise self._unusable(failure) from None
                raise
            finally:
                self._depth -= 1

    def _connect(self) -> sa.Connection:
        is_sqlite = self.url.startswith("sqlite")
        arguments = {"check_same_thread": False} if is_sqlite else {}
        try:
            connection = sa.create_engine(self.url, connect_args=arguments).connect()
            if is_sqlite:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                connection.exec_driver_sql("PRAGMA synchronous = FULL")
                connection.rollback()
        except sa.exc.DBAPIError as error:
            msg = f"the link store {self.location} cannot be opened: {error.orig}"
            raise LinkStoreError(msg) from None
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError):
            msg = "the setting link_store is neither a file path nor a database URL"
            raise LinkStoreError(msg) from None
        return connection

    def _unusable(self, error: sa.exc.DBAPIError) -> LinkStoreError:
        """Return an error without the statement and its values, which may be personal."""
        return LinkStoreError(
            f"the link store {self.location} cannot be read or written: {error.orig};"
            " see to the file and its disk, then run again"
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

    def _all(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self.transaction():
            return self._connection.execute(query).all()

    def _first(
        self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None
    ) -> sa.Row[Any] | None:
        with self.transaction():
            return self._connection.execute(query, parameters).first()

    def _upsert(
        self,
        table: sa.Table,
        key: Mapping[str, Any],
        values: Mapping[str, Any],
        only_new: Mapping[str, Any] | None = None,
    ) -> None:
        dialect = self._connection.dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        statement = (
            insert(table)
            .values(**key, **values, **(only_new or {}))
            .on_conflict_do_update(index_elements=list(key), set_=dict(values))
        )
        with self.transaction():
            self._connection.execute(statement)


def new_id(result: sa.CursorResult[Any]) -> int:
    """Return the id that the database gave a new row."""
    key = result.inserted_primary_key
    if key is None:
        msg = "the database gave no id to a new row"
        raise LinkStoreError(msg)
    return int(key[0])
