"""Converts a shop's values to the contract's form, and keeps their place in the row.

Rows are plain dicts. Only after a function failed, and for `--explain`, a row is wrapped in the
classes below and mapped again, so that the place of each value is known.
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
"""The smallest amount of currencies that do not have two decimals."""
_MILLISECONDS = 10**11
"""A number from here on means milliseconds; as seconds it would be the year 5138."""


class WrongValueError(ValueError):
    """A value of the shop is not what the shop file expects; the message does not show it."""


def money(value: Any, currency: str = "NOK", *, minor: bool = False) -> str | None:  # noqa: ANN401
    """Return an amount as a decimal string, rounded to its currency's decimals: `"199.00"`.

    Args:
        value: A number or its text; null and "" give None.
        currency: ISO 4217.
        minor: Whether the shop counts in the smallest unit, so that 19900 is 199.00.

    Raises:
        WrongValueError: It is not an amount.
    """
    if value is None or value == "":
        return None
    return _with_place_of(value, format(amount(value, currency, minor=minor), "f"))


def amount(value: Any, currency: str = "NOK", *, minor: bool = False) -> Decimal:  # noqa: ANN401
    """Return an amount as a number to calculate with, rounded like `money`; 0 for null and "".

    A record may hold it as well.

    Raises:
        WrongValueError: It is not an amount.
    """
    smallest = _SMALLEST.get(currency, _HUNDREDTH)
    is_decimal = type(value) is Decimal
    try:
        number = value if is_decimal else _number(value or 0)
        rounded = (number * smallest if minor else number).quantize(smallest, ROUND_HALF_UP)
    except InvalidOperation:
        raise _wrong(value, "an amount") from None
    return rounded if is_decimal else _with_place_of(value, rounded)


def percent(value: Any, *, fraction: bool = False) -> str | None:  # noqa: ANN401
    """Return a VAT rate in percent, without trailing zeros: `"25.00"` becomes `"25"`.

    Args:
        value: A number or its text; null and "" give None.
        fraction: Whether the shop writes 0.25 for 25 percent.

    Raises:
        WrongValueError: It is not a rate.
    """
    if value is None or value == "":
        return None
    if (rate := _rate(str(value), fraction)) is None:
        raise _wrong(value, "a rate")
    return _with_place_of(value, rate)


@lru_cache(maxsize=1000)
def _rate(text: str, fraction: bool) -> str | None:
    try:
        digits = f"{_number(text) * (100 if fraction else 1):f}"
    except InvalidOperation:
        return None
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def taxes_by_rate(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an order's `taxes`: for each rate, the VAT and the amount that it applies to.

    Args:
        parts: Its lines, shipping and fees, with `tax_rate`, `total_excl` and `total_tax`; those
            without a rate are left out.
    """
    sums: dict[str, dict[str, Any]] = {}
    for part in parts:
        if (rate := part["tax_rate"]) is not None:
            tax = sums.setdefault(rate, {"rate": rate, "base": Decimal(0), "amount": Decimal(0)})
            tax["base"] += Decimal(part["total_excl"])
            tax["amount"] += Decimal(part["total_tax"])
    return list(sums.values())


def payment_status(
    total: Decimal, paid: Decimal, paid_back: Decimal, *, is_reserved: bool = False
) -> str:
    """Return an order's `payment_status`; one that costs nothing is paid.

    Args:
        total: Its total with VAT, before refunds.
        paid: How much of it was paid.
        paid_back: How much of that was paid back.
        is_reserved: Whether money is reserved that has not been captured yet.
    """
    if paid_back > 0:
        return "refunded" if paid_back >= total else "partially_refunded"
    if paid >= total:
        return "paid"
    if paid > 0:
        return "partially_paid"
    return "authorized" if is_reserved else "unpaid"


def to_record(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return members that a row has under other names; an empty text becomes None.

    Args:
        row: The row; a missing member is an error.
        names: The shop's name of each member: `{"postal_code": "zip"}`.
    """
    return {
        name: None if row[shop_name] == "" else row[shop_name] for name, shop_name in names.items()
    }


def to_shop(
    patch: Mapping[str, Any],
    names: Mapping[str, str],
    empty: Any = None,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return what an edit changes, under the shop's names: the reverse of `to_record`.

    Args:
        patch: The members that change.
        names: The shop's name of each member; others are left out.
        empty: What empties a member in the shop, such as "".
    """
    return {
        shop_name: empty if patch[name] is None else patch[name]
        for name, shop_name in names.items()
        if name in patch
    }


def stamp(*values: Any, zone: str = "UTC") -> str | None:  # noqa: ANN401 - JSON
    """Return the first value that is not empty, as RFC 3339 in UTC; None if all are.

    Args:
        values: Times with or without a zone, dates, or Unix seconds or milliseconds; null, "" and
            dates of zeros are empty.
        zone: The time zone of those without one, such as `Europe/Oslo`.

    Raises:
        WrongValueError: A value is not a time.
    """
    for value in values:
        moment = "" if value is None else _moment(str(value), zone)
        if moment is None:
            raise _wrong(value, "a time")
        if moment:
            return _with_place_of(value, moment)
    return None


@lru_cache(maxsize=1000)
def _moment(value: str, zone: str) -> str | None:
    """Return a time in UTC; "" if the value is empty, None if it is not a time."""
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
    """Return a number; raise InvalidOperation if it is not one, or not finite."""
    number = Decimal(str(value))
    if number.is_finite():
        return number
    raise InvalidOperation


def _wrong(value: object, kind: str) -> WrongValueError:
    return WrongValueError(f"{place_of(value) or 'a value'} is not {kind}")


class MissingMemberError(KeyError):
    """A row does not have this member."""

    @override
    def __str__(self) -> str:
        return str(self.args[0])  # without the quotes of KeyError


class Text(str):
    """Text that knows its place in the row."""

    place: str


class Number(Decimal):
    """A number that knows its place in the row."""

    place: str


class Whole(int):
    """A whole number that knows its place in the row."""

    place: str


_KINDS: dict[type, Any] = {str: Text, Text: Text, int: Whole, Decimal: Number}


def _with_place(value: Value, place: str | None) -> Value:
    """Return text or a number that knows its place, if it has one; anything else as it is."""
    if place is None or type(value) not in _KINDS:
        return value
    placed: Value = _KINDS[type(value)](value)
    placed.place = place  # type: ignore[attr-defined]
    return placed


def _with_place_of(source: object, value: Value) -> Value:
    """Return a value with the place of the one that it was made from."""
    return _with_place(value, place_of(source))


def place_of(value: object) -> str | None:
    """Return the place of a value in its row; None if it does not know it."""
    return getattr(value, "place", None)


class Notes:
    """What a function has read of a row.

    Attributes:
        read: The places of all members that it read.
        last: The place and value of the last one.
    """

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.last: tuple[str, object] = ("", ...)

    def placed(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value that knows its place, and notes what is read from it."""
        if isinstance(value, dict):
            return Row(value, place, self)
        return Rows(value, place, self) if isinstance(value, list) else _with_place(value, place)

    def note(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Note that a member was read, and return its value, placed."""
        self.read.add(place)
        self.last = place, value
        return self.placed(value, place)


class Row(dict[str, Any]):
    """An object in a row, or the row itself."""

    def __init__(self, members: dict[str, Any], place: str, notes: Notes) -> None:
        super().__init__(members)
        self.place = place
        self._notes = notes

    @override
    def __getitem__(self, name: str) -> Any:
        if name not in self:
            near = difflib.get_close_matches(str(name), list(self), n=1)
            advice = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(self)}"
            raise MissingMemberError(f"{self.place} has no '{name}'{advice:.300}")
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
    """A list in a row."""

    def __init__(self, values: list[Any], place: str, notes: Notes) -> None:
        super().__init__(notes.placed(value, f"{place}[{n}]") for n, value in enumerate(values))
        self.place = place


def leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield the place and value of everything in a row that is not an object or a list."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, f"{place}.{name}")
    elif isinstance(value, list):
        for number, element in enumerate(value):
            yield from leaves(element, f"{place}[{number}]")
    else:
        yield place, value
