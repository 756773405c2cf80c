"""Why a request is refused: the API's problem bodies, and those of the gateway in front of it."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):  # noqa: N818
    """A request that breaks a rule of Go; answered as a problem body with lower-case names."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail

    @property
    def body(self) -> dict[str, Any]:
        """The body as it is sent."""
        return {"title": self.title, "status": self.status, "detail": self.detail}


class GatewayRefusal(Exception):  # noqa: N818
    """A request that never reaches Go: unknown route, missing key, too many requests."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The body as it is sent; the published schema has the status as text for 429."""
        code: int | str = str(self.status) if self.status == 429 else self.status
        return {"statusCode": code, "message": self.message}


def broken_rule(kind: str, detail: str, status: int = 400) -> Refusal:
    """Return the refusal of a value that breaks a rule of this kind of object."""
    return Refusal(status, f"{kind} validation error(s)", detail)


def unknown_reference(kind: str, field: str, value: object) -> Refusal:
    """Return the refusal of a body that names an object that does not exist (404, as in Go)."""
    return broken_rule(kind, f"{field} = {value} was not found", status=404)


def duplicate(kind: str, field: str, value: object, holder: object) -> Refusal:
    """Return the refusal of a value that another object already holds."""
    return broken_rule(kind, f'{field} "{value}" is already held by id {holder}')


def not_found(kind: str, object_id: object) -> Refusal:
    """Return the refusal of a path to an object that does not exist."""
    return Refusal(404, "Object(s) not found", f"{kind} with id = {object_id} was not found")


def in_use(kind: str, object_id: object, reason: str) -> Refusal:
    """Return the refusal to delete an object that something else depends on."""
    detail = f"{kind} with id = {object_id} cannot be deleted: {reason}"
    return Refusal(409, f"{kind} conflict", detail)


def bad_cast(detail: str) -> Refusal:
    """Return the refusal of JSON that does not fit the types of the API."""
    return Refusal(400, "Unable to cast object(s)", detail)


def bad_query(detail: str) -> Refusal:
    """Return the refusal of query parameters."""
    return Refusal(400, "Invalid resourceParameter", detail)


def no_route() -> GatewayRefusal:
    """Return the refusal of a route or method that is not published."""
    return GatewayRefusal(404, "Resource not found")
