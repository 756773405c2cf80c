"""The addresses of PowerOffice Go, and access to it: three keys, and a token for twenty minutes."""

from __future__ import annotations

import base64
import ipaddress
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from target_powerofficego.go_api.calls import (
    LATER,
    Problem,
    is_entry,
    parse_retry_after,
    seconds_to_pause,
)
from target_powerofficego.go_api.errors import (
    ConfigurationError,
    GoError,
    TryAgainLater,
    WrongKeys,
)
from target_powerofficego.plugin.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.go_api.sender import Answer

    TokenRequest = Callable[[dict[str, str], bytes, float], Answer]


# Source: Go's pages on authentication and on setting up Postman.
ADDRESSES = {
    "production": (
        "https://goapi.poweroffice.net/v2",
        "https://goapi.poweroffice.net/OAuth/Token",
    ),
    "demo": (
        "https://goapi.poweroffice.net/Demo/v2",
        "https://goapi.poweroffice.net/Demo/OAuth/Token",
    ),
}


@dataclass(frozen=True)
class Connection:
    """Two addresses and three keys; `repr` shows no key.

    Raises:
        ConfigurationError: an address is not an https address (plain http is allowed only to this
            machine itself), or a key is empty or contains a character that no key has.
    """

    api_url: str
    token_url: str
    application_key: str = field(repr=False)
    client_key: str = field(repr=False)
    subscription_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for names, find_fault in (
            (("api_url", "token_url"), _url_fault),
            (("application_key", "client_key", "subscription_key"), _key_fault),
        ):
            for name in names:
                if fault := find_fault(getattr(self, name)):
                    raise ConfigurationError(f"{name} {fault}")

    @classmethod
    def for_environment(
        cls,
        environment: str,
        *,
        application_key: str,
        client_key: str,
        subscription_key: str,
        api_url: str | None = None,
        token_url: str | None = None,
    ) -> Connection:
        """Return the connection to `production`, `demo`, or `custom` with its own two addresses.

        Raises:
            ConfigurationError: the environment is unknown, addresses are missing (custom) or
                superfluous (others), or `Connection` itself raises it.
        """
        api_url, token_url = _addresses(environment, api_url, token_url)
        return cls(api_url, token_url, application_key, client_key, subscription_key)

    def url_of(self, path: str) -> str:
        """Return the full address of a path such as `/Customers`."""
        return self.api_url.rstrip("/") + path


def _addresses(environment: str, api_url: str | None, token_url: str | None) -> tuple[str, str]:
    if environment == "custom" and api_url and token_url:
        return api_url, token_url
    if environment == "custom":
        message = "environment is custom, so api_url and token_url must both be set"
    elif environment not in ADDRESSES:
        message = f"environment is {environment!r}, but must be production, demo or custom"
    elif api_url or token_url:
        message = (
            f"api_url and token_url belong to environment custom; "
            f"remove them or change environment, which is {environment}"
        )
    else:
        return ADDRESSES[environment]
    raise ConfigurationError(message)


def _url_fault(url: str) -> str | None:
    """Return why an address cannot be used; None if it can."""
    try:
        parts = urlsplit(url)
        is_readable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_readable = False
    # To some parsers a backslash ends the host, to others it is part of it.
    if not is_readable or not url.isprintable() or set(url) & {" ", "\\"}:
        return "cannot be read as a web address; it should look like https://host/path"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "must be a plain address, without a user name, '?' or '#'"
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts)):
        return "must begin with https:// (http:// only for this machine itself)"
    return None


def _is_this_machine(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key_fault(key: str) -> str | None:
    """Return why a text cannot be a key; None if it can."""
    if not key:
        return "is empty; set it to the key from PowerOffice Go"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return "contains a space, line break or letter that no key has; copy it again"
    return None


# Go's own figure, used only if an answer states no plausible lifetime.
USUAL_LIFETIME_SECONDS = 1200
MAX_LIFETIME_SECONDS = 86400
MAX_MARGIN_SECONDS = 60
GRANT = b"grant_type=client_credentials"


@dataclass(frozen=True)
class Token:
    """A token and when to renew it, by the monotonic clock; `repr` does not show the token."""

    value: str = field(repr=False)
    renew_at: float


class AccessToken:
    """The token of a client, shared by all its threads.

    It is renewed a minute before it expires, or a fifth of its lifetime before if that is less. Go
    asks for this instead of waiting for a 401.

    Args:
        connection: the keys.
        request_token: sends headers and a body to `token_url`, gives up at a given time, and
            returns the answer, whatever its status.
        now: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        connection: Connection,
        request_token: TokenRequest,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._headers = _token_headers(connection)
        self._request_token = request_token
        self._now = now
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self, give_up_at: float) -> Token:
        """Return a token that has not expired.

        Raises:
            WrongKeys: Go gives no token for these keys.
            GoError: anything else that keeps a call from being made; nothing was done.
        """
        with self._lock:
            if self._token is None or self._now() >= self._token.renew_at:
                self._token = self._fetch(give_up_at)
            return self._token

    def renewed(self, rejected: Token, give_up_at: float) -> Token:
        """Return a token other than the one that Go rejected; raises as `current` does."""
        with self._lock:
            if self._token is rejected:
                self._token = None
        return self.current(give_up_at)

    def _fetch(self, give_up_at: float) -> Token:
        asked_at = self._now()
        response = self._request_token(self._headers, GRANT, give_up_at)
        if response.status_code != 200:
            raise _error_for(response)
        token = _parse_token(response, asked_at)
        if token is None:
            raise TryAgainLater(
                "token: Go's answer contains no readable token; " + LATER, status=200
            )
        return token


def _token_headers(connection: Connection) -> dict[str, str]:
    pair = f"{connection.application_key}:{connection.client_key}"
    return {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Ocp-Apim-Subscription-Key": connection.subscription_key,
        "Content-Type": "application/x-www-form-urlencoded",
    }


def _parse_token(response: Answer, asked_at: float) -> Token | None:
    try:
        body = read_json(response.content)
        value = body["access_token"]
    except (ValueError, TypeError, KeyError):
        return None
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        return None
    lifetime = _lifetime(body.get("expires_in"))
    return Token(value, asked_at + lifetime - min(MAX_MARGIN_SECONDS, lifetime / 5))


def _lifetime(expires_in: object) -> float:
    """Return for how many seconds a token is valid; if it expires earlier, Go answers 401."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return USUAL_LIFETIME_SECONDS
    return seconds if 0 < seconds <= MAX_LIFETIME_SECONDS else USUAL_LIFETIME_SECONDS


def _error_for(response: Answer) -> GoError:
    problem = Problem.of(response)
    status = problem.status
    if status in {408, 429} or status >= 500:
        later = TryAgainLater(f"token: {status} {problem.title}; {LATER}", status=status)
        later.pauses_all = status == 429
        read_wait = seconds_to_pause if later.pauses_all else parse_retry_after
        later.retry_after = read_wait(response)
        return later
    if status in {400, 401, 403}:
        message = (
            f"token: {status} {_oauth_error(response)}; Go does not accept the keys. Check that "
            f"application_key, client_key and subscription_key belong together and to this "
            f"environment"
        )
        return WrongKeys(message, status=status, title=problem.title, detail=problem.detail)
    message = f"token: {status}; no tokens are issued there, check token_url"
    return ConfigurationError(message, status=status)


def _oauth_error(response: Answer) -> str:
    try:
        body = read_json(response.content)
    except ValueError:
        return "no reason given"
    error = body.get("error") if is_entry(body) else None
    # Only the names of RFC 6749 are certain to reveal nothing private.
    known = {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"}
    known |= {"unsupported_grant_type", "invalid_scope"}
    return error if error in known else "no reason given"
