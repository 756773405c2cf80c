"""Matching in the customer ledger: entries of opposite amount that bear the same reference."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from go_sandbox.go.ledger import Ledger
    from go_sandbox.go.register import Entry


def take_payment(ledger: Ledger, invoice: Entry) -> Entry:
    """Match an invoice that is just posted with a payment that waits for it; return it then.

    Both are settled when customer and `CustomMatchingReference` are the same and the amounts are
    opposite. A payment of another amount stays open: what Go makes of that is not known.
    """
    reference = invoice["CustomMatchingReference"]
    for payment in ledger.register("OpenPayments").values() if reference else ():
        same = payment["CustomMatchingReference"] == reference
        is_theirs = same and payment["CustomerId"] == invoice["CustomerId"]
        if is_theirs and payment["Balance"] and payment["Balance"] == -invoice["Balance"]:
            ledger.register("OpenPayments").put({**payment, "Balance": Decimal(0)})
            return {**invoice, "Balance": Decimal(0)}
    return invoice
