"""The operations of the API's routes: the same for each resource, more for orders and vouchers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from go_sandbox.go import invoices, orders, vouchers
from go_sandbox.go import listing as lists
from go_sandbox.go.books import RESOURCES, patch_view
from go_sandbox.go.listing import list_page, read_query
from go_sandbox.go.problems import Refusal, bad_cast, bad_query, not_found
from go_sandbox.go.schema import (
    LEDGER_ENTRY,
    LINE,
    ORDER,
    ORDER_POST,
    SEND_POST,
    SENT_STATE,
    VOUCHER,
    VOUCHER_LINE,
    VOUCHER_POST,
)
from go_sandbox.go.shapes import apply_patch, read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.go.books import Books
    from go_sandbox.go.ledger import Entry
    from go_sandbox.go.listing import Filters

    Operation = Callable[["Call"], "Answer"]

_LABELS = {
    "BankVouchers": "Bank voucher",
    "OutgoingInvoices": "Outgoing invoice",
    "PaymentTerms": "Payment term",
}

_ORDER_FILTERS = {
    "customerNos": lists.numbers("CustomerNo"),
    "departmentCodes": lists.texts("DepartmentCode"),
    "projectCodes": lists.texts("ProjectCode"),
    "includeSubProject": lists.ignored,
    "lastChangedDateTimeOffsetGreaterThan": lists.after("LastChangedDateTimeOffset"),
    "onlyCreatedByCurrentIntegration": lists.only("IsCreatedByCurrentIntegration"),
    "orderStatus": lists.choice("SalesOrderStatus", ("Draft", "Confirmed")),
    "showInherited": lists.ignored,
}
_IGNORED = (
    "contactGroupIds",
    "departmentCodes",
    "includeSubProject",
    "onlyBalancesLessThanAmount",
    "projectCodes",
    "subLedgerNumberSeriesIds",
)
_LEDGER_FILTERS = {
    **dict.fromkeys(_IGNORED, lists.ignored),
    "createdDateTimeOffsetGreaterThan": lists.after("CreatedDateTimeOffset"),
    "customMatchingReferences": lists.texts("CustomMatchingReference"),
    "customerNos": lists.numbers("CustomerAccountNo"),
    "date": lists.ignored,
    "externalNos": lists.numbers("CustomerExternalNo"),
    "invoiceNos": lists.texts("InvoiceNo"),
    "lastChangedDateTimeOffsetGreaterThan": lists.after("LastChangedDateTimeOffset"),
    "onlyCreatedByCurrentIntegration": lists.only("IsCreatedByCurrentIntegration"),
    "voucherTypes": lists.texts("VoucherType"),
}


@dataclass(frozen=True)
class Call:
    """One request that the gateway let through.

    Attributes:
        books: the books of the client whose token it carries.
        path: the ids in the path.
        query: the query parameters as received.
        url: the address without the query.
        body: the value of the JSON body; None without a body.
        claims: the claims of the token.
    """

    books: Books
    path: Mapping[str, str]
    query: Mapping[str, str]
    url: str
    body: object
    claims: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """An answer of the API; None as the body means no body at all."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def page_of(call: Call, entries: list[Entry], names: tuple[str, ...], filters: Filters) -> Answer:
    """Answer a list; an empty page is answered with 204 and no body, as in Go."""
    page, pagination = list_page(entries, names, filters, call.query, call.url)
    headers = {"X-Pagination": pagination}
    return Answer(200, page, headers) if page else Answer(204, None, headers)


def list_entries(resource: str, names: tuple[str, ...], filters: Filters, call: Call) -> Answer:
    """Answer a list of a resource."""
    stored = call.books.register(resource).values(late=True)
    entries = [call.books.shown(resource, entry) for entry in stored]
    return page_of(call, entries, names, filters)


def read(resource: str, names: tuple[str, ...], call: Call) -> Answer:
    """Answer one entry."""
    read_query(call.query, set())
    entry = call.books.shown(resource, found(call, resource, late=True))
    return Answer(200, chosen(entry, names))


def make(resource: str, names: tuple[str, ...], call: Call) -> Answer:
    """Create an entry (201)."""
    read_query(call.query, set())
    written = RESOURCES[resource]
    values = read_body(written.post, required_body(call))
    entry = written.create(call.books, values, call.path.get("contactid"))  # type: ignore[misc]
    return Answer(201, chosen(call.books.shown(resource, entry), names))


def change(resource: str, names: tuple[str, ...], call: Call) -> Answer:
    """Change an entry by a JSON Patch."""
    entry = found(call, resource)
    values = patched(call, resource, entry)
    changed = RESOURCES[resource].change(call.books, entry, values)  # type: ignore[misc]
    return Answer(200, chosen(call.books.shown(resource, changed), names))


def delete(resource: str, call: Call) -> Answer:
    """Delete an entry (200 without a body)."""
    read_query(call.query, set())
    RESOURCES[resource].delete(call.books, found(call, resource))  # type: ignore[misc]
    return Answer(200)


def found(call: Call, resource: str, *, late: bool = False) -> Entry:
    """Return the stored entry that the path names.

    Raises:
        Refusal: there is no such entry (404), or it belongs to another contact than in the path.
    """
    entry_id = call.path["id"]
    entry = call.books.register(resource).get(entry_id, late=late)
    contact_id = call.path.get("contactid")
    if entry is None or contact_id not in (None, str(entry.get("ContactId"))):
        written = RESOURCES.get(resource)
        raise not_found(written.label if written else _LABELS.get(resource, resource), entry_id)
    return entry


def patched(call: Call, resource: str, entry: Entry) -> dict[str, Any]:
    """Return the members of an entry that the JSON Patch in the body changes.

    Raises:
        Refusal: the patch does not fit, or there is a query parameter.
    """
    read_query(call.query, set())
    return apply_patch(
        RESOURCES[resource].patch,
        patch_view(resource, entry),
        required_body(call),
        test_status=call.books.switches.patch_test_status,
    )


def required_body(call: Call) -> object:
    """Return the body.

    Raises:
        Refusal: there is no body.
    """
    if call.body is None:
        raise bad_cast("the object is missing from the body")
    return call.body


def chosen(entry: Entry, names: tuple[str, ...]) -> Entry:
    """Return the members of an entry that the API shows, by name."""
    return {name: entry.get(name) for name in sorted(names)}


def list_orders(call: Call) -> Answer:
    """Answer the orders, without lines."""
    stored = call.books.register("SalesOrders").values(late=True)
    inherited = _shows_inherited(call)
    shown = [orders.present(call.books, order, inherited=inherited) for order in stored]
    return page_of(call, shown, ORDER, _ORDER_FILTERS)


def read_order(call: Call) -> Answer:
    """Answer the header of an order."""
    return Answer(200, chosen(_read_order(call), ORDER))


def read_complete(call: Call) -> Answer:
    """Answer the complete order, with its lines."""
    return Answer(200, _complete(_read_order(call)))


def make_order(call: Call) -> Answer:
    """Create an order with its lines (201, the complete order)."""
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
    """Send an order (202); without the privilege to send, the answer is 400, not 403."""
    read_query(call.query, set())
    if not call.claims["goAllowSendInvoice"]:
        detail = "The client lacks the privilege to send invoices; turn it on in Go"
        raise Refusal(400, "Missing privilege", detail)
    order = found(call, "SalesOrders")
    values = read_body(SEND_POST, required_body(call))
    request = invoices.create_and_send(call.books, order, values)
    place = f"{call.url.rsplit('/', 2)[0]}/sentState?id={order['Id']}"
    return Answer(202, request, {"Location": place})


def sent_state(call: Call) -> Answer:
    """Answer the state of an order's sending, as an array.

    The state of an order that was never sent says only that it is not being processed. 204 if a
    person sent it, 404 if there is no such order.
    """
    values = read_query(call.query, {"id"})
    try:
        order_id = str(UUID(values.get("id", "")))
    except ValueError as error:
        raise bad_query("id must be the id of a sales order") from error
    state = invoices.state_of(call.books, order_id)
    if state is not None:
        return Answer(200, [chosen(state, SENT_STATE)])
    if call.books.register("OutgoingInvoices").get(order_id, late=True) is None:
        raise not_found("Sales order", order_id)
    return Answer(204)


def _shows_inherited(call: Call) -> bool:
    for name, value in call.query.items():
        if name.lower() == "showinherited" and value.strip():
            return lists.read_flag(value)
    return False


def _read_order(call: Call) -> Entry:
    read_query(call.query, {"showInherited"})
    order = found(call, "SalesOrders", late=True)
    return orders.present(call.books, order, inherited=_shows_inherited(call))


def _complete(order: Entry) -> Entry:
    lines = [chosen(line, LINE) for line in order["SalesOrderLines"]]
    return {**chosen(order, ORDER), "SalesOrderLines": lines}


def list_open_items(call: Call) -> Answer:
    """Answer the entries of the customer ledger that are open at a date, which is required."""
    given = {name.lower(): value for name, value in call.query.items()}
    try:
        day = date.fromisoformat(given.get("date", "").strip()).isoformat()
    except ValueError as error:
        raise bad_query("date is required, as YYYY-MM-DD") from error
    return page_of(call, vouchers.open_items(call.books, day), LEDGER_ENTRY, _LEDGER_FILTERS)


def post_voucher(call: Call) -> Answer:
    """Post a bank voucher (201)."""
    read_query(call.query, set())
    values = read_body(VOUCHER_POST, required_body(call))
    return Answer(201, _shown_voucher(vouchers.post(call.books, values)))


def read_voucher(call: Call) -> Answer:
    """Answer one bank voucher."""
    read_query(call.query, set())
    return Answer(200, _shown_voucher(found(call, "BankVouchers", late=True)))


def _shown_voucher(voucher: Entry) -> Entry:
    lines = [chosen(line, VOUCHER_LINE) for line in voucher["VoucherLines"]]
    return {**chosen(voucher, VOUCHER), "VoucherLines": lines}
