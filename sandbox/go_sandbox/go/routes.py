"""The published routes: method, path, privileges (any one is enough) and operation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from go_sandbox.go import listing as lists
from go_sandbox.go import operations, schema
from go_sandbox.go.operations import (
    Answer,
    found,
    page_of,
)
from go_sandbox.go.references import ACCOUNT, CURRENCY, PAYMENT_TERM, VAT_CODE
from go_sandbox.go.schema import INVOICE, INVOICE_LINE, ORDER, PRODUCT_TYPE

if TYPE_CHECKING:
    from go_sandbox.go.listing import Filters
    from go_sandbox.go.operations import Call, Operation

_CREATED = lists.after("CreatedDateTimeOffset")
_CHANGED = lists.after("LastChangedDateTimeOffset")
_STAMP_FILTERS: Filters = {
    "createdDateTimeOffsetGreaterThan": _CREATED,
    "lastChangedDateTimeOffsetGreaterThan": _CHANGED,
}
_CUSTOMER_FILTERS: Filters = {
    "contactGroupIds": lists.number_lists("ContactGroupIds"),
    "customerCreatedDateTimeOffsetGreaterThan": lists.after("CustomerCreatedDateTimeOffset"),
    "customerNos": lists.numbers("Number"),
    "emailAddresses": lists.texts("EmailAddress", any_case=True),
    "externalImportReference": lists.text("ExternalImportReference"),
    "externalNos": lists.numbers("ExternalNumber"),
    "lastChangedDateTimeOffsetGreaterThan": _CHANGED,
    "organizationNumbers": lists.texts("OrganizationNumber"),
}
_GROUP_FILTERS: Filters = {
    **_STAMP_FILTERS,
    "codes": lists.texts("Code"),
    "isArchived": lists.flag("IsArchived"),
    "names": lists.texts("Name"),
    "type": lists.choice("ProductType", PRODUCT_TYPE),
}
_PRODUCT_FILTERS: Filters = {
    **_GROUP_FILTERS,
    "productGroupCodes": lists.texts("ProductGroupCode"),
    "stockOnHandLastChangedDatetimeOffsetGreaterThan": lists.after(
        "StockOnHandLastChangedDatetimeOffset"
    ),
}
_CONTACT_FILTERS: Filters = {
    **_STAMP_FILTERS,
    "contactIds": lists.numbers("ContactId"),
    "externalCodes": lists.texts("ExternalCode"),
}
_INVOICE_FILTERS: Filters = {
    "balanceLastChangedDateTimeOffsetGreaterThan": lists.after("BalanceLastChangedDateTimeOffset"),
    "customMatchingReferences": lists.texts("CustomMatchingReference"),
    "customerNos": lists.numbers("CustomerNo"),
    "departmentCodes": lists.texts("DepartmentCode"),
    "fromDate": lists.earliest("VoucherDate"),
    "includeSubProject": lists.ignored,
    "invoiceIds": lists.texts("Id", any_case=True),
    "invoiceNos": lists.numbers("InvoiceNo"),
    "onlyCreatedByCurrentIntegration": lists.only("IsCreatedByCurrentIntegration"),
    "onlyUnpaidInvoices": lists.only("Balance"),
    "projectCodes": lists.texts("ProjectCode"),
    "sentDateTimeOffsetGreaterThan": lists.after("SentDateTimeOffset"),
    "toDate": lists.latest("VoucherDate"),
    "voucherNos": lists.numbers("VoucherNo"),
}
_VAT_FILTERS: Filters = {
    "includeExpired": lists.ignored,
    "isActive": lists.flag("IsActive"),
}
_CURRENCY_FILTERS: Filters = {
    "currencyCode": lists.texts("Code"),
    "isActive": lists.flag("IsActive"),
}
_ACCOUNT_FILTERS: Filters = {
    "accountNos": lists.numbers("AccountNo"),
    "agricultureDepartments": lists.texts("AgricultureDepartment"),
    "lastChangedDateTimeOffsetGreaterThan": _CHANGED,
}


@dataclass(frozen=True)
class Published:
    """One operation of the API; without privileges, any valid token is enough."""

    method: str
    path: str
    privileges: frozenset[str]
    operation: Operation


def _client_information(call: Call) -> Answer:
    return Answer(
        200,
        {
            "ActiveClientSubscriptions": ["PowerOffice Go"],
            "AllowSendInvoice": call.claims["goAllowSendInvoice"],
            "ClientId": call.books.client_id,
            "ClientName": call.books.client_name,
            "InvalidPrivileges": [],
            "ValidPrivileges": list(call.claims["roles"]),
        },
    )


def _invoice_lines(call: Call) -> Answer:
    invoice = found(call, "OutgoingInvoices", late=True)
    return page_of(call, call.books.invoice_lines(invoice["Id"]), INVOICE_LINE, {})


def _either(*names: str) -> tuple[frozenset[str], frozenset[str]]:
    full = frozenset(f"{name}_Full" for name in names)
    return full | set(names), full


def _written(
    path: str,
    resource: str,
    names: tuple[str, ...],
    known: Filters,
    privileges: tuple[frozenset[str], frozenset[str]],
    *,
    under: str = "",
) -> list[Published]:
    """Return the five routes of a resource; `under` is the owner's part of the path, if any."""
    read, write = privileges
    single = f"{path}{under}/{{id}}"
    return [
        Published("GET", path, read, partial(operations.list_entries, resource, names, known)),
        Published("POST", f"{path}{under}", write, partial(operations.make, resource, names)),
        Published("GET", single, read, partial(operations.read, resource, names)),
        Published("PATCH", single, write, partial(operations.change, resource, names)),
        Published("DELETE", single, write, partial(operations.delete, resource)),
    ]


def _orders() -> list[Published]:
    read, write = _either("SalesOrders")
    single, line = "/salesorders/{id}", "/salesorders/{id}/lines/{lineid}"
    return [
        Published("GET", "/salesorders", read, operations.list_orders),
        Published("POST", "/salesorders/complete", write, operations.make_order),
        Published("GET", "/salesorders/sentstate", write, operations.sent_state),
        Published("GET", single, read, operations.read_order),
        Published("PATCH", single, write, partial(operations.change, "SalesOrders", ORDER)),
        Published("DELETE", single, write, partial(operations.delete, "SalesOrders")),
        Published("GET", f"{single}/complete", read, operations.read_complete),
        Published("POST", f"{single}/createandsendinvoice", write, operations.create_and_send),
        Published("GET", f"{single}/lines", read, operations.list_lines),
        Published("POST", f"{single}/lines", write, operations.make_line),
        Published("GET", line, read, operations.read_line),
        Published("PATCH", line, write, operations.change_line),
        Published("DELETE", line, write, operations.delete_line),
    ]


def _posted() -> list[Published]:
    invoices, _ = _either("OutgoingInvoice")
    ledger, _ = _either("CustomerLedger")
    _, vouchers = _either("BankVoucher")
    path, journals = "/outgoinginvoices", "/vouchers/bankjournals"
    listed = partial(operations.list_entries, "OutgoingInvoices", INVOICE, _INVOICE_FILTERS)
    return [
        Published("GET", path, invoices, listed),
        Published(
            "GET", f"{path}/{{id}}", invoices, partial(operations.read, "OutgoingInvoices", INVOICE)
        ),
        Published("GET", f"{path}/{{id}}/lines", invoices, _invoice_lines),
        Published("GET", "/customerledger/openitems", ledger, operations.list_open_items),
        Published("POST", journals, vouchers, operations.post_voucher),
        Published("GET", f"{journals}/{{id}}", vouchers, operations.read_voucher),
    ]


def _common() -> list[Published]:
    common, _ = _either("CommonServices")
    accounts, _ = _either("GeneralLedgerAccount")
    listed_accounts = partial(
        operations.list_entries, "GeneralLedgerAccounts", ACCOUNT, _ACCOUNT_FILTERS
    )
    term = partial(operations.read, "PaymentTerms", PAYMENT_TERM)
    return [
        Published("GET", "/clientintegrationinformation", frozenset(), _client_information),
        Published("GET", "/generalledgeraccounts", accounts, listed_accounts),
        Published(
            "GET",
            "/vatcodes",
            common,
            partial(operations.list_entries, "VatCodes", VAT_CODE, _VAT_FILTERS),
        ),
        Published(
            "GET",
            "/currencies",
            common,
            partial(operations.list_entries, "Currencies", CURRENCY, _CURRENCY_FILTERS),
        ),
        Published(
            "GET",
            "/paymentterms",
            common,
            partial(operations.list_entries, "PaymentTerms", PAYMENT_TERM, {}),
        ),
        Published("GET", "/paymentterms/{id}", common, term),
    ]


PUBLISHED = [
    *_common(),
    *_written("/customers", "Customers", schema.CUSTOMER, _CUSTOMER_FILTERS, _either("Customer")),
    *_written("/products", "Products", schema.PRODUCT, _PRODUCT_FILTERS, _either("Product")),
    *_written(
        "/productgroups",
        "ProductGroups",
        schema.PRODUCT_GROUP,
        _GROUP_FILTERS,
        _either("Product"),
    ),
    *_written(
        "/contactdeliveryaddresses",
        "ContactDeliveryAddresses",
        schema.DELIVERY_ADDRESS,
        _CONTACT_FILTERS,
        _either("ContactDeliveryAddress", "Customer", "Supplier", "Employee"),
        under="/{contactid}",
    ),
    *_written(
        "/contactpersons",
        "ContactPersons",
        schema.CONTACT_PERSON,
        _CONTACT_FILTERS,
        _either("ContactPerson", "Customer", "Supplier"),
        under="/{contactid}",
    ),
    *_orders(),
    *_posted(),
]
