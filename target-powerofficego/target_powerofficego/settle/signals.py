"""Ends a run on SIGTERM or SIGINT at once while it waits for input, else at the next safe place."""

from __future__ import annotations

import signal
import threading
from typing import IO, TYPE_CHECKING, Any

from singer_sdk.io_base import SingerReader

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator


class Terminated(Exception):  # noqa: N818 - reads as what happened
    """The run was asked to end by a signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.signum = signum


class InterruptibleReader(SingerReader):
    """Reads messages; a signal raises while it waits for the next line, and is kept otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._is_waiting = False
        self._asked_by: int | None = None

    def ask_to_end(self, signum: int) -> None:
        """End the run: at once while it waits for input, else before the next line.

        Raises:
            Terminated: the reader is waiting for input.
        """
        self._asked_by = signum
        if self._is_waiting:
            raise Terminated(signum)

    def process_lines(
        self,
        file_input: IO[str] | None,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Hand each message to its callback.

        Raises:
            Terminated: a signal came.
        """
        lines = self._lines(file_input or self.default_input)
        return super().process_lines(lines, callbacks)  # type: ignore[arg-type]

    def _lines(self, file_input: IO[str]) -> Iterator[str]:
        while True:
            self._raise_if_asked()
            self._is_waiting = True
            self._raise_if_asked()
            line = file_input.readline()
            self._is_waiting = False
            if not line:
                return
            yield line

    def _raise_if_asked(self) -> None:
        if self._asked_by is not None:
            self._is_waiting = False
            raise Terminated(self._asked_by)


def catch_signals(ask_to_end: Callable[[int], None]) -> None:
    """Send SIGTERM and SIGINT to `ask_to_end`; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        return
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _frame: ask_to_end(number))
