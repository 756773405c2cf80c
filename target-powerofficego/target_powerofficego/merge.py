"""The three-way merge: what did each side change since they last agreed, and what follows for Go?

Pure. A row is compared in Go's form, after normalising; a record (or an entry of Go) that was read
before the base was agreed says nothing on that side.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.changes import Conflict, RowChange
from target_powerofficego.links import NEVER, Agreement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Property, Table
    from target_powerofficego.dataflow.values import Value


class Owner(enum.Enum):
    """Who decides a conflict."""

    SHOP = "shop"
    GO = "go"
    NEWEST = "newest"


@dataclass(frozen=True)
class Evidence:
    """When a person last changed each side, as far as the stamps tell; None where they do not."""

    shop: datetime.datetime | None
    go: datetime.datetime | None
    margin: datetime.timedelta = datetime.timedelta(minutes=5)
    silent_rows: frozenset[str] = frozenset()
    """Rows whose edits in Go do not move its stamp (addresses): it tells nothing of them."""
    asked: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    """Rows that a person was asked to decide, with both values; a later stamp is of other edits."""

    def newest(self, row: str) -> Owner | None:
        """Return the side that changed last, or None when the stamps are too near or missing."""
        if self.shop is None or self.go is None or row in self.silent_rows:
            return None
        if abs(self.shop - self.go) <= self.margin:
            return None
        return Owner.SHOP if self.shop > self.go else Owner.GO


@dataclass(frozen=True)
class Side:
    """One side's values by row name, and when they were read."""

    values: Mapping[str, Value]
    read_at: datetime.datetime


@dataclass(frozen=True)
class Merge:
    """The outcome for one entity: what to write to Go, the base of all other rows, conflicts."""

    writes: tuple[RowChange, ...]
    base: Mapping[str, Agreement]
    conflicts: tuple[Conflict, ...]

    @property
    def open_conflicts(self) -> tuple[Conflict, ...]:
        """The conflicts that a person must decide."""
        return tuple(conflict for conflict in self.conflicts if conflict.winner is None)


def go_side(table: Table, entry: Mapping[str, Any], read_at: datetime.datetime) -> Side:
    """Return Go's side of an entry."""
    return Side({row.name: row.from_go(entry) for row in table.active}, read_at)


def merge(
    table: Table,
    shop: Side,
    go: Side,
    base: Mapping[str, Agreement],
    *,
    owners: Mapping[str, Owner],
    evidence: Evidence,
) -> Merge:
    """Merge the rows that flow to a linked entity.

    `owners` gives the owner by row name; a row without one is decided by the newest stamp.
    """
    writes: list[RowChange] = []
    conflicts: list[Conflict] = []
    agreed = dict(base)
    for row in table.active:
        if not row.direction.reaches_go or row.name not in shop.values:
            continue
        one = base.get(row.name)
        s, g = shop.values[row.name], go.values.get(row.name)
        if one is None:
            agreed[row.name] = Agreement(s, g, shop.read_at, go.read_at)
            continue
        shop_is_fresh = shop.read_at >= one.shop_read_at
        go_is_fresh = go.read_at >= one.go_read_at
        if shop_is_fresh and go_is_fresh and row.are_equal(s, g):
            if not (row.are_equal(s, one.shop) and row.are_equal(g, one.go)):
                agreed[row.name] = Agreement(s, g, shop.read_at, go.read_at)
            continue
        if not shop_is_fresh or row.are_equal(s, one.shop):
            continue
        go_changed = go_is_fresh and not row.are_equal(g, one.go)
        current = g if go_is_fresh else one.go
        if go_changed and not row.overwrites:
            owner = owners.get(row.name, Owner.NEWEST)
            conflict = replace(_decide(row, s, g, owner, evidence), base=one)
            conflicts.append(conflict)
            if conflict.winner == Owner.GO.value:  # the shop's edit is answered, and not told again
                agreed[row.name] = replace(one, shop=s, shop_read_at=shop.read_at)
            if conflict.winner != Owner.SHOP.value:
                continue
        writes.append(RowChange(row.name, row.patch_path, current, s))
    return Merge(tuple(writes), agreed, tuple(conflicts))


def created_base(
    table: Table,
    sent: Mapping[str, Value],
    answer: Mapping[str, Any],
    read_at: datetime.datetime,
    answered_at: datetime.datetime,
) -> dict[str, Agreement]:
    """Return the base of an entry that we created: what was sent, and what Go made of it.

    What the shop has not told counts as empty there, so that it is written once it is told.
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


def first_meeting(
    table: Table, shop: Side, go: Side, *, on_link: str
) -> tuple[dict[str, Agreement], tuple[str, ...]]:
    """Return the base of a new link, and the rows that differ.

    The base is both values as they stand, so nothing is written until one side is edited. With
    another `on_link` the base is chosen such that the losing side counts as unchanged: `shop`: the
    shop's values are written; `go`: Go's flow back; `fill_empty`: the empty side is filled.
    """
    base: dict[str, Agreement] = {}
    differing: list[str] = []
    for row in table.active:
        if row.name not in shop.values:
            continue
        s, g = shop.values[row.name], go.values.get(row.name)
        if row.direction.reaches_go and not row.are_equal(s, g):
            differing.append(row.name)
            s, g = _met(row, s, g, on_link)
        base[row.name] = Agreement(s, g, shop.read_at, go.read_at)
    return base, tuple(differing)


def _met(row: Property, s: Value, g: Value, on_link: str) -> tuple[Value, Value]:
    shop_is_empty, go_is_empty = row.same(s) is None, row.same(g) is None
    if on_link == "shop" or (on_link == "fill_empty" and go_is_empty):
        return g, g
    if on_link == "go" or (on_link == "fill_empty" and shop_is_empty):
        return s, s
    return s, g


def _decide(row: Property, s: Value, g: Value, owner: Owner, evidence: Evidence) -> Conflict:
    if owner is not Owner.NEWEST:
        return Conflict(row.name, s, g, owner.value, f"owner is {owner.value}")
    if row.same(s) is None:
        return Conflict(row.name, s, g, Owner.GO.value, "an empty value does not win")
    if row.same(g) is None:
        return Conflict(row.name, s, g, Owner.SHOP.value, "an empty value does not win")
    asked = evidence.asked.get(row.name)
    is_asked = asked is not None and row.are_equal(asked[0], s) and row.are_equal(asked[1], g)
    newest = None if is_asked else evidence.newest(row.name)
    if newest is None:
        why = "both were edited, and the stamps do not tell which was edited last"
        return Conflict(row.name, s, g, None, why)
    return Conflict(row.name, s, g, newest.value, f"edited last in {newest.value}")
