"""Records that are parked, rejected or held, and what they wait for."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import (
    from_json,
    from_stamp,
    from_stamp_or_none,
    to_json,
    to_stamp,
)
from target_powerofficego.store.connection import StoreConnection
from target_powerofficego.store.values import (
    LONGEST_REST,
    NEWER_VERSION,
    LinkStoreError,
    Unsettled,
    UnsettledKind,
)
from target_powerofficego.store.ways import entity_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class UnsettledRows(StoreConnection):
    """What could not be settled, with payload and reason."""

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
        is_refusal: bool = False,
        waits_for: Sequence[str] = (),
        is_as_known: bool = True,
    ) -> None:
        """Keep a record that is not settled; an acknowledgement stands while its reason does.

        `is_as_known` tells that nothing changed of the record that needs a person to know of it
        again. Its attempts are counted once a run, however often the run takes it up: by them what
        the other side refused (`is_refusal`) rests 1, 2, 4 … 24 hours. A record that is parked for
        a while keeps as its detail the reason a person knows of.
        """
        before = self._one_unsettled(entity, shop_id)
        known = (
            None if before is None else before.detail if before.kind == "parked" else before.reason
        )
        same = kind == "parked" or known == reason
        detail = known if kind == "parked" else detail
        attempts = self._attempts((entity, shop_id), before if same else None)
        rest = min(datetime.timedelta(hours=2 ** min(attempts - 1, 5)), LONGEST_REST)
        values = {
            "kind": kind,
            "payload": to_json(payload),
            "read_at": to_stamp(read_at),
            "reason": reason,
            "title": title,
            "detail": detail,
            "last_seen": to_stamp(now()),
            "attempts": attempts,
            "next_attempt_at": to_stamp(now() + rest) if is_refusal else None,
            "acknowledged_at": to_stamp(before.acknowledged_at)
            if before and same and is_as_known and before.acknowledged_at
            else None,
        }
        key = {"namespace": self.namespace, "entity": entity, "shop_id": shop_id}
        with self.transaction():
            first_seen = before.first_seen if before and same else now()
            self._upsert(t.unsettled, key, {**values, "first_seen": to_stamp(first_seen)})
            kept = self._one_unsettled(entity, shop_id)
            if kept is None:
                msg = f"{entity} {shop_id} was stored but cannot be found again"
                raise LinkStoreError(msg)
            self._let_wait_for(kept.id, waits_for)

    def _let_wait_for(self, unsettled_id: int, waits_for: Sequence[str]) -> None:
        of_it = t.waits.c.unsettled_id == unsettled_id
        self._connection.execute(sa.delete(t.waits).where(of_it))
        for awaited in sorted(set(waits_for)):
            row = {"unsettled_id": unsettled_id, "awaited": awaited}
            self._connection.execute(sa.insert(t.waits).values(row))

    def _attempts(self, key: tuple[str, str], before: Unsettled | None) -> int:
        is_first_of_run = key not in self._attempted
        self._attempted.add(key)
        return 1 if before is None else before.attempts + is_first_of_run

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

    def resting(self, entity: str, shop_id: str) -> Unsettled | None:
        """Return what the other side refused of a record, if it is not time yet to try again."""
        found = self._one_unsettled(entity, shop_id)
        return found if found and found.rests(now()) else None

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
        """Return the parked records that wait for a record such as "customers:12".

        Or, parked and held, those that claim an entry of Go; see `claim_on`.
        """
        query = (
            sa.select(t.unsettled)
            .join(t.waits)
            .where(t.waits.c.awaited == awaited, t.unsettled.c.namespace == self.namespace)
        )
        return [_unsettled(row) for row in self._all(query.order_by(t.unsettled.c.id))]

    def awaited_by(self, unsettled_id: int) -> frozenset[str]:
        """Return what an open record waits for, as "customers:12"."""
        query = sa.select(t.waits.c.awaited).where(t.waits.c.unsettled_id == unsettled_id)
        return frozenset(row.awaited for row in self._all(query))

    def acknowledge(self, unsettled_id: int) -> bool:
        """Note that a person knows of a reject or hold; tell whether that number exists."""
        with self.transaction():
            result = self._connection.execute(
                sa.update(t.unsettled)
                .where(t.unsettled.c.id == unsettled_id, t.unsettled.c.kind.in_(("reject", "hold")))
                .values(acknowledged_at=to_stamp(now()))
            )
            return result.rowcount == 1

    def retry(self, unsettled_id: int) -> bool:
        """Let a record be tried by the next run, as it is; tell whether that number exists.

        One that may be an old version is taken for the newest.
        """
        with self.transaction():
            if NEWER_VERSION in self.awaited_by(unsettled_id):
                self._forget_versions(unsettled_id)
            result = self._connection.execute(
                sa.update(t.unsettled)
                .where(t.unsettled.c.id == unsettled_id)
                .values(next_attempt_at=None)
            )
            return result.rowcount == 1

    def _forget_versions(self, unsettled_id: int) -> None:
        row = self._first(sa.select(t.unsettled).where(t.unsettled.c.id == unsettled_id))
        if row is None:
            return
        for table in (t.settled, t.doubts):
            self._connection.execute(
                sa.delete(table).where(
                    table.c.namespace == row.namespace,
                    table.c.entity == row.entity,
                    table.c.shop_id == row.shop_id,
                )
            )
        entity = entity_of(row.entity)
        of_it = (
            t.links.c.namespace == row.namespace,
            t.links.c.entity == entity,
            t.links.c.shop_id == row.shop_id,
        )
        link = self._first(sa.select(t.links).where(*of_it))
        if link is None:
            return
        known: dict[str, Any] = {"own_stamp": None}
        if entity == row.entity:
            base = {name: one[:4] for name, one in from_json(link.base).items()}
            known = {"own_shop_stamp": None, "base": to_json(base)}  # without what was replaced
        self._connection.execute(sa.update(t.links).where(*of_it).values(known))

    def _one_unsettled(self, entity: str, shop_id: str) -> Unsettled | None:
        query = sa.select(t.unsettled).where(
            *self._key(t.unsettled, entity), t.unsettled.c.shop_id == shop_id
        )
        row = self._first(query)
        return None if row is None else _unsettled(row)


def _unsettled(row: sa.Row[Any]) -> Unsettled:
    found = Unsettled(
        id=row.id,
        entity=row.entity,
        shop_id=row.shop_id,
        kind=row.kind,
        payload=from_json(row.payload),
        read_at=from_stamp(row.read_at),
        reason=row.reason,
        title=row.title,
        detail=row.detail,
        first_seen=from_stamp(row.first_seen),
        last_seen=from_stamp(row.last_seen),
        attempts=row.attempts,
        next_attempt_at=from_stamp_or_none(row.next_attempt_at),
        acknowledged_at=from_stamp_or_none(row.acknowledged_at),
    )
    shop_name = row._mapping.get("shop_name")  # noqa: SLF001 - SQLAlchemy's public name for it
    return replace(found, shop_name=shop_name) if shop_name else found
