"""What a bookkeeper does with an invoice that is sent: books its payment, credits or reverses it.

None of it can be done through the API, which only shows what came of it.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from uuid import uuid4

from go_sandbox.go import invoices, stock
from go_sandbox.go.problems import broken_rule
from go_sandbox.go.vat import rounded

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_KIND = "Outgoing invoice"
_COUNTED = (
    "Quantity",
    "NetAmount",
    "VatAmount",
    "TotalAmount",
    "NetPostedAmount",
    "TotalPostedAmount",
)


def pay(ledger: Ledger, invoice: Entry, amount: object = None) -> Entry:
    """Book a payment of an invoice, or that a credit note is paid out; return it as it is then.

    Args:
        ledger: the client's ledger.
        invoice: the invoice or credit note.
        amount: how much, in the invoice's currency; None is all that is open.

    Raises:
        Refusal: the amount is none, or more than is open.
    """
    balance = Decimal(invoice["Balance"])
    paid = _checked(amount, abs(balance), f"open on {invoice['InvoiceNo']}")
    return invoices.change(ledger, invoice, {"Balance": balance - paid.copy_sign(balance)})


def credit(ledger: Ledger, invoice: Entry, amount: object = None) -> Entry:
    """Credit an invoice and return the credit note.

    What is still open of the invoice is matched with the credit note at once. The rest of the
    credit note stays open: it is money that the buyer shall have back.

    A credit note of the whole invoice has the invoice's lines with negative quantities, and stock
    comes back. One of a part has an amount in place of each line, shared out by the lines' totals:
    a price that was let down, nothing that came back.

    Args:
        ledger: the client's ledger.
        invoice: the invoice.
        amount: how much with VAT, in the invoice's currency; None is all not yet credited.

    Raises:
        Refusal: it is a credit note itself, or the amount is none or more than can be credited.
    """
    number, total = invoice["InvoiceNo"], Decimal(invoice["TotalAmount"])
    if invoice["VoucherType"] != "OutgoingInvoice":
        raise broken_rule(_KIND, f"{number} is a credit note and cannot be credited")
    uncredited = total - _credited(ledger, invoice)
    credited = _checked(amount, uncredited, f"left to credit of {number}")
    charged = ledger.invoice_lines(invoice["Id"])
    if credited == total:
        lines = [_returned(ledger, line) for line in charged]
        net = Decimal(invoice["NetAmount"])
    else:
        lines = _let_down(ledger, charged, credited)
        net = Decimal(-sum(line["NetAmount"] for line in lines))
    note = _note(ledger, invoice, net=net, total=credited)
    ledger.register("OutgoingInvoiceLines").put({"Id": note["Id"], "Lines": lines})
    stock.take(ledger, {"SalesOrderStatus": "Draft", "SalesOrderLines": lines})
    return _matched(ledger, invoice, note)


def reverse(ledger: Ledger, invoice: Entry) -> Entry:
    """Take an invoice back as if it had never been, and return the credit note that does it.

    The contract shows `IsReversed` on an invoice but does not tell how Go reverses one. Here it is
    credited as a whole, and marked; the credit note itself is not marked.

    Raises:
        Refusal: it is a credit note, or something of it was credited before.
    """
    if _credited(ledger, invoice):
        raise broken_rule(_KIND, f"{invoice['InvoiceNo']} was credited and cannot be reversed")
    note = credit(ledger, invoice)
    after = ledger.register("OutgoingInvoices").get(invoice["Id"]) or invoice
    invoices.change(ledger, after, {"IsReversed": True})
    return note


def _checked(asked: object, most: Decimal, what: str) -> Decimal:
    if not most:
        raise broken_rule(_KIND, f"nothing is {what}")
    try:
        amount = most if asked is None else Decimal(str(asked))
        is_amount = amount > 0 and amount == rounded(amount)
    except InvalidOperation:
        is_amount = False
    if not is_amount:
        raise broken_rule(_KIND, f"{asked} is no amount above zero in whole øre")
    if amount > most:
        raise broken_rule(_KIND, f"{amount} is more than the {most} that is {what}")
    return amount


def _credited(ledger: Ledger, invoice: Entry) -> Decimal:
    entries = ledger.register("OutgoingInvoices").values()
    notes = [one for one in entries if one["RelatedInvoiceNo"] == invoice["InvoiceNo"]]
    return -sum((Decimal(note["TotalAmount"]) for note in notes), Decimal(0))


def _returned(ledger: Ledger, line: Entry) -> Entry:
    negative = {name: -line[name] for name in _COUNTED if line[name]}
    return {**line, **negative, **_own_members(ledger)}


def _let_down(ledger: Ledger, lines: list[Entry], credited: Decimal) -> list[Entry]:
    charged = [line for line in lines if line["TotalAmount"]]
    total = sum(Decimal(line["TotalAmount"]) for line in charged)
    shares = [rounded(credited * line["TotalAmount"] / total) for line in charged[:-1]]
    shares.append(credited - sum(shares))
    return [
        _let_down_line(ledger, line, share)
        for line, share in zip(charged, shares, strict=True)
        if share
    ]


def _let_down_line(ledger: Ledger, line: Entry, share: Decimal) -> Entry:
    net = rounded(share / (1 + Decimal(line["VatRate"])))
    return {
        **line,
        **_own_members(ledger),
        "ProductId": None,
        "ProductCode": None,
        "ProductUnitPrice": net,
        "Allowance": Decimal(0),
        "Quantity": Decimal(-1),
        "NetAmount": -net,
        "VatAmount": net - share,
        "TotalAmount": -share,
        "NetPostedAmount": -net,
        "TotalPostedAmount": -share,
    }


def _own_members(ledger: Ledger) -> Entry:
    number = ledger.next_number("invoice line", first=50_000_001)
    return {"Id": number, "ExternalImportReference": None}


def _note(ledger: Ledger, invoice: Entry, *, net: Decimal, total: Decimal) -> Entry:
    draft = {
        "SalesOrderNo": ledger.next_number("sales order", first=1),
        "SalesOrderDate": ledger.clock.today(),
        "CurrencyExchangeRate": invoice["CurrencyExchangeRate"],
        "NetAmount": -net,
        "TotalAmount": -total,
    }
    return {
        **invoice,
        **invoices.posting(ledger, draft),
        "NetAmount": -net,
        "TotalAmount": -total,
        "Id": str(uuid4()),
        "ExternalImportReference": None,
        "IsCreatedByCurrentIntegration": False,
        "RelatedInvoiceNo": invoice["InvoiceNo"],
        "VoucherDate": ledger.clock.today(),
        "DueDate": ledger.clock.today(),
    }


def _matched(ledger: Ledger, invoice: Entry, note: Entry) -> Entry:
    balance, credited = Decimal(invoice["Balance"]), -note["TotalAmount"]
    matched = min(balance, credited)
    invoices.change(ledger, invoice, {"Balance": balance - matched})
    return ledger.register("OutgoingInvoices").put({**note, "Balance": matched - credited})
