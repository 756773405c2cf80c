"""A bookkeeper who works in Go between the runs; what to do is chosen by a seed."""

from __future__ import annotations

import datetime
import random

OWNERS = dict.fromkeys(("customers", "products", "orders"), "go")
"""The setting under which whatever the bookkeeper edits in Go stays as it is."""


class Bookkeeper:
    """Edits entries of Go, sends invoices, and deletes orders.

    `edits` are the members edited, with value and time, by the id of their entry; `ended` are the
    references of orders that were invoiced or deleted.
    """

    def __init__(self, box, seed):
        self.go = box.go
        self.chance = random.Random(seed)
        self.edits = {}
        self.ended = set()

    def work(self, count):
        """Do so many things."""
        for _ in range(count):
            self.chance.choice(WORK)(self)

    def correct_a_phone_number(self):
        self._edit("Customers", "PhoneNumber", f"+474{self.chance.randrange(10**7):07}")

    def rename_a_product(self):
        self._edit("Products", "Name", f"Ny {self.chance.randrange(10**6)}")

    def give_an_order_a_reference(self):
        self._edit("SalesOrders", "PurchaseOrderReference", f"R-{self.chance.randrange(10**6)}")

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

    def _end(self, act):
        order = self._one("SalesOrders")
        if order:
            act(order["Id"])
            self.ended.add(order["ExternalImportReference"])

    def _one(self, resource):
        entries = self.go.entries(resource)
        return self.chance.choice(entries) if entries else None


WORK = (
    Bookkeeper.correct_a_phone_number,
    Bookkeeper.correct_a_phone_number,
    Bookkeeper.rename_a_product,
    Bookkeeper.give_an_order_a_reference,
    Bookkeeper.give_an_order_a_reference,
    Bookkeeper.send_an_invoice,
    Bookkeeper.delete_an_order,
)
