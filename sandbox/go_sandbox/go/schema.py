"""The members of every body and answer, with types and lengths, as in the specification."""

from __future__ import annotations

from go_sandbox.go.shapes import shape, words

ORDER_STATUS = ("Draft", "Confirmed")
LINE_TYPE = ("Normal", "Text", "Summary", "InvoiceFee", "TotalHours")
PRODUCT_TYPE = ("Product", "Service")
INVOICE_DELIVERY = (
    "PdfByEmail",
    "Print",
    "EHF",
    "AvtaleGiro",
    "External",
    "Efaktura",
    "Factoring",
)
REMINDER_DELIVERY = ("PdfByEmail", "Print")
SEND_DELIVERY = ("PdfByEmail", "PdfPrintForDownload", "Auto")
AGRICULTURE = (
    "None",
    "Finance",
    "Farming",
    "Forestry",
    "FurAnimals",
    "OtherIndustries",
    "Private",
)
VAT_RETURN = (
    "None",
    "Adjustment",
    "LossesOnClaims",
    "ReversalOfInputValueAddedTax",
    "Withdrawals",
    "AdjustmentVatCompensationRealProperty",
    "PurchasesEligibleForCompensation",
)
UNIT = words(
    "BX MTR KMT KGM EA LTR HUR DAY MTK MTQ TNE MON ANN QAN NL XRO XBA XPL XPC PR XCI XBG SET XTY"
    " XOF FTK KWH MWH LBR CMT DMT LM XPK GRM HGM XFL XBE E54 MMT DAA H18 MLT HLT DLT AK XCR E14 MJ"
    " J57 XJG XCT XSA XTU WEE XCA XCN NAR M4 XVQ P1 MFU KMK LM3 FOT FM3 E34 E35"
)

COUNTRIES = frozenset(
    words(
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
        "BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
        "DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS "
        "GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN "
        "KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ "
        "MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
        "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV "
        "SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI "
        "VN VU WF WS YE YT ZA ZM ZW"
    )
)

_ADDRESS = "AddressLine1:200 AddressLine2:200 City:100 CountryCode ZipCode:50"
_CODED_ADDRESS = f"{_ADDRESS} ExternalCode:50"

CONTACT_ADDRESS_POST = shape(
    "ContactAddressPostDto", "Customer", text=_CODED_ADDRESS, required="City ZipCode"
)
CONTACT_ADDRESS_PATCH = shape("ContactAddressPatchDto", "Customer", text=_CODED_ADDRESS)
ADDRESS_POST = shape("AddressPostDto", "Contact person", text=_ADDRESS, required="City ZipCode")
ADDRESS_PATCH = shape("AddressPatchDto", "Contact person", text=_ADDRESS)

_CUSTOMER_ENUMS = {
    "InvoiceDeliveryType": INVOICE_DELIVERY,
    "NoticeOfDebtCollectionDeliveryType": REMINDER_DELIVERY,
    "ReminderDeliveryType": REMINDER_DELIVERY,
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
    "OptionalSalesAccountAgricultureDepartment": AGRICULTURE,
    "StandardSalesAccountAgricultureDepartment": AGRICULTURE,
}
_PRODUCT_ENUMS = {"ProductType": PRODUCT_TYPE, "UnitOfMeasureCode": UNIT}
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

_ORDER = "Sales order"
_DIMENSIONS = "DepartmentId Dim1Id Dim2Id Dim3Id LocationId ProjectId"
_DIMENSION_CODES = "DepartmentCode Dim1Code Dim2Code Dim3Code LocationCode ProjectCode"

_LINE_ENUMS = {
    "LineType": LINE_TYPE,
    "UnitOfMeasureCode": UNIT,
    "VatReturnSpecification": VAT_RETURN,
}
_ACCRUAL_ENUMS = {
    "BalanceAccountAgricultureDepartment": AGRICULTURE,
    "ResultAccountAgricultureDepartment": AGRICULTURE,
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
    enum={"SalesOrderStatus": ORDER_STATUS},
    array={"SalesOrderLines": LINE_POST},
)
ORDER_PATCH = shape(
    "SalesOrderPatchDto",
    _ORDER,
    text=_HEADER_TEXT,
    int64=_HEADER_NUMBERS,
    double="CurrencyExchangeRate",
    date="DeliveryDate SalesOrderDate",
    enum={"SalesOrderStatus": ORDER_STATUS},
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
    enum={"DeliveryType": SEND_DELIVERY},
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

_VOUCHER = "Bank voucher"

_VOUCHER_LINE_POST = shape(
    "BankVoucherLinePostDto",
    _VOUCHER,
    text="Cid CurrencyCode CustomMatchingReference Description ExternalLineReference InvoiceNo",
    int64="AccountId DepartmentId Dim1Id Dim2Id Dim3Id LocationId ProductId ProjectId",
    int32="VatId",
    double="CurrencyAmount CurrencyExchangeRate Quantity Quantity2",
    date="PostingDate",
    enum={"VatReturnSpecification": VAT_RETURN},
    required="AccountId PostingDate VatId",
)
VOUCHER_POST = shape(
    "BankVoucherPostDto",
    _VOUCHER,
    text="CurrencyCode:3 Description ExternalImportReference SaftBatchId SaftSourceId",
    int64="ImportedVoucherNo",
    date="VoucherDate",
    array={"VoucherLines": _VOUCHER_LINE_POST},
    required="CurrencyCode VoucherDate",
)
VOUCHER_LINE = (*_VOUCHER_LINE_POST.names, "Id", "CreatedDateTimeOffset")
VOUCHER = (*VOUCHER_POST.names, *words("Id VoucherNo IsReversed CreatedDateTimeOffset"))
LEDGER_ENTRY = words(
    "Amount Balance Cid CreatedDateTimeOffset CreatedFromImportJournalId CurrencyAmount"
    " CurrencyCode CustomMatchingReference CustomerAccountNo CustomerExternalNo CustomerId"
    " CustomerName DepartmentCode DepartmentId Dim1Code Dim1Id Dim2Code Dim2Id Dim3Code Dim3Id"
    " DueDate ExternalImportReference Id InvoiceNo IsCreatedByCurrentIntegration IsWriteOff"
    " LastChangedDateTimeOffset LocationCode LocationId MatchId PaidFromBankAccount PostingDate"
    " ProjectCode ProjectId VoucherDate VoucherId VoucherNo VoucherType"
)
