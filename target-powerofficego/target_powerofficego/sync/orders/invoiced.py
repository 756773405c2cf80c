"""An order that is invoiced: never edited; what is paid back or cancelled since is credited."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import CANCEL
from target_powerofficego.dataflow.orders.refunds import credit_lines, nothing_left
from target_powerofficego.decisions.changes import Change, Credit, Hold, Nothing, Undecidable
from target_powerofficego.sync.orders import credit_notes, linked, reading, unlinked
from target_powerofficego.sync.orders.context import ORDERS, OrderArrival, OrderTools, state_of
from target_powerofficego.sync.orders.wanted import (
    OrderInGoForm,
    Settled,
    has_other_refunds,
    refunds_to_credit,
)

if TYPE_CHECKING:
    from target_powerofficego.dataflow.orders.refunds import Refund
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.orders.state import OrderState
    from target_powerofficego.decisions.changes import Link as LinkChange
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.go.index import Entry


def as_met(tools: OrderTools, order: OrderInGoForm, met: LinkChange) -> OrderInGoForm:
    """Return an order that is found in Go, less the refunds that its invoice is less.

    Its total tells which: all of them, those without a credit note of ours, or none.

    Raises:
        Undecidable: with a Hold, when it is none of these.
    """
    invoice = unlinked.invoice_met(tools, met)
    if not order.refunds or invoice is None:
        return order
    shop_order, refunds, invoiced = order.shop_order, order.refunds, linked.total_of(invoice)
    uncredited = tuple(
        name for name in refunds if credit_notes.find_note(tools, shop_order.id, name) is None
    )
    for ids in (refunds, uncredited, ()):
        if reading.amounts_less(tools, shop_order, ids)[1] == invoiced:
            return reading.order_less(tools, order.arrival, ids)
    _, whole = reading.amounts_less(tools, shop_order, ())
    reason = (
        f"its invoice {invoice.body.get('InvoiceNo')} comes to {invoiced}, the order to {whole}"
        f" before and {order.total} after its refunds: see in Go which of them are credited"
    )
    raise Undecidable(Hold(reason))


def is_credited(tools: OrderTools, shop_order: ShopOrder, invoice: Entry) -> bool:
    """Return whether credit notes with our references take back all of an invoice."""
    left = linked.total_of(invoice)
    for name in (*(refund.id for refund in shop_order.refunds), CANCEL):
        met = credit_notes.find_note(tools, shop_order.id, name)
        note = tools.index.entry(ORDERS, met.go_id) if met else None
        left += linked.total_of(note) if note else 0
    return left == 0


def settle(tools: OrderTools, settled: Settled, invoice: Entry) -> Settled:
    """Credit what was paid back since the order was invoiced, each refund once.

    Raises:
        Undecidable: with a Hold, when the shop changed what stands on the invoice.
    """
    order, link = settled.order, settled.link
    state, refunds = state_of(link), order.shop_order.refunds
    if order.refunds != state.refunds:
        order = reading.order_less(tools, order.arrival, state.refunds)
    linked.require_as_invoiced(tools.table, order, state, invoice)
    is_due = tools.store.intents.is_comparison_due(ORDERS, link.shop_id)
    if is_due or refunds_to_credit(refunds, state) or has_other_refunds(order, state):
        linked.require_total(order, invoice)
    crediting = credit_notes.Crediting(tools, order.arrival, link, invoice)
    was_taken_back = crediting.take_back_untold([refund.id for refund in refunds])
    open_refunds = refunds_to_credit(refunds, state_of(crediting.link))
    if is_due:
        tools.store.intents.end_comparison(ORDERS, link.shop_id)
    crediting.link = linked.leave_differing(tools, order, crediting.link)
    change: Change = Nothing("invoiced; what changed is not on the invoice")
    if open_refunds or was_taken_back:
        crediting.credit_refunds(open_refunds)
        change = _credit(crediting)
    return Settled(order, crediting.link, change)


def cancel(tools: OrderTools, arrival: OrderArrival, link: Link, invoice: Entry) -> Change:
    """Credit what is left of an order that the shop cancelled.

    Raises:
        Undecidable: with a Hold, when the shop deleted the order, or changed what is invoiced.
    """
    shop_order, state = arrival.shop_order, state_of(link)
    if CANCEL in state.credited:
        return Nothing("cancelled, and credited in Go")
    if shop_order.is_deleted:
        raise Undecidable(Hold("it is deleted in the shop but invoiced in Go: credit it in Go"))
    order = reading.order_less(tools, arrival, state.refunds)
    linked.require_as_invoiced(tools.table, order, state, invoice)
    linked.require_total(order, invoice)
    crediting = credit_notes.Crediting(tools, arrival, link, invoice)
    crediting.take_back_untold([*(refund.id for refund in shop_order.refunds), CANCEL])
    state = state_of(crediting.link)
    beside = _beside_the_cancellation(tools, shop_order, state)
    crediting.credit_refunds(refunds_to_credit(beside, state))
    state = state_of(crediting.link)
    left, rest = reading.amounts_less(tools, shop_order, (*state.refunds, *state.credited))
    lines, total = credit_lines(left, nothing_left(left))
    credit_notes.require_to_credit(rest, total)
    crediting.credit(replace(order, lines=lines, total=total), CANCEL, None)
    return _credit(crediting)


def _credit(crediting: credit_notes.Crediting) -> Credit:
    return Credit({"total with VAT": crediting.total})


def _beside_the_cancellation(
    tools: OrderTools, shop_order: ShopOrder, state: OrderState
) -> tuple[Refund, ...]:
    """Return the refunds that a cancellation's credit note is less.

    Where Go has that note already, because its answer or the link store was lost, what the shop
    has told since is in it.
    """
    refunds = shop_order.refunds
    if credit_notes.find_note(tools, shop_order.id, CANCEL) is None:
        return refunds
    known = {*state.refunds, *state.credited}
    return tuple(
        refund
        for refund in refunds
        if refund.id in known or credit_notes.find_note(tools, shop_order.id, refund.id) is not None
    )
