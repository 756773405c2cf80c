"""The fields of customers, products and orders: one Singer schema per stream."""

from __future__ import annotations

from typing import Any, TypeAlias

from singer_sdk import typing as th

Field: TypeAlias = "th.Property[Any]"

DECIMAL_FORMAT = th.SingerDecimalType.string_format


def key() -> Field:
    """The `id` of a record: the only field that is never missing."""
    return th.Property("id", th.StringType, required=True, description="The shop's own id.")


def identifier(name: str, description: str) -> Field:
    """An id: always text, even where the shop uses numbers."""
    return th.Property(name, th.StringType, description=description)


def text(name: str, description: str) -> Field:
    """Text as a person typed it."""
    return th.Property(name, th.StringType, description=description)


def choice(name: str, description: str, *values: str) -> Field:
    """One of a few words.

    The words are in the description only: with `enum` in the schema, a target would stop at a word
    of the shop's own, instead of rejecting only that record.
    """
    listed = ", ".join(f"`{value}`" for value in values)
    return th.Property(name, th.StringType, description=f"{description} One of {listed}.")


def decimal(name: str, description: str) -> Field:
    """A number as a decimal string: an amount, a rate in percent, a quantity."""
    return th.Property(name, th.SingerDecimalType, description=description)


def flag(name: str, description: str) -> Field:
    """True or false."""
    return th.Property(name, th.BooleanType, description=description)


def stamp(name: str, description: str) -> Field:
    """A moment, RFC 3339 in UTC with `Z`."""
    return th.Property(name, th.DateTimeType, description=description)


def day(name: str, description: str) -> Field:
    """A calendar day, `2026-03-31`."""
    return th.Property(name, th.DateType, description=description)


def group(name: str, description: str, *fields: Field) -> Field:
    """An object with fields of its own; further fields pass unchanged."""
    wrapped = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, wrapped, description=description)


def rows(name: str, description: str, *fields: Field) -> Field:
    """A list of objects; further fields pass unchanged."""
    row = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, th.ArrayType(row), description=description)


def life_cycle() -> list[Field]:
    """The stamps that every record ends with, and the place for fields beyond the contract."""
    return [
        stamp("created_at", "When the record was made."),
        stamp(
            "updated_at",
            "When anything inside the record last changed. Always set; the tap's bookmark.",
        ),
        stamp("deleted_at", "When it was deleted. Deleted records stay listed."),
        group("custom", "Fields that the contract does not have, under their own names."),
    ]


def _address() -> list[Field]:
    return [
        identifier("id", "The shop's id of the address."),
        choice(
            "type",
            "What it is used for; null: billing and shipping.",
            "billing",
            "shipping",
            "other",
        ),
        flag("is_default", "Whether it is the default for what it is used for."),
        text("name", "The recipient's name."),
        text("company", "The recipient's company."),
        text("line1", "Street and number."),
        text("line2", "What does not fit on the first line."),
        text("postal_code", "Postal code as text, with its zeros: `0150`."),
        text("city", "Town."),
        text("region", "State or province, in countries that write one."),
        text("country_code", "ISO 3166-1 alpha-2: `NO`."),
        text("phone", "Phone number for the delivery."),
        text("email", "E-mail address for the delivery."),
    ]


def _totals(of: str) -> list[Field]:
    return [
        decimal("total_excl", f"{of}, without VAT."),
        decimal("total_tax", f"VAT of {of[0].lower()}{of[1:]}."),
        decimal("total_incl", f"{of}, with VAT."),
    ]


def _charge() -> list[Field]:
    return [
        identifier("id", "The shop's id of the charge."),
        text("name", "What the buyer reads."),
        *_totals("The charge"),
        decimal("tax_rate", "VAT rate in percent: `25`."),
    ]


def _line() -> list[Field]:
    return [
        identifier("id", "The shop's id of the line."),
        choice("type", "What the line is.", "product", "gift_card", "text"),
        identifier("product_id", "The product's `id`."),
        text("sku", "The SKU that was sold."),
        text("name", "What the buyer reads."),
        decimal("quantity", "How many units."),
        text("unit", "The unit: `stk`, `m`, `t`."),
        decimal("unit_price_excl", "Price of one unit before discount, without VAT."),
        decimal("unit_price_incl", "Price of one unit before discount, with VAT."),
        decimal("discount_excl", "Discount on the whole line, without VAT."),
        decimal("discount_incl", "Discount on the whole line, with VAT."),
        *_totals("The line after discount"),
        decimal("tax_rate", "VAT rate in percent: `25`."),
    ]


def _taxes(description: str) -> Field:
    return rows(
        "taxes",
        description,
        decimal("rate", "VAT rate in percent."),
        decimal("base", "The amount that the VAT is worked out from."),
        decimal("amount", "The VAT."),
    )


def _refund() -> list[Field]:
    return [
        identifier(
            "id", "The shop's id of the refund; every refund needs one, and it never changes."
        ),
        decimal(
            "amount_incl",
            "What was paid back, with VAT; null: what its lines and freight come to; `0.00`: goods"
            " came back without money, as in an exchange.",
        ),
        decimal("amount_excl", "What was paid back, without VAT."),
        _taxes("VAT of what was paid back, by rate."),
        text("reason", "Why."),
        stamp("created_at", "When it was paid back."),
        rows(
            "lines",
            "What was sent back.",
            identifier("line_id", "The `id` of the order's line, freight or fee."),
            decimal("quantity", "How many units came back."),
            decimal(
                "amount_incl",
                "What was paid back for the line, with VAT; null: the price of that many units, or"
                " less if the refund's own amount is less.",
            ),
        ),
        decimal("shipping_incl", "What was paid back of the freight, with VAT."),
    ]


def _payment() -> list[Field]:
    return [
        identifier("id", "The shop's id of the payment; it never changes."),
        text("method", "How it was paid: `vipps`, `card`, `invoice`."),
        text("reference", "The payment provider's reference."),
        text(
            "status", "`paid` or `captured` once the money was taken; any other word: it was not."
        ),
        decimal("amount", "The amount paid."),
        stamp("paid_at", "When it was paid."),
    ]


def _buyer() -> list[Field]:
    return [
        text("email", "The buyer's e-mail address."),
        text("name", "The buyer's full name."),
        text("first_name", "First name."),
        text("last_name", "Last name."),
        text("phone", "Phone number."),
        text("company_name", "The company bought for."),
        text("organization_number", "The company's organisation number."),
    ]


def _order_stamps() -> list[Field]:
    return [
        stamp("placed_at", "When the buyer ordered."),
        stamp("paid_at", "When it was paid in full."),
        stamp("shipped_at", "When all of it was sent."),
        stamp("completed_at", "When the shop was done with it."),
        stamp("cancelled_at", "When it was cancelled."),
    ]


def _order_statuses() -> list[Field]:
    return [
        choice(
            "status",
            "Where the order stands.",
            *("draft", "pending", "processing", "on_hold"),
            *("completed", "cancelled", "refunded", "failed"),
        ),
        choice(
            "payment_status",
            "Where the payment stands.",
            *("unpaid", "authorized", "partially_paid", "paid"),
            *("partially_refunded", "refunded", "voided"),
        ),
        choice(
            "fulfillment_status",
            "Where the delivery stands.",
            *("unfulfilled", "partial", "fulfilled", "returned"),
        ),
        text("source_status", "The shop's own word for the status."),
    ]


def _order_money() -> list[Field]:
    return [
        rows("lines", "What was ordered.", *_line()),
        rows("shipping", "Freight.", *_charge()),
        rows("fees", "Fees, such as an invoice fee.", *_charge()),
        rows(
            "discounts",
            "Discounts on the whole order.",
            text("code", "The code that the buyer typed."),
            text("name", "What the buyer reads."),
            decimal("amount_excl", "The discount, without VAT."),
            decimal("amount_incl", "The discount, with VAT; every discount needs it."),
            flag("is_in_lines", "Whether it is already subtracted in the lines."),
        ),
        _taxes("VAT by rate, as sold: before refunds."),
        rows("payments", "What was paid.", *_payment()),
        rows("refunds", "What was paid back.", *_refund()),
        *_totals("The whole order"),
        decimal(
            "rounding",
            "What the shop adds or takes off to round the whole order, without VAT; it is part of"
            " `total_incl`, not of `total_excl`.",
        ),
        decimal("total_refunded", "What was paid back in all, with VAT."),
        group(
            "invoice",
            "The invoice in the accounting system, once it is sent; null before. Where it is left"
            " out, nothing is written to it.",
            text("number", "Invoice number."),
            stamp("sent_at", "When it was sent."),
            day("due_on", "The day it falls due."),
            decimal("balance", "What is not yet paid."),
        ),
    ]


CUSTOMERS: dict[str, Any] = th.PropertiesList(
    key(),
    text("number", "The customer number that people read."),
    choice("type", "Who buys.", "person", "company"),
    flag(
        "is_guest",
        "Whether it bought without an account. Leave out records that are created for each order of"
        " a guest.",
    ),
    text("email", "E-mail address."),
    text("name", "Full name, of the person or the company."),
    text("first_name", "First name; of a company, its contact's."),
    text("last_name", "Last name; of a company, its contact's."),
    text("company_name", "The company's name."),
    text("organization_number", "Organisation number, nine digits in Norway."),
    text("vat_number", "VAT number, as `NO999999999MVA`."),
    text("phone", "Phone number."),
    text("language", "Language, as `nb` or `en`."),
    text("currency", "ISO 4217: `NOK`."),
    flag("tax_exempt", "Whether it buys without VAT."),
    flag("is_active", "Whether it may buy."),
    text("note", "The merchant's note."),
    rows("addresses", "All its addresses.", *_address()),
    *life_cycle(),
).to_dict()
"""A buyer: person or company."""

PRODUCTS: dict[str, Any] = th.PropertiesList(
    key(),
    identifier("parent_id", "The product that this one is a variant of."),
    text("sku", "The merchant's own article number."),
    text("gtin", "Bar code number."),
    choice("type", "What it is.", "goods", "service", "gift_card"),
    text("name", "What the buyer reads."),
    text("variant_name", "What sets the variant apart: `Blå / L`."),
    text("description", "Description, may be HTML."),
    choice("status", "Whether it is for sale.", "active", "draft", "archived"),
    text("unit", "The unit it is sold in: `stk`."),
    text("category", "The shop's category."),
    text("currency", "ISO 4217: `NOK`."),
    decimal("price_excl", "Price of one unit, without VAT."),
    decimal("price_incl", "Price of one unit, with VAT."),
    flag("prices_include_tax", "Whether the merchant sets the price with VAT."),
    decimal("cost_price", "What one unit costs the merchant."),
    decimal("tax_rate", "VAT rate in percent: `25`."),
    text("tax_class", "The shop's tax class."),
    flag("stock_tracked", "Whether the shop counts its stock."),
    decimal("stock_on_hand", "How many units are in stock."),
    text("url", "Its page in the shop."),
    *life_cycle(),
).to_dict()
"""A product for sale, that is, one SKU; a variant is a record with a `parent_id`."""

ORDERS: dict[str, Any] = th.PropertiesList(
    key(),
    text("number", "The order number that the merchant reads."),
    *_order_statuses(),
    text("currency", "ISO 4217: `NOK`."),
    flag("prices_include_tax", "Whether the shop sets its prices with VAT."),
    identifier("customer_id", "The customer's `id`; null for guests."),
    flag("is_guest", "Whether it was bought without an account."),
    group("buyer", "Who bought, as it was when the order was placed.", *_buyer()),
    group("billing_address", "Where the invoice goes.", *_address()),
    group("shipping_address", "Where the goods go.", *_address()),
    text("reference", "The buyer's own reference."),
    text("note", "The buyer's note."),
    *_order_stamps(),
    *_order_money(),
    *life_cycle(),
).to_dict()
"""A purchase with its lines, freight, payments and refunds."""
