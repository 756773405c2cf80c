"""What becomes of an order's payments when the order is settled: kept, to be posted at the end."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.payments import (
    ITS_PAYMENT,
    PAID_STATUSES,
    StatedPayments,
    changes_since_posting,
    payments_to_post,
    read_payments,
)
from target_powerofficego.dataflow.values import Unusable, quoted
from target_powerofficego.decisions.changes import Hold, Undecidable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools

SEE_TO_IT = "see to it by hand; no further payment of the order is posted"


class OrderPayments:
    """Keeps which payments of orders are to be posted, and holds those that changed after posting.

    Posting itself waits until the payment's day is over and all input is settled.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lock = threading.Lock()
        self._without_account: set[tuple[str, str, str]] = set()
        self._strange: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def noted(self, shop_order: ShopOrder) -> Iterator[None]:
        """Note the payments of an order once the order itself is settled, or held.

        Raises:
            Undecidable: with a Hold, when a posted payment is no longer as it was posted; what the
                order itself is held for comes first.
        """
        own: Hold | None = None
        try:
            yield
        except Undecidable as undecidable:
            if not isinstance(undecidable.change, Hold):
                raise
            own = undecidable.change
        wrong = self._note(shop_order)
        if own is not None:
            # a reason that is repeated as it was kept may have a payment's in it
            of_order = own.reason.partition(f"; {ITS_PAYMENT}")[0]
            raise Undecidable(replace(own, reason="; ".join([of_order, *wrong])))
        if wrong:
            raise Undecidable(Hold("; ".join(wrong)))

    def note_unposted(self) -> None:
        """Say in words which payments of this run are not posted, and why."""
        methods = Counter(method for method, _, _ in self._without_account)
        for method, number in sorted(methods.items()):
            self._tools.tally.note(
                f"payments by {quoted(method)} are not posted ({number} in this run):"
                " the method has no account in payment_accounts"
            )
        for word, number in sorted(Counter(word for word, _ in self._strange).items()):
            self._tools.tally.note(
                f"payments with the status {quoted(word)} are not posted ({number} orders in this"
                f" run): only {' and '.join(PAID_STATUSES)} count as paid"
            )

    def _note(self, shop_order: ShopOrder) -> list[str]:
        """Keep what is to be posted of an order, and return what is wrong with what was posted."""
        store, order_id = self._tools.store, shop_order.id
        accounts = self._tools.settings.payment_accounts
        posted = store.payments.posted(order_id)
        if not posted and not accounts:
            return []
        link = store.links.get("orders", order_id)
        if link is None:
            store.payments.replace_due(order_id, ())
            return [
                f"{one.description}, but the order is not in Go any more: {SEE_TO_IT}"
                for one in posted
            ]
        payments = read_payments(
            shop_order.raw, self._currency(shop_order, link), self._tools.settings.time_zone
        )
        if payments is None:
            return []
        wrong = [f"{why}: {SEE_TO_IT}" for why in changes_since_posting(posted, payments)]
        due = [] if wrong else payments_to_post(posted, payments, accounts)
        store.payments.replace_due(order_id, due)
        if accounts:
            self._remark(order_id, payments)
        return wrong

    def _currency(self, shop_order: ShopOrder, link: Link) -> str | None:
        """Return the currency that the shop tells, else the one that Go answered; None: neither."""
        with contextlib.suppress(Unusable):
            agreed = link.base.get("currency")
            in_go = None if agreed is None else agreed.go
            return shop_order.currency or in_go
        return None

    def _remark(self, order_id: str, payments: StatedPayments) -> None:
        for why in payments.problems:
            self._tools.tally.log_repair("orders", order_id, why)
        accounts = self._tools.settings.payment_accounts
        with self._lock:
            self._without_account |= {
                (payment.method, order_id, payment.payment_id)
                for payment in payments.paid
                if payment.method not in accounts
            }
            self._strange |= {(word, order_id) for word in payments.unknown_statuses}
