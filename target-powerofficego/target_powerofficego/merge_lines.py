"""The three-way merge of an order's lines, member by member; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.changes import RowChange
from target_powerofficego.dataflow.order_lines import LINE_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.links import Agreement


@dataclass(frozen=True)
class LinesMerge:
    """What to do with lines, by line reference.

    `edited_in_go` are lines that only Go changed or removed: they stay as they are. `conflicts` are
    lines that both changed, in words.
    """

    added: Mapping[str, Mapping[str, Value]]
    changed: Mapping[str, tuple[RowChange, ...]]
    removed: tuple[str, ...]
    edited_in_go: frozenset[str]
    conflicts: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether Go's lines stay as they are."""
        return not (self.added or self.changed or self.removed)


def base_members(base: Mapping[str, Agreement]) -> dict[str, Agreement]:
    """Return the lines of an order's base, by line reference."""
    return {name.removeprefix(LINE): one for name, one in base.items() if name.startswith(LINE)}


LINE = "line:"
"""Begins the name under which the base keeps a line."""


def lines_by_reference(complete: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the lines of an order in Go that bear a reference, by it, with their Id."""
    return {
        line["ExternalImportReference"]: {
            "Id": line.get("Id"),
            **{member: line.get(member) for member in LINE_MEMBERS},
        }
        for line in complete.get("SalesOrderLines") or ()
        if line.get("ExternalImportReference")
    }


def are_same(one: Mapping[str, Value] | None, other: Mapping[str, Value] | None) -> bool:
    """Tell whether two lines hold the same in every member that is compared."""
    if one is None or other is None:
        return one is other
    return all(same(one.get(name)) == same(other.get(name)) for name, same in LINE_MEMBERS.items())


def merge_lines(
    shop: Mapping[str, Mapping[str, Value]],
    go: Mapping[str, Mapping[str, Any]],
    base: Mapping[str, Agreement],
) -> LinesMerge:
    """Merge the lines that the shop tells, those that Go has, and those last agreed on."""
    added: dict[str, Mapping[str, Value]] = {}
    changed: dict[str, tuple[RowChange, ...]] = {}
    removed: list[str] = []
    edited: set[str] = set()
    conflicts: list[str] = []
    for reference in dict.fromkeys([*shop, *base]):
        s, g = shop.get(reference), go.get(reference)
        one = base.get(reference)
        if one is None:
            if g is None and s is not None:
                added[reference] = s
            elif not are_same(s, g):
                conflicts.append(f"line {reference} is in Go already, but not as the shop has it")
            continue
        shop_changed = not are_same(s, one.shop)
        go_changed = not are_same(g, one.go)
        if not shop_changed or are_same(s, g):
            edited |= {reference} if go_changed and not are_same(s, g) else set()
        elif s is None:
            if go_changed:
                conflicts.append(f"line {reference} was removed in the shop and edited in Go")
            else:
                removed.append(reference)
        elif g is None:
            conflicts.append(f"line {reference} was edited in the shop and removed in Go")
        else:
            rows, clashing = _merge_members(s, g, one)
            conflicts += [f"line {reference}: both sides changed {name}" for name in clashing]
            edited |= {reference} if go_changed else set()
            if rows and not clashing:
                changed[reference] = rows
    return LinesMerge(added, changed, tuple(removed), frozenset(edited), tuple(conflicts))


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
