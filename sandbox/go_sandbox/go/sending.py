"""Sending an order through the API, and the state that tells how it went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from go_sandbox.go import invoices, order_schema
from go_sandbox.go.contact_rules import check_email
from go_sandbox.go.problems import broken_rule, in_use

if TYPE_CHECKING:
    from go_sandbox.go.books import Books
    from go_sandbox.go.register import Entry

_UNDERWAY = "Sendings"


def create_and_send(books: Books, order: Entry, request: dict[str, Any]) -> Entry:
    """Take an order to be sent, asked for in a body read as `SendInvoiceRequestPostDto`.

    Return the request. The order is sent `sending_seconds` later; until then its state says that it
    is being processed.

    Raises:
        Refusal: the order has no lines, is being sent already (409), or the e-mail address is none.
    """
    check_email("Sales order", "EmailAddress", request.get("EmailAddress"))
    if not order["SalesOrderLines"]:
        raise broken_rule("Sales order", f"order {order['SalesOrderNo']} has no lines to invoice")
    if books.register(_UNDERWAY).get(order["Id"]):
        raise in_use("Sales order", order["Id"], "its invoice is being processed")
    books.register(_UNDERWAY).put({"Id": order["Id"], "at": time.time(), "request": request})
    _put_state(books, order["Id"], IsInvoiceBeingProcessed=True)
    go_on(books)
    return {**dict.fromkeys(order_schema.SEND_POST.names), **request, "Id": order["Id"]}


def go_on(books: Books) -> None:
    """Send what was asked for `sending_seconds` ago or earlier."""
    due = time.time() - books.switches.sending_seconds
    for asked in books.register(_UNDERWAY).values():
        if asked["at"] <= due:
            books.register(_UNDERWAY).remove(asked["Id"])
            _send(books, asked["Id"], asked["request"])


def _send(books: Books, order_id: str, request: dict[str, Any]) -> None:
    """Send an order; a delivery that cannot be made shows in its state, and the order stays."""
    order = books.register("SalesOrders").get(order_id)
    why = "The order is gone" if order is None else _obstacle(books, order, request)
    if order is None or why:
        _put_state(books, order_id, LastErrorMessage=why)
        return
    invoice = invoices.send(books, order, by_integration=True, request=request)
    same = ("DueDate", "InvoiceDeliveryType", "InvoiceNo", "SentDateTimeOffset")
    _put_state(books, order_id, **{name: invoice[name] for name in same})


def _obstacle(books: Books, order: Entry, request: dict[str, Any]) -> str | None:
    if not order["SalesOrderLines"]:
        return f"Order {order['SalesOrderNo']} has no lines to invoice"
    customer = books.register("Customers").get(order["CustomerId"]) or {}
    has_email = request.get("EmailAddress") or customer["EmailAddress"]
    is_by_email = (request.get("DeliveryType") or "Auto") == "PdfByEmail"
    if is_by_email and not (has_email or customer["InvoiceEmailAddress"]):
        return f"Customer {customer['Number']} has no e-mail address"
    return None


def state_of(books: Books, order_id: str) -> Entry | None:
    """Return how the sending of an order goes, as a reader sees it who lags behind."""
    state = books.register("SentStates").get(order_id, late=True)
    is_order = books.register("SalesOrders").get(order_id, late=True) is not None
    return _state(order_id) if state is None and is_order else state


def _put_state(books: Books, order_id: str, **members: object) -> None:
    books.register("SentStates").put(_state(order_id, **members))


def _state(order_id: str, **members: object) -> Entry:
    empty = dict.fromkeys(order_schema.SENT_STATE)
    return {**empty, "Id": order_id, "IsInvoiceBeingProcessed": False, **members}
