"""How an entry in Go passes on from a record that the shop deleted to another one."""

from __future__ import annotations

import abc
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.agreement import NEVER, UNTOUCHED, Agreement
from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS, is_made_up
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.decisions.changes import Hold, Nothing, Park, Patch, Undecidable
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.erased import ERASED
from target_powerofficego.go_api import TestFailed
from target_powerofficego.settle.arrival import Arrival
from target_powerofficego.settle.record_flow import OTHER_WAY, created_at
from target_powerofficego.store.link_store import Link, LinkStoreError
from target_powerofficego.sync.unlinked import MeetingWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import Change
    from target_powerofficego.decisions.merge import Merge
    from target_powerofficego.sync.go.index import Entry

logger = logging.getLogger("target-powerofficego")


class TakeoverWalk(MeetingWalk):
    """A deleted record owns nothing: its link becomes a follower's, its base passes on."""

    @abc.abstractmethod
    def _merge(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        link: Link,
        entry: Entry,
    ) -> Merge:
        """Say what follows from what either side changed."""

    @abc.abstractmethod
    def _carry_out(
        self,
        arrival: Arrival,
        link: Link,
        entry: Entry,
        merged: Merge,
    ) -> Change:
        """Write what follows, and keep the base."""

    def is_gone(self, record: Record) -> bool:
        """Return whether the shop deleted a record, or the one that it is made for orders of."""
        is_made = MADE_FOR_ORDERS in record
        return is_known_deleted(record) or (
            is_made and self.tools.store.was_deleted(self.entity, record["id"])
        )

    def is_left(self, link: Link) -> bool:
        """Return whether a follower shares the entry of a record that the shop deleted."""
        store = self.tools.store
        owner = store.owner_of(self.entity, link.go_id) if link.is_follower else None
        return owner is not None and store.was_deleted(self.entity, owner.shop_id)

    def follower_base(
        self, arrival: Arrival, row_values: Mapping[str, Value]
    ) -> dict[str, Agreement]:
        """Return what the shop says of a follower, for when the entry passes on to it."""
        if MADE_FOR_ORDERS in arrival.record or self.is_gone(arrival.record):
            return {}
        return {
            name: Agreement(told, None, arrival.read_at, NEVER) for name, told in row_values.items()
        }

    def _take_over(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        found: LinkChange,
    ) -> Change:
        """Give a record the entry of one that the shop deleted; what differs is then an edit.

        What was only made for an order says too little for that: it opens the entry.
        """
        owner, shop_id = self._owner_at_rest(found.go_id), arrival.shop_id
        is_made = MADE_FOR_ORDERS in arrival.record
        if is_made:
            self._write_told(owner, {"archived": False}, arrival.read_at, as_of=shop_id)
        link = self._pass_on(owner.shop_id, shop_id, created_at(arrival.record))
        try:
            if is_made:
                return found
            self.tools.plan.add(self.entity, shop_id, found)
            change = self._compare(replace(arrival, at_end=False), row_values, link)
            return replace(change, outcome="linked") if isinstance(change, Nothing) else change
        finally:
            self.tools.on_linked(self.entity, shop_id)

    def _owner_at_rest(self, go_id: str) -> Link:
        """Return the link of the deleted record that has an entry, once its writes are answered.

        Raises:
            Undecidable: with a Park, while one of the way back has no answer.
        """
        store = self.tools.store
        owner = store.owner_of(self.entity, go_id)
        if owner is not None:
            self._settle_leftovers(owner.shop_id)
            owner = store.owner_of(self.entity, go_id)
        if owner is None:
            raise Undecidable(Hold("another record took its entry in Go meanwhile"))
        if store.intents_of((self.other_way,), owner.shop_id):
            reason = "a write of the other way has no answer yet; the next run that way looks"
            raise Undecidable(Park(reason, (OTHER_WAY,)))
        return owner

    def _pass_on(self, from_id: str, to_id: str, created: str | None) -> Link:
        """Make a deleted record, of which nothing waits any more, a follower of the new one."""
        store = self.tools.store
        with store.transaction():
            old = store.link(self.entity, from_id)
            if old is None:
                msg = f"{self.entity} {from_id} is linked no more"
                raise LinkStoreError(msg)
            new = passed_on(old, to_id, created)
            store.put_link(replace(old, is_follower=True, base={}, own_stamp=None))
            store.put_link(new)
            store.clear_unsettled(self.entity, from_id)
            store.forget_way_back(self.entity, from_id)
            store.forget_settled(self.entity, to_id)
        logger.info(
            "%s %s: takes over the entry %s in Go from %s, which the shop deleted",
            *(self.entity, to_id, new.go_id, from_id),
        )
        return new

    def _open_for_guest(self, arrival: Arrival, link: Link) -> Change:
        """Let a guest have the entry that a deleted customer has, unless another one claims it."""
        owner = self.tools.store.owner_of(self.entity, link.go_id)
        if owner is None or self.rivals(link.go_id, arrival.shop_id):
            return Nothing("a follower: no properties flow")
        found = LinkChange(link.go_id, shared_with=owner.shop_id, takes_over=True)
        return self._take_over(arrival, {}, found)

    def _heir(self, link: Link) -> Link | None:
        """Return the follower that has shared a record's entry longest, and is in the shop."""
        store = self.tools.store
        followers = [
            one
            for one in store.links_to(self.entity, link.go_id)
            if one.is_follower
            and not is_archived(one)
            and not is_made_up(one.shop_id)
            and not one.shop_id.startswith(ERASED)
            and not store.was_deleted(self.entity, one.shop_id)
        ]
        return min(followers, key=lambda one: one.linked_at or NEVER, default=None)

    def _promote(self, heir: Link, link: Link, read_at: datetime.datetime) -> None:
        """Pass a deleted record's entry on to a follower, with what the shop said of that last."""
        found = LinkChange(link.go_id, shared_with=link.shop_id, takes_over=True)
        self.tools.plan.add(self.entity, heir.shop_id, found)
        told = {name: one.shop for name, one in heir.base.items()}
        self._write_told(link, {**told, "archived": False}, read_at, as_of=heir.shop_id)
        self._pass_on(link.shop_id, heir.shop_id, heir.shop_created_at)

    def _write_told(
        self,
        link: Link,
        told: Mapping[str, Value],
        read_at: datetime.datetime,
        *,
        as_of: str,
    ) -> None:
        """Write to an entry what the shop said of the record `as_of`, to which it is to pass on.

        Raises:
            Undecidable: with a Hold, when the two sides cannot be merged.
        """
        try:
            change = self._write_told_once(link, told, read_at)
        except TestFailed:
            self.tools.index.read_again(self.entity, link.go_id)
            change = self._write_told_once(link, told, read_at)
        if isinstance(change, Patch):
            self.tools.plan.add(self.entity, as_of, change)

    def _write_told_once(
        self, link: Link, told: Mapping[str, Value], read_at: datetime.datetime
    ) -> Change:
        link = self.tools.store.link(self.entity, link.shop_id) or link
        entry = self._entry(link)
        if entry is None:
            return Nothing("gone from Go")
        arrival = Arrival({"id": link.shop_id}, read_at)
        link = passed_on(link, link.shop_id, link.shop_created_at)
        merged = self._merge(arrival, told, link, entry)
        return self._carry_out(arrival, link, entry, merged)


def passed_on(link: Link, shop_id: str, created: str | None) -> Link:
    """Return the link that a record has from a deleted one.

    No stamp of the other record says anything of this one, nor what a write of ours replaced there.
    """
    base = {name: replace(one, replaced=UNTOUCHED) for name, one in link.base.items()}
    return replace(link, shop_id=shop_id, shop_created_at=created, base=base, own_shop_stamp=None)


def is_archived(link: Link) -> bool:
    """Return whether the shop said last that a linked record is archived."""
    agreed = link.base.get("archived")
    return agreed is not None and agreed.shop is True


def is_known_deleted(record: Record) -> bool:
    """Return whether the shop deleted a record; it did not when that cannot be read."""
    try:
        return is_deleted(record)
    except Unusable:
        return False
