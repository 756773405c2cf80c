"""Outgoing invoices and credit notes with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_powerofficego.fields import (
    choice,
    day,
    decimal,
    flag,
    rows,
    stamp,
    text,
    uuid_key,
    whole,
)
from tap_powerofficego.schemas.sales import dimensions, line_members, references, terms
from tap_powerofficego.schemas.words import AGRICULTURE

if TYPE_CHECKING:
    from tap_powerofficego.fields import Field


def _numbers() -> list[Field]:
    return [
        choice("VoucherType", "What it is.", "OutgoingInvoice", "OutgoingCreditNote"),
        whole("InvoiceNo", "The invoice number that people read."),
        whole("VoucherNo", "Number of the voucher."),
        day("VoucherDate", "The day it is booked on; `start_date` counts by it."),
        day("DueDate", "The day it falls due."),
        whole("OrderNo", "Number of the sales order that it was."),
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
    uuid_key("Id of the invoice; the sales order that it was had the same."),
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
"""An invoice or credit note that was sent, and what is left to pay of it."""
