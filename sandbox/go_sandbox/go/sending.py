"""Sending an order through the API, and the state that tells how it went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from go_sandbox.go import invoices, order_schema
from go_sandbox.go.contact_rules import check_email
from go_sandbox.go.problems import broken_rule, in_use

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_UNDERWAY = "Sendings"


def create_and_send(ledger: Ledger, order: Entry, request: dict[str, Any]) -> Entry:
    """Take an order to be sent, asked for in a body read as `SendInvoiceRequestPostDto`.

    Return the request. The order is sent `sending_seconds` later; until then its state says that it
    is being processed.

    Raises:
        Refusal: the order has no lines, is being sent already (409), or the e-mail address is none.
    """
    check_email("Sales order", "EmailAddress", request.get("EmailAddress"))
    if not order["SalesOrderLines"]:
        raise broken_rule("Sales order", f"order {order['SalesOrderNo']} has no lines to invoice")
    if ledger.register(_UNDERWAY).get(order["Id"]):
        raise in_use("Sales order", order["Id"], "its invoice is being processed")
    ledger.register(_UNDERWAY).put({"Id": order["Id"], "at": time.time(), "request": request})
    _put_state(ledger, order["Id"], IsInvoiceBeingProcessed=True)
    go_on(ledger)
    return {**dict.fromkeys(order_schema.SEND_POST.names), **request, "Id": order["Id"]}


def go_on(ledger: Ledger) -> None:
    """Send what was asked for `sending_seconds` ago or earlier."""
    due = time.time() - ledger.switches.sending_seconds
    for asked in ledger.register(_UNDERWAY).values():
        if asked["at"] <= due:
            ledger.register(_UNDERWAY).remove(asked["Id"])
            _send(ledger, asked["Id"], asked["request"])


def _send(ledger: Ledger, order_id: str, request: dict[str, Any]) -> None:
    """Send an order; a delivery that cannot be made shows in its state, and the order stays."""
    order = ledger.register("SalesOrders").get(order_id)
    why = "The order is gone" if order is None else _obstacle(ledger, order, request)
    if order is None or why:
        _put_state(ledger, order_id, LastErrorMessage=why)
        return
    invoice = invoices.send(ledger, order, by_integration=True, request=request)
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
    """Return how the sending of an order goes, as a reader sees it who lags behind."""
    state = ledger.register("SentStates").get(order_id, late=True)
    is_order = ledger.register("SalesOrders").get(order_id, late=True) is not None
    return _state(order_id) if state is None and is_order else state


def _put_state(ledger: Ledger, order_id: str, **members: object) -> None:
    ledger.register("SentStates").put(_state(order_id, **members))


def _state(order_id: str, **members: object) -> Entry:
    empty = dict.fromkeys(order_schema.SENT_STATE)
    return {**empty, "Id": order_id, "IsInvoiceBeingProcessed": False, **members}
