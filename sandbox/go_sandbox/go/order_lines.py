"""Lines of a sales order: what they must hold, and what they inherit from product and customer."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from go_sandbox.go import order_schema, references
from go_sandbox.go.problems import broken_rule, duplicate, unknown_reference
from go_sandbox.go.vat import line_amounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry

_KIND = "Sales order"
_TEXT_MAY_HAVE = {"Description", "ExternalImportReference", "LineType", "SortOrder"}


def new_line(ledger: Ledger, order: Entry, body: dict[str, Any]) -> Entry:
    """Return a line of the order from a body read as `SalesOrderLinePostDto`.

    Raises:
        Refusal: a rule of Go is broken, or the product is unknown (404).
    """
    line: Entry = {**dict.fromkeys(order_schema.LINE), **body}
    line |= {"Id": str(uuid4()), "SalesOrderId": order["Id"]}
    line["LineType"] = line["LineType"] or "Normal"
    if line["SortOrder"] is None:
        orders = [other["SortOrder"] for other in order["SalesOrderLines"]]
        line["SortOrder"] = max(orders, default=-1) + 1
    return completed(ledger, order, line)


def completed(ledger: Ledger, order: Entry, line: Entry) -> Entry:
    """Return the line checked, with what it inherits and its amounts.

    Raises:
        Refusal: a rule of Go is broken, or the product is unknown (404).
    """
    line = dict(line)
    references.resolve_department(_KIND, line)
    references.check_allowance(_KIND, line["Allowance"])
    _check_unknown(line)
    if line["LineType"] == "Text":
        _check_text(line)
    elif line["ProductId"] is not None or line["ProductCode"] is not None:
        _inherit(ledger, order, line)
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


def _inherit(ledger: Ledger, order: Entry, line: Entry) -> None:
    product = _product(ledger, line)
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


def _product(ledger: Ledger, line: Entry) -> Entry:
    products = ledger.register("Products")
    if line["ProductId"] is not None:
        product, name = products.get(line["ProductId"]), "ProductId"
    else:
        product, name = products.holder("Code", line["ProductCode"]), "ProductCode"
    if product is None:
        raise unknown_reference(_KIND, name, line[name])
    return product


def _check_text(line: Entry) -> None:
    for name in order_schema.LINE_POST.names:
        if name not in _TEXT_MAY_HAVE and line[name] is not None:
            raise broken_rule(_KIND, f"{name} cannot be set on a Text line")


def _check_unknown(line: Entry) -> None:
    for name in ("Project", "Location", "Dim1", "Dim2", "Dim3"):
        for field in (f"{name}Id", f"{name}Code"):
            if line[field] not in (None, -1):
                raise unknown_reference(_KIND, field, line[field])
    for field in ("SellersReferenceEmployeeId", "SellersReferenceEmployeeNo"):
        if line[field] is not None:
            raise unknown_reference(_KIND, field, line[field])
