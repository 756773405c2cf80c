"""The two prices of a product, with VAT and without: which one leads, and whether they agree; pure.

The one that the merchant sets leads. Where that is the price with VAT, a price without VAT that
agrees with it is taken all the same: it is the shop's own rounding of it, and the only one of the
two that can hold any price that a bookkeeper writes in Go.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.values import Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_powerofficego.dataflow.table import Record

PRICE_STEP = Decimal("0.0001")
"""A price worked out from a price with VAT is rounded to this many krone."""

_ORE = Decimal("0.01")


def price_without_vat(record: Record) -> Decimal | None:
    """Return the unit price in krone without VAT: the one that leads, else the other.

    Raises:
        Unusable: a price or the rate is no number, or the rate needed is missing.
    """
    excl = values.amount(record.get("price_excl"), what="price_excl")
    if excl is not None and not has_leading_vat(record):
        return excl
    incl = values.amount(record.get("price_incl"), what="price_incl")
    if incl is None:
        return excl
    rate = values.vat_rate(record.get("tax_rate"), what="tax_rate")
    if excl is not None and (rate is None or _agree(excl, incl, rate)):
        return excl
    if rate is None:
        msg = (
            "there is only a price with VAT and no tax_rate, so the price without VAT is not known"
        )
        raise Unusable(msg)
    return less_vat(incl, rate)


def has_leading_vat(record: Record) -> bool:
    """Tell whether the price with VAT is the one that the merchant sets."""
    return record.get("prices_include_tax") is True


def less_vat(incl: Decimal, rate: Decimal, *, step: Decimal = PRICE_STEP) -> Decimal:
    """Return a price in krone less VAT at a rate in percent, rounded to steps of so many krone."""
    return (incl / (1 + rate / 100)).quantize(step, rounding=ROUND_HALF_UP)


def price_repairs(record: Record) -> Iterator[str]:
    """Say in words what is wrong with a price that did not have to be right."""
    excl = values.amount(record.get("price_excl"), what="price_excl")
    if excl is None:
        return
    try:
        incl = values.amount(record.get("price_incl"), what="price_incl")
    except Unusable as unusable:
        yield f"{unusable}; price_excl was used"
        return
    rate = values.vat_rate(record.get("tax_rate"), what="tax_rate")
    if incl is None or rate is None or _agree(excl, incl, rate):
        return
    used = "price_incl" if has_leading_vat(record) else "price_excl"
    yield (
        f"price_excl {excl} and price_incl {incl} are not the same price at {rate} % VAT;"
        f" {used} was used, which leads by prices_include_tax"
    )


def _agree(excl: Decimal, incl: Decimal, rate: Decimal) -> bool:
    """Tell whether two prices are one, each rounded to whole øre by itself."""
    return abs(values.to_ore(excl * (1 + rate / 100)) - incl) <= _ORE
