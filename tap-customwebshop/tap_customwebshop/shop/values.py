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

from tap_customwebshop.stamps import format_stamp, parse_start, sortable_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Value = TypeVar("Value")

_HUNDREDTH = Decimal("0.01")
_SMALLEST = dict.fromkeys(("ISK", "JPY", "KRW", "CLP", "VND"), Decimal(1)) | dict.fromkeys(
    ("BHD", "KWD", "TND"), Decimal("0.001")
)
"""The smallest amount of currencies that have other than two decimals."""
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
    return _placed_as(format(amount(value, currency, minor=minor), "f"), value)


def amount(value: Any, currency: str = "NOK", *, minor: bool = False) -> Decimal:  # noqa: ANN401
    """Return an amount as a number to reckon with, rounded as `money` does; 0 for null and "".

    A record takes it as it is.

    Raises:
        WrongValueError: It is no amount.
    """
    smallest = _SMALLEST.get(currency, _HUNDREDTH)
    is_decimal = type(value) is Decimal
    try:
        number = value if is_decimal else _number(value or 0)
        rounded = (number * smallest if minor else number).quantize(smallest, ROUND_HALF_UP)
    except InvalidOperation:
        raise _wrong(value, "an amount") from None
    return rounded if is_decimal else _placed_as(rounded, value)


def percent(value: Any, *, fraction: bool = False) -> str | None:  # noqa: ANN401
    """Return a VAT rate in percent, without zeros at its end: `"25.00"` is `"25"`.

    Args:
        value: A number or its text; None for null and "".
        fraction: Whether the shop tells 0.25 for 25 percent.

    Raises:
        WrongValueError: It is no rate.
    """
    if value is None or value == "":
        return None
    if (rate := _rate(str(value), fraction)) is None:
        raise _wrong(value, "a rate")
    return _placed_as(rate, value)


@lru_cache(maxsize=1000)
def _rate(text: str, fraction: bool) -> str | None:
    try:
        digits = f"{_number(text) * (100 if fraction else 1):f}"
    except InvalidOperation:
        return None
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def taxes_by_rate(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an order's `taxes`: the VAT at each rate, and what it is of.

    Args:
        parts: Its lines, shipping and fees, with `tax_rate`, `total_excl` and `total_tax`; those
            without a rate are left out.
    """
    sums: dict[str, dict[str, Any]] = {}
    for one in parts:
        if (rate := one["tax_rate"]) is not None:
            if rate not in sums:
                sums[rate] = {"rate": rate, "base": Decimal(0), "amount": Decimal(0)}
            tax = sums[rate]
            tax["base"] += Decimal(one["total_excl"])
            tax["amount"] += Decimal(one["total_tax"])
    return list(sums.values())


def payment_status(
    total: Decimal, paid: Decimal, paid_back: Decimal, *, is_reserved: bool = False
) -> str:
    """Return how far an order is paid, and paid back; one that costs nothing is paid.

    Args:
        total: What it comes to with VAT, before refunds.
        paid: What was paid of that.
        paid_back: What was paid back of that.
        is_reserved: Whether money is reserved that is not taken yet.
    """
    if paid_back > 0:
        return "refunded" if paid_back >= total else "partially_refunded"
    if paid >= total:
        return "paid"
    if paid > 0:
        return "partially_paid"
    return "authorized" if is_reserved else "unpaid"


def to_record(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return members of a record that a row has under names of its own; an empty text is null.

    Args:
        row: The row; one that lacks a member is an error.
        names: The shop's name of each member: `{"postal_code": "zip"}`.
    """
    return {name: None if row[own] == "" else row[own] for name, own in names.items()}


def to_shop(
    patch: Mapping[str, Any],
    names: Mapping[str, str],
    empty: Any = None,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return what an edit changes, under the shop's names: the way back of `to_record`.

    Args:
        patch: The members that change.
        names: The shop's name of each member; others are left out.
        empty: What the shop takes for what is emptied, such as "".
    """
    return {
        own: empty if patch[name] is None else patch[name]
        for name, own in names.items()
        if name in patch
    }


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
        moment = "" if value is None else _moment(str(value), zone)
        if moment is None:
            raise _wrong(value, "a moment")
        if moment:
            return _placed_as(moment, value)
    return None


@lru_cache(maxsize=1000)
def _moment(value: str, zone: str) -> str | None:
    """Return a moment in UTC; "" if nothing is told, None if it is no moment."""
    text = value.strip()
    if text in ("", "0") or text.startswith("0000-00-00"):
        return ""
    try:
        if text.replace(".", "", 1).isdecimal() and len(text) > len("20260131"):
            seconds = Decimal(text)
            seconds = seconds / 1000 if seconds >= _MILLISECONDS else seconds
            return format_stamp(datetime.fromtimestamp(float(seconds), timezone.utc))
        in_zone = text if text[-1] in "Zz" or zone != "UTC" else f"{text}Z"
        if utc := sortable_stamp(in_zone) or sortable_stamp(text):
            return utc
        if moment := parse_start(text):
            return format_stamp(moment.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _number(value: object) -> Decimal:
    """Return a number; raise InvalidOperation where it is none, or not finite."""
    number = Decimal(str(value))
    if number.is_finite():
        return number
    raise InvalidOperation


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


def _placed_as(made: Value, value: object) -> Value:
    """Return what was made of a value, with that value's place."""
    place = getattr(value, "place", None)
    return made if place is None else placed(made, place)


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
