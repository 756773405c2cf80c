"""The progress of a run: a line every ten seconds or a bar on a terminal, and the time left."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

_CALLS_OF_A_NEW_RECORD = {"customers": 1.5, "products": 1.0, "orders": 1.0}
"""The relative cost of a record of each kind, until one of that kind is done."""


@dataclass(frozen=True)
class Snapshot:
    """The progress of a run at one moment.

    Attributes:
        seen: records read so far that brought something new, by entity.
        done: those of them that are done.
        passed: records that brought nothing new, which takes no time.
        writes: requests that may have changed something.
        parked: records of this run that wait for another one, or for a later reading, by entity;
            they count as done, but are tried again at the end.
        open_ones: records of this run that are rejected or held.
        is_all_read: whether the input has ended.
    """

    seen: Mapping[str, int]
    done: Mapping[str, int]
    passed: int
    writes: int
    parked: Mapping[str, int]
    open_ones: int
    is_all_read: bool

    @property
    def left(self) -> dict[str, int]:
        """Records that are not done yet, or will be tried again, by entity."""
        return {
            entity: number - self.done.get(entity, 0) + self.parked.get(entity, 0)
            for entity, number in self.seen.items()
        }


class Pace:
    """How long a record of each entity takes, judging by those done so far."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._done: Counter[str] = Counter()
        self._unassigned = 0.0

    def note(self, seconds: float, done: Mapping[str, int]) -> None:
        """Note the records done in this time; if there are none, it counts for the next ones."""
        self._unassigned += seconds
        costs = {entity: self._cost(entity) * number for entity, number in done.items()}
        total = sum(costs.values())
        if not total:
            return
        for entity, cost in costs.items():
            self._seconds[entity] += self._unassigned * cost / total
            self._done[entity] += done[entity]
        self._unassigned = 0.0

    def seconds_for(self, records: Mapping[str, int]) -> float | None:
        """Return how long these records take at this pace; None while no record is done."""
        if not any(self._done.values()):
            return None
        return sum(self._cost(entity) * number for entity, number in records.items())

    def _cost(self, entity: str) -> float:
        if self._done[entity]:
            return self._seconds[entity] / self._done[entity]
        calls = sum(_CALLS_OF_A_NEW_RECORD[kind] * number for kind, number in self._done.items())
        seconds_per_call = sum(self._seconds.values()) / calls if calls else 1.0
        return _CALLS_OF_A_NEW_RECORD[entity] * seconds_per_call


class Reporter(Protocol):
    """Reports progress, to the log or a terminal."""

    seconds_between: float

    def report(self, text: str, snapshot: Snapshot) -> None:
        """Report the progress, in words and in figures."""

    def close(self) -> None:
        """Leave the log or terminal as it was."""


class Progress:
    """Reports the progress of a run at intervals, from its own thread once it is started.

    Args:
        take_snapshot: returns the progress now.
        reporter: where to report it.
        system: the name of the system that is written to.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        take_snapshot: Callable[[], Snapshot],
        reporter: Reporter,
        system: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._take_snapshot = take_snapshot
        self._reporter = reporter
        self._system = system
        self._clock = clock
        self._noted_at = clock()
        self._done: Mapping[str, int] = {}
        self._pace = Pace()
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def start(self) -> None:
        """Start reporting."""
        self._ticker.start()

    def close(self) -> None:
        """Stop reporting."""
        self._closing.set()
        if self._ticker.is_alive():
            self._ticker.join()
        self._reporter.close()

    def report(self) -> float | None:
        """Report the progress now; return the seconds left, if known."""
        snapshot, now = self._take_snapshot(), self._clock()
        newly_done = Counter(snapshot.done)
        newly_done.subtract(self._done)
        self._pace.note(now - self._noted_at, newly_done)
        self._noted_at, self._done = now, snapshot.done
        seconds_left = self._pace.seconds_for(snapshot.left) if snapshot.is_all_read else None
        self._reporter.report(_describe(snapshot, seconds_left, self._system), snapshot)
        return seconds_left

    def _tick(self) -> None:
        while not self._closing.wait(self._reporter.seconds_between):
            self.report()


class LogReporter:
    """Logs the progress of a run."""

    seconds_between = 10.0

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def report(self, text: str, snapshot: Snapshot) -> None:
        """Log the progress, in words and in figures."""
        self._logger.info("%s", text, extra={"progress": dataclasses.asdict(snapshot)})

    def close(self) -> None:
        """Do nothing: a log needs no cleaning up."""


def _describe(snapshot: Snapshot, seconds_left: float | None, system: str) -> str:
    seen = snapshot.passed + sum(snapshot.seen.values())
    done = snapshot.passed + sum(snapshot.done.values())
    parked = sum(snapshot.parked.values())
    remaining = ""
    if not snapshot.is_all_read:
        remaining = "more being read"
    elif done == seen:
        remaining = "retrying what waited"
    elif seconds_left is not None:
        remaining = f"about {_format_duration(seconds_left)} left"
    parts = (
        f"{done:,} of {seen:,} records done",
        remaining,
        f"{snapshot.writes:,} writes to {system}",
        f"{parked:,} parked" if parked else "",
        f"{snapshot.open_ones:,} rejected or held" if snapshot.open_ones else "",
    )
    return ", ".join(filter(None, parts))


def _format_duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    if minutes < 90:
        return f"{minutes} minutes"
    return f"{minutes // 60} h {minutes % 60} min"
