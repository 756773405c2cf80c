"""What each side has of an order: the shop's side from the link store, Go's side as read now.

First come the values that `comparison` compares, then how the shop's side is read from the link
store, then how Go's side is read: orders and invoices from lists, and their lines entry by entry.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders import shop_order
from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money
from target_powerofficego.dataflow.orders.lines import ServiceCodes
from target_powerofficego.dataflow.orders.refunds import subtract_refunds
from target_powerofficego.dataflow.orders.state import (
    OrderAmounts,
    OrderState,
    Wanted,
    order_amounts,
    wanted,
)
from target_powerofficego.dataflow.values import Unusable, rate_key, round_to_ore
from target_powerofficego.go_api import MissingPrivilege, NotFound, with_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from target_powerofficego.go_api import GoClient
    from target_powerofficego.store.link_store import Link, LinkStore, Unsettled


ByRate = dict["str | None", Money]
"""Sums by VAT rate in percent; the key None holds what has no known rate."""

EntryKind = Literal["sales order", "invoice", "credit note"]


@dataclass(frozen=True)
class Period:
    """A range of days, the first and the last included."""

    first: datetime.date
    last: datetime.date

    def has(self, date: str | None) -> bool:
        """Return whether an ISO date is in the period."""
        if not date:
            return False
        return self.first <= datetime.date.fromisoformat(date[:10]) <= self.last


@dataclass(frozen=True)
class Waiting:
    """Why an order waits in the link store, with the number that `holds` and `rejects` show.

    `due` is the order's total with VAT as the shop sent it last, less cancellation and refunds;
    None if that cannot be read.
    """

    number: int
    kind: str
    reason: str
    is_acknowledged: bool
    due: Decimal | None

    @property
    def description(self) -> str:
        """The kind, the number and the reason."""
        kind = self.kind if self.kind != "parked" else "parked as"
        return f"{kind} {self.number}: {self.reason}"


@dataclass(frozen=True)
class KnownOrder:
    """An order of the shop, or a refund or cancellation that is linked like an order.

    Without a `go_id`, it is not in Go. `amounts` is None if the store does not have them.
    """

    shop_id: str
    go_id: str | None
    date: str | None
    amounts: OrderAmounts | None
    matching_reference: str | None = None
    waiting: Waiting | None = None
    customer_id: int | None = None
    """The buyer's id in Go, if known."""


@dataclass(frozen=True)
class GoEntry:
    """A sales order, invoice or credit note of Go; amounts are in its currency.

    `number` is that of the order while it is a sales order, then that of the invoice or credit
    note. `date` is the order date, or else the day on which the entry was posted or created; for a
    credit note, it is the date of its voucher.
    """

    id: str
    kind: EntryKind
    number: int | None
    date: str | None
    currency: str
    net: Decimal
    total: Decimal
    reference: str | None = None
    matching_reference: str | None = None
    related_invoice: int | None = None
    line_count: int | None = None
    is_reversed: bool = False
    is_sent: bool = False
    customer_id: int | None = None

    @property
    def money(self) -> Money:
        """The amounts in the header."""
        return Money(self.net, self.total - self.net, self.total)

    @property
    def is_in_ledger(self) -> bool:
        """Whether it is booked: sales orders and unsent credit notes are not."""
        return self.kind == "invoice" or (self.kind == "credit note" and self.is_sent)

    @property
    def description(self) -> str:
        """The kind and the number."""
        draft = " (not sent)" if self.kind == "credit note" and not self.is_sent else ""
        return f"{self.kind} {self.number}{draft}"


@dataclass(frozen=True)
class EntryAmounts:
    """An entry with its amounts by VAT rate, and its number of lines."""

    entry: GoEntry
    by_rate: Mapping[str | None, Money]
    line_count: int


def with_remainder(by_rate: Mapping[str | None, Money], total: Money) -> ByRate:
    """Return sums by rate that add up to the total; any remainder gets the key None.

    Rates whose sums are zero are left out.
    """
    remainder = total - sum(by_rate.values(), NOTHING)
    sums = {**by_rate}
    if remainder != NOTHING:
        sums[None] = sums.get(None, NOTHING) + remainder
    return {rate: money for rate, money in sums.items() if money != NOTHING}


_ORDERS = "orders"


def shop_orders(store: LinkStore, zone: ZoneInfo) -> list[KnownOrder]:
    """Return the orders of the store's namespace, linked ones first."""
    waiting = {
        record.shop_id: record for record in store.unsettled.all() if record.entity == _ORDERS
    }
    linked = [
        _linked(link, waiting.pop(link.shop_id, None), zone)
        for link in store.links.of_entity(_ORDERS)
    ]
    return linked + [_unlinked(record, zone) for record in waiting.values()]


def _linked(link: Link, waiting: Unsettled | None, zone: ZoneInfo) -> KnownOrder:
    amounts = OrderState(link.base).amounts
    number = link.base.get("matching_reference")
    buyer = link.base.get("customer")
    return KnownOrder(
        link.shop_id,
        link.go_id,
        (amounts and amounts.date) or _date_of_link(link, zone),
        amounts,
        None if number is None else number.shop,
        None if waiting is None else _waiting(waiting, zone),
        None if buyer is None else buyer.shop,
    )


def _date_of_link(link: Link, zone: ZoneInfo) -> str | None:
    """Return the date on which an order was placed, or else created in the shop, or else linked."""
    placed = link.base.get("placed_at")
    if placed is not None and placed.shop:
        return str(placed.shop)
    if created := _date(link.shop_created_at, zone):
        return created
    return link.linked_at.astimezone(zone).date().isoformat() if link.linked_at else None


def _unlinked(record: Unsettled, zone: ZoneInfo) -> KnownOrder:
    payload = record.payload
    placed = _date(payload.get("placed_at"), zone) or _date(payload.get("created_at"), zone)
    date = placed or record.first_seen.astimezone(zone).date().isoformat()
    amounts = _amounts(shop_order.ShopOrder(payload), date, zone)
    return KnownOrder(record.shop_id, None, date, amounts, waiting=_waiting(record, zone))


def _waiting(record: Unsettled, zone: ZoneInfo) -> Waiting:
    due = _due(shop_order.ShopOrder(record.payload), zone)
    is_acknowledged = record.acknowledged_at is not None
    return Waiting(record.id, record.kind, record.reason, is_acknowledged, due)


def _is_cancelled(order: shop_order.ShopOrder, zone: ZoneInfo) -> bool:
    """Return whether the shop has cancelled or deleted an order."""
    try:
        return wanted(order, (), None, zone, is_linked=False) is Wanted.DELETED
    except Unusable:
        return False


def _due(order: shop_order.ShopOrder, zone: ZoneInfo) -> Decimal | None:
    """Return an order's total with VAT, less what the shop cancelled or refunded."""
    if _is_cancelled(order, zone):
        return Decimal(0)
    try:
        total = values.amount(order.raw.get("total_incl"), label="total_incl")
        refunded = values.amount(order.raw.get("total_refunded"), label="total_refunded")
        if refunded is None:
            refunded = sum((refund.amount or Decimal(0) for refund in order.refunds), Decimal(0))
    except Unusable:
        return None
    return None if total is None else round_to_ore(total - refunded)


def _amounts(order: shop_order.ShopOrder, date: str, zone: ZoneInfo) -> OrderAmounts | None:
    """Return the amounts of an order that could not be written, or None if they cannot be read."""
    try:
        currency = order.currency
        by_rate = {} if _is_cancelled(order, zone) else _by_rate(order)
    except Unusable:
        return None
    return None if by_rate is None else OrderAmounts(date, currency, by_rate)


def _by_rate(order: shop_order.ShopOrder) -> Mapping[str | None, Money] | None:
    """Return an order's amounts by VAT rate after refunds, or None if the shop does not send them.

    Raises:
        Unusable: one of the order's totals cannot be read.
    """
    try:
        lines = order.lines
        remaining, _ = subtract_refunds(lines, order.refunds, ServiceCodes())
    except Unusable:
        total = _total(order, None)
        return None if total is None else {None: total}
    by_rate = order_amounts({}, lines).by_rate
    total = _total(order, sum(by_rate.values(), NOTHING).tax)
    if total is None:
        return None
    completed = with_remainder(by_rate, total)
    return order_amounts({}, remaining).by_rate if completed == by_rate else completed


def _total(order: shop_order.ShopOrder, tax_of_lines: Decimal | None) -> Money | None:
    """Return an order's totals, with the VAT of its lines if it only states its total with VAT."""
    excl, tax, incl, rounding = (
        values.amount(order.raw.get(name), label=name)
        for name in ("total_excl", "total_tax", "total_incl", "rounding")
    )
    tax = tax_of_lines if excl is None and tax is None else tax
    if incl is None or (excl is None and tax is None):
        return None
    without = round_to_ore(incl - (tax or Decimal(0)) if excl is None else excl + (rounding or 0))
    return Money(without, round_to_ore(incl) - without, round_to_ore(incl))


def _date(stamp: object, zone: ZoneInfo) -> str | None:
    try:
        return values.date_in_zone(stamp, zone=zone, label="the date")
    except Unusable:
        return None


_ORDER_FIELDS = (
    *("Id", "SalesOrderNo", "SalesOrderDate", "ExternalImportReference", "CurrencyCode"),
    *("CustomMatchingReference", "RelatedInvoiceNo", "NetAmount", "TotalAmount", "LineCount"),
    *("CreatedDateTimeOffset", "CustomerId"),
)
_INVOICE_FIELDS = (
    *("Id", "InvoiceNo", "OrderDate", "VoucherDate", "VoucherType", "ExternalImportReference"),
    *("CurrencyCode", "CustomMatchingReference", "RelatedInvoiceNo", "NetAmount", "TotalAmount"),
    *("IsReversed", "CustomerId"),
)
_PRIVILEGES = {
    "SalesOrders": ("SalesOrders", "SalesOrders_Full"),
    "OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full"),
}


class GoSide:
    """Reads Go; an order that becomes an invoice in the meantime is returned as an invoice."""

    def __init__(self, go: GoClient, workers: int) -> None:
        self._go = go
        self._workers = workers

    def client_id(self) -> str:
        """Return the id of the Go client that the keys belong to, if they may read what is needed.

        Raises:
            MissingPrivilege: with the names of the missing privileges.
        """
        client = self._go.read("/ClientIntegrationInformation") or {}
        granted = set(client.get("ValidPrivileges") or ())
        missing = [name for name, any_of in _PRIVILEGES.items() if not granted.intersection(any_of)]
        if missing:
            raise MissingPrivilege(
                f"the keys lack privileges in PowerOffice Go: {', '.join(missing)}"
            )
        return str(client.get("ClientId"))

    def entries(self, report: Callable[[int], None]) -> dict[str, GoEntry]:
        """Return all sales orders, invoices and credit notes by id.

        `report` is called with the number of entries on each page. An order that is sent while the
        two lists are read is in both, and counts as what it became.
        """
        orders = self._list("/SalesOrders", _ORDER_FIELDS, report)
        entries = {entry.id: entry for entry in map(_sales_order, orders)}
        invoices = self._list("/OutgoingInvoices", _INVOICE_FIELDS, report)
        return entries | {entry.id: entry for entry in map(_invoice, invoices)}

    def _list(
        self, path: str, fields: Sequence[str], report: Callable[[int], None]
    ) -> Iterator[dict[str, Any]]:
        for page in self._go.list_pages(path, fields=fields):
            report(len(page))
            yield from with_ids(path, page)

    def find(self, go_id: str) -> GoEntry | None:
        """Return an entry as it is now, or None if Go no longer has it."""
        for resource, parse in (("SalesOrders", _sales_order), ("OutgoingInvoices", _invoice)):
            try:
                return parse(self._go.read(f"/{resource}/{go_id}"))
            except NotFound:
                continue
        return None

    def read_all(
        self, entries: Iterable[GoEntry], report: Callable[[int], None]
    ) -> dict[str, EntryAmounts | None]:
        """Return the entries with their sums by rate, by id; None for one that is gone by then."""
        by_id: dict[str, EntryAmounts | None] = {}
        listed = list(entries)
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                for entry, amounts in zip(listed, pool.map(self._read, listed), strict=True):
                    by_id[entry.id] = amounts
                    report(1)
            except BaseException:
                self._go.cancel()
                pool.shutdown(cancel_futures=True)
                raise
        return by_id

    def _read(self, entry: GoEntry) -> EntryAmounts | None:
        if not entry.is_sent:
            try:
                complete = self._go.read(f"/SalesOrders/{entry.id}/Complete")
            except NotFound:
                sent = self.find(entry.id)
                return self._read(sent) if sent is not None and sent.is_sent else None
            current = _sales_order(complete)
            lines = complete.get("SalesOrderLines") or ()
            return EntryAmounts(current, sums_by_rate(current, lines), len(lines))
        lines = self._go.read(f"/OutgoingInvoices/{entry.id}/Lines") or ()
        return EntryAmounts(entry, sums_by_rate(entry, lines), len(lines))


def sums_by_rate(entry: GoEntry, lines: Iterable[Mapping[str, Any]]) -> ByRate:
    """Return an entry's sums by VAT rate, which add up to the amounts in its header.

    Whether Go rounds VAT on each line or once per rate is not known, so lines that do not add up to
    the header are rounded once per rate. Any remainder gets the key None.
    """
    sums: defaultdict[str | None, Money] = defaultdict(lambda: NOTHING)
    for line in lines:
        rate = None if line.get("VatRate") is None else Decimal(str(line["VatRate"])) * 100
        key = None if rate is None else rate_key(rate)
        sums[key] += _line_money(line)
    if sum(sums.values(), NOTHING) != entry.money:
        rounded = {rate: _round_once(rate, money) for rate, money in sums.items()}
        if sum(rounded.values(), NOTHING) == entry.money:
            return with_remainder(rounded, entry.money)
    return with_remainder(sums, entry.money)


def _line_money(line: Mapping[str, Any]) -> Money:
    net, total = _amount(line.get("NetAmount")), _amount(line.get("TotalAmount"))
    return Money(net, total - net, total)


def _round_once(rate: str | None, money: Money) -> Money:
    tax = money.tax if rate is None else round_to_ore(money.excl * Decimal(rate) / 100)
    return Money(money.excl, tax, money.excl + tax)


def _sales_order(body: Mapping[str, Any]) -> GoEntry:
    total = _amount(body.get("TotalAmount"))
    return GoEntry(
        kind="credit note" if total < 0 else "sales order",
        number=body.get("SalesOrderNo"),
        date=_day(body.get("SalesOrderDate") or body.get("CreatedDateTimeOffset")),
        line_count=body.get("LineCount"),
        **_common_fields(body),
    )


def _invoice(body: Mapping[str, Any]) -> GoEntry:
    is_credit = body.get("VoucherType") == "OutgoingCreditNote"
    ordered, posted = _day(body.get("OrderDate")), _day(body.get("VoucherDate"))
    return GoEntry(
        kind="credit note" if is_credit else "invoice",
        number=body.get("InvoiceNo"),
        date=(posted or ordered) if is_credit else (ordered or posted),
        is_reversed=bool(body.get("IsReversed")),
        is_sent=True,
        **_common_fields(body),
    )


def _common_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(body["Id"]),
        "currency": body.get("CurrencyCode") or "NOK",
        "net": _amount(body.get("NetAmount")),
        "total": _amount(body.get("TotalAmount")),
        "reference": body.get("ExternalImportReference"),
        "matching_reference": body.get("CustomMatchingReference"),
        "related_invoice": body.get("RelatedInvoiceNo"),
        "customer_id": body.get("CustomerId"),
    }


def _amount(value: object) -> Decimal:
    return round_to_ore(Decimal(str(value or 0)))


def _day(value: object) -> str | None:
    """Return an ISO date; Go sometimes adds a time to it."""
    return str(value)[:10] if value else None
