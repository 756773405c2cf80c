"""One thing that shall go wrong, or happen, when a certain request arrives at either system."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.requests_log import Request

System = Literal["go", "shop"]
Moment = Literal["before", "after"]


@dataclass(kw_only=True)
class Trigger:
    """Picks requests by system, method and path (a regular expression found in it, case-free).

    Lets `skip` matching requests by first, then strikes `times` times (None: for ever).
    """

    system: System = "go"
    method: str | None = None
    path: str | None = None
    skip: int = 0
    times: int | None = 1
    struck: int = field(default=0, init=False)
    _let_by: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        _must_be("system", self.system, ("go", "shop"))
        re.compile(self.path or "")

    def strikes(self, request: Request) -> bool:
        """Tell whether this request is struck, and count it."""
        is_struck = self._is_due(request)
        self.struck += is_struck
        return is_struck

    def _is_due(self, request: Request) -> bool:
        if not self._matches(request) or (self.times is not None and self.struck >= self.times):
            return False
        if self._let_by < self.skip:
            self._let_by += 1
            return False
        return True

    def _matches(self, request: Request) -> bool:
        return (
            self.system == request.system
            and (self.method is None or self.method.upper() == request.method)
            and (self.path is None or bool(re.search(self.path, request.path, re.IGNORECASE)))
        )


@dataclass(kw_only=True)
class Fault(Trigger):
    """One thing that goes wrong; `struck` tells how often it did.

    status, body, html: this answer instead of the system's own. The system does not see the
        request, unless `after_commit` is set: then it has acted and its answer is lost.
    delay_seconds: the answer comes so much later; the system has acted by then.
    reset: the connection is reset without an answer, before the system sees the request or
        after it has acted.
    broken_json: the system acts, and its answer is cut in the middle.
    drip_seconds: the answer's body trickles in, spread over so long; the system has acted by then.
    revoke_tokens: every token that Go gave out is invalid from this request on.
    headers: added to whatever is answered.
    """

    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: object = None
    delay_seconds: float = 0
    reset: Moment | None = None
    broken_json: bool = False
    drip_seconds: float = 0
    revoke_tokens: bool = False
    html: bool = False
    after_commit: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _must_be("reset", self.reset, (None, "before", "after"))
        if self.revoke_tokens and self.system != "go":
            message = "revoke_tokens is a fault of Go; the shop's token never changes"
            raise ValueError(message)
        if not (self.replaces_answer or self.changes_answer or self.reset or self.revoke_tokens):
            message = "this fault does nothing: give it a status, delay_seconds, reset or the like"
            raise ValueError(message)

    @property
    def replaces_answer(self) -> bool:
        """Whether the caller gets another answer than the system's own."""
        return self.status is not None or self.body is not None or self.html

    @property
    def changes_answer(self) -> bool:
        """Whether the system's own answer arrives later, slowly, cut or with more headers."""
        return bool(self.delay_seconds or self.drip_seconds or self.broken_json or self.headers)

    @property
    def keeps_request_away(self) -> bool:
        """Whether the system never sees the request."""
        return self.reset == "before" or (
            self.replaces_answer and not self.after_commit and self.reset is None
        )


@dataclass(kw_only=True)
class Hook(Trigger):
    """Runs Python when a request arrives: before the system sees it, or after it has acted."""

    call: Callable[[Request], None]
    when: Moment = "before"

    def __post_init__(self) -> None:
        super().__post_init__()
        _must_be("when", self.when, ("before", "after"))


def _must_be(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        message = f"{name} is {value!r}, but must be one of {allowed}"
        raise ValueError(message)
