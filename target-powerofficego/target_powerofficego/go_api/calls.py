"""A call to PowerOffice Go as a value, and what its answer means: a value or the fitting error.

Nothing is sent here: `sender` sends, and `client` puts the two together.
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
    """One step of a JSON Patch (RFC 6902); `repr` shows no value."""

    op: Literal["test", "replace", "add", "remove"]
    path: str
    value: Any = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the step as it is sent; a `remove` has no value."""
        step = {"op": self.op, "path": self.path}
        return step if self.op == "remove" else {**step, "value": self.value}


@dataclass(frozen=True)
class Call:
    """A method, a path below `api_url` and what goes with them; `repr` shows only these two."""

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
        """Return the parameters as Go reads them: `true`, `false`, and commas between values."""
        return {name: _as_go_reads(value) for name, value in (self.params or {}).items()}

    @property
    def is_write(self) -> bool:
        """Whether Go may change something because of it."""
        return self.method != "GET"

    @property
    def resource(self) -> str:
        """The first part of the path, such as `SalesOrders`."""
        return self.path.split("/")[1]


def posting(path: str, body: Any) -> Call:  # noqa: ANN401
    """Return the call that creates what `body` describes."""
    return Call("POST", path, body=_to_json(body))


def patching(path: str, operations: Sequence[Operation]) -> Call:
    """Return the call that carries out the steps, all or none."""
    return Call(
        "PATCH",
        path,
        body=_to_json([operation.to_json() for operation in operations]),
        media_type=JSON_PATCH,
        is_guarded=any(operation.op == "test" for operation in operations),
    )


def _as_go_reads(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _to_json(value: Any) -> bytes:  # noqa: ANN401
    return simplejson.dumps(value, use_decimal=True).encode()


class CallCount:
    """How many requests were sent, repeats included; safe to read from any thread.

    Requests for a token are counted apart from reads and writes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_resource: Counter[tuple[str, str]] = Counter()
        self.tokens = 0
        """Requests for a token."""

    def __repr__(self) -> str:
        return f"CallCount(reads={self.reads}, writes={self.writes}, tokens={self.tokens})"

    def note(self, method: str, resource: str) -> None:
        """Count one request for a resource such as `Customers`."""
        with self._lock:
            self._by_resource[method, resource] += 1

    def note_token(self) -> None:
        """Count one request for a token."""
        with self._lock:
            self.tokens += 1

    @property
    def by_resource(self) -> dict[tuple[str, str], int]:
        """Requests by method and resource, as they stand now."""
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

LEAST_WAIT_SECONDS = 1.0
_YEARS = range(2000, 9000)  # the years that are believed in a Date header
# A used-up quota (403 of the gateway) lasts for hours or days; nothing shorter is worth a try.
QUOTA_WAIT_SECONDS = 3600.0
# What Go asks for beyond it is the same to any run: too long.
LONGEST_WAIT_SECONDS = 30 * 86400.0
LONGEST_TITLE = 120
LATER = "try again later"

# What a failed `test` answers is not published. These are the words of the .NET library that Go
# builds on ("The current value … is not equal to the test value …") and of its likes. A bare
# "test" is not enough: a customer may be called so.
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
    """Why Go said no, read without regard to case (`title` and `Title` are both published)."""

    status: int
    title: str
    detail: str
    is_from_gateway: bool
    is_cut: bool

    @classmethod
    def of(cls, response: Answer) -> Problem:
        """Read the body of a failed call; one that cannot be read gives empty texts."""
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
            title=" ".join(str(title or "").split())[:LONGEST_TITLE],
            detail=str(detail or ""),
            is_from_gateway=is_from_gateway,
            is_cut=is_cut,
        )


def is_entry(value: object) -> bool:
    """Return whether the value is a JSON object."""
    return isinstance(value, dict)


def value_of(call: Call, response: Answer, read: Callable[[bytes], Any] = read_json) -> Any:  # noqa: ANN401
    """Return the JSON value of a successful answer, None for 204 (Go's way to say "no entries").

    Raises:
        GoError: the kind that fits a failed call.
    """
    status = response.status_code
    if status >= 300:
        raise failure_of(call, response)
    if status == 204 or call.method == "DELETE":
        return None
    try:
        return read(response.content)
    except ValueError:
        failure = without_answer(call, "the answer is cut off or is not JSON", status=status)
    raise failure


def failure_of(call: Call, response: Answer) -> GoError:
    """Return the error for an answer that is no success."""
    problem = Problem.of(response)
    status = problem.status
    asked_wait = seconds_to_wait(response)
    if status == 429 or _is_used_up_quota(problem):
        later = _with_problem(TryAgainLater, f"; {LATER}", call, problem)
        later.retry_after, later.pauses_all = seconds_when_turned_away(response), True
        return later
    if status >= 500 or status == 408:
        return without_answer(call, problem.title, status=status, retry_after=asked_wait)
    if status < 400:
        message = f"{call}: {status}, a redirect, which Go never gives; check api_url"
        return ConfigurationError(message, method=call.method, path=call.path, status=status)
    if problem.is_cut:
        # Why Go said no decides what to do: a duplicate is linked, a failed test merged again.
        return without_answer(call, "the answer is cut", status=status)
    kind = _kind_of_refusal(call, problem)
    return _with_problem(kind, _ADVICE.get(kind, ""), call, problem)


def without_answer(
    call: Call, why: str, *, status: int | None = None, retry_after: float | None = None
) -> GoError:
    """Return the error for a call that left and whose answer is missing or of no use."""
    said = " ".join(part for part in (str(status or ""), why) if part)
    if call.is_write:
        message = f"{call}: {said}; whether it was done is not known, look before repeating it"
        return UnknownOutcome(message, method=call.method, path=call.path, status=status)
    later = TryAgainLater(
        f"{call}: {said}; {LATER}", method=call.method, path=call.path, status=status
    )
    later.retry_after = retry_after
    return later


def not_sent(what: str, unanswered: NotAnswered) -> GoError | None:
    """Return the error for a request that never left; None for one that did."""
    if unanswered.next_turn is not None:
        later = TryAgainLater(f"{what}: not sent, {unanswered}; {LATER}")
        later.retry_after = unanswered.next_turn
        return later
    if unanswered.is_for_good:
        return ConfigurationError(f"{what}: not sent, {unanswered}")
    if not unanswered.had_left:
        return Unreachable(f"{what}: not sent, {unanswered}; check the address and the network")
    return None


def seconds_to_wait(response: Answer) -> float | None:
    """Return the seconds that the `Retry-After` header asks for, None without a readable one."""
    header = response.headers.get("Retry-After")
    try:
        asked = Retry().parse_retry_after(header) if header else None
    except (InvalidHeader, ValueError, OverflowError):  # thousands of digits, the year 99999
        return None
    return None if asked is None else min(asked, LONGEST_WAIT_SECONDS)


def date_of(response: Answer) -> datetime.datetime | None:
    """Return the moment that the `Date` header gives, None without a readable one."""
    try:
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, OverflowError):
        return None
    if moment.year not in _YEARS:
        return None
    return moment.replace(tzinfo=moment.tzinfo or datetime.timezone.utc)


def seconds_when_turned_away(response: Answer) -> float:
    """Return how long the whole client waits after a 429: what Go asks, but at least a second."""
    asked_wait = seconds_to_wait(response)
    if response.status_code == 403:
        return asked_wait or QUOTA_WAIT_SECONDS
    return max(asked_wait or 0, LEAST_WAIT_SECONDS)


_ADVICE: dict[type[GoError], str] = {
    MissingPrivilege: "; give the integration this privilege in PowerOffice Go",
    RouteNotFound: "; Go has no such path, check api_url",
}


def _kind_of_refusal(call: Call, problem: Problem) -> type[GoError]:
    said = f"{problem.title} {problem.detail}"
    if problem.status == 403 or problem.title.lower() == "missing privilege":
        return MissingPrivilege
    if problem.status in {404, 405} and (problem.is_from_gateway or not problem.title):
        return RouteNotFound
    if call.is_guarded and problem.status in {400, 409, 412, 422} and TEST_WORDS.search(said):
        return TestFailed
    if problem.status == 400 and _speaks_of_taken_reference(problem.detail):
        return DuplicateReference
    return {404: NotFound, 409: Conflict}.get(problem.status, Refused)


def _speaks_of_taken_reference(detail: str) -> bool:
    return bool(REFERENCE_WORDS.search(detail) and TAKEN_WORDS.search(detail))


def _is_used_up_quota(problem: Problem) -> bool:
    return problem.status == 403 and problem.is_from_gateway and "quota" in problem.title.lower()


def _with_problem(kind: type[_E], advice: str, call: Call, problem: Problem) -> _E:
    return kind(
        f"{call}: {problem.status} {problem.title or 'no reason given'}{advice}",
        method=call.method,
        path=call.path,
        status=problem.status,
        title=problem.title,
        detail=problem.detail,
    )
