"""Lines of an order on the way back: what Go changed in them; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.answer import ROUNDING
from target_powerofficego.dataflow.orders.line_amounts import Money
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS, OrderLine, dicts
from target_powerofficego.dataflow.orders.reading import read_lines
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.agreement import Agreement
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value

NUMBERS = ("Quantity", "ProductUnitPrice", "Allowance")
"""The members that flow together, for they make one amount."""

BACK_MEMBERS = ("Description", *NUMBERS)
"""The members of a line that flow to the shop."""


@dataclass(frozen=True)
class LineEdit:
    """The members of a line that flow to the shop, with Go's amounts and VAT rate in percent."""

    members: Mapping[str, Value]
    total: Money
    rate: Decimal | None

    @property
    def moves_amounts(self) -> bool:
        """Whether the line may come to another amount."""
        return NUMBERS[0] in self.members

    def is_held_by(self, line: OrderLine) -> bool:
        """Tell whether a line of the shop says exactly this."""
        told = _members(line)
        return all(
            _same(name, told.get(name)) == _same(name, one) for name, one in self.members.items()
        ) and (line.total == self.total or not self.moves_amounts)


def lines_of(entry: Mapping[str, Any]) -> dict[str, Record]:
    """Return the lines of a sales order in Go by our reference, those without one by their Id.

    Raises:
        Unusable: they are no list of lines.
    """
    lines = dicts(entry.get("SalesOrderLines"), what="SalesOrderLines")
    return {str(line.get("ExternalImportReference") or line.get("Id")): line for line in lines}


def members_by_reference(order: Record) -> dict[str, dict[str, Value]]:
    """Return what the lines of a shop's order say of the members that flow back.

    Raises:
        Unusable: they cannot be read.
    """
    return {line.reference: _members(line) for line in read_lines(order)}


def agree(one: Value, other: Value) -> bool:
    """Tell whether two lines say the same of the members that flow back and that both tell."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return bool(one == other)
    return all(
        _same(name, one[name]) == _same(name, other[name])
        for name in BACK_MEMBERS
        if name in one and name in other
    )


def unmet(
    lines: Mapping[str, Record], base: Mapping[str, Agreement]
) -> dict[str, dict[str, Value] | None]:
    """Return as Go has them the lines of which the base has never seen Go's side, or None.

    An order that was found in Go and linked is agreed on by the shop's word alone. What differs
    then is no edit of anybody's, and stays. A line that Go has told bears Go's Id in the base.
    """
    return {
        reference: None
        if line is None
        else {name: line.get(name) for name in ("Id", *LINE_MEMBERS)}
        for reference, one in base.items()
        if one.go is not None and "Id" not in one.go
        for line in [lines.get(reference)]
    }


def refusals(lines: Mapping[str, Record], base: Mapping[str, Agreement]) -> Iterator[str]:
    """Say in words what was done to lines in Go that is never done in the shop.

    A line that only Go has was added since, unless Go's lines are not those of the shop at all.
    """
    for reference, one in base.items():
        line = lines.get(reference)
        if one.go is None:
            continue
        if line is None:
            yield (
                f"line {reference} was removed in Go, and a line is never deleted in the shop:"
                " take it out of the order in the shop as well, or add it in Go again"
            )
        elif _same("ProductId", line.get("ProductId")) != _same("ProductId", one.go["ProductId"]):
            yield (
                f"line {reference} has another product in Go, and a product is never exchanged in"
                " the shop: change it in the shop, or back in Go"
            )
    if all(one.go is not None for one in base.values()):
        for reference in lines.keys() - base.keys() - {ROUNDING}:
            named = values.shown(lines[reference].get("Description"))
            yield (
                f"the line {named} was added in Go, and a line is never made in the shop: remove it"
                " in Go and add it to the order in the shop"
            )


def edits(lines: Mapping[str, Record], base: Mapping[str, Agreement]) -> dict[str, LineEdit]:
    """Return what Go changed in the lines that the base knows, by reference.

    Raises:
        Unusable: a number of Go's cannot be read.
    """
    found = {}
    for reference, one in base.items():
        line = lines.get(reference)
        if line is None or one.go is None:
            continue
        moved = [
            name
            for name in BACK_MEMBERS
            if _same(name, line.get(name)) != _same(name, one.go[name])
        ]
        if moved:
            found[reference] = _edit(reference, line, moved)
    return found


def total_of(entry: Mapping[str, Any]) -> Decimal:
    """Return what a sales order in Go comes to with VAT, in krone, without our line for rounding.

    Raises:
        Unusable: it is not told.
    """
    rounding = lines_of(entry).get(ROUNDING, {}).get("TotalAmount") or 0
    total = values.number_in_go(entry.get("TotalAmount"), what="TotalAmount")
    return to_ore(total - values.number_in_go(rounding, what="TotalAmount"))


def _members(line: OrderLine) -> dict[str, Value]:
    if line.is_text:
        return {"Description": line.description}
    return {
        "Description": line.description,
        "Quantity": line.quantity,
        "ProductUnitPrice": line.price.unit_price,
        "Allowance": line.price.allowance,
    }


def _same(name: str, value: Value) -> Value:
    """Return a member's value as it is compared.

    Raises:
        Unusable: it should be a number and is none.
    """
    try:
        return LINE_MEMBERS[name](value)
    except InvalidOperation:
        msg = f"{name} of a line in Go is no number: {values.shown(value)}"
        raise Unusable(msg) from None


def _edit(reference: str, line: Record, moved: list[str]) -> LineEdit:
    what = f"line {reference}, "
    names = [
        name
        for name in BACK_MEMBERS
        if name in moved or (name in NUMBERS and not set(moved).isdisjoint(NUMBERS))
    ]
    members = {
        name: values.number_in_go(line.get(name), what=what + name)
        if name in NUMBERS
        else line.get(name)
        for name in names
    }
    amounts = (
        to_ore(values.number_in_go(line.get(name), what=what + name))
        for name in ("NetAmount", "VatAmount", "TotalAmount")
    )
    rate = line.get("VatRate")
    percent = None if rate is None else values.number_in_go(rate, what=f"{what}VatRate") * 100
    return LineEdit(members, Money(*amounts), percent)
