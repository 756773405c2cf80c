"""The resources that can be written: what each is called, and which bodies make and change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from go_sandbox.go import customers, orders, products, schema
from go_sandbox.go.problems import bad_cast
from go_sandbox.go.shapes import read_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from go_sandbox.go.ledger import Entry, Ledger
    from go_sandbox.go.shapes import Shape


@dataclass(frozen=True)
class Resource:
    """A resource that can be written.

    Attributes:
        label: what refusals call one of its entries.
        post: the body that makes one.
        patch: the body that changes one.
        create: makes one, given the id of the customer it belongs to; None if made otherwise.
        change: changes one.
        delete: deletes one; None if deleted otherwise.
    """

    label: str
    post: Shape
    patch: Shape
    create: Callable[[Ledger, Entry, object], Entry] | None
    change: Callable[[Ledger, Entry, Entry], Entry] | None
    delete: Callable[[Ledger, Entry], None] | None


def _alone(create: Callable[[Ledger, Entry], Entry]) -> Callable[[Ledger, Entry, object], Entry]:
    return lambda ledger, body, _contact_id: create(ledger, body)


def _at_contact(
    create: Callable[[Ledger, object, Entry], Entry],
) -> Callable[[Ledger, Entry, object], Entry]:
    return lambda ledger, body, contact_id: create(ledger, contact_id, body)


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
        _at_contact(customers.create_address),
        customers.change_address,
        customers.delete_address,
    ),
    "ContactPersons": Resource(
        "Contact person",
        schema.CONTACT_PERSON_POST,
        schema.CONTACT_PERSON_PATCH,
        _at_contact(customers.create_person),
        customers.change_person,
        customers.delete_person,
    ),
}


def patch_view(resource: str, entry: Entry) -> Entry:
    """Return the part of an entry that its Patch body can reach."""
    shape = RESOURCES[resource].patch
    view = {name: entry[name] for name in shape.names}
    for member in shape.members.values():
        if member.inner and view[member.name]:
            view[member.name] = {name: view[member.name].get(name) for name in member.inner.names}
    return view


def read_changes(resource: str, before: Entry, values: dict[str, Any]) -> dict[str, Any]:
    """Return what really changes when these members are set; an object's members are merged.

    Raises:
        Refusal: a member is not one that can be changed, or its value does not fit.
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
