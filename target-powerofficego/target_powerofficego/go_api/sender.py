"""One thread's way to PowerOffice Go: a session, its turn, and whether a request ever left."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import HTTPError

from target_powerofficego.go_api.rate_limit import NoTurnInTime
from target_powerofficego.go_api.transport import GivenHeaders, TurnTakingAdapter, words_for
from target_powerofficego.open_files import is_out_of_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_powerofficego.go_api.rate_limit import RateLimit

CONNECT_SECONDS = 10
CHUNK = 1 << 18
# Bytes, unpacked; the largest page that Go gives is a fraction of it.
LARGEST_ANSWER = 128 << 20


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
        is_for_good: whether it will not be otherwise as long as this process lasts.
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
        """No address, whatever Go answered."""


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
            self._session.mount(scheme, TurnTakingAdapter(self))

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
                auth=GivenHeaders(headers),
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
        why = words_for(TimeoutError("timed out") if is_over else error, self._timeout_seconds)
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
            why = f"the answer is larger than {LARGEST_ANSWER >> 20} MB"
            raise NotAnswered(why, had_left=True)
    return bytes(content)
