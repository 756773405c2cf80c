"""What stops a run before its next write: `max_creates` and `max_changes`."""

from __future__ import annotations

import threading
from collections import Counter


class BrakeReached(Exception):  # noqa: N818 - reads as what it says
    """The run must stop before its next write: max_creates or max_changes is used up."""


class Brakes:
    """Counts writes against `max_creates` and `max_changes`; in a plan it stops nothing."""

    def __init__(
        self,
        max_creates: int | None = None,
        max_changes: int | None = None,
        *,
        stops: bool = True,
    ) -> None:
        self._most = {"max_creates": max_creates, "max_changes": max_changes}
        self._stops = stops
        self._done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def before_create(self) -> None:
        """Count a create.

        Raises:
            BrakeReached: `max_creates` have already been made.
        """
        self._count("max_creates", "entries were created")

    def before_change(self) -> None:
        """Count a change.

        Raises:
            BrakeReached: `max_changes` have already been made.
        """
        self._count("max_changes", "changes were made")

    def _count(self, name: str, what: str) -> None:
        most = self._most[name]
        with self._lock:
            if self._stops and most is not None and self._done[name] >= most:
                raise BrakeReached(f"{name}: {most} {what}; the run stops here")
            self._done[name] += 1

    def told_by_a_plan(self) -> list[str]:
        """Return in words which settings would stop the run that a plan foresees."""
        return [
            f"{name} is {most}: a run would stop before the rest of these {self._done[name]} writes"
            for name, most in self._most.items()
            if most is not None and self._done[name] > most
        ]
