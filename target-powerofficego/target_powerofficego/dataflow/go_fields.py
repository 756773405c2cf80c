"""Which members PowerOffice Go takes for each entity, their type, and which can be patched.

Source: PowerOffice Go API v2, the POST and PATCH bodies of Customers, Products and SalesOrders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class GoField:
    """A member of a body: its type, and whether it can be patched (else only be sent on create)."""

    type: str
    is_patchable: bool


def _fields(**names_by_type: str) -> dict[str, GoField]:
    """Read lists such as `string="Name Code*"`; a star marks what is taken on create only."""
    return {
        name.rstrip("*"): GoField(kind, is_patchable=not name.endswith("*"))
        for kind, names in names_by_type.items()
        for name in names.split()
    }


GO_FIELDS: Mapping[str, Mapping[str, GoField]] = {
    "customers": _fields(
        string=(
            "CurrencyCode DeliveryTerm* DepartmentCode* EmailAddress "
            "ExternalImportReference FirstName InvoiceBrandingThemeCode* "
            "InvoiceEmailAddress InvoiceEmailAddressCC LastName LegalName Name "
            "NationalIdNumber OrganizationNumber PaymentReminderEmailAddress PhoneNumber "
            "SubLedgerNumberSeriesId* WebsiteUrl"
        ),
        int64=(
            "DeliveryTermId DepartmentId ExternalNumber InvoiceBrandingThemeId Number "
            "PaymentTerm* PaymentTermId SalesPersonEmployeeId SalesPersonEmployeeNumber*"
        ),
        decimal="Allowance BillableRate",
        boolean=(
            "DoNotAddLatePaymentFees DoNotAddLatePaymentInterest "
            "DoNotAutomatePaymentNotifications IsArchived IsPerson IsVatFree "
            "SendPaymentReminders TransferToDebtCollectionAgency UseInvoiceFee"
        ),
        date="CustomerSince DateOfBirth",
        enum="InvoiceDeliveryType NoticeOfDebtCollectionDeliveryType ReminderDeliveryType",
    ),
    "products": _fields(
        string="Code Description Gtin Name ProductGroupCode*",
        int64=(
            "OptionalSalesAccount* OptionalSalesAccountId ProductGroupId "
            "StandardSalesAccount* StandardSalesAccountId"
        ),
        decimal="StockOnHand UnitCost UnitPrice",
        boolean="IsArchived IsStockItem",
        enum=(
            "OptionalSalesAccountAgricultureDepartment* ProductType "
            "StandardSalesAccountAgricultureDepartment* UnitOfMeasureCode"
        ),
    ),
    "orders": _fields(
        string=(
            "BrandingThemeCode* ContractNo CurrencyCode CustomMatchingReference "
            "CustomerReference DeliveryTerm* DepartmentCode* Dim1Code* Dim2Code* Dim3Code* "
            "ExternalImportReference LocationCode* ProjectCode* PurchaseOrderReference"
        ),
        int64=(
            "BrandingThemeId ContactDeliveryAddressId CustomerId CustomerNo* "
            "CustomerReferenceContactPersonId DeliveryTermId DepartmentId Dim1Id Dim2Id "
            "Dim3Id ImportedOrderNo LocationId PaymentTerm* PaymentTermId ProjectId "
            "RelatedInvoiceNo SalesPersonEmployeeId SalesPersonEmployeeNumber*"
        ),
        decimal="CurrencyExchangeRate",
        date="DeliveryDate SalesOrderDate",
    ),
}
