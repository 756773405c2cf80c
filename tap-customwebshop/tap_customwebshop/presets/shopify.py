"""Shopify, by its GraphQL Admin API.

Settings: `api_url` is the shop's own address (`https://butikken.myshopify.com`); in
`shop_settings`, `client_id` and `client_secret` are those of an app of the merchant's own in
Shopify's Dev Dashboard, which may read customers, products and orders (all orders, to see those
older than 60 days) and, for the way back, write them. `tax_rate` is the VAT rate of goods in
percent, for Shopify tells none of a product, and `tax_rate Books` that of the product type Books.
`organization_number_attribute` is the name of the order attribute, and
`organization_number_metafield` (`custom.org_nr`) of the customer's metafield, that keeps the
buyer's organisation number.

Amounts are in the shop's currency, with VAT where the order's prices include it, and discounts are
in the lines already. A query may cost 1,000 points at most, so pages are short, and what goes on
beyond a page of lines, variants or addresses is fetched by itself. What is deleted, Shopify no
longer tells.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from tap_customwebshop.shop import ClientCredentials, Cursor, Listing, money, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_customwebshop.shop.mapping import Shop

Row = dict[str, Any]

API = "/admin/api/2026-10/graphql.json"
AUTH = ClientCredentials(
    "/admin/oauth/access_token", header="X-Shopify-Access-Token", value="{token}"
)

MONEY = "{ shopMoney { amount } }"
TAXES = f"taxLines {{ rate priceSet {MONEY} }}"
ADDRESS_MEMBERS = """
    name company address1 address2 zip city province countryCode: countryCodeV2 phone
"""
WORTH = f"subtotalSet {MONEY} totalTaxSet {MONEY}"
VARIANT = """
    id title sku barcode price taxable inventoryQuantity createdAt
    inventoryItem { tracked requiresShipping }
"""
LINE = f"""
    id name sku quantity isGiftCard variant {{ id }} originalTotalSet {MONEY} {TAXES}
    discountAllocations {{ allocatedAmountSet {MONEY} }}
"""
REFUNDED_FREIGHT = f"""
    shippingLine {{ id }} subtotalSet: subtotalAmountSet {MONEY} totalTaxSet: taxAmountSet {MONEY}
"""
CONNECTIONS = {
    "addressesV2": ("Customer", f"id {ADDRESS_MEMBERS}"),
    "metafields": ("Customer", "namespace key value"),
    "variants": ("Product", VARIANT),
    "lineItems": ("Order", LINE),
    "shippingLines": ("Order", f"id title discountedPriceSet {MONEY} {TAXES}"),
    "refundLineItems": ("Refund", f"quantity lineItem {{ id }} {WORTH}"),
    "refundShippingLines": ("Refund", REFUNDED_FREIGHT),
    "orderAdjustments": ("Refund", "id"),
}
"""The lists inside a record, by name: of which type, and what is asked of each."""


def connection(name: str, first: int, after: str = "") -> str:
    """What asks for the beginning of a list inside a record."""
    page = "pageInfo { hasNextPage endCursor }"
    return f"{name}(first: {first}{after}) {{ nodes {{ {CONNECTIONS[name][1]} }} {page} }}"


CUSTOMER = f"""
    id createdAt updatedAt displayName firstName lastName note locale taxExempt
    defaultEmailAddress {{ emailAddress }} defaultPhoneNumber {{ phoneNumber }}
    defaultAddress {{ id company }} {connection("addressesV2", 5)} {connection("metafields", 10)}
"""
PRODUCT = f"""
    id createdAt updatedAt title descriptionHtml productType status isGiftCard onlineStoreUrl
    hasOnlyDefaultVariant {connection("variants", 10)}
"""
ORDER = f"""
    id name test createdAt updatedAt processedAt cancelledAt closedAt email phone note poNumber
    currencyCode presentmentCurrencyCode taxesIncluded displayFinancialStatus
    displayFulfillmentStatus discountCodes customAttributes {{ key value }} customer {{ id }}
    billingAddress {{ {ADDRESS_MEMBERS} }} shippingAddress {{ {ADDRESS_MEMBERS} }}
    {connection("lineItems", 6)} {connection("shippingLines", 2)}
    additionalFees {{ id title: name discountedPriceSet: price {MONEY} {TAXES} }}
    transactions {{ id kind status gateway paymentId processedAt amountSet {MONEY} }}
    refunds {{ id createdAt note totalRefundedSet {MONEY} }}
    fulfillments {{ createdAt }}
    totalPriceSet {MONEY} totalTaxSet {MONEY} totalDiscountsSet {MONEY}
"""


def listing(kind: str, members: str, size: int, days: int | None = None) -> Listing:
    """A list, sorted by when its records changed; a page costs at most about 900 points."""
    name = f"{kind.lower()}s"
    sent = "first: $first, after: $after, query: $query, sortKey: UPDATED_AT"
    page = "pageInfo { hasNextPage endCursor }"
    return Listing(
        API,
        graphql=f"query($first: Int, $after: String, $query: String)"
        f" {{ {name}({sent}) {{ nodes {{ {members} }} {page} }} }}",
        rows=f"data.{name}.nodes",
        pager=Cursor(
            {"variables": {"first": "{size}", "after": "{cursor}"}},
            f"data.{name}.pageInfo.endCursor",
            more=f"data.{name}.pageInfo.hasNextPage",
            size=size,
        ),
        since={"variables": {"query": "updated_at:>='{since}'"}},
        since_format="%Y-%m-%dT%H:%M:%SZ",
        single=f"query($id: ID!) {{ record: {kind.lower()}(id: $id) {{ {members} }} }}",
        single_id=f"gid://shopify/{kind}/{{id}}",
        single_at="data.record",
        full_read_days=days,
    )


# To change a metafield moves no stamp
CUSTOMERS = listing("Customer", CUSTOMER, 35, days=7)
PRODUCTS = replace(
    listing("Product", PRODUCT, 25),
    single=f"query($id: ID!) {{ record: productVariant(id: $id) {{ product {{ {PRODUCT} }} }} }}",
    single_id="gid://shopify/ProductVariant/{id}",
)
ORDERS = listing("Order", ORDER, 9)

ZERO, ORE = Decimal(0), Decimal("0.01")
ADDRESS = {
    "company": "company",
    "line1": "address1",
    "line2": "address2",
    "postal_code": "zip",
    "city": "city",
    "country_code": "countryCode",
    "phone": "phone",
}
PERSON = {"email": "email", "first_name": "firstName", "last_name": "lastName", "phone": "phone"}
PRODUCT_STATUSES = {
    "ACTIVE": "active",
    "UNLISTED": "active",
    "DRAFT": "draft",
    "ARCHIVED": "archived",
}
PAYMENT_STATUSES = {
    "AUTHORIZED": "authorized",
    "EXPIRED": "unpaid",
    "PAID": "paid",
    "PARTIALLY_PAID": "partially_paid",
    "PARTIALLY_REFUNDED": "partially_refunded",
    "PENDING": "unpaid",
    "REFUNDED": "refunded",
    "VOIDED": "voided",
}
FULFILLMENT_STATUSES = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}


def customer(row: Row, shop: Shop) -> Row:
    """A customer; their default address is the billing address."""
    default = row["defaultAddress"] or {}
    company = default.get("company") or None
    key = shop.settings.get("organization_number_metafield")
    metafields = nodes(shop, row, "metafields") if key else []
    return {
        "id": number(row["id"]),
        "type": "company" if company else "person",
        "is_guest": False,
        "email": (row["defaultEmailAddress"] or {}).get("emailAddress"),
        "phone": (row["defaultPhoneNumber"] or {}).get("phoneNumber"),
        "name": company or row["displayName"] or None,
        "first_name": row["firstName"],
        "last_name": row["lastName"],
        "company_name": company,
        "organization_number": next(
            (one["value"] for one in metafields if f"{one['namespace']}.{one['key']}" == key), None
        ),
        "language": row["locale"],
        "tax_exempt": row["taxExempt"],
        "note": row["note"] or None,
        "addresses": [
            {
                **address(one),
                "id": number(one["id"]),
                "type": "billing" if one["id"] == default.get("id") else "other",
                "is_default": one["id"] == default.get("id"),
            }
            for one in nodes(shop, row, "addressesV2")
        ],
        **stamps(row),
    }


def product(row: Row, shop: Shop) -> Iterator[Row]:
    """Each variant of a product is what can be sold."""
    row = row.get("product", row)
    includes_tax = shop.table("taxes_included", taxes_included)
    rate = shop.settings.get(f"tax_rate {row['productType']}", shop.settings.get("tax_rate"))
    for variant in nodes(shop, row, "variants"):
        is_taxed, item = variant["taxable"], variant["inventoryItem"]
        record = {
            "id": number(variant["id"]),
            "parent_id": None if row["hasOnlyDefaultVariant"] else number(row["id"]),
            "sku": variant["sku"] or None,
            "gtin": variant["barcode"] or None,
            "type": product_type(row, item),
            "name": row["title"],
            "variant_name": None if row["hasOnlyDefaultVariant"] else variant["title"],
            "description": row["descriptionHtml"] or None,
            "status": PRODUCT_STATUSES.get(row["status"], "draft"),
            "category": row["productType"] or None,
            "price_incl" if includes_tax else "price_excl": variant["price"],
            "prices_include_tax": includes_tax,
            "stock_tracked": item["tracked"],
            "stock_on_hand": variant["inventoryQuantity"] if item["tracked"] else None,
            "url": row["onlineStoreUrl"],
            "created_at": stamp(variant["createdAt"]),
            "updated_at": stamp(row["updatedAt"]),
        }
        if rate or not is_taxed:
            record["tax_rate"] = rate if is_taxed else "0"
        yield record


def product_type(row: Row, item: Row) -> str:
    """Goods, a service, or a gift card."""
    if row["isGiftCard"]:
        return "gift_card"
    return "goods" if item["requiresShipping"] else "service"


def taxes_included(shop: Shop) -> bool:
    """Whether the merchant enters prices with VAT."""
    return bool(single(shop, "shop { taxesIncluded }")["taxesIncluded"])


def order(row: Row, shop: Shop) -> Row | None:
    """An order as it was sold, and what was paid back; test orders are none."""
    if row["test"]:
        return None
    lines = [goods(one, row) for one in nodes(shop, row, "lineItems")]
    freight = [charge(one, row) for one in nodes(shop, row, "shippingLines")]
    fees = [charge(one, row) for one in row["additionalFees"]]
    total, tax, rounding = sums(row, [*lines, *freight, *fees])
    refunds = [refund(one, row, shop) for one in row["refunds"]]
    payments = [payment(one) for one in row["transactions"] if is_payment(one)]
    paid_at = max((one["paid_at"] for one in payments), default=None)
    shipped_at = max((one["createdAt"] for one in row["fulfillments"]), default=None)
    billing, key = row["billingAddress"] or {}, shop.settings.get("organization_number_attribute")
    return {
        "id": number(row["id"]),
        "number": row["name"].removeprefix("#"),
        "status": status(row),
        "payment_status": PAYMENT_STATUSES.get(row["displayFinancialStatus"], "unpaid"),
        "fulfillment_status": FULFILLMENT_STATUSES.get(
            row["displayFulfillmentStatus"], "unfulfilled"
        ),
        "source_status": row["displayFulfillmentStatus"],
        "currency": row["currencyCode"],
        "prices_include_tax": row["taxesIncluded"],
        "customer_id": number(row["customer"]["id"]) if row["customer"] else None,
        "is_guest": not row["customer"],
        "buyer": {
            "email": row["email"] or None,
            "phone": row["phone"] or billing.get("phone") or None,
            "name": billing.get("company") or billing.get("name") or None,
            "company_name": billing.get("company") or None,
            "organization_number": next(
                (one["value"] for one in row["customAttributes"] if one["key"] == key), None
            ),
        },
        "billing_address": address(billing) if billing else None,
        "shipping_address": address(row["shippingAddress"]) if row["shippingAddress"] else None,
        "reference": row["poNumber"] or None,
        "note": row["note"] or None,
        "placed_at": stamp(row["processedAt"]),
        "paid_at": paid_at if row["displayFinancialStatus"] == "PAID" else None,
        "shipped_at": stamp(shipped_at),
        "completed_at": stamp(row["closedAt"]),
        "cancelled_at": stamp(row["cancelledAt"]),
        "lines": lines,
        "shipping": freight,
        "fees": fees,
        "discounts": discounts(row),
        "taxes": by_rate([*lines, *freight, *fees]),
        "payments": payments,
        "refunds": refunds,
        "total_excl": f"{total - tax - rounding}",
        "total_tax": f"{tax}",
        "total_incl": f"{total}",
        "rounding": f"{rounding}" if rounding else None,
        "total_refunded": f"{sum((Decimal(one['amount_incl']) for one in refunds), ZERO)}",
        **stamps(row),
    }


def status(row: Row) -> str:
    """How far an order is: one that is placed counts, unless its payment came to nothing."""
    if row["cancelledAt"]:
        return "cancelled"
    if row["displayFinancialStatus"] == "REFUNDED":
        return "refunded"
    if row["displayFulfillmentStatus"] == "FULFILLED":
        return "completed"
    return "pending" if row["displayFinancialStatus"] in ("EXPIRED", "VOIDED") else "processing"


def amounts(after: Decimal, line: Row, row: Row) -> Row:
    """The totals of what came to an amount after discounts.

    In an order in a foreign currency amount and VAT are converted each by itself, so the VAT is
    worked out from the amount instead.
    """
    includes_tax = row["taxesIncluded"]
    taxes = [one for one in line["taxLines"] if amount(one["priceSet"])]
    rates = [Decimal(one["rate"]) for one in taxes]
    tax = sum((amount(one["priceSet"]) for one in taxes), ZERO)
    if is_foreign(row):
        tax = ore(after * sum(rates) / (1 + sum(rates) * includes_tax))
    excl = after - tax if includes_tax else after
    return {
        "total_excl": f"{excl}",
        "total_tax": f"{tax}",
        "total_incl": f"{excl + tax}",
        "tax_rate": plain(sum(rates) * 100) if len(rates) < 2 else None,
    }


def is_foreign(row: Row) -> bool:
    """Whether an order was paid in another currency than the shop's."""
    return bool(row["currencyCode"] != row["presentmentCurrencyCode"])


def goods(line: Row, row: Row) -> Row:
    """A line, of all that was ordered: refunds tell what was taken out of it since."""
    side = "incl" if row["taxesIncluded"] else "excl"
    before = amount(line["originalTotalSet"])
    off = sum((amount(one["allocatedAmountSet"]) for one in line["discountAllocations"]), ZERO)
    return {
        "id": number(line["id"]),
        "type": "gift_card" if line["isGiftCard"] else "product",
        "product_id": number(line["variant"]["id"]) if line["variant"] else None,
        "sku": line["sku"] or None,
        "name": line["name"],
        "quantity": str(line["quantity"]),
        f"unit_price_{side}": money(before / (line["quantity"] or 1)),
        f"discount_{side}": f"{off}",
        **amounts(before - off, line, row),
    }


def charge(line: Row, row: Row) -> Row:
    """Freight or a fee."""
    totals = amounts(amount(line["discountedPriceSet"]), line, row)
    return {"id": number(line["id"]), "name": line["title"], **totals}


def sums(row: Row, parts: list[Row]) -> tuple[Decimal, Decimal, Decimal]:
    """The total, its VAT, and what a foreign currency left between the total and its parts.

    Each amount is converted by itself, so in the shop's currency they need not add up.
    """
    total, tax = amount(row["totalPriceSet"]), amount(row["totalTaxSet"])
    if not is_foreign(row):
        return total, tax, ZERO
    own = [sum((Decimal(one[name]) for one in parts), ZERO) for name in ("total_incl", "total_tax")]
    return total, own[1], total - own[0]


def by_rate(parts: Iterable[Row]) -> list[Row]:
    """The VAT at each rate, and what it is of."""
    sums: dict[str, list[Decimal]] = {}
    for one in parts:
        if one["tax_rate"] is not None:
            base, vat = sums.get(one["tax_rate"], (ZERO, ZERO))
            sums[one["tax_rate"]] = [
                base + Decimal(one["total_excl"]),
                vat + Decimal(one["total_tax"]),
            ]
    return [
        {"rate": rate, "base": f"{base}", "amount": f"{vat}"} for rate, (base, vat) in sums.items()
    ]


def discounts(row: Row) -> list[Row]:
    """What was taken off in all, which the lines and the freight are less of already."""
    off = amount(row["totalDiscountsSet"]) if row["totalDiscountsSet"] else ZERO
    side = "amount_incl" if row["taxesIncluded"] else "amount_excl"
    code = ", ".join(row["discountCodes"]) or None
    return [{"code": code, side: f"{off}", "is_in_lines": True}] if off else []


def is_payment(transaction: Row) -> bool:
    """Whether money came in by a transaction."""
    return transaction["kind"] in ("SALE", "CAPTURE") and transaction["status"] == "SUCCESS"


def payment(transaction: Row) -> Row:
    """Money that came in."""
    return {
        "id": number(transaction["id"]),
        "method": transaction["gateway"],
        "reference": transaction["paymentId"],
        "status": "paid",
        "amount": f"{amount(transaction['amountSet'])}",
        "paid_at": stamp(transaction["processedAt"]),
    }


def refund(row: Row, order_row: Row, shop: Shop) -> Row:
    """What was paid back, or taken out of an order that was not paid.

    What lines came to is told only where it is what was paid back: a merchant may pay more or less.
    """
    back = rest(shop, row["id"], "refundLineItems")
    freight = rest(shop, row["id"], "refundShippingLines")
    values = [amount(one["subtotalSet"]) for one in (*back, *freight)]
    if not order_row["taxesIncluded"]:
        taxes = (amount(one["totalTaxSet"]) for one in (*back, *freight))
        values = [value + tax for value, tax in zip(values, taxes, strict=True)]
    paid_back, worth = amount(row["totalRefundedSet"]), sum(values, ZERO)
    if not paid_back and not rest(shop, row["id"], "orderAdjustments"):
        paid_back = worth
    named = [(one["lineItem"]["id"], one["quantity"]) for one in back]
    named += [(one["shippingLine"]["id"], 0) for one in freight]
    return {
        "id": number(row["id"]),
        "amount_incl": f"{paid_back}",
        "reason": row["note"] or None,
        "created_at": stamp(row["createdAt"]),
        "lines": [
            {
                "line_id": number(line_id),
                "quantity": str(quantity),
                "amount_incl": f"{value}" if worth == paid_back else None,
            }
            for (line_id, quantity), value in zip(named, values, strict=True)
        ],
    }


def nodes(shop: Shop, row: Row, name: str) -> list[Row]:
    """All of a list inside a record, of which the record has the beginning."""
    page = row[name]["pageInfo"]
    further = rest(shop, row["id"], name, page["endCursor"]) if page["hasNextPage"] else []
    return [*row[name]["nodes"], *further]


def rest(shop: Shop, gid: str, name: str, after: str | None = None) -> list[Row]:
    """What a list inside a record has after a place."""
    kind = CONNECTIONS[name][0]
    members = connection(name, 50, ", after: $after")
    asked = f"node(id: $id) {{ ... on {kind} {{ {members} }} }}"
    listing = Listing(
        API,
        graphql=f"query($id: ID!, $after: String) {{ {asked} }}",
        rows=f"data.node.{name}.nodes",
        pager=Cursor(
            {"variables": {"after": "{cursor}"}},
            f"data.node.{name}.pageInfo.endCursor",
            more=f"data.node.{name}.pageInfo.hasNextPage",
        ),
        body={"variables": {"id": gid, "after": after}},
    )
    found: list[Row] = shop.list(listing)
    return found


def address(row: Row) -> Row:
    """An address."""
    known = {name: row[member] or None for name, member in ADDRESS.items()}
    return {"name": row["name"] or None, "region": row["province"] or None, **known}


def change(entity: str, record_id: str, patch: Row, shop: Shop) -> tuple[str, str, Row] | None:
    """The mutations that take an edit; None for what Shopify would not take.

    Of an order those are the buyer's reference and the note. The name and the region of an address
    are kept in other parts there.
    """
    changes = CHANGES[entity](int(record_id), patch, shop)
    if not changes:
        return None
    declared = ", ".join(f"${name}: {kind}" for name, (kind, _, _) in changes.items())
    called = " ".join(f"{call} {{ userErrors {{ message }} }}" for _, call, _ in changes.values())
    variables = {name: value for name, (_, _, value) in changes.items()}
    return "POST", API, {"query": f"mutation({declared}) {{ {called} }}", "variables": variables}


Changes = dict[str, tuple[str, str, Any]]
"""Mutations, by the name of what they are given: its type, the call and its value."""


def change_of_order(record_id: int, patch: Row, shop: Shop) -> Changes:  # noqa: ARG001
    """What changes an order."""
    named = (("reference", "poNumber"), ("note", "note"))
    own = {member: patch[name] for name, member in named if name in patch}
    gid = f"gid://shopify/Order/{record_id}"
    call = ("OrderInput!", "orderUpdate(input: $input)", {"id": gid, **own})
    return {"input": call} if own else {}


def change_of_customer(record_id: int, patch: Row, shop: Shop) -> Changes:
    """What changes a customer, and their default address, which has their company's name."""
    gid = f"gid://shopify/Customer/{record_id}"
    own = {
        member: patch[name] for name, member in {**PERSON, "note": "note"}.items() if name in patch
    }
    changes: Changes = {}
    if own:
        changes["input"] = ("CustomerInput!", "customerUpdate(input: $input)", {"id": gid, **own})
    billing = (one for one in patch.get("addresses") or () if one.get("type") == "billing")
    told = {"company": patch["company_name"]} if "company_name" in patch else {}
    told = {**next(billing, {}), **told}
    to = {member: told[name] for name, member in ADDRESS.items() if name in told}
    if to:
        known = single(shop, f'customer(id: "{gid}") {{ defaultAddress {{ id }} }}')[
            "defaultAddress"
        ]
        call = (
            f'customerAddressUpdate(addressId: "{known["id"]}", '
            if known
            else ("customerAddressCreate(setAsDefault: true, ")
        )
        call = f'{call}customerId: "{gid}", address: $address)'
        changes["address"] = ("MailingAddressInput!", call, to)
    return changes


def change_of_product(record_id: int, patch: Row, shop: Shop) -> Changes:
    """What changes a variant, and its product where that has no other one."""
    gid = f"gid://shopify/ProductVariant/{record_id}"
    parent = single(
        shop, f'productVariant(id: "{gid}") {{ product {{ id hasOnlyDefaultVariant }} }}'
    )
    parent = parent["product"]
    price = "price_incl" if shop.table("taxes_included", taxes_included) else "price_excl"
    own = {
        member: patch[name]
        for name, member in ((price, "price"), ("gtin", "barcode"))
        if name in patch
    }
    if "sku" in patch:
        own["inventoryItem"] = {"sku": patch["sku"]}
    named = (("name", "title"), ("description", "descriptionHtml"))
    whole = {member: patch[name] for name, member in named if name in patch}
    changes: Changes = {}
    if whole and parent["hasOnlyDefaultVariant"]:
        call = "productUpdate(product: $product)"
        changes["product"] = ("ProductUpdateInput!", call, {"id": parent["id"], **whole})
    if own:
        call = f'productVariantsBulkUpdate(productId: "{parent["id"]}", variants: $variants)'
        changes["variants"] = ("[ProductVariantsBulkInput!]!", call, [{"id": gid, **own}])
    return changes


CHANGES = {
    "customers": change_of_customer,
    "products": change_of_product,
    "orders": change_of_order,
}


def single(shop: Shop, asked: str) -> Row:
    """What a query of a single record answers."""
    query = Listing(API, graphql=f"query {{ record: {asked} }}", rows="data.record")
    found: Row = shop.list(query)[0]
    return found


def number(gid: str) -> str:
    """The number in a global id: `gid://shopify/MailingAddress/7?model_name=CustomerAddress`."""
    return gid.rpartition("/")[2].partition("?")[0]


def stamps(row: Row) -> Row:
    """When a record was made and last changed."""
    return {"created_at": stamp(row["createdAt"]), "updated_at": stamp(row["updatedAt"])}


def amount(bag: Row) -> Decimal:
    """An amount in the shop's currency."""
    return ore(Decimal(bag["shopMoney"]["amount"]))


def ore(value: Decimal) -> Decimal:
    """An amount in whole øre."""
    return value.quantize(ORE, ROUND_HALF_UP)


def plain(value: Decimal | int) -> str:
    """A number without zeros at its end."""
    return f"{Decimal(value).normalize():f}"
