"""Stamps as Go writes them: UTC, `Z`, seven decimals, so that they sort as text."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))? ?(?:[Zz]|([+-]\d\d):?(\d\d))?"
)
_OF_GO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)
LAST = "9999-12-31T23:59:59.9999999Z"
"""No stamp is later."""


def normalise(text: object) -> str:
    """Return a stamp in the form of Go's own; "" if it is not a stamp.

    Without an offset it is UTC, as Go permits. Digits beyond the seventh are cut off.
    """
    if not isinstance(text, str):
        return ""
    if _OF_GO.fullmatch(text):
        return text if _is_moment(text[:19]) else ""
    match = _RFC_3339.fullmatch(text.strip())
    if match is None:
        return ""
    day, clock, fraction, hours, minutes = match.groups()
    try:
        offset = f"{hours}:{minutes}" if hours else "+00:00"
        moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
        return f"{_in_utc(moment)}.{(fraction or '')[:7]:0<7}Z"
    except (ValueError, OverflowError):
        return ""


def format_stamp(moment: datetime) -> str:
    """Format a moment like Go's stamps."""
    return f"{_in_utc(moment)}.{moment.microsecond:06d}0Z"


def parse_stamp(stamp: str) -> datetime:
    """Parse a stamp in the form of Go's own, to the microsecond, never rounded up."""
    return datetime.fromisoformat(f"{stamp[:26]}+00:00")


def before(stamp: str, seconds: float) -> str:
    """Return the stamp with which Go's filters find entries from `seconds` before a stamp on.

    Go's filters exclude the moment that they are given. An entry with the same stamp as the newest
    one may show up later, so the stamp returned is one microsecond earlier. It is "", which stands
    for everything, if it would be before the year 1.
    """
    try:
        return format_stamp(parse_stamp(stamp) - timedelta(seconds=seconds) - _MICROSECOND)
    except OverflowError:
        return ""


def parse_start(text: str) -> str:
    """Parse a date or stamp as people write it in settings into a stamp; "" if it is neither."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return normalise(text)
    return f"{day}T00:00:00.0000000Z"


def now() -> datetime:
    """Return the current time."""
    return datetime.now(timezone.utc)


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat()[:19]


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
