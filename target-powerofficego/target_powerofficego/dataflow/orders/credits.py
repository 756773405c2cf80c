"""The lines of a credit note: by how much less an order comes to after a refund; pure.

PowerOffice Go credits by quantity: a line of a credit note has a quantity below zero.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, ZERO, Price, repriced
from target_powerofficego.dataflow.orders.lines import total_incl
from target_powerofficego.dataflow.orders.order import CREDIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_powerofficego.dataflow.orders.lines import OrderLine

CANCEL = ""
"""Used in place of a refund's id, which is never empty, for the credit note of what is left of a
cancelled order."""

_CANCELLED = ":cancel"
_REFUNDED = ":refund:"


def credit_name(order_id: str, refund_id: str) -> str:
    """Return the name of an order's credit note, as used in its reference in Go."""
    told = _CANCELLED if refund_id == CANCEL else f"{_REFUNDED}{refund_id}"
    return order_id + told


def credited_order(shop_id: str) -> str:
    """Return the id of the order to which a credit note belongs; any other id is unchanged."""
    if not shop_id.startswith(CREDIT):
        return shop_id
    order_id, is_refund, _ = shop_id.removeprefix(CREDIT).partition(_REFUNDED)
    return order_id if is_refund else order_id.removesuffix(_CANCELLED)


def credit_lines(
    before: Sequence[OrderLine], after: Iterable[OrderLine]
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return the lines of a credit note for what was taken back, and their sum with VAT.

    That sum is exactly what the lines after come to, less those before. Where goods came back, that
    many units are credited; where only money did, one unit of that amount. A line that no longer
    exists is credited in full; a new one goes on the credit note as it is.
    """
    old = {line.reference: line for line in before}
    new = {line.reference: line for line in after}
    removed = nothing_left(line for line in before if line.reference not in new)
    found = [_credited(old.get(line.reference), line) for line in (*new.values(), *removed)]
    lines = tuple(
        replace(line, sort_order=place)
        for place, line in enumerate(one for one in found if one is not None)
    )
    return lines, total_incl(lines)


def nothing_left(lines: Iterable[OrderLine]) -> tuple[OrderLine, ...]:
    """Return the lines as they are when all of them is taken back."""
    return tuple(
        replace(
            line,
            quantity=ZERO,
            price=Price(line.price.unit_price, ZERO),
            total=NOTHING,
        )
        for line in lines
    )


def _credited(before: OrderLine | None, after: OrderLine) -> OrderLine | None:
    """Return the credit line for what was taken back of a line; None if its amount is unchanged."""
    if before is None:
        return after
    gone = before.total - after.total
    if not gone.incl and not gone.excl:
        return None
    quantity = before.quantity - after.quantity or Decimal(1).copy_sign(gone.excl)
    price = repriced(before.price, quantity=quantity, total_excl=gone.excl)
    return replace(before, quantity=-quantity, price=price, total=-gone)
