"""Delivery addresses and contact persons of a customer; neither moves the customer's own stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from go_sandbox.go import schema
from go_sandbox.go.contact_rules import ADDRESS_MEMBERS, check_email, checked_address
from go_sandbox.go.problems import broken_rule, duplicate, in_use, not_found

if TYPE_CHECKING:
    from go_sandbox.go.books import Books
    from go_sandbox.go.register import Entry, Register

_ADDRESS = "Contact delivery address"
_PERSON = "Contact person"


def create_address(books: Books, contact_id: object, body: dict[str, Any]) -> Entry:
    """Add a delivery address; the first of a customer becomes its primary one.

    Raises:
        Refusal: the customer is unknown or a rule of Go is broken.
    """
    customer = _customer(books, contact_id)
    address = {**dict.fromkeys(schema.DELIVERY_ADDRESS), **body, **_born(books, customer)}
    address["IsPrimary"] = bool(address["IsPrimary"]) or not _siblings(books, address)
    return _store_address(books, address)


def change_address(books: Books, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a delivery address.

    Raises:
        Refusal: a rule of Go is broken.
    """
    after = {**before, **changes}
    if after == before:
        return before
    return _store_address(books, {**after, "LastChangedDateTimeOffset": books.clock.stamp()})


def delete_address(books: Books, address: Entry) -> None:
    """Delete a delivery address.

    Raises:
        Refusal: an order is to be delivered there (409).
    """
    for order in books.register("SalesOrders").values():
        if order["ContactDeliveryAddressId"] == address["Id"]:
            raise in_use(_ADDRESS, address["Id"], "a sales order is delivered there")
    books.register("ContactDeliveryAddresses").remove(address["Id"])


def create_person(books: Books, contact_id: object, body: dict[str, Any]) -> Entry:
    """Add a contact person to a company.

    Raises:
        Refusal: the customer is unknown or a person, or a rule of Go is broken.
    """
    customer = _customer(books, contact_id)
    if customer["IsPerson"]:
        raise broken_rule(_PERSON, "only a company may have contact persons")
    person = {**dict.fromkeys(schema.CONTACT_PERSON), "IsActive": True, "IsDefault": False, **body}
    return _store_person(books, {**person, **_born(books, customer)})


def change_person(books: Books, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a contact person.

    Raises:
        Refusal: a rule of Go is broken.
    """
    after = {**before, **changes}
    if after == before:
        return before
    return _store_person(books, {**after, "LastChangedDateTimeOffset": books.clock.stamp()})


def delete_person(books: Books, person: Entry) -> None:
    """Delete a contact person.

    Raises:
        Refusal: an order names the person (409).
    """
    for order in books.register("SalesOrders").values():
        if order["CustomerReferenceContactPersonId"] == person["Id"]:
            raise in_use(_PERSON, person["Id"], "a sales order names the person")
    books.register("ContactPersons").remove(person["Id"])


def _customer(books: Books, contact_id: object) -> Entry:
    customer = books.register("Customers").get(contact_id)
    if customer is None:
        raise not_found("Contact", contact_id)
    return customer


def _born(books: Books, customer: Entry) -> Entry:
    now = books.clock.stamp()
    return {
        "Id": books.next_number("address", first=30_000_001),
        "ContactId": customer["Id"],
        "CreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
    }


def _siblings(books: Books, address: Entry) -> list[Entry]:
    return [
        other
        for other in books.register("ContactDeliveryAddresses").values()
        if other["ContactId"] == address["ContactId"] and other["Id"] != address["Id"]
    ]


def _check_code(register: Register, kind: str, entry: Entry) -> None:
    """Check that no other entry of its kind has the code, whichever customer it belongs to."""
    code = entry["ExternalCode"]
    holder = register.holder("ExternalCode", code) if code else None
    if holder is not None and holder["Id"] != entry["Id"]:
        raise duplicate(kind, "ExternalCode", code, holder["Id"])


def _store_address(books: Books, address: Entry) -> Entry:
    for name in ("City", "ZipCode"):
        if not address[name]:
            raise broken_rule(_ADDRESS, f"{name} is required in an address")
    address = {**address, **checked_address(_ADDRESS, address, names=ADDRESS_MEMBERS)}
    register = books.register("ContactDeliveryAddresses")
    _check_code(register, _ADDRESS, address)
    if address["IsPrimary"]:
        for other in _siblings(books, address):
            if other["IsPrimary"]:
                moved = {"IsPrimary": False, "LastChangedDateTimeOffset": books.clock.stamp()}
                register.put({**other, **moved})
    return register.put(address)


def _store_person(books: Books, person: Entry) -> Entry:
    for name in ("FirstName", "LastName"):
        if not (person[name] or "").strip():
            raise broken_rule(_PERSON, f"{name} is required")
    check_email(_PERSON, "EmailAddress", person["EmailAddress"])
    register = books.register("ContactPersons")
    _check_code(register, _PERSON, person)
    if person["MailAddress"]:
        address = checked_address(_PERSON, person["MailAddress"], names=ADDRESS_MEMBERS)
        person = {**person, "MailAddress": address}
    return register.put(person)
