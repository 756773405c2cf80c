"""Writes docs/shop-api.md, the contract that a merchant builds the shop's API to.

`python -m tap_customwebshop.shop_api_doc > docs/shop-api.md`
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tap_customwebshop.schemas import DECIMAL_FORMAT
from tap_customwebshop.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_customwebshop.streams import ShopStream

_RULES = """\
# The shop's API

This is what `tap-customwebshop` reads. Build it into your shop and the tap works as it is. The tap
needs the lists only; a shop that shall be written to as well needs single records and changes too.

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
  cursor holds the place (the last `updated_at` and `id`), not a page number: rows move meanwhile.
  A page may be empty; ten in a row that are, or that hold the ids of an earlier page, end the run.
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

- GET answers the record as the list shows it, a deleted one too, with an `ETag`: a strong one, that
  is another after any change. An unknown `id` is 404.
- PATCH takes a JSON merge patch (RFC 7396), which names only the fields to change: an object is
  merged member by member, a list is replaced whole, null empties a field.
- The answer is 200 with the whole record as it is kept now, and its new `ETag`. If your shop trims
  a text or rounds a price, answer what it made of it.
- `If-Match` holds the `ETag` that was read. If the record has another one by now, answer 412 and
  change nothing. Without `If-Match` the change is made.
- `updated_at` moves as with any change. A patch that changes nothing moves neither it nor the
  `ETag`.
- A patch is taken whole or not at all. Answer 422 to a field that the shop does not have, to `id`,
  `created_at` and `updated_at`, to a value of another form than the tables below tell, and to a
  word that they do not list.
- Answer 409 to a patch of a deleted record, whatever `If-Match` says; 400 to a body that is no JSON
  object; 415 to any other `Content-Type` than this one and `application/json`.

## Values

- Ids are text. An id that is a JSON number is read as text.
- Amounts, rates and quantities are decimal strings: `"199.00"`. `_excl` is without VAT, `_incl`
  with it. A JSON number is read digit by digit and becomes such a string.
- Rates are in percent: `"25"`.
- Of each line and charge (`lines`, `shipping`, `fees`) two of `total_excl`, `total_tax`,
  `total_incl` must be there, or one of them and `tax_rate`.
- With a discount on the whole order (`discounts`), such as a coupon or a gift card, tell `taxes`:
  only they always say which VAT rates bear it; the order's totals and `amount_excl` often do. With
  none of these it is taken off the goods in proportion and lowers their VAT, a gift card too.
- Stamps are RFC 3339 in UTC with `Z`.
- Send each record whole. Null means empty. A missing field means that the shop does not tell, so it
  is not compared with anything.
- Only `id` and `updated_at` must be there. Without `id` the run stops at that record and says
  which. Without a readable `updated_at`, the year 1 among them, the record is read, a warning says
  so, and the bookmark stays where it is.
- A field that is not below goes into `custom`; the log names it once in a run.
"""

_STREAM_TITLES = {"/customers": "Customer", "/products": "Product", "/orders": "Order"}


def shop_api_document() -> str:
    """The whole document, as Markdown."""
    return (
        "\n".join([_RULES.rstrip("\n"), *(line for stream in STREAMS for line in _chapter(stream))])
        + "\n"
    )


def _chapter(stream: type[ShopStream]) -> Iterator[str]:
    path = stream.path
    yield f"\n## {_STREAM_TITLES[path]}\n\n`GET {path}`. {stream.__doc__}\n"
    yield from _table(stream.record_schema)
    for name, field in stream.record_schema["properties"].items():
        yield from _nested(name, field)


def _nested(name: str, field: Mapping[str, Any]) -> Iterator[str]:
    inner = field.get("items", field)
    if not inner.get("properties"):
        return
    yield f"\n### `{name}`\n"
    yield from _table(inner)
    for inner_name, inner_field in inner["properties"].items():
        yield from _nested(f"{name}.{inner_name}", inner_field)


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
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


if __name__ == "__main__":
    sys.stdout.write(shop_api_document())
