"""Finds the records that can be passed on as the very bytes that the shop sent.

Such a record has the contract's form already: text where the contract has text, amounts and ids; no
field beyond it; a stamp that sorts. Reading it into objects and writing them would change nothing,
and is most of a tap's work.
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
    """The form in which a stream's records need no change.

    Args:
        schema: The stream's schema.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._record = msgspec.json.Decoder(_object(schema, {"id": str, "updated_at": str}))

    def answer(self, body: bytes) -> dict[str, Any] | None:
        """Return an answer of the contract, each record a RawRecord or, if that cannot be, read.

        Args:
            body: The answer.

        Returns:
            None for an answer that is better read as a whole: of another form, or one of whose
            records many are to be changed.
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
                record or read_json(b"[[%b]]" % text)[0][0]  # as deep as it was
                for record, text in zip(raw, texts, strict=True)
            ]
        except (ValueError, RecursionError):
            return None
        return {"data": data, "next_cursor": answer.next_cursor}

    def _raw_records(self, texts: list[Any], *, has_escapes: bool) -> list[RawRecord | None] | None:
        records: list[RawRecord | None] = []
        unfit = 0
        for text in texts:
            is_odd = has_escapes and may_hold_invalid_character(bytes(text).decode())
            record = None if is_odd else self._raw(text)
            records.append(record)
            unfit += record is None
            if unfit > 1 + len(records) // 10:
                return None
        return records

    def _raw(self, text: bytes | msgspec.Raw) -> RawRecord | None:
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


def _object(schema: Mapping[str, Any], required: Mapping[str, type]) -> Any:  # noqa: ANN401
    """Return the type of an object; one whose fields are the shop's own may hold text and flags."""
    properties = schema.get("properties")
    if not properties:
        return dict[str, str | bool | None]
    optional: list[tuple[str, Any, None]] = [
        (name, _value(field) | None, None)
        for name, field in properties.items()
        if name not in required
    ]
    return msgspec.defstruct(
        "Form", [*required.items(), *optional], forbid_unknown_fields=True, gc=False
    )


def _value(field: Mapping[str, Any]) -> Any:  # noqa: ANN401
    kinds = field["type"]
    if "object" in kinds:
        return _object(field, {})
    if "array" in kinds:
        return list[_value(field["items"]) | None]  # type: ignore[misc]
    return bool if "boolean" in kinds else str
