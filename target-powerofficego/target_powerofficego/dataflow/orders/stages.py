"""How far an order is to go in Go by its status in the shop: Confirmed, or invoiced; pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values

if TYPE_CHECKING:
    from collections.abc import Collection

    from target_powerofficego.dataflow.table import Record


class Stage(enum.Enum):
    """How far an order was brought; the later one takes in the earlier.

    `UNDELIVERED`: Go made the invoice, and did not get it to the buyer.
    """

    CONFIRMED = "confirmed"
    UNDELIVERED = "undelivered"
    INVOICED = "invoiced"


def status_of(order: Record) -> str | None:
    """Return the status of an order in the shop."""
    return values.text(order.get("status"), what="status")


def asked_stage(
    order: Record, confirm_on: Collection[str], invoice_on: Collection[str]
) -> Stage | None:
    """Return how far an order's status wants it to be; an invoice needs no Confirmed before."""
    status = status_of(order)
    if status in invoice_on:
        return Stage.INVOICED
    return Stage.CONFIRMED if status in confirm_on else None


def is_due(asked: Stage | None, reached: Stage | None) -> bool:
    """Return whether a stage is asked for that was not reached.

    Each stage is reached once, so an order that a person sets back in Go stays there.
    """
    if asked is None:
        return False
    return reached is None or (asked is Stage.INVOICED and reached is Stage.CONFIRMED)
