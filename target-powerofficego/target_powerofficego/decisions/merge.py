"""The three-way merge: what did each side change since they last agreed, and what follows?

Pure. A row is compared in Go's form, after normalising, and an order's line member by member. The
same merge serves both ways.
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
    """Which way values flow; the value is the side that is written to."""

    FORWARD = "go"
    BACK = "shop"

    @property
    def source(self) -> str:
        """The side that the values come from."""
        return "shop" if self is Way.FORWARD else "go"

    def takes(self, row: Property) -> bool:
        """Return whether a row flows this way."""
        return row.direction.reaches_go if self is Way.FORWARD else row.direction.reaches_shop


@dataclass(frozen=True)
class Evidence:
    """When a person last changed each side, as far as the stamps show; None where they do not."""

    shop: datetime.datetime | None
    go: datetime.datetime | None
    margin: datetime.timedelta = datetime.timedelta(minutes=5)
    unstamped_rows: frozenset[str] = frozenset()
    """Rows whose edits in Go do not move its stamp (addresses): it says nothing about them."""
    asked: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    """Rows that a person was asked to decide, with both values; a later stamp is of other edits."""

    def newest(self, row: str) -> Owner | None:
        """Return the side that changed last, or None when the stamps are too near or missing."""
        if self.shop is None or self.go is None or row in self.unstamped_rows:
            return None
        if abs(self.shop - self.go) <= self.margin:
            return None
        return Owner.SHOP if self.shop > self.go else Owner.GO


def human_edit(stamp: object, own: str | None) -> datetime.datetime | None:
    """Return a side's stamp as evidence of when a person changed it, or None.

    It is no evidence when it is not a moment, or not later than the stamp that our own last write
    left there.
    """
    moment, own_moment = instant_or_none(stamp), instant_or_none(own)
    is_own = moment is not None and own_moment is not None and moment <= own_moment
    return None if is_own else moment


@dataclass(frozen=True)
class Side:
    """One side's values by row name, and when they were read.

    `is_stale`: it was shown in a state older than the one already known, so it is no evidence of
    an edit.
    """

    values: Mapping[str, Value]
    read_at: datetime.datetime
    is_stale: bool = False


@dataclass(frozen=True)
class Merge:
    """The outcome for one entity: what to write, the base of all other rows, and the conflicts."""

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
    """Merge the rows of a linked entity that flow one way; a row that a side lacks is left alone.

    `owners` gives the owner by row name; a row without one is decided by the newest stamp.
    """
    writes: list[RowChange] = []
    conflicts: list[Conflict] = []
    base = {name: _as_told(name, known, table, shop) for name, known in base.items()}
    agreed = dict(base)
    is_stale = (go if way is Way.FORWARD else shop).is_stale
    for row in table.active:
        if not way.takes(row) or row.name not in shop.values or row.name not in go.values:
            continue
        seen = Agreement(shop.values[row.name], go.values[row.name], shop.read_at, go.read_at)
        known = base.get(row.name)
        if known is None and not row.is_set_by_go:
            agreed[row.name] = seen
            continue
        before = known or replace(seen, go=None, go_read_at=NEVER)
        if not is_stale and row.are_equal(seen.shop, seen.go):
            if known is None or not _holds(row, before, seen):
                agreed[row.name] = seen
            continue
        if not _moved(row, before, seen, way.source):
            continue
        has_moved = not is_stale and _moved(row, before, seen, way.value)
        if has_moved and not row.overwrites and not row.is_set_by_go:
            owner = owners.get(row.name, Owner.NEWEST)
            conflict = replace(_decide(row, seen.shop, seen.go, owner, evidence), base=before)
            conflicts.append(conflict)
            if conflict.winner == way.value:  # the source's edit is answered, not reported again
                agreed[row.name] = _with(before, seen, way.source)
            if conflict.winner != way.source:
                continue
        current = getattr(before if is_stale else seen, way.value)
        writes.append(RowChange(row.name, row.patch_path, current, getattr(seen, way.source)))
    return Merge(tuple(writes), agreed, tuple(conflicts))


def rows_edited_in_go(table: Table, go: Side, base: Mapping[str, Agreement]) -> list[str]:
    """Name the rows that flow to the shop and that Go has changed since the sides agreed."""
    found = []
    for row in table.active:
        known = base.get(row.name)
        if row.name not in go.values or not row.direction.reaches_shop:
            continue
        value = go.values[row.name]
        if known is None:
            found += [row.name] if row.is_set_by_go and row.normalise(value) is not None else []
        elif not row.are_equal(value, known.go):
            found.append(row.name)
    return found


def _as_told(name: str, known: Agreement, table: Table, shop: Side) -> Agreement:
    """Forget what our own write replaced in the shop once the shop shows what it holds since."""
    if known.replaced is UNTOUCHED or name not in shop.values:
        return known
    is_told = table.row(name).are_equal(shop.values[name], known.shop)
    return replace(known, replaced=UNTOUCHED) if is_told else known


def _moved(row: Property, before: Agreement, seen: Agreement, side: str) -> bool:
    return not row.are_equal(getattr(seen, side), getattr(before, side))


def _holds(row: Property, before: Agreement, seen: Agreement) -> bool:
    return not _moved(row, before, seen, "shop") and not _moved(row, before, seen, "go")


def _with(before: Agreement, seen: Agreement, side: str) -> Agreement:
    """Return a base with one side as it was seen."""
    return replace(before, **{name: getattr(seen, name) for name in (side, f"{side}_read_at")})


def base_of_created(
    table: Table,
    sent: Mapping[str, Value],
    answer: Mapping[str, Any],
    read_at: datetime.datetime,
    answered_at: datetime.datetime,
) -> dict[str, Agreement]:
    """Return the base of an entry that we created: what was sent, and what Go made of it.

    What the shop has not sent counts as empty there, so that it is written once the shop sends it.
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
    """Return the base of a new link, and the rows that differ.

    The base is both values as they stand, so nothing is written until one side is edited. With
    another `on_link` the base is chosen so that the losing side counts as unchanged: with `shop`
    the shop's values are written; with `go` Go's values flow back; with `fill_empty` the empty side
    is filled, an address as a whole. An empty value never empties the other side: nobody has
    cleared it.
    """
    base: dict[str, Agreement] = {}
    differing: list[str] = []
    for row in table.active:
        if row.name not in shop.values:
            continue
        s, g = shop.values[row.name], go.values.get(row.name)
        if row.direction.reaches_go and not row.are_equal(s, g):
            differing.append(row.name)
            winner = _met(table, row, shop, go, on_link)
            s, g = (g, g) if winner == "shop" else (s, s) if winner == "go" else (s, g)
        base[row.name] = Agreement(s, g, shop.read_at, go.read_at)
    return base, tuple(differing)


def _met(table: Table, row: Property, shop: Side, go: Side, on_link: str) -> str | None:
    """Return the side whose value is written to the other at a first meeting; None: neither."""
    if on_link in ("shop", "go"):
        leading = shop if on_link == "shop" else go
        return on_link if row.normalise(leading.values.get(row.name)) is not None else None
    if on_link == "fill_empty":
        if _is_empty(table, row, go):
            return "shop"
        if _is_empty(table, row, shop):
            return "go"
    return None


def _is_empty(table: Table, row: Property, side: Side) -> bool:
    """Return whether a side has nothing in a row, nor in those that form one address with it."""
    group = row.go.rpartition(".")[0]
    together = [other for other in table.active if group and other.go.rpartition(".")[0] == group]
    return all(other.normalise(side.values.get(other.name)) is None for other in together or [row])


def _decide(row: Property, s: Value, g: Value, owner: Owner, evidence: Evidence) -> Conflict:
    if owner is not Owner.NEWEST:
        return Conflict(row.name, s, g, owner.value, f"owner is {owner.value}")
    if row.normalise(s) is None:
        return Conflict(row.name, s, g, Owner.GO.value, "an empty value does not win")
    if row.normalise(g) is None:
        return Conflict(row.name, s, g, Owner.SHOP.value, "an empty value does not win")
    asked = evidence.asked.get(row.name)
    is_asked = asked is not None and row.are_equal(asked[0], s) and row.are_equal(asked[1], g)
    newest = None if is_asked else evidence.newest(row.name)
    if newest is None:
        why = "both were edited, and the stamps do not tell which was edited last"
        return Conflict(row.name, s, g, None, why)
    return Conflict(row.name, s, g, newest.value, f"edited last in {newest.value}")


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

    def planned(self) -> tuple[RowChange, ...]:
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


def are_lines_equal(one: Mapping[str, Value] | None, other: Mapping[str, Value] | None) -> bool:
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
            elif not are_lines_equal(s, g):
                why = "is in Go already, but not as the shop has it"
                conflicts.append(_conflict(reference, s, g, why))
            continue
        if are_lines_equal(s, one.shop) or are_lines_equal(s, g):
            continue
        if s is None and are_lines_equal(g, one.go):
            removed.append(reference)
        elif s is None or g is None:
            why = (
                "was removed in the shop and edited in Go"
                if s is None
                else "was edited in the shop and removed in Go"
            )
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
