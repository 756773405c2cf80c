"""Posts payments to Go at the end of a run: what is due, what is not, and what became of it.

What Go says of the orders that were paid is read in bulk, right before their payments are posted.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.payments import (
    CURRENCY,
    ITS_PAYMENT,
    OrderInGo,
    Payment,
    Voucher,
    by_day_and_method,
    next_voucher_reference,
)
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import Unusable, normalise_text, number_in_go
from target_powerofficego.go_api import NotFound, TryAgainLater
from target_powerofficego.sync.payments.vouchers import VoucherWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools


logger = logging.getLogger("target-powerofficego")


_AT_ONCE = 50  # ids of invoices in one address
_MEMBERS = ("Id", "CustomerId", "CurrencyCode", "CustomMatchingReference")

_PLANNED = OrderInGo(CURRENCY, matching_reference="as the order", ledger_account_id=0)
"""Stands for an order that a plan would create."""


class PaymentPosting:
    """Posts one voucher for each day that is over and each method; late payments go on another."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._writer = VoucherWriter(tools)

    def post(self) -> None:
        """Post all payments that are due.

        Raises:
            StopRun, BrakeReached, LinkStoreError: the run cannot go on.
        """
        try:
            if not self._tools.plan.is_dry:
                self._writer.settle_unanswered()
            if self._tools.settings.payment_accounts:
                self._post_due()
        except (TryAgainLater, Unusable) as reason:
            logger.warning("payments: %s", reason)
            return
        self._writer.forget_solved()

    def _post_due(self) -> None:
        server_time = self._tools.go.server_time or now()
        today = server_time.astimezone(self._tools.settings.time_zone).date()
        accounts = self._tools.settings.payment_accounts
        due = self._tools.store.payments.due(before=today)
        due = [one for one in due if one.method in accounts]
        if not due:
            return
        orders = orders_in_go(self._tools, {one.order_id for one in due})
        groups = by_day_and_method(self._postable(due, orders))
        for (day, method), payments in groups.items():
            self._post_group(day, method, payments, orders)

    def _post_group(
        self,
        day: str,
        method: str,
        payments: list[Payment],
        orders: Mapping[str, OrderInGo],
    ) -> None:
        """Post the payments of a day and method.

        Where Go has a voucher that the store did not post, or did not post alone, what that voucher
        does not hold goes on the next.
        """
        shop_name = self._tools.settings.shop_name
        taken = self._tools.store.payments.vouchers_of(method, day, in_go=False)
        while payments:
            reference = next_voucher_reference(shop_name, method, day, taken)
            taken.add(reference)
            voucher = Voucher(reference, day, method, tuple(payments))
            there = self._writer.post(voucher, orders)
            if there is None:
                return
            payments = [one for one in payments if (one.order_id, one.payment_id) not in there]

    def _postable(
        self, due: Iterable[Payment], orders: Mapping[str, OrderInGo]
    ) -> Iterable[Payment]:
        """Yield the payments that can be posted as Go stands; report why each other one cannot."""
        still_open = {
            order_id: order.open_amount_without(self._posted(order_id))
            for order_id, order in orders.items()
        }
        uncovered: dict[str, list[str]] = {}
        for payment in due:
            order = orders.get(payment.order_id)
            why = self._why_left_out(payment, order)
            if order is None or why is not None:
                repair = f"{ITS_PAYMENT} {payment.description} is not posted: {why}"
                self._tools.tally.log_repair("orders", payment.order_id, repair)
                continue
            why = _why_not_covered(payment, order, still_open)
            if why is None:
                yield payment
            else:
                reason = f"{ITS_PAYMENT} {payment.description} is not posted: {why}"
                uncovered.setdefault(payment.order_id, []).append(reason)
        for order_id, reasons in uncovered.items():
            self._writer.hold(order_id, f"{'; '.join(reasons)}; see to it in Go")

    def _posted(self, order_id: str) -> Decimal:
        """Return what has been posted of an order so far."""
        posted = self._tools.store.payments.posted(order_id)
        return sum((one.payment.amount for one in posted), Decimal(0))

    def _why_left_out(self, payment: Payment, order: OrderInGo | None) -> str | None:
        """Return why no payment of an order can be posted; None: one can.

        Where nothing is open on the invoice, though nothing was posted from here, the payment is no
        longer due.
        """
        if order is None:
            return "the order is not in Go any more"
        if order.currency not in (None, CURRENCY):
            return f"in Go the order is in {order.currency}, and only {CURRENCY} is posted"
        if order.matching_reference is None:
            return "its order has no CustomMatchingReference in Go, by which it would be matched"
        if order.ledger_account_id is None:
            return "Go tells no account of its customer in the customer ledger"
        is_open = order.open_amount is None or order.open_amount > 0
        if is_open or self._tools.store.payments.posted(payment.order_id):
            return None
        self._tools.store.payments.remove_due(payment)
        return (
            f"nothing is open of its invoice {order.invoice_no} in Go, so it was posted already or"
            " booked by hand"
        )


def _why_not_covered(
    payment: Payment, order: OrderInGo, still_open: dict[str, Decimal | None]
) -> str | None:
    """Say that less is open of the order's invoice; None: it covers the payment, or is yet to be.

    What is covered is no longer open for the payments that follow.
    """
    left = still_open[payment.order_id]
    if left is None:
        return None
    if payment.amount > left:
        how_much = f"only {left:.2f}" if left > 0 else "nothing"
        is_less = order.open_amount is not None and left < order.open_amount
        beside = ", beside what is posted from here" if is_less else ""
        return f"{how_much} is open of its invoice {order.invoice_no} in Go{beside}"
    still_open[payment.order_id] = left - payment.amount
    return None


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
        matching_reference=normalise_text(entry.get("CustomMatchingReference")),
        ledger_account_id=_ledger_account(tools, str(entry.get("CustomerId"))),
        open_amount=_decimal(balance),
        invoice_no=entry.get("InvoiceNo"),
        invoice_total=None if balance is None else _decimal(entry.get("TotalAmount")),
    )


def _decimal(number: object) -> Decimal | None:
    return None if number is None else number_in_go(number, label="its balance")


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
