"""Freight, fees, rounding and deductions, each as a line on a service product; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import (
    ZERO,
    Money,
    Price,
    Rates,
    read_money,
    sum_by,
)
from target_powerofficego.dataflow.orders.lines import (
    OrderLine,
    Service,
    ServiceCodes,
    dicts,
    service_at,
)
from target_powerofficego.dataflow.values import Contradiction, Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_powerofficego.dataflow.table import Record

ByRate = dict[Decimal, Money]

ORDER_ROUNDING = "rounding:order"
"""The reference of the line for the amount by which the shop itself rounds an order."""

ROUNDING_NAME = "Øreavrunding"


def charge_lines(
    order: Record, codes: ServiceCodes, rates: Rates, start: int
) -> tuple[list[OrderLine], list[str]]:
    """Return the lines of freight and fees, and the reasons why others cannot be read.

    What costs nothing is left out. A charge without a rate gets the one that its amounts imply.
    `start` is the place of the first of these lines in the order.
    """
    found: list[OrderLine] = []
    reasons: list[str] = []
    kinds = (
        ("shipping", "shipping", "freight", codes.shipping, "Frakt"),
        ("fees", "fee", "fee", codes.fee, "Gebyr"),
    )
    for field, prefix, what, code, name in kinds:
        for number, raw in enumerate(dicts(order.get(field), what=field), start=1):
            told = f"{what} {number}"
            try:
                rate = values.vat_rate(raw.get("tax_rate"), what=f"{told}, tax_rate")
                total = read_money(raw, rate, told)
                if not total.incl and not total.excl:
                    continue
                if rate is None:
                    rate = rates.of(total, told) if total.tax else ZERO
                service = service_at(code, name, rate or ZERO)
                shop_id = values.text(raw.get("id"), what=f"{told}, id")
                description = values.words(raw.get("name"), what=f"{told}, name") or name
            except Unusable as unusable:
                reasons.append(str(unusable))
            else:
                reference = f"{prefix}:{shop_id or number}"
                place = start + len(found)
                found.append(service_line(reference, service, description, place, rate, total))
    return found, reasons


def service_line(
    reference: str,
    service: Service,
    description: str,
    sort_order: int,
    rate: Decimal | None,
    total: Money,
) -> OrderLine:
    """Return a line of one unit of a service; an amount below zero is a quantity of -1.

    PowerOffice Go credits by quantity.
    """
    quantity = Decimal(-1) if total.excl < 0 or total.incl < 0 else Decimal(1)
    return OrderLine(
        reference=reference,
        product_id=None,
        sku=None,
        service=service,
        description=description,
        quantity=quantity,
        price=Price(to_ore(total.excl) * quantity, ZERO),
        unit="EA",
        sort_order=sort_order,
        rate=rate,
        total=total,
    )


def rounding_line(order: Record, codes: ServiceCodes, start: int) -> list[OrderLine]:
    """Return the line, without VAT, for the shop's rounding of the whole order, if there is any.

    Raises:
        Contradiction: the merchant has no product for it.
        Unusable: it is not a number.
    """
    amount = to_ore(values.amount(order.get("rounding"), what="rounding") or ZERO)
    if not amount:
        return []
    if codes.rounding is None:
        raise Contradiction(
            f"the shop rounds the order by {amount}, and no rounding_product_code is set to post"
            " that on: set it"
        )
    service = Service(codes.rounding, ROUNDING_NAME)
    total = Money(amount, ZERO, amount)
    return [service_line(ORDER_ROUNDING, service, service.name, start, ZERO, total)]


def spread_lines(
    reference: str, code: str, name: str, description: str, start: int, shares: ByRate
) -> list[OrderLine]:
    """Return a negative line for each VAT rate, the highest rate first."""
    wanted = [(rate, share) for rate, share in sorted(shares.items(), reverse=True) if share.incl]
    return [
        service_line(
            f"{reference}:{service.code.rpartition('-')[2]}",
            service,
            description,
            start + place,
            rate,
            -share,
        )
        for place, (rate, share) in enumerate(wanted)
        for service in [service_at(code, name, rate)]
    ]


def without_rate(lines: Iterable[OrderLine], what: str) -> str:
    """Say that an amount cannot be split by VAT rate, because one of these lines has none."""
    line = next(one for one in lines if one.rate is None and one.total.incl)
    return f"{what} cannot be split by VAT rate: {values.shown(line.description)} has none"


def by_rate(lines: Iterable[OrderLine]) -> ByRate | None:
    """Return what lines come to at each VAT rate; None when a line that counts has no rate."""
    lines = list(lines)
    if any(line.rate is None and line.total.incl for line in lines):
        return None
    return sum_by((line.rate, line.total) for line in lines if line.rate is not None)
