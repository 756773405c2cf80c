"""Product ↔ Products: the property table, and how each row is read and written back; pure."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.descriptions import is_marked_up, plain_text
from target_powerofficego.dataflow.table import (
    Conversion,
    Direction,
    Property,
    Record,
    Table,
    archived_reader,
    archived_writer,
    is_deleted,
    member_reader,
    member_writer,
)
from target_powerofficego.dataflow.values import (
    ABSENT,
    UNIT_WORDS,
    Unusable,
    Value,
    is_unit,
    unit_code,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def _sku(record: Record, _: Conversion) -> Value:
    sku = values.text(record.get("sku"), label="sku", longest=100)
    return values.require(sku, "the product has no SKU; PowerOffice Go finds products by it")


def _name(record: Record, _: Conversion) -> Value:
    name = values.unescaped_text(record.get("name"), label="name")
    name = values.require(name, "the product has no name")
    variant = values.unescaped_text(record.get("variant_name"), label="variant_name")
    return values.text(f"{name} {variant}" if variant else name, label="name", longest=400)


def _read_description(value: object, *, label: str) -> str | None:
    return plain_text(values.text(value, label=label))


def _read_unit(value: object, *, label: str) -> str:
    return unit_code(values.text(value, label=label))


def _gtin(record: Record, _: Conversion) -> Value:
    if "gtin" not in record:
        return ABSENT
    gtin = values.normalise_gtin(values.text(record["gtin"], label="gtin"))
    return gtin if gtin is None or values.is_gtin(gtin) else ABSENT


_PRICE_STEP = Decimal("0.0001")
"""A price calculated from a price with VAT is rounded to a multiple of this, in kroner."""

_ORE = Decimal("0.01")


def price_without_vat(record: Record) -> Decimal | None:
    """Return the unit price in kroner without VAT: from the leading price, else from the other.

    The leading price is the one that the merchant sets. Even if that is the price with VAT, a price
    without VAT that agrees with it is used: it is the shop's own rounding of the leading price, and
    only a price without VAT can represent any price that a bookkeeper enters in Go.

    Raises:
        Unusable: a price or the rate is not a number, or the rate is needed but missing.
    """
    excl = values.amount(record.get("price_excl"), label="price_excl")
    if excl is not None and not _has_leading_vat(record):
        return excl
    incl = values.amount(record.get("price_incl"), label="price_incl")
    if incl is None:
        return excl
    rate = values.vat_rate(record.get("tax_rate"), label="tax_rate")
    if excl is not None and (rate is None or _agree(excl, incl, rate)):
        return excl
    reason = "it has only a price with VAT and no tax_rate, so the price without VAT is not known"
    return _less_vat(incl, values.require(rate, reason))


def _has_leading_vat(record: Record) -> bool:
    """Return whether the price with VAT is the one that the merchant sets."""
    return record.get("prices_include_tax") is True


def _less_vat(incl: Decimal, rate: Decimal, *, step: Decimal = _PRICE_STEP) -> Decimal:
    """Return a price in kroner less VAT at a rate in percent, rounded to multiples of `step`."""
    return (incl / (1 + rate / 100)).quantize(step, rounding=ROUND_HALF_UP)


def price_repairs(record: Record) -> Iterator[str]:
    """Yield what is wrong with the price that was not used."""
    excl = values.amount(record.get("price_excl"), label="price_excl")
    if excl is None:
        return
    try:
        incl = values.amount(record.get("price_incl"), label="price_incl")
    except Unusable as unusable:
        yield f"{unusable}; price_excl was used"
        return
    rate = values.vat_rate(record.get("tax_rate"), label="tax_rate")
    if incl is None or rate is None or _agree(excl, incl, rate):
        return
    used = "price_incl" if _has_leading_vat(record) else "price_excl"
    yield (
        f"price_excl {excl} and price_incl {incl} are not the same price at {rate} % VAT;"
        f" {used} was used, according to prices_include_tax"
    )


def _agree(excl: Decimal, incl: Decimal, rate: Decimal) -> bool:
    """Return whether two prices agree, given that each was rounded to whole øre separately."""
    return abs(_plus_vat(excl, rate) - incl) <= _ORE


def _plus_vat(excl: Decimal, rate: Decimal) -> Decimal:
    """Return a price in kroner plus VAT at a rate in percent, in whole øre."""
    return values.round_to_ore(excl * (1 + rate / 100))


def _is_in_another_currency(record: Record, conversion: Conversion) -> bool:
    currency = values.currency(record.get("currency"), label="currency")
    return currency not in (None, conversion.client_currency)


def _unit_price(record: Record, conversion: Conversion) -> Value:
    has_price = "price_excl" in record or "price_incl" in record
    if not has_price or _is_in_another_currency(record, conversion):
        return ABSENT
    return price_without_vat(record)


def _unit_cost(record: Record, conversion: Conversion) -> Value:
    if "cost_price" not in record or _is_in_another_currency(record, conversion):
        return ABSENT
    return values.amount(record["cost_price"], label="cost_price")


def _product_type(record: Record, _: Conversion) -> Value:
    return "Service" if record.get("type") == "service" else "Product"


EXEMPT = "exempt"
"""The key of `sales_accounts` for sales without VAT of products that normally bear VAT."""

GIFT_CARD = "gift_card"
"""The key of `sales_accounts` for gift cards: a debt to the holder, not yet income."""

EXEMPT_ACCOUNT = "exempt_account"
"""The row of a product's account for sales without VAT (`EXEMPT`)."""


def _exempt_account(_record: Record, conversion: Conversion) -> Value:
    return conversion.sales_account_ids.get(EXEMPT, ABSENT)


def _sales_account(record: Record, conversion: Conversion) -> Value:
    accounts = conversion.sales_account_ids
    rate = values.vat_rate(record.get("tax_rate"), label="tax_rate")
    if record.get("type") == "gift_card" and not rate:
        if GIFT_CARD in accounts:
            return accounts[GIFT_CARD]
        rate = Decimal(0)
    if rate is None or not accounts:
        return ABSENT
    reason = f"the VAT rate {values.rate_key(rate)} % has no account in the setting sales_accounts"
    return values.require(accounts.get(values.rate_key(rate)), reason)


def is_archived(record: Record) -> bool:
    """Return whether the shop has deleted or archived the product; a draft is not archived.

    Raises:
        Unusable: `deleted_at` is not a timestamp.
    """
    status = values.choice(record.get("status"), ("active", "draft", "archived"), label="status")
    return is_deleted(record) or status == "archived"


_is_stock_item = member_reader("stock_tracked", values.flag_or_false)


def _stock_on_hand(record: Record, conversion: Conversion) -> Value:
    if "stock_on_hand" not in record or _is_stock_item(record, conversion) is not True:
        return ABSENT
    return values.amount(record["stock_on_hand"], label="stock_on_hand")


def _repairs(record: Record, conversion: Conversion) -> tuple[str, ...]:
    repairs = []
    gtin = values.text(record.get("gtin"), label="gtin")
    if gtin and not values.is_gtin(gtin):
        repairs.append(f"the GTIN {values.quoted(gtin)} is not valid and was left out")
    unit = values.text(record.get("unit"), label="unit")
    if unit and not is_unit(unit):
        repairs.append(f"the unit {values.quoted(unit)} is not known and became EA (piece)")
    prices = ("price_excl", "price_incl", "cost_price")
    if _is_in_another_currency(record, conversion) and any(record.get(name) for name in prices):
        currency = values.currency(record["currency"], label="currency")
        repairs.append(
            f"its prices are in {currency} and were left out; prices of products in Go are assumed"
            f" to be in {conversion.client_currency}"
        )
    else:
        repairs += price_repairs(record)
    return tuple(repairs)


def _write_name(value: Value, record: Record) -> Record:
    """Write the name without the variant's name, which follows it in Go.

    Raises:
        Unusable: the name in Go no longer ends with the variant's.
    """
    variant = values.unescaped_text(record.get("variant_name"), label="variant_name")
    if variant is None:
        return {"name": values.written_like(value, record.get("name"))}
    name_in_go = str(values.normalise_text(value) or "")
    if not name_in_go.endswith(f" {variant}"):
        raise Unusable(
            f"its name in Go no longer ends with the variant's, {values.quoted(variant)}"
        )
    name = name_in_go.removesuffix(f" {variant}").strip()
    return {"name": values.written_like(name, record.get("name"))}


def _write_description(value: Value, record: Record) -> Record:
    """Write the description: as text, or as HTML if the shop's is HTML."""
    text = None if value is None else str(value)
    if text is None or not is_marked_up(
        values.text(record.get("description"), label="description")
    ):
        return {"description": text}
    paragraphs = [
        "<br>".join(escape(line, quote=False) for line in paragraph.splitlines())
        for paragraph in re.split(r"\n\s*\n", text.strip())
    ]
    return {"description": "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)}


def write_price(value: Value, record: Record) -> Record:
    """Write the shop's leading price, and the other one too if the shop has it.

    A price with VAT is rounded to whole øre.

    Raises:
        Unusable: the rate is not known, or no price with VAT in whole øre gives Go's price.
    """
    excl = values.amount(value, label="UnitPrice")
    prices = {
        name: values.amount(record.get(name), label=name) for name in ("price_excl", "price_incl")
    }
    if excl is None:
        return {name: None for name, price in prices.items() if price is not None}
    incl_leads = (
        prices["price_excl"] is None
        if record.get("prices_include_tax") is None
        else _has_leading_vat(record)
    )
    rate = values.vat_rate(record.get("tax_rate"), label="tax_rate")
    if not incl_leads:
        patch = {"price_excl": values.money(excl)}
        if rate is not None and prices["price_incl"] is not None:
            patch["price_incl"] = values.money(_plus_vat(excl, rate))
        return patch
    rate = values.require(
        rate, "the shop's price includes VAT, but there is no tax_rate to calculate it with"
    )
    incl = _plus_vat(excl, rate)
    has_excl = prices["price_excl"] is not None
    step = values.money_step(excl) if has_excl else _PRICE_STEP
    if _less_vat(incl, rate, step=step) != excl:
        raise Unusable(f"no price with VAT in whole øre comes to {values.money(excl)} without VAT")
    return {
        "price_incl": values.money(incl),
        **({"price_excl": values.money(excl)} if has_excl else {}),
    }


def _write_cost_price(value: Value, _: Record) -> Record:
    """Write the cost of a unit."""
    cost = values.amount(value, label="UnitCost")
    return {"cost_price": None if cost is None else values.money(cost)}


def _write_unit(value: Value, _: Record) -> Record:
    """Write the unit as the word that Norwegian shops use for it.

    Raises:
        Unusable: no word for it is known.
    """
    code = values.normalise_code(values.text(value, label="UnitOfMeasureCode"))
    if code is not None and code not in UNIT_WORDS:
        raise Unusable(f"there is no known word for the unit {values.quoted(code)}")
    return {"unit": None if code is None else UNIT_WORDS[code]}


def _write_stock_on_hand(value: Value, _: Record) -> Record:
    """Write the number in stock."""
    count = values.amount(value, label="StockAvailable")
    return {"stock_on_hand": None if count is None else format(values.plain_number(count), "f")}


_write_archived = archived_writer({"status": "archived"}, {"status": "draft"})
"""A product taken out of the archive becomes a draft: it may have been one before, and a person
should decide what is sold."""


PRODUCT = Table(
    entity="products",
    resource="Products",
    repairs=_repairs,
    rows=(
        Property(
            "sku",
            "sku",
            "Code",
            "string(≤100)",
            Direction.TO_GO,
            _sku,
            note="the key; rejected without a SKU",
        ),
        Property(
            "name",
            "name, variant_name",
            "Name",
            "string(≤400)",
            Direction.BOTH,
            _name,
            note="rejected if longer",
            to_shop=_write_name,
        ),
        Property(
            "description",
            "description",
            "Description",
            "string",
            Direction.BOTH,
            member_reader("description", _read_description),
            note="HTML becomes plain text",
            to_shop=_write_description,
        ),
        Property(
            "gtin",
            "gtin",
            "Gtin",
            "string",
            Direction.BOTH,
            _gtin,
            normalise=values.normalise_gtin,
            note="without spaces and hyphens; an invalid one is left out",
            to_shop=member_writer("gtin"),
        ),
        Property(
            "price",
            "price_excl, or price_incl less tax_rate",
            "UnitPrice",
            "decimal, without VAT",
            Direction.BOTH,
            _unit_price,
            normalise=values.normalise_amount,
            note="price_incl is used if price_excl is missing, or if they differ by more than an"
            " øre and `prices_include_tax` is true; left out in currencies other than NOK",
            to_shop=write_price,
        ),
        Property(
            "cost_price",
            "cost_price",
            "UnitCost",
            "decimal",
            Direction.BOTH,
            _unit_cost,
            normalise=values.normalise_amount,
            note="only in NOK, like the price",
            to_shop=_write_cost_price,
        ),
        Property(
            "unit",
            "unit",
            "UnitOfMeasureCode",
            "enum",
            Direction.BOTH,
            member_reader("unit", _read_unit),
            normalise=values.normalise_code,
            note="an unknown unit becomes EA (piece)",
            to_shop=_write_unit,
        ),
        Property(
            "type",
            "type",
            "ProductType",
            "enum: Product, Service",
            Direction.ON_CREATE,
            _product_type,
        ),
        Property(
            "tax_rate",
            "tax_rate",
            "StandardSalesAccountId",
            "int64",
            Direction.TO_GO,
            _sales_account,
            normalise=values.normalise_amount,
            note="from the setting `sales_accounts`, for a gift card without VAT its key"
            " `gift_card`; without the setting, Go's own default applies",
        ),
        Property(
            EXEMPT_ACCOUNT,
            "",
            "OptionalSalesAccountId",
            "int64",
            Direction.TO_GO,
            _exempt_account,
            normalise=values.normalise_amount,
            note="the account `exempt` of the setting `sales_accounts`, if it is given",
        ),
        Property(
            "stock_tracked",
            "stock_tracked",
            "IsStockItem",
            "boolean",
            Direction.OFF,
            _is_stock_item,
            normalise=values.normalise_flag,
            note="→ with `stock: shop`",
        ),
        Property(
            "stock_on_hand",
            "stock_on_hand",
            "StockOnHand",
            "decimal",
            Direction.OFF,
            _stock_on_hand,
            normalise=values.normalise_amount,
            overwrites=True,
            note="→ with `stock: shop`; ← from StockAvailable with `stock: go`",
            to_shop=_write_stock_on_hand,
        ),
        Property(
            "category",
            "category",
            "ProductGroupCode",
            "string(≤200)",
            Direction.OFF,
            member_reader("category", values.unescaped_text, longest=200),
            note="switch on by `properties`, with direction `create`",
        ),
        Property(
            "archived",
            "status, deleted_at",
            "IsArchived",
            "boolean",
            Direction.TO_GO,
            archived_reader(is_archived, "status"),
            normalise=values.normalise_flag,
            note="archived, never deleted; a draft is not archived; see `max_archives`",
            to_shop=_write_archived,
        ),
    ),
)


def with_stock(table: Table, leader: str) -> Table:
    """Return the table of products with its stock rows set up according to the setting `stock`."""
    if leader == "none":
        return table
    is_go = leader == "go"
    changes: dict[str, dict[str, Any]] = {
        "stock_tracked": {"direction": Direction.OFF if is_go else Direction.TO_GO},
        "stock_on_hand": {"direction": Direction.TO_SHOP, "go": "StockAvailable"}
        if is_go
        else {"direction": Direction.TO_GO},
    }
    return replace(
        table, rows=tuple(replace(row, **changes.get(row.name, {})) for row in table.rows)
    )
