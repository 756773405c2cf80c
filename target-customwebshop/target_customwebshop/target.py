"""The Singer target for the shop: its settings, streams and run.

Its settings have the same names and meanings as in tap-customwebshop and target-powerofficego.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from tap_customwebshop.errors import ShopError
from tap_customwebshop.settings import API_URL, SHOP, SHOP_SETTINGS
from target_powerofficego.plugin.loading import loading
from target_powerofficego.settings.schema import settings_named
from target_powerofficego.singer_target import SettlingTarget

from target_customwebshop.sinks import SINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk import Sink

    from target_customwebshop.start_up import BackRun

_SHOP = (
    API_URL,
    th.Property(
        "auth_token",
        th.StringType,
        required=True,
        secret=True,
        title="Access token",
        description="The bearer token for the shop's API; it must have write access.",
    ),
    SHOP,
    SHOP_SETTINGS,
    th.Property(
        "workers",
        th.IntegerType(minimum=1, maximum=32),
        default=2,
        title="Workers",
        description="How many calls to the shop may be in progress at the same time.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1),
        default=60,
        title="Request timeout, seconds",
        description="How long the shop may take to answer a call completely.",
    ),
    th.Property(
        "retry_seconds",
        th.IntegerType(minimum=0),
        default=300,
        title="Retry budget, seconds",
        description="How long a call may be retried in total while the shop is busy or failing. If"
        " the shop does not answer other calls either, the run stops.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="The User-Agent header that is sent to the shop. If empty, the target's name"
        " and version.",
    ),
    th.Property(
        "page_size",
        th.IntegerType(minimum=1, maximum=1000),
        default=500,
        title="Page size",
        description="How many rows to request at a time when the shop file reads a list.",
    ),
    *(
        th.Property(
            name,
            kind,
            title=title,
            description="A setting of tap-customwebshop, ignored here so that both can use the same"
            " config file.",
        )
        for name, kind, title in (
            ("lookback_seconds", th.IntegerType, "Look-back (seconds)"),
            ("start_date", th.StringType, "Start date"),
        )
    ),
)

_COMMON = settings_named(
    *("shop_name", "link_store", "dry_run", "changes_file", "owners", "clock_margin"),
    *("max_changes", "fail_on", "properties", "stock", "time_zone", "anonymised_marks", "notify"),
)

_LINES = th.Property(
    "order_lines_back",
    th.BooleanType,
    default=False,
    title="Order lines back",
    description="Whether edits of sales order lines in Go are written to the shop's order. The tap"
    " must then select `salesorders.SalesOrderLines`.",
)


class TargetCustomWebShop(SettlingTarget["BackRun"]):
    """Writes what was edited in PowerOffice Go to the linked records of a web shop."""

    name = "target-customwebshop"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        *_SHOP, *_COMMON, _LINES
    ).to_dict()
    sinks: ClassVar[Mapping[str, type[Sink]]] = SINKS
    key = "Id"
    tap = "tap-powerofficego"
    tap_ends_with_state = True
    way = "back"

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """See `SettlingTarget`; a shop file states itself whether it needs the token."""
        if self._config.get("shop") and not self._config.get("auth_token"):
            self._config["auth_token"] = ""
        return super()._validate_config(raise_errors=raise_errors)

    def process_endofpipe(self) -> None:
        """Report payments only after complete input; otherwise a credit note may be missing."""
        self.begin().side.has_all_credit_notes = self.has_whole_input
        super().process_endofpipe()

    def expected_errors(self) -> tuple[type[Exception], ...]:
        """See `SettlingTarget`."""
        return (ShopError,)

    def open_run(self) -> BackRun:
        """See `SettlingTarget`."""
        return _start()(self.config, sys.stdout, self.wait)

    def describe_unknown_stream(self, stream_name: str) -> str:
        """See `SettlingTarget`."""
        return (
            f'the stream "{stream_name}" is not supported: only customers, products, salesorders'
            " and outgoing_invoices of tap-powerofficego are; deselect it in the tap, or rename it"
            " with stream_maps"
        )


@functools.cache
def _start() -> Callable[..., BackRun]:
    # the modules of a run are slow to load, and neither --help nor --about needs them
    with loading():
        from target_customwebshop.start_up import start  # noqa: PLC0415
    return start
