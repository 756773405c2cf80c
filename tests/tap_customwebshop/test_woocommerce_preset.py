"""A WooCommerce shop is read, and its orders reach Go to the øre."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
import taps
from go_sandbox.shops import woocommerce
from go_sandbox.shops.woocommerce import WooCommerce
from members import assert_members
from preset_reader import ACCOUNTS, PresetReader, in_go
from tap_customwebshop.errors import ShopError
from tap_customwebshop.tap import TapCustomWebShop

KARI = {
    "first_name": "Kari",
    "last_name": "Nordmann",
    "address_1": "Storgata 1",
    "postcode": "0155",
    "city": "Oslo",
    "country": "NO",
    "email": "kari@example.com",
    "phone": "+4722334455",
}
FJORD = {**KARI, "company": "Fjord &amp; Fjell AS", "email": "post@fjord.example"}


@pytest.fixture(params=[{}])
def served(request):
    with woocommerce.start(WooCommerce(**request.param)) as running:
        yield running


@pytest.fixture
def reader(served, read_shop):
    keys = ("consumer_key", "consumer_secret")
    settings = {"organization_number_meta": "_org_nr"}
    return PresetReader("woocommerce", served, keys, settings, read_shop)


@pytest.fixture
def wool(shop):
    return shop.add_product("Ull", "ULL", "125.00")


def test_a_person_has_the_members_of_the_billing_address(shop, reader):
    shop.add_customer(KARI["email"], first_name="Kari", last_name="Nordmann", billing=KARI)
    record = reader.only("customers")
    assert_members(
        record,
        id="2",
        type="person",
        name="Kari Nordmann",
        email="kari@example.com",
        phone="+4722334455",
    )
    (billing,) = record["addresses"]
    assert_members(billing, line1="Storgata 1", postal_code="0155", line2=None)
    assert record["updated_at"].endswith("Z")


def test_a_company_has_its_number_in_the_metadata_that_a_setting_names(shop, reader):
    shop.add_customer(FJORD["email"], billing=FJORD, meta_data={"_org_nr": "923609016"})
    assert_members(
        reader.only("customers"),
        type="company",
        name="Fjord & Fjell AS",
        company_name="Fjord & Fjell AS",
        organization_number="923609016",
    )
    reader.settings = {}
    assert reader.only("customers")["organization_number"] is None


def test_buyers_of_any_role_are_customers_but_not_staff_who_never_bought(shop, reader):
    shop.add_customer("boss@example.com", role="administrator")
    wholesale = shop.add_customer("b@example.com", role="wholesale_customer")
    buyer = shop.add_customer("c@example.com", role="shop_manager", is_paying_customer=True)
    customer_ids = [record["id"] for record in reader.records("customers")]
    assert customer_ids == [str(wholesale), str(buyer)]


def test_a_user_without_a_stamp_changed_when_it_was_created(shop, reader):
    shop.add_customer("kari@example.com", is_stamped=False)
    record = reader.only("customers")
    assert record["updated_at"] == record["created_at"] is not None


def test_a_simple_product_has_the_price_as_entered_and_the_rate_of_its_class(shop, reader):
    shop.add_product("Ull &amp; silke", "ULL", "230.00", tax_class="reduced-rate")
    record = reader.only("products")
    assert_members(
        record,
        name="Ull & silke",
        sku="ULL",
        status="active",
        price_incl="230.00",
        prices_include_tax=True,
        tax_rate="15",
        stock_tracked=False,
        stock_on_hand=None,
    )
    assert "price_excl" not in record


@pytest.mark.parametrize("served", [{"prices_include_tax": False}], indirect=True)
def test_a_price_without_vat_is_price_excl(shop, reader):
    shop.add_product("Ull", "ULL", "200.00", sale_price="150.00", stock_quantity=3)
    assert_members(
        reader.only("products"),
        price_excl="150.00",
        prices_include_tax=False,
        stock_tracked=True,
        stock_on_hand="3",
    )


def test_a_product_that_is_not_taxable_has_no_vat_and_one_without_price_has_none(shop, reader):
    shop.add_product("Gave", "G", tax_status="none")
    assert_members(reader.only("products"), tax_rate="0", price_incl=None)


def test_a_variable_product_is_its_variations(shop, reader):
    shirt = shop.add_product("Skjorte", "S", tax_class="reduced-rate", type="variable")
    shop.add_variation(shirt, "S-R", "230.00", {"Farge": "Rød", "Størrelse": "L"})
    shop.add_variation(shirt, "S-B", "250.00", {"Farge": "Blå"}, tax_class="", stock_quantity=2)
    shop.add_product("Samling", "SAMLE", type="grouped")
    red, blue = reader.records("products")
    assert_members(
        red,
        parent_id=str(shirt),
        name="Skjorte",
        variant_name="Rød / L",
        sku="S-R",
        price_incl="230.00",
        tax_rate="15",
    )
    assert_members(blue, tax_rate="25", stock_on_hand="2")


def test_more_variations_than_a_page_holds_are_all_read(shop, reader):
    shirt = shop.add_product("Skjorte", "S", type="variable")
    for number in range(101):
        shop.add_variation(shirt, f"S-{number}", "100.00", {"Nr": str(number)})
    assert len(reader.records("products")) == 101


def test_what_goes_to_the_trash_is_deleted(shop, reader):
    product = shop.add_product("Ull", "ULL", "100.00")
    shirt = shop.add_product("Skjorte", "S", type="variable")
    red = shop.add_variation(shirt, "S-R", "230.00", {"Farge": "Rød"})
    order = shop.place_order([(product, 1)], billing=KARI)
    reader.messages()
    shop.pass_seconds(60)
    for stream, record_id in (("products", product), ("products", shirt), ("orders", order)):
        shop.trash(stream, record_id)
    read = {message["record"]["id"]: message["record"] for message in reader.messages()}
    assert read.keys() == {str(product), str(red), str(order)}
    assert all(record["deleted_at"] == record["updated_at"] for record in read.values())
    assert read[str(order)]["status"] == "cancelled"
    assert read[str(order)]["source_status"] == "trash"


def test_a_full_read_includes_what_went_to_the_trash_since_the_last_run(shop, reader):
    product = shop.add_product("Ull", "ULL", "100.00")
    order = shop.place_order([(product, 1)], billing=KARI)
    reader.messages()
    shop.pass_seconds(60)
    shop.trash("orders", order)
    reader.state["bookmarks"]["orders"]["shop_file"] = "another"
    (record,) = [
        message["record"] for message in reader.messages() if message["stream"] == "orders"
    ]
    assert_members(record, id=str(order), status="cancelled")


def test_sold_stock_is_read_once_a_day(shop, reader):
    product = shop.add_product("Ull", "ULL", "100.00", stock_quantity=5)
    reader.messages()
    shop.pass_seconds(60)
    shop.add_product("Silke", "SILKE", "1.00")
    reader.messages()
    shop.place_order([(product, 2)], billing=KARI)
    assert ("products", str(product)) not in reader.changed()
    reader.state["bookmarks"]["products"]["full_read_at"] = "2026-01-01T00:00:00Z"
    (record,) = [
        message["record"]
        for message in reader.messages()
        if message["record"]["id"] == str(product)
    ]
    assert record["stock_on_hand"] == "3"


def test_an_order_has_amounts_with_and_without_vat_and_the_buyer_of_its_billing(shop, reader):
    wool = shop.add_product("Ull", "ULL", "199.90", tax_class="reduced-rate")
    shop.place_order(
        [(wool, 3)],
        billing=FJORD,
        freight="80.00",
        fees=[("Gebyr", "39.00", "")],
        meta_data={"_org_nr": "923609016"},
        payment_method="vipps",
        transaction_id="tx-1",
    )
    record = reader.only("orders")
    (line,) = record["lines"]
    assert_members(
        line,
        total_excl="521.48",
        total_tax="78.22",
        total_incl="599.70",
        unit_price_incl="199.90",
        tax_rate="15",
        sku="ULL",
    )
    (freight,), (fee,) = record["shipping"], record["fees"]
    assert_members(freight, total_incl="92.00", tax_rate="15")
    assert_members(fee, total_incl="48.75", tax_rate="25")
    assert_members(
        record,
        taxes=[
            {"rate": "15", "base": "601.48", "amount": "90.22"},
            {"rate": "25", "base": "39.00", "amount": "9.75"},
        ],
        total_excl="640.48",
        total_tax="99.97",
        total_incl="740.45",
        customer_id=None,
        is_guest=True,
    )
    assert record["buyer"]["organization_number"] == "923609016"
    (payment,) = record["payments"]
    assert_members(payment, method="vipps", reference="tx-1", amount="740.45")


def test_a_coupon_is_a_discount_in_the_lines(shop, reader, wool):
    shop.add_coupon("sommer", "percent", "10")
    shop.place_order([(wool, 2)], billing=KARI, coupons=["sommer"])
    record = reader.only("orders")
    assert record["discounts"] == [
        {"code": "sommer", "amount_excl": "20.00", "amount_incl": "25.00", "is_in_lines": True}
    ]
    (line,) = record["lines"]
    assert_members(line, unit_price_incl="125.00", discount_incl="25.00", total_incl="225.00")


def test_a_negative_fee_is_a_discount_on_the_entire_order(shop, reader):
    wool = shop.add_product("Ull", "U", "375.00")
    food = shop.add_product("Mat", "M", "115.00", tax_class="reduced-rate")
    shop.place_order([(wool, 1), (food, 1)], billing=KARI, fees=[("Rabatt", "-40.00", "")])
    assert_members(
        reader.only("orders"),
        fees=[],
        discounts=[{"name": "Rabatt", "amount_excl": "40.00", "amount_incl": "49.00"}],
        taxes=[
            {"rate": "25", "base": "270.00", "amount": "67.50"},
            {"rate": "15", "base": "90.00", "amount": "13.50"},
        ],
    )


@pytest.mark.parametrize("served", [{"decimals": 0}], indirect=True)
def test_vat_that_a_shop_without_oere_rounds_is_taken_from_its_lines(shop, reader):
    shop.place_order([(shop.add_product("Ull", "U", "199"), 1)], billing=KARI, freight="79")
    assert_members(
        reader.only("orders"),
        total_incl="298.00",
        total_tax="59.55",
        rounding="0.25",
        total_excl="238.20",
        taxes=[{"rate": "25", "base": "238.20", "amount": "59.55"}],
    )


def test_refunds_name_lines_freight_and_fees(shop, reader, wool):
    order = shop.place_order([(wool, 2)], billing=KARI, freight="40.00")
    in_shop = shop.get("orders", order)
    line, freight = in_shop["line_items"][0]["id"], in_shop["shipping_lines"][0]["id"]
    shop.refund(order, {line: (1, None), freight: (0, "10.00")}, reason="Feil")
    shop.refund(order, amount="20.00")
    record = reader.only("orders")
    assert_members(record, payment_status="partially_refunded", total_refunded="157.50")
    first, second = record["refunds"]
    assert_members(
        first,
        amount_incl="137.50",
        reason="Feil",
        lines=[
            {"line_id": str(line), "quantity": "1", "amount_incl": "125.00"},
            {"line_id": str(freight), "quantity": "0", "amount_incl": "12.50"},
        ],
    )
    assert_members(second, amount_incl="20.00", lines=[])
    assert record["total_incl"] == "300.00"


def test_refunds_that_the_order_does_not_list_are_read(shop, reader, wool):
    order = shop.place_order([(wool, 2)], billing=KARI)
    shop.orders_tell_refunds = False
    shop.refund(order, amount="20.00")
    assert [refund["amount_incl"] for refund in reader.only("orders")["refunds"]] == ["20.00"]


def test_what_changed_without_its_stamp_is_read_by_the_next_run(shop, reader):
    shirt = shop.add_product("Skjorte", "S", type="variable")
    red = shop.add_variation(shirt, "S-R", "230.00", {"Farge": "Rød"})
    order = shop.place_order([(red, 2)], billing=KARI)
    other = shop.place_order([(red, 1)], billing=KARI)
    shop.pass_seconds(60)
    shop.add_product("Ull", "U", "1.00")
    shop.place_order([(red, 1)], billing=KARI)
    reader.messages()
    at_the_bookmark = reader.changed()
    assert at_the_bookmark == [("products", "105"), ("orders", "106")]
    shop.pass_seconds(60)
    shop.refunds_move_date_modified = False
    shop.refund(order, amount="20.00")
    shop.edit("products", red, regular_price="240.00")
    shop.trash("orders", other)
    assert [key for key in reader.changed() if key not in at_the_bookmark] == [
        ("products", str(red)),
        ("orders", str(other)),
        ("orders", str(order)),
    ]
    requests = reader.served.requests.matching("shop", path=f"/orders/{order}$")
    assert {"dp": "6"} in [request.query for request in requests]
    assert "WARNING" not in reader.log


def test_an_old_version_without_lists_of_all_refunds_and_variations_is_read(shop, reader, wool):
    shop.has_refunds_list = shop.has_variations_list = False
    order = shop.place_order([(wool, 2)], billing=KARI)
    shop.refund(order, amount="20.00")
    assert reader.only("orders")["total_refunded"] == "20.00"
    shop.pass_seconds(60)
    shop.edit("orders", order, customer_note="Takk")
    assert ("orders", str(order)) in reader.changed()


@pytest.mark.parametrize(
    ("status", "expected"),
    [("on-hold", "on_hold"), ("completed", "completed"), ("failed", "failed")],
)
def test_a_status_has_the_contracts_name(shop, reader, status, expected, wool):
    shop.place_order([(wool, 1)], billing=KARI, status=status)
    assert_members(reader.only("orders"), status=expected, source_status=status)


def test_an_edit_of_a_customer_goes_back(shop, reader):
    kari = shop.add_customer(KARI["email"], billing=KARI)
    address = {"type": "billing", "line1": "Kaien 2", "line2": None, "name": "K N"}
    patch = {"phone": None, "company_name": "Fjord AS", "addresses": [address]}
    reader.change("customers", kari, patch)
    record = reader.only("customers")
    assert_members(record, phone=None, name="Fjord AS")
    (billing,) = record["addresses"]
    assert_members(billing, line1="Kaien 2", city="Oslo")


def test_an_edit_of_a_product_goes_back_to_where_its_price_is(shop, reader):
    wool = shop.add_product("Ull", "ULL", "200.00", sale_price="150.00")
    shirt = shop.add_product("Skjorte", "S", type="variable")
    red = shop.add_variation(shirt, "S-R", "230.00", {"Farge": "Rød"})
    reader.change("products", wool, {"price_incl": "140.00", "name": "Ullgenser"})
    reader.change("products", red, {"price_incl": "260.00", "name": "Annet"})
    read = {record["id"]: record for record in reader.records("products")}
    assert (read[str(wool)]["price_incl"], read[str(wool)]["name"]) == ("140.00", "Ullgenser")
    assert (read[str(red)]["price_incl"], read[str(red)]["name"]) == ("260.00", "Skjorte")
    assert shop.get("products", wool)["regular_price"] == "200.00"


def test_a_price_edited_before_a_sale_begins_is_the_regular_one(shop, reader):
    wool = shop.add_product("Ull", "ULL", "200.00", sale_price="150.00", is_sale_on=False)
    assert reader.only("products")["price_incl"] == "200.00"
    reader.change("products", wool, {"price_incl": "220.00"})
    assert_members(shop.get("products", wool), regular_price="220.00", sale_price="150.00")


def test_a_single_record_is_the_same_as_in_its_list(shop, reader):
    wool = shop.add_product("Ull", "ULL", "200.00", description="Myk")
    shirt = shop.add_product("Skjorte", "S", type="variable", description="Fin")
    red = shop.add_variation(shirt, "S-R", "230.00", {"Farge": "Rød", "Str": "L"})
    food = shop.add_product("Mat", "M", "10.00")
    kari = shop.add_customer(KARI["email"], billing=KARI)
    shop.place_order([(wool, 1), (red, 2)], customer_id=kari, billing=KARI)
    order = shop.all("orders")[0]["id"]
    singles = reader.singles
    for stream, ids in (
        ("customers", [kari]),
        ("products", [wool, red, food]),
        ("orders", [order]),
    ):
        listed = {record["id"]: record for record in reader.records(stream)}
        for key in map(str, ids):
            assert singles.read(stream, key) == listed[key]
    shop.trash("products", shirt)
    assert singles.read("products", str(red))["deleted_at"] is not None


def test_an_edit_of_an_order_is_not_sent(shop, reader, wool):
    number = shop.place_order([(wool, 1)], billing=KARI)
    before = reader.only("orders")
    reader.change("orders", number, {"note": "x"})
    assert reader.only("orders") == before


def test_everything_reaches_go_once_and_an_edit_crosses_once(shop, to_go, ledger):
    wool = shop.add_product("Ull", "ULL", "199.90", tax_class="reduced-rate")
    shirt = shop.add_product("Skjorte", "S", type="variable")
    red = shop.add_variation(shirt, "S-R", "230.00", {"Farge": "Rød"})
    fjord = shop.add_customer(FJORD["email"], billing=FJORD, meta_data={"_org_nr": "923609016"})
    first = shop.place_order(
        [(wool, 3), (red, 1)], customer_id=fjord, billing=FJORD, freight="80.00"
    )
    guest = shop.place_order([(red, 2)], billing=KARI)
    outcome = to_go()
    assert (outcome.status, ledger.reasons()) == (0, {})
    sums = [
        (order["VatAmount"], order["TotalAmount"])
        for order in (in_go(ledger, first), in_go(ledger, guest))
    ]
    assert sums == [
        (Decimal("144.22"), Decimal("929.70")),
        (Decimal("92.00"), Decimal("460.00")),
    ]
    assert to_go().writes == []
    shop.pass_seconds(60)
    shop.edit("customers", fjord, billing={"phone": "+4799887766"})
    assert to_go().calls() == [f"PATCH /Customers/{ledger.box.go.entries('Customers')[0]['Id']}"]
    assert to_go().writes == []


@pytest.mark.slow
def test_the_tap_as_a_command_fills_go_once(shop, reader, ledger, tmp_path):
    wool = shop.add_product("Ull", "ULL", "199.90", tax_class="reduced-rate")
    for number in range(105):
        shop.place_order([(wool, 1 + number % 3)], billing={**KARI, "email": f"k{number}@a.no"})
    first = taps.run("tap-customwebshop", config=reader.config, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    assert shop.consumer_secret not in first.stdout + first.stderr
    outcome = ledger.command_on(first.stdout, ends_with=0, sales_accounts=ACCOUNTS)
    assert outcome.count("orders", "created") == 105
    second = taps.run("tap-customwebshop", config=reader.config, folder=tmp_path)
    assert ledger.command_on(second.stdout, ends_with=0, sales_accounts=ACCOUNTS).writes == []


def test_an_unknown_key_ends_the_run_with_what_to_check(shop, reader):
    shop.consumer_key = "ck_other"
    config = {**reader.config, "shop_settings": {"consumer_key": "ck_x", "consumer_secret": "s"}}
    with pytest.raises(ShopError, match="shop_settings"):
        TapCustomWebShop(config=config).sync_all()


def test_a_refund_that_does_not_move_the_stamp_reaches_go(shop, to_go, ledger, wool):
    order = shop.place_order([(wool, 4)], billing=KARI, freight="40.00")
    assert to_go().status == 0
    shop.refunds_move_date_modified = False
    shop.pass_seconds(60)
    line = shop.get("orders", order)["line_items"][0]["id"]
    shop.refund(order, {line: (1, None)})
    assert (to_go().status, ledger.reasons()) == (0, {})
    assert in_go(ledger, order)["TotalAmount"] == Decimal("425.00")


def test_an_old_order_without_stated_rates_reaches_go(shop, to_go, ledger):
    shop.tells_rate_percent = False
    wool = shop.add_product("Ull", "ULL", "199.90", tax_class="reduced-rate")
    book = shop.add_product("Bok", "BOK", "300.00", tax_class="zero-rate")
    order = shop.place_order([(wool, 3), (book, 1)], billing=KARI, fees=[("Gebyr", "40", "")])
    assert (to_go().status, ledger.reasons()) == (0, {})
    assert_members(in_go(ledger, order), VatAmount=Decimal("88.22"), TotalAmount=Decimal("949.70"))


def test_a_trashed_order_is_removed_from_go(shop, to_go, ledger, wool):
    order = shop.place_order([(wool, 4)], billing=KARI)
    assert to_go().status == 0
    shop.pass_seconds(60)
    shop.trash("orders", order)
    assert (to_go().status, ledger.box.go.entries("SalesOrders")) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "served",
    [
        {"prices_include_tax": included, "round_at_subtotal": at_subtotal, "decimals": decimals}
        for included in (True, False)
        for at_subtotal in (True, False)
        for decimals in (2, 0)
    ],
    indirect=True,
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_orders_of_all_kinds_reach_go_to_the_oere(shop, reader, ledger):
    chance = random.Random(7)
    shop.add_coupon("ti", "percent", "10")
    shop.add_coupon("hundre", "fixed_cart", "100")
    unit = shop.rules.unit
    goods = [
        shop.add_product(
            f"Vare {number}",
            f"V{number}",
            str((Decimal(chance.randint(100, 200000)) / 100).quantize(unit)),
            tax_class=chance.choice(("", "reduced-rate", "zero-rate")),
        )
        for number in range(12)
    ]
    for number in range(10):
        picked = chance.sample(goods, chance.randint(1, 4))
        order = shop.place_order(
            [(product, chance.randint(1, 7)) for product in picked],
            billing={**KARI, "email": f"k{number}@example.com", "last_name": f"Nr {number}"},
            freight=chance.choice((None, "79.20", "99")),
            fees=chance.choice(((), (), [("Gebyr", "39", "")], [("Rabatt", "-7", "")])),
            coupons=chance.choice(((), (), ["ti"], ["hundre"], ["ti", "hundre"])),
        )
        in_shop = shop.get("orders", order)
        if chance.random() < 0.4 and in_shop["total"] > 0:
            shop.refund(order, {in_shop["line_items"][0]["id"]: (1, None)})
    outcome = ledger.run(*reader.messages(), sales_accounts=ACCOUNTS, rounding_product_code="AVR")
    assert (outcome.status, ledger.reasons()) == (0, {})
    for record in reader.records("orders"):
        order = in_go(ledger, record["id"])
        refunded = Decimal(record["total_refunded"])
        assert order["TotalAmount"] == Decimal(record["total_incl"]) - refunded
        if not record["refunds"]:
            lines = [*record["lines"], *record["shipping"], *record["fees"], *record["discounts"]]
            difference = abs(order["VatAmount"] - Decimal(record["total_tax"]))
            assert difference <= (len(lines) + 1) * Decimal("0.005")
