"""How the properties that both sides changed are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.links_command.listing import Column, Listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_powerofficego.store.link_store import KeptConflict

_COLUMNS = (
    Column("entity", "entity"),
    Column("shop id", "shop_id"),
    Column("property", "property"),
    Column("winner", "winner_in_words"),
    Column("why", "why", wraps=True),
    Column("run", "run"),
    Column("first seen (UTC)", "first_seen"),
    Column("last seen (UTC)", "last_seen"),
)
_VALUES = (
    Column("in the shop", "shop_value", wraps=True),
    Column("in Go", "go_value", wraps=True),
    Column("before", "base_value", wraps=True),
)


def conflict_listing(
    found: Sequence[KeptConflict], *, show_values: bool, in_words: bool
) -> Listing:
    """Return conflicts as rows; their values only when asked for."""
    columns = (*_COLUMNS, *(_VALUES if show_values else ()))
    if len({one.shop_name for one in found}) > 1:
        columns = (*columns, Column("shop", "shop_name"))
    rows = [_row(one, show_values=show_values, in_words=in_words) for one in found]
    return Listing(columns, rows, "no property was changed on both sides")


def _row(one: KeptConflict, *, show_values: bool, in_words: bool) -> dict[str, Any]:
    row = {
        "entity": one.entity,
        "shop_id": one.shop_id,
        "shop_name": one.shop_name,
        "property": one.property,
        "winner": one.winner,
        "is_settled": one.is_settled,
        "why": one.why,
        "run": one.run,
        "first_seen": one.first_seen,
        "last_seen": one.last_seen,
    }
    values = {"shop_value": one.shop, "go_value": one.go, "base_value": one.base}
    words = {"winner_in_words": one.winner or ("settled" if one.is_settled else "held")}
    return {**row, **(values if show_values else {}), **(words if in_words else {})}
