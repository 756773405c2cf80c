"""Hangs up on a shop that takes too long, however it spends the time.

A time-out of `requests` is for each part that arrives; headers, a `100 Continue` or the size of a
chunk that trickle in would never end by it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, cast

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3.connectionpool import HTTPConnectionPool


class Deadline:
    """The moment when an attempt ends, whatever has arrived by then.

    Attributes:
        is_over: Whether it has passed; what came of the attempt is cut then.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, sock: socket.socket) -> None:
        """Hang up on this connection when it is time, at once if it was already."""
        self._socket = sock
        if self.is_over:
            self._hang_up()

    def end(self) -> None:
        """Wait no longer: the answer is there, or will never be."""
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.is_over = True
        inner: Any = getattr(self._socket, "socket", self._socket)
        if inner is not None:
            with contextlib.suppress(OSError):  # it is closed already
                # Past TLS, whose own shutdown is not for a second thread.
                socket.socket.shutdown(inner, socket.SHUT_RDWR)


class _WatchedHTTPConnection(HTTPConnection):
    watch: Callable[[socket.socket], None]

    @override
    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            self.connect()
        self.watch(self.sock)
        super().request(*args, **kwargs)


class _WatchedHTTPSConnection(_WatchedHTTPConnection, HTTPSConnection):
    """The same over TLS."""


class WatchedAdapter(HTTPAdapter):
    """An adapter that shows each connection to `watch` before a request leaves on it."""

    def __init__(self, watch: Callable[[socket.socket], None]) -> None:
        kinds = {"http": _WatchedHTTPConnection, "https": _WatchedHTTPSConnection}
        self._connection_kinds = {
            scheme: type(kind.__name__, (kind,), {"watch": staticmethod(watch)})
            for scheme, kind in kinds.items()
        }
        super().__init__()

    @override
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """Return a pool whose connections are watched."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        pool.ConnectionCls = self._connection_kinds[pool.scheme or "https"]
        return pool
