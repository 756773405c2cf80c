"""The members of Go's entries, under Go's own names: one Singer schema per stream.

Source: the published schemas of Go's API, version 2; the description of each member is our own.
All but the key can be null, whatever Go publishes: an unexpected null must not stop a target.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from singer_sdk import typing as th

Field: TypeAlias = "th.Property[Any]"

AGRICULTURE = (
    "None",
    "Finance",
    "Farming",
    "Forestry",
    "FurAnimals",
    "OtherIndustries",
    "Private",
)
LINE_TYPES = ("Normal", "Text", "Summary", "InvoiceFee", "TotalHours")
VAT_RETURN = (
    "None",
    "Adjustment",
    "LossesOnClaims",
    "ReversalOfInputValueAddedTax",
    "Withdrawals",
    "AdjustmentVatCompensationRealProperty",
    "PurchasesEligibleForCompensation",
)


def number_key(description: str) -> Field:
    """The `Id` of an entry that Go identifies by a whole number."""
    return th.Property("Id", th.IntegerType, required=True, description=description)


def uuid_key(description: str) -> Field:
    """The `Id` of an entry that Go identifies by a UUID."""
    return th.Property("Id", th.StringType, required=True, description=description)


def text(name: str, description: str) -> Field:
    """Text; also codes and UUIDs."""
    return th.Property(name, th.StringType, description=description)


def choice(name: str, description: str, *values: str) -> Field:
    """One of a few words.

    The words are in the description only: with `enum` in the schema, a target would stop at a word
    that Go adds later.
    """
    listed = ", ".join(f"`{value}`" for value in values)
    return th.Property(name, th.StringType, description=f"{description} One of {listed}.")


def whole(name: str, description: str) -> Field:
    """A whole number: an id, or a number that people read."""
    return th.Property(name, th.IntegerType, description=description)


def decimal(name: str, description: str) -> Field:
    """A number with a fraction: an amount, a rate, a quantity."""
    return th.Property(name, th.NumberType, description=description)


def flag(name: str, description: str) -> Field:
    """True or false."""
    return th.Property(name, th.BooleanType, description=description)


def stamp(name: str, description: str) -> Field:
    """A moment by Go's clock, in UTC with seven fraction digits."""
    return th.Property(name, th.DateTimeType, description=description)


def day(name: str, description: str) -> Field:
    """A calendar day, `2026-03-31`."""
    return th.Property(name, th.DateType, description=description)


def numbers(name: str, description: str) -> Field:
    """A list of whole numbers."""
    return th.Property(name, th.ArrayType(th.IntegerType), description=description)


def group(name: str, description: str, *fields: Field) -> Field:
    """An object with members of its own; further members pass unchanged."""
    wrapped = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, wrapped, description=description)


def rows(name: str, description: str, *fields: Field) -> Field:
    """A list of objects; further members pass unchanged."""
    row = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, th.ArrayType(row), description=description)


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
        text("InvoiceEmailAddressCC", "Who else gets them, separated by semicolons."),
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
    types = ("PdfByEmail", "Print")
    return [
        flag("SendPaymentReminders", "Whether reminders are sent."),
        choice("ReminderDeliveryType", "How reminders are sent.", *types),
        text("PaymentReminderEmailAddress", "Where reminders go by e-mail."),
        choice("NoticeOfDebtCollectionDeliveryType", "How that notice is sent.", *types),
        flag("TransferToDebtCollectionAgency", "Whether unpaid invoices go to collection."),
        flag("DoNotAddLatePaymentFees", "Whether reminders come without a fee."),
        flag("DoNotAddLatePaymentInterest", "Whether late payment bears no interest."),
        flag("DoNotAutomatePaymentNotifications", "Whether nothing of this is sent automatically."),
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
    flag("IsPrimary", "Whether orders go there by default."),
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
    flag("IsDefault", "Whether it is the default contact person."),
    flag("IsActive", "Whether it is in use."),
    stamp("CreatedDateTimeOffset", "When it was made."),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""A person to contact at a company."""


def _sold_as() -> list[Field]:
    return [
        choice("ProductType", "What it is.", "Product", "Service"),
        text("UnitOfMeasureCode", "The unit it is sold in: `EA` is a piece, `HUR` an hour."),
        decimal("UnitPrice", "Price of one unit, without VAT."),
        decimal("UnitCost", "What one unit costs the merchant."),
    ]


def _accounts() -> list[Field]:
    return [
        whole("StandardSalesAccountId", "Id of the account that sales are posted on."),
        whole("StandardSalesAccount", "Number of that account; it decides the VAT."),
        choice(
            "StandardSalesAccountAgricultureDepartment", "Its line of agriculture.", *AGRICULTURE
        ),
        whole("OptionalSalesAccountId", "Id of the account for sales without VAT."),
        whole("OptionalSalesAccount", "Number of that account."),
        choice(
            "OptionalSalesAccountAgricultureDepartment", "Its line of agriculture.", *AGRICULTURE
        ),
    ]


def _life_cycle() -> list[Field]:
    return [
        flag("IsArchived", "Whether it is archived."),
        text("CreatedFromImportJournalId", "Id of the import that made it."),
        stamp("CreatedDateTimeOffset", "When it was made."),
    ]


PRODUCTS: dict[str, Any] = th.PropertiesList(
    number_key("Id of the product."),
    text("Code", "The merchant's own article number (SKU)."),
    text("Gtin", "Bar code number."),
    text("Name", "What the buyer reads."),
    text("Description", "Description."),
    whole("ProductGroupId", "The product group's `Id`."),
    text("ProductGroupCode", "The product group's `Code`."),
    *_sold_as(),
    *_accounts(),
    flag("IsStockItem", "Whether Go counts its stock."),
    decimal("StockOnHand", "How many units are in stock."),
    decimal("StockAvailable", "How many of them no confirmed order has taken."),
    stamp(
        "StockOnHandLastChangedDatetimeOffset",
        "When the stock last changed. The tap's second bookmark.",
    ),
    *_life_cycle(),
    stamp(
        "LastChangedDateTimeOffset",
        "When it last changed, its stock aside. The tap's bookmark.",
    ),
).to_dict()
"""A product for sale. What is null is inherited from the group."""

PRODUCT_GROUPS: dict[str, Any] = th.PropertiesList(
    number_key("Id of the product group."),
    text("Code", "The group's code."),
    text("Name", "The group's name."),
    text("Description", "Description."),
    *_sold_as(),
    *_accounts(),
    *_life_cycle(),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""What products have in common."""


def dimensions() -> list[Field]:
    """Return the dimensions that a sale is booked on besides its account: pairs of id and code."""
    labels = {
        "Department": "department",
        "Project": "project",
        "Location": "location",
        "Dim1": "first custom dimension",
        "Dim2": "second custom dimension",
        "Dim3": "third custom dimension",
    }
    return [
        field
        for name, label in labels.items()
        for field in (
            whole(f"{name}Id", f"Id of the {label}."),
            text(f"{name}Code", f"Code of the {label}."),
        )
    ]


def references() -> list[Field]:
    """Return the members for the buyer, and for the references by which the sale can be found."""
    return [
        whole("CustomerId", "The customer's `Id`."),
        whole("CustomerNo", "The customer's `Number`."),
        text("CustomerReference", "The buyer's reference, as printed on the invoice."),
        whole("CustomerReferenceContactPersonId", "Id of the contact person it names."),
        text("PurchaseOrderReference", "The buyer's purchase order."),
        text("ContractNo", "The contract it falls under."),
        text("ExternalImportReference", "Another system's reference; people do not see it."),
        whole("ImportedOrderNo", "Order number in the system that it came from."),
        text("CustomMatchingReference", "The reference by which Go matches payments to it."),
        whole("RelatedInvoiceNo", "Of a credit note: the number of the invoice it credits."),
    ]


def terms() -> list[Field]:
    """Return the members for the terms of the sale."""
    return [
        text("CurrencyCode", "Currency of all amounts, ISO 4217: `NOK`."),
        decimal("CurrencyExchangeRate", "What one unit of the currency is worth in kroner."),
        whole("PaymentTermId", "Id of the payment term."),
        whole("PaymentTerm", "Days until it falls due."),
        whole("DeliveryTermId", "Id of the delivery term."),
        text("DeliveryTerm", "Code of the delivery term."),
        day("DeliveryDate", "The day of delivery."),
        whole("BrandingThemeId", "Id of the invoice's design."),
        text("BrandingThemeCode", "Code of the invoice's design."),
        flag("IsCreatedByCurrentIntegration", "Whether it was created with the keys that read it."),
    ]


def line_members() -> list[Field]:
    """Return the members that lines of orders and of invoices have in common, except the key."""
    return [
        choice("LineType", "What the line is.", *LINE_TYPES),
        whole("SortOrder", "Its place, from 0."),
        whole("ProductId", "The product's `Id`."),
        text("ProductCode", "The product's `Code`."),
        text("Description", "What the buyer reads."),
        decimal("Quantity", "How many units; negative ones are credited."),
        text("UnitOfMeasureCode", "The unit: `EA` is a piece, `HUR` an hour."),
        decimal("ProductUnitPrice", "Price of one unit before discount, without VAT."),
        decimal("ProductUnitCost", "What one unit costs the merchant."),
        decimal("Allowance", "Discount in percent; a negative one is a surcharge."),
        decimal("NetAmount", "The line, without VAT."),
        decimal("VatAmount", "VAT of the line."),
        decimal("TotalAmount", "The line, with VAT."),
        whole("VatId", "The VAT code's `Id`."),
        text("VatCode", "The VAT code's `Code`: `3` is the high rate of sales."),
        decimal("VatRate", "VAT rate as a fraction: `0.25`."),
        choice("VatReturnSpecification", "Its note in the VAT return.", *VAT_RETURN),
        *dimensions(),
        whole("SellersReferenceEmployeeId", "Id of the employee who sold it."),
        whole("SellersReferenceEmployeeNo", "Number of that employee."),
        text("ExternalImportReference", "Another system's reference of the line."),
    ]


def _accrual() -> Field:
    return group(
        "Accrual",
        "How the line is spread over time.",
        flag("IsActive", "Whether it is spread over time."),
        day("FromDate", "From which day."),
        day("ToDate", "Until which day."),
        *_account("ResultAccount", "result"),
        *_account("BalanceAccount", "balance"),
    )


def _account(name: str, label: str) -> list[Field]:
    return [
        whole(f"{name}Id", f"Id of the {label} account."),
        whole(f"{name}No", f"Number of the {label} account."),
        choice(f"{name}AgricultureDepartment", "Its line of agriculture.", *AGRICULTURE),
    ]


SALES_ORDERS: dict[str, Any] = th.PropertiesList(
    uuid_key("Id of the order; the invoice that it becomes has the same one."),
    whole("SalesOrderNo", "The order number that people read."),
    choice("SalesOrderStatus", "Whether it can still be edited.", "Draft", "Confirmed"),
    day("SalesOrderDate", "The day of the order."),
    *references(),
    whole("ContactDeliveryAddressId", "Id of the delivery address."),
    *terms(),
    *dimensions(),
    whole("SalesPersonEmployeeId", "Id of the employee who sold it."),
    whole("SalesPersonEmployeeNumber", "Number of that employee."),
    decimal("NetAmount", "The whole order, without VAT."),
    decimal("TotalAmount", "The whole order, with VAT; a negative one becomes a credit note."),
    whole("LineCount", "How many lines it has."),
    rows(
        "SalesOrderLines",
        "What is ordered. Deselect it to save a call an order.",
        text("Id", "Id of the line; the invoice's line has another."),
        text("SalesOrderId", "The order's `Id`."),
        *line_members(),
        flag("UseStandardSalesAccount", "Whether the standard sales account is used."),
        _accrual(),
    ),
    stamp("CreatedDateTimeOffset", "When it was made."),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""A sale that is not invoiced yet. Once it is, Go no longer lists it."""


def _numbers() -> list[Field]:
    return [
        choice("VoucherType", "What it is.", "OutgoingInvoice", "OutgoingCreditNote"),
        whole("InvoiceNo", "The invoice number that people read."),
        whole("VoucherNo", "Number of the voucher."),
        day("VoucherDate", "The day it is booked on; `start_date` counts by it."),
        day("DueDate", "The day it falls due."),
        whole("OrderNo", "Number of the sales order that it was made from."),
        day("OrderDate", "The day of that order."),
        text("Cid", "Customer identification for payments (KID)."),
        choice(
            "InvoiceDeliveryType",
            "How it is sent.",
            *("PdfByEmail", "Print", "EHF", "AvtaleGiro", "External", "Efaktura", "Factoring"),
        ),
    ]


def _delivery_address() -> list[Field]:
    return [
        text("DeliveryAddress1", "Where the goods go: street and number."),
        text("DeliveryAddress2", "What does not fit on the first line."),
        text("DeliveryAddressZipCode", "Its postal code."),
        text("DeliveryAddressCity", "Its town."),
        text("DeliveryAddressCountryCode", "Its country, ISO 3166-1 alpha-2."),
    ]


def _amounts() -> list[Field]:
    return [
        decimal("NetAmount", "The whole invoice, without VAT."),
        decimal("TotalAmount", "The whole invoice, with VAT."),
        decimal("NetPostedAmount", "What was booked, in kroner, without VAT."),
        decimal("TotalPostedAmount", "What was booked, in kroner, with VAT."),
        decimal("Balance", "What is not yet paid or credited; 0 is settled."),
        whole("MatchId", "Id of the group of ledger entries that settle each other."),
        flag("IsReversed", "Whether it was reversed."),
    ]


OUTGOING_INVOICES: dict[str, Any] = th.PropertiesList(
    uuid_key("Id of the invoice; the sales order that it was made from had the same one."),
    *_numbers(),
    *references(),
    *_delivery_address(),
    *terms(),
    *dimensions(),
    whole("SellersReferenceEmployeeId", "Id of the employee who sold it."),
    whole("SellersReferenceEmployeeNo", "Number of that employee."),
    *_amounts(),
    rows(
        "Lines",
        "What is invoiced. Deselect it to save a call an invoice.",
        whole("Id", "Id of the line."),
        *line_members(),
        whole("AccountId", "Id of the account that it is booked on."),
        whole("AccountNo", "Number of that account."),
        choice("AgricultureDepartment", "Its line of agriculture.", *AGRICULTURE),
        flag("IsAccrued", "Whether it is spread over time."),
        decimal("NetPostedAmount", "What was booked, in kroner, without VAT."),
        decimal("TotalPostedAmount", "What was booked, in kroner, with VAT."),
    ),
    stamp("CreatedDateTimeOffset", "When it was made."),
    stamp("LastChangedDateTimeOffset", "When it last changed; Go has no filter for it."),
    stamp(
        "BalanceLastChangedDateTimeOffset",
        "When its balance last changed. The tap's second bookmark.",
    ),
    stamp("SentDateTimeOffset", "When it was sent. The tap's bookmark."),
).to_dict()
"""An invoice or credit note that was sent, and what is left to be paid of it."""

VAT_CODES: dict[str, Any] = th.PropertiesList(
    number_key("Id of the VAT code."),
    text("Code", "The code that people read: `3` is the high rate of sales."),
    text("Name", "The code's name."),
    text("Description", "Description."),
    decimal("Rate", "VAT rate as a fraction: `0.25`."),
    flag("IsActive", "Whether it is in use."),
    flag("IsCustom", "Whether the client made it."),
    whole("BaseVatCodeId", "Id of the standard code that a custom one is made from."),
    day("ValidFrom", "The first day that it is valid."),
    day("ValidTo", "The last day that it is valid."),
    decimal("VatBasisRatio", "How much of an amount bears VAT, as a fraction."),
    stamp("VatBasisRatioValidFrom", "From when that ratio is valid."),
    rows(
        "VatBasisRatios",
        "How much of an amount bore VAT, by time.",
        decimal("VatBasisRatio", "The share, as a fraction."),
        day("VatBasisRatioValidFrom", "From which day."),
    ),
).to_dict()
"""How much VAT a sale bears, and how that VAT is reported."""
