"""A Shopify is read as it is, its orders come to Go to the øre, and edits in Go go back."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import commands
import pytest
from go_sandbox.shops import shopify
from go_sandbox.shops.shopify import Currency, Shopify
from go_sandbox.shops.shopify.shop import number_of
from preset_reader import ACCOUNTS, PresetReader, in_go
from tap_customwebshop.errors import ShopError
from tap_customwebshop.shop.client import RequestRefusedError
from tap_customwebshop.tap import TapCustomWebShop

KARI = {
    "firstName": "Kari",
    "lastName": "Nordmann",
    "address1": "Storgata 1",
    "zip": "0155",
    "city": "Oslo",
    "country": "Norway",
    "countryCodeV2": "NO",
    "phone": "+4722334455",
}
FJORD = {**KARI, "company": "Fjord & Fjell AS"}
FOOD = "0.15"


@pytest.fixture(params=[{}])
def served(request):
    with shopify.start(Shopify(**request.param)) as running:
        yield running


@pytest.fixture
def reader(served, read_shop):
    keys = ("client_id", "client_secret")
    settings = {"tax_rate": "25", "tax_rate Mat": "15", "tax_rate Bok": "0"}
    return PresetReader("shopify", served, keys, settings, read_shop)


def lines_of(shop, order):
    """Return the numbers of an order's lines."""
    return [number_of(line["id"]) for line in shop.record("Order", order)["lines"]]


def queries(served):
    """Return what was asked by GraphQL."""
    return served.requests.matching("shop", path="graphql.json$")


def test_a_person_has_the_names_and_the_default_address(shop, reader):
    second = {**KARI, "address1": "Hytta"}
    kari = shop.add_customer(
        "kari@example.com",
        firstName="Kari",
        lastName="Nordmann",
        phone="+4799887766",
        addresses=[KARI, second],
    )
    record = reader.one("customers")
    assert (record["id"], record["type"], record["name"]) == (str(kari), "person", "Kari Nordmann")
    assert (record["email"], record["phone"]) == ("kari@example.com", "+4799887766")
    billing, other = record["addresses"]
    assert (billing["type"], billing["is_default"], billing["postal_code"], billing["line2"]) == (
        "billing",
        True,
        "0155",
        None,
    )
    assert (other["type"], other["is_default"], other["line1"]) == ("other", False, "Hytta")
    assert record["updated_at"].endswith("Z")


def test_a_company_has_its_number_in_the_metafield_that_a_setting_names(shop, reader):
    fields = {"custom.org_nr": "923609016", **{f"custom.f{number}": "x" for number in range(12)}}
    shop.add_customer("post@fjord.example", addresses=[FJORD], metafields=fields)
    reader.settings |= {"organization_number_metafield": "custom.org_nr"}
    record = reader.one("customers")
    assert (record["type"], record["company_name"]) == ("company", "Fjord & Fjell AS")
    assert record["organization_number"] == "923609016"
    reader.settings |= {"organization_number_metafield": "custom.f11"}
    assert reader.one("customers")["organization_number"] == "x"
    reader.settings.pop("organization_number_metafield")
    assert reader.one("customers")["organization_number"] is None


def test_a_customer_with_more_addresses_than_a_page_holds_has_them_all(shop, reader):
    shop.add_customer("k@example.com", addresses=[{**KARI, "zip": str(n)} for n in range(60)])
    record = reader.one("customers")
    assert [address["postal_code"] for address in record["addresses"]] == [
        str(n) for n in range(60)
    ]


def test_a_simple_product_has_the_rate_that_a_setting_tells(shop, reader):
    shop.add_product("Ull", "ULL", "230.00", productType="Mat", stock=5)
    record = reader.one("products")
    assert (record["name"], record["variant_name"], record["parent_id"]) == ("Ull", None, None)
    assert (record["price_incl"], record["prices_include_tax"]) == ("230.00", True)
    assert (record["tax_rate"], record["stock_on_hand"]) == ("15", "5")
    reader.settings = {}
    assert "tax_rate" not in reader.one("products")


def test_what_costs_nothing_after_a_discount_keeps_its_rate(shop, reader):
    wool = shop.add_product("Ull", "U", "125.00")
    silk = shop.add_product("Silke", "S", "80.00", rate=FOOD)
    shop.place_order([(wool, 1), (silk, 1, "80")])
    free = reader.one("orders")["lines"][1]
    assert (free["total_incl"], free["tax_rate"]) == ("0.00", "15")


@pytest.mark.parametrize("served", [{"taxes_included": False}], indirect=True)
def test_a_price_without_vat_is_told_as_one(shop, reader):
    shop.add_product("Ull", "ULL", "200.00")
    record = reader.one("products")
    assert (record["price_excl"], record["prices_include_tax"]) == ("200.00", False)
    assert "price_incl" not in record


def test_each_variant_is_a_product_also_beyond_a_page(shop, reader):
    variants = [{"title": f"Nr {n}", "sku": f"S-{n}", "price": "100.00"} for n in range(70)]
    shop.add_product("Skjorte", variants=variants)
    read = reader.records("products")
    assert [record["sku"] for record in read] == [f"S-{n}" for n in range(70)]
    assert len({record["parent_id"] for record in read}) == 1
    assert (read[69]["name"], read[69]["variant_name"]) == ("Skjorte", "Nr 69")


def test_gift_cards_and_services_are_told_as_what_they_are(shop, reader):
    shop.add_product(
        "Gavekort",
        isGiftCard=True,
        variants=[{"title": "500", "price": "500.00", "taxable": False}],
    )
    shop.add_product(
        "Kurs", status="ARCHIVED", variants=[{"title": "A", "requires_shipping": False}]
    )
    card, course = reader.records("products")
    assert (card["type"], card["tax_rate"], card["status"]) == ("gift_card", "0", "active")
    assert (course["type"], course["status"]) == ("service", "archived")


def test_stock_that_is_sold_moves_the_product(shop, reader):
    wool = shop.add_product("Ull", variants=[{"title": "Rød", "sku": "U", "stock": 5}])
    reader.messages()
    shop.pass_seconds(60)
    shop.place_order([(wool, 2)])
    read = {message["stream"]: message["record"] for message in reader.messages()}
    assert read["products"]["stock_on_hand"] == "3"


def test_an_order_has_amounts_of_both_kinds_and_its_buyer(shop, reader):
    wool = shop.add_product("Ull", "ULL", "199.90", rate=FOOD)
    fjord = shop.add_customer("post@fjord.example", addresses=[FJORD])
    order = shop.place_order(
        [(wool, 3)],
        customer=fjord,
        billing=FJORD,
        freight="99.00",
        freight_discount="20.00",
        fees=[("Gebyr", "39.00")],
        poNumber="PO-7",
        customAttributes=[{"key": "Org.nr", "value": "923609016"}],
    )
    reader.settings |= {"organization_number_attribute": "Org.nr"}
    record = reader.one("orders")
    assert (record["id"], record["number"], record["reference"]) == (str(order), "1001", "PO-7")
    (line,), (freight,), (fee,) = record["lines"], record["shipping"], record["fees"]
    assert (line["total_excl"], line["total_tax"], line["total_incl"]) == (
        "521.48",
        "78.22",
        "599.70",
    )
    assert (line["unit_price_incl"], line["tax_rate"], line["product_id"]) == (
        "199.90",
        "15",
        str(wool),
    )
    assert (freight["total_incl"], freight["total_tax"], freight["tax_rate"]) == (
        "79.00",
        "15.80",
        "25",
    )
    assert (fee["name"], fee["total_incl"]) == ("Gebyr", "39.00")
    assert (record["total_excl"], record["total_tax"], record["total_incl"]) == (
        "615.88",
        "101.82",
        "717.70",
    )
    assert record["taxes"] == [
        {"rate": "15", "base": "521.48", "amount": "78.22"},
        {"rate": "25", "base": "94.40", "amount": "23.60"},
    ]
    assert (record["customer_id"], record["is_guest"]) == (str(fjord), False)
    assert record["buyer"]["organization_number"] == "923609016"
    assert record["buyer"]["company_name"] == "Fjord & Fjell AS"
    (payment,) = record["payments"]
    assert (payment["method"], payment["amount"]) == ("vipps", "717.70")
    assert record["paid_at"] == payment["paid_at"]


def test_an_order_without_a_customer_is_one_of_a_guest(shop, reader):
    shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)])
    record = reader.one("orders")
    assert (record["customer_id"], record["is_guest"], record["billing_address"]) == (
        None,
        True,
        None,
    )


def test_discounts_of_lines_and_codes_are_in_the_lines(shop, reader):
    wool = shop.add_product("Ull", "U", "125.00")
    silk = shop.add_product("Silke", "S", "80.00", rate=FOOD)
    shop.place_order([(wool, 2, "50"), (silk, 1)], code=("TI", "0.1"))
    record = reader.one("orders")
    first, second = record["lines"]
    assert (first["discount_incl"], first["total_incl"]) == ("75.00", "175.00")
    assert (second["discount_incl"], second["total_incl"]) == ("8.00", "72.00")
    assert record["discounts"] == [{"code": "TI", "amount_incl": "83.00", "is_in_lines": True}]
    assert record["total_incl"] == "247.00"


@pytest.mark.parametrize("served", [{"taxes_included": False}], indirect=True)
def test_amounts_without_vat_get_theirs_from_the_tax_lines(shop, reader):
    wool = shop.add_product("Ull", "U", "100.00")
    shop.place_order([(wool, 3, "33.33")], freight="79.00")
    record = reader.one("orders")
    (line,) = record["lines"]
    assert (line["unit_price_excl"], line["discount_excl"], line["total_excl"]) == (
        "100.00",
        "33.33",
        "266.67",
    )
    assert (line["total_tax"], line["total_incl"]) == ("66.67", "333.34")
    assert (record["total_excl"], record["total_tax"], record["total_incl"]) == (
        "345.67",
        "86.42",
        "432.09",
    )


def test_lines_beyond_a_page_are_not_lost(shop, reader, served):
    goods = [shop.add_product(f"Vare {n}", f"V{n}", "10.00") for n in range(3)]
    shop.place_order([(goods[n % 3], 1 + n) for n in range(120)])
    record = reader.one("orders")
    assert [line["quantity"] for line in record["lines"]] == [str(1 + n) for n in range(120)]
    assert sum(Decimal(line["total_incl"]) for line in record["lines"]) == Decimal(
        record["total_incl"]
    )


def test_more_orders_than_a_page_holds_are_read_in_the_order_of_their_changes(shop, reader):
    wool = shop.add_product("Ull", "U", "10.00")
    placed = []
    for _ in range(25):
        placed.append(str(shop.place_order([(wool, 1)])))
        shop.pass_seconds(1)
    shop.edit("Order", int(placed[0]), note="Takk")
    assert [record["id"] for record in reader.records("orders")] == [*placed[1:], placed[0]]


def test_a_refund_names_lines_and_freight(shop, reader):
    wool = shop.add_product("Ull", "U", "125.00")
    order = shop.place_order([(wool, 3, "0.01")], freight="40.00")
    (line,) = lines_of(shop, order)
    shop.refund(order, {line: 1}, freight=True, note="Feil")
    record = reader.one("orders")
    assert (record["payment_status"], record["total_refunded"]) == ("partially_refunded", "165.00")
    (refund,) = record["refunds"]
    assert (refund["amount_incl"], refund["reason"]) == ("165.00", "Feil")
    goods, freight = refund["lines"]
    assert goods == {"line_id": str(line), "quantity": "1", "amount_incl": "125.00"}
    assert (freight["line_id"], freight["amount_incl"]) == (record["shipping"][0]["id"], "40.00")
    assert (record["total_incl"], record["lines"][0]["quantity"]) == ("414.99", "3")


@pytest.mark.parametrize("served", [{"taxes_included": False}], indirect=True)
def test_a_refund_of_prices_without_vat_is_told_with_it(shop, reader):
    order = shop.place_order([(shop.add_product("Ull", "U", "100.00"), 2)])
    shop.refund(order, {lines_of(shop, order)[0]: 1})
    (refund,) = reader.one("orders")["refunds"]
    assert (refund["amount_incl"], refund["lines"][0]["amount_incl"]) == ("125.00", "125.00")


def test_a_sum_that_is_paid_back_without_goods_is_a_refund_of_the_order(shop, reader):
    order = shop.place_order([(shop.add_product("Ull", "U", "125.00"), 2)])
    shop.refund(order, amount="20.00")
    (refund,) = reader.one("orders")["refunds"]
    assert (refund["amount_incl"], refund["lines"]) == ("20.00", [])


def test_goods_for_which_less_is_paid_back_are_told_without_what_each_came_to(shop, reader):
    order = shop.place_order([(shop.add_product("Ull", "U", "125.00"), 2)])
    (line,) = lines_of(shop, order)
    shop.refund(order, {line: 1}, amount="100.00")
    shop.refund(order, {line: 1}, amount="0")
    record = reader.one("orders")
    assert [refund["amount_incl"] for refund in record["refunds"]] == ["100.00", "0.00"]
    assert all(refund["lines"][0]["amount_incl"] is None for refund in record["refunds"])
    assert record["total_refunded"] == "100.00"


def test_goods_taken_out_of_an_order_before_it_was_paid_lower_it(shop, reader):
    order = shop.place_order([(shop.add_product("Ull", "U", "125.00"), 3)], paid="")
    shop.remove(order, {lines_of(shop, order)[0]: 1})
    record = reader.one("orders")
    assert (record["total_incl"], record["total_refunded"]) == ("375.00", "125.00")
    assert record["lines"][0]["quantity"] == "3"
    assert record["refunds"][0]["lines"][0]["amount_incl"] == "125.00"
    assert (record["payment_status"], record["payments"]) == ("unpaid", [])


def test_a_refund_of_many_lines_is_read_whole(shop, reader):
    wool = shop.add_product("Ull", "U", "10.00")
    order = shop.place_order([(wool, 1) for _ in range(60)])
    shop.refund(order, dict.fromkeys(lines_of(shop, order), 1))
    record = reader.one("orders")
    assert len(record["refunds"][0]["lines"]) == 60
    assert (record["status"], record["total_refunded"]) == ("refunded", "600.00")


def test_an_order_in_a_foreign_currency_is_told_in_the_shops(shop, reader):
    wool, silk = shop.add_product("Ull", "U", "199.90"), shop.add_product("Silke", "S", "87.35")
    euro = Currency("NOK", "EUR", Decimal("0.0853"))
    shop.place_order([(wool, 3), (silk, 1)], freight="79.00", currency=euro)
    record = reader.one("orders")
    parts = [*record["lines"], *record["shipping"]]
    own = sum(Decimal(part["total_incl"]) for part in parts)
    assert record["currency"] == "NOK"
    assert own + Decimal(record["rounding"] or 0) == Decimal(record["total_incl"])
    assert own != Decimal(record["total_incl"])
    excl, tax, rounding = (
        Decimal(record[name]) for name in ("total_excl", "total_tax", "rounding")
    )
    assert excl + tax + rounding == Decimal(record["total_incl"])


def test_a_tip_is_a_line_without_product_and_vat(shop, reader):
    shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)], tip="20.00")
    tip = reader.one("orders")["lines"][1]
    assert (tip["product_id"], tip["sku"], tip["tax_rate"], tip["total_incl"]) == (
        None,
        None,
        "0",
        "20.00",
    )


def test_check_has_nothing_to_say_against_a_tip(shop, reader, tmp_path):
    shop.add_customer("kari@example.com", addresses=[KARI])
    shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)], tip="20.00", billing=KARI)
    config = tmp_path / "tap.json"
    config.write_text(json.dumps(reader.config), encoding="utf-8")
    checked = commands.run("tap-customwebshop", "--config", config, "--check")
    assert checked.stdout.splitlines() == [
        f"{stream}: 1 records checked, 0 kinds of faults"
        for stream in ("customers", "products", "orders")
    ]
    assert checked.returncode == 0


def test_test_orders_are_none(shop, reader):
    shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)], test=True)
    assert reader.records("orders") == []


def test_a_status_has_the_contracts_name(shop, reader):
    wool = shop.add_product("Ull", "U", "125.00")
    orders = {
        "unpaid": shop.place_order([(wool, 1)], paid=""),
        "authorized": shop.place_order([(wool, 1)], paid="AUTHORIZATION"),
        "sent": shop.place_order([(wool, 1)]),
        "cancelled": shop.place_order([(wool, 1)]),
        "part": shop.place_order([(wool, 2)], paid=""),
        "void": shop.place_order([(wool, 2)], paid="AUTHORIZATION"),
    }
    shop.fulfil(orders["sent"])
    shop.cancel(orders["cancelled"], refunded=True)
    shop.pay(orders["part"], "100.00")
    shop.cancel(orders["void"])
    by_id = {record["id"]: record for record in reader.records("orders")}
    statuses = {
        name: (by_id[str(number)]["status"], by_id[str(number)]["payment_status"])
        for name, number in orders.items()
    }
    assert statuses == {
        "unpaid": ("processing", "unpaid"),
        "authorized": ("processing", "authorized"),
        "sent": ("completed", "paid"),
        "cancelled": ("cancelled", "refunded"),
        "part": ("processing", "partially_paid"),
        "void": ("cancelled", "voided"),
    }
    sent = by_id[str(orders["sent"])]
    assert (sent["fulfillment_status"], sent["shipped_at"] is None) == ("fulfilled", False)


def test_a_change_is_read_by_the_next_run_and_nothing_else(shop, reader):
    wool = shop.add_product("Ull", "U", "125.00")
    first = shop.place_order([(wool, 1)])
    shop.pass_seconds(60)
    shop.place_order([(wool, 1)])
    reader.messages()
    at_the_bookmark = reader.changed()
    shop.pass_seconds(60)
    shop.refund(first, amount="20.00")
    assert [key for key in reader.changed() if key not in at_the_bookmark] == [
        ("orders", str(first))
    ]


def test_a_shop_that_is_busy_is_asked_again(shop, reader):
    shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)])
    reader.records("orders")
    asked = len(queries(reader.served))
    reader.served.requests.clear()
    shop.bucket.take(2000)
    shop.bucket.restore_rate = 2000
    assert len(reader.records("orders")) == 1
    assert len(queries(reader.served)) > asked


def test_a_token_that_expires_in_the_middle_of_a_read_is_replaced(shop, reader, served):
    wool = shop.add_product("Ull", "U", "10.00")
    for _ in range(30):
        shop.place_order([(wool, 1)])
    shop.seconds_per_answer = 30_000
    assert len(reader.records("orders")) == 30
    assert len(served.requests.matching("shop", path="access_token$")) > 1


def test_orders_older_than_60_days_need_a_right_of_their_own(shop, reader):
    shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)])
    shop.pass_seconds(61 * 24 * 3600)
    assert reader.records("orders") == []
    shop.scopes.add("read_all_orders")
    assert len(reader.records("orders")) == 1


def test_an_app_without_the_right_is_told_which_it_needs(shop, reader):
    shop.scopes.discard("read_orders")
    with pytest.raises(ShopError, match="read_orders"):
        TapCustomWebShop(config=reader.config).sync_all()


def test_a_wrong_secret_ends_the_run_without_showing_it(shop, reader):
    config = reader.config
    config["shop_settings"]["client_secret"] = "shpss_wrong"
    with pytest.raises(ShopError, match="check AUTH") as error:
        TapCustomWebShop(config=config).sync_all()
    assert "shpss_wrong" not in str(error.value)


def test_a_single_record_is_read_by_its_number(shop, reader):
    variants = [{"title": "Rød", "sku": "R"}, {"title": "Blå", "sku": "B"}]
    red = shop.add_product("Skjorte", variants=variants)
    kari = shop.add_customer("kari@example.com", firstName="Kari")
    order = shop.place_order([(red, 1)])
    singles = reader.singles
    _, blue = shop.all("ProductVariant")
    assert singles.read("products", str(number_of(blue["id"])))["sku"] == "B"
    assert singles.read("customers", str(kari))["first_name"] == "Kari"
    assert singles.read("orders", str(order))["number"] == "1001"


def test_an_edit_of_a_customer_goes_back(shop, reader):
    kari = shop.add_customer("kari@example.com", phone="+4799887766", addresses=[KARI])
    before = reader.one("customers")
    address = {**before["addresses"][0], "line1": "Kaien 2", "line2": "B"}
    patch = {"phone": None, "email": "k@example.com", "company_name": "Fjord AS"}
    assert reader.change("customers", kari, {**patch, "addresses": [address]})
    record = reader.one("customers")
    assert (record["phone"], record["email"], record["name"]) == (None, "k@example.com", "Fjord AS")
    assert record["addresses"] == [{**address, "company": "Fjord AS"}]


def test_a_customer_without_an_address_gets_one(shop, reader):
    kari = shop.add_customer("kari@example.com")
    new = {"type": "billing", "is_default": True, "line1": "Kaien 2"}
    assert reader.change("customers", kari, {"addresses": [new]})
    (address,) = reader.one("customers")["addresses"]
    assert (address["line1"], address["is_default"]) == ("Kaien 2", True)


def test_an_edit_of_a_product_goes_back(shop, reader):
    wool = shop.add_product("Ull", "ULL", "200.00")
    red = shop.add_product("Skjorte", variants=[{"title": "Rød"}, {"title": "Blå"}])
    assert reader.change(
        "products", wool, {"price_incl": "140.00", "name": "Ullgenser", "sku": "U2"}
    )
    assert reader.change("products", red, {"gtin": "7038010009457", "name": "Annet"})
    read = {record["id"]: record for record in reader.records("products")}
    assert (read[str(wool)]["price_incl"], read[str(wool)]["name"], read[str(wool)]["sku"]) == (
        "140.00",
        "Ullgenser",
        "U2",
    )
    assert (read[str(red)]["gtin"], read[str(red)]["name"]) == ("7038010009457", "Skjorte")
    assert not reader.change("products", red, {"name": "Annet"})


def test_what_shopify_does_not_take_is_not_sent(shop, reader):
    order = shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)])
    kari = shop.add_customer("kari@example.com")
    assert not reader.change("orders", order, {"status": "completed"})
    assert not reader.change("customers", kari, {"vat_number": "NO1"})


def test_an_edit_of_what_is_written_on_an_order_goes_back(shop, reader):
    order = shop.place_order([(shop.add_product("Ull", "U", "125.00"), 1)], note="Ring")
    assert reader.change("orders", order, {"reference": "PO-7", "note": None})
    record = reader.one("orders")
    assert (record["reference"], record["note"], record["total_incl"]) == ("PO-7", None, "125.00")


def test_what_shopify_refuses_is_said(shop, reader):
    kari = shop.add_customer("kari@example.com", phone="+4799887766")
    with pytest.raises(RequestRefusedError) as error:
        reader.change("customers", kari, {"phone": "22 33"})
    assert error.value.detail == "Phone is invalid"
    assert reader.one("customers")["phone"] == "+4799887766"


def test_everything_comes_to_go_once_and_an_edit_crosses_once(shop, to_go, ledger):
    wool = shop.add_product("Ull", "ULL", "199.90", rate=FOOD, productType="Mat")
    red = shop.add_product("Skjorte", variants=[{"title": "Rød", "sku": "S-R", "price": "230.00"}])
    fjord = shop.add_customer("post@fjord.example", addresses=[FJORD])
    first = shop.place_order([(wool, 3), (red, 1)], customer=fjord, billing=FJORD, freight="80.00")
    kari = shop.add_customer("kari@example.com", firstName="Kari", lastName="N", addresses=[KARI])
    second = shop.place_order([(red, 2)], customer=kari, billing=KARI, code=("TI", "0.1"))
    outcome = to_go()
    assert (outcome.status, ledger.reasons()) == (0, {})
    sums = [
        (order["VatAmount"], order["TotalAmount"])
        for order in (in_go(ledger, first), in_go(ledger, second))
    ]
    assert sums == [
        (Decimal("140.22"), Decimal("909.70")),
        (Decimal("82.80"), Decimal("414.00")),
    ]
    assert to_go().writes == []
    shop.pass_seconds(60)
    shop.edit_address(fjord, phone="+4799887766", address1="Kaien 2")
    assert [call.split()[0] for call in to_go().calls()] == ["PATCH"]
    assert to_go().writes == []


def test_a_refund_and_a_cancellation_reach_go(shop, to_go, ledger):
    wool = shop.add_product("Ull", "ULL", "125.00")
    order = shop.place_order([(wool, 4)], billing=KARI, freight="40.00", email="k@example.com")
    gone = shop.place_order([(wool, 1)], billing=KARI, email="k@example.com", paid="")
    assert (to_go().status, ledger.reasons()) == (0, {})
    shop.pass_seconds(60)
    shop.refund(order, {lines_of(shop, order)[0]: 1})
    shop.cancel(gone)
    assert (to_go().status, ledger.reasons()) == (0, {})
    assert in_go(ledger, order)["TotalAmount"] == Decimal("415.00")
    assert len(ledger.box.go.entries("SalesOrders")) == 1


@pytest.fixture
def to_shop(both, reader, served):
    """Let what was edited in Go go to the shop, and return the mutations that were sent."""

    def run():
        served.requests.clear()
        settings = {**reader.config, "auth_token": None}
        settings.pop("lookback_seconds")
        outcome = both.back(ends_with=0, **settings)
        assert served.shop.client_secret not in outcome.log
        return [request for request in queries(served) if b"mutation" in request.body]

    return run


@pytest.mark.parametrize(
    ("entity", "edit", "expected"),
    [
        ("customers", {"EmailAddress": "ny@example.no"}, {"email": "ny@example.no"}),
        ("customers", {"PhoneNumber": "+4791234567"}, {"phone": "+4791234567"}),
        ("products", {"Name": "Lusekofte"}, {"name": "Lusekofte"}),
        ("products", {"UnitPrice": Decimal("200.00")}, {"price_incl": "250.00"}),
        ("orders", {"PurchaseOrderReference": "PO 77"}, {"reference": "PO 77"}),
    ],
)
def test_an_edit_in_go_crosses_back_once(
    shop, reader, to_go, to_shop, both, entity, edit, expected
):
    wool = shop.add_product("Ull", "ULL", "125.00")
    kari = shop.add_customer(
        "kari@example.com", firstName="Kari", lastName="Nordmann", addresses=[KARI]
    )
    order = shop.place_order([(wool, 2)], customer=kari, billing=KARI)
    number = {"customers": kari, "products": wool, "orders": order}[entity]
    assert to_go().status == 0
    assert to_shop() == []
    shop.pass_seconds(60)
    both.edit_in_go(entity, str(number), **edit)

    assert len(to_shop()) == 1

    record = next(record for record in reader.records(entity) if record["id"] == str(number))
    assert {name: record[name] for name in expected} == expected
    assert (to_go().writes, to_shop(), both.open_ones()) == ([], [], {})


def test_an_address_edited_in_go_crosses_back_once(shop, reader, to_go, to_shop, both):
    fjord = shop.add_customer("post@fjord.example", addresses=[FJORD])
    assert to_go().status == 0
    shop.pass_seconds(60)
    both.edit_in_go(
        "customers", str(fjord), MailAddress={"AddressLine1": "Kaien 2", "City": "Moss"}
    )
    both.edit_in_go("customers", str(fjord), Name="Fjord AS")

    assert len(to_shop()) == 1

    record = reader.one("customers")
    (address,) = record["addresses"]
    assert (address["line1"], address["city"], address["postal_code"]) == (
        "Kaien 2",
        "Moss",
        "0155",
    )
    assert record["company_name"] == "Fjord AS"
    assert (to_go().writes, to_shop(), both.open_ones()) == ([], [], {})


def test_an_edit_that_shopify_refuses_waits_for_a_person(shop, to_go, both, reader):
    kari = shop.add_customer(
        "kari@example.com", firstName="Kari", lastName="N", phone="+4799887766", addresses=[KARI]
    )
    assert to_go().status == 0
    both.edit_in_go("customers", str(kari), PhoneNumber="22 33")
    settings = {**reader.config, "auth_token": None}
    settings.pop("lookback_seconds")
    outcome = both.back(**settings)
    assert outcome.status == 3
    (why,) = both.open_ones().values()
    assert why == "the shop refused it"
    (reject,) = both.ledger.unsettled("reject")
    assert reject.detail == "Phone is invalid"
    assert shop.record("Customer", kari)["phone"] == "+4799887766"


@pytest.mark.slow
def test_the_tap_as_a_command_fills_go_once(shop, reader, ledger, tmp_path):
    wool = shop.add_product("Ull", "ULL", "199.90")
    for number in range(12):
        shop.place_order([(wool, 1 + number % 3)], billing=KARI, email=f"k{number}@example.com")
    config = tmp_path / "tap.json"
    config.write_text(json.dumps(reader.config), encoding="utf-8")
    read = commands.run("tap-customwebshop", "--config", config)
    assert read.returncode == 0, read.stderr
    assert shop.client_secret not in read.stdout + read.stderr
    first = ledger.command_on(read.stdout, ends_with=0, sales_accounts=ACCOUNTS)
    assert first.count("orders", "created") == 12
    again = commands.run("tap-customwebshop", "--config", config)
    assert ledger.command_on(again.stdout, ends_with=0, sales_accounts=ACCOUNTS).writes == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "served", [{"taxes_included": True}, {"taxes_included": False}], indirect=True
)
@pytest.mark.parametrize("euros", [None, Decimal("0.0853")])
def test_orders_of_all_kinds_come_to_go_to_the_oere(shop, reader, ledger, euros):
    chance = random.Random(7)
    goods = [
        shop.add_product(
            f"Vare {number}",
            f"V{number}",
            str(Decimal(chance.randint(100, 200000)) / 100),
            rate=rate,
            productType=kind,
        )
        for number in range(12)
        for rate, kind in [chance.choice((("0.25", "Klær"), (FOOD, "Mat"), ("0", "Bok")))]
    ]
    currency = Currency("NOK", "EUR", euros) if euros else None
    for number in range(12):
        picked = chance.sample(goods, chance.randint(1, 9))
        order = shop.place_order(
            [
                (variant, chance.randint(1, 7), *chance.choice(((), ("0.37",))))
                for variant in picked
            ],
            billing={**KARI, "lastName": f"Nr {number}"},
            email=f"k{number}@example.com",
            freight=chance.choice((None, "79.20", "99")),
            fees=chance.choice(((), (), [("Gebyr", "39")])),
            code=chance.choice((None, None, ("TI", "0.1"), ("TREDEL", "0.3333"))),
            tip=chance.choice((None, None, "20")),
            currency=currency,
        )
        if chance.random() < 0.4:
            shop.refund(order, {lines_of(shop, order)[0]: 1})
    outcome = ledger.run(*reader.messages(), sales_accounts=ACCOUNTS, rounding_product_code="AVR")
    assert (outcome.status, ledger.reasons()) == (0, {})
    for record in reader.records("orders"):
        left = Decimal(record["total_incl"]) - Decimal(record["total_refunded"])
        found = in_go(ledger, record["id"])
        assert found["TotalAmount"] == left
        if not record["refunds"]:
            parts = [*record["lines"], *record["shipping"], *record["fees"]]
            apart = abs(found["VatAmount"] - Decimal(record["total_tax"]))
            assert apart <= (len(parts) + 1) * Decimal("0.005")
