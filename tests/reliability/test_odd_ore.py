"""However Go rounds, an order comes to what the shop says, or it is told that it does not."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from decimal import Decimal

import pytest
from target_powerofficego.dataflow.order_lines import ServiceCodes
from target_powerofficego.dataflow.order_reading import check_total, read_lines
from target_powerofficego.dataflow.order_refunds import less_refunds, read_refunds
from target_powerofficego.dataflow.order_rounding import mending

from .baskets import basket, in_go

MOST_ROUNDS = 4


def mended(lines, total, *, may_add_line, **go):
    """Mend an order as a run does; return how often, and whether with a line; None: held."""
    prices, rounding = {}, Decimal(0)
    for rounds in range(MOST_ROUNDS + 1):
        answer = in_go(lines, prices, rounding, **go)
        if answer["TotalAmount"] == total:
            return rounds, bool(rounding)
        wanted = mending(lines, total, answer, may_add_line=may_add_line, sent=prices)
        if wanted is None:
            return None
        prices, rounding = {**prices, **wanted.prices}, wanted.rounding
    return None


@pytest.mark.parametrize(
    ("price_decimals", "vat_rounding"), [*itertools.product((2, 4, None), ("line", "rate"))]
)
def test_baskets_are_exact_with_a_line_for_rounding_and_nearly_all_without(
    seed, baskets, price_decimals, vat_rounding
):
    chance = random.Random(f"{seed} {price_decimals} {vat_rounding}")
    came = {True: Counter(), False: Counter()}
    for _ in range(baskets):
        order = basket(chance)
        whole = read_lines(order)
        refunds = read_refunds(order)
        lines, paid_back = less_refunds(whole, refunds, ServiceCodes())
        total = check_total(order, whole) - paid_back
        for may_add_line in (True, False):
            outcome = mended(
                lines,
                total,
                may_add_line=may_add_line,
                price_decimals=price_decimals,
                vat_rounding=vat_rounding,
            )
            came[may_add_line][outcome] += 1
    exact = {one: baskets - came[one][None] for one in came}
    print(f"{price_decimals} decimals, VAT by {vat_rounding}, of {baskets}: {exact}")
    assert exact[True] >= 0.999 * baskets
    assert exact[False] >= 0.85 * baskets
