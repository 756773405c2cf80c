"""The three-way merge: what did each side change since they last agreed, and what follows?

Pure. Rows are compared in Go's form, after normalising; lines of orders member by member. The same
merge is used in both directions.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.orders.lines_back import NUMBERS
from target_powerofficego.dataflow.table import NEVER, UNTOUCHED, Agreement, Property, Table
from target_powerofficego.dataflow.values import Value, instant_or_none
from target_powerofficego.decisions.changes import Conflict, RowChange

if TYPE_CHECKING:
    from collections.abc import Mapping


class Owner(enum.Enum):
    """Who decides a conflict."""

    SHOP = "shop"
    GO = "go"
    NEWEST = "newest"


class Way(enum.Enum):
    """The direction of a run; the value is the side that is written to."""

    FORWARD = "go"
    BACK = "shop"

    @property
    def source(self) -> str:
        """The side that values are read from."""
        return "shop" if self is Way.FORWARD else "go"

    def takes(self, row: Property) -> bool:
        """Return whether a row flows in this direction."""
        return row.direction.reaches_go if self is Way.FORWARD else row.direction.reaches_shop


@dataclass(frozen=True)
class Evidence:
    """When a person last changed each side, by its stamps; None if they do not show it."""

    shop: datetime.datetime | None
    go: datetime.datetime | None
    margin: datetime.timedelta = datetime.timedelta(minutes=5)
    unstamped_rows: frozenset[str] = frozenset()
    """Rows whose edits in Go do not change its stamp, such as addresses."""
    asked: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    """Rows that a person was asked to decide, with both values; later stamps are of other edits."""

    def newest(self, row: str) -> Owner | None:
        """Return the side that changed last, or None if stamps are missing or too close."""
        if self.shop is None or self.go is None or row in self.unstamped_rows:
            return None
        if abs(self.shop - self.go) <= self.margin:
            return None
        return Owner.SHOP if self.shop > self.go else Owner.GO


def human_edit(stamp: object, own_stamp: str | None) -> datetime.datetime | None:
    """Return a side's stamp as the time when a person last changed it, or None.

    It is None if the stamp is invalid, or not later than `own_stamp`, which our own last write
    left.
    """
    moment, own_moment = instant_or_none(stamp), instant_or_none(own_stamp)
    is_own = moment is not None and own_moment is not None and moment <= own_moment
    return None if is_own else moment


@dataclass(frozen=True)
class Side:
    """One side's values by row name, and when they were read.

    `is_stale` means that they are older than what is already known, so they do not show edits.
    """

    values: Mapping[str, Value]
    read_at: datetime.datetime
    is_stale: bool = False


@dataclass(frozen=True)
class Merge:
    """The result for one entity: what to write, the base of all other rows, and the conflicts."""

    writes: tuple[RowChange, ...]
    base: Mapping[str, Agreement]
    conflicts: tuple[Conflict, ...]

    @property
    def open_conflicts(self) -> tuple[Conflict, ...]:
        """The conflicts that a person must decide."""
        return tuple(conflict for conflict in self.conflicts if conflict.winner is None)


def go_side(
    table: Table, entry: Mapping[str, Any], read_at: datetime.datetime, *, is_stale: bool = False
) -> Side:
    """Return Go's side of an entry."""
    return Side({row.name: row.from_go(entry) for row in table.active}, read_at, is_stale)


def merge(
    table: Table,
    shop: Side,
    go: Side,
    base: Mapping[str, Agreement],
    *,
    owners: Mapping[str, Owner],
    evidence: Evidence,
    way: Way = Way.FORWARD,
) -> Merge:
    """Merge the rows of a linked entity that flow one way; a row missing on a side is left alone.

    `owners` gives the owner by row name; a row without one is decided by the newest stamp.
    """
    writes: list[RowChange] = []
    conflicts: list[Conflict] = []
    base = {
        name: _without_replaced(name, agreement, table, shop) for name, agreement in base.items()
    }
    agreed = dict(base)
    is_stale = (go if way is Way.FORWARD else shop).is_stale
    for row in table.active:
        if not way.takes(row) or row.name not in shop.values or row.name not in go.values:
            continue
        current = Agreement(shop.values[row.name], go.values[row.name], shop.read_at, go.read_at)
        last_agreed = base.get(row.name)
        if last_agreed is None and not row.is_set_by_go:
            agreed[row.name] = current
            continue
        before = last_agreed or replace(current, go=None, go_read_at=NEVER)
        if not is_stale and row.are_equal(current.shop, current.go):
            if last_agreed is None or _is_edited_on_either(row, before, current):
                agreed[row.name] = current
            continue
        if not _is_edited(row, before, current, way.source):
            continue
        is_edited_on_both = not is_stale and _is_edited(row, before, current, way.value)
        if is_edited_on_both and not row.overwrites and not row.is_set_by_go:
            owner = owners.get(row.name, Owner.NEWEST)
            conflict = replace(_decide(row, current.shop, current.go, owner, evidence), base=before)
            conflicts.append(conflict)
            if conflict.winner == way.value:  # the source's edit is settled, not reported again
                agreed[row.name] = _with_side(before, current, way.source)
            if conflict.winner != way.source:
                continue
        replaced = getattr(before if is_stale else current, way.value)
        writes.append(RowChange(row.name, row.patch_path, replaced, getattr(current, way.source)))
    return Merge(tuple(writes), agreed, tuple(conflicts))


def rows_edited_in_go(table: Table, go: Side, base: Mapping[str, Agreement]) -> list[str]:
    """Return the names of rows that flow to the shop and were edited in Go since both agreed."""
    edited = []
    for row in table.active:
        if row.name not in go.values or not row.direction.reaches_shop:
            continue
        value, last_agreed = go.values[row.name], base.get(row.name)
        if last_agreed is None:
            is_edited = row.is_set_by_go and row.normalise(value) is not None
        else:
            is_edited = not row.are_equal(value, last_agreed.go)
        if is_edited:
            edited.append(row.name)
    return edited


def _without_replaced(name: str, agreement: Agreement, table: Table, shop: Side) -> Agreement:
    """Forget what our own write replaced in the shop, once the shop reports the new value."""
    if agreement.replaced is UNTOUCHED or name not in shop.values:
        return agreement
    is_reported = table.row(name).are_equal(shop.values[name], agreement.shop)
    return replace(agreement, replaced=UNTOUCHED) if is_reported else agreement


def _is_edited(row: Property, before: Agreement, current: Agreement, side: str) -> bool:
    return not row.are_equal(getattr(current, side), getattr(before, side))


def _is_edited_on_either(row: Property, before: Agreement, current: Agreement) -> bool:
    return any(_is_edited(row, before, current, side) for side in ("shop", "go"))


def _with_side(before: Agreement, current: Agreement, side: str) -> Agreement:
    """Return the earlier agreement with one side's current value and time of reading."""
    return replace(before, **{name: getattr(current, name) for name in (side, f"{side}_read_at")})


def base_of_created(
    table: Table,
    sent: Mapping[str, Value],
    answer: Mapping[str, Any],
    read_at: datetime.datetime,
    answered_at: datetime.datetime,
) -> dict[str, Agreement]:
    """Return the base of an entry that we created: what was sent, and what Go made of it.

    Rows that the shop has not sent count as empty, so that they are written once it sends them.
    """
    return {
        row.name: Agreement(
            sent.get(row.name),
            row.from_go(answer),
            read_at if row.name in sent else NEVER,
            answered_at,
        )
        for row in table.active
        if row.name in sent or row.direction.reaches_go
    }


def base_of_linked(
    table: Table, shop: Side, go: Side, *, on_link: str
) -> tuple[dict[str, Agreement], tuple[str, ...]]:
    """Return the base of a record linked with an existing entry, and the rows that differ.

    With the setting `on_link: keep`, the base has both sides' current values, so nothing is written
    until one side is edited. Otherwise, the losing side counts as unchanged: with `shop` the shop's
    values are written; with `go` Go's values flow back; with `fill_empty` an empty side is filled
    (an address only if all of it is empty). An empty value never clears the other side, because
    nobody has cleared it.
    """
    base: dict[str, Agreement] = {}
    differing: list[str] = []
    for row in table.active:
        if row.name not in shop.values:
            continue
        in_shop, in_go = shop.values[row.name], go.values.get(row.name)
        if row.direction.reaches_go and not row.are_equal(in_shop, in_go):
            differing.append(row.name)
            winner = _winner_on_link(table, row, shop, go, on_link)
            if winner == "shop":
                in_shop = in_go
            elif winner == "go":
                in_go = in_shop
        base[row.name] = Agreement(in_shop, in_go, shop.read_at, go.read_at)
    return base, tuple(differing)


def _winner_on_link(table: Table, row: Property, shop: Side, go: Side, on_link: str) -> str | None:
    """Return the side whose value is written to the other when they are linked; None: neither."""
    if on_link in ("shop", "go"):
        winner = shop if on_link == "shop" else go
        return on_link if row.normalise(winner.values.get(row.name)) is not None else None
    if on_link == "fill_empty":
        if _is_empty(table, row, go):
            return "shop"
        if _is_empty(table, row, shop):
            return "go"
    return None


def _is_empty(table: Table, row: Property, side: Side) -> bool:
    """Return whether a side has nothing in a row, nor in the rows of the same address."""
    group = row.go.rpartition(".")[0]
    rows = [other for other in table.active if group and other.go.rpartition(".")[0] == group]
    return all(other.normalise(side.values.get(other.name)) is None for other in rows or [row])


def _decide(row: Property, shop: Value, go: Value, owner: Owner, evidence: Evidence) -> Conflict:
    if owner is not Owner.NEWEST:
        return Conflict(row.name, shop, go, owner.value, f"owner is {owner.value}")
    if row.normalise(shop) is None:
        return Conflict(row.name, shop, go, Owner.GO.value, "an empty value does not win")
    if row.normalise(go) is None:
        return Conflict(row.name, shop, go, Owner.SHOP.value, "an empty value does not win")
    asked = evidence.asked.get(row.name)
    is_asked = asked is not None and row.are_equal(asked[0], shop) and row.are_equal(asked[1], go)
    newest = None if is_asked else evidence.newest(row.name)
    if newest is None:
        reason = "both were edited, and the stamps do not show which was edited last"
        return Conflict(row.name, shop, go, None, reason)
    return Conflict(row.name, shop, go, newest.value, f"edited last in {newest.value}")


@dataclass(frozen=True)
class LinesMerge:
    """What to do with an order's lines, by line reference.

    Lines that only Go changed stay as they are; `edited_in_go` are those whose amount may differ:
    removed, or with another quantity, price or allowance. `conflicts` are lines that both sides
    changed, each with a reason that names the line.
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

    def planned(self) -> tuple[RowChange, ...]:
        """Return the changes for a plan, each with its line; without ids, which Go assigns."""
        changed = [
            replace(row, row=f"line {reference}: {row.row}")
            for reference, rows in self.changed.items()
            for row in rows
            if row.row != "ProductId"
        ]
        added = [
            RowChange(f"line {reference}", "", None, _describe_line(members))
            for reference, members in self.added.items()
        ]
        removed = [RowChange(f"line {reference}", "", "there", None) for reference in self.removed]
        return (*changed, *added, *removed)


def _describe_line(members: Mapping[str, Value]) -> str:
    return (
        f"{members.get('Quantity')} × {members.get('Description')}"
        f" at {members.get('ProductUnitPrice')}"
    )


def lines_by_reference(complete: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the lines of an order in Go that have a reference, by reference, with their Id."""
    return {
        line["ExternalImportReference"]: {
            "Id": line.get("Id"),
            **{member: line.get(member) for member in LINE_MEMBERS},
        }
        for line in complete.get("SalesOrderLines") or ()
        if line.get("ExternalImportReference")
    }


def are_lines_equal(line: Mapping[str, Value] | None, other: Mapping[str, Value] | None) -> bool:
    """Return whether two lines are equal in every member that is compared, or both missing."""
    if line is None or other is None:
        return line is other
    return all(
        normalise(line.get(name)) == normalise(other.get(name))
        for name, normalise in LINE_MEMBERS.items()
    )


def merge_lines(
    shop: Mapping[str, Mapping[str, Value]],
    go: Mapping[str, Mapping[str, Any]],
    base: Mapping[str, Agreement],
) -> LinesMerge:
    """Merge the shop's lines with Go's lines, given those last agreed on."""
    added: dict[str, Mapping[str, Value]] = {}
    changed: dict[str, tuple[RowChange, ...]] = {}
    removed: list[str] = []
    conflicts: list[Conflict] = []
    for reference in dict.fromkeys([*shop, *base]):
        in_shop, in_go = shop.get(reference), go.get(reference)
        last_agreed = base.get(reference)
        if last_agreed is None:
            if in_go is None and in_shop is not None:
                added[reference] = in_shop
            elif not are_lines_equal(in_shop, in_go):
                problem = "is already in Go, but differs from the shop's"
                conflicts.append(_line_conflict(reference, in_shop, in_go, problem))
            continue
        if are_lines_equal(in_shop, last_agreed.shop) or are_lines_equal(in_shop, in_go):
            continue
        if in_shop is None and are_lines_equal(in_go, last_agreed.go):
            removed.append(reference)
        elif in_shop is None or in_go is None:
            problem = (
                "was removed in the shop and edited in Go"
                if in_shop is None
                else "was edited in the shop and removed in Go"
            )
            conflicts.append(_line_conflict(reference, in_shop, in_go, problem, last_agreed))
        else:
            rows, conflicting = _merge_members(in_shop, in_go, last_agreed)
            conflicts += [
                _member_conflict(reference, name, in_shop, in_go, last_agreed)
                for name in conflicting
            ]
            if rows and not conflicting:
                changed[reference] = rows
    edited = frozenset(
        reference
        for reference, agreement in base.items()
        if _may_change_amount(shop.get(reference), go.get(reference), agreement)
    )
    return LinesMerge(added, changed, tuple(removed), edited, tuple(conflicts))


def _may_change_amount(
    shop: Mapping[str, Value] | None, go: Mapping[str, Value] | None, base: Agreement
) -> bool:
    """Return whether an edit of a line in Go may make its amount differ from the shop's."""
    if go is None:
        return base.go is not None
    before, in_shop = base.go or {}, shop or {}
    return any(
        normalise(go.get(name)) not in (normalise(before.get(name)), normalise(in_shop.get(name)))
        for name, normalise in LINE_MEMBERS.items()
        if name in NUMBERS
    )


def _line_conflict(
    reference: str, shop: Value, go: Value, problem: str, base: Agreement | None = None
) -> Conflict:
    row = f"line {reference}"
    return Conflict(row, shop, go, None, f"{row} {problem}", base)


def _member_conflict(
    reference: str,
    member: str,
    shop: Mapping[str, Value],
    go: Mapping[str, Value],
    base: Agreement,
) -> Conflict:
    row = f"line {reference}: {member}"
    agreed = replace(base, shop=base.shop.get(member), go=(base.go or base.shop).get(member))
    reason = f"line {reference}: both sides changed {member}"
    return Conflict(row, shop.get(member), go.get(member), None, reason, agreed)


def _merge_members(
    shop: Mapping[str, Value], go: Mapping[str, Value], base: Agreement
) -> tuple[tuple[RowChange, ...], tuple[str, ...]]:
    """Return the changes to write to a line in Go, and the names of conflicting members."""
    rows: list[RowChange] = []
    conflicting: list[str] = []
    for name, normalise in LINE_MEMBERS.items():
        in_shop, in_go = normalise(shop.get(name)), normalise(go.get(name))
        if in_shop in (normalise(base.shop.get(name)), in_go):
            continue
        if in_go != normalise((base.go or base.shop).get(name)):
            conflicting.append(name)
        else:
            rows.append(RowChange(name, f"/{name}", go.get(name), shop.get(name)))
    return tuple(rows), tuple(conflicting)
