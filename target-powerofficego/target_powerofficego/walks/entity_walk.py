"""The walk of a customer or product: once it is linked, the changes of both sides are merged."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.changes import (
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
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.dataflow.order import MADE_FOR_ORDERS, is_made_up
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import Unusable, instant
from target_powerofficego.erased import ERASED
from target_powerofficego.go_api import NotFound, Refused, TestFailed
from target_powerofficego.links import NEVER, Agreement, Link, LinkStoreError, now
from target_powerofficego.merge import (
    Evidence,
    Side,
    first_meeting,
    go_side,
    human_edit,
    merge,
)
from target_powerofficego.walks.meeting import TO_BE_ARCHIVED, MeetingWalk
from target_powerofficego.walks.stamps import is_behind, newest_stamp
from target_powerofficego.walks.walk import OTHER_WAY, REPLACED, created_at, record_hash

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.go_index import Entry
    from target_powerofficego.merge import Merge

logger = logging.getLogger("target-powerofficego")

ARCHIVE_REFUSED = "archive refused"
"""What an archive waits for that Go refused, mostly for an open balance: that Go takes it."""


class EntityWalk(MeetingWalk):
    """What customers and products have in common."""

    silent_rows: frozenset[str] = frozenset()

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """See that a linked entity may be changed so.

        Raises:
            Undecidable: with a Hold.
        """
        del link, rows

    def take(self, record: Record, read_at: datetime.datetime, *, at_end: bool = False) -> str:
        """See `Walk`; what is made for an order of a record that left the shop is archived."""
        if MADE_FOR_ORDERS in record and self._has_left(record["id"]):
            record = {**record, **_LEFT}
        return super().take(record, read_at, at_end=at_end)

    def _has_left(self, shop_id: str) -> bool:
        """Return whether the shop had archived or deleted a record before it came into Go.

        Nothing else is settled without a link. One that was about to be made tells it itself.
        """
        store = self.tools.store
        before = store.unsettled_of(self.entity, shop_id)
        is_begun = before is not None and _LEFT.items() <= before.payload.items()
        is_settled = store.last_settled(self.entity, shop_id) is not None
        return (is_settled or is_begun) and store.link(self.entity, shop_id) is None

    def follower_base(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> dict[str, Agreement]:
        """Return what the shop says of a follower, for when the entry passes on to it."""
        if MADE_FOR_ORDERS in record or self.is_gone(record):
            return {}
        return {name: Agreement(told, None, read_at, NEVER) for name, told in row_values.items()}

    def is_gone(self, record: Record) -> bool:
        """Return whether the shop deleted a record, or the one that it is made for orders of."""
        is_made = MADE_FOR_ORDERS in record
        return _is_known_deleted(record) or (
            is_made and self.tools.store.was_deleted(self.entity, record["id"])
        )

    def is_left(self, link: Link) -> bool:
        """Return whether a follower shares the entry of a record that the shop deleted."""
        store = self.tools.store
        owner = store.owner_of(self.entity, link.go_id) if link.is_follower else None
        return owner is not None and store.was_deleted(self.entity, owner.shop_id)

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        store, shop_id = self.tools.store, record["id"]
        link = store.link(self.entity, shop_id)
        if link is None or link.is_follower:
            return self._settle_without_entry(record, read_at, link, at_end=at_end)
        if _is_known_deleted(record):
            return self._settle_deleted(record, read_at, link, at_end=at_end)
        row_values = self._read(record)
        link = self._identified(record, row_values, read_at, link)
        self._note_that_it_is_there(record)
        if not link.base:
            return self._meet_as_told(record, row_values, read_at, link)
        return self._compare(record, row_values, read_at, link, at_end=at_end)

    def _settle_deleted(
        self, record: Record, read_at: datetime.datetime, link: Link, *, at_end: bool
    ) -> tuple[str, Change]:
        """Archive the entry of a deleted record at the end, unless a follower goes on with it."""
        if _is_older(record, link):
            return "unchanged", Nothing(REPLACED)
        row_values = self._read(record)
        link = self.identified(record, link)
        self._note_deleted(record, read_at)
        if not link.base:
            return self._meet_as_told(record, row_values, read_at, link)
        heir = self._heir(link)
        if heir is None:
            return self._compare(record, row_values, read_at, link, at_end=at_end)
        self._promote(heir, link, read_at)
        return "unchanged", Nothing(f"its entry in Go goes on as that of {heir.shop_id}")

    def _settle_without_entry(
        self, record: Record, read_at: datetime.datetime, link: Link | None, *, at_end: bool
    ) -> tuple[str, Change]:
        """Meet a record that has no entry of its own, or none any more.

        One that the shop deleted, and that cannot be met, is nobody's work.
        """
        is_deleted_now = _is_known_deleted(record)
        if is_deleted_now:
            self._note_deleted(record, read_at)
        elif link and not (self._is_back(record) or self.is_left(link)):
            base = self.follower_base(record, self._read(record), read_at)
            self.tools.store.put_link(replace(link, base=base))
            return "unchanged", Nothing("a follower: no properties flow")
        if is_deleted_now and link:
            return "unchanged", Nothing("deleted in the shop; its entry in Go is another's")
        if link and MADE_FOR_ORDERS in record:
            return self._open_for_guest(record, read_at, link)
        try:
            outcome, change = self._meet(record, self._read(record), read_at, at_end=at_end)
        except (Unusable, Undecidable):
            is_met = self.tools.store.link(self.entity, record["id"]) is not None
            if is_met or not is_deleted_now:
                raise
            return "unchanged", Nothing("deleted in the shop and never in Go")
        self._note_that_it_is_there(record)
        return outcome, change

    def _open_for_guest(
        self, record: Record, read_at: datetime.datetime, link: Link
    ) -> tuple[str, Change]:
        """Let a guest have the entry it shares with a deleted customer, unless another claims it."""
        owner = self.tools.store.owner_of(self.entity, link.go_id)
        if owner is None or self.rivals(link.go_id, record["id"]):
            return "unchanged", Nothing("a follower: no properties flow")
        found = LinkChange(link.go_id, shared_with=owner.shop_id, takes_over=True)
        return self._take_over(record, {}, read_at, found)

    def _note_deleted(self, record: Record, read_at: datetime.datetime) -> None:
        fingerprint = record_hash(record, self.tools.fingerprint)
        self.tools.store.note_deleted(self.entity, record["id"], fingerprint, read_at)

    def _is_back(self, record: Record) -> bool:
        """Return whether the shop tells a record again, under the id of one that it deleted."""
        is_there = MADE_FOR_ORDERS not in record and not _is_known_deleted(record)
        return is_there and self.tools.store.was_deleted(self.entity, record["id"])

    def _note_that_it_is_there(self, record: Record) -> None:
        if self._is_back(record):
            self.tools.store.forget_deleted(self.entity, record["id"])

    def _identified(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
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
        link = _passed_on(link, record["id"], created_at(record), read_at)
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

    def _heir(self, link: Link) -> Link | None:
        """Return the follower that has shared a record's entry longest, and is in the shop."""
        store = self.tools.store
        followers = [
            one
            for one in store.links_to(self.entity, link.go_id)
            if one.is_follower
            and not _is_archived(one)
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
        self._pass_on(link.shop_id, heir.shop_id, heir.shop_created_at, read_at)

    def _take_over(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        found: LinkChange,
    ) -> tuple[str, Change]:
        """Give a record the entry of one that the shop deleted; what differs is then an edit.

        What was only made for an order says too little for that: it opens the entry.
        """
        owner = self._owner_at_rest(found.go_id)
        is_made = MADE_FOR_ORDERS in record
        if is_made:
            self._write_told(owner, {"archived": False}, read_at, as_of=record["id"])
        link = self._pass_on(owner.shop_id, record["id"], created_at(record), read_at)
        try:
            if is_made:
                return "linked", found
            self.tools.plan.add(self.entity, record["id"], found)
            outcome, change = self._compare(record, row_values, read_at, link, at_end=False)
            return ("linked" if isinstance(change, Nothing) else outcome), change
        finally:
            self.tools.on_linked(self.entity, record["id"])

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
        if store.intents_of(self.other_way, owner.shop_id):
            reason = "a write of the other way has no answer yet; the next run that way looks"
            raise Undecidable(Park(reason, (OTHER_WAY,)))
        return owner

    def _pass_on(
        self, from_id: str, to_id: str, created: str | None, read_at: datetime.datetime
    ) -> Link:
        """Make a deleted record, of which nothing waits any more, a follower of the new one."""
        store = self.tools.store
        with store.transaction():
            old = store.link(self.entity, from_id)
            if old is None:
                msg = f"{self.entity} {from_id} is linked no more"
                raise LinkStoreError(msg)
            new = _passed_on(old, to_id, created, read_at)
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
        record = {"id": link.shop_id}
        link = _passed_on(link, link.shop_id, link.shop_created_at, read_at)
        merged = self._merge(record, told, read_at, link, entry)
        return self._carry_out(record, link, entry, merged, read_at, at_end=False)

    def _read(self, record: Record) -> Mapping[str, Value]:
        reading = self.table.read(record, self.tools.conversion)
        for repair in reading.repairs:
            self.tools.tally.note_repair(self.entity, record["id"], repair)
        return reading.values

    def _compare(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
        *,
        at_end: bool,
    ) -> tuple[str, Change]:
        entry = self._entry(link)
        if entry is None:
            return self._meet_again(record, row_values, read_at)
        if _is_first_told_when_archived(row_values, link):
            base, _ = first_meeting(
                self.table,
                Side(row_values, read_at),
                go_side(self.table, entry.body, entry.read_at),
                on_link="keep",
            )
            extras = self.extra_base(record, read_at, is_new=False)
            link = replace(link, base={**link.base, **base, **extras})
        for is_last_try in (False, True):
            merged = self._merge(record, row_values, read_at, link, entry)
            try:
                change = self._carry_out(record, link, entry, merged, read_at, at_end=at_end)
            except (TestFailed, NotFound) as refused:
                again = self.tools.index.read_again(self.entity, link.go_id)
                if again is None:
                    return self._meet_again(record, row_values, read_at)
                if isinstance(refused, NotFound):  # something that the change refers to
                    raise
                if is_last_try:
                    break
                entry = again
                continue
            wrote_more = self._write_reference(record, row_values, read_at, entry)
            wrote_more |= self.write_extras(record, read_at)
            if isinstance(change, Nothing) and wrote_more:
                return "changed", Patch(())
            return _OUTCOMES[type(change)], change
        raise Undecidable(Hold("Go was edited again and again while this was to be written"))

    def _merge(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
        entry: Entry,
    ) -> Merge:
        settings = self.tools.settings
        evidence = Evidence(
            shop=human_edit(record.get("updated_at"), link.own_shop_stamp),
            go=human_edit(entry.body.get("LastChangedDateTimeOffset"), link.own_stamp),
            margin=settings.clock_margin,
            silent_rows=self.silent_rows,
            asked=self.tools.store.asked(self.entity, record["id"]),
        )
        was_behind = is_behind(entry.body, link.own_stamp)  # then it tells nothing
        return merge(
            self.table,
            Side(row_values, read_at),
            go_side(self.table, entry.body, NEVER if was_behind else entry.read_at),
            link.base,
            owners=settings.owners[self.entity],
            evidence=evidence,
        )

    def _carry_out(
        self,
        record: Record,
        link: Link,
        entry: Entry,
        merged: Merge,
        read_at: datetime.datetime,
        *,
        at_end: bool,
    ) -> Change:
        archive = [row for row in merged.writes if row.row == "archived" and row.after is True]
        rows = [row for row in merged.writes if row not in archive]
        self.check_writes(link, rows)
        link = replace(link, base=merged.base)
        if rows:
            link = self._patch(record, link, entry, rows, read_at)
        else:
            self.tools.store.put_link(link)
        self._tell(record, merged.conflicts)
        if merged.open_conflicts:
            raise Undecidable(both_edited(merged.open_conflicts))
        if archive:
            return self._archive(record, link, entry, archive, read_at, at_end=at_end)
        return Patch(tuple(rows)) if rows else Nothing()

    def _patch(
        self,
        record: Record,
        link: Link,
        entry: Entry,
        rows: Sequence[RowChange],
        read_at: datetime.datetime,
    ) -> Link:
        path = f"/{self.table.resource}/{link.go_id}"
        answer = self.tools.writer.change(
            self.entity, record["id"], path, rows, read_at=read_at, whole=entry.body
        )
        answered_at = now()
        written = {
            row.row: Agreement(
                row.after, self.table.row(row.row).from_go(answer.body), read_at, answered_at
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
        record: Record,
        link: Link,
        entry: Entry,
        rows: Sequence[RowChange],
        read_at: datetime.datetime,
        *,
        at_end: bool,
    ) -> Change:
        if not at_end:
            raise Undecidable(TO_BE_ARCHIVED)
        try:
            self._patch(record, link, entry, rows, read_at)
        except TestFailed:
            raise
        except Refused as refused:
            why = f"Go does not archive it yet ({refused.title or refused.status}); tried every run"
            raise Undecidable(Park(why, (ARCHIVE_REFUSED,))) from None
        return Archive()

    def _tell(self, record: Record, conflicts: Sequence[Conflict]) -> None:
        for conflict in conflicts:
            self.tools.note_conflict(self.entity, record["id"], conflict)


def _passed_on(link: Link, shop_id: str, created: str | None, read_at: datetime.datetime) -> Link:
    """Return the link that a record has from a deleted one.

    What the shop says of it counts as read after the base was agreed, though that may have been
    agreed with the other record later.
    """
    base = {
        name: replace(one, shop_read_at=min(one.shop_read_at, read_at))
        for name, one in link.base.items()
    }
    return replace(link, shop_id=shop_id, shop_created_at=created, base=base, own_shop_stamp=None)


def _is_archived(link: Link) -> bool:
    """Return whether the shop said last that a linked record is archived."""
    agreed = link.base.get("archived")
    return agreed is not None and agreed.shop is True


def _is_first_told_when_archived(row_values: Mapping[str, Value], link: Link) -> bool:
    """Return whether a record tells rows for the first time that left the shop before its order.

    Its entry was made from the order and archived; what else the record tells is left as it is.
    """
    return (
        _is_archived(link)
        and row_values.get("archived") is True
        and any(name in row_values and one.shop_read_at == NEVER for name, one in link.base.items())
    )


def _is_older(record: Record, link: Link) -> bool:
    """Return whether a record was made before the one that is linked under its id."""
    try:
        created = instant(record.get("created_at"), what="created_at")
        linked = instant(link.shop_created_at, what="created_at")
    except Unusable:
        return False
    return created is not None and linked is not None and created < linked


def _is_known_deleted(record: Record) -> bool:
    try:
        return is_deleted(record)
    except Unusable:
        return False


def both_edited(conflicts: Sequence[Conflict]) -> Hold:
    """Return the hold of properties that both sides changed and no rule decides."""
    names = ", ".join(conflict.row for conflict in conflicts)
    told = "; ".join(str(conflict) for conflict in conflicts)
    return Hold(f"both sides changed {names}, and the stamps do not tell which was last", told)


_LEFT = {"is_active": False, "status": "archived"}
"""How a customer and a product tell that the shop has archived them."""

_OUTCOMES: Mapping[type, str] = {Patch: "changed", Nothing: "unchanged", Archive: "archived"}
