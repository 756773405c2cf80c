"""Sees that what a shop file made is a record of the contract; run on every record."""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from tap_customwebshop.records import digits, is_id
from tap_customwebshop.schemas import DECIMAL_FORMAT
from tap_customwebshop.stamps import sortable_stamp, write_stamp

_AMOUNT = re.compile(r"-?\d+(\.\d+)?")
_WORD = re.compile(r"`(\w+)`")
_KINDS = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "boolean": (bool, "True or False"),
}


class WrongRecordError(ValueError):
    """A record is not as the contract says; the text names the member, not its value."""


class Rule:
    """What the contract says of a member.

    Attributes:
        is_free: Whether any text is right.
        words: The words that it can have, which its description lists; none for free text.
        members: The rules of what is inside an object.
    """

    def __init__(self, name: str, field: dict[str, Any]) -> None:
        kind = field["type"]
        self._kind = kind[0] if isinstance(kind, list) else kind
        self._format = field.get("format")
        self._is_id = is_id(name)
        self.words = _WORD.findall(field.get("description", "").partition("One of ")[2])
        self.is_free = self._kind == "string" and not self._format and not self.words
        self.members = rules_of(field)
        self._rows = Rule(name, field["items"]) if self._kind == "array" else None

    def taken(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value in the contract's form: stamps and, of ids and amounts, numbers as text.

        Raises:
            WrongRecordError: It is of another kind.
        """
        if self._kind not in _KINDS:
            return self._text(value, place)
        kind, words = _KINDS[self._kind]
        if not isinstance(value, kind):
            raise WrongRecordError(f"'{place}' must be {words}")
        if self.members:
            check(value, self.members, f"{place}.")
        if self._rows:
            for row in value:
                self._rows.taken(row, place)
        return value

    def _text(self, value: Any, place: str) -> str:  # noqa: ANN401
        is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        if self._format == DECIMAL_FORMAT:
            if not is_number and not (isinstance(value, str) and _AMOUNT.fullmatch(value)):
                raise WrongRecordError(f"'{place}' is no decimal; money(…) makes one")
        elif isinstance(value, datetime) and value.tzinfo:
            return write_stamp(value)
        elif isinstance(value, str):
            if self._format == "date-time" and not sortable_stamp(value):
                raise WrongRecordError(f"'{place}' is no moment with a zone; stamp(…) makes one")
            if self.words and value not in self.words:
                raise WrongRecordError(f"'{place}' must be one of {', '.join(self.words)}")
        elif not (is_number and self._is_id):
            raise WrongRecordError(f"'{place}' must be text")
        return digits(value) if is_number else value


def rules_of(schema: dict[str, Any]) -> dict[str, Rule]:
    """Return the rules of a schema's members."""
    return {name: Rule(name, field) for name, field in schema.get("properties", {}).items()}


def check(record: dict[str, Any], rules: dict[str, Rule], place: str = "") -> None:
    """Check a record, and bring its values into the contract's form.

    Raises:
        WrongRecordError: A member that the contract does not have, or a value of another kind.
    """
    for name, value in record.items():
        rule = rules.get(name)
        if rule is None:
            near = difflib.get_close_matches(str(name), rules, n=1)
            meant = (
                f"did you mean '{place}{near[0]}'?" if near else "what it lacks goes into 'custom'"
            )
            raise WrongRecordError(f"the contract has no '{place}{name}'; {meant}")
        if value is not None and not (rule.is_free and type(value) is str):
            record[name] = rule.taken(value, f"{place}{name}")
