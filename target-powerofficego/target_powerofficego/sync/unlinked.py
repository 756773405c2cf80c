"""An unlinked customer or product: met in Go and linked as it is, or created."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.orders.order import GUEST, MADE_FOR_ORDERS
from target_powerofficego.decisions.changes import (
    Create,
    Hold,
    Nothing,
    Park,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.merge import Side, created_base, first_meeting, go_side
from target_powerofficego.go_api import TestFailed
from target_powerofficego.settle.record_flow import created_at
from target_powerofficego.store.link_store import Link
from target_powerofficego.sync.go_stamps import newest_stamp
from target_powerofficego.sync.into_go import GoWalk
from target_powerofficego.sync.matching import claim_on

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import Change
    from target_powerofficego.settle.arrival import Arrival
    from target_powerofficego.sync.go.destinations import Destination
    from target_powerofficego.sync.go.index import Entry
    from target_powerofficego.sync.go.writer import Answer

ARCHIVING = "archiving"
"""What an archive waits for: the end of the run, when it is known how many there are."""

TO_BE_ARCHIVED = Park("to be archived at the end of the run", (ARCHIVING,))

_CLAIMED = "another record has its entry in Go; which one it is of is seen at the end of the run"


class MeetingWalk(GoWalk):
    """The first steps of customers and products; `EntityWalk` takes them on from there."""

    @abc.abstractmethod
    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """Say which entry of Go an unlinked record is, or that it is to be created.

        Raises:
            Undecidable: with a Hold, when several could be meant.
        """

    @abc.abstractmethod
    def target(self, record: Record, row_values: Mapping[str, Value]) -> Destination:
        """Return where the entity is created and how it is found again."""

    def extra_base(self, arrival: Arrival, *, is_new: bool) -> dict[str, Agreement]:
        """Return the base of what hangs on the entity; empty for one that we just created."""
        del arrival, is_new
        return {}

    def write_extras(self, arrival: Arrival) -> bool:
        """Write what hangs on a linked entity; return whether anything was written."""
        del arrival
        return False

    @abc.abstractmethod
    def _compare(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        link: Link,
    ) -> Change:
        """Merge a linked record with its entry."""

    @abc.abstractmethod
    def follower_base(
        self, arrival: Arrival, row_values: Mapping[str, Value]
    ) -> dict[str, Agreement]:
        """Return what is kept of a record that shares another's entry."""

    @abc.abstractmethod
    def _take_over(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        found: LinkChange,
    ) -> Change:
        """Give a record the entry of one that the shop deleted."""

    def _meet(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
    ) -> Change:
        found = self._match_among_rivals(arrival, row_values)
        if isinstance(found, LinkChange) and found.takes_over:
            return self._take_over(arrival, row_values, found)
        if isinstance(found, LinkChange):
            change: Change = self._link(arrival, row_values, found)
        elif row_values.get("archived") is not True:
            self._create(arrival, row_values)
            change = found
        else:
            if MADE_FOR_ORDERS in arrival.record:
                self._create_to_archive(arrival, row_values)
            return Nothing("archived in the shop and never in Go")
        self.tools.on_linked(self.entity, arrival.shop_id)
        return change

    def _match_among_rivals(
        self, arrival: Arrival, row_values: Mapping[str, Value]
    ) -> LinkChange | Create:
        """Match a record; what another one has is decided at the end, when all who claim it came.

        Companies may share an entry. So does a guest, whose order must not wait for that.

        Raises:
            Undecidable: with a Park, or a Hold that names another record.
        """
        try:
            found = self.match(arrival.record, row_values)
        except Undecidable as undecidable:
            claimed = undecidable.change.awaited if isinstance(undecidable.change, Hold) else ()
            if arrival.at_end or not claimed:
                raise
            raise Undecidable(Park(_CLAIMED, claimed)) from None
        if isinstance(found, Create) or not found.takes_over:
            return found
        claim = claim_on(self.entity, found.go_id)
        rivals = self.rivals(found.go_id, arrival.shop_id) if found.has_rivals else ()
        if rivals and arrival.shop_id.startswith(GUEST):
            return replace(found, is_follower=True, takes_over=False)
        if not arrival.at_end:
            raise Undecidable(Park(_CLAIMED, (claim,)))
        if rivals:
            raise Undecidable(Hold(_of_rivals(found, rivals), awaited=(claim,)))
        return found

    def rivals(self, go_id: str, shop_id: str) -> list[str]:
        """Return the other records that claim an entry of a deleted one."""
        waiting = self.tools.store.waiting_for(claim_on(self.entity, go_id))
        return [one.shop_id for one in waiting if one.shop_id != shop_id]

    def _create_to_archive(self, arrival: Arrival, row_values: Mapping[str, Value]) -> None:
        """Create what an order needs of a record that had left the shop before; then archive it.

        That it waits for the archive is kept before it is created, for the run may be cut off.

        Raises:
            Undecidable: with a Park, as it is archived at the end.
        """
        self.tools.store.put_unsettled(
            "parked",
            self.entity,
            arrival.shop_id,
            payload=arrival.record,
            read_at=arrival.read_at,
            reason=TO_BE_ARCHIVED.reason,
            waits_for=TO_BE_ARCHIVED.awaited,
        )
        told = {name: value for name, value in row_values.items() if name != "archived"}
        self._create(arrival, told)
        self.tools.plan.add(self.entity, arrival.shop_id, Create(told))
        self.tools.on_linked(self.entity, arrival.shop_id)
        raise Undecidable(TO_BE_ARCHIVED)

    def _meet_as_told(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        link: Link,
    ) -> Change:
        """Meet the entry that a person linked the record with; both sides stay as they are."""
        if self._entry(link) is None:
            return self._meet_again(arrival, row_values)
        found = self._link(arrival, row_values, LinkChange(link.go_id))
        self.tools.on_linked(self.entity, arrival.shop_id)
        return found

    def _create(self, arrival: Arrival, row_values: Mapping[str, Value]) -> None:
        tools = self.tools
        body = self.table.create_body(row_values)
        target = self.target(arrival.record, row_values)
        answer = tools.writer.create(target, body, row_values, read_at=arrival.read_at)
        answered_at = now()
        if answer.was_there:
            self._require_free(answer, arrival.shop_id)
            side = Side(row_values, arrival.read_at)
            go = go_side(self.table, answer.body, answered_at)
            base, _ = first_meeting(self.table, side, go, on_link=tools.settings.on_link)
        else:
            base = created_base(self.table, row_values, answer.body, arrival.read_at, answered_at)
        extras = self.extra_base(arrival, is_new=not answer.was_there)
        link = Link(
            self.entity,
            arrival.shop_id,
            str(answer.body["Id"]),
            shop_created_at=created_at(arrival.record),
            base={**base, **extras},
            own_stamp=newest_stamp(answer.body),
        )
        self._store_answer(link, answer, answered_at)
        self.write_extras(arrival)

    def _require_free(self, answer: Answer, shop_id: str) -> None:
        """See that what Go already has under a record's reference is no other record's.

        Raises:
            Undecidable: with a Hold, when it is one that took over what a deleted record had.
        """
        go_id = str(answer.body["Id"])
        owner = self.tools.store.owner_of(self.entity, go_id)
        if owner is None or owner.shop_id == shop_id:
            return
        self.tools.store.end_intent(answer.intent)
        reason = (
            f"its reference stands in Go at the entry of {owner.shop_id} (id {go_id}), which took"
            " over from a deleted record of this id: remove the reference there"
        )
        raise Undecidable(Hold(reason))

    def _link(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        found: LinkChange,
    ) -> LinkChange:
        tools = self.tools
        entry = tools.index.entry(self.entity, found.go_id)
        link = Link(
            self.entity,
            arrival.shop_id,
            found.go_id,
            is_follower=found.is_follower,
            shop_created_at=created_at(arrival.record),
        )
        if entry is None:
            raise Undecidable(Hold("Go removed its counterpart while it was being linked"))
        if found.is_follower:
            tools.store.put_link(replace(link, base=self.follower_base(arrival, row_values)))
            return found
        base, differing = first_meeting(
            self.table,
            Side(row_values, arrival.read_at),
            go_side(self.table, entry.body, entry.read_at),
            on_link=tools.settings.on_link,
        )
        base |= self.extra_base(arrival, is_new=False)
        with tools.store.transaction():
            self._demote(found.go_id)
            tools.store.put_link(replace(link, base=base))
            tools.store.note_version(self.other_way, link.shop_id, newest_stamp(entry.body))
        if tools.settings.on_link in ("shop", "fill_empty"):
            self._compare(replace(arrival, at_end=False), row_values, replace(link, base=base))
        else:
            self._write_reference(arrival, row_values, entry)
            self.write_extras(arrival)
        return replace(found, differences=differing)

    def _demote(self, go_id: str) -> None:
        """Make the guest that had this Go entity to itself a follower of the record now linked."""
        for other in self.tools.store.links_to(self.entity, go_id):
            if not other.is_follower:
                self.tools.store.put_link(replace(other, is_follower=True, base={}))

    def _write_reference(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        entry: Entry,
    ) -> bool:
        """Write our reference where Go has none; another's is never replaced."""
        row = self.table.row("id") if self.entity == "customers" else None
        if row is None or not self.tools.settings.write_references or row.from_go(entry.body):
            return False
        change = RowChange(row.name, row.patch_path, None, row_values["id"])
        path = f"/{self.table.resource}/{entry.go_id}"
        try:
            answer = self.tools.writer.change(
                self.entity,
                arrival.shop_id,
                path,
                [change],
                read_at=arrival.read_at,
                whole=entry.body,
            )
        except TestFailed:
            self.tools.index.read_again(self.entity, entry.go_id)
            return False
        link = self.tools.store.link(self.entity, arrival.shop_id)
        if link is not None:
            self._store_answer(replace(link, own_stamp=newest_stamp(answer.body)), answer, now())
        return True

    def _entry(self, link: Link) -> Entry | None:
        """Return the linked entry, read again where a record is about to be written unguarded."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None or not self.tools.settings.tests_patches:
            return self.tools.index.read_again(self.entity, link.go_id)
        return entry

    def _meet_again(self, arrival: Arrival, row_values: Mapping[str, Value]) -> Change:
        """Match a record anew whose linked entry is gone; it is never created a second time."""
        found = self.match(arrival.record, row_values)
        if isinstance(found, Create):
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        if found.takes_over:
            return self._take_over(arrival, row_values, found)
        return self._link(arrival, row_values, found)

    def _store_answer(self, link: Link, answer: Answer, answered_at: datetime.datetime) -> None:
        """Replace the intent by Go's answer, in one transaction."""
        tools = self.tools
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            tools.store.end_intent(answer.intent)


def _of_rivals(found: LinkChange, rivals: Sequence[str]) -> str:
    named = " and ".join(rivals)
    return (
        f"it claims the entry in Go (id {found.go_id}) of {found.shared_with}, which the shop"
        f" deleted, and so does {named}: give all but one of them another SKU, e-mail or"
        " organisation number, or delete them in the shop"
    )
