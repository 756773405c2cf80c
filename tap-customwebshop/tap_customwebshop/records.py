"""Brings a shop's record into the form of the contract without losing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_customwebshop.schemas import DECIMAL_FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal


def move_to_custom(record: dict[str, Any], names: Iterable[str]) -> None:
    """Move fields that the contract does not have into the record's `custom` object.

    What is already in `custom` stays: a field of the same name is added with `_` before its name,
    and a `custom` that is not an object becomes a field of that name inside one.
    """
    existing = record.get("custom")
    custom = existing if isinstance(existing, dict) else {}
    if existing is not None and existing is not custom:
        custom["custom"] = existing
    for name in sorted(names):
        free_name = name
        while free_name in custom:
            free_name = f"_{free_name}"
        custom[free_name] = record.pop(name)
    record["custom"] = custom


def numbers_to_text(record: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Turn JSON numbers into text, in place, where the contract has an id or a decimal string.

    The digits stay as the shop sent them (`199.00` becomes `"199.00"`). Numbers in other fields,
    and values that are not numbers, are left alone.
    """
    fields = schema.get("properties", {})
    for name, value in record.items():
        if value is None or isinstance(value, (str, bool)) or name not in fields:
            continue
        field = fields[name]
        if isinstance(value, dict):
            numbers_to_text(value, field)
        elif isinstance(value, list):
            for row in value:
                if isinstance(row, dict):
                    numbers_to_text(row, field.get("items", {}))
        elif field.get("format") == DECIMAL_FORMAT or is_id(name):
            record[name] = digits(value)


def is_id(name: str) -> bool:
    """Return whether a field of this name is an id, which is always text."""
    return name == "id" or name.endswith("_id")


def digits(number: int | Decimal) -> str:
    """Return a number as text, with the digits that it was sent with."""
    text = str(number)
    return format(number, "f") if "E" in text else text
