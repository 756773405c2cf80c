"""Reads one line of input; what is wrong with it is reported without showing any of it."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_powerofficego.json_text import fraction, is_odd, read_json

_NAMED_BY_TEXT = ("type", "stream")

_decode = msgspec.json.Decoder(float_hook=fraction).decode


class BrokenInput(InvalidInputLine):
    """The input is not a Singer stream; the text says where, and holds none of what stood there."""


def read_message(line: str, number: int) -> dict[str, Any]:
    """Return the message of a line, with fractional numbers as Decimal.

    What `_decode` can make nothing of is returned as `read_json` reads it.

    Raises:
        BrokenInput: the line is not a JSON object, or names its type or stream by something other
            than text.
    """
    message: Any = None
    try:
        message = read_json(line) if is_odd(line) else _decode(line)
    except ValueError:  # the fast reader is stricter than others: a NaN
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
