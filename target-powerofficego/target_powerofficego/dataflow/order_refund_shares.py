"""Which VAT rates bear what a refund does not take from the lines that it names; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.line_amounts import ZERO, with_vat_of
from target_powerofficego.dataflow.order_charges import ByRate, by_rate
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.order_lines import OrderLine

_CHARGES = ("shipping:", "fee:")


def split(amount: Decimal, bounds: Sequence[Decimal]) -> list[Decimal]:
    """Return an amount in whole øre in parts, in proportion to bounds; each is within its own.

    The bounds are above zero, and together no less than the amount. The øre that are left over go
    to the largest, the last of several.
    """
    parts = [ZERO] * len(bounds)
    left, room = amount, sum(bounds, ZERO)
    for place in sorted(range(len(bounds)), key=bounds.__getitem__):
        parts[place] = to_ore(left * bounds[place] / room)
        left, room = left - parts[place], room - bounds[place]
    return parts


def lowest_by_rate(sold: Iterable[OrderLine]) -> dict[Decimal, Decimal]:
    """Return what no refund takes a VAT rate below: nothing, or what was sold below zero at it."""
    return {rate: min(one.incl, ZERO) for rate, one in (by_rate(sold) or {}).items()}


def refund_shares(
    amount: Decimal,
    left: Collection[OrderLine],
    lowest: Mapping[Decimal, Decimal],
    what: str,
) -> ByRate:
    """Return what each VAT rate bears of an amount with VAT that is of no line in particular.

    Of all that is left each rate bears all. Else the goods bear it in proportion to what is left of
    them, or all lines when it is more; no rate bears more than it has left. A rate that is below
    its lowest already gets back what it lacks, and the others bear that too: of goods that came
    back more may have been taken than earlier refunds left at their rate.

    Raises:
        Unusable: it cannot be split, for a line has no rate.
    """
    known = by_rate(left)
    if known is None:
        if amount:
            raise Unusable(_without_rate(left, what))
        return {}
    there = {rate: one.incl for rate, one in known.items()}
    if amount == sum(there.values(), ZERO):
        return {rate: with_vat_of(one, rate) for rate, one in there.items()}
    lacking = {rate: max(lowest.get(rate, ZERO) - one, ZERO) for rate, one in there.items()}
    wanted = amount + sum(lacking.values(), ZERO)
    bearing = _bearing(wanted, left, there)
    parts = dict(zip(bearing, split(wanted, [*bearing.values()]), strict=True))
    return {rate: with_vat_of(parts.get(rate, ZERO) - lack, rate) for rate, lack in lacking.items()}


def _bearing(
    wanted: Decimal, left: Collection[OrderLine], there: Mapping[Decimal, Decimal]
) -> dict[Decimal, Decimal]:
    """Return what each VAT rate has left to bear an amount: of its goods, if those suffice."""
    goods = by_rate(one for one in left if not _is_spared(one)) or {}
    bearing = _above_zero({rate: min(one.incl, there[rate]) for rate, one in goods.items()})
    return bearing if wanted <= sum(bearing.values(), ZERO) else _above_zero(there)


def _above_zero(amounts: Mapping[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    return {rate: one for rate, one in sorted(amounts.items()) if one > 0}


def _is_spared(line: OrderLine) -> bool:
    return line.is_gift_card or line.reference.startswith(_CHARGES)


def _without_rate(left: Iterable[OrderLine], what: str) -> str:
    line = next(one for one in left if one.rate is None and one.total.incl)
    return f"{what} cannot be split by VAT rate: {values.shown(line.description)} has none"
