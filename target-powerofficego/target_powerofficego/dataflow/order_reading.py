"""An order's lines as they are to stand in Go, and what they must come to; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.line_amounts import ZERO
from target_powerofficego.dataflow.order_charges import charge_lines, discount_lines
from target_powerofficego.dataflow.order_lines import OrderLine, ServiceCodes, product_lines
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record

_PLAIN = ServiceCodes()


def read_lines(order: Record, codes: ServiceCodes = _PLAIN) -> tuple[OrderLine, ...]:
    """Return the lines of an order: those of the shop in its order, freight, fees, discounts.

    Raises:
        Unusable: with every reason that was found.
    """
    found, reasons = product_lines(order, codes)
    charges, more = charge_lines(order, codes, len(found))
    found, reasons = found + charges, reasons + more
    if not reasons:
        found += discount_lines(order, codes, found)
    references = [line.reference for line in found]
    reasons += [
        f"two lines have the id {values.shown(reference)}"
        for reference in sorted({one for one in references if references.count(one) > 1})
    ]
    if reasons:
        raise Unusable("; ".join(reasons))
    return tuple(found)


def check_total(order: Record, lines: Iterable[OrderLine]) -> Decimal:
    """Return the order's total with VAT, after checking that its lines come to it.

    Raises:
        Unusable: the total is missing, or another than the lines' sum.
    """
    total = values.amount(order.get("total_incl"), what="total_incl")
    if total is None:
        msg = "the order has no total_incl"
        raise Unusable(msg)
    lines_total = sum((line.total.incl for line in lines), ZERO)
    if to_ore(total) != lines_total:
        msg = (
            f"the lines, freight, fees and discounts come to {lines_total} but the order's total"
            f" is {total}"
        )
        raise Unusable(msg)
    return to_ore(total)
