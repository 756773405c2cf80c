"""Sales orders and their lines: drafts of invoices until they are sent or deleted."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from go_sandbox.go import references, schema
from go_sandbox.go.problems import broken_rule, duplicate, in_use, not_found, unknown_reference
from go_sandbox.go.references import line_amounts, order_amounts
from go_sandbox.go.shapes import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from go_sandbox.go.ledger import Entry, Ledger

_KIND = "Sales order"
_SELLER = ("SellersReferenceEmployeeId", "SellersReferenceEmployeeNo")
_TEXT_MAY_HAVE = {"Description", "ExternalImportReference", "LineType", "SortOrder"}
_NOWHERE = (
    *words("BrandingThemeId BrandingThemeCode DeliveryTermId DeliveryTerm SalesPersonEmployeeId"),
    "SalesPersonEmployeeNumber",
)


def reserve_stock(ledger: Ledger, before: Entry | None, after: Entry | None) -> None:
    """Deduct what a confirmed order reserves from `StockAvailable`; return what it held before."""
    moved: dict[int, Decimal] = defaultdict(Decimal)
    for order, sign in ((before, 1), (after, -1)):
        if order and order["SalesOrderStatus"] == "Confirmed":
            for line in order["SalesOrderLines"]:
                if line["ProductId"] is not None:
                    moved[line["ProductId"]] += sign * line["Quantity"]
    for product_id, quantity in moved.items():
        product = ledger.register("Products").get(product_id)
        if quantity and product and product["IsStockItem"]:
            available = product["StockAvailable"] + quantity
            ledger.register("Products").put({**product, "StockAvailable": available})


def take_from_stock(ledger: Ledger, order: Entry) -> None:
    """Deduct the goods of an invoiced order from stock; only the stock's own stamp moves."""
    reserve_stock(ledger, order, None)
    for line in order["SalesOrderLines"]:
        product = ledger.register("Products").get(line["ProductId"])
        if product and product["IsStockItem"]:
            left = {
                name: product[name] - line["Quantity"] for name in ("StockOnHand", "StockAvailable")
            }
            stamp = {"StockOnHandLastChangedDatetimeOffset": ledger.clock.stamp()}
            ledger.register("Products").put({**product, **left, **stamp})


def new_line(ledger: Ledger, order: Entry, body: dict[str, Any]) -> Entry:
    """Return a line of the order from a body read as `SalesOrderLinePostDto`.

    Raises:
        Refusal: a rule of Go is broken, or the product is unknown (404).
    """
    line: Entry = {**dict.fromkeys(schema.LINE), **body}
    line |= {"Id": str(uuid4()), "SalesOrderId": order["Id"]}
    line["LineType"] = line["LineType"] or "Normal"
    if line["SortOrder"] is None:
        orders = [other["SortOrder"] for other in order["SalesOrderLines"]]
        line["SortOrder"] = max(orders, default=-1) + 1
    return completed(ledger, order, line)


def completed(ledger: Ledger, order: Entry, line: Entry) -> Entry:
    """Return the checked line, with inherited members and amounts.

    Raises:
        Refusal: a rule of Go is broken, or the product is unknown (404).
    """
    line = dict(line)
    references.resolve_department(_KIND, line)
    references.check_allowance(_KIND, line["Allowance"])
    references.check_dimensions(_KIND, line)
    references.check_nowhere(_KIND, line, _SELLER)
    if line["LineType"] == "Text":
        _check_text(line)
    else:
        products = ledger.register("Products")
        product = references.named(products, _KIND, line, "ProductId", "ProductCode", "Code")
        if product:
            _inherit(ledger, order, line, product)
    return {**line, **line_amounts(ledger, line)}


def check_references(lines: Iterable[Entry]) -> None:
    """Check that no two lines of one order share a reference.

    Raises:
        Refusal: two do.
    """
    holders: dict[str, str] = {}
    for line in lines:
        reference = line["ExternalImportReference"]
        if reference is not None and reference in holders:
            field = "SalesOrderLine ExternalImportReference"
            raise duplicate(_KIND, field, reference, holders[reference])
        holders[reference] = line["Id"]


def _inherit(ledger: Ledger, order: Entry, line: Entry, product: Entry) -> None:
    if line["Quantity"] is None:
        raise broken_rule(_KIND, "Quantity is required on a line with a product")
    group = ledger.register("ProductGroups").get(product["ProductGroupId"]) or {}
    customer = ledger.register("Customers").get(order["CustomerId"]) or {}
    inherited = {
        "Description": product["Name"],
        "ProductUnitPrice": _first(product["UnitPrice"], group.get("UnitPrice")),
        "ProductUnitCost": _first(product["UnitCost"], group.get("UnitCost")),
        "UnitOfMeasureCode": _first(product["UnitOfMeasureCode"], group.get("UnitOfMeasureCode")),
        "Allowance": _first(customer.get("Allowance"), Decimal(0)),
        "UseStandardSalesAccount": not customer.get("IsVatFree"),
    }
    for name, value in inherited.items():
        line[name] = _first(line[name], value)
    line["ProductUnitPrice"] = references.kept_price(ledger, line["ProductUnitPrice"])
    line |= {"ProductId": product["Id"], "ProductCode": product["Code"]}


def _first(*values: object) -> Any:  # noqa: ANN401
    return next((value for value in values if value is not None), None)


def _check_text(line: Entry) -> None:
    for name in schema.LINE_POST.names:
        if name not in _TEXT_MAY_HAVE and line[name] is not None:
            raise broken_rule(_KIND, f"{name} cannot be set on a Text line")


def create(ledger: Ledger, body: dict[str, Any], *, by_integration: bool) -> Entry:
    """Add an order with its lines from a body read as `SalesOrderCompletePostDto`.

    Raises:
        Refusal: a rule of Go is broken, or a reference is unknown (404).
    """
    order: Entry = {**dict.fromkeys(schema.ORDER), **body, "Id": str(uuid4())}
    customer = _resolve_customer(ledger, order)
    order |= {
        "CurrencyCode": order["CurrencyCode"] or customer["CurrencyCode"] or "NOK",
        "SalesOrderStatus": order["SalesOrderStatus"] or "Draft",
        "IsCreatedByCurrentIntegration": by_integration,
        "SalesOrderLines": [],
    }
    for line_body in body.get("SalesOrderLines") or []:
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
    if changes != {"SalesOrderStatus": "Draft"}:
        _check_unlocked(before)
    after = {**before, **changes}
    for name in ("SalesOrderStatus", "CustomerId"):
        if after[name] is None:
            raise broken_rule(_KIND, f"{name} is required")
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
    """Return the complete order as the API shows it; `inherited` fills in the customer's values."""
    customer = ledger.register("Customers").get(order["CustomerId"])
    if customer is None:
        raise unknown_reference(_KIND, "CustomerId", order["CustomerId"])
    shown = {**order, "CustomerNo": customer["Number"]}
    if inherited:
        address_id = primary_address(ledger, order).get("Id")
        shown["ContactDeliveryAddressId"] = order["ContactDeliveryAddressId"] or address_id
        for name in ("PaymentTermId", "PaymentTerm"):
            shown[name] = customer[name] if order["PaymentTermId"] is None else order[name]
    return shown


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
    mine = [address for address in addresses if address["ContactId"] == order["CustomerId"]]
    return next((address for address in mine if address["IsPrimary"]), {})


def _check_unlocked(order: Entry) -> None:
    if order["SalesOrderStatus"] == "Confirmed":
        detail = f"order {order['SalesOrderNo']} is confirmed; set it to Draft first"
        raise broken_rule(_KIND, detail)


def _store_lines(ledger: Ledger, order: Entry, lines: list[Entry]) -> None:
    _stored(ledger, order, _checked(ledger, {**order, "SalesOrderLines": lines}))


def _resolve_customer(ledger: Ledger, order: Entry) -> Entry:
    """Fill in the customer's id and number, and return the customer."""
    customers = ledger.register("Customers")
    customer = references.named(customers, _KIND, order, "CustomerId", "CustomerNo", "Number")
    if customer is None:
        raise broken_rule(_KIND, "CustomerId or CustomerNo is required")
    order |= {"CustomerId": customer["Id"], "CustomerNo": customer["Number"]}
    return customer


def _checked(ledger: Ledger, order: Entry) -> Entry:
    references.check_currency(ledger, _KIND, order["CurrencyCode"])
    references.resolve_department(_KIND, order)
    references.resolve_payment_term(ledger, _KIND, order)
    references.check_nowhere(_KIND, order, _NOWHERE)
    references.check_dimensions(_KIND, order)
    _check_contact(ledger, order)
    for resource in ("SalesOrders", "OutgoingInvoices"):
        references.check_unique(ledger, _KIND, resource, "ExternalImportReference", order)
    check_references(order["SalesOrderLines"])
    lines = sorted(order["SalesOrderLines"], key=lambda line: line["SortOrder"])
    lines = [completed(ledger, order, line) for line in lines]
    order = {**order, "SalesOrderLines": lines, "LineCount": len(lines)}
    order |= order_amounts(lines, ledger.switches.vat_rounding)
    _check_related(ledger, order)
    return order


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
    reserve_stock(ledger, before, order)
    return ledger.register("SalesOrders").put(order)
