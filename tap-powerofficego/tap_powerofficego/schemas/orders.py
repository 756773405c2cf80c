"""Sales orders with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_powerofficego.fields import (
    choice,
    day,
    decimal,
    flag,
    group,
    rows,
    stamp,
    text,
    uuid_key,
    whole,
)
from tap_powerofficego.schemas.sales import dimensions, line_members, references, terms
from tap_powerofficego.schemas.words import AGRICULTURE

if TYPE_CHECKING:
    from tap_powerofficego.fields import Field


def _accrual() -> Field:
    return group(
        "Accrual",
        "How the line is spread over time.",
        flag("IsActive", "Whether it is."),
        day("FromDate", "From which day."),
        day("ToDate", "Until which day."),
        *_account("ResultAccount", "result"),
        *_account("BalanceAccount", "balance"),
    )


def _account(name: str, what: str) -> list[Field]:
    return [
        whole(f"{name}Id", f"Id of the {what} account."),
        whole(f"{name}No", f"Number of the {what} account."),
        choice(f"{name}AgricultureDepartment", "Its line of agriculture.", *AGRICULTURE),
    ]


SALES_ORDERS: dict[str, Any] = th.PropertiesList(
    uuid_key("Id of the order; the invoice that it becomes has the same."),
    whole("SalesOrderNo", "The order number that people read."),
    choice("SalesOrderStatus", "Whether it can still be edited.", "Draft", "Confirmed"),
    day("SalesOrderDate", "The day of the order."),
    *references(),
    whole("ContactDeliveryAddressId", "Id of the delivery address."),
    *terms(),
    *dimensions(),
    whole("SalesPersonEmployeeId", "Id of the employee who sold it."),
    whole("SalesPersonEmployeeNumber", "Number of that employee."),
    decimal("NetAmount", "The whole order, without VAT."),
    decimal("TotalAmount", "The whole order, with VAT; a negative one becomes a credit note."),
    whole("LineCount", "How many lines it has."),
    rows(
        "SalesOrderLines",
        "What is ordered. Deselect it to save a call an order.",
        text("Id", "Id of the line; the invoice's line has another."),
        text("SalesOrderId", "The order's `Id`."),
        *line_members(),
        flag("UseStandardSalesAccount", "Whether the standard sales account is used."),
        _accrual(),
    ),
    stamp("CreatedDateTimeOffset", "When it was made."),
    stamp("LastChangedDateTimeOffset", "When it last changed. The tap's bookmark."),
).to_dict()
"""A sale that is not invoiced yet. Once it is, Go lists it no longer."""
