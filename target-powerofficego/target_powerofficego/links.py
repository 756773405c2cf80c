"""The link store: which shop record is which Go entity, what both sides last agreed on, what is open.

This is the one place where SQL is written. One connection serves all threads of a run, under a lock.
"""

from __future__ import annotations

import contextlib
import datetime
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import simplejson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from target_powerofficego import store_tables as t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.dataflow.values import Value

UnsettledKind = Literal["parked", "reject", "hold"]


class LinkStoreError(Exception):
    """The link store cannot be used; the text says why and what to do about it."""


@dataclass(frozen=True)
class Agreement:
    """What a row's two sides held when they last agreed, in Go's form, and when each was read."""

    shop: Value
    go: Value
    shop_read_at: datetime.datetime
    go_read_at: datetime.datetime


@dataclass(frozen=True)
class Link:
    """A shop record and the Go entity that is its counterpart.

    A follower shares the Go entity of another record; no properties flow through it. `own_stamp` is
    Go's last-changed stamp as our own last write left it.
    """

    entity: str
    shop_id: str
    go_id: str
    is_follower: bool = False
    shop_created_at: str | None = None
    base: Mapping[str, Agreement] = field(default_factory=dict)
    own_stamp: str | None = None


@dataclass(frozen=True)
class Intent:
    """A write that was about to be sent; left over when its answer never came."""

    id: int
    entity: str
    shop_id: str
    kind: str
    detail: Mapping[str, Any]
    started_at: datetime.datetime


@dataclass(frozen=True)
class Unsettled:
    """A record that is parked, rejected or held, with its payload and the reason."""

    id: int
    entity: str
    shop_id: str
    kind: UnsettledKind
    payload: dict[str, Any]
    read_at: datetime.datetime
    reason: str
    title: str | None
    detail: str | None
    first_seen: datetime.datetime
    last_seen: datetime.datetime
    attempts: int
    next_attempt_at: datetime.datetime | None
    acknowledged_at: datetime.datetime | None
    shop_name: str = ""


@dataclass(frozen=True)
class Run:
    """One run as it was recorded."""

    id: int
    shop_name: str
    started_at: datetime.datetime
    finished_at: datetime.datetime | None
    exit_status: int | None
    outcomes: Mapping[str, Any]
    calls: Mapping[str, Any]


def now() -> datetime.datetime:
    """Return this moment, aware, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


class LinkStore:
    """The store of one file (or database); `enter` chooses the namespace that all else works in."""

    def __init__(self, location: str, *, connection: sa.Connection | None = None) -> None:
        self.location = location
        self.is_new = False
        self.namespace = 0
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = connection if connection is not None else self._connect()
        self._prepare_schema()

    @property
    def url(self) -> str:
        """The database URL: a plain path is a SQLite file."""
        return self.location if "://" in self.location else f"sqlite:///{self.location}"

    def copy_in_memory(self) -> LinkStore:
        """Return a copy that is written nowhere, for a dry run or a plan."""
        engine = sa.create_engine(
            "sqlite://", connect_args={"check_same_thread": False}, poolclass=sa.pool.StaticPool
        )
        copy = LinkStore("sqlite://", connection=engine.connect())
        with self._lock, copy.transaction():
            for table in t.tables.sorted_tables:
                if table is t.about:
                    continue
                for rows in self._connection.execute(sa.select(table)).mappings().partitions(1000):
                    copy._connection.execute(sa.insert(table), [dict(row) for row in rows])
            self._connection.rollback()
        copy.namespace = self.namespace
        return copy

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
            self._connection.engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is done inside is committed together, durably; may be nested."""
        with self._lock:
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.rollback()
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.commit()

    def enter(
        self, client_id: str, client_name: str | None, shop_name: str, *, new_namespace: bool
    ) -> None:
        """Choose the namespace of a Go client and a shop; the first time it is made.

        Raises:
            LinkStoreError: the store knows this client under another shop name only, or this shop
                under another client only, and `new_namespace` is false.
        """
        rows = self._all(sa.select(t.namespaces))
        for row in rows:
            if (row.client_id, row.shop_name) == (client_id, shop_name):
                self.namespace = row.id
                return
        same_client = sorted(row.shop_name for row in rows if row.client_id == client_id)
        same_shop = [row.client_name or row.client_id for row in rows if row.shop_name == shop_name]
        if same_client and not new_namespace:
            msg = (
                f'the link store {self.location} knows this Go client under the shop name "'
                f'{same_client[0]}", not "{shop_name}": a renamed shop would post everything again;'
                " set shop_name back, or new_namespace: true if this is another shop"
            )
            raise LinkStoreError(msg)
        if same_shop and not new_namespace:
            msg = (
                f'the link store {self.location} knows the shop "{shop_name}" with another Go client'
                f' ("{same_shop[0]}"): check client_key, or set new_namespace: true if the shop now'
                " keeps its books there"
            )
            raise LinkStoreError(msg)
        with self.transaction():
            result = self._connection.execute(
                sa.insert(t.namespaces).values(
                    client_id=client_id,
                    client_name=client_name,
                    shop_name=shop_name,
                    opened_at=_stamp(now()),
                )
            )
            self.namespace = _new_id(result)

    def has_finished_run(self) -> bool:
        """Tell whether a run of this namespace ever came to its end."""
        query = sa.select(t.runs.c.id).where(
            t.runs.c.namespace == self.namespace, t.runs.c.exit_status.in_((0, 3))
        )
        return self._first(query.limit(1)) is not None

    def start_run(self) -> int:
        """Record that a run began; return its number."""
        with self.transaction():
            result = self._connection.execute(
                sa.insert(t.runs).values(namespace=self.namespace, started_at=_stamp(now()))
            )
            return _new_id(result)

    def finish_run(
        self,
        run_id: int,
        *,
        exit_status: int,
        outcomes: Mapping[str, Any],
        calls: Mapping[str, Any],
    ) -> None:
        """Record how a run ended."""
        with self.transaction():
            self._connection.execute(
                sa.update(t.runs)
                .where(t.runs.c.id == run_id)
                .values(
                    finished_at=_stamp(now()),
                    exit_status=exit_status,
                    outcomes=_dump(outcomes),
                    calls=_dump(calls),
                )
            )

    def runs(self, newest: int = 20) -> list[Run]:
        """Return the newest runs of all namespaces, newest first."""
        query = (
            sa.select(t.runs, t.namespaces.c.shop_name)
            .join(t.namespaces)
            .order_by(t.runs.c.id.desc())
            .limit(newest)
        )
        return [
            Run(
                id=row.id,
                shop_name=row.shop_name,
                started_at=_required_moment(row.started_at),
                finished_at=_moment(row.finished_at),
                exit_status=row.exit_status,
                outcomes=_load(row.outcomes or "{}"),
                calls=_load(row.calls or "{}"),
            )
            for row in self._all(query)
        ]

    def link(self, entity: str, shop_id: str) -> Link | None:
        """Return the link of a shop record, if it has one."""
        row = self._first(
            sa.select(t.links).where(*self._key(t.links, entity), t.links.c.shop_id == shop_id)
        )
        return None if row is None else _link(row)

    def links_to(self, entity: str, go_id: str) -> list[Link]:
        """Return every link to a Go entity: at most one of them is no follower."""
        query = sa.select(t.links).where(*self._key(t.links, entity), t.links.c.go_id == go_id)
        return [_link(row) for row in self._all(query.order_by(t.links.c.is_follower))]

    def all_links(self) -> Iterator[tuple[str, Link]]:
        """Return each link of all namespaces with its shop name."""
        query = sa.select(t.links, t.namespaces.c.shop_name).join(t.namespaces)
        for row in self._all(query.order_by(t.links.c.entity, t.links.c.shop_id)):
            yield row.shop_name, _link(row)

    def has_links(self) -> bool:
        """Tell whether this namespace has any link."""
        query = sa.select(t.links.c.shop_id).where(t.links.c.namespace == self.namespace)
        return self._first(query.limit(1)) is not None

    def put_link(self, link: Link) -> None:
        """Store a link, in place of the one that this shop record had."""
        base = {
            name: [one.shop, one.go, _stamp(one.shop_read_at), _stamp(one.go_read_at)]
            for name, one in link.base.items()
        }
        values = {
            "go_id": link.go_id,
            "is_follower": link.is_follower,
            "shop_created_at": link.shop_created_at,
            "base": _dump(base),
            "own_stamp": link.own_stamp,
        }
        key = {"namespace": self.namespace, "entity": link.entity, "shop_id": link.shop_id}
        self._upsert(t.links, key, values, only_new={"linked_at": _stamp(now())})

    def delete_link(self, entity: str, shop_id: str) -> None:
        """Forget a link, after we deleted the Go entity ourselves."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.links).where(*self._key(t.links, entity), t.links.c.shop_id == shop_id)
            )

    def last_settled(self, entity: str, shop_id: str) -> tuple[str, datetime.datetime] | None:
        """Return the hash of the record last fully settled under this id, and when it was read."""
        query = sa.select(t.settled.c.record_hash, t.settled.c.read_at).where(
            *self._key(t.settled, entity), t.settled.c.shop_id == shop_id
        )
        row = self._first(query)
        return None if row is None else (str(row.record_hash), _required_moment(row.read_at))

    def put_settled(
        self, entity: str, shop_id: str, record_hash: str, read_at: datetime.datetime
    ) -> None:
        """Remember that a record with this hash, read then, is fully settled; no reject stays."""
        key = {"namespace": self.namespace, "entity": entity, "shop_id": shop_id}
        with self.transaction():
            values = {"record_hash": record_hash, "read_at": _stamp(read_at)}
            self._upsert(t.settled, key, values)
            self.clear_unsettled(entity, shop_id)

    def begin_intent(
        self, entity: str, shop_id: str, kind: str, detail: Mapping[str, Any]
    ) -> Intent:
        """Commit what is about to be written, before the call."""
        started = now()
        with self.transaction():
            result = self._connection.execute(
                sa.insert(t.intents).values(
                    namespace=self.namespace,
                    entity=entity,
                    shop_id=shop_id,
                    kind=kind,
                    detail=_dump(detail),
                    started_at=_stamp(started),
                )
            )
            number = _new_id(result)
        return Intent(number, entity, shop_id, kind, detail, started)

    def end_intent(self, intent: Intent) -> None:
        """Remove an intent, in the transaction that stores its answer."""
        with self.transaction():
            self._connection.execute(sa.delete(t.intents).where(t.intents.c.id == intent.id))

    def intents(self) -> list[Intent]:
        """Return the intents left over from earlier runs, oldest first."""
        query = sa.select(t.intents).where(t.intents.c.namespace == self.namespace)
        return [
            Intent(
                row.id,
                row.entity,
                row.shop_id,
                row.kind,
                _load(row.detail),
                _required_moment(row.started_at),
            )
            for row in self._all(query.order_by(t.intents.c.id))
        ]

    def put_unsettled(
        self,
        kind: UnsettledKind,
        entity: str,
        shop_id: str,
        *,
        payload: Mapping[str, Any],
        read_at: datetime.datetime,
        reason: str,
        title: str | None = None,
        detail: str | None = None,
        retry_after: datetime.timedelta | None = None,
        waits_for: Sequence[str] = (),
    ) -> None:
        """Keep a record that could not be settled; an acknowledgement stands while the reason does."""
        before = self._one_unsettled(entity, shop_id)
        same = before is not None and (before.kind, before.reason) == (kind, reason)
        values = {
            "kind": kind,
            "payload": _dump(payload),
            "read_at": _stamp(read_at),
            "reason": reason,
            "title": title,
            "detail": detail,
            "last_seen": _stamp(now()),
            "attempts": (before.attempts if before and same else 0) + 1,
            "next_attempt_at": _stamp(now() + retry_after) if retry_after else None,
            "acknowledged_at": _stamp(before.acknowledged_at)
            if before and same and before.acknowledged_at
            else None,
        }
        key = {"namespace": self.namespace, "entity": entity, "shop_id": shop_id}
        with self.transaction():
            first_seen = before.first_seen if before and same else now()
            self._upsert(t.unsettled, key, {**values, "first_seen": _stamp(first_seen)})
            kept = self._one_unsettled(entity, shop_id)
            if kept is None:
                msg = f"{entity} {shop_id} was stored but cannot be found again"
                raise LinkStoreError(msg)
            self._connection.execute(sa.delete(t.waits).where(t.waits.c.unsettled_id == kept.id))
            for awaited in sorted(set(waits_for)):
                self._connection.execute(
                    sa.insert(t.waits).values(unsettled_id=kept.id, awaited=awaited)
                )

    def clear_unsettled(self, entity: str, shop_id: str) -> None:
        """Forget that a record was parked, rejected or held."""
        found = self._one_unsettled(entity, shop_id)
        if found is None:
            return
        with self.transaction():
            self._connection.execute(sa.delete(t.waits).where(t.waits.c.unsettled_id == found.id))
            self._connection.execute(sa.delete(t.unsettled).where(t.unsettled.c.id == found.id))

    def unsettled_of(self, entity: str, shop_id: str) -> Unsettled | None:
        """Return why a record is parked, rejected or held, if it is."""
        return self._one_unsettled(entity, shop_id)

    def unsettled(
        self, *kinds: UnsettledKind, every_namespace: bool = False, acknowledged: bool = True
    ) -> list[Unsettled]:
        """Return what is parked, rejected or held, oldest first."""
        query = sa.select(t.unsettled, t.namespaces.c.shop_name).join(t.namespaces)
        if kinds:
            query = query.where(t.unsettled.c.kind.in_(kinds))
        if not every_namespace:
            query = query.where(t.unsettled.c.namespace == self.namespace)
        if not acknowledged:
            query = query.where(t.unsettled.c.acknowledged_at.is_(None))
        return [_unsettled(row) for row in self._all(query.order_by(t.unsettled.c.id))]

    def waiting_for(self, awaited: str) -> list[Unsettled]:
        """Return the parked records that wait for a record such as "customers:12"."""
        query = (
            sa.select(t.unsettled)
            .join(t.waits)
            .where(t.waits.c.awaited == awaited, t.unsettled.c.namespace == self.namespace)
        )
        return [_unsettled(row) for row in self._all(query.order_by(t.unsettled.c.id))]

    def acknowledge(self, unsettled_id: int) -> bool:
        """Note that a person knows of a reject or hold; tell whether there is one of that number."""
        with self.transaction():
            result = self._connection.execute(
                sa.update(t.unsettled)
                .where(t.unsettled.c.id == unsettled_id, t.unsettled.c.kind.in_(("reject", "hold")))
                .values(acknowledged_at=_stamp(now()))
            )
            return result.rowcount == 1

    def put_go_entry(
        self,
        entity: str,
        go_id: str,
        body: Mapping[str, Any],
        keys: Iterable[str],
        read_at: datetime.datetime,
    ) -> None:
        """Keep an entry as read from Go, and the keys it is found by."""
        key = {"namespace": self.namespace, "entity": entity, "go_id": go_id}
        with self.transaction():
            self._upsert(t.go_entries, key, {"body": _dump(body), "read_at": _stamp(read_at)})
            self._connection.execute(
                sa.delete(t.go_keys).where(
                    *self._key(t.go_keys, entity), t.go_keys.c.go_id == go_id
                )
            )
            rows = [{**key, "match_key": match_key} for match_key in sorted(set(keys))]
            if rows:
                self._connection.execute(sa.insert(t.go_keys), rows)

    def remove_go_entry(self, entity: str, go_id: str) -> None:
        """Forget an entry that Go no longer has."""
        with self.transaction():
            for table in (t.go_keys, t.go_entries):
                self._connection.execute(
                    sa.delete(table).where(*self._key(table, entity), table.c.go_id == go_id)
                )

    def clear_go_entries(self, entity: str) -> None:
        """Forget all entries of an entity, before it is read in full."""
        with self.transaction():
            for table in (t.go_keys, t.go_entries):
                self._connection.execute(sa.delete(table).where(*self._key(table, entity)))

    def go_entry(self, entity: str, go_id: str) -> tuple[dict[str, Any], datetime.datetime] | None:
        """Return an entry as last read from Go, with when that was."""
        query = sa.select(t.go_entries).where(
            *self._key(t.go_entries, entity), t.go_entries.c.go_id == go_id
        )
        row = self._first(query)
        return None if row is None else (_load(row.body), _required_moment(row.read_at))

    def go_ids(self, entity: str, match_key: str) -> list[str]:
        """Return the ids of the entries found by a key, in the order of their ids."""
        query = sa.select(t.go_keys.c.go_id).where(
            *self._key(t.go_keys, entity), t.go_keys.c.match_key == match_key
        )
        return sorted(
            (str(row.go_id) for row in self._all(query)), key=lambda go_id: (len(go_id), go_id)
        )

    def go_key_exists(self, entity: str, prefix: str) -> bool:
        """Tell whether any entry is found by a key that begins so."""
        query = sa.select(t.go_keys.c.go_id).where(
            *self._key(t.go_keys, entity), t.go_keys.c.match_key.startswith(prefix, autoescape=True)
        )
        return self._first(query.limit(1)) is not None

    def count_go_entries(self, entity: str) -> int:
        """Return how many entries of an entity Go was read to hold."""
        query = sa.select(sa.func.count()).where(*self._key(t.go_entries, entity))
        row = self._first(query.select_from(t.go_entries))
        return 0 if row is None else int(row[0])

    def watermark(self, entity: str) -> tuple[str | None, datetime.datetime] | None:
        """Return Go's newest stamp seen for an entity and when all of it was last read."""
        row = self._first(sa.select(t.watermarks).where(*self._key(t.watermarks, entity)))
        return None if row is None else (row.changed_since, _required_moment(row.full_read_at))

    def put_watermark(
        self, entity: str, changed_since: str | None, full_read_at: datetime.datetime
    ) -> None:
        """Remember how far an entity was read."""
        key = {"namespace": self.namespace, "entity": entity}
        values = {"changed_since": changed_since, "full_read_at": _stamp(full_read_at)}
        self._upsert(t.watermarks, key, values)

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

    def _prepare_schema(self) -> None:
        try:
            with self.transaction():
                self.is_new = not sa.inspect(self._connection).has_table(t.about.name)
                if self.is_new:
                    t.tables.create_all(self._connection)
                    self._connection.execute(
                        sa.insert(t.about).values(schema_version=t.SCHEMA_VERSION)
                    )
                row = self._first(sa.select(t.about))
        except sa.exc.DBAPIError as error:
            msg = f"the link store {self.location} cannot be written: {error.orig}"
            raise LinkStoreError(msg) from None
        if row is None or row.schema_version != t.SCHEMA_VERSION:
            msg = f"the link store {self.location} was written by another version of this program"
            raise LinkStoreError(msg)

    def _one_unsettled(self, entity: str, shop_id: str) -> Unsettled | None:
        query = sa.select(t.unsettled).where(
            *self._key(t.unsettled, entity), t.unsettled.c.shop_id == shop_id
        )
        row = self._first(query)
        return None if row is None else _unsettled(row)

    def _key(self, table: sa.Table, entity: str) -> tuple[sa.ColumnElement[bool], ...]:
        return table.c.namespace == self.namespace, table.c.entity == entity

    def _all(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self.transaction():
            return self._connection.execute(query).all()

    def _first(self, query: sa.Select[Any]) -> sa.Row[Any] | None:
        with self.transaction():
            return self._connection.execute(query).first()

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


def _link(row: sa.Row[Any]) -> Link:
    base = {
        name: Agreement(shop, go, _required_moment(shop_at), _required_moment(go_at))
        for name, (shop, go, shop_at, go_at) in _load(row.base).items()
    }
    return Link(
        entity=row.entity,
        shop_id=row.shop_id,
        go_id=row.go_id,
        is_follower=row.is_follower,
        shop_created_at=row.shop_created_at,
        base=base,
        own_stamp=row.own_stamp,
    )


def _unsettled(row: sa.Row[Any]) -> Unsettled:
    found = Unsettled(
        id=row.id,
        entity=row.entity,
        shop_id=row.shop_id,
        kind=row.kind,
        payload=_load(row.payload),
        read_at=_required_moment(row.read_at),
        reason=row.reason,
        title=row.title,
        detail=row.detail,
        first_seen=_required_moment(row.first_seen),
        last_seen=_required_moment(row.last_seen),
        attempts=row.attempts,
        next_attempt_at=_moment(row.next_attempt_at),
        acknowledged_at=_moment(row.acknowledged_at),
    )
    shop_name = row._mapping.get("shop_name")  # noqa: SLF001 - SQLAlchemy's public name for it
    return replace(found, shop_name=shop_name) if shop_name else found


def _new_id(result: sa.CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    if key is None:
        msg = "the database gave no id to a new row"
        raise LinkStoreError(msg)
    return int(key[0])


def _dump(value: object) -> str:
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":"))


def _load(text: str) -> Any:  # noqa: ANN401 - JSON
    return simplejson.loads(text, use_decimal=True)


def _stamp(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")


def _moment(stamp: str | None) -> datetime.datetime | None:
    return None if stamp is None else datetime.datetime.fromisoformat(stamp)


def _required_moment(stamp: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(stamp)
