"""Product ↔ Products: the property table."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from target_powerofficego.dataflow import product_back as back
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.descriptions import plain_text
from target_powerofficego.dataflow.prices import price_repairs, price_without_vat
from target_powerofficego.dataflow.table import (
    Conversion,
    Direction,
    Property,
    Record,
    Table,
    is_deleted,
    to_member,
)
from target_powerofficego.dataflow.units import is_unit, unit_code
from target_powerofficego.dataflow.values import ABSENT, Unusable, Value


def rate_key(rate: Decimal) -> str:
    """Return a rate in percent as the keys of `sales_accounts` are written: "25", "12.5", "0"."""
    plain = format(rate, "f")
    return (plain.rstrip("0").rstrip(".") or "0") if "." in plain else plain


def _sku(record: Record, _: Conversion) -> Value:
    sku = values.text(record.get("sku"), what="sku", longest=100)
    if sku is None:
        msg = "the product has no SKU; PowerOffice Go finds products by it"
        raise Unusable(msg)
    return sku


def _name(record: Record, _: Conversion) -> Value:
    name = values.words(record.get("name"), what="name")
    if name is None:
        msg = "the product has no name"
        raise Unusable(msg)
    variant = values.words(record.get("variant_name"), what="variant_name")
    return values.text(f"{name} {variant}" if variant else name, what="name", longest=400)


def _description(record: Record, _: Conversion) -> Value:
    if "description" not in record:
        return ABSENT
    return plain_text(values.text(record["description"], what="description"))


def _gtin(record: Record, _: Conversion) -> Value:
    if "gtin" not in record:
        return ABSENT
    gtin = values.same_gtin(values.text(record["gtin"], what="gtin"))
    return gtin if gtin is None or values.is_gtin(gtin) else ABSENT


def _is_in_another_currency(record: Record, conversion: Conversion) -> bool:
    currency = values.currency(record.get("currency"), what="currency")
    return currency not in (None, conversion.client_currency)


def _unit_price(record: Record, conversion: Conversion) -> Value:
    if "price_excl" not in record and "price_incl" not in record:
        return ABSENT
    if _is_in_another_currency(record, conversion):
        return ABSENT
    return price_without_vat(record)


def _unit_cost(record: Record, conversion: Conversion) -> Value:
    if "cost_price" not in record or _is_in_another_currency(record, conversion):
        return ABSENT
    return values.amount(record["cost_price"], what="cost_price")


def _unit(record: Record, _: Conversion) -> Value:
    if "unit" not in record:
        return ABSENT
    return unit_code(values.text(record["unit"], what="unit"))


def _product_type(record: Record, _: Conversion) -> Value:
    return "Service" if record.get("type") == "service" else "Product"


EXEMPT = "exempt"
"""The key of `sales_accounts` for what is sold without VAT though the product bears it."""

GIFT_CARD = "gift_card"
"""The key of `sales_accounts` for gift cards: what is owed to whoever holds one, no income yet."""

EXEMPT_ACCOUNT = "exempt_account"
"""The row of a product's account for that."""


def _exempt_account(_record: Record, conversion: Conversion) -> Value:
    return conversion.sales_account_ids.get(EXEMPT, ABSENT)


def _sales_account(record: Record, conversion: Conversion) -> Value:
    accounts = conversion.sales_account_ids
    rate = values.vat_rate(record.get("tax_rate"), what="tax_rate")
    if record.get("type") == "gift_card" and not rate:
        if GIFT_CARD in accounts:
            return accounts[GIFT_CARD]
        rate = Decimal(0)
    if rate is None or not accounts:
        return ABSENT
    account_id = accounts.get(rate_key(rate))
    if account_id is None:
        msg = f"the VAT rate {rate_key(rate)} % has no account in the setting sales_accounts"
        raise Unusable(msg)
    return account_id


def is_archived(record: Record) -> bool:
    """Tell whether the shop has deleted or archived the product; a draft is not archived.

    Raises:
        Unusable: `deleted_at` is no stamp.
    """
    status = values.one_of(record.get("status"), ("active", "draft", "archived"), what="status")
    return is_deleted(record) or status == "archived"


def _archived(record: Record, _: Conversion) -> Value:
    if "status" not in record and "deleted_at" not in record:
        return ABSENT
    return is_archived(record)


def _category(record: Record, _: Conversion) -> Value:
    if "category" not in record:
        return ABSENT
    return values.words(record["category"], what="category", longest=200)


def _is_stock_item(record: Record, _: Conversion) -> Value:
    if "stock_tracked" not in record:
        return ABSENT
    return values.flag(record["stock_tracked"], what="stock_tracked") or False


def _stock_on_hand(record: Record, conversion: Conversion) -> Value:
    if "stock_on_hand" not in record or _is_stock_item(record, conversion) is not True:
        return ABSENT
    return values.amount(record["stock_on_hand"], what="stock_on_hand")


def _repairs(record: Record, conversion: Conversion) -> tuple[str, ...]:
    found = []
    gtin = values.text(record.get("gtin"), what="gtin")
    if gtin and not values.is_gtin(gtin):
        found.append(f"the GTIN {values.shown(gtin)} is not valid and was left out")
    unit = values.text(record.get("unit"), what="unit")
    if unit and not is_unit(unit):
        found.append(f"the unit {values.shown(unit)} is not known and became EA (piece)")
    prices = ("price_excl", "price_incl", "cost_price")
    if _is_in_another_currency(record, conversion) and any(record.get(name) for name in prices):
        currency = values.currency(record["currency"], what="currency")
        found.append(
            f"its prices are in {currency} and were left out; those of products in Go are taken to"
            f" be in {conversion.client_currency}"
        )
    else:
        found += price_repairs(record)
    return tuple(found)


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
            note="the key; no SKU: rejected",
        ),
        Property(
            "name",
            "name, variant_name",
            "Name",
            "string(≤400)",
            Direction.BOTH,
            _name,
            note="longer: rejected",
            to_shop=back.name,
        ),
        Property(
            "description",
            "description",
            "Description",
            "string",
            Direction.BOTH,
            _description,
            note="HTML becomes plain text",
            to_shop=back.description,
        ),
        Property(
            "gtin",
            "gtin",
            "Gtin",
            "string",
            Direction.BOTH,
            _gtin,
            same=values.same_gtin,
            note="without spaces and hyphens; an invalid one is left out",
            to_shop=to_member("gtin"),
        ),
        Property(
            "price",
            "price_excl, or price_incl less tax_rate",
            "UnitPrice",
            "decimal, without VAT",
            Direction.BOTH,
            _unit_price,
            same=values.same_amount,
            note="price_incl counts where price_excl is missing, or differs by more than an øre and"
            " `prices_include_tax` is true; in another currency than NOK it is left out",
            to_shop=back.price,
        ),
        Property(
            "cost_price",
            "cost_price",
            "UnitCost",
            "decimal",
            Direction.BOTH,
            _unit_cost,
            same=values.same_amount,
            note="like the price: only in NOK",
            to_shop=back.cost_price,
        ),
        Property(
            "unit",
            "unit",
            "UnitOfMeasureCode",
            "enum",
            Direction.BOTH,
            _unit,
            same=values.same_code,
            note="an unknown unit becomes EA (piece)",
            to_shop=back.unit,
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
            same=values.same_amount,
            note="by the setting `sales_accounts`, a gift card without VAT by its key `gift_card`;"
            " without the setting Go's own default stands",
        ),
        Property(
            EXEMPT_ACCOUNT,
            "",
            "OptionalSalesAccountId",
            "int64",
            Direction.TO_GO,
            _exempt_account,
            same=values.same_amount,
            note="the account `exempt` of the setting `sales_accounts`, if there is one",
        ),
        Property(
            "stock_tracked",
            "stock_tracked",
            "IsStockItem",
            "boolean",
            Direction.OFF,
            _is_stock_item,
            same=values.same_flag,
            note="→ with `stock: shop`",
        ),
        Property(
            "stock_on_hand",
            "stock_on_hand",
            "StockOnHand",
            "decimal",
            Direction.OFF,
            _stock_on_hand,
            same=values.same_amount,
            overwrites=True,
            note="→ with `stock: shop`; ← from StockAvailable with `stock: go`",
            to_shop=back.stock_on_hand,
        ),
        Property(
            "category",
            "category",
            "ProductGroupCode",
            "string(≤200)",
            Direction.OFF,
            _category,
            note="switch on with direction `create` by `properties`",
        ),
        Property(
            "archived",
            "status, deleted_at",
            "IsArchived",
            "boolean",
            Direction.TO_GO,
            _archived,
            same=values.same_flag,
            note="archived, never deleted; a draft is not archived; see `max_archives`",
            to_shop=back.archived,
        ),
    ),
)


def with_stock(table: Table, leads: str) -> Table:
    """Return the table of products with the rows of stock as the setting `stock` has them."""
    if leads == "none":
        return table
    is_go = leads == "go"
    changes: dict[str, dict[str, Any]] = {
        "stock_tracked": {"direction": Direction.OFF if is_go else Direction.TO_GO},
        "stock_on_hand": {"direction": Direction.TO_SHOP, "go": "StockAvailable"}
        if is_go
        else {"direction": Direction.TO_GO},
    }
    return replace(
        table, rows=tuple(replace(row, **changes.get(row.name, {})) for row in table.rows)
    )
