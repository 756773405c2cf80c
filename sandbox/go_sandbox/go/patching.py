"""JSON Patch as Go takes it: paths in any case, and only to what the Patch body lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonpatch
import jsonpointer

from go_sandbox.go.problems import Refusal, bad_cast, broken_rule
from go_sandbox.go.shapes import read_value

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Entry
    from go_sandbox.go.shapes import Member, Shape

_OPERATIONS = {"add", "replace", "remove", "copy", "move", "test"}


def apply_patch(shape: Shape, view: Entry, document: object, *, test_status: int) -> Entry:
    """Return the members that a patch changes, with their new values.

    Args:
        shape: the Patch body, such as `CustomerPatchDto`.
        view: the present value of each of its members.
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
