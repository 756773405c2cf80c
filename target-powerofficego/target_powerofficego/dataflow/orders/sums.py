"""What an order comes to according to the shop, and lines that come to the same øre; pure.

Shops round VAT on each line, once per rate or once per order, and some do not round lines at all.
All of that is lawful. So a sum that the shop states is accepted if the lines come to it within
rounding, and the lines then get the missing øre. What rounding cannot explain is a contradiction.

A coupon, a gift card or store credit on the whole order is given as one amount. Which VAT rates
bear it follows from the stated sums: the first way of taking it off that agrees with all of them.
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
    """Return the most, in kroner, by which rounding may change the VAT of `count` amounts."""
    return (count + 1) * ORE / 2


@dataclass(frozen=True)
class Sums:
    """What lines come to at each VAT rate in percent, and the number of amounts in it.

    The rate None is that of lines for which no rate is given.
    """

    by_rate: Mapping[Decimal | None, Money]
    counts: Mapping[Decimal | None, int]

    @property
    def total(self) -> Money:
        """The total over all rates."""
        return sum(self.by_rate.values(), NOTHING)

    @property
    def tolerance(self) -> Decimal:
        """The most by which lawful roundings of the order may differ."""
        return sum((tolerance(count) for count in self.counts.values()), ZERO)

    def at(self, rate: Decimal | None) -> Money:
        """Return what the lines of one rate come to."""
        return self.by_rate.get(rate, NOTHING)


def sums_of(lines: Iterable[OrderLine]) -> Sums:
    """Return what lines come to by VAT rate; lines of zero are left out."""
    amounts = [(line.rate, line.total) for line in lines if line.total != NOTHING]
    return Sums(sum_by(amounts), Counter(rate for rate, _ in amounts))


@dataclass(frozen=True)
class StatedTax:
    """A row of an order's `taxes`: the VAT at one rate, and its base if that is stated."""

    base: Decimal | None
    tax: Decimal


@dataclass(frozen=True)
class StatedSums:
    """An order's totals as sold, as the shop states them; None for those that it does not state.

    `incl` and `excl` exclude the shop's rounding of the order as a whole. `by_rate` has each rate
    that bears VAT; a rate that is missing there bears none.
    """

    incl: Decimal | None = None
    excl: Decimal | None = None
    tax: Decimal | None = None
    by_rate: Mapping[Decimal, StatedTax] = field(default_factory=dict)

    def tax_at(self, rate: Decimal | None) -> Decimal | None:
        """Return the VAT at a rate; None if the shop states it for no rate."""
        if not self.by_rate or rate is None:
            return None
        return self.by_rate[rate].tax if rate in self.by_rate else ZERO

    def base_at(self, rate: Decimal | None) -> Decimal | None:
        """Return the base of the VAT at a rate; None if it is not stated.

        A base at 0 % is ignored: only some shops subtract from it what was paid by gift card.
        """
        return self.by_rate[rate].base if rate and rate in self.by_rate else None

    @property
    def known_excl(self) -> Decimal | None:
        """The total without VAT, as stated or as it follows from the other totals."""
        if self.excl is not None or self.tax is None or self.incl is None:
            return self.excl
        return self.incl - self.tax

    @property
    def known_tax(self) -> Decimal | None:
        """The total VAT, as stated or as it follows from the VAT by rate or the other totals."""
        if self.tax is not None:
            return self.tax
        if self.by_rate:
            return sum((row.tax for row in self.by_rate.values()), ZERO)
        return None if self.excl is None or self.incl is None else self.incl - self.excl

    def contradictions(self, sums: Sums) -> Iterator[str]:
        """Yield each of these sums that differs from the lines by more than rounding explains."""
        rates = sums.by_rate.keys() | self.by_rate.keys()
        for rate in sorted((rate for rate in rates if rate is not None), reverse=True):
            if None in sums.by_rate:  # these lines may have any rate
                break
            most = tolerance(sums.counts.get(rate, 0))
            for label, stated, of_lines in (
                ("VAT", self.tax_at(rate), sums.at(rate).tax),
                ("the amount without VAT", self.base_at(rate), sums.at(rate).excl),
            ):
                if stated is not None and abs(stated - of_lines) > most:
                    yield f"{label} at {rate_key(rate)} % is {_compared(stated, of_lines)}"
        total = sums.total
        for label, stated, of_lines in (
            ("total_tax", self.known_tax, total.tax),
            ("total_excl", self.excl, total.excl),
            ("total_incl", self.incl, total.incl),
        ):
            if stated is not None and abs(stated - of_lines) > sums.tolerance:
                yield f"{label} is {_compared(stated, of_lines)}"

    def with_single_rate(self, sums: Sums) -> StatedSums:
        """Return these sums with those by rate added, if only one rate bears VAT."""
        rates = [rate for rate in sums.by_rate if rate != ZERO]
        if self.by_rate or self.known_tax is None or len(rates) != 1 or rates[0] is None:
            return self
        base = self.known_excl if len(sums.by_rate) == 1 else None
        return replace(self, by_rate={rates[0]: StatedTax(base, self.known_tax)})


def _compared(stated: Decimal, of_lines: Decimal) -> str:
    return f"{round_to_ore(stated)}, but the lines come to {round_to_ore(of_lines)}"


def stated_sums(order: Record, rounding: Decimal) -> StatedSums:
    """Return the totals that the shop states for an order, without `rounding`.

    Some shops include `rounding` in `total_excl`.

    Raises:
        Unusable: one is not a number.
    """
    excl, tax, incl = (
        values.amount(order.get(name), label=name)
        for name in ("total_excl", "total_tax", "total_incl")
    )
    if excl is not None and tax is not None and excl + tax == incl:
        excl -= rounding
    if incl is not None:
        incl = round_to_ore(incl) - rounding
    return StatedSums(incl, excl, tax, _taxes(order))


def _taxes(order: Record) -> dict[Decimal, StatedTax]:
    """Return the rows of `taxes` by rate; none at all if one of them lacks its rate or VAT."""
    taxes: dict[Decimal, StatedTax] = {}
    for raw in dicts(order.get("taxes"), label="taxes"):
        rate = values.vat_rate(raw.get("rate"), label="taxes, rate")
        base = values.amount(raw.get("base"), label="taxes, base")
        tax = values.amount(raw.get("amount"), label="taxes, amount")
        if rate is None or tax is None:
            return {}
        previous = taxes.get(rate, StatedTax(ZERO, ZERO))
        total_base = None if base is None or previous.base is None else previous.base + base
        taxes[rate] = StatedTax(total_base, previous.tax + tax)
    return taxes


def vat_faults(sums: Sums) -> Iterator[str]:
    """Yield the rates at which the lines' VAT is not what the rate gives.

    The amounts with and without VAT may have been rounded separately, which doubles the tolerance.
    """
    for rate, amount in sums.by_rate.items():
        if rate is None:
            continue
        due = amount.excl * rate / 100
        if abs(amount.tax - due) > 2 * tolerance(sums.counts[rate]):
            percent = rate_key(rate)
            yield (
                f"its lines at {percent} % have VAT of {round_to_ore(amount.tax)}, but"
                f" {percent} % of {round_to_ore(amount.excl)} is {round_to_ore(due)}"
            )


def adjusted_to_sums(lines: Sequence[OrderLine], stated: StatedSums) -> tuple[OrderLine, ...]:
    """Return the lines in whole øre that add up to the stated sums, by rate and in total.

    No stated sum may differ from the lines by more than rounding.
    """
    sums = sums_of(lines)
    adjusted = list(lines)
    for rate, wanted in _wanted_by_rate(sums, stated.with_single_rate(sums)).items():
        places = [
            place for place, line in enumerate(lines) if line.rate == rate and line.total != NOTHING
        ]
        excl = _rounded_to_sum([lines[place].total.excl for place in places], wanted.excl)
        tax = _rounded_to_sum([lines[place].total.tax for place in places], wanted.tax)
        for place, net, vat in zip(places, excl, tax, strict=True):
            adjusted[place] = _with_total(lines[place], Money(net, vat, net + vat))
        stated_tax = stated.tax_at(rate)
        if stated_tax is not None:
            first = adjusted[places[0]]
            adjusted[places[0]] = replace(first, vat_moved=wanted.tax - round_to_ore(stated_tax))
    return tuple(adjusted)


def _with_total(line: OrderLine, total: Money) -> OrderLine:
    """Return a line that comes to this total, at a price that gives it."""
    if total.excl == line.total.excl:
        return replace(line, total=total)
    price = repriced(line.price, quantity=line.quantity, total_excl=total.excl)
    return replace(line, total=total, price=price)


def _rounded_to_sum(parts: Sequence[Decimal], total: Decimal) -> list[Decimal]:
    """Return parts in whole øre that add up to the total; those nearest the next øre are moved."""
    rounded = [round_to_ore(part) for part in parts]
    missing = total - sum(rounded, ZERO)
    step = ORE.copy_sign(missing)
    order = sorted(
        range(len(parts)), key=lambda n: ((rounded[n] - parts[n]) * step, -abs(parts[n]))
    )
    for turn in range(int(abs(missing) / ORE)):
        rounded[order[turn % len(order)]] += step
    return rounded


def _wanted_by_rate(sums: Sums, stated: StatedSums) -> dict[Decimal | None, Money]:
    """Return what the lines at each rate should come to, in whole øre.

    That is what the shop states for the rate, else what the lines come to. If that misses the
    order's total, the rest was rounded away somewhere, and goes to the least certain amounts.
    """
    of_lines = {rate: _rounded(amount) for rate, amount in sums.by_rate.items()}
    excl = {rate: _or(stated.base_at(rate), amount.excl) for rate, amount in of_lines.items()}
    tax = {rate: _or(stated.tax_at(rate), amount.tax) for rate, amount in of_lines.items()}
    if stated.incl is not None and of_lines:
        if not stated.by_rate and stated.known_excl is not None:
            _add(round_to_ore(stated.known_excl) - sum(excl.values(), ZERO), excl, of_lines)
        missing = stated.incl - sum(excl.values(), ZERO) - sum(tax.values(), ZERO)
        missing = _move_back(missing, tax, {rate: amount.tax for rate, amount in of_lines.items()})
        missing = _move_back(
            missing, excl, {rate: amount.excl for rate, amount in of_lines.items()}
        )
        taxed = {
            rate: amount
            for rate, amount in of_lines.items()
            if amount.tax and stated.tax_at(rate) is None
        }
        if taxed:
            _add(missing, tax, taxed)
        else:
            _add(missing, excl, of_lines)
    return {rate: Money(excl[rate], tax[rate], excl[rate] + tax[rate]) for rate in of_lines}


def _rounded(amount: Money) -> Money:
    excl, incl = round_to_ore(amount.excl), round_to_ore(amount.incl)
    return Money(excl, incl - excl, incl)


def _or(stated: Decimal | None, of_lines: Decimal) -> Decimal:
    return of_lines if stated is None else round_to_ore(stated)


def _move_back(
    missing: Decimal,
    amounts: dict[Decimal | None, Decimal],
    of_lines: Mapping[Decimal | None, Decimal],
) -> Decimal:
    """Move amounts towards what the lines come to, to make up for what is missing.

    Return what is still missing.
    """
    for rate, amount in amounts.items():
        away = of_lines[rate] - amount
        if away * missing > 0:
            moved = min(abs(away), abs(missing)).copy_sign(missing)
            amounts[rate] += moved
            missing -= moved
    return missing


def _add(
    missing: Decimal,
    amounts: dict[Decimal | None, Decimal],
    bearing: Mapping[Decimal | None, Money],
) -> None:
    """Add what is missing to the rates that bear it, an øre each in turn, the largest first."""
    rates = sorted(bearing, key=lambda rate: -abs(bearing[rate].incl))
    for rate, more in zip(rates, _rounded_to_sum([ZERO] * len(rates), missing), strict=True):
        amounts[rate] += more


_MOST_SEPARATE = 3
"""Up to this many discounts are tried separately; more are treated as one."""


@dataclass(frozen=True)
class Discount:
    """An amount with VAT in whole øre, and without VAT if the shop states that; both above zero."""

    incl: Decimal
    excl: Decimal | None
    name: str | None = None

    @property
    def has_no_vat(self) -> bool:
        """Whether both amounts are equal: it has no VAT, or the shop never calculates VAT."""
        return self.excl == self.incl

    def agrees_with(self, shares: ByRate) -> bool:
        """Return whether shares by rate add up to these amounts, within rounding."""
        excl = sum((share.excl for share in shares.values()), ZERO)
        return self.excl is None or abs(excl - self.excl) <= tolerance(len(shares))


def read_discounts(order: Record) -> list[Discount]:
    """Return the discounts on the whole order that its lines do not include yet.

    Raises:
        Unusable: a discount cannot be read, or has no amount.
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
    order: Record, codes: ServiceCodes, lines: Sequence[OrderLine], stated: StatedSums
) -> list[OrderLine]:
    """Return one negative line for each VAT rate that bears the discounts on the order.

    Raises:
        Contradiction: they exceed the order, or no way of taking them off agrees with the sums.
        Unusable: a discount has no amount, or a line has no rate.
    """
    listed = read_discounts(order)
    discounts = [discount for discount in listed if discount.incl]
    if not discounts:
        return []
    names = dict.fromkeys(discount.name for discount in listed if discount.name)
    shares = _shares(discounts, lines, stated)
    return spread_lines(
        "discount", codes.discount, "Rabatt", ", ".join(names) or "Rabatt", len(lines), shares
    )


def describe_assumed_rates(order: Record, lines: Iterable[OrderLine]) -> str | None:
    """Return a sentence about the rates that bear a discount whose VAT is not stated; else None."""
    deductions = [line for line in lines if line.reference.startswith("discount:")]
    stated = [order.get(name) for name in ("total_excl", "total_tax", "taxes")]
    amounts_excl = [
        raw.get("amount_excl") for raw in dicts(order.get("discounts"), label="discounts")
    ]
    if not deductions or any(stated) or all(amounts_excl):
        return None
    return (
        "the shop states no VAT for its discount, which is taken off the goods in proportion:"
        f" {format_deductions(deductions)}; a gift card, or a coupon for some goods only, needs"
        " `taxes` or total_tax"
    )


def _shares(discounts: list[Discount], lines: Sequence[OrderLine], stated: StatedSums) -> ByRate:
    """Return what each VAT rate bears: the first split that agrees with all stated sums."""
    sums = _sums_before(discounts, lines)
    first: list[str] | None = None
    for reading in _readings(discounts, stated):
        for shares in _splits(reading, lines, sums, stated):
            faults = list(stated.contradictions(_less(sums, shares)))
            if not faults:
                return shares
            first = first or faults
    amount = _together(discounts).incl
    reasons = "; ".join(first or ["the discount's own amount without VAT fits none of its rates"])
    raise Contradiction(
        f"the discount of {amount} cannot be taken off in a way that agrees with the order's sums."
        f" Taken off the goods in proportion: {reasons}. Let the shop list in `taxes` each rate"
        " that has VAT left, or correct the sums"
    )


def _sums_before(discounts: Iterable[Discount], lines: Sequence[OrderLine]) -> Sums:
    """Return what the lines come to by rate before the discounts.

    Raises:
        Contradiction: the lines come to less than the discounts.
        Unusable: a line has no rate.
    """
    sums = sums_of(lines)
    amount = sum((discount.incl for discount in discounts), ZERO)
    total = round_to_ore(sums.total.incl)
    if amount > total:
        raise Contradiction(f"the discount is {amount}, but the order comes to {total} before it")
    if None in sums.by_rate:
        raise Unusable(without_rate(lines, "the discount"))
    return sums


def _readings(discounts: list[Discount], stated: StatedSums) -> Iterator[list[Discount]]:
    """Yield the possible readings: equal amounts mean 0 %, or that VAT was never calculated."""
    readings = [discounts]
    if stated.known_tax is not None:
        readings.append(
            [
                replace(discount, excl=None) if discount.has_no_vat else discount
                for discount in discounts
            ]
        )
    for reading in readings:
        yield [_together(reading)] if len(reading) > _MOST_SEPARATE else reading


def _splits(
    discounts: list[Discount], lines: Sequence[OrderLine], sums: Sums, stated: StatedSums
) -> Iterator[ByRate]:
    """Yield ways to take discounts off: as `taxes` imply, in proportion, on one rate, on two."""
    together = _together(discounts)
    by_taxes = _split_by_taxes(together.incl, sums, stated)
    if by_taxes is not None and together.agrees_with(by_taxes):
        yield by_taxes
    options = [
        [split for split in _splits_of_one(discount, lines, sums) if discount.agrees_with(split)]
        for discount in discounts
    ]
    for chosen in itertools.product(*options):
        yield sum_by(share for split in chosen for share in split.items())
    on_two_rates = _split_on_two_rates(together.incl, sums, stated)
    if on_two_rates is not None and together.agrees_with(on_two_rates):
        yield on_two_rates


def _together(discounts: list[Discount]) -> Discount:
    amounts_excl = [discount.excl for discount in discounts if discount.excl is not None]
    excl = sum(amounts_excl, ZERO) if len(amounts_excl) == len(discounts) else None
    return Discount(sum((discount.incl for discount in discounts), ZERO), excl)


def _split_by_taxes(amount: Decimal, sums: Sums, stated: StatedSums) -> ByRate | None:
    """Return by how much each rate exceeds what `taxes` state is left of it; 0 % bears the rest.

    None if `taxes` lack the bases, or if the differences do not add up to the amount.
    """
    if not stated.by_rate or any(rate and stated.base_at(rate) is None for rate in stated.by_rate):
        return None
    shares: ByRate = {}
    for rate, before in sums.by_rate.items():
        if rate:
            base, tax = stated.base_at(rate) or ZERO, stated.tax_at(rate) or ZERO
            excess = before - Money(base, tax, base + tax)
            if abs(excess.incl) > tolerance(sums.counts[rate]):
                excl, tax = round_to_ore(excess.excl), round_to_ore(excess.tax)
                shares[rate] = Money(excl, tax, excl + tax)
    rest = amount - sum((share.incl for share in shares.values()), ZERO)
    if abs(rest) > sums.tolerance:
        shares[ZERO] = Money(rest, ZERO, rest)
    elif not shares:
        return None
    else:
        largest = max(shares, key=lambda rate: shares[rate].incl)
        shares[largest] += Money(rest, ZERO, rest)
    return shares if all(share.incl > 0 for share in shares.values()) else None


def _splits_of_one(discount: Discount, lines: Sequence[OrderLine], sums: Sums) -> Iterator[ByRate]:
    """Yield ways to take one discount off: over the goods, over all lines, on one rate."""
    amount = discount.incl
    goods = sums_of(line for line in lines if line.is_goods)
    for bearing in (goods, sums):
        if amount <= bearing.total.incl:
            yield _in_proportion(amount, bearing)
    for rate in sorted({*sums.by_rate, ZERO}, reverse=True, key=lambda rate: rate or ZERO):
        if rate is not None and (not rate or amount <= sums.at(rate).incl + ORE):
            yield {rate: with_vat_of(amount, rate)}


def _in_proportion(amount: Decimal, bearing: Sums) -> ByRate:
    """Return an amount split in proportion; the øre left over go to the largest rate's share."""
    total = bearing.total.incl
    bounds = {rate: money.incl for rate, money in bearing.by_rate.items() if rate is not None}
    parts = {rate: round_to_ore(amount * bound / total) for rate, bound in bounds.items()}
    largest = max(parts, key=lambda rate: (bounds[rate], rate))
    parts[largest] += amount - sum(parts.values(), ZERO)
    return {rate: with_vat_of(part, rate) for rate, part in parts.items() if part}


def _split_on_two_rates(amount: Decimal, sums: Sums, stated: StatedSums) -> ByRate | None:
    """Return the split between the order's only two rates that gives the stated VAT."""
    rates = sorted((rate for rate in sums.by_rate if rate is not None), reverse=True)
    if len(rates) != 2 or stated.known_tax is None:
        return None
    high, low = rates
    wanted = sums.total.tax - stated.known_tax
    part = (wanted - amount * low / (100 + low)) / (high / (100 + high) - low / (100 + low))
    parts = {high: round_to_ore(part), low: amount - round_to_ore(part)}
    if any(not 0 <= part <= sums.at(rate).incl + ORE for rate, part in parts.items()):
        return None
    return {rate: with_vat_of(part, rate) for rate, part in parts.items()}


def _less(sums: Sums, shares: ByRate) -> Sums:
    deductions = [(rate, -share) for rate, share in shares.items()]
    by_rate = sum_by([*sums.by_rate.items(), *deductions])
    return Sums(by_rate, Counter(sums.counts) + Counter(shares.keys()))
