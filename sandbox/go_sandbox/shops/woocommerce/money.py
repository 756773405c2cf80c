"""The calculation of a basket: coupons, VAT and totals, rounded as in WooCommerce's source.

Amounts are Decimal in the shop's currency. Items keep more digits than are shown
(`WC_Cart_Totals`: stored amounts are not rounded, totals are), so the shown parts of an order need
not add up.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ZERO = Decimal(0)

Taxes = dict[int, Decimal]
"""VAT by the id of its rate; a rate of 0 % has a VAT of 0."""


@dataclass(frozen=True)
class TaxRate:
    """A row of the shop's table of tax rates; `percent` such as 25."""

    id: int
    percent: Decimal
    code: str
    label: str


@dataclass(frozen=True)
class TaxRules:
    """The shop's tax settings.

    Attributes:
        prices_include_tax: whether the merchant enters the prices of products with VAT
            (`woocommerce_prices_include_tax`). Freight and fees are always entered without.
        round_at_subtotal: whether VAT is rounded once for each rate, instead of on each line
            (`woocommerce_tax_round_at_subtotal`).
        rates: the rate of each tax class; the standard class is "".
        decimals: to how many decimals amounts are rounded (`woocommerce_price_num_decimals`). Shops
            that show prices without øre have 0, and then VAT is in whole kroner too (issues 8140
            and 8328).
    """

    prices_include_tax: bool
    round_at_subtotal: bool
    rates: Mapping[str, TaxRate]
    decimals: int = 2

    @property
    def unit(self) -> Decimal:
        """The smallest amount: 0.01, or 1."""
        return Decimal(1).scaleb(-self.decimals)

    def rounded(self, amount: Decimal) -> Decimal:
        """Return an amount rounded as in totals."""
        return amount.quantize(self.unit, ROUND_HALF_UP)

    def taxes(self, amount: Decimal, tax_class: str | None, *, included: bool = False) -> Taxes:
        """Return the VAT of an amount, in it or on top of it, with more digits than are shown.

        It is empty for untaxed goods (None) and for a class without a rate
        (`WC_Tax::calc_tax`).
        """
        rate = None if tax_class is None else self.rates.get(tax_class)
        if rate is None:
            return {}
        base = 100 + rate.percent if included else Decimal(100)
        digits = self.unit.scaleb(-6)
        return {rate.id: (amount * rate.percent / base).quantize(digits, ROUND_HALF_UP)}

    def line_tax(self, tax: Decimal) -> Decimal:
        """Return the VAT of a line as it enters the sum.

        Half an øre goes down where prices include VAT, so that the two parts of a price still add
        up to it (`wc_get_tax_rounding_mode`).
        """
        if self.round_at_subtotal:
            return tax
        mode = ROUND_HALF_DOWN if self.prices_include_tax else ROUND_HALF_UP
        return tax.quantize(self.unit, mode)

    def line_amount(self, amount: Decimal) -> Decimal:
        """Return the amount of a line as it enters the sum (`WC_Item_Totals`)."""
        return amount if self.round_at_subtotal else self.rounded(amount)

    def total_tax(self, taxes: Taxes) -> Decimal:
        """Return the VAT of one line, all its rates together."""
        return sum((self.line_tax(tax) for tax in taxes.values()), ZERO)


@dataclass(frozen=True)
class Coupon:
    """A coupon: `percent` of the goods, or kroner off each (`fixed_product`) or all
    (`fixed_cart`), with VAT where prices include it."""  # noqa: D205, D209

    code: str
    kind: str
    amount: Decimal


@dataclass
class Item:
    """Goods in a basket: `amount` is price times quantity, with VAT where prices include it."""

    amount: Decimal
    quantity: int
    tax_class: str | None
    taken_off: dict[str, Decimal] = field(default_factory=dict)

    @property
    def left(self) -> Decimal:
        """The amount after the coupons so far."""
        return self.amount - sum(self.taken_off.values(), ZERO)

    def take_off(self, code: str, amount: Decimal) -> Decimal:
        """Deduct a coupon, but no more than is left; return the amount deducted."""
        taken = min(amount, self.left)
        self.taken_off[code] = self.taken_off.get(code, ZERO) + taken
        return taken


def apply_coupons(rules: TaxRules, coupons: Iterable[Coupon], items: Sequence[Item]) -> None:
    """Divide coupons among items, the most expensive first, as `WC_Discounts` does."""
    order = ("fixed_product", "percent", "fixed_cart")
    for coupon in sorted(coupons, key=lambda coupon: (order.index(coupon.kind), coupon.amount)):
        dearest = sorted(items, key=lambda item: -item.amount * item.quantity)
        open_items = [item for item in dearest if item.left > 0]
        if coupon.kind == "percent":
            _take_percent(rules, coupon, open_items)
        elif coupon.kind == "fixed_product":
            for item in open_items:
                item.take_off(coupon.code, coupon.amount * item.quantity)
        else:
            _take_from_all(rules, coupon.code, coupon.amount, open_items)


def _take_percent(rules: TaxRules, coupon: Coupon, items: Sequence[Item]) -> None:
    whole = sum((rules.rounded(item.amount) for item in items), ZERO)
    left = rules.rounded(whole * coupon.amount / 100)
    for item in items:
        share = (rules.rounded(item.amount) * coupon.amount / 100).quantize(rules.unit, ROUND_DOWN)
        left -= item.take_off(coupon.code, share)
    _take_single_units(rules, coupon.code, left, items)


def _take_from_all(rules: TaxRules, code: str, amount: Decimal, items: Sequence[Item]) -> None:
    open_items = [item for item in items if item.left > 0]
    count = sum(item.quantity for item in open_items)
    if not count or amount <= 0:
        return
    each = (amount / count).quantize(rules.unit, ROUND_DOWN)
    if each <= 0:
        _take_single_units(rules, code, amount, open_items)
        return
    taken = sum((item.take_off(code, each * item.quantity) for item in open_items), ZERO)
    _take_from_all(rules, code, amount - taken, open_items)


def _take_single_units(rules: TaxRules, code: str, left: Decimal, items: Sequence[Item]) -> None:
    for item in items:
        for _ in range(item.quantity):
            if left <= 0:
                return
            left -= item.take_off(code, rules.unit)


@dataclass(frozen=True)
class Priced:
    """A line of an order with its VAT: before (`subtotal`) and after coupons, both without VAT."""

    subtotal: Decimal
    total: Decimal
    subtotal_taxes: Taxes
    taxes: Taxes


def priced_item(rules: TaxRules, item: Item) -> Priced:
    """Return the line of an item of a basket."""
    included = rules.prices_include_tax
    before = rules.taxes(item.amount, item.tax_class, included=included)
    after = rules.taxes(item.left, item.tax_class, included=included)
    if not included:
        return Priced(item.amount, item.left, before, after)
    return Priced(
        item.amount - sum(before.values(), ZERO),
        item.left - sum(after.values(), ZERO),
        *(before, after),
    )


def priced_charge(rules: TaxRules, amount: Decimal, tax_class: str | None) -> Priced:
    """Return the line of freight, or of a fee that is not negative."""
    taxes = rules.taxes(amount, tax_class)
    return Priced(amount, amount, taxes, taxes)


def priced_rebate(
    rules: TaxRules, amount: Decimal, lines: Iterable[tuple[str | None, Priced]]
) -> Priced:
    """Return the line of a negative fee, whose VAT is divided among the rates of the order.

    It never exceeds the order (`WC_Cart_Totals::get_fees_from_cart`).
    """
    costs: dict[str | None, Decimal] = defaultdict(lambda: ZERO)
    for tax_class, line in lines:
        costs[tax_class] += max(line.total, ZERO)
    whole = sum(costs.values(), ZERO)
    taken = max(amount, -rules.rounded(whole))
    taxes: Taxes = {}
    for tax_class, cost in costs.items():
        taxes.update(rules.taxes(taken * cost / (whole or 1), tax_class))
    return Priced(taken, taken, taxes, taxes)


def coupon_sums(rules: TaxRules, items: Iterable[Item]) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the deduction of each coupon without VAT, and its VAT."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for item in items:
        for code, amount in item.taken_off.items():
            included = rules.prices_include_tax
            tax = sum(rules.taxes(amount, item.tax_class, included=included).values(), ZERO)
            off, off_tax = sums.get(code, (ZERO, ZERO))
            sums[code] = (off + amount - (tax if included else ZERO), off_tax + tax)
    return sums


def totals(
    rules: TaxRules,
    goods: Sequence[Priced],
    freight: Sequence[Priced],
    fees: Sequence[Priced],
) -> dict[str, Decimal]:
    """Return the sums of an order (`WC_Abstract_Order::calculate_totals`)."""
    before = sum((rules.line_amount(line.subtotal) for line in goods), ZERO)
    after = sum((rules.line_amount(line.total) for line in goods), ZERO)
    unrounded = ZERO
    for line in goods:
        unrounded += sum(line.subtotal_taxes.values(), ZERO) - sum(line.taxes.values(), ZERO)
    freight_total = sum((rules.rounded(line.total) for line in freight), ZERO)
    freight_tax = sum((rules.total_tax(line.taxes) for line in freight), ZERO)
    tax = sum((rules.total_tax(line.taxes) for line in (*goods, *fees)), ZERO)
    fees_total = sum((line.total for line in fees), ZERO)
    return {
        "discount_total": rules.rounded(before - after),
        "discount_tax": rules.rounded(unrounded),
        "shipping_total": freight_total,
        "shipping_tax": freight_tax,
        "cart_tax": tax,
        "total_tax": rules.rounded(tax + freight_tax),
        "total": max(rules.rounded(after + fees_total + freight_total + tax + freight_tax), ZERO),
    }


def taxes_by_rate(
    rules: TaxRules, goods: Iterable[Priced], freight: Iterable[Priced]
) -> dict[int, tuple[Decimal, Decimal]]:
    """Return the VAT of each rate: that of goods and fees, and that of freight."""
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for line in goods:
        for rate, tax in line.taxes.items():
            own, other = sums.get(rate, (ZERO, ZERO))
            sums[rate] = (own + rules.line_tax(tax), other)
    for line in freight:
        for rate, tax in line.taxes.items():
            own, other = sums.get(rate, (ZERO, ZERO))
            sums[rate] = (own, other + rules.line_tax(tax))
    return sums
