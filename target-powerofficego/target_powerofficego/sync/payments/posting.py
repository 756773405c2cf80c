"""Posts payments to Go at the end of a run, and reports those that cannot be posted.

The orders that were paid are read from Go in bulk, right before their payments are posted.
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


_IDS_PER_REQUEST = 50
_MEMBERS = ("Id", "CustomerId", "CurrencyCode", "CustomMatchingReference")

_PLANNED = OrderInGo(CURRENCY, matching_reference="as the order", ledger_account_id=0)
"""A placeholder for an order that a plan would create."""


class PaymentPosting:
    """Posts one voucher for each past day and method; payments that come later go on another."""

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
        except (TryAgainLater, Unusable) as error:
            logger.warning("payments: %s", error)
            return
        self._writer.forget_settled()

    def _post_due(self) -> None:
        server_time = self._tools.go.server_time or now()
        today = server_time.astimezone(self._tools.settings.time_zone).date()
        accounts = self._tools.settings.payment_accounts
        stored = self._tools.store.payments.due(before=today)
        due = [payment for payment in stored if payment.method in accounts]
        if not due:
            return
        orders = orders_in_go(self._tools, {payment.order_id for payment in due})
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

        If Go already has a voucher that this store did not post, the payments that are not in that
        voucher go on the next one.
        """
        shop_name = self._tools.settings.shop_name
        used = self._tools.store.payments.vouchers_of(method, day, in_go=False)
        while payments:
            reference = next_voucher_reference(shop_name, method, day, used)
            used.add(reference)
            voucher = Voucher(reference, day, method, tuple(payments))
            posted = self._writer.post(voucher, orders)
            if posted is None:
                return
            payments = [
                payment
                for payment in payments
                if (payment.order_id, payment.payment_id) not in posted
            ]

    def _postable(
        self, due: Iterable[Payment], orders: Mapping[str, OrderInGo]
    ) -> Iterable[Payment]:
        """Yield the payments that Go can take now; report for each of the others why it cannot."""
        still_open = {
            order_id: order.open_amount_without(self._posted_amount(order_id))
            for order_id, order in orders.items()
        }
        uncovered: dict[str, list[str]] = {}
        for payment in due:
            order = orders.get(payment.order_id)
            reason = self._unpostable_reason(payment, order)
            if order is None or reason is not None:
                message = f"{ITS_PAYMENT} {payment.description} is not posted: {reason}"
                self._tools.tally.log_repair("orders", payment.order_id, message)
                continue
            reason = _uncovered_reason(payment, order, still_open)
            if reason is None:
                yield payment
            else:
                message = f"{ITS_PAYMENT} {payment.description} is not posted: {reason}"
                uncovered.setdefault(payment.order_id, []).append(message)
        for order_id, messages in uncovered.items():
            self._writer.hold(order_id, f"{'; '.join(messages)}; settle it in Go")

    def _posted_amount(self, order_id: str) -> Decimal:
        """Return the sum of an order's posted payments."""
        posted = self._tools.store.payments.posted(order_id)
        return sum((entry.payment.amount for entry in posted), Decimal(0))

    def _unpostable_reason(self, payment: Payment, order: OrderInGo | None) -> str | None:
        """Return why no payment of an order can be posted; None if one can.

        If nothing is open on the invoice although nothing was posted from here, the payment is no
        longer due.
        """
        if order is None:
            return "the order is no longer in Go"
        if order.currency not in (None, CURRENCY):
            return f"in Go the order is in {order.currency}, and only {CURRENCY} is posted"
        if order.matching_reference is None:
            return "its order has no CustomMatchingReference in Go, by which it would be matched"
        if order.ledger_account_id is None:
            return "Go gives no account for its customer in the customer ledger"
        is_open = order.open_amount is None or order.open_amount > 0
        if is_open or self._tools.store.payments.posted(payment.order_id):
            return None
        self._tools.store.payments.remove_due(payment)
        return (
            f"nothing is open on its invoice {order.invoice_no} in Go, so it was already posted, or"
            " booked by hand"
        )


def _uncovered_reason(
    payment: Payment, order: OrderInGo, still_open: dict[str, Decimal | None]
) -> str | None:
    """Return in words that a payment is more than is open; None if not, or not invoiced yet.

    The amount of a covered payment is no longer open for those that follow.
    """
    left = still_open[payment.order_id]
    if left is None:
        return None
    if payment.amount > left:
        open_amount = f"only {left:.2f}" if left > 0 else "nothing"
        is_reduced = order.open_amount is not None and left < order.open_amount
        suffix = ", apart from payments already posted by this sync" if is_reduced else ""
        return f"{open_amount} is open on its invoice {order.invoice_no} in Go{suffix}"
    still_open[payment.order_id] = left - payment.amount
    return None


def orders_in_go(tools: Tools, order_ids: Iterable[str]) -> dict[str, OrderInGo]:
    """Return linked orders as Go has them now, by the shop's ids; without those that are gone.

    Raises:
        TryAgainLater, StopRun: Go cannot be asked.
    """
    stored = [tools.store.links.get("orders", order_id) for order_id in order_ids]
    links = [link for link in stored if link is not None]
    shop_ids = {link.go_id: link.shop_id for link in links if not _is_planned(link)}
    planned = {link.shop_id: _PLANNED for link in links if _is_planned(link)}
    entries = _entries(tools, shop_ids) if shop_ids else {}
    return planned | dict(_readable_orders(tools, shop_ids, entries))


def _readable_orders(
    tools: Tools, shop_ids: Mapping[str, str], entries: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, OrderInGo]]:
    """Yield orders by the shop's ids; log for each of the others what cannot be read."""
    for go_id, entry in entries.items():
        try:
            yield shop_ids[go_id], _order(tools, entry)
        except Unusable as unusable:
            logger.warning("orders %s: its payments wait: %s", shop_ids[go_id], unusable)


def _is_planned(link: Link) -> bool:
    """Return whether an order is one that a plan would create, so that Go does not have it."""
    return link.go_id.startswith("-")


def _entries(tools: Tools, go_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return sales orders and invoices by id; an order sent in between counts as an invoice."""
    wanted = set(go_ids)
    drafts = tools.go.list_all("/SalesOrders", fields=_MEMBERS)
    entries = {str(entry["Id"]): entry for entry in drafts if str(entry["Id"]) in wanted}
    return entries | {str(entry["Id"]): entry for entry in _invoices(tools, sorted(wanted))}


def _invoices(tools: Tools, go_ids: list[str]) -> Iterator[Mapping[str, Any]]:
    fields = (*_MEMBERS, "InvoiceNo", "Balance", "TotalAmount")
    for start in range(0, len(go_ids), _IDS_PER_REQUEST):
        params = {"invoiceIds": go_ids[start : start + _IDS_PER_REQUEST]}
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
    """Return the id of a customer's account in the customer ledger."""
    entry = tools.index.entry("customers", customer_id)
    body: Mapping[str, Any] = entry.body if entry is not None else {}
    if body.get("SubledgerAccountId") is None:
        try:
            body = tools.go.read(f"/Customers/{customer_id}")
        except NotFound:
            return None
    account = body.get("SubledgerAccountId")
    return None if account is None else int(account)
