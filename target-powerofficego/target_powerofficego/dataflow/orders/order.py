"""Order ↔ SalesOrders: the property table of the header, and what an order's status asks for."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.back import INVOICE_ROWS
from target_powerofficego.dataflow.table import (
    Conversion,
    Direction,
    Property,
    Record,
    Table,
    is_deleted,
    to_member,
)
from target_powerofficego.dataflow.values import ABSENT, Unusable, Value

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Collection
    from decimal import Decimal

ORDER_STATUSES = (
    "draft",
    "pending",
    "processing",
    "on_hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
)
"""What the status of an order can be (docs/shop-api.md)."""
_STAKES = (
    *("lines", "shipping", "fees", "discounts", "taxes", "refunds"),
    *("total_excl", "total_tax", "rounding", "total_incl", "total_refunded", "currency"),
)
"""What of an order decides what is owed."""
_DELETING_STATUSES = frozenset({"cancelled", "failed"})
LIVE_STATUSES = tuple(one for one in ORDER_STATUSES if one not in _DELETING_STATUSES)
"""With these an order can be in Go."""
GUEST = "guest:"
"""Begins the shop id under which a guest, who has none, is linked."""

MADE_FOR_ORDERS = "made_for_orders"
"""Marks a record that the shop never sent: it was made from an order that needs it."""


SERVICE = "service:"
"""Begins the id of a product for freight, fees or discounts, which the shop has no record of."""
CREDIT = "credit:"
"""Begins the id of a credit note, which the shop tells as a refund inside an order."""
_SKU = "sku:"


def is_made_up(shop_id: str) -> bool:
    """Tell whether the shop has no record under an id: a guest's, a credit note's, a line's."""
    return shop_id.startswith((GUEST, SERVICE, CREDIT, _SKU))


class Wanted(enum.Enum):
    """What an order's status asks of Go."""

    WRITTEN = "written"
    DELETED = "deleted"
    LEFT_ALONE = "left alone"


def wanted(
    order: Record,
    statuses: Collection[str],
    orders_from: datetime.date | None,
    zone: datetime.tzinfo,
    *,
    is_linked: bool,
) -> Wanted:
    """Tell whether an order is to be written, deleted from Go while it is a Draft, or left alone.

    `zone` is where `orders_from` is a date. Once linked, an order is not left alone any more: what
    is paid back of it must not be lost.

    Raises:
        Unusable: `status` is none that is known, `deleted_at` or `placed_at` is no stamp, or it
            is not known whether the order was placed before `orders_from`.
    """
    status = values.text(order.get("status"), what="status")
    if status in _DELETING_STATUSES or is_deleted(order):
        return Wanted.DELETED
    if not is_linked and status in ORDER_STATUSES and status not in statuses:
        return Wanted.LEFT_ALONE
    if not is_linked and orders_from and _placed_on(order, zone) < orders_from:
        return Wanted.LEFT_ALONE
    if status not in ORDER_STATUSES:
        told = "is missing" if status is None else f"{values.shown(status)} is not known"
        msg = f"the status {told}; it should be one of {', '.join(ORDER_STATUSES)}"
        raise Unusable(msg)
    return Wanted.WRITTEN


def stakes(order: Record) -> Record:
    """Return what was sold and paid back, and whether the order is ended."""
    is_ended = order.get("status") in tuple(_DELETING_STATUSES) or bool(order.get("deleted_at"))
    return {"is_ended": is_ended, **{name: order.get(name) for name in _STAKES}}


def _placed_on(order: Record, zone: datetime.tzinfo) -> datetime.date:
    """Return the day on which an order was placed, else made.

    Raises:
        Unusable: the shop tells neither, or the one that it tells is no stamp.
    """
    for name in ("placed_at", "created_at"):
        moment = values.instant(order.get(name), what=name)
        if moment is not None:
            return moment.astimezone(zone).date()
    msg = "it has neither placed_at nor created_at, so whether orders_from leaves it is not known"
    raise Unusable(msg)


def buyer_name(order: Record) -> str | None:
    """Return the buyer's name as the order tells it."""
    buyer = order.get("buyer")
    if not isinstance(buyer, dict):
        return None
    name = values.words(buyer.get("name"), what="buyer, name")
    parts = (buyer.get("first_name"), buyer.get("last_name"))
    return name or " ".join(part for part in parts if isinstance(part, str) and part) or None


def product_from_line(line: Record, currency: str | None, rate: Decimal | None) -> Record:
    """Return the product record that an order line stands for, when the shop lists none.

    `rate` is the line's VAT rate in percent.
    """
    return {
        "id": line.get("product_id") or f"{_SKU}{line.get('sku')}",
        "sku": line.get("sku"),
        "name": line.get("name") or line.get("sku"),
        "unit": line.get("unit"),
        "type": "gift_card" if line.get("type") == "gift_card" else "goods",
        "currency": currency,
        "price_excl": line.get("unit_price_excl"),
        "price_incl": line.get("unit_price_incl"),
        "tax_rate": None if rate is None else str(rate),
        MADE_FOR_ORDERS: True,
    }


def _set_by_the_sink(_record: Record, _: Conversion) -> Value:
    return ABSENT


def _date(name: str) -> Callable[[Record, Conversion], Value]:
    def read(order: Record, conversion: Conversion) -> Value:
        if name not in order:
            return ABSENT
        return values.date_in_zone(order[name], zone=conversion.time_zone, what=name)

    return read


def _reference(order: Record, conversion: Conversion) -> Value:
    return values.short_reference(conversion.shop_name, order["id"])


def _number(order: Record, _: Conversion) -> Value:
    return values.text(order.get("number"), what="number")


def _digits(order: Record, conversion: Conversion) -> Value:
    return values.number_of_digits(_number(order, conversion))


def _currency(order: Record, conversion: Conversion) -> Value:
    """Return the currency; where none is told, NOK, for Go would take its customer's."""
    return values.currency(order.get("currency"), what="currency") or conversion.client_currency


def _buyers_reference(order: Record, _: Conversion) -> Value:
    if "reference" not in order:
        return ABSENT
    return values.words(order["reference"], what="reference")


def _buyer_name(order: Record, _: Conversion) -> Value:
    if "buyer" not in order:
        return ABSENT
    if order["buyer"] is not None and not isinstance(order["buyer"], dict):
        msg = f"buyer should be a group of fields but is a {values.kind_of(order['buyer'])}"
        raise Unusable(msg)
    return buyer_name(order)


def _row(
    name: str,
    shop: str,
    go: str,
    go_type: str,
    direction: Direction,
    to_go: Callable[[Record, Conversion], Value],
    same: Callable[[Value], Value] = values.same_text,
    note: str = "",
    to_shop: Callable[[Value, Record], Record] | None = None,
) -> Property:
    return Property(
        name, shop, go, go_type, direction, to_go, same=same, note=note, to_shop=to_shop
    )


ORDER = Table(
    entity="orders",
    resource="SalesOrders",
    rows=(
        _row(
            "id",
            "id",
            "ExternalImportReference",
            "string",
            Direction.ON_CREATE,
            _reference,
            note="`{shop_name}:{id}`",
        ),
        _row(
            "number",
            "number",
            "ImportedOrderNo",
            "int64",
            Direction.ON_CREATE,
            _digits,
            values.same_amount,
            note="only digits",
        ),
        _row(
            "matching_reference",
            "number",
            "CustomMatchingReference",
            "string",
            Direction.ON_CREATE,
            _number,
        ),
        _row(
            "customer",
            "customer_id, or buyer for a guest",
            "CustomerId",
            "int64",
            Direction.TO_GO,
            _set_by_the_sink,
            values.same_amount,
            note="the linked customer; guests by the setting `guests`",
        ),
        _row(
            "placed_at",
            "placed_at",
            "SalesOrderDate",
            "date",
            Direction.TO_GO,
            _date("placed_at"),
            values.same_date,
            note="the date in `time_zone`",
        ),
        _row(
            "shipped_at",
            "shipped_at",
            "DeliveryDate",
            "date",
            Direction.TO_GO,
            _date("shipped_at"),
            values.same_date,
            note="the date in `time_zone`",
        ),
        _row(
            "currency",
            "currency",
            "CurrencyCode",
            "string, ISO 4217",
            Direction.ON_CREATE,
            _currency,
            values.same_code,
            note="NOK when the shop tells none",
        ),
        _row(
            "reference",
            "reference",
            "PurchaseOrderReference",
            "string",
            Direction.BOTH,
            _buyers_reference,
            to_shop=to_member("reference"),
        ),
        _row(
            "buyer",
            "buyer.name",
            "CustomerReference",
            "string",
            Direction.TO_GO,
            _buyer_name,
        ),
        _row(
            "shipping_address",
            "shipping_address",
            "ContactDeliveryAddressId",
            "int64",
            Direction.TO_GO,
            _set_by_the_sink,
            values.same_amount,
            note="when it differs from the customer's primary one",
        ),
        *INVOICE_ROWS,
    ),
)
