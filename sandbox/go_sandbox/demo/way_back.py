"""The demo's act on the way back: a bookkeeper edits Go, and somebody the shop as well."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.demo.outcomes import newest_conflicts
from go_sandbox.demo.tables import conflict_table

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from go_sandbox.server import Sandbox

_PHONE = "+4793000931"
_PRICE = Decimal("400.00")
_IN_SHOP, _IN_GO = "+4793000932", "+4793000933"
_LATER_SECONDS = 600


@dataclass(frozen=True)
class Edited:
    """The shop's ids of what was edited."""

    customer: str
    product: str
    order: str
    clashing: str


class WayBack:
    """Edits Go and the shop, and sees what came of it after a run both ways."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def edit(self) -> Edited:
        """Edit a phone and a price in Go, send an invoice there, and one phone on both sides.

        Go's edit of that phone is ten minutes later than the shop's, by Go's clock.
        """
        go, shop = self._box.go, self._box.shop
        customer, clashing = self._linked("Customers", "customers")[:2]
        go.edit("Customers", customer["Id"], {"PhoneNumber": _PHONE})
        product_id, product = self._product()
        go.edit("Products", product["Id"], {"UnitPrice": _PRICE})
        order = self._linked("SalesOrders", "orders")[0]
        go.send_invoice(order["Id"])
        shop.edit("customers", _shop_id(clashing), {"phone": _IN_SHOP})
        go.switches.clock_skew_seconds = _LATER_SECONDS
        go.edit("Customers", clashing["Id"], {"PhoneNumber": _IN_GO})
        go.switches.clock_skew_seconds = 0
        return Edited(_shop_id(customer), product_id, _shop_id(order), _shop_id(clashing))

    def broken_promises(self, edited: Edited) -> list[str]:
        """Return what did not come to the shop as it should."""
        shop = self._box.shop
        customer, clashing, product, order = (
            shop.record(stream, shop_id) or {}
            for stream, shop_id in (
                ("customers", edited.customer),
                ("customers", edited.clashing),
                ("products", edited.product),
                ("orders", edited.order),
            )
        )
        kept = {
            "the phone number": customer.get("phone") == _PHONE,
            "the price": Decimal(product["price_excl"] or 0) == _PRICE,
            "the invoice's number": bool((order.get("invoice") or {}).get("number")),
            "the later of two edits": clashing.get("phone") == _IN_GO,
        }
        return [
            f"{what} did not come to the shop." for what, is_kept in kept.items() if not is_kept
        ]

    def who_won(self, link_store: Path) -> Table:
        """Return the conflicts of the newest run, who won each, and why."""
        return conflict_table(newest_conflicts(link_store))

    def _linked(self, resource: str, stream: str) -> list[dict[str, Any]]:
        """Return entries of Go that have a record in the shop with all that is to be edited."""
        found = []
        for entry in self._box.go.entries(resource):
            record = self._box.shop.record(stream, _shop_id(entry))
            if record and (stream == "orders" or record.get("phone")):
                found.append(entry)
        return found

    def _product(self) -> tuple[str, dict[str, Any]]:
        by_code = {entry["Code"]: entry for entry in self._box.go.entries("Products")}
        for record in self._box.shop.records("products"):
            if record["sku"] in by_code and record["tax_rate"] == "25" and record["price_excl"]:
                return record["id"], by_code[record["sku"]]
        message = "the shop has no product at 25 % VAT"
        raise LookupError(message)


def _shop_id(entry: dict[str, Any]) -> str:
    return str(entry["ExternalImportReference"] or "").partition(":")[2]
