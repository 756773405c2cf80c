import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from go_sandbox.seed.habits import HABITS, named_habits, retire_guests
from go_sandbox.seed.money import line_amounts, rounded
from go_sandbox.seed.store import seed_store
from go_sandbox.shop import contract, stamps
from go_sandbox.shop.shop import Shop
from go_sandbox.storage import Storage
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean
from stdnum.no import orgnr

ORE = Decimal("0.01")
STREAMS = ("customers", "products", "orders")


def seeded(**options):
    shop = Shop(Storage())
    seed_store(shop, **options)
    return shop


@pytest.fixture(name="shop", scope="module")
def seeded_shop():
    return seeded()


def records(shop):
    return {stream: shop.records(stream) for stream in STREAMS}


def ore(text):
    assert re.fullmatch(r"-?\d+\.\d\d", text), text
    return Decimal(text)


def half_up(amount):
    return amount.quantize(ORE, ROUND_HALF_UP)


def test_the_store_has_the_requested_size(shop):
    assert sizes(shop) == [60, 40, 150]
    assert sizes(seeded(customers=5, products=3, orders=7)) == [5, 3, 7]


def sizes(shop):
    return [len(shop.records(stream)) for stream in STREAMS]


def test_the_same_seed_gives_the_same_store_and_another_seed_another(shop):
    twice = seeded()
    assert records(twice) == records(shop)
    seed_store(twice)
    assert records(twice) == records(shop)
    assert records(seeded(seed=1)) != records(shop)


def test_records_have_every_field_of_the_contract(shop):
    for stream, fields in contract.STREAMS.items():
        assert {tuple(sorted(record)) for record in shop.records(stream)} == {tuple(sorted(fields))}
    for order in shop.records("orders"):
        assert set(order["buyer"]) == set(contract.BUYER)
        parts = [(order["lines"], contract.LINE), (order["shipping"], contract.SHIPPING)]
        for records, fields in [*parts, (order["payments"], contract.PAYMENT)]:
            assert all(set(part) == set(fields) for part in records)
    for customer in shop.records("customers"):
        assert all(set(address) == set(contract.ADDRESS) for address in customer["addresses"])


@pytest.mark.parametrize("seed", [20260101, 7, 8])
def test_every_order_adds_up_to_the_ore(seed):
    for order in seeded(seed=seed, habits=False).records("orders"):
        for line in order["lines"]:
            quantity = Decimal(line["quantity"])
            gross = quantity * ore(line["unit_price_excl"])
            percent = ore(line["discount_excl"]) * 100 / gross
            assert percent in (0, 10, 15, 20, 25), line
            assert ore(line["total_excl"]) == half_up(gross * (1 - percent / 100))
            gross_incl = half_up(quantity * ore(line["unit_price_incl"]))
            assert ore(line["total_incl"]) == gross_incl - ore(line["discount_incl"])
        parts = order["lines"] + order["shipping"]
        for part in parts:
            rate = Decimal(part["tax_rate"]) / 100
            assert ore(part["total_tax"]) == half_up(ore(part["total_excl"]) * rate)
            assert ore(part["total_incl"]) == ore(part["total_excl"]) + ore(part["total_tax"])
        for total in ("total_excl", "total_tax", "total_incl"):
            assert ore(order[total]) == sum(ore(part[total]) for part in parts)
        assert sum(ore(tax["base"]) for tax in order["taxes"]) == ore(order["total_excl"])
        assert sum(ore(tax["amount"]) for tax in order["taxes"]) == ore(order["total_tax"])
        assert all(payment["amount"] == order["total_incl"] for payment in order["payments"])


def test_customers_are_persons_and_companies_with_valid_organisation_numbers(shop):
    kinds: dict[str, list[dict[str, Any]]] = {"company": [], "person": []}
    for customer in shop.records("customers"):
        kinds[customer["type"]].append(customer)
    assert {kind: len(customers) for kind, customers in kinds.items()} == {
        "company": 15,
        "person": 45,
    }
    numbers = {company["organization_number"] for company in kinds["company"]}
    assert len(numbers) == 15
    assert all(orgnr.is_valid(number) for number in numbers)
    assert all(company["company_name"] and company["first_name"] for company in kinds["company"])
    assert not any(person["organization_number"] for person in kinds["person"])


def test_some_customers_have_few_details_and_some_ship_elsewhere(shop):
    customers = shop.records("customers")
    assert any(customer["phone"] is None for customer in customers)
    assert {len(customer["addresses"]) for customer in customers} >= {0, 2}
    emails = Counter(customer["email"] for customer in customers)
    assert emails.pop(None)
    assert set(emails.values()) == {1}
    assert all(re.fullmatch(r"[a-z0-9.@-]+\.com", email) for email in emails)


def test_postal_codes_have_four_digits_and_some_begin_with_zero(shop):
    addresses = [row for customer in shop.records("customers") for row in customer["addresses"]]
    codes = [address["postal_code"] for address in addresses]
    assert all(re.fullmatch(r"\d{4}", code) for code in codes)
    assert any(code.startswith("0") for code in codes)
    assert all(address["city"] for address in addresses)


def test_norwegian_letters_are_everywhere(shop):
    for stream in STREAMS:
        assert re.search("[æøåÆØÅ]", str(shop.records(stream)))


def test_products_have_all_rates_and_variants(shop):
    products = [product for product in shop.records("products") if not product["deleted_at"]]
    names = ("tax_rate", "type", "status")
    assert {name: {product[name] for product in products} for name in names} == {
        "tax_rate": {"25", "15", "0"},
        "type": {"goods", "service"},
        "status": {"active", "draft", "archived"},
    }
    assert any(product["parent_id"] and product["variant_name"] for product in products)
    assert any(product["price_excl"] is None and product["price_incl"] for product in products)
    assert any(str(product["description"]).startswith("<p>") for product in products)
    assert len({(row["name"], row["variant_name"]) for row in products}) == len(products)


@pytest.mark.parametrize("options", [{}, {"products": 200, "orders": 0}])
def test_skus_and_gtins_are_unique_and_gtins_valid(options):
    products = [row for row in seeded(**options).records("products") if not row["deleted_at"]]
    gtins = [product["gtin"] for product in products if product["gtin"]]
    assert len({product["sku"] for product in products}) == len(products)
    assert len(set(gtins)) == len(gtins) > 0
    assert all(len(gtin) == 13 and ean.is_valid(gtin) for gtin in gtins)


def test_orders_are_in_several_statuses_with_discounts_and_freight(shop):
    orders = shop.records("orders")
    statuses = {"draft", "pending", "processing", "on_hold", "completed", "cancelled", "failed"}
    assert {order["status"] for order in orders} == statuses
    assert any(order["shipping"] for order in orders)
    assert any(Decimal(line["discount_excl"]) for order in orders for line in order["lines"])


def test_orders_refer_to_customers_and_products_of_the_shop_or_sell_deleted_goods(shop):
    customers = {customer["id"] for customer in shop.records("customers")}
    skus = {product["id"]: product["sku"] for product in shop.records("products")}
    deleted = set()
    for order in shop.records("orders"):
        assert order["is_guest"] or order["customer_id"] in customers
        for line in order["lines"]:
            if line["product_id"] is None:
                deleted.add(line["sku"])
            else:
                assert skus[line["product_id"]] == line["sku"]
    assert deleted
    assert not deleted & set(skus.values())


def test_some_guests_order_several_times_with_one_email(shop):
    guests = [order for order in shop.records("orders") if order["is_guest"]]
    emails = Counter(order["buyer"]["email"] for order in guests)
    assert all(order["customer_id"] is None for order in guests)
    assert None not in emails
    assert emails.most_common(1)[0][1] >= 2
    assert not set(emails) & {customer["email"] for customer in shop.records("customers")}


def test_stamps_are_in_order_within_each_record(shop):
    for stream in STREAMS:
        for record in shop.records(stream):
            assert record["created_at"] <= record["updated_at"] < "2026-02"
    for order in shop.records("orders"):
        for moment in ("placed_at", "paid_at", "shipped_at", "cancelled_at"):
            assert order[moment] is None or order[moment] <= order["updated_at"]


def test_mistakes_are_added_and_leave_the_rest_unchanged(shop):
    faulty, without = seeded(with_mistakes=True), records(shop)
    customers, products, orders = (
        [row for row in faulty.records(stream) if row not in without[stream]] for stream in STREAMS
    )
    assert orders == []
    person, company = customers
    assert person["addresses"][0]["postal_code"] is None
    assert person["addresses"][0]["city"]
    numbers = [customer["organization_number"] for customer in faulty.records("customers")]
    assert numbers.count(company["organization_number"]) == 2
    nameless, priced = products
    assert (nameless["sku"], priced["price_incl"]) == (None, "12,50 kr")
    assert priced["sku"]


def test_orders_with_habits_add_up_as_real_shops_do(shop):
    habits = named_habits(shop)
    orders = {habit: shop.record("orders", number) for number, habit in habits.items()}
    assert len(orders) == len(HABITS)
    for order in orders.values():
        parts = [ore(order[name] or "0.00") for name in ("total_excl", "total_tax", "rounding")]
        assert sum(parts) == ore(order["total_incl"])
        assert [payment["amount"] for payment in order["payments"]] == [order["total_incl"]]
    assert {habit: vat_of(order) for habit, order in orders.items()} == {
        "a coupon for sweaters only": ["25: 831.36 + 207.84"],
        "the same coupon, given in the totals alone": [],
        "a coupon for the freight only": ["15: 172.00 + 25.80"],
        "a gift card, given as a discount": ["25: 959.20 + 239.80"],
        "VAT rounded once for the order": ["25: 199.80 + 49.95"],
        "VAT rounded once, lines with all their decimals": ["25: 254.55 + 63.64"],
        "a total rounded to whole kroner": ["25: 79.90 + 19.98"],
        "a guest, for herself": ["15: 112.20 + 16.83"],
        "the same guest, for a company": ["15: 112.20 + 16.83"],
        "the same guest, for another company": ["25: 1039.20 + 259.80"],
        "names with HTML entities": ["25: 719.20 + 179.80"],
        "a product that was deleted since": ["25: 239.20 + 59.80"],
        "a product made anew under its SKU": ["25: 239.20 + 59.80"],
    }


def vat_of(order):
    return [f"{tax['rate']}: {tax['base']} + {tax['amount']}" for tax in order["taxes"]]


def test_each_order_refers_to_the_product_that_had_the_sku_at_the_time(shop):
    old, new = (row for row in shop.records("products") if row["sku"] == "KOPP-BLA")
    old, new = (old, new) if old["deleted_at"] else (new, old)
    assert new["deleted_at"] is None
    assert old["created_at"] < old["deleted_at"] < new["created_at"]
    for order in shop.records("orders"):
        for line in order["lines"]:
            if line["sku"] == "KOPP-BLA":
                product = old if order["created_at"] < old["deleted_at"] else new
                assert line["product_id"] == product["id"]


def test_one_guest_buys_for_herself_and_for_two_companies(shop):
    buyers = [
        order["buyer"]
        for order in shop.records("orders")
        if order["buyer"]["email"] == "liv.strand@example.com"
    ]
    numbers = [buyer["organization_number"] for buyer in buyers]
    assert numbers[0] is None
    assert all(orgnr.is_valid(number) for number in numbers[1:])
    assert len(set(numbers)) == 3


def test_a_small_store_and_one_seeded_without_habits_have_none():
    assert named_habits(seeded(orders=59)) == {}
    assert named_habits(seeded(habits=False)) == {}


def test_the_shops_routine_anonymises_old_guest_buyers():
    shop = seeded()
    guests = [order for order in shop.records("orders") if order["is_guest"]]
    count = retire_guests(shop, stamps.parse(guests[3]["placed_at"]))
    wiped = [order for order in shop.records("orders") if order["buyer"]["name"] == "[deleted]"]
    assert [order["id"] for order in wiped] == [order["id"] for order in guests[:3]]
    assert count == 3
    assert wiped[0]["lines"] == guests[0]["lines"]


def test_orders_without_customers_are_refused():
    with pytest.raises(ValueError, match="at least one customer"):
        seeded(customers=0, orders=1)


amounts = st.decimals(min_value=0, max_value=100000, places=2)


@given(
    st.decimals(min_value="0.25", max_value=100, places=2),
    amounts,
    st.sampled_from([Decimal(0), Decimal(15), Decimal(25)]),
    st.sampled_from([Decimal(0), Decimal(10), Decimal("12.5"), Decimal(100)]),
)
def test_any_line_is_net_plus_vat_and_gross_less_discount(quantity, price, rate, percent):
    line = line_amounts(quantity, price, rate, percent)
    assert (line.total_excl, line.total_tax, line.total_incl) == (
        half_up(quantity * price) - line.discount_excl,
        half_up(line.total_excl * rate / 100),
        line.total_excl + line.total_tax,
    )


@given(st.decimals(min_value=-1000, max_value=1000, places=4))
def test_rounding_is_half_up_away_from_zero(amount):
    assert abs(rounded(amount)) == (abs(amount) + Decimal("0.005")) // ORE * ORE
