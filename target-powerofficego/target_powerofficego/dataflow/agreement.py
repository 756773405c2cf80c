"""What both sides of a link held when they last agreed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_powerofficego.dataflow.values import Value

NEVER = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
"""Stands for the time of reading of a side whose value has not been seen yet."""

UNTOUCHED = object()
"""Stands for the value that our write replaced in the shop, where we have written nothing."""


@dataclass(frozen=True)
class Agreement:
    """What a row's two sides held when they last agreed, in Go's form, and when each was read.

    `replaced` is the shop's value that our own last write of the row replaced. It is kept until the
    shop has reported what it holds since, because a record read before that write repeats it.
    """

    shop: Value
    go: Value
    shop_read_at: datetime.datetime
    go_read_at: datetime.datetime
    replaced: Value = UNTOUCHED


def now() -> datetime.datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)
