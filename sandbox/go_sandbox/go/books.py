"""The books of one client of PowerOffice Go, and what a bookkeeper does in Go's own screens."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from go_sandbox.go import invoices, orders, products
from go_sandbox.go.ledger import Ledger
from go_sandbox.go.problems import not_found
from go_sandbox.go.resources import RESOURCES, read_changes
from go_sandbox.go.shapes import read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from go_sandbox.go.ledger import Entry


class Books(Ledger):
    """The ledger of one Go client, and what a bookkeeper does in it.

    The methods act as a bookkeeper would in Go's own screens: stamps move as Go moves them, and a
    confirmed order is unlocked for an edit and confirmed again. They raise `Refusal` when a rule of
    Go is broken or an entry does not exist.
    """

    def entries(self, resource: str) -> list[Entry]:
        """Return all entries of a resource as the API shows them; orders with their lines."""
        with self.storage.lock:
            stored = self.register(resource).values()
            return [deepcopy(self.shown(resource, entry)) for entry in stored]

    def entry(self, resource: str, entry_id: object) -> Entry | None:
        """Return one entry as the API shows it, or None."""
        with self.storage.lock:
            entry = self.register(resource).get(entry_id)
            return entry and deepcopy(self.shown(resource, entry))

    def shown(self, resource: str, entry: Entry) -> Entry:
        """Return a stored entry as the API shows it."""
        present = _PRESENT.get(resource)
        return present(self, entry) if present else dict(entry)

    def create(self, resource: str, body: dict[str, Any], contact_id: object = None) -> Entry:
        """Add an entry; a delivery address or a contact person to the customer `contact_id`."""
        with self.storage.lock:
            values = read_body(RESOURCES[resource].post, body)
            create = RESOURCES[resource].create
            if create:
                entry = create(self, values, contact_id)
            else:
                entry = orders.create(self, values, by_integration=False)
            return deepcopy(self.shown(resource, entry))

    def edit(self, resource: str, entry_id: object, changes: dict[str, Any]) -> Entry:
        """Change an entry; members of `MailAddress` are merged into the address.

        For orders `lines` maps a line's id to its changes, or to None to delete it; an id that
        begins with "new" adds a line.
        """
        with self.storage.lock:
            before = self._existing(resource, entry_id)
            after = self._edited(resource, before, changes)
            return deepcopy(self.shown(resource, after))

    def delete(self, resource: str, entry_id: object) -> None:
        """Delete an entry; an order even when it is confirmed."""
        with self.storage.lock:
            entry = self._existing(resource, entry_id)
            if resource == "SalesOrders":
                entry = self._unlocked(entry)
            delete = RESOURCES[resource].delete
            if delete:
                delete(self, entry)

    def send_invoice(self, order_id: object) -> Entry:
        """Send an order by hand: it becomes an invoice of the same id."""
        with self.storage.lock:
            order = self._existing("SalesOrders", order_id)
            return deepcopy(invoices.send(self, order, by_integration=False))

    def pay_invoice(self, invoice_id: object, amount: object = None) -> Entry:
        """Book a payment of an invoice, whole or of an amount; a credit note is paid out."""
        with self.storage.lock:
            invoice = self._existing("OutgoingInvoices", invoice_id)
            return deepcopy(invoices.pay(self, invoice, amount))

    def credit_invoice(self, invoice_id: object, amount: object = None) -> Entry:
        """Credit an invoice, whole or an amount with VAT; return the credit note."""
        with self.storage.lock:
            invoice = self._existing("OutgoingInvoices", invoice_id)
            return deepcopy(invoices.credit(self, invoice, amount))

    def reverse_invoice(self, invoice_id: object) -> Entry:
        """Reverse an invoice: credit the whole of it, and mark it; return the credit note."""
        with self.storage.lock:
            invoice = self._existing("OutgoingInvoices", invoice_id)
            return deepcopy(invoices.reverse(self, invoice))

    def revoke_tokens(self) -> None:
        """Make every token that was given so far invalid."""
        with self.storage.lock:
            tokens = self.storage.table("go tokens")
            for token in tokens.values():
                tokens.delete(token["token"])

    def _open(self) -> None:
        super()._open()
        if not len(self.register("ProductGroups")):
            products.create_group(self, {"Code": "1", "Name": "Varer"})

    def _existing(self, resource: str, entry_id: object) -> Entry:
        entry = self.register(resource).get(entry_id)
        if entry is None:
            raise not_found(resource, entry_id)
        return entry

    def _edited(self, resource: str, before: Entry, changes: dict[str, Any]) -> Entry:
        if resource == "SalesOrders":
            return self._edit_order(before, dict(changes))
        if resource == "OutgoingInvoices":
            return invoices.change(self, before, changes)
        written = RESOURCES.get(resource)
        if written and written.change:
            return written.change(self, before, read_changes(resource, before, changes))
        return self.register(resource).put({**before, **changes})

    def _unlocked(self, order: Entry) -> Entry:
        if order["SalesOrderStatus"] != "Confirmed":
            return order
        return orders.change(self, order, {"SalesOrderStatus": "Draft"})

    def _edit_order(self, order: Entry, changes: dict[str, Any]) -> Entry:
        lines = changes.pop("lines", {})
        status = changes.pop("SalesOrderStatus", order["SalesOrderStatus"])
        order = self._unlocked(order)
        for line_id, line in lines.items():
            self._edit_line(order, line_id, line)
            order = self._existing("SalesOrders", order["Id"])
        values = read_changes("SalesOrders", order, {**changes, "SalesOrderStatus": status})
        return orders.change(self, order, values)

    def _edit_line(self, order: Entry, line_id: str, line: dict[str, Any] | None) -> None:
        if line is None:
            orders.delete_line(self, order, line_id)
        elif line_id.startswith("new"):
            orders.add_line(self, order, read_body(RESOURCES["SalesOrderLines"].post, line))
        else:
            before = orders.line_of(order, line_id)
            values = read_changes("SalesOrderLines", before, line)
            orders.change_line(self, order, line_id, values)


_PRESENT = cast(
    "dict[str, Callable[[Books, Entry], Entry]]",
    {
        "Products": products.present,
        "ProductGroups": products.present_group,
        "SalesOrders": orders.present,
    },
)
