"""Which VAT rates bear the part of a refund that is for no line in particular; pure.

If the shop states the refund's VAT, that decides. Otherwise it is a price reduction of the goods.
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
_DEDUCTIONS = (_DISCOUNT, "refund:", _ROUNDING)


@dataclass(frozen=True)
class StatedVat:
    """What the shop states of a refund's VAT: the amount without VAT, the VAT, and both by rate.

    `tax` is None if no VAT is stated; `by_rate` is empty unless it is stated what was paid back at
    each rate.
    """

    excl: Decimal | None = None
    tax: Decimal | None = None
    by_rate: tuple[tuple[Decimal, Money], ...] = ()

    def __repr__(self) -> str:
        """Return it by its earlier name, which the stored marks of credit notes depend on."""
        return f"ToldVat(excl={self.excl!r}, tax={self.tax!r}, by_rate={self.by_rate!r})"

    @property
    def is_stated(self) -> bool:
        """Whether the shop states anything of it."""
        return self.excl is not None or self.tax is not None

    @property
    def incl(self) -> Decimal | None:
        """The refund's amount with VAT, if that follows from what is stated."""
        if self.by_rate:
            return sum((money.incl for _, money in self.by_rate), ZERO)
        return None if self.excl is None or self.tax is None else self.excl + self.tax


VAT_NOT_STATED = StatedVat()


def read_vat(raw: Record, label: str) -> StatedVat:
    """Return what the shop states of a refund's VAT; the signs of its amounts do not matter.

    Raises:
        Unusable: it cannot be read, or a tax lacks its rate.
    """
    excl = positive(raw.get("amount_excl"), f"{label}, amount_excl")
    by_rate: ByRate = {}
    is_complete = True
    for number, row in enumerate(dicts(raw.get("taxes"), label=f"{label}, taxes"), start=1):
        row_label = f"{label}, tax {number}"
        base = positive(row.get("base"), f"{row_label}, base")
        tax = positive(row.get("amount"), f"{row_label}, amount") or ZERO
        if not base and not tax:
            continue
        rate = values.vat_rate(row.get("rate"), label=f"{row_label}, rate")
        if rate is None:
            raise Unusable(f"{row_label} has no rate")
        is_complete = is_complete and base is not None
        money = Money(base or ZERO, tax, (base or ZERO) + tax)
        by_rate[rate] = by_rate.get(rate, NOTHING) + money
    tax_sum = sum((money.tax for money in by_rate.values()), ZERO) if by_rate else None
    return StatedVat(excl, tax_sum, tuple(sorted(by_rate.items())) if is_complete else ())


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

    If the amount is all that is left, each rate bears all it has. Otherwise the goods bear it in
    proportion to what is left of them, or all lines do if it exceeds the goods; no rate bears more
    than it has left. A rate that is below its floor gets back what it lacks, and the others bear
    that as well: goods that came back may have taken more than earlier refunds left at their rate.

    Raises:
        Unusable: it cannot be split because a line has no rate.
    """
    sums = by_rate(left)
    if sums is None:
        if amount:
            raise Unusable(without_rate(left, label))
        return {}
    room = {rate: money.incl for rate, money in sums.items()}
    if amount == sum(room.values(), ZERO):
        return {rate: with_vat_of(incl, rate) for rate, incl in room.items()}
    lacking = {rate: max(lowest.get(rate, ZERO) - incl, ZERO) for rate, incl in room.items()}
    wanted = amount + sum(lacking.values(), ZERO)
    parts = split(wanted, _bearing(wanted, left, room))
    return {rate: with_vat_of(parts.get(rate, ZERO) - lack, rate) for rate, lack in lacking.items()}


def _bearing(
    wanted: Decimal, left: Collection[OrderLine], room: Mapping[Decimal, Decimal]
) -> dict[Decimal, Decimal]:
    """Return what each VAT rate has left to bear an amount: in goods, if those suffice."""
    goods = by_rate(line for line in left if not _is_spared(line)) or {}
    bearing = _above_zero({rate: min(money.incl, room[rate]) for rate, money in goods.items()})
    return bearing if wanted <= sum(bearing.values(), ZERO) else _above_zero(room)


def _above_zero(amounts: Mapping[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    return {rate: amount for rate, amount in sorted(amounts.items()) if amount > 0}


def _is_spared(line: OrderLine) -> bool:
    """Return whether price reductions are not taken off a line: gift cards, charges, rounding."""
    return line.is_gift_card or line.reference.startswith((*CHARGES, _ROUNDING))


def discount_shares(
    left: Collection[OrderLine], refunded: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Return how much of each discount on the order goes with refunded lines, by its reference.

    That is the fraction that is refunded of what bears the discount: of the goods at its rate, or
    of the goods and charges at that rate if it exceeds the goods, or of everything. A negative
    rounding of the order goes with the last of the order. All amounts are with VAT; `refunded` is
    by line reference.
    """
    shares = {}
    for discount in left:
        if not discount.reference.startswith((_DISCOUNT, _ROUNDING)) or discount.total.incl >= 0:
            continue
        amount = -discount.total.incl
        bearing = _bearing_discount(left, discount)
        part = sum((refunded.get(line.reference, ZERO) for line in bearing), ZERO)
        total = total_incl(bearing)
        is_partial = part < total
        if part > 0 and not (is_partial and discount.reference.startswith(_ROUNDING)):
            shares[discount.reference] = min(round_to_ore(amount * part / total), amount)
    return {reference: share for reference, share in shares.items() if share}


def _bearing_discount(left: Iterable[OrderLine], discount: OrderLine) -> Sequence[OrderLine]:
    sold = [line for line in left if not line.reference.startswith(_DEDUCTIONS)]
    goods = [line for line in sold if not _is_spared(line)]
    if discount.reference.startswith(_ROUNDING):
        return sold
    at_its_rate = [
        [line for line in lines if line.rate == discount.rate] for lines in (goods, sold)
    ]
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
    """Return what each VAT rate bears of an amount for no line, by the VAT stated for the refund.

    `before` are the lines before the refund, `left` those less what it names.

    Raises:
        Contradiction: no split agrees with that VAT within rounding.
        Unusable: it cannot be split because a line has no rate.
    """
    had, room = by_rate(before), by_rate(left)
    if had is None or room is None:
        raise Unusable(without_rate((*before, *left), label))
    named = {rate: part for rate, sums in had.items() if (part := sums - room[rate]) != NOTHING}
    counts = Counter(line.rate for line in before if line.total.incl)
    stated = _stated_sums(vat, rest + _total(named).incl, counts, label)
    changed = Counter(
        after.rate for line, after in zip(before, left, strict=True) if line.total != after.total
    )
    candidates = [refund_shares(rest, left, lowest, label)]
    if not stated.by_rate:
        candidates += _splits(rest, room, stated.tax - _total(named).tax)
    elif rest != _total(room).incl:
        candidates = [_split_as_stated(stated, named, rest, changed)]
        _require_room(candidates[0], room, label)
    for tolerated in (changed, counts):  # the shop may have rounded VAT on lines not named
        for shares in candidates:
            if _fits(shares, room) and stated.agree_with(together(named, shares), tolerated):
                return shares
    raise Contradiction(stated.contradiction(together(named, candidates[0]), label))


@dataclass(frozen=True)
class _RefundSums:
    """What a refund comes to, with VAT, and the VAT that the shop states for it.

    `by_rate` is what it comes to at each rate, if that is stated.
    """

    amount: Decimal
    tax: Decimal
    by_rate: Mapping[Decimal, Money]

    def agree_with(
        self, deducted: Mapping[Decimal, Money], counts: Mapping[Decimal | None, int]
    ) -> bool:
        """Return whether what is deducted at each rate equals these sums, within rounding."""
        rates = {*deducted, *self.by_rate}
        most = {rate: tolerance(counts.get(rate, 0) + 1) for rate in rates}
        differences = {
            rate: deducted.get(rate, NOTHING) - self.by_rate.get(rate, NOTHING)
            for rate in (rates if self.by_rate else ())
        }
        agree_by_rate = all(
            abs(difference.tax) <= most[rate] and abs(difference.incl) <= most[rate]
            for rate, difference in differences.items()
        )
        return agree_by_rate and abs(_total(deducted).tax - self.tax) <= sum(most.values(), ZERO)

    def contradiction(self, deducted: Mapping[Decimal, Money], label: str) -> str:
        """Return a sentence with the VAT that the shop states and that of what is deducted."""
        stated = _format_vat(self.by_rate) if self.by_rate else f"{self.tax}"
        return (
            f"the shop states that {label} is {self.amount} with VAT of {stated}, but what is taken"
            f" off the order has VAT of {_format_vat(deducted)}"
        )


def _stated_sums(
    vat: StatedVat, amount: Decimal, counts: Mapping[Decimal | None, int], label: str
) -> _RefundSums:
    """Return the sums stated for a refund; what its taxes do not cover is at 0 %.

    Raises:
        Contradiction: the amount without VAT, the taxes and the amount do not add up.
    """
    stated = dict(vat.by_rate)
    rates = stated or counts
    most = sum((tolerance(counts.get(rate, 0) + 1) for rate in rates), ZERO)
    rest = amount - _total(stated).incl
    if stated and ZERO not in stated and rest > most:
        stated[ZERO] = Money(rest, ZERO, rest)
    elif stated and abs(rest) > most:
        raise Contradiction(
            f"{label} is {amount}, but its taxes come to {_total(stated).incl} with their bases"
        )
    of_amount = None if vat.excl is None else amount - vat.excl
    taxes = [tax for tax in (vat.tax, of_amount) if tax is not None]
    if abs(taxes[0] - taxes[-1]) > most:
        raise Contradiction(
            f"{label} is {amount} and {vat.excl} without VAT, but its taxes come to {vat.tax}"
        )
    return _RefundSums(amount, taxes[0], stated)


def _split_as_stated(
    stated: _RefundSums, named: ByRate, rest: Decimal, changed: Mapping[Decimal | None, int]
) -> ByRate:
    """Return what is stated for each rate less what the named lines take; no rounding differences.

    Empty if the lines take more at a rate than is stated for it: then no share makes them agree.
    """
    shares = {
        rate: stated.by_rate.get(rate, NOTHING).incl - named.get(rate, NOTHING).incl
        for rate in {*stated.by_rate, *named}
    }
    wanted = {
        rate: share
        for rate, share in shares.items()
        if abs(share) > tolerance(changed.get(rate, 0))
    }
    if any(share < 0 for share in wanted.values()):
        return {}
    if rest and not wanted:
        wanted = {max(shares, key=shares.__getitem__): rest}
    if wanted:
        wanted[max(wanted, key=wanted.__getitem__)] += rest - sum(wanted.values(), ZERO)
    return {rate: with_vat_of(share, rate) for rate, share in wanted.items()}


def _splits(rest: Decimal, room: ByRate, tax: Decimal) -> Iterator[ByRate]:
    """Yield ways to split an amount: over all rates, on one, or on two so that it has this VAT."""
    bounds = _above_zero({rate: money.incl for rate, money in room.items()})
    if not rest:
        yield {}
        return
    if rest <= sum(bounds.values(), ZERO):
        yield {rate: with_vat_of(part, rate) for rate, part in split(rest, bounds).items()}
    for rate in {*bounds, ZERO}:
        yield {rate: with_vat_of(rest, rate)}
    if len(bounds) == 2:
        low, high = bounds
        in_low, in_high = (rate / (100 + rate) for rate in (low, high))
        part = round_to_ore((tax - rest * in_low) / (in_high - in_low))
        if 0 <= part <= rest:
            yield {low: with_vat_of(rest - part, low), high: with_vat_of(part, high)}


def _fits(shares: ByRate, room: ByRate) -> bool:
    """Return whether no rate bears more than it has left; at 0 % it may, as no VAT is involved."""
    return all(
        not rate or share.incl <= max(room.get(rate, NOTHING).incl, ZERO)
        for rate, share in shares.items()
    )


def _require_room(shares: ByRate, room: ByRate, label: str) -> None:
    for rate, share in shares.items():
        if not _fits({rate: share}, room):
            raise Contradiction(
                f"{label} takes {share.incl} at {rate_key(rate)} % by its taxes, but the order has"
                f" {room.get(rate, NOTHING).incl} left at that rate"
            )


def together(some: Mapping[Decimal, Money], more: Mapping[Decimal, Money]) -> ByRate:
    """Return the sum of both at each rate."""
    return sum_by([*some.items(), *more.items()])


def _total(sums: Mapping[Decimal, Money]) -> Money:
    return sum(sums.values(), NOTHING)


def _format_vat(sums: Mapping[Decimal, Money]) -> str:
    parts = [
        f"{money.tax} at {rate_key(rate)} %"
        for rate, money in sorted(sums.items(), reverse=True)
        if rate
    ]
    return " and ".join(parts) or f"{ZERO:.2f}"
