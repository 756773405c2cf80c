"""Amounts of a line, and the price and allowance from which Go calculates them, to the øre.

PowerOffice Go calculates a line as quantity × price × (1 − allowance / 100), rounded to øre, and
adds VAT by the product's sales account; VAT cannot be sent. So price and allowance are chosen such
that Go's own rounding gives the shop's amount.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, TypeVar

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.values import Unusable, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from target_powerofficego.dataflow.table import Record

ORE = Decimal("0.01")
ZERO = Decimal(0)
_MOST_PRICE_DECIMALS = 8
_LARGEST_PRICE = Decimal(10) ** 15
_MOST_ALLOWANCE_DECIMALS = 2
_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Money:
    """An amount in the order's currency: without VAT, its VAT, and with VAT.

    Amounts read from a line are as exact as the shop gives them; those of the resulting order are
    in whole øre.
    """

    excl: Decimal
    tax: Decimal
    incl: Decimal

    def __add__(self, other: Money) -> Money:
        """Return the sum of both."""
        return Money(self.excl + other.excl, self.tax + other.tax, self.incl + other.incl)

    def __sub__(self, other: Money) -> Money:
        """Return the difference."""
        return self + -other

    def __neg__(self) -> Money:
        """Return the amount with its sign reversed."""
        return Money(-self.excl, -self.tax, -self.incl)


NOTHING = Money(ZERO, ZERO, ZERO)


def sum_by(amounts: Iterable[tuple[_Key, Money]]) -> dict[_Key, Money]:
    """Return the sums of amounts by their key, such as a VAT rate."""
    sums: dict[_Key, Money] = {}
    for key, amount in amounts:
        sums[key] = sums.get(key, NOTHING) + amount
    return sums


def with_vat_of(incl: Decimal, rate: Decimal) -> Money:
    """Split an amount with VAT, in whole øre, by a VAT rate in percent."""
    excl = round_to_ore(incl / (1 + rate / 100))
    return Money(excl, incl - excl, incl)


NORWEGIAN_RATES = (Decimal(25), Decimal(15), Decimal(12), Decimal("11.11"), ZERO)
"""In percent; source: Skatteetaten, satser for merverdiavgift."""


@dataclass(frozen=True)
class Rates:
    """The VAT rates in percent from which one is chosen where the shop gives none.

    `known` are the merchant's, `listed` those in the order's `taxes`.
    """

    known: Collection[Decimal]
    listed: Collection[Decimal] = ()

    def infer(self, total: Money, label: str) -> Decimal | None:
        """Return the only rate that fits the amounts with and without VAT; None if both are 0.

        Raises:
            Unusable: none fits, or several do and the order's `taxes` do not decide which.
        """
        if total == NOTHING:
            return None
        fitting = [rate for rate in self.known if _fits(rate, total)]
        if len(fitting) > 1:
            fitting = [rate for rate in fitting if rate in self.listed] or fitting
        if len(fitting) == 1:
            return fitting[0]
        rates = ", ".join(format(rate.normalize(), "f") for rate in fitting or self.known)
        raise Unusable(
            f"{label} has no tax_rate, and VAT of {total.tax} on {total.excl} fits"
            f" {'several' if fitting else 'none'} of the rates {rates} %: let the shop send"
            " tax_rate"
        )


def _fits(rate: Decimal, total: Money) -> bool:
    """Return whether an amount may be at this rate, rounded both with and without VAT."""
    factor = 1 + rate / 100
    return abs(total.excl * factor - total.incl) <= ORE / 2 * (factor + 1)


@dataclass(frozen=True)
class Price:
    """What is sent as a line's price: kroner per unit without VAT, and the discount in percent."""

    unit_price: Decimal
    allowance: Decimal


def choose_price(
    *, quantity: Decimal, total_excl: Decimal, unit_price: Decimal | None, discount: Decimal
) -> Price:
    """Choose price and allowance so that Go's line sum rounds to `total_excl`.

    `discount` is the part taken off, between 0 and 1. A discount that is a percentage of at most
    two decimals off the shop's own unit price becomes the allowance; that price is kept if it is
    exact, and otherwise moves by less than an øre. Any other discount goes into the price. The
    price has only the decimals that it needs to be exact, because it is not known how many
    PowerOffice Go keeps.

    Raises:
        Unusable: no price gives the amount (a quantity of 0 with an amount).
    """
    allowances = [
        allowance
        for allowance in _allowances(discount)
        if not allowance
        or unit_price is None
        or _gives_total(allowance, quantity * unit_price, quantity, total_excl)
    ]
    return _exact_price(quantity, total_excl, unit_price, allowances)


def repriced(price: Price, *, quantity: Decimal, total_excl: Decimal) -> Price:
    """Return the price at which a line comes to another amount; unchanged if it gives that too.

    Raises:
        Unusable: no price gives the amount.
    """
    allowances = _allowances(price.allowance / 100)
    return _exact_price(quantity, total_excl, price.unit_price, allowances)


def _gives_total(allowance: Decimal, full: Decimal, quantity: Decimal, total_excl: Decimal) -> bool:
    """Return whether an allowance off the full amount gives the total, within rounding.

    The total is rounded, and so is a unit price that was calculated from one with VAT.
    """
    factor = 1 - allowance / 100
    return abs(full * factor - total_excl) <= ORE + ORE / 2 * abs(quantity) * factor


def _exact_price(
    quantity: Decimal,
    total_excl: Decimal,
    unit_price: Decimal | None,
    allowances: Collection[Decimal],
) -> Price:
    """Return the first price and allowance that give the amount, at this unit price if possible."""
    if quantity == 0:
        if total_excl:
            raise Unusable(f"a quantity of 0 cannot come to {total_excl}")
        return Price(unit_price or ZERO, ZERO)
    given = [] if unit_price is None else [Price(unit_price, percent) for percent in allowances]
    for price in itertools.chain(given, _prices_leaving(total_excl / quantity, allowances)):
        if round_to_ore(quantity * price.unit_price * (1 - price.allowance / 100)) == total_excl:
            return price
    raise Unusable(f"no unit price makes {quantity} come to {total_excl}")


def _allowances(discount: Decimal) -> list[Decimal]:
    """Return the percentages to try: the discount with 0, 1 and 2 decimals, and finally zero.

    A surcharge, or a discount above the full price, goes into the price.
    """
    if not 0 < discount <= 1:
        return [ZERO]
    percentages = [
        (discount * 100).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        for places in range(_MOST_ALLOWANCE_DECIMALS + 1)
    ]
    tolerance = Decimal("0.05")
    near = [percent for percent in percentages if abs(percent - discount * 100) <= tolerance]
    return [*near, ZERO]


def _prices_leaving(unit_amount: Decimal, allowances: Iterable[Decimal]) -> Iterator[Price]:
    """Yield prices that leave this many kroner after an allowance, fewest decimals first."""
    for allowance in allowances:
        factor = 1 - allowance / 100
        if not factor or abs(unit_amount / factor) >= _LARGEST_PRICE:
            continue
        for places in range(2, _MOST_PRICE_DECIMALS + 1):
            step = Decimal(1).scaleb(-places)
            yield Price((unit_amount / factor).quantize(step, rounding=ROUND_HALF_UP), allowance)


def read_money(raw: Record, rate: Decimal | None, label: str) -> Money:
    """Return a line's amounts as exactly as they are given; a missing one follows from the others.

    Raises:
        Unusable: too little is given, or the three amounts do not add up within an øre, the most
            by which rounding each separately may set them apart.
    """
    excl, tax, incl = (
        values.amount(raw.get(name), label=f"{label}, {name}")
        for name in ("total_excl", "total_tax", "total_incl")
    )
    if excl is None and incl is not None:
        excl = _without_vat(incl, tax, rate)
    if incl is None and excl is not None:
        incl = _with_vat(excl, tax, rate)
    if excl is None or incl is None:
        raise Unusable(
            f"{label} lacks amounts: of total_excl, total_tax and total_incl two are needed, or one"
            " and tax_rate"
        )
    if tax is not None and abs(excl + tax - incl) > ORE:
        raise Unusable(f"{label}: {excl} and VAT {tax} do not make {incl}")
    return Money(excl, incl - excl, incl)


def _without_vat(incl: Decimal, tax: Decimal | None, rate: Decimal | None) -> Decimal | None:
    if tax is not None:
        return incl - tax
    return None if rate is None else incl / (1 + rate / 100)


def _with_vat(excl: Decimal, tax: Decimal | None, rate: Decimal | None) -> Decimal | None:
    if tax is not None:
        return excl + tax
    return None if rate is None else excl * (1 + rate / 100)
