"""A record that the shop deleted owns nothing: another record takes over its entry in Go."""

import copy

import pytest
from target_powerofficego.store.link_store import LinkStore

LATER, LAST = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
GONE = {"deleted_at": LATER, "updated_at": LATER}
ANEW = {"created_at": LAST, "updated_at": LAST}
RESOURCES = {"customer": "Customers", "company": "Customers", "product": "Products"}


@pytest.fixture(params=RESOURCES)
def kind(request):
    return request.param


@pytest.fixture
def make(kind, request):
    """Makes a record of this kind, with changes."""
    return request.getfixturevalue(kind)


@pytest.fixture
def entries(box, kind):
    """Returns the entries of this kind in Go."""
    return lambda: box.go.entries(RESOURCES[kind])


@pytest.fixture
def edit(kind):
    """An edit of a record of this kind, and what Go then has."""
    if kind == "product":
        return {"price_excl": "160.00", "price_incl": "200.00"}, ("UnitPrice", 160)
    return {"phone": "+4798765432"}, ("PhoneNumber", "+4798765432")


@pytest.fixture
def sold(kind, order, line):
    """Makes an order that needs a record of this kind."""

    def make_order(record, **changes):
        if kind == "product":
            return order(lines=[line(product_id=record["id"])], **changes)
        return order(customer_id=record["id"], **changes)

    return make_order


@pytest.mark.both_link_stores
@pytest.mark.parametrize(
    "runs",
    [["old", "gone", "new"], ["old", "new", "gone"], ["old", "gone new"], ["old", "new gone"]],
)
def test_a_recreated_record_takes_over_in_any_order_of_events(
    ledger, customer, product, make, edit, entries, sold, runs, box
):
    changes, (member, value) = edit
    records = {"old": make(), "gone": make(**GONE), "new": make(id="77", **ANEW, **changes)}
    order = sold(records["new"], id="9100")
    for number, run in enumerate(runs):
        arrived = [copy.deepcopy(records[name]) for name in run.split()]
        background = [customer(), product()] if not number else []
        outcome = ledger.run(*background, *arrived, *([order] if "new" in run else []))

    assert outcome.status == 0
    assert ledger.unsettled() == []
    (entry,) = [entry for entry in entries() if entry[member] == value]
    assert not entry["IsArchived"]
    assert [entry["ExternalImportReference"] for entry in box.go.entries("SalesOrders")] == [
        "testshop:9100"
    ]
    assert len(entries()) == (2 if make(id="0").get("type") == "company" else 1)
    again = [
        {**record, "updated_at": "2026-05-01T00:00:00Z"} for record in (records["gone"], order)
    ]
    assert ledger.run(*again, records["new"]).writes == []


def test_an_order_from_before_a_takeover_still_finds_its_entries(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), order())
    ledger.run(customer(**GONE), product(**GONE))
    ledger.run(customer(id="77", **ANEW), product(id="78", **ANEW))

    ledger.run(order(reference="Bestilling 7", updated_at=LAST), ends_with=0)

    assert box.go.entries("SalesOrders")[0]["PurchaseOrderReference"] == "Bestilling 7"
    assert (len(box.go.entries("Customers")), len(box.go.entries("Products"))) == (1, 1)


def test_the_deleted_record_sent_again_later_archives_nothing(ledger, make, entries):
    ledger.run(make())
    ledger.run(make(**GONE))
    ledger.run(make(id="77", **ANEW))

    outcome = ledger.run(make(deleted_at=LATER, updated_at="2026-06-01T00:00:00Z"))

    assert (outcome.status, outcome.writes) == (0, [])
    assert [entry["IsArchived"] for entry in entries()] == [False]


def test_a_record_that_comes_back_after_another_took_over_is_held(ledger, box, product):
    ledger.run(product())
    ledger.run(product(**GONE), product(id="77", **ANEW))

    outcome = ledger.run(product(updated_at=LAST))

    assert (outcome.status, outcome.writes) == (3, [])
    (hold,) = ledger.unsettled("hold")
    assert hold.shop_id == "501"
    assert "the same SKU as product 77" in hold.reason
    assert ledger.run(product(sku="ULL-2", updated_at=LAST)).status == 0
    assert sorted(entry["Code"] for entry in box.go.entries("Products")) == ["ULL-1", "ULL-2"]


@pytest.mark.both_link_stores
def test_two_records_that_claim_one_entry_are_both_held_until_one_is_deleted(ledger, box, product):
    ledger.run(product())
    rivals = [product(id="77", **ANEW), product(id="78", **ANEW)]

    outcome = ledger.run(product(**GONE), *rivals, workers=8)

    assert (outcome.status, outcome.count("products", "held")) == (3, 2)
    reasons = {record.shop_id: record.reason for record in ledger.unsettled("hold")}
    assert "and so does 78" in reasons["77"]
    assert "and so does 77" in reasons["78"]
    assert box.go.entries("Products")[0]["IsArchived"]
    ledger.acknowledge_all()
    assert ledger.run().status == 0

    ledger.run({**rivals[0], **GONE, "updated_at": LAST}, ends_with=0)

    assert ledger.unsettled() == []
    assert not box.go.entries("Products")[0]["IsArchived"]


def test_a_person_with_the_e_mail_but_another_name_is_held(ledger, box, customer):
    ledger.run(customer(), customer(id="5", email="x@example.no"))
    ledger.run(customer(**GONE))
    other = customer(id="77", name="Ola Hansen", first_name="Ola", last_name="Hansen", **ANEW)

    outcome = ledger.run(other)

    assert (outcome.status, outcome.writes) == (3, [])
    (hold,) = ledger.unsettled("hold")
    assert "the e-mail of customer 1001, whom the shop deleted, but another name" in hold.reason

    (entry,) = [entry for entry in box.go.entries("Customers") if entry["IsArchived"]]
    box.go.edit("Customers", entry["Id"], {"FirstName": "ola ", "LastName": "HANSEN"})
    assert ledger.run().status == 0
    assert not box.go.entry("Customers", entry["Id"])["IsArchived"]


def test_a_record_recreated_under_the_same_id_takes_over_once_the_first_was_deleted(
    ledger, make, edit, entries
):
    changes, (member, value) = edit
    ledger.run(make())
    ledger.run(make(**GONE))

    outcome = ledger.run(make(**ANEW, **changes))

    assert (outcome.status, len(outcome.writes)) == (0, 1)
    (entry,) = entries()
    assert (entry[member], entry["IsArchived"]) == (value, False)
    replayed = ledger.run(make(deleted_at=LATER, updated_at="2026-06-01T00:00:00Z"))
    assert (replayed.status, replayed.writes) == (0, [])
    assert ledger.run(make(**ANEW, **changes)).writes == []


def test_another_record_under_a_deleted_id_is_held(ledger, make, kind):
    ledger.run(make())
    ledger.run(make(**GONE))
    other = {"sku": "ANN"} if kind == "product" else {"email": "ola@example.no"}
    if kind == "company":
        other = {"organization_number": "974760673"}

    outcome = ledger.run(make(**ANEW, **other))

    assert (outcome.status, outcome.writes) == (3, [])
    assert "another record under the id" in ledger.unsettled("hold")[0].reason


def test_a_follower_takes_over_the_entry_of_a_deleted_company(ledger, box, company):
    second = company(id="2002", email="b@example.no", phone="+4798765432")
    ledger.run(company(), second)

    outcome = ledger.run(company(**GONE))

    assert (outcome.status, len(outcome.writes)) == (0, 1)
    ledger.run(company(id="2003", phone="+4711111111", **ANEW))
    (entry,) = box.go.entries("Customers")
    assert (entry["IsArchived"], entry["PhoneNumber"]) == (False, "+4798765432")
    assert ledger.run(second, company(**GONE)).writes == []


def test_of_two_new_companies_the_first_takes_over_and_the_second_shares(ledger, box, company):
    ledger.run(company())
    phones = {"77": "+4798765432", "78": "+4711111111"}
    new = [company(id=record_id, phone=phone, **ANEW) for record_id, phone in phones.items()]

    ledger.run(*new, company(**GONE), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert (entry["IsArchived"], entry["PhoneNumber"]) == (False, "+4798765432")


def test_a_guest_with_the_e_mail_of_a_deleted_customer_unarchives_its_entry(
    ledger, box, customer, product, guest_order
):
    ledger.run(customer(), product(), guest_order())
    ledger.run(customer(**GONE))
    assert box.go.entries("Customers")[0]["IsArchived"]

    assert ledger.run(guest_order(note="Til døren", updated_at=LAST)).status == 0
    assert box.go.entries("Customers")[0]["IsArchived"]
    ledger.run(guest_order(id="9002", number="9002"), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert (entry["IsArchived"], entry["PhoneNumber"]) == (False, "+4791234567")
    assert {entry["CustomerId"] for entry in box.go.entries("SalesOrders")} == {entry["Id"]}
    assert ledger.run(customer(**GONE), guest_order(id="9002", number="9002")).writes == []


def test_a_customer_who_registers_again_takes_over_rather_than_a_guest(
    ledger, box, customer, product, guest_order
):
    ledger.run(customer(), product(), guest_order())
    new = customer(id="77", phone="+4798765432", **ANEW)

    ledger.run(customer(**GONE), new, guest_order(id="9002", number="9002"), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert (entry["IsArchived"], entry["PhoneNumber"]) == (False, "+4798765432")
    assert len(box.go.entries("SalesOrders")) == 2


def test_a_held_buyer_that_is_never_listed_does_not_count_as_deleted(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), order(customer_id="5"))
    assert [record.entity for record in ledger.unsettled("hold")] == ["customers"]
    ledger.run()
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"EmailAddress": "ny@example.no"})

    assert ledger.run().status == 0
    assert [entry["IsArchived"] for entry in box.go.entries("Customers")] == [False, False]


def test_a_plan_lists_takeovers(ledger, product, tmp_path):
    ledger.run(product())
    ledger.run(product(**GONE))
    path = tmp_path / "changes.jsonl"
    new = product(id="77", name="Genser", **ANEW)

    dry = ledger.run(new, dry_run=True, changes_file=str(path))
    planned = path.read_text(encoding="utf-8")
    real = ledger.run(new, changes_file=str(path))

    assert (dry.writes, len(real.writes)) == ([], 1)
    assert path.read_text(encoding="utf-8") == planned
    assert "link products 77: takes over the entry of 501" in dry.log
    assert "Name: Ullgenser → Genser" in dry.log


@pytest.mark.both_link_stores
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_during_a_takeover_is_completed_by_the_next(
    ledger, box, product, lines_of, moment
):
    ledger.run(product())
    ledger.run(product(**GONE))
    new = product(id="77", name="Genser", **ANEW)
    running = ledger.start()
    box.faults.on("go", "PATCH", "/products/", lambda _: running.kill(), when=moment)
    if moment == "before":
        box.faults.add(method="PATCH", path="/products/", reset="before")
    running.communicate(lines_of(new), timeout=30)
    box.faults.clear()

    ledger.run(product(**GONE), new, ends_with=0)

    (entry,) = box.go.entries("Products")
    assert (entry["Name"], entry["IsArchived"]) == ("Genser", False)
    assert ledger.run({**new, "updated_at": "2026-05-01T00:00:00Z"}).writes == []


def test_a_recreated_customer_takes_over_even_when_the_link_store_was_lost(
    ledger, box, customer, product, order
):
    records = [customer(id="77", **ANEW), customer(**GONE), product(), order()]
    ledger.run(customer(), product(), order())
    ledger.run(*records)
    ledger.lose_link_store()

    outcome = ledger.run(*records)

    assert (outcome.status, outcome.writes) == (0, [])
    assert ledger.run({**records[0], "phone": "+4798765432"}).status == 0
    assert box.go.entries("Customers")[0]["PhoneNumber"] == "+4798765432"


def test_archives_made_needless_by_a_new_record_are_not_counted(ledger, box, product):
    ledger.run(product())

    ledger.run(product(**GONE), product(id="77", **ANEW), max_archives=0, ends_with=0)

    assert not box.go.entries("Products")[0]["IsArchived"]


@pytest.mark.parametrize("changes", [GONE, {"is_active": False, "status": "archived"}])
@pytest.mark.parametrize("is_at_once", [True, False])
def test_records_that_left_the_shop_before_their_first_order_are_archived_with_it(
    ledger, box, customer, product, order, changes, is_at_once
):
    left = [customer(**changes), product(**changes)]
    if not is_at_once:
        assert ledger.run(*left).writes == []

    ledger.run(*(left if is_at_once else ()), order(), max_archives=0, ends_with=0)

    assert [entry["IsArchived"] for entry in box.go.entries("Customers")] == [True]
    assert [entry["IsArchived"] for entry in box.go.entries("Products")] == [True]
    assert len(box.go.entries("SalesOrders")) == 1
    assert ledger.run(*left, order()).writes == []


def test_a_run_killed_between_the_first_order_and_the_archive_is_completed_by_the_next(
    ledger, box, customer, product, order, lines_of
):
    records = [customer(**GONE), product(), order()]
    running = ledger.start()
    box.faults.on("go", "POST", "/customers$", lambda _: running.kill(), when="after")
    running.communicate(lines_of(*records), timeout=30)
    box.faults.clear()

    ledger.run(*records, ends_with=0)

    assert [entry["IsArchived"] for entry in box.go.entries("Customers")] == [True]
    assert len(box.go.entries("SalesOrders")) == 1


def test_an_erased_customer_is_no_longer_known_as_deleted(ledger, customer):
    ledger.run(customer())
    ledger.run(customer(**GONE))
    store = LinkStore(str(ledger.link_store))
    store.namespaces.enter_existing("testshop")
    assert store.settled.was_deleted("customers", "1001")

    store.forget_record("customers", "1001")

    assert not store.settled.was_deleted("customers", "1001")
    store.close()


def test_a_deletion_of_a_later_record_with_the_same_id_archives_and_writes_nothing_else(
    ledger, box, product
):
    ledger.run(product())

    outcome = ledger.run(product(name="Annet", **{**GONE, "created_at": LATER}))

    assert (outcome.status, len(outcome.writes)) == (0, 1)
    (entry,) = box.go.entries("Products")
    assert (entry["Name"], entry["IsArchived"]) == ("Ullgenser", True)
    assert ledger.run(product(name="Genser", **ANEW)).status == 0
    (entry,) = box.go.entries("Products")
    assert (entry["Name"], entry["IsArchived"]) == ("Genser", False)
