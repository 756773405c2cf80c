"""Records every request that either system received, so that tests can count calls."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

import simplejson

WRITING = frozenset({"POST", "PATCH", "PUT", "DELETE"})
TOKEN_PATH = "/oauth/token"  # noqa: S105


@dataclass
class Request:
    """One request as it arrived; `at` is `time.monotonic()` in seconds.

    `status` is the status of the answer; None while the caller waits or if it got no answer.
    """

    system: str
    method: str
    path: str
    query: dict[str, str]
    at: float
    body: bytes = field(default=b"", repr=False)
    status: int | None = None

    def json(self) -> object:
        """Return the body read as JSON, fractions as Decimal; None for an empty body."""
        return simplejson.loads(self.body, use_decimal=True) if self.body else None


class RequestLog:
    """The requests to both systems in the order in which they arrived."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        """Record a request."""
        with self._lock:
            self._requests.append(request)

    def all(self) -> list[Request]:
        """Return every request since the last `clear`."""
        with self._lock:
            return list(self._requests)

    def matching(
        self, system: str | None = None, method: str | None = None, path: str | None = None
    ) -> list[Request]:
        """Return the requests of a system and method whose path the regular expression matches."""
        return [
            request
            for request in self.all()
            if (system is None or request.system == system)
            and (method is None or request.method == method.upper())
            and (path is None or re.search(path, request.path, re.IGNORECASE))
        ]

    def count(
        self, system: str | None = None, method: str | None = None, path: str | None = None
    ) -> int:
        """Return how many requests `matching` returns."""
        return len(self.matching(system, method, path))

    def writes(self, system: str = "go") -> list[Request]:
        """Return the requests meant to change something; fetching a token does not count."""
        return [request for request in self.matching(system) if is_write(request)]

    def reads(self, system: str = "go") -> list[Request]:
        """Return the GET requests to a system."""
        return self.matching(system, "GET")

    def busiest_second(self, system: str = "go") -> int:
        """Return the largest number of requests, tokens included, within any one second."""
        return busiest_window([request.at for request in self.matching(system)], 1.0)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._requests.clear()


def is_write(request: Request) -> bool:
    """Return whether a request is meant to change something; fetching a token does not count."""
    return request.method in WRITING and not request.path.lower().endswith(TOKEN_PATH)


def busiest_window(moments: list[float], seconds: float) -> int:
    """Return the largest number of moments that lie within less than `seconds` of each other."""
    ordered = sorted(moments)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
