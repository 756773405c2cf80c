"""Gives each request its turn, so that PowerOffice Go never counts too many in one second."""

from __future__ import annotations

import functools
import threading
import time
from typing import TYPE_CHECKING, cast

from target_powerofficego.go_api.errors import ConfigurationError, StopRequested

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyrate_limiter import RateItem

# Requests do not all travel equally fast. A window a little longer than the second that Go counts
# lets a request overtake the ones before it by 30 ms, and still leaves 97 percent of the limit.
WINDOW_MILLISECONDS = 1030
# On a busy machine requests bunch more than that on their way, and Go turns one away. A window that
# fits them costs a fifth of the speed, so it is used only for a while after that has happened.
WIDE_WINDOW_MILLISECONDS = 1250
WIDE_SECONDS = 60.0


class NoTurnInTime(Exception):  # noqa: N818
    """The turn would come only after the caller gave up: in so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its turn comes only in {seconds:.0f} seconds")
        self.seconds = seconds


class RateLimit:
    """Turns for all threads of a client, in the order asked for.

    Go allows ten requests in a second per subscription key, tokens included.

    Args:
        requests_per_second: a whole number, at least 1.
        stop: ends every wait at once when set.
        now: a clock in seconds that never goes back.
        wait: sleeps so many seconds, or less when `stop` is set.

    Raises:
        ConfigurationError: when `requests_per_second` is no whole number above 0.
    """

    def __init__(
        self,
        requests_per_second: int,
        stop: threading.Event,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        if int(requests_per_second) != requests_per_second or requests_per_second < 1:
            raise ConfigurationError("requests_per_second must be a whole number, at least 1")
        # takes long to load, and --help gives no turns
        from pyrate_limiter import InMemoryBucket, Rate, RateItem  # noqa: PLC0415

        self._usual = Rate(int(requests_per_second), WINDOW_MILLISECONDS)
        self._wide = Rate(int(requests_per_second), WIDE_WINDOW_MILLISECONDS)
        self._bucket = InMemoryBucket([self._usual])
        self._request_at: Callable[[int], RateItem] = functools.partial(RateItem, "request")
        self._stop = stop
        self._now = now
        self._wait = wait or stop.wait
        self._queue = threading.Lock()
        self._pause_lock = threading.Lock()
        self._paused_until = self._wide_until = 0.0

    def take_turn(self, give_up_at: float) -> None:
        """Wait until one more request may be sent.

        Args:
            give_up_at: the moment, by this limit's clock, after which a turn is of no use.

        Raises:
            StopRequested: when `stop` is or gets set.
            NoTurnInTime: as soon as it is known that the turn comes after `give_up_at`.
        """
        with self._queue:
            while (seconds := self._seconds_until_turn()) > 0:
                if self._now() + seconds > give_up_at:
                    raise NoTurnInTime(seconds)
                self._wait(seconds)

    def pause(self, seconds: float) -> None:
        """Give nobody a turn for so many seconds from now, and fewer turns for a minute after."""
        with self._pause_lock:
            self._paused_until = max(self._paused_until, self._now() + seconds)
            self._wide_until = self._paused_until + WIDE_SECONDS

    def _seconds_until_turn(self) -> float:
        if self._stop.is_set():
            raise StopRequested("stopped on request before the call was made")
        now = self._now()
        if now < self._paused_until:
            return self._paused_until - now
        self._bucket.rates = [self._wide if now < self._wide_until else self._usual]
        request = self._request_at(int(now * 1000))
        self._bucket.leak(request.timestamp)
        if self._bucket.put(request):
            return 0
        return max(cast("int", self._bucket.waiting(request)), 1) / 1000
