"""One sink for each stream of tap-powerofficego; it passes linked entries to the settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from target_powerofficego import sinks
from target_powerofficego.singer_target import DroppedSink
from target_powerofficego.store.values import back_name, entity_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.sinks import RecordSink
    from target_powerofficego.singer_target import SettlingTarget

    from target_customwebshop.start_up import BackRun

_ORDERS = "salesorders"
_LINES = "SalesOrderLines"
_INVOICES = "outgoing_invoices"


class EntrySink(sinks.SettlingSink["BackRun"]):
    """Takes entries of Go; an entry that no shop record is linked to is only counted.

    A sales order becomes an outgoing invoice; credit notes are outgoing invoices too.
    """

    key = "Id"
    entities: ClassVar[Mapping[str, str]] = {
        "customers": back_name("customers"),
        "products": back_name("products"),
        _ORDERS: back_name("orders"),
        _INVOICES: back_name("orders"),
    }

    def __init__(self, target: SettlingTarget[BackRun], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's
        super().__init__(target, *args, **kwargs)
        is_without_lines = (
            self.stream_name.lower() == _ORDERS and _LINES not in self.schema["properties"]
        )
        if is_without_lines and target.config["order_lines_back"]:
            self.logger.warning(
                "order_lines_back: edits of order lines are not written to the shop, because the"
                f" tap does not read {_ORDERS}.{_LINES}; select it"
            )

    def take(
        self, run: BackRun, record_id: str, record: dict[str, Any], context: dict[str, Any]
    ) -> None:
        """Pass an entry to the settlement under the shop's id."""
        read_at = context["read_at"]
        is_credit_note = record.get("RelatedInvoiceNo") is not None
        if is_credit_note and self.stream_name.lower() == _INVOICES:
            run.side.note_credit_note(record, read_at)
        entity = entity_of(self.kept_as)
        link = run.side.link_of(entity, record_id)
        if link is None:
            run.tally.count_unchanged(entity)
            return
        run.settlement.take(self.kept_as, {**record, "id": link.shop_id}, read_at)


class MeltanoTestSink(sinks.MeltanoTestSink):
    """Answers `meltano config target-customwebshop test`: nothing is written."""

    message: ClassVar[str] = "The settings are usable; nothing was written."


SINKS: dict[str, type[RecordSink]] = {
    **dict.fromkeys(EntrySink.entities, EntrySink),
    **dict.fromkeys(
        ("contact_persons", "delivery_addresses", "product_groups", "vat_codes"), DroppedSink
    ),
    sinks.MELTANO_TEST_STREAM: MeltanoTestSink,
}
"""The sink class by the name of the stream. The last four streams are accepted and ignored."""
