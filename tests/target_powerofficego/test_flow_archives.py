"""Customers and products that leave the shop are archived in Go, carefully and never deleted."""

import pytest
from ledger import A_PERSON

pytestmark = pytest.mark.both_link_stores(if_slow=True)

GONE = {"deleted_at": "2026-02-01T00:00:00Z"}


@pytest.fixture
def people(customer):
    return [customer(id=str(n), email=f"k{n}@example.no") for n in range(1, 13)]


def archived(box, resource="Customers"):
    return [entry["Id"] for entry in box.go.entries(resource) if entry["IsArchived"]]


@pytest.mark.parametrize("change", [GONE, {"is_active": False}])
def test_a_customer_that_left_the_shop_is_archived_by_one_patch(ledger, box, customer, change):
    ledger.run(customer())

    outcome = ledger.run(customer(**change), ends_with=0)

    assert outcome.count("customers", "archived") == 1
    (patch,) = outcome.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/IsArchived"
    ]
    assert len(archived(box)) == 1
    assert ledger.run(customer(**change)).writes == []


@pytest.mark.parametrize("change", [GONE, {"status": "archived"}])
def test_a_product_that_left_the_shop_is_archived(ledger, box, product, change):
    ledger.run(product())

    ledger.run(product(**change), ends_with=0)

    assert len(archived(box, "Products")) == 1


def test_a_draft_product_is_not_archived(ledger, box, product):
    ledger.run(product(status="draft"))

    assert archived(box, "Products") == []
    assert len(box.go.entries("Products")) == 1


def test_a_customer_that_comes_back_is_taken_out_of_the_archive(ledger, box, customer):
    ledger.run(customer())
    ledger.run(customer(**GONE))

    ledger.run(customer(), ends_with=0)

    assert archived(box) == []


def test_a_customer_that_comes_back_within_the_run_is_not_archived(ledger, box, customer):
    ledger.run(customer())

    outcome = ledger.run(customer(**GONE), customer(), ends_with=0)

    assert archived(box) == []
    assert outcome.writes == []


def test_a_record_deleted_before_it_was_in_go_is_not_created(ledger, customer, product):
    assert ledger.run(customer(**GONE), product(**GONE), ends_with=0).writes == []


def test_a_record_deleted_before_it_was_in_go_is_settled_even_if_it_cannot_be_written(
    ledger, box, customer, product
):
    for email in ("kari@example.no", "Kari@Example.no"):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": email})
    records = [
        customer(),
        customer(id="1002", email="no e-mail"),
        product(sku=None, name="Uten SKU"),
    ]
    assert ledger.run(*records).status == 3
    assert len(ledger.unsettled()) == 3

    outcome = ledger.run(*[{**record, **GONE} for record in records], ends_with=0)

    assert ledger.unsettled() == []
    assert outcome.writes == []


def test_a_deleted_customer_linked_in_go_is_archived_with_on_link_shop(ledger, box, customer):
    box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})

    ledger.run(customer(**GONE), on_link="shop", ends_with=0)

    assert len(archived(box)) == 1


def test_other_edits_are_written_with_an_archive(ledger, box, customer):
    ledger.run(customer())

    ledger.run(customer(phone="+4740000000", **GONE), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert (entry["PhoneNumber"], entry["IsArchived"]) == ("+4740000000", True)


def test_as_many_archives_as_allowed_are_done(ledger, box, people):
    ledger.run(*people)

    ledger.run(*[{**record, **GONE} for record in people[:10]], ends_with=0)

    assert len(archived(box)) == 10


def test_more_archives_than_allowed_all_become_holds(ledger, box, people, product):
    ledger.run(*people)

    outcome = ledger.run(*[{**record, **GONE} for record in people[:11]], product(), ends_with=3)

    assert archived(box) == []
    assert outcome.count("customers", "held") == 11
    assert all("max_archives" in hold.reason for hold in ledger.unsettled("hold"))
    assert len(box.go.entries("Products")) == 1


def test_the_hold_says_how_many_are_to_be_archived_and_what_to_do(ledger, people, product):
    ledger.run(*people, product())

    ledger.run(*[{**record, **GONE} for record in people[:11]], product(**GONE))

    (reason,) = {hold.reason for hold in ledger.unsettled("hold")}
    assert reason == (
        "12 customers and products are to be archived, more than max_archives (10): if that is"
        " intended, raise it for one run"
    )


@pytest.mark.slow
def test_held_archives_are_done_once_more_are_allowed(ledger, box, people):
    ledger.run(*people)
    ledger.run(*[{**record, **GONE} for record in people[:11]])

    ledger.run(max_archives=20, ends_with=0)

    assert len(archived(box)) == 11


@pytest.mark.slow
def test_held_archives_are_dropped_when_the_records_come_back(ledger, box, people):
    ledger.run(*people)
    ledger.run(*[{**record, **GONE} for record in people[:11]])

    outcome = ledger.run(*people, ends_with=0)

    assert archived(box) == []
    assert outcome.writes == []


@pytest.mark.slow
def test_held_archives_are_counted_with_those_of_the_next_run(ledger, box, people):
    """They are still too many together, even if each run brings only a few."""
    ledger.run(*people)
    ledger.run(*[{**record, **GONE} for record in people[:11]])

    ledger.run({**people[11], **GONE}, ends_with=3)

    assert archived(box) == []


def test_no_archives_at_all_may_be_allowed(ledger, box, customer):
    ledger.run(customer())

    ledger.run(customer(**GONE), max_archives=0, ends_with=3)

    assert archived(box) == []


def test_an_open_balance_parks_the_archive_until_it_is_settled(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), order())
    (sales_order,) = box.go.entries("SalesOrders")
    invoice = box.go.send_invoice(sales_order["Id"])

    outcome = ledger.run(customer(**GONE), ends_with=0)

    assert outcome.count("customers", "parked") == 1
    assert archived(box) == []

    box.go.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
    ledger.end_rests()
    ledger.run(ends_with=0)
    assert len(archived(box)) == 1
    assert ledger.unsettled() == []


def test_an_archive_waits_for_the_orders_of_the_run(ledger, box, customer, product, order):
    ledger.run(customer(), product())

    ledger.run(customer(**GONE), order(), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1
    assert len(archived(box)) == 1


def test_a_dry_run_lists_archives_without_making_them(ledger, box, customer):
    ledger.run(customer())

    outcome = ledger.run(customer(**GONE), dry_run=True)

    assert archived(box) == []
    assert "archive customers 1001" in outcome.log


def test_an_entry_archived_in_go_by_a_person_stays_archived(ledger, box, customer):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"IsArchived": True})

    ledger.run(customer(phone="+4740000000"))

    assert len(archived(box)) == 1


@pytest.mark.slow
def test_archives_that_go_refuses_do_not_count_towards_max_archives(ledger, box, people):
    ledger.run(*people[:3])
    refusal = {"title": "Customer validation error(s)", "detail": "balance", "status": 400}
    box.faults.add(method="PATCH", path="/customers/", status=400, body=refusal, times=2)
    ledger.run(*({**record, **GONE} for record in people[:2]), max_archives=2)
    assert archived(box) == []
    ledger.end_rests()

    ledger.run({**people[2], **GONE}, max_archives=2, ends_with=0)

    assert len(archived(box)) == 3


@pytest.fixture
def with_open_balance(ledger, box, customer, product, order):
    """A deleted customer with an open invoice, so that Go refuses to archive it."""
    ledger.run(customer(), product(), order())
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    assert ledger.run(customer(**GONE)).status == 0
    return customer(**GONE)


def pay_all(box):
    for invoice in box.go.entries("OutgoingInvoices"):
        box.go.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})


@pytest.mark.parametrize("is_sent_again", [True, False])
def test_an_archive_that_go_refuses_rests_longer_each_time(
    ledger, box, with_open_balance, is_sent_again
):
    records = [with_open_balance] if is_sent_again else []
    for hours in (1, 2, 4, 8, 16, 24, 24):
        (parked,) = ledger.unsettled()
        rest = parked.next_attempt_at - parked.last_seen
        assert (parked.kind, round(rest.total_seconds() / 3600)) == ("parked", hours)
        assert "Go does not archive it yet" in parked.reason
        again = ledger.run(*records)
        assert (again.status, again.writes, again.count("customers", "parked")) == (0, [], 1)
        ledger.end_rests()
        assert len(ledger.run(*records).writes) == 1
    pay_all(box)
    ledger.end_rests()

    ledger.run(*records, ends_with=0)

    assert (len(archived(box)), ledger.unsettled()) == (1, [])


def test_an_edited_record_whose_archive_was_refused_is_tried_at_once(
    ledger, box, with_open_balance
):
    pay_all(box)

    ledger.run({**with_open_balance, "phone": "+4740000000"}, ends_with=0)

    assert len(archived(box)) == 1


def test_a_customer_that_comes_back_before_the_next_attempt_is_not_archived(
    ledger, box, with_open_balance
):
    pay_all(box)

    ledger.run({**with_open_balance, "deleted_at": None}, ends_with=0)

    ledger.end_rests()
    assert ledger.run().writes == []
    assert (archived(box), ledger.unsettled()) == ([], [])


@pytest.mark.slow
def test_acknowledged_held_archives_stay_acknowledged(ledger, box, people):
    ledger.run(*people)
    ledger.run(*({**record, **GONE} for record in people))
    ledger.acknowledge_all()

    ledger.run(ends_with=0)

    assert archived(box) == []
    assert {record.kind for record in ledger.unsettled()} == {"hold"}


INVALID_STAMPS = ["0000-00-00 00:00:00", "false", "2026-02-01", True, {"at": None}]


@pytest.mark.parametrize("deleted_at", INVALID_STAMPS)
def test_a_deleted_at_that_is_not_a_stamp_deletes_and_archives_nothing(
    ledger, box, customer, product, order, deleted_at
):
    ledger.run(customer(), product(), order())
    records = [make(deleted_at=deleted_at) for make in (customer, product, order)]

    assert ledger.run(*records, ends_with=3).writes == []
    rejects = ledger.unsettled("reject")
    assert sorted(record.entity for record in rejects) == ["customers", "orders", "products"]
    assert all("deleted_at" in record.reason for record in rejects)
    assert len(box.go.entries("SalesOrders")) == 1


@pytest.mark.parametrize("deleted_at", [None, "", " "])
def test_an_empty_deleted_at_is_not_a_deletion(ledger, box, customer, deleted_at):
    assert ledger.run(customer(deleted_at=deleted_at)).status == 0
    assert archived(box) == []
    assert len(box.go.entries("Customers")) == 1
