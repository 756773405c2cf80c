"""Time stamps as Go writes them: UTC, `Z`, seven fraction digits, so that they sort as text."""

from __future__ import annotations

import re
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TICKS_PER_SECOND = 10_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_PATTERN = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?)? ?(Z|[+-]\d\d:\d\d)?",
    re.IGNORECASE,
)


class Clock:
    """Gives stamps, each later than the one before.

    Args:
        skew: how many seconds the clock is ahead now; behind, if negative. When it is set
            back, stamps go on from the last one given, tick by tick, until time has passed it.
    """

    def __init__(self, skew: Callable[[], float] = lambda: 0) -> None:
        self._skew = skew
        self._last = 0
        self._lock = threading.Lock()

    def stamp(self) -> str:
        """Return the present moment, or one tick after the last stamp if that one is later."""
        with self._lock:
            self._last = max(self._now(), self._last + 1)
            return _text(self._last)

    def now(self) -> datetime:
        """Return the present moment by this clock."""
        return datetime.now(timezone.utc) + timedelta(seconds=self._skew())

    def today(self) -> str:
        """Return today's date in UTC as `YYYY-MM-DD`."""
        return _text(self._now())[:10]

    def _now(self) -> int:
        return time.time_ns() // 100 + round(self._skew() * _TICKS_PER_SECOND)


def _text(ticks: int) -> str:
    seconds, fraction = divmod(ticks, _TICKS_PER_SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment.isoformat()[:19]}.{fraction:07d}Z"


def read_stamp(text: str) -> str:
    """Return a stamp of any documented form as Go would write it; without an offset it is UTC.

    Raises:
        ValueError: if the text is not a stamp.
    """
    match = _PATTERN.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text} is not a date and time")
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else offset
    clock = clock or "00:00:00"
    moment = datetime.fromisoformat(f"{day}T{clock if len(clock) == 8 else clock + ':00'}{zone}")
    seconds = int((moment - _EPOCH).total_seconds())
    try:
        return _text(seconds * _TICKS_PER_SECOND + int((fraction or "0")[:7].ljust(7, "0")))
    except OverflowError as error:
        raise ValueError(f"{text} lies outside the calendar in UTC") from error


def days_after(date: str, days: int) -> str:
    """Return the date that many days later."""
    return (datetime.fromisoformat(date) + timedelta(days=days)).date().isoformat()
