"""Tells what is wrong with the values of a record, as a shop with typed columns would."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from go_sandbox.shop import stamps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from go_sandbox.shop.contract import Field, Fields

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORMS = {
    "text": "text",
    "phone": "text",
    "flag": "true or false",
    "amount": "a decimal string",
    "number": "a decimal string",
    "stamp": "an RFC 3339 stamp with its zone",
    "day": "a day such as 2026-01-31",
    "object": "an object",
    "list": "a list of objects",
}


def mistakes(fields: Fields, values: Mapping[str, object], within: str = "") -> Iterator[str]:
    """Tell each field that the shop does not have, and each value that its field cannot hold.

    A value of null is never wrong.
    """
    for name, value in values.items():
        path = f"{within}{name}"
        if name not in fields:
            yield f"There is no field {path!r}."
        elif value is not None:
            yield from _mistakes_of(fields[name], path, value)


def _mistakes_of(field: Field, path: str, value: object) -> Iterator[str]:
    if field.kind == "word":
        if value not in field.words:
            yield f"{path} must be one of {', '.join(field.words)}."
    elif not _has_form(field.kind, value):
        yield f"{path} must be {_FORMS[field.kind]}."
    elif field.inner is not None and isinstance(value, dict):
        yield from mistakes(field.inner, value, f"{path}.")
    elif field.inner is not None and isinstance(value, list):
        for place, row in enumerate(value):
            yield from mistakes(field.inner, row, f"{path}[{place}].")


def _has_form(kind: str, value: object) -> bool:
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "object":
        return isinstance(value, dict)
    if kind == "list":
        return isinstance(value, list) and all(isinstance(row, dict) for row in value)
    return isinstance(value, str) and _is_written_as(kind, value)


def _is_written_as(kind: str, text: str) -> bool:
    try:
        if kind == "stamp":
            stamps.parse(text)
        elif kind == "day":
            date.fromisoformat(text)
            return bool(_DAY.fullmatch(text))
        elif kind in ("amount", "number"):
            return bool(_DECIMAL.fullmatch(text))
    except ValueError:
        return False
    return True
