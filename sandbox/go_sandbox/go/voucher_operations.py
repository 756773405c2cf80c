"""What the routes of bank vouchers and of the customer ledger do."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from go_sandbox.go import filters, vouchers
from go_sandbox.go.listing import read_query
from go_sandbox.go.operations import Answer, chosen, found, page_of, required_body
from go_sandbox.go.problems import bad_query
from go_sandbox.go.shapes import read_body
from go_sandbox.go.voucher_schema import LEDGER_ENTRY, VOUCHER, VOUCHER_LINE, VOUCHER_POST

if TYPE_CHECKING:
    from go_sandbox.go.operations import Call
    from go_sandbox.go.register import Entry

_IGNORED = (
    "contactGroupIds",
    "departmentCodes",
    "includeSubProject",
    "onlyBalancesLessThanAmount",
    "projectCodes",
    "subLedgerNumberSeriesIds",
)
_FILTERS = {
    **dict.fromkeys(_IGNORED, filters.ignored),
    "createdDateTimeOffsetGreaterThan": filters.after("CreatedDateTimeOffset"),
    "customMatchingReferences": filters.texts("CustomMatchingReference"),
    "customerNos": filters.numbers("CustomerAccountNo"),
    "date": filters.ignored,
    "externalNos": filters.numbers("CustomerExternalNo"),
    "invoiceNos": filters.texts("InvoiceNo"),
    "lastChangedDateTimeOffsetGreaterThan": filters.after("LastChangedDateTimeOffset"),
    "onlyCreatedByCurrentIntegration": filters.only(
        lambda entry: bool(entry["IsCreatedByCurrentIntegration"])
    ),
    "voucherTypes": filters.texts("VoucherType"),
}


def list_open_items(call: Call) -> Answer:
    """Answer the open entries of the customer ledger at a date, which must be given."""
    given = {name.lower(): value for name, value in call.query.items()}
    try:
        day = date.fromisoformat(given.get("date", "").strip()).isoformat()
    except ValueError as error:
        raise bad_query("date is required, as YYYY-MM-DD") from error
    return page_of(call, vouchers.open_items(call.books, day), LEDGER_ENTRY, _FILTERS)


def post_voucher(call: Call) -> Answer:
    """Post a bank voucher (201)."""
    read_query(call.query, set())
    values = read_body(VOUCHER_POST, required_body(call))
    return Answer(201, _shown(vouchers.post(call.books, values)))


def read_voucher(call: Call) -> Answer:
    """Answer one bank voucher."""
    read_query(call.query, set())
    return Answer(200, _shown(found(call, "BankVouchers", late=True)))


def _shown(voucher: Entry) -> Entry:
    lines = [chosen(line, VOUCHER_LINE) for line in voucher["VoucherLines"]]
    return {**chosen(voucher, VOUCHER), "VoucherLines": lines}
