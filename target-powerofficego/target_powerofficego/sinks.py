"""One sink per entity: hands each record, with the moment it was read, to the settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink

from target_powerofficego.walks.walk import text_id

if TYPE_CHECKING:
    from target_powerofficego.target import TargetPowerOfficeGo

MELTANO_TEST_STREAM = "meltano_test_stream"

_ENTITIES = {
    "customer": "customers",
    "customers": "customers",
    "product": "products",
    "products": "products",
    "order": "orders",
    "orders": "orders",
    MELTANO_TEST_STREAM: MELTANO_TEST_STREAM,
}


class UnknownStream(Exception):  # noqa: N818 - reads as what it says
    """A stream that this target does not take."""


def entity_of(stream_name: str) -> str:
    """Return the entity that a stream is of.

    Raises:
        UnknownStream: it is none that this target takes.
    """
    entity = _ENTITIES.get(stream_name.lower())
    if entity is None:
        msg = (
            f'the stream "{stream_name}" is not taken: only customers, products and orders;'
            " deselect it in the tap, or rename it by stream_maps"
        )
        raise UnknownStream(msg)
    return entity


class GoSink(RecordSink):
    """What the three sinks have in common; no record is validated here, each is by its table."""

    entity: str

    def __init__(self, target: TargetPowerOfficeGo, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's
        super().__init__(target, *args, **kwargs)
        self._begin = target.begin

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Hand one record to the settlement; one without an id is told and kept out."""
        shop_id = text_id(record.get("id"))
        run = self._begin()
        if shop_id is None:
            run.settlement.reject_nameless(self.entity, record, context["read_at"])
            return
        record["id"] = shop_id
        run.settlement.take(self.entity, record, context["read_at"])


class CustomersSink(GoSink):
    """Takes customers."""

    entity = "customers"


class ProductsSink(GoSink):
    """Takes products."""

    entity = "products"


class OrdersSink(GoSink):
    """Takes orders."""

    entity = "orders"


class MeltanoTestSink(RecordSink):
    """Answers `meltano config target-powerofficego test`: the keys work, nothing is written."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Take the test record, and do nothing with it."""
        del record, context
        self.logger.info("The connection to PowerOffice Go works; nothing was written.")


class DroppedSink(RecordSink):
    """Takes a stream that `stream_maps` drops, so that it may have any name."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Do nothing; the stream map lets no record through."""


SINKS: dict[str, type[RecordSink]] = {
    "customers": CustomersSink,
    "products": ProductsSink,
    "orders": OrdersSink,
    MELTANO_TEST_STREAM: MeltanoTestSink,
}
