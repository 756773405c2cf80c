"""The Singer target for the shop: its settings, streams and run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from tap_customwebshop.errors import ShopError
from target_powerofficego.singer_target import SettlingTarget

from target_customwebshop.settings_schema import CONFIG
from target_customwebshop.sinks import SINKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Sink

    from target_customwebshop.start_up import BackRun


class TargetCustomWebShop(SettlingTarget["BackRun"]):
    """Writes what was edited in PowerOffice Go to the linked records of a web shop."""

    name = "target-customwebshop"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG.to_dict()
    sinks: ClassVar[Mapping[str, type[Sink]]] = SINKS
    key = "Id"
    tap = "tap-powerofficego"

    def process_endofpipe(self) -> None:
        """Report payments only after a complete input: otherwise a credit note may be missing."""
        self.begin().side.has_all_credit_notes = self.has_whole_input
        super().process_endofpipe()

    def one_line(self) -> tuple[type[Exception], ...]:
        """See `SettlingTarget`."""
        return (ShopError,)

    def open_run(self) -> BackRun:
        """See `SettlingTarget`."""
        # the modules of a run take long to load, and neither --help nor --about needs them
        from target_customwebshop.start_up import start  # noqa: PLC0415

        return start(self.config, sys.stdout, self.wait)

    def unknown_stream(self, stream_name: str) -> str:
        """See `SettlingTarget`."""
        return (
            f'the stream "{stream_name}" is not taken: only customers, products, salesorders and'
            " outgoing_invoices of tap-powerofficego; deselect it in the tap, or rename it by"
            " stream_maps"
        )
