"""Serves the Admin API: access, costs, and requests that are not executed."""

from __future__ import annotations

import functools
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import simplejson
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from go_sandbox.shops.graphql import RefusedError, answer, read_operation, schema_of
from go_sandbox.shops.shopify.answers import RESOLVERS, Asked, decimal_text, money_text
from go_sandbox.shops.shopify.costs import MOST_FOR_A_QUERY, Costs
from go_sandbox.shops.shopify.schema import SDL

if TYPE_CHECKING:
    from graphql import GraphQLSchema
    from starlette.requests import Request

    from go_sandbox.shops.graphql import Operation
    from go_sandbox.shops.shopify.shop import Record, Shopify

TOKEN_LASTS = 86399
VERSION = re.compile(r"20\d\d-(01|04|07|10)|unstable")
WRONG_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105
DOCUMENTATION = "https://shopify.dev/api/usage/rate-limits"


@functools.cache
def admin_schema() -> GraphQLSchema:
    """Return the schema with its resolvers, built once."""
    return schema_of(SDL, RESOLVERS, {"Decimal": decimal_text, "Money": money_text})


def create_app(shop: Shopify) -> Starlette:
    """Return the shop's API as an ASGI app."""
    api = Api(shop)
    return Starlette(
        routes=[
            Route("/admin/oauth/access_token", api.token, methods=["POST"]),
            Route("/admin/api/{version}/graphql.json", api.graphql, methods=["POST"]),
        ]
    )


class Api:
    """The endpoints."""

    def __init__(self, shop: Shopify) -> None:
        self._shop = shop
        self._schema = admin_schema()

    async def token(self, request: Request) -> JSONResponse:
        """Give an app of the merchant's own a token that lasts 24 hours.

        (shopify.dev, "Using the client credentials grant".) The body may be a form or JSON.
        """
        sent = _sent(await request.body(), request.headers.get("content-type", ""))
        if sent.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        known = (self._shop.client_id, self._shop.client_secret)
        if (sent.get("client_id"), sent.get("client_secret")) != known:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = f"shpat_{secrets.token_hex(16)}"
        self._shop.tokens[token] = self._shop.clock.now().timestamp() + TOKEN_LASTS
        scope = ",".join(sorted(self._shop.scopes))
        return JSONResponse({"access_token": token, "scope": scope, "expires_in": TOKEN_LASTS})

    async def graphql(self, request: Request) -> JSONResponse:
        """Execute a query or mutations."""
        version = request.path_params["version"]
        if not VERSION.fullmatch(version):
            return JSONResponse({"errors": "Not Found"}, status_code=404)
        token = request.headers.get("x-shopify-access-token", "")
        if self._shop.tokens.get(token, 0) <= self._shop.clock.now().timestamp():
            return JSONResponse({"errors": WRONG_TOKEN}, status_code=401)
        body = await request.body()
        with self._shop.lock:
            self._shop.pass_seconds(self._shop.seconds_per_answer)
            try:
                shown = self._execute(read_operation(self._schema, body))
            except RefusedError as error:
                status = 400 if error.is_request else 200
                return JSONResponse(error.answer, status_code=status)
        return JSONResponse(shown, headers={"X-Shopify-API-Version": version})

    def _execute(self, operation: Operation) -> Record:
        """Execute an operation if the bucket has enough points; those not needed stay in it.

        A query that may cost more than 1,000 points is always refused (MAX_COST_EXCEEDED); one for
        which there are not enough points yet is throttled. Both are answered
        with 200 (shopify.dev, "Status and error codes").
        """
        costs, bucket = Costs(operation), self._shop.bucket
        requested = costs.requested()
        if requested > MOST_FOR_A_QUERY:
            raise RefusedError([_too_dear(requested)])
        if requested > bucket.left:
            throttled = GraphQLError(
                "Throttled", extensions={"code": "THROTTLED", "documentation": DOCUMENTATION}
            )
            errors = RefusedError([throttled]).answer
            return {**errors, "extensions": {"cost": self._cost(requested, None)}}
        asked = Asked(self._shop)
        shown = answer(operation, asked)
        actual = costs.actual(shown.get("data"))
        bucket.take(actual)
        extensions: Record = {"cost": self._cost(requested, actual)}
        if asked.warnings:
            extensions["search"] = asked.warnings
        return {**shown, "extensions": extensions}

    def _cost(self, requested: int, actual: int | None) -> Record:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self._shop.bucket.status,
        }


def _too_dear(cost: int) -> GraphQLError:
    return GraphQLError(
        f"Query cost is {cost}, which exceeds the single query max cost limit"
        f" ({MOST_FOR_A_QUERY}).",
        extensions={
            "code": "MAX_COST_EXCEEDED",
            "cost": cost,
            "maxCost": MOST_FOR_A_QUERY,
            "documentation": DOCUMENTATION,
        },
    )


def _sent(body: bytes, kind: str) -> dict[str, Any]:
    if "json" not in kind:
        return dict(parse_qsl(body.decode()))
    try:
        read = simplejson.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
