"""Discounts on a whole order, by the VAT rates that bear them according to the shop's sums; pure.

A coupon, a gift card or store credit is given as one amount. Which VAT rates bear it follows from
the order's VAT: the first way to take it off that agrees with every sum that the shop gives.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.charges import ByRate, spread_lines, without_rate
from target_powerofficego.dataflow.orders.line_amounts import ORE, ZERO, Money, sum_by, with_vat_of
from target_powerofficego.dataflow.orders.lines import dicts
from target_powerofficego.dataflow.orders.sums import Sums, sums_of, tolerance
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.dataflow.values import Contradiction, Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.lines import OrderLine, ServiceCodes
    from target_powerofficego.dataflow.orders.sums import ToldSums
    from target_powerofficego.dataflow.table import Record

_MOST_APART = 3
"""Up to this many discounts are tried separately; more are treated as one."""


@dataclass(frozen=True)
class _Discount:
    """An amount with VAT in whole øre, and without VAT if that is given; both above zero."""

    incl: Decimal
    excl: Decimal | None

    @property
    def says_no_vat(self) -> bool:
        """Whether both amounts are equal: there is no VAT, or the shop never calculates it."""
        return self.excl == self.incl

    def is_true_of(self, shares: ByRate) -> bool:
        """Return whether shares by rate come to the given amounts, within rounding."""
        excl = sum((one.excl for one in shares.values()), ZERO)
        return self.excl is None or abs(excl - self.excl) <= tolerance(len(shares))


def discount_lines(
    order: Record, codes: ServiceCodes, lines: Sequence[OrderLine], told: ToldSums
) -> list[OrderLine]:
    """Return one negative line for each VAT rate that bears the discounts on the order.

    Raises:
        Contradiction: they exceed the order, or no way to take them off agrees with the sums.
        Unusable: a discount has no amount, or a line has no rate.
    """
    raw = [
        one
        for one in dicts(order.get("discounts"), what="discounts")
        if values.flag(one.get("is_in_lines"), what="discount, is_in_lines") is not True
    ]
    found = [_discount(one, number) for number, one in enumerate(raw, 1)]
    found = [one for one in found if one.incl]
    if not found:
        return []
    names = [values.words(one.get("name") or one.get("code"), what="discount, name") for one in raw]
    description = ", ".join(dict.fromkeys(name for name in names if name)) or "Rabatt"
    shares = _shares(found, lines, told)
    return spread_lines("discount", codes.discount, "Rabatt", description, len(lines), shares)


def assumed_rates(order: Record, lines: Iterable[OrderLine]) -> str | None:
    """Say which rates bear a discount for which the shop gives no VAT; else None."""
    taken = [line for line in lines if line.reference.startswith("discount:")]
    told = [order.get(name) for name in ("total_excl", "total_tax", "taxes")]
    own = [one.get("amount_excl") for one in dicts(order.get("discounts"), what="discounts")]
    if not taken or any(told) or all(own):
        return None
    shares = " and ".join(f"{-one.total.incl} at {rate_key(one.rate or ZERO)} %" for one in taken)
    return (
        "no VAT is told of its discount, which is taken off the goods in proportion:"
        f" {shares}; a gift card, or a coupon for some goods only, needs `taxes` or total_tax"
    )


def _discount(raw: Record, number: int) -> _Discount:
    """Return a discount; its sign in the shop does not matter."""
    excl, incl = (
        values.amount(raw.get(name), what=f"discount {number}, {name}")
        for name in ("amount_excl", "amount_incl")
    )
    reason = f"discount {number} has no amount_incl, the discount with VAT"
    return _Discount(to_ore(abs(values.require(incl, reason))), abs(excl) if excl else None)


def _shares(discounts: list[_Discount], lines: Sequence[OrderLine], told: ToldSums) -> ByRate:
    """Return what each VAT rate bears, by the first way that agrees with all the shop's sums."""
    sums = _sums(discounts, lines)
    first: list[str] | None = None
    ways = (way for one in _readings(discounts, told) for way in _ways(one, lines, sums, told))
    for shares in ways:
        wrong = list(told.contradictions(_less(sums, shares)))
        if not wrong:
            return shares
        first = first or wrong
    amount = _together(discounts).incl
    reasons = "; ".join(first or ["the discount's own amount without VAT fits none of its rates"])
    raise Contradiction(
        f"the discount of {amount} cannot be taken off so that the order's sums are true. Taken off"
        f" the goods in proportion: {reasons}. Let the shop name each rate that has VAT left in"
        " `taxes`, or put the sums right"
    )


def _sums(discounts: Iterable[_Discount], lines: Sequence[OrderLine]) -> Sums:
    """Return what the lines come to by rate, having checked that the discounts fit.

    Raises:
        Contradiction: the lines come to less than the discounts.
        Unusable: a line has no rate.
    """
    sums = sums_of(lines)
    amount = sum((one.incl for one in discounts), ZERO)
    if amount > to_ore(sums.whole.incl):
        whole = to_ore(sums.whole.incl)
        raise Contradiction(f"the discount is {amount}, but the order comes to {whole} before it")
    if None in sums.by_rate:
        raise Unusable(without_rate(lines, "the discount"))
    return sums


def _readings(discounts: list[_Discount], told: ToldSums) -> Iterator[list[_Discount]]:
    """Yield the possible readings: equal amounts mean 0 %, or that VAT was never calculated."""
    readings = [discounts]
    if told.whole_tax is not None:
        readings.append([replace(one, excl=None) if one.says_no_vat else one for one in discounts])
    for reading in readings:
        yield [_together(reading)] if len(reading) > _MOST_APART else reading


def _ways(
    discounts: list[_Discount], lines: Sequence[OrderLine], sums: Sums, told: ToldSums
) -> Iterator[ByRate]:
    """Yield ways to take discounts off: as `taxes` imply, in proportion, on one rate, on two."""
    together = _together(discounts)
    as_told = _as_told(together.incl, sums, told)
    if as_told is not None and together.is_true_of(as_told):
        yield as_told
    options = [[way for way in _each(one, lines, sums) if one.is_true_of(way)] for one in discounts]
    for chosen in itertools.product(*options):
        yield sum_by(share for way in chosen for share in way.items())
    on_two = _on_two(together.incl, sums, told)
    if on_two is not None and together.is_true_of(on_two):
        yield on_two


def _together(discounts: list[_Discount]) -> _Discount:
    told = [one.excl for one in discounts if one.excl is not None]
    excl = sum(told, ZERO) if len(told) == len(discounts) else None
    return _Discount(sum((one.incl for one in discounts), ZERO), excl)


def _as_told(amount: Decimal, sums: Sums, told: ToldSums) -> ByRate | None:
    """Return by how much each rate exceeds what `taxes` say is left of it; 0 % bears the rest.

    None where `taxes` do not say that, or where the differences do not make up the amount.
    """
    if not told.by_rate or any(rate and told.base_at(rate) is None for rate in told.by_rate):
        return None
    shares: ByRate = {}
    for rate, one in sums.by_rate.items():
        if rate:
            base, tax = told.base_at(rate) or ZERO, told.tax_at(rate) or ZERO
            lacking = one - Money(base, tax, base + tax)
            if abs(lacking.incl) > tolerance(sums.counts[rate]):
                excl, tax = to_ore(lacking.excl), to_ore(lacking.tax)
                shares[rate] = Money(excl, tax, excl + tax)
    rest = amount - sum((one.incl for one in shares.values()), ZERO)
    if abs(rest) > sums.tolerance:
        shares[ZERO] = Money(rest, ZERO, rest)
    elif not shares:
        return None
    else:
        largest = max(shares, key=lambda rate: shares[rate].incl)
        shares[largest] += Money(rest, ZERO, rest)
    return shares if all(one.incl > 0 for one in shares.values()) else None


def _each(discount: _Discount, lines: Sequence[OrderLine], sums: Sums) -> Iterator[ByRate]:
    """Yield the ways to take one discount off: over the goods, over all, on one rate."""
    amount = discount.incl
    goods = sums_of(line for line in lines if line.is_goods)
    for bearing in (goods, sums):
        if amount <= bearing.whole.incl:
            yield _in_proportion(amount, bearing)
    for rate in sorted({*sums.by_rate, ZERO}, reverse=True, key=lambda one: one or ZERO):
        if rate is not None and (not rate or amount <= sums.at(rate).incl + ORE):
            yield {rate: with_vat_of(amount, rate)}


def _in_proportion(amount: Decimal, bearing: Sums) -> ByRate:
    """Return an amount split in proportion; the øre left over go to the largest rate's share."""
    whole = bearing.whole.incl
    there = {rate: one.incl for rate, one in bearing.by_rate.items() if rate is not None}
    parts = {rate: to_ore(amount * one / whole) for rate, one in there.items()}
    largest = max(parts, key=lambda rate: (there[rate], rate))
    parts[largest] += amount - sum(parts.values(), ZERO)
    return {rate: with_vat_of(part, rate) for rate, part in parts.items() if part}


def _on_two(amount: Decimal, sums: Sums, told: ToldSums) -> ByRate | None:
    """Return the split between the order's only two rates that gives the VAT the shop states."""
    rates = sorted((rate for rate in sums.by_rate if rate is not None), reverse=True)
    if len(rates) != 2 or told.whole_tax is None:
        return None
    high, low = rates
    wanted = sums.whole.tax - told.whole_tax
    part = (wanted - amount * low / (100 + low)) / (high / (100 + high) - low / (100 + low))
    parts = {high: to_ore(part), low: amount - to_ore(part)}
    is_there = all(0 <= one <= sums.at(rate).incl + ORE for rate, one in parts.items())
    return {rate: with_vat_of(one, rate) for rate, one in parts.items()} if is_there else None


def _less(sums: Sums, shares: ByRate) -> Sums:
    taken = [(rate, -one) for rate, one in shares.items()]
    by_rate = sum_by([*sums.by_rate.items(), *taken])
    return Sums(by_rate, Counter(sums.counts) + Counter(shares.keys()))
