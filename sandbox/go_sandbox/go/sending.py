"""Sending an order through the API, and the state that tells how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from go_sandbox.go import invoices, order_schema
from go_sandbox.go.contact_rules import check_email

if TYPE_CHECKING:
    from go_sandbox.go.books import Books
    from go_sandbox.go.register import Entry


def create_and_send(books: Books, order: Entry, request: dict[str, Any]) -> Entry:
    """Send an order as asked in a body read as `SendInvoiceRequestPostDto`; return the request.

    A delivery that cannot be made is not refused: it shows as `LastErrorMessage` in the state, and
    the order stays.

    Raises:
        Refusal: the order has no lines, or the e-mail address is none.
    """
    check_email("Sales order", "EmailAddress", request.get("EmailAddress"))
    customer = books.register("Customers").get(order["CustomerId"]) or {}
    delivery = request.get("DeliveryType") or "Auto"
    has_email = request.get("EmailAddress") or customer["EmailAddress"]
    state = {**dict.fromkeys(order_schema.SENT_STATE), "Id": order["Id"]}
    state["IsInvoiceBeingProcessed"] = False
    if delivery == "PdfByEmail" and not (has_email or customer["InvoiceEmailAddress"]):
        state["LastErrorMessage"] = f"Customer {customer['Number']} has no e-mail address"
    else:
        invoice = invoices.send(books, order, by_integration=True, request=request)
        same = ("DueDate", "InvoiceDeliveryType", "InvoiceNo", "SentDateTimeOffset")
        state |= {name: invoice[name] for name in same}
    books.register("SentStates").put(state)
    return {**dict.fromkeys(order_schema.SEND_POST.names), **request, "Id": order["Id"]}
