"""How a write under an intent is sent: again only where a look shows that it was not done.

Before it, the brakes `max_creates` and `max_changes` may stop the run.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.store.link_store import Intent, LinkStore


_MOST_TRIES = 3

SECOND_LOOK_SECONDS = 2.0
"""PowerOffice Go v1 served reads from a replica up to 1 s behind; unstated for v2."""

Outcome = TypeVar("Outcome")
Lost = TypeVar("Lost", bound=Exception)
Refusal = TypeVar("Refusal", bound=Exception)


def look_twice(
    look: Callable[[], Outcome | None], wait: Callable[[float], object]
) -> Outcome | None:
    """Look, and look once more when a replica that was behind would have caught up."""
    found = look()
    if found is None:
        wait(SECOND_LOOK_SECONDS)
        found = look()
    return found


@dataclass
class CarefulWrite(Generic[Lost, Refusal]):
    """A write under an intent, which stays until it is known what became of the write.

    After `no_answer` it may or may not have been done. `broken_off` means that it was not sent at
    all, and `refusal` that it was not done. `was_sent` is true once a try has had no answer;
    `unanswered` is why the last such try of this run had none.
    """

    store: LinkStore
    intent: Intent
    no_answer: type[Lost]
    broken_off: tuple[type[Exception], ...]
    refusal: tuple[type[Refusal], ...]
    was_sent: bool = False
    unanswered: Lost | None = None

    def run(
        self,
        send: Callable[[], Outcome],
        look: Callable[[bool], Outcome | None],
        refused: Callable[[Refusal], Outcome],
    ) -> Outcome:
        """Send until the answer comes, or `look` returns what the side turns out to hold.

        `look` is given whether that was the last try; it returns None where nothing was done.
        `refused` returns or raises what follows from a refusal.

        Raises:
            Exception: one of `broken_off`, the last `no_answer`, or what the given functions raise.
        """
        for tries_left in reversed(range(_MOST_TRIES)):
            try:
                return send()
            except self.no_answer as error:
                self.was_sent, self.unanswered = True, error
            except self.broken_off:
                if not self.was_sent:
                    self.store.intents.end(self.intent)
                raise
            except self.refusal as error:
                return refused(error)
            found = look(not tries_left)
            if found is not None:
                return found
        raise self.unanswered or AssertionError("unreachable: the last try has no answer")

    def give_up(self, refusal: Refusal) -> NoReturn:
        """End with a refusal, which does not show what became of an earlier try without an answer.

        Raises:
            Exception: the refusal; or why a try has no answer, and then the intent stays.
        """
        if self.unanswered is not None:
            raise self.unanswered from refusal
        self.store.intents.end(self.intent)
        raise refusal


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
