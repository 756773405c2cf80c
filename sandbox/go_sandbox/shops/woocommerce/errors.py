"""The errors of the REST API: a code, a message for people, and data with the status."""

from __future__ import annotations


class RestError(Exception):
    """An error answer: `{"code": …, "message": …, "data": {"status": …}}`."""

    def __init__(self, status: int, code: str, message: str, **data: object) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status, **data}}


def invalid_parameters(reasons: dict[str, str]) -> RestError:
    """Return the error that names parameters with invalid values, and why."""
    message = f"Invalid parameter(s): {', '.join(reasons)}"
    details = {
        name: {"code": "rest_invalid_param", "message": reason, "data": None}
        for name, reason in reasons.items()
    }
    return RestError(400, "rest_invalid_param", message, params=reasons, details=details)


def no_route() -> RestError:
    """Return the error for an address or a method that is not served."""
    message = "No route was found matching the URL and request method."
    return RestError(404, "rest_no_route", message)
