"""Everything that can come of a call to PowerOffice Go besides an answer, by what to do about it.

GoError
 ├─ StopRun                 no call can succeed: end the run; nothing was done by this call
 │   ├─ ConfigurationError  an address, key or setting cannot be right as it stands
 │   ├─ RouteNotFound       Go has no such path or method: api_url or this program is wrong
 │   ├─ WrongKeys           Go does not accept the keys
 │   ├─ MissingPrivilege    the keys are good, but lack a privilege
 │   ├─ Unreachable         no connection within the retry budget: name, refused, TLS
 │   ├─ OutOfService          Go failed for the whole budget, whatever was asked; or a list has no end
 │   └─ StopRequested       `GoClient.cancel()` was called while this call waited its turn
 ├─ TryAgainLater           repeat in a later run: a read that kept failing, or any call that Go
 │                          kept turning away unread; nothing was done by this call
 ├─ UnknownOutcome          a write left and its answer is missing: look before repeating
 └─ Refused                 Go understood and said no: reject this record, go on with others
     ├─ NotFound            the entry is not there
     ├─ Conflict            the entry is in use or already posted
     ├─ TestFailed          a guarded patch met another value: read again, merge again
     └─ DuplicateReference  the reference is taken: find the entry that bears it and link it

`str()` of each is one line with method, path, status and title. Go's `detail` may quote personal
data and stands only in `.detail`; keys, tokens, bodies and queries stand nowhere.
"""

from __future__ import annotations

# ruff: noqa: N818 - the names say what to do, as the tree above shows


class GoError(Exception):
    """A call to PowerOffice Go that gave no answer to work with.

    Attributes:
        method, path: the call; empty when the error is about no call in particular.
        status: the HTTP status Go answered, None when there was no answer.
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
    """No call can succeed as things are; this one did nothing."""


class ConfigurationError(StopRun):
    """An address, key or setting that cannot be right as it stands."""


class RouteNotFound(StopRun):
    """The gateway before Go knows no such path or method.

    Its body distinguishes it from a missing entry: `statusCode` and `message`, no `title`.
    """


class WrongKeys(StopRun):
    """Go does not accept the keys: no token for them, or 401 with a brand-new token."""


class MissingPrivilege(StopRun):
    """The keys are good but lack a privilege: 403, or 400 `Missing privilege`."""


class Unreachable(StopRun):
    """No connection came about within the retry budget, so nothing was sent."""


class OutOfService(StopRun):
    """Go kept failing for a whole retry budget, whatever was asked; or a list of it has no end."""


class StopRequested(StopRun):
    """The client was told to stop while this call waited; it was not made."""


class TryAgainLater(GoError):
    """Go is busy or out of order, and this call did nothing.

    Attributes:
        retry_after: seconds to wait as Go asked for them, None when it did not.
        pauses_all: whether Go turned the client away as such (429), and not just this call.
    """

    retry_after: float | None = None
    pauses_all: bool = False


class UnknownOutcome(GoError):
    """A write was sent and its answer is missing; only Go knows whether it happened."""


class Refused(GoError):
    """Go understood the call and said no; nothing was changed."""


class NotFound(Refused):
    """The entry of the path, or one that the body names, is not there."""


class Conflict(Refused):
    """409: the entry is in use, or already posted."""


class TestFailed(Refused):
    """A JSON Patch `test` met another value than expected; nothing was changed."""

    __test__ = False  # pytest takes names that begin with Test for test cases


class DuplicateReference(Refused):
    """Another entry already bears the reference."""
