"""The Singer target for the shop: its settings, streams and run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from tap_customwebshop.errors import ShopError
from target_powerofficego.singer_target import SettlingTarget

from target_customwebshop.settings import BackSettings
from target_customwebshop.settings_schema import CONFIG
from target_customwebshop.sinks import SINKS
from target_customwebshop.start_up import BackRun, start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Sink


class TargetCustomWebShop(SettlingTarget):
    """Writes what was edited in PowerOffice Go to the linked records of a web shop."""

    name = "target-customwebshop"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG.to_dict()
    sinks: ClassVar[Mapping[str, type[Sink]]] = SINKS
    key = "Id"
    tap = "tap-powerofficego"
    one_line = (ShopError,)

    def begin(self) -> BackRun:
        """Return the run of the way back; see `SettlingTarget`."""
        run = super().begin()
        if not isinstance(run, BackRun):
            msg = f"a run of the way back is needed, not {type(run).__name__}"
            raise TypeError(msg)
        return run

    def process_endofpipe(self) -> None:
        """Tell of payments only after an input that is whole: a credit note may be missing."""
        self.begin().side.has_all_credit_notes = self.has_whole_input
        super().process_endofpipe()

    def open_run(self) -> BackRun:
        """See `SettlingTarget`."""
        return start(BackSettings.from_config(self.config), sys.stdout)

    def unknown_stream(self, stream_name: str) -> str:
        """See `SettlingTarget`."""
        return (
            f'the stream "{stream_name}" is not taken: only customers, products, salesorders and'
            " outgoing_invoices of tap-powerofficego; deselect it in the tap, or rename it by"
            " stream_maps"
        )
