"""One sink per entity: hands each record, with the moment it was read, to the settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink

from target_powerofficego.dataflow.values import text_id

if TYPE_CHECKING:
    from target_powerofficego.settle.run import Run
    from target_powerofficego.singer_target import SettlingTarget

MELTANO_TEST_STREAM = "meltano_test_stream"


class GoSink(RecordSink):
    """What the three sinks have in common; no record is validated here, each is by its table."""

    entity: str

    def __init__(self, target: SettlingTarget[Run], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's
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


SINKS: dict[str, type[RecordSink]] = {
    "customer": CustomersSink,
    "customers": CustomersSink,
    "product": ProductsSink,
    "products": ProductsSink,
    "order": OrdersSink,
    "orders": OrdersSink,
    MELTANO_TEST_STREAM: MeltanoTestSink,
}
"""By the name of the stream, singular or plural."""
