"""How long to wait before asking again, and when to stop asking."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

FIRST_WAIT = 0.25
LONGEST_WAIT = 30.0


class Patience:
    """The time that one page may be asked for again, in all.

    Waits double from a quarter of a second to half a minute, each cut by a random part so that
    many taps do not come back at the same moment. A longer one that the shop asks for in
    `Retry-After` is kept, unless it is longer than what is left.

    Args:
        budget: Seconds from now within which the last attempt must begin.
    """

    def __init__(self, budget: float) -> None:
        self._until = time.monotonic() + budget
        self._attempts = 0
        self._attempts_of: Counter[str] = Counter()

    def next_wait(
        self, asked: float | None = None, *, kind: str = "", most_attempts: int | None = None
    ) -> float | None:
        """Seconds to wait before the next attempt; None when it is time to give up.

        Args:
            asked: Seconds that the shop asked to wait.
            kind: What the trouble was.
            most_attempts: Attempts after which trouble of this kind will not pass by itself.
        """
        self._attempts += 1
        self._attempts_of[kind] += 1
        if most_attempts is not None and self._attempts_of[kind] >= most_attempts:
            return None
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._attempts - 1, 10))
        wait = random.uniform(longest / 2, longest)  # noqa: S311
        if asked:
            wait = max(wait, asked + random.uniform(0, FIRST_WAIT))  # noqa: S311
        return wait if time.monotonic() + wait <= self._until else None


def read_retry_after(header: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header: a number, or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # the latter by an offset of twenty digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
