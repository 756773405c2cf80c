"""The walk of a customer or product: meet it in Go or create it, later merge the changes."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.changes import (
    Archive,
    Change,
    Conflict,
    Create,
    Hold,
    Nothing,
    Park,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.dataflow import values
from target_powerofficego.go_api import NotFound, Refused, TestFailed
from target_powerofficego.links import NEVER, Agreement, Link, now
from target_powerofficego.merge import (
    Evidence,
    Side,
    created_base,
    first_meeting,
    go_side,
    merge,
)
from target_powerofficego.walks.walk import Walk, created_at

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.destinations import Destination
    from target_powerofficego.go_index import Entry
    from target_powerofficego.merge import Merge
    from target_powerofficego.writing import Answer

ARCHIVING = "archiving"
"""What an archive waits for: the end of the run, when it is known how many there are."""

ARCHIVE_REFUSED = "archive refused"
"""What an archive waits for that Go refused, mostly for an open balance: that Go takes it."""


class EntityWalk(Walk):
    """What customers and products have in common."""

    silent_rows: frozenset[str] = frozenset()

    @abc.abstractmethod
    def match(self, record: Record, row_values: Mapping[str, Value]) -> LinkChange | Create:
        """Say which entry of Go an unlinked record is, or that it is to be created.

        Raises:
            Undecidable: with a Hold, when several could be meant.
        """

    @abc.abstractmethod
    def target(self, record: Record, row_values: Mapping[str, Value]) -> Destination:
        """Return where the entity is created and how it is found again."""

    def extra_base(
        self, record: Record, read_at: datetime.datetime, *, is_new: bool
    ) -> dict[str, Agreement]:
        """Return the base of what hangs on the entity; empty for one that we just created."""
        del record, read_at, is_new
        return {}

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """See that a linked entity may be changed so.

        Raises:
            Undecidable: with a Hold.
        """
        del link, rows

    def write_extras(self, record: Record, read_at: datetime.datetime) -> bool:
        """Write what hangs on a linked entity; return whether anything was written."""
        del record, read_at
        return False

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        reading = self.table.read(record, self.tools.conversion)
        for repair in reading.repairs:
            self.tools.tally.note_repair(self.entity, record["id"], repair)
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            link = self._identified(record, link)
            if link.is_follower:
                return "unchanged", Nothing("a follower: no properties flow")
            if not link.base:
                return self._meet_as_told(record, reading.values, read_at, link)
            return self._compare(record, reading.values, read_at, link, at_end=at_end)
        return self._meet(record, reading.values, read_at)

    # An unlinked record

    def _meet(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[str, Change]:
        found = self.match(record, row_values)
        if isinstance(found, Create):
            if row_values.get("archived") is True:
                return "unchanged", Nothing("archived in the shop and never in Go")
            self._create(record, row_values, read_at)
            outcome = "created"
        else:
            found = self._link(record, row_values, read_at, found)
            outcome = "linked"
        self.tools.on_linked(self.entity, record["id"])
        return outcome, found

    def _meet_as_told(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
    ) -> tuple[str, Change]:
        """Meet the entry that a person linked the record with; both sides stay as they are."""
        if self._entry(record, row_values, link) is None:
            return self._meet_again(record, row_values, read_at)
        found = self._link(record, row_values, read_at, LinkChange(link.go_id))
        self.tools.on_linked(self.entity, record["id"])
        return "linked", found

    def _create(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> None:
        tools = self.tools
        body = self.table.create_body(row_values)
        target = self.target(record, row_values)
        answer = tools.writer.create(target, body, row_values, read_at=read_at)
        answered_at = now()
        if answer.was_there:
            side = Side(row_values, read_at)
            go = go_side(self.table, answer.body, answered_at)
            base, _ = first_meeting(self.table, side, go, on_link=tools.settings.on_link)
        else:
            base = created_base(self.table, row_values, answer.body, read_at, answered_at)
        extras = self.extra_base(record, read_at, is_new=not answer.was_there)
        link = Link(
            self.entity,
            record["id"],
            str(answer.body["Id"]),
            shop_created_at=created_at(record),
            base={**base, **extras},
            own_stamp=answer.body.get("LastChangedDateTimeOffset"),
        )
        self._store_answer(link, answer, answered_at)
        self.write_extras(record, read_at)

    def _link(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        found: LinkChange,
    ) -> LinkChange:
        tools = self.tools
        entry = tools.index.entry(self.entity, found.go_id)
        link = Link(
            self.entity,
            record["id"],
            found.go_id,
            is_follower=found.is_follower,
            shop_created_at=created_at(record),
        )
        if entry is None:
            raise Undecidable(Hold("Go removed its counterpart while it was being linked"))
        if found.is_follower:
            tools.store.put_link(link)
            return found
        base, differing = first_meeting(
            self.table,
            Side(row_values, read_at),
            go_side(self.table, entry.body, entry.read_at),
            on_link=tools.settings.on_link,
        )
        base |= self.extra_base(record, read_at, is_new=False)
        with tools.store.transaction():
            self._demote(found.go_id)
            tools.store.put_link(replace(link, base=base))
        if tools.settings.on_link in ("shop", "fill_empty"):
            self._compare(record, row_values, read_at, replace(link, base=base), at_end=False)
        else:
            self._write_reference(record, row_values, read_at, entry)
        return replace(found, differences=differing)

    def _demote(self, go_id: str) -> None:
        """Make the guest that had this Go entity to itself a follower of the record now linked."""
        for other in self.tools.store.links_to(self.entity, go_id):
            if not other.is_follower:
                self.tools.store.put_link(replace(other, is_follower=True, base={}))

    def _write_reference(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
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
                self.entity, record["id"], path, [change], read_at=read_at
            )
        except TestFailed:
            self.tools.index.read_again(self.entity, entry.go_id)
            return False
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            self._store_answer(
                replace(link, own_stamp=answer.body.get("LastChangedDateTimeOffset")), answer, now()
            )
        return True

    # A linked record

    def _compare(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
        *,
        at_end: bool,
    ) -> tuple[str, Change]:
        entry = self._entry(record, row_values, link)
        if entry is None:
            return self._meet_again(record, row_values, read_at)
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

    def _entry(self, record: Record, row_values: Mapping[str, Value], link: Link) -> Entry | None:
        """Return the linked entry, read again where a record is about to be written unguarded."""
        del record, row_values
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None or not self.tools.settings.tests_patches:
            return self.tools.index.read_again(self.entity, link.go_id)
        return entry

    def _meet_again(
        self, record: Record, row_values: Mapping[str, Value], read_at: datetime.datetime
    ) -> tuple[str, Change]:
        """Match a record anew whose linked entry is gone; it is never created a second time."""
        found = self.match(record, row_values)
        if isinstance(found, Create):
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        return "linked", self._link(record, row_values, read_at, found)

    def _merge(
        self,
        record: Record,
        row_values: Mapping[str, Value],
        read_at: datetime.datetime,
        link: Link,
        entry: Entry,
    ) -> Merge:
        settings = self.tools.settings
        stamp = entry.body.get("LastChangedDateTimeOffset")
        evidence = Evidence(
            shop=values.instant(record.get("updated_at"), what="updated_at"),
            go=None if stamp == link.own_stamp else values.instant(stamp, what="Go's stamp"),
            margin=settings.clock_margin,
            silent_rows=self.silent_rows,
            asked=self.tools.store.asked(self.entity, record["id"]),
        )
        # Go's replica showed it as it was before our own last write: that tells nothing
        is_behind = values.is_before(stamp, link.own_stamp)
        return merge(
            self.table,
            Side(row_values, read_at),
            go_side(self.table, entry.body, NEVER if is_behind else entry.read_at),
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
            own_stamp=answer.body.get("LastChangedDateTimeOffset"),
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
            raise Undecidable(Park("to be archived at the end of the run", (ARCHIVING,)))
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

    def _store_answer(self, link: Link, answer: Answer, answered_at: datetime.datetime) -> None:
        """Replace the intent by Go's answer, in one transaction."""
        tools = self.tools
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            tools.store.end_intent(answer.intent)


def both_edited(conflicts: Sequence[Conflict]) -> Hold:
    """Return the hold of properties that both sides changed and no rule decides."""
    names = ", ".join(conflict.row for conflict in conflicts)
    told = "; ".join(str(conflict) for conflict in conflicts)
    return Hold(f"both sides changed {names}, and the stamps do not tell which was last", told)


_OUTCOMES: Mapping[type, str] = {Patch: "changed", Nothing: "unchanged", Archive: "archived"}
