"""An unlinked order: found in Go by our reference, or named by a person, and linked as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.orders.answer import total_difference
from target_powerofficego.dataflow.orders.stages import asked_stage, with_stage
from target_powerofficego.decisions.changes import Change, Hold, RowChange, Undecidable
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.go_api import TestFailed
from target_powerofficego.settle.record_flow import created_at
from target_powerofficego.store.link_store import Link
from target_powerofficego.sync.orders.wanted import CREDITED, OrderInGoForm, agreed_base

if TYPE_CHECKING:
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.sync.context import Tools


class OrderMeetings:
    """Meets orders that are in Go already; none of them is posted a second time."""

    entity = "orders"

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self.tools.settings.tables[self.entity]

    def find(self, record: ShopOrder) -> LinkChange | None:
        """Find an order by our reference, among sales orders and invoices; None: not in Go."""
        return self.find_named(record.id)

    def find_named(self, name: str) -> LinkChange | None:
        """Find an order or credit note by what our reference calls it; None: not in Go."""
        reference = values.short_reference(self.tools.settings.shop_name, name)
        found = self.tools.index.find_present("orders", f"ref:{reference}")
        if len(found) > 1:
            named = " and ".join(entry.go_id for entry in found)
            raise Undecidable(Hold(f"several orders in Go bear its reference: {named}"))
        return LinkChange(found[0].go_id) if found else None

    def met(self, record: ShopOrder, link: Link | None) -> LinkChange | None:
        """Return the order in Go that is met: found by our reference, or named by a person.

        A link by a person's word has no base yet.
        """
        if link is None:
            return self.find(record)
        if link.base:
            return None
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None and self.tools.index.read_again(self.entity, link.go_id) is None:
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        return LinkChange(link.go_id)

    def customer_of(self, met: LinkChange) -> int:
        """Return the id of the customer who has an order or invoice in Go."""
        entry = self.tools.index.entry(self.entity, met.go_id)
        resource = "OutgoingInvoices" if entry is not None and entry.is_invoice else "SalesOrders"
        return int(self.tools.go.read(f"/{resource}/{met.go_id}")["CustomerId"])

    def link(self, order: OrderInGoForm, met: LinkChange) -> tuple[str, Change]:
        """Link with an order that is in Go already; what the shop says now counts as agreed.

        The stage too that its status asks for, for nothing tells whether it was reached before.
        """
        settings, status = self.tools.settings, order.record.status
        asked = asked_stage(status, settings.confirm_on, settings.invoice_on)
        base = {**agreed_base(self.table, order, None), **self._marks(order, met)}
        link = Link(
            self.entity,
            order.record.id,
            met.go_id,
            shop_created_at=created_at(order.record.raw),
            base=with_stage(base, asked, status, order.read_at),
        )
        found = self._differing_total(order, link)
        with self.tools.store.transaction():
            self.tools.store.put_link(link)
            if found:
                self.tools.store.note_comparison(self.entity, link.shop_id)
        self._write_reference(order, link)
        if found:
            raise Undecidable(Hold(f"Go's order is not the shop's: {found}. See to it in Go"))
        return "linked", met

    def _marks(self, order: OrderInGoForm, met: LinkChange) -> dict[str, Agreement]:
        """Return the mark of an order that is invoiced: what is paid back since is credited."""
        entry = self.tools.index.entry(self.entity, met.go_id)
        if entry is None or not entry.is_invoice:
            return {}
        return {CREDITED: Agreement([], None, order.read_at, now())}

    def _write_reference(self, order: OrderInGoForm, link: Link) -> None:
        """Write our reference to a Draft without any: by it the order is found again."""
        tools = self.tools
        shop_id = order.record.id
        entry = tools.index.entry(self.entity, link.go_id)
        if entry is None or entry.body.get("ExternalImportReference"):
            return
        repair = "its order in Go does not bear our reference; only the link store knows it"
        if not tools.settings.write_references or entry.body.get("SalesOrderStatus") != "Draft":
            tools.tally.note_repair(self.entity, shop_id, repair)
            return
        row = self.table.row("id")
        change = RowChange(row.name, row.patch_path, None, order.header[row.name])
        try:
            answer = tools.writer.change(
                self.entity, shop_id, f"/SalesOrders/{link.go_id}", [change], read_at=order.read_at
            )
        except TestFailed:
            tools.index.read_again(self.entity, link.go_id)
            tools.tally.note_repair(self.entity, shop_id, repair)
            return
        stamp = answer.body.get("LastChangedDateTimeOffset")
        with tools.store.transaction():
            tools.store.put_link(replace(link, own_stamp=stamp))
            tools.index.remember(self.entity, {**entry.body, **answer.body}, now())
            tools.store.end_intent(answer.intent)

    def _differing_total(self, order: OrderInGoForm, link: Link) -> str | None:
        """Name both totals when they differ; an invoice stands as it was sent."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        if entry is None:
            return None
        differing = total_difference(order.total, entry.body.get("TotalAmount"))
        return f"on its invoice {differing}" if differing and entry.is_invoice else differing
