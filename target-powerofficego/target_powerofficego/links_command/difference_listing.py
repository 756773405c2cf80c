"""How the differences of links are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.links_command.differences import differences
from target_powerofficego.links_command.listing import Column, Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_powerofficego.store.link_store import Link

_COLUMNS = (
    Column("entity", "entity"),
    Column("shop id", "shop_id"),
    Column("Go id", "go_id"),
    Column("property", "property"),
)
_VALUES = (
    Column("shop, last agreed", "shop_value", wraps=True),
    Column("Go, last read", "go_value", wraps=True),
)


def difference_listing(
    links: Iterable[tuple[str, Link, tuple[Mapping[str, Any], str | None]]],
    *,
    show_values: bool,
) -> Listing:
    """Return the differences of links, given with shop name and Go's entry as kept, as rows."""
    rows: list[dict[str, Any]] = []
    for shop_name, link, kept in links:
        for one in differences(link, *kept):
            row = {
                "entity": link.entity,
                "shop_id": link.shop_id,
                "go_id": link.go_id,
                "shop_name": shop_name,
                "property": one.property,
            }
            values = {"shop_value": one.shop, "go_value": one.go} if show_values else {}
            rows.append({**row, **values})
    columns = (*_COLUMNS, *(_VALUES if show_values else ()))
    if len({row["shop_name"] for row in rows}) > 1:
        columns = (*columns, Column("shop", "shop_name"))
    return Listing(columns, rows, "no linked record differs")
