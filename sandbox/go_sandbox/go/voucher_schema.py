"""The members of bank vouchers and of the customer ledger's entries."""

from __future__ import annotations

from go_sandbox.go import choices
from go_sandbox.go.shapes import shape, words

_LABEL = "Bank voucher"

_LINE_POST = shape(
    "BankVoucherLinePostDto",
    _LABEL,
    text="Cid CurrencyCode CustomMatchingReference Description ExternalLineReference InvoiceNo",
    int64="AccountId DepartmentId Dim1Id Dim2Id Dim3Id LocationId ProductId ProjectId",
    int32="VatId",
    double="CurrencyAmount CurrencyExchangeRate Quantity Quantity2",
    date="PostingDate",
    enum={"VatReturnSpecification": choices.VAT_RETURN},
    required="AccountId PostingDate VatId",
)
VOUCHER_POST = shape(
    "BankVoucherPostDto",
    _LABEL,
    text="CurrencyCode:3 Description ExternalImportReference SaftBatchId SaftSourceId",
    int64="ImportedVoucherNo",
    date="VoucherDate",
    array={"VoucherLines": _LINE_POST},
    required="CurrencyCode VoucherDate",
)
VOUCHER_LINE = (*_LINE_POST.names, "Id", "CreatedDateTimeOffset")
VOUCHER = (*VOUCHER_POST.names, *words("Id VoucherNo IsReversed CreatedDateTimeOffset"))
LEDGER_ENTRY = words(
    "Amount Balance Cid CreatedDateTimeOffset CreatedFromImportJournalId CurrencyAmount"
    " CurrencyCode CustomMatchingReference CustomerAccountNo CustomerExternalNo CustomerId"
    " CustomerName DepartmentCode DepartmentId Dim1Code Dim1Id Dim2Code Dim2Id Dim3Code Dim3Id"
    " DueDate ExternalImportReference Id InvoiceNo IsCreatedByCurrentIntegration IsWriteOff"
    " LastChangedDateTimeOffset LocationCode LocationId MatchId PaidFromBankAccount PostingDate"
    " ProjectCode ProjectId VoucherDate VoucherId VoucherNo VoucherType"
)
