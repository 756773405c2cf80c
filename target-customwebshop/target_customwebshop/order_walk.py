"""The walk of a sales order back to the shop: its rows, and the lines edited in Go."""

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
from target_customwebshop.shop_writer import ShopChange
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
_LINE_MEMBERS = ("SalesOrderLines", "TotalAmount")


class OrderBackWalk(BackWalk):
    """Takes sales orders back; with `order_lines_back`, also their lines, in a separate write."""

    def kept(self, record: Record) -> Record:
        """See `BackWalk`; lines are kept if they flow."""
        kept = super().kept(record)
        if not self.tools.settings.order_lines_back:
            return kept
        return {**kept, **{name: record[name] for name in _LINE_MEMBERS if name in record}}

    def edited_rows(self, link: Link, arrival: Arrival) -> list[str]:
        """See `BackWalk`; includes "lines" if any line is not as both sides agreed."""
        rows = super().edited_rows(link, arrival)
        return [*rows, _LINES] if self._has_edited_lines(link, arrival.record) else rows

    def _has_edited_lines(self, link: Link, entry: Record) -> bool:
        base = OrderState(link.base).lines
        try:
            lines = self._lines_of(link, entry)
            return lines is not None and bool(
                lines_back.lines_never_read(lines, base)
                or any(lines_back.unsupported_edits(lines, base))
                or lines_back.line_edits(lines, base)
            )
        except Unusable:
            return True  # which becomes a reject once it is settled

    def _lines_of(self, link: Link, entry: Record) -> Mapping[str, Record] | None:
        """Return the lines of an entry, or None if there are none to compare."""
        base = OrderState(link.base).lines
        has_lines = self.tools.settings.order_lines_back and (
            entry.get("SalesOrderLines") is not None
        )
        if not has_lines or not base:
            return None
        return lines_back.lines_of(entry)

    def _merge_and_write(self, link: Link, arrival: Arrival, edited: Sequence[str]) -> Change:
        rows = [name for name in edited if name != _LINES]
        parts = []
        if rows:
            parts.append(functools.partial(super()._merge_and_write, link, arrival, rows))
        if _LINES in edited:
            parts.append(functools.partial(self._settle_lines, link, arrival))
        return _settle_all(parts)

    def _settle_lines(self, link: Link, arrival: Arrival) -> Change:
        """Write all edits of lines in Go, or none.

        Raises:
            Undecidable, Unusable, ChangedMeanwhile, and what `ShopWriter.change` raises.
        """
        entry, read_at = arrival.record, arrival.read_at
        link = self.tools.store.links.get(self.entity, link.shop_id) or link
        lines = self._lines_of(link, entry)
        if lines is None:
            return Nothing()
        link = self._with_new_lines(link, lines, read_at)
        base = OrderState(link.base).lines
        unsupported = [*lines_back.unsupported_edits(lines, base)]
        if unsupported:
            raise Undecidable(Hold("; ".join(unsupported)))
        edited = lines_back.line_edits(lines, base)
        if not edited:
            return Nothing()
        current = self.tools.shop.read(self.entity, link.shop_id)
        order = ShopOrder(current.record)
        if order.is_deleted:
            return Nothing("deleted in the shop")
        link = self.require_same_record(current.record, link)
        if order.refunds:
            reason = (
                "its lines were edited in Go, but a refund was made in the shop: edit the order in"
                " the shop by hand"
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
            self._agree(link, current, edited, read_at)
            return Nothing("the shop already has it")
        self._write_lines(link, current, edited, patch, read_at)
        return Patch(_member_changes(edited, shop))

    def _write_lines(
        self,
        link: Link,
        current: Read,
        edited: Mapping[str, LineEdit],
        patch: Record,
        read_at: datetime.datetime,
    ) -> None:
        writer = self.tools.writer
        before = writer.values(self.entity, current.record)
        expected = writer.values(self.entity, patched(current.record, patch))
        members = {f"{LINE}{reference}": edit.members for reference, edit in edited.items()}
        rows = [RowChange(name, "", before.get(name), after) for name, after in members.items()]
        try:
            writer.change(link, current, ShopChange(rows, patch, before, expected, read_at))
        except ChangeUnsupported as error:
            raise Undecidable(self.park_unsupported(str(error))) from None

    def _agree(
        self, link: Link, current: Read, edited: Mapping[str, LineEdit], read_at: datetime.datetime
    ) -> None:
        """Store that both sides agree: Go's edits have been made in the shop as well."""
        state = OrderState(link.base)
        lines = state.lines
        agreed = {
            reference: Agreement(
                {**(lines[reference].shop or {}), **edit.members},
                {**lines[reference].go, **edit.members},
                current.read_at,
                read_at,
            )
            for reference, edit in edited.items()
        }
        self.tools.store.links.put(replace(link, base=state.with_lines(agreed).base))

    def _with_new_lines(
        self, link: Link, lines: Mapping[str, Record], read_at: datetime.datetime
    ) -> Link:
        """Return the link with Go's side of lines that its base does not have yet; store it."""
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
        """Require that no lines were edited in the shop since both sides agreed.

        Raises:
            Undecidable: with a Hold if both sides edited the same member; with a Park if the shop
                edited another one, which must go to Go first, because until then the amounts
                differ.
        """
        base = OrderState(link.base).lines
        complete = {
            reference: {**((base[reference].shop or {}) if reference in base else {}), **members}
            for reference, members in shop.items()
        }
        merged = merge_lines(complete, lines, base)
        for conflict in merged.conflicts:
            self.tools.note_conflict(self.entity, link.shop_id, conflict)
        if merged.conflicts:
            raise Undecidable(Hold("; ".join(conflict.reason for conflict in merged.conflicts)))
        if not merged.is_empty:
            raise Undecidable(
                Park(
                    "its lines were also edited in the shop; the next run forward takes that to Go",
                    (OTHER_WAY,),
                )
            )


def _settle_all(parts: Sequence[Callable[[], Change]]) -> Change:
    """Settle each part, even if others fail; return all changes.

    Raises:
        Undecidable: with the reasons why parts are open.
    """
    rows: list[RowChange] = []
    open_parts: list[Park | Reject | Hold] = []
    settled: Change = Nothing()
    for part in parts:
        try:
            settled = part()
        except Undecidable as undecidable:
            open_parts.append(undecidable.change)
        else:
            rows += settled.rows if isinstance(settled, Patch) else ()
    if open_parts:
        raise Undecidable(_joined(open_parts))
    return Patch(tuple(rows)) if rows else settled


def _joined(open_parts: Sequence[Park | Reject | Hold]) -> Park | Reject | Hold:
    """Return all holds as one, or else the first of the parts."""
    holds = [part for part in open_parts if isinstance(part, Hold)]
    if not holds:
        return open_parts[0]
    details = [hold.detail for hold in holds if hold.detail]
    return Hold("; ".join(hold.reason for hold in holds), "; ".join(details) or None)


def _member_changes(
    edited: Mapping[str, LineEdit], shop: Mapping[str, Mapping[str, Value]]
) -> tuple[RowChange, ...]:
    """Return the changes as a plan shows them, each member with its line."""
    return tuple(
        RowChange(f"line {reference}: {name}", "", shop[reference][name], value)
        for reference, edit in edited.items()
        for name, value in edit.members.items()
        if not lines_back.lines_agree({name: shop[reference][name]}, {name: value})
    )
