"""Which failed calls are tried again, how soon, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from target_powerofficego.go_api.errors import TryAgainLater, Unreachable

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
    """

    def __init__(self, budget_seconds: float, wait: Callable[[float], None]) -> None:
        self._budget_seconds = budget_seconds
        self._wait = wait
        self._back_off = wait_random_exponential(
            multiplier=SHORTEST_BACK_OFF_SECONDS, max=LONGEST_BACK_OFF_SECONDS
        )

    def run(self, attempt: Callable[[], _T]) -> _T:
        """Return what `attempt` returns, or raise what the last one raised."""
        return Retrying(
            retry=retry_if_exception_type((TryAgainLater, Unreachable)),
            wait=self._seconds,
            stop=stop_before_delay(self._budget_seconds),
            sleep=self._wait,
            reraise=True,
        )(attempt)

    def _seconds(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TryAgainLater) else None
        return max(self._back_off(state), asked or 0)
