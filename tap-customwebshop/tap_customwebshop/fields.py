"""The kinds of fields that shop records are made of, as Singer properties."""

from __future__ import annotations

from typing import Any, TypeAlias

from singer_sdk import typing as th

Field: TypeAlias = "th.Property[Any]"

DECIMAL_FORMAT = th.SingerDecimalType.string_format


def key() -> Field:
    """The `id` of a record: the one field that is never missing."""
    return th.Property("id", th.StringType, required=True, description="The shop's own id.")


def identifier(name: str, description: str) -> Field:
    """An id, always text, also where the shop counts in numbers."""
    return th.Property(name, th.StringType, description=description)


def text(name: str, description: str) -> Field:
    """Text as a person typed it."""
    return th.Property(name, th.StringType, description=description)


def choice(name: str, description: str, *values: str) -> Field:
    """One of a few words.

    The words stand in the description only: a schema with `enum` would make a target stop at a
    word that the shop invented, where it should reject that one record.
    """
    listed = ", ".join(f"`{value}`" for value in values)
    return th.Property(name, th.StringType, description=f"{description} One of {listed}.")


def decimal(name: str, description: str) -> Field:
    """A number as a decimal string: an amount, a rate in percent, a quantity."""
    return th.Property(name, th.SingerDecimalType, description=description)


def flag(name: str, description: str) -> Field:
    """True or false."""
    return th.Property(name, th.BooleanType, description=description)


def stamp(name: str, description: str) -> Field:
    """A moment, RFC 3339 in UTC with `Z`."""
    return th.Property(name, th.DateTimeType, description=description)


def day(name: str, description: str) -> Field:
    """A calendar day, `2026-03-31`."""
    return th.Property(name, th.DateType, description=description)


def group(name: str, description: str, *fields: Field) -> Field:
    """An object of its own fields; more fields than these pass as they are."""
    wrapped = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, wrapped, description=description)


def rows(name: str, description: str, *fields: Field) -> Field:
    """A list of objects; more fields than these pass as they are."""
    row = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, th.ArrayType(row), description=description)


def life_cycle() -> list[Field]:
    """The stamps that every record ends with, and the place for fields beyond the contract."""
    return [
        stamp("created_at", "When the record was made."),
        stamp(
            "updated_at",
            "When anything inside the record last changed. Always set; the tap's bookmark.",
        ),
        stamp("deleted_at", "When it was deleted. Deleted records stay listed."),
        group("custom", "Fields that the contract does not have, by their own names."),
    ]
