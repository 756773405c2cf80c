"""Reads JSON of others so that what cannot be worked with spoils only the value that it is in.

A shop, Go or a tap may send what Python, a database or an amount in kroner cannot hold. If that
were an error, one such record would keep the rest of its page from being read, in every run.
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
_NESTED = {dict, list}
_SHORT = 10_000
"""Up to so many characters, brackets are counted first: a text with few is not nested deeply."""
_TOO_DEEP = '"(left out: nested too deeply)"'
_MOST_DIGITS = 40
"""Digits before the decimal point, or zeros after it; no amount, rate, quantity or id has more."""

_ESCAPED_NO_CHARACTER = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_HUGE = b"0" * _MOST_DIGITS
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_MARKS = re.compile(r'"|[\[{]+|[\]}]+')


def read_json(told: str | bytes) -> Any:  # noqa: ANN401
    """Return the JSON value; numbers with a fraction are Decimal, digit by digit.

    What cannot be worked with becomes text or a character of a text, which a reader finds unusable
    where it wants a number or something else:

    - NaN, infinity and a number that is absurdly large or small: its text as it was sent.
    - Half of a surrogate pair, which UTF-8 cannot hold, and the character 0, which PostgreSQL
      cannot hold: a replacement character.
    - What is nested more than a hundred levels deep: a text that says so.

    Raises:
        ValueError: it is not JSON.
    """
    text = told if isinstance(told, str) else _decoded(told)
    if len(text) <= _SHORT and text.count("[") + text.count("{") <= _DEEPEST:
        return _read(text)
    with suppress(RecursionError):
        value = _read(text)
        if not _is_deep(value):
            return value
    return _read(_without_depths(text))


def _read(text: str) -> Any:  # noqa: ANN401
    is_odd = may_hold_invalid_character(text)
    if not is_odd and not _has_huge_number(text):
        with suppress(ValueError):  # such as NaN, or an error that is told below
            return _DECODER.decode(text)
    value = json.loads(text, parse_int=_whole, parse_float=fraction, parse_constant=str)
    return _mended(value) if is_odd else value


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _has_huge_number(text: str) -> bool:
    """Return whether text may hold a whole number that is to become text."""
    return _HUGE in text.encode().translate(_DIGITS)


def fraction(digits: str) -> Decimal | str:
    """Return a JSON number as a Decimal, or as its text where it cannot be worked with."""
    try:
        number = Decimal(digits)
    except InvalidOperation:  # its exponent has twenty digits
        return digits
    return number if abs(number.adjusted()) <= _MOST_DIGITS else digits


_DECODER = msgspec.json.Decoder(float_hook=fraction)


def may_hold_invalid_character(text: str) -> bool:
    """Return whether JSON text may hold half of a surrogate pair, or the character 0.

    Every line is checked: encoding it takes a two-hundredth of the time of a search for such
    halves.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\\u" in text and _ESCAPED_NO_CHARACTER.search(text) is not None


def _decoded(told: bytes) -> str:
    return told.decode(json.detect_encoding(told), "surrogatepass")


def _is_deep(value: Any) -> bool:  # noqa: ANN401
    """Return whether a value is nested too deeply."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _NESTED
        ]
        if not level:
            return False
    return True


def _without_depths(text: str) -> str:
    """Return JSON text without what is nested too deeply.

    Raises:
        ValueError: it is not JSON.
    """
    kept: list[str] = []
    depth = begin = position = 0
    while found := _MARKS.search(text, position):
        before, position = depth, found.end()
        if found[0] == '"':
            position = scanstring(text, position)[1]
        elif found[0][0] in "[{":
            depth += len(found[0])
            if before <= _DEEPEST < depth:
                kept += text[begin : found.start() + _DEEPEST - before], _TOO_DEEP
        else:
            depth -= len(found[0])
            if depth <= _DEEPEST < before:
                begin = found.start() + before - _DEEPEST
    return "".join(kept) + text[begin:] if depth <= _DEEPEST else ""


def _mended(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in value.items()}
    return value
