"""Lines of an order on the way back: what was edited in Go, and the patch for the shop; pure.

The law of the patch: what the way forward then reads from the order is, to the øre, exactly what Go
has for the edited lines, and the other lines are unchanged. If the shop has no form that achieves
this, nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.answer import ROUNDING
from target_powerofficego.dataflow.orders.line_amounts import NOTHING, ZERO, Money
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS, LISTS, OrderLine, dicts
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.values import Unusable, Value, money, rate_key, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.table import Agreement, Record

_DISCOUNTS = ("discount_excl", "discount_incl")
_SMALLEST_STEP = Decimal("1E-12")  # kroner: as many decimals as the way forward reads

NUMBERS = ("Quantity", "ProductUnitPrice", "Allowance")
"""The members that flow together, because they make up one amount."""

BACK_MEMBERS = ("Description", *NUMBERS)
"""The members of a line that flow to the shop."""


@dataclass(frozen=True)
class LineEdit:
    """The members of a line that flow to the shop, with Go's amounts and VAT rate in percent."""

    members: Mapping[str, Value]
    total: Money
    rate: Decimal | None

    @property
    def may_change_amounts(self) -> bool:
        """Whether the edit may change the line's amounts."""
        return NUMBERS[0] in self.members

    def is_equal_to(self, line: OrderLine) -> bool:
        """Return whether a line of the shop has exactly what the edit gives it."""
        in_shop = _members(line)
        return all(
            _normalise(name, in_shop.get(name)) == _normalise(name, value)
            for name, value in self.members.items()
        ) and (line.total == self.total or not self.may_change_amounts)


def lines_of(entry: Mapping[str, Any]) -> dict[str, Record]:
    """Return the lines of a sales order in Go by our reference, those without one by their Id.

    Raises:
        Unusable: they are not a list of lines.
    """
    lines = dicts(entry.get("SalesOrderLines"), label="SalesOrderLines")
    return {str(line.get("ExternalImportReference") or line.get("Id")): line for line in lines}


def members_by_reference(order: ShopOrder) -> dict[str, dict[str, Value]]:
    """Return, by reference, the members of a shop order's lines that flow back.

    Raises:
        Unusable: they cannot be read.
    """
    return {line.reference: _members(line) for line in order.lines}


def lines_agree(first: Value, second: Value) -> bool:
    """Return whether two lines agree on the members that flow back and that both have."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return bool(first == second)
    return all(
        _normalise(name, first[name]) == _normalise(name, second[name])
        for name in BACK_MEMBERS
        if name in first and name in second
    )


def lines_never_read(
    lines: Mapping[str, Record], base: Mapping[str, Agreement]
) -> dict[str, dict[str, Value] | None]:
    """Return the lines whose base has never held Go's side, as they are in Go; None if missing.

    The base of an order that was found in Go and linked comes from the shop alone. What differs
    then is not an edit, and stays. A line that was read from Go has Go's Id in the base.
    """
    return {
        reference: {name: lines[reference].get(name) for name in ("Id", *LINE_MEMBERS)}
        if reference in lines
        else None
        for reference, agreed in base.items()
        if agreed.go is not None and "Id" not in agreed.go
    }


def unsupported_edits(lines: Mapping[str, Record], base: Mapping[str, Agreement]) -> Iterator[str]:
    """Yield the edits of lines in Go that are never made in the shop.

    A line that only Go has was added there, unless Go's lines are not the shop's lines at all.
    """
    for reference, agreed in base.items():
        line = lines.get(reference)
        if agreed.go is None:
            continue
        if line is None:
            yield (
                f"line {reference} was removed in Go, and a line is never deleted in the shop:"
                " take it out of the order in the shop as well, or add it in Go again"
            )
        elif _is_edited("ProductId", line, agreed.go):
            yield (
                f"line {reference} has another product in Go, and a line's product is never changed"
                " in the shop: change it in the shop by hand, or change it back in Go"
            )
    if all(agreed.go is not None for agreed in base.values()):
        for reference in lines.keys() - base.keys() - {ROUNDING}:
            description = values.quoted(lines[reference].get("Description"))
            yield (
                f"the line {description} was added in Go, and a line is never added in the shop:"
                " remove it in Go and add it to the order in the shop"
            )


def line_edits(lines: Mapping[str, Record], base: Mapping[str, Agreement]) -> dict[str, LineEdit]:
    """Return the edits in Go of the lines that the base has, by reference.

    Raises:
        Unusable: a number in Go cannot be read.
    """
    edits = {}
    for reference, agreed in base.items():
        line = lines.get(reference)
        if line is None or agreed.go is None:
            continue
        edited = [name for name in BACK_MEMBERS if _is_edited(name, line, agreed.go)]
        if edited:
            edits[reference] = _edit(reference, line, edited)
    return edits


def _is_edited(name: str, line: Record, agreed: Mapping[str, Value]) -> bool:
    return bool(_normalise(name, line.get(name)) != _normalise(name, agreed[name]))


def sales_order_total(entry: Mapping[str, Any]) -> Decimal:
    """Return what a sales order in Go comes to with VAT, in kroner, without our line for rounding.

    Raises:
        Unusable: Go does not give it.
    """
    rounding = lines_of(entry).get(ROUNDING, {}).get("TotalAmount") or 0
    total = values.number_in_go(entry.get("TotalAmount"), label="TotalAmount")
    return round_to_ore(total - values.number_in_go(rounding, label="TotalAmount"))


def _members(line: OrderLine) -> dict[str, Value]:
    members = line.values(None, standard_account=False)
    return {name: members[name] for name in BACK_MEMBERS if name in members}


def _normalise(name: str, value: Value) -> Value:
    """Return a member's value in the form used for comparison.

    Raises:
        Unusable: it should be a number but is not one.
    """
    try:
        return LINE_MEMBERS[name](value)
    except InvalidOperation:
        raise Unusable(f"{name} of a line in Go is not a number: {values.quoted(value)}") from None


def _edit(reference: str, line: Record, edited: list[str]) -> LineEdit:
    label = f"line {reference}, "
    names = [
        name
        for name in BACK_MEMBERS
        if name in edited or (name in NUMBERS and not set(edited).isdisjoint(NUMBERS))
    ]
    members = {
        name: values.number_in_go(line.get(name), label=label + name)
        if name in NUMBERS
        else line.get(name)
        for name in names
    }
    amounts = (
        round_to_ore(values.number_in_go(line.get(name), label=label + name))
        for name in ("NetAmount", "VatAmount", "TotalAmount")
    )
    rate = line.get("VatRate")
    percent = None if rate is None else values.number_in_go(rate, label=f"{label}VatRate") * 100
    return LineEdit(members, Money(*amounts), percent)


def patch_of(order: ShopOrder, edited: Mapping[str, LineEdit], total: Decimal) -> Record:
    """Return the merge patch that gives an order's lines what Go has for them.

    `total` is what the order comes to in Go. The order's totals and VAT change by as much as its
    lines do.

    Raises:
        Unusable: the shop cannot represent it.
    """
    before = {line.reference: line for line in order.lines}
    patch: Record = {name: list(dicts(order.raw.get(name), label=name)) for name in LISTS}
    places = _places(order.raw)
    for reference, edit in edited.items():
        if reference not in places:
            raise Unusable(
                f"line {reference} is not one of the shop's own lines; change it in the shop"
            )
        kind, place = places[reference]
        patch[kind][place] = _edited(kind, patch[kind][place], before[reference], edit)
    increases = [_increase(before[reference], edit) for reference, edit in edited.items()]
    patch |= _totals(order.raw, increases)
    patch["taxes"] = _taxes(order.raw, increases)
    _require_equal(ShopOrder({**order.raw, **patch}), before, edited, total)
    return {name: value for name, value in patch.items() if value != (order.raw.get(name) or [])}


def _places(order: Record) -> dict[str, tuple[str, int]]:
    """Return each line's list and its position there, by reference."""
    places = {}
    for kind, prefix in LISTS.items():
        for place, raw in enumerate(dicts(order.get(kind), label=kind)):
            shop_id = values.text(raw.get("id"), label=f"{kind}, id")
            places[f"{prefix}{shop_id or place + 1}"] = (kind, place)
    return places


def _edited(kind: str, raw: Record, before: OrderLine, edit: LineEdit) -> Record:
    """Return a line of the shop after an edit in Go: the first form that expresses it exactly.

    Raises:
        Unusable: there is none.
    """
    if None not in (before.rate, edit.rate) and before.rate != edit.rate:
        rates = [f"{rate_key(rate)} %" for rate in (before.rate, edit.rate) if rate is not None]
        raise Unusable(
            f"VAT of line {before.reference}: the shop says {rates[0]}, Go says {rates[1]}"
        )
    if "Description" in edit.members:
        name = values.normalise_text(edit.members["Description"])
        raw = {**raw, "name": values.written_like(name, raw.get("name"))}
    forms = _with_amounts(raw, edit, before.rate or edit.rate) if edit.may_change_amounts else [raw]
    for form in forms:
        if _gives(kind, form, edit):
            return form
    raise Unusable(f"the shop cannot represent Go's values of line {before.reference}")


def _gives(kind: str, raw: Record, edit: LineEdit) -> bool:
    """Return whether the way forward reads a line of the shop as exactly what was edited."""
    try:
        lines = ShopOrder({kind: [raw]}).lines
    except Unusable:
        return False
    return len(lines) == 1 and edit.is_equal_to(lines[0])


def _with_amounts(raw: Record, edit: LineEdit, rate: Decimal | None) -> Iterator[Record]:
    """Yield the forms that a line can take with Go's numbers; only members it has are set.

    If Go has an allowance and the line no discount, one is added. A unit price with VAT is rounded
    to whole øre.
    """
    quantity, price, allowance = (edit.members[name] for name in NUMBERS)
    with_vat = 1 + (rate or ZERO) / 100
    amounts = {
        "quantity": format(values.normalise_amount(quantity), "f"),
        "unit_price_excl": money(price),
        "unit_price_incl": money(round_to_ore(price * with_vat)),
        "total_excl": money(edit.total.excl),
        "total_tax": money(edit.total.tax),
        "total_incl": money(edit.total.incl),
    }
    names = [name for name in (*amounts, *_DISCOUNTS) if raw.get(name) not in (None, "")]
    if allowance and not set(names) & set(_DISCOUNTS):
        names.append(_DISCOUNTS[0])
    full = quantity * price
    for discounts in zip(
        _discounts(full, edit.total.excl, allowance),
        _discounts(full * with_vat, edit.total.incl, allowance),
        strict=True,
    ):
        members = {**amounts, **dict(zip(_DISCOUNTS, map(money, discounts), strict=True))}
        yield {**raw, **{name: members[name] for name in names}}


def _discounts(full: Decimal, left: Decimal, allowance: Decimal) -> list[Decimal]:
    """Return the discounts to try for a percentage: first in whole øre, then more exactly.

    On small amounts, a discount in whole øre amounts to another percentage.
    """
    if not allowance:
        return [ZERO]
    rounded = round_to_ore(full) - left
    if allowance == 100:
        return [rounded]
    return [rounded, (left * allowance / (100 - allowance)).quantize(_SMALLEST_STEP)]


def _increase(before: OrderLine, edit: LineEdit) -> tuple[Decimal | None, Money]:
    """Return a line's VAT rate in percent, and by how much its amounts grow."""
    rate = edit.rate if before.rate is None else before.rate
    return rate, edit.total - before.total if edit.may_change_amounts else NOTHING


def _totals(order: Record, increases: list[tuple[Decimal | None, Money]]) -> Record:
    """Return those of the order's totals that change with its lines; missing ones are not added."""
    totals = {}
    for kind in ("excl", "tax", "incl"):
        name = f"total_{kind}"
        stated = values.amount(order.get(name), label=name)
        added = sum((getattr(increase, kind) for _, increase in increases), ZERO)
        if stated is not None and added:
            totals[name] = money(stated + added)
    return totals


def _taxes(order: Record, increases: list[tuple[Decimal | None, Money]]) -> list[Record]:
    """Return an order's VAT by rate after its lines have changed; an empty list stays empty.

    Raises:
        Unusable: it has no row for a rate at which VAT changed.
    """
    rows = list(dicts(order.get("taxes"), label="taxes"))
    if not rows:
        return rows
    rates = [values.vat_rate(row.get("rate"), label="taxes, rate") for row in rows]
    for rate, increase in increases:
        if not increase.tax and (not increase.excl or rate not in rates):
            continue
        if rate not in rates:
            shown_rate = "which is not known" if rate is None else f"{rate_key(rate)} %"
            raise Unusable(
                "the order's `taxes` in the shop have no row for the VAT rate of an edited line"
                f" ({shown_rate})"
            )
        place = rates.index(rate)
        added = {"base": increase.excl, "amount": increase.tax}
        rows[place] = {**rows[place], **_increased(rows[place], added)}
    return rows


def _increased(row: Record, added: Mapping[str, Decimal]) -> Record:
    stated = {name: values.amount(row.get(name), label=f"taxes, {name}") for name in added}
    return {
        name: money(amount + added[name]) for name, amount in stated.items() if amount is not None
    }


def _require_equal(
    order: ShopOrder,
    before: Mapping[str, OrderLine],
    edited: Mapping[str, LineEdit],
    total: Decimal,
) -> None:
    """Require that the way forward reads exactly what Go has from the patched order.

    Raises:
        Unusable: it does not.
    """
    for line in order.lines:
        edit = edited.get(line.reference)
        is_right = line == before[line.reference] if edit is None else edit.is_equal_to(line)
        if not is_right:
            raise Unusable(f"the shop cannot represent Go's values of line {line.reference}")
    if order.total != total:
        raise Unusable(
            f"with Go's lines the shop's order comes to {order.total} with VAT, but Go's to {total}"
        )
