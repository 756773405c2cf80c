"""What an order comes to by VAT rate, as the shop gives it and as the link store keeps it; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.line_amounts import NOTHING, Money, sum_by
from target_powerofficego.dataflow.product import rate_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.values import Value


@dataclass(frozen=True)
class OrderAmounts:
    """What an order comes to: its date, currency, and sums by VAT rate.

    `date` is ISO, in the shop's time zone. A rate is in percent as `rate_key` writes it; None
    stands for lines for which no rate is given.
    """

    date: str | None = None
    currency: str | None = None
    by_rate: Mapping[str | None, Money] = field(default_factory=dict)

    @property
    def total(self) -> Money:
        """The total over all rates."""
        return sum(self.by_rate.values(), NOTHING)


def order_amounts(header: Mapping[str, Value], lines: Iterable[OrderLine]) -> OrderAmounts:
    """Return what an order comes to, from its header in Go's form and its lines."""
    by_rate = sum_by(
        (None if line.rate is None else rate_key(line.rate), line.total) for line in lines
    )
    return OrderAmounts(header.get("placed_at"), header.get("currency"), by_rate)


def as_kept(amounts: OrderAmounts) -> list[Value]:
    """Return amounts as the base keeps them: a list of JSON, decimals as text."""
    rates = sorted(amounts.by_rate.items(), key=lambda one: one[0] or "")
    return [
        amounts.date,
        amounts.currency,
        [[rate, str(one.excl), str(one.tax), str(one.incl)] for rate, one in rates],
    ]


def from_kept(kept: Value) -> OrderAmounts:
    """Return the amounts that the base keeps."""
    date, currency, rates = kept
    by_rate = {
        rate: Money(Decimal(excl), Decimal(tax), Decimal(incl)) for rate, excl, tax, incl in rates
    }
    return OrderAmounts(date, currency, by_rate)
