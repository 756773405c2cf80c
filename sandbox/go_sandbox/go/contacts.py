"""Delivery addresses and contact persons of a customer; neither moves the customer's own stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from go_sandbox.go import schema
from go_sandbox.go.contact_rules import ADDRESS_MEMBERS, check_email, checked_address
from go_sandbox.go.problems import broken_rule, duplicate, in_use, not_found

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry, Register

_ADDRESS = "Contact delivery address"
_PERSON = "Contact person"


def create_address(ledger: Ledger, contact_id: object, body: dict[str, Any]) -> Entry:
    """Add a delivery address; the first of a customer becomes its primary one.

    Raises:
        Refusal: the customer is unknown or a rule of Go is broken.
    """
    customer = _customer(ledger, contact_id)
    address = {**dict.fromkeys(schema.DELIVERY_ADDRESS), **body, **_born(ledger, customer)}
    address["IsPrimary"] = bool(address["IsPrimary"]) or not _siblings(ledger, address)
    return _store_address(ledger, address)


def change_address(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a delivery address.

    Raises:
        Refusal: a rule of Go is broken.
    """
    after = {**before, **changes}
    if after == before:
        return before
    return _store_address(ledger, {**after, "LastChangedDateTimeOffset": ledger.clock.stamp()})


def delete_address(ledger: Ledger, address: Entry) -> None:
    """Delete a delivery address.

    Raises:
        Refusal: an order is to be delivered there (409).
    """
    for order in ledger.register("SalesOrders").values():
        if order["ContactDeliveryAddressId"] == address["Id"]:
            raise in_use(_ADDRESS, address["Id"], "a sales order is delivered there")
    ledger.register("ContactDeliveryAddresses").remove(address["Id"])


def create_person(ledger: Ledger, contact_id: object, body: dict[str, Any]) -> Entry:
    """Add a contact person to a company.

    Raises:
        Refusal: the customer is unknown or a person, or a rule of Go is broken.
    """
    customer = _customer(ledger, contact_id)
    if customer["IsPerson"]:
        raise broken_rule(_PERSON, "only a company may have contact persons")
    person = {**dict.fromkeys(schema.CONTACT_PERSON), "IsActive": True, "IsDefault": False, **body}
    return _store_person(ledger, {**person, **_born(ledger, customer)})


def change_person(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a contact person.

    Raises:
        Refusal: a rule of Go is broken.
    """
    after = {**before, **changes}
    if after == before:
        return before
    return _store_person(ledger, {**after, "LastChangedDateTimeOffset": ledger.clock.stamp()})


def delete_person(ledger: Ledger, person: Entry) -> None:
    """Delete a contact person.

    Raises:
        Refusal: an order names the person (409).
    """
    for order in ledger.register("SalesOrders").values():
        if order["CustomerReferenceContactPersonId"] == person["Id"]:
            raise in_use(_PERSON, person["Id"], "a sales order names the person")
    ledger.register("ContactPersons").remove(person["Id"])


def _customer(ledger: Ledger, contact_id: object) -> Entry:
    customer = ledger.register("Customers").get(contact_id)
    if customer is None:
        raise not_found("Contact", contact_id)
    return customer


def _born(ledger: Ledger, customer: Entry) -> Entry:
    now = ledger.clock.stamp()
    return {
        "Id": ledger.next_number("address", first=30_000_001),
        "ContactId": customer["Id"],
        "CreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
    }


def _siblings(ledger: Ledger, address: Entry) -> list[Entry]:
    return [
        other
        for other in ledger.register("ContactDeliveryAddresses").values()
        if other["ContactId"] == address["ContactId"] and other["Id"] != address["Id"]
    ]


def _check_code(register: Register, kind: str, entry: Entry) -> None:
    """Check that no other entry of its kind has the code, whichever customer it belongs to."""
    code = entry["ExternalCode"]
    holder = register.holder("ExternalCode", code) if code else None
    if holder is not None and holder["Id"] != entry["Id"]:
        raise duplicate(kind, "ExternalCode", code, holder["Id"])


def _store_address(ledger: Ledger, address: Entry) -> Entry:
    for name in ("City", "ZipCode"):
        if not address[name]:
            raise broken_rule(_ADDRESS, f"{name} is required in an address")
    address = {**address, **checked_address(_ADDRESS, address, names=ADDRESS_MEMBERS)}
    register = ledger.register("ContactDeliveryAddresses")
    _check_code(register, _ADDRESS, address)
    if address["IsPrimary"]:
        for other in _siblings(ledger, address):
            if other["IsPrimary"]:
                moved = {"IsPrimary": False, "LastChangedDateTimeOffset": ledger.clock.stamp()}
                register.put({**other, **moved})
    return register.put(address)


def _store_person(ledger: Ledger, person: Entry) -> Entry:
    for name in ("FirstName", "LastName"):
        if not (person[name] or "").strip():
            raise broken_rule(_PERSON, f"{name} is required")
    check_email(_PERSON, "EmailAddress", person["EmailAddress"])
    register = ledger.register("ContactPersons")
    _check_code(register, _PERSON, person)
    if person["MailAddress"]:
        address = checked_address(_PERSON, person["MailAddress"], names=ADDRESS_MEMBERS)
        person = {**person, "MailAddress": address}
    return register.put(person)
