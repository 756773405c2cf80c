"""Vendure 3, through its admin API.

Settings: `api_url` is the server's address (`https://butikken.no`). In `shop_settings`, `username`
and `password` are those of an administrator who may read customers, the catalogue and orders. Only
the default channel is read.

Vendure counts in hundredths of every currency, and states each amount with and without VAT. It
deducts from an order what was cancelled or changed after the order was placed, and lists the same
money as a refund; here an order is read as it was sold. Most changes do not move the stamp of the
record, but appear in its history.
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
"""How long after an order was placed each run checks its history."""

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
    """Fields of amounts, each without and with VAT."""
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
    """A list sorted by id, in which records that change during a read keep their place."""
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
# Sales and new VAT rates change products without moving anything that can be queried
PRODUCTS = listing("productVariant", VARIANT, days=1)
ORDERS = listing("order", ORDER, filters=PLACED, days=7)

ZERO = Decimal(0)
CANCELLED_FREIGHT = "CANCEL_ORDER"
PREFIXES = {"lines": "", "shippingLines": "freight-", "surcharges": "surcharge-"}
"""Ids are unique only within each list, and a refund names a line by its id."""
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
    return next(row for row in shop.list(channels) if row["code"] == "__default_channel__")


def customer(row: Row, shop: Shop) -> Row | None:  # noqa: ARG001
    """A customer with a user; Vendure also keeps a record of each guest, which is left out."""
    if row["user"] is None:
        return None
    addresses = list(addresses_of(row))
    company = next(
        (address["company"] for address in addresses if address["type"] == "billing"), None
    )
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
    """Yield the addresses, one with both uses twice; the first is for billing if none is marked."""
    addresses = row["addresses"]
    billing = max(
        addresses, key=lambda address: bool(address["defaultBillingAddress"]), default=None
    )
    for address in addresses:
        uses = {"billing": address is billing, "shipping": address["defaultShippingAddress"]}
        for use in [use for use, applies in uses.items() if applies] or ["other"]:
            yield {
                "id": address["id"],
                "type": use,
                "is_default": use != "other",
                **to_record(address, ADDRESS_NAMES),
                "country_code": address["country"]["code"],
            }


def party(row: Row, company: str | None) -> Row:
    """The buyer."""
    full_name = f"{row['firstName']} {row['lastName']}".strip() or None
    names = to_record(row, CUSTOMER_NAMES)
    return {**names, "name": company or full_name, "company_name": company}


def product(row: Row, shop: Shop) -> Row:
    """A variant, which is what is sold, under its own name, not its product's."""
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
        "stock_on_hand": sum(level["stockOnHand"] for level in row["stockLevels"]),
        "created_at": stamp(row["createdAt"]),
        "updated_at": stamp(max(row["updatedAt"], parent["updatedAt"])),
    }


def order(row: Row, shop: Shop) -> Row | None:
    """An order as it was sold, and its refunds; carts, drafts and sellers' shares are left out."""
    if not row["orderPlacedAt"] or row["type"] == "Seller":
        return None
    includes_tax = shop.table("channel", channel)["pricesIncludeTax"]
    settled = [payment for payment in row["payments"] if payment["state"] == "Settled"]
    paid = sum((kroner(payment["amount"]) for payment in settled), ZERO)
    parts, overpaid = as_sold(row, paid, includes_tax)
    total = both(row, "total").plus(*(part.cancelled for part in parts))
    refunds = list(refunds_of(settled, overpaid))
    paid_back = sum((refund["amount_incl"] for refund in refunds), ZERO)
    is_reserved = any(payment["state"] == "Authorized" for payment in row["payments"])
    status = payment_status(total.incl, paid, paid_back, is_reserved=is_reserved)
    lines, shipping, fees = (
        [charge(part) for part in parts if part.kind == kind] for kind in PREFIXES
    )
    return {
        **to_record(row, ORDER_NAMES),
        "status": STATUSES.get(row["state"], "processing"),
        "payment_status": status,
        "fulfillment_status": FULFILLMENTS.get(row["state"], "unfulfilled"),
        "prices_include_tax": includes_tax,
        **buyer(row),
        "placed_at": stamp(row["orderPlacedAt"]),
        "paid_at": stamp(settled[-1]["updatedAt"])
        if settled and status != "partially_paid"
        else None,
        "lines": lines,
        "shipping": shipping,
        "fees": fees,
        "discounts": list(discounts(row)),
        "taxes": taxes_by_rate([*lines, *shipping, *fees]),
        "payments": [payment(entry) for entry in row["payments"]],
        "refunds": refunds,
        "total_excl": total.excl,
        "total_tax": total.incl - total.excl,
        "total_incl": total.incl,
        "total_refunded": paid_back,
        "created_at": stamp(row["createdAt"]),
        "updated_at": changed_at(row),
    }


def buyer(row: Row) -> Row:
    """The buyer and the addresses; a guest is a customer without a user."""
    person = row["customer"]
    names = {**ADDRESS_NAMES, "country_code": "countryCode"}
    billing, shipping = (
        to_record(address, names) if address and address["streetLine1"] else None
        for address in (row["billingAddress"], row["shippingAddress"])
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
    """An amount in kroner, from hundredths."""
    return amount(hundredths, minor=True)


class Amount(NamedTuple):
    """An amount without and with VAT."""

    excl: Decimal
    incl: Decimal

    def plus(self, *others: Amount) -> Amount:
        """Return the sum."""
        excl = sum((other.excl for other in others), self.excl)
        return Amount(excl, sum((other.incl for other in others), self.incl))

    def less(self, other: Amount) -> Amount:
        """Return the difference."""
        return Amount(self.excl - other.excl, self.incl - other.incl)

    def times(self, factor: Decimal, rate: Decimal, *, includes_tax: bool) -> Amount:
        """Return a multiple, calculated on the side with which prices are entered."""
        if includes_tax:
            return less_vat(amount(self.incl * factor), rate)
        excl = amount(self.excl * factor)
        return Amount(excl, amount(excl * (100 + rate) / 100))


def both(row: Row, name: str) -> Amount:
    """A member of a row, without and with VAT."""
    return Amount(kroner(row[name]), kroner(row[f"{name}WithTax"]))


def less_vat(incl: Decimal, rate: Decimal) -> Amount:
    """An amount with VAT, split by its rate."""
    return Amount(amount(incl * 100 / (100 + rate)), incl)


class Part(NamedTuple):
    """A line, freight or a surcharge of an order.

    Attributes:
        kind: The order's list that it is in.
        raw: Its row there.
        rate: The VAT rate in percent.
        now: What it costs now.
        sold: What it cost when it was sold.
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
    def cancelled(self) -> Amount:
        """How much of it was cancelled."""
        return self.sold.less(self.now)


def as_sold(row: Row, paid: Decimal, includes_tax: bool) -> tuple[list[Part], Decimal]:
    """The parts as they were sold, and what was paid beyond them.

    If more was paid than an order now costs, something was cancelled. A line still states how many
    were sold, but not what a promotion deducted for those that are gone: that follows from the
    payments.
    """
    excess = max(paid - kroner(row["totalWithTax"]), ZERO)
    parts = list(parts_of(row, includes_tax, has_cancelled=excess > 0))
    reduced = [part for part in parts if part.cancelled.incl]
    overpaid = excess - sum(part.cancelled.incl for part in reduced)
    if not overpaid or not reduced:
        return parts, overpaid
    inexact = max(reduced, key=lambda part: (part.kind == "lines", part.raw.get("quantity") == 0))
    sold = less_vat(inexact.sold.incl + overpaid, inexact.rate)
    parts[parts.index(inexact)] = inexact._replace(sold=sold)
    return parts, ZERO


def parts_of(row: Row, includes_tax: bool, *, has_cancelled: bool) -> Iterator[Part]:
    """Yield the parts, with what was cancelled of them, if the order has anything cancelled."""
    for line in row["lines"]:
        yield line_part(line, includes_tax, has_cancelled=has_cancelled)
    for freight in row["shippingLines"]:
        now = both(freight, "discountedPrice")
        cancelled = [
            both(discount, "amount")
            for discount in freight["discounts"]
            if has_cancelled and discount["adjustmentSource"] == CANCELLED_FREIGHT
        ]
        sold = now.less(Amount(ZERO, ZERO).plus(*cancelled))
        yield Part("shippingLines", freight, rate_of(both(freight, "price"), row), now, sold)
    for fee in row["surcharges"]:
        price = both(fee, "price")
        yield Part("surcharges", fee, Decimal(fee["taxRate"]), price, price)


def rate_of(freight: Amount, row: Row) -> Decimal:
    """The VAT rate of freight, which is not stated: the order's rate that matches best.

    Args:
        freight: Its price before promotions, because it may be free after them.
        row: The order.
    """
    rates = [Decimal(tax["taxRate"]) for tax in row["taxSummary"]]
    errors = {rate: abs(less_vat(freight.incl, rate).excl - freight.excl) for rate in rates}
    return min(errors, key=errors.__getitem__, default=ZERO)


def line_part(line: Row, includes_tax: bool, *, has_cancelled: bool) -> Part:
    """A line, with what was cancelled of it."""
    now, rate, left = both(line, "proratedLinePrice"), Decimal(line["taxRate"]), line["quantity"]
    quantity = max(line["orderPlacedQuantity"], left) if has_cancelled else left
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
    """What only a line of goods has; promotions are already deducted from its totals."""
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
    """Yield what promotions deducted; the lines are already reduced by it."""
    given = [entry for entry in row["discounts"] if entry["adjustmentSource"] != CANCELLED_FREIGHT]
    codes = row["couponCodes"]
    for discount in given:
        deducted = both(discount, "amount")
        yield {
            "code": codes[0] if len(codes) == len(given) == 1 else None,
            "name": discount["description"],
            "amount_excl": -deducted.excl,
            "amount_incl": -deducted.incl,
            "is_in_lines": True,
        }


def payment(row: Row) -> Row:
    """A payment; it counts as paid once it is settled."""
    is_paid = row["state"] == "Settled"
    return {
        **to_record(row, {"id": "id", "method": "method", "reference": "transactionId"}),
        "status": "paid" if is_paid else row["state"].lower(),
        "amount": kroner(row["amount"]),
        "paid_at": stamp(row["updatedAt"]) if is_paid else None,
    }


def refunds_of(settled: list[Row], overpaid: Decimal) -> Iterator[Row]:
    """Yield the refunds of settled payments, less what the order is already reduced by."""
    for refund in (refund for payment in settled for refund in payment["refunds"]):
        total = kroner(refund["total"])
        excess = min(overpaid, total)
        if refund["state"] == "Settled" and total > excess:
            overpaid -= excess
            yield {
                **to_record(refund, {"id": "id", "reason": "reason"}),
                "amount_incl": total - excess,
                "created_at": stamp(refund["updatedAt"]),
                "lines": [
                    {"line_id": line["orderLineId"], "quantity": str(line["quantity"])}
                    for line in refund["lines"]
                    if line["quantity"]
                ],
            }


def touched(shop: Shop, since: datetime) -> dict[str, list[str]]:
    """What changed without moving its own stamp.

    Such changes are a payment, a refund or a shipment of an order, an address of a customer, and
    the text of the product that a variant belongs to.
    """
    history = f"id {LATEST}"
    customers = shop.list(listing("customer", history))
    products = shop.list(listing("product", "variants {id}"), since=since)
    placed = listing("order", history, filters=PLACED, since="orderPlacedAt")
    orders = shop.list(placed, since=since - ORDERS_CHANGE)
    moment = since.strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "customers": [row["id"] for row in customers if latest(row) >= moment],
        "products": [variant["id"] for row in products for variant in row["variants"]],
        "orders": [row["id"] for row in orders if latest(row) >= moment],
    }


def latest(row: Row) -> str:
    """The stamp of the latest entry in a record's history; "" if it has none."""
    return max((str(entry["createdAt"]) for entry in row["history"]["items"]), default="")


def changed_at(row: Row) -> str | None:
    """When a record, or anything that belongs to it, last changed."""
    return stamp(max(row["updatedAt"], row.get("orderPlacedAt") or "", latest(row)))


REFUSAL = "{__typename ... on ErrorResult {errorCode message}}"


def change(entity: str, record_id: str, patch: Row, shop: Shop) -> tuple[str, str, Row] | None:
    """The request that makes an edit; None for what Vendure would refuse.

    Orders are left alone, because Vendure must first open a placed order for changes.
    """
    calls = []
    if entity == "products":
        calls = update("ProductVariant", "{id}", record_id, variant_input(shop, patch))
    elif entity == "customers":
        changed = to_shop(patch, CUSTOMER_NAMES, empty="")
        calls = update("Customer", REFUSAL, record_id, changed)
        calls += changes_of_addresses(shop, record_id, patch)
    return mutations(API, calls)


def update(kind: str, answer: str, record_id: str, changed: Row) -> list[Mutation]:
    """The mutation that changes members of a record, if any changed."""
    text = f"update{kind}(input: $input) {answer}"
    return [Mutation(text, f"Update{kind}Input!", {"id": record_id, **changed})] if changed else []


def changes_of_addresses(shop: Shop, record_id: str, patch: Row) -> list[Mutation]:
    """The mutations of addresses; a company's name is in its billing address."""
    if not {"addresses", "company_name"} & patch.keys():
        return []
    (row,) = shop.list(listing("customer", CUSTOMER, filters={"id": {"eq": record_id}}))
    before = list(addresses_of(row))
    addresses = [dict(address) for address in patch.get("addresses", before)]
    for address in addresses:
        if address["type"] == "billing" and "company_name" in patch:
            address["company"] = patch["company_name"]
    by_id = {address.get("id"): address for address in reversed(addresses)}
    changed = [address for address in by_id.values() if address not in before]
    return [change_of_address(record_id, address) for address in changed]


def change_of_address(record_id: str, address: Row) -> Mutation:
    """The mutation that changes an address, or adds a new one."""
    value = to_shop(address, ADDRESS_NAMES, empty="")
    value["countryCode"] = address.get("country_code") or "NO"
    if address.get("id"):
        text = "updateCustomerAddress(input: $input) {id}"
        return Mutation(text, "UpdateAddressInput!", {"id": address["id"], **value})
    value = {"streetLine1": "", **value, "defaultBillingAddress": True}
    text = f"createCustomerAddress(customerId: {json.dumps(record_id)}, input: $input) {{id}}"
    return Mutation(text, "CreateAddressInput!", value)


def variant_input(shop: Shop, patch: Row) -> Row:
    """What changes in a variant; the description is its product's, which other variants share."""
    value: Row = to_shop(patch, {"sku": "sku"}, empty="")
    if "status" in patch:
        value["enabled"] = patch["status"] == "active"
    settings = shop.table("channel", channel)
    if "name" in patch:
        language = settings["defaultLanguageCode"]
        value["translations"] = [{"languageCode": language, "name": patch["name"] or ""}]
    price = patch.get("price_incl" if settings["pricesIncludeTax"] else "price_excl")
    if price is not None:
        value["price"] = int(amount(price) * 100)
    return value
