"""Lists: filters, order, pages and choice of fields, and the header that tells of further pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from go_sandbox.go.problems import bad_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.go.ledger import Entry

    Filters = Mapping[str, Callable[[str], Callable[[Entry], bool]]]

_PAGE_SIZE = 5000
_MAX_PAGE_SIZE = 20000
_PAGING = {"pagenumber", "pagesize", "orderby", "fields", "usedatabasevalidation"}


@dataclass(frozen=True)
class Page:
    """One page of a list, and its `X-Pagination` header."""

    entries: list[Entry]
    pagination: str


def read_query(query: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Return the query parameters by lower-case name; blank ones are left out.

    Raises:
        Refusal: a parameter is unknown, which refuses the whole request.
    """
    values: dict[str, str] = {}
    for name, value in query.items():
        if name.lower() == "subscription-key":
            continue
        if name.lower() not in {one.lower() for one in known}:
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
) -> Page:
    """Return the page that a query asks for.

    Args:
        entries: all entries, as the API shows them.
        names: the fields of such an entry.
        filters: by parameter name.
        query: the parameters as they came.
        url: the address without its query, for the link to the next page.

    Raises:
        Refusal: a parameter is unknown or badly formed.
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
    return Page(
        entries=[{name: entry.get(name) for name in fields} for entry in shown],
        pagination=_pagination(len(entries), number, size, query, url),
    )


def _count(values: dict[str, str], name: str, usual: int, highest: int | None = None) -> int:
    text = values.get(name.lower(), str(usual))
    if not text.isdecimal() or int(text) < 1 or (highest and int(text) > highest):
        limit = f" and {highest}" if highest else ""
        raise bad_query(f"{name} must be a whole number between 1{limit}, not '{text}'")
    return int(text)


def _proper_name(names: tuple[str, ...], name: str, parameter: str) -> str:
    proper = {one.lower(): one for one in names}.get(name.strip().lower())
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
