"""An answer that is lost, before or after Go acted, leaves no duplicates and nothing missing."""

import copy
import itertools
import re
from typing import Any

import pytest
from target_powerofficego.settle.writes import Brakes
from target_powerofficego.sync.go.writer import Writer
from target_powerofficego.target import TargetPowerOfficeGo

pytestmark = pytest.mark.both_link_stores(if_long=True)


@pytest.fixture
def shop(customer, company, product, order, address):
    """One of everything that is written: customer, company with its parts, product, order."""
    shipping = address(id="s1", type="shipping", line1="Kaien 2", postal_code="5003", city="Bergen")
    return [
        customer(),
        company(
            first_name="Ola",
            last_name="Hansen",
            addresses=[address(id="b1"), shipping],
        ),
        product(),
        order(),
    ]


WRITES = {
    "customer": ("POST", "/customers$"),
    "product": ("POST", "/products$"),
    "order": ("POST", "/salesorders/complete$"),
    "delivery address": ("POST", "/contactdeliveryaddresses/"),
    "contact person": ("POST", "/contactpersons/"),
}


RESOURCES = {
    "customer": "Customers",
    "product": "Products",
    "order": "SalesOrders",
    "delivery address": "ContactDeliveryAddresses",
    "contact person": "ContactPersons",
}


ONE_OF_EVERYTHING = {
    "Customers": 2,
    "Products": 1,
    "SalesOrders": 1,
    "ContactDeliveryAddresses": 1,
    "ContactPersons": 1,
}


def counts(box):
    return {resource: len(box.go.entries(resource)) for resource in ONE_OF_EVERYTHING}


def assert_all_is_agreed(ledger, shop):
    """Check that the link store knows what is in Go: the same input writes nothing."""
    assert ledger.run(*copy.deepcopy(shop), ends_with=0).calls() == []
    touched = ledger.run(*({**record, "updated_at": "2026-02-01T00:00:00Z"} for record in shop))
    assert touched.calls() == []


RESETS = [{"reset": "after"}, {"reset": "before"}]
OTHER_LOSSES = [{"status": 503, "after_commit": True}, {"status": 500}, {"broken_json": True}]


def losses(writes):
    """Return each write with an answer that is lost, and by how many seconds reads lag behind."""
    return [
        *itertools.product(writes, RESETS, [0]),
        *itertools.product(["customer"], OTHER_LOSSES, [0]),
        *itertools.product(writes, [{"reset": "after"}], [1]),
    ]


@pytest.mark.parametrize(("write", "loss", "lag_seconds"), losses(WRITES), ids=str)
def test_a_create_whose_answer_is_lost_is_done_once(box, ledger, shop, write, loss, lag_seconds):
    box.go.switches.read_lag_seconds = lag_seconds
    method, path = WRITES[write]
    fault = box.faults.add(method=method, path=path, **loss)

    ledger.run(*shop, ends_with=0)

    assert fault.struck == 1
    if write == "product" and loss == {"reset": "before"}:  # Go might take it twice
        assert box.go.entries("Products") == []
        assert {record.kind for record in ledger.unsettled()} == {"parked"}
        ledger.run(ends_with=0)
    assert counts(box) == ONE_OF_EVERYTHING
    box.go.switches.read_lag_seconds = 0
    assert_all_is_agreed(ledger, shop)


REFUSALS = [
    {"broken_json": True},
    {"status": 400, "body": {"title": "Nei", "detail": "Finnes fra før", "status": 400}},
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=["cut", "in other words"])
@pytest.mark.parametrize("write", ["customer", "order", "delivery address", "contact person"])
def test_a_create_that_go_refuses_to_repeat_counts_as_done_whatever_the_refusal(
    box, ledger, shop, write, refusal
):
    box.go.switches.read_lag_seconds = 1
    method, path = WRITES[write]
    lost = box.faults.add(method=method, path=path, reset="after", times=1)
    refused = box.faults.add(method=method, path=path, skip=0, **refusal)

    ledger.run(*shop, workers=1, ends_with=0)

    assert (lost.struck, refused.struck) == (1, 1)
    assert counts(box) == ONE_OF_EVERYTHING
    box.go.switches.read_lag_seconds = 0
    assert_all_is_agreed(ledger, shop)


@pytest.mark.parametrize("write", WRITES)
def test_a_create_whose_answer_is_lost_is_done_once_though_go_shows_it_ten_reads_late(
    box, ledger, shop, write
):
    box.go.switches.read_lag_reads = 10
    box.go.switches.product_code_unique = False
    method, path = WRITES[write]
    fault = box.faults.add(method=method, path=path, reset="after")

    outcomes = [ledger.run(*shop), ledger.run(), ledger.run(), ledger.run()]

    assert fault.struck == 1
    assert [outcome.status for outcome in outcomes] == [0, 0, 0, 0]
    assert counts(box) == ONE_OF_EVERYTHING
    assert ledger.unsettled() == []
    box.go.switches.read_lag_reads = 0
    assert_all_is_agreed(ledger, shop)


@pytest.mark.parametrize("refusal", [None, REFUSALS[1]], ids=["as in use", "in other words"])
@pytest.mark.parametrize("write", WRITES)
def test_a_create_that_go_does_not_show_yet_is_parked_and_lands_in_the_first_run_that_sees_it(
    box, ledger, shop, write, refusal
):
    method, path = WRITES[write]
    if write == "customer":
        del shop[1]  # which Go would refuse permanently
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method=method, path=path, reset="after", times=1)
    if refusal:
        box.faults.add(method=method, path=path, times=None, **refusal)

    for _ in range(3):
        ledger.run(*shop, ends_with=0)
        assert {record.kind for record in ledger.unsettled()} == {"parked"}
    assert counts(box)[RESOURCES[write]] == 1
    box.faults.clear()
    box.go.switches.read_lag_reads = 0
    ledger.run(ends_with=0)

    assert ledger.unsettled() == []
    without_company = {"Customers": 1, "ContactDeliveryAddresses": 0, "ContactPersons": 0}
    assert counts(box) == ONE_OF_EVERYTHING | (without_company if write == "customer" else {})
    assert_all_is_agreed(ledger, shop)


def test_a_create_that_several_runs_have_not_seen_is_held_until_go_shows_it(box, ledger, customer):
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="POST", path="/customers$", reset="after")
    for _ in range(3):
        assert ledger.run(customer()).status == 0

    ledger.run(customer(), ends_with=3)

    (hold,) = ledger.unsettled("hold")
    assert "several runs have not seen it" in hold.reason
    assert ledger.run().status == 3
    box.go.switches.read_lag_reads = 0
    assert ledger.run().status == 0
    assert len(box.go.entries("Customers")) == 1
    assert_all_is_agreed(ledger, [customer()])


def test_a_create_that_never_shows_is_given_up_if_its_record_never_comes_again(
    box, ledger, product
):
    box.faults.add(method="POST", path="/products$", reset="before")
    ledger.run(product())
    with ledger.store() as store:
        (lost,) = store.unsettled.all(every_namespace=True)
        store.namespace = 1
        # as if the run was killed before it stored that
        store.unsettled.clear(lost.entity, lost.shop_id)

    logs = [ledger.run().log for _ in range(5)]

    assert ["unanswered create" in log for log in logs] == [True, True, True, True, False]
    assert "it was not done" in logs[3]


def test_without_a_link_store_and_with_a_go_that_shows_nothing_yet_records_are_parked(
    box, ledger, shop
):
    box.go.switches.read_lag_reads = 10_000
    ledger.run(*shop)
    ledger.lose_link_store()

    ledger.run(*shop, ends_with=0)

    assert {record.kind for record in ledger.unsettled()} == {"parked"}
    box.go.switches.read_lag_reads = 0
    assert ledger.run().status == 0
    assert counts(box) == ONE_OF_EVERYTHING
    assert_all_is_agreed(ledger, shop)


GONE = {"deleted_at": "2026-02-01T00:00:00Z", "updated_at": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("write", "change"),
    [
        ("customer", GONE),
        ("product", GONE),
        ("product", {"status": "archived", "updated_at": "2026-02-01T00:00:00Z"}),
        ("order", GONE),
        ("order", {"status": "cancelled", "updated_at": "2026-02-01T00:00:00Z"}),
    ],
)
def test_a_record_that_leaves_the_shop_before_go_shows_it_leaves_go(
    box, ledger, shop, write, change
):
    customer, _, product, order = shop
    records = {"customer": [customer], "product": [product], "order": [customer, product, order]}[
        write
    ]
    method, path = WRITES[write]
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method=method, path=path, reset="after")
    ledger.run(*records)

    outcome = ledger.run({**records[-1], **change})

    assert (outcome.status, {record.kind for record in ledger.unsettled()}) == (0, {"parked"})
    box.go.switches.read_lag_reads = 0
    assert ledger.run().status == 0
    assert ledger.unsettled() == []
    entries = box.go.entries(RESOURCES[write])
    assert [entry for entry in entries if not entry.get("IsArchived")] == []


def test_an_order_that_is_cancelled_before_go_shows_it_leaves_go(box, ledger, shop):
    ledger.run(*shop[:-1])
    box.go.switches.read_lag_reads = 10_000
    ledger.run(shop[-1])

    outcome = ledger.run({**shop[-1], "status": "cancelled"}, ends_with=0)

    assert box.go.entries("SalesOrders") == []
    assert outcome.summary["records"] == {"orders": {"deleted": 1}}


def test_two_products_of_one_sku_are_made_once_though_an_answer_is_lost(box, ledger, product):
    box.go.switches.read_lag_reads = 10
    box.go.switches.product_code_unique = False
    box.faults.add(method="POST", path="/products$", reset="after")

    ledger.run(product(), product(id="502"), workers=1)

    assert len(box.go.entries("Products")) == 1
    box.go.switches.read_lag_reads = 0
    ledger.run()
    assert len(box.go.entries("Products")) == 1
    assert [record.kind for record in ledger.unsettled()] == ["hold"]


def test_an_added_line_whose_answer_is_lost_is_added_once_though_go_shows_it_late(
    box, ledger, shop, line
):
    ledger.run(*shop)
    box.go.switches.read_lag_reads = 8
    fault = box.faults.add(method="POST", path="/lines$", reset="after")

    outcomes = [ledger.run(*edited(shop, line)), *(ledger.run() for _ in range(4))]

    assert fault.struck == 1
    assert not [record for record in ledger.unsettled() if record.next_attempt_at]
    assert outcomes[-1].status == 0
    assert_edits_arrived(box)
    assert counts(box) == ONE_OF_EVERYTHING
    box.go.switches.read_lag_reads = 0
    assert_all_is_agreed(ledger, edited(shop, line))


INVALID_IDS = [None, 0, -1, True, "Kari", "17", 1.5, {"Id": 17}]
UUID = "5b0c4f0e-0000-4000-8000-000000000009"


@pytest.mark.parametrize(
    ("write", "go_id"),
    [
        *(("customer", go_id) for go_id in [*INVALID_IDS, UUID]),
        *(("order", go_id) for go_id in [*INVALID_IDS, 17]),
        *((write, None) for write in ("product", "delivery address", "contact person")),
    ],
)
def test_a_create_answered_without_a_valid_id_is_looked_up(box, ledger, shop, write, go_id):
    method, path = WRITES[write]
    body = {"Id": go_id, "TotalAmount": 250}
    fault = box.faults.add(method=method, path=path, status=201, body=body, after_commit=True)

    outcome = ledger.run(*shop)

    assert fault.struck == 1
    assert (outcome.status, ledger.unsettled()) == (0, [])
    assert counts(box) == ONE_OF_EVERYTHING
    assert_all_is_agreed(ledger, shop)


@pytest.mark.parametrize("go_id", [None, 17, "another"])
def test_an_order_answered_without_valid_ids_of_lines_is_looked_up(box, ledger, shop, go_id):
    lines = [{"Id": go_id, "ExternalImportReference": "1"}]
    body = {"Id": UUID, "TotalAmount": 250, "SalesOrderLines": lines}
    path = WRITES["order"][1]
    fault = box.faults.add(method="POST", path=path, status=201, body=body, after_commit=True)

    assert ledger.run(*shop).status == 0

    assert fault.struck == 1
    assert_all_is_agreed(ledger, shop)


def test_an_added_line_answered_without_a_valid_id_is_looked_up(box, ledger, shop, line):
    ledger.run(*shop)
    body = {"Id": 17, "Quantity": 2}
    fault = box.faults.add(method="POST", path="/lines$", status=201, body=body, after_commit=True)

    assert ledger.run(*edited(shop, line)).status == 0

    assert fault.struck == 1
    assert_edits_arrived(box)
    assert_all_is_agreed(ledger, edited(shop, line))


@pytest.mark.parametrize("go_id", [None, 1, UUID])
@pytest.mark.parametrize("write", ["customer", "product", "order", "changed line"])
def test_a_change_answered_with_another_id_is_looked_up(box, ledger, shop, line, write, go_id):
    ledger.run(*shop)
    method, path = CHANGES[write]
    body = {"Id": go_id, "PhoneNumber": "+4700000000", "UnitPrice": 1, "Quantity": 9}
    fault = box.faults.add(method=method, path=path, status=200, body=body, after_commit=True)

    outcome = ledger.run(*edited(shop, line))

    assert fault.struck == 1
    assert_edits_arrived(box)
    assert (outcome.status, ledger.unsettled()) == (0, [])
    assert_all_is_agreed(ledger, edited(shop, line))


@pytest.mark.parametrize("go_id", INVALID_IDS)
def test_nothing_is_linked_to_a_listed_entry_without_a_valid_id(box, ledger, customer, go_id):
    listed = [{"Id": go_id, "ExternalImportReference": "testshop:1001"}, None, 7]
    box.faults.add(method="GET", path="/customers$", status=200, body=listed)

    outcome = ledger.run(customer(), ends_with=0)

    line = "GET /Customers: entries without a usable Id are left out (3)"
    assert (outcome.log.count(line), "Traceback" in outcome.log) == (1, False)
    assert len(box.go.entries("Customers")) == 1
    assert_all_is_agreed(ledger, [customer()])


@pytest.mark.parametrize("refusal", REFUSALS, ids=["cut", "in other words"])
def test_a_change_that_go_refuses_to_repeat_counts_as_done_whatever_the_refusal(
    box, ledger, customer, refusal
):
    ledger.run(customer())
    box.go.switches.read_lag_seconds = 1
    box.faults.add(method="PATCH", path="/customers/", reset="after", times=1)
    refused = box.faults.add(method="PATCH", path="/customers/", **refusal)

    ledger.run(customer(phone="+4798765432"), ends_with=0)

    assert refused.struck == 1
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4798765432"
    box.go.switches.read_lag_seconds = 0
    assert_all_is_agreed(ledger, [customer(phone="+4798765432")])


def test_a_change_that_go_shows_late_is_not_an_edit_in_go(box, ledger, product):
    box.go.switches.price_decimals = 2
    ledger.run(product(price_excl="90.00"))
    box.go.switches.read_lag_reads = 10
    lost = box.faults.add(method="PATCH", path="/products/", reset="after")

    ledger.run(product(price_excl="99.9999"), ends_with=3)

    assert lost.struck == 1
    box.go.switches.read_lag_reads = 0
    assert ledger.run().status == 0
    again = ledger.run(product(price_excl="99.9999", updated_at="2026-02-01T00:00:00Z"))
    assert (again.status, again.calls(), ledger.unsettled()) == (0, [], [])
    assert box.go.entries("Products")[0]["UnitPrice"] == 100


def test_a_change_whose_answers_are_all_lost_is_agreed_as_go_reshaped_it(box, ledger, product):
    box.go.switches.price_decimals = 2
    ledger.run(product(price_excl="90.00"))
    (before,) = box.go.entries("Products")
    box.faults.add(method="PATCH", path="/products/", status=503, after_commit=True, times=3)
    box.faults.add(method="GET", path="/products/", status=200, body=before, times=None)

    assert ledger.run(product(price_excl="99.9999")).status == 3

    assert box.go.entries("Products")[0]["UnitPrice"] == 100
    box.faults.clear()
    box.go.edit("Products", before["Id"], {"Description": "Fra Go"})
    again = ledger.run(product(price_excl="99.9999", updated_at="2026-02-01T00:00:00Z"))
    assert (again.status, again.calls()) == (0, [])


def test_a_product_is_created_once_though_go_would_take_it_twice(box, ledger, shop):
    box.go.switches.read_lag_seconds = 1
    box.go.switches.product_code_unique = False
    box.faults.add(method="POST", path="/products$", reset="after")

    ledger.run(*shop)

    assert counts(box) == ONE_OF_EVERYTHING


@pytest.mark.parametrize("read_lag", [0, 1])
def test_a_sku_or_id_with_a_comma_is_found_again(box, ledger, customer, product, read_lag):
    box.go.switches.read_lag_seconds = read_lag
    box.go.switches.product_code_unique = False
    box.faults.add(method="POST", path="/products$", reset="after")
    box.faults.add(method="POST", path="/customers$", reset="after")

    ledger.run(product(sku="A,B"), customer(id="1,2"))

    assert [entry["Code"] for entry in box.go.entries("Products")] == ["A,B"]
    references = [entry["ExternalImportReference"] for entry in box.go.entries("Customers")]
    assert references == ["testshop:1,2"]


def edited(shop, line):
    customer, company, product, order = copy.deepcopy(shop)
    customer["phone"] = "+4798765432"
    company["last_name"] = "Olsen"
    company["addresses"][1]["line1"] = "Kaien 3"
    product["price_excl"] = "120.00"
    order["reference"] = "Bestilling 7"
    order["lines"] = [
        line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00"),
        line(id="2"),
    ]
    order |= {"total_excl": "500.00", "total_tax": "125.00", "total_incl": "625.00"}
    return [customer, company, product, order]


CHANGES = {
    "customer": ("PATCH", "/customers/"),
    "delivery address": ("PATCH", "/contactdeliveryaddresses/"),
    "contact person": ("PATCH", "/contactpersons/"),
    "product": ("PATCH", "/products/"),
    "order": ("PATCH", r"/salesorders/[^/]+$"),
    "changed line": ("PATCH", "/lines/"),
    "added line": ("POST", "/lines$"),
}


def assert_edits_arrived(box):
    (person,) = [entry for entry in box.go.entries("Customers") if entry["IsPerson"]]
    assert person["PhoneNumber"] == "+4798765432"
    assert box.go.entries("ContactPersons")[0]["LastName"] == "Olsen"
    assert box.go.entries("ContactDeliveryAddresses")[0]["AddressLine1"] == "Kaien 3"
    assert box.go.entries("Products")[0]["UnitPrice"] == 120
    (order,) = box.go.entries("SalesOrders")
    assert order["PurchaseOrderReference"] == "Bestilling 7"
    assert [line["Quantity"] for line in order["SalesOrderLines"]] == [3, 2]
    assert order["TotalAmount"] == 625


@pytest.mark.parametrize(("write", "loss", "lag_seconds"), losses(CHANGES), ids=str)
def test_a_change_whose_answer_is_lost_is_done_once(
    box, ledger, shop, line, write, loss, lag_seconds
):
    ledger.run(*shop)
    box.go.switches.read_lag_seconds = lag_seconds
    method, path = CHANGES[write]
    fault = box.faults.add(method=method, path=path, **loss)

    ledger.run(*edited(shop, line), ends_with=0)

    assert fault.struck == 1
    assert_edits_arrived(box)
    assert counts(box) == ONE_OF_EVERYTHING
    box.go.switches.read_lag_seconds = 0
    assert_all_is_agreed(ledger, edited(shop, line))


@pytest.mark.parametrize("write", CHANGES)
def test_a_change_whose_answer_is_lost_is_done_once_though_go_shows_it_runs_later(
    box, ledger, shop, line, write
):
    ledger.run(*shop)
    box.go.switches.read_lag_reads = 10_000
    method, path = CHANGES[write]
    fault = box.faults.add(method=method, path=path, reset="after")

    for _ in ("lost", "and not seen"):
        assert ledger.run(*edited(shop, line)).status in (0, 3)
    box.go.switches.read_lag_reads = 0
    seen = ledger.run(*edited(shop, line))

    assert fault.struck == 1
    assert seen.status == 0
    assert [request for request in seen.writes if re.search(path, request.path.lower())] == []
    assert_edits_arrived(box)
    assert counts(box) == ONE_OF_EVERYTHING
    assert_all_is_agreed(ledger, edited(shop, line))


def test_a_change_that_go_shows_late_is_not_an_edit_in_go_if_the_shop_changes_again(
    box, ledger, customer
):
    ledger.run(customer())
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="PATCH", path="/customers/", reset="after")
    for phone in ("+4798765432", "+4740000000"):
        assert ledger.run(customer(phone=phone)).status in (0, 3)
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4798765432"
    box.go.switches.read_lag_reads = 0

    outcome = ledger.run(customer(phone="+4740000000"))

    assert outcome.status == 0
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4740000000"
    assert_all_is_agreed(ledger, [customer(phone="+4740000000")])


def test_a_change_that_was_not_done_is_written_by_the_next_run(box, ledger, customer):
    ledger.run(customer())
    box.faults.add(method="PATCH", path="/customers/", reset="before", times=3)
    assert ledger.run(customer(phone="+4798765432")).status == 3

    outcome = ledger.run(customer(phone="+4798765432"))

    (write,) = outcome.calls()
    assert write.startswith("PATCH /Customers/")
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4798765432"
    assert_all_is_agreed(ledger, [customer(phone="+4798765432")])


def test_an_address_is_not_created_if_an_unanswered_change_may_have_made_it(
    box, ledger, shop, order, address
):
    ledger.run(*shop)
    _, company, *_ = shop
    moved = address(id="s1", type="shipping", line1="Kaien 3", postal_code="5003", city="Bergen")
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="PATCH", path="/contactdeliveryaddresses/", reset="after")
    edited_company = {**company, "addresses": [company["addresses"][0], moved]}
    bought = order(id="9002", customer_id=company["id"], shipping_address=moved)

    assert ledger.run(edited_company, bought).status == 3
    box.go.switches.read_lag_reads = 0

    assert ledger.run(edited_company, bought).status == 0
    (entry,) = box.go.entries("ContactDeliveryAddresses")
    assert entry["AddressLine1"] == "Kaien 3"
    assert len(box.go.entries("SalesOrders")) == 2


def test_an_address_is_not_created_if_an_unanswered_create_may_have_made_it_by_another_code(
    box, ledger, shop, order, address
):
    _, company, product, _ = shop
    ledger.run({**company, "addresses": company["addresses"][:1]}, product)
    same_but_for_its_id = {**company["addresses"][1], "id": None}
    bought = order(id="9002", customer_id=company["id"], shipping_address=same_but_for_its_id)
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="POST", path="/contactdeliveryaddresses/", reset="after")

    ledger.run(company, bought)
    box.go.switches.read_lag_reads = 0

    assert ledger.run(company, bought).status == 0
    assert len(box.go.entries("ContactDeliveryAddresses")) == 1
    assert len(box.go.entries("SalesOrders")) == 1


def test_no_order_goes_to_an_address_that_go_made_primary_and_does_not_show_yet(
    box, ledger, shop, order
):
    _, company, product, _ = shop
    ledger.run({**company, "addresses": company["addresses"][:1]}, product)
    bought = order(customer_id=company["id"], shipping_address=company["addresses"][0])
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="POST", path="/contactdeliveryaddresses/", reset="after")

    ledger.run(company, bought)
    box.go.switches.read_lag_reads = 0

    assert ledger.run(company, bought).status == 0
    addresses = {entry["Id"]: entry for entry in box.go.entries("ContactDeliveryAddresses")}
    (posted,) = box.go.entries("SalesOrders")
    assert addresses[posted["ContactDeliveryAddressId"]]["AddressLine1"] == "Storgata 1"


@pytest.mark.parametrize("is_guest_first", [False, True], ids=["customer first", "guest first"])
def test_a_guest_is_not_a_second_customer_while_a_create_with_that_email_is_not_seen(
    box, ledger, customer, product, order, is_guest_first
):
    registered = customer(email="kari@example.com")
    bought = order(
        customer_id=None,
        is_guest=True,
        buyer={"name": "Kari Nordmann", "email": "KARI@example.com"},
    )
    ledger.run(product())
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="POST", path="/customers$", reset="after")

    first, second = (bought, registered) if is_guest_first else (registered, bought)
    ledger.run(first)
    ledger.run(second)
    box.go.switches.read_lag_reads = 0

    assert ledger.run(registered, bought).status == 0
    assert len(box.go.entries("Customers")) == 1
    assert len(box.go.entries("SalesOrders")) == 1


def test_a_company_is_not_created_twice_while_a_create_with_its_number_is_not_seen(
    box, ledger, company
):
    first, second = company(id="1"), company(id="2")
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="POST", path="/customers$", reset="after")

    ledger.run(first, second)
    box.go.switches.read_lag_reads = 0

    assert ledger.run(first, second).status == 0
    assert len(box.go.entries("Customers")) == 1


@pytest.mark.parametrize("loss", RESETS, ids=str)
def test_a_deletion_whose_answer_is_lost_is_done_once(box, ledger, shop, loss):
    ledger.run(*shop)
    fault = box.faults.add(method="DELETE", path="/salesorders/", **loss)

    ledger.run({**shop[-1], "status": "cancelled"}, ends_with=0)

    assert fault.struck == 1
    assert box.go.entries("SalesOrders") == []


def test_a_value_that_go_reshapes_is_agreed_as_go_has_it(box, ledger, customer):
    box.faults.add(method="POST", path="/customers$", reset="after")
    hooked = box.faults.on(
        "go",
        "POST",
        "/customers$",
        lambda _: box.go.edit(
            "Customers", box.go.entries("Customers")[0]["Id"], {"LastName": "Nordmann (Oslo)"}
        ),
        when="after",
    )

    ledger.run(customer())

    assert hooked.struck == 1
    again = ledger.run(customer(phone="+4798765432"))
    assert [request.json() for request in again.writes] == [
        [
            {"op": "test", "path": "/PhoneNumber", "value": "+4791234567"},
            {"op": "replace", "path": "/PhoneNumber", "value": "+4798765432"},
        ]
    ]
    assert box.go.entries("Customers")[0]["LastName"] == "Nordmann (Oslo)"


def test_a_price_that_go_rounds_is_not_written_again(box, ledger, product):
    box.go.switches.price_decimals = 2
    ledger.run(product())
    fault = box.faults.add(method="PATCH", path="/products/", reset="after")

    ledger.run(product(price_excl="99.9999"))

    assert fault.struck == 1
    assert box.go.entries("Products")[0]["UnitPrice"] == 100
    assert ledger.run(product(price_excl="99.9999", description="Varm")).calls() == [
        f"PATCH /Products/{box.go.entries('Products')[0]['Id']}"
    ]


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": "before"}])
def test_a_create_that_never_succeeds_is_a_reject_that_the_next_run_clears(
    box, ledger, customer, fault
):
    box.faults.add(method="POST", path="/customers$", times=None, **fault)
    outcome = ledger.run(customer(), customer(id="1002", email="ola@example.no"), ends_with=3)
    assert outcome.count("customers", "rejected") == 2
    assert box.go.entries("Customers") == []

    box.faults.clear()
    outcome = ledger.run(ends_with=0)

    assert outcome.count("customers", "created") == 2
    assert len(box.go.entries("Customers")) == 2


@pytest.mark.parametrize("patch_guard", ["test", "reread"])
def test_a_change_lost_while_a_bookkeeper_edits_another_property_is_merged_again(
    box, ledger, customer, patch_guard
):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    box.faults.on(
        "go",
        "PATCH",
        "/customers/",
        lambda _: box.go.edit("Customers", entry["Id"], {"PhoneNumber": "+4740000001"}),
        when="before",
    )
    box.faults.add(method="PATCH", path="/customers/", reset="before")
    edited = customer(first_name="Karianne", phone="+4798765432", updated_at="2026-01-06T10:00:00Z")

    outcome = ledger.run(edited, patch_guard=patch_guard)

    (entry,) = box.go.entries("Customers")
    assert (entry["FirstName"], entry["PhoneNumber"]) == ("Karianne", "+4740000001")
    assert "customers 1001: a change got no answer; it was not done" in outcome.log


REPEATED = {
    "create": ("POST", "/salesorders/complete$", {}),
    "patch": ("PATCH", "/salesorders/", {"reference": "Bestilling 7"}),
    "delete": ("DELETE", "/salesorders/", {"status": "cancelled"}),
}


@pytest.mark.parametrize("kind", REPEATED)
def test_a_write_that_may_have_landed_is_looked_up_though_go_turned_its_retry_away(
    box, ledger, shop, kind
):
    method, path, changes = REPEATED[kind]
    ledger.run(*(shop[:-1] if kind == "create" else shop))
    box.go.switches.read_lag_seconds = 1
    box.faults.add(method=method, path=path, reset="after")
    turned_away = box.faults.add(method=method, path=path, status=429, times=None)
    order = {**shop[-1], **changes}
    assert ledger.run(order, retry_seconds=10).status == 3
    assert turned_away.struck
    box.faults.clear()
    box.go.switches.read_lag_seconds = 0

    outcome = ledger.run(order, ends_with=0)

    assert f"checked what became of an unanswered {kind}: it was done" in outcome.log
    assert outcome.writes == []


def test_an_unanswered_change_belongs_to_its_own_entry_only(box, ledger, customer):
    ledger.run(customer())
    run = TargetPowerOfficeGo(config=ledger.config()).begin()
    try:
        go: Any = run.client
        writer = Writer(run.store, go, Brakes(), tests_patches=True, wait=ledger.let_pass)
        run.store.intents.begin("customers", "1001", "patch", {"path": "/Customers/12"})

        assert writer.open_changes("customers", "/Customers/1") == []
        assert len(writer.open_changes("customers", "/Customers/12")) == 1
    finally:
        run.close()
