"""The walk of a customer or product: once it is linked, the changes of both sides are merged."""

from __future__ import annotations

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
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.go_api import NotFound, Refused, TestFailed
from target_powerofficego.links import NEVER, Agreement, Link, now
from target_powerofficego.merge import (
    Evidence,
    Side,
    go_side,
    human_edit,
    merge,
)
from target_powerofficego.walks.meeting import MeetingWalk
from target_powerofficego.walks.stamps import is_behind, newest_stamp

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.go_index import Entry
    from target_powerofficego.merge import Merge

ARCHIVING = "archiving"
"""What an archive waits for: the end of the run, when it is known how many there are."""

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

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        link = self.tools.store.link(self.entity, record["id"])
        if link is None:
            return self._settle_unlinked(record, read_at)
        row_values = self._read(record)
        link = self.identified(record, link)
        if link.is_follower:
            return "unchanged", Nothing("a follower: no properties flow")
        if not link.base:
            return self._meet_as_told(record, row_values, read_at, link)
        return self._compare(record, row_values, read_at, link, at_end=at_end)

    def _settle_unlinked(self, record: Record, read_at: datetime.datetime) -> tuple[str, Change]:
        """Meet a record; one that the shop deleted, and that cannot be met, is nobody's work."""
        try:
            return self._meet(record, self._read(record), read_at)
        except (Unusable, Undecidable):
            is_met = self.tools.store.link(self.entity, record["id"]) is not None
            if is_met or not _is_known_deleted(record):
                raise
            return "unchanged", Nothing("deleted in the shop and never in Go")

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


_OUTCOMES: Mapping[type, str] = {Patch: "changed", Nothing: "unchanged", Archive: "archived"}
