"""Which failed calls are tried again, how soon, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from target_powerofficego.go_api.errors import GoError, TryAgainLater, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

_T = TypeVar("_T")

SHORTEST_BACK_OFF_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 30


class Repetition:
    """Repeats what certainly did nothing.

    `TryAgainLater` and `Unreachable` are repeated, everything else is final. Waits grow from half a
    second to half a minute, each cut at random so that many clients do not come back at once. A
    longer one that Go asks for is kept; a shorter one (`Retry-After: 0`) would be a hot loop.

    Args:
        budget_seconds: no attempt begins later than so long after the first one.
        wait: sleeps so many seconds; what it raises ends the call.
        reach_seconds: the budget while every attempt so far was `Unreachable`, if it is less.
        tell: takes a line before each wait, for a person to read.
    """

    def __init__(
        self,
        budget_seconds: float,
        wait: Callable[[float], None],
        *,
        reach_seconds: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self._budget_seconds = budget_seconds
        self._wait = wait
        self._reach_seconds = budget_seconds if reach_seconds is None else reach_seconds
        self._was_reached = False
        self._tell = tell
        self._back_off = wait_random_exponential(
            multiplier=SHORTEST_BACK_OFF_SECONDS, max=LONGEST_BACK_OFF_SECONDS
        )

    def run(self, attempt: Callable[[], _T]) -> _T:
        """Return what `attempt` returns, or raise what the last one raised."""

        def noted() -> _T:
            try:
                value = attempt()
            except GoError as error:
                self._was_reached |= not isinstance(error, Unreachable)
                raise
            self._was_reached = True
            return value

        return Retrying(
            retry=retry_if_exception_type((TryAgainLater, Unreachable)),
            wait=self._seconds,
            stop=self._is_spent,
            sleep=self._wait,
            before_sleep=self._tell_wait,
            reraise=True,
        )(noted)

    def _is_spent(self, state: RetryCallState) -> bool:
        seconds = self._budget_seconds
        if not self._was_reached:
            seconds = min(seconds, self._reach_seconds)
        return stop_before_delay(seconds)(state)

    def _tell_wait(self, state: RetryCallState) -> None:
        if self._tell and state.outcome:
            said = str(state.outcome.exception())
            failure, _, _advice = said.rpartition("; ")
            self._tell(f"{failure or said}; asking again in {state.upcoming_sleep:.1f} s")

    def _seconds(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TryAgainLater) else None
        return max(self._back_off(state), asked or 0)
