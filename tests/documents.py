"""Writes the two documents that are made from the code: docs/dataflow.md and docs/shop-api.md.

    uv run python tests/documents.py

The first lists the property tables of target-powerofficego. The second is the contract for a shop's
API, with the fields that tap-customwebshop reads. A test fails when they are out of date.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_customwebshop.schemas import DECIMAL_FORMAT
from tap_customwebshop.streams import STREAMS
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.orders.lines_back import BACK_MEMBERS
from target_powerofficego.dataflow.overrides import GO_FIELDS, TABLES, apply_overrides

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_customwebshop.streams import ShopStream
    from target_powerofficego.dataflow.table import Table

DOCS = Path(__file__).resolve().parents[1] / "docs"

_INTRODUCTION = """\
# Dataflow

Which shop property is which property in PowerOffice Go. This file is generated from the property
tables in `target_powerofficego/dataflow/`; after changing them, regenerate it:

```sh
uv run python tests/documents.py
```

The shop's properties are those of [the shop's API](shop-api.md).

| direction | meaning |
| :-- | :-- |
| ↔ | flows both ways; no edit is overwritten by a value that the other side did not change |
| → | flows to Go only |
| ← | flows to the shop only; Go's value overwrites the shop's |
| + | is written when the entry is created in Go, and not changed later |
| off | is not written, unless the setting `properties` switches it on |

The shop's edits are written by target-powerofficego, Go's by target-customwebshop, and both use the
same merge: it compares three values of each property, the shop's, Go's, and the value that both had
when they last agreed. A value from Go is written only if the shop can store exactly that value;
otherwise it is held.

Where both sides changed the same property, the setting `owners` decides who wins, for an entity or
for one row: `shop`, `go`, or `newest` (the default, for every row), which takes the later edit. If
the stamps cannot decide, the record is held, and the hold names the property. `*` stands for all
rows of an entity that are not named:

```json
{"customers": "shop", "orders": {"*": "go", "reference": "shop"}}
```

A property that the shop leaves out is not compared and not written. One that is null is empty. If
a shop sends a property of a linked record for the first time, the two sides are compared as when
they were linked: where they differ, both stay until one of them is edited (`on_link`), and
`powerofficego-links differences` lists it.
"""

_NAMES = {
    "customers": "Customer ↔ Customers",
    "products": "Product ↔ Products",
    "orders": "Order ↔ SalesOrders, OutgoingInvoices",
}

_BESIDE = {
    "customers": """\
Beside these rows:

| shop property | Go property | Go data type | direction | notes |
| :-- | :-- | :-- | :-: | :-- |
| default shipping address | ContactDeliveryAddresses: AddressLine1, AddressLine2, ZipCode, City, \
CountryCode | entry of its own | → | when it is complete and differs from the billing address; \
ExternalCode is `{shop_name}:{customer id}:{address id}`, \
the next one (`…:2`) if another contact has it |
| first_name, last_name of a company | ContactPersons: FirstName, LastName | \
entry of its own | → | companies only; ExternalCode is `{shop_name}:{customer id}`, \
or the next one |
""",
    "products": "",
    "orders": """\
An order waits for its customer and its products. Those that the shop does not list are created at
the end of a run, and like any other they are first looked for in Go: the customer from the order's
`buyer` and billing address, under its own `customer_id`; a product from the order's line, if
`create_missing_products` is on. While one of them is rejected or held, the order keeps waiting.

The buyer is whoever gets the invoice. A guest that is a company is recognised by its organisation
number, and found or created in Go with the buyer as its contact person; a company without a number
by name and e-mail address together; a person by e-mail address. A person's order never lands on a
company, nor the other way round. An order of a registered customer that names another company by a
valid number is that company's. As long as an order has the same buyer, its customer in Go stays.

When the shop wipes the buyer's data, that is not an edit: the order keeps its buyer, address and
customer in Go, and its lines, refunds, cancellation and payments are synced as before. A buyer that
comes back is an edit.
""",
}

_LINES = {
    "ProductId": (
        "product_id, sku",
        "int64",
        (
            "freight: the product `{shipping_product_code}-{rate}`; fees, discounts and gift cards"
            " alike, each by its own setting"
        ),
    ),
    "Description": ("name", "string", "else the SKU"),
    "Quantity": ("quantity", "decimal", ""),
    "ProductUnitPrice": (
        "unit_price_excl, else worked out from the line's total",
        "decimal, without VAT",
        "as many decimals as Go needs to get the shop's line total",
    ),
    "Allowance": (
        "discount_excl or discount_incl, as a percentage",
        "decimal, percent",
        "a discount that no percentage of two decimals gives to the øre goes into the price",
    ),
    "UnitOfMeasureCode": ("unit", "enum", "an unknown unit becomes EA (piece)"),
    "SortOrder": ("place in the order", "int32", "freight, fees and discounts come last"),
    "UseStandardSalesAccount": (
        "tax_exempt of the customer, tax_rate",
        "boolean",
        (
            "false for a customer who pays no VAT, and with an account `exempt` in"
            " `sales_accounts` for a line without VAT of a product that bears it"
        ),
    ),
}

_LINES_INTRODUCTION = """\
## Lines of an order → SalesOrderLines

A line of the shop's order is one line in Go; so is each line of freight (`shipping`) and each fee
that costs anything. They are found again by ExternalImportReference, which is the line's `id`
(`shipping:{id}` for freight, `fee:{id}` for a fee). All members below are always sent, because Go
fills in what is left out from the product or the customer.

| in the shop | in Go |
| :-- | :-- |
| a discount on the whole order (`discounts`) | one line below zero for each VAT rate that bears \
it, `discount:{rate}`: as the order's VAT says (see below); one with `is_in_lines` is left out, \
because the lines have it already |
| `rounding` of the whole order | a line `rounding:order` without VAT on \
`{rounding_product_code}`; without that setting the order is held |
| a line without a product and SKU | on `{fee_product_code}-{rate}`, as a fee |
| a line or charge without `tax_rate` | the one rate of `sales_accounts` that fits its \
amounts; where several fit, the one that `taxes` names; a charge without VAT has 0 % |
| a gift card (line `type`), sold or redeemed | its product, or `{gift_card_product_code}-0`; \
without VAT unless the line has a `tax_rate`, and then on the account `gift_card` of \
`sales_accounts`, if there is one |
| a text (line `type`) | a Text line |
| a refund while the order is a Draft or Confirmed | its lines are reduced: fewer units where \
goods came back, a lower price where only money did, nothing where only goods did; a line takes \
its share of the order's discount with it, as far as the amount paid back shows |
| what a refund pays back for no line, freight or fee | a line `refund:{id}:{rate}` below zero for \
each VAT rate, by the refund's own `taxes` or `amount_excl`; without these a price reduction in \
proportion to what is left of the goods, which the log reports. To keep every rate from ending \
below zero, goods that come back later may need such lines too |
| a refund once the order is invoiced | a credit note: an order with quantities below zero and the \
invoice's number, `{shop_name}:{id}:refund:{refund id}`. While it is a Draft it is changed, or \
deleted, as the shop changes its refund; one that Go makes with another amount is deleted, and \
held |
| cancelled once it is invoiced | a credit note of what is left, `{shop_name}:{id}:cancel` |

The VAT that the shop states is used. Its `total_excl`, `total_tax`, `rounding` and `total_incl`
and its `taxes` are the order as sold, before refunds. A shop may round VAT on each line, once per
rate or once per order, or not round lines at all. So at each rate its VAT may differ from that of
the lines by (n + 1) / 2 øre, n being the lines, charges and discounts at that rate, and an order by
the sum over its rates; the øre are then given to the lines. Sums that differ by more contradict
each other: the order is held before it is posted, and the hold names both.

Which rates bear a discount on the whole order follows from these sums. `taxes`, if sent, name every
rate that has VAT left. Without them, or if that does not come to the discount, the first of these
that fits every sum that was sent is used: in proportion over the goods; over goods and
charges; all on one rate, where 0 % is a gift card that pays; with two rates, the split that gives
the VAT that was sent. If none fits, the order is held.

No VAT can be sent: Go works it out from the product's sales account. So after every write of an
order Go's answer is compared with the shop's order: the VAT rate of each line with `tax_rate`, the
VAT of each rate, within the same tolerance, and the total with `total_incl` less what was paid
back. Differences that come only from Go's rounding are corrected: unit prices are moved by an øre
of their line's amount, or to the next price that Go can store, within one rate first, and only as
far as the VAT of each rate stays right. What is still off goes on a line of its own without VAT,
with `rounding_product_code`: an øre for each line at most. If they still differ, the order stays a
Draft and is held with both figures.

Those marked (↔) flow back as well with the setting `order_lines_back` of target-customwebshop, as
long as the order is not invoiced. Then the amounts of the line, the order's totals and its `taxes`
follow Go's to the øre. Lines that are removed, added or given another product in Go are held.
"""

EXAMPLES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (
        "Write the shop's customer number to Go, and leave phone numbers alone:",
        {"customers": {"number": "to_go", "phone": "off"}},
    ),
    (
        "Read a property from another place in the record, here from `custom`:",
        {"customers": {"phone": {"source": "custom.mobile"}}},
    ),
    (
        "Write a constant to a Go property that no row writes, on every new order:",
        {"orders": {"department": {"go": "DepartmentCode", "constant": "WEB"}}},
    ),
    (
        "Put new products into the product group named by their category:",
        {"products": {"category": "create"}},
    ),
    (
        "Let archiving come back to the shop as well:",
        {"customers": {"archived": "both"}, "products": {"archived": "both"}},
    ),
)
"""Examples of the setting `properties`: what it is for, and its value."""

_PROPERTIES = """\
## The setting `properties`

`{entity: {row: change}}`. The entities are `customers`, `products` and `orders`; the rows have the
names of the first column above. A change is a direction (`both`, `to_go`, `to_shop`, `create`,
`off`) or an object of

| member | meaning |
| :-- | :-- |
| `direction` | one of those five; `both` and `to_shop` only where a value can be written back |
| `source` | where in the record the value is, with `.` between the names |
| `constant` | a value that is always written, in place of `source` |
| `go` | with a new row: the Go property that it writes |

Both targets take this setting, and it must be the same for both. A wrong row, property or direction
stops the run at start-up with one line, and nothing is written. A property that Go takes only when
an entry is created, marked * below, has the direction `create`.

Some rows cannot be changed: {fixed}.
"""


def dataflow_document() -> str:
    """Return docs/dataflow.md."""
    parts = [_INTRODUCTION]
    for entity, table in TABLES.items():
        parts += [f"## {_NAMES[entity]}\n", _rows(table), _BESIDE[entity]]
    parts += [_LINES_INTRODUCTION, _line_rows()]
    parts += [_PROPERTIES.replace("{fixed}", _fixed_rows()), _examples()]
    parts += ["Go properties that a new row can write:\n", _go_fields()]
    return "\n".join(part for part in parts if part)


def _rows(table: Table) -> str:
    return _markdown(
        ("row", "shop property", "Go property", "Go data type", "direction", "notes"),
        (
            (f"`{row.name}`", row.shop, row.go, row.go_type, row.direction.value, row.note)
            for row in table.rows
        ),
    )


def _line_rows() -> str:
    return _markdown(
        ("shop property", "Go property", "Go data type", "direction", "notes"),
        (
            (shop, go, kind, "→ (↔)" if go in BACK_MEMBERS else "→", note)
            for go in LINE_MEMBERS
            for shop, kind, note in [_LINES[go]]
        ),
    )


def _fixed_rows() -> str:
    return ", ".join(
        f"`{entity}.{row.name}`"
        for entity, table in TABLES.items()
        for row in table.rows
        if apply_overrides({entity: {row.name: "off"}})[1]
    )


def _examples() -> str:
    return "\n".join(
        f"{sentence}\n\n```json\n{json.dumps(value, ensure_ascii=False)}\n```\n"
        for sentence, value in EXAMPLES
    )


def _go_fields() -> str:
    return _markdown(
        ("entity", "Go data type", "Go properties"),
        (
            (
                entity,
                kind,
                ", ".join(
                    name if field.is_patchable else f"{name}*"
                    for name, field in fields.items()
                    if field.type == kind
                ),
            )
            for entity, fields in GO_FIELDS.items()
            for kind in dict.fromkeys(field.type for field in fields.values())
        ),
    )


def _markdown(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = tuple(headings)
    rule = [":-:" if heading == "direction" else ":--" for heading in headings]
    lines = [headings, rule, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_SHOP_API = """\
# The shop's API

This is what `tap-customwebshop` reads. Build it into your shop, and the tap works as it is. The tap
only needs the lists; to write to the shop as well, the sync also needs single records and changes.

## Requests

```
GET /customers?updated_since=2026-01-31T08:00:00.000000Z&limit=500&cursor=...
GET /products
GET /orders
Authorization: Bearer <token>
```

| Parameter | Meaning |
|:----------|:--------|
| `updated_since` | Only records with this `updated_at` or later, RFC 3339. All if missing. |
| `limit` | How many records at most, 1 to 1000. |
| `cursor` | The `next_cursor` of the page before. Missing on the first page. |

Refuse any other parameter with 400.

## Answers

```json
{"data": [{"id": "1001", "updated_at": "2026-01-31T08:15:00.000000Z"}], "next_cursor": null}
```

- `data` is sorted by `updated_at`, then by `id`, both ascending. The tap checks this.
- `next_cursor` is text that the tap sends back to get the next page, and null on the last page. A
  cursor holds the place (the last `updated_at` and `id`), not a page number, because rows move
  meanwhile. A page may be empty; ten in a row that are empty, or hold the ids of an earlier page,
  end the run.
- `updated_at` moves on any change inside the record: an address, a line, a payment, a price.
- A deleted record stays listed, with `deleted_at` set and `updated_at` moved.
- Too many requests: 429 with `Retry-After`. Errors are problem bodies after RFC 9457.
- HTTPS only. The tap follows redirects within the same host and port, and no others.

## Single records and changes

```
GET /customers/1001
PATCH /customers/1001
Authorization: Bearer <token>
Content-Type: application/merge-patch+json
If-Match: "9f86d081884c7d659a2f"

{"phone": "+4741234567", "note": null}
```

The same for `/products` and `/orders`.

- GET returns the record as the list shows it, also a deleted one, with a strong `ETag` that changes
  with every change. An unknown `id` is 404.
- PATCH takes a JSON merge patch (RFC 7396), which names only the fields to change: an object is
  merged member by member, a list is replaced as a whole, null empties a field.
- The answer is 200 with the complete record as it is now stored, and its new `ETag`. If your shop
  trims a text or rounds a price, return the stored value.
- `If-Match` holds the `ETag` that was read. If the record's `ETag` has changed since, answer 412
  and change nothing. Without `If-Match` the change is made.
- `updated_at` moves as with any change. A patch that changes nothing moves neither it nor the
  `ETag`.
- A patch is applied completely or not at all. Answer 422 to a field that the shop does not have, to
  `id`, `created_at` and `updated_at`, to a value whose form is not the one in the tables below, and
  to a word that they do not list.
- Answer 409 to a patch of a deleted record, whatever its `If-Match`; 400 to a body that is not a
  JSON object; 415 to any other `Content-Type` than this one and `application/json`.

## Values

- Ids are text. An id that is a JSON number is read as text.
- Amounts, rates and quantities are decimal strings: `"199.00"`. `_excl` is without VAT, `_incl`
  with it. A JSON number is read digit by digit and becomes such a string.
- Rates are in percent: `"25"`.
- With a discount on the whole order (`discounts`), such as a coupon or a gift card, send `taxes`:
  only they always show which VAT rates bear it; the order's totals and `amount_excl` often do.
  Without any of these it is taken off the goods in proportion and lowers their VAT, even if it is a
  gift card.
- Stamps are RFC 3339 in UTC with `Z`.
- Always send the complete record. Null means empty. A missing field means that its value is
  unknown, so it is not compared with anything.
- A field that is not listed below goes into `custom`; the log names it once in a run.

## What each record needs

To be read, a record needs `id` and `updated_at`. Without `id` the run stops at that record and
names it. Without a readable `updated_at` (the year 1 counts as none), the record is read with a
warning, and the bookmark stays where it is. A shop that keeps no such stamps is read through [a
shop file](own-shop.md#what-changed-since) with `has_stamps=False`.

To be written to Go, it also needs what is below. A record that lacks any of it is not written, and
is listed with one reason that names all that is missing (`powerofficego-links rejects`); the others
go on.

| Record | Needs |
|:-------|:------|
| customer | `name`, `first_name`, `last_name` or `email`; a company: `company_name` or `name` |
| address | `postal_code` and `city`; without both it is left out |
| product | `sku` and `name`; `tax_rate` where `price_incl` is the only price |
| order | `status`, `total_incl`, and `customer_id` or a `buyer` with a name or an e-mail address |
| line | `id`, `quantity` and its amounts (a text: `id`); with no product or SKU, it is a fee |
| shipping, fee | its amounts; an `id` if a refund is to name it |
| discount | `amount_incl` |
| refund | `id`, and `amount_incl`, `shipping_incl` or `lines` |
| line of a refund | `line_id`, and `quantity` or `amount_incl` |
| payment | `status`, `amount`, `method`, `paid_at`; otherwise the order is written without it |

- The amounts of a line or charge are two of `total_excl`, `total_tax` and `total_incl`, or one of
  them and `tax_rate`. Where `tax_rate` is missing, it is the one rate that the amounts can have; if
  they are less than a few kroner there may be several, and then the order's `taxes` must name one.
- A customer's address that is default for billing and for shipping is listed once, without `type`
  and with `is_default`.
- A guest is only in the order: its `buyer`, with `customer_id` null. Leave out customers that the
  shop creates for each order of a guest. Orders with the same e-mail address go to one
  customer in Go (setting `guests`).
- Goods that came back without money, as in an exchange, are a refund with `amount_incl` `"0.00"`:
  nothing is credited. With null it would be their price.
- A discount that the lines' amounts already include has `is_in_lines`, and is not taken off again.
  The amount by which the shop rounds the whole order is `rounding`.
"""

_STREAM_TITLES = {"/customers": "Customer", "/products": "Product", "/orders": "Order"}


def shop_api_document() -> str:
    """Return docs/shop-api.md."""
    chapters = chain.from_iterable(map(_chapter, STREAMS))
    return "\n".join([_SHOP_API.rstrip("\n"), *chapters, ""])


def _chapter(stream: type[ShopStream]) -> Iterator[str]:
    path = stream.path
    yield f"\n## {_STREAM_TITLES[path]}\n\n`GET {path}`. {stream.__doc__}\n"
    yield from _fields(stream.record_schema)
    for name, field in stream.record_schema["properties"].items():
        yield from _nested(name, field)


def _nested(name: str, field: Mapping[str, Any]) -> Iterator[str]:
    inner = field.get("items", field)
    if not inner.get("properties"):
        return
    yield f"\n### `{name}`\n"
    yield from _fields(inner)
    for inner_name, inner_field in inner["properties"].items():
        yield from _nested(f"{name}.{inner_name}", inner_field)


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| Field | Form | Meaning |"
    yield "|:------|:-----|:--------|"
    for name, field in schema["properties"].items():
        yield f"| `{name}` | {_form(field)} | {field['description']} |"


def _form(field: Mapping[str, Any]) -> str:
    forms = {DECIMAL_FORMAT: "decimal string", "date-time": "stamp", "date": "day"}
    if "format" in field:
        return forms[field["format"]]
    words = {"string": "text", "boolean": "true or false", "object": "object", "array": "list"}
    return words[next(kind for kind in field["type"] if kind != "null")]


CURRENT = {"dataflow.md": dataflow_document, "shop-api.md": shop_api_document}
"""The files under docs/ that are generated, and the functions that return their content."""


if __name__ == "__main__":
    for name, document in CURRENT.items():
        (DOCS / name).write_text(document(), encoding="utf-8")
