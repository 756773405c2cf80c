"""What is settled of each record, and what is parked, rejected or held, and what that waits for."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.table import NEVER, now
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import from_stamp, to_stamp
from target_powerofficego.store.rows import Rows, value_of
from target_powerofficego.store.values import (
    LONGEST_REST,
    NEWER_VERSION,
    Settled,
    Unsettled,
    UnsettledKind,
)
from target_powerofficego.store.ways import entity_of, on_the_way_back, once_deleted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_powerofficego.store.connection import StoreConnection


_LAST_SETTLED = sa.select(t.settled.c.record_hash, t.settled.c.read_at, t.settled.c.stamp).where(
    t.settled.c.namespace == sa.bindparam("namespace"),
    t.settled.c.entity == sa.bindparam("entity"),
    t.settled.c.shop_id == sa.bindparam("shop_id"),
)


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
        is_as_known: bool = True,
    ) -> None:
        """Keep a record that is not settled; an acknowledgement stands while its reason does.

        `is_as_known` means that nothing in the record changed that a person must be shown again.
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
            "acknowledged_at": same.acknowledged_at if same and is_as_known else None,
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

    def rewrite(self, unsettled_id: int, payload: Mapping[str, Any], reason: str) -> None:
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
        return waiting if waiting and waiting.rests(now()) else None

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

    def acknowledge(self, unsettled_id: int) -> bool:
        """Note that a person knows of a reject or hold; return whether that number exists."""
        which = (t.unsettled.c.id == unsettled_id, t.unsettled.c.kind.in_(("reject", "hold")))
        return self._update(t.unsettled, which, acknowledged_at=now()) == 1

    def retry(self, unsettled_id: int) -> bool:
        """Let a record be tried by the next run, as it is; return whether that number exists.

        One that may be an old version is taken for the newest.
        """
        which = [t.unsettled.c.id == unsettled_id]
        with self._store.transaction():
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
        self._last_settled = str(_LAST_SETTLED.compile(dialect=store.connection.dialect))

    def last(self, kept_as: str, shop_id: str) -> Settled | None:
        """Return what was last fully settled under this id, if nothing was written since."""
        known = self.last_version(kept_as, shop_id)
        return known if known and known.record_hash else None

    def last_version(self, kept_as: str, shop_id: str) -> Settled | None:
        """Return what was last fully settled under this id; without hash, if written to since."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        row = self._store.first_at_once(self._last_settled, key)
        return None if row is None else Settled(str(row[0]), from_stamp(row[1]), row[2])

    def put(
        self,
        kept_as: str,
        shop_id: str,
        record_hash: str,
        read_at: datetime.datetime,
        stamp: str | None = None,
    ) -> None:
        """Remember that a record with this hash, read then, is fully settled; no reject stays."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        values = {"record_hash": record_hash, "read_at": read_at, "stamp": stamp}
        with self._store.transaction():
            self._upsert(t.settled, key, values)
            self._unsettled.clear(kept_as, shop_id)
            self._delete_from((t.doubts,), entity=kept_as, shop_id=shop_id)

    def remove(self, kept_as: str, shop_id: str) -> None:
        """Forget what was settled under this name, and how often it was read since."""
        self._delete_from((t.settled, t.doubts), entity=kept_as, shop_id=shop_id)

    def forget(self, entity: str, shop_id: str) -> None:
        """Let exactly the same record be processed again when it comes again, on either way."""
        self._delete(t.settled, self._either_way(entity, shop_id))

    def open_anew(self, entity: str, shop_id: str) -> None:
        """Let the record that was settled last count as an edit, should it come again."""
        self._update(t.settled, self._either_way(entity, shop_id), record_hash="")

    def was_deleted(self, entity: str, shop_id: str) -> bool:
        """Return whether the shop deleted the record that it last sent under this id."""
        return self.last(once_deleted(entity), shop_id) is not None

    def note_deleted(
        self, entity: str, shop_id: str, record_hash: str, read_at: datetime.datetime
    ) -> None:
        """Remember that the shop deleted a record, until it sends one under this id again."""
        key = self._key(entity=once_deleted(entity), shop_id=shop_id)
        values = {"record_hash": record_hash, "read_at": read_at, "stamp": None}
        self._upsert(t.settled, key, values)

    def forget_deleted(self, entity: str, shop_id: str) -> None:
        """Forget that the shop had deleted a record: it is there again."""
        self._delete_from((t.settled,), entity=once_deleted(entity), shop_id=shop_id)

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

    def readings(self, kept_as: str, shop_id: str, read_at: datetime.datetime) -> int:
        """Count the readings of a record that may be an old version, this one included."""
        key = self._key(entity=kept_as, shop_id=shop_id)
        with self._store.transaction():
            row = self._first(self._select(t.doubts, **key))
            readings = sorted({*(row.readings if row else ()), to_stamp(read_at)})
            self._upsert(t.doubts, key, {"readings": readings})
        return len(readings)

    def _either_way(self, entity: str, shop_id: str) -> list[sa.ColumnElement[bool]]:
        ways = (entity, on_the_way_back(entity))
        return [*self._of(t.settled, shop_id=shop_id), t.settled.c.entity.in_(ways)]


def _known_reason(before: Unsettled | None) -> str | None:
    """Return the reason that a person knows of, which a parked record keeps as its detail."""
    if before is None:
        return None
    return before.detail if before.kind == "parked" else before.reason


def _rest(attempts: int) -> datetime.timedelta:
    return min(datetime.timedelta(hours=2 ** min(attempts - 1, 5)), LONGEST_REST)
