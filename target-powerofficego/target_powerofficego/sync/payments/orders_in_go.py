"""Reads what Go says of orders that were paid: in bulk, right before their payments are posted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.payments import CURRENCY, OrderInGo
from target_powerofficego.dataflow.values import Unusable, number_in_go, same_text
from target_powerofficego.go_api import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal

    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools

logger = logging.getLogger("target-powerofficego")

_AT_ONCE = 50  # ids of invoices in one address
_MEMBERS = ("Id", "CustomerId", "CurrencyCode", "CustomMatchingReference")

_PLANNED = OrderInGo(CURRENCY, matching_reference="as the order", ledger_account_id=0)
"""Stands for an order that a plan would create."""


def orders_in_go(tools: Tools, order_ids: Iterable[str]) -> dict[str, OrderInGo]:
    """Return linked orders as they stand in Go, by the shop's ids; without those that are gone.

    Raises:
        TryAgainLater, StopRun: Go cannot be asked.
    """
    known = [tools.store.links.get("orders", order_id) for order_id in order_ids]
    links = [link for link in known if link is not None]
    real = {link.go_id: link.shop_id for link in links if not _is_made_up(link)}
    planned = {link.shop_id: _PLANNED for link in links if _is_made_up(link)}
    entries = _entries(tools, real) if real else {}
    return planned | dict(_readable(tools, real, entries))


def _readable(
    tools: Tools, real: Mapping[str, str], entries: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, OrderInGo]]:
    """Yield orders by the shop's ids; report of each other order what of it cannot be read."""
    for go_id, entry in entries.items():
        try:
            yield real[go_id], _order(tools, entry)
        except Unusable as unusable:
            logger.warning("orders %s: its payments wait: %s", real[go_id], unusable)


def _is_made_up(link: Link) -> bool:
    """Return whether an order is one that a plan would create; it has no entry in Go."""
    return link.go_id.startswith("-")


def _entries(tools: Tools, go_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return sales orders and invoices by id; an order that is sent meanwhile is an invoice."""
    wanted = set(go_ids)
    drafts = tools.go.list_all("/SalesOrders", fields=_MEMBERS)
    entries = {str(entry["Id"]): entry for entry in drafts if str(entry["Id"]) in wanted}
    return entries | {str(entry["Id"]): entry for entry in _invoices(tools, sorted(wanted))}


def _invoices(tools: Tools, go_ids: list[str]) -> Iterator[Mapping[str, Any]]:
    fields = (*_MEMBERS, "InvoiceNo", "Balance", "TotalAmount")
    for start in range(0, len(go_ids), _AT_ONCE):
        params = {"invoiceIds": go_ids[start : start + _AT_ONCE]}
        yield from tools.go.list_all("/OutgoingInvoices", params=params, fields=fields)


def _order(tools: Tools, entry: Mapping[str, Any]) -> OrderInGo:
    balance = entry.get("Balance")
    return OrderInGo(
        currency=entry.get("CurrencyCode"),
        matching_reference=same_text(entry.get("CustomMatchingReference")),
        ledger_account_id=_ledger_account(tools, str(entry.get("CustomerId"))),
        open_amount=_decimal(balance),
        invoice_no=entry.get("InvoiceNo"),
        invoice_total=None if balance is None else _decimal(entry.get("TotalAmount")),
    )


def _decimal(number: object) -> Decimal | None:
    return None if number is None else number_in_go(number, what="its balance")


def _ledger_account(tools: Tools, customer_id: str) -> int | None:
    """Return the account that a customer has in the customer ledger."""
    known = tools.index.entry("customers", customer_id)
    body: Mapping[str, Any] = known.body if known is not None else {}
    if body.get("SubledgerAccountId") is None:
        try:
            body = tools.go.read(f"/Customers/{customer_id}")
        except NotFound:
            return None
    account = body.get("SubledgerAccountId")
    return None if account is None else int(account)
