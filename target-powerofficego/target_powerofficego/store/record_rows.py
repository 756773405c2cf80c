"""What is known of each shop record: its link, what was settled, why it waits, and conflicts.

The ids and hashes that are left of erased customers are beside the links, which they replace.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.table import NEVER, UNTOUCHED, Agreement, now
from target_powerofficego.decisions.personal_data import ERASED, ErasedCustomers
from target_powerofficego.store import tables as t
from target_powerofficego.store.connection import Rows, value_of
from target_powerofficego.store.tables import from_stamp, to_json, to_stamp
from target_powerofficego.store.values import (
    LONGEST_REST,
    NEWER_VERSION,
    PROGRAM_FAULT,
    SHOP_FILE,
    Erasure,
    Link,
    OpenCount,
    Settled,
    SettledText,
    StoredConflict,
    Unsettled,
    UnsettledKind,
    back_name,
    deleted_name,
    entity_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from target_powerofficego.decisions.changes import Conflict
    from target_powerofficego.store.connection import StoreConnection


_LINKS_OF_ENTITY = sa.select(t.links).where(
    t.links.c.namespace == sa.bindparam("namespace"), t.links.c.entity == sa.bindparam("entity")
)
_LINK = _LINKS_OF_ENTITY.where(t.links.c.shop_id == sa.bindparam("shop_id"))
_LINKS_TO = _LINKS_OF_ENTITY.where(t.links.c.go_id == sa.bindparam("go_id")).order_by(
    t.links.c.is_follower
)
"""Run for every record, hence built once: building it costs many times what running it does."""

_LINKS_OF_ALL = (
    sa.select(t.links, t.namespaces.c.shop_name)
    .select_from(t.links)
    .join(t.namespaces)
    .order_by(t.links.c.entity, t.links.c.shop_id)
)


class LinkRows(Rows):
    """Which shop record is which Go entity."""

    def get(self, entity: str, shop_id: str) -> Link | None:
        """Return the link of a shop record, if it has one."""
        row = self._first(_LINK, self._key(entity=entity, shop_id=shop_id))
        return None if row is None else _link(row)

    def to_entry(self, entity: str, go_id: str) -> list[Link]:
        """Return every link to a Go entity; all but at most one of them are followers."""
        return [_link(row) for row in self._all(_LINKS_TO, self._key(entity=entity, go_id=go_id))]

    def owner_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link of the record whose properties a Go entity has, if there is one."""
        links = self.to_entry(entity, go_id)
        return links[0] if links and not links[0].is_follower else None

    def of_entity(self, entity: str) -> Iterator[Link]:
        """Return each link of an entity."""
        query = self._select(t.links, entity=entity)
        return map(_link, self._all(query.order_by(t.links.c.shop_id)))

    def in_all_namespaces(
        self, entity: str | None = None, shop_id: str | None = None, go_id: str | None = None
    ) -> Iterator[tuple[str, Link]]:
        """Return each link of all namespaces, or those with these ids, with its shop name."""
        named = {"entity": entity, "shop_id": shop_id, "go_id": go_id}
        which = [t.links.c[name] == value for name, value in named.items() if value is not None]
        rows = self._all(_LINKS_OF_ALL.where(*which))
        return ((row.shop_name, _link(row)) for row in rows)

    def with_entries(
        self, entity: str | None = None
    ) -> Iterator[tuple[str, Link, tuple[Mapping[str, Any], str | None]]]:
        """Return each link of all namespaces with its shop name and the entry as last kept.

        The entry comes with the newest of Go's stamps known for it. Either way may have kept it:
        the way forward keeps all entries, the way back those that wait.
        """
        go, waiting, known = t.go_entries, t.unsettled, t.settled
        is_its_entry = sa.and_(
            go.c.namespace == t.links.c.namespace,
            go.c.entity == t.links.c.entity,
            go.c.go_id == t.links.c.go_id,
        )
        query = (
            _LINKS_OF_ALL.add_columns(go.c.body, waiting.c.payload, known.c.stamp)
            .outerjoin(go, is_its_entry)
            .outerjoin(waiting, _is_kept_of_the_way_back(waiting))
            .outerjoin(known, _is_kept_of_the_way_back(known))
        )
        if entity is not None:
            query = query.where(t.links.c.entity == entity)
        for row in self._all(query):
            yield row.shop_name, _link(row), (_entry_as_last_kept(row), row.stamp)

    def has_any(self) -> bool:
        """Return whether this namespace has any link."""
        return self._first(self._select(t.links).limit(1)) is not None

    def put(self, link: Link) -> None:
        """Store a link, replacing any that this shop record had."""
        values = {
            "go_id": link.go_id,
            "is_follower": link.is_follower,
            "shop_created_at": link.shop_created_at,
            "base": {name: _as_kept(agreed) for name, agreed in link.base.items()},
            "own_stamp": link.own_stamp,
            "own_shop_stamp": link.own_shop_stamp,
        }
        key = self._key(entity=link.entity, shop_id=link.shop_id)
        self._upsert(t.links, key, values, only_new={"linked_at": now()})

    def delete(self, entity: str, shop_id: str) -> None:
        """Forget a link, after we deleted the Go entity ourselves."""
        self._delete_from((t.links,), entity=entity, shop_id=shop_id)


class ErasureRows(Rows):
    """Erased customers, and their entries in Go that are still to be archived."""

    def customers(self) -> ErasedCustomers:
        """Return the erased customers of this namespace."""
        own = self._first(sa.select(t.namespaces).where(t.namespaces.c.id == self._store.namespace))
        is_erased = t.links.c.shop_id.startswith(ERASED)
        links = self._all(self._select(t.links, is_erased, entity="customers"))
        erasures = self._all(self._select(t.erasures, entity="customers"))
        return ErasedCustomers(
            key="" if own is None else f"{own.shop_name} {own.client_id}",
            ids=frozenset(row.shop_id for row in (*links, *erasures)),
            go_ids=frozenset(row.go_id for row in erasures if row.go_id is not None),
        )

    def note(self, entity: str, erased_id: str, go_id: str | None) -> None:
        """Note that a record was erased; `go_id` is its entry in Go, to be archived.

        A record that was never in Go has none, and is recognised by this note alone.
        """
        row = self._key(entity=entity, shop_id=erased_id, go_id=go_id, erased_at=now())
        self._insert(t.erasures, **row)

    def open(self) -> list[Erasure]:
        """Return the erased entries that are not yet archived in Go."""
        query = self._select(t.erasures, t.erasures.c.go_id.is_not(None), archived_at=None)
        return self._values(Erasure, query.order_by(t.erasures.c.id))

    def end(self, erasure: Erasure) -> None:
        """Note that an erased entry is archived in Go, or gone from it."""
        self._update(t.erasures, [t.erasures.c.id == erasure.id], archived_at=now())


def _is_kept_of_the_way_back(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row was kept for a link's record by the way back."""
    return sa.and_(
        table.c.namespace == t.links.c.namespace,
        table.c.entity == t.links.c.entity + back_name(""),
        table.c.shop_id == t.links.c.shop_id,
    )


def _entry_as_last_kept(row: sa.Row[Any]) -> Mapping[str, Any]:
    """Return an entry as last kept; one waiting on the way back has only the members to write."""
    entry: dict[str, Any] = row.body or {}
    waiting: dict[str, Any] = row.payload or {}
    stamps = [str(kept.get("LastChangedDateTimeOffset") or "") for kept in (entry, waiting)]
    is_newer = str(waiting.get("Id")) == row.go_id and stamps == sorted(stamps)
    return {**entry, **waiting} if is_newer else entry


def _as_kept(agreed: Agreement) -> list[Any]:
    replaced = [] if agreed.replaced is UNTOUCHED else [agreed.replaced]
    read_at = (to_stamp(agreed.shop_read_at), to_stamp(agreed.go_read_at))
    return [agreed.shop, agreed.go, *read_at, *replaced]


def _link(row: sa.Row[Any]) -> Link:
    base = {
        name: Agreement(shop, go, from_stamp(shop_at), from_stamp(go_at), *replaced)
        for name, (shop, go, shop_at, go_at, *replaced) in row.base.items()
    }
    return replace(value_of(Link, row), base=base)


_LAST_SETTLED = sa.select(t.settled.c.record_hash, t.settled.c.read_at, t.settled.c.stamp).where(
    t.settled.c.namespace == sa.bindparam("namespace"),
    t.settled.c.entity == sa.bindparam("entity"),
    t.settled.c.shop_id == sa.bindparam("shop_id"),
)


_IS_GIVEN = {
    "sqlite": sa.text("shop_id IN (SELECT value FROM json_each(:shop_ids))"),
    "postgresql": sa.text(
        "shop_id = ANY (ARRAY(SELECT json_array_elements_text(CAST(:shop_ids AS json))))"
    ),
}
"""The condition that an id is in a JSON list; written so, it uses the index of a new table too."""
_TEXT_HASHES = sa.select(t.settled.c.shop_id, t.settled.c.text_hash).where(
    t.settled.c.namespace == sa.bindparam("namespace"),
    t.settled.c.entity == sa.bindparam("entity"),
)
_NOTE_TEXT = sa.text(
    "UPDATE settled SET text_hash = :text_hash WHERE namespace = :namespace"
    " AND entity = :entity AND shop_id = :shop_id AND record_hash = :record_hash"
)


_WAITS_FOR_SHOP_FILE = t.waits.c.awaited.startswith(SHOP_FILE)


class UnsettledRows(Rows):
    """What could not be settled, with payload and reason."""

    def __init__(self, store: StoreConnection) -> None:
        super().__init__(store)
        self._attempted: set[tuple[str, str]] = set()

    def put(
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
        is_refusal: bool = False,
        waits_for: Sequence[str] = (),
        keeps_acknowledgement: bool = True,
    ) -> None:
        """Keep a record that is not settled; an acknowledgement stands while its reason does.

        `keeps_acknowledgement` means that nothing in the record changed that a person must be shown again.
        Attempts are counted once per run, however often the run takes the record up; by their
        number, what the other side refused (`is_refusal`) rests 1, 2, 4 … 24 hours. A record that
        is parked for a while keeps, as its detail, the reason that a person knows of.
        """
        before = self.get(entity, shop_id)
        known_reason = _known_reason(before)
        same = before if kind == "parked" or known_reason == reason else None
        attempts = self._attempts((entity, shop_id), same)
        at = now()
        values = {
            "kind": kind,
            "payload": payload,
            "read_at": read_at,
            "reason": reason,
            "title": title,
            "detail": known_reason if kind == "parked" else detail,
            "first_seen": same.first_seen if same else at,
            "last_seen": at,
            "attempts": attempts,
            "next_attempt_at": at + _rest(attempts) if is_refusal else None,
            "acknowledged_at": same.acknowledged_at if same and keeps_acknowledgement else None,
        }
        with self._store.transaction():
            self._upsert(t.unsettled, self._key(entity=entity, shop_id=shop_id), values)
            self._let_wait_for(entity, shop_id, waits_for)

    def _let_wait_for(self, entity: str, shop_id: str, waits_for: Sequence[str]) -> None:
        own = sa.select(t.unsettled.c.id).where(
            *self._of(t.unsettled, entity=entity, shop_id=shop_id)
        )
        self._delete(t.waits, [t.waits.c.unsettled_id.in_(own)])
        for awaited in sorted(set(waits_for)):
            row = own.add_columns(sa.literal(awaited))
            self._write(sa.insert(t.waits).from_select(["unsettled_id", "awaited"], row))

    def _attempts(self, key: tuple[str, str], before: Unsettled | None) -> int:
        is_first_of_run = key not in self._attempted
        self._attempted.add(key)
        return 1 if before is None else before.attempts + is_first_of_run

    def redact(self, unsettled_id: int, payload: Mapping[str, Any], reason: str) -> None:
        """Keep less of a record that waits: another payload, and none of Go's own words."""
        which = [t.unsettled.c.id == unsettled_id]
        self._update(t.unsettled, which, payload=payload, reason=reason, title=None, detail=None)

    def clear(self, entity: str, shop_id: str) -> None:
        """Forget that a record was parked, rejected or held."""
        waiting = self.get(entity, shop_id)
        if waiting is not None:
            with self._store.transaction():
                self._delete(t.waits, [t.waits.c.unsettled_id == waiting.id])
                self._delete(t.unsettled, [t.unsettled.c.id == waiting.id])

    def forget_awaited(self, entity: str, shop_id: str) -> None:
        """Let nothing in this namespace wait for a record any longer."""
        own = sa.select(t.unsettled.c.id).where(*self._of(t.unsettled))
        awaited = t.waits.c.awaited == f"{entity}:{shop_id}"
        self._delete(t.waits, [awaited, t.waits.c.unsettled_id.in_(own)])

    def get(self, entity: str, shop_id: str) -> Unsettled | None:
        """Return why a record is parked, rejected or held, if it is."""
        row = self._first(self._select(t.unsettled, entity=entity, shop_id=shop_id))
        return None if row is None else value_of(Unsettled, row)

    def resting(self, entity: str, shop_id: str) -> Unsettled | None:
        """Return a record that the other side refused, if it is not yet time to try again."""
        waiting = self.get(entity, shop_id)
        return waiting if waiting and waiting.is_resting(now()) else None

    def all(
        self, *kinds: UnsettledKind, every_namespace: bool = False, acknowledged: bool = True
    ) -> list[Unsettled]:
        """Return what is parked, rejected or held, oldest first."""
        query = sa.select(t.unsettled, t.namespaces.c.shop_name).join(t.namespaces)
        if kinds:
            query = query.where(t.unsettled.c.kind.in_(kinds))
        if not every_namespace:
            query = query.where(*self._of(t.unsettled))
        if not acknowledged:
            query = query.where(t.unsettled.c.acknowledged_at.is_(None))
        return self._values(Unsettled, query.order_by(t.unsettled.c.id))

    def counts(self) -> list[OpenCount]:
        """Return how many are open of each shop, by name and kind."""
        which = (t.namespaces.c.shop_name, t.unsettled.c.entity, t.unsettled.c.kind)
        is_new = t.unsettled.c.acknowledged_at.is_(None)
        is_program_fault = sa.and_(is_new, t.unsettled.c.title == PROGRAM_FAULT)
        query = (
            sa.select(
                *which,
                sa.func.count().label("number"),
                sa.func.count(t.unsettled.c.acknowledged_at).label("acknowledged"),
                sa.func.count(sa.case((is_program_fault, 1))).label("program_faults"),
                sa.func.min(t.unsettled.c.first_seen).label("oldest"),
            )
            .join(t.namespaces)
            .group_by(*which)
            .order_by(*which)
        )
        return self._values(OpenCount, query)

    def waiting_for(self, awaited: str) -> list[Unsettled]:
        """Return the parked records that wait for a record such as "customers:12".

        Or, parked and held, those that claim an entry of Go; see `claim_on`.
        """
        query = self._select(t.unsettled, t.waits.c.awaited == awaited).join(t.waits)
        return self._values(Unsettled, query.order_by(t.unsettled.c.id))

    def awaited_by(self, unsettled_id: int) -> frozenset[str]:
        """Return what an open record waits for, as "customers:12"."""
        query = sa.select(t.waits.c.awaited).where(t.waits.c.unsettled_id == unsettled_id)
        return frozenset(row.awaited for row in self._all(query))

    def count_for_shop_file(self, kept_as: Sequence[str]) -> int:
        """Return how many edits wait for another shop file, in this namespace."""
        of_these = t.unsettled.c.entity.in_(kept_as)
        query = self._select(t.unsettled, of_these, _WAITS_FOR_SHOP_FILE).join(t.waits)
        return len(self._all(query))

    def acknowledge(self, unsettled_id: int) -> bool:
        """Note that a person knows of a reject or hold; return whether that number exists."""
        which = (t.unsettled.c.id == unsettled_id, t.unsettled.c.kind.in_(("reject", "hold")))
        return self._update(t.unsettled, which, acknowledged_at=now()) == 1

    def retry(self, unsettled_id: int) -> bool:
        """Let a record be tried by the next run, as it is; return whether that number exists.

        One that may be an old version is taken for the newest, and one that the shop did not take
        is offered to it again.
        """
        which = [t.unsettled.c.id == unsettled_id]
        with self._store.transaction():
            self._delete(t.waits, [t.waits.c.unsettled_id == unsettled_id, _WAITS_FOR_SHOP_FILE])
            row = self._first(sa.select(t.unsettled).where(*which))
            if row is not None and NEWER_VERSION in self.awaited_by(unsettled_id):
                self._forget_versions(row)
            return self._update(t.unsettled, which, next_attempt_at=None) == 1

    def _forget_versions(self, row: sa.Row[Any]) -> None:
        key = {"namespace": row.namespace, "shop_id": row.shop_id}
        self._delete_from((t.settled, t.doubts), **key, entity=row.entity)
        entity = entity_of(row.entity)
        of_it = self._of(t.links, **key, entity=entity)
        link = self._first(sa.select(t.links.c.base).where(*of_it))
        if link is not None and entity == row.entity:
            base = {name: kept[:4] for name, kept in link.base.items()}  # without what was replaced
            self._update(t.links, of_it, own_shop_stamp=None, base=base)
        else:
            self._update(t.links, of_it, own_stamp=None)


class SettledRows(Rows):
    """The hash, reading and stamp of each record that was settled, by the way it came."""

    def __init__(self, store: StoreConnection, unsettled: UnsettledRows) -> None:
        super().__init__(store)
        self._unsettled = unsettled
        dialect = store.connection.dialect
        self._last_settled = str(_LAST_SETTLED.compile(dialect=dialect))
        of_many = _TEXT_HASHES.where(_IS_GIVEN[dialect.name])
        self._text_hashes = str(of_many.compile(dialect=dialect))

    def last(self, kept_as: str, shop_id: str) -> Settled | None:
        """Return what was last fully settled under this id, if nothing was written since."""
        known = self.last_version(kept_as, shop_id)
        return known if known and known.record_hash else None

    def last_version(self, kept_as: str, shop_id: str) -> Settled | None:
        """Return what was last fully settled under this id; without hash, if written to since."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        rows = self._store.fetch_directly(self._last_settled, key)
        return next((Settled(one[0], from_stamp(one[1]), one[2]) for one in rows), None)

    def put(
        self,
        kept_as: str,
        shop_id: str,
        record_hash: str,
        read_at: datetime.datetime,
        stamp: str | None = None,
        text_hash: str | None = None,
    ) -> None:
        """Remember that a record with this hash, read then, is fully settled; no reject stays."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        values = {"record_hash": record_hash, "read_at": read_at, "stamp": stamp}
        values["text_hash"] = text_hash
        with self._store.transaction():
            self._upsert(t.settled, key, values)
            self._unsettled.clear(kept_as, shop_id)
            self._delete_from((t.doubts,), entity=kept_as, shop_id=shop_id)

    def text_hashes(self, kept_as: str, shop_ids: Collection[str]) -> dict[str, str | None]:
        """Return, by id, the hash of the bytes of what was last settled, where it is known."""
        key = self._key(entity=kept_as, shop_ids=to_json(shop_ids))
        return dict(self._store.fetch_directly(self._text_hashes, key))

    def note_texts(self, texts: Sequence[SettledText]) -> None:
        """Remember the bytes of records, each if it is still the one that was settled last."""
        if texts:
            self._write(_NOTE_TEXT, [self._key(**one._asdict()) for one in texts])

    def remove(self, kept_as: str, shop_id: str) -> None:
        """Forget what was settled under this name, and how often it was read since."""
        self._delete_from((t.settled, t.doubts), entity=kept_as, shop_id=shop_id)

    def forget(self, entity: str, shop_id: str) -> None:
        """Let exactly the same record be processed again when it comes again, on either way."""
        self._delete(t.settled, self._either_way(entity, shop_id))

    def reopen(self, entity: str, shop_id: str) -> None:
        """Let the record that was settled last count as an edit, should it come again."""
        self._update(t.settled, self._either_way(entity, shop_id), record_hash="", text_hash=None)

    def was_deleted(self, entity: str, shop_id: str) -> bool:
        """Return whether the shop deleted the record that it last sent under this id."""
        return self.last(deleted_name(entity), shop_id) is not None

    def note_deleted(
        self, entity: str, shop_id: str, record_hash: str, read_at: datetime.datetime
    ) -> None:
        """Remember that the shop deleted a record, until it sends one under this id again."""
        key = self._key(entity=deleted_name(entity), shop_id=shop_id)
        values = {"record_hash": record_hash, "read_at": read_at, "stamp": None}
        self._upsert(t.settled, key, values)

    def forget_deleted(self, entity: str, shop_id: str) -> None:
        """Forget that the shop had deleted a record: it is there again."""
        self._delete_from((t.settled,), entity=deleted_name(entity), shop_id=shop_id)

    def note_version(self, kept_as: str, shop_id: str, stamp: str | None) -> None:
        """Remember the newest stamp of its side up to which a record is known, settled or not."""
        if stamp is not None:
            key = self._key(entity=kept_as, shop_id=shop_id)
            unsettled = {"record_hash": "", "read_at": NEVER}
            self._upsert(t.settled, key, {"stamp": stamp}, only_new=unsettled)

    def newest_reading(self) -> datetime.datetime | None:
        """Return when a record was last read, by its reader's clock; None if none ever was."""
        newest = sa.select(sa.func.max(t.settled.c.read_at).label("read_at"))
        row = self._first(newest.where(*self._of(t.settled)))
        return row.read_at if row else None

    def count_reading(self, kept_as: str, shop_id: str, read_at: datetime.datetime) -> int:
        """Count the readings of a record that may be an old version, this one included."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        with self._store.transaction():
            row = self._first(self._select(t.doubts, **key))
            readings = sorted({*(row.readings if row else ()), to_stamp(read_at)})
            self._upsert(t.doubts, key, {"readings": readings})
        return len(readings)

    def _either_way(self, entity: str, shop_id: str) -> list[sa.ColumnElement[bool]]:
        ways = (entity, back_name(entity))
        return [*self._of(t.settled, shop_id=shop_id), t.settled.c.entity.in_(ways)]


def _known_reason(before: Unsettled | None) -> str | None:
    """Return the reason that a person knows of, which a parked record keeps as its detail."""
    if before is None:
        return None
    return before.detail if before.kind == "parked" else before.reason


def _rest(attempts: int) -> datetime.timedelta:
    return min(datetime.timedelta(hours=2 ** min(attempts - 1, 5)), LONGEST_REST)


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
            "why": conflict.reason,
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

    def undecided(self, entity: str, shop_id: str) -> dict[str, tuple[Any, Any]]:
        """Return the properties of a record that a person must decide on, with both values."""
        query = self._select(t.conflicts, entity=entity, shop_id=shop_id)
        last = {row.property: row for row in self._all(query.order_by(t.conflicts.c.id))}
        return {
            name: (row.shop_value, row.go_value) for name, row in last.items() if row.winner is None
        }

    def newest(self, count: int, entity: str | None = None) -> list[StoredConflict]:
        """Return the conflicts seen most recently in all namespaces, newest first."""
        query = _KEPT if entity is None else _KEPT.where(t.conflicts.c.entity == entity)
        return self._values(StoredConflict, query.limit(count))

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
    kept_as = (entity, entity + back_name(""))
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
"""The conflicts of all namespaces, last seen first, with columns named as in `StoredConflict`."""
