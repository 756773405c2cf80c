"""Sees that what a shop file made is a record of the contract; run on every record."""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_customwebshop.records import digits, is_id
from tap_customwebshop.schemas import DECIMAL_FORMAT
from tap_customwebshop.stamps import sortable_stamp, write_stamp

if TYPE_CHECKING:
    from collections.abc import Callable

_AMOUNT = re.compile(r"-?\d+(\.\d+)?")
_WORD = re.compile(r"`(\w+)`")
_TEXTS: dict[str, tuple[Callable[[str], object] | None, str]] = {
    DECIMAL_FORMAT: (_AMOUNT.fullmatch, "is no decimal; money(…) makes one"),
    "date-time": (sortable_stamp, "is no moment with a zone; stamp(…) makes one"),
}
_KINDS: dict[str, tuple[type[Any], str]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "boolean": (bool, "True or False"),
}


class WrongRecordError(ValueError):
    """A record is not as the contract says; the text names the member, not its value."""


class Rule:
    """What the contract says of a member.

    Attributes:
        plain: The type whose values are all right; None if there is none.
        words: The words that it can have, which its description lists; none for free text.
    """

    def __init__(self, name: str, field: dict[str, Any]) -> None:
        kind, form = field["type"], field.get("format")
        kind = kind[0] if isinstance(kind, list) else kind
        self._inner = _KINDS.get(kind)
        self._is_decimal = form == DECIMAL_FORMAT
        self._takes_numbers = self._is_decimal or is_id(name) or name == "number"
        self.words = _WORD.findall(field.get("description", "").partition("One of ")[2])
        self._members = rules_of(field)
        self._rows = Rule(name, field["items"]) if kind == "array" else None
        one_of = (self.words.__contains__, f"must be one of {', '.join(self.words)}")
        nothing = one_of if self.words else (None, "")
        self._is_right, self._says = _TEXTS.get(form or "", nothing)
        is_free = kind == "string" and not self._is_right
        self.plain = str if is_free else bool if kind == "boolean" else None

    def taken(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value in the contract's form: stamps, and numbers of ids and amounts, as text.

        Raises:
            WrongRecordError: It is of another kind.
        """
        if self._inner is None:
            return self._text(value, place)
        wanted, words = self._inner
        if not isinstance(value, wanted):
            raise WrongRecordError(f"'{place}' must be {words}")
        if self._members:
            check(value, self._members, f"{place}.")
        if self._rows:
            for row in value:
                self._rows.taken(row, place)
        return value

    def _text(self, value: Any, place: str) -> str:  # noqa: ANN401
        if isinstance(value, str):
            if self._is_right is None or self._is_right(value):
                return value
            raise WrongRecordError(f"'{place}' {self._says}")
        if (
            self._takes_numbers
            and isinstance(value, (Decimal, int))
            and not isinstance(value, bool)
        ):
            return digits(value)
        if isinstance(value, datetime) and value.tzinfo and not self._is_decimal:
            return write_stamp(value)
        raise WrongRecordError(f"'{place}' {self._says if self._is_decimal else 'must be text'}")


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
        if value is not None and type(value) is not rule.plain:
            record[name] = rule.taken(value, f"{place}{name}")
