"""A record without a link: matched with an entry in Go, taking one over, waiting, or created."""

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


_CLAIMED = "another record has its entry in Go; the end of the run decides which of them gets it"
_IS_FOLLOWER = "it only shares another record's entry in Go: its values are not written"

_ARCHIVED_MEMBERS = {"is_active": False, "status": "archived"}
"""The members by which customers and products show that the shop has archived them."""

_ROWS_OF_EARLIER_RECORD = ("id", "archived")
"""The rows of a deleted record that also apply to an earlier record under the same id."""


logger = logging.getLogger("target-powerofficego")


class EntityWalk(LinkedWalk):
    """The common walk of customers and products."""

    @abc.abstractmethod
    def match(self, arrival: ParsedArrival) -> LinkChange | Create:
        """Decide which entry in Go an unlinked record is linked with, or that one is created.

        Raises:
            Undecidable: with a Hold, when several could be meant.
        """

    @abc.abstractmethod
    def target(self, arrival: ParsedArrival) -> Destination:
        """Return where the entry is created and how it is found again."""

    def take(self, arrival: Arrival) -> str:
        """See `Walk`; a record made for an order is archived if the shop no longer has it."""
        if arrival.is_made and self._was_archived_or_deleted(arrival.shop_id):
            arrival = replace(arrival, record={**arrival.record, **_ARCHIVED_MEMBERS})
        return super().take(arrival)

    def _was_archived_or_deleted(self, shop_id: str) -> bool:
        """Return whether the shop had archived or deleted a record before it came into Go.

        No other record is settled without a link. One whose create had begun is stored as archived.
        """
        store = self.tools.store
        previous = store.unsettled.get(self.entity, shop_id)
        is_begun = previous is not None and _ARCHIVED_MEMBERS.items() <= previous.payload.items()
        is_settled = store.settled.last(self.entity, shop_id) is not None
        return (is_settled or is_begun) and store.links.get(self.entity, shop_id) is None

    def _settle(self, arrival: Arrival) -> Change:
        link = self.tools.store.links.get(self.entity, arrival.shop_id)
        if link is None or link.is_follower:
            return self._settle_without_entry(arrival, link)
        if is_known_deleted(arrival.record):
            return self._settle_deleted(arrival, link)
        parsed = self.read_rows(arrival)
        link = self._checked_link(parsed, link)
        self._forget_deletion(arrival)
        return self._settle_linked(parsed, link)

    def _settle_linked(self, arrival: ParsedArrival, link: Link) -> Change:
        """Merge a record with its entry, or complete the link that a person made."""
        if link.base:
            return self._update(arrival, link)
        if self.entry_of(link) is None:
            return self._match_again(arrival)
        change = self._link(arrival, LinkChange(link.go_id))
        self.tools.on_linked(self.entity, arrival.shop_id)
        return change

    def _update(self, arrival: ParsedArrival, link: Link) -> Change:
        change = self.update(arrival, link)
        return self._match_again(arrival) if change is None else change

    # A record that the shop deleted, or sends again

    def _settle_deleted(self, arrival: Arrival, link: Link) -> Change:
        """Archive the entry of a deleted record at the end, unless a follower gets the entry."""
        created = instant_or_none(arrival.record.get("created_at"))
        linked = instant_or_none(link.shop_created_at)
        if created and linked and created < linked:
            return Nothing(ID_REUSED)
        parsed = self.read_rows(arrival)
        if created and linked and linked < created:  # the linked record was deleted before this one
            rows = {
                name: parsed.values[name]
                for name in _ROWS_OF_EARLIER_RECORD
                if name in parsed.values
            }
            parsed = replace(parsed, record={"id": arrival.shop_id}, values=rows)
        else:
            link = self.require_same_record(arrival.record, link)
        self._note_deleted(parsed)
        successor = find_successor(self, link) if link.base else None
        if successor is None:
            return self._settle_linked(parsed, link)
        promote(self, successor, link, arrival.read_at)
        return Nothing(f"its entry in Go now belongs to {successor.shop_id}")

    def _settle_without_entry(self, arrival: Arrival, link: Link | None) -> Change:
        """Settle a record that has no entry of its own, or no longer has one.

        A record that the shop deleted and that cannot be matched is left alone.
        """
        is_deleted_now = is_known_deleted(arrival.record)
        if is_deleted_now:
            self._note_deleted(arrival)
        elif link and not (self._is_sent_again(arrival) or self.shares_deleted_entry(link)):
            base = self._follower_base(self.read_rows(arrival))
            self.tools.store.links.put(replace(link, base=base))
            return Nothing(_IS_FOLLOWER)
        if is_deleted_now and link:
            return Nothing("deleted in the shop; its entry in Go belongs to another record")
        if link and arrival.is_made:
            return self._give_to_guest(arrival, link)
        try:
            change = self._settle_unlinked(self.read_rows(arrival))
        except (Unusable, Undecidable):
            is_linked = self.tools.store.links.get(self.entity, arrival.shop_id) is not None
            if is_linked or not is_deleted_now:
                raise
            return Skip("deleted in the shop and never in Go")
        self._forget_deletion(arrival)
        return change

    def _note_deleted(self, arrival: Arrival) -> None:
        fingerprint = record_hash(arrival.record, self.tools.fingerprint)
        self.tools.store.settled.note_deleted(
            self.entity, arrival.shop_id, fingerprint, arrival.read_at
        )

    def _is_sent_again(self, arrival: Arrival) -> bool:
        """Return whether the shop sends a record under the id of one that it deleted."""
        is_in_shop = not arrival.is_made and not is_known_deleted(arrival.record)
        return is_in_shop and self.tools.store.settled.was_deleted(self.entity, arrival.shop_id)

    def _forget_deletion(self, arrival: Arrival) -> None:
        if self._is_sent_again(arrival):
            self.tools.store.settled.forget_deleted(self.entity, arrival.shop_id)

    def is_deleted_in_shop(self, arrival: Arrival) -> bool:
        """Return whether the shop deleted a record, also if it was made again for an order."""
        return is_known_deleted(arrival.record) or (
            arrival.is_made and self.tools.store.settled.was_deleted(self.entity, arrival.shop_id)
        )

    def shares_deleted_entry(self, link: Link) -> bool:
        """Return whether a follower shares the entry of a record that the shop deleted."""
        store = self.tools.store
        owner = store.links.owner_of(self.entity, link.go_id) if link.is_follower else None
        return owner is not None and store.settled.was_deleted(self.entity, owner.shop_id)

    def _checked_link(self, arrival: ParsedArrival, link: Link) -> Link:
        """Return the link as `require_same_record` does; a record created again takes it over.

        Raises:
            Undecidable: with a Hold, when it is another record.
        """
        try:
            return self.require_same_record(arrival.record, link)
        except Undecidable:
            if not self._was_recreated(arrival, link):
                raise
        link = transferred_link(link, arrival.shop_id, created_at(arrival.record))
        self.tools.store.links.put(link)
        return link

    def _was_recreated(self, arrival: ParsedArrival, link: Link) -> bool:
        """Return whether a record matches the entry of the deleted record under its id."""
        if not self._is_sent_again(arrival):
            return False
        try:
            match = self.match(arrival)
        except Undecidable:
            return False
        return isinstance(match, LinkChange) and match.takes_over and match.go_id == link.go_id

    # A record that is matched

    def _settle_unlinked(self, arrival: ParsedArrival) -> Change:
        match = self._match_unless_claimed(arrival)
        if isinstance(match, LinkChange) and match.takes_over:
            return self._take_over(arrival, match)
        if isinstance(match, LinkChange):
            match = self._link(arrival, match)
        elif arrival.values.get("archived") is not True:
            self._create(arrival)
        else:
            if arrival.is_made:
                self._create_to_archive(arrival)
            return Skip("archived in the shop and never in Go")
        self.tools.on_linked(self.entity, arrival.shop_id)
        return match

    def _match_again(self, arrival: ParsedArrival) -> Change:
        """Match a record whose linked entry is gone; it is never created a second time."""
        match = self.match(arrival)
        if isinstance(match, Create):
            raise Undecidable(
                Hold("it was removed in Go, and is not created again: acknowledge this")
            )
        return self._take_over(arrival, match) if match.takes_over else self._link(arrival, match)

    def _match_unless_claimed(self, arrival: ParsedArrival) -> LinkChange | Create:
        """Match a record; claims to another record's entry are decided at the end of the run.

        Companies may share an entry. So may a guest, because its order must not wait for that.

        Raises:
            Undecidable: with a Park, or a Hold that names another record.
        """
        try:
            match = self.match(arrival)
        except Undecidable as undecidable:
            claimed = undecidable.change.awaited if isinstance(undecidable.change, Hold) else ()
            if arrival.at_end or not claimed:
                raise
            raise Undecidable(Park(_CLAIMED, claimed)) from None
        if isinstance(match, Create) or not match.takes_over:
            return match
        claim = claim_on(self.entity, match.go_id)
        rivals = self._rivals(match.go_id, arrival.shop_id) if match.has_rivals else ()
        if rivals and arrival.shop_id.startswith(GUEST):
            return replace(match, is_follower=True, takes_over=False)
        if not arrival.at_end:
            raise Undecidable(Park(_CLAIMED, (claim,)))
        if rivals:
            raise Undecidable(Hold(_rivals_reason(match, rivals), awaited=(claim,)))
        return match

    def _rivals(self, go_id: str, shop_id: str) -> list[str]:
        """Return the other records that claim the entry of a deleted one."""
        waiting = self.tools.store.unsettled.waiting_for(claim_on(self.entity, go_id))
        return [record.shop_id for record in waiting if record.shop_id != shop_id]

    def _take_over(self, arrival: ParsedArrival, match: LinkChange) -> Change:
        """Give a record the entry of one that the shop deleted; differences count as its edits."""
        link = take_over(self, arrival, match.go_id)
        try:
            if arrival.is_made:
                return match
            self.tools.plan.add(self.entity, arrival.shop_id, match)
            change = self._update(replace(arrival, at_end=False), link)
            if isinstance(change, Nothing):
                return replace(change, outcome=match.outcome)
            return change
        finally:
            self.tools.on_linked(self.entity, arrival.shop_id)

    def _give_to_guest(self, arrival: Arrival, link: Link) -> Change:
        """Give a guest the entry of a deleted customer, unless another record claims it."""
        owner = self.tools.store.links.owner_of(self.entity, link.go_id)
        if owner is None or self._rivals(link.go_id, arrival.shop_id):
            return Nothing(_IS_FOLLOWER)
        take_over(self, arrival, link.go_id)
        self.tools.on_linked(self.entity, arrival.shop_id)
        return LinkChange(link.go_id, shared_with=owner.shop_id, takes_over=True)

    def _create_to_archive(self, arrival: ParsedArrival) -> None:
        """Create an entry that an order needs of a record that left the shop, to be archived.

        That it is to be archived is stored before it is created, as the run may be interrupted.

        Raises:
            Undecidable: with a Park, as it is archived at the end.
        """
        self.keep_open(arrival, TO_BE_ARCHIVED)
        rows = {name: value for name, value in arrival.values.items() if name != "archived"}
        self._create(replace(arrival, values=rows))
        self.tools.plan.add(self.entity, arrival.shop_id, Create(rows))
        self.tools.on_linked(self.entity, arrival.shop_id)
        raise Undecidable(TO_BE_ARCHIVED)

    def _create(self, arrival: ParsedArrival) -> None:
        rows, read_at = arrival.values, arrival.read_at
        body = self.table.create_body(rows)
        answer = self.tools.writer.create(self.target(arrival), body, rows, read_at=read_at)
        answered_at = now()
        if answer.existed_already:
            self._require_free(answer, arrival.shop_id)
            go = go_side(self.table, answer.body, answered_at)
            on_link = self.tools.settings.on_link
            base, _ = base_of_linked(self.table, arrival.side, go, on_link=on_link)
        else:
            base = base_of_created(self.table, rows, answer.body, read_at, answered_at)
        base = {**base, **self.extra_base(arrival, is_new=not answer.existed_already)}
        link = self._new_link(arrival, LinkChange(str(answer.body["Id"])))
        link = self.store_answer(replace(link, base=base), answer, answered_at)
        self.write_extras(arrival, link)

    def _new_link(self, arrival: Arrival, match: LinkChange) -> Link:
        return Link(
            self.entity,
            arrival.shop_id,
            match.go_id,
            is_follower=match.is_follower,
            shop_created_at=created_at(arrival.record),
        )

    def _require_free(self, answer: Answer, shop_id: str) -> None:
        """Require that the entry that Go already has under a record's reference is its own.

        Raises:
            Undecidable: with a Hold, when another record took it over from a deleted one.
        """
        go_id = str(answer.body["Id"])
        owner = self.tools.store.links.owner_of(self.entity, go_id)
        if owner is None or owner.shop_id == shop_id:
            return
        self.tools.store.intents.end(answer.intent)
        reason = (
            f"the entry of {owner.shop_id} in Go (id {go_id}) has its reference, from a deleted"
            " record that had this id: remove the reference there"
        )
        raise Undecidable(Hold(reason))

    def _link(self, arrival: ParsedArrival, match: LinkChange) -> LinkChange:
        tools = self.tools
        entry = tools.index.entry(self.entity, match.go_id)
        link = self._new_link(arrival, match)
        if entry is None:
            raise Undecidable(Hold("Go removed its counterpart while it was being linked"))
        if match.is_follower:
            tools.store.links.put(replace(link, base=self._follower_base(arrival)))
            return match
        go = go_side(self.table, entry.body, entry.read_at)
        on_link = tools.settings.on_link
        base, differing = base_of_linked(self.table, arrival.side, go, on_link=on_link)
        link = replace(link, base=base | self.extra_base(arrival, is_new=False))
        with tools.store.transaction():
            self._make_guests_followers(match.go_id)
            tools.store.links.put(link)
            tools.store.settled.note_version(self.other_way, link.shop_id, newest_stamp(entry.body))
        if on_link in ("shop", "fill_empty"):
            self._update(replace(arrival, at_end=False), link)
        else:
            self.write_additions(arrival, link, entry)
        return replace(match, differences=differing)

    def _follower_base(self, arrival: ParsedArrival) -> dict[str, Agreement]:
        """Return a follower's values in the shop, in case it gets the entry later."""
        if arrival.is_made or self.is_deleted_in_shop(arrival):
            return {}
        return {
            name: Agreement(value, None, arrival.read_at, NEVER)
            for name, value in arrival.values.items()
        }

    def _make_guests_followers(self, go_id: str) -> None:
        """Make a guest that had the entry to itself a follower of the record now linked."""
        for other in self.tools.store.links.to_entry(self.entity, go_id):
            if not other.is_follower:
                self.tools.store.links.put(replace(other, is_follower=True, base={}))


def is_known_deleted(record: Record) -> bool:
    """Return whether the shop deleted a record; False if that cannot be read."""
    try:
        return is_deleted(record)
    except Unusable:
        return False


def _rivals_reason(match: LinkChange, rivals: Sequence[str]) -> str:
    others = " and ".join(rivals)
    return (
        f"it claims the entry in Go (id {match.go_id}) of {match.shared_with}, which the shop"
        f" deleted, and so does {others}: give all but one of them another SKU, e-mail or"
        " organisation number, or delete them in the shop"
    )


def take_over(walk: LinkedWalk, arrival: Arrival, go_id: str) -> Link:
    """Give a record the entry of one that the shop deleted; return its link.

    A record that was made for an order has too few values to be written: its entry is only taken
    out of the archive.

    Raises:
        Undecidable: with a Hold, or with a Park while a write of the way back has no answer.
    """
    owner = _owner_without_open_writes(walk, go_id)
    if arrival.is_made:
        rows = {"archived": False}
        _write_before_transfer(walk, owner, rows, arrival.read_at, new_id=arrival.shop_id)
    return _transfer(walk, owner.shop_id, arrival.shop_id, created_at(arrival.record))


def _owner_without_open_writes(walk: LinkedWalk, go_id: str) -> Link:
    """Return the link of the deleted record that has an entry, once its writes are answered.

    Raises:
        Undecidable: with a Hold, when another record took the entry meanwhile; with a Park, while a
            write in either direction has no answer.
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
    """Give the link of a deleted record to a new one, and make the deleted record its follower.

    Nothing waits for the deleted record any longer.
    """
    store, entity = walk.tools.store, walk.entity
    with store.transaction():
        old = store.links.get(entity, from_id)
        if old is None:
            raise LinkStoreError(f"{entity} {from_id} is no longer linked")
        new = transferred_link(old, to_id, created)
        store.links.put(replace(old, is_follower=True, base={}, own_stamp=None))
        store.links.put(new)
        store.unsettled.clear(entity, from_id)
        store.forget_way_back(entity, from_id)
        store.settled.forget(entity, to_id)
    logger.info(
        "%s %s: it takes over the entry %s in Go from %s, which the shop deleted",
        *(entity, to_id, new.go_id, from_id),
    )
    return new


def find_successor(walk: LinkedWalk, link: Link) -> Link | None:
    """Return the follower that has shared a record's entry longest and is still in the shop."""
    store = walk.tools.store
    followers = [
        other
        for other in store.links.to_entry(walk.entity, link.go_id)
        if other.is_follower
        and not is_archived(other)
        and not is_internal_id(other.shop_id)
        and not other.shop_id.startswith(ERASED)
        and not store.settled.was_deleted(walk.entity, other.shop_id)
    ]
    return min(followers, key=lambda follower: follower.linked_at or NEVER, default=None)


def promote(walk: LinkedWalk, successor: Link, link: Link, read_at: datetime.datetime) -> None:
    """Give a deleted record's entry to a follower, with the follower's last values in the shop.

    Raises:
        Undecidable: with a Hold, when the two sides cannot be merged.
    """
    match = LinkChange(link.go_id, shared_with=link.shop_id, takes_over=True)
    walk.tools.plan.add(walk.entity, successor.shop_id, match)
    rows = {name: agreed.shop for name, agreed in successor.base.items()} | {"archived": False}
    _write_before_transfer(walk, link, rows, read_at, new_id=successor.shop_id)
    _transfer(walk, link.shop_id, successor.shop_id, successor.shop_created_at)


def _write_before_transfer(
    walk: LinkedWalk,
    link: Link,
    rows: Mapping[str, Value],
    read_at: datetime.datetime,
    *,
    new_id: str,
) -> None:
    """Write to an entry the values of the record `new_id`, which is about to get it."""
    arrival = ParsedArrival({"id": link.shop_id}, read_at, values=rows)
    change = walk.write_values(arrival, transferred_link(link, link.shop_id, link.shop_created_at))
    if isinstance(change, Patch):
        walk.tools.plan.add(walk.entity, new_id, change)


def transferred_link(link: Link, shop_id: str, created: str | None) -> Link:
    """Return the link that a record gets from a deleted one.

    The deleted record's stamp does not apply to the new one, nor do the values that our own writes
    replaced in the deleted one.
    """
    base = {name: replace(agreed, replaced=UNTOUCHED) for name, agreed in link.base.items()}
    return replace(link, shop_id=shop_id, shop_created_at=created, base=base, own_shop_stamp=None)
