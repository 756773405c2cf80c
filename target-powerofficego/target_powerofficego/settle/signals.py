"""Reads the input line by line, until it ends or SIGTERM or SIGINT ends the run.

A signal ends it at once while it awaits input, else at the next safe place. What is wrong with a
line is reported without showing any of it.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from singer_sdk.io_base import SingerReader
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_powerofficego.json_text import read_json

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator


_NAMED_BY_TEXT = ("type", "stream")


class BrokenInput(InvalidInputLine):
    """The input is not a Singer stream; the text says where, and holds none of what stood there."""


def read_message(line: str, number: int) -> dict[str, Any]:
    """Return the message of a line, with fractional numbers as Decimal.

    Raises:
        BrokenInput: the line is not a JSON object, or names its type or stream by something other
            than text.
    """
    message: Any = None
    with contextlib.suppress(ValueError):
        message = read_json(line)
    if not isinstance(message, dict):
        raise BrokenInput(
            f"line {number} of the input is no Singer message (a JSON object); the tap broke off,"
            " or something else prints to its output"
        )
    for name in _NAMED_BY_TEXT:
        if not isinstance(message.get(name, ""), str):
            raise BrokenInput(
                f"the message in line {number} of the input does not name its {name} by text"
            )
    return message


def require(message: object, members: set[str]) -> None:
    """Check that a message, or a part of one, has what Singer demands.

    Raises:
        BrokenInput: it is not an object, or lacks something.
    """
    if not isinstance(message, dict):
        raise BrokenInput("a record, schema or state of the input is no JSON object")
    missing = " and ".join(sorted(members.difference(message)))
    if missing:
        kind = message.get("type")
        known = kind if kind in ("RECORD", "SCHEMA", "STATE", "BATCH") else "message or schema"
        raise BrokenInput(f"a {known} of the input lacks {missing}, which Singer demands")


class Terminated(Exception):  # noqa: N818 - reads as what happened
    """The run was asked to end by a signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.signum = signum


class InterruptibleReader(SingerReader):
    """Reads messages; a signal raises while it waits for the next line, and is otherwise kept."""

    def __init__(self) -> None:
        super().__init__()
        self.has_messages = False
        """Whether any message came."""
        self._is_waiting = False
        self._asked_by: int | None = None
        self._line_number = 0

    def ask_to_end(self, signum: int) -> None:
        """End the run: at once while it waits for input, else before the next line.

        Raises:
            Terminated: the reader is waiting for input.
        """
        self._asked_by = signum
        if self._is_waiting:
            raise Terminated(signum)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal interrupt what is done inside at once, as while waiting for input.

        Raises:
            Terminated: a signal came.
        """
        self._is_waiting = True
        try:
            if self._asked_by is not None:
                raise Terminated(self._asked_by)
            yield
        finally:
            self._is_waiting = False

    def process_lines(
        self,
        file_input: IO[str] | None,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Hand each message to its callback.

        Raises:
            Terminated: a signal came.
            BrokenInput: a line is not a Singer message.
        """
        lines = self._lines(file_input or _standard_input())
        return super().process_lines(lines, callbacks)  # type: ignore[arg-type]

    def _lines(self, file_input: IO[str]) -> Iterator[str]:
        while True:
            with self.interruptible():
                line = self._next_line(file_input)
            if not line:
                return
            if line.strip():
                yield line

    def _next_line(self, file_input: IO[str]) -> str:
        self._line_number += 1
        try:
            return file_input.readline()
        except UnicodeDecodeError:
            msg = f"the input is not UTF-8 text from line {self._line_number} on"
        raise BrokenInput(msg)

    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Return the message of a line; an error names the line and shows none of it."""
        message = read_message(line, self._line_number)
        self.has_messages = True
        return message

    @staticmethod
    def assert_line_requires(line_dict: Any, requires: set[str]) -> None:  # noqa: ANN401
        """See `require`."""
        require(line_dict, requires)

    def _process_unknown_message(self, message_dict: dict[str, Any]) -> None:
        del message_dict
        raise BrokenInput(
            f"line {self._line_number} of the input is no message of a kind that Singer knows"
        )


def _standard_input() -> IO[str]:
    """Return standard input as UTF-8, the encoding of JSON, whatever this machine's locale says.

    Raises:
        BrokenInput: the program was started without one.
    """
    if sys.stdin is None:
        raise BrokenInput(
            "standard input is closed, so there is nothing to read; let a tap write to it"
        )
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    return sys.stdin


def catch_signals(ask_to_end: Callable[[int], None]) -> None:
    """Send SIGTERM and SIGINT to `ask_to_end`; only the main thread may call this."""
    if threading.current_thread() is not threading.main_thread():
        return
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _frame: ask_to_end(number))
