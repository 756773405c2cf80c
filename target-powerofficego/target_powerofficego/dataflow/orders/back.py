"""Orders on the way back: the buyer's reference, the invoice, and whether it is paid; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.product_back import money
from target_powerofficego.dataflow.table import Conversion, Direction, Property
from target_powerofficego.dataflow.values import ABSENT, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_powerofficego.dataflow.table import Record

HAS_CREDIT_NOTE = "HasCreditNote"
"""A member that the way back adds to an invoice of Go that a credit note relates to."""

PAID = "paid"
PAYMENT_ROW = "payment_status"
_UNPAID = ("unpaid", "authorized", "partially_paid")


def _invoice(name: str) -> Callable[[Record, Conversion], Value]:
    def read(order: Record, _: Conversion) -> Value:
        if "invoice" not in order:
            return ABSENT
        invoice = order["invoice"]
        return invoice.get(name) if isinstance(invoice, dict) else None

    return read


def _to_invoice(name: str, told: Callable[[Value], Value]) -> Callable[[Value, Record], Record]:
    return lambda value, _: {"invoice": {name: None if value is None else told(value)}}


def _number(value: Value) -> Value:
    return None if value is None else str(value).strip() or None


def _moment(value: Value) -> Value:
    """Return a stamp in UTC as the shop's API has it; what is none stays as it is."""
    try:
        moment = values.instant(value, what="the stamp")
    except values.Unusable:
        return value
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _payment(order: Record, _: Conversion) -> Value:
    """Return "paid" for an order that the shop no longer counts as open."""
    if "payment_status" not in order:
        return ABSENT
    return None if order["payment_status"] in (*_UNPAID, None) else PAID


def _is_paid(entry: Mapping[str, Any]) -> Value:
    """Return "paid" for an invoice with nothing open; what was credited was not paid."""
    balance, total = entry.get("Balance"), entry.get("TotalAmount")
    is_open = balance is None or values.number_in_go(balance, what="Balance") != 0
    is_sale = total is not None and values.number_in_go(total, what="TotalAmount") > 0
    if is_open or not is_sale or entry.get("IsReversed") or entry.get(HAS_CREDIT_NOTE):
        return None
    return PAID


def _to_payment(value: Value, _: Record) -> Record:
    """Write "paid"; an order is never made unpaid again."""
    return {"payment_status": PAID} if value == PAID else {}


def _same_moment(value: Value) -> Value:
    return _moment(values.same_text(value))


INVOICE_ROWS = (
    Property(
        "invoice_number",
        "invoice.number",
        "InvoiceNo",
        "int64",
        Direction.TO_SHOP,
        _invoice("number"),
        same=_number,
        to_shop=_to_invoice("number", str),
        note="of OutgoingInvoices; once the invoice is sent, by whomever",
    ),
    Property(
        "invoice_sent_at",
        "invoice.sent_at",
        "SentDateTimeOffset",
        "date-time",
        Direction.TO_SHOP,
        _invoice("sent_at"),
        same=_same_moment,
        to_shop=_to_invoice("sent_at", _moment),
    ),
    Property(
        "invoice_due_on",
        "invoice.due_on",
        "DueDate",
        "date",
        Direction.TO_SHOP,
        _invoice("due_on"),
        same=values.same_date,
        to_shop=_to_invoice("due_on", values.same_date),
    ),
    Property(
        "invoice_balance",
        "invoice.balance",
        "Balance",
        "decimal",
        Direction.TO_SHOP,
        _invoice("balance"),
        same=values.same_amount,
        to_shop=_to_invoice(
            "balance", lambda value: money(values.number_in_go(value, what="Balance"))
        ),
    ),
    Property(
        PAYMENT_ROW,
        "payment_status",
        "Balance",
        "decimal",
        Direction.TO_SHOP,
        _payment,
        to_shop=_to_payment,
        of_go=_is_paid,
        needs=("TotalAmount", "RelatedInvoiceNo", "IsReversed"),
        note="0: `paid`, from unpaid, authorized or partially_paid only, and not when a"
        " credit note relates to the invoice",
    ),
)
