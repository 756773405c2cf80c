"""A bookkeeper who works in Go between the runs; what to do is chosen by a seed."""

import contextlib
import datetime
import random

from go_sandbox.go.problems import Refusal

OWNERS = dict.fromkeys(("customers", "products", "orders"), "go")
"""The setting under which whatever the bookkeeper edits in Go stays as it is."""


class Bookkeeper:
    """Edits entries of Go and lines of orders, sends invoices, and deletes orders.

    `edits` are the members edited, with value and time, by the id of their entry; `texts` those of
    lines, by the id of the line; `moved` are the references of orders whose lines were edited, and
    `ended` of those that were invoiced or deleted.
    """

    def __init__(self, box, seed):
        self.go = box.go
        self.chance = random.Random(seed)
        self.edits = {}
        self.texts = {}
        self.moved = set()
        self.ended = set()
        self._mended = []

    def work(self, count):
        """Do so many things."""
        for _ in range(count):
            with contextlib.suppress(Refusal):  # a run was quicker
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

    def mend_a_line(self):
        """Correct a quantity to one that the shop never has; that was wrong: see `mend_back`."""
        if line := self._edit_a_line(Quantity=self.chance.randrange(11, 99)):
            self._mended.append(line)

    def mend_back(self):
        """Set the quantity of each line that was corrected to what it was."""
        while self._mended:
            line = self._mended.pop()
            for order in self.go.entries("SalesOrders"):
                if line["Id"] in [line["Id"] for line in order["SalesOrderLines"]]:
                    quantity = {"Quantity": line["Quantity"]}
                    self.go.edit("SalesOrders", order["Id"], {"lines": {line["Id"]: quantity}})

    def send_an_invoice(self):
        self._end(self.go.send_invoice)

    def delete_an_order(self):
        self._end(lambda order_id: self.go.delete("SalesOrders", order_id))

    def _edit(self, resource, member, value):
        entry = self._one(resource)
        if entry:
            self.go.edit(resource, entry["Id"], {member: value})
            at = datetime.datetime.now(datetime.timezone.utc).isoformat()
            self.edits.setdefault(entry["Id"], {})[member] = (value, at)

    def _edit_a_line(self, **changes):
        """Edit one line of one order; return it as it was."""
        order = self._one("SalesOrders", lambda one: one["RelatedInvoiceNo"] is None)
        mended = [one["Id"] for one in self._mended]
        fit = (
            [line for line in order["SalesOrderLines"] if line["Id"] not in mended] if order else []
        )
        if not fit:
            return None
        line = self.chance.choice(fit)
        self.go.edit("SalesOrders", order["Id"], {"lines": {line["Id"]: changes}})
        self.moved.add(order["ExternalImportReference"])
        return line

    def _end(self, act):
        order = self._one("SalesOrders")
        if order:
            act(order["Id"])
            self.ended.add(order["ExternalImportReference"])

    def _one(self, resource, fits=bool):
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
    Bookkeeper.mend_a_line,
    Bookkeeper.mend_back,
    Bookkeeper.mend_back,
    Bookkeeper.send_an_invoice,
    Bookkeeper.delete_an_order,
)
