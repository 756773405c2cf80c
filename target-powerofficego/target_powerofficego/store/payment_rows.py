"""Payments of orders that are in Go: still to be posted, or part of a voucher."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.orders.payments import Payment, PostedPayment
from target_powerofficego.dataflow.table import now
from target_powerofficego.store import tables as t
from target_powerofficego.store.rows import Rows

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable


class PaymentRows(Rows):
    """Each payment is only ever in one voucher; what was posted is never forgotten."""

    def replace_due(self, order_id: str, payments: Iterable[Payment]) -> None:
        """Keep these payments of an order as those to be posted, replacing the earlier ones."""
        rows = [
            self._key(
                order_id=order_id,
                payment_id=payment.payment_id,
                day=payment.day,
                method=payment.method,
                amount=str(payment.amount),
                currency=payment.currency,
                was_met=False,
            )
            for payment in payments
        ]
        with self._store.transaction():
            self._delete_from((t.payments,), order_id=order_id, voucher=None)
            self._insert_all(t.payments, rows)

    def drop_due(self, payment: Payment) -> None:
        """Forget a payment that is not to be posted after all."""
        self._delete(t.payments, self._unposted(payment))

    def due(self, *, before: datetime.date) -> list[Payment]:
        """Return the payments of earlier days that are in no voucher yet."""
        query = self._select(t.payments, t.payments.c.day < str(before), voucher=None)
        order = (t.payments.c.day, t.payments.c.method, t.payments.c.order_id)
        return [_payment(row) for row in self._all(query.order_by(*order, t.payments.c.payment_id))]

    def posted(self, order_id: str) -> list[PostedPayment]:
        """Return the payments of an order that are in a voucher, even one without an answer yet."""
        query = self._select(t.payments, t.payments.c.voucher.is_not(None), order_id=order_id)
        rows = self._all(query.order_by(t.payments.c.payment_id))
        return [PostedPayment(_payment(row), row.voucher) for row in rows]

    def in_voucher(self, reference: str) -> list[Payment]:
        """Return the payments that were put into a voucher."""
        query = self._select(t.payments, voucher=reference)
        order = (t.payments.c.order_id, t.payments.c.payment_id)
        return [_payment(row) for row in self._all(query.order_by(*order))]

    def vouchers_of(self, method: str, day: str, *, were_met: bool) -> set[str]:
        """Return the references of a day's vouchers of a method: posted here, or found in Go."""
        query = sa.select(t.payments.c.voucher, t.payments.c.was_met).where(
            *self._of(t.payments, method=method, day=day), t.payments.c.voucher.is_not(None)
        )
        rows = self._all(query.distinct())
        met = {row.voucher for row in rows if row.was_met}
        return met if were_met else {row.voucher for row in rows} - met

    def put_into_voucher(self, payments: Iterable[Payment], reference: str) -> None:
        """Note, before the call, which payments a voucher holds."""
        with self._store.transaction():
            for payment in payments:
                self._update(t.payments, self._unposted(payment), voucher=reference)

    def note_posted(self, reference: str) -> None:
        """Note that a voucher is in Go with all that was put into it."""
        self._update(t.payments, self._of(t.payments, voucher=reference), posted_at=now())

    def note_met(self, reference: str, payments: Iterable[Payment]) -> None:
        """Note that Go already had a voucher with these payments, in the amounts that it has.

        Whatever else was put into it is still to be posted.
        """
        with self._store.transaction():
            self.take_out_of_voucher(reference)
            for payment in payments:
                self.put_into_voucher([payment], reference)
                own = self._of(t.payments, voucher=reference, **_ids(payment))
                self._update(t.payments, own, amount=str(payment.amount))
            own = self._of(t.payments, voucher=reference)
            self._update(t.payments, own, was_met=True, posted_at=now())

    def take_out_of_voucher(self, reference: str) -> None:
        """Note that a voucher was not posted: what was put into it is still to be posted."""
        unposted = self._of(t.payments, voucher=reference, posted_at=None)
        self._update(t.payments, unposted, voucher=None)

    def _unposted(self, payment: Payment) -> list[sa.ColumnElement[bool]]:
        return self._of(t.payments, voucher=None, **_ids(payment))


def _ids(payment: Payment) -> dict[str, str]:
    return {"order_id": payment.order_id, "payment_id": payment.payment_id}


def _payment(row: sa.Row[Any]) -> Payment:
    return Payment(
        row.order_id, row.payment_id, row.day, row.method, Decimal(row.amount), row.currency
    )
