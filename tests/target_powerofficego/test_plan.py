"""A dry run lists, change by change, what the real run then does."""

import json
import random

import pytest
from go_sandbox.seed.store import seed_store
from ledger import A_PERSON

STREAMS = ("customers", "products", "orders")
ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
LATER = "2026-03-01T00:00:00Z"


@pytest.fixture
def run_with_changes(ledger, tmp_path):
    """Runs with records and returns the outcome and the sorted changes."""

    def run(*records, **settings):
        path = tmp_path / "changes.jsonl"
        outcome = ledger.run(*records, changes_file=str(path), **settings)
        lines = path.read_text(encoding="utf-8").splitlines()
        return outcome, sorted((json.loads(line) for line in lines), key=json.dumps)

    return run


@pytest.fixture
def plan_and_run(run_with_changes):
    """Plans and then writes records, and returns the changes, which must be the same."""

    def run(*records):
        _, planned = run_with_changes(*records, dry_run=True)
        _, done = run_with_changes(*records)
        assert planned == done
        return done

    return run


@pytest.fixture
def shop_records(box, message):
    """Returns all records of the shop."""
    return lambda: [
        message(record, stream) for stream in STREAMS for record in box.shop.records(stream)
    ]


def test_the_plan_for_a_shop_is_what_the_run_then_does(box, shop_records, run_with_changes):
    seed_store(box.shop, customers=20, products=15, orders=40, with_mistakes=True)
    records = shop_records()
    box.go.create("Products", {"Code": box.shop.records("products")[0]["sku"], "Name": "Annet"})

    dry, planned = run_with_changes(*records, dry_run=True, sales_accounts=ACCOUNTS)
    real, done = run_with_changes(*records, sales_accounts=ACCOUNTS)

    assert dry.writes == []
    assert real.writes
    assert planned == done
    assert dry.summary["records"] == real.summary["records"]
    kinds = {(change["entity"], change["what"]) for change in planned}
    assert {("delivery_addresses", "create"), ("orders", "create"), ("products", "link")} <= kinds


def test_the_plan_of_edits_is_what_the_run_then_does(ledger, box, shop_records, run_with_changes):
    seed_store(box.shop, customers=20, products=15, orders=40)
    ledger.run(*shop_records(), sales_accounts=ACCOUNTS)
    chance = random.Random(4)
    for customer in chance.sample(box.shop.records("customers"), 8):
        box.shop.edit("customers", customer["id"], {"phone": f"+4790{chance.randrange(10**6):06}"})
    for product in chance.sample(box.shop.records("products"), 5):
        box.shop.edit("products", product["id"], {"name": f"{product['name']} ny"})
    for order in chance.sample(box.shop.records("orders"), 6):
        box.shop.edit("orders", order["id"], {"reference": "Bestilling"})
    for order in chance.sample(box.shop.records("orders"), 4):
        box.shop.edit("orders", order["id"], {"status": "cancelled"})
    box.shop.edit("customers", box.shop.records("customers")[0]["id"], {"is_active": False})

    dry, planned = run_with_changes(*shop_records(), dry_run=True, sales_accounts=ACCOUNTS)
    _, done = run_with_changes(*shop_records(), sales_accounts=ACCOUNTS)

    assert dry.writes == []
    assert planned == done
    assert {"change", "delete", "archive"} <= {change["what"] for change in planned}


def test_the_plan_lists_each_edited_line(ledger, customer, product, order, line, plan_and_run):
    ledger.run(customer(), product(), order(lines=[line(), line(id="2")]))
    totals = {"total_excl": "300.00", "total_tax": "75.00", "total_incl": "375.00"}
    edited = order(lines=[line(quantity="3", **totals), line(id="3")], updated_at=LATER)

    (change,) = plan_and_run(edited)

    assert change["what"] == "change"
    fields = {field["property"]: (field["from"], field["to"]) for field in change["fields"]}
    assert fields["line 1: Quantity"] == (2, 3)
    assert fields["line 2"] == ("there", None)
    assert "Ullgenser" in fields["line 3"][1]


def test_a_planned_change_has_gos_property_and_both_values(ledger, customer, run_with_changes):
    ledger.run(customer())

    outcome, planned = run_with_changes(customer(phone="+4798765432"), dry_run=True)

    assert planned == [
        {
            "entity": "customers",
            "record": "1001",
            "what": "change",
            "fields": [{"property": "PhoneNumber", "from": "+4791234567", "to": "+4798765432"}],
            "why": "",
        }
    ]
    assert "change customers 1001: PhoneNumber: +4791234567 → +4798765432" in outcome.log
    assert outcome.summary["nothing_was_written"] is True


def test_a_plan_lists_customers_products_and_orders_before_their_parts(
    customer, company, product, order, address, run_with_changes
):
    delivery = address(id="a1", type="shipping", line1="Fjellveien 9")
    person = customer(addresses=[address(), delivery])
    with_contact = company(first_name="Ola", last_name="Hansen")

    outcome, _ = run_with_changes(person, with_contact, product(), order(), dry_run=True)

    listed = [line.split()[1] for line in outcome.log.splitlines() if line.startswith("create ")]
    assert list(dict.fromkeys(listed)) == [
        *("customers", "products", "orders"),
        *("contact_persons", "delivery_addresses"),
    ]
    table = [line for line in outcome.log.splitlines() if "│" in line and "create" in line]
    assert [line.split()[1] for line in table] == list(dict.fromkeys(listed))


def test_a_planned_follower_names_the_customer_it_shares_with(company, run_with_changes):
    second = company(id="2002", email="b@example.no")

    _, planned = run_with_changes(company(), second, dry_run=True)

    (link,) = [change for change in planned if change["what"] == "link"]
    assert (link["record"], link["why"]) == ("2002", "shares the entry of 2001")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/no/such/folder/changes.jsonl", "there is no folder /no/such/folder; create it, or"),
        ("/", "/ cannot be written: Is a directory"),
    ],
)
def test_a_changes_file_that_cannot_be_written_is_reported_at_start_up(
    ledger, customer, path, error
):
    outcome = ledger.run(customer(), changes_file=path, ends_with=1)

    assert outcome.log.splitlines()[-1].startswith(f"changes_file: {error}")
    assert outcome.reads == outcome.writes == []


def test_the_plan_still_finds_a_product_by_its_sku_after_changing_it(
    ledger, customer, product, order, line, plan_and_run
):
    ledger.run(customer(), product())
    changed = product(price_excl="120.00", price_incl="150.00", updated_at=LATER)

    done = plan_and_run(changed, order(lines=[line(product_id=None)]))

    assert {(change["entity"], change["what"]) for change in done} == {
        ("products", "change"),
        ("orders", "create"),
    }


def test_the_plan_still_finds_a_customer_by_its_e_mail_address_after_changing_it(
    ledger, customer, product, guest_order, plan_and_run
):
    ledger.run(customer(), product())

    done = plan_and_run(customer(phone="+4798765432", updated_at=LATER), guest_order())

    assert ("customers", "create") not in {(change["entity"], change["what"]) for change in done}


def test_the_plan_of_two_versions_of_a_record_lists_each_change_once(
    ledger, customer, address, plan_and_run
):
    ledger.run(customer())
    first = customer(addresses=[address(city="Bergen")], updated_at=LATER)
    second = {**first, "addresses": [address(city="Bergen", line1="Kaien 2")]}

    done = plan_and_run(first, {**second, "updated_at": "2026-03-02T00:00:00Z"})

    fields = [[field["property"] for field in change["fields"]] for change in done]
    assert sorted(fields) == [["MailAddress.AddressLine1"], ["MailAddress.City"]]


def test_the_plan_still_finds_a_customer_after_giving_it_our_reference(
    box, customer, product, guest_order, plan_and_run
):
    box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})

    done = plan_and_run(customer(), product(), guest_order())

    assert ("customers", "create") not in {(change["entity"], change["what"]) for change in done}
