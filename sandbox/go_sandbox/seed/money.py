"""Amounts of an order line as an accounting system calculates them: net first, then VAT."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

ORE = Decimal("0.01")
HUNDRED = Decimal(100)


def rounded(amount: Decimal) -> Decimal:
    """Round kroner to whole øre, half up (away from zero)."""
    return amount.quantize(ORE, ROUND_HALF_UP)


def with_vat(amount: Decimal, rate: Decimal) -> Decimal:
    """Return a net amount with VAT of `rate` percent, in whole øre."""
    return rounded(amount * (1 + rate / HUNDRED))


@dataclass(frozen=True)
class LineAmounts:
    """The amounts of one line in kroner, less the discount."""

    unit_price_excl: Decimal
    unit_price_incl: Decimal
    discount_excl: Decimal
    discount_incl: Decimal
    total_excl: Decimal
    total_tax: Decimal
    total_incl: Decimal


def line_amounts(
    quantity: Decimal, unit_price_excl: Decimal, rate: Decimal, discount_percent: Decimal
) -> LineAmounts:
    """Calculate a line: net rounded to øre, VAT of that net rounded to øre."""
    total_excl = rounded(quantity * unit_price_excl * (1 - discount_percent / HUNDRED))
    total_tax = rounded(total_excl * rate / HUNDRED)
    unit_price_incl = with_vat(unit_price_excl, rate)
    total_incl = total_excl + total_tax
    return LineAmounts(
        unit_price_excl=unit_price_excl,
        unit_price_incl=unit_price_incl,
        discount_excl=rounded(quantity * unit_price_excl) - total_excl,
        discount_incl=rounded(quantity * unit_price_incl) - total_incl,
        total_excl=total_excl,
        total_tax=total_tax,
        total_incl=total_incl,
    )


def discount_is_exact(amount: Decimal, percent: Decimal) -> bool:
    """Return whether this percentage of an amount is a whole number of øre."""
    share = amount * percent / HUNDRED
    return share == rounded(share)
