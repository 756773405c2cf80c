"""Faults and hooks: what goes wrong or runs when certain requests arrive at either system."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from go_sandbox.requests_log import is_write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from go_sandbox.requests_log import Request

System = Literal["go", "shop"]
Moment = Literal["before", "after"]
Kind = TypeVar("Kind")

KINDS: Mapping[str, Mapping[str, Any]] = {
    "429": {"status": 429},
    "429_retry_after": {"status": 429, "headers": {"Retry-After": "1"}},
    "500": {"status": 500},
    "502": {"status": 502, "html": True},
    "503": {"status": 503, "headers": {"Retry-After": "1"}},
    "500_after": {"status": 500, "after_commit": True},
    "delay": {"delay_seconds": 0},
    "drip": {"drip_seconds": 0},
    "reset_before": {"reset": "before"},
    "reset_after": {"reset": "after"},
    "cut_json": {"broken_json": True},
    "invalid_json": {"status": 200, "body": '{"Id": 17, "Name": oops', "after_commit": True},
    "html": {"status": 200, "html": True, "after_commit": True},
    "revoked_token": {"revoke_tokens": True},
}
"""The terms of each kind of fault; a delay and a drip last `slow_seconds`."""
LOST_ANSWERS = ("500_after", "reset_after", "cut_json", "invalid_json", "html")
"""The kinds in which the system acts and its answer is lost."""


@dataclass(kw_only=True)
class Trigger:
    """Picks requests by system, method and path (a regular expression searched in it, in any case).

    First lets `skip` matching requests pass, then strikes `times` times (None: for ever).
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
        """Return whether this request is struck, and count it."""
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
    """A fault; `struck` is how often it struck.

    status, body, html: this answer instead of the system's own. The system does not see the
        request, unless `after_commit` is set: then it has acted and its answer is lost.
    delay_seconds: the answer comes this much later; the system has acted by then.
    reset: the connection is reset without an answer, before the system sees the request or
        after it has acted.
    broken_json: the system acts, and its answer is cut off in the middle.
    drip_seconds: the answer's body trickles in over this time; the system has acted by then.
    revoke_tokens: every token that Go has issued is invalid from this request on.
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
            raise ValueError("revoke_tokens is a fault of Go; the shop's token never changes")
        if not (self.replaces_answer or self.changes_answer or self.reset or self.revoke_tokens):
            raise ValueError(
                "this fault does nothing: give it a status, delay_seconds, reset or the like"
            )

    @property
    def replaces_answer(self) -> bool:
        """Whether the caller gets an answer other than the system's own."""
        return self.status is not None or self.body is not None or self.html

    @property
    def changes_answer(self) -> bool:
        """Whether the system's own answer arrives late, slowly, cut off or with more headers."""
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
        raise ValueError(f"{name} is {value!r}, but must be one of {allowed}")


def kinds_of(system: str) -> tuple[str, ...]:
    """Return every kind of fault that a system can have; the shop's token is never revoked."""
    return tuple(kind for kind in KINDS if system == "go" or kind != "revoked_token")


@dataclass(kw_only=True)
class RandomFaults(Trigger):
    """Strikes a share of the requests that it picks, each with a fault of some kind.

    The seed decides for the first, the second … such request. A run can be repeated as far as the
    requests come in the same order, which is not so with several threads.

    seed: what the choices are derived from.
    share: the share of the requests that is struck, between 0 and 1.
    kinds: names in `KINDS`; each is as likely as the others.
    writes_only: leaves reads and token requests alone.
    slow_seconds: how long a delay or a drip takes; longer than the caller's patience, and the
        caller gives up.
    struck_by: how often each kind struck.
    """

    seed: int
    share: float
    kinds: tuple[str, ...]
    writes_only: bool = False
    slow_seconds: float = 3
    struck_by: dict[str, int] = field(default_factory=dict, init=False)
    _chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = set(self.kinds) - set(kinds_of(self.system))
        if unknown or not self.kinds:
            raise ValueError(
                f"kinds must be some of {kinds_of(self.system)}, not {sorted(unknown)}"
            )
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}, but must be between 0 and 1")
        self._chance = random.Random(self.seed)  # noqa: S311 - repeatable, not secret

    def fault_for(self, request: Request) -> Fault | None:
        """Return the fault that strikes this request, counting it."""
        if (self.writes_only and not is_write(request)) or not self._is_due(request):
            return None
        is_struck = self._chance.random() < self.share
        kind = self._chance.choice(self.kinds)
        if not is_struck:
            return None
        self.struck += 1
        self.struck_by[kind] = self.struck_by.get(kind, 0) + 1
        slow = {name: self.slow_seconds for name in KINDS[kind] if name.endswith("_seconds")}
        return Fault(system=self.system, **{**KINDS[kind], **slow})


class Faults:
    """The faults and hooks of both systems. The first fault that strikes a request wins.

    Random faults come after the others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._random: list[RandomFaults] = []
        self._hooks: list[Hook] = []
        self.failed_hooks: list[Exception] = []

    def add(self, **terms: Any) -> Fault:  # noqa: ANN401
        """Add a fault; see `Fault` for the terms and what they mean.

        Raises:
            ValueError: when the fault would do nothing or a value is not one of those allowed.
            TypeError: when a fault has no such term.
        """
        return self._kept(Fault(**terms), self._faults)

    def at_random(
        self,
        *,
        seed: int,
        share: float = 0.05,
        kinds: Collection[str] | None = None,
        system: System = "go",
        method: str | None = None,
        path: str | None = None,
        writes_only: bool = False,
        slow_seconds: float = 3,
    ) -> RandomFaults:
        """Let faults of some kinds strike a share of the requests; see `RandomFaults`.

        Raises:
            ValueError: when there is no such kind, or the share is not between 0 and 1.
        """
        random_faults = RandomFaults(
            system=system,
            method=method,
            path=path,
            times=None,
            seed=seed,
            share=share,
            kinds=tuple(kinds) if kinds is not None else kinds_of(system),
            writes_only=writes_only,
            slow_seconds=slow_seconds,
        )
        return self._kept(random_faults, self._random)

    def on(
        self,
        system: System,
        method: str | None,
        path: str | None,
        call: Callable[[Request], None],
        *,
        skip: int = 0,
        times: int | None = 1,
        when: Moment = "before",
    ) -> Hook:
        """Run `call` when such a request arrives; the caller is answered after `call` has returned.

        What it raises is kept, and raised when the sandbox stops.
        """
        hook = Hook(
            system=system, method=method, path=path, call=call, skip=skip, times=times, when=when
        )
        return self._kept(hook, self._hooks)

    def _kept(self, rule: Kind, among: list[Kind]) -> Kind:
        with self._lock:
            among.append(rule)
        return rule

    def all(self) -> list[Fault | RandomFaults]:
        """Return every fault, used-up ones included, and the random ones after them."""
        with self._lock:
            return [*self._faults, *self._random]

    def clear(self) -> None:
        """Forget all faults and hooks."""
        with self._lock:
            self._faults.clear()
            self._random.clear()
            self._hooks.clear()

    def striking(self, request: Request) -> Fault | None:
        """Return the fault that strikes this request, counting it."""
        with self._lock:
            for fault in self._faults:
                if fault.strikes(request):
                    return fault
            found = (random_faults.fault_for(request) for random_faults in self._random)
            return next((fault for fault in found if fault), None)

    def hooks_due(self, request: Request, when: Moment) -> list[Hook]:
        """Return the hooks that strike this request at this moment, counting them."""
        with self._lock:
            return [hook for hook in self._hooks if hook.when == when and hook.strikes(request)]

    def run(self, hook: Hook, request: Request) -> None:
        """Run a hook, and keep what it raises until the end."""
        try:
            hook.call(request)
        except Exception as error:  # noqa: BLE001
            self.failed_hooks.append(error)
