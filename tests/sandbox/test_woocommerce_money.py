"""The local WooCommerce calculates orders as the real one's source does."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest
from go_sandbox.shops.woocommerce import WooCommerce
from go_sandbox.shops.woocommerce.shapes import Shapes

SUMS = ("total", "total_tax", "shipping_total", "shipping_tax", "discount_total", "discount_tax")


class Basket:
    """A shop with goods at every rate, and its orders and refunds as its API shows them."""

    def __init__(self, **settings):
        self.woo = WooCommerce(**settings)

    def goods(self, price, tax_class=""):
        number = len(self.woo.all("products"))
        return self.woo.add_product(f"Vare {number}", f"V{number}", price, tax_class=tax_class)

    def order(self, *lines, **options):
        return self.read(self.woo.place_order(lines, **options))

    def read(self, order_id, decimals=None):
        shapes = Shapes(self.woo, "http://shop.example/wp-json/wc/v3", decimals)
        return SimpleNamespace(**shapes.order(self.woo.get("orders", order_id) or {}))

    def refund(self, refund_id):
        shapes = Shapes(self.woo, "http://shop.example/wp-json/wc/v3")
        return SimpleNamespace(**shapes.refund(self.woo.get("refunds", refund_id) or {}))


def sums(order, *names):
    return tuple(getattr(order, name) for name in names)


def line_amounts(order):
    return [(line["total"], line["total_tax"]) for line in order.line_items]


def tax_lines(order):
    return {
        line["rate_percent"]: (line["tax_total"], line["shipping_tax_total"])
        for line in order.tax_lines
    }


def test_amounts_of_lines_are_without_vat_and_the_total_is_with():
    shop = Basket(prices_include_tax=False)
    order = shop.order((shop.goods("100.00"), 2), (shop.goods("50.00", "reduced-rate"), 1))
    assert line_amounts(order) == [("200.00", "50.00"), ("50.00", "7.50")]
    assert sums(order, "total", "total_tax", "prices_include_tax") == ("307.50", "57.50", False)
    assert tax_lines(order) == {25: ("50.00", "0.00"), 15: ("7.50", "0.00")}


def test_prices_with_vat_are_kept_with_more_digits_than_are_shown():
    shop = Basket()
    order = shop.order((shop.goods("99.90", "reduced-rate"), 1))
    assert line_amounts(order) == [("86.87", "13.03")]
    assert order.line_items[0]["taxes"] == [
        {"id": 2, "total": "13.03043478", "subtotal": "13.03043478"}
    ]
    assert shop.read(order.id, 6).line_items[0]["total"] == "86.869565"
    assert isinstance(order.line_items[0]["price"], float)
    assert order.total == "99.90"


def test_half_an_oere_of_vat_goes_down_where_prices_include_it_and_up_where_they_do_not():
    # 0.125 of VAT: the price of 0.625 is 0.50 and 0.125
    included = Basket()
    assert line_amounts(included.order((included.goods("0.625"), 1))) == [("0.50", "0.12")]
    beside = Basket(prices_include_tax=False)
    assert line_amounts(beside.order((beside.goods("0.50"), 1))) == [("0.50", "0.13")]


@pytest.mark.parametrize("price", ["0.01", "9.99", "33.33", "77.77", "1234.56", "0.05", "19.95"])
@pytest.mark.parametrize("tax_class", ["", "reduced-rate", "low-rate", "zero-rate"])
def test_the_two_parts_of_a_price_with_vat_add_up_to_it(price, tax_class):
    shop = Basket()
    order = shop.order((shop.goods(price, tax_class), 1))
    (line,) = order.line_items
    assert Decimal(line["total"]) + Decimal(line["total_tax"]) == Decimal(price)
    assert order.total == price


def test_vat_is_rounded_on_each_line_or_once_for_the_order():
    prices = ["0.30"] * 3
    by_line = Basket(prices_include_tax=False)
    order = by_line.order(*((by_line.goods(price), 1) for price in prices))
    assert sums(order, "total", "total_tax") == ("1.14", "0.24")  # 3 x 0.075, each up to 0.08
    once = Basket(prices_include_tax=False, round_at_subtotal=True)
    order = once.order(*((once.goods(price), 1) for price in prices))
    assert sums(order, "total", "total_tax") == ("1.13", "0.23")
    # the lines as shown do not add up to the order as shown
    assert line_amounts(order) == [("0.30", "0.08")] * 3


def test_a_shop_without_oere_rounds_vat_to_whole_kroner_but_keeps_the_digits_of_each_line():
    shop = Basket(decimals=0)
    order = shop.order((shop.goods("199"), 1))
    assert sums(order, "total", "total_tax") == ("199", "40")
    assert line_amounts(order) == [("159", "40")]
    assert line_amounts(shop.read(order.id, 6)) == [("159.200000", "40.000000")]
    assert order.line_items[0]["taxes"] == [{"id": 1, "total": "39.8", "subtotal": "39.8"}]


def test_a_zero_rate_has_a_tax_line_and_untaxed_goods_have_none():
    shop = Basket()
    free = shop.woo.add_product("Gave", "G", "40.00", tax_status="none")
    order = shop.order((shop.goods("100.00", "zero-rate"), 1), (free, 1))
    assert [line["taxes"] for line in order.line_items] == [
        [{"id": 4, "total": "0", "subtotal": "0"}],
        [],
    ]
    assert tax_lines(order) == {0: ("0.00", "0.00")}
    assert sums(order, "total", "total_tax") == ("140.00", "0.00")


def test_freight_and_fees_are_entered_without_vat_even_if_prices_include_it():
    shop = Basket()
    order = shop.order(
        (shop.goods("100.00"), 1), freight="79.20", fees=[("Gebyr", "40.00", ""), ("Øl", "5", None)]
    )
    assert sums(order, "shipping_total", "shipping_tax") == ("79.20", "19.80")
    assert [(fee["total"], fee["total_tax"]) for fee in order.fee_lines] == [
        ("40.00", "10.00"),
        ("5.00", "0.00"),
    ]
    assert (order.total, tax_lines(order)) == ("254.00", {25: ("30.00", "19.80")})


def test_freight_has_the_rate_of_the_goods_or_the_standard_rate_if_any_have_it():
    shop = Basket()
    books, food = shop.goods("100.00", "zero-rate"), shop.goods("115.00", "reduced-rate")
    assert shop.order((books, 1), freight="50.00").shipping_tax == "0.00"
    assert shop.order((food, 1), freight="50.00").shipping_tax == "7.50"
    mixed = shop.order((food, 1), (shop.goods("125.00"), 1), freight="50.00")
    assert mixed.shipping_tax == "12.50"


def test_a_percentage_is_already_deducted_from_each_line():
    shop = Basket()
    shop.woo.add_coupon("sommer", "percent", "10")
    order = shop.order((shop.goods("125.00"), 2), coupons=["sommer"])
    (line,) = order.line_items
    assert (line["subtotal"], line["subtotal_tax"]) == ("200.00", "50.00")
    assert line_amounts(order) == [("180.00", "45.00")]
    (coupon,) = order.coupon_lines
    assert (coupon["code"], coupon["discount"], coupon["discount_tax"]) == (
        "sommer",
        "20.00",
        "5.00",
    )
    assert sums(order, *SUMS) == ("225.00", "45.00", "0.00", "0.00", "20.00", "5.00")


def test_kroner_off_the_basket_are_divided_by_piece_and_the_rest_by_single_oere():
    shop = Basket()
    shop.woo.add_coupon("hundre", "fixed_cart", "100")
    order = shop.order(
        (shop.goods("100.00"), 1), (shop.goods("200.00", "reduced-rate"), 2), coupons=["hundre"]
    )
    paid = [Decimal(total) + Decimal(tax) for total, tax in line_amounts(order)]
    # 33.33 off each of three pieces, and the last øre off the most expensive line
    assert paid == [Decimal("66.67"), Decimal("333.33")]
    assert order.total == "400.00"


def test_kroner_off_each_piece_never_exceed_its_price():
    shop = Basket(prices_include_tax=False)
    shop.woo.add_coupon("tjue", "fixed_product", "20")
    order = shop.order((shop.goods("15.00"), 2), (shop.goods("100.00"), 1), coupons=["tjue"])
    assert line_amounts(order) == [("0.00", "0.00"), ("80.00", "20.00")]


def test_a_negative_fee_reduces_vat_of_every_rate_in_proportion():
    shop = Basket(prices_include_tax=False)
    order = shop.order(
        (shop.goods("300.00"), 1),
        (shop.goods("100.00", "reduced-rate"), 1),
        fees=[("Rabatt", "-40.00", "")],
    )
    (rebate,) = order.fee_lines
    assert (rebate["total"], rebate["total_tax"]) == ("-40.00", "-9.00")
    assert {tax["id"]: tax["total"] for tax in rebate["taxes"]} == {1: "-7.5", 2: "-1.5"}
    assert order.total == "441.00"
    assert tax_lines(order) == {25: ("67.50", "0.00"), 15: ("13.50", "0.00")}


def test_a_negative_fee_never_exceeds_the_order():
    shop = Basket(prices_include_tax=False)
    order = shop.order((shop.goods("30.00"), 1), fees=[("Gavekort", "-500.00", "")])
    assert order.total == "0.00"


def test_a_tax_exempt_buyer_pays_the_price_without_the_shops_vat():
    shop = Basket()
    order = shop.order((shop.goods("125.00"), 2), freight="50.00", is_vat_exempt=True)
    assert line_amounts(order) == [("200.00", "0.00")]
    assert sums(order, "total", "total_tax") == ("250.00", "0.00")
    assert order.tax_lines == []


def test_a_refund_of_lines_is_negative_and_names_them_in_its_metadata():
    shop = Basket()
    order = shop.order((shop.goods("125.00"), 2), freight="40.00")
    line, freight = order.line_items[0]["id"], order.shipping_lines[0]["id"]
    refund = shop.refund(shop.woo.refund(order.id, {line: (1, None), freight: (0, "10.00")}))
    assert refund.amount == "137.50"
    (returned,) = refund.line_items
    assert (returned["quantity"], returned["total"], returned["total_tax"]) == (
        -1,
        "-100.00",
        "-25.00",
    )
    assert [(entry["key"], entry["value"]) for entry in returned["meta_data"]] == [
        ("_refunded_item_id", str(line))
    ]
    (back,) = refund.shipping_lines
    assert (back["total"], back["total_tax"]) == ("-10.00", "-2.50")
    after = shop.read(order.id)
    assert (after.total, after.status) == ("300.00", "processing")  # as sold
    assert [refunded["total"] for refunded in after.refunds] == ["-137.50"]


def test_a_sum_may_be_paid_back_without_naming_lines():
    shop = Basket()
    order = shop.order((shop.goods("125.00"), 2))
    refund = shop.refund(shop.woo.refund(order.id, amount="30.00", reason="Riper"))
    assert (refund.amount, refund.reason, refund.line_items) == ("30.00", "Riper", [])
    with pytest.raises(ValueError, match="Invalid refund amount"):
        shop.woo.refund(order.id, amount="220.01")


def test_an_order_paid_back_in_full_is_refunded():
    shop = Basket()
    order = shop.order((shop.goods("125.00"), 2))
    shop.woo.refund(order.id, {order.line_items[0]["id"]: (2, None)})
    assert shop.read(order.id).status == "refunded"


def test_setting_the_status_to_refunded_pays_back_the_rest_without_naming_lines():
    shop = Basket()
    order = shop.order((shop.goods("125.00"), 2))
    shop.woo.refund(order.id, amount="50.00")
    shop.woo.edit("orders", order.id, status="refunded")
    current = shop.read(order.id)
    assert [refund["total"] for refund in current.refunds] == ["-200.00", "-50.00"]
    assert current.refunds[0]["reason"] == "Order fully refunded."


def test_a_change_of_status_sets_when_an_order_was_paid_and_completed():
    shop = Basket()
    order = shop.order((shop.goods("125.00"), 1), status="on-hold")
    assert sums(order, "date_paid", "date_completed") == (None, None)
    shop.woo.edit("orders", order.id, status="processing")
    paid = shop.read(order.id).date_paid_gmt
    shop.woo.pass_seconds(60)
    shop.woo.edit("orders", order.id, status="completed")
    current = shop.read(order.id)
    assert current.date_paid_gmt == paid < current.date_completed_gmt


def test_an_edit_recalculates_all_vat_from_the_amounts_without_it():
    shop = Basket()
    order = shop.order((shop.goods("99.90", "reduced-rate"), 2), (shop.goods("50.00"), 1))
    line = order.line_items[0]["id"]
    shop.woo.pass_seconds(5)
    shop.woo.edit_line(order.id, line, 1)
    current = shop.read(order.id)
    assert line_amounts(current) == [("86.87", "13.03"), ("40.00", "10.00")]
    assert (current.total, [tax["id"] for tax in current.tax_lines]) == (
        "149.90",
        [tax["id"] for tax in order.tax_lines],
    )
    assert current.date_modified_gmt > order.date_modified_gmt
    shop.woo.edit_line(order.id, line, 0)
    assert shop.read(order.id).total == "50.00"
