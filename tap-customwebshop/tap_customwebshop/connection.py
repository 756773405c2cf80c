"""Sends one request to the shop, and never beyond its origin; and how long to wait before the next.

No secret is shown. An attempt that takes too long is cut off, whatever the shop spends the time on:
the timeout of `requests` applies to each part that arrives, so headers, a `100 Continue` or the
size of a chunk that trickle in would never exceed it.
"""

from __future__ import annotations

import contextlib
import io
import random
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection

from tap_customwebshop.errors import ShopError, ShopRefusedError, WrongPathError
from tap_customwebshop.plugin.open_files import OUT_OF_FILES, is_out_of_files
from tap_customwebshop.settings import is_plain_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests.auth import AuthBase
    from urllib3.connectionpool import HTTPConnectionPool

FIRST_WAIT = 0.25
LONGEST_WAIT = 30.0

_CHUNK = 1 << 18
_LARGEST_ANSWER = 64 << 20
"""Bytes, after decompression; a page of a thousand long orders is a fraction of this."""
_MOST_REDIRECTS = 5
_CONNECT_TIMEOUT = 10
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
_NOT_STARTED = {408, 425, 429}
"""Statuses that mean that the shop has not begun to process the request."""


class RetryBudget:
    """The total time for repeating one request.

    Waits double from a quarter of a second to half a minute, each shortened at random so that
    many taps do not come back at the same moment. A longer wait that the shop asks for in
    `Retry-After` is respected, unless it exceeds the time that is left.

    Args:
        budget: Seconds from now within which the last attempt must begin.
    """

    def __init__(self, budget: float) -> None:
        self._until = time.monotonic() + budget
        self._attempts = 0
        self._attempts_of: Counter[str] = Counter()

    def next_wait(
        self, asked: float | None = None, *, kind: str = "", most_attempts: int | None = None
    ) -> float | None:
        """Return the seconds to wait before the next attempt; None when it is time to give up.

        Args:
            asked: Seconds that the shop asked to wait.
            kind: What went wrong.
            most_attempts: Attempts after which trying again no longer helps against this.
        """
        self._attempts += 1
        self._attempts_of[kind] += 1
        if most_attempts is not None and self._attempts_of[kind] >= most_attempts:
            return None
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._attempts - 1, 10))
        wait = random.uniform(longest / 2, longest)  # noqa: S311
        if asked:
            wait = max(wait, asked + random.uniform(0, FIRST_WAIT))  # noqa: S311
        return wait if time.monotonic() + wait <= self._until else None


def parse_retry_after(header: str | None) -> float | None:
    """Return the seconds that `Retry-After` asks for: a number, or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # the latter for an offset of twenty digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())


class Deadline:
    """The moment at which an attempt ends, whatever has arrived by then.

    Attributes:
        is_over: Whether it has passed; the attempt was cut off at that moment.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, sock: socket.socket) -> None:
        """Close this connection at the deadline, or at once if that has passed."""
        self._socket = sock
        if self.is_over:
            self._hang_up()

    def end(self) -> None:
        """Stop the clock: the answer has come, or will not come."""
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.is_over = True
        inner: Any = getattr(self._socket, "socket", self._socket)
        if inner is not None:
            with contextlib.suppress(OSError):  # already closed
                # Below TLS, whose own shutdown must not be called from a second thread.
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
    """An adapter that passes each connection to `watch` before it sends a request."""

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


class TemporaryError(Exception):
    """A failure that another attempt may not meet.

    Attributes:
        reason: What happened, for a person.
        retry_after: Seconds that the shop asked to wait.
        most_attempts: Attempts after which trying again no longer helps; None for no limit.
        may_have_happened: Whether the shop may have carried out the request.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        most_attempts: int | None = None,
        may_have_happened: bool = True,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.most_attempts = most_attempts
        self.may_have_happened = may_have_happened


@dataclass(frozen=True)
class Answer:
    """The shop's answer, with any status that is not temporary."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Session(requests.Session):
    """A session that ignores redirects; `requests` would read their bodies and addresses."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no address, whatever the shop answered."""


class ShopConnection:
    """Sends requests to the shop. Not safe for more than one thread.

    Args:
        api_url: Address of the API, without the stream's name.
        auth_token: Bearer token; sent to this origin only, never logged.
        auth: Authenticates the requests, instead of the bearer token.
        user_agent: How the program introduces itself.
        request_timeout: Seconds for one attempt, to the last byte.
    """

    def __init__(
        self,
        api_url: str,
        auth_token: str,
        *,
        user_agent: str,
        request_timeout: float,
        auth: AuthBase | None = None,
    ) -> None:
        self._base = api_url.rstrip("/")
        self._timeout = request_timeout
        self._was_reached = False
        self._deadline: Deadline | None = None
        self._session = _Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, WatchedAdapter(self._watch))
        # As `auth`, not as a header: requests would let a netrc entry replace the header.
        self._session.auth = auth or BearerTokenAuthenticator(token=auth_token)
        self._session.headers.update({"Accept": "application/json", "User-Agent": user_agent})

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one attempt.

        Raises:
            TemporaryError: No answer, or one that may be different at the next attempt.
            WrongPathError: The path would lead outside that of `api_url`, or elsewhere within it.
            ShopRefusedError: A redirect that is not followed, or an address that cannot be called.
        """
        if _leads_elsewhere(path):
            raise WrongPathError(
                f"{method} {self.redacted(path)}: the path has '.' or '..', which would lead"
                " elsewhere, or out of the path of 'api_url'; an id or address that the shop sent"
                " cannot be used in a path."
            )
        self._deadline = Deadline(self._timeout)
        try:
            with self._follow(method, path, query or {}, body, headers or {}) as response:
                self._was_reached = True
                self._raise_if_temporary(response)
                content = self._content(response)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            failure = self._failure(f"{method} {self.redacted(path)}", error)
        else:
            if not self._deadline.is_over:
                return Answer(response.status_code, response.headers, content)
            failure = self._temporary(self._too_slow())
        finally:
            self._deadline.end()
        raise failure

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def path_of(self, link: str, *, seen_from: str) -> str:
        """Return the path and query of an address that the shop sent, relative to `api_url`.

        Host and scheme are ignored: a shop behind a proxy may use another name for itself, and
        requests go to the origin of `api_url` only.

        Args:
            link: The address.
            seen_from: The path at which the shop sent it.

        Raises:
            ShopRefusedError: It is not an address, or its path is not below that of `api_url`.
        """
        base = urlsplit(self._base)
        try:
            if not is_plain_address(urljoin(self._base + seen_from, link)):
                raise ValueError
            parts = urlsplit(urljoin(self._base + seen_from, link))
        except ValueError:
            parts = urlsplit("")
        if not f"{parts.path}/".startswith(f"{base.path.rstrip('/')}/") or _leads_elsewhere(
            parts.path
        ):
            raise ShopRefusedError(
                f"{self.redacted(seen_from)}: the shop sends an address whose path is not below"
                f" that of 'api_url'; only paths below {base.path or '/'} are read."
            )
        return parts.path[len(base.path.rstrip("/")) :] + (f"?{parts.query}" if parts.query else "")

    def redacted(self, path: str) -> str:
        """Return a path for a message: without host and query."""
        return urlsplit(self._base).path + path.partition("?")[0]

    def _follow(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> requests.Response:
        """Return the answer, following redirects of a GET within the shop's own origin only."""
        url, params = self._base + path, dict(query)
        for _ in range(_MOST_REDIRECTS):
            response = self._session.request(
                method,
                url,
                params=params,
                data=body,
                headers=dict(headers),
                timeout=(min(_CONNECT_TIMEOUT, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
            )
            if not response.is_redirect:
                return response
            response.close()
            url, params = _target(response), {}
            if not url:
                raise ShopRefusedError(
                    f"{method} {self.redacted(path)}: the shop redirects to an address that is not"
                    " valid, or not the one that it looks like, so the token is not sent there. Fix"
                    " the shop's 'Location'."
                )
            if _origin(url) != _origin(response.url):
                raise ShopRefusedError(
                    f"{method} {self.redacted(path)}: the shop redirects to another server,"
                    f" {_origin(url):.100}, to which the token must not be sent. If that is the"
                    " right one, set 'api_url'."
                )
            if method != "GET":
                raise ShopRefusedError(
                    f"{method} {self.redacted(path)}: the shop redirects to another path, which is"
                    " followed only when reading. Correct 'api_url'."
                )
        raise ShopRefusedError(
            f"{method} {self.redacted(path)}: the shop's redirects go round in a circle."
        )

    def _raise_if_temporary(self, response: requests.Response) -> None:
        status = response.status_code
        if status in _TEMPORARY:
            raise TemporaryError(
                f"the shop answered {status}",
                retry_after=parse_retry_after(response.headers.get("Retry-After")),
                may_have_happened=status not in _NOT_STARTED,
            )

    def _content(self, response: requests.Response) -> bytes:
        content = io.BytesIO()  # returns its bytes without a copy
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            content.write(chunk)
            if content.tell() > _LARGEST_ANSWER:
                reason = (
                    f"the answer is larger than {_LARGEST_ANSWER >> 20} MB, the most that this"
                    " program reads; set a smaller 'page_size'"
                )
                raise TemporaryError(reason, most_attempts=1)
        return content.getvalue()

    def _watch(self, sock: socket.socket) -> None:
        if self._deadline:
            self._deadline.watch(sock)

    def _failure(self, request: str, error: Exception) -> TemporaryError | ShopError:
        """Return the error to raise for an attempt that got no answer."""
        if self._deadline and self._deadline.is_over:
            return self._temporary(self._too_slow())
        if is_out_of_files(error):
            return ShopRefusedError(f"{request}: {OUT_OF_FILES}.")
        if isinstance(error, requests.exceptions.SSLError):
            return ShopRefusedError(f"{request}: {self._not_secure(error)}.")
        if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
            never_connected = isinstance(error, requests.ConnectTimeout)
            return self._temporary(self._too_slow(), may_have_happened=not never_connected)
        if isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError)):
            reason = "the connection broke off" if self._was_reached else self._no_connection()
            return self._temporary(reason, may_have_happened=not _never_connected(error))
        kind = type(error).__name__
        return ShopRefusedError(f"{request}: cannot be sent ({kind}); check 'api_url'.")

    def _temporary(self, reason: str, *, may_have_happened: bool = True) -> TemporaryError:
        most = None if self._was_reached else 3
        return TemporaryError(reason, most_attempts=most, may_have_happened=may_have_happened)

    def _too_slow(self) -> str:
        return f"no answer within {self._timeout:g} seconds"

    def _not_secure(self, error: requests.exceptions.SSLError) -> str:
        if any(sign in str(error) for sign in ("CERTIFICATE_VERIFY_FAILED", "CertificateError")):
            return "the shop's certificate is not valid for its address"
        return (
            f"there is no secure connection (TLS) to {urlsplit(self._base).netloc}; check the port"
            " in 'api_url', and whether the server there uses https://"
        )

    def _no_connection(self) -> str:
        return f"no connection to {urlsplit(self._base).netloc}; check 'api_url' and the network"


def _leads_elsewhere(path: str) -> bool:
    """Return whether a path has `.` or `..`, which a library, a proxy or the shop may resolve."""
    return not {".", ".."}.isdisjoint(unquote(path.partition("?")[0]).split("/"))


def _never_connected(error: Exception) -> bool:
    """Return whether no connection was made, so nothing can have been sent."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _target(response: requests.Response) -> str:
    """Return the address of a redirect as `requests` would connect to it; "" if it is doubtful."""
    try:
        url = urljoin(response.url, response.headers["Location"])
        if not (is_plain_address(response.headers["Location"]) and is_plain_address(url)):
            return ""
        return requests.Request("GET", url).prepare().url or ""
    except ValueError:  # some errors of requests are ValueErrors
        return ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port or default
    return f"{parts.scheme}://{parts.hostname}" + ("" if port == default else f":{port}")
