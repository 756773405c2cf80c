"""What a run decided, change by change: the plan of a dry run, and the record of a real one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.changes import Archive, Create, Delete, Hold, Link, Park, Patch, Reject

if TYPE_CHECKING:
    from target_powerofficego.changes import Change


@dataclass(frozen=True)
class PlannedChange:
    """One decision about one record."""

    entity: str
    shop_id: str
    change: Change

    @property
    def what(self) -> str:
        """The change in one word, as the plan's table heads it."""
        return _WORDS.get(type(self.change), "nothing")

    def details(self) -> str:
        """Say which fields change from what to what, or why nothing is written."""
        change = self.change
        if isinstance(change, Patch):
            return "; ".join(f"{row.row}: {row.before} → {row.after}" for row in change.rows)
        if isinstance(change, Create):
            return "; ".join(
                f"{name}: {value}" for name, value in change.values.items() if value is not None
            )
        if isinstance(change, Link):
            differing = ", ".join(change.differences)
            kind = "as follower of" if change.is_follower else "with"
            return f"{kind} {change.go_id}" + (
                f"; differing, not written: {differing}" if differing else ""
            )
        if isinstance(change, (Park, Reject, Hold)):
            return change.reason
        return ""


_WORDS: dict[type, str] = {
    Create: "create",
    Patch: "change",
    Link: "link",
    Archive: "archive",
    Delete: "delete",
    Park: "park",
    Reject: "reject",
    Hold: "hold",
}


class Plan:
    """Collects decisions, in the order they were made; kept only where they will be shown."""

    def __init__(self, *, is_kept: bool) -> None:
        self.is_kept = is_kept
        self._lock = threading.Lock()
        self._changes: list[PlannedChange] = []

    def add(self, entity: str, shop_id: str, change: Change) -> None:
        """Note a decision."""
        if self.is_kept:
            with self._lock:
                self._changes.append(PlannedChange(entity, shop_id, change))

    def changes(self) -> list[PlannedChange]:
        """Return what was decided; a record that waited and was then taken up is told once."""
        with self._lock:
            found = list(self._changes)
        last = {(one.entity, one.shop_id): number for number, one in enumerate(found)}
        return [
            one
            for number, one in enumerate(found)
            if not isinstance(one.change, Park) or last[one.entity, one.shop_id] == number
        ]
