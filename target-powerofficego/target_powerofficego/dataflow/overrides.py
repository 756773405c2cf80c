"""The setting `properties`, which switches, redirects or adds rows of the property tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import CUSTOMER
from target_powerofficego.dataflow.orders.order import ORDER
from target_powerofficego.dataflow.product import PRODUCT
from target_powerofficego.dataflow.table import Conversion, Direction, Property, Record, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_powerofficego.dataflow.values import Value

TABLES: Mapping[str, Table] = {table.entity: table for table in (CUSTOMER, PRODUCT, ORDER)}

_DIRECTIONS = {
    "both": Direction.BOTH,
    "to_go": Direction.TO_GO,
    "to_shop": Direction.TO_SHOP,
    "create": Direction.ON_CREATE,
    "off": Direction.OFF,
}
_FIXED = {"customers": ("id", "type"), "products": ("sku",), "orders": ("id", "customer")}
_TEXTS = {"direction", "source", "go"}
_MEMBERS = {*_TEXTS, "constant"}


@dataclass(frozen=True)
class GoField:
    """A member of a request body: its type, and whether it can be patched or only set on create."""

    type: str
    is_patchable: bool


def _fields(**names_by_type: str) -> dict[str, GoField]:
    """Parse lists such as `string="Name Code*"`; a star marks what Go accepts on create only."""
    return {
        name.rstrip("*"): GoField(kind, is_patchable=not name.endswith("*"))
        for kind, names in names_by_type.items()
        for name in names.split()
    }


GO_FIELDS: Mapping[str, Mapping[str, GoField]] = {
    "customers": _fields(
        string=(
            "CurrencyCode DeliveryTerm* DepartmentCode* EmailAddress "
            "ExternalImportReference FirstName InvoiceBrandingThemeCode* "
            "InvoiceEmailAddress InvoiceEmailAddressCC LastName LegalName Name "
            "NationalIdNumber OrganizationNumber PaymentReminderEmailAddress PhoneNumber "
            "SubLedgerNumberSeriesId* WebsiteUrl"
        ),
        int64=(
            "DeliveryTermId DepartmentId ExternalNumber InvoiceBrandingThemeId Number "
            "PaymentTerm* PaymentTermId SalesPersonEmployeeId SalesPersonEmployeeNumber*"
        ),
        decimal="Allowance BillableRate",
        boolean=(
            "DoNotAddLatePaymentFees DoNotAddLatePaymentInterest "
            "DoNotAutomatePaymentNotifications IsArchived IsPerson IsVatFree "
            "SendPaymentReminders TransferToDebtCollectionAgency UseInvoiceFee"
        ),
        date="CustomerSince DateOfBirth",
        enum="InvoiceDeliveryType NoticeOfDebtCollectionDeliveryType ReminderDeliveryType",
    ),
    "products": _fields(
        string="Code Description Gtin Name ProductGroupCode*",
        int64=(
            "OptionalSalesAccount* OptionalSalesAccountId ProductGroupId "
            "StandardSalesAccount* StandardSalesAccountId"
        ),
        decimal="StockOnHand UnitCost UnitPrice",
        boolean="IsArchived IsStockItem",
        enum=(
            "OptionalSalesAccountAgricultureDepartment* ProductType "
            "StandardSalesAccountAgricultureDepartment* UnitOfMeasureCode"
        ),
    ),
    "orders": _fields(
        string=(
            "BrandingThemeCode* ContractNo CurrencyCode CustomMatchingReference "
            "CustomerReference DeliveryTerm* DepartmentCode* Dim1Code* Dim2Code* Dim3Code* "
            "ExternalImportReference LocationCode* ProjectCode* PurchaseOrderReference"
        ),
        int64=(
            "BrandingThemeId ContactDeliveryAddressId CustomerId CustomerNo* "
            "CustomerReferenceContactPersonId DeliveryTermId DepartmentId Dim1Id Dim2Id "
            "Dim3Id ImportedOrderNo LocationId PaymentTerm* PaymentTermId ProjectId "
            "RelatedInvoiceNo SalesPersonEmployeeId SalesPersonEmployeeNumber*"
        ),
        decimal="CurrencyExchangeRate",
        date="DeliveryDate SalesOrderDate",
    ),
}
"""The members that PowerOffice Go accepts for each entity: their types, and which can be patched.

Source: PowerOffice Go API v2, the POST and PATCH bodies of Customers, Products and SalesOrders.
"""


def apply_overrides(overrides: Mapping[str, Any]) -> tuple[dict[str, Table], list[str]]:
    """Return the tables with the overrides applied, and a line for each override that is wrong."""
    tables = dict(TABLES)
    errors: list[str] = []
    for entity, rows in overrides.items():
        if entity not in tables or not isinstance(rows, dict):
            errors.append(f'properties: "{entity}" must be customers, products or orders')
            continue
        for name, override in rows.items():
            try:
                tables[entity] = _override(tables[entity], name, override)
            except ValueError as error:
                errors.append(f"properties: {entity}.{name}: {error}")
    return tables, errors


def _override(table: Table, name: str, override: Any) -> Table:  # noqa: ANN401 - a setting
    """Return the table with one row changed or added.

    Raises:
        ValueError: the override is wrong; the message gives the reason.
    """
    members = {"direction": override} if isinstance(override, str) else override
    if not isinstance(members, dict) or not members or set(members) - _MEMBERS:
        raise ValueError("give a direction, or an object of direction, source, constant and go")
    for member in sorted(_TEXTS & set(members)):
        is_default = member == "direction" and members[member] is None
        _require(is_default or isinstance(members[member], str), f"{member} must be text")
    _require("source" not in members or "constant" not in members, "give either source or constant")
    _require(name not in _FIXED[table.entity], "this row cannot be changed")
    rows = {row.name: row for row in table.rows}
    if name in rows and "go" not in members:
        rows[name] = _changed(table, rows[name], members)
    else:
        rows[name] = _added(table, name, members)
    return replace(table, rows=tuple(rows.values()))


def _changed(table: Table, row: Property, members: Mapping[str, Any]) -> Property:
    field = GO_FIELDS[table.entity].get(row.go)
    if "source" in members or "constant" in members:
        to_go = _reader(members, field or GoField("string", is_patchable=True))
        row = replace(row, to_go=to_go, shop=_describe_source(members), to_shop=_writer(members))
    default = row.direction
    if default is Direction.BOTH and row.to_shop is None:
        default = Direction.TO_GO
    can_reach_shop = row.to_shop is not None
    direction = _direction(members, default, field, can_reach_shop=can_reach_shop)
    return replace(row, direction=direction)


def _added(table: Table, name: str, members: Mapping[str, Any]) -> Property:
    go_name = members.get("go")
    _require(
        table.entity != ORDER.entity or go_name != "SalesOrderStatus",
        "writing SalesOrderStatus is not supported yet: orders stay Drafts in this version",
    )
    field = GO_FIELDS[table.entity].get(str(go_name))
    if field is None:
        raise ValueError(
            "PowerOffice Go has no such property here" if go_name else "there is no such row"
        )
    for row in table.active:
        is_taken = row.go == go_name and row.name != name
        _require(not is_taken, f'"{go_name}" is already written by the row {row.name}')
    has_value = "source" in members or "constant" in members
    _require(has_value, "a new row needs a source or a constant")
    default = Direction.TO_GO if field.is_patchable else Direction.ON_CREATE
    to_shop = _writer(members)
    direction = _direction(members, default, field, can_reach_shop=to_shop is not None)
    return Property(
        name=name,
        shop=_describe_source(members),
        go=str(go_name),
        go_type=field.type,
        direction=direction,
        to_go=_reader(members, field),
        normalise=_NORMALISE.get(field.type, values.normalise_text),
        to_shop=to_shop,
    )


def _describe_source(members: Mapping[str, Any]) -> str:
    return str(members.get("source") or f"always {members.get('constant')}")


def _direction(
    members: Mapping[str, Any], default: Direction, field: GoField | None, *, can_reach_shop: bool
) -> Direction:
    """Return the requested direction, having checked that values can flow in it.

    Raises:
        ValueError: they cannot; the message gives the reason.
    """
    name = members.get("direction")
    _require(
        name is None or name in _DIRECTIONS, f"direction must be one of {', '.join(_DIRECTIONS)}"
    )
    direction = default if name is None else _DIRECTIONS[name]
    _require(
        can_reach_shop or not direction.reaches_shop,
        "it cannot be written to the shop; use direction to_go, create or off",
    )
    _require(
        field is None or field.is_patchable or not direction.reaches_go,
        "PowerOffice Go accepts this only when an entry is created; use direction create",
    )
    return direction


def _require(condition: bool, message: str) -> None:
    """Require that a condition holds.

    Raises:
        ValueError: it does not; `message` is for the user.
    """
    if not condition:
        raise ValueError(message)


def _reader(members: Mapping[str, Any], field: GoField) -> Callable[[Record, Conversion], Value]:
    if "constant" in members:
        constant = members["constant"]
        try:
            _convert(constant, field, ZoneInfo("UTC"), "constant")
        except values.Unusable:
            raise ValueError(
                f"PowerOffice Go requires a {field.type} here, which the constant is not"
            ) from None
        return lambda _, conversion: _convert(constant, field, conversion.time_zone, "constant")
    source = str(members["source"])

    def read(record: Record, conversion: Conversion) -> Value:
        value = values.value_at(record, source)
        if value is values.ABSENT:
            return value
        return _convert(value, field, conversion.time_zone, source)

    return read


def _writer(members: Mapping[str, Any]) -> Callable[[Value, Record], Record] | None:
    """Return the function that writes a value to its source; None for a constant."""
    if "constant" in members:
        return None
    *groups, leaf = str(members["source"]).split(".")

    def write(value: Value, _: Record) -> Record:
        patch: Record = {leaf: format(value, "f") if isinstance(value, Decimal) else value}
        for group in reversed(groups):
            patch = {group: patch}
        return patch

    return write


def _convert(value: object, field: GoField, zone: ZoneInfo, label: str) -> Value:
    if field.type == "date":
        return values.day(value, zone=zone, label=label)
    return _CONVERT.get(field.type, values.unescaped_text)(value, label=label)


def _whole_number(value: object, *, label: str) -> int | None:
    """Return a whole number.

    Raises:
        Unusable: the value is not a whole number.
    """
    number = values.amount(value, label=label)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise values.Unusable(f"{label} {values.quoted(value)} is not a whole number")
    return int(number)


_CONVERT: Mapping[str, Callable[..., Value]] = {
    "boolean": values.flag,
    "int64": _whole_number,
    "decimal": values.amount,
}
_NORMALISE: Mapping[str, Callable[[Value], Value]] = {
    "boolean": values.normalise_flag,
    "int64": values.normalise_amount,
    "decimal": values.normalise_amount,
    "date": values.normalise_date,
}
