"""The prices of an order.

Amounts are whole numbers of øre. Vendure calculates in floating-point numbers and rounds at the
end, half an øre upwards; the same order is kept here, because a half may fall either way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FREIGHT = "free_shipping"


class Amount(NamedTuple):
    """An amount without and with VAT."""

    excl: int
    incl: int


class Adjustment(NamedTuple):
    """A deduction from a line or freight, by a promotion or a cancellation.

    Attributes:
        source: Its source, such as `PROMOTION:1`.
        description: Its name.
        amount: The amount, below zero; with VAT where the price includes it.
    """

    source: str
    description: str
    amount: int


class Promotion(NamedTuple):
    """The promotion of a coupon.

    Attributes:
        source: Its name in adjustments.
        code: The code of the coupon.
        action: `order_percentage_discount`, `order_fixed_discount` or `free_shipping`.
        discount: In percent or øre.
    """

    source: str
    code: str
    action: str
    discount: float

    @property
    def name(self) -> str:
        """Its name for the merchant."""
        return f"Kupong {self.code}"


@dataclass
class Price:
    """The price of a line, freight or surcharge of an order.

    Attributes:
        listed: The unit price as entered.
        includes_tax: Whether that includes VAT.
        rate: The VAT rate in percent.
        tax_name: The name of the VAT.
        quantity: The quantity after cancellations.
        placed: The quantity when the order was placed.
        adjustments: The deductions, for the quantity placed.
    """

    listed: int
    includes_tax: bool
    rate: float
    tax_name: str
    quantity: int = 1
    placed: int = 0
    adjustments: list[Adjustment] = field(default_factory=list)

    def amount(self, price: float, quantity: int = 1) -> Amount:
        """Return the amount of a quantity at an entered price, without and with VAT."""
        share = self.rate / 100
        net = price - (price - price / (1 + share)) if self.includes_tax else price
        gross = price if self.includes_tax else price + price * share
        return Amount(rounded(net * quantity), rounded(gross * quantity))

    @property
    def unit(self) -> Amount:
        """The unit price."""
        return self.amount(self.listed)

    @property
    def before(self) -> Amount:
        """The price of all units before discounts."""
        return self.amount(self.listed, self.quantity)

    @property
    def after(self) -> Amount:
        """The price of all units; each unit takes its share of a discount, cancelled ones too."""
        of_one = (
            sum(adjustment.amount / self._discounted for adjustment in self.adjustments)
            if self.quantity
            else 0
        )
        return self.amount(self.listed + of_one, self.quantity)

    @property
    def leading(self) -> int:
        """The price of all units, with VAT if prices are entered with it."""
        return self.after[self.includes_tax]

    @property
    def _discounted(self) -> int:
        return max(self.placed, self.quantity)

    def discounts(self) -> list[tuple[Adjustment, Amount]]:
        """Return the deductions from the remaining units."""
        of_all = self._discounted or 1
        return [
            (adjustment, self.amount(adjustment.amount / of_all * self.quantity))
            for adjustment in self.adjustments
        ]

    def take_off(self, source: str, description: str, amount: int) -> None:
        """Deduct an amount, but not more than is left."""
        limited = max(-self.leading, amount)
        if limited:
            self.adjustments.append(Adjustment(source, description, limited))


def rounded(value: float) -> int:
    """Return the nearest whole number; a half is rounded up."""
    return math.floor(value + 0.5)


def total(prices: Iterable[Price]) -> Amount:
    """Return the sum of several prices."""
    amounts = [price.after for price in prices]
    return Amount(sum(amount.excl for amount in amounts), sum(amount.incl for amount in amounts))


def tax_summary(prices: Iterable[Price]) -> list[dict[str, Any]]:
    """Return the VAT by rate and name."""
    rows: dict[tuple[str, float], dict[str, Any]] = {}
    for price in prices:
        new = {"description": price.tax_name, "taxRate": price.rate, "taxBase": 0, "taxTotal": 0}
        row = rows.setdefault((price.tax_name, price.rate), new)
        row["taxBase"] += price.after.excl
        row["taxTotal"] += price.after.incl - price.after.excl
    return list(rows.values())


def apply(promotions: Iterable[Promotion], lines: list[Price], freight: list[Price]) -> None:
    """Recalculate the deductions of promotions."""
    for part in (*lines, *freight):
        part.adjustments.clear()
    for promotion in promotions:
        if promotion.action == FREIGHT:
            for charge in freight:
                charge.take_off(promotion.source, promotion.name, -charge.leading)
            continue
        off = _off(promotion, sum(line.leading for line in lines))
        weights = [line.after.incl if line.quantity else 0 for line in lines]
        for line, share in zip(lines, prorated(weights, off), strict=True):
            line.take_off(promotion.source, promotion.name, share)


def _off(promotion: Promotion, amount: int) -> int:
    """Return the deduction of a promotion from an amount."""
    if promotion.action == "order_fixed_discount":
        return -min(int(promotion.discount), amount)
    return rounded(-amount * (promotion.discount / 100))


def prorated(weights: list[int], amount: int) -> list[int]:
    """Divide an amount by weights; the shares rounded down most get the remaining øre."""
    whole = sum(weights)
    exact = [amount * (weight / whole) if whole else amount / len(weights) for weight in weights]
    shares = [math.floor(share) for share in exact]
    by_loss = sorted(range(len(exact)), key=lambda place: shares[place] - exact[place])
    for place in by_loss[: amount - sum(shares)]:
        shares[place] += 1
    return shares
