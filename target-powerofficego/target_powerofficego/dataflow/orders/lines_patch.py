"""Lines of an order on the way back: the patch by which the shop's order says what Go says; pure.

The law: what the way forward reads off the order afterwards is exactly what Go says of the lines
that were edited, to the øre; what the other lines say stays. Where no form of the shop's does that,
nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import Money
from target_powerofficego.dataflow.orders.lines import OrderLine, dicts
from target_powerofficego.dataflow.orders.lines_back import NUMBERS
from target_powerofficego.dataflow.orders.reading import order_total, read_lines
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.dataflow.product_back import money
from target_powerofficego.dataflow.values import Unusable, to_ore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.orders.lines_back import LineEdit
    from target_powerofficego.dataflow.table import Record

_LISTS = {"lines": "", "shipping": "shipping:", "fees": "fee:"}
"""Where an order has lines, and what their references begin with."""
_DISCOUNTS = ("discount_excl", "discount_incl")
_ZERO = Decimal(0)
_FINEST = Decimal("1E-12")  # krone: as many decimals as the way forward reads


def patch_of(order: Record, edited: Mapping[str, LineEdit], total: Decimal) -> Record:
    """Return the merge patch after which an order says what Go says of its lines.

    `total` is what the order comes to in Go. The order's totals and VAT follow by what the lines
    come to more or less than before.

    Raises:
        Unusable: the shop has no form for it.
    """
    before = {line.reference: line for line in read_lines(order)}
    patch: Record = {name: list(dicts(order.get(name), what=name)) for name in _LISTS}
    places = _places(order)
    for reference, edit in edited.items():
        if reference not in places:
            msg = f"line {reference} is no line of the shop's own; change it in the shop"
            raise Unusable(msg)
        kind, place = places[reference]
        patch[kind][place] = _edited(kind, patch[kind][place], before[reference], edit)
    more = [_difference(before[reference], edit) for reference, edit in edited.items()]
    patch |= _totals(order, more)
    patch["taxes"] = _taxes(order, more)
    _check({**order, **patch}, before, edited, total)
    return {name: value for name, value in patch.items() if value != (order.get(name) or [])}


@dataclass(frozen=True)
class _Difference:
    """What a line comes to more than before, and its VAT rate in percent."""

    more: Money
    rate: Decimal | None


def _places(order: Record) -> dict[str, tuple[str, int]]:
    """Return in which list, and where in it, each line is, by reference."""
    found = {}
    for kind, prefix in _LISTS.items():
        for place, raw in enumerate(dicts(order.get(kind), what=kind)):
            shop_id = values.text(raw.get("id"), what=f"{kind}, id")
            found[f"{prefix}{shop_id or place + 1}"] = (kind, place)
    return found


def _edited(kind: str, raw: Record, before: OrderLine, edit: LineEdit) -> Record:
    """Return a line of the shop after an edit of Go's: the first form that says exactly that.

    Raises:
        Unusable: there is none.
    """
    if None not in (before.rate, edit.rate) and before.rate != edit.rate:
        rates = [f"{rate_key(rate)} %" for rate in (before.rate, edit.rate) if rate is not None]
        msg = f"VAT of line {before.reference}: the shop says {rates[0]}, Go says {rates[1]}"
        raise Unusable(msg)
    if "Description" in edit.members:
        name = values.same_text(edit.members["Description"])
        raw = {**raw, "name": values.written_like(name, raw.get("name"))}
    forms = _with_amounts(raw, edit, before.rate or edit.rate) if edit.moves_amounts else [raw]
    for form in forms:
        if _says(kind, form, edit):
            return form
    msg = f"the shop has no form for what Go says of line {before.reference}"
    raise Unusable(msg)


def _says(kind: str, raw: Record, edit: LineEdit) -> bool:
    try:
        read = read_lines({kind: [raw]})
    except Unusable:
        return False
    return len(read) == 1 and edit.is_held_by(read[0])


def _with_amounts(raw: Record, edit: LineEdit, rate: Decimal | None) -> Iterator[Record]:
    """Yield the forms that a line can have with Go's numbers; what it does not tell stays untold.

    A unit price with VAT is rounded to whole øre.
    """
    quantity, price, allowance = (edit.members[name] for name in NUMBERS)
    with_vat = 1 + (rate or _ZERO) / 100
    told = {
        "quantity": format(values.same_amount(quantity), "f"),
        "unit_price_excl": money(price),
        "unit_price_incl": money(to_ore(price * with_vat)),
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
    """Return the discounts that may be read as a percentage: in whole øre, else more exactly.

    Of small amounts whole øre make another percentage.
    """
    if not allowance:
        return [_ZERO]
    in_ore = [to_ore(full) - left]
    if allowance == 100:
        return in_ore
    return [*in_ore, (left * allowance / (100 - allowance)).quantize(_FINEST)]


def _difference(before: OrderLine, edit: LineEdit) -> _Difference:
    old, new = before.total, edit.total if edit.moves_amounts else before.total
    more = Money(new.excl - old.excl, new.tax - old.tax, new.incl - old.incl)
    return _Difference(more, edit.rate if before.rate is None else before.rate)


def _totals(order: Record, differences: list[_Difference]) -> Record:
    """Return the totals of an order that it tells, after its lines have changed."""
    found = {}
    for kind in ("excl", "tax", "incl"):
        name = f"total_{kind}"
        known = values.amount(order.get(name), what=name)
        more = sum((getattr(one.more, kind) for one in differences), _ZERO)
        if known is not None and more:
            found[name] = money(known + more)
    return found


def _taxes(order: Record, differences: list[_Difference]) -> list[Record]:
    """Return an order's VAT by rate after its lines have changed; an empty list stays empty.

    Raises:
        Unusable: it has no row of a rate at which VAT changed.
    """
    rows = list(dicts(order.get("taxes"), what="taxes"))
    if not rows:
        return rows
    rates = [values.vat_rate(row.get("rate"), what="taxes, rate") for row in rows]
    for one in differences:
        if not one.more.excl and not one.more.tax:
            continue
        if one.rate not in rates:
            if not one.more.tax:
                continue
            told = "its" if one.rate is None else f"{rate_key(one.rate)} %"
            msg = f"the order's taxes in the shop have no row for the VAT rate of a line ({told})"
            raise Unusable(msg)
        place = rates.index(one.rate)
        added = {"base": one.more.excl, "amount": one.more.tax}
        rows[place] = {**rows[place], **_raised(rows[place], added)}
    return rows


def _raised(row: Record, added: Mapping[str, Decimal]) -> Record:
    known = {name: values.amount(row.get(name), what=f"taxes, {name}") for name in added}
    return {name: money(one + added[name]) for name, one in known.items() if one is not None}


def _check(
    order: Record, before: Mapping[str, OrderLine], edited: Mapping[str, LineEdit], total: Decimal
) -> None:
    """See that an order says what Go says, read as the way forward reads it.

    Raises:
        Unusable: it does not.
    """
    lines = read_lines(order)
    for line in lines:
        edit = edited.get(line.reference)
        is_right = line == before[line.reference] if edit is None else edit.is_held_by(line)
        if not is_right:
            msg = f"the shop has no form for what Go says of line {line.reference}"
            raise Unusable(msg)
    come_to = order_total(order, lines)
    if come_to != total:
        msg = f"with Go's lines the shop's order comes to {come_to} with VAT, but Go's to {total}"
        raise Unusable(msg)
