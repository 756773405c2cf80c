"""Counts the requests that went out to PowerOffice Go."""

from __future__ import annotations

import threading
from collections import Counter


class CallCount:
    """How many requests were sent, repeats included; safe to read from any thread.

    Requests for a token are counted apart from reads and writes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_resource: Counter[tuple[str, str]] = Counter()
        self._tokens = 0

    def __repr__(self) -> str:
        return f"CallCount(reads={self.reads}, writes={self.writes}, tokens={self.tokens})"

    def note(self, method: str, resource: str) -> None:
        """Count one request for a resource such as `Customers`."""
        with self._lock:
            self._by_resource[method, resource] += 1

    def note_token(self) -> None:
        """Count one request for a token."""
        with self._lock:
            self._tokens += 1

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

    @property
    def tokens(self) -> int:
        """Requests for a token."""
        with self._lock:
            return self._tokens
