"""PowerOffice Go over HTTP: the token endpoint and the API, paths without regard to case."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from go_sandbox.go import invoices
from go_sandbox.go.access import Gateway, TokenRefusal, check_privilege, issue_token, read_token
from go_sandbox.go.operations import Call
from go_sandbox.go.problems import GatewayRefusal, Refusal, bad_cast, no_route
from go_sandbox.go.routes import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from go_sandbox.go.books import Books
    from go_sandbox.go.routes import Published

_DEMO = "/demo"
_JSON = ("application/json", "text/json")
_PATCH = ("application/json-patch+json", "application/json")


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
    message = f"{name} is not JSON"
    raise ValueError(message)


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
