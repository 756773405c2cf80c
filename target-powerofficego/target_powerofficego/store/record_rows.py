"""What is known of each shop record: its link, what was settled, why it waits, and its conflicts.

The ids and hashes that remain of erased customers are kept here too.
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
"""Built once, as it is run for every record and building it takes much longer than running it."""

_LINKS_OF_ALL = (
    sa.select(t.links, t.namespaces.c.shop_name)
    .select_from(t.links)
    .join(t.namespaces)
    .order_by(t.links.c.entity, t.links.c.shop_id)
)


class LinkRows(Rows):
    """Which shop record is which Go entity."""

    def get(self, entity: str, shop_id: str) -> Link | None:
        """Return the link of a shop record; None if it is not linked."""
        row = self._first(_LINK, self._key(entity=entity, shop_id=shop_id))
        return None if row is None else _link(row)

    def to_entry(self, entity: str, go_id: str) -> list[Link]:
        """Return every link to a Go entity, followers last; at most one is not a follower."""
        return [_link(row) for row in self._all(_LINKS_TO, self._key(entity=entity, go_id=go_id))]

    def owner_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link that is not a follower, whose record's properties a Go entity has."""
        links = self.to_entry(entity, go_id)
        return links[0] if links and not links[0].is_follower else None

    def of_entity(self, entity: str) -> Iterator[Link]:
        """Return each link of an entity."""
        query = self._select(t.links, entity=entity)
        return map(_link, self._all(query.order_by(t.links.c.shop_id)))

    def in_all_namespaces(
        self, entity: str | None = None, shop_id: str | None = None, go_id: str | None = None
    ) -> Iterator[tuple[str, Link]]:
        """Return the links of all namespaces that have these values, each with its shop name."""
        values = {"entity": entity, "shop_id": shop_id, "go_id": go_id}
        rows = self._all(
            _LINKS_OF_ALL.where(
                *(t.links.c[name] == value for name, value in values.items() if value is not None)
            )
        )
        return ((row.shop_name, _link(row)) for row in rows)

    def with_entries(
        self, entity: str | None = None
    ) -> Iterator[tuple[str, Link, tuple[Mapping[str, Any], str | None]]]:
        """Yield each link of all namespaces with its shop name and Go's entry as last stored.

        The entry comes with the newest stamp of Go that is known for it. It is from either way:
        the way forward stores all entries, the way back those that wait.
        """
        go, waiting, settled = t.go_entries, t.unsettled, t.settled
        is_linked_entry = sa.and_(
            go.c.namespace == t.links.c.namespace,
            go.c.entity == t.links.c.entity,
            go.c.go_id == t.links.c.go_id,
        )
        query = (
            _LINKS_OF_ALL.add_columns(go.c.body, waiting.c.payload, settled.c.stamp)
            .outerjoin(go, is_linked_entry)
            .outerjoin(waiting, _is_of_way_back(waiting))
            .outerjoin(settled, _is_of_way_back(settled))
        )
        if entity is not None:
            query = query.where(t.links.c.entity == entity)
        for row in self._all(query):
            yield row.shop_name, _link(row), (_last_stored_entry(row), row.stamp)

    def has_any(self) -> bool:
        """Return whether this namespace has any link."""
        return self._first(self._select(t.links).limit(1)) is not None

    def put(self, link: Link) -> None:
        """Store a link in place of any that this shop record had."""
        values = {
            "go_id": link.go_id,
            "is_follower": link.is_follower,
            "shop_created_at": link.shop_created_at,
            "base": {name: _as_stored(agreement) for name, agreement in link.base.items()},
            "own_stamp": link.own_stamp,
            "own_shop_stamp": link.own_shop_stamp,
        }
        key = self._key(entity=link.entity, shop_id=link.shop_id)
        self._upsert(t.links, key, values, only_new={"linked_at": now()})

    def delete(self, entity: str, shop_id: str) -> None:
        """Delete the link of a shop record."""
        self._delete_from((t.links,), entity=entity, shop_id=shop_id)


class ErasureRows(Rows):
    """Erased customers, and their entries in Go that are still to be archived."""

    def customers(self) -> ErasedCustomers:
        """Return the erased customers of this namespace."""
        query = sa.select(t.namespaces).where(t.namespaces.c.id == self._store.namespace)
        namespace = self._first(query)
        is_erased = t.links.c.shop_id.startswith(ERASED)
        links = self._all(self._select(t.links, is_erased, entity="customers"))
        erasures = self._all(self._select(t.erasures, entity="customers"))
        return ErasedCustomers(
            key="" if namespace is None else f"{namespace.shop_name} {namespace.client_id}",
            ids=frozenset(row.shop_id for row in (*links, *erasures)),
            go_ids=frozenset(row.go_id for row in erasures if row.go_id is not None),
        )

    def note(self, entity: str, erased_id: str, go_id: str | None) -> None:
        """Note that a record was erased; `go_id` is its entry in Go, which is to be archived.

        It is None for a record that was never in Go, which is recognised by this note alone.
        """
        row = self._key(entity=entity, shop_id=erased_id, go_id=go_id, erased_at=now())
        self._insert(t.erasures, **row)

    def open(self) -> list[Erasure]:
        """Return the erased entries that are not yet archived in Go."""
        query = self._select(t.erasures, t.erasures.c.go_id.is_not(None), archived_at=None)
        return self._values(Erasure, query.order_by(t.erasures.c.id))

    def end(self, erasure: Erasure) -> None:
        """Note that an erased entry is archived in Go, or no longer there."""
        self._update(t.erasures, [t.erasures.c.id == erasure.id], archived_at=now())


def _is_of_way_back(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that the way back stored a row for a link's record."""
    return sa.and_(
        table.c.namespace == t.links.c.namespace,
        table.c.entity == t.links.c.entity + back_name(""),
        table.c.shop_id == t.links.c.shop_id,
    )


def _last_stored_entry(row: sa.Row[Any]) -> Mapping[str, Any]:
    """Return Go's entry as last stored; the way back stores only the members it may write."""
    entry: dict[str, Any] = row.body or {}
    waiting: dict[str, Any] = row.payload or {}
    stamps = [str(body.get("LastChangedDateTimeOffset") or "") for body in (entry, waiting)]
    is_newer = str(waiting.get("Id")) == row.go_id and stamps == sorted(stamps)
    return {**entry, **waiting} if is_newer else entry


def _as_stored(agreement: Agreement) -> list[Any]:
    replaced = [] if agreement.replaced is UNTOUCHED else [agreement.replaced]
    read_at = (to_stamp(agreement.shop_read_at), to_stamp(agreement.go_read_at))
    return [agreement.shop, agreement.go, *read_at, *replaced]


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


_IS_IN_SHOP_IDS = {
    "sqlite": sa.text("shop_id IN (SELECT value FROM json_each(:shop_ids))"),
    "postgresql": sa.text(
        "shop_id = ANY (ARRAY(SELECT json_array_elements_text(CAST(:shop_ids AS json))))"
    ),
}
"""The condition that an id is in a JSON list; in this form it uses the index of a new table too."""
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
    """Records that are not settled, with their payloads and reasons."""

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
        """Store a record that is not settled; its acknowledgement stays while its reason does.

        `keeps_acknowledgement` is false if something in the record changed that a person must see
        again. Attempts are counted once per run, however often the run takes the record up; after
        each, what the other side refused (`is_refusal`) rests 1, 2, 4 … 24 hours. A record that is
        parked for a while keeps the reason that a person knows in `detail`.
        """
        previous = self.get(entity, shop_id)
        known_reason = _known_reason(previous)
        same = previous if kind == "parked" or known_reason == reason else None
        attempts = self._attempts((entity, shop_id), same)
        seen_at = now()
        values = {
            "kind": kind,
            "payload": payload,
            "read_at": read_at,
            "reason": reason,
            "title": title,
            "detail": known_reason if kind == "parked" else detail,
            "first_seen": same.first_seen if same else seen_at,
            "last_seen": seen_at,
            "attempts": attempts,
            "next_attempt_at": seen_at + _rest(attempts) if is_refusal else None,
            "acknowledged_at": same.acknowledged_at if same and keeps_acknowledgement else None,
        }
        with self._store.transaction():
            self._upsert(t.unsettled, self._key(entity=entity, shop_id=shop_id), values)
            self._put_waits(entity, shop_id, waits_for)

    def _put_waits(self, entity: str, shop_id: str, waits_for: Sequence[str]) -> None:
        record = sa.select(t.unsettled.c.id).where(
            *self._where(t.unsettled, entity=entity, shop_id=shop_id)
        )
        self._delete(t.waits, [t.waits.c.unsettled_id.in_(record)])
        for awaited in sorted(set(waits_for)):
            row = record.add_columns(sa.literal(awaited))
            self._write(sa.insert(t.waits).from_select(["unsettled_id", "awaited"], row))

    def _attempts(self, key: tuple[str, str], previous: Unsettled | None) -> int:
        is_first_of_run = key not in self._attempted
        self._attempted.add(key)
        return 1 if previous is None else previous.attempts + is_first_of_run

    def redact(self, unsettled_id: int, payload: Mapping[str, Any], reason: str) -> None:
        """Replace the payload and reason of a record that waits, and remove what Go answered."""
        is_record = [t.unsettled.c.id == unsettled_id]
        values = {"payload": payload, "reason": reason, "title": None, "detail": None}
        self._update(t.unsettled, is_record, **values)

    def clear(self, entity: str, shop_id: str) -> None:
        """Forget that a record was parked, rejected or held."""
        waiting = self.get(entity, shop_id)
        if waiting is not None:
            with self._store.transaction():
                self._delete(t.waits, [t.waits.c.unsettled_id == waiting.id])
                self._delete(t.unsettled, [t.unsettled.c.id == waiting.id])

    def forget_awaited(self, entity: str, shop_id: str) -> None:
        """Let no record of this namespace wait for this record any longer."""
        records = sa.select(t.unsettled.c.id).where(*self._where(t.unsettled))
        is_awaited = t.waits.c.awaited == f"{entity}:{shop_id}"
        self._delete(t.waits, [is_awaited, t.waits.c.unsettled_id.in_(records)])

    def get(self, entity: str, shop_id: str) -> Unsettled | None:
        """Return a record that is parked, rejected or held; None if it is not."""
        row = self._first(self._select(t.unsettled, entity=entity, shop_id=shop_id))
        return None if row is None else value_of(Unsettled, row)

    def resting(self, entity: str, shop_id: str) -> Unsettled | None:
        """Return a record that the other side refused, if it is too early to try again."""
        waiting = self.get(entity, shop_id)
        return waiting if waiting and waiting.is_resting(now()) else None

    def all(
        self, *kinds: UnsettledKind, every_namespace: bool = False, acknowledged: bool = True
    ) -> list[Unsettled]:
        """Return the records that are parked, rejected or held, oldest first."""
        query = sa.select(t.unsettled, t.namespaces.c.shop_name).join(t.namespaces)
        if kinds:
            query = query.where(t.unsettled.c.kind.in_(kinds))
        if not every_namespace:
            query = query.where(*self._where(t.unsettled))
        if not acknowledged:
            query = query.where(t.unsettled.c.acknowledged_at.is_(None))
        return self._values(Unsettled, query.order_by(t.unsettled.c.id))

    def counts(self) -> list[OpenCount]:
        """Return how many records are open, by shop, name in the store, and kind."""
        group = (t.namespaces.c.shop_name, t.unsettled.c.entity, t.unsettled.c.kind)
        is_new = t.unsettled.c.acknowledged_at.is_(None)
        is_program_fault = sa.and_(is_new, t.unsettled.c.title == PROGRAM_FAULT)
        query = (
            sa.select(
                *group,
                sa.func.count().label("number"),
                sa.func.count(t.unsettled.c.acknowledged_at).label("acknowledged"),
                sa.func.count(sa.case((is_program_fault, 1))).label("program_faults"),
                sa.func.min(t.unsettled.c.first_seen).label("oldest"),
            )
            .join(t.namespaces)
            .group_by(*group)
            .order_by(*group)
        )
        return self._values(OpenCount, query)

    def waiting_for(self, awaited: str) -> list[Unsettled]:
        """Return the records that wait for another, given as "customers:12".

        Those that claim an entry of Go wait too; see `claim_on`.
        """
        query = self._select(t.unsettled, t.waits.c.awaited == awaited).join(t.waits)
        return self._values(Unsettled, query.order_by(t.unsettled.c.id))

    def awaited_by(self, unsettled_id: int) -> frozenset[str]:
        """Return what an open record waits for, such as "customers:12"."""
        query = sa.select(t.waits.c.awaited).where(t.waits.c.unsettled_id == unsettled_id)
        return frozenset(row.awaited for row in self._all(query))

    def count_for_shop_file(self, kept_as: Sequence[str]) -> int:
        """Return how many edits in this namespace wait for the shop file to change."""
        has_name = t.unsettled.c.entity.in_(kept_as)
        query = self._select(t.unsettled, has_name, _WAITS_FOR_SHOP_FILE).join(t.waits)
        return len(self._all(query))

    def acknowledge(self, unsettled_id: int) -> bool:
        """Note that a person knows of a reject or hold; return whether one has this number."""
        conditions = (t.unsettled.c.id == unsettled_id, t.unsettled.c.kind.in_(("reject", "hold")))
        return self._update(t.unsettled, conditions, acknowledged_at=now()) == 1

    def retry(self, unsettled_id: int) -> bool:
        """Let the next run try a record as it is; return whether a record has this number.

        A record that may be an old version is taken as the newest, and an edit that the shop did
        not take is offered to it again.
        """
        is_record = [t.unsettled.c.id == unsettled_id]
        with self._store.transaction():
            self._delete(t.waits, [t.waits.c.unsettled_id == unsettled_id, _WAITS_FOR_SHOP_FILE])
            row = self._first(sa.select(t.unsettled).where(*is_record))
            if row is not None and NEWER_VERSION in self.awaited_by(unsettled_id):
                self._forget_versions(row)
            return self._update(t.unsettled, is_record, next_attempt_at=None) == 1

    def _forget_versions(self, row: sa.Row[Any]) -> None:
        key = {"namespace": row.namespace, "shop_id": row.shop_id}
        self._delete_from((t.settled, t.doubts), **key, entity=row.entity)
        entity = entity_of(row.entity)
        is_its_link = self._where(t.links, **key, entity=entity)
        link = self._first(sa.select(t.links.c.base).where(*is_its_link))
        if link is not None and entity == row.entity:
            # without the values that were replaced
            base = {name: agreement[:4] for name, agreement in link.base.items()}
            self._update(t.links, is_its_link, own_shop_stamp=None, base=base)
        else:
            self._update(t.links, is_its_link, own_stamp=None)


class SettledRows(Rows):
    """The hash, time of reading and stamp of each record that was settled, for each way."""

    def __init__(self, store: StoreConnection, unsettled: UnsettledRows) -> None:
        super().__init__(store)
        self._unsettled = unsettled
        dialect = store.connection.dialect
        self._last_settled = str(_LAST_SETTLED.compile(dialect=dialect))
        text_hashes = _TEXT_HASHES.where(_IS_IN_SHOP_IDS[dialect.name])
        self._text_hashes = str(text_hashes.compile(dialect=dialect))

    def last(self, kept_as: str, shop_id: str) -> Settled | None:
        """Return what was last settled under this id, if nothing was written since."""
        settled = self.last_version(kept_as, shop_id)
        return settled if settled and settled.record_hash else None

    def last_version(self, kept_as: str, shop_id: str) -> Settled | None:
        """Return what was last settled under this id; its hash is empty if it was written since."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        rows = self._store.fetch_directly(self._last_settled, key)
        return next(
            (
                Settled(record_hash, from_stamp(read_at), stamp)
                for record_hash, read_at, stamp in rows
            ),
            None,
        )

    def put(
        self,
        kept_as: str,
        shop_id: str,
        record_hash: str,
        read_at: datetime.datetime,
        stamp: str | None = None,
        text_hash: str | None = None,
    ) -> None:
        """Note that a record with this hash is settled, and no longer waits."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        values = {
            "record_hash": record_hash,
            "read_at": read_at,
            "stamp": stamp,
            "text_hash": text_hash,
        }
        with self._store.transaction():
            self._upsert(t.settled, key, values)
            self._unsettled.clear(kept_as, shop_id)
            self._delete_from((t.doubts,), entity=kept_as, shop_id=shop_id)

    def text_hashes(self, kept_as: str, shop_ids: Collection[str]) -> dict[str, str | None]:
        """Return, by id, the hash of the bytes of each record last settled, if it is known."""
        key = self._key(entity=kept_as, shop_ids=to_json(shop_ids))
        return dict(self._store.fetch_directly(self._text_hashes, key))

    def note_texts(self, texts: Sequence[SettledText]) -> None:
        """Store the hashes of records' bytes, each if its record is still the last one settled."""
        if texts:
            self._write(_NOTE_TEXT, [self._key(**text._asdict()) for text in texts])

    def remove(self, kept_as: str, shop_id: str) -> None:
        """Forget that a record was settled, and how often it was read since."""
        self._delete_from((t.settled, t.doubts), entity=kept_as, shop_id=shop_id)

    def forget(self, entity: str, shop_id: str) -> None:
        """Let the same record be processed again when it is read again, on either way."""
        self._delete(t.settled, self._either_way(entity, shop_id))

    def reopen(self, entity: str, shop_id: str) -> None:
        """Let the record that was settled last count as an edit if it comes again."""
        self._update(t.settled, self._either_way(entity, shop_id), record_hash="", text_hash=None)

    def was_deleted(self, entity: str, shop_id: str) -> bool:
        """Return whether the shop deleted the record that it last sent under this id."""
        return self.last(deleted_name(entity), shop_id) is not None

    def note_deleted(
        self, entity: str, shop_id: str, record_hash: str, read_at: datetime.datetime
    ) -> None:
        """Note that the shop deleted a record, until it sends one with this id again."""
        key = self._key(entity=deleted_name(entity), shop_id=shop_id)
        values = {"record_hash": record_hash, "read_at": read_at, "stamp": None}
        self._upsert(t.settled, key, values)

    def forget_deleted(self, entity: str, shop_id: str) -> None:
        """Forget that the shop deleted a record, because it sent the record again."""
        self._delete_from((t.settled,), entity=deleted_name(entity), shop_id=shop_id)

    def note_version(self, kept_as: str, shop_id: str, stamp: str | None) -> None:
        """Store the newest stamp of a record's side that is known, whether it is settled or not."""
        if stamp is not None:
            key = self._key(entity=kept_as, shop_id=shop_id)
            not_settled = {"record_hash": "", "read_at": NEVER}
            self._upsert(t.settled, key, {"stamp": stamp}, only_new=not_settled)

    def newest_reading(self) -> datetime.datetime | None:
        """Return when any settled record was last read, by its tap's clock; None if none was."""
        newest = sa.select(sa.func.max(t.settled.c.read_at).label("read_at"))
        row = self._first(newest.where(*self._where(t.settled)))
        return row.read_at if row else None

    def count_reading(self, kept_as: str, shop_id: str, read_at: datetime.datetime) -> int:
        """Count a reading of a record that may be an old version; return how many there are."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        with self._store.transaction():
            row = self._first(self._select(t.doubts, **key))
            readings = sorted({*(row.readings if row else ()), to_stamp(read_at)})
            self._upsert(t.doubts, key, {"readings": readings})
        return len(readings)

    def _either_way(self, entity: str, shop_id: str) -> list[sa.ColumnElement[bool]]:
        ways = (entity, back_name(entity))
        return [*self._where(t.settled, shop_id=shop_id), t.settled.c.entity.in_(ways)]


def _known_reason(previous: Unsettled | None) -> str | None:
    """Return the reason that a person knows, which a parked record keeps in its detail."""
    if previous is None:
        return None
    return previous.detail if previous.kind == "parked" else previous.reason


def _rest(attempts: int) -> datetime.timedelta:
    return min(datetime.timedelta(hours=2 ** min(attempts - 1, 5)), LONGEST_REST)


class ConflictRows(Rows):
    """The conflicts found when merging."""

    def note(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Store a conflict; if it recurs unchanged, store only that it was seen again."""
        base = conflict.base
        values = {
            "shop_value": conflict.shop,
            "go_value": conflict.go,
            "base_value": None if base is None else {"shop": base.shop, "go": base.go},
            "winner": conflict.winner,
            "why": conflict.reason,
        }
        key = self._key(entity=entity, shop_id=shop_id, property=conflict.row)
        seen_at = now()
        with self._store.transaction():
            last = self._last(key)
            if last is not None and _has_values(last, values):
                self._update(t.conflicts, [t.conflicts.c.id == last.id], last_seen=seen_at)
                return
            sighting = {"run": self._store.run, "first_seen": seen_at, "last_seen": seen_at}
            self._insert(t.conflicts, **key, **sighting, **values)

    def undecided(self, entity: str, shop_id: str) -> dict[str, tuple[Any, Any]]:
        """Return the properties of a record that a person must decide on, with both values."""
        query = self._select(t.conflicts, entity=entity, shop_id=shop_id)
        last = {row.property: row for row in self._all(query.order_by(t.conflicts.c.id))}
        return {
            name: (row.shop_value, row.go_value) for name, row in last.items() if row.winner is None
        }

    def newest(self, count: int, entity: str | None = None) -> list[StoredConflict]:
        """Return the conflicts seen most recently in all namespaces, newest first."""
        query = _CONFLICTS if entity is None else _CONFLICTS.where(t.conflicts.c.entity == entity)
        return self._values(StoredConflict, query.limit(count))

    def forget(self, entity: str, shop_id: str) -> None:
        """Forget the conflicts of a record, with their values."""
        self._delete_from((t.conflicts,), entity=entity, shop_id=shop_id)

    def _last(self, key: dict[str, Any]) -> sa.Row[Any] | None:
        query = self._select(t.conflicts, **key)
        return self._first(query.order_by(t.conflicts.c.id.desc()).limit(1))


def _has_values(row: sa.Row[Any], values: dict[str, Any]) -> bool:
    """Return whether a conflict is stored with exactly these values: 1.0 is not 1.00."""
    return all(to_json(getattr(row, name)) == to_json(value) for name, value in values.items())


def _is_waiting() -> sa.Exists:
    """Return the condition that a conflict's record waits, on either way."""
    entity = t.conflicts.c.entity
    kept_as = (entity, entity + back_name(""))
    return sa.exists().where(
        t.unsettled.c.namespace == t.conflicts.c.namespace,
        t.unsettled.c.entity.in_(kept_as),
        t.unsettled.c.shop_id == t.conflicts.c.shop_id,
    )


_CONFLICTS = (
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
