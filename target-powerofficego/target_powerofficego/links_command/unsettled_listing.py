"""How records that are rejected, held or parked are listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.links_command.listing import Column, Listing
from target_powerofficego.store.ways import entity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_powerofficego.store.link_store import Unsettled, UnsettledKind

PLURALS: dict[UnsettledKind, str] = {"reject": "rejects", "hold": "holds", "parked": "parked"}

_HEAD = (Column("ID", "id"), Column("entity", "entity"), Column("shop id", "shop_id"))
_REASON = Column("reason", "reason", wraps=True)
_TITLE = Column("title of the refusal", "title", wraps=True)
_SEEN = (Column("first seen (UTC)", "first_seen"), Column("last seen (UTC)", "last_seen"))
_TRIED = (Column("attempts", "attempts"), Column("next attempt (UTC)", "next_attempt_at"))
_ACKNOWLEDGED = Column("acknowledged (UTC)", "acknowledged_at")
_VALUES = (Column("detail", "detail", wraps=True), Column("record", "payload", wraps=True))

_COLUMNS: dict[UnsettledKind, tuple[Column, ...]] = {
    "reject": (*_HEAD, _REASON, _TITLE, *_SEEN, *_TRIED, _ACKNOWLEDGED),
    "hold": (*_HEAD, _REASON, *_SEEN, Column("attempts", "attempts"), _ACKNOWLEDGED),
    "parked": (*_HEAD, _REASON, *_SEEN),
}


@dataclass(frozen=True)
class Filter:
    """Which records to list; what is None is not asked for."""

    entity: str | None
    shop_id: str | None
    reason: str | None
    with_acknowledged: bool = True

    def takes(self, one: Unsettled) -> bool:
        """Tell whether a record is to be listed."""
        return (
            self.entity in (None, entity_of(one.entity))
            and self.shop_id in (None, one.shop_id)
            and (self.reason is None or self.reason.casefold() in one.reason.casefold())
        )


def unsettled_listing(
    kind: UnsettledKind, found: Sequence[Unsettled], *, show_values: bool
) -> Listing:
    """Return the records of one kind as rows; their values only when asked for.

    A column in which no record has anything is left out.
    """
    columns = _COLUMNS[kind]
    if len({one.shop_name for one in found}) > 1:
        columns = (*columns, Column("shop", "shop_name"))
    if show_values:
        columns = (*columns, *_VALUES)
    rows = [unsettled_row(one, show_values=show_values) for one in found]
    told = tuple(one for one in columns if any(row[one.key] not in (None, "") for row in rows))
    return Listing(
        told, rows, f"no {'records are' if kind == 'parked' else 'open'} {PLURALS[kind]}"
    )


def unsettled_row(one: Unsettled, *, show_values: bool) -> dict[str, Any]:
    """Return one record by stable keys; `read_at`, `detail` and `payload` only with its values."""
    row: dict[str, Any] = {
        "id": one.id,
        "kind": one.kind,
        "entity": one.entity,
        "shop_id": one.shop_id,
        "shop_name": one.shop_name,
        "reason": one.reason,
        "title": one.title,
        "first_seen": one.first_seen,
        "last_seen": one.last_seen,
        "attempts": one.attempts,
        "next_attempt_at": one.next_attempt_at,
        "acknowledged_at": one.acknowledged_at,
    }
    values = {"read_at": one.read_at, "detail": one.detail, "payload": one.payload}
    return {**row, **values} if show_values else row
