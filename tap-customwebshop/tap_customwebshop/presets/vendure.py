"""Vendure, by its admin API, of version 3.

Settings: `api_url` is the server's address (`https://butikken.no`); in `shop_settings`, `username`
and `password` are those of an administrator who may read customers, catalogue and orders. What the
default channel has is read.

Vendure counts in hundredths of every currency, and tells each amount with and without VAT. An
order's own are less what was cancelled or changed since it was placed, which is paid back as well;
here an order is told as it was sold. Most changes move no stamp of what they change, but its
history tells of them.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_customwebshop.shop import (
    Listing,
    Login,
    Mutation,
    Offset,
    amount,
    mutations,
    payment_status,
    percent,
    stamp,
    taxes_by_rate,
    to_record,
    to_shop,
)

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
        " {login(username: $user, password: $password) {__typename}}",
        "variables": {"user": "{username}", "password": "{password}"},
    },
    token="header vendure-auth-token",  # noqa: S106 - a header's name
)
ORDERS_CHANGE = timedelta(days=180)
"""For so long after it was placed, each run looks whether an order's history goes on."""

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


def with_tax(*names: str) -> str:
    """What asks for amounts, each without and with VAT."""
    return " ".join(f"{name} {name}WithTax" for name in names)


LATEST = "history(options: {take: 1, sort: {createdAt: DESC}}) {items {createdAt}}"
ADDRESS = " ".join(ADDRESS_NAMES.values())
PERSON = f"id {' '.join(CUSTOMER_NAMES.values())} user {{id}}"
DISCOUNTS = f"discounts {{adjustmentSource description {with_tax('amount')}}}"
CUSTOMER = f"""{PERSON} createdAt updatedAt {LATEST}
addresses {{id {ADDRESS} country {{code}} defaultBillingAddress defaultShippingAddress}}"""
VARIANT = f"""id createdAt updatedAt sku name enabled currencyCode {with_tax("price")}
taxRateApplied {{value}} taxCategory {{name}} trackInventory stockLevels {{stockOnHand}}
product {{id updatedAt enabled description}}"""
ORDER = f"""id createdAt updatedAt orderPlacedAt code type state currencyCode couponCodes {LATEST}
customer {{{PERSON}}}
billingAddress {{{ADDRESS} countryCode}} shippingAddress {{{ADDRESS} countryCode}}
lines {{id quantity orderPlacedQuantity taxRate productVariant {{id sku name}}
{with_tax("unitPrice", "linePrice", "proratedLinePrice")}}}
shippingLines {{id shippingMethod {{name}} {with_tax("price", "discountedPrice")} {DISCOUNTS}}}
surcharges {{id description taxRate {with_tax("price")}}}
{DISCOUNTS} taxSummary {{taxRate}} {with_tax("total")}
payments {{id method transactionId state amount updatedAt
refunds {{id state total reason updatedAt lines {{orderLineId quantity}}}}}}"""


def listing(
    name: str,
    fields: str,
    *,
    filters: Row | None = None,
    since: str = "updatedAt",
    days: float | None = None,
) -> Listing:
    """A list, sorted by id, in which what changes meanwhile keeps its place."""
    kind = f"{name[0].upper()}{name[1:]}ListOptions"
    options = {"sort": {"id": "ASC"}, "filter": filters or {}}
    return Listing(
        API,
        graphql=f"query($options: {kind})"
        f" {{list: {name}s(options: $options) {{totalItems items {{{fields}}}}}}}",
        body={"variables": {"options": options}},
        rows="data.list.items",
        pager=Offset(
            {"variables": {"options": {"skip": "{offset}", "take": "{size}"}}},
            total="data.list.totalItems",
        ),
        sorted=False,
        is_inclusive=False,
        single=f"query($id: ID!) {{record: {name}(id: $id) {{{fields}}}}}",
        single_at="data.record",
        since={"variables": {"options": {"filter": {since: {"after": "{since}"}}}}},
        full_read_days=days,
    )


PLACED = {"active": {"eq": False}}
CUSTOMERS = listing("customer", CUSTOMER, days=7)
# Stock that is sold and rates of VAT that change move nothing that can be asked for
PRODUCTS = listing("productVariant", VARIANT, days=1)
ORDERS = listing("order", ORDER, filters=PLACED, days=7)

ZERO = Decimal(0)
CANCELLED_FREIGHT = "CANCEL_ORDER"
PREFIXES = {"lines": "", "shippingLines": "freight-", "surcharges": "surcharge-"}
"""Ids are unique in each list only, and a refund names a line by its id."""
ORDER_NAMES = {
    "id": "id",
    "number": "code",
    "source_status": "state",
    "currency": "currencyCode",
}
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


def channel(shop: Shop) -> Row:
    """The default channel: whether its prices are entered with VAT, and its language."""
    channels = Listing(
        API,
        graphql="query {channels {items {code pricesIncludeTax defaultLanguageCode}}}",
        rows="data.channels.items",
    )
    return next(one for one in shop.list(channels) if one["code"] == "__default_channel__")


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
    billing = max(
        row["addresses"], key=lambda one: bool(one["defaultBillingAddress"]), default=None
    )
    for one in row["addresses"]:
        uses = {"billing": one is billing, "shipping": one["defaultShippingAddress"]}
        for use in [name for name, is_so in uses.items() if is_so] or ["other"]:
            yield {
                "id": one["id"],
                "type": use,
                "is_default": use != "other",
                **to_record(one, ADDRESS_NAMES),
                "country_code": one["country"]["code"],
            }


def party(row: Row, company: str | None) -> Row:
    """Who buys."""
    full_name = f"{row['firstName']} {row['lastName']}".strip() or None
    names = to_record(row, CUSTOMER_NAMES)
    return {**names, "name": company or full_name, "company_name": company}


def product(row: Row, shop: Shop) -> Row:
    """A variant, which is what is sold; its name is its own, not its product's."""
    parent, price = row["product"], both(row, "price")
    includes_tax = shop.table("channel", channel)["pricesIncludeTax"]
    status = "active" if parent["enabled"] else "draft"
    return {
        **to_record(row, {"id": "id", "sku": "sku", "name": "name", "currency": "currencyCode"}),
        **to_record(parent, {"parent_id": "id", "description": "description"}),
        "status": status if row["enabled"] else "archived",
        **({"price_incl": price.incl} if includes_tax else {"price_excl": price.excl}),
        "prices_include_tax": includes_tax,
        "tax_rate": percent(row["taxRateApplied"]["value"]),
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
    includes_tax = shop.table("channel", channel)["pricesIncludeTax"]
    settled = [one for one in row["payments"] if one["state"] == "Settled"]
    paid = sum((kroner(one["amount"]) for one in settled), ZERO)
    parts, apart = as_sold(row, paid, includes_tax)
    total = both(row, "total").plus(*(one.gain for one in parts))
    refunds = list(refunds_of(settled, apart))
    paid_back = sum((one["amount_incl"] for one in refunds), ZERO)
    is_reserved = any(one["state"] == "Authorized" for one in row["payments"])
    status = payment_status(total.incl, paid, paid_back, is_reserved=is_reserved)
    lines, shipping, fees = (
        [charge(one) for one in parts if one.kind == kind] for kind in PREFIXES
    )
    return {
        **to_record(row, ORDER_NAMES),
        "status": STATUSES.get(row["state"], "processing"),
        "payment_status": status,
        "fulfillment_status": FULFILLMENTS.get(row["state"], "unfulfilled"),
        "prices_include_tax": includes_tax,
        **buyer(row),
        "placed_at": stamp(row["orderPlacedAt"]),
        "paid_at": stamp(*(one["updatedAt"] for one in settled[-1:] if status != "partially_paid")),
        "lines": lines,
        "shipping": shipping,
        "fees": fees,
        "discounts": list(discounts(row)),
        "taxes": taxes_by_rate([*lines, *shipping, *fees]),
        "payments": [payment(one) for one in row["payments"]],
        "refunds": refunds,
        "total_excl": total.excl,
        "total_tax": total.incl - total.excl,
        "total_incl": total.incl,
        "total_refunded": paid_back,
        "created_at": stamp(row["createdAt"]),
        "updated_at": changed_at(row),
    }


def buyer(row: Row) -> Row:
    """Who bought: a guest is a customer without a user."""
    person = row["customer"]
    names = {**ADDRESS_NAMES, "country_code": "countryCode"}
    billing, shipping = (
        to_record(one, names) if one and one["streetLine1"] else None
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


def kroner(hundredths: int) -> Decimal:
    """Return an amount of Vendure's."""
    return amount(hundredths, minor=True)


class Amount(NamedTuple):
    """An amount without and with VAT."""

    excl: Decimal
    incl: Decimal

    def plus(self, *others: Amount) -> Amount:
        """Return the sum."""
        excl = sum((one.excl for one in others), self.excl)
        return Amount(excl, sum((one.incl for one in others), self.incl))

    def less(self, other: Amount) -> Amount:
        """Return the difference."""
        return Amount(self.excl - other.excl, self.incl - other.incl)

    def times(self, factor: Decimal, rate: Decimal, *, includes_tax: bool) -> Amount:
        """Return so many; of the two sides the one by which prices are entered is multiplied."""
        if includes_tax:
            return less_vat(amount(self.incl * factor), rate)
        excl = amount(self.excl * factor)
        return Amount(excl, amount(excl * (100 + rate) / 100))


def both(row: Row, name: str) -> Amount:
    """Return an amount that a row has."""
    return Amount(kroner(row[name]), kroner(row[f"{name}WithTax"]))


def less_vat(incl: Decimal, rate: Decimal) -> Amount:
    """Return an amount from what it is with VAT."""
    return Amount(amount(incl * 100 / (100 + rate)), incl)


class Part(NamedTuple):
    """A line, freight or a surcharge of an order.

    Attributes:
        kind: The list of the order that it is in.
        raw: The row.
        rate: Of VAT, in percent.
        now: What it comes to now.
        sold: What it came to when it was sold.
        quantity: How many were sold.
        before: What that many cost before promotions.
    """

    kind: str
    raw: Row
    rate: Decimal
    now: Amount
    sold: Amount
    quantity: int = 1
    before: Amount | None = None

    @property
    def gain(self) -> Amount:
        """How much more it was."""
        return self.sold.less(self.now)


def as_sold(row: Row, paid: Decimal, includes_tax: bool) -> tuple[list[Part], Decimal]:
    """Return the parts as they were sold, and what was paid beyond them.

    Where more was paid than an order comes to now, something was cancelled. How many were sold of a
    line it still tells, but not what a promotion took off those that are gone: the payments do.
    """
    beyond = max(paid - kroner(row["totalWithTax"]), ZERO)
    parts = list(parts_of(row, includes_tax, is_less=beyond > 0))
    cut = [one for one in parts if one.gain.incl]
    apart = beyond - sum(one.gain.incl for one in cut)
    if not apart or not cut:
        return parts, apart
    unsure = max(cut, key=lambda one: (one.kind == "lines", one.raw.get("quantity") == 0))
    sold = less_vat(unsure.sold.incl + apart, unsure.rate)
    parts[parts.index(unsure)] = unsure._replace(sold=sold)
    return parts, ZERO


def parts_of(row: Row, includes_tax: bool, *, is_less: bool) -> Iterator[Part]:
    """Yield the parts, with what was cancelled of them if anything was."""
    for one in row["lines"]:
        yield line_part(one, includes_tax, is_less=is_less)
    for one in row["shippingLines"]:
        now = both(one, "discountedPrice")
        gone = [
            both(off, "amount")
            for off in one["discounts"]
            if is_less and off["adjustmentSource"] == CANCELLED_FREIGHT
        ]
        sold = now.less(Amount(ZERO, ZERO).plus(*gone))
        yield Part("shippingLines", one, rate_of(both(one, "price"), row), now, sold)
    for one in row["surcharges"]:
        price = both(one, "price")
        yield Part("surcharges", one, Decimal(one["taxRate"]), price, price)


def rate_of(freight: Amount, row: Row) -> Decimal:
    """Return the rate of freight, which tells none: the order's one that its VAT comes to.

    Args:
        freight: Its price before promotions, for it may be free.
        row: The order.
    """
    rates = [Decimal(one["taxRate"]) for one in row["taxSummary"]]
    missed = {rate: abs(less_vat(freight.incl, rate).excl - freight.excl) for rate in rates}
    return min(missed, key=missed.__getitem__, default=ZERO)


def line_part(line: Row, includes_tax: bool, *, is_less: bool) -> Part:
    """Return a line, with what was cancelled of it if any was."""
    now, rate, left = both(line, "proratedLinePrice"), Decimal(line["taxRate"]), line["quantity"]
    quantity = max(line["orderPlacedQuantity"], left) if is_less else left
    part = Part("lines", line, rate, now, now, quantity, both(line, "linePrice"))
    if quantity == left:
        return part
    before = both(line, "unitPrice").times(Decimal(quantity), rate, includes_tax=includes_tax)
    share = Decimal(quantity) / left if left else None
    sold = now.times(share, rate, includes_tax=includes_tax) if share else before
    return part._replace(sold=sold, before=before)


def charge(part: Part) -> Row:
    """A line, freight or a fee."""
    raw = part.raw
    named = raw.get("productVariant") or raw.get("shippingMethod")
    return {
        "id": f"{PREFIXES[part.kind]}{raw['id']}",
        "name": named["name"] if named else raw["description"],
        "tax_rate": percent(part.rate),
        "total_excl": part.sold.excl,
        "total_tax": part.sold.incl - part.sold.excl,
        "total_incl": part.sold.incl,
        **(goods(part, part.before) if part.before else {}),
    }


def goods(part: Part, before: Amount) -> Row:
    """What only a line of goods tells; what promotions took off is in its totals already."""
    unit, variant = both(part.raw, "unitPrice"), part.raw["productVariant"]
    discount = before.less(part.sold)
    return {
        "type": "product",
        **to_record(variant, {"product_id": "id", "sku": "sku"}),
        "quantity": str(part.quantity),
        "unit_price_excl": unit.excl,
        "unit_price_incl": unit.incl,
        "discount_excl": discount.excl,
        "discount_incl": discount.incl,
    }


def discounts(row: Row) -> Iterator[Row]:
    """Yield what promotions took off, which the lines are less of already."""
    given = [one for one in row["discounts"] if one["adjustmentSource"] != CANCELLED_FREIGHT]
    codes = row["couponCodes"]
    for one in given:
        off = both(one, "amount")
        yield {
            "code": codes[0] if len(codes) == len(given) == 1 else None,
            "name": one["description"],
            "amount_excl": -off.excl,
            "amount_incl": -off.incl,
            "is_in_lines": True,
        }


def payment(row: Row) -> Row:
    """A payment; the money was taken once it is settled."""
    is_paid = row["state"] == "Settled"
    return {
        **to_record(row, {"id": "id", "method": "method", "reference": "transactionId"}),
        "status": "paid" if is_paid else row["state"].lower(),
        "amount": kroner(row["amount"]),
        "paid_at": stamp(row["updatedAt"]) if is_paid else None,
    }


def refunds_of(settled: list[Row], apart: Decimal) -> Iterator[Row]:
    """Yield what was paid back, less what the order is less already for another reason."""
    for one in (refund for paid in settled for refund in paid["refunds"]):
        total = kroner(one["total"])
        taken = min(apart, total)
        if one["state"] == "Settled" and total > taken:
            apart -= taken
            yield {
                **to_record(one, {"id": "id", "reason": "reason"}),
                "amount_incl": total - taken,
                "created_at": stamp(one["updatedAt"]),
                "lines": [
                    {"line_id": line["orderLineId"], "quantity": str(line["quantity"])}
                    for line in one["lines"]
                    if line["quantity"]
                ],
            }


def touched(shop: Shop, since: datetime) -> dict[str, list[str]]:
    """What changed although its own stamp did not move.

    Such are a payment that is taken, a refund, a shipment; an address of a customer; a product's
    own text, of its variants.
    """
    going_on = f"id {LATEST}"
    customers = shop.list(listing("customer", going_on))
    products = shop.list(listing("product", "variants {id}"), since=since)
    placed = listing("order", going_on, filters=PLACED, since="orderPlacedAt")
    orders = shop.list(placed, since=since - ORDERS_CHANGE)
    moment = since.strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "customers": [one["id"] for one in customers if latest(one) >= moment],
        "products": [variant["id"] for one in products for variant in one["variants"]],
        "orders": [one["id"] for one in orders if latest(one) >= moment],
    }


def latest(row: Row) -> str:
    """Return the stamp of the latest entry of a history; "" if it has none."""
    return max((str(one["createdAt"]) for one in row["history"]["items"]), default="")


def changed_at(row: Row) -> str | None:
    """When a record or what belongs to it last changed."""
    return stamp(max(row["updatedAt"], row.get("orderPlacedAt") or "", latest(row)))


REFUSAL = "{__typename ... on ErrorResult {errorCode message}}"


def change(entity: str, record_id: str, patch: Row, shop: Shop) -> tuple[str, str, Row] | None:
    """The request that takes an edit; None for what Vendure would not take.

    Orders are left alone, for an order that was placed must be opened for changes first.
    """
    if entity == "products":
        calls = update("ProductVariant", "{id}", record_id, variant_input(shop, patch))
    elif entity == "customers":
        own = to_shop(patch, CUSTOMER_NAMES, empty="")
        calls = update("Customer", REFUSAL, record_id, own)
        calls += changes_of_addresses(shop, record_id, patch)
    else:
        calls = []
    return mutations(API, calls)


def update(kind: str, answer: str, record_id: str, own: Row) -> list[Mutation]:
    """Return what changes members of a record, if there are any."""
    text = f"update{kind}(input: $input) {answer}"
    return [Mutation(text, f"Update{kind}Input!", {"id": record_id, **own})] if own else []


def changes_of_addresses(shop: Shop, record_id: str, patch: Row) -> list[Mutation]:
    """Return what changes the addresses; a company's name is in the one for invoices."""
    if not {"addresses", "company_name"} & patch.keys():
        return []
    (row,) = shop.list(listing("customer", CUSTOMER, filters={"id": {"eq": record_id}}))
    before = list(addresses_of(row))
    wanted = [dict(one) for one in patch.get("addresses", before)]
    for one in wanted:
        if one["type"] == "billing" and "company_name" in patch:
            one["company"] = patch["company_name"]
    by_id = {one.get("id"): one for one in reversed(wanted)}
    return [change_of_address(record_id, one) for one in by_id.values() if one not in before]


def change_of_address(record_id: str, address: Row) -> Mutation:
    """Return what changes an address, or adds one."""
    own = to_shop(address, ADDRESS_NAMES, empty="")
    own["countryCode"] = address.get("country_code") or "NO"
    if address.get("id"):
        text = "updateCustomerAddress(input: $input) {id}"
        return Mutation(text, "UpdateAddressInput!", {"id": address["id"], **own})
    own = {"streetLine1": "", **own, "defaultBillingAddress": True}
    text = f"createCustomerAddress(customerId: {json.dumps(record_id)}, input: $input) {{id}}"
    return Mutation(text, "CreateAddressInput!", own)


def variant_input(shop: Shop, patch: Row) -> Row:
    """Return what changes of a variant; a description is its product's, which others share."""
    own: Row = to_shop(patch, {"sku": "sku"}, empty="")
    if "status" in patch:
        own["enabled"] = patch["status"] == "active"
    of_channel = shop.table("channel", channel)
    if "name" in patch:
        language = of_channel["defaultLanguageCode"]
        own["translations"] = [{"languageCode": language, "name": patch["name"] or ""}]
    price = patch.get("price_incl" if of_channel["pricesIncludeTax"] else "price_excl")
    if price is not None:
        own["price"] = int(amount(price) * 100)
    return own
