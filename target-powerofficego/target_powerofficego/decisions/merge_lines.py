"""The three-way merge of an order's lines, member by member; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.orders.lines_back import NUMBERS
from target_powerofficego.decisions.changes import Conflict, RowChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.agreement import Agreement
    from target_powerofficego.dataflow.values import Value


@dataclass(frozen=True)
class LinesMerge:
    """What to do with lines, by line reference.

    What only Go changed stays as it is. `edited_in_go` are the lines among it that may come to
    another amount: those removed, or with another quantity, price or allowance. `conflicts` are
    lines that both sides changed, each with a sentence that describes it.
    """

    added: Mapping[str, Mapping[str, Value]]
    changed: Mapping[str, tuple[RowChange, ...]]
    removed: tuple[str, ...]
    edited_in_go: frozenset[str]
    conflicts: tuple[Conflict, ...]

    @property
    def is_empty(self) -> bool:
        """Whether Go's lines stay as they are."""
        return not (self.added or self.changed or self.removed)

    def shown(self) -> tuple[RowChange, ...]:
        """Return the changes for a plan, each named with its line; no ids, which Go gives."""
        changed = [
            replace(row, row=f"line {reference}: {row.row}")
            for reference, rows in self.changed.items()
            for row in rows
            if row.row != "ProductId"
        ]
        added = [
            RowChange(f"line {reference}", "", None, _line_in_words(members))
            for reference, members in self.added.items()
        ]
        removed = [RowChange(f"line {one}", "", "there", None) for one in self.removed]
        return (*changed, *added, *removed)


def _line_in_words(members: Mapping[str, Value]) -> str:
    return (
        f"{members.get('Quantity')} × {members.get('Description')}"
        f" at {members.get('ProductUnitPrice')}"
    )


def lines_by_reference(complete: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the lines of an order in Go that bear a reference, by reference, with their Id."""
    return {
        line["ExternalImportReference"]: {
            "Id": line.get("Id"),
            **{member: line.get(member) for member in LINE_MEMBERS},
        }
        for line in complete.get("SalesOrderLines") or ()
        if line.get("ExternalImportReference")
    }


def are_same(one: Mapping[str, Value] | None, other: Mapping[str, Value] | None) -> bool:
    """Return whether two lines hold the same in every member that is compared."""
    if one is None or other is None:
        return one is other
    return all(same(one.get(name)) == same(other.get(name)) for name, same in LINE_MEMBERS.items())


def merge_lines(
    shop: Mapping[str, Mapping[str, Value]],
    go: Mapping[str, Mapping[str, Any]],
    base: Mapping[str, Agreement],
) -> LinesMerge:
    """Merge the shop's lines, Go's lines, and those last agreed on."""
    added: dict[str, Mapping[str, Value]] = {}
    changed: dict[str, tuple[RowChange, ...]] = {}
    removed: list[str] = []
    conflicts: list[Conflict] = []
    for reference in dict.fromkeys([*shop, *base]):
        s, g = shop.get(reference), go.get(reference)
        one = base.get(reference)
        if one is None:
            if g is None and s is not None:
                added[reference] = s
            elif not are_same(s, g):
                why = "is in Go already, but not as the shop has it"
                conflicts.append(_conflict(reference, s, g, why))
            continue
        shop_changed = not are_same(s, one.shop)
        go_changed = not are_same(g, one.go)
        if not shop_changed or are_same(s, g):
            continue
        if s is None:
            if go_changed:
                why = "was removed in the shop and edited in Go"
                conflicts.append(_conflict(reference, s, g, why, one))
            else:
                removed.append(reference)
        elif g is None:
            why = "was edited in the shop and removed in Go"
            conflicts.append(_conflict(reference, s, g, why, one))
        else:
            rows, clashing = _merge_members(s, g, one)
            conflicts += [_clash(reference, name, s, g, one) for name in clashing]
            if rows and not clashing:
                changed[reference] = rows
    edited = frozenset(
        reference
        for reference, one in base.items()
        if _moves_amounts(shop.get(reference), go.get(reference), one)
    )
    return LinesMerge(added, changed, tuple(removed), edited, tuple(conflicts))


def _moves_amounts(
    s: Mapping[str, Value] | None, g: Mapping[str, Value] | None, base: Agreement
) -> bool:
    """Return whether Go changed a line so that it may come to another amount than the shop's."""
    if g is None:
        return base.go is not None
    before, told = base.go or {}, s or {}
    return any(
        same(g.get(name)) not in (same(before.get(name)), same(told.get(name)))
        for name, same in LINE_MEMBERS.items()
        if name in NUMBERS
    )


def _conflict(
    reference: str, shop: Value, go: Value, why: str, base: Agreement | None = None
) -> Conflict:
    row = f"line {reference}"
    return Conflict(row, shop, go, None, f"{row} {why}", base)


def _clash(
    reference: str,
    member: str,
    shop: Mapping[str, Value],
    go: Mapping[str, Value],
    base: Agreement,
) -> Conflict:
    row = f"line {reference}: {member}"
    agreed = replace(base, shop=base.shop.get(member), go=(base.go or base.shop).get(member))
    why = f"line {reference}: both sides changed {member}"
    return Conflict(row, shop.get(member), go.get(member), None, why, agreed)


def _merge_members(
    s: Mapping[str, Value], g: Mapping[str, Value], base: Agreement
) -> tuple[tuple[RowChange, ...], tuple[str, ...]]:
    rows: list[RowChange] = []
    clashing: list[str] = []
    for name, same in LINE_MEMBERS.items():
        if same(s.get(name)) == same(base.shop.get(name)) or same(s.get(name)) == same(g.get(name)):
            continue
        if same(g.get(name)) != same((base.go or base.shop).get(name)):
            clashing.append(name)
        else:
            rows.append(RowChange(name, f"/{name}", g.get(name), s.get(name)))
    return tuple(rows), tuple(clashing)
