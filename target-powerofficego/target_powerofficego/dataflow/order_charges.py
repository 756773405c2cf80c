"""Freight, fees and discounts on the whole order, each as a line on a service product; pure."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.line_amounts import (
    ZERO,
    Money,
    Price,
    read_money,
    with_vat_of,
)
from target_powerofficego.dataflow.order_lines import (
    OrderLine,
    Service,
    ServiceCodes,
    dicts,
    service_at,
)
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_powerofficego.dataflow.table import Record

ByRate = dict[Decimal, Money]


def charge_lines(
    order: Record, codes: ServiceCodes, start: int
) -> tuple[list[OrderLine], list[str]]:
    """Return the lines of freight and fees, and why others cannot be read.

    What costs nothing is left out. `start` is the place of the first line in the order.
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
                service = _service(code, name, rate, told)
                shop_id = values.text(raw.get("id"), what=f"{told}, id")
                description = values.words(raw.get("name"), what=f"{told}, name") or name
            except Unusable as unusable:
                reasons.append(str(unusable))
            else:
                reference = f"{prefix}:{shop_id or number}"
                place = start + len(found)
                found.append(service_line(reference, service, description, place, rate, total))
    return found, reasons


def _service(code: str, name: str, rate: Decimal | None, what: str) -> Service:
    if rate is None:
        msg = f"{what} has no tax_rate"
        raise Unusable(msg)
    return service_at(code, name, rate)


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
        price=Price(total.excl * quantity, ZERO),
        unit="EA",
        sort_order=sort_order,
        rate=rate,
        total=total,
    )


def discount_lines(
    order: Record, codes: ServiceCodes, lines: Sequence[OrderLine]
) -> list[OrderLine]:
    """Return one line below zero for each VAT rate that the discounts on the order are taken from.

    The rates are those that the order's `taxes` tell, if they come to the discount; else it is
    taken from the goods in proportion, or from all lines when it is more than the goods.

    Raises:
        Unusable: a discount has no amount, or is more than the order.
    """
    discounts = dicts(order.get("discounts"), what="discounts")
    amount = sum((_amount(one, number) for number, one in enumerate(discounts, 1)), ZERO)
    if not amount:
        return []
    names = [
        values.words(one.get("name") or one.get("code"), what="discount, name") for one in discounts
    ]
    description = ", ".join(dict.fromkeys(name for name in names if name)) or "Rabatt"
    shares = _told_shares(order, lines, amount) or _spread(amount, lines)
    return spread_lines("discount", codes.discount, "Rabatt", description, len(lines), shares)


def spread_lines(
    reference: str, code: str, name: str, description: str, start: int, shares: ByRate
) -> list[OrderLine]:
    """Return a line below zero for each VAT rate, in order of the rates, the highest first."""
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


def _amount(discount: Record, number: int) -> Decimal:
    """Return a discount with VAT, in whole øre; the sign that the shop gives it does not matter."""
    incl = values.amount(discount.get("amount_incl"), what=f"discount {number}, amount_incl")
    if incl is None:
        msg = f"discount {number} has no amount_incl, the discount with VAT"
        raise Unusable(msg)
    return to_ore(abs(incl))


def _spread(amount: Decimal, lines: Sequence[OrderLine]) -> ByRate:
    """Return the part of a discount with VAT that each VAT rate bears, in proportion to the lines.

    The øre that are left over go to the rate with most.

    Raises:
        Unusable: the lines come to less, or one that counts has no rate.
    """
    goods = [line for line in lines if line.service is None and not line.is_gift_card]
    bearing = goods if amount <= _sum(goods) else list(lines)
    whole = _sum(bearing)
    if amount > whole:
        msg = f"the discount is {amount}, but the order comes to {whole} before it"
        raise Unusable(msg)
    sums: dict[Decimal, Decimal] = defaultdict(Decimal)
    for line in bearing:
        if line.total.incl and line.rate is None:
            name = values.shown(line.description)
            msg = f"the discount cannot be split by VAT rate: {name} has none"
            raise Unusable(msg)
        if line.rate is not None:
            sums[line.rate] += line.total.incl
    parts = {rate: to_ore(amount * one / whole) for rate, one in sums.items()}
    largest = max(parts, key=lambda rate: (sums[rate], rate))
    parts[largest] += amount - sum(parts.values(), ZERO)
    return {rate: with_vat_of(part, rate) for rate, part in parts.items()}


def _sum(lines: Iterable[OrderLine]) -> Decimal:
    return sum((line.total.incl for line in lines), ZERO)


def _told_shares(order: Record, lines: Sequence[OrderLine], amount: Decimal) -> ByRate | None:
    """Return the discount by VAT rate as the order's `taxes` tell it; None where they do not.

    They do when what they say of every rate is less than the lines by the discount in all.
    """
    before = by_rate(lines)
    after = _taxes(order)
    if (
        before is None
        or after is None
        or set(after) != {r for r, one in before.items() if one.incl}
    ):
        return None
    shares = {rate: before[rate] - one for rate, one in after.items()}
    is_right = sum((one.incl for one in shares.values()), ZERO) == amount
    fits = all(one.excl >= 0 and one.tax >= 0 for one in shares.values())
    return shares if is_right and fits else None


def by_rate(lines: Iterable[OrderLine]) -> ByRate | None:
    """Return what lines come to at each VAT rate; None when one that counts has none."""
    found: dict[Decimal, Money] = {}
    for line in lines:
        if line.rate is None:
            if line.total.incl:
                return None
            continue
        found[line.rate] = found.get(line.rate, Money(ZERO, ZERO, ZERO)) + line.total
    return found


def _taxes(order: Record) -> ByRate | None:
    found: ByRate = {}
    for raw in dicts(order.get("taxes"), what="taxes"):
        rate = values.vat_rate(raw.get("rate"), what="taxes, rate")
        base = values.amount(raw.get("base"), what="taxes, base")
        tax = values.amount(raw.get("amount"), what="taxes, amount")
        if rate is None or base is None or tax is None or rate in found:
            return None
        found[rate] = Money(to_ore(base), to_ore(tax), to_ore(base) + to_ore(tax))
    return found or None
