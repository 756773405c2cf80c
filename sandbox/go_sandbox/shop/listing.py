"""Lists a stream page by page: `updated_since`, `limit` and a cursor."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

import simplejson

from go_sandbox.shop import stamps
from go_sandbox.shop.problems import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.shop.shelf import Place, Shelf

PARAMETERS = ("updated_since", "limit", "cursor")
DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000


@dataclass(frozen=True)
class Listing:
    """What a caller asks for."""

    since: str | None
    after: Place | None
    limit: int


def read_query(stream: str, query: Mapping[str, str]) -> Listing:
    """Read the query parameters of a list request.

    Raises:
        HTTPException: 400 for an unknown parameter or a value that makes no sense.
    """
    for name in query:
        if name not in PARAMETERS:
            detail = f"Unknown parameter {name!r}. Known are {', '.join(PARAMETERS)}."
            raise problem(400, detail)
    cursor = query.get("cursor")
    return Listing(
        since=_since(query.get("updated_since")),
        after=None if cursor is None else _place(stream, cursor),
        limit=_limit(query.get("limit", str(DEFAULT_LIMIT))),
    )


def page_text(stream: str, shelf: Shelf, listing: Listing, told: Callable[[str], str]) -> str:
    """Return one page as JSON text: `{"data": [...], "next_cursor": null | "..."}`.

    A cursor is the place of the page's last record. A record that changes while somebody pages
    moves behind the cursor's place and is listed again as changed; none is skipped. `told` makes of
    a record's text what the API tells of it.
    """
    places = shelf.page(since=listing.since, after=listing.after, limit=listing.limit + 1)
    shown = places[: listing.limit]
    texts = [told(shelf.text(record_id) or "") for _, record_id in shown]
    cursor = _cursor(stream, shown[-1]) if len(places) > len(shown) else None
    return f'{{"data": [{", ".join(texts)}], "next_cursor": {simplejson.dumps(cursor)}}}'


def _since(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return stamps.render(stamps.parse(text))
    except ValueError as error:
        raise problem(400, f"updated_since: {error}. Write '+' as %2B.") from error


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_LIMIT):
        raise problem(400, f"limit must be a number from 1 to {LARGEST_LIMIT}.")
    return int(text)


def _cursor(stream: str, place: Place) -> str:
    text = simplejson.dumps([stream, *place])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(stream: str, cursor: str) -> Place:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        owner, stamp, record_id = simplejson.loads(text)
    except (binascii.Error, ValueError, TypeError) as error:
        raise problem(400, "cursor was not given out by this shop.") from error
    if owner != stream:
        raise problem(400, f"cursor belongs to {owner}, not to {stream}.")
    return str(stamp), str(record_id)
