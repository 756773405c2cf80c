"""Finds the records that can be passed on as exactly the bytes that the shop sent.

Such a record already has the contract's form: text where the contract has text, amounts and ids; no
other fields; a stamp that sorts. Parsing and serializing it would change nothing, and is most of a
tap's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_customwebshop.plugin.json_text import may_hold_invalid_character, read_json
from tap_customwebshop.stamps import FIRST_YEAR, sortable_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping


_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""JSON has no line breaks within a text."""


class RawRecord(NamedTuple):
    """A record as JSON text.

    Attributes:
        id: Its id.
        stamp: Its `updated_at`, in the form in which stamps are compared.
        text: Its JSON, on one line.
    """

    id: str
    stamp: str
    text: bytes | msgspec.Raw


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw]
    next_cursor: Any


class RecordForm:
    """The form of a stream's records that need no change.

    Args:
        schema: The stream's schema.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._record = msgspec.json.Decoder(_object_type(schema, {"id": str, "updated_at": str}))

    def parse_answer(self, body: bytes) -> dict[str, Any] | None:
        """Return an answer of the contract, with each record raw if it needs no change.

        Args:
            body: The answer.

        Returns:
            None for an answer that is better parsed as a whole: it has another form, or many of its
            records need a change.
        """
        try:
            answer = self._envelope.decode(body)
            texts: list[Any] = answer.data
            if b"\n" in body or b"\r" in body:
                texts = [bytes(text).translate(_ON_ONE_LINE) for text in texts]
            raw = self._raw_records(texts, has_escapes=b"\\u" in body)
            if raw is None:
                return None
            data = [
                record or read_json(b"[[%b]]" % text)[0][0]  # nested as deep as in the answer
                for record, text in zip(raw, texts, strict=True)
            ]
        except (ValueError, RecursionError):
            return None
        return {"data": data, "next_cursor": answer.next_cursor}

    def _raw_records(self, texts: list[Any], *, has_escapes: bool) -> list[RawRecord | None] | None:
        records: list[RawRecord | None] = []
        changed = 0
        for text in texts:
            is_odd = has_escapes and may_hold_invalid_character(bytes(text).decode())
            record = None if is_odd else self._raw_record(text)
            records.append(record)
            changed += record is None
            if changed > 1 + len(records) // 10:
                return None
        return records

    def _raw_record(self, text: bytes | msgspec.Raw) -> RawRecord | None:
        try:
            record = self._record.decode(text)
        except (ValueError, RecursionError):
            return None
        value = record.updated_at
        stamp = sortable_stamp(value)
        if not record.id or stamp is None or stamp < FIRST_YEAR:
            return None
        if value[-1] != "Z" or value[10] != "T":
            return None
        return RawRecord(record.id, stamp, text)


def _object_type(schema: Mapping[str, Any], required: Mapping[str, type]) -> Any:  # noqa: ANN401
    """Return the type of an object; if its fields are the shop's own, they are text and flags."""
    properties = schema.get("properties")
    if not properties:
        return dict[str, str | bool | None]
    optional: list[tuple[str, Any, None]] = [
        (name, _value_type(field) | None, None)
        for name, field in properties.items()
        if name not in required
    ]
    return msgspec.defstruct(
        "Form", [*required.items(), *optional], forbid_unknown_fields=True, gc=False
    )


def _value_type(field: Mapping[str, Any]) -> Any:  # noqa: ANN401
    types = field["type"]
    if "object" in types:
        return _object_type(field, {})
    if "array" in types:
        return list[_value_type(field["items"]) | None]  # type: ignore[misc]
    return bool if "boolean" in types else str
