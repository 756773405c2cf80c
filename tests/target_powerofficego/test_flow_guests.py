"""The customer of a guest's order: one per e-mail address, one for all guests, or none."""

import pytest


def by(email, name="Per Hansen", **more):
    return {"email": email, "name": name, "phone": None, **more}


@pytest.fixture
def five_orders(guest_order):
    """Five orders of one guest, whose e-mail address is written in different ways."""
    emails = (
        "per@example.no",
        "PER@example.no",
        " per@example.no",
        "Per@Example.no ",
        "per@EXAMPLE.no",
    )
    return [
        guest_order(id=str(9001 + n), number=str(9001 + n), buyer=by(email, f"Per {n}"))
        for n, email in enumerate(emails)
    ]


def customer_ids(box):
    return {entry["CustomerId"] for entry in box.go.entries("SalesOrders")}


def test_five_guest_orders_with_one_e_mail_make_one_customer(ledger, box, product, five_orders):
    ledger.run(product(), *five_orders, workers=8, ends_with=0)

    (guest,) = box.go.entries("Customers")
    assert customer_ids(box) == {guest["Id"]}
    assert len(box.go.entries("SalesOrders")) == 5
    names = sorted(entry["CustomerReference"] for entry in box.go.entries("SalesOrders"))
    assert names == [f"Per {n}" for n in range(5)]


def test_repeated_guest_orders_write_nothing(ledger, product, five_orders):
    ledger.run(product(), *five_orders)

    assert ledger.run(product(), *five_orders).writes == []


def test_guests_are_linked_again_when_the_link_store_is_lost(ledger, box, product, five_orders):
    ledger.run(product(), *five_orders)
    ledger.lose_link_store()

    assert ledger.run(product(), *five_orders, ends_with=0).writes == []


def test_a_guest_who_is_already_in_go_is_neither_created_again_nor_changed(
    ledger, box, product, five_orders
):
    made = box.go.create(
        "Customers",
        {"IsPerson": True, "FirstName": "P", "LastName": "H", "EmailAddress": "per@example.no"},
    )

    ledger.run(product(), *five_orders, ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert (entry["Id"], entry["FirstName"]) == (made["Id"], "P")
    assert customer_ids(box) == {made["Id"]}


def test_a_guest_who_registers_later_stays_one_customer_and_is_then_kept_up_to_date(
    ledger, box, product, customer, order, five_orders
):
    ledger.run(product(), *five_orders)
    registered = customer(id="1005", email="per@example.no", first_name="Per", last_name="Hansen")

    ledger.run(registered, order(id="9100", customer_id="1005"), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert customer_ids(box) == {entry["Id"]}
    assert len(box.go.entries("SalesOrders")) == 6

    registered["phone"] = "+4740000000"
    ledger.run(registered)
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4740000000"


def test_a_registered_guest_is_one_customer_even_after_the_link_store_is_lost(
    ledger, box, product, customer, five_orders
):
    registered = customer(id="1005", email="per@example.no", first_name="Per", last_name="Hansen")
    ledger.run(product(), *five_orders)
    ledger.run(registered)
    ledger.lose_link_store()

    assert ledger.run(registered, product(), *five_orders, ends_with=0).writes == []
    assert len(box.go.entries("Customers")) == 1


def test_a_registered_customers_guest_orders_go_to_that_customer(
    ledger, box, product, customer, five_orders
):
    ledger.run(customer(email="per@example.no"), product(), *five_orders, ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["FirstName"] == "Kari"
    assert customer_ids(box) == {entry["Id"]}


def test_guest_orders_before_the_registered_customer_in_one_run_make_one_customer(
    ledger, box, product, customer, five_orders
):
    ledger.run(*five_orders, product(), customer(email="per@example.no"), workers=8, ends_with=0)

    assert len(box.go.entries("Customers")) == 1
    assert len(box.go.entries("SalesOrders")) == 5


def test_a_guest_without_e_mail_is_a_customer_of_that_order_only(ledger, box, product, guest_order):
    orders = [guest_order(id=str(n), buyer=by(None, "Per Uten")) for n in (9001, 9002)]

    ledger.run(product(), *orders, ends_with=0)

    assert len(customer_ids(box)) == 2
    assert ledger.run(product(), *orders).writes == []


def test_a_guest_order_without_a_buyer_does_not_stop_others(ledger, box, product, guest_order):
    outcome = ledger.run(
        product(),
        guest_order(id="1", buyer=None, billing_address=None, shipping_address=None),
        guest_order(id="2"),
    )

    assert len(box.go.entries("SalesOrders")) >= 1
    assert outcome.count("orders", "created") >= 1


@pytest.mark.parametrize("number", [None, "923609016"])
@pytest.mark.parametrize(("name", "contacts"), [("Per Hansen", ["Hansen"]), (None, [])])
def test_a_buyer_with_a_company_name_is_a_company_and_the_person_its_contact(
    ledger, box, product, guest_order, number, name, contacts
):
    buyer = by("post@fjord.example.no", name, company_name="Fjord AS", organization_number=number)

    ledger.run(product(), guest_order(buyer=buyer), ends_with=0)

    (guest,) = box.go.entries("Customers")
    assert (guest["IsPerson"], guest["Name"]) == (False, "Fjord AS")
    assert [entry["LastName"] for entry in box.go.entries("ContactPersons")] == contacts


def test_a_guest_with_an_unusable_e_mail_is_rejected_and_the_order_waits(
    ledger, box, product, guest_order
):
    ledger.run(product(), guest_order(buyer=by("ikke en adresse")), ends_with=3)

    assert box.go.entries("SalesOrders") == []
    assert sorted((record.entity, record.kind) for record in ledger.unsettled()) == [
        ("customers", "reject"),
        ("orders", "parked"),
    ]


def test_a_guest_whose_e_mail_is_corrected_in_the_shop_leaves_nothing_open(
    ledger, box, product, guest_order
):
    ledger.run(product(), guest_order(buyer=by("ikke en adresse")))

    ledger.run(product(), guest_order(buyer=by("per@example.no")), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1
    assert ledger.unsettled() == []


def test_one_customer_takes_all_guest_orders(ledger, box, product, five_orders):
    counter = box.go.create("Customers", {"IsPerson": False, "Name": "Netthandel"})

    ledger.run(
        product(),
        *five_orders,
        guests="one_customer",
        guest_customer_number=counter["Number"],
        ends_with=0,
    )

    assert customer_ids(box) == {counter["Id"]}
    assert len(box.go.entries("Customers")) == 1


def test_a_guest_customer_number_that_go_does_not_have_stops_the_run_before_it_writes(
    ledger, box, product, guest_order
):
    outcome = ledger.command(
        product(), guest_order(), guests="one_customer", guest_customer_number=77, ends_with=1
    )

    assert "guest_customer_number: Go has no customer 77" in outcome.log
    assert outcome.writes == []


def test_guests_one_customer_without_guest_customer_number_stops_the_run(ledger, guest_order):
    outcome = ledger.run(guest_order(), guests="one_customer", ends_with=1)

    assert "guest_customer_number is needed" in outcome.log
    assert outcome.reads == []


def test_guests_may_be_rejected(ledger, box, product, guest_order, customer, order):
    ledger.run(
        customer(),
        product(),
        guest_order(id="9002", buyer=by("per@example.no")),
        order(),
        guests="reject",
        ends_with=3,
    )

    (reject,) = ledger.unsettled("reject")
    assert reject.shop_id == "9002"
    assert len(box.go.entries("SalesOrders")) == 1


def test_a_guest_order_already_in_go_is_still_updated_when_guests_are_rejected_later(
    ledger, box, product, guest_order
):
    ledger.run(product(), guest_order())
    edited = guest_order(reference="Bestilling 7", updated_at="2026-01-06T10:00:00Z")

    assert ledger.run(edited, guests="reject").status == 0
    assert box.go.entries("SalesOrders")[0]["PurchaseOrderReference"] == "Bestilling 7"

    ended = {**edited, "status": "cancelled", "updated_at": "2026-01-07T10:00:00Z"}
    assert ledger.run(ended, guests="reject").status == 0
    assert box.go.entries("SalesOrders") == []


@pytest.mark.parametrize("is_cancelled", [False, True])
@pytest.mark.parametrize("guests", ["reject", "one_customer"])
def test_an_invoiced_guest_order_is_credited_whatever_the_setting_is_now(
    ledger, box, product, guest_order, customer, guests, is_cancelled
):
    other = customer(email="kasse@example.no", first_name="Kasse", phone=None)
    ledger.run(product(), other, guest_order())
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    (invoice,) = box.go.entries("OutgoingInvoices")
    number = next(
        int(entry["Number"])
        for entry in box.go.entries("Customers")
        if entry["Id"] != invoice["CustomerId"]
    )
    refund = {
        "id": "r1",
        "amount_incl": "250.00",
        "lines": [],
        "created_at": "2026-01-06T09:00:00Z",
    }
    changes = {"status": "cancelled"} if is_cancelled else {"refunds": [refund]}
    record = guest_order(**changes, updated_at="2026-01-06T10:00:00Z")

    ledger.run(record, guests=guests, guest_customer_number=number, ends_with=0)

    (note,) = box.go.entries("SalesOrders")
    assert (note["TotalAmount"], note["CustomerId"]) == (-250, invoice["CustomerId"])


def test_a_changed_guest_setting_brings_rejected_guests_in(ledger, box, product, guest_order):
    ledger.run(product(), guest_order(), guests="reject")

    ledger.run(product(), guest_order(), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1


def test_a_buyer_the_shop_never_lists_is_created_from_the_corrected_order(
    ledger, box, product, order
):
    """The order names a customer that the shop does not list; its address is invalid at first."""
    broken = {"line1": "A", "postal_code": "1", "city": "B", "country_code": "Norge"}
    ledger.run(product(), order(billing_address=broken, shipping_address=None), ends_with=3)
    assert box.go.entries("SalesOrders") == []

    ledger.run(product(), order(), ends_with=0)

    assert ledger.unsettled() == []
    assert box.go.entries("Customers")[0]["ExternalImportReference"] == "testshop:1001"


def test_a_guest_that_go_refuses_is_tried_once_a_run_and_then_rests(
    ledger, box, product, five_orders
):
    refusal = {"title": "Customer validation error(s)", "detail": "no", "status": 400}
    box.faults.add(method="POST", path="/Customers$", status=400, body=refusal, times=None)

    first = ledger.run(product(), *five_orders)
    second = ledger.run(product(), *five_orders)

    assert first.calls(entity="Customers") == ["POST /Customers"]
    assert second.writes == []
    assert [record.kind for record in ledger.unsettled()].count("parked") == 5


def test_guests_with_the_same_address_share_it_even_when_posted_at_once(
    ledger, box, product, guest_order
):
    number = box.go.create("Customers", {"Name": "Nettsalg"})["Number"]
    box.faults.add(method="POST", path="/contactdeliveryaddresses/", delay_seconds=0.3, times=None)
    orders = [
        guest_order(id=str(n), number=str(n), buyer=by(f"g{n}@example.no")) for n in range(1, 4)
    ]

    ledger.run(product(), *orders, guests="one_customer", guest_customer_number=number, ends_with=0)

    assert len(box.go.entries("ContactDeliveryAddresses")) == 1
