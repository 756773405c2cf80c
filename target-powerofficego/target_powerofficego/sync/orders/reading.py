"""Brings orders of the shop into Go's form: lines to the øre, less refunds, with Go's ids."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.refunds import Refund, less_refunds, splits_in_words
from target_powerofficego.dataflow.values import Contradiction, Value
from target_powerofficego.decisions.changes import Hold, Undecidable
from target_powerofficego.sync.orders import parties
from target_powerofficego.sync.orders.context import ORDERS, OrderArrival, OrderTools, state_of
from target_powerofficego.sync.orders.wanted import OrderInGoForm, address_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.orders.state import OrderState
    from target_powerofficego.store.link_store import Link

_WHAT_TO_DO = (
    "let the shop tell each refund, or take it off in Go by hand"
    " (by a credit note, once it is invoiced)"
)
_WHAT_TO_MEND = (
    "correct that in the shop; or take it off in Go by hand (by a credit note, once it is"
    " invoiced), then acknowledge"
)


def read_order(tools: OrderTools, arrival: OrderArrival, state: OrderState) -> OrderInGoForm:
    """Return an order as it is to stand in Go, less its refunds.

    Once it is known to be invoiced, only less those that the invoice is less already.

    Raises:
        Unusable: it cannot be read.
        Undecidable: it waits for its parties, or tells that it was paid back but not how.
    """
    shop_order = arrival.shop_order
    ids = [refund.id for refund in shop_order.refunds]
    _, paid_back = _less_refunds(tools, shop_order.lines, shop_order.refunds)
    untold = shop_order.untold_refund(paid_back)
    if untold:
        raise Undecidable(Hold(f"{untold}: {_WHAT_TO_DO}"))
    if state.is_invoiced:
        ids = [refund_id for refund_id in state.refunds if refund_id in ids]
    return order_less(tools, arrival, ids)


def order_less(tools: OrderTools, arrival: OrderArrival, ids: Sequence[str]) -> OrderInGoForm:
    """Return an order less the refunds with these ids, in their order.

    Raises:
        Unusable, Undecidable: as `read_order`.
    """
    shop_order = arrival.shop_order
    lines, total = amounts_less(tools, shop_order, ids)
    header = tools.table.read(shop_order.raw, tools.run.conversion).values
    order = order_of(tools, arrival, header, lines, total)
    known = {refund.id for refund in shop_order.refunds}
    return replace(order, refunds=tuple(refund_id for refund_id in ids if refund_id in known))


def amounts_less(
    tools: OrderTools, shop_order: ShopOrder, ids: Iterable[str]
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return an order's lines less the refunds with these ids, and what they come to.

    The refunds are taken off in the order of the ids: that of Go, once it is invoiced there.

    Raises:
        Unusable: they cannot be read.
        Undecidable: with a Hold, when what is told of a refund does not add up.
    """
    whole, total = shop_order.lines, shop_order.total
    known = {refund.id: refund for refund in shop_order.refunds}
    refunds = [known[name] for name in dict.fromkeys(ids) if name in known]
    lines, paid_back = _less_refunds(tools, whole, refunds)
    return lines, total - paid_back


def _less_refunds(
    tools: OrderTools, lines: Iterable[OrderLine], refunds: Iterable[Refund]
) -> tuple[tuple[OrderLine, ...], Decimal]:
    try:
        return less_refunds(lines, refunds, tools.settings.service_codes)
    except Contradiction as contradiction:
        raise Undecidable(Hold(f"{contradiction}: {_WHAT_TO_MEND}")) from None


def order_of(
    tools: OrderTools,
    arrival: OrderArrival,
    header: Mapping[str, Value],
    lines: tuple[OrderLine, ...],
    total: Decimal,
) -> OrderInGoForm:
    """Return an order of a header and lines, with the ids of its parties in Go.

    Raises:
        Undecidable: it waits for its parties.
    """
    resolved = parties.resolve(tools, arrival, lines)
    return OrderInGoForm(
        arrival,
        {**header, "customer": resolved.customer_id},
        lines,
        resolved.members,
        total,
        address_key(arrival.shop_order, resolved.customer_id),
        resolved.buyer,
    )


def with_address(tools: OrderTools, order: OrderInGoForm, state: OrderState) -> OrderInGoForm:
    """Return the order with its delivery address, which is looked for only when it changed."""
    if state.goes_to(order.address_key):
        address = state.base["shipping_address"].shop
    else:
        customer = order.header["customer"]
        address = parties.delivery_address(tools, order.arrival, order.buyer.id, customer)
    return replace(order, header={**order.header, "shipping_address": address})


@contextlib.contextmanager
def splits_logged(tools: OrderTools, shop_order: ShopOrder, link: Link | None) -> Iterator[None]:
    """Log how refunds are split that are taken off an order here, or credited, the first time.

    Also when the order is then held: the next run knows them already, as the store does by then.
    """
    before = state_of(link).known_refunds
    try:
        yield
    finally:
        known = state_of(tools.store.links.get(ORDERS, shop_order.id)).known_refunds
        if set(known) - set(before):
            _log_splits(tools, shop_order, known, before)


def _log_splits(
    tools: OrderTools, shop_order: ShopOrder, known: Sequence[str], before: Sequence[str]
) -> None:
    lines, _ = amounts_less(tools, shop_order, known)
    new = [
        refund for refund in shop_order.refunds if refund.id in known and refund.id not in before
    ]
    for split in splits_in_words(lines, new):
        tools.note_repair(shop_order.id, split)
