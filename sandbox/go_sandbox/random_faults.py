"""Faults that strike a share of the requests, chosen by a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from go_sandbox.requests_log import is_write
from go_sandbox.trigger import Fault, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from go_sandbox.requests_log import Request

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
"""What each kind of fault is made of; a delay and a drip last `slow_seconds`."""

LOST_ANSWERS = ("500_after", "reset_after", "cut_json", "invalid_json", "html")
"""The kinds that let the system act and hide its answer."""


def kinds_of(system: str) -> tuple[str, ...]:
    """Return every kind of fault that a system can have; the shop's token is never revoked."""
    return tuple(kind for kind in KINDS if system == "go" or kind != "revoked_token")


@dataclass(kw_only=True)
class RandomFaults(Trigger):
    """Strikes a share of the requests that it picks, each with a fault of some kind.

    The seed decides for the first, the second … such request. It gives the same run again as far
    as the requests come in the same order, which calls from several threads do not.

    seed: what the choices are made by.
    share: how many of the requests are struck, between 0 and 1.
    kinds: names in `KINDS`; each is as likely as the others.
    writes_only: leaves reads and tokens alone.
    slow_seconds: how long a delay or a drip takes; more than the caller waits makes it give up.
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
            message = f"kinds must be some of {kinds_of(self.system)}, not {sorted(unknown)}"
            raise ValueError(message)
        if not 0 <= self.share <= 1:
            message = f"share is {self.share}, but must be between 0 and 1"
            raise ValueError(message)
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
