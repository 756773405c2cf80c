"""The shop's stamps: RFC 3339 in UTC with Z and microseconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RFC3339 = re.compile(
    r"(?P<seconds>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-]\d\d:\d\d)"
)


def parse(text: str) -> datetime:
    """Read a stamp as an aware datetime in UTC; digits past the microsecond are cut off.

    Raises:
        ValueError: when the text is not an RFC 3339 stamp with a time zone.
    """
    match = RFC3339.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an RFC 3339 stamp such as 2026-01-31T12:00:00Z")
    fraction = (match["fraction"] or "0")[:6].ljust(6, "0")
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    stamp = datetime.fromisoformat(f"{match['seconds'].upper()}.{fraction}{zone}")
    try:
        return stamp.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from error


def render(stamp: datetime) -> str:
    """Write an aware datetime as the shop does."""
    utc = stamp.astimezone(timezone.utc)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def sortable(value: object) -> str:
    """Return a stamp in a form that sorts as text; what is not a stamp stays as it is."""
    try:
        return render(parse(str(value)))
    except ValueError:
        return str(value)


class Clock:
    """Gives strictly increasing stamps, however fast they are requested, unless in whole seconds.

    Args:
        skew: how many seconds the clock is ahead now; behind, if negative. When it is set
            back, stamps go on from the last one given until time has passed it.
        is_whole: whether stamps are cut to whole seconds; then two may be the same.
    """

    def now(self) -> datetime:
        """Return the present moment by this clock."""
        return datetime.now(timezone.utc) + timedelta(seconds=self._skew())

    def __init__(
        self, skew: Callable[[], float] = lambda: 0, is_whole: Callable[[], bool] = lambda: False
    ) -> None:
        self._skew = skew
        self._is_whole = is_whole
        self._last = datetime.fromtimestamp(0, timezone.utc)

    def next(self, after: str | None = None) -> str:
        """Return the present moment, or one just after the last stamp given and after `after`."""
        floor = self._last
        if after is not None:
            try:
                floor = max(floor, parse(after))
            except ValueError:
                floor = self._last
        if self._is_whole():
            self._last = max(self.now().replace(microsecond=0), floor)
        else:
            self._last = max(self.now(), floor + timedelta(microseconds=1))
        return render(self._last)
