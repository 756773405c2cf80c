"""A record as it comes to its walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import MADE_FOR_ORDERS

if TYPE_CHECKING:
    import datetime

    from target_powerofficego.dataflow.table import Record


@dataclass(frozen=True)
class Arrival:
    """A record, when its side was read, and whether it is taken at the end of the input.

    `at_end` is true once no more input comes: then what is still missing may be made.
    """

    record: Record
    read_at: datetime.datetime
    at_end: bool = False

    @property
    def is_made(self) -> bool:
        """Whether it was made for an order that needs it, rather than sent by the shop."""
        return MADE_FOR_ORDERS in self.record

    @property
    def shop_id(self) -> str:
        """The id under which the record is kept."""
        return str(self.record["id"])
