"""Order ↔ SalesOrders: the property table of the header, and of its invoice on the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.table import (
    Conversion,
    Direction,
    Property,
    Record,
    Table,
    member_reader,
    member_writer,
    reference,
)
from target_powerofficego.dataflow.values import ABSENT, Unusable, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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
"""The possible statuses of an order (docs/shop-api.md)."""
_MONEY_MEMBERS = (
    *("lines", "shipping", "fees", "discounts", "taxes", "refunds"),
    *("total_excl", "total_tax", "rounding", "total_incl", "total_refunded", "currency"),
)
"""The members of an order that decide what is owed."""
DELETING_STATUSES = frozenset({"cancelled", "failed"})
"""An order with one of these should no longer be in Go."""
LIVE_STATUSES = tuple(status for status in ORDER_STATUSES if status not in DELETING_STATUSES)
"""An order with one of these can be in Go."""
GUEST = "guest:"
"""Prefix of the id under which a guest is linked, who has no id in the shop."""

MADE_FOR_ORDERS = "made_for_orders"
"""Marks a record that the shop never sent: it was made from an order that needs it."""

SERVICE = "service:"
"""Prefix of the id of a product for freight, fees or discounts, which is not in the shop."""
CREDIT = "credit:"
"""Prefix of the id of a credit note, which the shop lists as a refund inside an order."""
_SKU = "sku:"


def is_internal_id(shop_id: str) -> bool:
    """Return whether we made an id, such as a guest's: the shop has no record under it."""
    return shop_id.startswith((GUEST, SERVICE, CREDIT, _SKU))


CANCEL = ""
"""Used in place of a refund's id, which is never empty, by the credit note for what is left of a
cancelled order."""

_CANCELLED = ":cancel"
_REFUNDED = ":refund:"


def credit_name(order_id: str, refund_id: str) -> str:
    """Return the name of an order's credit note, as used in its reference in Go."""
    suffix = _CANCELLED if refund_id == CANCEL else f"{_REFUNDED}{refund_id}"
    return order_id + suffix


def credited_order(shop_id: str) -> str:
    """Return the id of the order to which a credit note belongs; any other id is unchanged."""
    if not shop_id.startswith(CREDIT):
        return shop_id
    order_id, is_refund, _ = shop_id.removeprefix(CREDIT).partition(_REFUNDED)
    return order_id if is_refund else order_id.removesuffix(_CANCELLED)


def money_members(order: Record) -> Record:
    """Return what was sold and paid back, and whether the order is cancelled, failed or deleted."""
    is_ended = order.get("status") in tuple(DELETING_STATUSES) or bool(order.get("deleted_at"))
    return {"is_ended": is_ended, **{name: order.get(name) for name in _MONEY_MEMBERS}}


def buyer_name(order: Record) -> str | None:
    """Return the buyer's name as given in the order."""
    buyer = order.get("buyer")
    if not isinstance(buyer, dict):
        return None
    name = values.unescaped_text(buyer.get("name"), label="buyer, name")
    parts = (buyer.get("first_name"), buyer.get("last_name"))
    return name or " ".join(part for part in parts if isinstance(part, str) and part) or None


def product_from_line(line: Record, currency: str | None, rate: Decimal | None) -> Record:
    """Return the product record for an order line whose product the shop does not list.

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


def _set_later(_record: Record, _: Conversion) -> Value:
    """Return ABSENT: the id in Go is added when the order is written."""
    return ABSENT


def _date(name: str) -> Callable[[Record, Conversion], Value]:
    def read(order: Record, conversion: Conversion) -> Value:
        if name not in order:
            return ABSENT
        return values.date_in_zone(order[name], zone=conversion.time_zone, label=name)

    return read


def _currency(order: Record, conversion: Conversion) -> Value:
    """Return the currency; if the shop gives none, the client's: Go would use the customer's."""
    return values.currency(order.get("currency"), label="currency") or conversion.client_currency


def _buyer_name(order: Record, _: Conversion) -> Value:
    if "buyer" not in order:
        return ABSENT
    if order["buyer"] is not None and not isinstance(order["buyer"], dict):
        raise Unusable(
            f"buyer should be a group of fields but is a {values.kind_of(order['buyer'])}"
        )
    return buyer_name(order)


HAS_CREDIT_NOTE = "HasCreditNote"
"""A member that the way back adds to an invoice from Go to which a credit note relates."""

PAID = "paid"
PAYMENT_ROW = "payment_status"
_UNPAID = ("unpaid", "authorized", "partially_paid")


def _invoice(name: str) -> Callable[[Record, Conversion], Value]:
    def read(order: Record, _: Conversion) -> Value:
        if "invoice" not in order:
            return ABSENT
        invoice = order["invoice"]
        return invoice.get(name) if isinstance(invoice, dict) else None

    return read


def _to_invoice(name: str, convert: Callable[[Value], Value]) -> Callable[[Value, Record], Record]:
    return lambda value, _: {"invoice": {name: None if value is None else convert(value)}}


def _invoice_number(value: Value) -> Value:
    return None if value is None else str(value).strip() or None


def _moment(value: Value) -> Value:
    """Return a stamp in UTC in the form of the shop's API; what is not a stamp is unchanged."""
    try:
        moment = values.instant(value, label="the stamp")
    except values.Unusable:
        return value
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _payment(order: Record, _: Conversion) -> Value:
    """Return "paid" for an order whose payment the shop no longer expects."""
    if "payment_status" not in order:
        return ABSENT
    return None if order["payment_status"] in (*_UNPAID, None) else PAID


def _is_paid(entry: Mapping[str, Any]) -> Value:
    """Return "paid" for an invoice with nothing outstanding that was not credited; else None."""
    balance, total = entry.get("Balance"), entry.get("TotalAmount")
    is_open = balance is None or values.number_in_go(balance, label="Balance") != 0
    is_sale = total is not None and values.number_in_go(total, label="TotalAmount") > 0
    if is_open or not is_sale or entry.get("IsReversed") or entry.get(HAS_CREDIT_NOTE):
        return None
    return PAID


def _to_payment(value: Value, _: Record) -> Record:
    """Write "paid"; an order is never made unpaid again."""
    return {"payment_status": PAID} if value == PAID else {}


def _same_moment(value: Value) -> Value:
    return _moment(values.normalise_text(value))


ORDER = Table(
    entity="orders",
    resource="SalesOrders",
    rows=(
        Property(
            "id",
            "id",
            "ExternalImportReference",
            "string",
            Direction.ON_CREATE,
            reference,
            note="`{shop_name}:{id}`",
        ),
        Property(
            "number",
            "number",
            "ImportedOrderNo",
            "int64",
            Direction.ON_CREATE,
            member_reader("number", values.number_of_digits, omitted=None),
            normalise=values.normalise_amount,
            note="only digits",
        ),
        Property(
            "matching_reference",
            "number",
            "CustomMatchingReference",
            "string",
            Direction.ON_CREATE,
            member_reader("number", omitted=None),
        ),
        Property(
            "customer",
            "customer_id, or buyer for a guest",
            "CustomerId",
            "int64",
            Direction.TO_GO,
            _set_later,
            normalise=values.normalise_amount,
            note="the linked customer; for guests, see the setting `guests`",
        ),
        Property(
            "placed_at",
            "placed_at",
            "SalesOrderDate",
            "date",
            Direction.TO_GO,
            _date("placed_at"),
            normalise=values.normalise_date,
            note="the date in `time_zone`",
        ),
        Property(
            "shipped_at",
            "shipped_at",
            "DeliveryDate",
            "date",
            Direction.TO_GO,
            _date("shipped_at"),
            normalise=values.normalise_date,
            note="the date in `time_zone`",
        ),
        Property(
            "currency",
            "currency",
            "CurrencyCode",
            "string, ISO 4217",
            Direction.ON_CREATE,
            _currency,
            normalise=values.normalise_code,
            note="NOK if the shop gives none",
        ),
        Property(
            "reference",
            "reference",
            "PurchaseOrderReference",
            "string",
            Direction.BOTH,
            member_reader("reference", values.unescaped_text),
            to_shop=member_writer("reference"),
        ),
        Property(
            "buyer",
            "buyer.name",
            "CustomerReference",
            "string",
            Direction.TO_GO,
            _buyer_name,
        ),
        Property(
            "shipping_address",
            "shipping_address",
            "ContactDeliveryAddressId",
            "int64",
            Direction.TO_GO,
            _set_later,
            normalise=values.normalise_amount,
            note="if it differs from the customer's primary address",
        ),
        Property(
            "invoice_number",
            "invoice.number",
            "InvoiceNo",
            "int64",
            Direction.TO_SHOP,
            _invoice("number"),
            normalise=_invoice_number,
            to_shop=_to_invoice("number", str),
            note="of OutgoingInvoices; once anybody has sent the invoice",
        ),
        Property(
            "invoice_sent_at",
            "invoice.sent_at",
            "SentDateTimeOffset",
            "date-time",
            Direction.TO_SHOP,
            _invoice("sent_at"),
            normalise=_same_moment,
            to_shop=_to_invoice("sent_at", _moment),
        ),
        Property(
            "invoice_due_on",
            "invoice.due_on",
            "DueDate",
            "date",
            Direction.TO_SHOP,
            _invoice("due_on"),
            normalise=values.normalise_date,
            to_shop=_to_invoice("due_on", values.normalise_date),
        ),
        Property(
            "invoice_balance",
            "invoice.balance",
            "Balance",
            "decimal",
            Direction.TO_SHOP,
            _invoice("balance"),
            normalise=values.normalise_amount,
            to_shop=_to_invoice(
                "balance", lambda value: values.money(values.number_in_go(value, label="Balance"))
            ),
        ),
        Property(
            PAYMENT_ROW,
            "payment_status",
            "Balance",
            "decimal",
            Direction.TO_SHOP,
            _payment,
            to_shop=_to_payment,
            read_from_go=_is_paid,
            needs=("TotalAmount", "RelatedInvoiceNo", "IsReversed"),
            note="0: `paid`, only from unpaid, authorized or partially_paid, and not if a credit"
            " note relates to the invoice",
        ),
    ),
)
