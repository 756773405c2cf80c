"""Checks that what a shop file made is a record of the contract; runs on every record.

Almost every value is valid, or a number that becomes text, and its type alone shows this. Only a
record with any other value is checked member by member, to report what is wrong and where.
"""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_customwebshop.records import digits, is_id
from tap_customwebshop.schemas import DECIMAL_FORMAT
from tap_customwebshop.stamps import format_stamp, sortable_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Forms: TypeAlias = Mapping[type, Callable[[Any], Any] | None]
    Form: TypeAlias = Mapping[str, Forms]

_AMOUNT = re.compile(r"-?\d+(\.\d+)?")
_WORD = re.compile(r"`(\w+)`")


def _check_by(is_valid: Callable[[str], object]) -> Callable[[str], str]:
    """Return a function that returns valid text, and raises ValueError for any other."""

    @lru_cache(maxsize=1000)
    def check(text: str) -> str:
        if is_valid(text):
            return text
        raise ValueError

    return check


_TEXTS: dict[str, tuple[Callable[[str], str] | None, str]] = {
    DECIMAL_FORMAT: (_check_by(_AMOUNT.fullmatch), "is not a decimal; money(…) makes one"),
    "date-time": (_check_by(sortable_stamp), "is not a time with a zone; stamp(…) makes one"),
}
_KINDS: dict[str, tuple[type[Any], str]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "boolean": (bool, "True or False"),
}


class WrongRecordError(ValueError):
    """A record does not meet the contract; the message names the member, not its value."""


class Rule:
    """The contract's rule for a member.

    Attributes:
        words: The words that it may be, which its description lists; none for free text.
        forms: By type, what converts a value to the contract's form; None if it has it already.
    """

    def __init__(self, name: str, field: dict[str, Any]) -> None:
        kind, form = field["type"], field.get("format")
        kind = kind[0] if isinstance(kind, list) else kind
        self._inner = _KINDS.get(kind)
        self._is_decimal = form == DECIMAL_FORMAT
        self._takes_numbers = self._is_decimal or is_id(name) or name == "number"
        self.words = _WORD.findall(field.get("description", "").partition("One of ")[2])
        self._members = _rules_of(field)
        self._rows = Rule(name, field["items"]) if kind == "array" else None
        check_word = {word: word for word in self.words}.__getitem__
        one_of = (check_word, f"must be one of {', '.join(self.words)}")
        self._check, self._fault = _TEXTS.get(form or "", one_of if self.words else (None, ""))
        self.forms = self._forms()

    def _forms(self) -> Forms:
        if self._rows:
            return {list: partial(_rows_in_form, self._rows.forms)}
        if self._inner:
            members = _form_of(self._members)
            return {self._inner[0]: partial(_in_form, members) if members else None}
        text: Forms = {str: self._check}
        return {**text, int: str, Decimal: _plain} if self._takes_numbers else text

    def conform(self, value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value in the contract's form: stamps, ids and amounts become text.

        Raises:
            WrongRecordError: It is of another type.
        """
        if self._inner is None:
            return self._text(value, place)
        kind, description = self._inner
        if not isinstance(value, kind):
            raise WrongRecordError(f"'{place}' must be {description}")
        if self._rows:
            return [self._rows.conform(row, place) for row in value]
        return _conform(value, self._members, f"{place}.") if self._members else value

    def _text(self, value: Any, place: str) -> str:  # noqa: ANN401
        if isinstance(value, str):
            try:
                if self._check is not None:
                    self._check(value)
            except (KeyError, ValueError):
                raise WrongRecordError(f"'{place}' {self._fault}") from None
            return value
        if (
            self._takes_numbers
            and isinstance(value, (Decimal, int))
            and not isinstance(value, bool)
            and Decimal(value).is_finite()
        ):
            return digits(value)
        if isinstance(value, datetime) and value.tzinfo and not self._is_decimal:
            return format_stamp(value)
        raise WrongRecordError(f"'{place}' {self._fault if self._is_decimal else 'must be text'}")


class Contract:
    """The form of a stream's records.

    Args:
        schema: The stream's schema.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._rules = _rules_of(schema)
        self._form = _form_of(self._rules)

    def conform(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with its values in the contract's form.

        Raises:
            WrongRecordError: The contract does not have a member, or a value is of another type.
        """
        try:
            return _in_form(self._form, record)
        except (KeyError, ValueError):
            return _conform(record, self._rules)


def _rules_of(schema: dict[str, Any]) -> dict[str, Rule]:
    """Return the rules of a schema's members."""
    return {name: Rule(name, field) for name, field in schema.get("properties", {}).items()}


def _form_of(rules: Mapping[str, Rule]) -> Form:
    return {name: {type(None): None, **rule.forms} for name, rule in rules.items()}


def _in_form(form: Form, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in the contract's form.

    Raises:
        KeyError, ValueError: The type of a value does not show that it is valid; it may be.
    """
    conformed = record.copy()
    for name, value in record.items():
        convert = form[name][type(value)]
        if convert is not None:
            conformed[name] = convert(value)
    return conformed


def _rows_in_form(forms: Forms, rows: list[Any]) -> list[Any]:
    return (
        [convert(row) if (convert := forms[type(row)]) else row for row in rows] if rows else rows
    )


def _plain(number: Decimal) -> str:
    """Return a number as text; raise ValueError if its text has an exponent."""
    text = str(number)
    if "E" in text or not number.is_finite():
        raise ValueError
    return text


def _conform(record: dict[str, Any], rules: dict[str, Rule], place: str = "") -> dict[str, Any]:
    """Return a record in the contract's form.

    Raises:
        WrongRecordError: See `Contract.conform`.
    """
    return {
        name: None if value is None else _rule(name, rules, place).conform(value, f"{place}{name}")
        for name, value in record.items()
    }


def _rule(name: str, rules: dict[str, Rule], place: str) -> Rule:
    if rule := rules.get(name):
        return rule
    near = difflib.get_close_matches(str(name), rules, n=1)
    advice = f"did you mean '{place}{near[0]}'?" if near else "other members belong in 'custom'"
    raise WrongRecordError(f"there is no member '{place}{name}'; {advice}")
