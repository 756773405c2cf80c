"""How far an order is to go in Go by its status in the shop: Confirmed, or invoiced; pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.agreement import Agreement, now

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Mapping

    from target_powerofficego.dataflow.table import Record

STAGE = "stage"
"""Under this the base keeps how far an order was brought: the stage, and the status that asked."""


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


def reached_stage(base: Mapping[str, Agreement]) -> Stage | None:
    """Return how far an order was brought already."""
    agreed = base.get(STAGE)
    return Stage(agreed.shop[0]) if agreed is not None else None


def is_due(asked: Stage | None, reached: Stage | None) -> bool:
    """Tell whether a stage is asked for that was not reached.

    Each stage is reached once, so an order that a person sets back in Go stays there.
    """
    if asked is None:
        return False
    return reached is None or (asked is Stage.INVOICED and reached is Stage.CONFIRMED)


def with_stage(
    base: Mapping[str, Agreement],
    stage: Stage | None,
    status: str | None,
    read_at: datetime.datetime,
) -> dict[str, Agreement]:
    """Return a base that keeps that a stage was reached; None: as it is."""
    if stage is None:
        return dict(base)
    return {**base, STAGE: Agreement([stage.value, status], None, read_at, now())}
