"""An order's lines as they are to stand in Go, which say what the shop's own sums say; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.charges import charge_lines, rounding_line
from target_powerofficego.dataflow.orders.discounts import discount_lines
from target_powerofficego.dataflow.orders.line_amounts import ZERO
from target_powerofficego.dataflow.orders.lines import (
    OrderLine,
    ServiceCodes,
    product_lines,
    rates_of,
)
from target_powerofficego.dataflow.orders.sums import misrated, settled, sums_of, told_sums
from target_powerofficego.dataflow.values import Contradiction, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record

_PLAIN = ServiceCodes(rounding="AVRUND")
"""For who only reads what an order comes to."""


def read_lines(order: Record, codes: ServiceCodes = _PLAIN) -> tuple[OrderLine, ...]:
    """Return the lines of an order: the shop's in its order, freight, fees, discounts, rounding.

    They come to the shop's own sums, to the øre; only what an order does not tell is worked out.

    Raises:
        Contradiction: the shop's sums cannot all be true.
        Unusable: with every reason that was found.
    """
    rates = rates_of(order, codes)
    found, reasons = product_lines(order, codes, rates)
    charges, more = charge_lines(order, codes, rates, len(found))
    found, reasons = found + charges, reasons + more
    references = [line.reference for line in found]
    reasons += [
        f"two lines have the id {values.shown(reference)}"
        for reference in sorted({one for one in references if references.count(one) > 1})
    ]
    if reasons:
        raise Unusable("; ".join(reasons))
    rounding = rounding_line(order, codes, len(found))
    told = told_sums(order, sum((line.total.incl for line in rounding), ZERO))
    found += discount_lines(order, codes, found, told)
    sums = sums_of(found)
    wrong = [*misrated(sums), *told.contradictions(sums)]
    if wrong:
        msg = (
            f"the order's own sums contradict each other: {'; '.join(wrong)}. Correct them in the"
            " shop; what it rounds the whole order by belongs in `rounding`"
        )
        raise Contradiction(msg)
    return (*settled(found, told), *rounding)


def order_total(order: Record, lines: Iterable[OrderLine]) -> Decimal:
    """Return the order's total with VAT, which its lines come to.

    Raises:
        Unusable: it is not told.
    """
    if values.amount(order.get("total_incl"), what="total_incl") is None:
        msg = "the order has no total_incl"
        raise Unusable(msg)
    return sum((line.total.incl for line in lines), ZERO)
