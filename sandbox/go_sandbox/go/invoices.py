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
    from go_sandbox.go.books import Books
    from go_sandbox.go.register import Entry

_SAME = (set(order_schema.INVOICE) & set(order_schema.ORDER)) - {"CreatedDateTimeOffset"}


def send(
    books: Books, order: Entry, *, by_integration: bool, request: dict[str, Any] | None = None
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
    customer = books.register("Customers").get(order["CustomerId"]) or {}
    invoice = {
        **dict.fromkeys(order_schema.INVOICE),
        **{name: order[name] for name in _SAME},
        **posting(books, order),
        **_terms(books, order, customer, request),
        **_delivery_address(books, order),
        "CustomerNo": customer["Number"],
        "InvoiceDeliveryType": customer["InvoiceDeliveryType"],
        "IsCreatedByCurrentIntegration": by_integration,
    }
    lines = [_line(books, line) for line in order["SalesOrderLines"]]
    books.register("OutgoingInvoiceLines").put({"Id": invoice["Id"], "Lines": lines})
    stock.take(books, order)
    books.register("SalesOrders").remove(order["Id"])
    return books.register("OutgoingInvoices").put(matching.take_payment(books, invoice))


def change(books: Books, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change an invoice as its payment does: a new `Balance` moves only the balance's stamp."""
    after = {**before, **changes}
    now = books.clock.stamp()
    if after["Balance"] != before["Balance"]:
        after["Balance"] = Decimal(after["Balance"])
        after["BalanceLastChangedDateTimeOffset"] = now
    if any(after[name] != before[name] for name in after if "Balance" not in name):
        after["LastChangedDateTimeOffset"] = now
    return books.register("OutgoingInvoices").put(after)


def posting(books: Books, order: Entry) -> Entry:
    """Return what an order gets when it is posted: its numbers, its stamps and an open balance."""
    now = books.clock.stamp()
    credit = order["TotalAmount"] < 0
    rate = order["CurrencyExchangeRate"] or Decimal(1)
    return {
        "InvoiceNo": books.next_number("invoice", first=1001),
        "VoucherNo": books.next_number("voucher", first=1),
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


def _terms(books: Books, order: Entry, customer: Entry, request: dict[str, Any]) -> Entry:
    terms = books.register("PaymentTerms")
    usual = next(term for term in terms.values() if term["IsDefault"])
    term = terms.get(order["PaymentTermId"]) or terms.get(customer["PaymentTermId"]) or usual
    date = request.get("VoucherDate") or books.clock.today()
    return {
        "PaymentTermId": term["Id"],
        "PaymentTerm": term["CreditDays"],
        "VoucherDate": date,
        "DeliveryDate": order["DeliveryDate"] or date,
        "DueDate": request.get("OverrideDueDate") or days_after(date, term["CreditDays"]),
    }


def _delivery_address(books: Books, order: Entry) -> Entry:
    addresses = books.register("ContactDeliveryAddresses")
    address = addresses.get(order["ContactDeliveryAddressId"]) or primary_address(books, order)
    return {
        "DeliveryAddress1": address.get("AddressLine1"),
        "DeliveryAddress2": address.get("AddressLine2"),
        "DeliveryAddressCity": address.get("City"),
        "DeliveryAddressCountryCode": address.get("CountryCode"),
        "DeliveryAddressZipCode": address.get("ZipCode"),
    }


def _line(books: Books, line: Entry) -> Entry:
    product = books.register("Products").get(line["ProductId"])
    account: Entry = {}
    if product:
        account = sales_account(books, product, standard=bool(line["UseStandardSalesAccount"]))
    return {
        **{name: line.get(name) for name in order_schema.INVOICE_LINE},
        "Id": books.next_number("invoice line", first=50_000_001),
        "AccountId": account.get("Id"),
        "AccountNo": account.get("AccountNo"),
        "IsAccrued": False,
        "ProductUnitPrice": line["ProductUnitPrice"] or Decimal(0),
        "VatRate": line["VatRate"] or Decimal(0),
        "NetPostedAmount": line["NetAmount"],
        "TotalPostedAmount": line["TotalAmount"],
    }
