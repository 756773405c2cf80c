"""What an order's status in the shop asks of Go, from a Draft to an invoice; pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.order import DELETING_STATUSES, ORDER_STATUSES
from target_powerofficego.dataflow.values import Unusable

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection

    from target_powerofficego.dataflow.orders.shop_order import ShopOrder


class Stage(enum.Enum):
    """How far an order was brought; a later stage includes the earlier ones.

    `UNDELIVERED`: Go made the invoice, but could not deliver it to the buyer.
    """

    CONFIRMED = "confirmed"
    UNDELIVERED = "undelivered"
    INVOICED = "invoiced"


class Wanted(enum.Enum):
    """What an order's status asks of Go."""

    WRITTEN = "written"
    DELETED = "deleted"
    LEFT_ALONE = "left alone"


def wanted(
    order: ShopOrder,
    statuses: Collection[str],
    orders_from: datetime.date | None,
    zone: datetime.tzinfo,
    *,
    is_linked: bool,
) -> Wanted:
    """Return whether an order is to be written, deleted from Go while it is a Draft, or left alone.

    `zone` is the time zone of the date `orders_from`. A linked order is never left alone, so that
    money paid back for it is not missed.

    Raises:
        Unusable: `status` is not a known one, `deleted_at` or `placed_at` is not a timestamp, or it
            is not known whether the order was placed before `orders_from`.
    """
    status = order.status
    if status in DELETING_STATUSES or order.is_deleted:
        return Wanted.DELETED
    if not is_linked and status in ORDER_STATUSES and status not in statuses:
        return Wanted.LEFT_ALONE
    if not is_linked and orders_from and _placed_on(order, zone) < orders_from:
        return Wanted.LEFT_ALONE
    if status not in ORDER_STATUSES:
        told = "is missing" if status is None else f"{values.shown(status)} is not known"
        raise Unusable(f"the status {told}; it should be one of {', '.join(ORDER_STATUSES)}")
    return Wanted.WRITTEN


def _placed_on(order: ShopOrder, zone: datetime.tzinfo) -> datetime.date:
    """Return the day on which an order was placed, else that on which it was created.

    Raises:
        Unusable: the shop gives neither, or the one that it gives is not a timestamp.
    """
    for name in ("placed_at", "created_at"):
        moment = values.instant(order.raw.get(name), what=name)
        if moment is not None:
            return moment.astimezone(zone).date()
    raise Unusable(
        "it has neither placed_at nor created_at, so whether orders_from leaves it is not known"
    )


def asked_stage(
    status: str | None, confirm_on: Collection[str], invoice_on: Collection[str]
) -> Stage | None:
    """Return how far an order's status asks it to be brought; an invoice need not be Confirmed."""
    if status in invoice_on:
        return Stage.INVOICED
    return Stage.CONFIRMED if status in confirm_on else None


def is_due(asked: Stage | None, reached: Stage | None) -> bool:
    """Return whether a stage is asked for that has not been reached.

    Each stage is reached only once, so an order that a person sets back in Go stays that way.
    """
    if asked is None:
        return False
    return reached is None or (asked is Stage.INVOICED and reached is Stage.CONFIRMED)
