"""One sink per stream, which passes each record and the time it was read to the settlement."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal

import msgspec
from singer_sdk.sinks import RecordSink

from target_powerofficego.dataflow.values import text_id
from target_powerofficego.singer_target import RunT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.sinks.core import BaseJSONSchemaValidator

    from target_powerofficego.settle.record_text import RecordText
    from target_powerofficego.settle.run import Run
    from target_powerofficego.singer_target import SettlingTarget

MELTANO_TEST_STREAM = "meltano_test_stream"

_Kind = Literal["null", "boolean", "integer", "number", "string", "array", "object"]


class _PlainSchema(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON schema as taps usually send it: only these keywords, with values that are allowed."""

    type: _Kind | Annotated[list[_Kind], msgspec.Meta(min_length=1)] = "object"
    properties: dict[str, _PlainSchema] = {}
    items: _PlainSchema | msgspec.UnsetType = msgspec.UNSET
    required: list[str] = []
    additionalProperties: bool = True  # noqa: N815 - a keyword of JSON schema
    description: str = ""
    title: str = ""
    format: str = ""
    schema: str = msgspec.field(default="", name="$schema")

    def __post_init__(self) -> None:
        """Refuse a list with the same name twice, as JSON schema does."""
        for names in (self.required, self.type if isinstance(self.type, list) else []):
            if len(set(names)) < len(names):
                raise ValueError


def is_plain_schema(schema: object) -> bool:
    """Return whether this is a simple, and therefore valid, JSON schema.

    The check by the package `jsonschema` would take longer than the rest of a run in which nothing
    changed.
    """
    try:
        msgspec.convert(schema, _PlainSchema)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


class SettlingSink(RecordSink, Generic[RunT]):
    """The base of the sinks of both ways; records are validated by their tables, not here.

    Class attributes:
        key: the member that holds a record's id.
        entities: the name under which the store keeps a stream's records, by the name of the
            stream.
    """

    key: ClassVar[str]
    entities: ClassVar[Mapping[str, str]]

    def __init__(self, target: SettlingTarget[RunT], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's
        super().__init__(target, *args, **kwargs)
        self._begin = target.begin
        self.kept_as = self.entities[self.stream_name.lower()]

    def get_validator(self) -> BaseJSONSchemaValidator | None:
        """Check the stream's schema, and return no validator; the SDK's own check is slow.

        Raises:
            InvalidJSONSchema: the schema is not a JSON schema.
        """
        if not is_plain_schema(self.schema):
            super().get_validator()
        return None

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Pass a record to the settlement; a record without an id is rejected."""
        run = self._begin()
        record_id = text_id(record.get(self.key))
        if record_id is None:
            run.settlement.reject_without_id(self.kept_as, record, context["read_at"])
        else:
            self.take(run, record_id, record, context)

    @abc.abstractmethod
    def take(
        self, run: RunT, record_id: str, record: dict[str, Any], context: dict[str, Any]
    ) -> None:
        """Pass a record that has an id to the settlement."""


class GoSink(SettlingSink["Run"]):
    """Receives customers, products or orders of the shop."""

    key = "id"
    entities: ClassVar[Mapping[str, str]] = {
        f"{name}{ending}": f"{name}s"
        for name in ("customer", "product", "order")
        for ending in ("", "s")
    }

    def take(
        self, run: Run, record_id: str, record: dict[str, Any], context: dict[str, Any]
    ) -> None:
        """See `SettlingSink`."""
        record["id"] = record_id
        run.settlement.take(self.kept_as, record, **context)

    def are_unchanged(self, texts: Sequence[RecordText]) -> Iterator[bool]:
        """See `TextSink`."""
        return self._begin().settlement.are_unchanged(self.kept_as, texts)


class MeltanoTestSink(RecordSink):
    """Receives the test record of `meltano config target-powerofficego test`; writes nothing."""

    message: ClassVar[str] = "The connection to PowerOffice Go works; nothing was written."

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Log that the connection works; the record is not used."""
        del record, context
        self.logger.info(self.message)


SINKS: dict[str, type[RecordSink]] = {
    **dict.fromkeys(GoSink.entities, GoSink),
    MELTANO_TEST_STREAM: MeltanoTestSink,
}
"""The sink class by the name of the stream, singular or plural."""
