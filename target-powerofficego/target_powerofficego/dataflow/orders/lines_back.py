"""Lines of an order on the way back: what Go changed in them, and the patch that says so; pure.

The law of the patch: what the way forward reads from the order afterwards is, to the øre, exactly
what Go says of the edited lines; the other lines are unchanged. Where the shop has no form that
achieves this, nothing is written.
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
_FINEST = Decimal("1E-12")  # kroner: as many decimals as the way forward reads

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
    def moves_amounts(self) -> bool:
        """Whether the edit may change what the line comes to."""
        return NUMBERS[0] in self.members

    def is_held_by(self, line: OrderLine) -> bool:
        """Return whether a line of the shop agrees exactly with this edit."""
        told = _members(line)
        return all(
            _same(name, told.get(name)) == _same(name, one) for name, one in self.members.items()
        ) and (line.total == self.total or not self.moves_amounts)


def lines_of(entry: Mapping[str, Any]) -> dict[str, Record]:
    """Return the lines of a sales order in Go by our reference, those without one by their Id.

    Raises:
        Unusable: they are not a list of lines.
    """
    lines = dicts(entry.get("SalesOrderLines"), label="SalesOrderLines")
    return {str(line.get("ExternalImportReference") or line.get("Id")): line for line in lines}


def members_by_reference(order: ShopOrder) -> dict[str, dict[str, Value]]:
    """Return the values that the lines of a shop order have for the members that flow back.

    Raises:
        Unusable: they cannot be read.
    """
    return {line.reference: _members(line) for line in order.lines}


def lines_agree(one: Value, other: Value) -> bool:
    """Return whether two lines agree on the members that flow back and that both have."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return bool(one == other)
    return all(
        _same(name, one[name]) == _same(name, other[name])
        for name in BACK_MEMBERS
        if name in one and name in other
    )


def lines_never_read(
    lines: Mapping[str, Record], base: Mapping[str, Agreement]
) -> dict[str, dict[str, Value] | None]:
    """Return, as they are in Go, or None, the lines of which the base has never held Go's side.

    The base of an order that was found in Go and linked comes from the shop alone. What differs
    then is nobody's edit, and stays. A line that was read from Go has Go's Id in the base.
    """
    return {
        reference: None
        if line is None
        else {name: line.get(name) for name in ("Id", *LINE_MEMBERS)}
        for reference, one in base.items()
        if one.go is not None and "Id" not in one.go
        for line in [lines.get(reference)]
    }


def unsupported_edits(lines: Mapping[str, Record], base: Mapping[str, Agreement]) -> Iterator[str]:
    """Say what was done to lines in Go that is never done in the shop.

    A line that only Go has was added since, unless Go's lines are not the shop's lines at all.
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
            named = values.quoted(lines[reference].get("Description"))
            yield (
                f"the line {named} was added in Go, and a line is never made in the shop: remove it"
                " in Go and add it to the order in the shop"
            )


def line_edits(lines: Mapping[str, Record], base: Mapping[str, Agreement]) -> dict[str, LineEdit]:
    """Return what Go changed in the lines that the base has, by reference.

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


def sales_order_total(entry: Mapping[str, Any]) -> Decimal:
    """Return what a sales order in Go comes to with VAT, in kroner, without our rounding line.

    Raises:
        Unusable: Go does not give it.
    """
    rounding = lines_of(entry).get(ROUNDING, {}).get("TotalAmount") or 0
    total = values.number_in_go(entry.get("TotalAmount"), label="TotalAmount")
    return round_to_ore(total - values.number_in_go(rounding, label="TotalAmount"))


def _members(line: OrderLine) -> dict[str, Value]:
    members = line.values(None, standard_account=False)
    return {name: members[name] for name in BACK_MEMBERS if name in members}


def _same(name: str, value: Value) -> Value:
    """Return a member's value in the form used for comparison.

    Raises:
        Unusable: it should be a number but is not one.
    """
    try:
        return LINE_MEMBERS[name](value)
    except InvalidOperation:
        raise Unusable(f"{name} of a line in Go is no number: {values.quoted(value)}") from None


def _edit(reference: str, line: Record, moved: list[str]) -> LineEdit:
    label = f"line {reference}, "
    names = [
        name
        for name in BACK_MEMBERS
        if name in moved or (name in NUMBERS and not set(moved).isdisjoint(NUMBERS))
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
    """Return the merge patch that makes an order's lines say what Go says of them.

    `total` is what the order comes to in Go. The order's totals and VAT change by as much as its
    lines do.

    Raises:
        Unusable: the shop has no form for it.
    """
    before = {line.reference: line for line in order.lines}
    patch: Record = {name: list(dicts(order.raw.get(name), label=name)) for name in LISTS}
    places = _places(order.raw)
    for reference, edit in edited.items():
        if reference not in places:
            raise Unusable(f"line {reference} is no line of the shop's own; change it in the shop")
        kind, place = places[reference]
        patch[kind][place] = _edited(kind, patch[kind][place], before[reference], edit)
    more = [_more(before[reference], edit) for reference, edit in edited.items()]
    patch |= _totals(order.raw, more)
    patch["taxes"] = _taxes(order.raw, more)
    _check(ShopOrder({**order.raw, **patch}), before, edited, total)
    return {name: value for name, value in patch.items() if value != (order.raw.get(name) or [])}


def _places(order: Record) -> dict[str, tuple[str, int]]:
    """Return, by reference, the list that each line is in and its position there."""
    found = {}
    for kind, prefix in LISTS.items():
        for place, raw in enumerate(dicts(order.get(kind), label=kind)):
            shop_id = values.text(raw.get("id"), label=f"{kind}, id")
            found[f"{prefix}{shop_id or place + 1}"] = (kind, place)
    return found


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
    forms = _with_amounts(raw, edit, before.rate or edit.rate) if edit.moves_amounts else [raw]
    for form in forms:
        if _says(kind, form, edit):
            return form
    raise Unusable(f"the shop has no form for what Go says of line {before.reference}")


def _says(kind: str, raw: Record, edit: LineEdit) -> bool:
    try:
        read = ShopOrder({kind: [raw]}).lines
    except Unusable:
        return False
    return len(read) == 1 and edit.is_held_by(read[0])


def _with_amounts(raw: Record, edit: LineEdit, rate: Decimal | None) -> Iterator[Record]:
    """Yield the forms that a line can take with Go's numbers; members it lacks are not added.

    A unit price with VAT is rounded to whole øre.
    """
    quantity, price, allowance = (edit.members[name] for name in NUMBERS)
    with_vat = 1 + (rate or ZERO) / 100
    told = {
        "quantity": format(values.normalise_amount(quantity), "f"),
        "unit_price_excl": money(price),
        "unit_price_incl": money(round_to_ore(price * with_vat)),
        "total_excl": money(edit.total.excl),
        "total_tax": money(edit.total.tax),
        "total_incl": money(edit.total.incl),
    }
    names = [name for name in (*told, *_DISCOUNTS) if raw.get(name) not in (None, "")]
    if allowance and not set(names) & set(_DISCOUNTS):
        names.append(_DISCOUNTS[0])
    full = quantity * price
    for discounts in zip(
        _discounts(full, edit.total.excl, allowance),
        _discounts(full * with_vat, edit.total.incl, allowance),
        strict=True,
    ):
        whole = {**told, **dict(zip(_DISCOUNTS, map(money, discounts), strict=True))}
        yield {**raw, **{name: whole[name] for name in names}}


def _discounts(full: Decimal, left: Decimal, allowance: Decimal) -> list[Decimal]:
    """Return the discounts to try for a percentage: first in whole øre, then more exactly.

    On small amounts, a discount in whole øre amounts to another percentage.
    """
    if not allowance:
        return [ZERO]
    in_ore = [round_to_ore(full) - left]
    if allowance == 100:
        return in_ore
    return [*in_ore, (left * allowance / (100 - allowance)).quantize(_FINEST)]


def _more(before: OrderLine, edit: LineEdit) -> tuple[Decimal | None, Money]:
    """Return a line's VAT rate in percent, and by how much it comes to more than before."""
    rate = edit.rate if before.rate is None else before.rate
    return rate, edit.total - before.total if edit.moves_amounts else NOTHING


def _totals(order: Record, differences: list[tuple[Decimal | None, Money]]) -> Record:
    """Return those totals that the order has, after its lines have changed."""
    found = {}
    for kind in ("excl", "tax", "incl"):
        name = f"total_{kind}"
        known = values.amount(order.get(name), label=name)
        added = sum((getattr(more, kind) for _, more in differences), ZERO)
        if known is not None and added:
            found[name] = money(known + added)
    return found


def _taxes(order: Record, differences: list[tuple[Decimal | None, Money]]) -> list[Record]:
    """Return an order's VAT by rate after its lines have changed; an empty list stays empty.

    Raises:
        Unusable: it has no row for a rate at which VAT changed.
    """
    rows = list(dicts(order.get("taxes"), label="taxes"))
    if not rows:
        return rows
    rates = [values.vat_rate(row.get("rate"), label="taxes, rate") for row in rows]
    for rate, more in differences:
        if not more.tax and (not more.excl or rate not in rates):
            continue
        if rate not in rates:
            told = "its" if rate is None else f"{rate_key(rate)} %"
            raise Unusable(
                f"the order's taxes in the shop have no row for the VAT rate of a line ({told})"
            )
        place = rates.index(rate)
        added = {"base": more.excl, "amount": more.tax}
        rows[place] = {**rows[place], **_raised(rows[place], added)}
    return rows


def _raised(row: Record, added: Mapping[str, Decimal]) -> Record:
    known = {name: values.amount(row.get(name), label=f"taxes, {name}") for name in added}
    return {name: money(one + added[name]) for name, one in known.items() if one is not None}


def _check(
    order: ShopOrder,
    before: Mapping[str, OrderLine],
    edited: Mapping[str, LineEdit],
    total: Decimal,
) -> None:
    """Check that an order, read as the way forward reads it, says what Go says.

    Raises:
        Unusable: it does not.
    """
    for line in order.lines:
        edit = edited.get(line.reference)
        is_right = line == before[line.reference] if edit is None else edit.is_held_by(line)
        if not is_right:
            raise Unusable(f"the shop has no form for what Go says of line {line.reference}")
    come_to = order.total
    if come_to != total:
        raise Unusable(
            f"with Go's lines the shop's order comes to {come_to} with VAT, but Go's to {total}"
        )
