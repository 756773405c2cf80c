"""The shop's side, from the link store: what each order comes to, and which are not in Go."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders import shop_order
from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money
from target_powerofficego.dataflow.orders.lines import ServiceCodes
from target_powerofficego.dataflow.orders.refunds import less_refunds
from target_powerofficego.dataflow.orders.state import (
    OrderAmounts,
    OrderState,
    Wanted,
    order_amounts,
    wanted,
)
from target_powerofficego.dataflow.values import Unusable, to_ore
from target_powerofficego.links_command.reconciliation.sides import ShopOrder, Waiting, with_rest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from target_powerofficego.store.link_store import Link, LinkStore, Unsettled

_ORDERS = "orders"


def shop_orders(store: LinkStore, zone: ZoneInfo) -> list[ShopOrder]:
    """Return the orders that the store knows in its namespace, linked ones first."""
    waiting = {one.shop_id: one for one in store.unsettled.all() if one.entity == _ORDERS}
    linked = [
        _linked(link, waiting.pop(link.shop_id, None), zone)
        for link in store.links.of_entity(_ORDERS)
    ]
    return linked + [_unlinked(one, zone) for one in waiting.values()]


def _linked(link: Link, waiting: Unsettled | None, zone: ZoneInfo) -> ShopOrder:
    amounts = OrderState(link.base).amounts
    number = link.base.get("matching_reference")
    buyer = link.base.get("customer")
    return ShopOrder(
        link.shop_id,
        link.go_id,
        (amounts and amounts.date) or _date_of_link(link, zone),
        amounts,
        None if number is None else number.shop,
        None if waiting is None else _waiting(waiting, zone),
        None if buyer is None else buyer.shop,
    )


def _date_of_link(link: Link, zone: ZoneInfo) -> str | None:
    """Return the date on which the order was placed, else made in the shop, else linked."""
    placed = link.base.get("placed_at")
    if placed is not None and placed.shop:
        return str(placed.shop)
    made = _date(link.shop_created_at, zone)
    return made or (link.linked_at.astimezone(zone).date().isoformat() if link.linked_at else None)


def _unlinked(one: Unsettled, zone: ZoneInfo) -> ShopOrder:
    placed = _date(one.payload.get("placed_at"), zone) or _date(one.payload.get("created_at"), zone)
    date = placed or one.first_seen.astimezone(zone).date().isoformat()
    waiting, amounts = _waiting(one, zone), _amounts(_told(one), date, zone)
    return ShopOrder(one.shop_id, None, date, amounts, waiting=waiting)


def _told(one: Unsettled) -> shop_order.ShopOrder:
    return shop_order.ShopOrder(one.payload)


def _waiting(one: Unsettled, zone: ZoneInfo) -> Waiting:
    due = _due(_told(one), zone)
    return Waiting(one.id, one.kind, one.reason, one.acknowledged_at is not None, due)


def _is_no_more(order: shop_order.ShopOrder, zone: ZoneInfo) -> bool:
    """Return whether the shop cancelled or deleted an order."""
    try:
        return wanted(order, (), None, zone, is_linked=False) is Wanted.DELETED
    except Unusable:
        return False


def _due(order: shop_order.ShopOrder, zone: ZoneInfo) -> Decimal | None:
    """Return what an order comes to with VAT, less what the shop cancelled or refunded."""
    if _is_no_more(order, zone):
        return Decimal(0)
    try:
        total = values.amount(order.raw.get("total_incl"), what="total_incl")
        refunded = values.amount(order.raw.get("total_refunded"), what="total_refunded")
        if refunded is None:
            refunded = sum((one.amount or Decimal(0) for one in order.refunds), Decimal(0))
    except Unusable:
        return None
    return None if total is None else to_ore(total - refunded)


def _amounts(order: shop_order.ShopOrder, date: str, zone: ZoneInfo) -> OrderAmounts | None:
    """Return the amounts of an order that could not be written; None if they cannot be read."""
    try:
        currency = order.currency
        by_rate = {} if _is_no_more(order, zone) else _by_rate(order)
    except Unusable:
        return None
    return None if by_rate is None else OrderAmounts(date, currency, by_rate)


def _by_rate(order: shop_order.ShopOrder) -> Mapping[str | None, Money] | None:
    """Return an order's amounts by VAT rate after its refunds; None if the shop does not give them.

    Raises:
        Unusable: one of the order's totals cannot be read.
    """
    try:
        lines = order.lines
        left, _ = less_refunds(lines, order.refunds, ServiceCodes())
    except Unusable:
        whole = _whole(order, None)
        return None if whole is None else {None: whole}
    by_rate = order_amounts({}, lines).by_rate
    whole = _whole(order, sum(by_rate.values(), NOTHING).tax)
    if whole is None:
        return None
    counted = with_rest(by_rate, whole)
    return order_amounts({}, left).by_rate if counted == by_rate else counted


def _whole(order: shop_order.ShopOrder, tax_of_lines: Decimal | None) -> Money | None:
    """Return an order's totals; the VAT is that of its lines if it gives only the sum with VAT."""
    excl, tax, incl, rounding = (
        values.amount(order.raw.get(name), what=name)
        for name in ("total_excl", "total_tax", "total_incl", "rounding")
    )
    tax = tax_of_lines if excl is None and tax is None else tax
    if incl is None or (excl is None and tax is None):
        return None
    without = to_ore(incl - (tax or Decimal(0)) if excl is None else excl + (rounding or 0))
    return Money(without, to_ore(incl) - without, to_ore(incl))


def _date(stamp: object, zone: ZoneInfo) -> str | None:
    try:
        return values.date_in_zone(stamp, zone=zone, what="the date")
    except Unusable:
        return None
