"""Reads JSON from others so that content that cannot be used spoils only the value that it is in.

A shop, Go or a tap may send values that Python, a database or an amount in kroner cannot hold. If
that were an error, one such record would keep the rest of its page from being read, in every run.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

import msgspec

_DEEPEST = 100
_CONTAINERS = {dict, list}
_SHORT = 10_000
"""In a text of at most this length, brackets are counted first: few of them cannot nest deeply."""
_TOO_DEEP = '"(left out: nested too deeply)"'
_MOST_DIGITS = 40
"""Digits before the decimal point, or zeros after it; no amount, rate, quantity or id has more."""

_INVALID_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_MANY_DIGITS = b"0" * _MOST_DIGITS
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_QUOTES_AND_BRACKETS = re.compile(r'"|[\[{]+|[\]}]+')


def read_json(source: str | bytes) -> Any:  # noqa: ANN401
    """Return the JSON value; numbers with a fraction are Decimal, digit by digit.

    Content that cannot be used is replaced by text, which is then not accepted where a number or
    something else is required:

    - NaN, infinity and a number that is absurdly large or small: its text as it was sent.
    - Half of a surrogate pair, which UTF-8 cannot hold, and the character 0, which PostgreSQL
      cannot hold: a replacement character.
    - A value nested more than a hundred levels deep: a text that says so.

    Raises:
        ValueError: The source is not JSON.
    """
    text = source if isinstance(source, str) else _decode(source)
    if len(text) <= _SHORT and text.count("[") + text.count("{") <= _DEEPEST:
        return _read(text)
    with suppress(RecursionError):
        value = _read(text)
        if not _is_deep(value):
            return value
    return _read(_cut_deep_values(text))


def _read(text: str) -> Any:  # noqa: ANN401
    is_odd = may_hold_invalid_character(text)
    if not is_odd and not _has_huge_number(text):
        with suppress(ValueError):  # such as NaN, or an error that is raised below
            return _DECODER.decode(text)
    value = json.loads(
        text, parse_int=_parse_integer, parse_float=parse_fraction, parse_constant=str
    )
    return _replace_bad_characters(value) if is_odd else value


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _has_huge_number(text: str) -> bool:
    """Return whether text may contain a whole number that must become text."""
    return _MANY_DIGITS in text.encode().translate(_DIGITS_ALIKE)


def parse_fraction(digits: str) -> Decimal | str:
    """Return a JSON number as a Decimal, or as its text if it cannot be used."""
    try:
        number = Decimal(digits)
    except InvalidOperation:  # such as an exponent of twenty digits
        return digits
    return number if abs(number.adjusted()) <= _MOST_DIGITS else digits


_DECODER = msgspec.json.Decoder(float_hook=parse_fraction)


def may_hold_invalid_character(text: str) -> bool:
    """Return whether JSON text may contain half of a surrogate pair, or the character 0.

    Every line is checked: encoding it takes a two-hundredth of the time of a search for such
    halves.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\\u" in text and _INVALID_ESCAPE.search(text) is not None


def _decode(source: bytes) -> str:
    return source.decode(json.detect_encoding(source), "surrogatepass")


def _is_deep(value: Any) -> bool:  # noqa: ANN401
    """Return whether a value is nested too deeply."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def _cut_deep_values(text: str) -> str:
    """Return JSON text with a short text in place of each value that is nested too deeply.

    Raises:
        ValueError: It is not JSON.
    """
    kept: list[str] = []
    depth = start = position = 0
    while match := _QUOTES_AND_BRACKETS.search(text, position):
        before, position = depth, match.end()
        if match[0] == '"':
            position = scanstring(text, position)[1]
        elif match[0][0] in "[{":
            depth += len(match[0])
            if before <= _DEEPEST < depth:
                kept += text[start : match.start() + _DEEPEST - before], _TOO_DEEP
        else:
            depth -= len(match[0])
            if depth <= _DEEPEST < before:
                start = match.start() + before - _DEEPEST
    return "".join(kept) + text[start:] if depth <= _DEEPEST else ""


def _replace_bad_characters(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_replace_bad_characters(item) for item in value]
    if isinstance(value, dict):
        return {
            _replace_bad_characters(name): _replace_bad_characters(item)
            for name, item in value.items()
        }
    return value
