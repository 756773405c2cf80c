"""Parses stamps, and formats them in the one form in which they can be compared as text."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

FIRST_YEAR = "1900"
"""An earlier stamp, such as one of the year 1, stands for an unknown date in some systems."""

_SORTABLE = re.compile(r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d\.\d{6}Z")
_IN_UTC = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ]((?!24)\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?[Zz]")
_YEARS = range(2000, 9000)  # a Date header of another year is not believed
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?(?:([Zz])|([+-]\d\d):?(\d\d))"
)


def parse_stamp(text: str) -> datetime | None:
    """Parse an RFC 3339 stamp with `Z` or an offset into an aware datetime in UTC.

    Digits beyond the microsecond are cut off, never rounded up, so that a bookmark made from the
    result cannot be later than the record.

    Returns:
        None if the text is not a stamp, or not one of a moment (month 13, no time zone).
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
    """Parse a `Date` header (RFC 9110), in UTC and whole seconds; None if it is not valid."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    if moment.year not in _YEARS:
        return None
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc)


def parse_start(text: str) -> datetime | None:
    """Parse a moment as people write it in settings: a date, or a stamp with or without a zone.

    Without a zone it is UTC; without a time it is midnight. None if it is neither.
    """
    if moment := parse_stamp(text) or parse_stamp(f"{text}Z"):
        return moment
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def earlier(moment: datetime, span: timedelta) -> datetime | None:
    """Return the moment that is `span` earlier; None if it is before the first day of year 1."""
    try:
        return moment - span
    except OverflowError:
        return None


def format_stamp(moment: datetime) -> str:
    """Format an aware datetime as RFC 3339 in UTC with six decimals and `Z`.

    As text, stamps in this form sort in the order of time.
    """
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")[:-6] + "Z"


def sortable_stamp(text: str) -> str | None:
    """Return an RFC 3339 stamp in the form of `format_stamp`; None if it is not a stamp."""
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
