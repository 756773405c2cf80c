"""Posts payments to Go at the end of a run: what is due, what is not, and what became of it."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.payments import (
    CURRENCY,
    ITS_PAYMENT,
    OrderInGo,
    Payment,
    Voucher,
    by_day_and_method,
    reference_of,
)
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import Unusable
from target_powerofficego.go_api import TryAgainLater
from target_powerofficego.sync.payments.orders_in_go import orders_in_go
from target_powerofficego.sync.payments.vouchers import VoucherWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_powerofficego.sync.context import Tools

logger = logging.getLogger("target-powerofficego")


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
                self._writer.settle_leftovers()
            if self._tools.payment_accounts is not None:
                self._post_due()
        except (TryAgainLater, Unusable) as reason:
            logger.warning("payments: %s", reason)
            return
        self._writer.forget_solved()

    def _post_due(self) -> None:
        told_at = self._tools.go.told_at or now()
        today = told_at.astimezone(self._tools.settings.time_zone).date()
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
        taken = self._tools.store.payments.vouchers_of(method, day, were_met=False)
        while payments:
            reference = reference_of(shop_name, method, day, taken)
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
            order_id: order.open_beside(self._posted(order_id))
            for order_id, order in orders.items()
        }
        uncovered: dict[str, list[str]] = {}
        for payment in due:
            order = orders.get(payment.order_id)
            why = self._why_left_out(payment, order)
            if order is None or why is not None:
                repair = f"{ITS_PAYMENT} {payment.said} is not posted: {why}"
                self._tools.tally.note_repair("orders", payment.order_id, repair)
                continue
            why = _why_not_covered(payment, order, still_open)
            if why is None:
                yield payment
            else:
                reason = f"{ITS_PAYMENT} {payment.said} is not posted: {why}"
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
        self._tools.store.payments.drop_due(payment)
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
