"""The walk of a customer or product: once it is linked, the changes of both sides are merged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.agreement import NEVER, Agreement, now
from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS
from target_powerofficego.dataflow.values import Unusable, instant_or_none, is_before
from target_powerofficego.decisions.changes import (
    Archive,
    Change,
    Conflict,
    Hold,
    Nothing,
    Park,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.merge import (
    Evidence,
    Side,
    first_meeting,
    go_side,
    human_edit,
    merge,
)
from target_powerofficego.go_api import NotFound, Refused, TestFailed
from target_powerofficego.settle.record_flow import REPLACED, created_at, record_hash
from target_powerofficego.sync.go_stamps import newest_stamp
from target_powerofficego.sync.takeovers import (
    TakeoverWalk,
    is_archived,
    is_known_deleted,
    passed_on,
)
from target_powerofficego.sync.unlinked import TO_BE_ARCHIVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.merge import Merge
    from target_powerofficego.settle.arrival import Arrival
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.go.index import Entry

ARCHIVE_REFUSED = "archive refused"
"""What an archive waits for that Go refused, mostly for an open balance: that Go takes it."""


class EntityWalk(TakeoverWalk):
    """What customers and products have in common."""

    silent_rows: frozenset[str] = frozenset()

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """See that a linked entity may be changed so.

        Raises:
            Undecidable: with a Hold.
        """
        del link, rows

    def take(self, arrival: Arrival) -> str:
        """See `Walk`; what is made for an order of a record that left the shop is archived."""
        if MADE_FOR_ORDERS in arrival.record and self._has_left(arrival.shop_id):
            arrival = replace(arrival, record={**arrival.record, **_LEFT})
        return super().take(arrival)

    def _has_left(self, shop_id: str) -> bool:
        """Return whether the shop had archived or deleted a record before it came into Go.

        Nothing else is settled without a link. One that was about to be made tells it itself.
        """
        store = self.tools.store
        before = store.unsettled_of(self.entity, shop_id)
        is_begun = before is not None and _LEFT.items() <= before.payload.items()
        is_settled = store.last_settled(self.entity, shop_id) is not None
        return (is_settled or is_begun) and store.link(self.entity, shop_id) is None

    def _settle(self, arrival: Arrival) -> Change:
        record = arrival.record
        link = self.tools.store.link(self.entity, arrival.shop_id)
        if link is None or link.is_follower:
            return self._settle_without_entry(arrival, link)
        if is_known_deleted(record):
            return self._settle_deleted(arrival, link)
        row_values = self._read(record)
        link = self._identified(record, row_values, link)
        self._note_that_it_is_there(record)
        if not link.base:
            return self._meet_as_told(arrival, row_values, link)
        return self._compare(arrival, row_values, link)

    def _settle_deleted(self, arrival: Arrival, link: Link) -> Change:
        """Archive the entry of a deleted record at the end, unless a follower goes on with it."""
        record = arrival.record
        created, linked = (
            instant_or_none(record.get("created_at")),
            instant_or_none(link.shop_created_at),
        )
        if created and linked and created < linked:
            return Nothing(REPLACED)
        row_values = self._read(record)
        if created and linked and linked < created:  # the linked one was deleted before it
            row_values = {name: row_values[name] for name in _OF_ANY_RECORD if name in row_values}
            arrival = replace(arrival, record={"id": arrival.shop_id})
        else:
            link = self.identified(record, link)
        self._note_deleted(arrival)
        if not link.base:
            return self._meet_as_told(arrival, row_values, link)
        heir = self._heir(link)
        if heir is None:
            return self._compare(arrival, row_values, link)
        self._promote(heir, link, arrival.read_at)
        return Nothing(f"its entry in Go goes on as that of {heir.shop_id}")

    def _settle_without_entry(self, arrival: Arrival, link: Link | None) -> Change:
        """Meet a record that has no entry of its own, or none any more.

        One that the shop deleted, and that cannot be met, is nobody's work.
        """
        record = arrival.record
        is_deleted_now = is_known_deleted(record)
        if is_deleted_now:
            self._note_deleted(arrival)
        elif link and not (self._is_back(record) or self.is_left(link)):
            base = self.follower_base(arrival, self._read(record))
            self.tools.store.put_link(replace(link, base=base))
            return Nothing("a follower: no properties flow")
        if is_deleted_now and link:
            return Nothing("deleted in the shop; its entry in Go is another's")
        if link and MADE_FOR_ORDERS in record:
            return self._open_for_guest(arrival, link)
        try:
            change = self._meet(arrival, self._read(record))
        except (Unusable, Undecidable):
            is_met = self.tools.store.link(self.entity, arrival.shop_id) is not None
            if is_met or not is_deleted_now:
                raise
            return Nothing("deleted in the shop and never in Go")
        self._note_that_it_is_there(record)
        return change

    def _note_deleted(self, arrival: Arrival) -> None:
        fingerprint = record_hash(arrival.record, self.tools.fingerprint)
        self.tools.store.note_deleted(self.entity, arrival.shop_id, fingerprint, arrival.read_at)

    def _is_back(self, record: Record) -> bool:
        """Return whether the shop tells a record again, under the id of one that it deleted."""
        is_there = MADE_FOR_ORDERS not in record and not is_known_deleted(record)
        return is_there and self.tools.store.was_deleted(self.entity, record["id"])

    def _note_that_it_is_there(self, record: Record) -> None:
        if self._is_back(record):
            self.tools.store.forget_deleted(self.entity, record["id"])

    def _identified(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        link: Link,
    ) -> Link:
        """As `identified`; a record made anew under the id of a deleted one takes over from it.

        Raises:
            Undecidable: with a Hold, when it is another record.
        """
        try:
            return self.identified(record, link)
        except Undecidable:
            if not self._is_made_anew(record, row_values, link):
                raise
        link = passed_on(link, record["id"], created_at(record))
        self.tools.store.put_link(link)
        return link

    def _is_made_anew(self, record: Record, row_values: Mapping[str, Value], link: Link) -> bool:
        """Return whether a record has what the deleted one of its id was matched on."""
        if not self._is_back(record):
            return False
        try:
            found = self.match(record, row_values)
        except Undecidable:
            return False
        return isinstance(found, LinkChange) and found.takes_over and found.go_id == link.go_id

    def _read(self, record: Record) -> Mapping[str, Value]:
        reading = self.table.read(record, self.tools.conversion)
        for repair in reading.repairs:
            self.tools.tally.note_repair(self.entity, record["id"], repair)
        return reading.values

    def _compare(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        link: Link,
    ) -> Change:
        entry = self._entry(link)
        if entry is None:
            return self._meet_again(arrival, row_values)
        if _is_first_told_when_archived(row_values, link):
            base, _ = first_meeting(
                self.table,
                Side(row_values, arrival.read_at),
                go_side(self.table, entry.body, entry.read_at),
                on_link="keep",
            )
            extras = self.extra_base(arrival, is_new=False)
            link = replace(link, base={**link.base, **base, **extras})
        for is_last_try in (False, True):
            merged = self._merge(arrival, row_values, link, entry)
            try:
                change = self._carry_out(arrival, link, entry, merged)
            except (TestFailed, NotFound) as refused:
                again = self.tools.index.read_again(self.entity, link.go_id)
                if again is None:
                    return self._meet_again(arrival, row_values)
                if isinstance(refused, NotFound):  # something that the change refers to
                    raise
                if is_last_try:
                    break
                entry = again
                continue
            wrote_more = self._write_reference(arrival, row_values, entry)
            wrote_more |= self.write_extras(arrival)
            if isinstance(change, Nothing) and wrote_more:
                return Patch(())
            return change
        raise Undecidable(Hold("Go was edited again and again while this was to be written"))

    def _merge(
        self,
        arrival: Arrival,
        row_values: Mapping[str, Value],
        link: Link,
        entry: Entry,
    ) -> Merge:
        settings = self.tools.settings
        evidence = Evidence(
            shop=human_edit(arrival.record.get("updated_at"), link.own_shop_stamp),
            go=human_edit(entry.body.get("LastChangedDateTimeOffset"), link.own_stamp),
            margin=settings.clock_margin,
            silent_rows=self.silent_rows,
            asked=self.tools.store.asked(self.entity, arrival.shop_id),
        )
        return merge(
            self.table,
            Side(row_values, arrival.read_at),
            go_side(self.table, entry.body, entry.read_at, is_behind=self._is_behind(link, entry)),
            link.base,
            owners=settings.owners[self.entity],
            evidence=evidence,
        )

    def _is_behind(self, link: Link, entry: Entry) -> bool:
        """Tell whether Go shows an entry as it was before what is known of it."""
        known = self.tools.store.last_version(self.other_way, link.shop_id)
        stamp = newest_stamp(entry.body)
        return is_before(stamp, link.own_stamp) or (
            known is not None and is_before(stamp, known.stamp)
        )

    def _carry_out(
        self,
        arrival: Arrival,
        link: Link,
        entry: Entry,
        merged: Merge,
    ) -> Change:
        archive = [row for row in merged.writes if row.row == "archived" and row.after is True]
        rows = [row for row in merged.writes if row not in archive]
        self.check_writes(link, rows)
        if any(merged.base[name].go != one.go for name, one in link.base.items()):
            stamp = newest_stamp(entry.body)
            self.tools.store.note_version(self.other_way, link.shop_id, stamp)
        link = replace(link, base=merged.base)
        if rows:
            link = self._patch(arrival, link, entry, rows)
        else:
            self.tools.store.put_link(link)
        self._tell(arrival.shop_id, merged.conflicts)
        if merged.open_conflicts:
            raise Undecidable(both_edited(merged.open_conflicts))
        if archive:
            return self._archive(arrival, link, entry, archive)
        return Patch(tuple(rows)) if rows else Nothing()

    def _patch(
        self,
        arrival: Arrival,
        link: Link,
        entry: Entry,
        rows: Sequence[RowChange],
    ) -> Link:
        path = f"/{self.table.resource}/{link.go_id}"
        answer = self.tools.writer.change(
            self.entity, arrival.shop_id, path, rows, read_at=arrival.read_at, whole=entry.body
        )
        answered_at = now()
        written = {
            row.row: Agreement(
                row.after,
                self.table.row(row.row).from_go(answer.body),
                arrival.read_at,
                answered_at,
            )
            for row in rows
        }
        changed = replace(
            link,
            base={**link.base, **written},
            own_stamp=newest_stamp(answer.body),
        )
        self._store_answer(changed, answer, answered_at)
        return changed

    def _archive(
        self,
        arrival: Arrival,
        link: Link,
        entry: Entry,
        rows: Sequence[RowChange],
    ) -> Change:
        if not arrival.at_end:
            raise Undecidable(TO_BE_ARCHIVED)
        try:
            self._patch(arrival, link, entry, rows)
        except TestFailed:
            raise
        except Refused as refused:
            said = refused.title or refused.status
            why = f"Go does not archive it yet ({said}); tried again later, at most a day apart"
            raise Undecidable(Park(why, (ARCHIVE_REFUSED,), is_refusal=True)) from None
        return Archive()

    def _tell(self, shop_id: str, conflicts: Sequence[Conflict]) -> None:
        for conflict in conflicts:
            self.tools.note_conflict(self.entity, shop_id, conflict)


def _is_first_told_when_archived(row_values: Mapping[str, Value], link: Link) -> bool:
    """Return whether a record tells rows for the first time that left the shop before its order.

    Its entry was made from the order and archived; what else the record tells is left as it is.
    """
    return (
        is_archived(link)
        and row_values.get("archived") is True
        and any(name in row_values and one.shop_read_at == NEVER for name, one in link.base.items())
    )


def both_edited(conflicts: Sequence[Conflict]) -> Hold:
    """Return the hold of properties that both sides changed and no rule decides."""
    names = ", ".join(conflict.row for conflict in conflicts)
    told = "; ".join(str(conflict) for conflict in conflicts)
    return Hold(f"both sides changed {names}, and the stamps do not tell which was last", told)


_LEFT = {"is_active": False, "status": "archived"}
"""How a customer and a product tell that the shop has archived them."""

_OF_ANY_RECORD = ("id", "archived")
"""The rows of a deleted record that hold for an earlier one under its id as well."""
