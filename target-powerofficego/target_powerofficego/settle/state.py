"""STATE leaves as soon as everything before it is settled, and never earlier."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import simplejson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from target_powerofficego.settle.schedule import Schedule

_SECONDS_BETWEEN = 2.0  # storing a state costs Meltano about 7 ms


class OutputClosed(Exception):  # noqa: N818 - reads as what happened
    """Whoever reads the states has stopped reading, so none can be told any more."""


class StateGate:
    """Holds each STATE until the work before it is done; prints at most one every few seconds.

    It prints from a thread of its own, so that a state leaves also while the tap is silent. Without
    an output it prints none: after a plan, every record must come again.
    """

    def __init__(self, schedule: Schedule, output: IO[str] | None) -> None:
        self._schedule = schedule
        self._output = output
        self._waiting: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._printed: Mapping[str, Any] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="state", daemon=True)
        self._ticker.start()

    def add(self, state: Mapping[str, Any]) -> None:
        """Take a STATE that is true once all work submitted so far is done."""
        with self._lock:
            self._waiting.append((self._schedule.position, state))

    def close(self) -> None:
        """Print the last state that is true by now, and no more after it.

        Raises:
            OutputClosed: nobody reads it.
        """
        self._closing.set()
        self._ticker.join()
        self._release()

    def _tick(self) -> None:
        try:
            while not self._closing.wait(_SECONDS_BETWEEN):
                self._release()
        except OutputClosed as closed:
            self._schedule.interrupt(closed)

    def _release(self) -> None:
        settled = self._schedule.settled
        with self._lock:
            state = None
            while self._waiting and self._waiting[0][0] <= settled:
                state = self._waiting.popleft()[1]
            if not state or state == self._printed or self._output is None:
                return
            self._printed = state
            self._print(self._output, simplejson.dumps(state, use_decimal=True))

    def _print(self, output: IO[str], line: str) -> None:
        try:
            output.write(line + "\n")
            output.flush()
        except BrokenPipeError:
            self._output = None
            # Python flushes standard output at exit, which would fail once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
            msg = "whoever reads the states of this run has stopped reading; what is done is kept"
            raise OutputClosed(msg) from None
