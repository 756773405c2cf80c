"""Notes an order's payments when the order is settled; they are posted at the end of the run."""

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

_SETTLE_BY_HAND = "settle it by hand; no further payment of the order is posted"


class OrderPayments:
    """Stores which payments of orders are due, and holds orders whose posted payments changed.

    A payment is posted once its day is over and all input is settled.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lock = threading.Lock()
        self._without_account: set[tuple[str, str, str]] = set()
        self._unknown_statuses: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def noted(self, shop_order: ShopOrder) -> Iterator[None]:
        """Note the payments of an order once the order itself is settled, or held.

        Raises:
            Undecidable: with a Hold, when a payment has changed after it was posted; if the order
                itself is held, that reason comes first.
        """
        order_hold: Hold | None = None
        try:
            yield
        except Undecidable as undecidable:
            if not isinstance(undecidable.change, Hold):
                raise
            order_hold = undecidable.change
        faults = self._note(shop_order)
        if order_hold is not None:
            # a stored reason that is repeated may already contain one of a payment
            order_reason = order_hold.reason.partition(f"; {ITS_PAYMENT}")[0]
            raise Undecidable(replace(order_hold, reason="; ".join([order_reason, *faults])))
        if faults:
            raise Undecidable(Hold("; ".join(faults)))

    def note_unposted(self) -> None:
        """Add to the run's summary which payments are not posted, and why."""
        methods = Counter(method for method, _, _ in self._without_account)
        for method, number in sorted(methods.items()):
            self._tools.tally.note(
                f"payments by {quoted(method)} are not posted ({number} in this run):"
                " the method has no account in payment_accounts"
            )
        statuses = Counter(status for status, _ in self._unknown_statuses)
        for status, number in sorted(statuses.items()):
            self._tools.tally.note(
                f"payments with the status {quoted(status)} are not posted ({number} orders in this"
                f" run): only {' and '.join(PAID_STATUSES)} count as paid"
            )

    def _note(self, shop_order: ShopOrder) -> list[str]:
        """Store which payments of an order are due; return the faults of those that were posted."""
        store, order_id = self._tools.store, shop_order.id
        accounts = self._tools.settings.payment_accounts
        posted = store.payments.posted(order_id)
        if not posted and not accounts:
            return []
        link = store.links.get("orders", order_id)
        if link is None:
            store.payments.replace_due(order_id, ())
            return [
                f"{payment.description}, but the order is no longer in Go: {_SETTLE_BY_HAND}"
                for payment in posted
            ]
        payments = read_payments(
            shop_order.raw, self._currency(shop_order, link), self._tools.settings.time_zone
        )
        if payments is None:
            return []
        changes = changes_since_posting(posted, payments)
        faults = [f"{change}: {_SETTLE_BY_HAND}" for change in changes]
        due = [] if faults else payments_to_post(posted, payments, accounts)
        store.payments.replace_due(order_id, due)
        if accounts:
            self._collect_unposted(order_id, payments)
        return faults

    def _currency(self, shop_order: ShopOrder, link: Link) -> str | None:
        """Return the currency that the shop states, else Go's; None if neither is known."""
        with contextlib.suppress(Unusable):
            agreed = link.base.get("currency")
            in_go = None if agreed is None else agreed.go
            return shop_order.currency or in_go
        return None

    def _collect_unposted(self, order_id: str, payments: StatedPayments) -> None:
        for problem in payments.problems:
            self._tools.tally.log_repair("orders", order_id, problem)
        accounts = self._tools.settings.payment_accounts
        with self._lock:
            self._without_account |= {
                (payment.method, order_id, payment.payment_id)
                for payment in payments.paid
                if payment.method not in accounts
            }
            self._unknown_statuses |= {(status, order_id) for status in payments.unknown_statuses}
