"""Customers and products created from an order that needs them, and what happens to them later."""

import datetime

GONE = {
    "is_active": False,
    "deleted_at": "2026-02-01T00:00:00Z",
    "updated_at": "2026-02-01T00:00:00Z",
}


def test_a_customer_made_from_an_order_gets_everything_that_the_shop_later_sends(
    ledger, box, customer, product, order
):
    ledger.run(product(), order())

    ledger.run(customer(tax_exempt=True, phone="+4798765432"), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["IsVatFree"] is True
    assert entry["PhoneNumber"] == "+4798765432"
    assert entry["MailAddress"]["City"] == "Oslo"


def test_a_product_made_from_an_order_gets_everything_that_the_shop_later_sends(
    ledger, box, customer, product, order
):
    ledger.run(customer(), order())

    ledger.run(product(cost_price="40.00", description="Varm og god"))

    (entry,) = box.go.entries("Products")
    assert entry["UnitCost"] == 40
    assert entry["Description"] == "Varm og god"


def test_a_record_read_before_it_was_made_from_an_order_is_not_an_older_version(
    ledger, box, customer, product, order
):
    ledger.run(product(), order())
    read_before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    record = customer(phone="+4798765432", updated_at=None)
    stamped = {"record": record, "time_extracted": read_before.isoformat()}

    ledger.run({"type": "RECORD", "stream": "customers", **stamped}, ends_with=0)

    assert ledger.unsettled() == []
    (entry,) = box.go.entries("Customers")
    assert entry["PhoneNumber"] == "+4798765432"


def test_the_id_of_a_made_customer_cannot_later_belong_to_another(
    ledger, box, customer, product, order
):
    ledger.run(product(), order())
    ledger.run(customer())

    ledger.run(customer(created_at="2026-03-03T00:00:00Z", phone="+4740000000"), ends_with=3)

    assert "another record under the id 1001" in ledger.unsettled("hold")[0].reason


def test_an_order_whose_rejected_customer_then_left_the_shop_is_still_posted(
    ledger, box, customer, product, order
):
    ledger.run(customer(first_name=["Kari"]), product(), order())
    assert box.go.entries("SalesOrders") == []

    ledger.run(customer(**GONE), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1
    assert ledger.unsettled() == []


def test_an_order_whose_rejected_product_then_left_the_shop_is_still_posted(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(price_excl="x"), order())

    ledger.run(product(status="archived", updated_at="2026-02-01T00:00:00Z"))

    assert len(box.go.entries("SalesOrders")) == 1
    assert ledger.unsettled() == []


def test_a_product_whose_create_got_no_answer_is_not_made_again_by_the_next_order(
    ledger, box, customer, order
):
    box.go.switches.product_code_unique = False
    box.faults.add(method="POST", path="/products$", status=503, after_commit=True)
    box.faults.on(
        "go",
        "POST",
        "/products$",
        lambda _: box.faults.add(method="GET", path="/products$", status=400),
    )

    ledger.run(customer(), order(), order(id="9002", number="9002"), workers=1)
    ledger.run()

    assert [entry["Code"] for entry in box.go.entries("Products")] == ["ULL-1"]
    assert len(box.go.entries("SalesOrders")) == 2
