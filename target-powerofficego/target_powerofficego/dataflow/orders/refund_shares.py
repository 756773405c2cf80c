"""Which VAT rates bear the part of a refund that is not for the lines that it names; pure.

What the shop says about a refund's VAT is followed. Else it is a price reduction of the goods.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import (
    NOTHING,
    ZERO,
    Money,
    sum_by,
    with_vat_of,
)
from target_powerofficego.dataflow.orders.lines import (
    CHARGES,
    ByRate,
    OrderLine,
    by_rate,
    dicts,
    total_incl,
    without_rate,
)
from target_powerofficego.dataflow.orders.sums import tolerance
from target_powerofficego.dataflow.values import Contradiction, Unusable, rate_key, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record

_Key = TypeVar("_Key")
_DISCOUNT = "discount:"
_ROUNDING = "rounding"
_NOT_SOLD = (_DISCOUNT, "refund:", _ROUNDING)


@dataclass(frozen=True)
class StatedVat:
    """What the shop says about a refund's VAT: its amount without VAT, its VAT, both by rate.

    `tax` is None where no VAT is given; `by_rate` is empty unless what was paid back is given for
    each rate.
    """

    excl: Decimal | None = None
    tax: Decimal | None = None
    by_rate: tuple[tuple[Decimal, Money], ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether anything is given."""
        return self.excl is not None or self.tax is not None

    @property
    def incl(self) -> Decimal | None:
        """The refund's amount with VAT, where that follows from what is given."""
        if self.by_rate:
            return sum((one.incl for _, one in self.by_rate), ZERO)
        return None if self.excl is None or self.tax is None else self.excl + self.tax


VAT_NOT_STATED = StatedVat()


def read_vat(raw: Record, label: str) -> StatedVat:
    """Return what a refund says about its VAT; the signs of the shop's amounts do not matter.

    Raises:
        Unusable: it cannot be read, or a tax lacks its rate.
    """
    excl = positive(raw.get("amount_excl"), f"{label}, amount_excl")
    found: ByRate = {}
    is_complete = True
    for number, one in enumerate(dicts(raw.get("taxes"), label=f"{label}, taxes"), start=1):
        name = f"{label}, tax {number}"
        base = positive(one.get("base"), f"{name}, base")
        tax = positive(one.get("amount"), f"{name}, amount") or ZERO
        if not base and not tax:
            continue
        rate = values.vat_rate(one.get("rate"), label=f"{name}, rate")
        if rate is None:
            raise Unusable(f"{name} has no rate")
        is_complete = is_complete and base is not None
        told = Money(base or ZERO, tax, (base or ZERO) + tax)
        found[rate] = found.get(rate, NOTHING) + told
    tax_sum = sum((one.tax for one in found.values()), ZERO) if found else None
    return StatedVat(excl, tax_sum, tuple(sorted(found.items())) if is_complete else ())


def positive(value: object, label: str) -> Decimal | None:
    """Return an amount that was paid back; its sign in the shop does not matter."""
    amount = values.amount(value, label=label)
    return None if amount is None else round_to_ore(abs(amount))


def split(amount: Decimal, bounds: Mapping[_Key, Decimal]) -> dict[_Key, Decimal]:
    """Return an amount in whole øre split in proportion to bounds, each part within its own.

    The bounds are above zero, and together no less than the amount. The øre left over go to the
    largest, or to the last of several equally large.
    """
    parts = dict.fromkeys(bounds, ZERO)
    left, room = amount, sum(bounds.values(), ZERO)
    for key in sorted(bounds, key=bounds.__getitem__):
        parts[key] = round_to_ore(left * bounds[key] / room)
        left, room = left - parts[key], room - bounds[key]
    return parts


def refund_shares(
    amount: Decimal,
    left: Collection[OrderLine],
    lowest: Mapping[Decimal, Decimal],
    label: str,
) -> ByRate:
    """Return what each VAT rate bears of an amount with VAT that is for no line in particular.

    If the amount is all that is left, each rate bears all it has. Else the goods bear it in
    proportion to what is left of them, or all lines do if it exceeds the goods; no rate bears more
    than it has left. A rate already below its floor gets back what it lacks, and the others bear
    that as well: for goods that came back, more may have been taken than earlier refunds left at
    their rate.

    Raises:
        Unusable: it cannot be split because a line has no rate.
    """
    known = by_rate(left)
    if known is None:
        if amount:
            raise Unusable(without_rate(left, label))
        return {}
    there = {rate: one.incl for rate, one in known.items()}
    if amount == sum(there.values(), ZERO):
        return {rate: with_vat_of(one, rate) for rate, one in there.items()}
    lacking = {rate: max(lowest.get(rate, ZERO) - one, ZERO) for rate, one in there.items()}
    wanted = amount + sum(lacking.values(), ZERO)
    bearing = _bearing(wanted, left, there)
    parts = split(wanted, bearing)
    return {rate: with_vat_of(parts.get(rate, ZERO) - lack, rate) for rate, lack in lacking.items()}


def _bearing(
    wanted: Decimal, left: Collection[OrderLine], there: Mapping[Decimal, Decimal]
) -> dict[Decimal, Decimal]:
    """Return what each VAT rate has left to bear an amount: in goods, if those suffice."""
    goods = by_rate(one for one in left if not _is_spared(one)) or {}
    bearing = _above_zero({rate: min(one.incl, there[rate]) for rate, one in goods.items()})
    return bearing if wanted <= sum(bearing.values(), ZERO) else _above_zero(there)


def _above_zero(amounts: Mapping[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    return {rate: one for rate, one in sorted(amounts.items()) if one > 0}


def _is_spared(line: OrderLine) -> bool:
    return line.is_gift_card or line.reference.startswith((*CHARGES, _ROUNDING))


def discount_shares(
    left: Collection[OrderLine], taken: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Return how much of each discount on the whole order goes too, with VAT, by reference.

    The fraction is that taken of what bears the discount: the goods at its rate, together with the
    charges at that rate if it exceeds those goods, else everything. A negative rounding of the
    whole order goes with the last of the order. `taken` is with VAT, by line reference.
    """
    found = {}
    for discount in left:
        if not discount.reference.startswith((_DISCOUNT, _ROUNDING)) or discount.total.incl >= 0:
            continue
        amount = -discount.total.incl
        bearing = _bearing_discount(left, discount)
        of_it = sum((taken.get(one.reference, ZERO) for one in bearing), ZERO)
        whole = total_incl(bearing)
        is_partial = of_it < whole
        if of_it > 0 and not (is_partial and discount.reference.startswith(_ROUNDING)):
            found[discount.reference] = min(round_to_ore(amount * of_it / whole), amount)
    return {reference: one for reference, one in found.items() if one}


def _bearing_discount(left: Iterable[OrderLine], discount: OrderLine) -> Sequence[OrderLine]:
    sold = [one for one in left if not one.reference.startswith(_NOT_SOLD)]
    goods = [one for one in sold if not _is_spared(one)]
    if discount.reference.startswith(_ROUNDING):
        return sold
    at_its_rate = [[one for one in lines if one.rate == discount.rate] for lines in (goods, sold)]
    for bearing in (*at_its_rate, goods):
        if total_incl(bearing) >= -discount.total.incl:
            return bearing
    return sold


def shares_by_stated_vat(
    vat: StatedVat,
    rest: Decimal,
    before: Collection[OrderLine],
    left: Collection[OrderLine],
    lowest: Mapping[Decimal, Decimal],
    label: str,
) -> ByRate:
    """Return what each VAT rate bears of an amount for no line, in line with the VAT given for it.

    `before` are the lines before the refund, `left` those after what it names was taken.

    Raises:
        Contradiction: no split agrees with that VAT within rounding.
        Unusable: it cannot be split because a line has no rate.
    """
    had, room = by_rate(before), by_rate(left)
    if had is None or room is None:
        raise Unusable(without_rate((*before, *left), label))
    named = {rate: gone for rate, one in had.items() if (gone := one - room[rate]) != NOTHING}
    counts = Counter(one.rate for one in before if one.total.incl)
    told = _told_sums(vat, rest + _whole(named).incl, counts, label)
    changed = Counter(
        now.rate for was, now in zip(before, left, strict=True) if was.total != now.total
    )
    tried = [refund_shares(rest, left, lowest, label)]
    if not told.by_rate:
        tried += _splits(rest, room, told.tax - _whole(named).tax)
    elif rest != _whole(room).incl:
        tried = [_as_told(told, named, rest, changed)]
        _check_room(tried[0], room, label)
    for tolerated in (changed, counts):  # the shop may have rounded VAT on lines not named
        for shares in tried:
            if _fits(shares, room) and told.is_true(together(named, shares), tolerated):
                return shares
    raise Contradiction(told.contradicted_by(together(named, tried[0]), label))


@dataclass(frozen=True)
class _ToldSums:
    """What a refund comes to, with VAT, and the VAT that the shop gives for it.

    `by_rate` is what it comes to at each rate, if that is given.
    """

    amount: Decimal
    tax: Decimal
    by_rate: Mapping[Decimal, Money]

    def is_true(self, taken: Mapping[Decimal, Money], counts: Mapping[Decimal | None, int]) -> bool:
        """Return whether the sums taken at each rate match these, within the lines' rounding."""
        rates = {*taken, *self.by_rate}
        most = {rate: tolerance(counts.get(rate, 0) + 1) for rate in rates}
        off = {
            rate: taken.get(rate, NOTHING) - self.by_rate.get(rate, NOTHING)
            for rate in (rates if self.by_rate else ())
        }
        is_true_by_rate = all(
            abs(one.tax) <= most[rate] and abs(one.incl) <= most[rate] for rate, one in off.items()
        )
        return is_true_by_rate and abs(_whole(taken).tax - self.tax) <= sum(most.values(), ZERO)

    def contradicted_by(self, taken: Mapping[Decimal, Money], label: str) -> str:
        """Say what the shop gives, and what is taken from the order."""
        told = _in_words(self.by_rate) if self.by_rate else f"{self.tax}"
        return (
            f"{label} is {self.amount} with VAT of {told} by what the shop tells of it, but what it"
            f" takes back has VAT of {_in_words(taken)}"
        )


def _told_sums(
    vat: StatedVat, amount: Decimal, counts: Mapping[Decimal | None, int], label: str
) -> _ToldSums:
    """Return the sums given for a refund; what no tax covers is at 0 %.

    Raises:
        Contradiction: the amount without VAT, the taxes and the amount do not add up.
    """
    told = dict(vat.by_rate)
    rates = told or counts
    most = sum((tolerance(counts.get(rate, 0) + 1) for rate in rates), ZERO)
    rest = amount - _whole(told).incl
    if told and ZERO not in told and rest > most:
        told[ZERO] = Money(rest, ZERO, rest)
    elif told and abs(rest) > most:
        raise Contradiction(
            f"{label} is {amount}, but its taxes come to {_whole(told).incl} with what they are of"
        )
    of_amount = None if vat.excl is None else amount - vat.excl
    taxes = [one for one in (vat.tax, of_amount) if one is not None]
    if abs(taxes[0] - taxes[-1]) > most:
        raise Contradiction(
            f"{label} is {amount} and {vat.excl} without VAT, but its taxes come to {vat.tax}"
        )
    return _ToldSums(amount, taxes[0], told)


def _as_told(
    told: _ToldSums, named: ByRate, rest: Decimal, changed: Mapping[Decimal | None, int]
) -> ByRate:
    """Return what is given for each rate less what is taken there, apart from rounding differences.

    Where more was taken at a rate than is given for it, no share can make the two agree.
    """
    shares = {
        rate: told.by_rate.get(rate, NOTHING).incl - named.get(rate, NOTHING).incl
        for rate in {*told.by_rate, *named}
    }
    wanted = {
        rate: one for rate, one in shares.items() if abs(one) > tolerance(changed.get(rate, 0))
    }
    if any(one < 0 for one in wanted.values()):
        return {}
    if rest and not wanted:
        wanted = {max(shares, key=shares.__getitem__): rest}
    if wanted:
        wanted[max(wanted, key=wanted.__getitem__)] += rest - sum(wanted.values(), ZERO)
    return {rate: with_vat_of(one, rate) for rate, one in wanted.items()}


def _splits(rest: Decimal, room: ByRate, tax: Decimal) -> Iterator[ByRate]:
    """Yield ways to split an amount: over all rates, on one, or on two so that it has this VAT."""
    there = _above_zero({rate: one.incl for rate, one in room.items()})
    if not rest:
        yield {}
        return
    if rest <= sum(there.values(), ZERO):
        yield {rate: with_vat_of(one, rate) for rate, one in split(rest, there).items()}
    for rate in {*there, ZERO}:
        yield {rate: with_vat_of(rest, rate)}
    if len(there) == 2:
        low, high = there
        in_low, in_high = (rate / (100 + rate) for rate in (low, high))
        part = round_to_ore((tax - rest * in_low) / (in_high - in_low))
        if 0 <= part <= rest:
            yield {low: with_vat_of(rest - part, low), high: with_vat_of(part, high)}


def _fits(shares: ByRate, room: ByRate) -> bool:
    """Return whether no rate bears more than it has left; at 0 % it may, as no VAT is involved."""
    return all(
        not rate or one.incl <= max(room.get(rate, NOTHING).incl, ZERO)
        for rate, one in shares.items()
    )


def _check_room(shares: ByRate, room: ByRate, label: str) -> None:
    for rate, one in shares.items():
        if not _fits({rate: one}, room):
            there = room.get(rate, NOTHING).incl
            msg = f"{label} takes {one.incl} at {rate_key(rate)} % by its taxes"
            raise Contradiction(f"{msg}, but the order has {there} left at that rate")


def together(some: Mapping[Decimal, Money], more: Mapping[Decimal, Money]) -> ByRate:
    """Return the sum of both at each rate."""
    return sum_by([*some.items(), *more.items()])


def _whole(sums: Mapping[Decimal, Money]) -> Money:
    return sum(sums.values(), NOTHING)


def _in_words(sums: Mapping[Decimal, Money]) -> str:
    told = [
        f"{one.tax} at {rate_key(rate)} %"
        for rate, one in sorted(sums.items(), reverse=True)
        if rate
    ]
    return " and ".join(told) or f"{ZERO:.2f}"
