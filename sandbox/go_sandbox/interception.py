"""Stands in front of a system's ASGI app: logs each request and lets faults and hooks strike."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass, replace
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import simplejson

from go_sandbox.requests_log import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from go_sandbox.faults import Fault, Faults, Moment
    from go_sandbox.requests_log import RequestLog

TRANSPORT = "go_sandbox.transport"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
DRIPS = 20
HTML_PAGE = b"<html><head><title>Error</title></head><body><h1>Bad gateway</h1></body></html>"


@dataclass(frozen=True)
class Answer:
    """The answer that the caller gets."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Interception:
    """An ASGI app wrapped around that of one system ("go" or "shop")."""

    def __init__(
        self,
        app: ASGIApp,
        system: str,
        faults: Faults,
        log: RequestLog,
        clock: Callable[[], datetime],
        revoke_tokens: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._app = app
        self._system = system
        self._faults = faults
        self._log = log
        self._revoke_tokens = revoke_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through hooks and faults."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = await self._arrived(scope, receive)
        self._log.add(request)
        await self._run_hooks(request, "before")
        fault = self._faults.striking(request)
        if fault and fault.revoke_tokens and self._revoke_tokens:
            self._revoke_tokens()
        answer = None
        if not (fault and fault.keeps_request_away):
            answer = await _ask(self._app, scope, request.body, receive)
            dated = (b"date", format_datetime(self._clock(), usegmt=True).encode())
            answer = replace(answer, headers=[*answer.headers, dated])
            await self._run_hooks(request, "after")
        if fault:
            await asyncio.sleep(fault.delay_seconds)
            answer = None if fault.reset else _spoilt(fault, answer)
        if answer is None:
            await _reset(scope, receive)
            return
        request.status = answer.status
        await _send(answer, send, fault.drip_seconds if fault else 0)

    async def _run_hooks(self, request: Request, when: Moment) -> None:
        for hook in self._faults.hooks_due(request, when):
            await asyncio.to_thread(self._faults.run, hook, request)

    async def _arrived(self, scope: Scope, receive: Receive) -> Request:
        request = Request(
            system=self._system,
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            at=time.monotonic(),
        )
        while True:
            message = await receive()
            request.body += message.get("body", b"")
            if not message.get("more_body", False):
                return request


async def _ask(app: ASGIApp, scope: Scope, body: bytes, receive: Receive) -> Answer:
    """Have the system act on the request, and hold back its answer."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    async def keep(message: Message) -> None:
        sent.append(message)

    await app(scope, receive_again, keep)
    return Answer(
        status=sent[0]["status"],
        headers=list(sent[0].get("headers", [])),
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


def _spoilt(fault: Fault, answer: Answer | None) -> Answer:
    if answer is None or fault.replaces_answer:
        answer = _own_answer(fault)
    if fault.broken_json:
        answer = replace(answer, body=answer.body[: len(answer.body) // 2])
    added = [
        (name.lower().encode(), value.encode()) for name, value in (fault.headers or {}).items()
    ]
    replaced = {name for name, _ in added}
    kept = [header for header in answer.headers if header[0].lower() not in replaced]
    return replace(answer, headers=kept + added)


def _own_answer(fault: Fault) -> Answer:
    if fault.html:
        return Answer(fault.status or 502, [(b"content-type", b"text/html")], HTML_PAGE)
    status = fault.status or 200
    body = fault.body
    if body is None:
        title = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Error"
        body = {"type": "about:blank", "title": title, "status": status}
    if not isinstance(body, (str, bytes)):
        body = simplejson.dumps(body, use_decimal=True)
    encoded = body.encode() if isinstance(body, str) else body
    return Answer(status, [(b"content-type", b"application/json")], encoded)


async def _send(answer: Answer, send: Send, drip_seconds: float) -> None:
    headers = [header for header in answer.headers if header[0].lower() != b"content-length"]
    bodiless = answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    body = b"" if bodiless else answer.body
    if not bodiless:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    pieces = min(len(body), DRIPS) if drip_seconds else 1
    for piece in range(pieces):
        part = body[len(body) * piece // pieces : len(body) * (piece + 1) // pieces]
        await asyncio.sleep(drip_seconds / pieces)
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection, so that the caller sees it break without a single byte of answer."""
    transport = scope["state"][TRANSPORT]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
