"""Searches and pages as the Admin API does them.

Search (shopify.dev, "Shopify API search syntax"): terms such as
`updated_at:>='2026-01-31T12:00:00Z'`, all of which must hold. Values that are dates must be in
quotes. A term with a field that cannot be searched is ignored, so that everything is returned;
`extensions.search` warns of it.

Pages (shopify.dev, "Paginating results with GraphQL"): `first` or `last` must be given, 250 at
most. A cursor names the value that the list is sorted by and the id of the record where a page
ended, so a record that changes meanwhile does not shift the pages.
"""

from __future__ import annotations

import base64
import binascii
import json
import operator
import re
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from go_sandbox.shops.shopify.shop import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from go_sandbox.shops.shopify.shop import Record

MOST = 250
TERM = re.compile(r"(?P<name>\w+):(?P<compare>>=|<=|>|<)?(?P<value>'[^']*'|\"[^\"]*\"|\S*)")
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
SORTED_BY: dict[str, Callable[[Record], Any]] = {
    "ID": lambda _: 0,
    "CREATED_AT": lambda record: record["createdAt"],
    "UPDATED_AT": lambda record: record["updatedAt"],
    "PROCESSED_AT": lambda record: record["processedAt"],
    "ORDER_NUMBER": lambda record: int(record["name"].lstrip("#")),
    "NAME": lambda record: f"{record['lastName']}, {record['firstName']}",
    "TITLE": lambda record: record["title"],
}
DATES = {"created_at": "createdAt", "updated_at": "updatedAt", "processed_at": "processedAt"}
TEXTS = {"email": "email", "name": "name", "title": "title"}


def searched(records: Iterable[Record], query: str | None) -> tuple[list[Record], list[Record]]:
    """Return the records that a search finds, and warnings of the terms it ignored."""
    found, warnings = list(records), []
    for match in TERM.finditer(query or ""):
        test = _test(match["name"], match["compare"] or "", match["value"])
        if test is None:
            code = "invalid_value" if match["name"] in DATES else "invalid_field"
            message = (
                "Invalid search field for this query."
                if code == "invalid_field"
                else (f"Input `{match['value']}` is not an accepted value.")
            )
            warnings.append({"field": match["name"], "message": message, "code": code})
        else:
            found = [record for record in found if test(record)]
    return found, warnings


def _test(name: str, compare: str, value: str) -> Callable[[Record], bool] | None:
    """Return a term's condition on a record; None if the term is ignored."""
    is_quoted = value[:1] in "'\"" and len(value) > 1
    plain = value[1:-1] if is_quoted else value
    if name == "id" and plain.isdecimal():
        return lambda record: COMPARE.get(compare, operator.eq)(number_of(record["id"]), int(plain))
    if name in DATES and is_quoted and re.match(r"\d{4}-\d\d-\d\dT[\d:]{8}Z$", plain):
        return lambda record: COMPARE.get(compare, operator.eq)(record[DATES[name]], plain)
    if name in TEXTS:
        return lambda record: str(record.get(TEXTS[name], "")).lower() == plain.lower()
    return None


def page(records: Iterable[Record], pages: Mapping[str, Any], by: str = "") -> Record:
    """Return a connection with a page of records, sorted by a sort key or in their given order.

    Args:
        records: All of them.
        pages: The arguments first, last, after, before and reverse that were given.
        by: The sort key.

    Raises:
        GraphQLError: Neither `first` nor `last`, too many, or an invalid cursor.
    """
    first, last = pages.get("first"), pages.get("last")
    size = first if first is not None else last
    reverse = pages.get("reverse", False)
    if size is None:
        raise GraphQLError("you must provide one of first or last")
    if not 0 < size <= MOST:
        raise GraphQLError(f"first or last must be between 1 and {MOST}")
    keyed = [
        ((SORTED_BY[by](record), number_of(record["id"])) if by else (place, 0), record)
        for place, record in enumerate(records)
    ]
    if by:
        keyed.sort(key=operator.itemgetter(0), reverse=reverse)
    low, high = (
        None if cursor is None else _key(cursor)
        for cursor in (pages.get("after"), pages.get("before"))
    )
    beyond = operator.lt if reverse else operator.gt
    left = [pair for pair in keyed if low is None or beyond(pair[0], low)]
    left = [pair for pair in left if high is None or beyond(high, pair[0])]
    shown = left[:size] if first is not None else left[-size:]
    cursors = [_cursor(key) for key, _ in shown]
    return {
        "nodes": [record for _, record in shown],
        "edges": [
            {"cursor": cursor, "node": record}
            for cursor, (_, record) in zip(cursors, shown, strict=True)
        ],
        "pageInfo": {
            "hasNextPage": len(left) > len(shown) if first is not None else high is not None,
            "hasPreviousPage": len(left) > len(shown) if first is None else low is not None,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def _cursor(key: tuple[Any, int]) -> str:
    value, number = key
    text = json.dumps({"last_id": number, "last_value": value}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def _key(cursor: str) -> tuple[Any, int]:
    try:
        read = json.loads(base64.b64decode(cursor, validate=True))
        return read["last_value"], int(read["last_id"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise GraphQLError("Invalid cursor for current pagination sort.") from None
