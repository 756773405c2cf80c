"""What a shop record says, in Go's form, under the names used in the base of its link."""

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
    """Return a record in Go's form, each row on its own; what cannot be read is left out.

    For a customer this includes what becomes entries of their own; for an order, its lines and what
    they come to.
    """
    found: dict[str, Value] = {}
    order = ShopOrder(record)
    with contextlib.suppress(Unusable):
        if entity == "customers":
            found |= separate_entries(record)
        elif entity == "orders":
            members = members_by_reference(order)
            found |= {f"{LINE}{reference}": one for reference, one in members.items()}
    for row in table.active:
        try:
            value = row.to_go(record, conversion)
        except Unusable:
            continue
        if value is not ABSENT:
            found[row.name] = value
    if entity == "orders":
        with contextlib.suppress(Unusable):
            found[AMOUNTS] = amounts_to_base(order_amounts(found, order.lines))
    return found


def equality_by_name(table: Table) -> Callable[[str, Value, Value], bool]:
    """Return a function that says whether two values of one name are the same."""
    rows = {row.name: row for row in table.rows}
    return lambda name, one, other: (
        rows[name].are_equal(one, other) if name in rows else lines_agree(one, other)
    )
