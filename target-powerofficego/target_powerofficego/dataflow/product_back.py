"""Products on the way back: what a shop record must become to hold what Go says; pure."""

from __future__ import annotations

import re
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.descriptions import is_marked_up
from target_powerofficego.dataflow.prices import PRICE_STEP, has_leading_vat, less_vat
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.units import UNIT_WORDS
from target_powerofficego.dataflow.values import Unusable, Value

if TYPE_CHECKING:
    from target_powerofficego.dataflow.table import Record

_ORE_DECIMALS = 2


def name(value: Value, record: Record) -> Record:
    """Write the name, less that of the variant, which stands behind it in Go.

    Raises:
        Unusable: the name in Go no longer ends with the variant's.
    """
    variant = values.words(record.get("variant_name"), what="variant_name")
    told = str(values.same_text(value) or "")
    if variant is None:
        return {"name": values.written_like(value, record.get("name"))}
    if not told.endswith(f" {variant}"):
        msg = f"its name in Go no longer ends with the variant's, {values.shown(variant)}"
        raise Unusable(msg)
    name = told.removesuffix(f" {variant}").strip()
    return {"name": values.written_like(name, record.get("name"))}


def description(value: Value, record: Record) -> Record:
    """Write the description: as text, and as HTML where the shop's is HTML."""
    told = None if value is None else str(value)
    if told is None or not is_marked_up(values.text(record.get("description"), what="description")):
        return {"description": told}
    paragraphs = [
        "<br>".join(escape(line, quote=False) for line in one.splitlines())
        for one in re.split(r"\n\s*\n", told.strip())
    ]
    return {"description": "".join(f"<p>{one}</p>" for one in paragraphs)}


def price(value: Value, record: Record) -> Record:
    """Write the price that leads in the shop, and the other one with it.

    A price with VAT is rounded to whole øre.

    Raises:
        Unusable: the rate is not known, or no price in whole øre comes to Go's price again.
    """
    excl = values.amount(value, what="UnitPrice")
    told = {one: values.amount(record.get(one), what=one) for one in ("price_excl", "price_incl")}
    if excl is None:
        return {one: None for one, amount in told.items() if amount is not None}
    incl_leads = (
        told["price_excl"] is None
        if record.get("prices_include_tax") is None
        else has_leading_vat(record)
    )
    rate = values.vat_rate(record.get("tax_rate"), what="tax_rate")
    incl = None if rate is None else values.to_ore(excl * (1 + rate / 100))
    if not incl_leads:
        patch = {"price_excl": money(excl)}
        if incl is not None and told["price_incl"] is not None:
            patch["price_incl"] = money(incl)
        return patch
    if rate is None or incl is None:
        msg = "the shop's price is one with VAT, and it has no tax_rate to work it out by"
        raise Unusable(msg)
    follows = told["price_excl"] is not None
    again = less_vat(incl, rate, step=_step(excl) if follows else PRICE_STEP)
    if again != excl:
        msg = f"no price with VAT in whole øre comes to {money(excl)} without VAT"
        raise Unusable(msg)
    return {"price_incl": money(incl), **({"price_excl": money(excl)} if follows else {})}


def cost_price(value: Value, _: Record) -> Record:
    """Write what one unit costs."""
    cost = values.amount(value, what="UnitCost")
    return {"cost_price": None if cost is None else money(cost)}


def unit(value: Value, _: Record) -> Record:
    """Write the unit by the word that Norwegian shops use.

    Raises:
        Unusable: no word is known for it.
    """
    code = values.same_code(values.text(value, what="UnitOfMeasureCode"))
    if code is not None and code not in UNIT_WORDS:
        msg = f"there is no word for the unit {values.shown(code)}"
        raise Unusable(msg)
    return {"unit": None if code is None else UNIT_WORDS[code]}


def stock_on_hand(value: Value, _: Record) -> Record:
    """Write how many there are."""
    count = values.amount(value, what="StockAvailable")
    return {"stock_on_hand": None if count is None else format(_plain(count), "f")}


def archived(value: Value, record: Record) -> Record:
    """Write whether the product is out of sale.

    Out of the archive it becomes a draft: it may have been one, and a person decides what is sold.

    Raises:
        Unusable: Go has it again, but the shop has deleted it.
    """
    if value:
        return {"status": "archived"}
    if is_deleted(record):
        msg = "it is deleted in the shop and cannot be taken out of the archive"
        raise Unusable(msg)
    return {"status": "draft"}


def money(amount: Decimal) -> str:
    """Return an amount as text, with two decimals or as many more as it has."""
    plain = _plain(amount)
    return format(plain.quantize(_step(plain)), "f")


def _step(amount: Decimal) -> Decimal:
    exponent = _plain(amount).as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    return Decimal(1).scaleb(-max(decimals, _ORE_DECIMALS))


def _plain(amount: Decimal) -> Decimal:
    return amount.normalize() if amount else Decimal(0)
