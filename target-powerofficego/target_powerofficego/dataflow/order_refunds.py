"""Refunds of an order, and the order's lines less what was paid back; pure."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.line_amounts import (
    NOTHING,
    ZERO,
    Money,
    choose_price,
    with_vat_of,
)
from target_powerofficego.dataflow.order_charges import spread_lines
from target_powerofficego.dataflow.order_lines import OrderLine, ServiceCodes, dicts
from target_powerofficego.dataflow.order_refund_shares import lowest_by_rate, refund_shares, split
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record

REFUND_LINE = "refund:"
"""So begin the references of lines of what was paid back for no line in particular."""

_LAST = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
_REFUNDED = ("refunded", "partially_refunded")


@dataclass(frozen=True)
class RefundedLine:
    """What was paid back for a line of the order, with VAT, and how many units came back."""

    line_id: str
    quantity: Decimal
    amount: Decimal | None


@dataclass(frozen=True)
class Refund:
    """One refund: what was paid back in all, with VAT; of the lines, and of the freight."""

    id: str
    amount: Decimal | None
    lines: tuple[RefundedLine, ...]
    shipping: Decimal
    created_at: object = None


def read_refunds(order: Record) -> tuple[Refund, ...]:
    """Return the refunds of an order, the earliest first.

    Those of which it is not told when come last, in the order that they are told in.

    Raises:
        Unusable: one cannot be read, or has no id or no amount at all; or two have one id.
    """
    found = tuple(
        _refund(raw, f"refund {number}")
        for number, raw in enumerate(dicts(order.get("refunds"), what="refunds"), start=1)
    )
    ids = [one.id for one in found]
    doubled = sorted({one for one in ids if ids.count(one) > 1})
    if doubled:
        msg = f"two refunds have the id {' and '.join(map(values.shown, doubled))}"
        raise Unusable(msg)
    return tuple(sorted(found, key=_paid_back_at))


def _paid_back_at(refund: Refund) -> datetime.datetime:
    try:
        moment = values.instant(refund.created_at, what="created_at")
    except Unusable:  # it matters only for a credit note, which tells of it
        moment = None
    return moment or _LAST


def untold_refund(order: Record, paid_back: Decimal) -> str | None:
    """Say in words that the order was paid back, but the refunds do not tell how; else None.

    `paid_back` is what its refunds come to.

    Raises:
        Unusable: `total_refunded` is no number.
    """
    told = values.amount(order.get("total_refunded"), what="total_refunded")
    if told is not None and to_ore(abs(told)) != paid_back:
        back = to_ore(abs(told))
        return f"the shop says that {back} was paid back, but its refunds come to {paid_back}"
    is_marked = order.get("status") == "refunded" or order.get("payment_status") in _REFUNDED
    if is_marked and not paid_back and values.amount(order.get("total_incl"), what="total_incl"):
        return "the shop says that it was paid back, but tells no refund"
    return None


def _refund(raw: Record, what: str) -> Refund:
    shop_id = values.text(raw.get("id"), what=f"{what}, id")
    if shop_id is None:
        msg = f"{what} has no id"
        raise Unusable(msg)
    lines = tuple(
        _refunded_line(one, f"{what}, line {number}")
        for number, one in enumerate(dicts(raw.get("lines"), what=f"{what}, lines"), start=1)
    )
    amount = _positive(raw.get("amount_incl"), f"{what}, amount_incl")
    shipping = _positive(raw.get("shipping_incl"), f"{what}, shipping_incl") or ZERO
    if amount is None and not shipping and not any(map(_is_told, lines)):
        msg = f"{what} has no amount_incl, and no lines or freight that tell what was paid back"
        raise Unusable(msg)
    return Refund(shop_id, amount, lines, shipping, raw.get("created_at"))


def _refunded_line(raw: Record, what: str) -> RefundedLine:
    line_id = values.text(raw.get("line_id"), what=f"{what}, line_id")
    if line_id is None:
        msg = f"{what} has no line_id"
        raise Unusable(msg)
    quantity = values.amount(raw.get("quantity"), what=f"{what}, quantity") or ZERO
    return RefundedLine(line_id, abs(quantity), _positive(raw.get("amount_incl"), what))


def _is_told(line: RefundedLine) -> bool:
    return line.amount is not None or bool(line.quantity)


def _positive(value: object, what: str) -> Decimal | None:
    """Return an amount that was paid back; the sign that the shop gives it does not matter."""
    amount = values.amount(value, what=what)
    return None if amount is None else to_ore(abs(amount))


def less_refunds(
    lines: Iterable[OrderLine], refunds: Iterable[Refund], codes: ServiceCodes
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return the lines less what was paid back, and what that is with VAT.

    Each refund is taken off what those before it left, so their order decides which VAT rates bear
    one. A line of which all units came back stays, with a quantity of 0. What was paid back for no
    line in particular is a line below zero for each VAT rate.

    Raises:
        Unusable: more was paid back than there was.
    """
    left = {line.reference: line for line in lines}
    lowest = lowest_by_rate(left.values())
    paid_back = ZERO
    for refund in refunds:
        before = _sum(left.values())
        told = _take_lines(left, refund)
        amount = told if refund.amount is None else refund.amount
        what = f"refund {values.shown(refund.id)}"
        if amount < told:
            msg = f"{what} is {amount}, but its lines come to {told}"
            raise Unusable(msg)
        if amount > max(before, ZERO):
            msg = f"{what} is {amount}, but the order comes to {before} before it"
            raise Unusable(msg)
        if amount or told:
            shares = refund_shares(amount - told, left.values(), lowest, what)
            reference = f"{REFUND_LINE}{refund.id}"
            more = spread_lines(reference, codes.discount, "Rabatt", "Refusjon", len(left), shares)
            left |= {line.reference: line for line in more}
        paid_back += before - _sum(left.values())
    return tuple(left.values()), paid_back


def _sum(lines: Iterable[OrderLine]) -> Decimal:
    return sum((line.total.incl for line in lines), ZERO)


def _take_lines(left: dict[str, OrderLine], refund: Refund) -> Decimal:
    """Take a refund from the lines that it names; return what that comes to with VAT."""
    before = _sum(left.values())
    for part, amount in zip(refund.lines, _line_amounts(left, refund), strict=True):
        left[part.line_id] = _less(left[part.line_id], refund, part.quantity, amount)
    _take_freight(left, refund)
    return before - _sum(left.values())


def _line_amounts(left: Mapping[str, OrderLine], refund: Refund) -> list[Decimal]:
    """Return what was paid back for each line that a refund names.

    Where the shop tells only how many units came back, it is what they cost; less, in proportion,
    when that is more than was paid back in all: their order had a discount, or some was kept.
    """
    rest = dict(left)
    amounts: list[Decimal] = []
    untold: list[int] = []
    for place, part in enumerate(refund.lines):
        line = rest.get(part.line_id)
        if line is None:
            msg = f"refund {values.shown(refund.id)} is of a line {values.shown(part.line_id)}"
            raise Unusable(f"{msg} that the order does not have")
        amount = _cost(line, part.quantity) if part.amount is None else part.amount
        if part.amount is None and amount and line.total.incl > 0:
            untold.append(place)
        amounts.append(amount)
        rest[part.line_id] = _less(line, refund, part.quantity, amount)
    costs = [amounts[place] for place in untold]
    more = ZERO
    if refund.amount is not None:
        more = _sum(left.values()) - _sum(rest.values()) + refund.shipping - refund.amount
    if 0 < more <= sum(costs, ZERO):
        for place, amount in zip(untold, split(sum(costs, ZERO) - more, costs), strict=True):
            amounts[place] = amount
    return amounts


def _cost(line: OrderLine, quantity: Decimal) -> Decimal:
    """Return what units of a line cost, as an amount above zero whatever the line's sign is."""
    return to_ore(abs(line.total.incl * quantity / line.quantity)) if line.quantity else ZERO


def _take_freight(left: dict[str, OrderLine], refund: Refund) -> None:
    wanted = refund.shipping
    for reference, line in left.items():
        part = min(wanted, line.total.incl)
        if reference.startswith("shipping:") and part > 0:
            left[reference] = _less(line, refund, ZERO, part)
            wanted -= part
    if wanted:
        msg = f"refund {values.shown(refund.id)} pays back more freight than was paid"
        raise Unusable(msg)


def _less(line: OrderLine, refund: Refund, quantity: Decimal, amount: Decimal) -> OrderLine:
    """Return a line less what was paid back for it.

    Money without goods lowers the price; so does money that was kept when all goods came back.
    """
    if quantity > abs(line.quantity) or amount > abs(line.total.incl):
        msg = (
            f"refund {values.shown(refund.id)} is of more than line {values.shown(line.reference)}"
        )
        raise Unusable(f"{msg} had left")
    total = _remaining(line, line.total.incl - amount.copy_sign(line.total.incl))
    left = line.quantity - quantity.copy_sign(line.quantity)
    if not left and total.incl:
        left = line.quantity
    price = choose_price(
        quantity=left,
        total_excl=total.excl,
        unit_price=line.price.unit_price,
        discount=line.price.allowance / 100,
    )
    return replace(line, quantity=left, price=price, total=total)


def _remaining(line: OrderLine, incl: Decimal) -> Money:
    if not incl:
        return NOTHING
    if line.rate is not None:
        return with_vat_of(incl, line.rate)
    excl = to_ore(line.total.excl * incl / line.total.incl)
    return Money(excl, incl - excl, incl)
