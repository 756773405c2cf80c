"""The same input again writes nothing, whatever was lost in between, and with few reads."""

import itertools

import pytest
from go_sandbox.seed.store import seed_store

pytestmark = pytest.mark.both_link_stores(if_slow=True)

PAGE_READS = 20


@pytest.fixture
def store(box, ledger):
    """A small seeded shop as a tap would send it, with an account for each of its VAT rates."""
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    seed_store(box.shop, customers=12, products=10, orders=25)
    return [
        record
        for stream in ("customers", "products", "orders")
        for record in box.shop.records(stream)
    ]


def test_a_first_load_takes_one_write_per_record_and_few_reads(ledger, box, store):
    outcome = ledger.run(*store, ends_with=0)

    extras = len(box.go.entries("ContactDeliveryAddresses")) + len(box.go.entries("ContactPersons"))
    entries = sum(len(box.go.entries(name)) for name in ("Customers", "Products", "SalesOrders"))
    assert len(outcome.writes) == entries + extras
    assert {call.method for call in outcome.writes} == {"POST"}
    assert len(outcome.reads) <= PAGE_READS


def test_the_same_input_again_writes_nothing_and_reads_little(ledger, store):
    ledger.run(*store)

    again = ledger.run(*store, ends_with=0)

    assert again.writes == []
    assert len(again.reads) <= PAGE_READS
    assert again.summary["records"] == {
        "customers": {"unchanged": 12},
        "products": {"unchanged": 10},
        "orders": {"unchanged": 25},
    }


def test_without_the_link_store_everything_is_linked_again_and_nothing_written(ledger, box, store):
    first = ledger.run(*store)
    before = {name: box.go.entries(name) for name in ("Customers", "Products", "SalesOrders")}
    ledger.lose_link_store()

    again = ledger.run(*store, ends_with=0)

    assert again.writes == []
    assert {name: box.go.entries(name) for name in before} == before
    assert again.count("customers", "linked") == first.count("customers", "created")
    assert again.count("orders", "linked") == first.count("orders", "created")
    assert "has no links yet" in again.log
    assert ledger.run(*store).writes == []


@pytest.mark.slow
def test_orders_invoiced_before_the_link_store_was_lost_are_linked_too(ledger, box, store):
    first = ledger.run(*store)
    for sales_order in box.go.entries("SalesOrders"):
        box.go.send_invoice(sales_order["Id"])
    ledger.lose_link_store()

    again = ledger.run(*store, ends_with=0)

    assert again.writes == []
    assert box.go.entries("SalesOrders") == []
    assert again.count("orders", "linked") == first.count("orders", "created")


@pytest.mark.slow
def test_after_the_link_store_is_lost_values_that_differ_are_left_as_they_are(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), order())
    ledger.lose_link_store()

    assert ledger.run(customer(phone="+4798765432"), product(name="Genser"), order()).writes == []
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4791234567"


def test_a_value_changed_and_changed_back_ends_as_it_began(ledger, box, customer):
    phones = ("+4791234567", "+4798765432", "+4791234567")

    for phone in phones:
        ledger.run(customer(phone=phone))
        (entry,) = box.go.entries("Customers")
        assert entry["PhoneNumber"] == phone


def test_a_value_changed_back_within_one_run_ends_as_it_began(ledger, box, customer):
    ledger.run(customer())

    ledger.run(customer(phone="+4798765432"), customer(phone="+4791234567"), ends_with=0)

    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4791234567"


def test_many_versions_of_one_record_in_one_run_make_one_entry_with_the_last(
    ledger, box, customer, product
):
    names = [f"Kari {letter}" for letter in "ABCDEFGH"]
    versions = [customer(first_name=name) for name in names]
    prices = [product(price_excl=f"{price}.00", price_incl=None) for price in range(100, 108)]

    ledger.run(*itertools.chain(*zip(versions, prices, strict=True)), workers=8)

    (person,) = box.go.entries("Customers")
    (item,) = box.go.entries("Products")
    assert person["FirstName"] == "Kari H"
    assert item["UnitPrice"] == 107


def test_one_changed_customer_and_one_changed_product_are_two_patches(ledger, customer, product):
    people = [customer(id=str(n), email=f"k{n}@example.no") for n in range(8)]
    goods = [product(id=str(n), sku=f"S-{n}") for n in range(8)]
    ledger.run(*people, *goods)

    people[3]["phone"] = "+4798765432"
    goods[5]["price_excl"] = "120.00"
    outcome = ledger.run(*people, *goods)

    assert [call.method for call in outcome.writes] == ["PATCH", "PATCH"]
    assert len(outcome.reads) <= PAGE_READS


@pytest.mark.slow
def test_a_replay_with_a_shuffled_input_and_several_workers_writes_nothing(ledger, store):
    ledger.run(*store, workers=8)

    assert ledger.run(*reversed(store), workers=8).writes == []


def test_a_setting_that_changes_no_value_writes_nothing(ledger, store):
    ledger.run(*store)

    assert ledger.run(*store, owners={"customers": "shop"}, ends_with=0).writes == []
