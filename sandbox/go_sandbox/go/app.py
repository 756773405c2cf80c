"""PowerOffice Go over HTTP: keys, tokens, the rate limit, and routes without regard to case."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from go_sandbox.go import invoices
from go_sandbox.go.operations import Call
from go_sandbox.go.problems import GatewayRefusal, Refusal, bad_cast, no_route
from go_sandbox.go.routes import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from go_sandbox.go.books import Books
    from go_sandbox.go.ledger import Ledger, Switches
    from go_sandbox.go.routes import Published

_WINDOW_SECONDS = 1.0
_DEMO = "/demo"
_JSON = ("application/json", "text/json")
_PATCH = ("application/json-patch+json", "application/json")


class TokenRefusal(Exception):  # noqa: N818
    """A token request that is refused with 400 and an error name of RFC 6749."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.body = {"error": error, "error_description": description}


def issue_token(ledger: Ledger, authorization: str, grant_type: str | None) -> dict[str, Any]:
    """Return the answer of the token endpoint.

    Raises:
        TokenRefusal: the keys are not those of this client, or the grant type is not supported.
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
    """Check that the token has one of the privileges; if none is named, any token is enough.

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


class Gateway:
    """Counts the requests of one subscription key to all endpoints, the token endpoint included.

    Requests that were refused for coming too fast are not counted. `now` returns seconds.
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
        """Admit a request.

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


def create_app(books: Books) -> Starlette:
    """Return the app that serves these books, as production and, under `/Demo`, as demo."""
    gateway = Gateway(books.subscription_key, books.switches)
    routes = [Route("/oauth/token", _token_endpoint(books, gateway), methods=["POST"])]
    for published in PUBLISHED:
        endpoint = _endpoint(books, gateway, published)
        routes.append(Route(f"/v2{published.path}", endpoint, methods=[published.method]))
    return Starlette(
        routes=routes,
        middleware=[Middleware(_AnyCase)],
        exception_handlers={
            Refusal: _refused,
            GatewayRefusal: _refused,
            HTTPException: _no_route,
        },
    )


class _AnyCase:
    """Lets routes match without regard to case, and with or without `/Demo` before them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root = scope.get("root_path", "")
            path = scope["path"][len(root) :] if scope["path"].startswith(root) else scope["path"]
            scope["state"] = {**scope.get("state", {}), "path": scope["path"]}
            path = path.lower()
            if path.startswith(f"{_DEMO}/"):
                path = path[len(_DEMO) :]
            scope["path"] = f"{root}{path}"
        await self._app(scope, receive, send)


def _token_endpoint(books: Books, gateway: Gateway) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        gateway.admit(_subscription_key(request))
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if _media_type(request) != "application/x-www-form-urlencoded":
            form = {}
        try:
            with books.storage.lock:
                authorization = request.headers.get("authorization", "")
                answer = issue_token(books, authorization, form.get("grant_type", [None])[0])
        except TokenRefusal as refusal:
            return _response(400, refusal.body)
        return _response(200, answer)

    return endpoint


def _endpoint(
    books: Books, gateway: Gateway, published: Published
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        gateway.admit(_subscription_key(request))
        content = await request.body()
        with books.storage.lock:
            claims = read_token(books, request.headers.get("authorization", ""))
            check_privilege(claims, published.privileges)
            invoices.go_on(books)
            books.replica.reads += request.method == "GET"
            call = Call(
                books=books,
                path=request.path_params,
                query=request.query_params,
                url=_url(request),
                body=_body(request, content),
                claims=claims,
            )
            answer = published.operation(call)
        return _response(answer.status, answer.body, answer.headers)

    return endpoint


def _subscription_key(request: Request) -> str | None:
    by_header = request.headers.get("ocp-apim-subscription-key")
    return by_header or request.query_params.get("subscription-key")


def _url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.state.path}"


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _body(request: Request, content: bytes) -> object:
    if request.method not in ("POST", "PATCH") or not content.strip():
        return None
    media_type = _media_type(request)
    fits = media_type in _PATCH if request.method == "PATCH" else _is_json(media_type)
    if not fits:
        raise Refusal(415, "Unsupported Media Type", f"'{media_type}' is not taken here")
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise bad_cast("the body is not JSON") from error


def _is_json(media_type: str) -> bool:
    return media_type in _JSON or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _response(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    if body is None:
        return Response(status_code=status, headers=headers)
    content = json.dumps(body, default=float, ensure_ascii=False, separators=(",", ":"))
    return Response(content, status_code=status, headers=headers, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, GatewayRefusal) else None
    return _response(error.status, error.body, headers)  # type: ignore[attr-defined]


async def _no_route(request: Request, _error: Exception) -> Response:
    return await _refused(request, no_route())
