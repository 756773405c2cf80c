"""Outgoing invoices and credit notes: what a sales order becomes when it is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from go_sandbox.go import matching, order_schema, stock
from go_sandbox.go.orders import primary_address
from go_sandbox.go.problems import broken_rule
from go_sandbox.go.stamps import days_after
from go_sandbox.go.vat import sales_account

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_SAME = (set(order_schema.INVOICE) & set(order_schema.ORDER)) - {"CreatedDateTimeOffset"}


def send(
    ledger: Ledger, order: Entry, *, by_integration: bool, request: dict[str, Any] | None = None
) -> Entry:
    """Turn an order into an invoice (a credit note if its sum is negative) and return that.

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
        **dict.fromkeys(order_schema.INVOICE),
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
    stock.take(ledger, order)
    ledger.register("SalesOrders").remove(order["Id"])
    return ledger.register("OutgoingInvoices").put(matching.take_payment(ledger, invoice))


def change(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change an invoice as its payment does: a new `Balance` moves only the balance's stamp."""
    after = {**before, **changes}
    now = ledger.clock.stamp()
    if after["Balance"] != before["Balance"]:
        after["Balance"] = Decimal(after["Balance"])
        after["BalanceLastChangedDateTimeOffset"] = now
    if any(after[name] != before[name] for name in after if "Balance" not in name):
        after["LastChangedDateTimeOffset"] = now
    return ledger.register("OutgoingInvoices").put(after)


def posting(ledger: Ledger, order: Entry) -> Entry:
    """Return what an order gets when it is posted: its numbers, its stamps and an open balance."""
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
        **{name: line.get(name) for name in order_schema.INVOICE_LINE},
        "Id": ledger.next_number("invoice line", first=50_000_001),
        "AccountId": account.get("Id"),
        "AccountNo": account.get("AccountNo"),
        "IsAccrued": False,
        "ProductUnitPrice": line["ProductUnitPrice"] or Decimal(0),
        "VatRate": line["VatRate"] or Decimal(0),
        "NetPostedAmount": line["NetAmount"],
        "TotalPostedAmount": line["TotalAmount"],
    }
