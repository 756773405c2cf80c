"""Customers: the rules for making, changing, archiving and deleting one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdnum.no import fodselsnummer, orgnr

from go_sandbox.go import references, schema
from go_sandbox.go.contact_rules import check_email, checked_address
from go_sandbox.go.problems import broken_rule, duplicate, in_use, unknown_reference

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_KIND = "Customer"
_NUMBERS = range(10_000, 10_000_000)
_EMAILS = ("EmailAddress", "InvoiceEmailAddress", "PaymentReminderEmailAddress")
_NOWHERE = ("InvoiceBrandingThemeId", "DeliveryTermId", "SalesPersonEmployeeId")
_NOWHERE_BY_CODE = ("InvoiceBrandingThemeCode", "DeliveryTerm", "SalesPersonEmployeeNumber")
_MOST_COPIES = 10


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
    if (
        after["IsArchived"]
        and not before["IsArchived"]
        and references.open_balance(ledger, before["Id"])
    ):
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
    customers = ledger.register("Customers")
    number = ledger.next_number("customer", first=_NUMBERS.start)
    while customers.holder("Number", number):
        number = ledger.next_number("customer", first=_NUMBERS.start)
    return number


def _mail_address(ledger: Ledger, before: Entry | None, address: Entry, now: str) -> Entry:
    names = schema.CONTACT_ADDRESS_POST.names
    checked = checked_address(_KIND, address, names=names)
    if before and all(before[name] == checked[name] for name in names):
        return before
    address_id = before["Id"] if before else ledger.next_number("address", first=30_000_001)
    return {**checked, "Id": address_id, "LastChangedDateTimeOffset": now}


def _resolve_codes(ledger: Ledger, customer: Entry) -> None:
    for name in (*_NOWHERE, *_NOWHERE_BY_CODE):
        if customer[name] is not None:
            raise unknown_reference(_KIND, name, customer[name])
    for group in customer["ContactGroupIds"] or []:
        raise unknown_reference(_KIND, "ContactGroupIds", group)
    references.resolve_department(_KIND, customer)
    references.resolve_payment_term(ledger, _KIND, customer)
    references.check_currency(ledger, _KIND, customer["CurrencyCode"])


def _check(ledger: Ledger, customer: Entry) -> None:
    _check_names(customer)
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
        holder = ledger.register("Customers").holder(field, customer[field])
        if holder and holder["Id"] != customer["Id"]:
            raise duplicate(_KIND, field, customer[field], holder["Id"])


def _check_names(customer: Entry) -> None:
    needed = ("FirstName", "LastName") if customer["IsPerson"] else ("Name",)
    for name in needed:
        if not (customer[name] or "").strip():
            raise broken_rule(_KIND, f"{name} is required")


def _check_copies(copies: str | None) -> None:
    addresses = [one.strip() for one in (copies or "").split(";") if one.strip()]
    if len(addresses) > _MOST_COPIES:
        raise broken_rule(_KIND, f"InvoiceEmailAddressCC has more than {_MOST_COPIES} addresses")
    for address in addresses:
        check_email(_KIND, "InvoiceEmailAddressCC", address)


def _check_delivery(customer: Entry) -> None:
    delivery = customer["InvoiceDeliveryType"]
    if delivery == "PdfByEmail" and _usual_delivery(customer) != "PdfByEmail":
        raise broken_rule(_KIND, "InvoiceDeliveryType PdfByEmail needs an e-mail address")
    if delivery == "EHF" and not orgnr.is_valid(customer["OrganizationNumber"] or ""):
        raise broken_rule(_KIND, "InvoiceDeliveryType EHF needs a registered organisation number")
    if delivery in ("AvtaleGiro", "Efaktura"):
        raise broken_rule(_KIND, f"InvoiceDeliveryType {delivery} cannot be set")
    if delivery in ("External", "Factoring"):
        raise broken_rule(_KIND, f"InvoiceDeliveryType {delivery} needs an active integration")
