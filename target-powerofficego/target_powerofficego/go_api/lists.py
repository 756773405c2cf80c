"""Goes through a list of PowerOffice Go page by page, and knows what an id of an entry can be."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api.answers import LATER, is_entry
from target_powerofficego.go_api.errors import OutOfOrder
from target_powerofficego.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

logger = logging.getLogger("target-powerofficego")

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OF_PATH = re.compile(rf"/(\d+|{_UUID.pattern})(?:/Complete)?$", re.IGNORECASE)
# Source: the published schemas. What is not named here has whole numbers.
_WITH_UUIDS = re.compile(
    r"/(SalesOrders\b.*|OutgoingInvoices(/[^/]*)?|Vouchers/BankJournals(/[^/]*)?)$", re.IGNORECASE
)
# The most that Go gives in one page.
LARGEST_PAGE = 20000
# Pages in a row that bring nothing new; each is a call.
MOST_BARREN = 10


def query_for(
    params: Mapping[str, Any] | None, fields: Sequence[str] | None, order_by: str, page_size: int
) -> dict[str, Any]:
    """Return the query of a list without its page number."""
    query = {**(params or {}), "PageSize": page_size, "OrderBy": order_by}
    return {**query, "Fields": list(fields)} if fields else query


def pages_of(
    read_page: Callable[[int], tuple[list[dict[str, Any]], str | None]], page_size: int, path: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages that have entries.

    A page may be equal to an earlier one, where entries came before it meanwhile; but not one after
    the other for ever.

    Args:
        read_page: takes a page number from 1 and returns the page (empty for 204) and the
            `X-Pagination` header.
        page_size: the size asked for.
        path: the list, for messages.

    Raises:
        OutOfOrder: the pages bring nothing new any more, and still name a next one.
    """
    page_number = 1
    known: set[int] = set()
    barren = 0
    while True:
        page, pagination = read_page(page_number)
        if page:
            yield page
        if not page or not _has_next(pagination, page_number, is_full=len(page) >= page_size):
            return
        ids = _ids(page)
        barren = barren + 1 if ids in known else 0
        known.add(ids)
        if barren == MOST_BARREN:
            raise OutOfOrder(
                f"GET {path}: the pages do not end: {barren} in a row are the same as earlier ones,"
                " and name a next one; " + LATER,
                method="GET",
                path=path,
            )
        page_number += 1


def _ids(page: list[dict[str, Any]]) -> int:
    """Return a hash of the ids of a page, whatever their order."""
    return hash(frozenset(str(one.get("Id") if is_entry(one) else one) for one in page))


def _has_next(pagination: str | None, page_number: int, *, is_full: bool) -> bool:
    """Return whether a page follows: by the header, and without a readable one by a full page.

    Clients in the field find `nextPageLink`, missing or empty on the last page, and `totalPages`.
    """
    try:
        header = read_json((pagination or "").encode())
    except ValueError:
        return is_full
    members = {name.lower(): value for name, value in header.items()} if is_entry(header) else {}
    if not members.keys() & {"nextpagelink", "totalpages"}:
        return is_full
    total = members.get("totalpages")
    return bool(members.get("nextpagelink")) or (isinstance(total, int) and page_number < total)


def has_id(path: str, entry: object) -> bool:
    """Return whether an answer of a path is an entry with an id, and its order lines with theirs.

    Nothing may be linked to an entry without one.
    """
    if not isinstance(entry, dict) or not _is_id(path, entry.get("Id")):
        return False
    lines = entry.get("SalesOrderLines") or ()
    return all(isinstance(one, dict) and _is_id(path, one.get("Id")) for one in lines)


def is_entry_of(path: str, entry: object) -> bool:
    """Return whether an answer is the entry that a path names; true of a path that names none."""
    named = _OF_PATH.search(path)
    if named is None:
        return True
    return has_id(path, entry) and str(entry["Id"]).lower() == named[1].lower()  # type: ignore[index]


def with_ids(path: str, entries: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entries of a list that have an id; how many have none is logged."""
    listed = list(entries)
    usable = [entry for entry in listed if has_id(path, entry)]
    if left_out := len(listed) - len(usable):
        logger.warning("GET %s: entries without a usable Id are left out (%s)", path, left_out)
    return usable


def _is_id(path: str, value: object) -> bool:
    if _WITH_UUIDS.match(path):
        return isinstance(value, str) and bool(_UUID.fullmatch(value))
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
