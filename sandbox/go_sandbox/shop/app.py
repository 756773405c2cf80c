"""Serves the shop's API as in the default contract: lists, one record, and its merge patch."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import simplejson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from go_sandbox.shop import stamps
from go_sandbox.shop.contract import SET_BY_THE_SHOP, STREAMS, mistakes, reshaped
from go_sandbox.shop.shop import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from go_sandbox.shop.shop import Place, Record, Shelf, Shop

TITLES = {
    400: "Bad request",
    401: "Not authorized",
    404: "Not found",
    405: "Method not allowed",
    409: "Deleted",
    412: "Changed meanwhile",
    415: "Unsupported media type",
    422: "Cannot be changed so",
    429: "Too many requests",
}

PARAMETERS = ("updated_since", "limit", "cursor")
DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
MEDIA_TYPES = ("application/merge-patch+json", "application/json")
WINDOW_SECONDS = 1.0


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> HTTPException:
    """Return an error to raise, which is answered as a problem body."""
    return HTTPException(status, detail, headers)


async def answer_problem(_: Request, error: Exception) -> JSONResponse:
    """Answer an error as `application/problem+json`."""
    if not isinstance(error, HTTPException):
        raise error
    body = {
        "type": "about:blank",
        "title": TITLES.get(error.status_code, "Error"),
        "status": error.status_code,
        "detail": error.detail,
    }
    return JSONResponse(
        body,
        status_code=error.status_code,
        headers=dict(error.headers or {}),
        media_type="application/problem+json",
    )


@dataclass(frozen=True)
class Listing:
    """The parameters of a list request."""

    since: str | None
    after: Place | None
    limit: int


def read_query(stream: str, query: Mapping[str, str]) -> Listing:
    """Read the query parameters of a list request.

    Raises:
        HTTPException: 400 for an unknown parameter or an invalid value.
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


def page_text(stream: str, shelf: Shelf, listing: Listing, render: Callable[[str], str]) -> str:
    """Return one page as JSON text: `{"data": [...], "next_cursor": null | "..."}`.

    A cursor is the place of the page's last record. A record that changes while a caller reads page
    by page moves to a place after the cursor and is listed again as changed; none is skipped.
    `render` turns a record's text into that of the API.
    """
    places = shelf.page(since=listing.since, after=listing.after, limit=listing.limit + 1)
    shown = places[: listing.limit]
    texts = [render(shelf.text(record_id) or "") for _, record_id in shown]
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


def read_patch(stream: str, media_type: str, body: bytes) -> Record:
    """Read a merge patch.

    Raises:
        HTTPException: 415 for another media type, 400 if it is not a JSON object, 422 for a
            field that the shop does not have or sets itself, or a value that its field cannot hold.
    """
    if media_type.partition(";")[0].strip().lower() not in MEDIA_TYPES:
        raise problem(415, f"Send {MEDIA_TYPES[0]}.")
    try:
        patch = simplejson.loads(body, use_decimal=True)
    except ValueError as error:
        raise problem(400, "The body is not JSON.") from error
    if not isinstance(patch, dict):
        raise problem(400, "A merge patch is a JSON object.")
    for name in patch:
        if name in SET_BY_THE_SHOP:
            raise problem(422, f"{name} is set by the shop and cannot be changed.")
    for mistake in mistakes(STREAMS[stream], patch):
        raise problem(422, f"{stream}: {mistake}")
    return patch


def apply_patch(shop: Shop, stream: str, record: Record, patch: Record) -> Record:
    """Store the patched record; a patch that changes nothing leaves `updated_at` alone.

    The shop's handling of a patch also depends on its `reshapes_patches` and
    `patches_move_updated_at`.

    A member that the patch removes (null) is sent as null from then on, because in the contract a
    record is always complete.
    """
    if shop.reshapes_patches:
        patch = reshaped(STREAMS[stream], patch)
    patched = merged(record, patch)
    if patched == record:
        return record
    if shop.patches_move_updated_at:
        patched["updated_at"] = None
    return shop.put(stream, patched)


def create_app(shop: Shop) -> Starlette:
    """Return the shop's API as an ASGI app."""
    api = ShopApi(shop)
    return Starlette(
        routes=[
            Route("/{stream}", api.list, methods=["GET"]),
            Route("/{stream}/{record_id}", api.single, methods=["GET"]),
            Route("/{stream}/{record_id}", api.patch, methods=["PATCH"]),
        ],
        exception_handlers={HTTPException: answer_problem},
    )


class ShopApi:
    """The endpoints: a list, one record with its ETag, and the merge patch of a record."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._answered: deque[float] = deque()

    async def list(self, request: Request) -> Response:
        """Answer one page of a stream."""
        stream = self._admit(request)
        listing = read_query(stream, request.query_params)
        if not self._shop.tells_updated_at:
            listing = replace(listing, since=None)
        with self._shop.lock:
            return _json(page_text(stream, self._shop.shelf(stream), listing, self._render))

    async def single(self, request: Request) -> Response:
        """Answer one record."""
        stream = self._admit(request)
        with self._shop.lock:
            return self._record(stream, request.path_params["record_id"])

    async def patch(self, request: Request) -> Response:
        """Change one record, unless it is deleted or has changed since the tag in If-Match."""
        stream = self._admit(request)
        record_id = request.path_params["record_id"]
        patch = read_patch(stream, request.headers.get("content-type", ""), await request.body())
        with self._shop.lock:
            found = self._record(stream, record_id)
            record = self._shop.record(stream, record_id) or {}
            if record.get("deleted_at") is not None:
                raise problem(409, f"{stream} {record_id} is deleted and cannot be changed.")
            expected = request.headers.get("if-match", "*")
            if expected not in ("*", found.headers["etag"]):
                detail = f"{stream} {record_id} was changed since you read it. Read it again."
                raise problem(412, detail)
            apply_patch(self._shop, stream, record, patch)
            return self._record(stream, record_id)

    def _record(self, stream: str, record_id: str) -> Response:
        shelf = self._shop.shelf(stream)
        text = shelf.text(record_id)
        if text is None:
            raise problem(404, f"There is no {record_id} in {stream}.")
        return _json(self._render(text), {"ETag": shelf.etag(record_id)})

    def _render(self, text: str) -> str:
        if self._shop.tells_updated_at:
            return text
        record = simplejson.loads(text, use_decimal=True)
        return simplejson.dumps(self._shop.as_sent(record), ensure_ascii=False)

    def _admit(self, request: Request) -> str:
        self._limit_rate()
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), self._shop.token.encode())
        if kind.lower() != "bearer" or not right:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise problem(401, "Send the shop's token as Authorization: Bearer.", challenge)
        stream = str(request.path_params["stream"])
        if stream not in STREAMS:
            raise problem(404, f"There is no {stream}. There are {', '.join(STREAMS)}.")
        return stream

    def _limit_rate(self) -> None:
        now = time.monotonic()
        while self._answered and now - self._answered[0] >= WINDOW_SECONDS:
            self._answered.popleft()
        limit = self._shop.rate_limit
        if limit is not None and len(self._answered) >= limit:
            raise problem(429, f"At most {limit} requests a second.", {"Retry-After": "1"})
        self._answered.append(now)


def _json(text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text, media_type="application/json", headers=headers)
