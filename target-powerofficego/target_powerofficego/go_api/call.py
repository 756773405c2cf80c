"""One call to PowerOffice Go as a value, before anything is sent; and how many were sent."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import simplejson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
