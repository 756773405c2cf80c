"""Serves the admin API: sessions, and the status of errors."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from graphql import GraphQLSyntaxError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from go_sandbox.shops.graphql import RefusedError, answer, read_operation, schema_of
from go_sandbox.shops.vendure.answers import RESOLVERS, Asked
from go_sandbox.shops.vendure.schema import SDL

if TYPE_CHECKING:
    from graphql import GraphQLSchema
    from starlette.requests import Request

    from go_sandbox.shops.vendure.shop import Vendure

TOKEN = "vendure-auth-token"  # noqa: S105 - a header's name


@functools.cache
def admin_schema() -> GraphQLSchema:
    """Return the schema with its resolvers, built once."""
    return schema_of(SDL, RESOLVERS)


def create_app(shop: Vendure) -> Starlette:
    """Return the shop's API as an ASGI app."""

    async def admin_api(request: Request) -> JSONResponse:
        """Execute a query or mutations, in the session of a bearer token.

        Fields that the schema does not have are answered with 400; values that do not fit it,
        refusals of resolvers and callers without permission, with 200.
        """
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        body = await request.body()
        with shop.lock:
            asked = Asked(shop, token)
            try:
                shown = answer(read_operation(admin_schema(), body), asked)
            except RefusedError as error:
                return refused(error)
        headers = {TOKEN: asked.token} if asked.token != token else {}
        return JSONResponse(shown, headers=headers)

    return Starlette(routes=[Route("/admin-api", admin_api, methods=["POST"])])


def refused(error: RefusedError) -> JSONResponse:
    """Return the answer to a request that is not executed."""
    code = "GRAPHQL_VALIDATION_FAILED"
    if error.is_in_values:
        code = "BAD_USER_INPUT"
    elif isinstance(error.errors[0], GraphQLSyntaxError):
        code = "GRAPHQL_PARSE_FAILED"
    errors = [{**fault, "extensions": {"code": code}} for fault in error.answer["errors"]]
    return JSONResponse({"errors": errors}, status_code=200 if error.is_in_values else 400)
