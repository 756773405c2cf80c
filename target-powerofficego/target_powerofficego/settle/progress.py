"""How far a run is: a line every ten seconds or, on a terminal, a bar; and roughly when it ends."""

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
"""What a record of each kind takes relative to the others, until one of them was done."""


@dataclass(frozen=True)
class Standing:
    """How far a run is at one moment.

    Attributes:
        seen: records that were read so far and brought something new, by entity.
        done: those of them that were dealt with.
        passed: records that brought nothing new, which takes no time.
        writes: requests that may have changed something.
        parked: records of this run that wait for another one, or for a later reading, by entity;
            they are done, but are tried once more at the end.
        open_ones: records of this run that are rejected or held.
        is_all_read: whether the input has come to its end.
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
        """Records that have yet to be dealt with, or are to be tried once more, by entity."""
        return {
            entity: number - self.done.get(entity, 0) + self.parked.get(entity, 0)
            for entity, number in self.seen.items()
        }


class Pace:
    """How long one record of each entity takes, judging by those done so far."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._done: Counter[str] = Counter()
        self._unspent = 0.0

    def note(self, seconds: float, done: Mapping[str, int]) -> None:
        """Note what was done in so many seconds; where nothing was, they count next time."""
        self._unspent += seconds
        costs = {entity: self._cost(entity) * number for entity, number in done.items()}
        whole = sum(costs.values())
        if not whole:
            return
        for entity, cost in costs.items():
            self._seconds[entity] += self._unspent * cost / whole
            self._done[entity] += done[entity]
        self._unspent = 0.0

    def seconds_for(self, records: Mapping[str, int]) -> float | None:
        """Return how long so many records take at this pace; None while none has been done."""
        if not any(self._done.values()):
            return None
        return sum(self._cost(entity) * number for entity, number in records.items())

    def _cost(self, entity: str) -> float:
        if self._done[entity]:
            return self._seconds[entity] / self._done[entity]
        calls = sum(_CALLS_OF_A_NEW_RECORD[one] * number for one, number in self._done.items())
        seconds_a_call = sum(self._seconds.values()) / calls if calls else 1.0
        return _CALLS_OF_A_NEW_RECORD[entity] * seconds_a_call


class Teller(Protocol):
    """Where it is reported how far a run is: the log, or a terminal."""

    seconds_between: float

    def tell(self, words: str, standing: Standing) -> None:
        """Report it, in words and in figures."""

    def close(self) -> None:
        """Leave the place as it was."""


class Progress:
    """Reports again and again how far a run is, from a thread of its own once it is started.

    Args:
        standing: returns how far the run is now.
        teller: where it is reported.
        system: what is written to, as a person calls it.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        standing: Callable[[], Standing],
        teller: Teller,
        system: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._standing = standing
        self._teller = teller
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
        self._teller.close()

    def tell(self) -> float | None:
        """Report how far the run is now; return how many seconds it takes from here, if known."""
        standing, now = self._standing(), self._clock()
        newly_done = Counter(standing.done)
        newly_done.subtract(self._done)
        self._pace.note(now - self._noted_at, newly_done)
        self._noted_at, self._done = now, standing.done
        seconds_left = self._pace.seconds_for(standing.left) if standing.is_all_read else None
        self._teller.tell(_in_words(standing, seconds_left, self._system), standing)
        return seconds_left

    def _tick(self) -> None:
        while not self._closing.wait(self._teller.seconds_between):
            self.tell()


class Lines:
    """Logs how far a run is."""

    seconds_between = 10.0

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def tell(self, words: str, standing: Standing) -> None:
        """Log it, in words and in figures."""
        self._logger.info("%s", words, extra={"progress": dataclasses.asdict(standing)})

    def close(self) -> None:
        """Do nothing: a log is left as it is."""


def _in_words(standing: Standing, seconds_left: float | None, system: str) -> str:
    seen = standing.passed + sum(standing.seen.values())
    done = standing.passed + sum(standing.done.values())
    parked = sum(standing.parked.values())
    ahead = ""
    if not standing.is_all_read:
        ahead = "more being read"
    elif done == seen:
        ahead = "retrying what waited"
    elif seconds_left is not None:
        ahead = f"about {_rounded(seconds_left)} left"
    parts = (
        f"{done:,} of {seen:,} records done",
        ahead,
        f"{standing.writes:,} writes to {system}",
        f"{parked:,} parked" if parked else "",
        f"{standing.open_ones:,} rejected or held" if standing.open_ones else "",
    )
    return ", ".join(filter(None, parts))


def _rounded(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    if minutes < 90:
        return f"{minutes} minutes"
    return f"{minutes // 60} h {minutes % 60} min"
