"""The values of a shop record in Go's form, by the names used in the base of its link."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.customer import separate_entries
from target_powerofficego.dataflow.orders.lines_back import lines_agree, members_by_reference
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.orders.state import AMOUNTS, LINE, amounts_to_base, order_amounts
from target_powerofficego.dataflow.values import ABSENT, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.dataflow.table import Conversion, Record, Table
    from target_powerofficego.dataflow.values import Value


def shop_values(
    entity: str, record: Record, table: Table, conversion: Conversion
) -> dict[str, Value]:
    """Return a record's values in Go's form, without those that cannot be read.

    For a customer they include what becomes separate entries in Go; for an order, its lines and
    their amounts.
    """
    by_name: dict[str, Value] = {}
    order = ShopOrder(record)
    with contextlib.suppress(Unusable):
        if entity == "customers":
            by_name |= separate_entries(record)
        elif entity == "orders":
            members = members_by_reference(order)
            by_name |= {f"{LINE}{reference}": line for reference, line in members.items()}
    for row in table.active:
        try:
            value = row.to_go(record, conversion)
        except Unusable:
            continue
        if value is not ABSENT:
            by_name[row.name] = value
    if entity == "orders":
        with contextlib.suppress(Unusable):
            by_name[AMOUNTS] = amounts_to_base(order_amounts(by_name, order.lines))
    return by_name


def equality_by_name(table: Table) -> Callable[[str, Value, Value], bool]:
    """Return a function of a name and two values that returns whether they are the same."""
    rows = {row.name: row for row in table.rows}
    return lambda name, value, other: (
        rows[name].are_equal(value, other) if name in rows else lines_agree(value, other)
    )
