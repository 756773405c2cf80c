"""Reads the input line by line, until it ends, or SIGTERM or SIGINT ends the run.

A signal ends the run at once while it waits for input, else at the next safe point. A fault in a
line is reported without quoting the line. A line that need not be parsed is only counted.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from singer_sdk.io_base import SingerMessageType, SingerReader
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_powerofficego.plugin.json_text import read_json

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence


_TEXT_MEMBERS = ("type", "stream")
_READ_AHEAD = 1 << 16
"""The maximum number of bytes that are read at once: the capacity of a pipe."""


class BrokenInput(InvalidInputLine):
    """The input is not a Singer stream; the message says where, without quoting the input."""


def read_message(line: str, number: int) -> dict[str, Any]:
    """Return the message in a line, with fractional numbers as Decimal.

    Raises:
        BrokenInput: the line is not a JSON object, or its type or stream is not text.
    """
    message: Any = None
    with contextlib.suppress(ValueError):
        message = read_json(line)
    if not isinstance(message, dict):
        raise BrokenInput(
            f"line {number} of the input is not a Singer message (a JSON object); the tap was"
            " interrupted, or something else prints to its output"
        )
    for name in _TEXT_MEMBERS:
        if not isinstance(message.get(name, ""), str):
            raise BrokenInput(
                f"the {name} of the message in line {number} of the input is not text"
            )
    return message


def require(message: object, members: set[str]) -> None:
    """Check that a message, or part of one, has the members that Singer requires.

    Raises:
        BrokenInput: it is not an object, or lacks a member.
    """
    if not isinstance(message, dict):
        raise BrokenInput("a record, schema or state of the input is not a JSON object")
    missing = " and ".join(sorted(members.difference(message)))
    if missing:
        kind = message.get("type")
        label = kind if kind in ("RECORD", "SCHEMA", "STATE", "BATCH") else "message or schema"
        raise BrokenInput(f"a {label} of the input lacks {missing}, which Singer requires")


class Terminated(Exception):  # noqa: N818 - reads as what happened
    """A signal has ended the run."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.signum = signum


class InterruptibleReader(SingerReader):
    """Reads messages until a signal, which interrupts waiting for input, but not a message."""

    def __init__(self) -> None:
        super().__init__()
        self.has_messages = False
        """Whether there was any message."""
        self.are_unchanged: Callable[[Sequence[bytes]], Iterator[bool]] = _none_are_unchanged
        """Yields for each line, when its turn comes, whether it is an unchanged record."""
        self._is_waiting = False
        self._signal: int | None = None
        self._line_number = 0
        self._unchanged = 0

    def request_stop(self, signum: int) -> None:
        """End the run: at once while it waits for input, else before the next line.

        Raises:
            Terminated: the reader is waiting for input.
        """
        self._signal = signum
        if self._is_waiting:
            raise Terminated(signum)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal interrupt the block at once, as it interrupts waiting for input.

        Raises:
            Terminated: a signal came.
        """
        self._is_waiting = True
        try:
            if self._signal is not None:
                raise Terminated(self._signal)
            yield
        finally:
            self._is_waiting = False

    def process_lines(
        self,
        file_input: IO[str] | None,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Pass each message to its callback, except the records that `are_unchanged` recognises.

        Raises:
            Terminated: a signal came.
            BrokenInput: a line is not a Singer message.
        """
        self._unchanged = 0
        lines = self._lines(_as_bytes(file_input or _standard_input()))
        counts = super().process_lines(lines, callbacks)  # type: ignore[arg-type]
        counts[SingerMessageType.RECORD] += self._unchanged
        return counts

    def _lines(self, file_input: IO[bytes]) -> Iterator[str]:
        for lines in self._read_ahead(file_input):
            for line, is_unchanged in zip(lines, self.are_unchanged(lines), strict=True):
                self._line_number += 1
                if is_unchanged:
                    self.has_messages = True
                    self._unchanged += 1
                elif line.strip():
                    yield self._decoded(line)
                if self._signal is not None:
                    raise Terminated(self._signal)

    def _read_ahead(self, file_input: IO[bytes]) -> Iterator[list[bytes]]:
        """Yield the lines that have arrived; wait only until there is a complete line."""
        pieces: list[bytes] = []
        while piece := self._next_piece(file_input):
            pieces.append(piece)
            if b"\n" in piece:
                *lines, rest = b"".join(pieces).split(b"\n")
                pieces = [rest]
                yield lines
        yield [b"".join(pieces)]

    def _next_piece(self, file_input: IO[bytes]) -> bytes:
        with self.interruptible():
            piece: bytes = file_input.read1(_READ_AHEAD)  # type: ignore[attr-defined]
        return piece

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            msg = f"the input is not UTF-8 text from line {self._line_number} on"
        raise BrokenInput(msg)

    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Return the message in a line; an error names the line without quoting it."""
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
            f"line {self._line_number} of the input is not a message of a kind that Singer knows"
        )


def _none_are_unchanged(lines: Sequence[bytes]) -> Iterator[bool]:
    return itertools.repeat(False, len(lines))


def _as_bytes(file_input: IO[str]) -> IO[bytes]:
    """Return an input as bytes: JSON is UTF-8, whatever the locale of this machine."""
    buffer: IO[bytes] | None = getattr(file_input, "buffer", None)
    return buffer or io.BytesIO(file_input.read().encode(errors="surrogatepass"))


def _standard_input() -> IO[str]:
    """Return standard input.

    Raises:
        BrokenInput: the program was started without one.
    """
    if sys.stdin is None:
        raise BrokenInput(
            "standard input is closed, so there is nothing to read; let a tap write to it"
        )
    return sys.stdin


def catch_signals(request_stop: Callable[[int], None]) -> None:
    """Send SIGTERM and SIGINT to `request_stop`; only the main thread may call this."""
    if threading.current_thread() is not threading.main_thread():
        return
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _frame: request_stop(number))
