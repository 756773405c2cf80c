"""Products and the groups they inherit from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_powerofficego.fields import choice, decimal, flag, number_key, stamp, text, whole
from tap_powerofficego.schemas.words import AGRICULTURE

if TYPE_CHECKING:
    from tap_powerofficego.fields import Field


def _sold_as() -> list[Field]:
    return [
        choice("ProductType", "What it is.", "Product", "Service"),
        text("UnitOfMeasureCode", "The unit it is sold in: `EA` is a piece, `HUR` an hour."),
        decimal("UnitPrice", "Price of one unit, without VAT."),
        decimal("UnitCost", "What one unit costs the merchant."),
    ]


def _accounts() -> list[Field]:
    return [
        whole("StandardSalesAccountId", "Id of the account that sales are posted on."),
        whole("StandardSalesAccount", "Number of that account; it decides the VAT."),
        choice(
            "StandardSalesAccountAgricultureDepartment", "Its line of agriculture.", *AGRICULTURE
        ),
        whole("OptionalSalesAccountId", "Id of the account for sales without VAT."),
        whole("OptionalSalesAccount", "Number of that account."),
        choice(
            "OptionalSalesAccountAgricultureDepartment", "Its line of agriculture.", *AGRICULTURE
        ),
    ]


def _life_cycle() -> list[Field]:
    return [
        flag("IsArchived", "Whether it is archived."),
        text("CreatedFromImportJournalId", "Id of the import that made it."),
        stamp("CreatedDateTimeOffset", "When it was made."),
    ]


PRODUCTS: dict[str, Any] = th.PropertiesList(
    number_key("Id of the product."),
    text("Code", "The merchant's own article number (SKU)."),
    text("Gtin", "Bar code number."),
    text("Name", "What the buyer reads."),
    text("Description", "Description."),
    whole("ProductGroupId", "The product group's `Id`."),
    text("ProductGroupCode", "The product group's `Code`."),
    *_sold_as(),
    *_accounts(),
    flag("IsStockItem", "Whether Go counts its stock."),
    decimal("StockOnHand", "How many units are in stock."),
    decimal("StockAvailable", "How many of them no confirmed order has taken."),
    stamp(
        "StockOnHandLastChangedDatetimeOffset",
        "When the stock last changed. The tap's second bookmark.",
    ),
    *_life_cycle(),
    stamp(
        "LastChangedDateTimeOffset",
        "When it last changed, its stock aside. The tap's bookmark.",
    ),
).to_dict()
"""One thing that can be sold. What is null is inherited from the group."""

PRODUCT_GROUPS: dict[str, Any] = th.PropertiesList(
    number_key("Id of the product group."),
    text("Code", "The group's code."),
    text("Name", "The group's name."),
    text("Description", "Description."),
    *_sold_as(),
    *_accounts(),
    *_life_cycle(),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""What products have in common."""
