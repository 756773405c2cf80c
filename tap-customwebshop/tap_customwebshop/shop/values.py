"""Values of shops: in the contract's form, and with the place where each stood in its row.

Rows are plain dicts. Only where a function failed, or somebody asks, is the row wrapped in these
and mapped again, so that errors and `--explain` can say where a value stood.
"""

from __future__ import annotations

import difflib
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from typing_extensions import override

from tap_customwebshop.stamps import parse_stamp, parse_start, write_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = TypeVar("Value")

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


class MissingMemberError(KeyError):
    """A row has no such member."""

    @override
    def __str__(self) -> str:
        return str(self.args[0])


class Text(str):
    """Text that knows its place."""

    place: str


class Number(Decimal):
    """A number that knows its place."""

    place: str


class Whole(int):
    """A whole number that knows its place."""

    place: str


_KINDS: dict[type, Any] = {str: Text, Text: Text, int: Whole, Decimal: Number}


def placed(value: Value, place: str | None) -> Value:
    """Return text or a number that knows its place, if there is one; anything else as it is."""
    if place is None or type(value) not in _KINDS:
        return value
    made: Value = _KINDS[type(value)](value)
    made.place = place  # type: ignore[attr-defined]
    return made


def place_of(value: object) -> str | None:
    """Return where a value stood in the row; None of a plain value."""
    return getattr(value, "place", None)


class Notes:
    """What a function read of a row.

    Attributes:
        read: The places of all members that it read.
        last: The last of them, and its value.
    """

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.last: tuple[str, object] = ("", ...)

    def placed(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value that knows its place, and notes what is read of it."""
        if isinstance(value, dict):
            return Row(value, place, self)
        return Rows(value, place, self) if isinstance(value, list) else placed(value, place)

    def note(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Note that a member was read, and return its value, placed."""
        self.read.add(place)
        self.last = place, value
        return self.placed(value, place)


class Row(dict[str, Any]):
    """An object of the shop."""

    def __init__(self, held: dict[str, Any], place: str, notes: Notes) -> None:
        super().__init__(held)
        self.place = place
        self._notes = notes

    @override
    def __getitem__(self, name: str) -> Any:
        if name not in self:
            near = difflib.get_close_matches(str(name), list(self), n=1)
            meant = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(self)}"
            raise MissingMemberError(f"{self.place} has no '{name}'{meant:.300}")
        return self._notes.note(super().__getitem__(name), f"{self.place}.{name}")

    @override
    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - this is that method

    @override
    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    @override
    def values(self) -> Any:
        return [self[name] for name in self]


class Rows(list[Any]):
    """A list of the shop."""

    def __init__(self, held: list[Any], place: str, notes: Notes) -> None:
        super().__init__(notes.placed(one, f"{place}[{number}]") for number, one in enumerate(held))
        self.place = place


def leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield each value of a row that is no object or list, and its place."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, f"{place}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, f"{place}[{number}]")
    else:
        yield place, value
