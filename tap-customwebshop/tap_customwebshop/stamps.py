"""Reads stamps and writes them in the one form in which they can be compared as text."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

FIRST_YEAR = "1900"
"""An earlier stamp, such as one of the year 1, is what a system writes that knows no date."""

_SORTABLE = re.compile(r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d\.\d{6}Z")
_IN_UTC = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ]((?!24)\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?[Zz]")
_YEARS = range(2000, 9000)  # the years in which a Date header is believed
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?(?:([Zz])|([+-]\d\d):?(\d\d))"
)


def parse_stamp(text: str) -> datetime | None:
    """Read an RFC 3339 stamp with `Z` or an offset, as an aware datetime in UTC.

    Digits beyond the microsecond are cut off, never rounded up, so that a bookmark made from the
    result cannot lie behind the record.

    Returns:
        None where the text is not a stamp or names no moment (month 13, no time zone).
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, _, hours, minutes = match.groups()
    offset = f"{hours}:{minutes}" if hours else "+00:00"
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '')[:6]:0<6}{offset}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def parse_date(text: str | None) -> datetime | None:
    """Read a `Date` header (RFC 9110), in UTC and whole seconds; None where it is not one."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    if moment.year not in _YEARS:
        return None
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc)


def parse_start(text: str) -> datetime | None:
    """Read a moment as people write it in settings: a date, or a stamp with or without a zone.

    Without a zone it is UTC; without a time it is midnight.
    """
    if moment := parse_stamp(text) or parse_stamp(f"{text}Z"):
        return moment
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def earlier(moment: datetime, span: timedelta) -> datetime | None:
    """Return the moment so long before another; None where the calendar does not reach back."""
    try:
        return moment - span
    except OverflowError:
        return None


def format_stamp(moment: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC with six decimals and `Z`.

    Stamps in this form sort as text in the order of time.
    """
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")[:-6] + "Z"


def sortable_stamp(text: str) -> str | None:
    """Bring an RFC 3339 stamp into the form of `format_stamp`; None where it is not a stamp."""
    if _SORTABLE.fullmatch(text):
        return text if _is_moment(text[:-1]) else None
    if match := _IN_UTC.fullmatch(text):
        day, clock, fraction = match.groups("")
        moment = f"{day}T{clock}.{fraction:0<6}"
        return f"{moment}Z" if _is_moment(moment) else None
    parsed = parse_stamp(text)
    return None if parsed is None else format_stamp(parsed)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
