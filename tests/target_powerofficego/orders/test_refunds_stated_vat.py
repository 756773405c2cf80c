"""What a refund states: lines, freight and fees, their share of discounts, and its VAT."""

from decimal import Decimal

import pytest
from target_powerofficego.dataflow.orders.line_amounts import Money
from target_powerofficego.dataflow.orders.lines import ServiceCodes, service_at, service_line
from target_powerofficego.dataflow.orders.refunds import describe_splits, subtract_refunds
from target_powerofficego.dataflow.orders.shop_order import ShopOrder
from target_powerofficego.dataflow.values import Contradiction, Unusable

CODES = ServiceCodes()


def sold(name, incl, rate, **more):
    return {"id": name, "sku": name, "quantity": "1", "total_incl": incl, "tax_rate": rate, **more}


def order(**changes):
    """Two of clothes for 250 kr and food for 115 kr, freight and a fee of 50 kr each at 25 %."""
    return {
        "lines": [sold("c", "250.00", "25", quantity="2"), sold("f", "115.00", "15")],
        "shipping": [sold("s", "50.00", "25")],
        "fees": [sold("g", "50.00", "25")],
        **changes,
    }


DISCOUNTED = {"discounts": [{"amount_incl": "73.00"}]}  # 50.00 at 25 % and 23.00 at 15 %
FREE = {"discounts": [{"amount_incl": "365.00"}]}  # all goods, though not the freight and the fee


def refund(amount, *lines, **members):
    return {"id": "r1", "amount_incl": amount, "lines": [*lines], **members}


def part(line_id, quantity=None, amount=None):
    return {"line_id": line_id, "quantity": quantity, "amount_incl": amount}


def left_of(order, *refunds):
    """Return the lines of an order without what was paid back."""
    lines, _ = subtract_refunds(
        ShopOrder(order).lines, ShopOrder({**order, "refunds": [*refunds]}).refunds, CODES
    )
    return lines


def by_rate(lines):
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        sums[line.rate] = sums.get(line.rate, Decimal(0)) + line.total.incl
    return {str(rate): str(incl) for rate, incl in sums.items() if incl}


def by_line(lines):
    return {line.reference: str(line.total.incl) for line in lines if line.total.incl}


def taxes(**by_rate):
    """Return the taxes of a refund: "r25" is the rate, with its base and VAT."""
    return [
        {"rate": rate[1:], "base": base, "amount": tax} for rate, (base, tax) in by_rate.items()
    ]


# Lines, freight and fees


@pytest.mark.parametrize("line_id", ["g", "s"])
@pytest.mark.parametrize("quantity", ["1", None])
@pytest.mark.parametrize("amount", ["50.00", None])
def test_freight_and_fees_are_named_by_their_id(line_id, quantity, amount):
    lines = left_of(order(), refund(amount, part(line_id, quantity)))

    assert by_rate(lines) == {"25": "300.00", "15": "115.00"}
    assert not [key for key in by_line(lines) if key.endswith(f":{line_id}") or "refund" in key]


def test_freight_that_is_named_is_subtracted_once():
    record = order(shipping=[sold("s", "50.00", "25"), sold("t", "15.00", "15")])

    for amount in ("15.00", None):
        lines = left_of(record, refund("15.00", part("t", None, amount), shipping_incl="15.00"))
        assert by_line(lines)["shipping:s"] == "50.00"
        assert "shipping:t" not in by_line(lines)
    both = left_of(record, refund("65.00", part("t", "1", "15.00"), shipping_incl="65.00"))
    assert not [reference for reference in by_line(both) if reference.startswith("shipping:")]


def test_free_freight_can_be_named_but_not_paid_back():
    record = order(shipping=[sold("s", "0.00", "25")])
    back = refund("115.00", part("f", "1"), part("s", "1", "0.00"))

    assert by_rate(left_of(record, back)) == {"25": "300.00"}
    with pytest.raises(Unusable, match="that the order does not have"):
        left_of(record, refund("20.00", part("s", "1", "20.00")))


def test_an_id_of_two_parts_is_a_contradiction_only_if_a_refund_names_it():
    record = order(fees=[sold("f", "50.00", "25")])
    left = left_of(record, refund("125.00", part("c", "1")))

    assert by_rate(left) == {"25": "225.00", "15": "115.00"}
    with pytest.raises(Contradiction, match='line "f", which is the id of 2'):
        left_of(record, refund("50.00", part("f", "1")))


@pytest.mark.parametrize(
    "back",
    [
        refund("0.00", part("c", "2", "0.00")),
        refund("0.00", part("c", "1")),
        refund("0.00", part("c", "1"), part("g")),
        refund("0.00", part("c", "1"), amount_excl="0.00"),
        refund(None, part("c", "2", "0.00")),
    ],
)
@pytest.mark.parametrize("discounts", [{}, DISCOUNTED, FREE])
def test_goods_that_came_back_without_money_change_nothing(back, discounts):
    record = order(**discounts)

    assert left_of(record, back) == ShopOrder(record).lines


# The share of the discount that goes with its lines


@pytest.mark.parametrize(
    "back",
    [
        refund("100.00", part("c", "1")),
        refund("100.00", part("c", "1", "125.00")),
        refund(None, part("c", "1")),
    ],
)
def test_a_line_comes_back_with_its_share_of_the_discount(back):
    before = by_line(ShopOrder(order(**DISCOUNTED)).lines)
    after = by_line(left_of(order(**DISCOUNTED), back))

    assert after == {**before, "c": "125.00", "discount:25": "-25.00"}


@pytest.mark.parametrize(
    ("back", "clothes", "discount"),
    [
        (refund("125.00", part("c", "1", "125.00")), "125.00", "-50.00"),
        (refund("100.00", part("c", "1", "100.00")), "150.00", "-50.00"),
        (refund("110.00", part("c", "1")), "125.00", "-35.00"),
        (refund("50.00", part("c", "1")), "187.50", "-37.50"),
    ],
)
def test_the_amounts_that_the_shop_states_decide(back, clothes, discount):
    lines = by_line(left_of(order(**DISCOUNTED), back))

    assert (lines["c"], lines["discount:25"]) == (clothes, discount)
    assert lines["discount:15"] == "-23.00"


def test_a_line_of_more_than_its_refund_is_rejected_if_the_discount_does_not_explain_it():
    with pytest.raises(Unusable, match=r"is 99\.00, but its lines come to 125\.00"):
        left_of(order(**DISCOUNTED), refund("99.00", part("c", "1", "125.00")))


@pytest.mark.parametrize("amount", ["99.98", "100.02"])
def test_a_share_that_the_shop_rounds_is_accepted(amount):
    named = refund(amount, part("c", "1", "125.00"))
    left = by_rate(left_of(order(**DISCOUNTED), named))
    parts = [part("c", "1", "125.00"), part("f", "1", "115.00"), part("s"), part("g")]
    rest = refund(str(392 - Decimal(amount)), *parts, id="r2")

    assert left == {"25": str(Decimal("300.00") - Decimal(amount)), "15": "92.00"}
    assert by_rate(left_of(order(**DISCOUNTED), named, rest)) == {}


@pytest.mark.parametrize(("clothes", "food"), [("250.00", "115.00"), (None, None)])
def test_goods_come_back_for_what_an_earlier_refund_left_of_them(clothes, food):
    money = refund("100.00")
    goods = [part("c", "2", clothes), part("f", "1", food), part("s"), part("g")]

    assert by_rate(left_of(order(), money, refund("365.00", *goods, id="r2"))) == {}


ALL = [part("c", "2"), part("f", "1"), part("s"), part("g")]
AMOUNTS = {"c": "250.00", "f": "115.00", "s": "50.00", "g": "50.00"}
NET = {"c": "200.01", "f": "91.99", "s": "50.00", "g": "50.00"}


@pytest.mark.parametrize("amounts", [AMOUNTS, NET, {}])
@pytest.mark.parametrize("amount", ["392.00", None])
def test_everything_that_was_sold_comes_back_and_leaves_nothing_at_any_rate(amounts, amount):
    parts = [{**part, "amount_incl": amounts.get(part["line_id"])} for part in ALL]

    assert by_rate(left_of(order(**DISCOUNTED), refund(amount, *parts))) == {}


def test_a_gift_card_that_was_taken_off_the_order_goes_with_the_goods():
    clothes = sold("c", "400.00", "25")
    card = {"discounts": [{"amount_incl": "300.00"}]}
    at_0 = ShopOrder({"lines": [sold("x", "300.00", "0")], **card}).lines[-1]
    lines = [ShopOrder({"lines": [clothes], **card}).lines[0], at_0]
    raw = [refund("100.00", part("c", "1"))]

    left, paid_back = subtract_refunds(
        lines, ShopOrder({"lines": [clothes], "refunds": raw}).refunds, CODES
    )

    assert (by_rate(left), paid_back) == ({}, Decimal("100.00"))


def rounded(ore):
    """Return the lines of an order of clothes that is rounded to a whole krone."""
    (*lines,) = ShopOrder({"lines": [sold("c", "250.00", "25", quantity="2")]}).lines
    at_0 = service_at("AVRUNDING", "Avrunding", Decimal(0))
    total = Money(Decimal(ore), Decimal(0), Decimal(ore))
    return [*lines, service_line("rounding:", at_0, "Avrunding", 1, Decimal(0), total)]


@pytest.mark.parametrize("ore", ["-0.40", "0.40"])
@pytest.mark.parametrize("amount", ["250.00", None])
def test_the_rounding_of_an_order_comes_back_only_with_the_last_of_it(ore, amount):
    lines = rounded(ore)
    half = refund("125.00", part("c", "1"), id="r0")
    rest = str(125 + Decimal(ore)) if amount or ore == "0.40" else None
    record = {"lines": [{"id": "c"}], "refunds": [half, refund(rest, part("c", "1"))]}
    both = ShopOrder(record).refunds
    money = ShopOrder({"refunds": [refund("50.00")]}).refunds

    assert by_rate(subtract_refunds(lines, both[:1], CODES)[0]) == {"25": "125.00", "0": ore}
    assert by_rate(subtract_refunds(lines, both, CODES)[0]) == {}
    assert by_rate(subtract_refunds(lines, money, CODES)[0]) == {"25": "200.00", "0": ore}


# The VAT that a refund states


@pytest.mark.parametrize(
    ("vat", "left"),
    [
        ({"taxes": taxes(r25=("32.00", "8.00"))}, {"25": "310.00", "15": "115.00"}),
        ({"taxes": taxes(r15=("34.78", "5.22"))}, {"25": "350.00", "15": "75.00"}),
        ({"amount_excl": "34.78"}, {"25": "350.00", "15": "75.00"}),
        ({"amount_excl": "33.39"}, {"25": "329.98", "15": "95.02"}),
        ({"amount_excl": "40.00"}, {"25": "350.00", "15": "115.00", "0": "-40.00"}),
        ({"taxes": [{"rate": "25", "amount": "8.00"}]}, {"25": "310.00", "15": "115.00"}),
        (
            {"taxes": taxes(r25=("16.00", "4.00"), r15=("17.39", "2.61"))},
            {"25": "330.00", "15": "95.00"},
        ),
        (
            {"taxes": taxes(r25=("16.00", "4.00"))},
            {"25": "330.00", "15": "115.00", "0": "-20.00"},
        ),
        ({"taxes": taxes(r25=("0.00", "0.00"))}, {"25": "322.60", "15": "102.40"}),
    ],
)
def test_the_vat_that_a_refund_states_decides(vat, left):
    assert by_rate(left_of(order(), refund("40.00", **vat))) == left


def test_stated_vat_may_be_off_by_rounding():
    named = refund("115.00", part("f", "1"), taxes=taxes(r15=("99.99", "15.01")))
    money = refund("40.00", taxes=taxes(r25=("32.01", "8.00")))

    assert by_rate(left_of(order(), named)) == {"25": "350.00"}
    assert by_rate(left_of(order(), money)) == {"25": "310.00", "15": "115.00"}


def test_vat_that_the_shop_rounded_on_each_line_is_accepted():
    many = order(lines=[sold(str(number), "1.02", "25") for number in range(10)])
    everything = refund("110.20", taxes=taxes(r25=("88.20", "22.00")))
    goods = refund("10.20", taxes=taxes(r25=("8.20", "2.00")))

    assert by_rate(left_of(many, everything)) == {}
    assert by_rate(left_of(many, goods)) == {"25": "100.00"}


def test_an_amount_with_vat_follows_from_that_without():
    by_sums = refund(None, amount_excl="32.00", taxes=[{"rate": "25", "amount": "8.00"}])

    for back in (by_sums, refund(None, taxes=taxes(r25=("32.00", "8.00")))):
        assert by_rate(left_of(order(), back)) == {"25": "310.00", "15": "115.00"}


@pytest.mark.parametrize(
    ("back", "reason"),
    [
        (
            refund("50.00", part("g"), taxes=taxes(r15=("43.48", "6.52"))),
            r"VAT of 6\.52 at 15 %, .* has VAT of 10\.00 at 25 %",
        ),
        (
            refund("50.00", part("g"), amount_excl="43.48"),
            r"50\.00 with VAT of 6\.52, .* has VAT of 10\.00 at 25 %",
        ),
        (refund("40.00", amount_excl="30.00"), r"VAT of 10\.00, .* has VAT of 5\.48 at 25 % and"),
        (refund("40.00", taxes=taxes(r25=("40.00", "10.00"))), r"its taxes come to 50\.00"),
        (refund("40.00", taxes=taxes(r25=("35.00", "5.00"))), r"VAT of 5\.00 at 25 %, .* 8\.00 at"),
        (refund("130.00", taxes=taxes(r15=("113.04", "16.96"))), r"has 115\.00 left at that rate"),
        (
            refund("40.00", amount_excl="32.00", taxes=taxes(r15=("34.78", "5.22"))),
            r"32\.00 without VAT, but its taxes come to 5\.22",
        ),
    ],
)
def test_stated_vat_that_does_not_add_up_is_a_contradiction_with_both_figures(back, reason):
    with pytest.raises(Contradiction, match=reason):
        left_of(order(), back)


def test_a_refund_without_vat_is_borne_by_no_other_rate_afterwards():
    goodwill = refund("40.00", amount_excl="40.00")

    lines = left_of(order(), goodwill, refund("73.00", id="r2"))

    assert by_rate(lines) == {"25": "300.00", "15": "92.00", "0": "-40.00"}
    rest = refund("425.00", id="r2")
    assert by_rate(left_of(order(), goodwill, rest)) == {}


def test_goods_with_stated_vat_take_no_rate_of_an_earlier_refund_below_zero():
    goods = refund("115.00", part("f", "1"), id="r2", amount_excl="100.00")

    assert by_rate(left_of(order(), refund("73.00"), goods)) == {"25": "277.00"}


# Splits for the log


def test_the_split_of_a_refund_for_no_line_is_described():
    refunds = [refund("73.00"), refund("25.00", id="r2", amount_excl="20.00")]
    lines = left_of(order(), *refunds)

    (sentence,) = describe_splits(lines, ShopOrder({"refunds": refunds}).refunds)
    assert sentence.startswith('73.00 of refund "r1" is for no line and has no stated VAT')
    assert sentence.endswith("50.00 at 25 % and 23.00 at 15 %")


def test_an_order_that_is_paid_back_in_full_has_no_split_to_describe():
    refunds = [refund("465.00")]
    lines = left_of(order(), *refunds)

    assert describe_splits(lines, ShopOrder({"refunds": refunds}).refunds) == []
