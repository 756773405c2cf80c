"""The members allowed in a JSON body, and the check of a body or a JSON Patch against them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jsonpatch
import jsonpointer

from go_sandbox.go.problems import Refusal, bad_cast, broken_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from go_sandbox.go.ledger import Entry

_INTEGER_BITS = {"int32": 31, "int64": 63}
_LARGEST_DOUBLE = 10**12
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("text", "date", "uuid", "enum"), str),
    **dict.fromkeys(("int32", "int64"), int),
    "double": (int, float, Decimal),
    "boolean": bool,
}
_OPERATIONS = {"add", "replace", "remove", "copy", "move", "test"}


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
        label: the name of the object in its refusals, such as "Customer".
        members: by lower-case name, since names bind without regard to case.
        required: members that must be present and not null.
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
    """Return the words of a text, as which the lists of names here are written."""
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
    """Return a shape from lists of names by type; `Name:50` sets a maximum length.

    `enum` maps a name to its choices, `nested` and `array` map a name to the shape inside (an
    array with None inside contains int64).
    """
    members = [Member(name, "enum", choices=choices) for name, choices in (enum or {}).items()]
    members += [Member(name, "object", inner=inner) for name, inner in (nested or {}).items()]
    members += [Member(name, "array", inner=inner) for name, inner in (array or {}).items()]
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
    read = _read_plain(member, value)
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


def _read_plain(member: Member, value: object) -> object:
    """Return a value that is neither array nor object; None for one that does not fit."""
    is_flag = isinstance(value, bool)
    if not isinstance(value, _TYPES[member.kind]) or is_flag != (member.kind == "boolean"):
        return None
    read = _READERS.get(member.kind)
    try:
        return read(member, value) if read else value
    except ValueError:
        return None


def _read_integer(member: Member, value: int) -> int | None:
    return value if abs(value) < 2 ** _INTEGER_BITS[member.kind] else None


def _read_double(_member: Member, value: float | Decimal) -> Decimal | None:
    number = Decimal(value)
    return Decimal(repr(float(number))) if abs(number) < _LARGEST_DOUBLE else None


def _read_date(_member: Member, value: str) -> str | None:
    return date.fromisoformat(value).isoformat() if _DATE.fullmatch(value) else None


def _read_uuid(_member: Member, value: str) -> str:
    return str(UUID(value))


def _read_enum(member: Member, value: str) -> str | None:
    return value if value in member.choices else None


_READERS: dict[str, Callable[[Member, Any], object]] = {
    "int32": _read_integer,
    "int64": _read_integer,
    "double": _read_double,
    "date": _read_date,
    "uuid": _read_uuid,
    "enum": _read_enum,
}


def apply_patch(shape: Shape, view: Entry, document: object, *, test_status: int) -> Entry:
    """Return the members that a patch changes, with their new values.

    Args:
        shape: the Patch body, such as `CustomerPatchDto`.
        view: the current value of each of its members.
        document: the JSON Patch document, read from JSON.
        test_status: the status of a failed `test`.

    Raises:
        Refusal: the document, a path or a value does not fit, or a `test` failed.
    """
    if not isinstance(document, list):
        raise bad_cast(f"{shape.name}: a JSON Patch document must be an array of operations")
    patched: Entry = view
    for operation in document:
        step = _step(shape, operation)
        try:
            patched = _filled(shape, jsonpatch.JsonPatch([step]).apply(patched))
        except jsonpatch.JsonPatchTestFailed as error:
            detail = f"{shape.name}: the test of {operation['path']} failed"
            raise Refusal(test_status, f"{shape.label} validation error(s)", detail) from error
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise _no_target(shape, operation.get("path")) from error
    return _changes(shape, view, patched)


def _step(shape: Shape, operation: object) -> dict[str, Any]:
    if not isinstance(operation, dict):
        raise bad_cast(f"{shape.name}: an operation must be an object")
    name = str(operation.get("op")).lower()
    if name not in _OPERATIONS:
        raise bad_cast(f"{shape.name}: '{operation.get('op')}' is not an operation of JSON Patch")
    path, in_array = _proper_path(shape, operation.get("path"))
    if name in ("copy", "move"):
        return {"op": name, "path": path, "from": _proper_path(shape, operation.get("from"))[0]}
    if name == "remove" and not in_array:
        return {"op": "add", "path": path, "value": None}
    if name == "remove":
        return {"op": name, "path": path}
    if "value" not in operation:
        raise bad_cast(f"{shape.name}: the operation on '{path}' has no value")
    name = "add" if name == "replace" and not in_array else name
    return {"op": name, "path": path, "value": _proper_names(shape, path, operation["value"])}


def _proper_path(shape: Shape, path: object) -> tuple[str, bool]:
    if not isinstance(path, str) or not path.startswith("/"):
        raise _no_target(shape, path)
    first, *rest = path[1:].split("/")
    member = shape.members.get(first.lower())
    if member is None or len(rest) > 1:
        raise _no_target(shape, first if member is None else path)
    if not rest:
        return f"/{member.name}", False
    return f"/{member.name}/{_proper_segment(shape, member, rest[0])}", member.kind == "array"


def _proper_segment(shape: Shape, member: Member, segment: str) -> str:
    if member.kind == "array" and (segment == "-" or segment.isdecimal()):
        return segment
    inner = member.inner.members.get(segment.lower()) if member.inner else None
    if inner is None or member.kind != "object":
        raise _no_target(shape, segment)
    return inner.name


def _proper_names(shape: Shape, path: str, value: object) -> object:
    member = shape.members[path[1:].split("/", maxsplit=1)[0].lower()]
    if not isinstance(value, dict) or not member.inner:
        return value
    inner = member.inner.members
    named = {
        inner[name.lower()].name: item for name, item in value.items() if name.lower() in inner
    }
    return {**dict.fromkeys(member.inner.names), **named}


def _filled(shape: Shape, patched: Entry) -> Entry:
    filled = {**dict.fromkeys(shape.names), **patched}
    for member in shape.members.values():
        if member.kind == "object" and member.inner and isinstance(filled[member.name], dict):
            filled[member.name] = {**dict.fromkeys(member.inner.names), **filled[member.name]}
    return filled


def _changes(shape: Shape, view: Entry, patched: Entry) -> Entry:
    changes: Entry = {}
    for member in shape.members.values():
        value = patched[member.name]
        if value != view[member.name] or type(value) is not type(view[member.name]):
            read = _read(shape, member, value)
            if read != view[member.name]:
                changes[member.name] = read
    return changes


def _read(shape: Shape, member: Member, value: object) -> object:
    try:
        return read_value(shape, member, value)
    except Refusal as refusal:
        if refusal.detail.startswith(shape.name) or "Unable" not in refusal.title:
            raise
        raise bad_cast(f"{shape.name}: {refusal.detail}") from refusal


def _no_target(shape: Shape, segment: object) -> Refusal:
    detail = f"{shape.name}: the target of path segment '{segment}' was not found"
    return broken_rule(shape.label, detail)
