"""Resolvers of the queries, and of records' fields that are kept in another form."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from go_sandbox.shops.shopify import shop as acts
from go_sandbox.shops.shopify.changes import MUTATIONS
from go_sandbox.shops.shopify.queries import page, searched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphql import GraphQLResolveInfo

    from go_sandbox.shops.shopify.shop import Record, Shopify

ALL_ORDERS_FOR = timedelta(days=60)
NO_ID = "Invalid global id '{}'"


class Asked:
    """One request, for its resolvers.

    Attributes:
        shop: the shop.
        warnings: the terms that its searches ignored, for `extensions.search`.
    """

    def __init__(self, shop: Shopify) -> None:
        self.shop = shop
        self.warnings: list[Record] = []

    def allow(self, *scopes: str, field: str) -> None:
        """Refuse access without a scope (shopify.dev, status and error codes: ACCESS_DENIED).

        Raises:
            GraphQLError: It has none of these scopes.
        """
        if not self.shop.scopes.intersection(scopes):
            raise GraphQLError(
                f"Access denied for {field} field. Required access: `{scopes[0]}` access scope.",
                extensions={
                    "code": "ACCESS_DENIED",
                    "requiredAccess": f"`{scopes[0]}` access scope.",
                },
            )

    def visible(self, kind: str) -> list[Record]:
        """Return the records of a kind; orders only of 60 days, unless the app may see all."""
        return [record for record in self.shop.all(kind) if not self._is_too_old(record)]

    def _is_too_old(self, record: Record) -> bool:
        if record["__typename"] != "Order" or "read_all_orders" in self.shop.scopes:
            return False
        oldest = self.shop.clock.now() - ALL_ORDERS_FOR
        return str(record["createdAt"]) < oldest.strftime("%Y-%m-%dT%H:%M:%SZ")

    def find(self, gid: str) -> Record | None:
        """Return a record by its global id; None if there is none, or it is too old.

        Raises:
            GraphQLError: It is not a global id, such as the number alone.
        """
        if not gid.startswith("gid://shopify/"):
            raise GraphQLError(NO_ID.format(gid), extensions={"code": "INVALID_GLOBAL_ID"})
        found = self.shop.get(gid)
        return None if found and self._is_too_old(found) else found


def listed(kind: str, scope: str) -> Callable[..., Record]:
    """Return the resolver of a list of records."""

    def resolve(
        _: object,
        info: GraphQLResolveInfo[Any],
        query: str | None = None,
        sortKey: str = "",  # noqa: N803
        **pages: object,
    ) -> Record:
        asked: Asked = info.context
        asked.allow(scope, field=info.field_name)
        found, warnings = searched(asked.visible(kind), query)
        if warnings:
            path = [info.field_name]
            asked.warnings.append({"path": path, "query": query, "warnings": warnings})
        return page(found, pages, by=sortKey)

    return resolve


def single(kind: str, scope: str) -> Callable[..., Record | None]:
    """Return the resolver of a single record."""

    def resolve(_: object, info: GraphQLResolveInfo[Any], id: str) -> Record | None:  # noqa: A002
        asked: Asked = info.context
        asked.allow(scope, field=info.field_name)
        if acts.kind_of(id) != kind and id.startswith("gid://"):
            raise GraphQLError(NO_ID.format(id), extensions={"code": "INVALID_GLOBAL_ID"})
        return asked.find(id)

    return resolve


def connection(member: str) -> Callable[..., Record]:
    """Return the resolver of a connection that a record keeps as a list."""

    def resolve(record: Record, _: object, **pages: object) -> Record:
        pages.pop("namespace", None)
        keys: Any = pages.pop("keys", None)
        kept = [
            metafield
            for metafield in record[member]
            if keys is None or f"{metafield['namespace']}.{metafield['key']}" in keys
        ]
        return page(kept, pages)

    return resolve


def truncated(member: str) -> Callable[..., list[Record]]:
    """Return the resolver of a list that may be cut short."""

    def resolve(record: Record, _: object, first: int | None = None) -> list[Record]:
        kept: list[Record] = record[member]
        return kept[:first]

    return resolve


def money(amount: Callable[[Record], Decimal]) -> Callable[..., Record]:
    """Return the resolver of an amount of an order, in both currencies."""

    def resolve(order: Record, _: object) -> Record:
        bag: Record = order["money"].bag(amount(order))
        return bag

    return resolve


def after_discounts(lines: Iterable[Record]) -> Decimal:
    """Return the sum of lines after discounts, with VAT where the order's prices include it."""
    return sum((line["after"] for line in lines), acts.ZERO)


def tax_lines(order: Record, part: Record) -> list[Record]:
    """Return the VAT of a line; it is empty where no VAT is charged.

    A rate is a fraction, 0.25, and `ratePercentage` 25.0 (reference of TaxLine).
    """
    if not part["rate"]:
        return []
    rate = float(part["rate"])
    return [
        {
            "title": "MVA",
            "rate": rate,
            "ratePercentage": float(part["rate"] * 100),
            "priceSet": order["money"].bag(part["tax"]),
        }
    ]


def shown_line(order: Record, line: Record) -> Record:
    """Return a line as it is shown.

    `discountedTotalSet` has the discounts on that line, not those by a code on the entire order;
    `discountAllocations` has both (reference of LineItem).
    """
    bag = order["money"].bag
    variant = line["variant"]
    return {
        "__typename": "LineItem",
        **line,
        "name": f"{line['title']} - {line['variantTitle']}"
        if line["variantTitle"]
        else line["title"],
        "product": variant and variant["product"],
        "taxable": bool(line["rate"]),
        "currentQuantity": line["quantity"] - line["removed"],
        "originalUnitPriceSet": bag(line["unit"]),
        "originalTotalSet": bag(line["before"]),
        "discountedTotalSet": bag(line["before"] - line["line_discount"]),
        "discountAllocations": [
            {"allocatedAmountSet": bag(discount)} for discount in line["discounts"]
        ],
        "taxLines": tax_lines(order, line),
    }


def shown_freight(order: Record, line: Record) -> Record:
    """Return a shipping line; its price includes VAT where the order's prices do."""
    return {
        **line,
        "originalPriceSet": order["money"].bag(line["before"]),
        "discountedPriceSet": order["money"].bag(line["after"]),
        "taxLines": tax_lines(order, line),
    }


def fees(order: Record, _: object) -> list[Record]:
    """Answer Order.additionalFees."""
    bag = order["money"].bag
    return [
        {**fee, "price": bag(fee["after"]), "taxLines": tax_lines(order, fee)}
        for fee in order["fees"]
    ]


def lines(order: Record, _: object, **pages: object) -> Record:
    """Answer Order.lineItems."""
    return page([shown_line(order, line) for line in order["lines"]], pages)


def freight(order: Record, _: object, **pages: object) -> Record:
    """Answer Order.shippingLines."""
    return page([shown_freight(order, charge) for charge in order["freight"]], pages)


def of_order(order: Record, _: object) -> list[Record]:
    """Answer Order.taxLines: the VAT of all lines by its rate."""
    sums: dict[Decimal, Decimal] = {}
    for part in acts.parts(order):
        sums[part["rate"]] = sums.get(part["rate"], acts.ZERO) + part["tax"]
    return [
        line for rate, tax in sums.items() for line in tax_lines(order, {"rate": rate, "tax": tax})
    ]


def financial_status(order: Record, _: object) -> str:
    """Answer Order.displayFinancialStatus."""
    paid, back = acts.taken_in(order), acts.transacted(order, "REFUND")
    owed = acts.order_total(order) - acts.removed_value(order)
    if back:
        return "REFUNDED" if back >= paid else "PARTIALLY_REFUNDED"
    if paid:
        return "PAID" if paid >= owed else "PARTIALLY_PAID"
    if order["cancelledAt"]:
        return "VOIDED"
    return "AUTHORIZED" if acts.transacted(order, "AUTHORIZATION") else "PENDING"


def fulfillment_status(order: Record, _: object) -> str:
    """Answer Order.displayFulfillmentStatus."""
    return "FULFILLED" if order["fulfillments"] else "UNFULFILLED"


def refunded_lines(refund: Record, _: object, **pages: object) -> Record:
    """Answer Refund.refundLineItems."""
    order = refund["order"]
    bag = order["money"].bag
    shown = [
        {
            "id": None,
            "lineItem": shown_line(order, line["line"]),
            "quantity": line["quantity"],
            "priceSet": bag(line["line"]["unit"]),
            "subtotalSet": bag(line["subtotal"]),
            "totalTaxSet": bag(line["tax"]),
        }
        for line in refund["lines"]
    ]
    return page(shown, pages)


def refunded_freight(refund: Record, _: object, **pages: object) -> Record:
    """Answer Refund.refundShippingLines."""
    order = refund["order"]
    bag = order["money"].bag
    shown = [
        {
            "__typename": "RefundShippingLine",
            "id": charge["id"],
            "shippingLine": shown_freight(order, charge["line"]),
            "subtotalAmountSet": bag(charge["subtotal"]),
            "taxAmountSet": bag(charge["tax"]),
        }
        for charge in refund["freight"]
    ]
    return page(shown, pages)


def adjustments(refund: Record, _: object, **pages: object) -> Record:
    """Answer Refund.orderAdjustments: the difference of the calculated and the actual refund."""
    bag = refund["order"]["money"].bag
    shown = [
        {**adjustment, "amountSet": bag(adjustment["amount"]), "taxAmountSet": bag(acts.ZERO)}
        for adjustment in refund["adjustments"]
    ]
    return page(shown, pages)


def total_refunded(refund: Record, _: object) -> Record:
    """Answer Refund.totalRefundedSet: the sum of its transactions."""
    paid_back = sum((transaction["amount"] for transaction in refund["transactions"]), acts.ZERO)
    bag: Record = refund["order"]["money"].bag(paid_back)
    return bag


def shop_of(_: object, info: GraphQLResolveInfo[Any]) -> Record:
    """Answer the shop itself."""
    shop: Shopify = info.context.shop
    return {
        "__typename": "Shop",
        "id": "gid://shopify/Shop/1",
        "name": "Butikken",
        "currencyCode": shop.currency,
        "taxesIncluded": shop.taxes_included,
        "taxShipping": True,
        "ianaTimezone": "Europe/Oslo",
        "myshopifyDomain": "butikken.myshopify.com",
    }


def decimal_text(amount: Decimal) -> str:
    """Write the scalar Decimal without trailing zeros, except for the first decimal."""
    text = f"{amount:f}".rstrip("0") if "." in f"{amount:f}" else f"{amount:f}."
    return f"{text}0" if text.endswith(".") else text


def money_text(amount: str | Decimal) -> str:
    """Write the scalar Money: with two decimals."""
    return f"{acts.cents(Decimal(amount)):f}"


def of_customer(member: str, name: str) -> Callable[..., Record | None]:
    """Return the resolver of a customer's e-mail address or phone number, which may be null."""

    def resolve(customer: Record, _: object) -> Record | None:
        return {name: customer[member]} if customer[member] else None

    return resolve


def display_name(customer: Record, _: object) -> str:
    """Answer Customer.displayName: the name, or else the e-mail address or the phone number."""
    name = f"{customer['firstName'] or ''} {customer['lastName'] or ''}".strip()
    return name or customer["email"] or customer["phone"] or ""


def any_single(_: object, info: GraphQLResolveInfo[Any], id: str) -> Record | None:  # noqa: A002
    """Answer a record of any kind."""
    asked: Asked = info.context
    return asked.find(id)


def any_of(_: object, info: GraphQLResolveInfo[Any], ids: list[str]) -> list[Record | None]:
    """Answer records of any kind; null where there is none."""
    return [info.context.find(gid) for gid in ids]


RESOLVERS: dict[str, dict[str, Callable[..., Any]]] = {
    "QueryRoot": {
        "shop": shop_of,
        "node": any_single,
        "nodes": any_of,
        "customer": single("Customer", "read_customers"),
        "customers": listed("Customer", "read_customers"),
        "product": single("Product", "read_products"),
        "productVariant": single("ProductVariant", "read_products"),
        "products": listed("Product", "read_products"),
        "order": single("Order", "read_orders"),
        "orders": listed("Order", "read_orders"),
        "refund": single("Refund", "read_orders"),
    },
    "Customer": {
        "displayName": display_name,
        "defaultEmailAddress": of_customer("email", "emailAddress"),
        "defaultPhoneNumber": of_customer("phone", "phoneNumber"),
        "addressesV2": connection("addressesV2"),
        "metafields": connection("metafields"),
    },
    "Product": {
        "variants": connection("variants"),
        "hasOnlyDefaultVariant": lambda product, _: (
            [v["title"] for v in product["variants"]] == ["Default Title"]
        ),
    },
    "Order": {
        "lineItems": lines,
        "shippingLines": freight,
        "additionalFees": fees,
        "taxLines": of_order,
        "transactions": truncated("transactions"),
        "refunds": truncated("refunds"),
        "fulfillments": truncated("fulfillments"),
        "displayFinancialStatus": financial_status,
        "displayFulfillmentStatus": fulfillment_status,
        "totalPriceSet": money(acts.order_total),
        "currentTotalPriceSet": money(
            lambda order: acts.order_total(order) - acts.removed_value(order)
        ),
        "totalTaxSet": money(acts.order_tax),
        "subtotalPriceSet": money(lambda order: after_discounts(order["lines"])),
        "totalShippingPriceSet": money(lambda order: after_discounts(order["freight"])),
        "totalDiscountsSet": money(
            lambda order: sum(
                (sum(part["discounts"], acts.ZERO) for part in acts.parts(order)), acts.ZERO
            )
        ),
        "totalTipReceivedSet": money(
            lambda order: after_discounts(line for line in order["lines"] if line["title"] == "Tip")
        ),
        "totalReceivedSet": money(acts.taken_in),
        "totalRefundedSet": money(lambda order: acts.transacted(order, "REFUND")),
    },
    "Refund": {
        "refundLineItems": refunded_lines,
        "refundShippingLines": refunded_freight,
        "orderAdjustments": adjustments,
        "transactions": connection("transactions"),
        "totalRefundedSet": total_refunded,
    },
    "Mutation": MUTATIONS,
}
