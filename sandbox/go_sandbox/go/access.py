"""Who may ask Go, and how often: the subscription key, the rate limit, tokens and privileges."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from go_sandbox.go.problems import GatewayRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from go_sandbox.go.ledger import Ledger, Switches


class TokenRefusal(Exception):  # noqa: N818
    """A token request that is refused with 400 and the error names of RFC 6749."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.body = {"error": error, "error_description": description}


def issue_token(ledger: Ledger, authorization: str, grant_type: str | None) -> dict[str, Any]:
    """Return the answer of the token endpoint.

    Raises:
        TokenRefusal: the keys are not those of this client, or the grant type is another.
    """
    if _basic(authorization) != (ledger.application_key, ledger.client_key):
        raise TokenRefusal("invalid_client", "The application key or the client key is not valid")
    if not grant_type:
        raise TokenRefusal("invalid_request", "grant_type is missing")
    if grant_type != "client_credentials":
        raise TokenRefusal("unsupported_grant_type", "grant_type must be client_credentials")
    lifetime = ledger.switches.token_seconds
    claims = {
        "token": "",
        "expires_at": int(time.time() * 1000) + lifetime * 1000,
        "roles": sorted(ledger.switches.privileges),
        "goAllowSendInvoice": ledger.switches.allow_send_invoice,
    }
    claims["token"] = _unsigned_jwt(claims)
    tokens = ledger.storage.table("go tokens")
    for token in tokens.values():
        if token["expires_at"] < time.time() * 1000:
            tokens.delete(token["token"])
    tokens.put(claims["token"], claims)
    return {"access_token": claims["token"], "token_type": "bearer", "expires_in": lifetime}


def read_token(ledger: Ledger, authorization: str) -> dict[str, Any]:
    """Return the claims of the bearer token in the header `Authorization`.

    Raises:
        GatewayRefusal: the token is missing, unknown, expired or revoked (401).
    """
    scheme, _, token = authorization.partition(" ")
    claims = ledger.storage.table("go tokens").get(token.strip())
    if scheme.lower() != "bearer" or not claims or claims["expires_at"] <= time.time() * 1000:
        raise GatewayRefusal(401, "Access token is missing or invalid")
    return claims


def check_privilege(claims: dict[str, Any], allowed: frozenset[str]) -> None:
    """Check that the token has one of the privileges; none named means any token will do.

    Raises:
        GatewayRefusal: it has none of them (403).
    """
    if allowed and not allowed & set(claims["roles"]):
        raise GatewayRefusal(403, "The client lacks the privilege for this operation")


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def _unsigned_jwt(claims: dict[str, Any]) -> str:
    header = {"alg": "none", "typ": "JWT"}
    payload = {name: claims[name] for name in ("roles", "goAllowSendInvoice")}
    payload["exp"] = claims["expires_at"] // 1000
    parts = [json.dumps(part).encode() for part in (header, payload)]
    parts.append(secrets.token_bytes(16))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


_WINDOW_SECONDS = 1.0


class Gateway:
    """Counts the requests of one subscription key over all endpoints, the token's included.

    Requests that were refused for coming too fast are not counted. `now` tells seconds.
    """

    def __init__(
        self, subscription_key: str, switches: Switches, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._subscription_key = subscription_key
        self._switches = switches
        self._admitted: deque[float] = deque()
        self._lock = threading.Lock()

    def admit(self, subscription_key: str | None) -> None:
        """Let a request pass.

        Raises:
            GatewayRefusal: the key is missing or wrong (401), or used too often (429).
        """
        if not subscription_key:
            raise GatewayRefusal(401, "The subscription key is missing")
        if subscription_key != self._subscription_key:
            raise GatewayRefusal(401, "The subscription key is not valid")
        with self._lock:
            self._count(self._now())

    def _count(self, now: float) -> None:
        limit = self._switches.rate_limit
        while self._admitted and self._admitted[0] <= now - _WINDOW_SECONDS:
            self._admitted.popleft()
        if limit is not None and len(self._admitted) >= limit:
            headers = {"Retry-After": "1"} if self._switches.send_retry_after else {}
            raise GatewayRefusal(429, "Too many requests; try again in 1 seconds", headers)
        self._admitted.append(now)
