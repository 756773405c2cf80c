"""A record without a link: it meets an entry of Go, takes one over, waits, or is created."""

from __future__ import annotations

import abc
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import GUEST, is_internal_id
from target_powerofficego.dataflow.table import NEVER, UNTOUCHED, Agreement, is_deleted, now
from target_powerofficego.dataflow.values import Unusable, instant_or_none
from target_powerofficego.decisions.changes import (
    Change,
    Create,
    Hold,
    Nothing,
    Park,
    Patch,
    Skip,
    Undecidable,
)
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.merge import base_of_created, base_of_linked, go_side
from target_powerofficego.decisions.personal_data import ERASED
from target_powerofficego.settle.record_flow import ID_REUSED, created_at, record_hash
from target_powerofficego.store.link_store import Link, LinkStoreError
from target_powerofficego.sync.go.index import newest_stamp
from target_powerofficego.sync.go.writer import CHANGE_NOT_VISIBLE
from target_powerofficego.sync.linked import TO_BE_ARCHIVED, LinkedWalk, ParsedArrival, is_archived
from target_powerofficego.sync.matching import claim_on

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.settle.record_flow import Arrival
    from target_powerofficego.sync.go.operations import Destination
    from target_powerofficego.sync.go.writer import Answer


_CLAIMED = "another record has its entry in Go; which one it is of is seen at the end of the run"
_A_FOLLOWER = "a follower: no properties flow"

_LEFT = {"is_active": False, "status": "archived"}
"""How a customer and a product show that the shop has archived them."""

_OF_ANY_RECORD = ("id", "archived")
"""The rows of a deleted record that hold for an earlier one under its id as well."""


logger = logging.getLogger("target-powerofficego")


class EntityWalk(LinkedWalk):
    """What customers and products have in common."""

    @abc.abstractmethod
    def match(self, arrival: ParsedArrival) -> LinkChange | Create:
        """Return which entry of Go an unlinked record is, or that it is to be created.

        Raises:
            Undecidable: with a Hold, when several could be meant.
        """

    @abc.abstractmethod
    def target(self, arrival: ParsedArrival) -> Destination:
        """Return where the entity is created and how it is found again."""

    def take(self, arrival: Arrival) -> str:
        """See `Walk`; what is made for an order from a record that left the shop is archived."""
        if arrival.is_made and self._has_left(arrival.shop_id):
            arrival = replace(arrival, record={**arrival.record, **_LEFT})
        return super().take(arrival)

    def _has_left(self, shop_id: str) -> bool:
        """Return whether the shop had archived or deleted a record before it came into Go.

        Nothing else is settled without a link. A record whose create had begun says so itself.
        """
        store = self.tools.store
        before = store.unsettled.get(self.entity, shop_id)
        is_begun = before is not None and _LEFT.items() <= before.payload.items()
        is_settled = store.settled.last(self.entity, shop_id) is not None
        return (is_settled or is_begun) and store.links.get(self.entity, shop_id) is None

    def _settle(self, arrival: Arrival) -> Change:
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        if link is None or link.is_follower:
            return self._settle_without_entry(arrival, link)
        if is_known_deleted(arrival.record):
            return self._settle_deleted(arrival, link)
        read = self.read_rows(arrival)
        link = self._identified(read, link)
        self._forget_deletion(arrival)
        return self._settle_linked(read, link)

    def _settle_linked(self, arrival: ParsedArrival, link: Link) -> Change:
        """Merge a record with its entry, or meet the one that a person linked it with."""
        if link.base:
            return self._compare(arrival, link)
        if self.entry_of(link) is None:
            return self._match_again(arrival)
        change = self._link(arrival, LinkChange(link.go_id))  # both sides stay as they are
        self.tools.on_linked(self.entity, arrival.shop_id)
        return change

    def _compare(self, arrival: ParsedArrival, link: Link) -> Change:
        change = self.compare(arrival, link)
        return self._match_again(arrival) if change is None else change

    # A record that the shop deleted, or sends again

    def _settle_deleted(self, arrival: Arrival, link: Link) -> Change:
        """Archive the entry of a deleted record at the end, unless a follower goes on with it."""
        created = instant_or_none(arrival.record.get("created_at"))
        linked = instant_or_none(link.shop_created_at)
        if created and linked and created < linked:
            return Nothing(ID_REUSED)
        read = self.read_rows(arrival)
        if created and linked and linked < created:  # the linked one was deleted before it
            known = {name: read.values[name] for name in _OF_ANY_RECORD if name in read.values}
            read = replace(read, record={"id": arrival.shop_id}, values=known)
        else:
            link = self.require_same_record(arrival.record, link)
        self._note_deleted(read)
        heir = find_successor(self, link) if link.base else None
        if heir is None:
            return self._settle_linked(read, link)
        promote(self, heir, link, arrival.read_at)
        return Nothing(f"its entry in Go goes on as that of {heir.shop_id}")

    def _settle_without_entry(self, arrival: Arrival, link: Link | None) -> Change:
        """Meet a record that has no entry of its own, or no longer has one.

        Nothing is done about a record that the shop deleted and that cannot be met.
        """
        is_deleted_now = is_known_deleted(arrival.record)
        if is_deleted_now:
            self._note_deleted(arrival)
        elif link and not (self._is_back(arrival) or self.shares_deleted_entry(link)):
            base = self._follower_base(self.read_rows(arrival))
            self.tools.store.links.put(replace(link, base=base))
            return Nothing(_A_FOLLOWER)
        if is_deleted_now and link:
            return Nothing("deleted in the shop; its entry in Go is another's")
        if link and arrival.is_made:
            return self._give_to_guest(arrival, link)
        try:
            change = self._settle_unlinked(self.read_rows(arrival))
        except (Unusable, Undecidable):
            is_met = self.tools.store.links.get(self.entity, arrival.shop_id) is not None
            if is_met or not is_deleted_now:
                raise
            return Skip("deleted in the shop and never in Go")
        self._forget_deletion(arrival)
        return change

    def _note_deleted(self, arrival: Arrival) -> None:
        fingerprint = record_hash(arrival.record, self.tools.fingerprint)
        self.tools.store.settled.note_deleted(
            self.entity, arrival.shop_id, fingerprint, arrival.read_at
        )

    def _is_back(self, arrival: Arrival) -> bool:
        """Return whether the shop sends a record again, under the id of one that it deleted."""
        is_there = not arrival.is_made and not is_known_deleted(arrival.record)
        return is_there and self.tools.store.settled.was_deleted(self.entity, arrival.shop_id)

    def _forget_deletion(self, arrival: Arrival) -> None:
        if self._is_back(arrival):
            self.tools.store.settled.forget_deleted(self.entity, arrival.shop_id)

    def is_deleted_in_shop(self, arrival: Arrival) -> bool:
        """Return whether the shop deleted a record, or the one that it is made for orders of."""
        return is_known_deleted(arrival.record) or (
            arrival.is_made and self.tools.store.settled.was_deleted(self.entity, arrival.shop_id)
        )

    def shares_deleted_entry(self, link: Link) -> bool:
        """Return whether a follower shares the entry of a record that the shop deleted."""
        store = self.tools.store
        owner = store.links.owner_of(self.entity, link.go_id) if link.is_follower else None
        return owner is not None and store.settled.was_deleted(self.entity, owner.shop_id)

    def _identified(self, arrival: ParsedArrival, link: Link) -> Link:
        """As `require_same_record`; a record created again under the id of a deleted one takes over from it.

        Raises:
            Undecidable: with a Hold, when it is another record.
        """
        try:
            return self.require_same_record(arrival.record, link)
        except Undecidable:
            if not self._is_made_anew(arrival, link):
                raise
        link = transferred_link(link, arrival.shop_id, created_at(arrival.record))
        self.tools.store.links.put(link)
        return link

    def _is_made_anew(self, arrival: ParsedArrival, link: Link) -> bool:
        """Return whether a record matches the entry of the deleted record that had its id."""
        if not self._is_back(arrival):
            return False
        try:
            found = self.match(arrival)
        except Undecidable:
            return False
        return isinstance(found, LinkChange) and found.takes_over and found.go_id == link.go_id

    # A record that is met

    def _settle_unlinked(self, arrival: ParsedArrival) -> Change:
        found = self._match_among_rivals(arrival)
        if isinstance(found, LinkChange) and found.takes_over:
            return self._take_over(arrival, found)
        if isinstance(found, LinkChange):
            found = self._link(arrival, found)
        elif arrival.values.get("archived") is not True:
            self._create(arrival)
        else:
            if arrival.is_made:
                self._create_to_archive(arrival)
            return Skip("archived in the shop and never in Go")
        self.tools.on_linked(self.entity, arrival.shop_id)
        return found

    def _match_again(self, arrival: ParsedArrival) -> Change:
        """Match again a record whose linked entry is gone; it is never created a second time."""
        found = self.match(arrival)
        if isinstance(found, Create):
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        take = self._take_over if found.takes_over else self._link
        return take(arrival, found)

    def _match_among_rivals(self, arrival: ParsedArrival) -> LinkChange | Create:
        """Match a record; claims to another's entry are decided at the end, when all have come.

        Companies may share an entry. So does a guest, whose order must not wait for that.

        Raises:
            Undecidable: with a Park, or a Hold that names another record.
        """
        try:
            found = self.match(arrival)
        except Undecidable as undecidable:
            claimed = undecidable.change.awaited if isinstance(undecidable.change, Hold) else ()
            if arrival.at_end or not claimed:
                raise
            raise Undecidable(Park(_CLAIMED, claimed)) from None
        if isinstance(found, Create) or not found.takes_over:
            return found
        claim = claim_on(self.entity, found.go_id)
        rivals = self._rivals(found.go_id, arrival.shop_id) if found.has_rivals else ()
        if rivals and arrival.shop_id.startswith(GUEST):
            return replace(found, is_follower=True, takes_over=False)
        if not arrival.at_end:
            raise Undecidable(Park(_CLAIMED, (claim,)))
        if rivals:
            raise Undecidable(Hold(_rivals_reason(found, rivals), awaited=(claim,)))
        return found

    def _rivals(self, go_id: str, shop_id: str) -> list[str]:
        """Return the other records that claim an entry of a deleted one."""
        waiting = self.tools.store.unsettled.waiting_for(claim_on(self.entity, go_id))
        return [one.shop_id for one in waiting if one.shop_id != shop_id]

    def _take_over(self, arrival: ParsedArrival, found: LinkChange) -> Change:
        """Give a record the entry of one that the shop deleted; what differs is then an edit."""
        link = take_over(self, arrival, found.go_id)
        try:
            if arrival.is_made:
                return found
            self.tools.plan.add(self.entity, arrival.shop_id, found)
            change = self._compare(replace(arrival, at_end=False), link)
            if isinstance(change, Nothing):
                return replace(change, outcome=found.outcome)
            return change
        finally:
            self.tools.on_linked(self.entity, arrival.shop_id)

    def _give_to_guest(self, arrival: Arrival, link: Link) -> Change:
        """Let a guest have the entry of a deleted customer, unless another record claims it."""
        owner = self.tools.store.links.owner_of(self.entity, link.go_id)
        if owner is None or self._rivals(link.go_id, arrival.shop_id):
            return Nothing(_A_FOLLOWER)
        take_over(self, arrival, link.go_id)
        self.tools.on_linked(self.entity, arrival.shop_id)
        return LinkChange(link.go_id, shared_with=owner.shop_id, takes_over=True)

    def _create_to_archive(self, arrival: ParsedArrival) -> None:
        """Create what an order needs of a record that had already left the shop; then archive it.

        That it waits for the archive is kept before it is created, as the run may be cut off.

        Raises:
            Undecidable: with a Park, as it is archived at the end.
        """
        self.keep_open(arrival, TO_BE_ARCHIVED)
        told = {name: value for name, value in arrival.values.items() if name != "archived"}
        self._create(replace(arrival, values=told))
        self.tools.plan.add(self.entity, arrival.shop_id, Create(told))
        self.tools.on_linked(self.entity, arrival.shop_id)
        raise Undecidable(TO_BE_ARCHIVED)

    def _create(self, arrival: ParsedArrival) -> None:
        told, read_at = arrival.values, arrival.read_at
        body = self.table.create_body(told)
        answer = self.tools.writer.create(self.target(arrival), body, told, read_at=read_at)
        answered_at = now()
        if answer.existed_already:
            self._require_free(answer, arrival.shop_id)
            go = go_side(self.table, answer.body, answered_at)
            on_link = self.tools.settings.on_link
            base, _ = base_of_linked(self.table, arrival.side, go, on_link=on_link)
        else:
            base = base_of_created(self.table, told, answer.body, read_at, answered_at)
        base = {**base, **self.extra_base(arrival, is_new=not answer.existed_already)}
        link = self._new_link(arrival, LinkChange(str(answer.body["Id"])))
        link = self.store_answer(replace(link, base=base), answer, answered_at)
        self.write_extras(arrival, link)

    def _new_link(self, arrival: Arrival, found: LinkChange) -> Link:
        return Link(
            self.entity,
            arrival.shop_id,
            found.go_id,
            is_follower=found.is_follower,
            shop_created_at=created_at(arrival.record),
        )

    def _require_free(self, answer: Answer, shop_id: str) -> None:
        """Require that what Go already has under a record's reference is not another record's.

        Raises:
            Undecidable: with a Hold, when it belongs to one that took over what a deleted record
                had.
        """
        go_id = str(answer.body["Id"])
        owner = self.tools.store.links.owner_of(self.entity, go_id)
        if owner is None or owner.shop_id == shop_id:
            return
        self.tools.store.intents.end(answer.intent)
        reason = (
            f"its reference stands in Go at the entry of {owner.shop_id} (id {go_id}), which took"
            " over from a deleted record of this id: remove the reference there"
        )
        raise Undecidable(Hold(reason))

    def _link(self, arrival: ParsedArrival, found: LinkChange) -> LinkChange:
        tools = self.tools
        entry = tools.index.entry(self.entity, found.go_id)
        link = self._new_link(arrival, found)
        if entry is None:
            raise Undecidable(Hold("Go removed its counterpart while it was being linked"))
        if found.is_follower:
            tools.store.links.put(replace(link, base=self._follower_base(arrival)))
            return found
        go = go_side(self.table, entry.body, entry.read_at)
        on_link = tools.settings.on_link
        base, differing = base_of_linked(self.table, arrival.side, go, on_link=on_link)
        link = replace(link, base=base | self.extra_base(arrival, is_new=False))
        with tools.store.transaction():
            self._demote(found.go_id)
            tools.store.links.put(link)
            tools.store.settled.note_version(self.other_way, link.shop_id, newest_stamp(entry.body))
        if on_link in ("shop", "fill_empty"):
            self._compare(replace(arrival, at_end=False), link)
        else:
            self.write_additions(arrival, link, entry)
        return replace(found, differences=differing)

    def _follower_base(self, arrival: ParsedArrival) -> dict[str, Agreement]:
        """Return what the shop says of a follower, for when the entry passes on to it."""
        if arrival.is_made or self.is_deleted_in_shop(arrival):
            return {}
        return {
            name: Agreement(value, None, arrival.read_at, NEVER)
            for name, value in arrival.values.items()
        }

    def _demote(self, go_id: str) -> None:
        """Make the guest that had this Go entity to itself a follower of the record now linked."""
        for other in self.tools.store.links.to_entry(self.entity, go_id):
            if not other.is_follower:
                self.tools.store.links.put(replace(other, is_follower=True, base={}))


def is_known_deleted(record: Record) -> bool:
    """Return whether the shop deleted a record; False when that cannot be read."""
    try:
        return is_deleted(record)
    except Unusable:
        return False


def _rivals_reason(found: LinkChange, rivals: Sequence[str]) -> str:
    named = " and ".join(rivals)
    return (
        f"it claims the entry in Go (id {found.go_id}) of {found.shared_with}, which the shop"
        f" deleted, and so does {named}: give all but one of them another SKU, e-mail or"
        " organisation number, or delete them in the shop"
    )


def take_over(walk: LinkedWalk, arrival: Arrival, go_id: str) -> Link:
    """Give a record the entry of one that the shop deleted; return its link.

    A record that was only made for an order says too little to be written; it only takes the entry
    out of the archive.

    Raises:
        Undecidable: with a Hold, or with a Park while a write of the way back has no answer.
    """
    owner = _owner_at_rest(walk, go_id)
    if arrival.is_made:
        _write_before_transfer(
            walk, owner, {"archived": False}, arrival.read_at, as_of=arrival.shop_id
        )
    return _transfer(walk, owner.shop_id, arrival.shop_id, created_at(arrival.record))


def _owner_at_rest(walk: LinkedWalk, go_id: str) -> Link:
    """Return the link of the deleted record that has an entry, once its writes are answered.

    Raises:
        Undecidable: with a Hold, when another record took the entry meanwhile; with a Park, while a
            write of either way has no answer.
    """
    store = walk.tools.store
    owner = store.links.owner_of(walk.entity, go_id)
    if owner is not None:
        walk.settle_unanswered(owner.shop_id)
        owner = store.links.owner_of(walk.entity, go_id)
    if owner is None:
        raise Undecidable(Hold("another record took its entry in Go meanwhile"))
    if walk.tools.writer.open_changes(walk.entity, f"/{walk.table.resource}/{owner.go_id}"):
        raise Undecidable(CHANGE_NOT_VISIBLE)
    walk.require_other_way_answered(owner.shop_id)
    return owner


def _transfer(walk: LinkedWalk, from_id: str, to_id: str, created: str | None) -> Link:
    """Make a deleted record, of which nothing is waiting any longer, a follower of the new one."""
    store, entity = walk.tools.store, walk.entity
    with store.transaction():
        old = store.links.get(entity, from_id)
        if old is None:
            raise LinkStoreError(f"{entity} {from_id} is linked no more")
        new = transferred_link(old, to_id, created)
        store.links.put(replace(old, is_follower=True, base={}, own_stamp=None))
        store.links.put(new)
        store.unsettled.clear(entity, from_id)
        store.forget_way_back(entity, from_id)
        store.settled.forget(entity, to_id)
    logger.info(
        "%s %s: takes over the entry %s in Go from %s, which the shop deleted",
        *(entity, to_id, new.go_id, from_id),
    )
    return new


def find_successor(walk: LinkedWalk, link: Link) -> Link | None:
    """Return the follower that has shared a record's entry longest and is still in the shop."""
    store = walk.tools.store
    followers = [
        one
        for one in store.links.to_entry(walk.entity, link.go_id)
        if one.is_follower
        and not is_archived(one)
        and not is_internal_id(one.shop_id)
        and not one.shop_id.startswith(ERASED)
        and not store.settled.was_deleted(walk.entity, one.shop_id)
    ]
    return min(followers, key=lambda one: one.linked_at or NEVER, default=None)


def promote(walk: LinkedWalk, heir: Link, link: Link, read_at: datetime.datetime) -> None:
    """Pass a deleted record's entry on to a follower, with what the shop last said of the follower.

    Raises:
        Undecidable: with a Hold, when the two sides cannot be merged.
    """
    found = LinkChange(link.go_id, shared_with=link.shop_id, takes_over=True)
    walk.tools.plan.add(walk.entity, heir.shop_id, found)
    told = {name: one.shop for name, one in heir.base.items()}
    _write_before_transfer(walk, link, {**told, "archived": False}, read_at, as_of=heir.shop_id)
    _transfer(walk, link.shop_id, heir.shop_id, heir.shop_created_at)


def _write_before_transfer(
    walk: LinkedWalk,
    link: Link,
    told: Mapping[str, Value],
    read_at: datetime.datetime,
    *,
    as_of: str,
) -> None:
    """Write to an entry what the shop said of the record `as_of`, to which it is to pass on."""
    arrival = ParsedArrival({"id": link.shop_id}, read_at, values=told)
    change = walk.write_values(arrival, transferred_link(link, link.shop_id, link.shop_created_at))
    if isinstance(change, Patch):
        walk.tools.plan.add(walk.entity, as_of, change)


def transferred_link(link: Link, shop_id: str, created: str | None) -> Link:
    """Return the link that a record gets from a deleted one.

    No stamp of the other record says anything of this one, nor does what our own write replaced
    there.
    """
    base = {name: replace(one, replaced=UNTOUCHED) for name, one in link.base.items()}
    return replace(link, shop_id=shop_id, shop_created_at=created, base=base, own_shop_stamp=None)
