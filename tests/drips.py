"""A server that lets its answers trickle in, each in another part of HTTP, and large answers."""

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

# What comes at once, what comes drop by drop, and what would end it: a good answer, "[]".
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
        """Say nothing of a client that hangs up."""


@contextlib.contextmanager
def dripping(part: str) -> Iterator[str]:
    """Give the address of a server that takes five seconds for an answer, drop by drop.

    It has to be hung up on before that.
    """
    start, drop, end = DRIPS[part]
    is_over = threading.Event()
    heard_out = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            if b"/token" in asked:
                self.wfile.write(OK + b"Content-Length: 21\r\nConnection: close\r\n\r\n" + TOKEN)
                return
            self.wfile.write(start)
            for _ in range(100):
                self.wfile.write(drop)
                if is_over.wait(0.05):
                    return
            heard_out.append(asked)
            self.wfile.write(end)

    with _Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            is_over.set()
            server.shutdown()
            serving.join()
    assert not heard_out


def packed(start: bytes, megabytes: int) -> bytes:
    """Return a small answer that unpacks to so many megabytes: `start`, then spaces."""
    return gzip.compress(start) + gzip.compress(b" " * (1 << 20)) * megabytes
