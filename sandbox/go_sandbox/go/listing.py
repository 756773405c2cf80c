"""Lists: filters, order, pages and choice of fields, and the header that announces more pages."""

from __future__ import annotations

import json
import math
import re
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from go_sandbox.go.problems import bad_query
from go_sandbox.go.stamps import read_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.go.ledger import Entry

    Test = Callable[[Entry], bool]
    Filter = Callable[[str], Test]
    Filters = Mapping[str, Filter]

_RANGE = re.compile(r"(\d+)(?:\s*(-)\s*(\d*))?")
_PAGE_SIZE = 5000
_MAX_PAGE_SIZE = 20000
_PAGING = {"pagenumber", "pagesize", "orderby", "fields", "usedatabasevalidation"}


def read_query(query: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Return the query parameters by lower-case name; blank ones are left out.

    Raises:
        Refusal: a parameter is unknown.
    """
    values: dict[str, str] = {}
    for name, value in query.items():
        if name.lower() == "subscription-key":
            continue
        if name.lower() not in {parameter.lower() for parameter in known}:
            raise bad_query(f"'{name}' is not a parameter of this operation")
        if value.strip():
            values[name.lower()] = value
    return values


def list_page(
    entries: list[Entry],
    names: tuple[str, ...],
    filters: Filters,
    query: Mapping[str, str],
    url: str,
) -> tuple[list[Entry], str]:
    """Return the page that a query asks for, and its `X-Pagination` header.

    Args:
        entries: all entries, as the API shows them.
        names: the fields of such an entry.
        filters: the filters by parameter name.
        query: the parameters as received.
        url: the address without its query, for the link to the next page.

    Raises:
        Refusal: a parameter is unknown or malformed.
    """
    values = read_query(query, {*filters, *_PAGING})
    for name, read in filters.items():
        if name.lower() in values:
            test = read(values[name.lower()])
            entries = [entry for entry in entries if test(entry)]
    number = _count(values, "PageNumber", 1)
    size = _count(values, "PageSize", _PAGE_SIZE, highest=_MAX_PAGE_SIZE)
    entries = _ordered(entries, names, values.get("orderby"))
    fields = _fields(names, values.get("fields"))
    shown = entries[(number - 1) * size : number * size]
    page = [{name: entry.get(name) for name in fields} for entry in shown]
    return page, _pagination(len(entries), number, size, query, url)


def _count(values: dict[str, str], name: str, usual: int, highest: int | None = None) -> int:
    text = values.get(name.lower(), str(usual))
    if not text.isdecimal() or int(text) < 1 or (highest and int(text) > highest):
        limit = f" and {highest}" if highest else ""
        raise bad_query(f"{name} must be a whole number between 1{limit}, not '{text}'")
    return int(text)


def _proper_name(names: tuple[str, ...], name: str, parameter: str) -> str:
    proper = {name.lower(): name for name in names}.get(name.strip().lower())
    if proper is None:
        raise bad_query(f"{parameter}: '{name.strip()}' is not a field")
    return proper


def _fields(names: tuple[str, ...], text: str | None) -> list[str]:
    if text is None:
        return sorted(names)
    return [_proper_name(names, name, "Fields") for name in text.split(",")]


def _ordered(entries: list[Entry], names: tuple[str, ...], text: str | None) -> list[Entry]:
    for part in reversed(text.split(",") if text else []):
        field, *direction = part.lower().split() or [""]
        if direction not in ([], ["asc"], ["desc"]):
            raise bad_query(f"OrderBy: '{part}' is not a field with asc or desc")
        key = partial(_sort_key, field=_proper_name(names, field, "OrderBy"))
        entries = sorted(entries, key=key, reverse=direction == ["desc"])
    return entries


def _sort_key(entry: Entry, field: str) -> tuple[bool, Any]:
    value = entry[field]
    if isinstance(value, (dict, list)):
        raise bad_query(f"OrderBy: {field} holds more than one value")
    return value is not None, value if value is not None else 0


def _pagination(total: int, number: int, size: int, query: Mapping[str, str], url: str) -> str:
    pages = -(-total // size)
    left_out = ("pagenumber", "subscription-key")
    following = {name: value for name, value in query.items() if name.lower() not in left_out}
    following["PageNumber"] = str(number + 1)
    return json.dumps(
        {
            "totalCount": total,
            "pageSize": size,
            "currentPage": number,
            "totalPages": pages,
            "nextPageLink": f"{url}?{urlencode(following)}" if number < pages else None,
        }
    )


def after(field: str) -> Filter:
    """Filter for stamps later than the given moment, which is excluded."""
    return _filter(field, _stamp, lambda value, stamp: (value or "") > stamp)


def texts(field: str, *, any_case: bool = False) -> Filter:
    """Filter for one of several texts, separated by commas."""
    if any_case:
        lower = _filter(field, _items, lambda value, wanted: str(value or "").lower() in wanted)
        return lambda text: lower(text.lower())
    return _filter(field, _items, lambda value, wanted: value in wanted)


def text(field: str) -> Filter:
    """Filter for one text, including its commas."""
    return _filter(field, str, lambda value, wanted: value == wanted)


def numbers(field: str) -> Filter:
    """Filter for numbers and ranges of numbers, such as `10000-11000, 12000, 13000-`."""
    return _filter(field, _ranges, _lies_in)


def number_lists(field: str) -> Filter:
    """Filter for entries whose array contains one of several numbers."""
    return _filter(
        field, _ranges, lambda value, ranges: bool({low for low, _ in ranges} & set(value or []))
    )


def flag(field: str) -> Filter:
    """Filter for true or false."""
    return _filter(field, read_flag, lambda value, wanted: bool(value) == wanted)


def only(field: str) -> Filter:
    """Filter, when true, for entries that have a value in a field; false filters nothing."""
    return _filter(field, read_flag, lambda value, wanted: bool(value) or not wanted)


def choice(field: str, choices: tuple[str, ...]) -> Filter:
    """Filter for one text of an enum, without regard to case."""

    def read(text: str) -> str:
        wanted = {choice.lower(): choice for choice in choices}.get(text.strip().lower())
        if wanted is None:
            raise bad_query(f"'{text}' is not one of {', '.join(choices)}")
        return wanted

    return _filter(field, read, lambda value, wanted: value == wanted)


def earliest(field: str) -> Filter:
    """Filter for dates from the given day on, that day included."""
    return _filter(field, _day, lambda value, wanted: value >= wanted)


def latest(field: str) -> Filter:
    """Filter for dates up to the given day, that day included."""
    return _filter(field, _day, lambda value, wanted: value <= wanted)


def ignored(_text: str) -> Test:
    """Accept a parameter that filters nothing here."""
    return lambda _entry: True


def read_flag(text: str) -> bool:
    """Return true or false.

    Raises:
        Refusal: the text is neither.
    """
    wanted = {"true": True, "false": False}.get(text.strip().lower())
    if wanted is None:
        raise bad_query(f"'{text}' is neither true nor false")
    return wanted


def _filter(field: str, read: Callable[[str], Any], passes: Callable[[Any, Any], bool]) -> Filter:
    """Return a filter for entries whose field passes a test against the value read from text."""

    def start(text: str) -> Test:
        wanted = read(text)
        return lambda entry: passes(entry[field], wanted)

    return start


def _stamp(text: str) -> str:
    try:
        return read_stamp(text)
    except ValueError as error:
        raise bad_query(f"'{text}' is not a date and time") from error


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError as error:
        raise bad_query(f"'{text}' is not a date") from error


def _items(text: str) -> set[str]:
    return {item.strip() for item in text.split(",")}


def _ranges(text: str) -> list[tuple[int, float]]:
    return [_range(item.strip()) for item in text.split(",")]


def _range(item: str) -> tuple[int, float]:
    match = _RANGE.fullmatch(item)
    if not match:
        raise bad_query(f"'{item}' is neither a number nor a range of numbers")
    low, dash, high = match.groups()
    return int(low), int(high or low) if high or not dash else math.inf


def _lies_in(number: int | None, ranges: list[tuple[int, float]]) -> bool:
    return number is not None and any(low <= number <= high for low, high in ranges)
