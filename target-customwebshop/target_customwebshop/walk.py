"""The walk of an entry of Go back to the shop: what Go changed is written to the linked record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ShopError
from target_powerofficego.brakes import BrakeReached
from target_powerofficego.changes import Hold, Nothing, Park, Patch, Reject, Undecidable
from target_powerofficego.dataflow.order_back import HAS_CREDIT_NOTE, PAYMENT_ROW
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.links import NEVER, LinkStoreError
from target_powerofficego.merge import Evidence, Side, Way, human_edit, merge, moved_in_go
from target_powerofficego.walks.entity_walk import both_edited
from target_powerofficego.walks.stamps import is_behind
from target_powerofficego.walks.walk import Walk
from target_powerofficego.ways import on_the_way_back

from target_customwebshop.errors import ChangedMeanwhile, NoAnswer, NotTaken, NotThere, TryLater
from target_customwebshop.merge_patch import patched
from target_customwebshop.tools import BackTools
from target_customwebshop.writing import Change as ShopChange

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Mapping, Sequence

    from target_powerofficego.changes import Change, RowChange
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.links import Link
    from target_powerofficego.merge import Merge

    from target_customwebshop.shop_records import Read

CREDIT_NOTES = "credit_notes"
"""Under this the store keeps which invoices of Go a credit note relates to."""

_TRIES = 3


class BackWalk(Walk[BackTools]):
    """Takes entries of Go of one entity back to the shop; `id` is the shop's id of the record."""

    stops = (ShopError, BrakeReached, LinkStoreError)

    def __init__(self, tools: BackTools, entity: str, silent_rows: frozenset[str]) -> None:
        super().__init__(tools)
        self.entity = entity
        self._silent_rows = silent_rows

    @property
    def kept_as(self) -> str:
        """The name under which the store keeps what is settled or open."""
        return on_the_way_back(self.entity)

    def moved(self, link: Link, entry: Record, read_at: datetime.datetime) -> list[str]:
        """Name the rows that Go changed since both sides agreed; costs no call."""
        return moved_in_go(self.table, self._go_side(link, entry, read_at), link.base)

    def _settle_leftovers(self, shop_id: str) -> None:
        store = self.tools.store
        self.tools.writer.settle_leftovers(store.intents_of((self.kept_as,), shop_id))

    def _refusal(self, error: Exception) -> Reject | None:
        if isinstance(error, NotTaken):
            said = f": {error.title}" if error.title else ""
            return Reject(
                f"the shop refused it{said}",
                title=error.title or None,
                detail=error.detail or None,
                is_refusal=True,
            )
        if isinstance(error, (TryLater, NoAnswer)):
            return Reject(f"the shop gave no answer ({error}); the next run looks and goes on")
        return None

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        link = self.tools.store.link(self.entity, record["id"])
        if link is None or link.is_follower:
            return "unchanged", Nothing("it is not linked, or shares the entry of another record")
        moved = self.moved(link, record, read_at)
        if not moved:
            return "unchanged", Nothing()
        if PAYMENT_ROW in moved and not at_end:
            reason = "whether it was paid or credited is known once all credit notes are read"
            raise Undecidable(Park(reason, (CREDIT_NOTES,)))
        for _ in range(_TRIES):
            try:
                return self._merge_and_write(link, record, read_at, moved)
            except NotThere:
                return "unchanged", Nothing("the shop has no such record")
            except ChangedMeanwhile:
                link = self.tools.store.link(self.entity, link.shop_id) or link
        raise Undecidable(Hold("the shop was edited again and again while this was to be written"))

    def _merge_and_write(
        self, link: Link, entry: Record, read_at: datetime.datetime, moved: Sequence[str]
    ) -> tuple[str, Change]:
        found = self.tools.shop.read(self.entity, link.shop_id)
        if is_deleted(found.record):
            return "unchanged", Nothing("deleted in the shop")
        link = self.identified(found.record, link)
        merged = self._merge(link, entry, read_at, found, moved)
        link = replace(link, base=merged.base)
        self.tools.store.put_link(link)
        for conflict in merged.conflicts:
            self.tools.note_conflict(self.entity, link.shop_id, conflict)
        written = self._write(link, found, merged.writes, read_at) if merged.writes else ()
        if merged.open_conflicts:
            raise Undecidable(both_edited(merged.open_conflicts))
        return ("changed", Patch(tuple(written))) if written else ("unchanged", Nothing())

    def _merge(
        self,
        link: Link,
        entry: Record,
        read_at: datetime.datetime,
        found: Read,
        moved: Sequence[str],
    ) -> Merge:
        settings = self.tools.settings
        reading = self.table.read(found.record, self.tools.conversion, rows=moved)
        go = self._go_side(link, entry, read_at)
        return merge(
            self.table,
            Side(reading.values, found.read_at),
            replace(go, values={name: go.values[name] for name in moved}),
            link.base,
            owners=settings.owners[self.entity],
            evidence=Evidence(
                shop=human_edit(found.record.get("updated_at"), link.own_shop_stamp),
                go=human_edit(entry.get("LastChangedDateTimeOffset"), link.own_stamp),
                margin=settings.clock_margin,
                silent_rows=self._silent_rows,
                asked=self.tools.store.asked(self.entity, link.shop_id),
            ),
            way=Way.BACK,
        )

    def _go_side(self, link: Link, entry: Record, read_at: datetime.datetime) -> Side:
        """Return Go's side: the rows that the entry tells, as a tap may leave some out."""
        told = self._with_credit_note(entry)
        rows = [row for row in self.table.active if row.is_told_by(entry)]
        was_behind = is_behind(entry, link.own_stamp)
        return Side({row.name: row.from_go(told) for row in rows}, NEVER if was_behind else read_at)

    def _with_credit_note(self, entry: Record) -> Mapping[str, Any]:
        number = entry.get("InvoiceNo")
        if number is None or not self.tools.store.go_ids(CREDIT_NOTES, f"invoice:{number}"):
            return entry
        return {**entry, HAS_CREDIT_NOTE: True}

    def _write(
        self, link: Link, found: Read, rows: Sequence[RowChange], read_at: datetime.datetime
    ) -> Sequence[RowChange]:
        """Write rows; return those that the record holds since.

        A row without a patch is one that the shop holds already, or must not be told.
        """
        before = self.tools.writer.values(self.entity, found.record)
        patch: Record = {}
        after = found.record
        changed = set()
        for change in rows:
            one = self._patch_of(change, after)
            after, patch = patched(after, one), patched(patch, one)
            changed |= {change.row} if one else set()
        if not patch:
            return ()
        values = self.tools.writer.values(self.entity, after)
        written = [one for one in rows if self._holds(one.row, values, one.after)]
        self._check(before, values, changed, {change.row for change in written})
        self.tools.writer.change(link, found, ShopChange(written, patch, before, read_at))
        return written

    def _patch_of(self, change: RowChange, record: Record) -> Record:
        row = self.table.row(change.row)
        try:
            return row.patch(change.after, record, self.tools.conversion)
        except Unusable as unusable:
            raise Undecidable(
                Hold(f"Go's {row.go} is not written to the shop: {unusable}")
            ) from None

    def _check(
        self,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        changed: Collection[str],
        written: Collection[str],
    ) -> None:
        """See that the record would say of each row what Go says, or else what it said before.

        Raises:
            Undecidable: with a Hold naming what the shop has no form for.
        """
        for row in self.table.active:
            if not row.direction.reaches_shop or row.name in written:
                continue
            if row.name in changed or (
                row.name in before and not self._holds(row.name, after, before[row.name])
            ):
                told = ", ".join(sorted(changed))
                reason = f"the shop has no form for what Go says of {told}"
                raise Undecidable(Hold(f"{reason}: {row.name} would then say something else"))

    def _holds(self, name: str, values: Mapping[str, Any], value: object) -> bool:
        return name in values and self.table.row(name).are_equal(values[name], value)
