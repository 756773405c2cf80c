"""Recognises the schemas that taps usually send, which need no thorough check."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

_Kind = Literal["null", "boolean", "integer", "number", "string", "array", "object"]


class _PlainSchema(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON schema with no words but these, each with a value that it may have."""

    type: _Kind | Annotated[list[_Kind], msgspec.Meta(min_length=1)] = "object"
    properties: dict[str, _PlainSchema] = {}
    items: _PlainSchema | msgspec.UnsetType = msgspec.UNSET
    required: list[str] = []
    additionalProperties: bool = True  # noqa: N815 - the word of JSON schema
    description: str = ""
    title: str = ""
    format: str = ""
    schema: str = msgspec.field(default="", name="$schema")

    def __post_init__(self) -> None:
        """Refuse what a list names twice, as JSON schema does."""
        for names in (self.required, self.type if isinstance(self.type, list) else []):
            if len(set(names)) < len(names):
                raise ValueError


def is_plain(schema: object) -> bool:
    """Return whether this is certainly a JSON schema, being one of the simple kind.

    A check by the `jsonschema` package takes longer than all else that a round does in which
    nothing changed.
    """
    try:
        msgspec.convert(schema, _PlainSchema)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True
