"""The decisions of a run, change by change: the plan of a dry run, and the record of a real one.

`terminal` prints it, and it is written to a file as JSON lines if the user asks for one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simplejson

from target_powerofficego.decisions.changes import (
    Archive,
    Confirm,
    Create,
    Credit,
    Delete,
    Hold,
    Invoice,
    Link,
    Park,
    Patch,
    Reject,
    Skip,
)
from target_powerofficego.store.location import open_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import Change


_ACTIONS: dict[type, str] = {
    Create: "create",
    Patch: "change",
    Link: "link",
    Archive: "archive",
    Delete: "delete",
    Credit: "credit",
    Confirm: "confirm",
    Invoice: "send invoice",
    Park: "park",
    Reject: "reject",
    Hold: "hold",
    Skip: "skip",
}


@dataclass(frozen=True)
class PlannedField:
    """A property of the side that is written to: its value before and after, in Go's form."""

    property: str
    before: Value
    after: Value


@dataclass(frozen=True)
class PlannedChange:
    """A decision about a record, named by its shop id; the same in a plan as in a real run.

    `action` is the change in a word or two; `fields` are the values that are written; `reason` is
    why it is done, or why nothing is.
    """

    entity: str
    record: str
    action: str
    fields: tuple[PlannedField, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return an object with stable keys."""
        return {
            "entity": self.entity,
            "record": self.record,
            "what": self.action,
            "fields": [
                {"property": field.property, "from": field.before, "to": field.after}
                for field in self.fields
            ],
            "why": self.reason,
        }


class Plan:
    """Collects decisions in the order they are made.

    `is_dry`: nothing is written, so Go's answers are not known. `is_kept`: the decisions will be
    shown; otherwise none is kept. `names_shop`: properties have the shop's names, as on the way
    back.
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        *,
        is_dry: bool,
        is_kept: bool,
        names_shop: bool = False,
    ) -> None:
        self.is_dry = is_dry
        self._is_kept = is_kept
        self._properties = {
            entity: {row.name: row.shop if names_shop else row.go for row in table.rows}
            for entity, table in tables.items()
        }
        self._lock = threading.Lock()
        self._changes: list[PlannedChange] = []

    def add(self, entity: str, shop_id: str, change: Change) -> None:
        """Record a decision."""
        if not self._is_kept:
            return
        fields = tuple(self._fields(entity, change))
        planned = PlannedChange(entity, shop_id, _ACTIONS[type(change)], fields, _reason(change))
        with self._lock:
            self._changes.append(planned)

    def changes(self) -> list[PlannedChange]:
        """Return the decisions, without the parking of records that were taken up again later."""
        with self._lock:
            changes = list(self._changes)
        last = {(change.entity, change.record): change for change in changes}
        return [
            change
            for change in changes
            if change.action != "park" or last[change.entity, change.record] is change
        ]

    def _fields(self, entity: str, change: Change) -> list[PlannedField]:
        names = self._properties.get(entity, {})
        if isinstance(change, (Create, Credit)):
            return [
                PlannedField(names.get(name, name), None, value)
                for name, value in change.values.items()
                if value is not None
            ]
        rows = change.rows if isinstance(change, Patch) else ()
        return [PlannedField(names.get(row.row, row.row), row.before, row.after) for row in rows]


def _reason(change: Change) -> str:
    if isinstance(change, (Park, Reject, Hold)):
        return change.reason
    if isinstance(change, Skip):
        return change.reason
    if isinstance(change, (Confirm, Invoice)):
        return f"it is {change.status} in the shop"
    if not isinstance(change, Link):
        return ""
    link = f"with {change.go_id}"
    if change.shared_with is not None:
        kind = "shares the entry of" if change.is_follower else "takes over the entry of"
        link = f"{kind} {change.shared_with}"
    differing = ", ".join(change.differences)
    return f"{link}; differing, not written: {differing}" if differing else link


def write_changes(changes: Sequence[PlannedChange], path: Path) -> None:
    """Write every change to a private file, as one JSON object per line, with exact decimals.

    Raises:
        OSError: the file cannot be written.
    """
    with open(path, "w", encoding="utf-8", opener=open_private) as file:
        for change in changes:
            line = simplejson.dumps(change.as_json(), use_decimal=True, ensure_ascii=False)
            file.write(line + "\n")
