"""What an order comes to.

Amounts are whole numbers of øre. Vendure works them out in floating-point numbers and rounds at the
end, half of an øre upwards; it is done here in the same order, for a half may fall either way.
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
    """What a promotion took off a line or freight, or its cancellation did.

    Attributes:
        source: What did, such as `PROMOTION:1`.
        description: Its name.
        amount: How much, below zero; with VAT where the price includes it.
    """

    source: str
    description: str
    amount: int


class Promotion(NamedTuple):
    """What a coupon gives.

    Attributes:
        source: How adjustments name it.
        code: The coupon.
        action: `order_percentage_discount`, `order_fixed_discount` or `free_shipping`.
        discount: Per cent, or øre.
    """

    source: str
    code: str
    action: str
    discount: float

    @property
    def name(self) -> str:
        """What the merchant calls it."""
        return f"Kupong {self.code}"


@dataclass
class Price:
    """What one line, freight or surcharge of an order costs.

    Attributes:
        listed: The price of one, as it was entered.
        includes_tax: Whether that is with VAT.
        rate: Of VAT, in per cent.
        tax_name: What the VAT is called.
        quantity: How many there are, after cancellations.
        placed: How many there were when the order was placed.
        adjustments: What was taken off, for as many as were placed.
    """

    listed: int
    includes_tax: bool
    rate: float
    tax_name: str
    quantity: int = 1
    placed: int = 0
    adjustments: list[Adjustment] = field(default_factory=list)

    def amount(self, price: float, quantity: int = 1) -> Amount:
        """Return so many of a price that is as prices are entered, without and with VAT."""
        share = self.rate / 100
        net = price - (price - price / (1 + share)) if self.includes_tax else price
        gross = price if self.includes_tax else price + price * share
        return Amount(rounded(net * quantity), rounded(gross * quantity))

    @property
    def unit(self) -> Amount:
        """What one costs."""
        return self.amount(self.listed)

    @property
    def before(self) -> Amount:
        """What all cost before discounts."""
        return self.amount(self.listed, self.quantity)

    @property
    def after(self) -> Amount:
        """What all cost: of a discount each takes its share, also those that were cancelled."""
        of_one = (
            sum(adjustment.amount / self._discounted for adjustment in self.adjustments)
            if self.quantity
            else 0
        )
        return self.amount(self.listed + of_one, self.quantity)

    @property
    def leading(self) -> int:
        """What all cost, with VAT if prices are entered so."""
        return self.after[self.includes_tax]

    @property
    def _discounted(self) -> int:
        return max(self.placed, self.quantity)

    def discounts(self) -> list[tuple[Adjustment, Amount]]:
        """Return what was taken off those that are left."""
        of_all = self._discounted or 1
        return [
            (adjustment, self.amount(adjustment.amount / of_all * self.quantity))
            for adjustment in self.adjustments
        ]

    def take_off(self, source: str, description: str, amount: int) -> None:
        """Take something off, and not more than there is."""
        limited = max(-self.leading, amount)
        if limited:
            self.adjustments.append(Adjustment(source, description, limited))


def rounded(value: float) -> int:
    """Return the nearest whole number; of two, the one above."""
    return math.floor(value + 0.5)


def total(prices: Iterable[Price]) -> Amount:
    """Return what several come to."""
    amounts = [price.after for price in prices]
    return Amount(sum(amount.excl for amount in amounts), sum(amount.incl for amount in amounts))


def tax_summary(prices: Iterable[Price]) -> list[dict[str, Any]]:
    """Return the VAT; a rate comes once for each name that it has."""
    rows: dict[tuple[str, float], dict[str, Any]] = {}
    for price in prices:
        new = {"description": price.tax_name, "taxRate": price.rate, "taxBase": 0, "taxTotal": 0}
        row = rows.setdefault((price.tax_name, price.rate), new)
        row["taxBase"] += price.after.excl
        row["taxTotal"] += price.after.incl - price.after.excl
    return list(rows.values())


def apply(promotions: Iterable[Promotion], lines: list[Price], freight: list[Price]) -> None:
    """Work out anew what promotions take off."""
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
    """Return what a promotion takes off an amount."""
    if promotion.action == "order_fixed_discount":
        return -min(int(promotion.discount), amount)
    return rounded(-amount * (promotion.discount / 100))


def prorated(weights: list[int], amount: int) -> list[int]:
    """Divide an amount by weights: øre that are left go to whom most was rounded off."""
    whole = sum(weights)
    exact = [amount * (weight / whole) if whole else amount / len(weights) for weight in weights]
    shares = [math.floor(share) for share in exact]
    by_loss = sorted(range(len(exact)), key=lambda place: shares[place] - exact[place])
    for place in by_loss[: amount - sum(shares)]:
        shares[place] += 1
    return shares
