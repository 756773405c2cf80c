"""A shop of any shape: a test gives the function that answers, and the shop file that reads it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Request:
    """A request to the shop."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    text: bytes
    received_at: float


@dataclass(frozen=True)
class Reply:
    """An answer: JSON, or bytes as they are."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds_between_bytes: float = 0


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up, as in some tests."""


class OddShop:
    """Answers each request with what a function returns for it: a `Reply`, or JSON."""

    def __init__(self, answer: Callable[[Request], Any]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def _handler(shop) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def respond(self) -> None:
                parts = urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_json = self.headers.get("Content-Type") == "application/json"
                body = json.loads(text) if is_json else dict(parse_qsl(text.decode()))
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                headers = dict(self.headers.items())
                request = Request(
                    self.command, parts.path, query, headers, body, text, time.monotonic()
                )
                shop.requests.append(request)
                answer = shop.answer(request)
                reply = answer if isinstance(answer, Reply) else Reply(answer)
                is_raw = isinstance(reply.body, bytes)
                content = reply.body if is_raw else json.dumps(reply.body).encode()
                self.send_response_only(reply.status)  # no Date, unless a test gives one
                for name, value in {"Content-Length": len(content), **reply.headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                step = 1 if reply.seconds_between_bytes else len(content) or 1
                for start in range(0, len(content), step):
                    self.wfile.write(content[start : start + step])
                    self.wfile.flush()
                    time.sleep(reply.seconds_between_bytes)

            do_GET = do_POST = do_PATCH = do_PUT = respond  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


HEAD = "from tap_customwebshop.shop import *\n"
"""The first line of the tests' shop files."""
ROWS = """
def customer(row, shop):
    return {"id": row["id"], "name": row["name"], "updated_at": stamp(row["changed"])}
"""


def row(number, **members):
    stamp = f"2026-01-01T08:{number // 60:02d}:{number % 60:02d}Z"
    return {"id": f"{number}", "name": f"Kari {number}", "changed": stamp, **members}


def ids(emitted, stream="customers"):
    return [record["id"] for record in emitted.records(stream)]


def sliced(rows, first, size):
    return rows[first : first + size]


def by_page(rows, *, first=1, size=2, envelope=lambda rows: rows):
    return lambda request: envelope(sliced(rows, (int(request.query["page"]) - first) * size, size))


FIVE = [row(n) for n in range(1, 6)]
ALL = ["1", "2", "3", "4", "5"]
