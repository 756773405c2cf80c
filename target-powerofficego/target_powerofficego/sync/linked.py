"""The walk of a linked customer or product: merges the changes of both sides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.table import NEVER, Agreement, now
from target_powerofficego.dataflow.values import is_before
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
from target_powerofficego.decisions.merge import (
    Side,
    base_of_linked,
    go_side,
)
from target_powerofficego.go_api import NotFound, Refused, TestFailed
from target_powerofficego.settle.record_flow import Arrival
from target_powerofficego.sync.go.index import newest_stamp
from target_powerofficego.sync.into_go import GoWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.merge import Merge
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.go.index import Entry
    from target_powerofficego.sync.go.writer import Answer

ARCHIVING = "archiving"
"""What an entry to be archived waits for: the end of the run, when their number is known."""

TO_BE_ARCHIVED = Park("to be archived at the end of the run", (ARCHIVING,))

ARCHIVE_REFUSED = "archive refused"
"""What an entry waits for that Go refused to archive, mostly because its balance is open."""

_TRIES = 2
"""How often a change is merged with Go's entry, if somebody edits Go meanwhile."""


@dataclass(frozen=True)
class ParsedArrival(Arrival):
    """An arrival whose record was read: `values` are the record's, by row, in Go's form."""

    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def side(self) -> Side:
        """The shop's side of a merge."""
        return Side(self.values, self.read_at)


class LinkedWalk(GoWalk):
    """Merges and writes a linked customer or product; a subclass adds entries that belong to it."""

    unstamped_rows: frozenset[str] = frozenset()

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """Require that these changes to a linked entry are allowed.

        Raises:
            Undecidable: with a Hold.
        """
        del link, rows

    def extra_base(self, arrival: Arrival, *, is_new: bool) -> dict[str, Agreement]:
        """Return the base of entries that belong to this one, without those still to be written.

        `is_new` means that this run created the entry itself.
        """
        del arrival, is_new
        return {}

    def write_extras(self, arrival: Arrival, link: Link) -> tuple[Link, bool]:
        """Write the entries that belong to a linked one; return its link, and whether any were."""
        del arrival
        return link, False

    def read_rows(self, arrival: Arrival) -> ParsedArrival:
        """Read a record in Go's form, and log what had to be repaired for that.

        Raises:
            Unusable: a row cannot be read.
        """
        reading = self.table.read(arrival.record, self.tools.conversion)
        for repair in reading.repairs:
            self.tools.tally.log_repair(self.entity, arrival.shop_id, repair)
        return ParsedArrival(arrival.record, arrival.read_at, arrival.at_end, values=reading.values)

    def entry_of(self, link: Link) -> Entry | None:
        """Return the linked entry, read again if patches are not guarded by a `test`."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None or not self.tools.settings.tests_patches:
            return self.tools.index.read_again(self.entity, link.go_id)
        return entry

    def update(self, arrival: ParsedArrival, link: Link) -> Change | None:
        """Merge a linked record with its entry and write the result; None if the entry is gone.

        Raises:
            Undecidable: with a Hold or Park.
        """
        entry = self.entry_of(link)
        if entry is not None and _has_first_rows_when_archived(arrival, link):
            go = go_side(self.table, entry.body, entry.read_at)
            base, _ = base_of_linked(self.table, arrival.side, go, on_link="keep")
            extras = self.extra_base(arrival, is_new=False)
            link = replace(link, base={**link.base, **base, **extras})
        for _ in range(_TRIES):
            if entry is None:
                return None
            try:
                written, change = self._merge_and_write(arrival, link, entry)
            except (TestFailed, NotFound) as refused:
                entry = self.tools.index.read_again(self.entity, link.go_id)
                if entry is not None and isinstance(refused, NotFound):
                    raise  # something that the change refers to is gone
                continue
            wrote_more = self.write_additions(arrival, written, entry)
            return Patch(()) if isinstance(change, Nothing) and wrote_more else change
        if entry is None:
            return None
        raise Undecidable(Hold("somebody kept editing it in Go while this run was writing it"))

    def _merge_and_write(
        self, arrival: ParsedArrival, link: Link, entry: Entry
    ) -> tuple[Link, Change]:
        """Merge the changes of both sides, write the result, and store the base.

        Raises:
            TestFailed: Go was edited meanwhile.
            Undecidable: with a Hold, when the two sides cannot be merged; with a Park, when it is
                archived later.
        """
        merged = self._merge(arrival, link, entry)
        archive = [row for row in merged.writes if row.row == "archived" and row.after is True]
        rows = [row for row in merged.writes if row not in archive]
        self.check_writes(link, rows)
        if any(merged.base[name].go != agreed.go for name, agreed in link.base.items()):
            stamp = newest_stamp(entry.body)
            self.tools.store.settled.note_version(self.other_way, link.shop_id, stamp)
        link = replace(link, base=merged.base)
        if rows:
            link = self._patch(arrival, link, entry, rows)
        else:
            self.tools.store.links.put(link)
        for conflict in merged.conflicts:
            self.tools.note_conflict(self.entity, link.shop_id, conflict)
        if merged.open_conflicts:
            raise Undecidable(both_edited(merged.open_conflicts))
        if archive:
            return self._archive(arrival, link, entry, archive), Archive()
        return link, Patch(tuple(rows)) if rows else Nothing()

    def write_values(self, arrival: ParsedArrival, link: Link) -> Change:
        """Write some values of a record that the shop does not send in this run.

        Raises:
            TestFailed: somebody kept editing the entry in Go.
            Undecidable: with a Hold, when the two sides cannot be merged.
        """
        try:
            return self._write_once(arrival, link)
        except TestFailed:
            self.tools.index.read_again(self.entity, link.go_id)
            return self._write_once(arrival, link)

    def _write_once(self, arrival: ParsedArrival, link: Link) -> Change:
        entry = self.entry_of(link)
        if entry is None:
            return Nothing("gone from Go")
        _, change = self._merge_and_write(arrival, link, entry)
        return change

    def _merge(self, arrival: ParsedArrival, link: Link, entry: Entry) -> Merge:
        is_stale = self._is_stale(link, entry)
        return self.tools.merge(
            link,
            arrival.side,
            go_side(self.table, entry.body, entry.read_at, is_stale=is_stale),
            stamps=(
                arrival.record.get("updated_at"),
                entry.body.get("LastChangedDateTimeOffset"),
            ),
            unstamped_rows=self.unstamped_rows,
        )

    def _is_stale(self, link: Link, entry: Entry) -> bool:
        """Return whether Go shows an older state of an entry than the one already known."""
        known = self.tools.store.settled.last_version(self.other_way, link.shop_id)
        stamp = newest_stamp(entry.body)
        return is_before(stamp, link.own_stamp) or (
            known is not None and is_before(stamp, known.stamp)
        )

    def _patch(self, arrival: Arrival, link: Link, entry: Entry, rows: Sequence[RowChange]) -> Link:
        path = f"/{self.table.resource}/{link.go_id}"
        answer = self.tools.writer.change(
            self.entity, link.shop_id, path, rows, read_at=arrival.read_at, current=entry.body
        )
        answered_at = now()
        written = {}
        for row in rows:
            in_go = self.table.row(row.row).from_go(answer.body)
            written[row.row] = Agreement(row.after, in_go, arrival.read_at, answered_at)
        return self.store_answer(replace(link, base={**link.base, **written}), answer, answered_at)

    def store_answer(self, link: Link, answer: Answer, answered_at: datetime.datetime) -> Link:
        """Store Go's answer and end its intent, in one transaction; return the updated link."""
        tools, link = self.tools, replace(link, own_stamp=newest_stamp(answer.body))
        with tools.store.transaction():
            tools.store.links.put(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            tools.store.intents.end(answer.intent)
        return link

    def _archive(
        self, arrival: Arrival, link: Link, entry: Entry, rows: Sequence[RowChange]
    ) -> Link:
        if not arrival.at_end:
            raise Undecidable(TO_BE_ARCHIVED)
        try:
            return self._patch(arrival, link, entry, rows)
        except TestFailed:
            raise
        except Refused as refused:
            answer = refused.title or refused.status
            reason = f"Go does not archive it yet ({answer}); it is tried again after at most a day"
            raise Undecidable(Park(reason, (ARCHIVE_REFUSED,), is_refusal=True)) from None

    def write_additions(self, arrival: ParsedArrival, link: Link, entry: Entry) -> bool:
        """Write our reference and the extras of an entry; return whether anything was written."""
        referenced = self._write_reference(arrival, link, entry)
        _, wrote_extras = self.write_extras(arrival, referenced or link)
        return referenced is not None or wrote_extras

    def _write_reference(self, arrival: ParsedArrival, link: Link, entry: Entry) -> Link | None:
        """Write our reference if Go has none, never over another one; None if not written."""
        row = self.table.row("id") if self.entity == "customers" else None
        if row is None or not self.tools.settings.write_references or row.from_go(entry.body):
            return None
        change = RowChange(row.name, row.patch_path, None, arrival.values["id"])
        path = f"/{self.table.resource}/{entry.go_id}"
        try:
            answer = self.tools.writer.change(
                self.entity,
                link.shop_id,
                path,
                [change],
                read_at=arrival.read_at,
                current=entry.body,
            )
        except TestFailed:
            self.tools.index.read_again(self.entity, entry.go_id)
            return None
        return self.store_answer(link, answer, now())


def _has_first_rows_when_archived(arrival: ParsedArrival, link: Link) -> bool:
    """Return whether a record that left the shop before its order is read for the first time.

    Its entry was made from the order and archived. Whatever else the record states is not written.
    """
    rows, base = arrival.values, link.base
    is_first = any(name in rows and agreed.shop_read_at == NEVER for name, agreed in base.items())
    return is_archived(link) and rows.get("archived") is True and is_first


def is_archived(link: Link) -> bool:
    """Return whether a linked record was archived when the shop last sent it."""
    agreed = link.base.get("archived")
    return agreed is not None and agreed.shop is True


def both_edited(conflicts: Sequence[Conflict]) -> Hold:
    """Return the hold for properties that both sides changed and no rule decides."""
    names = ", ".join(conflict.row for conflict in conflicts)
    detail = "; ".join(str(conflict) for conflict in conflicts)
    reason = (
        f"both sides changed {names}, and their stamps do not show which was last: make both sides"
        " the same, or set `owners`"
    )
    return Hold(reason, detail)
