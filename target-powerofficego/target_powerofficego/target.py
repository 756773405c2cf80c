"""The Singer target for PowerOffice Go: its settings, streams and run."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from target_powerofficego.plugin.loading import loading
from target_powerofficego.settings.schema import CONFIG
from target_powerofficego.singer_target import SettlingTarget
from target_powerofficego.sinks import SINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk import Sink

    from target_powerofficego.settle.run import Run


class TargetPowerOfficeGo(SettlingTarget["Run"]):
    """Keeps PowerOffice Go's customers, products and sales orders in sync with a web shop's."""

    name = "target-powerofficego"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG.to_dict()
    sinks: ClassVar[Mapping[str, type[Sink]]] = SINKS
    key = "id"
    tap = "tap-customwebshop"
    way = "forward"

    # The modules of a run take long to load, and --help and --about do not need them.

    def expected_errors(self) -> tuple[type[Exception], ...]:
        """See `SettlingTarget`."""
        from target_powerofficego.go_api import GoError  # noqa: PLC0415

        return (GoError,)

    def open_run(self) -> Run:
        """See `SettlingTarget`."""
        return _start()(self.config, sys.stdout, self.wait)

    def describe_unknown_stream(self, stream_name: str) -> str:
        """See `SettlingTarget`."""
        return (
            f'the stream "{stream_name}" is not supported, only customers, products and orders;'
            " deselect it in the tap, or rename it with stream_maps"
        )


@functools.cache
def _start() -> Callable[..., Run]:
    with loading():
        from target_powerofficego.start_up import start  # noqa: PLC0415
    return start
