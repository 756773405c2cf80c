"""Writes Singer messages to standard output, numbers digit by digit."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import orjson
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.encoding.base import GenericSingerWriter, SingerMessageType
from singer_sdk.singerlib.encoding.simple import Message
from singer_sdk.singerlib.json import serialize_json
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

_PLACEHOLDER = b"\0"
"""Stands for a record in the line around it; it cannot occur in JSON."""


class LineWriter(GenericSingerWriter[bytes, Message]):
    """One message per line, in UTF-8, with amounts in the digits that Go sent.

    Records wait in a buffer until a message of another type is written. A signal that arrives while
    a line is being written is handled after it (`when_free`), because a buffer refuses a second
    write from inside the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ends_with_state = False
        """Whether the last message was a STATE."""
        self._is_writing = False
        self._waiting: Callable[[], None] | None = None

    @override
    def serialize_message(self, message: Message) -> bytes:
        return as_json(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        self.ends_with_state = message.type is SingerMessageType.STATE
        flush = message.type is not SingerMessageType.RECORD
        self._write(self.format_message(message), flush=flush)

    def write_records(self, stream: str, records: Iterable[tuple[bytes, datetime]]) -> None:
        """Write records that are JSON text, each with the moment just before it was requested."""
        self.ends_with_state = False
        frames: dict[datetime, list[bytes]] = {}
        pieces: list[bytes] = []
        for text, read_at in records:
            head, tail = frames.get(read_at) or frames.setdefault(
                read_at, self._frame(stream, read_at)
            )
            pieces += head, text, tail
        self._write(b"".join(pieces), flush=False)

    def _frame(self, stream: str, read_at: datetime) -> list[bytes]:
        placeholder = cast("dict[str, Any]", orjson.Fragment(_PLACEHOLDER))
        message = RecordMessage(stream, placeholder, time_extracted=read_at)
        return self.format_message(message).split(_PLACEHOLDER)

    def _write(self, lines: bytes, *, flush: bool) -> None:
        self._is_writing = True
        try:
            if hasattr(sys.stdout, "buffer"):
                sys.stdout.buffer.write(lines)
            else:
                sys.stdout.write(lines.decode())
            if flush:
                sys.stdout.flush()
        finally:
            self._is_writing = False
        self._call_waiting()

    def when_free(self, call: Callable[[], None]) -> None:
        """Call a function now, or right after the line that is being written."""
        if self._is_writing:
            self._waiting = call
        else:
            call()

    def _call_waiting(self) -> None:
        if self._waiting is not None:
            call, self._waiting = self._waiting, None
            call()


def as_json(value: object) -> bytes:
    """Return JSON on one line."""
    try:
        return orjson.dumps(value, default=_exact_number, option=orjson.OPT_UTC_Z)
    except TypeError:
        # orjson refuses whole numbers beyond 64 bits and half a surrogate pair.
        return serialize_json(value).encode()


def _exact_number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError
