"""Outgoing invoices and credit notes: an order is sent, then paid, credited or reversed."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from go_sandbox.go import orders, schema
from go_sandbox.go.customers import check_email
from go_sandbox.go.orders import primary_address
from go_sandbox.go.problems import broken_rule, in_use
from go_sandbox.go.references import rounded, sales_account
from go_sandbox.go.stamps import days_after

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Entry, Ledger

_SAME = (set(schema.INVOICE) & set(schema.ORDER)) - {"CreatedDateTimeOffset"}
_UNDERWAY = "Sendings"
_KIND = "Outgoing invoice"
_COUNTED = (
    "Quantity",
    "NetAmount",
    "VatAmount",
    "TotalAmount",
    "NetPostedAmount",
    "TotalPostedAmount",
)


def take_payment(ledger: Ledger, invoice: Entry) -> Entry:
    """Match an invoice that was just posted with a payment that waits for it; return the invoice.

    Both are settled when customer and `CustomMatchingReference` are the same and the amounts are
    opposite. A payment of another amount stays open: what Go does with it is not known.
    """
    reference = invoice["CustomMatchingReference"]
    for payment in ledger.register("OpenPayments").values() if reference else ():
        same = payment["CustomMatchingReference"] == reference
        is_theirs = same and payment["CustomerId"] == invoice["CustomerId"]
        if is_theirs and payment["Balance"] and payment["Balance"] == -invoice["Balance"]:
            ledger.register("OpenPayments").put({**payment, "Balance": Decimal(0)})
            return {**invoice, "Balance": Decimal(0)}
    return invoice


def send(
    ledger: Ledger, order: Entry, *, by_integration: bool, request: dict[str, Any] | None = None
) -> Entry:
    """Turn an order into an invoice (a credit note if its sum is negative) and return the invoice.

    The invoice keeps the order's id; its lines get new ids. An order that a person sent does not
    count as created by the integration.

    Raises:
        Refusal: the order has no lines.
    """
    if not order["SalesOrderLines"]:
        raise broken_rule("Sales order", f"order {order['SalesOrderNo']} has no lines to invoice")
    request = request or {}
    customer = ledger.register("Customers").get(order["CustomerId"]) or {}
    invoice = {
        **dict.fromkeys(schema.INVOICE),
        **{name: order[name] for name in _SAME},
        **posting(ledger, order),
        **_terms(ledger, order, customer, request),
        **_delivery_address(ledger, order),
        "CustomerNo": customer["Number"],
        "InvoiceDeliveryType": customer["InvoiceDeliveryType"],
        "IsCreatedByCurrentIntegration": by_integration,
    }
    lines = [_line(ledger, line) for line in order["SalesOrderLines"]]
    ledger.register("OutgoingInvoiceLines").put({"Id": invoice["Id"], "Lines": lines})
    orders.take_from_stock(ledger, order)
    ledger.register("SalesOrders").remove(order["Id"])
    return ledger.register("OutgoingInvoices").put(take_payment(ledger, invoice))


def change(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change an invoice as a payment does: a new `Balance` moves only the balance's stamp."""
    after = {**before, **changes}
    now = ledger.clock.stamp()
    if after["Balance"] != before["Balance"]:
        after["Balance"] = Decimal(after["Balance"])
        after["BalanceLastChangedDateTimeOffset"] = now
    if any(after[name] != before[name] for name in after if "Balance" not in name):
        after["LastChangedDateTimeOffset"] = now
    return ledger.register("OutgoingInvoices").put(after)


def posting(ledger: Ledger, order: Entry) -> Entry:
    """Return the members that posting gives an order: numbers, stamps and an open balance."""
    now = ledger.clock.stamp()
    credit = order["TotalAmount"] < 0
    rate = order["CurrencyExchangeRate"] or Decimal(1)
    return {
        "InvoiceNo": ledger.next_number("invoice", first=1001),
        "VoucherNo": ledger.next_number("voucher", first=1),
        "VoucherType": "OutgoingCreditNote" if credit else "OutgoingInvoice",
        "OrderNo": order["SalesOrderNo"],
        "OrderDate": order["SalesOrderDate"],
        "Balance": order["TotalAmount"],
        "BalanceLastChangedDateTimeOffset": now,
        "NetPostedAmount": order["NetAmount"] * rate,
        "TotalPostedAmount": order["TotalAmount"] * rate,
        "IsReversed": False,
        "CreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
        "SentDateTimeOffset": now,
    }


def _terms(ledger: Ledger, order: Entry, customer: Entry, request: dict[str, Any]) -> Entry:
    terms = ledger.register("PaymentTerms")
    usual = next(term for term in terms.values() if term["IsDefault"])
    term = terms.get(order["PaymentTermId"]) or terms.get(customer["PaymentTermId"]) or usual
    date = request.get("VoucherDate") or ledger.clock.today()
    return {
        "PaymentTermId": term["Id"],
        "PaymentTerm": term["CreditDays"],
        "VoucherDate": date,
        "DeliveryDate": order["DeliveryDate"] or date,
        "DueDate": request.get("OverrideDueDate") or days_after(date, term["CreditDays"]),
    }


def _delivery_address(ledger: Ledger, order: Entry) -> Entry:
    addresses = ledger.register("ContactDeliveryAddresses")
    address = addresses.get(order["ContactDeliveryAddressId"]) or primary_address(ledger, order)
    return {
        "DeliveryAddress1": address.get("AddressLine1"),
        "DeliveryAddress2": address.get("AddressLine2"),
        "DeliveryAddressCity": address.get("City"),
        "DeliveryAddressCountryCode": address.get("CountryCode"),
        "DeliveryAddressZipCode": address.get("ZipCode"),
    }


def _line(ledger: Ledger, line: Entry) -> Entry:
    product = ledger.register("Products").get(line["ProductId"])
    account: Entry = {}
    if product:
        account = sales_account(ledger, product, standard=bool(line["UseStandardSalesAccount"]))
    return {
        **{name: line.get(name) for name in schema.INVOICE_LINE},
        "Id": ledger.next_number("invoice line", first=50_000_001),
        "AccountId": account.get("Id"),
        "AccountNo": account.get("AccountNo"),
        "IsAccrued": False,
        "ProductUnitPrice": line["ProductUnitPrice"] or Decimal(0),
        "VatRate": line["VatRate"] or Decimal(0),
        "NetPostedAmount": line["NetAmount"],
        "TotalPostedAmount": line["TotalAmount"],
    }


def create_and_send(ledger: Ledger, order: Entry, request: dict[str, Any]) -> Entry:
    """Accept a request (a `SendInvoiceRequestPostDto`) to send an order; return the request.

    The order is sent `sending_seconds` later; until then its state says that it is being processed.

    Raises:
        Refusal: the order has no lines or is being sent already (409), or the e-mail address is
            not one.
    """
    check_email("Sales order", "EmailAddress", request.get("EmailAddress"))
    if not order["SalesOrderLines"]:
        raise broken_rule("Sales order", f"order {order['SalesOrderNo']} has no lines to invoice")
    if ledger.register(_UNDERWAY).get(order["Id"]):
        raise in_use("Sales order", order["Id"], "its invoice is being processed")
    ledger.register(_UNDERWAY).put({"Id": order["Id"], "at": _moment(ledger), "request": request})
    _put_state(ledger, order["Id"], IsInvoiceBeingProcessed=True)
    go_on(ledger)
    return {**dict.fromkeys(schema.SEND_POST.names), **request, "Id": order["Id"]}


def go_on(ledger: Ledger) -> None:
    """Send the orders whose sending was requested `sending_seconds` ago or earlier."""
    due = _moment(ledger) - ledger.switches.sending_seconds
    for asked in ledger.register(_UNDERWAY).values():
        if asked["at"] <= due:
            ledger.register(_UNDERWAY).remove(asked["Id"])
            _send(ledger, asked["Id"], asked["request"])


def _moment(ledger: Ledger) -> float:
    return time.time() + ledger.switches.passed_seconds


def _send(ledger: Ledger, order_id: str, request: dict[str, Any]) -> None:
    """Send an order; if it cannot be delivered, its state has the error and the order stays."""
    order = ledger.register("SalesOrders").get(order_id)
    why = "The order is gone" if order is None else _obstacle(ledger, order, request)
    if order is None or why:
        _put_state(ledger, order_id, LastErrorMessage=why)
        return
    invoice = send(ledger, order, by_integration=True, request=request)
    same = ("DueDate", "InvoiceDeliveryType", "InvoiceNo", "SentDateTimeOffset")
    _put_state(ledger, order_id, **{name: invoice[name] for name in same})


def _obstacle(ledger: Ledger, order: Entry, request: dict[str, Any]) -> str | None:
    if not order["SalesOrderLines"]:
        return f"Order {order['SalesOrderNo']} has no lines to invoice"
    customer = ledger.register("Customers").get(order["CustomerId"]) or {}
    has_email = request.get("EmailAddress") or customer["EmailAddress"]
    is_by_email = (request.get("DeliveryType") or "Auto") == "PdfByEmail"
    if is_by_email and not (has_email or customer["InvoiceEmailAddress"]):
        return f"Customer {customer['Number']} has no e-mail address"
    return None


def state_of(ledger: Ledger, order_id: str) -> Entry | None:
    """Return the state of an order's sending, as a reader that lags behind sees it."""
    state = ledger.register("SentStates").get(order_id, late=True)
    is_order = ledger.register("SalesOrders").get(order_id, late=True) is not None
    return _state(order_id) if state is None and is_order else state


def _put_state(ledger: Ledger, order_id: str, **members: object) -> None:
    ledger.register("SentStates").put(_state(order_id, **members))


def _state(order_id: str, **members: object) -> Entry:
    empty = dict.fromkeys(schema.SENT_STATE)
    return {**empty, "Id": order_id, "IsInvoiceBeingProcessed": False, **members}


def pay(ledger: Ledger, invoice: Entry, amount: object = None) -> Entry:
    """Book the payment of an invoice or the payout of a credit note; return the changed invoice.

    Args:
        ledger: the client's ledger.
        invoice: the invoice or credit note.
        amount: the sum in the invoice's currency; None means the entire balance.

    Raises:
        Refusal: the amount is invalid, or more than is open.
    """
    balance = Decimal(invoice["Balance"])
    paid = _checked(amount, abs(balance), f"open on {invoice['InvoiceNo']}")
    return change(ledger, invoice, {"Balance": balance - paid.copy_sign(balance)})


def credit(ledger: Ledger, invoice: Entry, amount: object = None) -> Entry:
    """Credit an invoice and return the credit note.

    The open balance of the invoice is matched with the credit note at once. The rest of the
    credit note stays open: it is money owed to the buyer.

    A credit note for the entire invoice has its lines with negative quantities, and stock
    comes back. For a part, it has an amount in place of each line, divided by the lines' totals:
    a price reduction, with no goods returned.

    Args:
        ledger: the client's ledger.
        invoice: the invoice.
        amount: the sum with VAT in the invoice's currency; None means all not yet credited.

    Raises:
        Refusal: it is a credit note, or the amount is invalid or more than can be credited.
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
    orders.take_from_stock(ledger, {"SalesOrderStatus": "Draft", "SalesOrderLines": lines})
    return _matched(ledger, invoice, note)


def reverse(ledger: Ledger, invoice: Entry) -> Entry:
    """Reverse an invoice as if it had never existed, and return the credit note that does so.

    The contract has `IsReversed` on an invoice but does not say how Go reverses it. Here it is
    credited in full and marked; the credit note itself is not marked.

    Raises:
        Refusal: it is a credit note, or part of it was credited before.
    """
    if _credited(ledger, invoice):
        raise broken_rule(_KIND, f"{invoice['InvoiceNo']} was credited and cannot be reversed")
    note = credit(ledger, invoice)
    after = ledger.register("OutgoingInvoices").get(invoice["Id"]) or invoice
    change(ledger, after, {"IsReversed": True})
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
    notes = [entry for entry in entries if entry["RelatedInvoiceNo"] == invoice["InvoiceNo"]]
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
        **posting(ledger, draft),
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
    change(ledger, invoice, {"Balance": balance - matched})
    return ledger.register("OutgoingInvoices").put({**note, "Balance": matched - credited})
