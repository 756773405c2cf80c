"""Vendure, by its admin API, of version 3.

Settings: `api_url` is the server's address (`https://butikken.no`); in `shop_settings`, `username`
and `password` are those of an administrator who may read customers, catalogue and orders. What the
default channel has is read.

Amounts are whole numbers of øre, each with and without VAT. An order's own are less what was
cancelled or changed since it was placed, which is paid back as well; here an order is told as it
was sold. Most changes move no stamp of what they change, but its history tells of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_customwebshop.shop import Listing, Login, Offset, money, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_customwebshop.shop.mapping import Shop

Row = dict[str, Any]

API = "/admin-api"
AUTH = Login(
    API,
    {
        "query": "mutation($user: String!, $password: String!)"
        " {login(username: $user, password: $password) { __typename }}",
        "variables": {"user": "{username}", "password": "{password}"},
    },
    token="header vendure-auth-token",  # noqa: S106 - a header's name
)
ORDERS_CHANGE = timedelta(days=180)
"""For so long after it was placed, each run looks whether an order's history goes on."""

LATEST = "history(options: {take: 1, sort: {createdAt: DESC}}) {items {createdAt}}"
ADDRESS = """fullName company streetLine1 streetLine2 city province postalCode phoneNumber"""
CUSTOMER = f"""id createdAt updatedAt firstName lastName emailAddress phoneNumber user {{id}}
addresses {{id {ADDRESS} country {{code}} defaultBillingAddress defaultShippingAddress}} {LATEST}"""
VARIANT = """id createdAt updatedAt languageCode sku name enabled price priceWithTax currencyCode
prices {currencyCode price} taxRateApplied {value} taxCategory {name} trackInventory
stockLevels {stockOnHand} product {id updatedAt enabled description}"""
ORDER = f"""id createdAt updatedAt orderPlacedAt code type state currencyCode couponCodes
customer {{id firstName lastName emailAddress phoneNumber user {{id}}}}
billingAddress {{{ADDRESS} countryCode}} shippingAddress {{{ADDRESS} countryCode}}
lines {{id quantity orderPlacedQuantity taxRate unitPrice unitPriceWithTax linePrice
linePriceWithTax proratedLinePrice proratedLinePriceWithTax productVariant {{id sku name}}}}
shippingLines {{id discountedPrice discountedPriceWithTax shippingMethod {{name}}
discounts {{adjustmentSource amount amountWithTax}}}}
surcharges {{id description price priceWithTax taxRate}}
discounts {{adjustmentSource description amount amountWithTax}}
taxSummary {{taxRate taxBase taxTotal}} total totalWithTax
payments {{id method transactionId state amount updatedAt
refunds {{id state total reason updatedAt lines {{orderLineId quantity}}}}}}
{LATEST}"""


def listing(
    *names: str,
    fields: str,
    filters: Row | None = None,
    since: str = "",
    days: float | None = None,
) -> Listing:
    """A list, sorted by id, in which what changes meanwhile keeps its place."""
    name, single = names
    kind = f"{single[0].upper()}{single[1:]}ListOptions"
    options = {"sort": {"id": "ASC"}, "filter": filters or {}}
    return Listing(
        API,
        graphql=f"query($options: {kind}) {{{name}(options: $options)"
        f" {{totalItems items {{{fields}}}}}}}",
        body={"variables": {"options": options}},
        rows=f"data.{name}.items",
        pager=Offset(
            {"variables": {"options": {"skip": "{offset}", "take": "{size}"}}},
            total=f"data.{name}.totalItems",
        ),
        sorted=False,
        is_inclusive=False,
        single=f"query($id: ID!) {{{single}(id: $id) {{{fields}}}}}",
        single_at=f"data.{single}",
        since=since and {"variables": {"options": {"filter": {since: {"after": "{since}"}}}}},
        full_read_days=days,
    )


PLACED = {"active": {"eq": False}}
CUSTOMERS = listing("customers", "customer", fields=CUSTOMER, since="updatedAt", days=7)
# Stock that is sold and rates of VAT that change move nothing that can be asked for
PRODUCTS = listing("productVariants", "productVariant", fields=VARIANT, since="updatedAt", days=1)
ORDERS = listing("orders", "order", fields=ORDER, filters=PLACED, since="updatedAt", days=7)

CANCELLED_FREIGHT = "CANCEL_ORDER"
PREFIXES = {"lines": "", "shippingLines": "freight-", "surcharges": "surcharge-"}
"""Ids are unique in each list only, and a refund names a line by its id."""
STATUSES = {
    "Shipped": "completed",
    "Delivered": "completed",
    "Cancelled": "cancelled",
    "Modifying": "on_hold",
    "ArrangingAdditionalPayment": "on_hold",
}
FULFILLMENTS = {
    "PartiallyShipped": "partial",
    "PartiallyDelivered": "partial",
    "Shipped": "fulfilled",
    "Delivered": "fulfilled",
}
ADDRESS_NAMES = {
    "name": "fullName",
    "company": "company",
    "line1": "streetLine1",
    "line2": "streetLine2",
    "postal_code": "postalCode",
    "city": "city",
    "region": "province",
    "phone": "phoneNumber",
}
CUSTOMER_NAMES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "emailAddress",
    "phone": "phoneNumber",
}


def customer(row: Row, shop: Shop) -> Row | None:  # noqa: ARG001
    """Who has a user; Vendure also keeps a record of each guest, which is none of a customer."""
    if row["user"] is None:
        return None
    addresses = list(addresses_of(row))
    company = next((one["company"] for one in addresses if one["type"] == "billing"), None)
    return {
        "id": row["id"],
        "type": "company" if company else "person",
        "is_guest": False,
        **party(row, company),
        "addresses": addresses,
        "created_at": stamp(row["createdAt"]),
        "updated_at": changed_at(row),
    }


def addresses_of(row: Row) -> Iterator[Row]:
    """Yield the addresses; one for both uses comes twice, and the first is for invoices."""
    told = row["addresses"]
    billing = next((one for one in told if one["defaultBillingAddress"]), told[0] if told else None)
    for one in told:
        uses = {"billing": one is billing, "shipping": one["defaultShippingAddress"]}
        for use in [name for name, is_so in uses.items() if is_so] or ["other"]:
            country = one["country"]["code"]
            told_of = {"id": one["id"], "type": use, "is_default": use != "other"}
            yield {**told_of, **address({**one, "countryCode": country})}


def address(told: Row) -> Row:
    """An address of a customer or of an order."""
    members = {name: told[own] or None for name, own in ADDRESS_NAMES.items()}
    return {**members, "country_code": told["countryCode"]}


def party(row: Row, company: str | None) -> Row:
    """Who buys."""
    members = {name: row[own] or None for name, own in CUSTOMER_NAMES.items()}
    full_name = f"{row['firstName']} {row['lastName']}".strip() or None
    return {**members, "name": company or full_name, "company_name": company}


def product(row: Row, shop: Shop) -> Row:  # noqa: ARG001
    """A variant, which is what is sold; its name is its own, not its product's."""
    parent = row["product"]
    listed = [one["price"] for one in row["prices"] if one["currencyCode"] == row["currencyCode"]]
    includes_tax = row["priceWithTax"] in listed
    name, price = ("incl", "priceWithTax") if includes_tax else ("excl", "price")
    status = "active" if parent["enabled"] else "draft"
    return {
        "id": row["id"],
        "parent_id": parent["id"],
        "sku": row["sku"] or None,
        "name": row["name"],
        "description": parent["description"] or None,
        "status": status if row["enabled"] else "archived",
        "currency": row["currencyCode"],
        f"price_{name}": money(row[price], row["currencyCode"], minor=True),
        "prices_include_tax": includes_tax,
        "tax_rate": plain(row["taxRateApplied"]["value"]),
        "tax_class": row["taxCategory"]["name"],
        "stock_tracked": row["trackInventory"] != "FALSE",
        "stock_on_hand": sum(one["stockOnHand"] for one in row["stockLevels"]),
        "created_at": stamp(row["createdAt"]),
        "updated_at": stamp(max(row["updatedAt"], parent["updatedAt"])),
    }


def order(row: Row, shop: Shop) -> Row | None:
    """An order as it was sold, and what was paid back; carts, drafts, sellers' shares are none."""
    if not row["orderPlacedAt"] or row["type"] == "Seller":
        return None
    includes_tax, currency = shop.table("includes_tax", prices_include_tax), row["currencyCode"]
    settled = [one for one in row["payments"] if one["state"] == "Settled"]
    parts, apart = as_sold(row, sum(one["amount"] for one in settled), includes_tax)
    refunds = list(refunds_of(settled, apart))
    total = Amount(row["total"], row["totalWithTax"])
    for one in parts:
        total = total.plus(one.gain)
    paid_back = sum(one["amount_incl"] for one in refunds)
    status = payment_status(row, total.incl, paid_back)
    told = {
        "id": row["id"],
        "number": row["code"],
        "status": STATUSES.get(row["state"], "processing"),
        "payment_status": status,
        "fulfillment_status": FULFILLMENTS.get(row["state"], "unfulfilled"),
        "source_status": row["state"],
        "currency": currency,
        "prices_include_tax": includes_tax,
        **buyer(row),
        "placed_at": stamp(row["orderPlacedAt"]),
        "paid_at": stamp(*(one["updatedAt"] for one in settled[-1:] if status != "partially_paid")),
        "lines": [goods(one) for one in parts if one.kind == "lines"],
        "shipping": [charge(one) for one in parts if one.kind == "shippingLines"],
        "fees": [charge(one) for one in parts if one.kind == "surcharges"],
        "discounts": list(discounts(row)),
        "taxes": taxes(row, parts),
        "payments": [payment(one) for one in row["payments"]],
        "refunds": refunds,
        "total_excl": total.excl,
        "total_tax": total.incl - total.excl,
        "total_incl": total.incl,
        "total_refunded": paid_back,
        "created_at": stamp(row["createdAt"]),
        "updated_at": changed_at(row),
    }
    return dict(in_kroner(told, currency))


def prices_include_tax(shop: Shop) -> bool:
    """Whether the merchant enters prices with VAT, in the default channel."""
    channels = Listing(
        API,
        graphql="query {channels {items {code pricesIncludeTax}}}",
        rows="data.channels.items",
    )
    found = (one for one in shop.list(channels) if one["code"] == "__default_channel__")
    return bool(next(found)["pricesIncludeTax"])


def buyer(row: Row) -> Row:
    """Who bought: a guest is a customer without a user."""
    person = row["customer"]
    billing, shipping = (
        address(one) if one and one["streetLine1"] else None
        for one in (row["billingAddress"], row["shippingAddress"])
    )
    billing = billing or shipping
    is_guest = not person or person["user"] is None
    return {
        "customer_id": None if is_guest else person["id"],
        "is_guest": is_guest,
        "buyer": party(person, billing["company"] if billing else None) if person else None,
        "billing_address": billing,
        "shipping_address": shipping,
    }


class Amount(NamedTuple):
    """An amount without and with VAT, in øre."""

    excl: int
    incl: int

    def plus(self, other: Amount, sign: int = 1) -> Amount:
        """Return the sum of both, or their difference if `sign` is -1."""
        return Amount(self.excl + sign * other.excl, self.incl + sign * other.incl)


class Part(NamedTuple):
    """A line, freight or a surcharge of an order.

    Attributes:
        kind: The list of the order that it is in.
        raw: The row.
        quantity: How many were sold.
        before: What that many cost before promotions.
        sold: What it came to when it was sold.
        gain: How much more that is than it comes to now.
    """

    kind: str
    raw: Row
    quantity: int
    before: Amount
    sold: Amount
    gain: Amount


NOTHING = Amount(0, 0)


def as_sold(row: Row, paid: int, includes_tax: bool) -> tuple[list[Part], int]:
    """Return the parts as they were sold, and what was paid beyond them.

    Where more was paid than an order comes to now, something was cancelled. How many were sold of a
    line it still tells, but not what a promotion took off those that are gone: the payments do.
    """
    is_less = paid > row["totalWithTax"]
    parts = [
        *(line_part(one, includes_tax, is_less=is_less) for one in row["lines"]),
        *(freight_part(one, is_less=is_less) for one in row["shippingLines"]),
        *(
            charge_part("surcharges", one, Amount(one["price"], one["priceWithTax"]), NOTHING)
            for one in row["surcharges"]
        ),
    ]
    apart = paid - row["totalWithTax"] - sum(one.gain.incl for one in parts) if is_less else 0
    cut = [one for one in parts if one.gain.incl]
    if not apart or not cut:
        return parts, apart
    unsure = max(cut, key=lambda one: (one.kind == "lines", one.raw.get("quantity") == 0))
    now = unsure.sold.plus(unsure.gain, -1)
    sold = less_vat(unsure.sold.incl + apart, rate_of(unsure, row["taxSummary"]))
    parts[parts.index(unsure)] = unsure._replace(sold=sold, gain=sold.plus(now, -1))
    return parts, 0


def line_part(line: Row, includes_tax: bool, *, is_less: bool) -> Part:
    """Return a line, with what was cancelled of it if any was."""
    now = Amount(line["proratedLinePrice"], line["proratedLinePriceWithTax"])
    before = Amount(line["linePrice"], line["linePriceWithTax"])
    left = line["quantity"]
    sold = max(line["orderPlacedQuantity"], left) if is_less else left
    if sold == left:
        return Part("lines", line, sold, before, now, NOTHING)
    unit = Amount(line["unitPrice"], line["unitPriceWithTax"])
    before = times(unit, Decimal(sold), line["taxRate"], includes_tax)
    whole = times(now, Decimal(sold) / left, line["taxRate"], includes_tax) if left else before
    return Part("lines", line, sold, before, whole, whole.plus(now, -1))


def times(amount: Amount, factor: Decimal, rate: Any, includes_tax: bool) -> Amount:  # noqa: ANN401
    """Return so many of an amount; the one of its two sides that leads is multiplied."""
    if includes_tax:
        return less_vat(whole_number(amount.incl * factor), rate)
    excl = whole_number(amount.excl * factor)
    return Amount(excl, whole_number(excl * (100 + Decimal(rate)) / 100))


def freight_part(line: Row, *, is_less: bool) -> Part:
    """Return freight, with what it was before it was cancelled."""
    now = Amount(line["discountedPrice"], line["discountedPriceWithTax"])
    gain = NOTHING
    for one in line["discounts"] if is_less else ():
        if one["adjustmentSource"] == CANCELLED_FREIGHT:
            gain = gain.plus(Amount(one["amount"], one["amountWithTax"]), -1)
    return charge_part("shippingLines", line, now.plus(gain), gain)


def charge_part(kind: str, row: Row, sold: Amount, gain: Amount) -> Part:
    """Return freight or a surcharge."""
    return Part(kind, row, 1, sold, sold, gain)


def charge(part: Part) -> Row:
    """Freight or a fee, or what these have in common with goods; freight does not tell its rate."""
    raw = part.raw
    told = {
        "id": f"{PREFIXES[part.kind]}{raw['id']}",
        "name": raw.get("description") or raw.get("shippingMethod", {}).get("name"),
        "total_excl": part.sold.excl,
        "total_tax": part.sold.incl - part.sold.excl,
        "total_incl": part.sold.incl,
    }
    return {**told, "tax_rate": plain(raw["taxRate"])} if "taxRate" in raw else told


def goods(part: Part) -> Row:
    """A line of goods; what promotions took off is in its totals already."""
    line, variant = part.raw, part.raw["productVariant"]
    discount = part.before.plus(part.sold, -1)
    return {
        **charge(part),
        "name": variant["name"],
        "type": "product",
        "product_id": variant["id"],
        "sku": variant["sku"] or None,
        "quantity": str(part.quantity),
        "unit_price_excl": line["unitPrice"],
        "unit_price_incl": line["unitPriceWithTax"],
        "discount_excl": discount.excl,
        "discount_incl": discount.incl,
    }


def discounts(row: Row) -> Iterator[Row]:
    """Yield what promotions took off, which the lines are less of already."""
    told = [one for one in row["discounts"] if one["adjustmentSource"] != CANCELLED_FREIGHT]
    codes = row["couponCodes"]
    for one in told:
        yield {
            "code": codes[0] if len(codes) == len(told) == 1 else None,
            "name": one["description"],
            "amount_excl": -one["amount"],
            "amount_incl": -one["amountWithTax"],
            "is_in_lines": True,
        }


def taxes(row: Row, parts: list[Part]) -> list[Row]:
    """Return the VAT by rate; Vendure tells a rate once for each name that it has."""
    base: dict[str, int] = defaultdict(int)
    vat: dict[str, int] = defaultdict(int)
    for one in row["taxSummary"]:
        base[plain(one["taxRate"])] += one["taxBase"]
        vat[plain(one["taxRate"])] += one["taxTotal"]
    for part in (one for one in parts if one.gain.incl):
        rate = rate_of(part, row["taxSummary"])
        base[rate] += part.gain.excl
        vat[rate] += part.gain.incl - part.gain.excl
    return [{"rate": rate, "base": base[rate], "amount": vat[rate]} for rate in base]


def payment(told: Row) -> Row:
    """A payment; the money was taken once it is settled."""
    is_paid = told["state"] == "Settled"
    return {
        "id": told["id"],
        "method": told["method"],
        "reference": told["transactionId"] or None,
        "status": "paid" if is_paid else told["state"].lower(),
        "amount": told["amount"],
        "paid_at": stamp(told["updatedAt"]) if is_paid else None,
    }


def refunds_of(settled: list[Row], apart: int) -> Iterator[Row]:
    """Yield what was paid back, less what the order is less already for another reason."""
    for one in (refund for paid in settled for refund in paid["refunds"]):
        taken = min(apart, one["total"])
        if one["state"] == "Settled" and one["total"] > taken:
            apart -= taken
            lines = [(line["orderLineId"], line["quantity"]) for line in one["lines"]]
            yield {
                "id": one["id"],
                "amount_incl": one["total"] - taken,
                "reason": one["reason"] or None,
                "created_at": stamp(one["updatedAt"]),
                "lines": [
                    {"line_id": line_id, "quantity": str(count)}
                    for line_id, count in lines
                    if count
                ],
            }


def payment_status(row: Row, total: int, paid_back: int) -> str:
    """How far an order is paid, and paid back."""
    paid = sum(one["amount"] for one in row["payments"] if one["state"] == "Settled")
    if paid_back > 0:
        return "refunded" if paid_back >= total else "partially_refunded"
    if paid or not total:
        return "paid" if paid >= total else "partially_paid"
    is_reserved = any(one["state"] == "Authorized" for one in row["payments"])
    return "authorized" if is_reserved else "unpaid"


def touched(shop: Shop, since: datetime) -> dict[str, list[str]]:
    """What changed although its own stamp did not move.

    Such are a payment that is taken, a refund, a shipment; an address of a customer; a product's
    own text, of its variants.
    """
    moment = since.strftime("%Y-%m-%dT%H:%M:%S")
    first_day = (since - ORDERS_CHANGE).replace(hour=0, minute=0, second=0, microsecond=0)
    customers = listing("customers", "customer", fields=f"id {LATEST}")
    products = listing("products", "product", fields="variants {id}", since="updatedAt")
    orders = listing(
        "orders", "order", fields=f"id {LATEST}", filters=PLACED, since="orderPlacedAt"
    )
    return {
        "customers": going_on(shop.list(customers), moment),
        "products": [
            variant["id"] for one in shop.list(products, since=since) for variant in one["variants"]
        ],
        "orders": going_on(shop.list(orders, since=first_day), moment),
    }


def going_on(rows: list[Row], moment: str) -> list[str]:
    """Return the ids of those whose history has an entry of a moment or later."""
    return [row["id"] for row in rows if latest(row) >= moment]


def latest(row: Row) -> str:
    """Return the stamp of the latest entry of a history; "" if it has none."""
    return max((str(one["createdAt"]) for one in row["history"]["items"]), default="")


def changed_at(row: Row) -> str | None:
    """When a record or what belongs to it last changed."""
    return stamp(max(row["updatedAt"], row.get("orderPlacedAt") or "", latest(row)))


def change(entity: str, record_id: str, patch: Row, shop: Shop) -> tuple[str, str, Row] | None:
    """The request that takes an edit; None for what Vendure would not take.

    Orders are left alone, for an order that was placed must be opened for changes first.
    """
    if entity == "products":
        calls = change_of_variant(shop, record_id, patch)
    elif entity == "customers":
        calls = [
            *change_of_customer(record_id, patch),
            *change_of_addresses(shop, record_id, patch),
        ]
    else:
        calls = []
    if not calls:
        return None
    names = [f"input{number}" for number in range(len(calls))]
    head = ", ".join(f"${name}: {one.kind}" for name, one in zip(names, calls, strict=True))
    body = " ".join(
        f"{name}: {one.mutation.replace('$input', f'${name}')}"
        for name, one in zip(names, calls, strict=True)
    )
    values = {name: one.value for name, one in zip(names, calls, strict=True)}
    return "POST", API, {"query": f"mutation({head}) {{{body}}}", "variables": values}


class Call(NamedTuple):
    """A mutation, and the type and value of its input."""

    mutation: str
    kind: str
    value: Row


REFUSAL = "{__typename ... on ErrorResult {errorCode message}}"


def change_of_customer(record_id: str, patch: Row) -> Iterator[Call]:
    """Yield what changes the customer itself."""
    own = {name: patch[told] or "" for told, name in CUSTOMER_NAMES.items() if told in patch}
    if own:
        kind = "UpdateCustomerInput!"
        yield Call(f"updateCustomer(input: $input) {REFUSAL}", kind, {"id": record_id, **own})


def change_of_addresses(shop: Shop, record_id: str, patch: Row) -> Iterator[Call]:
    """Yield what changes the addresses; a company's name is in the one for invoices."""
    if not {"addresses", "company_name"} & patch.keys():
        return
    before = list(addresses_of(current(shop, "customers", record_id)))
    wanted = [dict(one) for one in patch.get("addresses", before)]
    for one in wanted:
        if one["type"] == "billing" and "company_name" in patch:
            one["company"] = patch["company_name"]
    for one in {one.get("id"): one for one in reversed(wanted)}.values():
        if one not in before:
            yield change_of_address(record_id, one)


def change_of_address(record_id: str, told: Row) -> Call:
    """Return what changes an address, or adds one."""
    own = {name: told[member] or "" for member, name in ADDRESS_NAMES.items() if member in told}
    own["countryCode"] = told.get("country_code") or "NO"
    if told.get("id"):
        mutation, kind = "updateCustomerAddress(input: $input) {id}", "UpdateAddressInput!"
        return Call(mutation, kind, {"id": told["id"], **own})
    own = {"streetLine1": "", **own, "defaultBillingAddress": True}
    mutation = f"createCustomerAddress(customerId: {json.dumps(record_id)}, input: $input) {{id}}"
    return Call(mutation, "CreateAddressInput!", own)


def change_of_variant(shop: Shop, record_id: str, patch: Row) -> list[Call]:
    """Return what changes a variant; a description is its product's, which others share."""
    own: Row = {"sku": patch["sku"] or ""} if "sku" in patch else {}
    if "status" in patch:
        own["enabled"] = patch["status"] == "active"
    if patch.keys() & {"name", "price_incl", "price_excl"}:
        row = current(shop, "productVariants", record_id)
        if "name" in patch:
            own["translations"] = [
                {"languageCode": row["languageCode"], "name": patch["name"] or ""}
            ]
        leading = "price_incl" if product(row, shop)["prices_include_tax"] else "price_excl"
        if patch.get(leading) is not None:
            currency = row["currencyCode"]
            places = Decimal(money(1, currency) or 1).as_tuple().exponent
            price = whole_number(Decimal(patch[leading]).scaleb(-int(places)))
            own["prices"] = [{"currencyCode": currency, "price": price}]
    if not own:
        return []
    mutation, kind = "updateProductVariant(input: $input) {id}", "UpdateProductVariantInput!"
    return [Call(mutation, kind, {"id": record_id, **own})]


def current(shop: Shop, name: str, record_id: str) -> Row:
    """Return a row as the shop has it now."""
    single, fields = {
        "customers": ("customer", CUSTOMER),
        "productVariants": ("productVariant", VARIANT),
    }[name]
    filters = {"id": {"eq": record_id}}
    (row,) = shop.list(listing(name, single, fields=fields, filters=filters))
    return dict(row)


def rate_of(part: Part, summary: list[Row]) -> str:
    """Return the rate of a part; of freight, the one of the order that its VAT comes to."""
    rates = [part.raw["taxRate"]] if "taxRate" in part.raw else [one["taxRate"] for one in summary]
    fitting = (one for one in rates if less_vat(part.sold.incl, one) == part.sold)
    return plain(next(fitting, rates[0] if rates else 0))


def less_vat(incl: int, rate: Any) -> Amount:  # noqa: ANN401 - a JSON number
    """Return an amount from what it is with VAT."""
    return Amount(whole_number(incl * 100 / (100 + Decimal(rate))), incl)


def whole_number(amount: Decimal) -> int:
    """Return a number of whole øre, half of one upwards."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def in_kroner(told: Any, currency: str) -> Any:  # noqa: ANN401 - a record or a part of it
    """Write the amounts, which are the only whole numbers in an order."""
    if isinstance(told, dict):
        return {name: in_kroner(one, currency) for name, one in told.items()}
    if isinstance(told, list):
        return [in_kroner(one, currency) for one in told]
    is_amount = isinstance(told, int) and not isinstance(told, bool)
    return money(told, currency, minor=True) if is_amount else told


def plain(number: int | Decimal) -> str:
    """A number as text, without the zeros at its end."""
    digits = f"{Decimal(number):f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
