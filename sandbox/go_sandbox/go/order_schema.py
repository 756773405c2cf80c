"""The members of sales orders, their lines and the invoices they become."""

from __future__ import annotations

from go_sandbox.go import choices
from go_sandbox.go.shapes import shape, words

_ORDER = "Sales order"
_DIMENSIONS = "DepartmentId Dim1Id Dim2Id Dim3Id LocationId ProjectId"
_DIMENSION_CODES = "DepartmentCode Dim1Code Dim2Code Dim3Code LocationCode ProjectCode"

_LINE_ENUMS = {
    "LineType": choices.LINE_TYPE,
    "UnitOfMeasureCode": choices.UNIT,
    "VatReturnSpecification": choices.VAT_RETURN,
}
_ACCRUAL_ENUMS = {
    "BalanceAccountAgricultureDepartment": choices.AGRICULTURE,
    "ResultAccountAgricultureDepartment": choices.AGRICULTURE,
}
_ACCRUAL_POST = shape(
    "SalesOrderAccrualPostDto",
    _ORDER,
    int64="BalanceAccountId BalanceAccountNo ResultAccountId ResultAccountNo",
    date="FromDate ToDate",
    boolean="IsActive",
    enum=_ACCRUAL_ENUMS,
)
_ACCRUAL_PATCH = shape(
    "SalesOrderAccrualPatchDto",
    _ORDER,
    int64="BalanceAccountId ResultAccountId",
    date="FromDate ToDate",
    boolean="IsActive",
)
LINE_POST = shape(
    "SalesOrderLinePostDto",
    _ORDER,
    text=f"Description ExternalImportReference ProductCode {_DIMENSION_CODES}",
    int64=f"ProductId SellersReferenceEmployeeId SellersReferenceEmployeeNo {_DIMENSIONS}",
    int32="SortOrder",
    double="Allowance ProductUnitCost ProductUnitPrice Quantity",
    boolean="UseStandardSalesAccount",
    enum=_LINE_ENUMS,
    nested={"Accrual": _ACCRUAL_POST},
)
LINE_PATCH = shape(
    "SalesOrderLinePatchDto",
    _ORDER,
    text="Description ExternalImportReference",
    int64=f"ProductId SellersReferenceEmployeeId {_DIMENSIONS}",
    int32="SortOrder",
    double="Allowance ProductUnitCost ProductUnitPrice Quantity",
    boolean="UseStandardSalesAccount",
    enum=_LINE_ENUMS,
    nested={"Accrual": _ACCRUAL_PATCH},
)
LINE = (
    *LINE_POST.names,
    *words("Id SalesOrderId NetAmount TotalAmount VatAmount VatCode VatId VatRate"),
)

_HEADER_TEXT = (
    "ContractNo CurrencyCode CustomMatchingReference CustomerReference ExternalImportReference:50"
    " PurchaseOrderReference"
)
_HEADER_NUMBERS = (
    "BrandingThemeId ContactDeliveryAddressId CustomerId CustomerReferenceContactPersonId"
    " DeliveryTermId ImportedOrderNo PaymentTermId RelatedInvoiceNo SalesPersonEmployeeId"
    f" {_DIMENSIONS}"
)
ORDER_POST = shape(
    "SalesOrderCompletePostDto",
    _ORDER,
    text=f"{_HEADER_TEXT} BrandingThemeCode DeliveryTerm {_DIMENSION_CODES}",
    int64=f"{_HEADER_NUMBERS} CustomerNo SalesPersonEmployeeNumber",
    int32="PaymentTerm",
    double="CurrencyExchangeRate",
    date="DeliveryDate SalesOrderDate",
    enum={"SalesOrderStatus": choices.ORDER_STATUS},
    array={"SalesOrderLines": LINE_POST},
)
ORDER_PATCH = shape(
    "SalesOrderPatchDto",
    _ORDER,
    text=_HEADER_TEXT,
    int64=_HEADER_NUMBERS,
    double="CurrencyExchangeRate",
    date="DeliveryDate SalesOrderDate",
    enum={"SalesOrderStatus": choices.ORDER_STATUS},
)
ORDER = (
    *(name for name in ORDER_POST.names if name != "SalesOrderLines"),
    *words("Id CreatedDateTimeOffset LastChangedDateTimeOffset LineCount NetAmount TotalAmount"),
    *words("SalesOrderNo IsCreatedByCurrentIntegration"),
)

SEND_POST = shape(
    "SendInvoiceRequestPostDto",
    _ORDER,
    text="EmailAddress",
    date="OverrideDueDate VoucherDate",
    enum={"DeliveryType": choices.SEND_DELIVERY},
)
SENT_STATE = (
    *words("DueDate Id InvoiceDeliveryType InvoiceNo IsInvoiceBeingProcessed LastErrorMessage"),
    "SentDateTimeOffset",
)
INVOICE = (
    *words("Balance BalanceLastChangedDateTimeOffset BrandingThemeCode BrandingThemeId Cid"),
    *words("ContractNo CreatedDateTimeOffset CurrencyCode CurrencyExchangeRate"),
    *words("CustomMatchingReference CustomerId CustomerNo CustomerReference"),
    *words("CustomerReferenceContactPersonId DeliveryAddress1 DeliveryAddress2"),
    *words("DeliveryAddressCity DeliveryAddressCountryCode DeliveryAddressZipCode"),
    *words("DeliveryDate DeliveryTerm DeliveryTermId DueDate ExternalImportReference Id"),
    *words(f"{_DIMENSIONS} {_DIMENSION_CODES} ImportedOrderNo InvoiceDeliveryType"),
    *words("InvoiceNo IsCreatedByCurrentIntegration IsReversed LastChangedDateTimeOffset"),
    *words("MatchId NetAmount NetPostedAmount OrderDate OrderNo PaymentTerm PaymentTermId"),
    *words("PurchaseOrderReference RelatedInvoiceNo SellersReferenceEmployeeId"),
    *words("SellersReferenceEmployeeNo SentDateTimeOffset TotalAmount TotalPostedAmount"),
    *words("VoucherDate VoucherNo VoucherType"),
)
INVOICE_LINE = (
    *(name for name in LINE if name not in ("Accrual", "SalesOrderId", "UseStandardSalesAccount")),
    *words("AccountId AccountNo AgricultureDepartment IsAccrued NetPostedAmount"),
    "TotalPostedAmount",
)
