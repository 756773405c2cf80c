"""The demo's act on the habits of real shops: what each such order came to in Go."""

from __future__ import annotations

import html
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.demo.tables import landed_table
from go_sandbox.seed.habits import named_habits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from go_sandbox.server import Sandbox

Entry = dict[str, Any]


class Landed:
    """The orders with a habit, side by side with what stands in Go for them."""

    def __init__(self, box: Sandbox) -> None:
        self._shop = box.shop
        self._words = named_habits(box.shop)
        self._customers = {entry["Id"]: entry for entry in box.go.entries("Customers")}
        self._products = {entry["Id"]: entry for entry in box.go.entries("Products")}
        self._orders = {
            str(entry["ExternalImportReference"]).partition(":")[2]: entry
            for entry in box.go.entries("SalesOrders")
        }

    @property
    def is_empty(self) -> bool:
        """Whether the shop is too small for such orders."""
        return not self._words

    def table(self) -> Table:
        """Return what is special about each order, and what stands in Go for it."""
        return landed_table(
            (words, name_of(self._customer(order)), vat_by_rate(order), order["TotalAmount"])
            for shop_id, words in self._words.items()
            if (order := self._orders.get(shop_id))
        )

    def broken_promises(self) -> list[str]:
        """Return which orders are not in Go as the shop sold them, and why."""
        return [
            f"Order {shop_id} ({words}): {why}."
            for shop_id, words in self._words.items()
            for why in self._faults(self._shop.record("orders", shop_id) or {})
        ]

    def _faults(self, sold: Entry) -> Iterator[str]:
        order = self._orders.get(sold["id"])
        if order is None:
            yield "it is not in Go"
            return
        lines = order["SalesOrderLines"]
        vat = sum((Decimal(str(line["VatAmount"])) for line in lines), Decimal(0))
        lawful = Decimal("0.005") * (len(lines) + 1)
        if Decimal(str(order["TotalAmount"])) != Decimal(sold["total_incl"]):
            yield f"{order['TotalAmount']} in Go, {sold['total_incl']} in the shop"
        if abs(vat - Decimal(sold["total_tax"])) > lawful:
            yield f"VAT {vat} in Go, {sold['total_tax']} in the shop"
        customer = self._customer(order)
        company = sold["buyer"]["organization_number"]
        if (customer["OrganizationNumber"] or None) != company:
            yield f"its customer in Go is {name_of(customer)}"
        texts = (name_of(customer), *(line["Description"] for line in lines))
        if any(html.unescape(text) != text for text in texts):
            yield "it has names in HTML"
        if any(self._products[line["ProductId"]]["IsArchived"] for line in lines):
            yield "its product is archived in Go"

    def _customer(self, order: Entry) -> Entry:
        return self._customers[order["CustomerId"]]


def name_of(customer: Entry) -> str:
    """Return what a customer of Go is called."""
    return customer["Name"] or f"{customer['FirstName']} {customer['LastName']}"


def vat_by_rate(order: Entry) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Return rate in percent, net and VAT of an order in Go, the highest rate first."""
    sums: dict[Decimal, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in order["SalesOrderLines"]:
        of_rate = sums[Decimal(str(line["VatRate"])) * 100]
        of_rate[0] += Decimal(str(line["NetAmount"]))
        of_rate[1] += Decimal(str(line["VatAmount"]))
    return [(rate, net, vat) for rate, (net, vat) in sorted(sums.items(), reverse=True)]
