"""The walk of a customer or product that is linked: the changes of both sides are merged."""

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
"""What an archive waits for: the end of the run, when it is known how many there are."""

TO_BE_ARCHIVED = Park("to be archived at the end of the run", (ARCHIVING,))

ARCHIVE_REFUSED = "archive refused"
"""What an archive that Go refused, mostly for an open balance, waits for: that Go accepts it."""

_TRIES = 2
"""How often a change is merged with what Go has, when Go is edited meanwhile."""


@dataclass(frozen=True)
class ParsedArrival(Arrival):
    """An arrival whose record was read: `values` are what it says, by row, in Go's form."""

    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def side(self) -> Side:
        """The shop's side of a merge."""
        return Side(self.values, self.read_at)


class LinkedWalk(GoWalk):
    """What is done about a linked customer or product; a subclass adds what else belongs to it."""

    unstamped_rows: frozenset[str] = frozenset()

    def check_writes(self, link: Link, rows: Sequence[RowChange]) -> None:
        """Require that a linked entity may be changed in this way.

        Raises:
            Undecidable: with a Hold.
        """
        del link, rows

    def extra_base(self, arrival: Arrival, *, is_new: bool) -> dict[str, Agreement]:
        """Return the base of what belongs to the entity; empty for one that we just created."""
        del arrival, is_new
        return {}

    def write_extras(self, arrival: Arrival, link: Link) -> tuple[Link, bool]:
        """Write what hangs on a linked entity; return its link, and whether that was anything."""
        del arrival
        return link, False

    def read_rows(self, arrival: Arrival) -> ParsedArrival:
        """Read a record in Go's form; what had to be repaired for that is logged.

        Raises:
            Unusable: a row cannot be read.
        """
        reading = self.table.read(arrival.record, self.tools.conversion)
        for repair in reading.repairs:
            self.tools.tally.log_repair(self.entity, arrival.shop_id, repair)
        return ParsedArrival(arrival.record, arrival.read_at, arrival.at_end, values=reading.values)

    def entry_of(self, link: Link) -> Entry | None:
        """Return the linked entry, read again where a record is about to be written unguarded."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None or not self.tools.settings.tests_patches:
            return self.tools.index.read_again(self.entity, link.go_id)
        return entry

    def compare(self, arrival: ParsedArrival, link: Link) -> Change | None:
        """Merge a linked record with its entry and write what follows; None: Go no longer has it.

        Raises:
            Undecidable: with a Hold or Park.
        """
        entry = self.entry_of(link)
        if entry is not None and _is_first_told_when_archived(arrival, link):
            go = go_side(self.table, entry.body, entry.read_at)
            base, _ = base_of_linked(self.table, arrival.side, go, on_link="keep")
            extras = self.extra_base(arrival, is_new=False)
            link = replace(link, base={**link.base, **base, **extras})
        for _ in range(_TRIES):
            if entry is None:
                return None
            try:
                written, change = self.carry_out(arrival, link, entry)
            except (TestFailed, NotFound) as refused:
                entry = self.tools.index.read_again(self.entity, link.go_id)
                if entry is not None and isinstance(refused, NotFound):
                    raise  # something that the change refers to is gone
                continue
            wrote_more = self.write_additions(arrival, written, entry)
            return Patch(()) if isinstance(change, Nothing) and wrote_more else change
        if entry is None:
            return None
        raise Undecidable(Hold("Go was edited again and again while this was to be written"))

    def carry_out(self, arrival: ParsedArrival, link: Link, entry: Entry) -> tuple[Link, Change]:
        """Write what follows from what either side changed, and keep the base.

        Raises:
            TestFailed: Go was edited meanwhile.
            Undecidable: with a Hold, when the two sides cannot be merged; with a Park, when it is
                archived later.
        """
        merged = self._merge(arrival, link, entry)
        archive = [row for row in merged.writes if row.row == "archived" and row.after is True]
        rows = [row for row in merged.writes if row not in archive]
        self.check_writes(link, rows)
        if any(merged.base[name].go != one.go for name, one in link.base.items()):
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
        """Write what is known of a record that the shop does not send now.

        Raises:
            TestFailed: Go was edited again and again.
            Undecidable: with a Hold, when the two sides cannot be merged.
        """
        try:
            return self._write_once(arrival, link)
        except TestFailed:
            self.tools.index.read_again(self.entity, link.go_id)
            return self._write_once(arrival, link)

    def _write_once(self, arrival: ParsedArrival, link: Link) -> Change:
        entry = self.entry_of(link)
        return Nothing("gone from Go") if entry is None else self.carry_out(arrival, link, entry)[1]

    def _merge(self, arrival: ParsedArrival, link: Link, entry: Entry) -> Merge:
        is_behind = self._is_behind(link, entry)
        return self.tools.merge(
            link,
            arrival.side,
            go_side(self.table, entry.body, entry.read_at, is_stale=is_behind),
            stamps=(
                arrival.record.get("updated_at"),
                entry.body.get("LastChangedDateTimeOffset"),
            ),
            unstamped_rows=self.unstamped_rows,
        )

    def _is_behind(self, link: Link, entry: Entry) -> bool:
        """Return whether Go shows an entry in a state older than the one already known."""
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
        """Replace the intent by Go's answer, in one transaction; return the link with its stamp."""
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
            said = refused.title or refused.status
            raise Undecidable(
                Park(
                    f"Go does not archive it yet ({said}); tried again later, at most a day apart",
                    (ARCHIVE_REFUSED,),
                    is_refusal=True,
                )
            ) from None

    def write_additions(self, arrival: ParsedArrival, link: Link, entry: Entry) -> bool:
        """Write our reference and what hangs on the entity; return whether anything was written."""
        referred = self._write_reference(arrival, link, entry)
        _, wrote_extras = self.write_extras(arrival, referred or link)
        return referred is not None or wrote_extras

    def _write_reference(self, arrival: ParsedArrival, link: Link, entry: Entry) -> Link | None:
        """Write our reference where Go has none, never in place of another's; None: not written."""
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


def _is_first_told_when_archived(arrival: ParsedArrival, link: Link) -> bool:
    """Return whether a record that left the shop before its order has rows for the first time.

    Its entry was made from the order and archived; what else the record states is left as it is.
    """
    told, base = arrival.values, link.base
    is_new = any(name in told and one.shop_read_at == NEVER for name, one in base.items())
    return is_archived(link) and told.get("archived") is True and is_new


def is_archived(link: Link) -> bool:
    """Return whether the shop last said that a linked record is archived."""
    agreed = link.base.get("archived")
    return agreed is not None and agreed.shop is True


def both_edited(conflicts: Sequence[Conflict]) -> Hold:
    """Return the hold for properties that both sides changed and no rule decides."""
    names = ", ".join(conflict.row for conflict in conflicts)
    told = "; ".join(str(conflict) for conflict in conflicts)
    return Hold(f"both sides changed {names}, and the stamps do not tell which was last", told)
