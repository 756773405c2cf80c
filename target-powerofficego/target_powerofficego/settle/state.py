"""STATE is emitted as soon as everything before it is settled, and never earlier."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import simplejson

from target_powerofficego import standard_output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from target_powerofficego.settle.schedule import Schedule

_SECONDS_BETWEEN = 2.0  # storing a state costs Meltano about 7 ms


class OutputClosed(Exception):  # noqa: N818 - reads as what happened
    """No more states can be written: nobody reads them, or the disk that they go to is full."""


class StateGate:
    """Holds each STATE until the work before it is done; prints at most one every few seconds.

    It prints from a thread of its own, so that a state is emitted even while the tap is silent.
    Without an output it prints none: after a plan, every record must come again.
    """

    def __init__(self, schedule: Schedule, output: IO[str] | None) -> None:
        self._schedule = schedule
        self._output = output
        self._waiting: deque[tuple[int, str]] = deque()
        self._printed = ""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="state", daemon=True)
        self._ticker.start()

    def add(self, state: Mapping[str, Any]) -> None:
        """Take a STATE that is true once all work submitted so far is done.

        Raises:
            RecursionError: it is nested too deep.
        """
        line = simplejson.dumps(state, use_decimal=True)
        with self._lock:
            self._waiting.append((self._schedule.position, line))

    def close(self) -> None:
        """Print the last state that is true, and no more after it.

        Raises:
            OutputClosed: nobody reads it, or it cannot be written.
        """
        self._closing.set()
        self._ticker.join()
        self._release()

    def _tick(self) -> None:
        try:
            while not self._closing.wait(_SECONDS_BETWEEN):
                self._release()
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that reads
            self._schedule.interrupt(failure)

    def _release(self) -> None:
        settled = self._schedule.settled
        with self._lock:
            line = None
            while self._waiting and self._waiting[0][0] <= settled:
                line = self._waiting.popleft()[1]
            if not line or line == self._printed or self._output is None:
                return
            self._printed = line
            self._print(self._output, line)

    def _print(self, output: IO[str], line: str) -> None:
        try:
            output.write(line + "\n")
            output.flush()
        except OSError as error:
            self._output = None
            standard_output.forget()
            msg = (
                f"the states of this run cannot be written ({error.strerror}); what is done is kept"
            )
            if isinstance(error, BrokenPipeError):
                msg = (
                    "whoever reads the states of this run has stopped reading; what is done is kept"
                )
            raise OutputClosed(msg) from None
