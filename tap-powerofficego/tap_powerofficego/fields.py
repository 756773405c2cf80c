"""The kinds of members that Go's entries are made of, as Singer properties.

All but the key may be null, whatever Go publishes: a null that surprises must not stop a target.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from singer_sdk import typing as th

Field: TypeAlias = "th.Property[Any]"


def number_key(description: str) -> Field:
    """The `Id` of an entry that Go counts in whole numbers."""
    return th.Property("Id", th.IntegerType, required=True, description=description)


def uuid_key(description: str) -> Field:
    """The `Id` of an entry that Go names by a UUID."""
    return th.Property("Id", th.StringType, required=True, description=description)


def text(name: str, description: str) -> Field:
    """Text; also codes and UUIDs."""
    return th.Property(name, th.StringType, description=description)


def choice(name: str, description: str, *values: str) -> Field:
    """One of a few words.

    The words stand in the description only: a schema with `enum` would make a target stop at a
    word that Go adds later.
    """
    listed = ", ".join(f"`{value}`" for value in values)
    return th.Property(name, th.StringType, description=f"{description} One of {listed}.")


def whole(name: str, description: str) -> Field:
    """A whole number: an id, or a number that people read."""
    return th.Property(name, th.IntegerType, description=description)


def decimal(name: str, description: str) -> Field:
    """A number with a fraction: an amount, a rate, a quantity."""
    return th.Property(name, th.NumberType, description=description)


def flag(name: str, description: str) -> Field:
    """True or false."""
    return th.Property(name, th.BooleanType, description=description)


def stamp(name: str, description: str) -> Field:
    """A moment by Go's clock, in UTC with seven decimals."""
    return th.Property(name, th.DateTimeType, description=description)


def day(name: str, description: str) -> Field:
    """A calendar day, `2026-03-31`."""
    return th.Property(name, th.DateType, description=description)


def numbers(name: str, description: str) -> Field:
    """A list of whole numbers."""
    return th.Property(name, th.ArrayType(th.IntegerType), description=description)


def group(name: str, description: str, *fields: Field) -> Field:
    """An object of its own members; more members than these pass as they are."""
    wrapped = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, wrapped, description=description)


def rows(name: str, description: str, *fields: Field) -> Field:
    """A list of objects; more members than these pass as they are."""
    row = th.ObjectType(*fields, additional_properties=True)
    return th.Property(name, th.ArrayType(row), description=description)
