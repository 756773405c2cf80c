"""Goes through a list of PowerOffice Go page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api.answers import is_entry, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# The most that Go gives in one page.
LARGEST_PAGE = 20000


def query_for(
    params: Mapping[str, Any] | None, fields: Sequence[str] | None, order_by: str, page_size: int
) -> dict[str, Any]:
    """Return the query of a list without its page number."""
    query = {**(params or {}), "PageSize": page_size, "OrderBy": order_by}
    return {**query, "Fields": list(fields)} if fields else query


def pages_of(
    read_page: Callable[[int], tuple[list[dict[str, Any]], str | None]], page_size: int
) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages that have entries.

    Args:
        read_page: takes a page number from 1 and returns the page (empty for 204) and the
            `X-Pagination` header.
        page_size: the size asked for.
    """
    page_number = 1
    while True:
        page, pagination = read_page(page_number)
        if page:
            yield page
        if not page or not _has_next(pagination, page_number, is_full=len(page) >= page_size):
            return
        page_number += 1


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
