"""A call to PowerOffice Go as a value, and what its answer means: a JSON value or an error.

Nothing is sent here: `sender` sends, and `client` combines the two.
"""

from __future__ import annotations

import datetime
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import simplejson
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from target_powerofficego.go_api.errors import (
    ConfigurationError,
    Conflict,
    DuplicateReference,
    GoError,
    MissingPrivilege,
    NotFound,
    Refused,
    RouteNotFound,
    TestFailed,
    TryAgainLater,
    UnknownOutcome,
    Unreachable,
)
from target_powerofficego.plugin.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.go_api.sender import Answer, NotAnswered


JSON = "application/json"
# The only media type that Go publishes for PATCH.
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True)
class Operation:
    """One step of a JSON Patch (RFC 6902). Its `repr` does not show the value."""

    op: Literal["test", "replace", "add", "remove"]
    path: str
    value: Any = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the step in the form that is sent; a `remove` has no value."""
        step = {"op": self.op, "path": self.path}
        return step if self.op == "remove" else {**step, "value": self.value}


@dataclass(frozen=True)
class Call:
    """A request: method, path below `api_url`, parameters and body.

    Its `repr` shows only the method and the path.
    """

    method: str
    path: str
    params: Mapping[str, Any] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    media_type: str = field(default=JSON, repr=False)
    is_guarded: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or "?" in self.path or "#" in self.path:
            raise ValueError("a path begins with / and has no query; give filters as params")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def query(self) -> dict[str, Any]:
        """Return the parameters in Go's form: `true`, `false`, and commas between values."""
        return {name: _to_parameter(value) for name, value in (self.params or {}).items()}

    @property
    def is_write(self) -> bool:
        """Whether the call may change something in Go."""
        return self.method != "GET"

    @property
    def resource(self) -> str:
        """The first part of the path, such as `SalesOrders`."""
        return self.path.split("/")[1]


def post_call(path: str, body: Any) -> Call:  # noqa: ANN401
    """Return a POST of a JSON body."""
    return Call("POST", path, body=_to_json(body))


def patch_call(path: str, operations: Sequence[Operation]) -> Call:
    """Return a PATCH with a JSON Patch, which Go applies as a whole or not at all."""
    return Call(
        "PATCH",
        path,
        body=_to_json([operation.to_json() for operation in operations]),
        media_type=JSON_PATCH,
        is_guarded=any(operation.op == "test" for operation in operations),
    )


def _to_parameter(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _to_json(value: Any) -> bytes:  # noqa: ANN401
    return simplejson.dumps(value, use_decimal=True).encode()


class CallCount:
    """Counts the requests that were sent, including repeats; safe to read from any thread.

    Token requests are counted separately from reads and writes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_resource: Counter[tuple[str, str]] = Counter()
        self.tokens = 0
        """Token requests."""

    def __repr__(self) -> str:
        return f"CallCount(reads={self.reads}, writes={self.writes}, tokens={self.tokens})"

    def note(self, method: str, resource: str) -> None:
        """Count a request for a resource such as `Customers`."""
        with self._lock:
            self._by_resource[method, resource] += 1

    def note_token(self) -> None:
        """Count a token request."""
        with self._lock:
            self.tokens += 1

    @property
    def by_resource(self) -> dict[tuple[str, str], int]:
        """Requests so far, by method and resource."""
        with self._lock:
            return dict(self._by_resource)

    @property
    def reads(self) -> int:
        """Requests that only read."""
        return sum(count for (method, _), count in self.by_resource.items() if method == "GET")

    @property
    def writes(self) -> int:
        """Requests that may have changed something."""
        return sum(count for (method, _), count in self.by_resource.items() if method != "GET")


_E = TypeVar("_E", bound=GoError)

MIN_WAIT_SECONDS = 1.0
_PLAUSIBLE_YEARS = range(2000, 9000)  # of a Date header
# An exhausted quota (403 of the gateway) lasts for hours or days; an earlier retry is pointless.
QUOTA_WAIT_SECONDS = 3600.0
# Any longer wait that Go asks for is too long for a run anyway.
MAX_WAIT_SECONDS = 30 * 86400.0
MAX_TITLE_LENGTH = 120
LATER = "try again later"

# How Go answers a failed `test` is not published. These words are from the .NET library that Go
# builds on ("The current value … is not equal to the test value …") and similar libraries. A bare
# "test" is not enough: it may be a customer's name.
TEST_WORDS = re.compile(
    r"current value|test value|test operation|operation '?\"?test\b|\btest (of \S+ )?(has )?failed",
    re.I,
)
TAKEN_WORDS = re.compile(r"already|in use|duplicate|must be unique|not unique", re.I)
REFERENCE_WORDS = re.compile(
    r"external ?import ?reference|\breference\b|external ?code|\bcode\b", re.I
)


@dataclass(frozen=True)
class Problem:
    """Why Go refused a call; read case-insensitively, as Go documents both `title` and `Title`."""

    status: int
    title: str
    detail: str
    is_from_gateway: bool
    is_cut: bool

    @classmethod
    def of(cls, response: Answer) -> Problem:
        """Read the body of a failed call; the texts are empty if it cannot be read."""
        try:
            body = read_json(response.content)
        except ValueError:
            body = None
        is_cut = body is None and response.content.lstrip().startswith(b"{")
        members = {name.lower(): value for name, value in body.items()} if is_entry(body) else {}
        is_from_gateway = "title" not in members and "message" in members
        title = members.get("message" if is_from_gateway else "title")
        detail = members.get("detail")
        return cls(
            status=response.status_code,
            title=" ".join(str(title or "").split())[:MAX_TITLE_LENGTH],
            detail=str(detail or ""),
            is_from_gateway=is_from_gateway,
            is_cut=is_cut,
        )


def is_entry(value: object) -> bool:
    """Return whether the value is a JSON object."""
    return isinstance(value, dict)


def value_of(call: Call, response: Answer, read: Callable[[bytes], Any] = read_json) -> Any:  # noqa: ANN401
    """Return the JSON value of a successful answer; None for 204, which Go gives for an empty list.

    Raises:
        GoError: the call failed; the subclass depends on the answer.
    """
    status = response.status_code
    if status >= 300:
        raise error_for(call, response)
    if status == 204 or call.method == "DELETE":
        return None
    try:
        return read(response.content)
    except ValueError:
        failure = no_answer_error(call, "the answer is cut off or is not JSON", status=status)
    raise failure


def error_for(call: Call, response: Answer) -> GoError:
    """Return the error for an answer whose status is not a success."""
    problem = Problem.of(response)
    status = problem.status
    retry_after = parse_retry_after(response)
    if status == 429 or _is_exhausted_quota(problem):
        later = _make_error(TryAgainLater, f"; {LATER}", call, problem)
        later.retry_after, later.pauses_all = seconds_to_pause(response), True
        return later
    if status >= 500 or status == 408:
        return no_answer_error(call, problem.title, status=status, retry_after=retry_after)
    if status < 400:
        message = f"{call}: {status}, a redirect, which Go never sends; check api_url"
        return ConfigurationError(message, method=call.method, path=call.path, status=status)
    if problem.is_cut:
        # What to do depends on the reason: a duplicate is linked, a failed test is merged again.
        return no_answer_error(call, "the answer is cut off", status=status)
    kind = _refusal_class(call, problem)
    return _make_error(kind, _ADVICE.get(kind, ""), call, problem)


def no_answer_error(
    call: Call, reason: str, *, status: int | None = None, retry_after: float | None = None
) -> GoError:
    """Return the error for a call that was sent, but whose answer is missing or unusable."""
    failure = f"{call}: " + " ".join(filter(None, (str(status or ""), reason)))
    if call.is_write:
        message = f"{failure}; it may or may not have been done, check before repeating it"
        return UnknownOutcome(message, method=call.method, path=call.path, status=status)
    later = TryAgainLater(f"{failure}; {LATER}", method=call.method, path=call.path, status=status)
    later.retry_after = retry_after
    return later


def not_sent_error(label: str, unanswered: NotAnswered) -> GoError | None:
    """Return the error for a request that was never sent; None if it may have been."""
    if unanswered.next_turn is not None:
        later = TryAgainLater(f"{label}: not sent, {unanswered}; {LATER}")
        later.retry_after = unanswered.next_turn
        return later
    if unanswered.is_permanent:
        return ConfigurationError(f"{label}: not sent, {unanswered}")
    if not unanswered.was_sent:
        return Unreachable(f"{label}: not sent, {unanswered}; check the address and the network")
    return None


def parse_retry_after(response: Answer) -> float | None:
    """Return the seconds in the `Retry-After` header; None if it is missing or unreadable."""
    header = response.headers.get("Retry-After")
    try:
        seconds = Retry().parse_retry_after(header) if header else None
    except (InvalidHeader, ValueError, OverflowError):  # thousands of digits, the year 99999
        return None
    return None if seconds is None else min(seconds, MAX_WAIT_SECONDS)


def parse_date(response: Answer) -> datetime.datetime | None:
    """Return the time in the `Date` header; None if it is missing or unreadable."""
    try:
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, OverflowError):
        return None
    if moment.year not in _PLAUSIBLE_YEARS:
        return None
    return moment.replace(tzinfo=moment.tzinfo or datetime.timezone.utc)


def seconds_to_pause(response: Answer) -> float:
    """Return how long the client pauses after a 429, or a 403 for an exhausted quota.

    It is what Go asks for: at least a second, and an hour by default for a quota.
    """
    retry_after = parse_retry_after(response)
    if response.status_code == 403:
        return retry_after or QUOTA_WAIT_SECONDS
    return max(retry_after or 0, MIN_WAIT_SECONDS)


_ADVICE: dict[type[GoError], str] = {
    MissingPrivilege: "; give the integration this privilege in PowerOffice Go",
    RouteNotFound: "; Go has no such path, check api_url",
}


def _refusal_class(call: Call, problem: Problem) -> type[GoError]:
    text = f"{problem.title} {problem.detail}"
    if problem.status == 403 or problem.title.lower() == "missing privilege":
        return MissingPrivilege
    if problem.status in {404, 405} and (problem.is_from_gateway or not problem.title):
        return RouteNotFound
    if call.is_guarded and problem.status in {400, 409, 412, 422} and TEST_WORDS.search(text):
        return TestFailed
    if problem.status == 400 and _is_taken_reference(problem.detail):
        return DuplicateReference
    return {404: NotFound, 409: Conflict}.get(problem.status, Refused)


def _is_taken_reference(detail: str) -> bool:
    return bool(REFERENCE_WORDS.search(detail) and TAKEN_WORDS.search(detail))


def _is_exhausted_quota(problem: Problem) -> bool:
    return problem.status == 403 and problem.is_from_gateway and "quota" in problem.title.lower()


def _make_error(kind: type[_E], advice: str, call: Call, problem: Problem) -> _E:
    return kind(
        f"{call}: {problem.status} {problem.title or 'no reason given'}{advice}",
        method=call.method,
        path=call.path,
        status=problem.status,
        title=problem.title,
        detail=problem.detail,
    )
