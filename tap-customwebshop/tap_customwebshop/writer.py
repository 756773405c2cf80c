"""Writes Singer messages to standard output, fast and exactly."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import orjson
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.encoding.base import GenericSingerWriter, SingerMessageType
from singer_sdk.singerlib.encoding.simple import Message
from singer_sdk.singerlib.json import serialize_json
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

_AT_A_TIME = 300
"""How many pieces of lines are joined for one write, so that a page is never copied as a whole."""
_PLACEHOLDER = b"\0"
"""Stands for a record in the line around it; it cannot occur in JSON."""


class LineWriter(GenericSingerWriter[bytes, Message]):
    """One message per line, in UTF-8, numbers digit by digit as the shop sent them.

    Records are buffered until the next message of another type, or `flush`; the SDK's own writer
    flushes each line. `when_free` lets a signal handler wait for a line that is being written,
    because a buffered stream refuses a second write from inside the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_writing = False
        self._waiting: Callable[[], None] | None = None

    @override
    def serialize_message(self, message: Message) -> bytes:
        return as_json(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        line = self.format_message(message)
        with self._writing():
            _write(line)
            if message.type is not SingerMessageType.RECORD:
                sys.stdout.flush()

    @contextmanager
    def records(self, stream: str, read_at: datetime) -> Iterator[Callable[[Any], None]]:
        """Return a function that takes records as JSON text; all are written at the end.

        A signal waits until then, so the bookmark moves past a record only if it is written.
        """
        placeholder = orjson.Fragment(_PLACEHOLDER)
        message = RecordMessage(stream, cast("dict[str, Any]", placeholder), time_extracted=read_at)
        head, tail = self.format_message(message).split(_PLACEHOLDER)
        pieces: list[Any] = []
        with self._writing():
            try:
                yield lambda text: pieces.extend((head, text, tail))
            finally:
                for start in range(0, len(pieces), _AT_A_TIME):
                    _write(b"".join(pieces[start : start + _AT_A_TIME]))

    def flush(self) -> None:
        """Pass everything written so far to the reader of the pipe."""
        with self._writing():
            sys.stdout.flush()

    def when_free(self, call: Callable[[], None]) -> None:
        """Call a function now, or right after the line that is being written."""
        if self._is_writing:
            self._waiting = call
        else:
            call()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let the call of `when_free` wait until this is written."""
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False
        if self._waiting is not None:
            call, self._waiting = self._waiting, None
            call()


def as_json(value: Mapping[str, Any]) -> bytes:
    """Return JSON on one line."""
    try:
        return orjson.dumps(value, default=_exact_number, option=orjson.OPT_UTC_Z)
    except TypeError:
        # orjson refuses half a surrogate pair, and a whole number beyond 64 bits.
        return serialize_json(value).encode()


def _write(lines: bytes) -> None:
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(lines)
    else:
        sys.stdout.write(lines.decode())


def _exact_number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError
