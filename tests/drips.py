"""A server that sends a part of its answers drop by drop, and answers that unpack to huge ones."""

from __future__ import annotations

import contextlib
import gzip
import socketserver
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

# What is sent at once, what is sent drop by drop, and what would complete it: a good answer, "[]".
DRIPS = {
    "header": (OK + b"X-Slow: ", b"x", b"\r\nContent-Length: 2\r\n\r\n[]"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"Content-Length: 2\r\n\r\n[]"),
    "chunk extension": (CHUNKED + b"2;x=", b"x", b"\r\n[]\r\n0\r\n\r\n"),
    "trailer": (CHUNKED + b"2\r\n[]\r\n0\r\nX-Slow: ", b"x", b"\r\n\r\n"),
    "body": (OK + b"Content-Length: 102\r\n\r\n[]", b" ", b""),
    "body without length": (OK + b"Connection: close\r\n\r\n[]", b" ", b""),
}
TOKEN = b'{"access_token": "x"}'


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address) -> None:
        """Ignore a client that hangs up."""


@contextlib.contextmanager
def dripping(part: str) -> Iterator[str]:
    """Yield the address of a server that takes five seconds for an answer, drop by drop.

    The client has to hang up before that.
    """
    start, drop, end = DRIPS[part]
    has_ended = threading.Event()
    completed = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request_line = self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            if b"/token" in request_line:
                self.wfile.write(OK + b"Content-Length: 21\r\nConnection: close\r\n\r\n" + TOKEN)
                return
            self.wfile.write(start)
            for _ in range(100):
                self.wfile.write(drop)
                if has_ended.wait(0.05):
                    return
            completed.append(request_line)
            self.wfile.write(end)

    with _Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            has_ended.set()
            server.shutdown()
            serving.join()
    assert not completed


def packed(start: bytes, megabytes: int) -> bytes:
    """Return a small answer that unpacks to `start` and so many megabytes of spaces."""
    return gzip.compress(start) + gzip.compress(b" " * (1 << 20)) * megabytes
