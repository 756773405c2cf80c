"""What a JSON body may hold, and how a body is read against that."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from go_sandbox.go.problems import bad_cast, broken_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTEGER_BITS = {"int32": 31, "int64": 63}
_LARGEST_DOUBLE = 10**12
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Member:
    """One member of a body: its type as the API names it, and its limits."""

    name: str
    kind: str
    longest: int | None = None
    choices: tuple[str, ...] = ()
    inner: Shape | None = None


@dataclass(frozen=True)
class Shape:
    """The members of one kind of body, as PowerOffice Go's specification lists them.

    Attributes:
        name: the name of the body in the specification, such as `CustomerPostDto`.
        label: what its refusals call the object, such as "Customer".
        members: by lower-case name, since names bind without regard to case.
        required: members that must be there and not null.
    """

    name: str
    label: str
    members: Mapping[str, Member] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of all members."""
        return [member.name for member in self.members.values()]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, as the lists of names here are written."""
    return tuple(text.split())


def shape(
    name: str,
    label: str,
    *,
    required: str = "",
    enum: Mapping[str, tuple[str, ...]] | None = None,
    nested: Mapping[str, Shape] | None = None,
    array: Mapping[str, Shape | None] | None = None,
    **listed: str,
) -> Shape:
    """Return a shape from lists of names by type; `Name:50` gives a longest length.

    `enum` maps a name to its choices, `nested` and `array` map a name to the shape inside (an
    array with None inside holds int64).
    """
    members = [Member(one, "enum", choices=choices) for one, choices in (enum or {}).items()]
    members += [Member(one, "object", inner=inner) for one, inner in (nested or {}).items()]
    members += [Member(one, "array", inner=inner) for one, inner in (array or {}).items()]
    for kind, names in listed.items():
        for word in words(names):
            proper, _, longest = word.partition(":")
            members.append(Member(proper, kind, longest=int(longest) if longest else None))
    members.sort(key=lambda member: member.name)
    by_name = {member.name.lower(): member for member in members}
    return Shape(name, label, by_name, words(required))


def read_body(shape: Shape, body: object, *, prefix: str = "") -> dict[str, Any]:
    """Return the members of a body that belong to the shape, under their proper names.

    Members that the API does not know, and read-only ones, are left out, as Go does.

    Raises:
        Refusal: a type is wrong, a text too long, an enum unknown or a required member missing.
    """
    if not isinstance(body, dict):
        raise bad_cast(f"{prefix or shape.name} must be an object")
    values: dict[str, Any] = {}
    for name, value in body.items():
        member = shape.members.get(str(name).lower())
        if member:
            values[member.name] = read_value(shape, member, value, prefix=prefix)
    for name in shape.required:
        if values.get(name) in (None, ""):
            raise broken_rule(shape.label, f"{prefix}{name} is required")
    return values


def read_value(shape: Shape, member: Member, value: object, *, prefix: str = "") -> object:
    """Return the value of one member, a number as int or Decimal.

    Raises:
        Refusal: the value does not fit the member.
    """
    if value is None:
        return None
    if member.kind == "array":
        return _read_array(shape, member, value)
    if member.kind == "object" and member.inner:
        return read_body(member.inner, value, prefix=f"{member.name}.")
    read = _READERS[member.kind](member, value)
    if read is None:
        place = f"{prefix}{member.name} ({member.kind})"
        raise bad_cast(f"{shape.name}: the value '{value}' is invalid for {place}")
    if member.longest and isinstance(read, str) and len(read) > member.longest:
        detail = f"{prefix}{member.name} is longer than {member.longest} characters"
        raise broken_rule(shape.label, detail)
    return read


def _read_array(shape: Shape, member: Member, value: object) -> list[object]:
    if not isinstance(value, list):
        raise bad_cast(f"{shape.name}: {member.name} must be an array")
    if member.inner:
        return [read_body(member.inner, item) for item in value]
    return [read_value(shape, Member(member.name, "int64"), item) for item in value]


def _read_text(_member: Member, value: object) -> str | None:
    return value if isinstance(value, str) else None


def _read_integer(member: Member, value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 2 ** _INTEGER_BITS[member.kind] else None


def _read_double(_member: Member, value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = Decimal(value)
    return Decimal(repr(float(number))) if abs(number) < _LARGEST_DOUBLE else None


def _read_boolean(_member: Member, value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_date(_member: Member, value: object) -> str | None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _read_uuid(_member: Member, value: object) -> str | None:
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _read_enum(member: Member, value: object) -> str | None:
    return value if isinstance(value, str) and value in member.choices else None


_READERS = {
    "text": _read_text,
    "int32": _read_integer,
    "int64": _read_integer,
    "double": _read_double,
    "boolean": _read_boolean,
    "date": _read_date,
    "uuid": _read_uuid,
    "enum": _read_enum,
}
