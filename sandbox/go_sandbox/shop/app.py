"""Serves the shop's API by the default contract."""

from __future__ import annotations

import hmac
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import simplejson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from go_sandbox.shop.contract import STREAMS
from go_sandbox.shop.listing import page_text, read_query
from go_sandbox.shop.patching import apply_patch, read_patch
from go_sandbox.shop.problems import answer_problem, problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from go_sandbox.shop.shop import Shop

WINDOW_SECONDS = 1.0


def create_app(shop: Shop) -> Starlette:
    """Return the shop's API as an ASGI app."""
    api = ShopApi(shop)
    return Starlette(
        routes=[
            Route("/{stream}", api.list, methods=["GET"]),
            Route("/{stream}/{record_id}", api.one, methods=["GET"]),
            Route("/{stream}/{record_id}", api.patch, methods=["PATCH"]),
        ],
        exception_handlers={HTTPException: answer_problem},
    )


class ShopApi:
    """The endpoints: a list, one record with its ETag, and a merge patch of one record."""

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
            return _json(page_text(stream, self._shop.shelf(stream), listing, self._told))

    async def one(self, request: Request) -> Response:
        """Answer one record."""
        stream = self._admit(request)
        with self._shop.lock:
            return self._record(stream, request.path_params["record_id"])

    async def patch(self, request: Request) -> Response:
        """Change one record, unless it is deleted or moved since the tag in If-Match."""
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
        return _json(self._told(text), {"ETag": shelf.etag(record_id)})

    def _told(self, text: str) -> str:
        if self._shop.tells_updated_at:
            return text
        record = simplejson.loads(text, use_decimal=True)
        return simplejson.dumps(self._shop.told(record), ensure_ascii=False)

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
