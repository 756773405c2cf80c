"""A bookkeeper who works in Go between runs, by choices of a seed."""

import contextlib
import datetime
import random

from go_sandbox.go.problems import Refusal

OWNERS = dict.fromkeys(("customers", "products", "orders"), "go")
"""A setting that keeps whatever the bookkeeper edits in Go."""


class Bookkeeper:
    """Edits entries of Go and lines of orders, sends invoices, and deletes orders.

    `edits` holds the edited members with value and time, by entry id, and `texts` the edited texts
    of lines, by line id. `moved` holds the references of orders whose lines were edited, `ended`
    of those that were invoiced or deleted.
    """

    def __init__(self, box, seed):
        self.go = box.go
        self.chance = random.Random(seed)
        self.edits = {}
        self.texts = {}
        self.moved = set()
        self.ended = set()
        self._changed = []

    def work(self, count):
        """Do this many things."""
        for _ in range(count):
            with contextlib.suppress(Refusal):  # a run was faster
                self.chance.choice(WORK)(self)

    def correct_a_phone_number(self):
        self._edit("Customers", "PhoneNumber", f"+474{self.chance.randrange(10**7):07}")

    def rename_a_product(self):
        self._edit("Products", "Name", f"Ny {self.chance.randrange(10**6)}")

    def give_an_order_a_reference(self):
        self._edit("SalesOrders", "PurchaseOrderReference", f"R-{self.chance.randrange(10**6)}")

    def edit_the_text_of_a_line(self):
        text = f"Etter avtale {self.chance.randrange(10**6)}"
        if line := self._edit_a_line(Description=text):
            self.texts[line["Id"]] = text

    def move_a_line(self):
        self._edit_a_line(SortOrder=self.chance.randrange(20, 40))

    def mistake_a_quantity(self):
        """Set a quantity that the shop never has, by mistake; `restore_quantities` undoes it."""
        if line := self._edit_a_line(Quantity=self.chance.randrange(11, 99)):
            self._changed.append(line)

    def restore_quantities(self):
        """Restore each quantity that was changed by mistake."""
        while self._changed:
            before = self._changed.pop()
            for order in self.go.entries("SalesOrders"):
                if before["Id"] in [line["Id"] for line in order["SalesOrderLines"]]:
                    quantity = {"Quantity": before["Quantity"]}
                    self.go.edit("SalesOrders", order["Id"], {"lines": {before["Id"]: quantity}})

    def send_an_invoice(self):
        self._end(self.go.send_invoice)

    def delete_an_order(self):
        self._end(lambda order_id: self.go.delete("SalesOrders", order_id))

    def _edit(self, resource, member, value):
        entry = self._choose(resource)
        if entry:
            self.go.edit(resource, entry["Id"], {member: value})
            at = datetime.datetime.now(datetime.timezone.utc).isoformat()
            self.edits.setdefault(entry["Id"], {})[member] = (value, at)

    def _edit_a_line(self, **changes):
        """Edit a line of an order; return it as it was."""
        order = self._choose("SalesOrders", lambda order: order["RelatedInvoiceNo"] is None)
        changed = [line["Id"] for line in self._changed]
        lines = order["SalesOrderLines"] if order else ()
        lines = [line for line in lines if line["Id"] not in changed]
        if not lines:
            return None
        line = self.chance.choice(lines)
        self.go.edit("SalesOrders", order["Id"], {"lines": {line["Id"]: changes}})
        self.moved.add(order["ExternalImportReference"])
        return line

    def _end(self, act):
        order = self._choose("SalesOrders")
        if order:
            act(order["Id"])
            self.ended.add(order["ExternalImportReference"])

    def _choose(self, resource, fits=bool):
        entries = [entry for entry in self.go.entries(resource) if fits(entry)]
        return self.chance.choice(entries) if entries else None


WORK = (
    Bookkeeper.correct_a_phone_number,
    Bookkeeper.correct_a_phone_number,
    Bookkeeper.rename_a_product,
    Bookkeeper.give_an_order_a_reference,
    Bookkeeper.give_an_order_a_reference,
    Bookkeeper.edit_the_text_of_a_line,
    Bookkeeper.edit_the_text_of_a_line,
    Bookkeeper.move_a_line,
    Bookkeeper.mistake_a_quantity,
    Bookkeeper.restore_quantities,
    Bookkeeper.restore_quantities,
    Bookkeeper.send_an_invoice,
    Bookkeeper.delete_an_order,
)
