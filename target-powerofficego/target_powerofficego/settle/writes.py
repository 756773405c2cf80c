"""How a write under an intent is sent: repeated only if a check shows that it was not done.

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


_MAX_ATTEMPTS = 3

SECOND_LOOK_SECONDS = 2.0
"""PowerOffice Go v1 served reads from a replica up to 1 s behind; unstated for v2."""

Outcome = TypeVar("Outcome")
Lost = TypeVar("Lost", bound=Exception)
Refusal = TypeVar("Refusal", bound=Exception)


def look_twice(
    look: Callable[[], Outcome | None], wait: Callable[[float], object]
) -> Outcome | None:
    """Look, and if nothing is found look again, once a replica that is behind has caught up."""
    outcome = look()
    if outcome is None:
        wait(SECOND_LOOK_SECONDS)
        outcome = look()
    return outcome


@dataclass
class CarefulWrite(Generic[Lost, Refusal]):
    """A write under an intent, which stays until it is known what became of the write.

    After `no_answer` it may or may not have been done; `not_sent` means that it was not sent, and
    `refusal` that it was not done. `was_sent` is true once an attempt has had no answer;
    `unanswered` is the error of the last such attempt of this run.
    """

    store: LinkStore
    intent: Intent
    no_answer: type[Lost]
    not_sent: tuple[type[Exception], ...]
    refusal: tuple[type[Refusal], ...]
    was_sent: bool = False
    unanswered: Lost | None = None

    def run(
        self,
        send: Callable[[], Outcome],
        look: Callable[[bool], Outcome | None],
        refused: Callable[[Refusal], Outcome],
    ) -> Outcome:
        """Send until there is an answer, or until `look` returns what the other side has.

        `look` takes whether that was the last attempt, and returns None if nothing was done.
        `refused` returns or raises the outcome of a refusal.

        Raises:
            Exception: one of `not_sent`, the last `no_answer`, or any error of the functions given.
        """
        for attempts_left in reversed(range(_MAX_ATTEMPTS)):
            try:
                return send()
            except self.no_answer as error:
                self.was_sent, self.unanswered = True, error
            except self.not_sent:
                if not self.was_sent:
                    self.store.intents.end(self.intent)
                raise
            except self.refusal as error:
                return refused(error)
            outcome = look(not attempts_left)
            if outcome is not None:
                return outcome
        raise self.unanswered or AssertionError("unreachable: the last attempt has no answer")

    def give_up(self, refusal: Refusal) -> NoReturn:
        """End with a refusal, which does not show what became of an earlier unanswered attempt.

        Raises:
            Exception: the refusal; or the error of an unanswered attempt, whose intent stays.
        """
        if self.unanswered is not None:
            raise self.unanswered from refusal
        self.store.intents.end(self.intent)
        raise refusal


class BrakeReached(Exception):  # noqa: N818 - reads as what happened
    """The run must stop before its next write: max_creates or max_changes is reached."""


class Brakes:
    """Counts writes against `max_creates` and `max_changes`; a plan is not stopped."""

    def __init__(
        self,
        max_creates: int | None = None,
        max_changes: int | None = None,
        *,
        stops: bool = True,
    ) -> None:
        self._limits = {"max_creates": max_creates, "max_changes": max_changes}
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

    def _count(self, name: str, description: str) -> None:
        limit = self._limits[name]
        with self._lock:
            if self._stops and limit is not None and self._done[name] >= limit:
                raise BrakeReached(f"{name}: {limit} {description}; the run stops here")
            self._done[name] += 1

    def plan_warnings(self) -> list[str]:
        """Return a line for each setting that would stop the planned run."""
        return [
            f"{name} is {limit}: a run would stop before the rest of these {done} writes"
            for name, limit in self._limits.items()
            if limit is not None and (done := self._done[name]) > limit
        ]
