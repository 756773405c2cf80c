"""Counts what became of the records of a run, for its summary."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

    from target_powerofficego.decisions.changes import Conflict

OUTCOMES = (
    "created",
    "linked",
    "changed",
    "archived",
    "deleted",
    "confirmed",
    "invoiced",
    "credited",
    "anonymised",
    "unchanged",
    "parked",
    "rejected",
    "held",
)


class Tally:
    """One outcome per record: when a record comes twice, or is tried again, the last one counts.

    The stage that an order was brought to is counted separately, as is that its buyer was
    anonymised.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._outcomes: dict[tuple[str, str], str] = {}
        self._stages: set[tuple[str, str, str]] = set()
        self._unchanged: Counter[str] = Counter()

    def count(self, entity: str, shop_id: str, outcome: str) -> None:
        """Count one record."""
        with self._lock:
            before = self._outcomes.get((entity, shop_id))
            if before in ("created", "linked", "changed", "credited") and outcome == "unchanged":
                return
            self._outcomes[entity, shop_id] = outcome

    def count_stage(self, entity: str, shop_id: str, stage: str) -> None:
        """Count that a record was confirmed, invoiced or anonymised, whatever else comes of it."""
        with self._lock:
            self._stages.add((entity, shop_id, stage))

    def count_unchanged(self, entity: str) -> None:
        """Count a record that is identical to the one last settled."""
        with self._lock:
            self._unchanged[entity] += 1

    def note(self, remark: str) -> None:
        """Log in words what the whole run left undone."""
        self._logger.warning("%s", remark)

    def note_repair(self, entity: str, shop_id: str, repair: str) -> None:
        """Log a value that was left out or replaced so that the rest could be written."""
        self._logger.warning("%s %s: %s", entity, shop_id, repair)

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Log a property that both sides changed, without the values."""
        self._logger.warning(
            "%s %s: both sides changed %s; %s (%s)",
            entity,
            shop_id,
            conflict.row,
            f"{conflict.winner} wins" if conflict.winner else "held",
            conflict.why,
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many records of each entity had each outcome."""
        with self._lock:
            counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
            for (entity, _), outcome in self._outcomes.items():
                counts[entity][outcome] += 1
            for entity, _, stage in self._stages:
                counts[entity][stage] += 1
            for entity, number in self._unchanged.items():
                counts[entity]["unchanged"] += number
        return {entity: dict(outcomes) for entity, outcomes in counts.items()}
