"""The schema of the settings of target-customwebshop.

They have the same names as those of tap-customwebshop and target-powerofficego, and mean the same.
"""

from __future__ import annotations

from singer_sdk import typing as th
from tap_customwebshop.settings import API_URL
from target_powerofficego.settings.schema import named

_SHOP = (
    API_URL,
    th.Property(
        "auth_token",
        th.StringType,
        required=True,
        secret=True,
        title="Access token",
        description="The bearer token that the shop's API asks for; it must be allowed to write.",
    ),
    th.Property(
        "workers",
        th.IntegerType(minimum=1, maximum=32),
        default=2,
        title="Workers",
        description="How many calls to the shop may be under way at once.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1),
        default=60,
        title="Request timeout, seconds",
        description="How long the shop may take for one answer, to the last byte.",
    ),
    th.Property(
        "retry_seconds",
        th.IntegerType(minimum=0),
        default=300,
        title="Retry budget, seconds",
        description="How long one call may be tried again, in all, while the shop is busy or"
        " failing. If the shop then answers nothing else either, the run stops.",
    ),
)

_SAME = named(
    *("shop_name", "link_store", "dry_run", "changes_file", "owners", "clock_margin"),
    *("max_changes", "fail_on", "properties", "stock", "time_zone", "anonymised_marks"),
)

_LINES = th.Property(
    "order_lines_back",
    th.BooleanType,
    default=False,
    title="Order lines back",
    description="Whether an edit of a line of a sales order in Go is written to the shop's order."
    " The tap must then select `salesorders.SalesOrderLines`.",
)

CONFIG = th.PropertiesList(*_SHOP, *_SAME, _LINES)
