"""How links are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.links_command.listing import Column, Listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_powerofficego.store.link_store import Link

_COLUMNS = (
    Column("entity", "entity"),
    Column("shop id", "shop_id"),
    Column("Go id", "go_id"),
    Column("follower", "is_follower"),
    Column("linked (UTC)", "linked_at"),
)
_BASE = Column("base", "base", wraps=True)


def link_listing(links: Iterable[tuple[str, Link]], *, show_values: bool) -> Listing:
    """Return links, given with their shop names, as rows; the base only when asked for."""
    rows = [_row(shop_name, link, show_values=show_values) for shop_name, link in links]
    columns = (*_COLUMNS, *((_BASE,) if show_values else ()))
    if len({row["shop_name"] for row in rows}) > 1:
        columns = (*columns, Column("shop", "shop_name"))
    return Listing(columns, rows, "no such record is linked")


def _row(shop_name: str, link: Link, *, show_values: bool) -> dict[str, Any]:
    row = {
        "entity": link.entity,
        "shop_id": link.shop_id,
        "go_id": link.go_id,
        "shop_name": shop_name,
        "is_follower": link.is_follower,
        "linked_at": link.linked_at,
    }
    base = {name: {"shop": one.shop, "go": one.go} for name, one in link.base.items()}
    return {**row, "base": base} if show_values else row
