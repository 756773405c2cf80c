"""What stops a run before its next write: `max_creates` and `max_changes`."""

from __future__ import annotations

import threading
from dataclasses import dataclass


class BrakeReached(Exception):  # noqa: N818 - reads as what it says
    """The run must stop before its next write: max_creates or max_changes is used up."""


@dataclass
class Brakes:
    """Counts writes against `max_creates` and `max_changes`."""

    max_creates: int | None = None
    max_changes: int | None = None
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
            if self.max_creates is not None and self.creates >= self.max_creates:
                msg = f"max_creates: {self.max_creates} entries were created; the run stops here"
                raise BrakeReached(msg)
            self.creates += 1

    def before_change(self) -> None:
        """Count a change.

        Raises:
            BrakeReached: `max_changes` were done already.
        """
        with self._lock:
            if self.max_changes is not None and self.changes >= self.max_changes:
                msg = f"max_changes: {self.max_changes} changes were made; the run stops here"
                raise BrakeReached(msg)
            self.changes += 1
