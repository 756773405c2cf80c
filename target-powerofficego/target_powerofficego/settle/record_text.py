"""Records as the bytes that a tap wrote, by which unchanged records are recognised.

Reading a record into objects takes many times as long as hashing its bytes.
"""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple

import msgspec

from target_powerofficego.dataflow.values import text_id


class RecordText(NamedTuple):
    """A record of a stream as JSON; `shop_id` is its id as text."""

    stream: str
    shop_id: str
    text: msgspec.Raw

    def hash(self, fingerprint: str) -> str:
        """Return a hash of the bytes, and of the tables and settings by which they are read."""
        key = fingerprint.encode()[:64]
        return hashlib.blake2b(self.text, digest_size=16, key=key).hexdigest()


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["RECORD"]
    stream: str
    record: msgspec.Raw
    time_extracted: str | None = None
    version: int | None = None


class _WithId(msgspec.Struct, gc=False):
    id: str | int


_MESSAGE = msgspec.json.Decoder(_Message)
_WITH_ID = msgspec.json.Decoder(_WithId)


def record_text(line: bytes) -> RecordText | None:
    """Return the record of a RECORD message; None for other messages and unusual ones.

    The same bytes are always read as the same record, in whatever line they are.
    """
    try:
        line.decode()  # msgspec does not check what it skips
        message = _MESSAGE.decode(line)
        shop_id = text_id(_WITH_ID.decode(message.record).id)
    except (ValueError, RecursionError):
        return None
    if shop_id is None or "\0" in shop_id:
        return None
    return RecordText(message.stream, shop_id, message.record)
