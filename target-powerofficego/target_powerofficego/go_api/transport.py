"""Sends requests: opens the connection first, then waits its turn, then lets the request go.

A turn taken before connecting would be stale by the time a TLS handshake is over, and the first
requests of several threads would reach Go in one heap with the next ones. It also makes plain
whether a failed request ever left, which decides whether a write may be repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from target_powerofficego.open_files import OUT_OF_FILES, is_out_of_files

if TYPE_CHECKING:
    import socket

    from urllib3.connectionpool import HTTPConnectionPool


class Departure(Protocol):
    """What has a say when a request is about to leave."""

    def take_turn(self) -> None:
        """Wait until the request may leave."""

    def note_leaving(self, sock: socket.socket) -> None:
        """Hear that from now on the request may reach the other side, over this socket."""


class _TurnTakingHTTPConnection(HTTPConnection):
    departure: Departure
    # http.client would print the keys among the headers if a program turned its debugging on.
    debuglevel = 0
    _is_used = False

    def connect(self) -> None:
        self._is_used = False
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if self.is_closed:
            self.connect()
        self.departure.take_turn()
        # Only of a used connection: over a new one TLS sends tickets, which look like a hang-up.
        if self._is_used and not self.is_connected:
            message = "the other side closed the connection before the request was sent"
            raise ConnectionResetError(message)
        self._is_used = True
        self.departure.note_leaving(self.sock)
        super().request(*args, **kwargs)


class _TurnTakingHTTPSConnection(_TurnTakingHTTPConnection, HTTPSConnection):
    """The same over TLS."""


class TurnTakingAdapter(HTTPAdapter):
    """An adapter for one thread's session. It follows nothing and repeats nothing by itself."""

    def __init__(self, departure: Departure) -> None:
        kinds = {"http": _TurnTakingHTTPConnection, "https": _TurnTakingHTTPSConnection}
        self._connection_kinds = {
            scheme: type(kind.__name__, (kind,), {"departure": departure})
            for scheme, kind in kinds.items()
        }
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:  # noqa: ANN401
        """Return a pool whose connections wait for their turn."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        pool.ConnectionCls = self._connection_kinds[pool.scheme or "https"]
        return pool


class GivenHeaders(requests.auth.AuthBase):
    """Sets headers last; having it keeps requests from putting a .netrc password in their place."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the headers."""
        request.headers.update(self._headers)
        return request


def words_for(error: Exception, timeout_seconds: float) -> str:
    """Return what went wrong in plain words, without the address or anything that was sent."""
    if is_out_of_files(error):
        return OUT_OF_FILES
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy did not let the call through"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection (TLS): the certificate or the address is wrong"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection within 10 seconds"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return f"no whole answer within {timeout_seconds:g} seconds"
    if "NameResolution" in repr(error):
        return "the host name is not known"
    if "NewConnection" in repr(error):
        return "the host is down or refuses connections"
    return "the connection broke"
