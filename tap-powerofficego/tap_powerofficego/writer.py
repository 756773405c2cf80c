"""Writes Singer messages to standard output, numbers digit by digit."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson
from singer_sdk.singerlib.encoding.base import GenericSingerWriter, SingerMessageType
from singer_sdk.singerlib.encoding.simple import Message
from singer_sdk.singerlib.json import serialize_json
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


class LineWriter(GenericSingerWriter[bytes, Message]):
    """One message per line, in UTF-8, with amounts in the digits that Go sent.

    Records wait in a buffer until a message of another kind comes. A signal that arrives while a
    line is being written is served after it (`when_free`): a buffer refuses a second write from
    inside the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_writing = False
        self._waiting: Callable[[], None] | None = None

    @override
    def serialize_message(self, message: Message) -> bytes:
        line = message.to_dict()
        try:
            return orjson.dumps(line, default=_digit_by_digit, option=_OPTIONS)
        except TypeError:
            # orjson refuses whole numbers beyond 64 bits and half a surrogate pair.
            return serialize_json(line).encode() + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        line = self.format_message(message)
        self._is_writing = True
        try:
            if hasattr(sys.stdout, "buffer"):
                sys.stdout.buffer.write(line)
            else:
                sys.stdout.write(line.decode())
            if message.type is not SingerMessageType.RECORD:
                sys.stdout.flush()
        finally:
            self._is_writing = False
        self._serve_waiting()

    def when_free(self, call: Callable[[], None]) -> None:
        """Call now, or right after the line that is being written."""
        if self._is_writing:
            self._waiting = call
        else:
            call()

    def _serve_waiting(self) -> None:
        if self._waiting is not None:
            call, self._waiting = self._waiting, None
            call()


def _digit_by_digit(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError
