"""The VAT that the shop states decides: coupons, gift cards, rounding, and impossible sums."""

from decimal import Decimal

import pytest
from ledger import the_order

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
LATER = "2026-01-06T10:00:00Z"


@pytest.fixture
def stocked(ledger, customer, product):
    """A ledger with a customer, and a product of each VAT rate."""
    ledger.settings["sales_accounts"] = ACCOUNTS
    products = [product(id=f"p{rate}", sku=f"S{rate}", tax_rate=rate) for rate in ACCOUNTS]
    assert ledger.run(customer(), *products).status == 0
    return ledger


@pytest.fixture
def sold(line):
    """Makes a line of one unit at a VAT rate; the amount is without VAT."""

    def make(excl, rate, **changes):
        tax = Decimal(excl) * Decimal(rate) / 100
        totals = {"total_excl": excl, "total_tax": f"{tax:.2f}"}
        totals["total_incl"] = str(Decimal(excl) + Decimal(totals["total_tax"]))
        goods = {"id": rate, "product_id": f"p{rate}", "sku": f"S{rate}", "tax_rate": rate}
        unit = {"unit_price_excl": excl, "unit_price_incl": totals["total_incl"]}
        return line(**{"quantity": "1", **unit, **goods, **totals, **changes})

    return make


def by_rate(box):
    """Return what the order comes to in Go by VAT rate in percent: without VAT, and VAT."""
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for line in the_order(box)["SalesOrderLines"]:
        rate = line["VatRate"] * 100
        net, vat = sums.get(rate, (0, 0))
        sums[rate] = (net + line["NetAmount"], vat + line["VatAmount"])
    return {rate: amounts for rate, amounts in sums.items() if any(amounts)}


COUPON = {"code": "JAKKE20", "amount_excl": "200.00", "amount_incl": "250.00"}
TAXES = [{"rate": "25", "base": "800.00", "amount": "200.00"}]


@pytest.mark.parametrize("taxes", [TAXES, []], ids=["by rate", "in all"])
def test_a_coupon_for_the_goods_of_one_rate_is_taken_from_that_rate(
    stocked, box, order, sold, taxes
):
    lines = [sold("1000.00", "25"), sold("1000.00", "0")]
    record = order(lines=lines, discounts=[COUPON], taxes=taxes)

    assert stocked.run(record).status == 0
    assert by_rate(box) == {25: (800, 200), 0: (1000, 0)}
    assert stocked.run({**record, "updated_at": LATER}).writes == []


def test_vat_that_is_stated_an_ore_off_lands_with_the_total_exact(stocked, box, order, sold):
    taxes = [*TAXES, {"rate": "15", "base": "500.00", "amount": "75.01"}]
    totals = {"total_excl": "1299.99", "total_tax": "275.01", "total_incl": "1575.00"}
    lines = [sold("1000.00", "25"), sold("500.00", "15")]

    assert stocked.run(order(lines=lines, discounts=[COUPON], taxes=taxes, **totals)).status == 0
    assert by_rate(box) == {25: (800, 200), 15: (500, 75)}


def test_a_discount_without_stated_vat_is_taken_off_in_proportion_and_the_log_has_the_split(
    stocked, box, order, sold
):
    totals = {"total_excl": None, "total_tax": None, "total_incl": "2250.00"}
    coupon = {"code": "JUL", "amount_incl": "150.00"}
    lines = [sold("1000.00", "25"), sold("1000.00", "15")]
    record = order(lines=lines, discounts=[coupon], **totals)

    outcome = stocked.run(record, ends_with=0)

    note = "orders 9001: the shop states no VAT for its discount"
    split = "which is taken off the goods in proportion: 78.12 at 25 % and 71.88 at 15 %"
    assert f"{note}, {split}" in outcome.log
    assert note not in stocked.run({**record, "updated_at": LATER}).log


def test_a_coupon_for_freight_is_taken_from_freight(stocked, box, order, sold):
    freight = {"id": "f", "tax_rate": "25", "total_excl": "80.00", "total_tax": "20.00"}
    coupon = {"code": "FRAKT", "amount_excl": "80.00", "amount_incl": "100.00"}
    lines = [sold("100.00", "25"), sold("1000.00", "15")]
    record = order(
        lines=lines,
        shipping=[{**freight, "total_incl": "100.00"}],
        discounts=[coupon],
        total_excl="1100.00",
        total_tax="175.00",
        total_incl="1275.00",
    )

    assert stocked.run(record).status == 0
    assert by_rate(box) == {25: (100, 25), 15: (1000, 150)}


@pytest.mark.parametrize(
    ("amount_excl", "amount_incl", "totals", "expected"),
    [
        ("300.00", "300.00", ("700.00", "250.00", "950.00"), {25: (1000, 250), 0: (-300, 0)}),
        (None, "300.00", ("700.00", "250.00", "950.00"), {25: (1000, 250), 0: (-300, 0)}),
        ("250.00", "250.00", ("800.00", "200.00", "1000.00"), {25: (800, 200)}),
    ],
    ids=["gift card", "gift card with one amount", "coupon with its amount with VAT twice"],
)
def test_the_totals_decide_whether_a_discount_takes_vat_off(
    stocked, box, order, sold, amount_excl, amount_incl, totals, expected
):
    discount = {"name": "JUL", "amount_excl": amount_excl, "amount_incl": amount_incl}
    stated = dict(zip(("total_excl", "total_tax", "total_incl"), totals, strict=True))
    record = order(lines=[sold("1000.00", "25")], discounts=[discount], **stated)

    assert stocked.run(record).status == 0
    assert by_rate(box) == expected


def test_a_coupon_and_a_gift_card_together_are_distinguished_by_the_vat(stocked, box, order, sold):
    card = {"name": "Gavekort", "amount_excl": None, "amount_incl": "100.00"}
    lines = [sold("1000.00", "25"), sold("1000.00", "15")]
    taxes = [*TAXES, {"rate": "15", "base": "1000.00", "amount": "150.00"}]
    totals = {"total_excl": "1700.00", "total_tax": "350.00", "total_incl": "2050.00"}

    record = order(lines=lines, discounts=[COUPON, card], taxes=taxes, **totals)
    assert stocked.run(record).status == 0
    assert by_rate(box) == {25: (800, 200), 15: (1000, 150), 0: (-100, 0)}


def test_a_discount_that_the_lines_include_is_not_taken_off_again(stocked, box, order, sold):
    coupon = {"code": "JUL", "amount_incl": "100.00", "is_in_lines": True}
    totals = {"total_excl": "1000.00", "total_tax": "250.00", "total_incl": "1250.00"}
    record = order(lines=[sold("1000.00", "25")], discounts=[coupon], **totals)

    assert stocked.run(record).status == 0
    assert by_rate(box) == {25: (1000, 250)}


def test_vat_rounded_once_for_the_order_lands(stocked, box, order, sold):
    lines = [sold("79.90", "25"), sold("119.90", "25", id="2")]
    totals = {"total_excl": "199.80", "total_tax": "49.95", "total_incl": "249.75"}
    assert sum(Decimal(line["total_incl"]) for line in lines) == Decimal("249.76")

    record = order(lines=lines, **totals)
    assert stocked.run(record).status == 0
    assert the_order(box)["TotalAmount"] == Decimal("249.75")
    assert by_rate(box) == {25: (Decimal("199.80"), Decimal("49.95"))}
    assert stocked.run({**record, "updated_at": LATER}).writes == []


def test_lines_that_the_shop_does_not_round_land(stocked, box, order, sold):
    prices = ("4.93", "0.33", "1.31", "3.89", "0.25")
    lines = [
        {**sold(excl, "25", id=str(n)), "total_tax": None, "total_incl": str(Decimal(excl) * 5 / 4)}
        for n, excl in enumerate(prices)
    ]
    totals = {"total_excl": "10.71", "total_tax": "2.68", "total_incl": "13.39"}

    assert stocked.run(order(lines=lines, **totals), rounding_product_code="ORE").status == 0
    assert the_order(box)["TotalAmount"] == Decimal("13.39")


# Sums that cannot all be true


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_incl": "1240.00"}, "total_incl is 1240.00, but the lines come to 1250.00"),
        ({"total_tax": "150.00", "total_excl": None}, "total_tax is 150.00, but the lines come to"),
        ({"taxes": [{"rate": "15", "base": None, "amount": "250.00"}]}, "VAT at 25 % is 0.00"),
        (
            {"taxes": [{"rate": "25", "base": "1000.00", "amount": "150.00"}]},
            "VAT at 25 % is 150.00, but",
        ),
    ],
)
def test_sums_that_cannot_all_be_true_are_held_before_anything_is_posted(
    stocked, box, order, sold, reasons, changes, reason
):
    record = order(lines=[sold("1000.00", "25")])

    assert stocked.run({**record, **changes}).status == 3
    assert reason in reasons()["hold", "orders", "9001"]
    assert box.go.entries("SalesOrders") == []

    assert stocked.run({**record, "updated_at": LATER}).status == 0
    assert the_order(box)["TotalAmount"] == 1250


def test_lines_at_one_rate_with_the_vat_of_another_are_held_before_they_are_posted(
    stocked, box, order, sold, reasons
):
    food = sold("1000.00", "25", total_tax="150.00", total_incl="1150.00")

    assert stocked.run(order(lines=[food])).status == 3
    reason = reasons()["hold", "orders", "9001"]
    assert "25 % have VAT of 150.00, but 25 % of 1000.00 is 250.00" in reason
    assert box.go.entries("SalesOrders") == []


def test_a_discount_that_cannot_agree_with_the_sums_is_held_with_them(
    stocked, box, order, sold, reasons
):
    totals = {"total_excl": "1850.00", "total_tax": "220.00", "total_incl": "2070.00"}
    lines = [sold("1000.00", "25"), sold("500.00", "15"), sold("500.00", "0")]
    coupon = {"code": "X", "amount_incl": "255.00"}

    assert stocked.run(order(lines=lines, discounts=[coupon], **totals)).status == 3
    assert "total_tax is 220.00, but the lines come to" in reasons()["hold", "orders", "9001"]
    assert box.go.entries("SalesOrders") == []


# Rounding of the whole order


def rounded(order, sold, rounding="0.40"):
    totals = {"total_excl": "100.50", "total_tax": "25.13", "rounding": rounding}
    lines = [sold("100.50", "25", total_tax="25.13", total_incl="125.63")]
    return order(lines=lines, **totals, total_incl=str(Decimal("125.63") + Decimal(rounding)))


@pytest.mark.parametrize("is_in_excl", [False, True])
@pytest.mark.parametrize("rounding", ["0.37", "-0.63"])
def test_the_shops_rounding_of_the_whole_order_is_a_line_without_vat(
    stocked, box, order, sold, rounding, is_in_excl
):
    stocked.settings["rounding_product_code"] = "ORE"
    record = rounded(order, sold, rounding)
    if is_in_excl:
        record["total_excl"] = str(Decimal(record["total_excl"]) + Decimal(rounding))

    assert stocked.run(record).status == 0
    assert the_order(box)["TotalAmount"] == Decimal(record["total_incl"])
    assert by_rate(box)[0] == (Decimal(rounding), 0)
    assert stocked.run({**record, "updated_at": LATER}).writes == []


def test_an_order_that_the_shop_rounds_waits_for_the_product_to_round_on(
    stocked, box, order, sold, reasons
):
    assert stocked.run(rounded(order, sold)).status == 3
    assert "rounds the order by 0.40" in reasons()["hold", "orders", "9001"]
    assert box.go.entries("SalesOrders") == []

    assert stocked.run(rounding_product_code="ORE").status == 0
    assert the_order(box)["TotalAmount"] == Decimal("126.03")


def test_a_rounded_order_that_is_paid_back_in_full_leaves_nothing(stocked, box, order, sold):
    stocked.settings["rounding_product_code"] = "ORE"
    record = rounded(order, sold)
    stocked.run(record)
    amount = record["total_incl"]
    back = {"id": "r1", "amount_incl": amount, "created_at": LATER}
    refunded = {"refunds": [back], "total_refunded": amount, "status": "refunded"}

    assert stocked.run({**record, **refunded, "updated_at": LATER}).status == 0
    assert by_rate(box) == {}


# Charges and lines without a rate or a product


@pytest.mark.parametrize(
    ("excl", "tax", "rate"), [("-500.00", "0.00", 0), ("39.20", "9.80", 25), ("40.00", "6.00", 15)]
)
@pytest.mark.parametrize("kind", ["fees", "shipping"])
def test_a_charge_without_a_rate_has_the_rate_that_its_amounts_imply(
    stocked, box, order, sold, kind, excl, tax, rate
):
    incl = str(Decimal(excl) + Decimal(tax))
    charge = {"id": "f1", "name": "Gavekort ABCD", "total_excl": excl, "total_tax": tax}
    without_rate = {**charge, "total_incl": incl, "tax_rate": None}

    assert stocked.run(order(lines=[sold("1000.00", "25")], **{kind: [without_rate]})).status == 0
    sums = {25: (Decimal(1000), Decimal(250))}
    net, vat = sums.get(rate, (0, 0))
    assert by_rate(box) == {**sums, rate: (net + Decimal(excl), vat + Decimal(tax))}


def test_a_line_without_product_and_sku_is_posted_on_a_service_of_its_rate(
    stocked, box, order, sold
):
    tip = sold("40.00", "25", id="2", product_id=None, sku=None, name="Tips")
    coupon = {"code": "ALT", "amount_excl": "100.00", "amount_incl": "125.00"}
    lines = [sold("160.00", "25"), tip]

    assert stocked.run(order(lines=lines, discounts=[coupon])).status == 0
    assert by_rate(box) == {25: (100, 25)}
    in_go = {line["ExternalImportReference"]: line for line in the_order(box)["SalesOrderLines"]}
    assert (in_go["2"]["ProductCode"], in_go["2"]["Description"]) == ("GEBYR-25", "Tips")


def test_a_line_without_a_rate_has_the_merchants_rate_that_gives_its_vat(stocked, box, order, sold):
    assert stocked.run(order(lines=[sold("500.00", "15", tax_rate=None)])).status == 0
    assert by_rate(box) == {15: (500, 75)}


@pytest.mark.parametrize(
    ("excl", "tax", "incl"), [("0.04", "0.01", "0.05"), ("500.00", "100.00", "600.00")]
)
def test_a_line_without_a_rate_whose_vat_fits_several_rates_or_none_is_rejected(
    stocked, order, sold, reasons, excl, tax, incl
):
    """Four øre with an øre of VAT may be at 25 or at 15 %; the merchant has no rate of 20 %."""
    line = sold(excl, "25", tax_rate=None, total_tax=tax, total_incl=incl)

    assert stocked.run(order(lines=[line])).status == 3
    assert "line 1 has no tax_rate" in reasons()["reject", "orders", "9001"]
    if excl == "0.04":
        taxes = [{"rate": "25", "base": excl, "amount": tax}]
        assert stocked.run(order(lines=[line], taxes=taxes, updated_at=LATER)).status == 0


@pytest.mark.parametrize(
    ("unit", "quantity", "discount", "left", "price", "allowance"),
    [
        ("99.99", "3", "99.98", "199.99", "99.99", "33.33"),
        ("79.90", "3", "79.90", "159.80", "79.896", "33.33"),
        ("9999.90", "1", "1234.56", "8765.34", "8765.34", "0"),
    ],
    ids=["a percentage of two decimals", "a third", "an amount"],
)
def test_a_discount_leaves_the_unit_price_if_it_is_a_percentage_and_moves_it_otherwise(
    stocked, box, order, sold, unit, quantity, discount, left, price, allowance
):
    line = sold(left, "25", quantity=quantity, unit_price_excl=unit, unit_price_incl=None)

    assert stocked.run(order(lines=[line | {"discount_excl": discount}])).status == 0
    (go_line,) = the_order(box)["SalesOrderLines"]
    expected = {"ProductUnitPrice": price, "Allowance": allowance, "NetAmount": left}
    assert {name: go_line[name] for name in expected} == {
        name: Decimal(value) for name, value in expected.items()
    }
