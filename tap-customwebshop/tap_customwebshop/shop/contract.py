"""Sees that what a shop file made is a record of the contract; run on every record."""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from tap_customwebshop.schemas import DECIMAL_FORMAT
from tap_customwebshop.stamps import parse_stamp, write_stamp

_AMOUNT = re.compile(r"-?\d+(\.\d+)?")
_WORD = re.compile(r"`(\w+)`")
_KINDS: dict[str, tuple[type[Any], str]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "boolean": (bool, "True or False"),
}


class WrongRecordError(ValueError):
    """A record is not as the contract says; the text names the member, not its value."""


def check(record: dict[str, Any], schema: dict[str, Any], place: str = "") -> None:
    """Check a record, and turn its moments into text.

    Raises:
        WrongRecordError: A member that the contract does not have, or a value of another kind.
    """
    fields = schema["properties"]
    for name, value in record.items():
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            meant = (
                f"did you mean '{place}{near[0]}'?" if near else "what it lacks goes into 'custom'"
            )
            raise WrongRecordError(f"the contract has no '{place}{name}'; {meant}")
        if isinstance(value, datetime) and value.tzinfo:
            record[name] = write_stamp(value)
        elif value is not None:
            _check_value(value, fields[name], f"{place}{name}")


def _check_value(value: Any, field: dict[str, Any], place: str) -> None:  # noqa: ANN401
    kind = field["type"][0] if isinstance(field["type"], list) else field["type"]
    if kind not in _KINDS:
        _check_text(value, field, place)
        return
    python_kind, words = _KINDS[kind]
    if not isinstance(value, python_kind):
        raise WrongRecordError(f"'{place}' must be {words}")
    if kind == "object" and field.get("properties"):
        check(value, field, f"{place}.")
    for row in value if kind == "array" else ():
        _check_value(row, field["items"], place)


def _check_text(value: Any, field: dict[str, Any], place: str) -> None:  # noqa: ANN401
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if field.get("format") == DECIMAL_FORMAT:
        if not is_number and not (isinstance(value, str) and _AMOUNT.fullmatch(value)):
            raise WrongRecordError(f"'{place}' is no decimal; money(…) makes one")
    elif isinstance(value, str):
        if field.get("format") == "date-time" and not parse_stamp(value):
            raise WrongRecordError(f"'{place}' is no moment with a zone; stamp(…) makes one")
        words = words_of(field)
        if words and value not in words:
            raise WrongRecordError(f"'{place}' must be one of {', '.join(words)}")
    elif not (is_number and (place.rpartition(".")[2].endswith("id"))):
        raise WrongRecordError(f"'{place}' must be text")


def words_of(field: dict[str, Any]) -> list[str]:
    """Return the words that a field can have, which its description lists; none for free text."""
    return _WORD.findall(field["description"].partition("One of ")[2])
