"""What both sides of a link held when they last agreed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_powerofficego.dataflow.values import Value

NEVER = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
"""When a side was read that has not told its value yet."""

UNTOUCHED = object()
"""Stands for what a write of ours replaced in the shop where there was none."""


@dataclass(frozen=True)
class Agreement:
    """What a row's two sides held when they last agreed, in Go's form, and when each was read.

    `replaced` is what our own last write of the row to the shop replaced there, until the shop has
    told what it holds since: a record that was read before that write says it again.
    """

    shop: Value
    go: Value
    shop_read_at: datetime.datetime
    go_read_at: datetime.datetime
    replaced: Value = UNTOUCHED


def now() -> datetime.datetime:
    """Return this moment, aware, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)
