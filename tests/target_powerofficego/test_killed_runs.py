"""The next run puts right whatever a run that was killed, at any write, left behind."""

import copy
import datetime
import time

import pytest
from clocks import machine_off_by
from target_customwebshop.target import TargetCustomWebShop
from target_powerofficego.settle.writes import SECOND_LOOK_SECONDS
from target_powerofficego.target import TargetPowerOfficeGo

pytestmark = pytest.mark.both_link_stores(if_slow=True)

EVERYTHING = {
    "Customers": 2,
    "Products": 1,
    "SalesOrders": 1,
    "ContactDeliveryAddresses": 1,
    "ContactPersons": 1,
}

CREATES = {
    "customer": ("POST", "/customers$"),
    "product": ("POST", "/products$"),
    "order": ("POST", "/salesorders/complete$"),
    "delivery address": ("POST", "/contactdeliveryaddresses/"),
    "contact person": ("POST", "/contactpersons/"),
}

CHANGES = {
    "customer": ("PATCH", "/customers/"),
    "product": ("PATCH", "/products/"),
    "order": ("PATCH", r"/salesorders/[^/]+$"),
    "changed line": ("PATCH", "/lines/"),
    "added line": ("POST", "/lines$"),
    "removed line": ("DELETE", "/lines/"),
    "delivery address": ("PATCH", "/contactdeliveryaddresses/"),
    "contact person": ("PATCH", "/contactpersons/"),
}


@pytest.fixture
def shop(customer, company, product, order, line, address):
    shipping = address(id="s1", type="shipping", line1="Kaien 2", postal_code="5003", city="Bergen")
    addresses = [address(id="b1"), shipping]
    return [
        customer(),
        company(first_name="Ola", last_name="Hansen", addresses=addresses),
        product(),
        order(lines=[line(), line(id="2")]),
    ]


@pytest.fixture
def edited_shop(shop, line):
    customer, company, product, order = copy.deepcopy(shop)
    customer["phone"] = "+4798765432"
    company["last_name"] = "Olsen"
    company["addresses"][1]["line1"] = "Kaien 3"
    product["price_excl"] = "120.00"
    lines = [
        line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00"),
        line(id="3"),
    ]
    totals = {"total_excl": "500.00", "total_tax": "125.00", "total_incl": "625.00"}
    order |= {"reference": "Bestilling 7", "lines": lines, **totals}
    return [customer, company, product, order]


@pytest.fixture
def run_and_kill(box, ledger, lines_of):
    """Run the command and kill it while Go works on a request, before or after Go acted."""

    def run(method, path, *records, moment, **settings):
        running = ledger.start(**settings)
        box.faults.on("go", method, path, lambda _: running.kill(), when=moment)
        if moment == "before":
            box.faults.add(method=method, path=path, reset="before")
        output, _ = running.communicate(lines_of(*records), timeout=30)
        assert running.returncode == -9
        assert output == ""
        box.faults.clear()

    return run


def counts(box):
    return {resource: len(box.go.entries(resource)) for resource in EVERYTHING}


@pytest.mark.parametrize(
    ("write", "moment"), [*((write, "after") for write in CREATES), ("order", "before")]
)
def test_the_next_run_completes_a_run_killed_at_a_create(
    box, ledger, shop, run_and_kill, write, moment
):
    method, path = CREATES[write]
    run_and_kill(method, path, *shop, moment=moment)

    ledger.run(*copy.deepcopy(shop), ends_with=0)

    assert counts(box) == EVERYTHING
    (order,) = box.go.entries("SalesOrders")
    assert order["TotalAmount"] == 500
    touched = ledger.run(*({**record, "updated_at": "2026-02-01T00:00:00Z"} for record in shop))
    assert touched.calls() == []


@pytest.mark.parametrize("lag_seconds", [1, 5])
@pytest.mark.parametrize("write", ["customer", "product", "order"])
def test_the_next_run_completes_a_run_killed_at_a_create_though_reads_lag_behind(
    box, ledger, shop, run_and_kill, write, lag_seconds
):
    box.go.switches.read_lag_seconds = lag_seconds
    box.go.switches.product_code_unique = False
    method, path = CREATES[write]
    run_and_kill(method, path, *shop, moment="after")

    outcomes = [ledger.run(*copy.deepcopy(shop)), ledger.run()]

    assert [outcome.status for outcome in outcomes] == [0, 0]
    assert counts(box) == EVERYTHING
    assert ledger.unsettled() == []


@pytest.mark.parametrize(
    ("write", "moment"), [*((write, "after") for write in CHANGES), ("added line", "before")]
)
def test_the_next_run_completes_a_run_killed_at_a_change(
    box, ledger, shop, edited_shop, run_and_kill, write, moment
):
    ledger.run(*shop)
    method, path = CHANGES[write]
    run_and_kill(method, path, *edited_shop, moment=moment)

    ledger.run(*copy.deepcopy(edited_shop), ends_with=0)

    assert counts(box) == EVERYTHING
    assert {entry["PhoneNumber"] for entry in box.go.entries("Customers")} == {
        "+4798765432",
        "+4791234567",
    }
    assert box.go.entries("ContactPersons")[0]["LastName"] == "Olsen"
    assert box.go.entries("ContactDeliveryAddresses")[0]["AddressLine1"] == "Kaien 3"
    assert box.go.entries("Products")[0]["UnitPrice"] == 120
    (order,) = box.go.entries("SalesOrders")
    assert order["PurchaseOrderReference"] == "Bestilling 7"
    assert [line["Quantity"] for line in order["SalesOrderLines"]] == [3, 2]
    touched = ledger.run(
        *({**record, "updated_at": "2026-02-01T00:00:00Z"} for record in edited_shop)
    )
    assert touched.calls() == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_next_run_completes_a_run_killed_at_a_deletion(box, ledger, shop, run_and_kill, moment):
    ledger.run(*shop)
    cancelled = {**shop[-1], "status": "cancelled"}
    run_and_kill("DELETE", "/salesorders/", cancelled, moment=moment)

    ledger.run(cancelled, ends_with=0)

    assert box.go.entries("SalesOrders") == []


def test_an_order_that_a_killed_run_deleted_is_no_longer_compared(box, ledger, shop, run_and_kill):
    ledger.run(*shop)
    cancelled = {**shop[-1], "status": "cancelled"}
    run_and_kill("DELETE", "/salesorders/", cancelled, moment="after")

    ledger.run(cancelled)

    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        assert not store.intents.is_comparison_due("orders", "9001")


def test_an_edit_in_the_shop_between_the_kill_and_the_next_run_is_written(
    box, ledger, customer, run_and_kill
):
    run_and_kill("POST", "/customers$", customer(), moment="after")

    ledger.run(customer(phone="+4798765432"))

    (entry,) = box.go.entries("Customers")
    assert entry["PhoneNumber"] == "+4798765432"


def test_an_edit_in_go_between_the_kill_and_the_next_run_is_kept(
    box, ledger, customer, run_and_kill
):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    run_and_kill("PATCH", "/customers/", customer(phone="+4798765432"), moment="after")
    box.go.edit("Customers", entry["Id"], {"EmailAddress": "ny@example.no"})

    assert ledger.run(customer(phone="+4798765432")).calls() == []
    (entry,) = box.go.entries("Customers")
    assert (entry["PhoneNumber"], entry["EmailAddress"]) == ("+4798765432", "ny@example.no")


def test_an_order_that_a_killed_run_posted_is_compared_with_the_shops_total(
    box, ledger, customer, product, order, run_and_kill
):
    run_and_kill("POST", "/salesorders/complete$", customer(), product(), order(), moment="after")
    (posted,) = box.go.entries("SalesOrders")

    paths = [request.path for request in ledger.run(customer(), product(), order()).reads]
    assert f"/v2/SalesOrders/{posted['Id']}/Complete" in paths


ENDS = {
    "invoiced": lambda go, order: go.send_invoice(order["Id"]),
    "deleted": lambda go, order: go.delete("SalesOrders", order["Id"]),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_order_that_a_bookkeeper_ended_after_the_kill_stops_no_later_run(
    box, ledger, shop, edited_shop, run_and_kill, customer, end
):
    ledger.run(*shop)
    run_and_kill("POST", "/lines$", *edited_shop, moment="after")
    ENDS[end](box.go, box.go.entries("SalesOrders")[0])

    outcome = ledger.run(*edited_shop, customer(id="1002", email="ola@example.no"), ends_with=3)

    assert outcome.count("customers", "created") == 1
    assert [(record.kind, record.shop_id) for record in ledger.unsettled()] == [("hold", "9001")]


def test_a_write_that_cannot_be_looked_up_delays_no_other_record(
    box, ledger, shop, edited_shop, run_and_kill, customer
):
    ledger.run(*shop)
    run_and_kill("POST", "/lines$", *edited_shop, moment="after")
    box.faults.add(method="GET", path="/lines$", status=400, times=None)

    refused = ledger.run(customer(id="1002", email="ola@example.no"), ends_with=0)
    box.faults.clear()
    ledger.run(*edited_shop, ends_with=0)

    assert refused.count("customers", "created") == 1
    assert "orders 9001: what became of an unanswered" in refused.log
    (order,) = box.go.entries("SalesOrders")
    assert [line["Quantity"] for line in order["SalesOrderLines"]] == [3, 2]


OLD = "2026-01-06T10:00:00Z"


def test_a_change_that_did_not_arrive_is_written_though_another_property_was_edited_in_go(
    box, ledger, customer, run_and_kill
):
    ledger.run(customer())
    edited = customer(first_name="Karianne", phone="+4798765432", updated_at=OLD)
    run_and_kill("PATCH", "/customers/", edited, moment="before")
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": "+4740000001"})

    outcome = ledger.run(edited)

    (entry,) = box.go.entries("Customers")
    assert (entry["FirstName"], entry["PhoneNumber"]) == ("Karianne", "+4740000001")
    assert "customers 1001: checked what became of an unanswered patch: it was not done" in (
        outcome.log
    )


def test_a_property_of_an_arrived_change_that_go_has_as_before_is_written_again(
    box, ledger, customer, run_and_kill
):
    ledger.run(customer())
    edited = customer(first_name="Karianne", phone="+4798765432")
    run_and_kill("PATCH", "/customers/", edited, moment="after")
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"FirstName": "Kari"})

    outcome = ledger.run(edited)

    (entry,) = box.go.entries("Customers")
    assert (entry["FirstName"], entry["PhoneNumber"]) == ("Karianne", "+4798765432")
    assert "it was done, except for first_name, which Go still has as before" in outcome.log


@pytest.mark.parametrize("write", ["customer", "delivery address", "contact person", "order"])
def test_a_record_that_was_reverted_after_a_killed_run_is_written_back(
    box, ledger, shop, edited_shop, run_and_kill, write
):
    ledger.run(*shop)
    method, path = CHANGES[write]
    run_and_kill(method, path, *edited_shop, moment="after")

    ledger.run(*shop, ends_with=0)

    assert {entry["PhoneNumber"] for entry in box.go.entries("Customers")} == {"+4791234567"}
    assert box.go.entries("ContactDeliveryAddresses")[0]["AddressLine1"] == "Kaien 2"
    assert box.go.entries("ContactPersons")[0]["LastName"] == "Hansen"
    assert box.go.entries("SalesOrders")[0]["PurchaseOrderReference"] is None


def test_an_address_edited_again_after_a_killed_run_is_not_a_conflict(
    box, ledger, shop, edited_shop, run_and_kill
):
    ledger.run(*shop)
    run_and_kill("PATCH", "/contactdeliveryaddresses/", *edited_shop, moment="after")
    edited_shop[1]["addresses"][1]["line1"] = "Kaien 4"

    ledger.run(*edited_shop, ends_with=0)

    assert box.go.entries("ContactDeliveryAddresses")[0]["AddressLine1"] == "Kaien 4"


@pytest.mark.parametrize("is_settled_before", [True, False])
def test_a_mail_address_edited_again_after_a_killed_run_is_not_a_conflict(
    box, ledger, customer, address, run_and_kill, is_settled_before
):
    """An edit of an address moves no stamp of its customer in Go, so no list shows it."""
    moved, again = (
        customer(addresses=[address(line1=line)], updated_at=stamp)
        for line, stamp in (
            ("Kaien 3", "2026-02-01T00:00:00Z"),
            ("Kaien 4", "2026-02-02T00:00:00Z"),
        )
    )
    box.go.switches.clock_skew_seconds = -24 * 60 * 60
    ledger.run(customer())
    box.go.switches.clock_skew_seconds = 0
    ledger.run(customer(id="2", email="another@example.no"))
    run_and_kill("PATCH", "/customers/", moved, moment="after")
    if is_settled_before:
        assert ledger.run().status == 0

    outcome = ledger.run(again)

    assert outcome.status == 0, outcome.log
    entry, _ = box.go.entries("Customers")
    assert entry["MailAddress"]["AddressLine1"] == "Kaien 4"


def test_what_a_killed_run_sent_has_a_moment_to_arrive_before_go_is_read(
    box, ledger, shop, edited_shop, run_and_kill
):
    """However long ago the change began by any clock, its last try may still be on its way."""
    ledger.run(*shop)
    run_and_kill("PATCH", "/products/", *edited_shop, moment="after")
    passed = []
    box.faults.on(
        "go", "GET", "/products/", lambda _: passed.append(box.go.switches.passed_seconds)
    )

    with machine_off_by(datetime.timedelta(hours=1)):
        assert ledger.run(*edited_shop).status == 0

    assert passed == [SECOND_LOOK_SECONDS]


def test_a_run_really_waits_for_what_a_killed_run_sent(box, ledger, shop, run_and_kill):
    run_and_kill("POST", "/products$", *shop, moment="after")
    box.requests.clear()

    ledger.command(*shop, ends_with=0)

    started = box.requests.matching("go", "POST", "/oauth/token")[0]
    read = box.requests.matching("go", "GET", "/products$")[0]
    assert read.at - started.at >= SECOND_LOOK_SECONDS
    assert TargetCustomWebShop.wait is TargetPowerOfficeGo.wait is time.sleep


LATER = "2026-02-01T00:00:00Z"


def test_an_order_that_a_killed_run_posted_keeps_its_address_when_its_customer_moves(
    box, ledger, company, product, order, address, run_and_kill
):
    """The delivery address of an order posted by a killed run is not looked up again."""
    shipping = address(type="shipping", line1="Kaien 2")
    records = [
        company(addresses=[address(id="b1"), address(id="s1", type="shipping", line1="Kaien 2")]),
        product(),
        order(customer_id="2001", shipping_address=shipping),
    ]
    run_and_kill("POST", "/salesorders/complete$", *records, moment="after")
    ledger.run(*records)
    moved = address(id="s1", type="shipping", line1="Kaien 3")
    ledger.run(company(addresses=[address(id="b1"), moved], updated_at=LATER))
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])

    outcome = ledger.run(
        order(customer_id="2001", shipping_address=shipping, updated_at=LATER), ends_with=0
    )

    assert outcome.writes == []


@pytest.mark.parametrize(("path", "moment"), [("/customers$", "after"), ("/contactp", "before")])
def test_a_guests_company_that_a_killed_run_made_gets_its_contact_person(
    box, ledger, product, guest_order, run_and_kill, path, moment
):
    buyer = {"name": "Per Dal", "email": "per@example.no", "company_name": "Dal AS"}
    records = [product(), guest_order(buyer=buyer | {"organization_number": "923609016"})]
    run_and_kill("POST", path, *records, moment=moment)

    assert ledger.run(*records).status == 0

    (person,) = box.go.entries("ContactPersons")
    assert (person["FirstName"], person["LastName"]) == ("Per", "Dal")
    assert ledger.run(*({**record, "updated_at": LATER} for record in records)).writes == []


def test_a_refund_that_a_killed_run_deducted_is_not_credited_after_invoicing(
    box, ledger, customer, product, order, run_and_kill
):
    refund = {"id": "r1", "amount_incl": "50.00", "lines": [], "created_at": LATER}
    records = [customer(), product(), order(refunds=[refund])]
    run_and_kill("POST", "/salesorders/complete$", *records, moment="after")
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])

    assert ledger.run(*records).status == 0, ledger.unsettled()
    assert box.go.entries("SalesOrders") == []
    assert [entry["TotalAmount"] for entry in box.go.entries("OutgoingInvoices")] == [200]


def test_the_buyer_of_an_order_that_a_killed_run_posted_is_known_before_the_order_comes_again(
    box, ledger, customer, product, order, run_and_kill
):
    records = [customer(), product(), order()]
    run_and_kill("POST", "/salesorders/complete$", *records, moment="after")

    ledger.run()

    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        assert store.links.get("orders", "9001").base["buyer_id"].shop == ["1001"]
