"""Stock: confirmed orders reserve it, invoices take it."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry


def reserve(ledger: Ledger, before: Entry | None, after: Entry | None) -> None:
    """Take from `StockAvailable` what a confirmed order holds; give back what it held before."""
    moved: dict[int, Decimal] = defaultdict(Decimal)
    for order, sign in ((before, 1), (after, -1)):
        if order and order["SalesOrderStatus"] == "Confirmed":
            for line in order["SalesOrderLines"]:
                if line["ProductId"] is not None:
                    moved[line["ProductId"]] += sign * line["Quantity"]
    for product_id, quantity in moved.items():
        product = ledger.register("Products").get(product_id)
        if quantity and product and product["IsStockItem"]:
            available = product["StockAvailable"] + quantity
            ledger.register("Products").put({**product, "StockAvailable": available})


def take(ledger: Ledger, order: Entry) -> None:
    """Take the goods of an invoiced order from stock; only the stock's own stamp moves."""
    reserve(ledger, order, None)
    for line in order["SalesOrderLines"]:
        product = ledger.register("Products").get(line["ProductId"])
        if product and product["IsStockItem"]:
            left = {
                name: product[name] - line["Quantity"] for name in ("StockOnHand", "StockAvailable")
            }
            stamp = {"StockOnHandLastChangedDatetimeOffset": ledger.clock.stamp()}
            ledger.register("Products").put({**product, **left, **stamp})
