"""Where a link's base has one value in the shop and another in Go; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.agreement import NEVER
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.orders.state import LINE
from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.dataflow.table import Direction
from target_powerofficego.dataflow.values import is_before
from target_powerofficego.sync.go_stamps import newest_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.agreement import Agreement
    from target_powerofficego.dataflow.table import Property
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link

_NOT_COMPARED = (Direction.ON_CREATE, Direction.TO_SHOP)


@dataclass(frozen=True)
class Difference:
    """A property whose value differs, and both values in Go's form."""

    property: str
    shop: Value
    go: Value


def differences(
    link: Link, entry: Mapping[str, Any], known_stamp: str | None
) -> Iterator[Difference]:
    """Return the properties that differ: the shop's value as last agreed on, Go's as last read.

    Where Go is known up to a later stamp than the entry has, as by the way back, what was agreed on
    is what Go said last.
    They are left so until the shop is edited (first meeting: link, don't change). A row that is
    only written when an entry is created never is, so it is not told. No properties of a follower
    flow.
    """
    if link.is_follower:
        return
    rows = {row.name: row for row in TABLES[link.entity].rows}
    stamp = newest_stamp(entry)
    is_behind = any(is_before(stamp, one) for one in (link.own_stamp, known_stamp))
    for name, agreed in link.base.items():
        if name.startswith(LINE):
            yield from _in_line(name.removeprefix(LINE), agreed)
            continue
        row = rows.get(name)
        is_told = row is not None and row.go.split(".")[0] in entry and not is_behind
        one = replace(agreed, go=row.from_go(entry)) if row and is_told else agreed
        if _differs(row, one):
            yield Difference(name, one.shop, one.go)


def _differs(row: Property | None, one: Agreement) -> bool:
    if one.shop_read_at == NEVER:
        return False
    if row is None:
        # a list is what hangs on the entity, of which the base keeps the shop's side only;
        # anything else is a row that the setting `properties` added, which is not known here
        is_one_sided = isinstance(one.shop, list)
        return not is_one_sided and bool(values.same_text(one.shop) != values.same_text(one.go))
    return row.direction not in _NOT_COMPARED and not row.are_equal(one.shop, one.go)


def _in_line(reference: str, one: Agreement) -> Iterator[Difference]:
    if one.shop is None or one.go is None:
        if one.shop is not one.go:
            yield Difference(f"line {reference}", one.shop, one.go)
        return
    for member, same in LINE_MEMBERS.items():
        shop, go = one.shop.get(member), one.go.get(member)
        if same(shop) != same(go):
            yield Difference(f"line {reference}: {member}", shop, go)
