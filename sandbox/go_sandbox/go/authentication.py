"""Tokens: given for application key and client key, asked for on every call, gone after a while."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from go_sandbox.go.problems import GatewayRefusal

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger


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
