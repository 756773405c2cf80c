"""The shop's errors as RFC 9457 problem bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request

TITLES = {
    400: "Bad request",
    401: "Not authorized",
    404: "Not found",
    405: "Method not allowed",
    409: "Deleted",
    412: "Changed meanwhile",
    415: "Unsupported media type",
    422: "Cannot be changed so",
    429: "Too many requests",
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> HTTPException:
    """Return an error to raise, to be answered as a problem body."""
    return HTTPException(status, detail, headers)


async def answer_problem(_: Request, error: Exception) -> JSONResponse:
    """Answer an error as `application/problem+json`."""
    if not isinstance(error, HTTPException):
        raise error
    body = {
        "type": "about:blank",
        "title": TITLES.get(error.status_code, "Error"),
        "status": error.status_code,
        "detail": error.detail,
    }
    return JSONResponse(
        body,
        status_code=error.status_code,
        headers=dict(error.headers or {}),
        media_type="application/problem+json",
    )
