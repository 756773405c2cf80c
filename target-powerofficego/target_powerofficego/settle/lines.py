"""Reads one line of input; what is wrong with it is told without showing any of it."""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal
from typing import Any

import msgspec
from singer_sdk.singerlib.exceptions import InvalidInputLine
from singer_sdk.singerlib.json import deserialize_json

_NO_CHARACTER = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_NAMED_BY_TEXT = ("type", "stream")

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class BrokenInput(InvalidInputLine):
    """The input is no Singer stream; the text says where, and holds nothing of what stood there."""


def read_message(line: str, number: int) -> dict[str, Any]:
    """Return the message of a line, numbers with a fraction as Decimal.

    Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes a replacement character;
    so does the character 0, which PostgreSQL cannot hold.

    Raises:
        BrokenInput: the line is no JSON object, or names its type or stream by something else than
            text.
    """
    message: Any = None
    try:
        message = _decode(line)
    except (ValueError, RecursionError):
        # stricter than others: a NaN, or half of a surrogate pair
        with contextlib.suppress(ValueError, RecursionError):
            message = deserialize_json(line)
    if not isinstance(message, dict):
        msg = (
            f"line {number} of the input is no Singer message (a JSON object); the tap broke off,"
            " or something else prints to its output"
        )
        raise BrokenInput(msg)
    for name in _NAMED_BY_TEXT:
        if not isinstance(message.get(name, ""), str):
            msg = f"the message in line {number} of the input does not name its {name} by text"
            raise BrokenInput(msg)
    return _mended(message) if _NO_CHARACTER.search(line) else message


def require(message: object, members: set[str]) -> None:
    """Check that a message, or a part of one, has what Singer demands.

    Raises:
        BrokenInput: it is no object, or lacks something.
    """
    if not isinstance(message, dict):
        msg = "a record, schema or state of the input is no JSON object"
        raise BrokenInput(msg)
    missing = " and ".join(sorted(members.difference(message)))
    if missing:
        kind = message.get("type")
        known = kind if kind in ("RECORD", "SCHEMA", "STATE", "BATCH") else "message or schema"
        msg = f"a {known} of the input lacks {missing}, which Singer demands"
        raise BrokenInput(msg)


def _mended(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in value.items()}
    return value
