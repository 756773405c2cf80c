"""What each side has of an order: the shop's side by the link store, Go's side as read now.

First the values that `comparison` compares, then how the link store gives the shop's, then how they
are read from Go: orders and invoices from lists, their lines entry by entry.
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
"""Sums by VAT rate in percent; the key None holds what is of no known rate."""

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

    `due` is what the order comes to with VAT as the shop sent it last, less cancellation and
    refunds; None when that cannot be read.
    """

    number: int
    kind: str
    reason: str
    is_acknowledged: bool
    due: Decimal | None

    @property
    def in_words(self) -> str:
        """The kind, the number and the reason."""
        kind = self.kind if self.kind != "parked" else "parked as"
        return f"{kind} {self.number}: {self.reason}"


@dataclass(frozen=True)
class KnownOrder:
    """An order of the shop, or a refund or cancellation that is linked like one.

    Without a `go_id` it is not in Go. `amounts` are None when the store does not know them.
    """

    shop_id: str
    go_id: str | None
    date: str | None
    amounts: OrderAmounts | None
    matching_reference: str | None = None
    waiting: Waiting | None = None
    customer_id: int | None = None
    """The buyer's id in Go; None when that is not known."""


@dataclass(frozen=True)
class GoEntry:
    """A sales order, invoice or credit note of Go; amounts are in its currency.

    `number` is the order's while it is a sales order, then the invoice's or credit note's. `date`
    is the order's, else the day on which the entry was posted or made; a credit note has the date
    of its voucher.
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
        """The amounts in its header."""
        return Money(self.net, self.total - self.net, self.total)

    @property
    def is_in_ledger(self) -> bool:
        """Whether it is booked: a sales order is not, nor is a credit note before it is sent."""
        return self.kind == "invoice" or (self.kind == "credit note" and self.is_sent)

    @property
    def in_words(self) -> str:
        """The kind and its number."""
        draft = " (not sent)" if self.kind == "credit note" and not self.is_sent else ""
        return f"{self.kind} {self.number}{draft}"


@dataclass(frozen=True)
class EntryAmounts:
    """An entry with its amounts by VAT rate, and its number of lines."""

    entry: GoEntry
    by_rate: Mapping[str | None, Money]
    line_count: int


def with_remainder(by_rate: Mapping[str | None, Money], whole: Money) -> ByRate:
    """Return sums by rate that add up to the whole; what is left over is of no known rate.

    Rates whose sums are zero are left out.
    """
    rest = whole - sum(by_rate.values(), NOTHING)
    found = {**by_rate}
    if rest != NOTHING:
        found[None] = found.get(None, NOTHING) + rest
    return {rate: one for rate, one in found.items() if one != NOTHING}


_ORDERS = "orders"


def shop_orders(store: LinkStore, zone: ZoneInfo) -> list[KnownOrder]:
    """Return the orders that the store knows in its namespace, linked ones first."""
    waiting = {one.shop_id: one for one in store.unsettled.all() if one.entity == _ORDERS}
    linked = [
        _linked(link, waiting.pop(link.shop_id, None), zone)
        for link in store.links.of_entity(_ORDERS)
    ]
    return linked + [_unlinked(one, zone) for one in waiting.values()]


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
    """Return the date on which the order was placed, else made in the shop, else linked."""
    placed = link.base.get("placed_at")
    if placed is not None and placed.shop:
        return str(placed.shop)
    made = _date(link.shop_created_at, zone)
    return made or (link.linked_at.astimezone(zone).date().isoformat() if link.linked_at else None)


def _unlinked(one: Unsettled, zone: ZoneInfo) -> KnownOrder:
    placed = _date(one.payload.get("placed_at"), zone) or _date(one.payload.get("created_at"), zone)
    date = placed or one.first_seen.astimezone(zone).date().isoformat()
    waiting, amounts = _waiting(one, zone), _amounts(_order_of(one), date, zone)
    return KnownOrder(one.shop_id, None, date, amounts, waiting=waiting)


def _order_of(one: Unsettled) -> shop_order.ShopOrder:
    return shop_order.ShopOrder(one.payload)


def _waiting(one: Unsettled, zone: ZoneInfo) -> Waiting:
    due = _due(_order_of(one), zone)
    return Waiting(one.id, one.kind, one.reason, one.acknowledged_at is not None, due)


def _is_no_more(order: shop_order.ShopOrder, zone: ZoneInfo) -> bool:
    """Return whether the shop cancelled or deleted an order."""
    try:
        return wanted(order, (), None, zone, is_linked=False) is Wanted.DELETED
    except Unusable:
        return False


def _due(order: shop_order.ShopOrder, zone: ZoneInfo) -> Decimal | None:
    """Return what an order comes to with VAT, less what the shop cancelled or refunded."""
    if _is_no_more(order, zone):
        return Decimal(0)
    try:
        total = values.amount(order.raw.get("total_incl"), label="total_incl")
        refunded = values.amount(order.raw.get("total_refunded"), label="total_refunded")
        if refunded is None:
            refunded = sum((one.amount or Decimal(0) for one in order.refunds), Decimal(0))
    except Unusable:
        return None
    return None if total is None else round_to_ore(total - refunded)


def _amounts(order: shop_order.ShopOrder, date: str, zone: ZoneInfo) -> OrderAmounts | None:
    """Return the amounts of an order that could not be written; None if they cannot be read."""
    try:
        currency = order.currency
        by_rate = {} if _is_no_more(order, zone) else _by_rate(order)
    except Unusable:
        return None
    return None if by_rate is None else OrderAmounts(date, currency, by_rate)


def _by_rate(order: shop_order.ShopOrder) -> Mapping[str | None, Money] | None:
    """Return an order's amounts by VAT rate after its refunds; None if the shop does not give them.

    Raises:
        Unusable: one of the order's totals cannot be read.
    """
    try:
        lines = order.lines
        left, _ = subtract_refunds(lines, order.refunds, ServiceCodes())
    except Unusable:
        whole = _whole(order, None)
        return None if whole is None else {None: whole}
    by_rate = order_amounts({}, lines).by_rate
    whole = _whole(order, sum(by_rate.values(), NOTHING).tax)
    if whole is None:
        return None
    counted = with_remainder(by_rate, whole)
    return order_amounts({}, left).by_rate if counted == by_rate else counted


def _whole(order: shop_order.ShopOrder, tax_of_lines: Decimal | None) -> Money | None:
    """Return an order's totals; the VAT is that of its lines if it gives only the sum with VAT."""
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
_RIGHTS = {
    "SalesOrders": ("SalesOrders", "SalesOrders_Full"),
    "OutgoingInvoice": ("OutgoingInvoice", "OutgoingInvoice_Full"),
}


class GoSide:
    """Reads Go; an order that becomes an invoice meanwhile is found as an invoice."""

    def __init__(self, go: GoClient, workers: int) -> None:
        self._go = go
        self._workers = workers

    def client_id(self) -> str:
        """Return the id of the Go client that the keys are for, after checking that they may read.

        Raises:
            MissingPrivilege: naming the privileges that are missing.
        """
        client = self._go.read("/ClientIntegrationInformation") or {}
        held = set(client.get("ValidPrivileges") or ())
        missing = [name for name, any_of in _RIGHTS.items() if not held.intersection(any_of)]
        if missing:
            raise MissingPrivilege(
                f"the keys lack privileges in PowerOffice Go: {', '.join(missing)}"
            )
        return str(client.get("ClientId"))

    def entries(self, note: Callable[[int], None]) -> dict[str, GoEntry]:
        """Return all sales orders, then all invoices and credit notes, by id.

        An order that is sent between the two lists is in both, and counts as what it became.
        """
        orders = self._list("/SalesOrders", _ORDER_FIELDS, note)
        found = {one.id: one for one in map(_sales_order, orders)}
        invoices = self._list("/OutgoingInvoices", _INVOICE_FIELDS, note)
        return found | {one.id: one for one in map(_invoice, invoices)}

    def _list(
        self, path: str, fields: Sequence[str], note: Callable[[int], None]
    ) -> Iterator[dict[str, Any]]:
        for page in self._go.list_pages(path, fields=fields):
            note(len(page))
            yield from with_ids(path, page)

    def find(self, go_id: str) -> GoEntry | None:
        """Return one entry as it is now; None if Go no longer has it."""
        for resource, entry_of in (("SalesOrders", _sales_order), ("OutgoingInvoices", _invoice)):
            try:
                return entry_of(self._go.read(f"/{resource}/{go_id}"))
            except NotFound:
                continue
        return None

    def read_all(
        self, entries: Iterable[GoEntry], note: Callable[[int], None]
    ) -> dict[str, EntryAmounts | None]:
        """Return by id the entries with their sums by rate; None for one that is gone by then."""
        by_id: dict[str, EntryAmounts | None] = {}
        listed = list(entries)
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                for entry, read in zip(listed, pool.map(self._read, listed), strict=True):
                    by_id[entry.id] = read
                    note(1)
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
            there = _sales_order(complete)
            lines = complete.get("SalesOrderLines") or ()
            return EntryAmounts(there, sums_by_rate(there, lines), len(lines))
        lines = self._go.read(f"/OutgoingInvoices/{entry.id}/Lines") or ()
        return EntryAmounts(entry, sums_by_rate(entry, lines), len(lines))


def sums_by_rate(entry: GoEntry, lines: Iterable[Mapping[str, Any]]) -> ByRate:
    """Return what an entry comes to by VAT rate; together, the amounts in its header.

    Whether Go rounds VAT on each line or once per rate is not known, so lines that do not add up to
    the header are rounded once per rate. What then remains is of no known rate.
    """
    found: defaultdict[str | None, Money] = defaultdict(lambda: NOTHING)
    for line in lines:
        rate = None if line.get("VatRate") is None else Decimal(str(line["VatRate"])) * 100
        key = None if rate is None else rate_key(rate)
        found[key] += _line(line)
    if sum(found.values(), NOTHING) != entry.money:
        once = {rate: _rounded_once(rate, one) for rate, one in found.items()}
        if sum(once.values(), NOTHING) == entry.money:
            return with_remainder(once, entry.money)
    return with_remainder(found, entry.money)


def _line(line: Mapping[str, Any]) -> Money:
    net, total = _amount(line.get("NetAmount")), _amount(line.get("TotalAmount"))
    return Money(net, total - net, total)


def _rounded_once(rate: str | None, one: Money) -> Money:
    tax = one.tax if rate is None else round_to_ore(one.excl * Decimal(rate) / 100)
    return Money(one.excl, tax, one.excl + tax)


def _sales_order(body: Mapping[str, Any]) -> GoEntry:
    total = _amount(body.get("TotalAmount"))
    return GoEntry(
        kind="credit note" if total < 0 else "sales order",
        number=body.get("SalesOrderNo"),
        date=_day(body.get("SalesOrderDate") or body.get("CreatedDateTimeOffset")),
        line_count=body.get("LineCount"),
        **_common(body),
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
        **_common(body),
    )


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
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
    """Return an ISO date; Go has been seen to add a time to it."""
    return str(value)[:10] if value else None
