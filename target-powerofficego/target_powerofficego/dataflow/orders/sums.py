"""What an order comes to according to the shop, and lines that come to the same øre; pure.

Shops round VAT on each line, once per rate or once per order, and some do not round lines at all.
All of that is lawful, so a shop's sum is accepted when the lines come to it within rounding, and
the lines are then given the missing øre. What no rounding explains is a contradiction.

A coupon, a gift card or store credit on the whole order is given as one amount. Which VAT rates
bear it follows from these sums: the first way to take it off that agrees with every one of them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import (
    NOTHING,
    ORE,
    ZERO,
    Money,
    repriced,
    sum_by,
    with_vat_of,
)
from target_powerofficego.dataflow.orders.lines import (
    ByRate,
    OrderLine,
    ServiceCodes,
    dicts,
    format_deductions,
    spread_lines,
    without_rate,
)
from target_powerofficego.dataflow.values import Contradiction, Unusable, rate_key, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record


def tolerance(count: int) -> Decimal:
    """Return by how many kroner rounding may change the VAT of this many amounts at one rate."""
    return (count + 1) * ORE / 2


@dataclass(frozen=True)
class Sums:
    """What lines come to at each VAT rate in percent, and how many amounts make that up.

    None stands for lines for which no rate is given.
    """

    by_rate: Mapping[Decimal | None, Money]
    counts: Mapping[Decimal | None, int]

    @property
    def whole(self) -> Money:
        """The total over all rates."""
        return sum(self.by_rate.values(), NOTHING)

    @property
    def tolerance(self) -> Decimal:
        """By how much lawful roundings of the whole order may differ."""
        return sum((tolerance(count) for count in self.counts.values()), ZERO)

    def at(self, rate: Decimal | None) -> Money:
        """Return what the lines of one rate come to."""
        return self.by_rate.get(rate, NOTHING)


def sums_of(lines: Iterable[OrderLine]) -> Sums:
    """Return what lines come to by VAT rate; lines of zero are left out."""
    told = [(line.rate, line.total) for line in lines if line.total != NOTHING]
    return Sums(sum_by(told), Counter(rate for rate, _ in told))


@dataclass(frozen=True)
class StatedTax:
    """A row of an order's `taxes`: the VAT at one rate, and its base where that is given."""

    base: Decimal | None
    tax: Decimal


@dataclass(frozen=True)
class StatedSums:
    """An order's totals as sold, as the shop gives them; None where it does not.

    `incl` and `excl` exclude what the shop adds or takes off to round the whole order. `by_rate`
    has each rate that bears VAT; a rate that it does not have bears none.
    """

    incl: Decimal | None = None
    excl: Decimal | None = None
    tax: Decimal | None = None
    by_rate: Mapping[Decimal, StatedTax] = field(default_factory=dict)

    def tax_at(self, rate: Decimal | None) -> Decimal | None:
        """Return the VAT at a rate; None when it is given for no rate."""
        if not self.by_rate or rate is None:
            return None
        return self.by_rate[rate].tax if rate in self.by_rate else ZERO

    def base_at(self, rate: Decimal | None) -> Decimal | None:
        """Return the base of the VAT at a rate; None when it is not given.

        A base at 0 % is ignored: only some shops subtract what was paid by gift card from it.
        """
        return self.by_rate[rate].base if rate and rate in self.by_rate else None

    @property
    def whole_excl(self) -> Decimal | None:
        """The total without VAT, as given or as it follows from the others."""
        if self.excl is not None or self.tax is None or self.incl is None:
            return self.excl
        return self.incl - self.tax

    @property
    def whole_tax(self) -> Decimal | None:
        """The total VAT, in whichever way it is given."""
        if self.tax is not None:
            return self.tax
        if self.by_rate:
            return sum((one.tax for one in self.by_rate.values()), ZERO)
        return None if self.excl is None or self.incl is None else self.incl - self.excl

    def contradictions(self, sums: Sums) -> Iterator[str]:
        """Say which of these sums the lines miss by more than rounding explains."""
        known = sums.by_rate.keys() | self.by_rate.keys()
        for rate in sorted((one for one in known if one is not None), reverse=True):
            if None in sums.by_rate:  # these lines may have any rate
                break
            most = tolerance(sums.counts.get(rate, 0))
            for label, told, ours in (
                ("VAT", self.tax_at(rate), sums.at(rate).tax),
                ("the amount without VAT", self.base_at(rate), sums.at(rate).excl),
            ):
                if told is not None and abs(told - ours) > most:
                    yield f"{label} at {rate_key(rate)} % is {_two(told, ours)}"
        whole = sums.whole
        for label, told, ours in (
            ("total_tax", self.whole_tax, whole.tax),
            ("total_excl", self.excl, whole.excl),
            ("total_incl", self.incl, whole.incl),
        ):
            if told is not None and abs(told - ours) > sums.tolerance:
                yield f"{label} is {_two(told, ours)}"

    def of_one_rate(self, sums: Sums) -> StatedSums:
        """Return the sums with those by rate, where they follow as only one rate bears VAT."""
        rates = [rate for rate in sums.by_rate if rate != ZERO]
        if self.by_rate or self.whole_tax is None or len(rates) != 1 or rates[0] is None:
            return self
        base = self.whole_excl if len(sums.by_rate) == 1 else None
        return replace(self, by_rate={rates[0]: StatedTax(base, self.whole_tax)})


def _two(told: Decimal, ours: Decimal) -> str:
    return f"{round_to_ore(told)}, but the lines come to {round_to_ore(ours)}"


def stated_sums(order: Record, rounding: Decimal) -> StatedSums:
    """Return the totals that an order gives, without its `rounding`.

    Some shops include that in `total_excl`.

    Raises:
        Unusable: one is not a number.
    """
    excl, tax, incl = (
        values.amount(order.get(name), label=name)
        for name in ("total_excl", "total_tax", "total_incl")
    )
    if excl is not None and tax is not None and excl + tax == incl:
        excl -= rounding
    without = None if incl is None else round_to_ore(incl) - rounding
    return StatedSums(without, excl, tax, _taxes(order))


def _taxes(order: Record) -> dict[Decimal, StatedTax]:
    """Return the rows of `taxes` by rate; none at all if one of them lacks its rate or VAT."""
    found: dict[Decimal, StatedTax] = {}
    for raw in dicts(order.get("taxes"), label="taxes"):
        rate = values.vat_rate(raw.get("rate"), label="taxes, rate")
        base = values.amount(raw.get("base"), label="taxes, base")
        tax = values.amount(raw.get("amount"), label="taxes, amount")
        if rate is None or tax is None:
            return {}
        before = found.get(rate, StatedTax(ZERO, ZERO))
        known = None if base is None or before.base is None else before.base + base
        found[rate] = StatedTax(known, before.tax + tax)
    return found


def misrated(sums: Sums) -> Iterator[str]:
    """Say at which rates the lines' VAT is not what the rate gives.

    The amounts with and without VAT may each have been rounded by itself, which doubles the
    tolerance.
    """
    for rate, one in sums.by_rate.items():
        if rate is None:
            continue
        due = one.excl * rate / 100
        if abs(one.tax - due) > 2 * tolerance(sums.counts[rate]):
            percent = rate_key(rate)
            yield (
                f"its lines at {percent} % tell VAT of {round_to_ore(one.tax)}, but {percent} % of"
                f" {round_to_ore(one.excl)} is {round_to_ore(due)}"
            )


def settled(lines: Sequence[OrderLine], told: StatedSums) -> tuple[OrderLine, ...]:
    """Return lines in whole øre that come to the shop's sums, by rate and in total.

    The lines must be ones that none of these sums contradicts beyond rounding.
    """
    sums = sums_of(lines)
    found = list(lines)
    for rate, wanted in _wanted(sums, told.of_one_rate(sums)).items():
        places = [
            place for place, line in enumerate(lines) if line.rate == rate and line.total != NOTHING
        ]
        excl = in_ore([lines[place].total.excl for place in places], wanted.excl)
        tax = in_ore([lines[place].total.tax for place in places], wanted.tax)
        for place, net, vat in zip(places, excl, tax, strict=True):
            found[place] = with_total(lines[place], Money(net, vat, net + vat))
        told_tax = told.tax_at(rate)
        if told_tax is not None:
            first = found[places[0]]
            found[places[0]] = replace(first, vat_moved=wanted.tax - round_to_ore(told_tax))
    return tuple(found)


def with_total(line: OrderLine, total: Money) -> OrderLine:
    """Return a line that comes to this total, at a price that gives it."""
    if total.excl == line.total.excl:
        return replace(line, total=total)
    price = repriced(line.price, quantity=line.quantity, total_excl=total.excl)
    return replace(line, total=total, price=price)


def in_ore(parts: Sequence[Decimal], whole: Decimal) -> list[Decimal]:
    """Return parts in whole øre that add up to the whole: those nearest the next øre are moved."""
    found = [round_to_ore(part) for part in parts]
    missing = whole - sum(found, ZERO)
    step = ORE.copy_sign(missing)
    order = sorted(range(len(parts)), key=lambda n: ((found[n] - parts[n]) * step, -abs(parts[n])))
    for turn in range(int(abs(missing) / ORE)):
        found[order[turn % len(order)]] += step
    return found


def _wanted(sums: Sums, told: StatedSums) -> dict[Decimal | None, Money]:
    """Return what the lines at each rate should come to, in whole øre.

    That is what the shop gives for the rate, else what its lines come to. What is then missing from
    the order's total was rounded away somewhere, and goes where the shop's figures are least firm.
    """
    own = {rate: _whole_ore(one) for rate, one in sums.by_rate.items()}
    excl = {rate: _or(told.base_at(rate), one.excl) for rate, one in own.items()}
    tax = {rate: _or(told.tax_at(rate), one.tax) for rate, one in own.items()}
    if told.incl is not None and own:
        if not told.by_rate and told.whole_excl is not None:
            _give(round_to_ore(told.whole_excl) - sum(excl.values(), ZERO), excl, own)
        missing = told.incl - sum(excl.values(), ZERO) - sum(tax.values(), ZERO)
        missing = _give_back(missing, tax, {rate: one.tax for rate, one in own.items()})
        missing = _give_back(missing, excl, {rate: one.excl for rate, one in own.items()})
        taxed = {rate: one for rate, one in own.items() if one.tax and told.tax_at(rate) is None}
        if taxed:
            _give(missing, tax, taxed)
        else:
            _give(missing, excl, own)
    return {rate: Money(excl[rate], tax[rate], excl[rate] + tax[rate]) for rate in own}


def _whole_ore(one: Money) -> Money:
    return Money(
        round_to_ore(one.excl),
        round_to_ore(one.incl) - round_to_ore(one.excl),
        round_to_ore(one.incl),
    )


def _or(told: Decimal | None, own: Decimal) -> Decimal:
    return own if told is None else round_to_ore(told)


def _give_back(
    missing: Decimal, amounts: dict[Decimal | None, Decimal], own: Mapping[Decimal | None, Decimal]
) -> Decimal:
    """Move amounts back towards what the lines come to, as far as that makes up what is missing."""
    for rate, amount in amounts.items():
        away = own[rate] - amount
        if away * missing > 0:
            moved = min(abs(away), abs(missing)).copy_sign(missing)
            amounts[rate] += moved
            missing -= moved
    return missing


def _give(
    missing: Decimal,
    amounts: dict[Decimal | None, Decimal],
    bearing: Mapping[Decimal | None, Money],
) -> None:
    """Add what is missing to the rates that bear it, an øre each in turn, the largest first."""
    rates = sorted(bearing, key=lambda rate: -abs(bearing[rate].incl))
    for rate, more in zip(rates, in_ore([ZERO] * len(rates), missing), strict=True):
        amounts[rate] += more


_MOST_APART = 3
"""Up to this many discounts are tried separately; more are treated as one."""


@dataclass(frozen=True)
class Discount:
    """An amount with VAT in whole øre, and without VAT if that is given; both above zero."""

    incl: Decimal
    excl: Decimal | None
    name: str | None = None

    @property
    def says_no_vat(self) -> bool:
        """Whether both amounts are equal: there is no VAT, or the shop never calculates it."""
        return self.excl == self.incl

    def is_true_of(self, shares: ByRate) -> bool:
        """Return whether shares by rate come to the given amounts, within rounding."""
        excl = sum((one.excl for one in shares.values()), ZERO)
        return self.excl is None or abs(excl - self.excl) <= tolerance(len(shares))


def read_discounts(order: Record) -> list[Discount]:
    """Return the discounts on the order that are still to be taken off.

    Raises:
        Unusable: one cannot be read, or has no amount.
    """
    return [
        _discount(raw, f"discount {number}")
        for number, raw in enumerate(dicts(order.get("discounts"), label="discounts"), 1)
        if values.flag(raw.get("is_in_lines"), label=f"discount {number}, is_in_lines") is not True
    ]


def _discount(raw: Record, label: str) -> Discount:
    """Return a discount; its sign in the shop does not matter."""
    excl, incl = (
        values.amount(raw.get(name), label=f"{label}, {name}")
        for name in ("amount_excl", "amount_incl")
    )
    incl = values.require(incl, f"{label} has no amount_incl, the discount with VAT")
    name = values.unescaped_text(raw.get("name") or raw.get("code"), label=f"{label}, name")
    return Discount(round_to_ore(abs(incl)), abs(excl) if excl else None, name)


def discount_lines(
    order: Record, codes: ServiceCodes, lines: Sequence[OrderLine], told: StatedSums
) -> list[OrderLine]:
    """Return one negative line for each VAT rate that bears the discounts on the order.

    Raises:
        Contradiction: they exceed the order, or no way to take them off agrees with the sums.
        Unusable: a discount has no amount, or a line has no rate.
    """
    named = read_discounts(order)
    found = [one for one in named if one.incl]
    if not found:
        return []
    description = ", ".join(dict.fromkeys(one.name for one in named if one.name)) or "Rabatt"
    shares = _shares(found, lines, told)
    return spread_lines("discount", codes.discount, "Rabatt", description, len(lines), shares)


def describe_assumed_rates(order: Record, lines: Iterable[OrderLine]) -> str | None:
    """Say which rates bear a discount for which the shop gives no VAT; else None."""
    taken = [line for line in lines if line.reference.startswith("discount:")]
    told = [order.get(name) for name in ("total_excl", "total_tax", "taxes")]
    own = [one.get("amount_excl") for one in dicts(order.get("discounts"), label="discounts")]
    if not taken or any(told) or all(own):
        return None
    return (
        "no VAT is told of its discount, which is taken off the goods in proportion:"
        f" {format_deductions(taken)}; a gift card, or a coupon for some goods only, needs `taxes` or"
        " total_tax"
    )


def _shares(discounts: list[Discount], lines: Sequence[OrderLine], told: StatedSums) -> ByRate:
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


def _sums(discounts: Iterable[Discount], lines: Sequence[OrderLine]) -> Sums:
    """Return what the lines come to by rate, having checked that the discounts fit.

    Raises:
        Contradiction: the lines come to less than the discounts.
        Unusable: a line has no rate.
    """
    sums = sums_of(lines)
    amount = sum((one.incl for one in discounts), ZERO)
    if amount > round_to_ore(sums.whole.incl):
        whole = round_to_ore(sums.whole.incl)
        raise Contradiction(f"the discount is {amount}, but the order comes to {whole} before it")
    if None in sums.by_rate:
        raise Unusable(without_rate(lines, "the discount"))
    return sums


def _readings(discounts: list[Discount], told: StatedSums) -> Iterator[list[Discount]]:
    """Yield the possible readings: equal amounts mean 0 %, or that VAT was never calculated."""
    readings = [discounts]
    if told.whole_tax is not None:
        readings.append([replace(one, excl=None) if one.says_no_vat else one for one in discounts])
    for reading in readings:
        yield [_together(reading)] if len(reading) > _MOST_APART else reading


def _ways(
    discounts: list[Discount], lines: Sequence[OrderLine], sums: Sums, told: StatedSums
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


def _together(discounts: list[Discount]) -> Discount:
    told = [one.excl for one in discounts if one.excl is not None]
    excl = sum(told, ZERO) if len(told) == len(discounts) else None
    return Discount(sum((one.incl for one in discounts), ZERO), excl)


def _as_told(amount: Decimal, sums: Sums, told: StatedSums) -> ByRate | None:
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
                excl, tax = round_to_ore(lacking.excl), round_to_ore(lacking.tax)
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


def _each(discount: Discount, lines: Sequence[OrderLine], sums: Sums) -> Iterator[ByRate]:
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
    parts = {rate: round_to_ore(amount * one / whole) for rate, one in there.items()}
    largest = max(parts, key=lambda rate: (there[rate], rate))
    parts[largest] += amount - sum(parts.values(), ZERO)
    return {rate: with_vat_of(part, rate) for rate, part in parts.items() if part}


def _on_two(amount: Decimal, sums: Sums, told: StatedSums) -> ByRate | None:
    """Return the split between the order's only two rates that gives the VAT the shop states."""
    rates = sorted((rate for rate in sums.by_rate if rate is not None), reverse=True)
    if len(rates) != 2 or told.whole_tax is None:
        return None
    high, low = rates
    wanted = sums.whole.tax - told.whole_tax
    part = (wanted - amount * low / (100 + low)) / (high / (100 + high) - low / (100 + low))
    parts = {high: round_to_ore(part), low: amount - round_to_ore(part)}
    is_there = all(0 <= one <= sums.at(rate).incl + ORE for rate, one in parts.items())
    return {rate: with_vat_of(one, rate) for rate, one in parts.items()} if is_there else None


def _less(sums: Sums, shares: ByRate) -> Sums:
    taken = [(rate, -one) for rate, one in shares.items()]
    by_rate = sum_by([*sums.by_rate.items(), *taken])
    return Sums(by_rate, Counter(sums.counts) + Counter(shares.keys()))
