"""Payments of orders that are in Go: still to be posted, or part of a voucher."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.dataflow.orders.payments import Payment, PostedPayment
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import to_stamp
from target_powerofficego.store.connection import StoreConnection

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable


class PaymentRows(StoreConnection):
    """Each payment is in one voucher, ever; what was posted is never forgotten."""

    def replace_due_payments(self, order_id: str, payments: Iterable[Payment]) -> None:
        """Keep these payments of an order as those to be posted, in place of those before."""
        with self.transaction():
            self._connection.execute(sa.delete(t.payments).where(*self._unposted(order_id)))
            for one in payments:
                key = {**self._own(), "order_id": order_id, "payment_id": one.payment_id}
                told = {
                    "day": one.day,
                    "method": one.method,
                    "amount": str(one.amount),
                    "currency": one.currency,
                    "was_met": False,
                }
                self._connection.execute(sa.insert(t.payments).values(**key, **told))

    def drop_due_payment(self, payment: Payment) -> None:
        """Forget a payment that is not to be posted after all."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.payments).where(
                    *self._unposted(payment.order_id), t.payments.c.payment_id == payment.payment_id
                )
            )

    def due_payments(self, *, before: datetime.date) -> list[Payment]:
        """Return the payments of earlier days that are in no voucher yet."""
        query = sa.select(t.payments).where(
            *self._of_namespace(), t.payments.c.voucher.is_(None), t.payments.c.day < str(before)
        )
        order = (t.payments.c.day, t.payments.c.method, t.payments.c.order_id)
        return [_payment(row) for row in self._all(query.order_by(*order, t.payments.c.payment_id))]

    def posted_payments(self, order_id: str) -> list[PostedPayment]:
        """Return the payments of an order that are in a voucher, also where it has no answer."""
        query = sa.select(t.payments).where(
            *self._of_namespace(),
            t.payments.c.order_id == order_id,
            t.payments.c.voucher.is_not(None),
        )
        found = self._all(query.order_by(t.payments.c.payment_id))
        return [PostedPayment(_payment(row), row.voucher) for row in found]

    def vouchers_of(self, method: str, day: str, *, were_met: bool) -> set[str]:
        """Return the references of the vouchers of a day and method, posted from here, or met."""
        query = sa.select(t.payments.c.voucher).where(
            *self._of_namespace(),
            t.payments.c.method == method,
            t.payments.c.day == day,
            t.payments.c.voucher.is_not(None),
        )
        is_met = t.payments.c.was_met.is_(True)
        met = {row.voucher for row in self._all(query.where(is_met).distinct())}
        return met if were_met else {row.voucher for row in self._all(query.distinct())} - met

    def put_into_voucher(self, payments: Iterable[Payment], reference: str) -> None:
        """Note, before the call, which payments a voucher holds."""
        with self.transaction():
            for one in payments:
                self._connection.execute(
                    sa.update(t.payments)
                    .where(*self._unposted(one.order_id), t.payments.c.payment_id == one.payment_id)
                    .values(voucher=reference)
                )

    def note_posted(self, reference: str) -> None:
        """Note that a voucher is in Go with all that was put into it."""
        self._update(reference, posted_at=to_stamp(now()))

    def note_met(self, reference: str, payments: Iterable[Payment]) -> None:
        """Note that Go had a voucher already: these payments are in it, with the amounts it has.

        What else was put into it is still to be posted.
        """
        with self.transaction():
            self.take_out_of_voucher(reference)
            for one in payments:
                self.put_into_voucher([one], reference)
                own = (
                    t.payments.c.order_id == one.order_id,
                    t.payments.c.payment_id == one.payment_id,
                )
                self._update(reference, *own, amount=str(one.amount))
            self._update(reference, was_met=True, posted_at=to_stamp(now()))

    def take_out_of_voucher(self, reference: str) -> None:
        """Note that a voucher was not posted: what was put into it is still to be."""
        self._update(reference, t.payments.c.posted_at.is_(None), voucher=None)

    def payments_in(self, reference: str) -> list[Payment]:
        """Return the payments that were put into a voucher."""
        query = sa.select(t.payments).where(
            *self._of_namespace(), t.payments.c.voucher == reference
        )
        order = (t.payments.c.order_id, t.payments.c.payment_id)
        return [_payment(row) for row in self._all(query.order_by(*order))]

    def _update(self, reference: str, *which: sa.ColumnElement[bool], **values: object) -> None:
        of_voucher = (*self._of_namespace(), t.payments.c.voucher == reference)
        with self.transaction():
            self._connection.execute(
                sa.update(t.payments).where(*of_voucher, *which).values(**values)
            )

    def _own(self) -> dict[str, Any]:
        return {"namespace": self.namespace}

    def _of_namespace(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (t.payments.c.namespace == self.namespace,)

    def _unposted(self, order_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        own = (*self._of_namespace(), t.payments.c.order_id == order_id)
        return (*own, t.payments.c.voucher.is_(None))


def _payment(row: sa.Row[Any]) -> Payment:
    return Payment(
        row.order_id, row.payment_id, row.day, row.method, Decimal(row.amount), row.currency
    )
