"""The acts of the demo: a shop is filled, synced, edited on both sides, and wiped of old guests."""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import simplejson

from go_sandbox.demo.tables import (
    conflict_table,
    entry_table,
    landed_table,
    newest_outcomes,
    order_table,
    outcome_table,
    waiting_table,
)
from go_sandbox.seed.chance import REFERENCE
from go_sandbox.seed.habits import named_habits, retire_guests
from go_sandbox.seed.store import seed_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

    from go_sandbox.demo.meltano import Meltano
    from go_sandbox.requests_log import Request
    from go_sandbox.server import Sandbox

Entry = dict[str, Any]

_PHONE = "+4793000931"
_PRICE = Decimal("400.00")
_IN_SHOP, _IN_GO = "+4793000932", "+4793000933"
_LATER_SECONDS = 600
_PRICE_RISE = Decimal("1.10")
_ORE = Decimal("0.01")
_EDITS_IN_GO = 4
_ENTRIES = {
    "customers": ("customer", "customers"),
    "contactpersons": ("contact", "contacts"),
    "deliveryaddresses": ("address", "addresses"),
    "products": ("product", "products"),
    "orders": ("order", "orders"),
    "lines": ("order line", "order lines"),
}
"""The names of entries, singular and plural, by the last part of the resource's path."""
_DONE = {"POST": "created", "PATCH": "changed", "DELETE": "removed"}
_LONG_AGO = REFERENCE - timedelta(weeks=2)
_COMPANY = ("ExternalImportReference", "Number", "Name", "OrganizationNumber", "EmailAddress")
_PERSON = ("ExternalImportReference", "Number", "FirstName", "LastName", "EmailAddress")
_ADDRESS = ("MailAddress.AddressLine1", "MailAddress.ZipCode", "MailAddress.City")
_PRODUCT = ("Code", "Name", "UnitPrice", "UnitOfMeasureCode", "StandardSalesAccountId")
WHAT_EACH_RUN_WROTE = "What each run wrote"
"""The title of the last act, whose output is short enough for the README."""


class Landed:
    """The orders with a habit, side by side with what Go has for them."""

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
        """Whether the shop is too small to have such orders."""
        return not self._words

    def table(self) -> Table:
        """Return a table of what is special about each order, and what Go has for it."""
        return landed_table(
            (words, name_of(self._customer(order)), vat_by_rate(order), order["TotalAmount"])
            for shop_id, words in self._words.items()
            if (order := self._orders.get(shop_id))
        )

    def broken_promises(self) -> list[str]:
        """Return the orders that are not in Go as the shop sold them, and why."""
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
    """Return the name of a customer in Go."""
    return customer["Name"] or f"{customer['FirstName']} {customer['LastName']}"


def vat_by_rate(order: Entry) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Return the rate in percent, net and VAT of an order in Go, the highest rate first."""
    sums: dict[Decimal, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in order["SalesOrderLines"]:
        of_rate = sums[Decimal(str(line["VatRate"])) * 100]
        of_rate[0] += Decimal(str(line["NetAmount"]))
        of_rate[1] += Decimal(str(line["VatAmount"]))
    return [(rate, net, vat) for rate, (net, vat) in sorted(sums.items(), reverse=True)]


class WayBack:
    """Edits Go and the shop, and checks the result after a run both ways."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def edit(self) -> None:
        """Edit a phone and a price in Go, send an invoice there, and edit a phone on both sides.

        Go's edit of that last phone is ten minutes later than the shop's, by Go's clock.
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
        self._edited = (
            ("customers", _shop_id(customer)),
            ("customers", _shop_id(clashing)),
            ("products", product_id),
            ("orders", _shop_id(order)),
        )

    def broken_promises(self) -> list[str]:
        """Return the edits that did not reach the shop as they should."""
        customer, clashing, product, order = (
            self._box.shop.record(*edited) or {} for edited in self._edited
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

    def _linked(self, resource: str, stream: str) -> list[dict[str, Any]]:
        """Return the entries of Go that have a record in the shop and all that is to be edited."""
        records = self._box.shop.record
        return [
            entry
            for entry in self._box.go.entries(resource)
            if (record := records(stream, _shop_id(entry)))
            and (stream == "orders" or record.get("phone"))
        ]

    def _product(self) -> tuple[str, dict[str, Any]]:
        by_code = {entry["Code"]: entry for entry in self._box.go.entries("Products")}
        for record in self._box.shop.records("products"):
            if record["sku"] in by_code and record["tax_rate"] == "25" and record["price_excl"]:
                return record["id"], by_code[record["sku"]]
        raise LookupError("the shop has no product at 25 % VAT")


def _shop_id(entry: dict[str, Any]) -> str:
    return str(entry["ExternalImportReference"] or "").partition(":")[2]


class Demo:
    """The acts in order; each describes itself, acts and checks that it kept its promise."""

    def __init__(self, box: Sandbox, meltano: Meltano, console: Console) -> None:
        self._box = box
        self._meltano = meltano
        self._console = console
        self._broken: list[str] = []
        self._act = ""
        self._wrote: list[tuple[str, list[str]]] = []

    def play(self, *, customers: int, products: int, orders: int) -> list[str]:
        """Play all acts; return the promises that were not kept, ideally none.

        Raises:
            CannotRun: Meltano failed.
        """
        self._fill_the_shop(customers, products, orders)
        self._install()
        self._sync_first()
        self._show_go()
        self._show_habits()
        self._show_waiting()
        self._sync_again()
        self._sync_two_edits()
        if not self._broken:  # this act edits what the earlier acts have linked
            self._sync_both_ways()
        if not self._broken and named_habits(self._box.shop):
            self._sync_after_retiring()
        self._tell_what_each_run_wrote()
        return self._broken

    def _fill_the_shop(self, customers: int, products: int, orders: int) -> None:
        seed_store(
            self._box.shop,
            customers=customers,
            products=products,
            orders=orders,
            with_mistakes=True,
        )
        self._title("A web shop and a PowerOffice Go, both on this machine")
        counts = ", ".join(
            f"{len(self._box.shop.records(stream))} {stream}"
            for stream in ("customers", "products", "orders")
        )
        self._say(
            f"The shop has {counts}; a few of them with mistakes. The Go client is empty."
            " Nothing here leaves the machine, and all keys are fake."
        )

    def _install(self) -> None:
        self._say("Meltano installs the tap and the target, each into an environment of its own …")
        self._meltano.install()

    def _sync_first(self) -> None:
        self._title("First run: meltano run tap-customwebshop target-powerofficego")
        self._say("Every customer, product and order of the shop gets its counterpart in Go …")
        self._sync()
        created = newest_outcomes(self._meltano.link_store)
        for entity in ("customers", "products", "orders"):
            is_there = bool(created.get(entity, {}).get("created"))
            self._expect(is_there, f"The first run created no {entity}.")
        self._say(
            "Guests who ordered became customers as well, and freight became a product. A second"
            " company with the same organisation number was linked to the first one, not doubled."
            " What needs no counterpart, such as a cancelled order, is skipped."
        )

    def _show_go(self) -> None:
        self._title("Some of what stands in Go now")
        go = self._box.go
        ours = [entry for entry in go.entries("Customers") if entry["ExternalImportReference"]]
        whole = [entry for entry in ours if entry["MailAddress"] and entry["EmailAddress"]]
        company = next((entry for entry in whole if entry["OrganizationNumber"]), None)
        person = next((entry for entry in whole if entry["IsPerson"]), None)
        product = next((entry for entry in go.entries("Products") if entry["UnitPrice"]), None)
        order = _varied_order(go.entries("SalesOrders"))
        for title, entry, members in (
            ("A company", company, (*_COMPANY, *_ADDRESS)),
            ("A person", person, (*_PERSON, *_ADDRESS)),
            ("A product", product, _PRODUCT),
        ):
            if entry is not None:
                self._console.print(entry_table(title, entry, members))
        if order is None:
            return
        number, status = order["CustomMatchingReference"], order["SalesOrderStatus"]
        self._console.print(order_table(f"The order {number}, still a {status}", order))
        self._order_total(order)

    def _order_total(self, order: dict[str, Any]) -> None:
        shop_id = str(order["ExternalImportReference"]).partition(":")[2]
        in_shop = self._box.shop.record("orders", shop_id) or {}
        total = in_shop.get("total_incl")
        self._say(f"The shop's total is {total}; Go came to the same by its own sales accounts.")
        is_same = total is not None and Decimal(total) == Decimal(str(order["TotalAmount"]))
        self._expect(is_same, f"Order {shop_id}: the shop's total and Go's differ.")

    def _show_habits(self) -> None:
        landed = Landed(self._box)
        if landed.is_empty:
            return
        self._title("What real shops do, and how it landed")
        self._say(
            "Go works VAT out by itself, and none can be sent to it. So a discount is put where the"
            " shop's own sums say that it belongs, and Go's answer is compared with them."
        )
        self._console.print(landed.table())
        self._broken += landed.broken_promises()

    def _show_waiting(self) -> None:
        self._title("What waits for a person")
        waiting = waiting_table(self._meltano.link_store)
        if not waiting.row_count:
            self._say("Nothing.")
            return
        self._say(
            "A rejected record cannot be written as it is; a held one should not be without a"
            " person. The others were not stopped by them. Corrected in the shop, a record goes"
            " through in the next run."
        )
        self._console.print(waiting)

    def _sync_again(self) -> None:
        self._title("Second run: nothing was edited, and everything is read again")
        self._say("The option --full-refresh lets the tap forget what it has read before …")
        self._sync("--full-refresh")
        self._say("What landed is unchanged, and nothing was written.")
        self._expect_no_write("second")

    def _sync_two_edits(self) -> None:
        self._title("Third run: one customer's phone and one product's price were edited")
        self._edit_a_customer_and_a_product()
        self._say("Without that option only what changed since the last run is read …")
        self._sync()
        writes = self._show_writes("go")
        self._say(
            "Two PATCHes, each with the one property that was edited. `test` guards an edit that a"
            " bookkeeper may have made meanwhile: if the value is no longer there, Go refuses."
        )
        methods = ", ".join(request.method for request in writes) or "nothing"
        self._expect(
            methods == "PATCH, PATCH",
            f"The third run was to be exactly two PATCHes, but was: {methods}.",
        )

    def _sync_both_ways(self) -> None:
        self._title("Fourth run: a bookkeeper edited Go, and both ways run")
        self._say(
            "In Go a phone number and a price are edited, and an invoice is sent by hand. Another"
            " phone number is edited in the shop and, ten minutes later, in Go …"
        )
        way_back = WayBack(self._box)
        way_back.edit()
        self._sync(both_ways=True)
        writes = self._show_writes("shop")
        self._say(
            "What changed in Go came to the shop, and nothing else. Where both sides had changed"
            " the same, the later edit won, and both values are kept:"
        )
        self._console.print(conflict_table(self._meltano.link_store))
        self._broken += way_back.broken_promises()
        self._expect(
            not self._box.requests.writes("go"),
            "The fourth run wrote to Go, where only the shop was behind.",
        )
        self._expect(
            len(writes) == _EDITS_IN_GO,
            f"The fourth run was to be {_EDITS_IN_GO} writes to the shop.",
        )

    def _sync_after_retiring(self) -> None:
        self._title("Fifth run: the shop wiped who bought as a guest long ago")
        count = retire_guests(self._box.shop, _LONG_AGO)
        self._say(
            f"A shop's routine did so in {count} orders. The bookkeeper must keep who bought, so"
            " nothing is written …"
        )
        self._sync()
        self._say(
            "Each of these orders counts as unchanged, and as anonymised too; one that has no"
            " counterpart, such as a pending one, is skipped."
        )
        self._expect_no_write("fifth")

    def _edit_a_customer_and_a_product(self) -> None:
        customer = next(
            customer for customer in self._box.shop.records("customers") if customer["phone"]
        )
        self._box.shop.edit("customers", customer["id"], {"phone": "+47 930 00 930"})
        product = next(
            product
            for product in self._box.shop.records("products")
            if product["sku"] and product["price_excl"] and product["price_incl"]
        )
        prices = {
            name: str((Decimal(product[name]) * _PRICE_RISE).quantize(_ORE))
            for name in ("price_excl", "price_incl")
        }
        self._box.shop.edit("products", product["id"], prices)

    def _sync(self, *options: str, both_ways: bool = False) -> None:
        self._box.requests.clear()
        self._meltano.sync(*options, both_ways=both_ways)
        self._console.print(outcome_table(newest_outcomes(self._meltano.link_store)))
        requests = self._box.requests
        wrote = [
            f"{where}: {', '.join(entries)} {done}"
            for system, where in (("go", "Go"), ("shop", "shop"))
            for done, entries in _written(requests.writes(system)).items()
        ]
        self._wrote.append((self._act, wrote))
        self._say(
            f"Calls to Go: {len(requests.reads('go'))} reads, {len(requests.writes('go'))} writes;"
            f" at most {requests.busiest_second('go')} in any one second, tokens included."
        )

    def _tell_what_each_run_wrote(self) -> None:
        self._title(WHAT_EACH_RUN_WROTE)
        for run, wrote in self._wrote:
            self._console.print(run, style="bold")
            for line in wrote or ["nothing written"]:
                self._say(f"  {line}")

    def _expect_no_write(self, run: str) -> None:
        count = len(self._box.requests.writes("go"))
        self._expect(not count, f"The {run} run wrote {count} times instead of never.")

    def _show_writes(self, system: str) -> list[Request]:
        writes = self._box.requests.writes(system)
        for request in writes:
            self._console.print(f"{request.method} {request.path}", style="bold")
            body = simplejson.dumps(request.json(), ensure_ascii=False, use_decimal=True)
            self._console.print(body)
        return writes

    def _expect(self, is_kept: bool, otherwise: str) -> None:
        """Note a promise that was not kept."""
        if not is_kept:
            self._broken.append(otherwise)

    def _title(self, text: str) -> None:
        self._act = text
        self._console.print()
        self._console.rule(text, align="left", style="bold cyan")

    def _say(self, text: str) -> None:
        self._console.print(text)


def _varied_order(orders: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return an order with a discount and lines at several rates, or the closest to that."""

    def variety(order: dict[str, Any]) -> tuple[bool, int, int]:
        lines = order["SalesOrderLines"]
        has_discount = any(line["Allowance"] for line in lines)
        return has_discount, len({line["VatRate"] for line in lines}), -len(lines)

    return max(orders, key=variety, default=None)


def _written(writes: list[Request]) -> dict[str, list[str]]:
    """Return how much was created, changed and removed: "71 customers", and so on."""
    counts = Counter(
        (_DONE[write.method], re.findall("|".join(_ENTRIES), write.path.lower())[-1])
        for write in writes
    )
    entries = {
        done: [
            f"{counts[done, name]} {words[counts[done, name] > 1]}"
            for name, words in _ENTRIES.items()
            if counts[done, name]
        ]
        for done in _DONE.values()
    }
    return {done: texts for done, texts in entries.items() if texts}
