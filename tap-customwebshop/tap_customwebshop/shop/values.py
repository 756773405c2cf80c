"""Amounts and stamps of shops in the contract's form."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from tap_customwebshop.shop.rows import place_of, placed
from tap_customwebshop.stamps import parse_stamp, parse_start, write_stamp

_DECIMALS = {"ISK": 0, "JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "BHD": 3, "KWD": 3, "TND": 3}
"""Of currencies that have other than two."""
_MILLISECONDS = 10**11
"""A number of seconds beyond this would be in the year 5138; it is milliseconds."""


class WrongValueError(ValueError):
    """A value of the shop is not what the shop file takes it for; the text does not show it."""


def money(value: Any, currency: str = "NOK", *, minor: bool = False) -> str | None:  # noqa: ANN401
    """Return an amount as a decimal string, rounded as its currency is: `"199.00"`.

    Args:
        value: A number or its text; None for null and "".
        currency: ISO 4217.
        minor: Whether the shop counts in the smallest unit: 19900 is 199.00.

    Raises:
        WrongValueError: It is no amount.
    """
    if value is None or value == "":
        return None
    decimals = _DECIMALS.get(currency, 2)
    try:
        amount = Decimal(str(value).strip())
        amount = amount.scaleb(-decimals) if minor else amount
        text = format(amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP), "f")
    except InvalidOperation:
        raise _wrong(value, "an amount") from None
    return placed(text, place_of(value))


def stamp(*values: Any, zone: str = "UTC") -> str | None:  # noqa: ANN401 - JSON
    """Return the first moment that is told, as RFC 3339 in UTC; null if none is.

    Args:
        values: Stamps with or without a zone, days, or Unix seconds or milliseconds; null, "" and
            dates of zeros are passed over.
        zone: The time zone of those that tell none, such as `Europe/Oslo`.

    Raises:
        WrongValueError: A value is no moment.
    """
    for value in values:
        text = "" if value is None else str(value).strip()
        if text not in ("", "0") and not text.startswith("0000-00-00"):
            if (moment := _moment(text, zone)) is None:
                raise _wrong(value, "a moment")
            return placed(moment, place_of(value))
    return None


@lru_cache(maxsize=1000)
def _moment(text: str, zone: str) -> str | None:
    try:
        if text.replace(".", "", 1).isdecimal() and len(text) > len("20260131"):
            seconds = Decimal(text)
            seconds = seconds / 1000 if seconds >= _MILLISECONDS else seconds
            return write_stamp(datetime.fromtimestamp(float(seconds), timezone.utc))
        if moment := parse_stamp(text):
            return write_stamp(moment)
        if moment := parse_start(text):
            return write_stamp(moment.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _wrong(value: object, kind: str) -> WrongValueError:
    return WrongValueError(f"{place_of(value) or 'a value'} is not {kind}")
