"""What keeps a run from doing harm: plan, dry run, namespace, one run at a time, brakes."""

import sqlite3

import pytest
from filelock import FileLock


@pytest.fixture
def shop(customer, company, product, order, guest_order):
    """A shop with records of every kind."""
    return [
        customer(),
        company(),
        product(),
        product(id="502", sku="ULL-2", name="Lue"),
        order(),
        guest_order(id="9002", buyer={"email": "per@example.no", "name": "Per Hansen"}),
    ]


@pytest.fixture
def company_in_go(box):
    """A company of the shop that Go already has, so that a first run is planned."""
    box.go.create("Customers", {"Name": "Fjord", "OrganizationNumber": "923609016"})


def contents(path):
    """Return every row of the link store, by table."""
    with sqlite3.connect(path) as store:
        names = store.execute("select name from sqlite_master where type='table'").fetchall()
        rows = {name: store.execute(f"select * from {name}").fetchall() for (name,) in names}
    store.close()
    return {name: values for name, values in rows.items() if values}


def all_of_go(box):
    names = ("Customers", "Products", "SalesOrders", "ContactDeliveryAddresses", "ContactPersons")
    return {name: box.go.entries(name) for name in names}


# The plan of a first run


@pytest.mark.usefixtures("company_in_go")
def test_a_first_run_with_plan_prints_it_and_writes_nothing_anywhere(ledger, box, shop):
    before = all_of_go(box)

    outcome = ledger.run(*shop, first_run="plan", ends_with=1)

    assert outcome.writes == []
    assert all_of_go(box) == before
    assert "link customers 2001" in outcome.log
    assert "create customers 1001" in outcome.log
    assert "create orders 9001" in outcome.log
    assert "first_run: accept" in outcome.log
    assert set(contents(ledger.link_store)) == {"about"}


@pytest.mark.usefixtures("company_in_go")
def test_a_plan_under_a_mistyped_shop_name_does_not_bind_the_link_store_to_it(ledger, shop):
    ledger.run(*shop, first_run="plan", shop_name="testshpo")

    assert ledger.run(*shop, first_run="accept").status == 0


@pytest.mark.usefixtures("company_in_go")
def test_after_the_plan_the_accepted_run_carries_it_out(ledger, shop):
    ledger.run(*shop, first_run="plan")

    outcome = ledger.run(*shop, first_run="accept", ends_with=0)

    assert outcome.count("customers", "linked") == 1
    assert outcome.count("orders", "created") == 2


@pytest.mark.usefixtures("company_in_go")
def test_the_plan_is_printed_again_until_it_is_accepted(ledger, shop):
    ledger.run(*shop, first_run="plan")

    assert ledger.run(*shop, first_run="plan", ends_with=1).writes == []


@pytest.mark.usefixtures("company_in_go")
def test_after_a_finished_run_no_plan_is_printed(ledger, shop):
    ledger.run(shop[0], first_run="accept")

    assert ledger.run(*shop, first_run="plan", ends_with=0).count("orders", "created") == 2


def test_a_first_run_against_an_empty_go_needs_no_plan(ledger, box, shop):
    ledger.run(*shop, first_run="plan", ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 2


@pytest.mark.usefixtures("company_in_go")
def test_a_run_that_only_planned_emits_no_state(ledger, shop):
    assert ledger.run(*shop, first_run="plan").states == []
    assert ledger.run(*shop, dry_run=True).states == []


# Dry run


def test_a_dry_run_writes_nothing_anywhere(ledger, box, shop):
    assert ledger.run(*shop, dry_run=True, ends_with=0).writes == []
    assert not any(all_of_go(box).values())
    assert not ledger.link_store.exists()


def test_a_dry_run_does_not_change_the_link_store_of_earlier_runs(ledger, box, shop, customer):
    ledger.run(*shop)
    before = contents(ledger.link_store)

    ledger.run(customer(phone="+4740000000"), customer(id="1002", email=None), dry_run=True)

    assert contents(ledger.link_store) == before


def test_a_dry_run_prints_what_a_real_run_then_does(ledger, box, shop, customer, product):
    ledger.run(*shop[:4])
    changed = [
        customer(phone="+4740000000", addresses=[]),
        product(price_excl="120.00"),
        product(id="503", sku="ULL-3", name="Votter"),
        *shop[4:],
    ]

    dry = ledger.run(*changed, dry_run=True)
    real = ledger.run(*changed)

    assert dry.writes == []
    assert dry.summary["records"] == real.summary["records"]
    assert "PhoneNumber: +4791234567 → +4740000000" in dry.log
    assert "UnitPrice: 100" in dry.log
    assert "Name: Votter" in dry.log


def test_a_dry_run_may_run_at_the_same_time_as_a_real_one(ledger, shop):
    with FileLock(f"{ledger.link_store}.testshop.lock"):
        assert ledger.run(*shop, dry_run=True).status == 0


def test_a_second_run_is_refused_by_whatever_path_it_opens_the_link_store(
    ledger, customer, tmp_path
):
    named = tmp_path / "other.db"
    named.symlink_to(ledger.link_store)
    with FileLock(f"{ledger.link_store}.testshop.lock"):
        outcome = ledger.run(customer(), link_store=str(named))

    assert outcome.status == 1
    assert "a run for the shop testshop is under way" in outcome.log


# Namespace


def test_a_renamed_shop_stops_with_one_line_and_writes_nothing(ledger, box, shop):
    ledger.run(*shop)
    before = all_of_go(box)

    outcome = ledger.run(*shop, shop_name="nyttnavn", ends_with=1)

    assert outcome.writes == []
    assert all_of_go(box) == before
    (error,) = [line for line in outcome.log.splitlines() if "shop name" in line]
    assert '"testshop"' in error


def test_a_swapped_client_key_stops_with_one_line_and_writes_nothing(ledger, box, shop):
    ledger.run(*shop)
    box.go.client_id = "5b0c4f0e-0000-4000-8000-00000000000f"

    outcome = ledger.run(*shop, ends_with=1)

    assert outcome.writes == []
    assert len([line for line in outcome.log.splitlines() if "client_key" in line]) == 1


def test_new_namespace_starts_afresh(ledger, box, shop):
    ledger.run(*shop)

    outcome = ledger.run(shop[1], shop_name="nyttnavn", new_namespace=True, ends_with=0)

    assert outcome.count("customers", "created") == 1


def test_a_second_run_at_the_same_time_stops_with_one_line(ledger, box, shop):
    with FileLock(f"{ledger.link_store}.testshop.lock"):
        outcome = ledger.run(*shop)

    assert outcome.status == 1
    assert outcome.writes == []
    assert outcome.reads == []
    assert "is under way" in outcome.log
    assert ledger.run(*shop).status == 0


# Brakes


def test_max_creates_stops_before_the_next_create(ledger, box, product):
    goods = [product(id=str(n), sku=f"S-{n}") for n in range(6)]

    outcome = ledger.run(*goods, max_creates=3, workers=1, ends_with=1)

    assert len(box.go.entries("Products")) == 3
    assert len([line for line in outcome.log.splitlines() if "max_creates:" in line]) == 1
    assert ledger.run(*goods, max_creates=3, workers=1).status == 0
    assert len(box.go.entries("Products")) == 6


def test_max_changes_stops_before_the_next_change(ledger, box, product):
    goods = [product(id=str(n), sku=f"S-{n}") for n in range(4)]
    ledger.run(*goods)
    dearer = [{**record, "price_excl": "999.00"} for record in goods]

    outcome = ledger.run(*dearer, max_changes=2, workers=1, ends_with=1)

    assert [call.method for call in outcome.writes] == ["PATCH"] * 2
    assert "max_changes: 2 changes were made" in outcome.log


def test_a_brake_prints_no_state_beyond_what_was_done(ledger, product, message):
    messages = []
    for number in range(4):
        state = {"type": "STATE", "value": {"bookmarks": {"read": number}}}
        messages += [message(product(id=str(number), sku=f"S-{number}")), state]

    outcome = ledger.run(*messages, max_creates=2, workers=1)

    assert [state["bookmarks"]["read"] for state in outcome.states] == [1]


@pytest.mark.parametrize("brake", ["max_creates", "max_changes"])
def test_a_brake_of_zero_lets_unchanged_records_pass(ledger, shop, brake):
    ledger.run(*shop)

    assert ledger.run(*shop, **{brake: 0}).status == 0


# The link store


def test_the_log_has_the_link_stores_path_and_warns_if_it_is_new_but_go_has_our_references(
    ledger, box, customer, tmp_path
):
    first = ledger.run(customer())
    assert str(ledger.link_store) in first.log
    assert "has no links yet" not in first.log

    ledger.lose_link_store()
    assert "has no links yet" in ledger.run(customer()).log


def test_the_log_warns_of_a_new_link_store_if_only_orders_in_go_have_our_references(
    ledger, box, customer, product, order
):
    """If customers were linked without references, Go still has those of the orders."""
    ledger.run(customer(), product(), order())
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"ExternalImportReference": None})
    ledger.lose_link_store()

    assert "has no links yet" in ledger.run(order()).log


def test_a_run_that_fails_at_start_up_emits_no_state(ledger, shop):
    with FileLock(f"{ledger.link_store}.testshop.lock"):
        assert ledger.run(*shop).states == []


def test_runs_are_recorded_with_their_status(ledger, shop):
    ledger.run(*shop)
    ledger.run(*shop, dry_run=True)

    assert len(contents(ledger.link_store)["runs"]) == 1


def test_an_order_that_waits_within_a_plan_is_listed_once_with_its_final_change(
    ledger, order, product
):
    outcome = ledger.run(order(), product(), dry_run=True)

    assert "create orders 9001" in outcome.log
    assert "park orders" not in outcome.log


@pytest.mark.usefixtures("company_in_go")
def test_a_plan_is_not_stopped_by_a_brake_but_mentions_it(ledger, box, customer):
    people = [customer(id=str(n), email=f"k{n}@example.no") for n in range(3)]

    outcome = ledger.run(*people, first_run="plan", max_creates=1, ends_with=1)

    assert "the plan was printed" in outcome.log
    assert "max_creates is 1: a run would stop before the rest of these 3 writes" in outcome.log
    assert len(box.go.entries("Customers")) == 1


def test_a_dry_run_foresees_an_edited_line(ledger, box, shop, order, line):
    ledger.run(*shop)
    totals = {"total_excl": "300.00", "total_tax": "75.00", "total_incl": "375.00"}
    edited = order(lines=[line(quantity="3", **totals)], updated_at="2026-01-06T00:00:00Z")

    dry = ledger.run(edited, dry_run=True, ends_with=0)
    real = ledger.run(edited)

    assert dry.summary["records"] == real.summary["records"]
    assert "Quantity: 2" in dry.log
