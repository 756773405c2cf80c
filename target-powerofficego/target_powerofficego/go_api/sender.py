"""Sending requests: each in its turn, over its thread's own session, repeated if it did nothing.

The connection is opened first, then the request waits for its turn, then it is sent. A turn taken
before connecting would be stale once the TLS handshake is over, and the first requests of several
threads would reach Go together with the next ones. It also shows whether a failed request was sent
at all, which decides whether a write may be repeated.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import requests
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from target_powerofficego.go_api.errors import (
    ConfigurationError,
    GoError,
    StopRequested,
    TryAgainLater,
    Unreachable,
)
from target_powerofficego.go_api.turn_stores import TurnsInMemory, TurnStoreError
from target_powerofficego.go_api.turns import QueuePlace
from target_powerofficego.plugin.open_files import OUT_OF_FILES, is_out_of_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tenacity import RetryCallState
    from urllib3.connectionpool import HTTPConnectionPool

    from target_powerofficego.go_api.turn_stores import TurnStore
    from target_powerofficego.go_api.turns import Turns


logger = logging.getLogger("target-powerofficego")

_T = TypeVar("_T")

_SHORTEST_WAIT_SECONDS = 0.001


class NoTurnInTime(Exception):  # noqa: N818
    """The turn comes in `seconds`, which is later than the caller waits."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its turn would come only in {seconds:.0f} seconds")
        self.seconds = seconds


class RateLimit:
    """The rate limit of all threads of a client, and of all clients that use the same store.

    The threads of a client reserve one turn at a time, so that clients get equal shares of the
    limit, however many threads each has.

    Args:
        requests_per_second: a whole number, at least 1.
        stop: ends every wait at once when set.
        now: a clock in seconds that never goes back.
        wait: sleeps for a number of seconds, or until `stop` is set.
        store: where the turns are kept; by default in memory.

    Raises:
        ConfigurationError: `requests_per_second` is not a whole number above 0.
    """

    def __init__(
        self,
        requests_per_second: int,
        stop: threading.Event,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
        *,
        store: TurnStore | None = None,
    ) -> None:
        if int(requests_per_second) != requests_per_second or requests_per_second < 1:
            raise ConfigurationError("requests_per_second must be a whole number, at least 1")
        self._limit = int(requests_per_second)
        self._stop = stop
        self._now = now
        self._wait = wait or stop.wait
        self._store = store or TurnsInMemory(now)
        self._client = secrets.token_hex(4)
        self._queue = threading.Lock()
        self._front_at = 0.0
        self._was_used = self._is_failing = False

    def take_turn(self, give_up_at: float) -> None:
        """Wait until another request may be sent.

        Args:
            give_up_at: when to give up, by this limit's clock.

        Raises:
            StopRequested: `stop` is set.
            NoTurnInTime: the turn comes after `give_up_at`; raised as soon as that is known.
            ConfigurationError: the store has never been usable.
            Unreachable: the store has become unusable.
        """
        with self._place_in_queue(give_up_at):
            place = QueuePlace(self._client)
            while (seconds := self._seconds_until_turn(give_up_at, place)) > 0:
                self._front_at = self._now() + seconds
                self._wait(max(seconds, _SHORTEST_WAIT_SECONDS))

    def pause(self, seconds: float) -> None:
        """Give no turns for a number of seconds, and fewer turns for a minute after that."""
        # If that cannot be stored, no turns are given either.
        with contextlib.suppress(TurnStoreError):
            self._store.change(lambda turns, now: turns.pause(now, seconds))

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    @contextlib.contextmanager
    def _place_in_queue(self, give_up_at: float) -> Iterator[None]:
        """Become the thread that takes the next turn; give up if even that comes too late."""
        patience = give_up_at - self._now() if self._front_at <= give_up_at else 0
        if not self._queue.acquire(timeout=min(max(patience, 0), threading.TIMEOUT_MAX)):
            raise NoTurnInTime(max(self._front_at - self._now(), 0))
        try:
            yield
        finally:
            self._queue.release()

    def _seconds_until_turn(self, give_up_at: float, place: QueuePlace) -> float:
        """Return the seconds to wait before asking again; 0 or less when the turn has come."""
        self._require_not_stopped()
        patience = max(give_up_at - self._now(), 0)
        seconds = self._change_turns(
            lambda turns, now: turns.take(now, self._limit, patience, place) - now
        )
        if seconds > patience:
            raise NoTurnInTime(seconds)
        return seconds

    def _require_not_stopped(self) -> None:
        if self._stop.is_set():
            raise StopRequested("stopped on request before the call was made")

    def _change_turns(self, change: Callable[[Turns, float], _T]) -> _T:
        try:
            result = self._store.change(change)
        except TurnStoreError as error:
            failure = error
        else:
            self._was_used, self._is_failing = True, False
            return result
        self._require_not_stopped()
        if not self._was_used:
            raise ConfigurationError(f"rate_limit_store cannot be used: {failure}")
        fault = f"rate_limit_store can no longer be used: {failure}"
        if not self._is_failing:
            logger.warning("%s; no calls are made until it can be used again", fault)
        self._is_failing = True
        raise Unreachable(f"{fault}; fix this, then run again")


CONNECT_SECONDS = 10
CHUNK_BYTES = 1 << 18
# Uncompressed; the largest page of Go is a fraction of this.
MAX_ANSWER_BYTES = 128 << 20
# urllib3 logs the path and query of each request at level DEBUG, and those of an answer with
# malformed headers at level WARNING.
LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
QUERY = re.compile(r"\?[^\s'\"]*")


@dataclass(frozen=True)
class Answer:
    """A complete answer, whatever its status."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class NotAnswered(Exception):  # noqa: N818
    """There is no answer; `str()` is the reason in plain words.

    Attributes:
        was_sent: whether the other side may have received the request.
        next_turn: seconds until its turn would have come, if it gave up waiting for that.
        is_permanent: whether this cannot change while the process runs.
    """

    def __init__(
        self,
        reason: str,
        *,
        was_sent: bool,
        next_turn: float | None = None,
        is_permanent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.was_sent = was_sent
        self.next_turn = next_turn
        self.is_permanent = is_permanent


class Deadline:
    """Hangs up if an answer is not complete in time.

    The timeout of `requests` applies to each part that arrives, so an answer that trickles in would
    never exceed it.
    """

    def __init__(self, seconds: float, sock: socket.socket) -> None:
        self.is_over = False
        self._socket = sock
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Stop the timer: the answer has arrived, or never will."""
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.is_over = True
        inner: socket.socket = getattr(self._socket, "socket", self._socket)
        with contextlib.suppress(OSError):  # it is already closed
            # Bypasses TLS, whose own shutdown must not be called by a second thread.
            socket.socket.shutdown(inner, socket.SHUT_RDWR)


class _Session(requests.Session):
    """A session that ignores redirects; requests would read their bodies and addresses."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no address, whatever the answer."""


class Sender:
    """Sends one request at a time, for a single thread."""

    def __init__(self, rate_limit: RateLimit, timeout_seconds: float, user_agent: str) -> None:
        self._rate_limit = rate_limit
        self._timeout_seconds = timeout_seconds
        self._deadline: Deadline | None = None
        self._give_up_at = 0.0
        self._count: Callable[[], object] = int
        self._session = _Session()
        self._session.headers["User-Agent"] = user_agent
        self._session.headers["Accept"] = "application/json"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _TurnTakingAdapter(self))

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        give_up_at: float,
        count: Callable[[], None],
        **content: Any,  # noqa: ANN401
    ) -> Answer:
        """Send a request and return the answer, whatever its status; redirects are not followed.

        Args:
            method: the HTTP method.
            url: the full address.
            headers: headers, including keys and token, that no setting of this machine may replace.
            give_up_at: when to give up waiting for a turn.
            count: called when the request is sent.
            content: `params` and `data`, as in `requests`.

        Raises:
            NotAnswered: the answer is missing, incomplete or too large.
            StopRequested: the client was stopped before the request was sent.
        """
        self._deadline, self._give_up_at, self._count = None, give_up_at, count
        try:
            with self._session.request(
                method,
                url,
                auth=_GivenHeaders(headers),
                timeout=(CONNECT_SECONDS, self._timeout_seconds),
                allow_redirects=False,
                stream=True,
                **content,
            ) as response:
                answer = Answer(response.status_code, response.headers, _content(response))
            # Hanging up looks like the end of the headers, or of a body without a stated length.
            if self._deadline is None or not self._deadline.is_over:
                return answer
            failure = self._not_answered(TimeoutError())
        except NoTurnInTime as late:
            failure = NotAnswered(str(late), was_sent=False, next_turn=late.seconds)
        except (OSError, HTTPError) as error:
            # Its text contains the full address, so it must not become a cause that is printed.
            failure = self._not_answered(error)
        finally:
            if self._deadline is not None:
                self._deadline.end()
        raise failure

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def take_turn(self) -> None:
        """Wait until the request may be sent."""
        self._rate_limit.take_turn(self._give_up_at)

    def note_sending(self, sock: socket.socket) -> None:
        """Note that the request may reach Go from now on, and count it."""
        self._deadline = Deadline(self._timeout_seconds, sock)
        self._count()

    def _not_answered(self, error: Exception) -> NotAnswered:
        deadline = self._deadline
        is_over = deadline is not None and deadline.is_over
        reason = _describe(TimeoutError("timed out") if is_over else error, self._timeout_seconds)
        is_permanent = deadline is None and is_out_of_files(error)
        return NotAnswered(reason, was_sent=deadline is not None, is_permanent=is_permanent)


def _content(response: requests.Response) -> bytes:
    """Return the body of an answer.

    Raises:
        NotAnswered: it is too large, once uncompressed.
    """
    content = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            reason = f"the answer is larger than {MAX_ANSWER_BYTES >> 20} MB"
            raise NotAnswered(reason, was_sent=True)
    return bytes(content)


class _TurnTakingHTTPConnection(HTTPConnection):
    sender: Sender
    # http.client would print the headers, keys included, if a program turned on its debugging.
    debuglevel = 0
    _is_used = False

    def connect(self) -> None:
        self._is_used = False
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if self.is_closed:
            self.connect()
        self.sender.take_turn()
        # Only if it was used before: over a new one TLS sends tickets, which look like a hang-up.
        if self._is_used and not self.is_connected:
            raise ConnectionResetError(
                "the other side closed the connection before the request was sent"
            )
        self._is_used = True
        self.sender.note_sending(self.sock)
        super().request(*args, **kwargs)


class _TurnTakingHTTPSConnection(_TurnTakingHTTPConnection, HTTPSConnection):
    """The same connection over TLS."""


class _TurnTakingAdapter(HTTPAdapter):
    """An adapter for one thread's session. It repeats nothing by itself."""

    def __init__(self, sender: Sender) -> None:
        classes = {"http": _TurnTakingHTTPConnection, "https": _TurnTakingHTTPSConnection}
        self._connection_classes = {
            scheme: type(cls.__name__, (cls,), {"sender": sender})
            for scheme, cls in classes.items()
        }
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:  # noqa: ANN401
        """Return a pool whose connections wait for their turn."""
        pool = cast("HTTPConnectionPool", super().get_connection_with_tls_context(*args, **kwargs))
        pool.ConnectionCls = self._connection_classes[pool.scheme or "https"]
        return pool


class _GivenHeaders(requests.auth.AuthBase):
    """Sets the headers last, so that requests does not replace them with a .netrc password."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the headers."""
        request.headers.update(self._headers)
        return request


def _describe(error: Exception, timeout_seconds: float) -> str:
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
        return f"no complete answer within {timeout_seconds:g} seconds"
    if "NameResolution" in repr(error):
        return "the host name is not known"
    if "NewConnection" in repr(error):
        return "the host is down or refuses connections"
    return "the connection broke"


class _WithoutQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                QUERY.sub("?...", value) if isinstance(value, str) else value
                for value in record.args
            )
        return True


_FILTER = _WithoutQueries()


def hide_queries() -> None:
    """Remove queries from urllib3's log lines in this process. It may be called repeatedly."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


FIRST_BACK_OFF_SECONDS = 0.5
MAX_BACK_OFF_SECONDS = 30


class Repetition:
    """Repeats calls that certainly did nothing.

    After `TryAgainLater` and `Unreachable` a call is repeated; any other error is final. Waits grow
    from half a second to half a minute, each shortened at random so that many clients do not return
    at once. If Go asks for a longer wait, that is kept; a shorter one (`Retry-After: 0`) would be a
    busy loop.

    Args:
        budget_seconds: no attempt begins later than this after the first one.
        wait: sleeps for a number of seconds; any exception it raises ends the call.
        first_contact_seconds: the budget until an attempt is not `Unreachable`, if it is less.
        on_retry: called before each wait with a line for a person.
    """

    def __init__(
        self,
        budget_seconds: float,
        wait: Callable[[float], None],
        *,
        first_contact_seconds: float | None = None,
        on_retry: Callable[[str], object] | None = None,
    ) -> None:
        self._budget_seconds = budget_seconds
        self._wait = wait
        self._reach_seconds = (
            budget_seconds if first_contact_seconds is None else first_contact_seconds
        )
        self._was_reached = False
        self._on_retry = on_retry
        self._back_off = wait_random_exponential(
            multiplier=FIRST_BACK_OFF_SECONDS, max=MAX_BACK_OFF_SECONDS
        )

    def run(self, attempt: Callable[[], _T]) -> _T:
        """Return the result of the first attempt that succeeds, or raise the error of the last."""

        def attempt_noting_reach() -> _T:
            try:
                value = attempt()
            except GoError as error:
                self._was_reached |= not isinstance(error, Unreachable)
                raise
            self._was_reached = True
            return value

        return Retrying(
            retry=retry_if_exception_type((TryAgainLater, Unreachable)),
            wait=self._seconds,
            stop=self._is_spent,
            sleep=self._wait,
            before_sleep=self._report,
            reraise=True,
        )(attempt_noting_reach)

    def _is_spent(self, state: RetryCallState) -> bool:
        seconds = self._budget_seconds
        if not self._was_reached:
            seconds = min(seconds, self._reach_seconds)
        return stop_before_delay(seconds)(state)

    def _report(self, state: RetryCallState) -> None:
        if self._on_retry and state.outcome:
            message = str(state.outcome.exception())
            failure, _, _advice = message.rpartition("; ")
            self._on_retry(f"{failure or message}; asking again in {state.upcoming_sleep:.1f} s")

    def _seconds(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        retry_after = error.retry_after if isinstance(error, TryAgainLater) else None
        return max(self._back_off(state), retry_after or 0)
