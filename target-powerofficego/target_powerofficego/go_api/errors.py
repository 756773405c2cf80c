"""The errors of calls to PowerOffice Go, grouped by what to do about them.

GoError
 ├─ StopRun                 no call can succeed: end the run; this call did nothing
 │   ├─ ConfigurationError  an address, key or setting cannot be right
 │   ├─ RouteNotFound       Go has no such path or method: api_url or this program is wrong
 │   ├─ WrongKeys           Go does not accept the keys
 │   ├─ MissingPrivilege    the keys are valid, but lack a privilege
 │   ├─ Unreachable         no connection within the retry budget: name, refused, TLS
 │   ├─ OutOfService        every call failed until the budget was spent; or a list has no end
 │   └─ StopRequested       `GoClient.cancel()` was called while this call waited for its turn
 ├─ TryAgainLater           repeat in a later run: a read that kept failing, or any call that Go
 │                          kept rejecting unread; this call did nothing
 ├─ UnknownOutcome          a write was sent and its answer is missing: check before repeating it
 └─ Refused                 Go understood the call and refused it: reject this record, continue
     ├─ NotFound            the entry does not exist
     ├─ Conflict            the entry is in use or already posted
     ├─ TestFailed          a guarded patch found another value: read again, merge again
     └─ DuplicateReference  the reference is taken: find the entry that has it and link it

`str()` of each is one line with method, path, status and title. Go's `detail` may quote personal
data and is only in `.detail`; keys, tokens, bodies and queries are in none of them.
"""

from __future__ import annotations

# ruff: noqa: N818 - the names say what to do, as the tree above shows


class GoError(Exception):
    """A call to PowerOffice Go that failed.

    Attributes:
        method, path: the call; empty if the error is not about a particular call.
        status: the HTTP status of the answer; None without an answer.
        title: Go's short name for the problem.
        detail: Go's explanation, which may quote personal data; never part of `str()`.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        path: str = "",
        status: int | None = None,
        title: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.status = status
        self.title = title
        self.detail = detail


class StopRun(GoError):
    """No call can succeed; this one did nothing."""


class ConfigurationError(StopRun):
    """An address, key or setting that cannot be right."""


class RouteNotFound(StopRun):
    """The gateway in front of Go does not know the path or method.

    Its body distinguishes this from a missing entry: `statusCode` and `message`, but no `title`.
    """


class WrongKeys(StopRun):
    """Go does not accept the keys: it gives no token for them, or answers 401 to a new token."""


class MissingPrivilege(StopRun):
    """The keys are valid but lack a privilege: 403, or 400 `Missing privilege`."""


class Unreachable(StopRun):
    """There was no connection within the retry budget, so nothing was sent."""


class OutOfService(StopRun):
    """Go failed every call until the retry budget was spent; or one of its lists has no end."""


class StopRequested(StopRun):
    """The client was stopped while this call waited; it was not made."""


class TryAgainLater(GoError):
    """Go is busy or not working; this call did nothing.

    Attributes:
        retry_after: the seconds that Go asks to wait, or None.
        pauses_all: whether Go rejected the client as such (429), and not only this call.
    """

    retry_after: float | None = None
    pauses_all: bool = False


class UnknownOutcome(GoError):
    """A write was sent and its answer is missing; only Go knows whether it was done."""


class Refused(GoError):
    """Go understood the call and refused it; nothing was changed."""


class NotFound(Refused):
    """The entry of the path, or one that the body refers to, does not exist."""


class Conflict(Refused):
    """409: the entry is in use, or already posted."""


class TestFailed(Refused):
    """A JSON Patch `test` found a value other than the expected one; nothing was changed."""

    __test__ = False  # pytest takes names that begin with Test for test cases


class DuplicateReference(Refused):
    """Another entry already has the reference."""
