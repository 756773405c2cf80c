"""Calls the shop: one attempt, never beyond its own origin; and how long to wait for the next one.

No secret is shown, and an attempt that takes too long is cut, however the shop spends the time: a
timeout of `requests` applies to each part that arrives, so headers, a `100 Continue` or the size of
a chunk that trickle in would never exceed it.
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
_WAIT_FOR_CONNECTION = 10
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_UNREAD = {408, 425, 429}
"""Statuses by which the shop says that it has not begun what was asked."""


class RetryBudget:
    """The total time for which one page may be asked for again.

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
            kind: What the trouble was.
            most_attempts: Attempts after which trouble of this kind will not pass by itself.
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
    """The moment when an attempt ends, whatever has arrived by then.

    Attributes:
        is_over: Whether it has passed; the attempt was cut at that moment.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, sock: socket.socket) -> None:
        """Hang up on this connection at the deadline, at once if that has passed."""
        self._socket = sock
        if self.is_over:
            self._hang_up()

    def end(self) -> None:
        """Stop the clock: the answer has come, or never will."""
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.is_over = True
        inner: Any = getattr(self._socket, "socket", self._socket)
        if inner is not None:
            with contextlib.suppress(OSError):  # it is closed already
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


class TemporaryError(Exception):
    """Trouble that may be gone at another attempt.

    Attributes:
        reason: What happened, for a person.
        retry_after: Seconds that the shop asked to wait.
        most_attempts: Attempts after which trouble of this kind will not pass; None for no limit.
        may_have_happened: Whether the shop may have carried out what was asked.
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
    """The shop's answer, with any status except those of passing trouble."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Session(requests.Session):
    """A session that ignores redirects; requests would read their bodies and addresses."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no address, whatever the shop answered."""


class ShopConnection:
    """Sends requests to the shop. Not for more than one thread.

    Args:
        api_url: Address of the API, without the stream's name.
        auth_token: Bearer token; sent to this origin only, never logged.
        auth: What shows who asks, where it is no bearer token.
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
            TemporaryError: No answer, or one that may be different at another attempt.
            WrongPathError: The path would lead elsewhere.
            ShopRefusedError: A redirect to another server, or an address that cannot be called or
                is not below `api_url`.
        """
        if _leads_elsewhere(path):
            raise WrongPathError(
                f"{method} {self.redacted(path)}: the path has '.' or '..', which would lead"
                " elsewhere, or out of that of 'api_url'; an id or an address of the shop is no"
                " good for a path."
            )
        self._deadline = Deadline(self._timeout)
        try:
            with self._follow(method, path, query or {}, body, headers or {}) as response:
                self._was_reached = True
                self._check_passing(response)
                content = self._content(response)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            failure = self._failure(f"{method} {self.redacted(path)}", error)
        else:
            if not self._deadline.is_over:
                return Answer(response.status_code, response.headers, content)
            failure = self._trouble(self._too_slow())
        finally:
            self._deadline.end()
        raise failure

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def path_of(self, link: str, *, seen_from: str) -> str:
        """Return the path, with the query, of an address that the shop gave, under its own base.

        Host and scheme are not looked at: behind a proxy a shop may name itself otherwise, and what
        is asked stays at the origin that is set.

        Raises:
            ShopRefusedError: It is no address, or its path is not below `api_url`.
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
                f"{self.redacted(seen_from)}: the shop gives an address to go on at whose path is not"
                f" below that of 'api_url'; only what is below {base.path or '/'} is read."
            )
        return parts.path[len(base.path.rstrip("/")) :] + (f"?{parts.query}" if parts.query else "")

    def redacted(self, path: str) -> str:
        """Return a path as a message may show it: without host and query."""
        return urlsplit(self._base).path + path.partition("?")[0]

    def _follow(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> requests.Response:
        """Get the answer, following redirects of a GET within the shop's own origin only."""
        url, params = self._base + path, dict(query)
        for _ in range(_MOST_REDIRECTS):
            response = self._session.request(
                method,
                url,
                params=params,
                data=body,
                headers=dict(headers),
                timeout=(min(_WAIT_FOR_CONNECTION, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
            )
            if not response.is_redirect:
                return response
            response.close()
            url, params = _target(response), {}
            if not url:
                raise ShopRefusedError(
                    f"{method} {self.redacted(path)}: the shop sends this program on to an address"
                    " that is none, or not the one that it looks like, so the token does not go"
                    " there. Repair the shop's 'Location'."
                )
            if _origin(url) != _origin(response.url):
                raise ShopRefusedError(
                    f"{method} {self.redacted(path)}: the shop sends this program on to another"
                    f" server, {_origin(url):.100}, where the token must not go. If that is right,"
                    " set 'api_url'."
                )
            if method != "GET":
                raise ShopRefusedError(
                    f"{method} {self.redacted(path)}: the shop sends the request on to another path; "
                    "only what is read is followed there. Correct 'api_url'."
                )
        raise ShopRefusedError(
            f"{method} {self.redacted(path)}: the shop's redirects go round in a circle."
        )

    def _check_passing(self, response: requests.Response) -> None:
        status = response.status_code
        if status in _PASSING:
            asked = parse_retry_after(response.headers.get("Retry-After"))
            what = f"the shop answered {status}"
            raise TemporaryError(what, retry_after=asked, may_have_happened=status not in _UNREAD)

    def _content(self, response: requests.Response) -> bytes:
        content = io.BytesIO()  # gives its bytes without a copy
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            content.write(chunk)
            if content.tell() > _LARGEST_ANSWER:
                what = (
                    f"the answer is larger than {_LARGEST_ANSWER >> 20} MB, which is more than"
                    " this program reads; set a smaller 'page_size'"
                )
                raise TemporaryError(what, most_attempts=1)
        return content.getvalue()

    def _watch(self, sock: socket.socket) -> None:
        if self._deadline:
            self._deadline.watch(sock)

    def _failure(self, shown: str, error: Exception) -> TemporaryError | ShopError:
        """Return the error that an attempt without an answer amounts to."""
        if self._deadline and self._deadline.is_over:
            return self._trouble(self._too_slow())
        if is_out_of_files(error):
            return ShopRefusedError(f"{shown}: {OUT_OF_FILES}.")
        if isinstance(error, requests.exceptions.SSLError):
            return ShopRefusedError(f"{shown}: {self._not_secure(error)}.")
        if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
            never_connected = isinstance(error, requests.ConnectTimeout)
            return self._trouble(self._too_slow(), may_have_happened=not never_connected)
        if isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError)):
            what = "the connection broke off" if self._was_reached else self._no_connection()
            return self._trouble(what, may_have_happened=not _never_connected(error))
        kind = type(error).__name__
        return ShopRefusedError(f"{shown}: cannot be asked ({kind}); check 'api_url'.")

    def _trouble(self, what: str, *, may_have_happened: bool = True) -> TemporaryError:
        most = None if self._was_reached else 3
        return TemporaryError(what, most_attempts=most, may_have_happened=may_have_happened)

    def _too_slow(self) -> str:
        return f"no answer within {self._timeout:g} seconds"

    def _not_secure(self, error: requests.exceptions.SSLError) -> str:
        if any(sign in str(error) for sign in ("CERTIFICATE_VERIFY_FAILED", "CertificateError")):
            return "the shop's certificate is not valid for its address"
        return (
            f"there is no secure connection (TLS) to {urlsplit(self._base).netloc}; check the port"
            " in 'api_url', and whether https:// is spoken there"
        )

    def _no_connection(self) -> str:
        return f"no connection to {urlsplit(self._base).netloc}; check 'api_url' and the network"


def _leads_elsewhere(path: str) -> bool:
    """Return whether a path has `.` or `..`, which whoever reads it may resolve."""
    return not {".", ".."}.isdisjoint(unquote(path.partition("?")[0]).split("/"))


def _never_connected(error: Exception) -> bool:
    """Return whether no connection was made, so that nothing can have been sent."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _target(response: requests.Response) -> str:
    """Return the address of a redirect as `requests` would connect to it; "" for a doubtful one."""
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
