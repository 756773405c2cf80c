"""What shall go wrong, or happen, when a certain request arrives at either system."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from go_sandbox.random_faults import RandomFaults, kinds_of
from go_sandbox.trigger import Fault, Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from go_sandbox.requests_log import Request
    from go_sandbox.trigger import Moment, System


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

    def add(
        self,
        *,
        system: System = "go",
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        delay_seconds: float = 0,
        reset: Moment | None = None,
        broken_json: bool = False,
        drip_seconds: float = 0,
        revoke_tokens: bool = False,
        html: bool = False,
        after_commit: bool = False,
        skip: int = 0,
        times: int | None = 1,
    ) -> Fault:
        """Add a fault; `Fault` tells what the arguments mean.

        Raises:
            ValueError: when the fault would do nothing or a value is not one of those allowed.
        """
        fault = Fault(
            system=system,
            method=method,
            path=path,
            status=status,
            headers=headers,
            body=body,
            delay_seconds=delay_seconds,
            reset=reset,
            broken_json=broken_json,
            drip_seconds=drip_seconds,
            revoke_tokens=revoke_tokens,
            html=html,
            after_commit=after_commit,
            skip=skip,
            times=times,
        )
        with self._lock:
            self._faults.append(fault)
        return fault

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
        """Let a fault of some kind strike a share of the requests; see `RandomFaults`.

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
        with self._lock:
            self._random.append(random_faults)
        return random_faults

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
        """Run `call` when such a request arrives; the caller is answered after it returned.

        What it raises is kept, and raised when the sandbox stops.
        """
        hook = Hook(
            system=system, method=method, path=path, call=call, skip=skip, times=times, when=when
        )
        with self._lock:
            self._hooks.append(hook)
        return hook

    def all(self) -> list[Fault | RandomFaults]:
        """Return every fault, spent ones included, and the random ones after them."""
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
            found = (one.fault_for(request) for one in self._random)
            return next((fault for fault in found if fault), None)

    def hooks_due(self, request: Request, when: Moment) -> list[Hook]:
        """Return the hooks that strike this request at this moment, counting them."""
        with self._lock:
            return [hook for hook in self._hooks if hook.when == when and hook.strikes(request)]

    def run(self, hook: Hook, request: Request) -> None:
        """Run a hook, and keep what it raises for the end."""
        try:
            hook.call(request)
        except Exception as error:  # noqa: BLE001
            self.failed_hooks.append(error)
