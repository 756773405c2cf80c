"""Shopify, through its GraphQL Admin API.

Settings: `api_url` is the shop's own address (`https://butikken.myshopify.com`). In
`shop_settings`, `client_id` and `client_secret` are those of the merchant's own app in Shopify's
Dev Dashboard, which may read customers, products and orders (all orders, to see those older than 60
days) and, for the way back, write them. `tax_rate` is the VAT rate of goods in percent, which
Shopify does not state for a product, and `tax_rate Books` that of the product type Books.
`organization_number_attribute` names the order attribute, and `organization_number_metafield`
(`custom.org_nr`) the customer metafield, that holds the buyer's organisation number.

Amounts are in the shop's currency, with VAT if the order's prices include it, and discounts are
already deducted from the lines. A query may cost at most 1,000 points, so pages are short, and the
rest of a long list of lines, variants or addresses is fetched separately. Deletions are not
reported.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_customwebshop.shop import (
    ClientCredentials,
    Cursor,
    Listing,
    Mutation,
    amount,
    mutations,
    percent,
    stamp,
    taxes_by_rate,
    to_record,
    to_shop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_customwebshop.shop.mapping import Shop

Row = dict[str, Any]

API = "/admin/api/2026-10/graphql.json"
AUTH = ClientCredentials(
    "/admin/oauth/access_token", header="X-Shopify-Access-Token", value="{token}"
)

PAGE = "pageInfo { hasNextPage endCursor }"
MONEY = "{ shopMoney { amount } }"
TAXES = f"taxLines {{ rate priceSet {MONEY} }}"
POSTAL = "name company address1 address2 zip city province countryCode: countryCodeV2 phone"
VARIANT = """
    id title sku barcode price taxable inventoryQuantity createdAt
    inventoryItem { tracked requiresShipping }
"""
LINE = f"""
    id name sku quantity isGiftCard variant {{ id }} originalTotalSet {MONEY} {TAXES}
    discountAllocations {{ allocatedAmountSet {MONEY} }}
"""
REFUNDED_LINE = (
    f"line: lineItem {{ id }} quantity worth: subtotalSet {MONEY} tax: totalTaxSet {MONEY}"
)
REFUNDED_FREIGHT = (
    f"line: shippingLine {{ id }} worth: subtotalAmountSet {MONEY} tax: taxAmountSet {MONEY}"
)
CONNECTIONS = {
    "addressesV2": ("Customer", f"id {POSTAL}"),
    "metafields": ("Customer", "namespace key value"),
    "variants": ("Product", VARIANT),
    "lineItems": ("Order", LINE),
    "shippingLines": ("Order", f"id name: title price: discountedPriceSet {MONEY} {TAXES}"),
    "refundLineItems": ("Refund", REFUNDED_LINE),
    "refundShippingLines": ("Refund", REFUNDED_FREIGHT),
    "orderAdjustments": ("Refund", "id"),
}
"""The lists inside a record, by name: the type that has the list, and the fields to read."""


def connection(name: str, first: int, after: str = "") -> str:
    """The fields that read the beginning of a list inside a record."""
    return f"{name}(first: {first}{after}) {{ nodes {{ {CONNECTIONS[name][1]} }} {PAGE} }}"


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
    billingAddress {{ {POSTAL} }} shippingAddress {{ {POSTAL} }}
    {connection("lineItems", 6)} {connection("shippingLines", 2)}
    additionalFees {{ id name price {MONEY} {TAXES} }}
    transactions {{ id kind status gateway paymentId processedAt amountSet {MONEY} }}
    refunds {{ id createdAt note totalRefundedSet {MONEY} }} fulfillments {{ createdAt }}
    totalPriceSet {MONEY} totalTaxSet {MONEY} totalDiscountsSet {MONEY}
"""


def pager(at: str, size: int = 50, **sent: str) -> Cursor:
    """The pager of a list at this place in the answer."""
    send = {"variables": {"after": "{cursor}", **sent}}
    return Cursor(send, f"{at}.pageInfo.endCursor", more=f"{at}.pageInfo.hasNextPage", size=size)


def listing(kind: str, members: str, size: int, days: int | None = None) -> Listing:
    """A list sorted by when its records changed; a page costs at most about 900 points."""
    name = f"{kind.lower()}s"
    sent = "first: $first, after: $after, query: $query, sortKey: UPDATED_AT"
    return Listing(
        API,
        graphql=f"query($first: Int, $after: String, $query: String)"
        f" {{ {name}({sent}) {{ nodes {{ {members} }} {PAGE} }} }}",
        rows=f"data.{name}.nodes",
        pager=pager(f"data.{name}", size, first="{size}"),
        since={"variables": {"query": "updated_at:>='{since}'"}},
        since_format="%Y-%m-%dT%H:%M:%SZ",
        single=f"query($id: ID!) {{ record: {kind.lower()}(id: $id) {{ {members} }} }}",
        single_id=f"gid://shopify/{kind}/{{id}}",
        single_at="data.record",
        full_read_days=days,
    )


# Changing a metafield does not move the stamp
CUSTOMERS = listing("Customer", CUSTOMER, 35, days=7)
PRODUCTS = replace(
    listing("Product", PRODUCT, 25),
    single=f"query($id: ID!) {{ record: productVariant(id: $id) {{ product {{ {PRODUCT} }} }} }}",
    single_id="gid://shopify/ProductVariant/{id}",
)
ORDERS = listing("Order", ORDER, 9)

ZERO = Decimal(0)
STAMPS = {"created_at": "createdAt", "updated_at": "updatedAt"}
ORDER_STAMPS = {
    **STAMPS,
    "placed_at": "processedAt",
    "completed_at": "closedAt",
    "cancelled_at": "cancelledAt",
}
# Members that are both read and written
CUSTOMER_NAMES = {"first_name": "firstName", "last_name": "lastName", "note": "note"}
PRODUCT_NAMES = {"name": "title", "description": "descriptionHtml"}
VARIANT_NAMES = {"gtin": "barcode"}
ORDER_NAMES = {"reference": "poNumber", "note": "note"}
ADDRESS_NAMES = {
    "company": "company",
    "line1": "address1",
    "line2": "address2",
    "postal_code": "zip",
    "city": "city",
    "country_code": "countryCode",
    "phone": "phone",
}
ADDRESS = {**ADDRESS_NAMES, "name": "name", "region": "province"}
PRODUCT_STATUSES = {"ACTIVE": "active", "UNLISTED": "active", "ARCHIVED": "archived"}
PAYMENT_STATUSES = {
    "AUTHORIZED": "authorized",
    "PAID": "paid",
    "PARTIALLY_PAID": "partially_paid",
    "PARTIALLY_REFUNDED": "partially_refunded",
    "REFUNDED": "refunded",
    "VOIDED": "voided",
}
FULFILLMENT_STATUSES = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}


def customer(row: Row, shop: Shop) -> Row:
    """A customer; their default address is the billing address."""
    default = row["defaultAddress"] or {"id": None, "company": None}
    company = default["company"] or None
    key = shop.settings.get("organization_number_metafield", "")
    metafields = nodes(shop, row, "metafields") if key else []
    fields = {f"{field['namespace']}.{field['key']}": field["value"] for field in metafields}
    return {
        **to_record(row, {**CUSTOMER_NAMES, "language": "locale", "tax_exempt": "taxExempt"}),
        "id": number(row["id"]),
        "type": "company" if company else "person",
        "is_guest": False,
        "email": (row["defaultEmailAddress"] or {}).get("emailAddress"),
        "phone": (row["defaultPhoneNumber"] or {}).get("phoneNumber"),
        "name": company or row["displayName"] or None,
        "company_name": company,
        "organization_number": fields.get(key),
        "addresses": [
            {
                **to_record(entry, ADDRESS),
                "id": number(entry["id"]),
                "type": "billing" if entry["id"] == default["id"] else "other",
                "is_default": entry["id"] == default["id"],
            }
            for entry in nodes(shop, row, "addressesV2")
        ],
        **stamps(row, STAMPS),
    }


def product(row: Row, shop: Shop) -> Iterator[Row]:
    """Yield each variant, which is what is sold."""
    row = row.get("product", row)
    is_alone, includes_tax = row["hasOnlyDefaultVariant"], taxes_included(shop)
    rate = shop.settings.get(f"tax_rate {row['productType']}", shop.settings.get("tax_rate"))
    for variant in nodes(shop, row, "variants"):
        item = variant["inventoryItem"]
        kind = "goods" if item["requiresShipping"] else "service"
        record = {
            **to_record(row, {**PRODUCT_NAMES, "category": "productType", "url": "onlineStoreUrl"}),
            **to_record(variant, {**VARIANT_NAMES, "sku": "sku"}),
            "id": number(variant["id"]),
            "parent_id": None if is_alone else number(row["id"]),
            "type": "gift_card" if row["isGiftCard"] else kind,
            "variant_name": None if is_alone else variant["title"],
            "status": PRODUCT_STATUSES.get(row["status"], "draft"),
            "price_incl" if includes_tax else "price_excl": variant["price"],
            "prices_include_tax": includes_tax,
            "stock_tracked": item["tracked"],
            "stock_on_hand": variant["inventoryQuantity"] if item["tracked"] else None,
            "created_at": stamp(variant["createdAt"]),
            "updated_at": stamp(row["updatedAt"]),
        }
        if rate or not variant["taxable"]:
            record["tax_rate"] = rate if variant["taxable"] else "0"
        yield record


def taxes_included(shop: Shop) -> bool:
    """Whether the merchant enters prices with VAT."""
    answer = shop.table("shop", lambda shop: single(shop, "shop { taxesIncluded }"))
    return bool(answer["taxesIncluded"])


def order(row: Row, shop: Shop) -> Row | None:
    """An order as it was sold, and its refunds; test orders are left out."""
    if row["test"]:
        return None
    lines = [goods(line, row) for line in nodes(shop, row, "lineItems")]
    freight = [charge(line, row) for line in nodes(shop, row, "shippingLines")]
    fees = [charge(line, row) for line in row["additionalFees"]]
    refunds = [refund(entry, row, shop) for entry in row["refunds"]]
    payments = [payment(entry) for entry in row["transactions"] if is_payment(entry)]
    paid_at = max((entry["paid_at"] for entry in payments), default=None)
    payment_status, fulfillment = row["displayFinancialStatus"], row["displayFulfillmentStatus"]
    return {
        **to_record(row, ORDER_NAMES),
        "id": number(row["id"]),
        "number": row["name"].removeprefix("#"),
        "status": status(row),
        "payment_status": PAYMENT_STATUSES.get(payment_status, "unpaid"),
        "fulfillment_status": FULFILLMENT_STATUSES.get(fulfillment, "unfulfilled"),
        "source_status": fulfillment,
        "currency": row["currencyCode"],
        "prices_include_tax": row["taxesIncluded"],
        "customer_id": number(row["customer"]["id"]) if row["customer"] else None,
        "is_guest": not row["customer"],
        "buyer": buyer(row, shop),
        "billing_address": address(row["billingAddress"]),
        "shipping_address": address(row["shippingAddress"]),
        "paid_at": paid_at if payment_status == "PAID" else None,
        "shipped_at": stamp(max((sent["createdAt"] for sent in row["fulfillments"]), default=None)),
        "lines": lines,
        "shipping": freight,
        "fees": fees,
        "discounts": discounts(row),
        "payments": payments,
        "refunds": refunds,
        **totals(row, [*lines, *freight, *fees]),
        "total_refunded": sum((entry["amount_incl"] for entry in refunds), ZERO),
        **stamps(row, ORDER_STAMPS),
    }


def status(row: Row) -> str:
    """The status: a placed order counts as processing, unless its payment expired or was voided."""
    if row["cancelledAt"]:
        return "cancelled"
    if row["displayFinancialStatus"] == "REFUNDED":
        return "refunded"
    if row["displayFulfillmentStatus"] == "FULFILLED":
        return "completed"
    return "pending" if row["displayFinancialStatus"] in ("EXPIRED", "VOIDED") else "processing"


def buyer(row: Row, shop: Shop) -> Row:
    """The buyer, from the order and its billing address."""
    billing = address(row["billingAddress"]) or {}
    key = shop.settings.get("organization_number_attribute")
    attributes = {entry["key"]: entry["value"] for entry in row["customAttributes"]}
    return {
        "email": row["email"] or None,
        "phone": row["phone"] or billing.get("phone"),
        "name": billing.get("company") or billing.get("name"),
        "company_name": billing.get("company"),
        "organization_number": attributes.get(key),
    }


def amounts(after: Decimal, line: Row, row: Row) -> Row:
    """The totals of a line, from its amount after discounts.

    In an order in a foreign currency, amount and VAT are converted separately, so the VAT is
    calculated from the amount instead.
    """
    includes_tax = row["taxesIncluded"]
    stated = line["taxLines"]
    taxes = [tax for tax in stated if shop_money(tax["priceSet"]) or len(stated) == 1]
    rate = sum((Decimal(tax["rate"]) for tax in taxes), ZERO)
    tax = sum((shop_money(tax["priceSet"]) for tax in taxes), ZERO)
    if is_foreign(row):
        tax = amount(after * rate / (1 + rate * includes_tax))
    excl = after - tax if includes_tax else after
    return {
        "total_excl": excl,
        "total_tax": tax,
        "total_incl": excl + tax,
        "tax_rate": percent(rate, fraction=True) if len(taxes) < 2 else None,
    }


def is_foreign(row: Row) -> bool:
    """Whether an order was placed in another currency than the shop's."""
    return bool(row["currencyCode"] != row["presentmentCurrencyCode"])


def goods(line: Row, row: Row) -> Row:
    """A line as it was ordered; refunds state what was removed later."""
    side = "incl" if row["taxesIncluded"] else "excl"
    before = shop_money(line["originalTotalSet"])
    cuts = (shop_money(cut["allocatedAmountSet"]) for cut in line["discountAllocations"])
    discount = sum(cuts, ZERO)
    return {
        "id": number(line["id"]),
        "type": "gift_card" if line["isGiftCard"] else "product",
        "product_id": number(line["variant"]["id"]) if line["variant"] else None,
        "sku": line["sku"] or None,
        "name": line["name"],
        "quantity": line["quantity"],
        f"unit_price_{side}": amount(before / (line["quantity"] or 1)),
        f"discount_{side}": discount,
        **amounts(before - discount, line, row),
    }


def charge(line: Row, row: Row) -> Row:
    """Freight or a fee."""
    totals = amounts(shop_money(line["price"]), line, row)
    return {"id": number(line["id"]), "name": line["name"], **totals}


def totals(row: Row, parts: list[Row]) -> Row:
    """The totals, and the VAT by rate.

    In an order in a foreign currency, each amount is converted separately, so the parts may not
    add up to the total.
    """
    total, tax, rounding = shop_money(row["totalPriceSet"]), shop_money(row["totalTaxSet"]), ZERO
    if is_foreign(row):
        tax = sum((part["total_tax"] for part in parts), ZERO)
        rounding = total - sum((part["total_incl"] for part in parts), ZERO)
    return {
        "taxes": taxes_by_rate(parts),
        "total_excl": total - tax - rounding,
        "total_tax": tax,
        "total_incl": total,
        "rounding": rounding or None,
    }


def discounts(row: Row) -> list[Row]:
    """The total of all discounts, already deducted from lines and freight."""
    total = shop_money(row["totalDiscountsSet"])
    side = "amount_incl" if row["taxesIncluded"] else "amount_excl"
    code = ", ".join(row["discountCodes"]) or None
    return [{"code": code, side: total, "is_in_lines": True}] if total else []


def is_payment(transaction: Row) -> bool:
    """Whether a transaction brought money in."""
    return transaction["kind"] in ("SALE", "CAPTURE") and transaction["status"] == "SUCCESS"


def payment(transaction: Row) -> Row:
    """Money that came in."""
    return {
        "id": number(transaction["id"]),
        "method": transaction["gateway"],
        "reference": transaction["paymentId"],
        "status": "paid",
        "amount": shop_money(transaction["amountSet"]),
        "paid_at": stamp(transaction["processedAt"]),
    }


def refund(row: Row, order_row: Row, shop: Shop) -> Row:
    """What was paid back, or removed from an order before it was paid.

    A merchant may pay back more or less than the lines cost; then their amounts are left empty.
    """
    lines = [
        {
            "line_id": number(refunded["line"]["id"]),
            "quantity": refunded.get("quantity", 0),
            "amount_incl": shop_money(refunded["worth"])
            + (ZERO if order_row["taxesIncluded"] else shop_money(refunded["tax"])),
        }
        for name in ("refundLineItems", "refundShippingLines")
        for refunded in rest(shop, row["id"], name)
    ]
    paid_back = shop_money(row["totalRefundedSet"])
    worth = sum((line["amount_incl"] for line in lines), ZERO)
    if not paid_back and not rest(shop, row["id"], "orderAdjustments"):
        paid_back = worth
    if worth != paid_back:
        lines = [{**line, "amount_incl": None} for line in lines]
    return {
        "id": number(row["id"]),
        "amount_incl": paid_back,
        "reason": row["note"] or None,
        "created_at": stamp(row["createdAt"]),
        "lines": lines,
    }


def address(row: Row | None) -> Row | None:
    """An address of an order, if it has one."""
    return to_record(row, ADDRESS) if row else None


def nodes(shop: Shop, row: Row, name: str) -> list[Row]:
    """All rows of a list inside a record; the record itself has the first of them."""
    page = row[name]["pageInfo"]
    further = rest(shop, row["id"], name, page["endCursor"]) if page["hasNextPage"] else []
    return [*row[name]["nodes"], *further]


def rest(shop: Shop, gid: str, name: str, after: str | None = None) -> list[Row]:
    """The rows of a list inside a record that come after a cursor."""
    fields = f"... on {CONNECTIONS[name][0]} {{ {connection(name, 50, ', after: $after')} }}"
    further = Listing(
        API,
        graphql=f"query($id: ID!, $after: String) {{ node(id: $id) {{ {fields} }} }}",
        rows=f"data.node.{name}.nodes",
        pager=pager(f"data.node.{name}"),
        body={"variables": {"id": gid, "after": after}},
    )
    return list(shop.list(further))


def change(entity: str, record_id: str, patch: Row, shop: Shop) -> tuple[str, str, Row] | None:
    """The mutations that make an edit; None for what Shopify would refuse.

    Of an order, only the buyer's reference and the note can be changed. The name and region of an
    address are left alone, because Shopify keeps them in other parts.
    """
    kind, calls = CHANGES[entity]
    return mutations(API, calls(f"gid://shopify/{kind}/{int(record_id)}", patch, shop))


def mutation(call: str, input_type: str, value: Any) -> Mutation:  # noqa: ANN401 - JSON
    """A mutation that also asks why Shopify refused it."""
    return Mutation(f"{call} {{ userErrors {{ message }} }}", input_type, value)


def change_of_order(gid: str, patch: Row, shop: Shop) -> Iterator[Mutation]:  # noqa: ARG001
    """Yield the mutation of an order."""
    if changed := to_shop(patch, ORDER_NAMES):
        yield mutation("orderUpdate(input: $input)", "OrderInput!", {"id": gid, **changed})


def change_of_customer(gid: str, patch: Row, shop: Shop) -> Iterator[Mutation]:
    """Yield the mutations of a customer and the default address, which has the company name."""
    if changed := to_shop(patch, {**CUSTOMER_NAMES, "email": "email", "phone": "phone"}):
        yield mutation("customerUpdate(input: $input)", "CustomerInput!", {"id": gid, **changed})
    addresses = patch.get("addresses") or ()
    billing: Row = next((entry for entry in addresses if entry.get("type") == "billing"), {})
    if "company_name" in patch:
        billing = {**billing, "company": patch["company_name"]}
    if changed := to_shop(billing, ADDRESS_NAMES):
        existing = single(shop, f'customer(id: "{gid}") {{ defaultAddress {{ id }} }}')
        call = "customerAddressCreate(setAsDefault: true"
        if existing["defaultAddress"]:
            call = f'customerAddressUpdate(addressId: "{existing["defaultAddress"]["id"]}"'
        call = f'{call}, customerId: "{gid}", address: $input)'
        yield mutation(call, "MailingAddressInput!", changed)


def change_of_product(gid: str, patch: Row, shop: Shop) -> Iterator[Mutation]:
    """Yield the mutations of a variant and, if it is the only one, of its product."""
    query = f'productVariant(id: "{gid}") {{ product {{ id hasOnlyDefaultVariant }} }}'
    parent = single(shop, query)["product"]
    if parent["hasOnlyDefaultVariant"] and (changed := to_shop(patch, PRODUCT_NAMES)):
        value = {"id": parent["id"], **changed}
        yield mutation("productUpdate(product: $input)", "ProductUpdateInput!", value)
    price = "price_incl" if taxes_included(shop) else "price_excl"
    changed = to_shop(patch, {**VARIANT_NAMES, price: "price"})
    if "sku" in patch:
        changed["inventoryItem"] = {"sku": patch["sku"]}
    if changed:
        call = f'productVariantsBulkUpdate(productId: "{parent["id"]}", variants: $input)'
        yield mutation(call, "[ProductVariantsBulkInput!]!", [{"id": gid, **changed}])


CHANGES = {
    "customers": ("Customer", change_of_customer),
    "products": ("ProductVariant", change_of_product),
    "orders": ("Order", change_of_order),
}


def single(shop: Shop, field: str) -> Row:
    """The single record that a field of a query returns."""
    query = Listing(API, graphql=f"query {{ record: {field} }}", rows="data.record")
    return dict(shop.list(query)[0])


def number(gid: str) -> str:
    """The number in a global id: `gid://shopify/MailingAddress/7?model_name=CustomerAddress`."""
    return gid.rpartition("/")[2].partition("?")[0]


def stamps(row: Row, names: dict[str, str]) -> Row:
    """When a record was created, last changed and so on."""
    return {name: stamp(row[shop_name]) for name, shop_name in names.items()}


def shop_money(bag: Row | None) -> Decimal:
    """An amount in the shop's currency."""
    return amount(bag["shopMoney"]["amount"] if bag else None)
