"""The token that opens PowerOffice Go for twenty minutes: fetched once, renewed in good time."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_powerofficego.go_api.answers import (
    LATER,
    Problem,
    is_entry,
    seconds_to_wait,
    seconds_when_turned_away,
)
from target_powerofficego.go_api.errors import (
    ConfigurationError,
    GoError,
    TryAgainLater,
    WrongKeys,
)
from target_powerofficego.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.go_api.connection import Connection
    from target_powerofficego.go_api.sender import Answer

    Ask = Callable[[dict[str, str], bytes, float], Answer]

# Go's own figure, used only for an answer that names none that can be.
USUAL_LIFETIME_SECONDS = 1200
LONGEST_LIFETIME_SECONDS = 86400
LARGEST_MARGIN_SECONDS = 60
GRANT = b"grant_type=client_credentials"


@dataclass(frozen=True)
class Token:
    """A token and the moment from which it is too old to be used; `repr` does not show it."""

    value: str = field(repr=False)
    renew_at: float


class AccessToken:
    """The one token of a client, shared by all threads.

    It is renewed before its `expires_in` runs out: a minute before, or a fifth of the lifetime
    where that is less. Go asks for this rather than waiting for a 401.

    Args:
        connection: the keys.
        ask: sends headers and a body to Go's address for tokens, until a moment to give up at, and
            returns the answer, whatever its status.
        now: a clock in seconds that never goes back.
    """

    def __init__(
        self, connection: Connection, ask: Ask, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._headers = _token_headers(connection)
        self._ask = ask
        self._now = now
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self, give_up_at: float) -> Token:
        """Return a token with time left.

        Raises:
            WrongKeys: when Go gives no token for these keys.
            GoError: what else keeps a call from being made; nothing was done.
        """
        with self._lock:
            if self._token is None or self._now() >= self._token.renew_at:
                self._token = self._fetch(give_up_at)
            return self._token

    def renewed(self, instead_of: Token, give_up_at: float) -> Token:
        """Return another token than the one that Go did not accept; raises as `current`."""
        with self._lock:
            if self._token is instead_of:
                self._token = None
        return self.current(give_up_at)

    def _fetch(self, give_up_at: float) -> Token:
        asked_at = self._now()
        response = self._ask(self._headers, GRANT, give_up_at)
        if response.status_code != 200:
            raise _failure_of(response)
        token = _token_in(response, asked_at)
        if token is None:
            raise TryAgainLater(
                "token: Go's answer holds no token that can be read; " + LATER, status=200
            )
        return token


def _token_headers(connection: Connection) -> dict[str, str]:
    pair = f"{connection.application_key}:{connection.client_key}"
    return {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Ocp-Apim-Subscription-Key": connection.subscription_key,
        "Content-Type": "application/x-www-form-urlencoded",
    }


def _token_in(response: Answer, asked_at: float) -> Token | None:
    try:
        body = read_json(response.content)
        value = body["access_token"]
    except (ValueError, TypeError, KeyError):
        return None
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        return None
    lifetime = _lifetime(body.get("expires_in"))
    return Token(value, asked_at + lifetime - min(LARGEST_MARGIN_SECONDS, lifetime / 5))


def _lifetime(expires_in: object) -> float:
    """Return for how many seconds a token is valid; if it expires earlier, a 401 shows that."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return USUAL_LIFETIME_SECONDS
    return seconds if 0 < seconds <= LONGEST_LIFETIME_SECONDS else USUAL_LIFETIME_SECONDS


def _failure_of(response: Answer) -> GoError:
    problem = Problem.of(response)
    status = problem.status
    if status in {408, 429} or status >= 500:
        later = TryAgainLater(f"token: {status} {problem.title}; {LATER}", status=status)
        later.pauses_all = status == 429
        read_wait = seconds_when_turned_away if later.pauses_all else seconds_to_wait
        later.retry_after = read_wait(response)
        return later
    if status in {400, 401, 403}:
        message = (
            f"token: {status} {_oauth_error(response)}; Go does not accept the keys. Check that "
            f"application_key, client_key and subscription_key belong together and to this "
            f"environment"
        )
        return WrongKeys(message, status=status, title=problem.title, detail=problem.detail)
    message = f"token: {status}; nothing gives out tokens there, check token_url"
    return ConfigurationError(message, status=status)


def _oauth_error(response: Answer) -> str:
    try:
        body = read_json(response.content)
    except ValueError:
        return "no reason given"
    error = body.get("error") if is_entry(body) else None
    # Only the names of RFC 6749 are sure to hold nothing private.
    known = {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"}
    known |= {"unsupported_grant_type", "invalid_scope"}
    return error if error in known else "no reason given"
