"""The members of every body and answer, with types and lengths, as the specification has them."""

from __future__ import annotations

from go_sandbox.go import choices
from go_sandbox.go.shapes import shape, words

_ADDRESS = "AddressLine1:200 AddressLine2:200 City:100 CountryCode ZipCode:50"
_CODED_ADDRESS = f"{_ADDRESS} ExternalCode:50"

CONTACT_ADDRESS_POST = shape(
    "ContactAddressPostDto", "Customer", text=_CODED_ADDRESS, required="City ZipCode"
)
CONTACT_ADDRESS_PATCH = shape("ContactAddressPatchDto", "Customer", text=_CODED_ADDRESS)
ADDRESS_POST = shape("AddressPostDto", "Contact person", text=_ADDRESS, required="City ZipCode")
ADDRESS_PATCH = shape("AddressPatchDto", "Contact person", text=_ADDRESS)

_CUSTOMER_ENUMS = {
    "InvoiceDeliveryType": choices.INVOICE_DELIVERY,
    "NoticeOfDebtCollectionDeliveryType": choices.REMINDER_DELIVERY,
    "ReminderDeliveryType": choices.REMINDER_DELIVERY,
}
_CUSTOMER_TEXT = (
    "CurrencyCode EmailAddress ExternalImportReference:50 FirstName InvoiceEmailAddress"
    " InvoiceEmailAddressCC:2000 LastName LegalName Name NationalIdNumber OrganizationNumber"
    " PaymentReminderEmailAddress PhoneNumber WebsiteUrl"
)
_CUSTOMER_NUMBERS = (
    "DeliveryTermId DepartmentId ExternalNumber InvoiceBrandingThemeId Number PaymentTermId"
    " SalesPersonEmployeeId"
)
_CUSTOMER_FLAGS = (
    "DoNotAddLatePaymentFees DoNotAddLatePaymentInterest DoNotAutomatePaymentNotifications"
    " IsArchived IsPerson IsVatFree SendPaymentReminders TransferToDebtCollectionAgency"
    " UseInvoiceFee"
)
CUSTOMER_POST = shape(
    "CustomerPostDto",
    "Customer",
    text=f"{_CUSTOMER_TEXT} DeliveryTerm DepartmentCode InvoiceBrandingThemeCode",
    int64=f"{_CUSTOMER_NUMBERS} SalesPersonEmployeeNumber",
    int32="PaymentTerm",
    double="Allowance BillableRate",
    date="CustomerSince DateOfBirth",
    uuid="SubLedgerNumberSeriesId",
    boolean=_CUSTOMER_FLAGS,
    enum=_CUSTOMER_ENUMS,
    array={"ContactGroupIds": None},
    nested={"MailAddress": CONTACT_ADDRESS_POST},
)
CUSTOMER_PATCH = shape(
    "CustomerPatchDto",
    "Customer",
    text=_CUSTOMER_TEXT,
    int64=_CUSTOMER_NUMBERS,
    double="Allowance BillableRate",
    date="CustomerSince DateOfBirth",
    boolean=_CUSTOMER_FLAGS,
    enum=_CUSTOMER_ENUMS,
    array={"ContactGroupIds": None},
    nested={"MailAddress": CONTACT_ADDRESS_PATCH},
)
CUSTOMER = (
    *(name for name in CUSTOMER_POST.names if name != "SubLedgerNumberSeriesId"),
    *words("Id SubledgerAccountId ContactCreatedDateTimeOffset CustomerCreatedDateTimeOffset"),
    *words("LastChangedDateTimeOffset IsActive CreatedFromImportJournalId"),
)

DELIVERY_ADDRESS_POST = shape(
    "ContactDeliveryAddressPostDto",
    "Contact delivery address",
    text=_CODED_ADDRESS,
    boolean="IsPrimary",
    required="City ZipCode",
)
DELIVERY_ADDRESS_PATCH = shape(
    "ContactDeliveryAddressPatchDto",
    "Contact delivery address",
    text=_CODED_ADDRESS,
    boolean="IsPrimary",
)
_CONTACT_STAMPS = words("Id ContactId CreatedDateTimeOffset LastChangedDateTimeOffset")
DELIVERY_ADDRESS = (*DELIVERY_ADDRESS_POST.names, *_CONTACT_STAMPS)

_PERSON_TEXT = "EmailAddress ExternalCode:50 FirstName LastName PhoneNumber Title"
CONTACT_PERSON_POST = shape(
    "ContactPersonPostDto",
    "Contact person",
    text=_PERSON_TEXT,
    boolean="IsActive IsDefault",
    nested={"MailAddress": ADDRESS_POST},
    required="FirstName LastName",
)
CONTACT_PERSON_PATCH = shape(
    "ContactPersonPatchDto",
    "Contact person",
    text=_PERSON_TEXT,
    boolean="IsActive IsDefault",
    nested={"MailAddress": ADDRESS_PATCH},
)
CONTACT_PERSON = (*CONTACT_PERSON_POST.names, *_CONTACT_STAMPS)

_ACCOUNT_ENUMS = {
    "OptionalSalesAccountAgricultureDepartment": choices.AGRICULTURE,
    "StandardSalesAccountAgricultureDepartment": choices.AGRICULTURE,
}
_PRODUCT_ENUMS = {"ProductType": choices.PRODUCT_TYPE, "UnitOfMeasureCode": choices.UNIT}
PRODUCT_POST = shape(
    "ProductPostDto",
    "Product",
    text="Code:100 Description Gtin Name:400 ProductGroupCode",
    int64="OptionalSalesAccount OptionalSalesAccountId ProductGroupId StandardSalesAccount"
    " StandardSalesAccountId",
    double="StockOnHand UnitCost UnitPrice",
    boolean="IsArchived IsStockItem",
    enum={**_PRODUCT_ENUMS, **_ACCOUNT_ENUMS},
    required="Name",
)
PRODUCT_PATCH = shape(
    "ProductPatchDto",
    "Product",
    text="Code:100 Description Gtin Name:400",
    int64="OptionalSalesAccountId ProductGroupId StandardSalesAccountId",
    double="StockOnHand UnitCost UnitPrice",
    boolean="IsArchived IsStockItem",
    enum=_PRODUCT_ENUMS,
)
_CREATED = words("Id CreatedDateTimeOffset LastChangedDateTimeOffset CreatedFromImportJournalId")
PRODUCT = (
    *PRODUCT_POST.names,
    *_CREATED,
    *words("StockAvailable StockOnHandLastChangedDatetimeOffset"),
)
PRODUCT_GROUP_POST = shape(
    "ProductGroupPostDto",
    "Product group",
    text="Code:200 Description Name:400",
    int64="OptionalSalesAccount OptionalSalesAccountId StandardSalesAccount StandardSalesAccountId",
    double="UnitCost UnitPrice",
    boolean="IsArchived",
    enum={**_PRODUCT_ENUMS, **_ACCOUNT_ENUMS},
)
PRODUCT_GROUP_PATCH = shape(
    "ProductGroupPatchDto",
    "Product group",
    text="Code:200 Description Name:400",
    int64="OptionalSalesAccountId StandardSalesAccountId",
    double="UnitCost UnitPrice",
    boolean="IsArchived",
    enum=_PRODUCT_ENUMS,
)
PRODUCT_GROUP = (*PRODUCT_GROUP_POST.names, *_CREATED)
