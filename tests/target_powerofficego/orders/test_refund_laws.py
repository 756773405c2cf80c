"""What is left and what is credited is right at each rate, for any refunds in any order.

The orders have goods at several VAT rates, freight, a discount, and a gift card as payment.
"""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_powerofficego.dataflow.orders.lines import ServiceCodes
from target_powerofficego.dataflow.orders.refund_shares import split
from target_powerofficego.dataflow.orders.refunds import (
    Refund,
    credit_lines,
    subtract_refunds,
    zeroed_lines,
)
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.values import Contradiction
from target_powerofficego.decisions.changes import Undecidable
from target_powerofficego.sync.orders.invoiced import require_to_credit

CODES = ServiceCodes()
RATES = ("25", "15", "12", "11.11", "0")
PARTS = st.sampled_from(["0", "0.01", "0.3", "0.5", "0.99", "1"]).map(Decimal)
AMOUNTS = st.integers(1, 30_000).map(lambda ore: Decimal(ore).scaleb(-2))


def rounded(amount):
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def sold(incl, rate, **members):
    return {"total_incl": str(incl), "tax_rate": rate, **members}


@st.composite
def orders(draw):
    """Draw an order; its discount is on all goods, or on those of one rate."""
    goods = draw(st.lists(st.tuples(AMOUNTS, st.sampled_from(RATES)), min_size=1, max_size=6))
    lines = [
        sold(incl, rate, id=str(number), sku=f"S{rate}", quantity=str(number % 3 + 1))
        for number, (incl, rate) in enumerate(goods)
    ]
    freight = [sold(incl, "25", id="f") for incl in draw(st.lists(AMOUNTS, max_size=1))]
    rate = Decimal(goods[0][1])
    is_of_one_rate = draw(st.booleans())
    discounted = [incl for incl, at in goods if not is_of_one_rate or Decimal(at) == rate]
    discount = rounded(sum(discounted) * draw(PARTS))
    rest = total(ShopOrder({"lines": lines, "shipping": freight}).lines) - discount
    if paid := rounded(rest * draw(PARTS)):
        lines.append(sold(-paid, "0", id="k", type="gift_card", sku="K", quantity="-1"))
    plain = by_rate(ShopOrder({"lines": lines, "shipping": freight}).lines)
    taxes = [] if not is_of_one_rate else _taxes({**plain, rate: plain[rate] - discount})
    discounts = [{"amount_incl": str(discount)}] if discount else []
    return {"lines": lines, "shipping": freight, "discounts": discounts, "taxes": taxes}


def _taxes(sums):
    nets = {rate: rounded(incl / (1 + rate / 100)) for rate, incl in sums.items()}
    return [
        {"rate": str(rate), "base": str(nets[rate]), "amount": str(incl - nets[rate])}
        for rate, incl in sums.items()
    ]


@st.composite
def orders_with_refunds(draw):
    """Draw the lines of an order, and refunds of single lines and of money for no line."""
    lines = ShopOrder(draw(orders())).lines
    records: list[dict] = []
    refunds: tuple[Refund, ...] = ()
    for number in range(draw(st.integers(1, 4))):
        left, _ = subtract_refunds(lines, refunds, CODES)
        rest = total(left)
        goods = [line for line in left if line.service is None and not line.is_gift_card]
        line = draw(st.sampled_from(goods))
        of_line = min(rounded(line.total.incl * draw(PARTS)), rest)
        free = rounded((rest - of_line) * draw(PARTS))
        part = {"line_id": line.reference, "quantity": "0", "amount_incl": str(of_line)}
        back = {"id": f"r{number}", "amount_incl": str(of_line + free)}
        records.append({**back, "lines": [part] if of_line else []})
        refunds = ShopOrder({"refunds": records}).refunds
    return lines, refunds


def by_rate(lines):
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        sums[line.rate] = sums.get(line.rate, Decimal(0)) + line.total.incl
    return sums


def total(lines):
    return sum((line.total.incl for line in lines), Decimal(0))


@given(data=st.data(), bounds=st.lists(AMOUNTS, min_size=1, max_size=9))
def test_an_amount_is_split_in_full_and_no_part_exceeds_its_bound(data, bounds):
    amount = data.draw(st.integers(0, int(sum(bounds) * 100))) * Decimal("0.01")

    parts = split(amount, dict(enumerate(bounds)))

    assert sum(parts.values()) == amount
    for number, bound in enumerate(bounds):
        assert 0 <= parts[number] <= bound
        share = amount * bound / sum(bounds)
        assert abs(parts[number] - share) <= Decimal("0.01") * len(bounds)


@given(drawn=orders_with_refunds())
def test_the_rest_is_what_was_not_paid_back_and_no_rate_is_below_zero(drawn):
    """Except a rate that a gift card brought below zero before anything was paid back."""
    lines, refunds = drawn
    sold_at = by_rate(lines)
    for number in range(len(refunds) + 1):
        left, paid_back = subtract_refunds(lines, refunds[:number], CODES)

        assert paid_back == sum((refund.amount for refund in refunds[:number]), Decimal(0))
        assert total(left) == total(lines) - paid_back
        assert all(incl >= min(sold_at[rate], 0) for rate, incl in by_rate(left).items())
        if paid_back == total(lines) > 0:
            assert set(by_rate(left).values()) == {0}


@given(order=orders(), chance=st.randoms(use_true_random=False), has_amounts=st.booleans())
def test_everything_that_was_sold_comes_back_with_its_discount_and_leaves_nothing_at_any_rate(
    order, chance, has_amounts
):
    """In one refund or two, with the lines' amounts or only how many units came back."""
    without_card = [line for line in order["lines"] if line.get("type") != "gift_card"]
    taxes = order["taxes"] if without_card == order["lines"] else []
    order |= {"lines": without_card, "taxes": taxes}
    lines = ShopOrder(order).lines
    named = [line for line in lines if not line.reference.startswith("discount:")]
    parts = [
        {
            "line_id": line.reference.removeprefix("shipping:"),
            "quantity": str(line.quantity),
            "amount_incl": str(line.total.incl) if has_amounts else None,
        }
        for line in chance.sample(named, len(named))
    ]
    cut = 0 if has_amounts else chance.randint(0, len(parts))
    records = [{"id": "r0", "lines": parts[:cut]}, {"id": "r1", "lines": parts[cut:]}]
    refunds = ShopOrder({**order, "refunds": [back for back in records if back["lines"]]}).refunds

    left, paid_back = subtract_refunds(lines, refunds, CODES)

    assert paid_back == total(lines)
    assert set(by_rate(left).values()) == {0}


@given(drawn=orders_with_refunds(), is_by_rate=st.booleans())
def test_the_vat_that_a_refund_states_is_what_it_takes(drawn, is_by_rate):
    """For refunds that are given without their lines, with the VAT that these took."""
    lines, refunds = drawn
    left = lines
    for refund in refunds:
        after, _ = subtract_refunds(left, [refund], CODES)
        expected = _deducted(left, after)
        taxes = _taxes({rate: incl for rate, incl in expected.items() if incl})
        vat = sum((Decimal(tax["amount"]) for tax in taxes), Decimal(0))
        stated = {"taxes": taxes} if is_by_rate else {"amount_excl": str(refund.amount - vat)}
        record = {"id": "b", "amount_incl": str(refund.amount), **stated}
        (bare,) = ShopOrder({"refunds": [record]}).refunds
        try:
            result, paid_back = subtract_refunds(left, [bare], CODES)
        except Contradiction:
            assert not is_by_rate or min(expected.values()) < 0
        else:
            assert paid_back == refund.amount
            deducted = _deducted(left, result)
            rates = len({*deducted, *expected})
            assert abs(_vat(deducted) - vat) <= Decimal("0.02") * rates
            if is_by_rate and min(expected.values()) >= 0:
                assert all(deducted.get(r, 0) == expected.get(r, 0) for r in {*deducted, *expected})
        left = after


def _deducted(before, after):
    previous, current = by_rate(before), by_rate(after)
    return {rate: previous.get(rate, 0) - current.get(rate, 0) for rate in {*previous, *current}}


def _vat(sums):
    return sum((incl - rounded(incl / (1 + rate / 100)) for rate, incl in sums.items()), Decimal(0))


@given(drawn=orders_with_refunds())
def test_money_for_no_line_adds_to_no_rate(drawn):
    lines, refunds = drawn
    for number, refund in enumerate(refunds):
        before, _ = subtract_refunds(lines, refunds[:number], CODES)
        after, _ = subtract_refunds(lines, refunds[: number + 1], CODES)

        if not refund.lines:
            previous = by_rate(before)
            assert all(incl <= max(previous[rate], 0) for rate, incl in by_rate(after).items())


@given(drawn=orders_with_refunds(), chance=st.randoms(use_true_random=False))
def test_credit_notes_of_some_refunds_and_of_the_rest_leave_nothing_at_any_rate(drawn, chance):
    lines, refunds = drawn
    in_turn = chance.sample(refunds, len(refunds))
    subtracted = chance.randint(0, len(refunds))
    invoice, _ = subtract_refunds(lines, in_turn[:subtracted], CODES)
    posted = [*invoice]
    for number in range(subtracted, len(in_turn)):
        before, _ = subtract_refunds(lines, in_turn[:number], CODES)
        after, _ = subtract_refunds(lines, in_turn[: number + 1], CODES)
        note, amount = credit_lines(before, after)
        assert amount == total(note) == -in_turn[number].amount
        posted += note
    left, _ = subtract_refunds(lines, in_turn, CODES)
    rest, _ = credit_lines(left, zeroed_lines(left))

    assert set(by_rate([*posted, *rest]).values()) == {0}


@given(first=orders_with_refunds(), second=orders_with_refunds())
def test_a_credit_note_is_the_difference_of_any_two_orders_at_each_rate(first, second):
    before, _ = subtract_refunds(first[0], first[1], CODES)
    after, _ = subtract_refunds(second[0], second[1], CODES)
    rates = {line.reference: line.rate for line in before}
    after = tuple(line for line in after if rates.get(line.reference, line.rate) == line.rate)

    lines, amount = credit_lines(before, after)

    assert amount == total(after) - total(before)
    previous, current, credited = by_rate(before), by_rate(after), by_rate(lines)
    for rate in {*previous, *current}:
        assert current.get(rate, 0) - previous.get(rate, 0) == credited.get(rate, 0)


def test_a_credit_note_of_another_amount_than_was_paid_back_is_held():
    require_to_credit(Decimal("50.00"), Decimal("-50.00"))
    with pytest.raises(Undecidable, match=r"credit note would come to -49\.99"):
        require_to_credit(Decimal("50.00"), Decimal("-49.99"))
