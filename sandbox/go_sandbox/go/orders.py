"""Sales orders: drafts of invoices, from Draft over Confirmed until they are sent or deleted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from go_sandbox.go import order_schema, references, stock
from go_sandbox.go.order_lines import check_references, completed, new_line
from go_sandbox.go.problems import broken_rule, duplicate, in_use, not_found, unknown_reference
from go_sandbox.go.shapes import words
from go_sandbox.go.vat import order_amounts

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_KIND = "Sales order"
_NOWHERE = (
    *words("BrandingThemeId BrandingThemeCode DeliveryTermId DeliveryTerm SalesPersonEmployeeId"),
    "SalesPersonEmployeeNumber",
)


def create(ledger: Ledger, body: dict[str, Any], *, by_integration: bool) -> Entry:
    """Add an order with its lines from a body read as `SalesOrderCompletePostDto`.

    Raises:
        Refusal: a rule of Go is broken, or something named is unknown (404).
    """
    order: Entry = {**dict.fromkeys(order_schema.ORDER), **body, "Id": str(uuid4())}
    line_bodies = body.get("SalesOrderLines") or []
    _resolve_customer(ledger, order)
    order["CurrencyCode"] = (
        order["CurrencyCode"] or _customer(ledger, order)["CurrencyCode"] or "NOK"
    )
    order["SalesOrderStatus"] = order["SalesOrderStatus"] or "Draft"
    order["IsCreatedByCurrentIntegration"] = by_integration
    order["SalesOrderLines"] = []
    for line_body in line_bodies:
        order["SalesOrderLines"].append(new_line(ledger, order, line_body))
    order = _checked(ledger, order)
    order["SalesOrderNo"] = ledger.next_number("sales order", first=1)
    order["CreatedDateTimeOffset"] = ledger.clock.stamp()
    return _stored(ledger, None, order)


def change(ledger: Ledger, before: Entry, changes: dict[str, Any]) -> Entry:
    """Change the header of an order; a confirmed one may only be set back to Draft.

    Raises:
        Refusal: a rule of Go is broken.
    """
    if before["SalesOrderStatus"] == "Confirmed" and changes != {"SalesOrderStatus": "Draft"}:
        raise _locked(before)
    after = {**before, **changes}
    if after["SalesOrderStatus"] is None:
        raise broken_rule(_KIND, "SalesOrderStatus is required")
    if after["CustomerId"] is None:
        raise broken_rule(_KIND, "CustomerId is required")
    _resolve_customer(ledger, after)
    return before if after == before else _stored(ledger, before, _checked(ledger, after))


def add_line(ledger: Ledger, order: Entry, body: dict[str, Any]) -> Entry:
    """Add a line from a body read as `SalesOrderLinePostDto` and return it.

    Raises:
        Refusal: the order is confirmed, or a rule of Go is broken.
    """
    _check_unlocked(order)
    line = new_line(ledger, order, body)
    _store_lines(ledger, order, [*order["SalesOrderLines"], line])
    return line


def change_line(ledger: Ledger, order: Entry, line_id: str, changes: dict[str, Any]) -> Entry:
    """Change a line and return it.

    Raises:
        Refusal: the order is confirmed, or a rule of Go is broken.
    """
    _check_unlocked(order)
    before = line_of(order, line_id)
    changed = {**before, **changes}
    if changes.get("ProductId") is None and "ProductId" in changes:
        changed["ProductCode"] = None
    after = completed(ledger, order, changed)
    lines = [after if line["Id"] == line_id else line for line in order["SalesOrderLines"]]
    if after != before:
        _store_lines(ledger, order, lines)
    return after


def delete_line(ledger: Ledger, order: Entry, line_id: str) -> None:
    """Delete a line.

    Raises:
        Refusal: there is no such line (404), or the order is confirmed (409).
    """
    line_of(order, line_id)
    if order["SalesOrderStatus"] == "Confirmed":
        raise in_use("Sales order line", line_id, "the order is confirmed")
    kept = [line for line in order["SalesOrderLines"] if line["Id"] != line_id]
    _store_lines(ledger, order, kept)


def delete(ledger: Ledger, order: Entry) -> None:
    """Delete an order with its lines.

    Raises:
        Refusal: the order is confirmed (409).
    """
    if order["SalesOrderStatus"] == "Confirmed":
        raise in_use(_KIND, order["Id"], "it is confirmed; set it back to Draft first")
    ledger.register("SalesOrders").remove(order["Id"])


def present(ledger: Ledger, order: Entry, *, inherited: bool = False) -> Entry:
    """Return the complete order as the API shows it; `inherited` fills what the customer gives."""
    customer = _customer(ledger, order)
    shown = {**order, "CustomerNo": customer["Number"]}
    if inherited:
        address_id = primary_address(ledger, order).get("Id")
        shown["ContactDeliveryAddressId"] = order["ContactDeliveryAddressId"] or address_id
        for name in ("PaymentTermId", "PaymentTerm"):
            shown[name] = customer[name] if order["PaymentTermId"] is None else order[name]
    return shown


def without_lines(order: Entry) -> Entry:
    """Return the order's header alone."""
    return {name: value for name, value in order.items() if name != "SalesOrderLines"}


def line_of(order: Entry, line_id: str) -> Entry:
    """Return a line of the order.

    Raises:
        Refusal: the order has no such line (404).
    """
    for line in order["SalesOrderLines"]:
        if line["Id"] == line_id:
            return dict(line)
    raise not_found("Sales order line", line_id)


def primary_address(ledger: Ledger, order: Entry) -> Entry:
    """Return the delivery address of the order's customer that orders inherit, or an empty one."""
    addresses = ledger.register("ContactDeliveryAddresses").values()
    mine = [one for one in addresses if one["ContactId"] == order["CustomerId"]]
    return next((one for one in mine if one["IsPrimary"]), {})


def _locked(order: Entry) -> Exception:
    return broken_rule(_KIND, f"order {order['SalesOrderNo']} is confirmed; set it to Draft first")


def _check_unlocked(order: Entry) -> None:
    if order["SalesOrderStatus"] == "Confirmed":
        raise _locked(order)


def _store_lines(ledger: Ledger, order: Entry, lines: list[Entry]) -> None:
    _stored(ledger, order, _checked(ledger, {**order, "SalesOrderLines": lines}))


def _customer(ledger: Ledger, order: Entry) -> Entry:
    customer = ledger.register("Customers").get(order["CustomerId"])
    if customer is None:
        raise unknown_reference(_KIND, "CustomerId", order["CustomerId"])
    return customer


def _resolve_customer(ledger: Ledger, order: Entry) -> None:
    if order["CustomerId"] is None:
        number = order["CustomerNo"]
        if number is None:
            raise broken_rule(_KIND, "CustomerId or CustomerNo is required")
        customer = ledger.register("Customers").holder("Number", number)
        if customer is None:
            raise unknown_reference(_KIND, "CustomerNo", number)
        order["CustomerId"] = customer["Id"]
    order["CustomerNo"] = _customer(ledger, order)["Number"]


def _checked(ledger: Ledger, order: Entry) -> Entry:
    references.check_currency(ledger, _KIND, order["CurrencyCode"])
    references.resolve_department(_KIND, order)
    references.resolve_payment_term(ledger, _KIND, order)
    _check_unknown(order)
    _check_contact(ledger, order)
    _check_reference(ledger, order)
    check_references(order["SalesOrderLines"])
    lines = sorted(order["SalesOrderLines"], key=lambda line: line["SortOrder"])
    lines = [completed(ledger, order, line) for line in lines]
    order = {**order, "SalesOrderLines": lines, "LineCount": len(lines)}
    order |= order_amounts(lines, ledger.switches.vat_rounding)
    _check_related(ledger, order)
    return order


def _check_unknown(order: Entry) -> None:
    for field in _NOWHERE:
        if order[field] is not None:
            raise unknown_reference(_KIND, field, order[field])
    for name in ("Project", "Location", "Dim1", "Dim2", "Dim3"):
        for field in (f"{name}Id", f"{name}Code"):
            if order[field] not in (None, -1):
                raise unknown_reference(_KIND, field, order[field])


def _check_contact(ledger: Ledger, order: Entry) -> None:
    for field, resource in (
        ("ContactDeliveryAddressId", "ContactDeliveryAddresses"),
        ("CustomerReferenceContactPersonId", "ContactPersons"),
    ):
        if order[field] is None:
            continue
        contact = ledger.register(resource).get(order[field])
        if contact is None:
            raise unknown_reference(_KIND, field, order[field])
        if contact["ContactId"] != order["CustomerId"]:
            raise broken_rule(_KIND, f"{field} {order[field]} does not belong to the customer")
        if resource == "ContactPersons":
            order["CustomerReference"] = f"{contact['FirstName']} {contact['LastName']}"


def _check_reference(ledger: Ledger, order: Entry) -> None:
    for resource in ("SalesOrders", "OutgoingInvoices"):
        reference = order["ExternalImportReference"]
        holder = ledger.register(resource).holder("ExternalImportReference", reference)
        if holder and holder["Id"] != order["Id"]:
            raise duplicate(_KIND, "ExternalImportReference", reference, holder["Id"])


def _check_related(ledger: Ledger, order: Entry) -> None:
    number = order["RelatedInvoiceNo"]
    if number is None:
        return
    if order["TotalAmount"] >= Decimal(0):
        raise broken_rule(_KIND, "RelatedInvoiceNo can be set only on an order with a negative sum")
    if ledger.register("OutgoingInvoices").holder("InvoiceNo", number) is None:
        raise unknown_reference(_KIND, "RelatedInvoiceNo", number)


def _stored(ledger: Ledger, before: Entry | None, order: Entry) -> Entry:
    order = {**order, "LastChangedDateTimeOffset": ledger.clock.stamp()}
    stock.reserve(ledger, before, order)
    return ledger.register("SalesOrders").put(order)
