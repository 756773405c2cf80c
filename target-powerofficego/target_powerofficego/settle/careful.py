"""How a write under an intent is sent: again only where a look shows that it was not done."""

from __future__ import annotations

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
