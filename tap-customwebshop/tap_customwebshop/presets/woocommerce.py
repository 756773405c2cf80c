"""WooCommerce, through its REST API v3.

Settings: `api_url` is the shop's address (`https://butikken.no`). In `shop_settings`,
`consumer_key` and `consumer_secret` are a key made under WooCommerce > Settings > Advanced > REST
API, for a user who may read everything and, if edits made in Go come back, write everything;
`organization_number_meta` is the name under which a plug-in keeps the buyer's organisation number.

Order amounts are without VAT, with the VAT beside them, and coupons are already deducted from the
lines. Stamps are GMT without a zone, and so are filters: a `Z` beside `dates_are_gmt` would shift
them by the site's own zone. Orders are requested with `dp=6`, because a shop that shows no øre
would otherwise round every amount to whole kroner. Permanent deletions are not reported.
"""

from __future__ import annotations

from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_customwebshop.shop import (
    Basic,
    Listing,
    Page,
    amount,
    payment_status,
    percent,
    stamp,
    taxes_by_rate,
    to_shop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_customwebshop.shop.mapping import Shop

Row = dict[str, Any]

API = "/wp-json/wc/v3"
AUTH = Basic("{consumer_key}", "{consumer_secret}")


def listing(
    path: str, params: str = "", since: str = "", single: str = "", days: float | None = None
) -> Listing:
    """A list sorted by id, in which records that change during a read keep their place."""
    return Listing(
        API + path,
        pager=Page(total="header X-WP-Total"),
        params="orderby=id&order=asc" + (params and f"&{params}"),
        since=since and f"{since}={{since}}&dates_are_gmt=true",
        since_format="%Y-%m-%dT%H:%M:%S",
        is_inclusive=False,
        sorted=False,
        client_filter=not since,
        single=single and API + single,
        full_read_days=days,
    )


CUSTOMERS = listing("/customers", "role=all", single="/customers/{id}")
# A sale changes stock without moving a stamp, and before 10.3 no list shows changed variations
PRODUCTS = listing("/products", "", "modified_after", "/products/{id}", days=1)
ORDERS = listing("/orders", "dp=6", "modified_after", "/orders/{id}?dp=6")

ZERO, ORE = Decimal(0), Decimal("0.01")
STAFF = ("administrator", "editor", "author", "contributor", "shop_manager", "subscriber")
STATUSES = {"checkout-draft": "draft", "on-hold": "on_hold", "trash": "cancelled"} | {
    status: status
    for status in ("pending", "processing", "completed", "cancelled", "refunded", "failed")
}
PRODUCT_STATUSES = {"publish": "active", "future": "draft", "draft": "draft", "pending": "draft"}
LINES = ("line_items", "shipping_lines", "fee_lines")
# WooCommerce's names of the contract's members
ADDRESS = {
    "company": "company",
    "line1": "address_1",
    "line2": "address_2",
    "postal_code": "postcode",
    "city": "city",
    "region": "state",
    "country_code": "country",
}
POSTAL = {**ADDRESS, "phone": "phone"}
CUSTOMER = {"email": "email", "first_name": "first_name", "last_name": "last_name"}
BILLING = {**CUSTOMER, "phone": "phone", "company_name": "company"}
PRODUCT = {
    "name": "name",
    "sku": "sku",
    "gtin": "global_unique_id",
    "description": "description",
    "price_incl": "regular_price",
    "price_excl": "regular_price",
}
CHANGE_LISTS = (
    ("products", "id", listing("/products", "status=trash&_fields=id", "modified_after")),
    ("orders", "id", listing("/orders", "status=trash&_fields=id", "modified_after")),
    ("orders", "parent_id", listing("/refunds", "_fields=parent_id", "after")),
    ("products", "parent_id", listing("/variations", "_fields=parent_id", "modified_after")),
)
"""Lists of what else changed: the stream, the member that has the id, and the list."""


def customer(row: Row, shop: Shop) -> Row | None:
    """A user who may buy; staff who never bought anything are left out."""
    if row["role"] in STAFF and not row["is_paying_customer"]:
        return None
    billing = row["billing"]
    account = {name: row[name] or billing[name] for name in CUSTOMER.values()}
    return {
        "id": row["id"],
        "type": "company" if billing["company"] else "person",
        "is_guest": False,
        **party({**billing, **account}, row, shop),
        "addresses": [
            {**address(row[kind]), "type": kind, "is_default": True}
            for kind in ("billing", "shipping")
            if row[kind]["address_1"] or row[kind]["city"]
        ],
        **stamps(row),
    }


def product(row: Row, shop: Shop) -> Iterator[Row]:
    """A simple product, or each variation of a variable one.

    A variation that is read as a product has no category, so it is read again from its parent.
    """
    if row["type"] == "variation":
        path = f"{API}/products/{row['parent_id']}"
        yield variant(shop.get(f"{path}/variations/{row['id']}"), shop.get(path), shop)
    elif row["type"].startswith("variable"):
        params = "status=trash" if row["status"] == "trash" else ""  # its variations are there too
        for variation in shop.list(listing(f"/products/{row['id']}/variations", params)):
            yield variant(variation, row, shop)
    elif row["type"] not in ("grouped", "external"):
        yield sellable(row, row, shop)


def variant(row: Row, parent: Row, shop: Shop) -> Row:
    """A variation of a product."""
    options = " / ".join(unescape(attribute["option"]) for attribute in row["attributes"])
    record = sellable(row, parent, shop)
    return {**record, "parent_id": parent["id"], "variant_name": options or None}


def sellable(row: Row, parent: Row, shop: Shop) -> Row:
    """A product or a variation; a variation takes its name and category from its product."""
    includes_tax = shop.table("prices_include_tax", prices_include_tax)
    tax_class = row["tax_class"] or "standard"
    is_taxed = row["tax_status"] == "taxable"
    latest = max(item["date_modified_gmt"] or item["date_created_gmt"] for item in (row, parent))
    return {
        "id": row["id"],
        "sku": row["sku"] or None,
        "gtin": row.get("global_unique_id") or None,
        "type": "service" if row["virtual"] else "goods",
        "name": unescape(parent["name"]),
        "description": row["description"] or parent["description"] or None,
        "status": PRODUCT_STATUSES.get(row["status"], "archived"),
        "category": next((unescape(category["name"]) for category in parent["categories"]), None),
        "price_incl" if includes_tax else "price_excl": row["price"] or None,
        "prices_include_tax": includes_tax,
        "tax_rate": shop.table("rates", rates_by_class).get(tax_class) if is_taxed else "0",
        "tax_class": tax_class,
        "stock_tracked": bool(row["manage_stock"]),
        "stock_on_hand": row["stock_quantity"],
        "url": row["permalink"],
        **stamps({**row, "date_modified_gmt": latest}),
        "deleted_at": stamp(latest) if "trash" in (row["status"], parent["status"]) else None,
    }


def prices_include_tax(shop: Shop) -> bool:
    """Whether the merchant enters prices with VAT."""
    return bool(shop.get(f"{API}/settings/tax/woocommerce_prices_include_tax")["value"] == "yes")


def rates_by_class(shop: Shop) -> Row:
    """The VAT rate of each tax class: the first that applies to Norway or to all countries."""
    home = [rate for rate in shop.list(listing("/taxes")) if rate["country"] in ("NO", "")]
    return {rate["class"]: percent(rate["rate"]) for rate in reversed(home)}


def order(row: Row, shop: Shop) -> Row:
    """An order as it was sold, and what was paid back."""
    rates = rates_by_id(row)
    lines = {name: [priced(line, rates) for line in row[name]] for name in LINES}
    sold = [line for name in LINES for line in lines[name]]
    sums = totals(row, sold)
    refunds = [refund(refunded, sold, rates) for refunded in refunds_of(row, shop)]
    total, paid_back = sums["total_incl"], sum((back["amount_incl"] for back in refunds), ZERO)
    paid_at = stamp(row["date_paid_gmt"])
    return {
        "id": row["id"],
        "number": row["number"],
        "status": STATUSES.get(row["status"], "processing" if paid_at else "pending"),
        "payment_status": payment_status(total, total if paid_at else ZERO, paid_back),
        "fulfillment_status": "fulfilled" if row["status"] == "completed" else "unfulfilled",
        "source_status": row["status"],
        "currency": row["currency"],
        "prices_include_tax": row["prices_include_tax"],
        "customer_id": row["customer_id"] or None,
        "is_guest": not row["customer_id"],
        "buyer": party(row["billing"], row, shop),
        "billing_address": address(row["billing"]),
        "shipping_address": address(row["shipping"]) if row["shipping"]["address_1"] else None,
        "note": row["customer_note"] or None,
        "lines": [goods(line) for line in lines["line_items"]],
        "shipping": [charge(line) for line in lines["shipping_lines"]],
        "fees": [charge(line) for line in lines["fee_lines"] if line.excl >= 0],
        "discounts": [rebate(line) for line in lines["fee_lines"] if line.excl < 0]
        + [coupon(line) for line in row["coupon_lines"]],
        "payments": [payment(row, total, paid_at)] if paid_at else [],
        "refunds": refunds,
        **sums,
        "total_refunded": paid_back,
        "placed_at": stamp(row["date_created_gmt"]),
        "paid_at": paid_at,
        "completed_at": stamp(row["date_completed_gmt"]),
        **stamps(row),
        "deleted_at": stamp(row["date_modified_gmt"]) if row["status"] == "trash" else None,
    }


class Priced(NamedTuple):
    """A line after coupons, in whole øre; its VAT by rate keeps all its digits."""

    raw: Row
    excl: Decimal
    tax: Decimal
    incl: Decimal
    vat: dict[str | None, Decimal]


def rates_by_id(row: Row) -> dict[int, str | None]:
    """The order's VAT rates in percent, by their ids."""
    return {tax["rate_id"]: percent(tax.get("rate_percent")) for tax in row["tax_lines"]}


def priced(line: Row, rates: dict[int, str | None]) -> Priced:
    """The amounts of a line; its `taxes` keep the digits that its `total_tax` may have lost."""
    taxes = [
        (rates.get(tax["id"]), Decimal(tax["total"])) for tax in line["taxes"] if tax["total"] != ""
    ]
    vat = {rate: tax for rate, tax in taxes if tax or len(taxes) == 1} or {"0": ZERO}
    total = Decimal(line["total"])
    excl, incl = amount(total), amount(total + sum([tax for _, tax in taxes], ZERO))
    return Priced(line, excl, incl - excl, incl, vat)


def totals(row: Row, lines: list[Priced]) -> Row:
    """The totals, and the VAT by rate.

    A shop that shows no øre rounds VAT to whole kroner, which matches no rate. Then the VAT is that
    of the lines, and the difference between the total and the lines is its rounding.
    """
    total, tax, rounding = amount(row["total"]), amount(row["total_tax"]), ZERO
    line_total = sum([line.incl for line in lines], ZERO)
    line_tax = sum([line.tax for line in lines], ZERO)
    taxes = taxes_by_rate([share for line in lines for share in shares(line)])
    difference = max(abs(tax - line_tax), abs(total - line_total))
    if 2 * difference > ORE * (len(lines) + 1) and tax == int(tax) and total == int(total):
        tax, rounding = line_tax, total - line_total
    else:
        vat = {
            percent(entry.get("rate_percent")): Decimal(entry["tax_total"])
            + Decimal(entry["shipping_tax_total"])
            for entry in row["tax_lines"]
        }
        taxes = [
            {**part, "amount": amount(vat.get(part["rate"], part["amount"]))} for part in taxes
        ]
    return {
        "taxes": taxes,
        "total_excl": total - tax - rounding,
        "total_tax": tax,
        "total_incl": total,
        "rounding": rounding or None,
    }


def shares(line: Priced) -> Iterator[Row]:
    """Yield the share of a line at each VAT rate; a negative fee reduces every rate."""
    rest = line.excl
    for rate, tax in line.vat.items():
        base, vat = rest, line.tax
        if line.excl < 0 and tax:
            base, vat = amount(tax * 100 / Decimal(rate or 100)), amount(tax)
        yield {"tax_rate": rate, "total_excl": base, "total_tax": vat}
        rest -= base
    if rest:
        yield {"tax_rate": "0", "total_excl": rest, "total_tax": ZERO}


def charge(line: Priced) -> Row:
    """Freight, a fee, or the members that these share with goods."""
    name = line.raw.get("name") or line.raw.get("method_title")
    return {
        "id": line.raw["id"],
        "name": unescape(name) if name else None,
        "total_excl": line.excl,
        "total_tax": line.tax,
        "total_incl": line.incl,
        "tax_rate": next(iter(line.vat)) if len(line.vat) == 1 else None,
    }


def goods(line: Priced) -> Row:
    """A line of goods; coupons are already deducted from its totals."""
    raw = line.raw
    quantity = Decimal(raw["quantity"])
    tax_before = sum([Decimal(tax.get("subtotal") or 0) for tax in raw["taxes"]], ZERO)
    before = Decimal(raw.get("subtotal") or raw["total"])
    excl_before, incl_before = amount(before), amount(before + tax_before)
    return {
        **charge(line),
        "type": "product",
        "product_id": raw["variation_id"] or raw["product_id"] or None,
        "sku": raw["sku"] or None,
        "quantity": quantity,
        "unit_price_excl": amount(excl_before / (quantity or 1)),
        "unit_price_incl": amount(incl_before / (quantity or 1)),
        "discount_excl": excl_before - line.excl,
        "discount_incl": incl_before - line.incl,
    }


def rebate(line: Priced) -> Row:
    """A negative fee, which is how plug-ins give a discount on the entire order."""
    name = unescape(line.raw["name"]) or None
    return {"name": name, "amount_excl": -line.excl, "amount_incl": -line.incl}


def coupon(line: Row) -> Row:
    """A coupon; it is already deducted from the lines."""
    excl, tax = Decimal(line["discount"]), Decimal(line["discount_tax"])
    amounts = {"amount_excl": amount(excl), "amount_incl": amount(excl + tax)}
    return {"code": line["code"], **amounts, "is_in_lines": True}


def payment(row: Row, total: Decimal, paid_at: str) -> Row:
    """The payment: WooCommerce gives only its time, and it covers the entire order."""
    return {
        "id": row["id"],
        "method": row["payment_method"],
        "reference": row["transaction_id"] or None,
        "status": "paid",
        "amount": total,
        "paid_at": paid_at,
    }


def refund(row: Row, lines: list[Priced], rates: dict[int, str | None]) -> Row:
    """A refund of certain lines or, if it names none, of the order.

    A shop that shows no øre pays back whole kroner, which may be more than a line cost. Then the
    amounts of the lines are left empty.
    """
    sold = {f"{line.raw['id']}": line for line in lines}
    refunded = [
        (meta(line, "_refunded_item_id"), priced(line, rates))
        for name in LINES
        for line in row.get(name) or ()
    ]
    paid_back = amount(row["amount"])
    adds_up = paid_back == -sum((line.incl for _, line in refunded), ZERO) and all(
        line_id in sold and -line.incl <= sold[line_id].incl for line_id, line in refunded
    )
    return {
        "id": row["id"],
        "amount_incl": paid_back,
        "reason": row["reason"] or None,
        "created_at": stamp(row["date_created_gmt"]),
        "lines": [
            {
                "line_id": line_id,
                "quantity": abs(line.raw.get("quantity") or 0),
                "amount_incl": -line.incl if adds_up else None,
            }
            for line_id, line in refunded
        ],
    }


def refunds_of(row: Row, shop: Shop) -> list[Row]:
    """The refunds of an order, which itself lists only their sums, or in some versions nothing."""
    has_refunds = row["refunds"] or row["status"] == "refunded"
    if has_refunds or not shop.table("orders_list_refunds", orders_list_refunds):
        return list(shop.list(listing(f"/orders/{row['id']}/refunds", "dp=6")))
    return []


def orders_list_refunds(shop: Shop) -> bool:
    """Whether orders list their refunds, as in most versions; tried on an order that has one."""
    for refunded in shop.get(f"{API}/refunds?per_page=1&_fields=parent_id", missing=[]):
        path = f"{API}/orders/{refunded['parent_id']}?_fields=refunds"
        return bool(shop.get(path, missing={"refunds": True})["refunds"])
    return True


def party(billing: Row, row: Row, shop: Shop) -> Row:
    """The buyer; the organisation number is where the merchant's plug-in keeps it."""
    person = texts(billing, BILLING)
    full_name = f"{person['first_name'] or ''} {person['last_name'] or ''}".strip() or None
    return {
        **person,
        "name": person["company_name"] or full_name,
        "organization_number": meta(row, shop.settings.get("organization_number_meta")),
    }


def address(row: Row) -> Row:
    """An address; a delivery address has no e-mail address and, in older versions, no phone."""
    full_name = unescape(f"{row['first_name']} {row['last_name']}").strip() or None
    phone, email = unescape(row.get("phone") or ""), unescape(row.get("email") or "")
    return {
        "name": full_name,
        **texts(row, ADDRESS),
        "phone": phone or None,
        "email": email or None,
    }


def texts(row: Row, names: dict[str, str]) -> Row:
    """Members as they were entered: WooCommerce escapes some for HTML, `Fjord &amp; Fjell`."""
    return {
        name: unescape(text) if (text := row[shop_name]) else None
        for name, shop_name in names.items()
    }


def touched(shop: Shop, since: datetime) -> dict[str, list[int]]:
    """What changed without moving its own stamp, and what went to the trash.

    Some gateways refund without moving the order's stamp, and a variation never moves that of its
    product.
    """
    ids: dict[str, list[int]] = {"products": [], "orders": []}
    for stream, member, changes in CHANGE_LISTS:
        ids[stream] += [row[member] for row in shop.list(changes, since=since, missing=[])]
    return ids


def change(entity: str, record_id: str, patch: Row, shop: Shop) -> tuple[str, str, Row] | None:
    """The request that makes an edit; None for what WooCommerce would refuse or undo.

    An empty text empties a member; null changes nothing. Orders are left alone, because changing an
    address makes WooCommerce calculate their VAT again. A product is read first, because a
    variation is changed under its product, and a sale price is a member of its own.
    """
    if entity == "products":
        return change_of_product(shop, record_id, patch)
    if entity != "customers":
        return None
    body = to_shop(patch, CUSTOMER, empty="")
    if billing := to_shop(patch, BILLING, empty=""):
        body["billing"] = billing
    for edited in patch.get("addresses") or ():
        if (kind := edited["type"]) in ("billing", "shipping"):
            body[kind] = {**to_shop(edited, POSTAL, empty=""), **body.get(kind, {})}
    return ("PUT", f"{API}/customers/{record_id}", body) if body else None


def change_of_product(shop: Shop, record_id: str, patch: Row) -> tuple[str, str, Row] | None:
    """The request that changes a product or a variation."""
    body = to_shop(patch, PRODUCT, empty="")
    path = f"{API}/products/{record_id}"
    row = shop.get(path)
    if row["type"] == "variation":
        path = f"{API}/products/{row['parent_id']}/variations/{record_id}"
        body.pop("name", None)
    if row["on_sale"] and "regular_price" in body:
        body["sale_price"] = body.pop("regular_price")
    return ("PUT", path, body) if body else None


def meta(row: Row, key: str | None) -> str | None:
    """The value of a key in the metadata, as text."""
    values = (entry["value"] for entry in row["meta_data"] if entry["key"] == key)
    return next((str(value) for value in values if value), None)


def stamps(row: Row) -> Row:
    """When a record was created and last changed; users from elsewhere have no change stamp."""
    created, changed = row["date_created_gmt"], row["date_modified_gmt"]
    return {"created_at": stamp(created), "updated_at": stamp(changed, created)}
