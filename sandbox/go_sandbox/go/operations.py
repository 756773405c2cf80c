"""What the API's routes do: list, read, make, change and delete, the same way for each resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from go_sandbox.go.listing import list_page, read_query
from go_sandbox.go.patching import apply_patch
from go_sandbox.go.problems import bad_cast, not_found
from go_sandbox.go.resources import RESOURCES, patch_view
from go_sandbox.go.shapes import read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.go.books import Books
    from go_sandbox.go.listing import Filters
    from go_sandbox.go.register import Entry

    Operation = Callable[["Call"], "Answer"]

_LABELS = {
    "BankVouchers": "Bank voucher",
    "OutgoingInvoices": "Outgoing invoice",
    "PaymentTerms": "Payment term",
}


@dataclass(frozen=True)
class Call:
    """One request that the gateway let through.

    Attributes:
        books: the books of the client whose token it carries.
        path: the ids in the path.
        query: the query parameters as they came.
        url: the address without the query.
        body: what the JSON body holds; None when there is none.
        claims: what the token holds.
    """

    books: Books
    path: Mapping[str, str]
    query: Mapping[str, str]
    url: str
    body: object
    claims: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API answers; a body of None is no body at all."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def page_of(call: Call, entries: list[Entry], names: tuple[str, ...], filters: Filters) -> Answer:
    """Answer a list; an empty page is 204 without a body, as Go answers."""
    page = list_page(entries, names, filters, call.query, call.url)
    headers = {"X-Pagination": page.pagination}
    return Answer(200, page.entries, headers) if page.entries else Answer(204, None, headers)


def listing(resource: str, names: tuple[str, ...], filters: Filters) -> Operation:
    """Return the operation that lists a resource."""

    def operation(call: Call) -> Answer:
        stored = call.books.register(resource).values(late=True)
        entries = [call.books.shown(resource, entry) for entry in stored]
        return page_of(call, entries, names, filters)

    return operation


def reading(resource: str, names: tuple[str, ...]) -> Operation:
    """Return the operation that reads one entry."""

    def operation(call: Call) -> Answer:
        read_query(call.query, set())
        entry = call.books.shown(resource, found(call, resource, late=True))
        return Answer(200, chosen(entry, names))

    return operation


def making(resource: str, names: tuple[str, ...]) -> Operation:
    """Return the operation that makes an entry (201)."""

    def operation(call: Call) -> Answer:
        read_query(call.query, set())
        written = RESOURCES[resource]
        values = read_body(written.post, required_body(call))
        entry = written.create(call.books, values, call.path.get("contactid"))  # type: ignore[misc]
        return Answer(201, chosen(call.books.shown(resource, entry), names))

    return operation


def changing(resource: str, names: tuple[str, ...]) -> Operation:
    """Return the operation that changes an entry by a JSON Patch."""

    def operation(call: Call) -> Answer:
        entry = found(call, resource)
        values = patched(call, resource, entry)
        changed = RESOURCES[resource].change(call.books, entry, values)  # type: ignore[misc]
        return Answer(200, chosen(call.books.shown(resource, changed), names))

    return operation


def deleting(resource: str) -> Operation:
    """Return the operation that deletes an entry (200 without a body)."""

    def operation(call: Call) -> Answer:
        read_query(call.query, set())
        RESOURCES[resource].delete(call.books, found(call, resource))  # type: ignore[misc]
        return Answer(200)

    return operation


def found(call: Call, resource: str, *, late: bool = False) -> Entry:
    """Return the stored entry that the path names.

    Raises:
        Refusal: there is none (404), or it belongs to another contact than the path says.
    """
    entry_id = call.path["id"]
    entry = call.books.register(resource).get(entry_id, late=late)
    contact_id = call.path.get("contactid")
    if entry is None or contact_id not in (None, str(entry.get("ContactId"))):
        written = RESOURCES.get(resource)
        raise not_found(written.label if written else _LABELS.get(resource, resource), entry_id)
    return entry


def patched(call: Call, resource: str, entry: Entry) -> dict[str, Any]:
    """Return what the JSON Patch in the body changes in an entry.

    Raises:
        Refusal: the patch does not fit, or a query parameter is there.
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
        Refusal: there is none.
    """
    if call.body is None:
        raise bad_cast("the object is missing from the body")
    return call.body


def chosen(entry: Entry, names: tuple[str, ...]) -> Entry:
    """Return the members of an entry that the API shows, by name."""
    return {name: entry.get(name) for name in sorted(names)}
