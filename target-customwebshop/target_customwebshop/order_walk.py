"""The walk of a sales order back to the shop: its rows, and the lines that Go edited."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders import lines_back
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.orders.state import LINE, OrderState
from target_powerofficego.dataflow.table import Agreement
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.decisions.changes import (
    Hold,
    Nothing,
    Park,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.merge import merge_lines
from target_powerofficego.settle.record_flow import OTHER_WAY

from target_customwebshop.shop_records import ChangeUnsupported, patched
from target_customwebshop.shop_writer import Change as ShopChange
from target_customwebshop.walk import BackWalk

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.dataflow.orders.lines_back import LineEdit
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import Change, Reject
    from target_powerofficego.settle.record_flow import Arrival
    from target_powerofficego.store.link_store import Link

    from target_customwebshop.shop_records import Read

_LINES = "lines"
_TOLD = ("SalesOrderLines", "TotalAmount")


class OrderBackWalk(BackWalk):
    """Takes sales orders back; with `order_lines_back` their lines too, in a separate write."""

    def kept(self, record: Record) -> Record:
        """See `BackWalk`; lines are kept where they flow."""
        kept = super().kept(record)
        if not self.tools.settings.order_lines_back:
            return kept
        return {**kept, **{name: record[name] for name in _TOLD if name in record}}

    def moved(self, link: Link, arrival: Arrival) -> list[str]:
        """See `BackWalk`; also "lines" if any line is not as both sides agreed."""
        rows = super().moved(link, arrival)
        return [*rows, _LINES] if self._has_moved_lines(link, arrival.record) else rows

    def _has_moved_lines(self, link: Link, entry: Record) -> bool:
        base = OrderState(link.base).lines
        try:
            lines = self._lines_of(link, entry)
            return lines is not None and bool(
                lines_back.lines_never_read(lines, base)
                or any(lines_back.unsupported_edits(lines, base))
                or lines_back.line_edits(lines, base)
            )
        except Unusable:
            return True  # reported as a reject once it is settled

    def _lines_of(self, link: Link, entry: Record) -> Mapping[str, Record] | None:
        """Return the lines of an entry; None when there are none to compare."""
        base = OrderState(link.base).lines
        is_told = self.tools.settings.order_lines_back and entry.get("SalesOrderLines") is not None
        if not is_told or not base:
            return None
        return lines_back.lines_of(entry)

    def _merge_and_write(self, link: Link, arrival: Arrival, moved: Sequence[str]) -> Change:
        rows = [name for name in moved if name != _LINES]
        parts = []
        if rows:
            parts.append(functools.partial(super()._merge_and_write, link, arrival, rows))
        if _LINES in moved:
            parts.append(functools.partial(self._settle_lines, link, arrival))
        return _joined(parts)

    def _settle_lines(self, link: Link, arrival: Arrival) -> Change:
        """Write what Go changed in lines, all or nothing.

        Raises:
            Undecidable, Unusable, ChangedMeanwhile, and what `ShopWriter.change` raises.
        """
        entry, read_at = arrival.record, arrival.read_at
        link = self.tools.store.links.get(self.entity, link.shop_id) or link
        lines = self._lines_of(link, entry)
        if lines is None:
            return Nothing()
        link = self._met(link, lines, read_at)
        base = OrderState(link.base).lines
        refused = [*lines_back.unsupported_edits(lines, base)]
        if refused:
            raise Undecidable(Hold("; ".join(refused)))
        edited = lines_back.line_edits(lines, base)
        if not edited:
            return Nothing()
        found = self.tools.shop.read(self.entity, link.shop_id)
        order = ShopOrder(found.record)
        if order.is_deleted:
            return Nothing("deleted in the shop")
        link = self.require_same_record(found.record, link)
        if order.refunds:
            reason = (
                "its lines were edited in Go, but a refund was made in the shop: see to it there"
            )
            raise Undecidable(Hold(reason))
        shop = lines_back.members_by_reference(order)
        self._check_conflicts(link, shop, lines)
        try:
            total = lines_back.sales_order_total(entry)
            patch = lines_back.patch_of(order, edited, total)
        except Unusable as unusable:
            raise Undecidable(Hold(str(unusable))) from None
        if not patch:
            self._agree(link, found, edited, read_at)
            return Nothing("the shop has it already")
        self._write_lines(link, found, edited, patch, read_at)
        return Patch(_shown(edited, shop))

    def _write_lines(
        self,
        link: Link,
        found: Read,
        edited: Mapping[str, LineEdit],
        patch: Record,
        read_at: datetime.datetime,
    ) -> None:
        writer = self.tools.writer
        before = writer.values(self.entity, found.record)
        expected = writer.values(self.entity, patched(found.record, patch))
        rows = [
            RowChange(name, "", before.get(name), edit.members)
            for name, edit in ((f"{LINE}{reference}", edit) for reference, edit in edited.items())
        ]
        try:
            writer.change(link, found, ShopChange(rows, patch, before, expected, read_at))
        except ChangeUnsupported as left:
            raise Undecidable(self.left_alone(str(left))) from None

    def _agree(
        self, link: Link, found: Read, edited: Mapping[str, LineEdit], read_at: datetime.datetime
    ) -> None:
        """Keep as agreed what both sides already say: Go's edits were made in the shop as well."""
        state = OrderState(link.base)
        lines = state.lines
        agreed = {
            reference: Agreement(
                {**(lines[reference].shop or {}), **edit.members},
                {**lines[reference].go, **edit.members},
                found.read_at,
                read_at,
            )
            for reference, edit in edited.items()
        }
        self.tools.store.links.put(replace(link, base=state.with_lines(agreed).base))

    def _met(self, link: Link, lines: Mapping[str, Record], read_at: datetime.datetime) -> Link:
        """Take into the base Go's side of lines that it has never seen."""
        base = OrderState(link.base).with_go_lines(lines, read_at).base
        if base is not link.base:
            link = replace(link, base=base)
            self.tools.store.links.put(link)
        return link

    def _check_conflicts(
        self,
        link: Link,
        shop: Mapping[str, Mapping[str, Value]],
        lines: Mapping[str, Record],
    ) -> None:
        """Require that nobody edited lines in the shop since both sides agreed.

        Raises:
            Undecidable: with a Hold where both sides edited the same; with a Park where the shop
                edited something else, which goes to Go first: until then Go's amounts are not the
                shop's.
        """
        base = OrderState(link.base).lines
        whole = {
            reference: {**((base[reference].shop or {}) if reference in base else {}), **members}
            for reference, members in shop.items()
        }
        merged = merge_lines(whole, lines, base)
        for conflict in merged.conflicts:
            self.tools.note_conflict(self.entity, link.shop_id, conflict)
        if merged.conflicts:
            raise Undecidable(Hold("; ".join(conflict.reason for conflict in merged.conflicts)))
        if not merged.is_empty:
            raise Undecidable(
                Park(
                    "its lines were edited in the shop too; the next run forward takes that to Go",
                    (OTHER_WAY,),
                )
            )


def _joined(parts: Sequence[Callable[[], Change]]) -> Change:
    """Settle each part, whatever becomes of the others; return all that was changed.

    Raises:
        Undecidable: with the reasons why parts are open.
    """
    rows: list[RowChange] = []
    open_ones: list[Park | Reject | Hold] = []
    settled: Change = Nothing()
    for part in parts:
        try:
            settled = part()
        except Undecidable as undecidable:
            open_ones.append(undecidable.change)
        else:
            rows += settled.rows if isinstance(settled, Patch) else ()
    if open_ones:
        raise Undecidable(_all_of(open_ones))
    return Patch(tuple(rows)) if rows else settled


def _all_of(open_ones: Sequence[Park | Reject | Hold]) -> Park | Reject | Hold:
    """Return why parts are open: all holds together, else the first reason."""
    holds = [one for one in open_ones if isinstance(one, Hold)]
    if not holds:
        return open_ones[0]
    details = [one.detail for one in holds if one.detail]
    return Hold("; ".join(one.reason for one in holds), "; ".join(details) or None)


def _shown(
    edited: Mapping[str, LineEdit], shop: Mapping[str, Mapping[str, Value]]
) -> tuple[RowChange, ...]:
    """Return the changes for a plan, each member named with its line."""
    return tuple(
        RowChange(f"line {reference}: {name}", "", shop[reference][name], value)
        for reference, edit in edited.items()
        for name, value in edit.members.items()
        if not lines_back.lines_agree({name: shop[reference][name]}, {name: value})
    )
