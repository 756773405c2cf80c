"""The books of one client of PowerOffice Go, and what a bookkeeper does in Go's own screens."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from go_sandbox.go import customers, invoices, orders, products, schema
from go_sandbox.go.ledger import Ledger
from go_sandbox.go.problems import bad_cast, not_found
from go_sandbox.go.references import first_entries
from go_sandbox.go.shapes import read_body, read_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from go_sandbox.go.ledger import Entry
    from go_sandbox.go.shapes import Shape

_PRESENT = cast(
    "dict[str, Callable[[Books, Entry], Entry]]",
    {
        "Products": products.present,
        "ProductGroups": products.with_account_numbers,
        "SalesOrders": orders.present,
    },
)


@dataclass(frozen=True)
class Resource:
    """A resource that can be written.

    Attributes:
        label: the name of an entry in refusals.
        post: the body that creates an entry.
        patch: the body that changes an entry.
        create: creates an entry, given the id of the customer it belongs to; None if that is done
            elsewhere.
        change: changes an entry.
        delete: deletes an entry; None if that is done elsewhere.
    """

    label: str
    post: Shape
    patch: Shape
    create: Callable[[Ledger, Entry, object], Entry] | None
    change: Callable[[Ledger, Entry, Entry], Entry] | None
    delete: Callable[[Ledger, Entry], None] | None


def _alone(create: Callable[[Ledger, Entry], Entry]) -> Callable[[Ledger, Entry, object], Entry]:
    return lambda ledger, body, _contact_id: create(ledger, body)


def _create_order(ledger: Ledger, body: Entry, _contact_id: object) -> Entry:
    return orders.create(ledger, body, by_integration=False)


RESOURCES = {
    "Customers": Resource(
        "Customer",
        schema.CUSTOMER_POST,
        schema.CUSTOMER_PATCH,
        _alone(customers.create),
        customers.change,
        customers.delete,
    ),
    "Products": Resource(
        "Product",
        schema.PRODUCT_POST,
        schema.PRODUCT_PATCH,
        _alone(products.create),
        products.change,
        products.delete,
    ),
    "ProductGroups": Resource(
        "Product group",
        schema.PRODUCT_GROUP_POST,
        schema.PRODUCT_GROUP_PATCH,
        _alone(products.create_group),
        products.change_group,
        products.delete_group,
    ),
    "SalesOrders": Resource(
        "Sales order",
        schema.ORDER_POST,
        schema.ORDER_PATCH,
        None,
        orders.change,
        orders.delete,
    ),
    "SalesOrderLines": Resource(
        "Sales order line", schema.LINE_POST, schema.LINE_PATCH, None, None, None
    ),
    "ContactDeliveryAddresses": Resource(
        "Contact delivery address",
        schema.DELIVERY_ADDRESS_POST,
        schema.DELIVERY_ADDRESS_PATCH,
        customers.ADDRESSES.create,
        customers.ADDRESSES.change,
        customers.ADDRESSES.delete,
    ),
    "ContactPersons": Resource(
        "Contact person",
        schema.CONTACT_PERSON_POST,
        schema.CONTACT_PERSON_PATCH,
        customers.PERSONS.create,
        customers.PERSONS.change,
        customers.PERSONS.delete,
    ),
}


def patch_view(resource: str, entry: Entry) -> Entry:
    """Return the part of an entry that its Patch body can change."""
    shape = RESOURCES[resource].patch
    view = {name: entry[name] for name in shape.names}
    for member in shape.members.values():
        if member.inner and view[member.name]:
            view[member.name] = {name: view[member.name].get(name) for name in member.inner.names}
    return view


def read_changes(resource: str, before: Entry, values: dict[str, Any]) -> dict[str, Any]:
    """Return the members that change when these are set; an object's members are merged.

    Raises:
        Refusal: a member cannot be changed, or its value does not fit.
    """
    shape = RESOURCES[resource].patch
    view = patch_view(resource, before)
    changes: dict[str, Any] = {}
    for name, value in values.items():
        member = shape.members.get(name.lower())
        if member is None:
            raise bad_cast(f"{shape.name}: {name} is not a member that can be changed")
        read = read_value(shape, member, value)
        if isinstance(read, dict):
            read = {**(view[member.name] or {}), **read}
        if read != view[member.name]:
            changes[member.name] = read
    return changes


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
        return present(self, entry) if present else entry

    def create(self, resource: str, body: dict[str, Any], contact_id: object = None) -> Entry:
        """Add an entry; a delivery address or a contact person to the customer `contact_id`."""
        with self.storage.lock:
            values = read_body(RESOURCES[resource].post, body)
            create = RESOURCES[resource].create or _create_order
            return deepcopy(self.shown(resource, create(self, values, contact_id)))

    def edit(self, resource: str, entry_id: object, changes: dict[str, Any]) -> Entry:
        """Change an entry; members of `MailAddress` are merged into the address.

        For orders, `lines` maps a line's id to its changes, or to None to delete the line; an id
        that begins with "new" adds a line.
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
        return self._done("SalesOrders", order_id, partial(invoices.send, by_integration=False))

    def pay_invoice(self, invoice_id: object, amount: object = None) -> Entry:
        """Book the payment of all or part of an invoice; a credit note is paid out."""
        return self._done("OutgoingInvoices", invoice_id, invoices.pay, amount)

    def credit_invoice(self, invoice_id: object, amount: object = None) -> Entry:
        """Credit all of an invoice, or an amount with VAT; return the credit note."""
        return self._done("OutgoingInvoices", invoice_id, invoices.credit, amount)

    def reverse_invoice(self, invoice_id: object) -> Entry:
        """Reverse an invoice: credit it in full and mark it; return the credit note."""
        return self._done("OutgoingInvoices", invoice_id, invoices.reverse)

    def revoke_tokens(self) -> None:
        """Make every token that was issued so far invalid."""
        with self.storage.lock:
            tokens = self.storage.table("go tokens")
            for token in tokens.values():
                tokens.delete(token["token"])

    def _open(self) -> None:
        for resource, entries in first_entries().items():
            if not len(self.register(resource)):
                for entry in entries:
                    self.register(resource).put(entry)
        if not len(self.register("ProductGroups")):
            products.create_group(self, {"Code": "1", "Name": "Varer"})

    def _done(
        self, resource: str, entry_id: object, do: Callable[..., Entry], *given: object
    ) -> Entry:
        with self.storage.lock:
            return deepcopy(do(self, self._existing(resource, entry_id), *given))

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
