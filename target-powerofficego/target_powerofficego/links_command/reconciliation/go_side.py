"""Go's side, read afresh: sales orders and outgoing invoices from lists, lines entry by entry."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money
from target_powerofficego.dataflow.values import rate_key, to_ore
from target_powerofficego.go_api import MissingPrivilege, NotFound, with_ids
from target_powerofficego.links_command.reconciliation.sides import (
    ByRate,
    GoEntry,
    ReadEntry,
    with_rest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.go_api import GoClient

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
    ) -> dict[str, ReadEntry | None]:
        """Return by id the entries with their sums by rate; None for one that is gone by then."""
        by_id: dict[str, ReadEntry | None] = {}
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

    def _read(self, entry: GoEntry) -> ReadEntry | None:
        if not entry.is_sent:
            try:
                complete = self._go.read(f"/SalesOrders/{entry.id}/Complete")
            except NotFound:
                sent = self.find(entry.id)
                return self._read(sent) if sent is not None and sent.is_sent else None
            there = _sales_order(complete)
            lines = complete.get("SalesOrderLines") or ()
            return ReadEntry(there, sums_by_rate(there, lines), len(lines))
        lines = self._go.read(f"/OutgoingInvoices/{entry.id}/Lines") or ()
        return ReadEntry(entry, sums_by_rate(entry, lines), len(lines))


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
            return with_rest(once, entry.money)
    return with_rest(found, entry.money)


def _line(line: Mapping[str, Any]) -> Money:
    net, total = _amount(line.get("NetAmount")), _amount(line.get("TotalAmount"))
    return Money(net, total - net, total)


def _rounded_once(rate: str | None, one: Money) -> Money:
    tax = one.tax if rate is None else to_ore(one.excl * Decimal(rate) / 100)
    return Money(one.excl, tax, one.excl + tax)


def _sales_order(body: Mapping[str, Any]) -> GoEntry:
    total = _amount(body.get("TotalAmount"))
    return GoEntry(
        kind="credit note" if total < 0 else "sales order",
        number=body.get("SalesOrderNo"),
        date=_date(body.get("SalesOrderDate") or body.get("CreatedDateTimeOffset")),
        line_count=body.get("LineCount"),
        **_common(body),
    )


def _invoice(body: Mapping[str, Any]) -> GoEntry:
    is_credit = body.get("VoucherType") == "OutgoingCreditNote"
    ordered, posted = _date(body.get("OrderDate")), _date(body.get("VoucherDate"))
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
    return to_ore(Decimal(str(value or 0)))


def _date(value: object) -> str | None:
    """Return an ISO date; Go has been seen to add a time to it."""
    return str(value)[:10] if value else None
