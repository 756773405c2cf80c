"""Customers, their delivery addresses and their contact persons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_powerofficego.fields import (
    choice,
    day,
    decimal,
    flag,
    group,
    number_key,
    numbers,
    stamp,
    text,
    whole,
)

if TYPE_CHECKING:
    from tap_powerofficego.fields import Field


def _address() -> list[Field]:
    return [
        text("AddressLine1", "Street and number."),
        text("AddressLine2", "What does not fit on the first line."),
        text("ZipCode", "Postal code as text, with its zeros: `0150`."),
        text("City", "Town."),
        text("CountryCode", "ISO 3166-1 alpha-2: `NO`."),
    ]


def _names() -> list[Field]:
    return [
        whole("Number", "The customer number that people read."),
        whole("ExternalNumber", "A number from another system; Go shows it as external code."),
        text("ExternalImportReference", "Another system's reference; people do not see it."),
        flag("IsPerson", "Whether it is a person; else a company."),
        text("Name", "The company's name."),
        text("LegalName", "The company's registered name."),
        text("FirstName", "A person's first name."),
        text("LastName", "A person's last name."),
        text("OrganizationNumber", "Organisation number, nine digits in Norway."),
        text("NationalIdNumber", "A person's national identity number; Go answers `hidden`."),
        day("DateOfBirth", "A person's date of birth."),
        text("EmailAddress", "E-mail address."),
        text("PhoneNumber", "Phone number."),
        text("WebsiteUrl", "Address of the web site."),
    ]


def _invoicing() -> list[Field]:
    return [
        choice(
            "InvoiceDeliveryType",
            "How invoices are sent.",
            *("PdfByEmail", "Print", "EHF", "AvtaleGiro", "External", "Efaktura", "Factoring"),
        ),
        text("InvoiceEmailAddress", "Where invoices go by e-mail."),
        text("InvoiceEmailAddressCC", "Who else gets them, parted by semicolons."),
        whole("InvoiceBrandingThemeId", "Id of the design of invoices."),
        text("InvoiceBrandingThemeCode", "Code of the design of invoices."),
        text("CurrencyCode", "The customer's currency, ISO 4217: `NOK`."),
        decimal("Allowance", "Usual discount in percent; a negative one is a surcharge."),
        decimal("BillableRate", "Price of an hour."),
        flag("IsVatFree", "Whether sales are posted on the optional sales account."),
        flag("UseInvoiceFee", "Whether an invoice fee is charged."),
        whole("PaymentTermId", "Id of the payment term."),
        whole("PaymentTerm", "Days until an invoice falls due."),
        whole("DeliveryTermId", "Id of the delivery term."),
        text("DeliveryTerm", "Code of the delivery term."),
        whole("DepartmentId", "Id of the department that sales are booked on."),
        text("DepartmentCode", "Code of that department."),
        whole("SalesPersonEmployeeId", "Id of the employee who sells to the customer."),
        whole("SalesPersonEmployeeNumber", "Number of that employee."),
    ]


def _reminding() -> list[Field]:
    ways = ("PdfByEmail", "Print")
    return [
        flag("SendPaymentReminders", "Whether reminders are sent."),
        choice("ReminderDeliveryType", "How reminders are sent.", *ways),
        text("PaymentReminderEmailAddress", "Where reminders go by e-mail."),
        choice("NoticeOfDebtCollectionDeliveryType", "How that notice is sent.", *ways),
        flag("TransferToDebtCollectionAgency", "Whether unpaid invoices go to collection."),
        flag("DoNotAddLatePaymentFees", "Whether reminders come without a fee."),
        flag("DoNotAddLatePaymentInterest", "Whether late payment bears no interest."),
        flag("DoNotAutomatePaymentNotifications", "Whether nothing of this goes by itself."),
    ]


CUSTOMERS: dict[str, Any] = th.PropertiesList(
    number_key("Id of the contact; as a supplier or employee it has the same one."),
    *_names(),
    group(
        "MailAddress",
        "The customer's address. An edit of it moves its own stamp, not the customer's.",
        whole("Id", "Id of the address."),
        *_address(),
        text("ExternalCode", "Another system's code of the address."),
        stamp("LastChangedDateTimeOffset", "When the address last changed."),
    ),
    *_invoicing(),
    *_reminding(),
    numbers("ContactGroupIds", "Ids of the groups that the contact is in."),
    flag("IsActive", "Whether it is in use."),
    flag("IsArchived", "Whether it is archived."),
    whole("SubledgerAccountId", "Id of its account in the customer ledger."),
    day("CustomerSince", "The day it became a customer."),
    text("CreatedFromImportJournalId", "Id of the import that made it."),
    stamp("ContactCreatedDateTimeOffset", "When the contact was made."),
    stamp("CustomerCreatedDateTimeOffset", "When the contact became a customer."),
    stamp(
        "LastChangedDateTimeOffset",
        "When it last changed, its addresses and contact persons aside. The tap's bookmark.",
    ),
).to_dict()
"""A buyer: person or company."""

DELIVERY_ADDRESSES: dict[str, Any] = th.PropertiesList(
    number_key("Id of the address."),
    whole("ContactId", "The customer's `Id`."),
    *_address(),
    text("ExternalCode", "Another system's code of the address."),
    flag("IsPrimary", "Whether orders go there unless they say otherwise."),
    stamp("CreatedDateTimeOffset", "When it was made."),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""Where a customer's goods go."""

CONTACT_PERSONS: dict[str, Any] = th.PropertiesList(
    number_key("Id of the contact person."),
    whole("ContactId", "The customer's `Id`."),
    text("FirstName", "First name."),
    text("LastName", "Last name."),
    text("Title", "Position in the company."),
    text("EmailAddress", "E-mail address."),
    text("PhoneNumber", "Phone number."),
    group("MailAddress", "The person's address.", *_address()),
    text("ExternalCode", "Another system's code of the person."),
    flag("IsDefault", "Whether it is the one that is asked first."),
    flag("IsActive", "Whether it is in use."),
    stamp("CreatedDateTimeOffset", "When it was made."),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""Somebody who can be spoken to at a company."""
