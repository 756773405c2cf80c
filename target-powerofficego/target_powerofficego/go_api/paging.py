"""Goes through a list of PowerOffice Go page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api.answers import LATER, is_entry
from target_powerofficego.go_api.errors import OutOfOrder
from target_powerofficego.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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
            message = (
                f"GET {path}: the pages do not end: {barren} in a row are the same as earlier ones,"
                " and name a next one; " + LATER
            )
            raise OutOfOrder(message, method="GET", path=path)
        page_number += 1


def _ids(page: list[dict[str, Any]]) -> int:
    """Return a hash of the ids of a page, whatever their order."""
    return hash(frozenset(str(one.get("Id") if is_entry(one) else one) for one in page))


def _has_next(pagination: str | None, page_number: int, *, is_full: bool) -> bool:
    """Tell whether a page follows: by the header, and without a readable one by a full page.

    Clients in the field find `nextPageLink`, missing or empty on the last page, and `totalPages`.
    """
    try:
        told = read_json((pagination or "").encode())
    except ValueError:
        return is_full
    if not is_entry(told):
        return is_full
    members = {name.lower(): value for name, value in told.items()}
    if "nextpagelink" not in members and "totalpages" not in members:
        return is_full
    total = members.get("totalpages")
    return bool(members.get("nextpagelink")) or (isinstance(total, int) and page_number < total)
