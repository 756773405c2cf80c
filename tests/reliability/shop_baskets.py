"""Random orders as shops calculate them, each with the VAT by rate that its shop states.

A shop rounds VAT per line, per rate or per order, from prices of two to four decimals with or
without VAT. It deducts coupons for one rate, all goods or freight, gift cards and store credit,
rounds to whole kroner, and sells to some without VAT.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from .baskets import ORE, rounded

RATES = (Decimal(25), Decimal(15), Decimal(12), Decimal("11.11"), Decimal(0))
FINER = Decimal("0.000001")
ZERO = Decimal(0)


@dataclass
class ShopBasket:
    """An order, the VAT by rate as its shop calculated it, and how much of that the shop states."""

    record: dict
    vat: dict
    detail: str
    counts: dict = field(default_factory=dict)

    def most_apart(self, rate):
        """Return by how much the VAT of a rate may differ by rounding."""
        return (self.counts.get(rate, 0) + 1) * ORE / 2


class _Shop:
    """How a shop calculates."""

    def __init__(self, chance):
        self.chance = chance
        self.rounds = chance.choice(["line", "rate", "order"])
        self.has_vat_in = chance.random() < 0.5
        self.shows_ore = chance.random() < 0.5
        self.decimals = chance.choice([2, 2, 3, 4])
        self.is_exempt = chance.random() < 0.05

    def split(self, amount, rate):
        """Return an exact amount of the leading price without VAT, and its VAT."""
        factor = rate / 100
        net = amount / (1 + factor) if self.has_vat_in else amount
        return net, net * factor

    def stated(self, net, tax):
        """Return what a line or charge states: excl, tax, incl."""
        if self.rounds != "line" and not self.shows_ore:
            excl, incl = net.quantize(FINER), (net + tax).quantize(FINER)
            return excl, incl - excl, incl
        if self.has_vat_in:
            incl, excl = rounded(net + tax), rounded(net)
        else:
            excl = rounded(net)
            incl = excl + rounded(tax)
        return excl, incl - excl, incl

    def sums(self, parts):
        """Return VAT and the amount without VAT by rate, in øre, of (rate, net, tax, stated)."""
        by_rate: defaultdict[Decimal, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
        for rate, net, tax, stated in parts:
            by_rate[rate][0] += stated[0] if self.rounds == "line" else net
            by_rate[rate][1] += stated[1] if self.rounds == "line" else tax
        return {rate: self._rate_sum(net, tax) for rate, (net, tax) in by_rate.items()}

    def _rate_sum(self, net, tax):
        if self.has_vat_in and self.rounds != "line":
            return rounded(net + tax) - rounded(tax), rounded(tax)
        return rounded(net), rounded(tax)


def shop_basket(chance, most_lines=40):
    """Return an order of a shop that calculates in its own way."""
    shop = _Shop(chance)
    lines = [_line(shop, number) for number in range(chance.randint(1, most_lines))]
    freight = [_charge(shop, "f", Decimal(25))] if chance.random() < 0.6 else []
    fees = [_charge(shop, "g", chance.choice(RATES))] if chance.random() < 0.2 else []
    parts = [part for _, part in (*lines, *freight, *fees)]
    discounts, deducted, gifts = _discounts(shop, [part for _, part in lines], freight)
    parts += deducted
    sums = shop.sums(parts)
    excl, tax = _totals(shop, parts, sums)
    total = excl + tax - gifts
    rounding = rounded(total, Decimal(1)) - total if chance.random() < 0.1 else ZERO
    detail = _choose_detail(chance, sums, discounts)
    record = {
        "lines": [raw for raw, _ in lines],
        "shipping": [raw for raw, _ in freight],
        "fees": [raw for raw, _ in fees],
        "discounts": discounts,
        "refunds": _refunds(chance, lines, freight, fees),
        "rounding": str(rounding) if rounding else None,
        "total_incl": str(total + rounding),
    }
    if detail != "only the total":
        record |= {"total_excl": str(excl - gifts), "total_tax": str(tax)}
    if detail == "all":
        record["taxes"] = [
            {"rate": str(rate), "base": str(net), "amount": str(vat)}
            for rate, (net, vat) in sums.items()
            if rate
        ]
    counts: defaultdict[Decimal, int] = defaultdict(int)
    for rate, net, _, _ in parts:
        counts[rate] += bool(net)
    return ShopBasket(record, {rate: vat for rate, (_, vat) in sums.items()}, detail, counts)


def _line(shop, number):
    chance = shop.chance
    rate = ZERO if shop.is_exempt else chance.choice(RATES)
    quantity = Decimal(chance.choice([1, 1, 1, 2, 3, 5, chance.randint(1, 12)]))
    if chance.random() < 0.1:
        quantity = Decimal(chance.randint(100, 9999)) / 1000
    scale = 10**shop.decimals
    unit = Decimal(
        chance.choice([chance.randint(1, 2000 * scale), chance.randint(1, 2000) * scale])
    )
    unit /= scale
    percent = Decimal(chance.choice([0, 0, 0, 10, 15, 25, Decimal("12.5"), Decimal("33.33")]))
    net, tax = shop.split(quantity * unit * (1 - percent / 100), rate)
    stated = shop.stated(net, tax)
    name = "incl" if shop.has_vat_in else "excl"
    full = quantity * unit
    raw = {
        "id": str(number),
        "product_id": f"p{rate}",
        "sku": f"S{rate}",
        "name": "Vare",
        "quantity": str(quantity),
        f"unit_price_{name}": str(unit),
        f"discount_{name}": str(rounded(full * percent / 100)),
        **_amounts(stated),
        "tax_rate": str(rate),
    }
    return raw, (rate, net, tax, stated)


def _charge(shop, shop_id, rate):
    rate = ZERO if shop.is_exempt else rate
    amount = Decimal(shop.chance.choice(["99", "49", "149.9", "79.2", "39.2"]))
    net, tax = shop.split(amount, rate)
    stated = shop.stated(net, tax)
    stated_rate = str(rate) if shop.chance.random() < 0.9 else None
    return {"id": shop_id, **_amounts(stated), "tax_rate": stated_rate}, (rate, net, tax, stated)


def _amounts(stated):
    names = ("total_excl", "total_tax", "total_incl")
    return {name: format(amount, "f") for name, amount in zip(names, stated, strict=True)}


def _discounts(shop, goods, freight):
    """Return the discounts as stated, what they deduct by rate, and what gift cards pay."""
    chance = shop.chance
    discounts, deducted, gifts = [], [], ZERO
    kind = chance.choice(["", "", "", "one rate", "all", "freight", "gift", "all and gift"])
    share = Decimal(chance.randint(1, 60)) / 100
    bearing = []
    if kind == "one rate":
        rate = chance.choice([part[0] for part in goods])
        bearing = [part for part in goods if part[0] == rate]
    elif kind.startswith("all"):
        bearing = goods
    elif kind == "freight" and freight:
        bearing, share = [part for _, part in freight], Decimal(1)
    if bearing:
        by_rate: defaultdict[Decimal, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
        for rate, net, tax, _ in bearing:
            by_rate[rate][0] += net * share
            by_rate[rate][1] += tax * share
        stated = {rate: shop.stated(net, tax) for rate, (net, tax) in by_rate.items()}
        deducted = [
            (rate, -n, -t, tuple(-x for x in stated[rate])) for rate, (n, t) in by_rate.items()
        ]
        excl, tax = (
            rounded(sum(amounts[place] for amounts in stated.values())) for place in (0, 1)
        )
        amount_excl = chance.choice([str(excl), None, str(excl + tax)])
        discounts.append(
            {"name": "Kupong", "amount_excl": amount_excl, "amount_incl": str(excl + tax)}
        )
    if kind.endswith("gift"):
        left = sum(part[3][2] for part in goods) + sum(part[3][2] for part in deducted)
        gifts = rounded(left * Decimal(chance.randint(10, 90)) / 100)
        amount_excl = chance.choice([str(gifts), None])
        if gifts:
            discounts.append(
                {"name": "Gavekort", "amount_excl": amount_excl, "amount_incl": str(gifts)}
            )
    return discounts, deducted, gifts


def _totals(shop, parts, sums):
    """Return the order's total without VAT, and its VAT, each rounded to the øre."""
    if shop.rounds == "order":
        net, tax = sum(part[1] for part in parts), sum(part[2] for part in parts)
        if shop.has_vat_in:
            return rounded(net + tax) - rounded(tax), rounded(tax)
        return rounded(net), rounded(tax)
    return tuple(sum(amounts[place] for amounts in sums.values()) for place in (0, 1))


def _choose_detail(chance, sums, discounts):
    """Choose how much of its VAT the shop states; enough that the order is unambiguous."""
    if discounts and len(sums) > 1:
        return "all" if len(sums) > 2 or len(discounts) > 1 else chance.choice(["all", "sums"])
    return chance.choice(["all", "sums", "only the total"])


def _refunds(chance, lines, freight, fees):
    """Return refunds of lines, freight and fees by their ids, and refunds that name none."""
    if chance.random() < 0.7:
        return []
    parts = [raw for raw, _ in chance.sample(lines, min(len(lines), 2))]
    parts += [raw for raw, _ in (*freight, *fees) if chance.random() < 0.3]
    refunds = []
    for number, raw in enumerate(parts):
        amount = rounded(Decimal(raw["total_incl"]) * chance.randint(1, 30) / 100)
        line = {"line_id": raw["id"], "quantity": "0", "amount_incl": str(amount)}
        named = [line] if chance.random() < 0.7 else []
        refunds.append({"id": f"r{number}", "amount_incl": str(amount), "lines": named})
    return refunds
