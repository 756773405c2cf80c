"""An unlinked order: found in Go by our reference, or named by a person, and linked; or posted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.answer import total_difference
from target_powerofficego.dataflow.orders.state import LINE, OrderState, asked_stage
from target_powerofficego.dataflow.orders.sums import describe_assumed_rates
from target_powerofficego.dataflow.table import now
from target_powerofficego.decisions.changes import (
    Create,
    Hold,
    OrderDiffers,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.go_api import TestFailed
from target_powerofficego.settle.record_flow import created_at
from target_powerofficego.store.link_store import Link
from target_powerofficego.sync.go.operations import order_destination
from target_powerofficego.sync.orders import draft, reading
from target_powerofficego.sync.orders.context import (
    ORDERS,
    STAMP,
    OrderInGoForm,
    OrderTools,
    Settled,
    agreed_state,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.sync.go.index import Entry


def find_by_reference(tools: OrderTools, name: str) -> LinkChange | None:
    """Find an order or credit note in Go by its name in our reference; None if Go has none.

    Raises:
        Undecidable: with a Hold, when Go has several.
    """
    reference = values.short_reference(tools.settings.shop_name, name)
    entries = tools.index.find_current(ORDERS, f"ref:{reference}")
    if len(entries) > 1:
        go_ids = " and ".join(entry.go_id for entry in entries)
        raise Undecidable(Hold(f"several orders in Go have its reference (ids {go_ids})"))
    return LinkChange(entries[0].go_id) if entries else None


def find_existing(tools: OrderTools, shop_order: ShopOrder, link: Link | None) -> LinkChange | None:
    """Return the order in Go to link with: found by our reference, or named by a person.

    A link that a person made has no base yet.

    Raises:
        Undecidable: with a Hold, when Go has several, or no longer has it.
    """
    if link is None:
        return find_by_reference(tools, shop_order.id)
    if link.base:
        return None
    entry = tools.index.entry(ORDERS, link.go_id)
    if entry is None and tools.index.read_again(ORDERS, link.go_id) is None:
        raise Undecidable(draft.GONE)
    return LinkChange(link.go_id)


def matched_invoice(tools: OrderTools, match: LinkChange) -> Entry | None:
    """Return the invoice of a matched order; None while it is not invoiced."""
    entry = tools.index.entry(ORDERS, match.go_id)
    return entry if entry is not None and entry.is_invoice else None


def customer_of(tools: OrderTools, match: LinkChange) -> int:
    """Return the id of the customer of a matched order or invoice."""
    resource = "OutgoingInvoices" if matched_invoice(tools, match) else "SalesOrders"
    return int(tools.go.read(f"/{resource}/{match.go_id}")["CustomerId"])


def link_existing(tools: OrderTools, order: OrderInGoForm, match: LinkChange) -> Settled:
    """Link with an order that Go already has; the shop's present values count as agreed.

    So does the stage that its status asks for, as nothing shows whether it was reached before.

    Raises:
        Undecidable: with a Hold, when their totals differ.
    """
    invoice = matched_invoice(tools, match)
    state = agreed_state(tools.table, order, None)
    if invoice is not None:  # later refunds are credited
        state = state.invoiced(order.read_at)
    status = order.shop_order.status
    asked = asked_stage(status, tools.settings.confirm_on, tools.settings.invoice_on)
    link = _link(order, match.go_id, state.at_stage(asked, status, order.read_at))
    entry = tools.index.entry(ORDERS, match.go_id)
    differing = total_difference(order.total, entry.body.get("TotalAmount")) if entry else None
    with tools.store.transaction():
        tools.store.links.put(link)
        if differing:
            tools.store.intents.note_comparison(ORDERS, link.shop_id)
    link = _write_reference(tools, order, link, entry)
    if differing:
        prefix = "on its invoice " if invoice else ""
        # not an OrderDiffers itself: the order in Go may not be ours, so it is never withdrawn
        raise Undecidable(OrderDiffers([f"{prefix}{differing}"]).change)
    return Settled(order, link, match)


def _link(order: OrderInGoForm, go_id: str, state: OrderState) -> Link:
    shop_id, created = order.arrival.shop_id, created_at(order.shop_order.raw)
    return Link(ORDERS, shop_id, go_id, shop_created_at=created, base=state.base)


def _write_reference(
    tools: OrderTools, order: OrderInGoForm, link: Link, entry: Entry | None
) -> Link:
    """Write our reference to a Draft without one, so that the order can be found again."""
    if entry is None or entry.body.get("ExternalImportReference"):
        return link
    if tools.settings.write_references and entry.body.get("SalesOrderStatus") == "Draft":
        row = tools.table.row("id")
        change = RowChange(row.name, row.patch_path, None, order.header[row.name])
        try:
            answer = tools.change(link, [change], order.read_at)
        except TestFailed:
            tools.index.read_again(ORDERS, link.go_id)
        else:
            return tools.save_answer(link, answer, entry)
    repair = "its order in Go does not have our reference; only the link store knows the link"
    tools.log_repair(link.shop_id, repair)
    return link


def create(tools: OrderTools, order: OrderInGoForm) -> Settled:
    """Post an order that Go does not have.

    Raises:
        Undecidable: with a Hold, when Go's order differs from the shop's, or may have foreign VAT.
    """
    reading.require_no_foreign_vat(tools, order, by_hand="post")
    if assumed := describe_assumed_rates(order.shop_order.raw, order.lines):
        tools.log_repair(order.arrival.shop_id, assumed)
    return Settled(order, post(tools, order, {}), Create(_planned(order)))


def post(tools: OrderTools, order: OrderInGoForm, more_members: Mapping[str, Value]) -> Link:
    """Post an order as a Draft, with more header members; link it, compare it and correct øre.

    Raises:
        Undecidable: with a Hold, when Go's order differs from the shop's.
    """
    order = reading.with_address(tools, order, state_of(None))
    body = {**tools.table.create_body(order.header), **more_members, "SalesOrderStatus": "Draft"}
    body["SalesOrderLines"] = [
        {"ExternalImportReference": reference, **members}
        for reference, members in order.members.items()
    ]
    target = order_destination(order.arrival.shop_id, body["ExternalImportReference"])
    lines = {f"{LINE}{reference}": members for reference, members in order.members.items()}
    sent = {**order.header, **lines, **order.kept}
    answer = tools.writer.create(target, body, sent, read_at=order.read_at)
    answered_at = now()
    link = _link(order, str(answer.body["Id"]), agreed_state(tools.table, order, answer.body))
    link = replace(link, own_stamp=answer.body.get(STAMP))
    differing = draft.differences(order, answer.body, link)
    with tools.store.transaction():
        tools.store.links.put(link)
        tools.index.remember(ORDERS, answer.body, answered_at)
        draft.note_comparison(tools, link, differing)
        tools.store.intents.end(answer.intent)
    return draft.settle_differences(tools, order, link, answer.body)


def _planned(order: OrderInGoForm) -> dict[str, Value]:
    """Return the order for a plan: with the shop's ids, as Go has yet to assign its own."""
    return {
        **order.header,
        "customer": order.shop_order.customer_label,
        "shipping_address": None,
        "lines": len(order.lines),
        "total with VAT": order.total,
    }
