"""What stops a run before its next write: `max_creates` and `max_changes`."""

from __future__ import annotations

import threading
from dataclasses import dataclass


class BrakeReached(Exception):  # noqa: N818 - reads as what it says
    """The run must stop before its next write: max_creates or max_changes is used up."""


@dataclass
class Brakes:
    """Counts writes against `max_creates` and `max_changes`; in a plan it stops nothing."""

    max_creates: int | None = None
    max_changes: int | None = None
    stops: bool = True
    creates: int = 0
    changes: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def before_create(self) -> None:
        """Count a create.

        Raises:
            BrakeReached: `max_creates` were done already.
        """
        with self._lock:
            if self.stops and self.max_creates is not None and self.creates >= self.max_creates:
                msg = f"max_creates: {self.max_creates} entries were created; the run stops here"
                raise BrakeReached(msg)
            self.creates += 1

    def before_change(self) -> None:
        """Count a change.

        Raises:
            BrakeReached: `max_changes` were done already.
        """
        with self._lock:
            if self.stops and self.max_changes is not None and self.changes >= self.max_changes:
                msg = f"max_changes: {self.max_changes} changes were made; the run stops here"
                raise BrakeReached(msg)
            self.changes += 1

    def told_by_a_plan(self) -> list[str]:
        """Say in words which setting would stop the run that a plan foresees."""
        limits = (
            ("max_creates", self.max_creates, self.creates),
            ("max_changes", self.max_changes, self.changes),
        )
        return [
            f"{name} is {most}: a run would stop before the rest of these {planned} writes"
            for name, most, planned in limits
            if most is not None and planned > most
        ]
