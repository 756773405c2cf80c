"""One sink per stream of tap-powerofficego: hands each linked entry to the settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink
from target_powerofficego.dataflow.values import text_id
from target_powerofficego.singer_target import DroppedSink
from target_powerofficego.sinks import MELTANO_TEST_STREAM
from target_powerofficego.store.ways import on_the_way_back

if TYPE_CHECKING:
    from target_powerofficego.singer_target import SettlingTarget

    from target_customwebshop.start_up import BackRun


class EntrySink(RecordSink):
    """Takes entries of Go; one that the shop has no record of costs one look at the link store."""

    entity: str
    has_credit_notes = False

    def __init__(self, target: SettlingTarget[BackRun], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's
        super().__init__(target, *args, **kwargs)
        self._begin = target.begin

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Hand an entry to the settlement under the shop's id; one without an id is kept out."""
        run = self._begin()
        kept_as = on_the_way_back(self.entity)
        go_id = text_id(record.get("Id"))
        if go_id is None:
            run.settlement.reject_nameless(kept_as, record, context["read_at"])
            return
        if self.has_credit_notes and record.get("RelatedInvoiceNo") is not None:
            run.side.note_credit_note(record, context["read_at"])
        link = run.side.link_of(self.entity, go_id)
        if link is None:
            run.tally.count_unchanged(self.entity)
            return
        run.settlement.take(kept_as, {**record, "id": link.shop_id}, context["read_at"])


class CustomersSink(EntrySink):
    """Takes customers."""

    entity = "customers"


class ProductsSink(EntrySink):
    """Takes products."""

    entity = "products"


class OrdersSink(EntrySink):
    """Takes sales orders."""

    entity = "orders"


class InvoicesSink(OrdersSink):
    """Takes the outgoing invoices that sales orders become, and credit notes."""

    has_credit_notes = True


class MeltanoTestSink(RecordSink):
    """Answers `meltano config target-customwebshop test`: nothing is written."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Take the test record, and do nothing with it."""
        del record, context
        self.logger.info("The settings are usable; nothing was written.")


SINKS: dict[str, type[RecordSink]] = {
    "customers": CustomersSink,
    "products": ProductsSink,
    "salesorders": OrdersSink,
    "outgoing_invoices": InvoicesSink,
    **dict.fromkeys(
        ("contact_persons", "delivery_addresses", "product_groups", "vat_codes"), DroppedSink
    ),
    MELTANO_TEST_STREAM: MeltanoTestSink,
}
"""By the name of the stream; of tap-powerofficego's others nothing goes to the shop."""
