"""What the routes of sales orders and their lines do, where they differ from other resources."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from go_sandbox.go import filters, orders, sending
from go_sandbox.go.listing import read_query
from go_sandbox.go.operations import Answer, chosen, found, page_of, patched, required_body
from go_sandbox.go.order_schema import LINE, ORDER, ORDER_POST, SEND_POST, SENT_STATE
from go_sandbox.go.problems import Refusal, bad_query, not_found
from go_sandbox.go.resources import RESOURCES
from go_sandbox.go.shapes import read_body

if TYPE_CHECKING:
    from go_sandbox.go.operations import Call
    from go_sandbox.go.register import Entry

_FILTERS = {
    "customerNos": filters.numbers("CustomerNo"),
    "departmentCodes": filters.texts("DepartmentCode"),
    "projectCodes": filters.texts("ProjectCode"),
    "includeSubProject": filters.ignored,
    "lastChangedDateTimeOffsetGreaterThan": filters.after("LastChangedDateTimeOffset"),
    "onlyCreatedByCurrentIntegration": filters.only(
        lambda order: bool(order["IsCreatedByCurrentIntegration"])
    ),
    "orderStatus": filters.choice("SalesOrderStatus", ("Draft", "Confirmed")),
    "showInherited": filters.ignored,
}


def list_orders(call: Call) -> Answer:
    """Answer the orders, without lines."""
    stored = call.books.register("SalesOrders").values(late=True)
    inherited = _shows_inherited(call)
    shown = [orders.present(call.books, order, inherited=inherited) for order in stored]
    return page_of(call, shown, ORDER, _FILTERS)


def read_order(call: Call) -> Answer:
    """Answer the header of an order."""
    return Answer(200, chosen(_shown(call), ORDER))


def read_complete(call: Call) -> Answer:
    """Answer an order with its lines."""
    return Answer(200, _complete(_shown(call)))


def make_order(call: Call) -> Answer:
    """Make an order with its lines (201, the complete order)."""
    read_query(call.query, set())
    values = read_body(ORDER_POST, required_body(call))
    order = orders.create(call.books, values, by_integration=True)
    return Answer(201, _complete(orders.present(call.books, order)))


def list_lines(call: Call) -> Answer:
    """Answer the lines of an order."""
    order = found(call, "SalesOrders", late=True)
    return page_of(call, order["SalesOrderLines"], LINE, {})


def read_line(call: Call) -> Answer:
    """Answer one line."""
    read_query(call.query, set())
    order = found(call, "SalesOrders", late=True)
    return Answer(200, chosen(orders.line_of(order, call.path["lineid"]), LINE))


def make_line(call: Call) -> Answer:
    """Add a line (201)."""
    read_query(call.query, set())
    order = found(call, "SalesOrders")
    values = read_body(RESOURCES["SalesOrderLines"].post, required_body(call))
    return Answer(201, chosen(orders.add_line(call.books, order, values), LINE))


def change_line(call: Call) -> Answer:
    """Change a line by a JSON Patch."""
    order = found(call, "SalesOrders")
    line = orders.line_of(order, call.path["lineid"])
    values = patched(call, "SalesOrderLines", line)
    return Answer(200, chosen(orders.change_line(call.books, order, line["Id"], values), LINE))


def delete_line(call: Call) -> Answer:
    """Delete a line."""
    read_query(call.query, set())
    orders.delete_line(call.books, found(call, "SalesOrders"), call.path["lineid"])
    return Answer(200)


def create_and_send(call: Call) -> Answer:
    """Send an order (202); without the privilege to send that is a 400, not a 403."""
    read_query(call.query, set())
    if not call.claims["goAllowSendInvoice"]:
        detail = "The client lacks the privilege to send invoices; turn it on in Go"
        raise Refusal(400, "Missing privilege", detail)
    order = found(call, "SalesOrders")
    values = read_body(SEND_POST, required_body(call))
    request = sending.create_and_send(call.books, order, values)
    place = f"{call.url.rsplit('/', 2)[0]}/sentState?id={order['Id']}"
    return Answer(202, request, {"Location": place})


def sent_state(call: Call) -> Answer:
    """Answer how the sending of an order went, as an array.

    Of an order that was never sent: that it is not being processed, and nothing else. 204 when a
    person sent it, 404 when there is none.
    """
    values = read_query(call.query, {"id"})
    try:
        order_id = str(UUID(values.get("id", "")))
    except ValueError as error:
        raise bad_query("id must be the id of a sales order") from error
    state = sending.state_of(call.books, order_id)
    if state is not None:
        return Answer(200, [chosen(state, SENT_STATE)])
    if call.books.register("OutgoingInvoices").get(order_id, late=True) is None:
        raise not_found("Sales order", order_id)
    return Answer(204)


def _shows_inherited(call: Call) -> bool:
    for name, value in call.query.items():
        if name.lower() == "showinherited" and value.strip():
            return filters.read_flag(value)
    return False


def _shown(call: Call) -> Entry:
    read_query(call.query, {"showInherited"})
    order = found(call, "SalesOrders", late=True)
    return orders.present(call.books, order, inherited=_shows_inherited(call))


def _complete(order: Entry) -> Entry:
    lines = [chosen(line, LINE) for line in order["SalesOrderLines"]]
    return {**chosen(order, ORDER), "SalesOrderLines": lines}
