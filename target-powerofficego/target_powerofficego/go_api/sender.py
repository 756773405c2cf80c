"""How requests leave: each in its turn, over a thread's own session, and again if they did nothing.

The connection is opened first, then the request waits its turn, then it goes. A turn taken before
connecting would be stale by the time a TLS handshake is over, and the first requests of several
threads would reach Go in one heap with the next ones. It also makes plain whether a failed request
ever left, which decides whether a write may be repeated.
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
    """The turn would come only after the caller gave up: in so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"its turn comes only in {seconds:.0f} seconds")
        self.seconds = seconds


class RateLimit:
    """Turns for all threads of a client, and for all other clients that use the same store.

    Threads reserve their turns one after the other, so that clients that share a limit get equal
    shares of it, however many threads each has.

    Args:
        requests_per_second: a whole number, at least 1.
        stop: ends every wait at once when set.
        now: a clock in seconds that never goes back.
        wait: sleeps so many seconds, or less when `stop` is set.
        store: where the turns are kept; in memory without it.

    Raises:
        ConfigurationError: when `requests_per_second` is no whole number above 0.
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
        self._most = int(requests_per_second)
        self._stop = stop
        self._now = now
        self._wait = wait or stop.wait
        self._store = store or TurnsInMemory(now)
        self._client = secrets.token_hex(4)
        self._queue = threading.Lock()
        self._front_at = 0.0
        self._was_used = self._is_failing = False

    def take_turn(self, give_up_at: float) -> None:
        """Wait until one more request may be sent.

        Args:
            give_up_at: the moment, by this limit's clock, after which a turn is of no use.

        Raises:
            StopRequested: when `stop` is or gets set.
            NoTurnInTime: as soon as it is known that the turn comes after `give_up_at`.
            ConfigurationError: when the store cannot be used at all.
            Unreachable: when it cannot be used any more.
        """
        with self._place_in_queue(give_up_at):
            place = QueuePlace(self._client)
            while (seconds := self._ask(give_up_at, place)) > 0:
                self._front_at = self._now() + seconds
                self._wait(max(seconds, _SHORTEST_WAIT_SECONDS))

    def pause(self, seconds: float) -> None:
        """Give nobody a turn for so many seconds from now, and fewer turns for a minute after."""
        # Where that cannot be stored, no turn is given either.
        with contextlib.suppress(TurnStoreError):
            self._store.change(lambda turns, now: turns.pause(now, seconds))

    def close(self) -> None:
        """Let go of what the store holds open."""
        self._store.close()

    @contextlib.contextmanager
    def _place_in_queue(self, give_up_at: float) -> Iterator[None]:
        """Be the thread whose turn is next; give up when even that one's would come too late."""
        patience = give_up_at - self._now() if self._front_at <= give_up_at else 0
        if not self._queue.acquire(timeout=min(max(patience, 0), threading.TIMEOUT_MAX)):
            raise NoTurnInTime(max(self._front_at - self._now(), 0))
        try:
            yield
        finally:
            self._queue.release()

    def _ask(self, give_up_at: float, place: QueuePlace) -> float:
        """Return the seconds until it is to be asked again; 0 when the turn has come."""
        self._see_that_it_goes_on()
        patience = max(give_up_at - self._now(), 0)
        seconds = self._changed(
            lambda turns, now: turns.take(now, self._most, patience, place) - now
        )
        if seconds > patience:
            raise NoTurnInTime(seconds)
        return seconds

    def _see_that_it_goes_on(self) -> None:
        if self._stop.is_set():
            raise StopRequested("stopped on request before the call was made")

    def _changed(self, change: Callable[[Turns, float], _T]) -> _T:
        try:
            result = self._store.change(change)
        except TurnStoreError as error:
            failure = error
        else:
            self._was_used, self._is_failing = True, False
            return result
        self._see_that_it_goes_on()
        if not self._was_used:
            raise ConfigurationError(f"rate_limit_store cannot be used: {failure}")
        complaint = f"rate_limit_store cannot be used any more: {failure}"
        if not self._is_failing:
            logger.warning("%s; no call is made until it can", complaint)
        self._is_failing = True
        raise Unreachable(f"{complaint}; see to it, then run again")


CONNECT_SECONDS = 10
CHUNK = 1 << 18
# Bytes, unpacked; the largest page that Go gives is a fraction of it.
LARGEST_ANSWER = 128 << 20
# urllib3 writes the whole path and query of each request at level DEBUG, and of an answer with
# odd headers at level WARNING.
LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
QUERY = re.compile(r"\?[^\s'\"]*")


@dataclass(frozen=True)
class Answer:
    """What came back, whole, whatever the status."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class NotAnswered(Exception):  # noqa: N818
    """No answer came; `str()` says why in plain words.

    Attributes:
        had_left: whether the other side may have got the request.
        next_turn: seconds until its turn would have come, for one that gave up waiting for it.
        is_for_good: whether this cannot change while this process lasts.
    """

    def __init__(
        self,
        why: str,
        *,
        had_left: bool,
        next_turn: float | None = None,
        is_for_good: bool = False,
    ) -> None:
        super().__init__(why)
        self.is_for_good = is_for_good
        self.had_left = had_left
        self.next_turn = next_turn


class Patience:
    """Hangs up when an answer takes too long, to its last byte.

    A time-out of `requests` is for each part that arrives; an answer that trickles in would never
    end by it.
    """

    def __init__(self, seconds: float, sock: socket.socket) -> None:
        self.is_over = False
        self._socket = sock
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Wait no longer: the answer is there, or will never be."""
        self._timer.cancel()

    def _hang_up(self) -> None:
        self.is_over = True
        inner: socket.socket = getattr(self._socket, "socket", self._socket)
        with contextlib.suppress(OSError):  # it is closed already
            # Past TLS, whose own shutdown is not for a second thread.
            socket.socket.shutdown(inner, socket.SHUT_RDWR)


class _Session(requests.Session):
    """A session that leaves redirects alone; requests would read their bodies and addresses."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no address, whatever Go answered."""


class Sender:
    """Sends one request after the other. Not for more than one thread."""

    def __init__(self, rate_limit: RateLimit, timeout_seconds: float, user_agent: str) -> None:
        self._rate_limit = rate_limit
        self._timeout_seconds = timeout_seconds
        self._patience: Patience | None = None
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
            url: the whole address.
            headers: what no setting of this machine may replace, keys and token among them.
            give_up_at: the moment after which a turn comes too late.
            count: called when the request leaves.
            content: `params` and `data` as `requests` takes them.

        Raises:
            NotAnswered: when there is no answer, only a part of one, or a huge one.
            StopRequested: when the client is stopped before the request left.
        """
        self._patience, self._give_up_at, self._count = None, give_up_at, count
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
            # To hang up looks like the end of headers, or of a body that tells no length.
            if self._patience is None or not self._patience.is_over:
                return answer
            failure = self._not_answered(TimeoutError())
        except NoTurnInTime as queue:
            failure = NotAnswered(str(queue), had_left=False, next_turn=queue.seconds)
        except (OSError, HTTPError) as error:
            # Its text holds the whole address, so it is no cause for anyone to print.
            failure = self._not_answered(error)
        finally:
            if self._patience is not None:
                self._patience.end()
        raise failure

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def take_turn(self) -> None:
        """Wait until the request may leave."""
        self._rate_limit.take_turn(self._give_up_at)

    def note_leaving(self, sock: socket.socket) -> None:
        """Remember that the request may reach Go from now on, and count it."""
        self._patience = Patience(self._timeout_seconds, sock)
        self._count()

    def _not_answered(self, error: Exception) -> NotAnswered:
        patience = self._patience
        is_over = patience is not None and patience.is_over
        why = _words_for(TimeoutError("timed out") if is_over else error, self._timeout_seconds)
        is_for_good = patience is None and is_out_of_files(error)
        return NotAnswered(why, had_left=patience is not None, is_for_good=is_for_good)


def _content(response: requests.Response) -> bytes:
    """Return the body of an answer.

    Raises:
        NotAnswered: it unpacks to more than fits.
    """
    content = bytearray()
    for chunk in response.iter_content(CHUNK):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise NotAnswered(f"the answer is larger than {LARGEST_ANSWER >> 20} MB", had_left=True)
    return bytes(content)


class _TurnTakingHTTPConnection(HTTPConnection):
    departure: Sender
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
            raise ConnectionResetError(
                "the other side closed the connection before the request was sent"
            )
        self._is_used = True
        self.departure.note_leaving(self.sock)
        super().request(*args, **kwargs)


class _TurnTakingHTTPSConnection(_TurnTakingHTTPConnection, HTTPSConnection):
    """The same over TLS."""


class _TurnTakingAdapter(HTTPAdapter):
    """An adapter for one thread's session. It follows nothing and repeats nothing by itself."""

    def __init__(self, departure: Sender) -> None:
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


class _GivenHeaders(requests.auth.AuthBase):
    """Sets headers last; having it keeps requests from putting a .netrc password in their place."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the headers."""
        request.headers.update(self._headers)
        return request


def _words_for(error: Exception, timeout_seconds: float) -> str:
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
    """Cut queries from urllib3's log lines in this process; doing it twice changes nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


SHORTEST_BACK_OFF_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 30


class Repetition:
    """Repeats what certainly did nothing.

    `TryAgainLater` and `Unreachable` are repeated, everything else is final. Waits grow from half a
    second to half a minute, each cut at random so that many clients do not come back at once. A
    longer one that Go asks for is kept; a shorter one (`Retry-After: 0`) would be a hot loop.

    Args:
        budget_seconds: no attempt begins later than so long after the first one.
        wait: sleeps so many seconds; what it raises ends the call.
        first_contact_seconds: the budget while every attempt so far was `Unreachable`, if it is less.
        tell: takes a line before each wait, for a person to read.
    """

    def __init__(
        self,
        budget_seconds: float,
        wait: Callable[[float], None],
        *,
        first_contact_seconds: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self._budget_seconds = budget_seconds
        self._wait = wait
        self._reach_seconds = (
            budget_seconds if first_contact_seconds is None else first_contact_seconds
        )
        self._was_reached = False
        self._tell = tell
        self._back_off = wait_random_exponential(
            multiplier=SHORTEST_BACK_OFF_SECONDS, max=LONGEST_BACK_OFF_SECONDS
        )

    def run(self, attempt: Callable[[], _T]) -> _T:
        """Return what `attempt` returns, or raise what the last one raised."""

        def noted() -> _T:
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
            before_sleep=self._tell_wait,
            reraise=True,
        )(noted)

    def _is_spent(self, state: RetryCallState) -> bool:
        seconds = self._budget_seconds
        if not self._was_reached:
            seconds = min(seconds, self._reach_seconds)
        return stop_before_delay(seconds)(state)

    def _tell_wait(self, state: RetryCallState) -> None:
        if self._tell and state.outcome:
            said = str(state.outcome.exception())
            failure, _, _advice = said.rpartition("; ")
            self._tell(f"{failure or said}; asking again in {state.upcoming_sleep:.1f} s")

    def _seconds(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TryAgainLater) else None
        return max(self._back_off(state), asked or 0)
