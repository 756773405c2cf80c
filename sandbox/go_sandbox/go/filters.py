"""The filters that lists take: each reads its text into a test of one entry."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from go_sandbox.go.problems import bad_query
from go_sandbox.go.stamps import read_stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from go_sandbox.go.ledger import Entry

_RANGE = re.compile(r"(\d+)(?:\s*(-)\s*(\d*))?")


def after(field: str) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for stamps later than the one given; that moment itself is left out."""

    def read(text: str) -> Callable[[Entry], bool]:
        try:
            stamp = read_stamp(text)
        except ValueError as error:
            raise bad_query(f"'{text}' is not a date and time") from error
        return lambda entry: (entry[field] or "") > stamp

    return read


def texts(field: str, *, any_case: bool = False) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for one of several texts, separated by commas."""

    def read(text: str) -> Callable[[Entry], bool]:
        wanted = {item.strip() for item in text.split(",")}
        if any_case:
            wanted = {item.lower() for item in wanted}
            return lambda entry: str(entry[field] or "").lower() in wanted
        return lambda entry: entry[field] in wanted

    return read


def text(field: str) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for one text, commas and all."""
    return lambda wanted: lambda entry: bool(entry[field] == wanted)


def numbers(field: str) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for numbers and ranges of numbers, such as `10000-11000, 12000, 13000-`."""

    def read(text: str) -> Callable[[Entry], bool]:
        ranges = [_range(item.strip()) for item in text.split(",")]

        def test(entry: Entry) -> bool:
            number = entry[field]
            return number is not None and any(
                low <= number and (high is None or number <= high) for low, high in ranges
            )

        return test

    return read


def number_lists(field: str) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for entries whose array holds one of several numbers."""

    def read(text: str) -> Callable[[Entry], bool]:
        wanted = {_range(item.strip())[0] for item in text.split(",")}
        return lambda entry: bool(wanted & set(entry[field] or []))

    return read


def flag(field: str) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for true or false."""
    return lambda text: _flag_test(field, wanted=read_flag(text))


def only(test: Callable[[Entry], bool]) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for entries that pass a test, when the parameter is true; false filters nothing."""
    return lambda text: test if read_flag(text) else _everything


def choice(field: str, choices: tuple[str, ...]) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for one text of an enum, without regard to case."""

    def read(text: str) -> Callable[[Entry], bool]:
        wanted = {one.lower(): one for one in choices}.get(text.strip().lower())
        if wanted is None:
            raise bad_query(f"'{text}' is not one of {', '.join(choices)}")
        return lambda entry: bool(entry[field] == wanted)

    return read


def day(field: str, *, earliest: bool) -> Callable[[str], Callable[[Entry], bool]]:
    """Filter for dates from (`earliest`) or until the one given, that day included."""

    def read(text: str) -> Callable[[Entry], bool]:
        try:
            wanted = date.fromisoformat(text.strip()).isoformat()
        except ValueError as error:
            raise bad_query(f"'{text}' is not a date") from error
        if earliest:
            return lambda entry: bool(entry[field] >= wanted)
        return lambda entry: bool(entry[field] <= wanted)

    return read


def ignored(_text: str) -> Callable[[Entry], bool]:
    """Take a parameter that filters nothing here."""
    return _everything


def read_flag(text: str) -> bool:
    """Return true or false.

    Raises:
        Refusal: the text is neither.
    """
    wanted = {"true": True, "false": False}.get(text.strip().lower())
    if wanted is None:
        raise bad_query(f"'{text}' is neither true nor false")
    return wanted


def _everything(_entry: Entry) -> bool:
    return True


def _flag_test(field: str, *, wanted: bool) -> Callable[[Entry], bool]:
    return lambda entry: bool(entry[field]) == wanted


def _range(item: str) -> tuple[int, int | None]:
    match = _RANGE.fullmatch(item)
    if not match:
        raise bad_query(f"'{item}' is neither a number nor a range of numbers")
    low, dash, high = match.groups()
    if not dash:
        return int(low), int(low)
    return int(low), int(high) if high else None
