"""Orders of shops land with their exact total and the shop's own VAT, or are held."""

import itertools
import random
from collections import Counter
from decimal import Decimal

import pytest
from target_powerofficego.dataflow.orders.answer import (
    Correction,
    answer_differences,
    find_correction,
)
from target_powerofficego.dataflow.orders.lines import ServiceCodes
from target_powerofficego.dataflow.orders.refunds import subtract_refunds
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.values import Contradiction, Unusable

from .baskets import ORE, in_go, rounded
from .shop_baskets import RATES, shop_basket

CODES = ServiceCodes(rounding="AVRUND", rates=RATES)
ROUNDS = 5


def landed(lines, total, *, may_add_line=True, **go):
    """Return what Go has of an order after a run corrected it, and what still differs."""
    sent = Correction()
    for _ in range(ROUNDS):
        answer = in_go(lines, sent.prices, sent.rounding, **go)
        differences = answer_differences(lines, total, answer)
        correction = differences and find_correction(
            lines, total, answer, may_add_line=may_add_line, before=sent
        )
        if not correction:
            break
        sent = sent.then(correction)
    return answer, differences


def held_after_refunds(record, lines, total, **go):
    """Return why an order is held after its refunds, if it did not land with the exact total."""
    refunds = ShopOrder(record).refunds
    if not refunds:
        return []
    try:
        left, paid_back = subtract_refunds(lines, refunds, CODES)
    except Unusable as unusable:
        return [f"refund: {unusable}"[:60]]
    assert paid_back == sum(refund.amount or 0 for refund in refunds)
    answer, differences = landed(left, total - paid_back, **go)
    if differences:
        return [f"refund: {differences[0]}".rpartition(":")[0]]
    assert answer["TotalAmount"] == total - paid_back
    return []


def vat_in_go(answer, vat_rounding):
    """Return VAT by rate in percent of what Go answered."""
    nets: Counter[Decimal] = Counter()
    vat: Counter[Decimal] = Counter()
    for line in answer["SalesOrderLines"]:
        rate = line["VatRate"] * 100
        nets[rate] += line["NetAmount"]
        vat[rate] += line["TotalAmount"] - line["NetAmount"]
    by_rate = {rate: rounded(net * rate / 100) for rate, net in nets.items()}
    return by_rate if vat_rounding == "rate" else vat


@pytest.mark.parametrize(
    ("price_decimals", "vat_rounding"), [*itertools.product((2, 4, None), ("line", "rate"))]
)
def test_orders_of_shops_land_with_the_shops_vat_or_are_held_with_both_sums(
    seed, shop_baskets, price_decimals, vat_rounding
):
    chance = random.Random(f"shops {seed} {price_decimals} {vat_rounding}")
    held: Counter[str] = Counter()
    for _ in range(shop_baskets):
        basket = shop_basket(chance)
        try:
            lines = ShopOrder(basket.record, CODES).lines
        except Contradiction as contradiction:
            held[str(contradiction)[:60]] += 1
            continue
        total = ShopOrder(basket.record, CODES).total
        assert total == Decimal(basket.record["total_incl"])
        go = {"price_decimals": price_decimals, "vat_rounding": vat_rounding}
        held.update(held_after_refunds(basket.record, lines, total, **go))
        answer, differences = landed(lines, total, **go)
        if differences:
            held[differences[0].split(":")[0]] += 1
            continue
        assert answer["TotalAmount"] == total
        vat = vat_in_go(answer, vat_rounding)
        if basket.detail != "only the total":
            for rate, stated in basket.vat.items():
                apart = abs(vat.get(rate, 0) - stated)
                assert apart <= basket.most_apart(rate), (rate, stated, vat, basket)
    print(f"{price_decimals} decimals, VAT by {vat_rounding}, held of {shop_baskets}: {held}")
    assert sum(held.values()) <= 0.005 * shop_baskets


@pytest.mark.parametrize(
    ("price_decimals", "vat_rounding"), [*itertools.product((2, None), ("line", "rate"))]
)
@pytest.mark.parametrize("may_add_line", [True, False])
def test_up_to_four_lines_land_if_moving_each_by_an_ore_is_enough(
    seed, shop_baskets, price_decimals, vat_rounding, may_add_line
):
    chance = random.Random(f"few {seed} {price_decimals} {vat_rounding}")
    for _ in range(shop_baskets):
        try:
            lines = ShopOrder(shop_basket(chance, most_lines=2).record, CODES).lines
        except Unusable:
            continue
        if len(lines) > 4:
            continue
        total = sum(line.total.incl for line in lines)
        go = {"price_decimals": price_decimals, "vat_rounding": vat_rounding}
        _, differences = landed(lines, total, may_add_line=may_add_line, **go)
        if differences:
            assert not _is_reachable(lines, total, may_add_line=may_add_line, **go), lines


def _is_reachable(lines, total, *, may_add_line, price_decimals, vat_rounding):
    """Return whether any nets, each at most an øre off, give the shop's sums."""
    moving = [line for line in lines if line.total.excl and line.reference != "rounding:order"]
    fixed = sum(line.total.incl for line in lines if line not in moving)
    wanted: Counter[Decimal] = Counter()
    counts: Counter[Decimal] = Counter()
    for line in moving:
        wanted[line.rate] += line.total.tax
        counts[line.rate] += 1
    for nets in itertools.product(*(_nets(line, price_decimals) for line in moving)):
        by_rate: Counter[Decimal] = Counter()
        vat: Counter[Decimal] = Counter()
        for line, net in zip(moving, nets, strict=True):
            by_rate[line.rate] += net
            vat[line.rate] += rounded(net * line.rate / 100)
        if vat_rounding == "rate":
            vat = Counter({rate: rounded(net * rate / 100) for rate, net in by_rate.items()})
        rest = total - fixed - sum(nets) - sum(vat.values())
        is_near = abs(rest) <= (len(moving) * ORE if may_add_line else 0)
        if is_near and all(
            abs(vat[rate] - tax) <= (counts[rate] + 1) * ORE / 2 for rate, tax in wanted.items()
        ):
            return True
    return False


def _nets(line, price_decimals):
    """Yield the nets that a line can have in Go, within an øre of the shop's."""
    left = 1 - line.price.allowance / 100
    for more in (Decimal(0), ORE, -ORE):
        net = line.total.excl + more
        price = net / line.quantity / left
        step = Decimal(1).scaleb(-(price_decimals or 8))
        if any(
            rounded(line.quantity * (rounded(price, step) + n * step) * left) == net
            for n in (-1, 0, 1)
        ):
            yield net
