"""Customers with their delivery addresses and contact persons, and the rules for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdnum.no import fodselsnummer, orgnr

from go_sandbox.go import references, schema
from go_sandbox.go.problems import broken_rule, in_use, not_found, unknown_reference
from go_sandbox.go.schema import COUNTRIES
from go_sandbox.go.shapes import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from go_sandbox.go.ledger import Entry, Ledger

_EMAIL = re.compile(r"[^@\s;,<>]+@[^@\s;,<>.]+(\.[^@\s;,<>.]+)+")
ADDRESS_MEMBERS = ("AddressLine1", "AddressLine2", "City", "CountryCode", "ZipCode")

_KIND = "Customer"
_NUMBERS = range(10_000, 10_000_000)
_EMAILS = ("EmailAddress", "InvoiceEmailAddress", "PaymentReminderEmailAddress")
_NOWHERE = words(
    "InvoiceBrandingThemeId DeliveryTermId SalesPersonEmployeeId"
    " InvoiceBrandingThemeCode DeliveryTerm SalesPersonEmployeeNumber"
)
_MOST_COPIES = 10
_ADDRESS = "Contact delivery address"
_PERSON = "Contact person"


def checked_address(kind: str, address: dict[str, Any], *, names: Iterable[str]) -> dict[str, Any]:
    """Return a complete address; CountryCode is NO if it is left out of one that has a City.

    An address may be emptied, but cannot lose its City or ZipCode alone.

    Raises:
        Refusal: the address lacks City or ZipCode, or its country is not in ISO 3166-1.
    """
    address = {name: address.get(name) for name in names}
    if not any(address[name] for name in ADDRESS_MEMBERS if name != "CountryCode"):
        return {**address, "CountryCode": None}
    _check_place(kind, address)
    country = (address["CountryCode"] or "NO").upper()
    if country not in COUNTRIES:
        raise broken_rule(kind, f'CountryCode "{country}" is not an ISO 3166-1 alpha-2 code')
    return {**address, "CountryCode": country}


def _check_place(kind: str, address: dict[str, Any]) -> None:
    for name in ("City", "ZipCode"):
        if not address[name]:
            raise broken_rule(kind, f"{name} is required in an address")


def check_email(kind: str, field: str, value: str | None) -> None:
    """Check one e-mail address.

    Raises:
        Refusal: the text is not an e-mail address.
    """
    if value and not _EMAIL.fullmatch(value):
        raise broken_rule(kind, f"{field} is not a valid e-mail address")


def create(ledger: Ledger, body: dict[str, Any]) -> Entry:
    """Add a customer from a body read as `CustomerPostDto`.

    Raises:
        Refusal: a rule of Go is broken.
    """
    customer: Entry = {**dict.fromkeys(schema.CUSTOMER), **_flags_off(), **_present(body)}
    customer.pop("SubLedgerNumberSeriesId", None)
    _resolve_codes(ledger, customer)
    now = ledger.clock.stamp()
    customer["Id"] = ledger.next_number("contact", first=20_000_001)
    if customer["MailAddress"]:
        customer["MailAddress"] = _mail_address(ledger, None, customer["MailAddress"], now)
    _check(ledger, customer)
    customer["InvoiceDeliveryType"] = customer["InvoiceDeliveryType"] or _usual_delivery(customer)
    customer["Number"] = customer["Number"] or _next_number(ledger)
    customer["SubledgerAccountId"] = customer["Id"] + 10_000_000
    for name in ("ContactCreated", "CustomerCreated", "LastChanged"):
        customer[f"{name}DateTimeOffset"] = now
    return ledger.register("Customers").put(_hide(customer))


def change(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change a customer; an edit of the address alone does not move the customer's own stamp.

    Raises:
        Refusal: a rule of Go is broken.
    """
    now = ledger.clock.stamp()
    after: Entry = {**before, **changes}
    if changes.get("MailAddress"):
        address = _mail_address(ledger, before["MailAddress"], changes["MailAddress"], now)
        after["MailAddress"] = address
    _resolve_codes(ledger, after)
    _check(ledger, after)
    is_newly_archived = after["IsArchived"] and not before["IsArchived"]
    if is_newly_archived and references.open_balance(ledger, before["Id"]):
        raise broken_rule(_KIND, f"IsArchived: customer {before['Id']} has an open balance")
    if any(after[name] != before[name] for name in after if name != "MailAddress"):
        after["LastChangedDateTimeOffset"] = now
    return ledger.register("Customers").put(_hide(after))


def delete(ledger: Ledger, customer: Entry) -> None:
    """Delete a customer with its addresses and contact persons.

    Raises:
        Refusal: an order or an invoice is in its name (409).
    """
    customer_id = customer["Id"]
    for kind in ("SalesOrders", "OutgoingInvoices"):
        if any(entry["CustomerId"] == customer_id for entry in ledger.register(kind).values()):
            raise in_use(_KIND, customer_id, f"it is linked to {kind}")
    for kind in ("ContactDeliveryAddresses", "ContactPersons"):
        for entry in ledger.register(kind).values():
            if entry["ContactId"] == customer_id:
                ledger.register(kind).remove(entry["Id"])
    ledger.register("Customers").remove(customer_id)


def _flags_off() -> Entry:
    kinds = schema.CUSTOMER_POST.members.values()
    return {member.name: False for member in kinds if member.kind == "boolean"}


def _present(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _hide(customer: Entry) -> Entry:
    national_id = "hidden" if customer["NationalIdNumber"] else None
    active = not customer["IsArchived"]
    return {**customer, "NationalIdNumber": national_id, "IsActive": active}


def _usual_delivery(customer: Entry) -> str:
    has_email = customer["EmailAddress"] or customer["InvoiceEmailAddress"]
    return "PdfByEmail" if has_email else "Print"


def _next_number(ledger: Ledger) -> int:
    while True:
        number = ledger.next_number("customer", first=_NUMBERS.start)
        if not ledger.register("Customers").holder("Number", number):
            return number


def _mail_address(ledger: Ledger, before: Entry | None, address: Entry, now: str) -> Entry:
    names = schema.CONTACT_ADDRESS_POST.names
    checked = checked_address(_KIND, address, names=names)
    if before and all(before[name] == checked[name] for name in names):
        return before
    address_id = before["Id"] if before else ledger.next_number("address", first=30_000_001)
    return {**checked, "Id": address_id, "LastChangedDateTimeOffset": now}


def _resolve_codes(ledger: Ledger, customer: Entry) -> None:
    references.check_nowhere(_KIND, customer, _NOWHERE)
    for group in customer["ContactGroupIds"] or []:
        raise unknown_reference(_KIND, "ContactGroupIds", group)
    references.resolve_department(_KIND, customer)
    references.resolve_payment_term(ledger, _KIND, customer)
    references.check_currency(ledger, _KIND, customer["CurrencyCode"])


def _check(ledger: Ledger, customer: Entry) -> None:
    needed = ("FirstName", "LastName") if customer["IsPerson"] else ("Name",)
    references.check_filled(_KIND, customer, needed)
    for field in _EMAILS:
        check_email(_KIND, field, customer[field])
    _check_copies(customer["InvoiceEmailAddressCC"])
    _check_delivery(customer)
    references.check_allowance(_KIND, customer["Allowance"])
    national_id = customer["NationalIdNumber"]
    if national_id not in (None, "hidden") and not fodselsnummer.is_valid(national_id):
        raise broken_rule(_KIND, "NationalIdNumber is not valid")
    if customer["Number"] is not None and customer["Number"] not in _NUMBERS:
        detail = f"Number must lie between {_NUMBERS.start} and {_NUMBERS.stop - 1}"
        raise broken_rule(_KIND, detail)
    for field in ("ExternalImportReference", "ExternalNumber", "Number"):
        references.check_unique(ledger, _KIND, "Customers", field, customer)


def _check_copies(copies: str | None) -> None:
    addresses = [address.strip() for address in (copies or "").split(";") if address.strip()]
    if len(addresses) > _MOST_COPIES:
        raise broken_rule(_KIND, f"InvoiceEmailAddressCC has more than {_MOST_COPIES} addresses")
    for address in addresses:
        check_email(_KIND, "InvoiceEmailAddressCC", address)


def _check_delivery(customer: Entry) -> None:
    delivery = customer["InvoiceDeliveryType"]
    has_email = _usual_delivery(customer) == "PdfByEmail"
    is_registered = orgnr.is_valid(customer["OrganizationNumber"] or "")
    why_not = {
        "PdfByEmail": None if has_email else "needs an e-mail address",
        "EHF": None if is_registered else "needs a registered organisation number",
        **dict.fromkeys(("AvtaleGiro", "Efaktura"), "cannot be set"),
        **dict.fromkeys(("External", "Factoring"), "needs an active integration"),
    }.get(delivery)
    if why_not:
        raise broken_rule(_KIND, f"InvoiceDeliveryType {delivery} {why_not}")


@dataclass(frozen=True)
class Part:
    """The delivery addresses or the contact persons of customers.

    Attributes:
        kind: the name of one of them in refusals.
        resource: their resource.
        members: the names of the members of one.
        named_by: the member of a sales order that refers to one.
        use: the words of a refusal for that reference.
        begin: returns the body of a new one of a customer with what Go adds to it.
        store: checks one and keeps it.
    """

    kind: str
    resource: str
    members: Iterable[str]
    named_by: str
    use: str
    begin: Callable[[Ledger, Entry, Entry], Entry]
    store: Callable[[Ledger, Entry], Entry]

    def create(self, ledger: Ledger, body: Entry, contact_id: object) -> Entry:
        """Add one to a customer.

        Raises:
            Refusal: the customer is unknown or a rule of Go is broken.
        """
        customer = ledger.register("Customers").get(contact_id)
        if customer is None:
            raise not_found("Contact", contact_id)
        begun = {**dict.fromkeys(self.members), **self.begin(ledger, customer, body)}
        now = ledger.clock.stamp()
        begun |= {
            "Id": ledger.next_number("address", first=30_000_001),
            "ContactId": customer["Id"],
            "CreatedDateTimeOffset": now,
            "LastChangedDateTimeOffset": now,
        }
        return self.store(ledger, begun)

    def change(self, ledger: Ledger, before: Entry, changes: Entry) -> Entry:
        """Change one; its stamp moves only if something changes.

        Raises:
            Refusal: a rule of Go is broken.
        """
        after, now = {**before, **changes}, ledger.clock.stamp()
        if after == before:
            return before
        return self.store(ledger, {**after, "LastChangedDateTimeOffset": now})

    def delete(self, ledger: Ledger, entry: Entry) -> None:
        """Delete one.

        Raises:
            Refusal: an order names it (409).
        """
        for order in ledger.register("SalesOrders").values():
            if order[self.named_by] == entry["Id"]:
                raise in_use(self.kind, entry["Id"], f"a sales order {self.use}")
        ledger.register(self.resource).remove(entry["Id"])


def _begin_address(ledger: Ledger, customer: Entry, body: Entry) -> Entry:
    """Return the body of a delivery address; the first of a customer becomes its primary one."""
    is_first = not _others(ledger, {"ContactId": customer["Id"], "Id": None})
    return {**body, "IsPrimary": bool(body.get("IsPrimary")) or is_first}


def _begin_person(_ledger: Ledger, customer: Entry, body: Entry) -> Entry:
    if customer["IsPerson"]:
        raise broken_rule(_PERSON, "only a company may have contact persons")
    return {"IsActive": True, "IsDefault": False, **body}


def _others(ledger: Ledger, address: Entry) -> list[Entry]:
    """Return the other delivery addresses of a customer."""
    return [
        other
        for other in ledger.register("ContactDeliveryAddresses").values()
        if other["ContactId"] == address["ContactId"] and other["Id"] != address["Id"]
    ]


def _check_code(ledger: Ledger, kind: str, resource: str, entry: Entry) -> None:
    """Check that no other entry has the same code, whichever customer that entry belongs to."""
    if entry["ExternalCode"]:
        references.check_unique(ledger, kind, resource, "ExternalCode", entry)


def _store_address(ledger: Ledger, address: Entry) -> Entry:
    _check_place(_ADDRESS, address)
    address = {**address, **checked_address(_ADDRESS, address, names=ADDRESS_MEMBERS)}
    _check_code(ledger, _ADDRESS, "ContactDeliveryAddresses", address)
    stored = ledger.register("ContactDeliveryAddresses").put(address)
    for other in _others(ledger, address) if address["IsPrimary"] else ():
        if other["IsPrimary"]:
            moved = {"IsPrimary": False, "LastChangedDateTimeOffset": ledger.clock.stamp()}
            ledger.register("ContactDeliveryAddresses").put({**other, **moved})
    return stored


def _store_person(ledger: Ledger, person: Entry) -> Entry:
    references.check_filled(_PERSON, person, ("FirstName", "LastName"))
    check_email(_PERSON, "EmailAddress", person["EmailAddress"])
    _check_code(ledger, _PERSON, "ContactPersons", person)
    if person["MailAddress"]:
        address = checked_address(_PERSON, person["MailAddress"], names=ADDRESS_MEMBERS)
        person = {**person, "MailAddress": address}
    return ledger.register("ContactPersons").put(person)


ADDRESSES = Part(
    kind=_ADDRESS,
    resource="ContactDeliveryAddresses",
    members=schema.DELIVERY_ADDRESS,
    named_by="ContactDeliveryAddressId",
    use="is delivered there",
    begin=_begin_address,
    store=_store_address,
)
PERSONS = Part(
    kind=_PERSON,
    resource="ContactPersons",
    members=schema.CONTACT_PERSON,
    named_by="CustomerReferenceContactPersonId",
    use="names the person",
    begin=_begin_person,
    store=_store_person,
)
