"""The gateway before Go: the subscription key, and how many requests it may make in a second."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from go_sandbox.go.problems import GatewayRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from go_sandbox.go.switches import Switches

_WINDOW_SECONDS = 1.0


class Gateway:
    """Counts the requests of one subscription key over all endpoints, the token's included.

    Requests that were refused for coming too fast are not counted. `now` tells seconds.
    """

    def __init__(
        self, subscription_key: str, switches: Switches, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._subscription_key = subscription_key
        self._switches = switches
        self._admitted: deque[float] = deque()
        self._lock = threading.Lock()

    def admit(self, subscription_key: str | None) -> None:
        """Let a request pass.

        Raises:
            GatewayRefusal: the key is missing or wrong (401), or used too often (429).
        """
        if not subscription_key:
            raise GatewayRefusal(401, "The subscription key is missing")
        if subscription_key != self._subscription_key:
            raise GatewayRefusal(401, "The subscription key is not valid")
        with self._lock:
            self._count(self._now())

    def _count(self, now: float) -> None:
        limit = self._switches.rate_limit
        while self._admitted and self._admitted[0] <= now - _WINDOW_SECONDS:
            self._admitted.popleft()
        if limit is not None and len(self._admitted) >= limit:
            headers = {"Retry-After": "1"} if self._switches.send_retry_after else {}
            raise GatewayRefusal(429, "Too many requests; try again in 1 seconds", headers)
        self._admitted.append(now)
