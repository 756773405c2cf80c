"""What each side has of an order: the shop's side by the link store, Go's side as read now."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.state import OrderAmounts

ByRate = dict["str | None", Money]
"""Sums by VAT rate in percent; the key None holds what is of no known rate."""

EntryKind = Literal["sales order", "invoice", "credit note"]


@dataclass(frozen=True)
class Period:
    """A range of days, the first and the last included."""

    first: datetime.date
    last: datetime.date

    def has(self, date: str | None) -> bool:
        """Return whether an ISO date is in the period."""
        if not date:
            return False
        return self.first <= datetime.date.fromisoformat(date[:10]) <= self.last


@dataclass(frozen=True)
class Waiting:
    """Why an order waits in the link store, with the number that `holds` and `rejects` show.

    `due` is what the order comes to with VAT as the shop sent it last, less cancellation and
    refunds; None when that cannot be read.
    """

    number: int
    kind: str
    reason: str
    is_acknowledged: bool
    due: Decimal | None

    @property
    def in_words(self) -> str:
        """The kind, the number and the reason."""
        kind = self.kind if self.kind != "parked" else "parked as"
        return f"{kind} {self.number}: {self.reason}"


@dataclass(frozen=True)
class ShopOrder:
    """An order of the shop, or a refund or cancellation that is linked like one.

    Without a `go_id` it is not in Go. `amounts` are None when the store does not know them.
    """

    shop_id: str
    go_id: str | None
    date: str | None
    amounts: OrderAmounts | None
    matching_reference: str | None = None
    waiting: Waiting | None = None
    customer_id: int | None = None
    """The buyer's id in Go; None when that is not known."""


@dataclass(frozen=True)
class GoEntry:
    """A sales order, invoice or credit note of Go; amounts are in its currency.

    `number` is the order's while it is a sales order, then the invoice's or credit note's. `date`
    is the order's, else the day on which the entry was posted or made; a credit note has the date
    of its voucher.
    """

    id: str
    kind: EntryKind
    number: int | None
    date: str | None
    currency: str
    net: Decimal
    total: Decimal
    reference: str | None = None
    matching_reference: str | None = None
    related_invoice: int | None = None
    line_count: int | None = None
    is_reversed: bool = False
    is_sent: bool = False
    customer_id: int | None = None

    @property
    def money(self) -> Money:
        """The amounts in its header."""
        return Money(self.net, self.total - self.net, self.total)

    @property
    def is_in_ledger(self) -> bool:
        """Whether it is booked: a sales order is not, nor is a credit note before it is sent."""
        return self.kind == "invoice" or (self.kind == "credit note" and self.is_sent)

    @property
    def in_words(self) -> str:
        """The kind and its number."""
        draft = " (not sent)" if self.kind == "credit note" and not self.is_sent else ""
        return f"{self.kind} {self.number}{draft}"


@dataclass(frozen=True)
class ReadEntry:
    """An entry with its amounts by VAT rate, and its number of lines."""

    entry: GoEntry
    by_rate: Mapping[str | None, Money]
    line_count: int


def with_rest(by_rate: Mapping[str | None, Money], whole: Money) -> ByRate:
    """Return sums by rate that add up to the whole; what is left over is of no known rate.

    Rates whose sums are zero are left out.
    """
    rest = whole - sum(by_rate.values(), NOTHING)
    found = {**by_rate}
    if rest != NOTHING:
        found[None] = found.get(None, NOTHING) + rest
    return {rate: one for rate, one in found.items() if one != NOTHING}
