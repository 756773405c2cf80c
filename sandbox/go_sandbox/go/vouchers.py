"""Bank vouchers, which pay invoices, and the open items of the customer ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from go_sandbox.go import invoices
from go_sandbox.go.problems import broken_rule, unknown_reference
from go_sandbox.go.references import check_currency, check_unique
from go_sandbox.go.schema import LEDGER_ENTRY, VOUCHER, VOUCHER_LINE

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Entry, Ledger

_KIND = "Bank voucher"


def post(ledger: Ledger, body: dict[str, Any]) -> Entry:
    """Post a voucher from a body read as `BankVoucherPostDto`.

    A line on a customer's ledger account settles an invoice of that customer that has the same
    `CustomMatchingReference` and the opposite open amount; without one, the line stays open.

    Raises:
        Refusal: the lines do not sum to zero, an account is unknown (404), or the reference is
            held by another voucher.
    """
    voucher: Entry = {**dict.fromkeys(VOUCHER), **body}
    check_unique(ledger, _KIND, "BankVouchers", "ExternalImportReference", voucher)
    check_currency(ledger, _KIND, body["CurrencyCode"])
    now = ledger.clock.stamp()
    lines = [_line(ledger, line, now) for line in body.get("VoucherLines") or []]
    if not lines or sum(line["CurrencyAmount"] for line in lines):
        raise broken_rule(_KIND, "VoucherLines must be there and sum to zero")
    voucher |= {
        "Id": str(uuid4()),
        "VoucherNo": ledger.next_number("voucher", first=1),
        "IsReversed": False,
        "CreatedDateTimeOffset": now,
        "VoucherLines": lines,
    }
    for line in lines:
        _settle(ledger, voucher, line)
    return ledger.register("BankVouchers").put(voucher)


def open_items(ledger: Ledger, date: str) -> list[Entry]:
    """Return the open ledger entries of vouchers up to and including the date."""
    invoices_then = ledger.register("OutgoingInvoices").values(late=True)
    invoiced = [_invoice_entry(ledger, invoice) for invoice in invoices_then]
    entries = [*invoiced, *ledger.register("OpenPayments").values(late=True)]
    return [entry for entry in entries if entry["Balance"] and entry["VoucherDate"] <= date]


def _line(ledger: Ledger, body: dict[str, Any], now: str) -> Entry:
    account_id = body["AccountId"]
    known = ledger.register("GeneralLedgerAccounts").get(account_id)
    if not known and not ledger.register("Customers").holder("SubledgerAccountId", account_id):
        raise unknown_reference(_KIND, "AccountId", account_id)
    if ledger.register("VatCodes").get(body["VatId"]) is None:
        raise unknown_reference(_KIND, "VatId", body["VatId"])
    return {
        **dict.fromkeys(VOUCHER_LINE),
        **body,
        "CurrencyAmount": body.get("CurrencyAmount") or Decimal(0),
        "Id": ledger.next_number("voucher line", first=60_000_001),
        "CreatedDateTimeOffset": now,
    }


def _settle(ledger: Ledger, voucher: Entry, line: Entry) -> None:
    customer = ledger.register("Customers").holder("SubledgerAccountId", line["AccountId"])
    if customer is None:
        return
    reference, amount = line["CustomMatchingReference"], line["CurrencyAmount"]
    for invoice in ledger.register("OutgoingInvoices").values():
        same = reference and invoice["CustomMatchingReference"] == reference
        if same and invoice["CustomerId"] == customer["Id"] and invoice["Balance"] == -amount:
            invoices.change(ledger, invoice, {"Balance": Decimal(0)})
            return
    entry = {
        **_customer_members(customer),
        **{name: line[name] for name in set(line) & set(LEDGER_ENTRY)},
        "Amount": amount,
        "Balance": amount,
        "ExternalImportReference": voucher["ExternalImportReference"],
        "IsCreatedByCurrentIntegration": True,
        "LastChangedDateTimeOffset": line["CreatedDateTimeOffset"],
        "VoucherDate": voucher["VoucherDate"],
        "VoucherId": voucher["Id"],
        "VoucherNo": voucher["VoucherNo"],
        "VoucherType": "BankJournal",
    }
    ledger.register("OpenPayments").put(entry)


def _invoice_entry(ledger: Ledger, invoice: Entry) -> Entry:
    customer = ledger.register("Customers").get(invoice["CustomerId"]) or {}
    return {
        **_customer_members(customer),
        **{name: invoice[name] for name in set(invoice) & set(LEDGER_ENTRY)},
        "Id": invoice["InvoiceNo"],
        "Amount": invoice["TotalPostedAmount"],
        "CurrencyAmount": invoice["TotalAmount"],
        "InvoiceNo": str(invoice["InvoiceNo"]),
        "LastChangedDateTimeOffset": invoice["BalanceLastChangedDateTimeOffset"],
        "PostingDate": invoice["VoucherDate"],
        "VoucherId": invoice["Id"],
    }


def _customer_members(customer: Entry) -> Entry:
    person = f"{customer['FirstName'] or ''} {customer['LastName'] or ''}".strip()
    return {
        **dict.fromkeys(LEDGER_ENTRY),
        "CustomerAccountNo": customer["Number"],
        "CustomerExternalNo": customer["ExternalNumber"],
        "CustomerId": customer["Id"],
        "CustomerName": customer["Name"] or person,
        "IsWriteOff": False,
    }
