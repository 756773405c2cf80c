"""`powerofficego-links erase`: personal data leaves the link store; Go archives the customer."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from target_powerofficego.dataflow.orders.order import money_members
from target_powerofficego.decisions.personal_data import impersonal_order

ORG_NR = "923609016"
KARI = "kunde-4711"
REFUND = {"id": "r1", "amount_incl": "50.00", "created_at": "2026-01-06T09:00:00Z"}
PERSONAL = (
    *("kari@example.no", "Kari", "Nordmann", "91234567", "40000000", "99887766"),
    *("Storgata", "Fjellveien", "Kontoret", KARI),
)


@pytest.fixture
def erase(listed):
    """Erases a customer, by default Kari; returns what was printed."""
    return lambda *words: listed("erase", "customer", *(words or [KARI]), "--yes")


@pytest.fixture
def kari(customer, address):
    """Makes the customer who asks to be erased, with a delivery address."""

    def make(**changes):
        shipping = address(id="a1", type="shipping", line1="Fjellveien 9")
        return customer(**{"id": KARI, "addresses": [address(), shipping], **changes})

    return make


@pytest.fixture
def order_of_kari(order, address):
    """Makes an order of hers, with personal data."""

    def make(**changes):
        shipping = address(type="shipping", line1="Fjellveien 9")
        texts = {"customer_id": KARI, "reference": "Kontoret til Kari", "note": "Hilsen Kari"}
        return order(**{"shipping_address": shipping, **texts, **changes})

    return make


@pytest.fixture
def records(kari, product, order_of_kari, guest_order):
    """What the shop has about her: the customer, an order, a held order and a guest order."""
    refund = {"id": "1", "reason": "Kari angret", "amount_incl": "20.00"}
    payment = {"id": "1", "method": "vipps", "status": "paid", "reference": "fra Kari"}
    return [
        kari(),
        product(),
        order_of_kari(),
        order_of_kari(id="9002", refunds=[refund], total_refunded="50.00", payments=[payment]),
        guest_order(id="9003"),
    ]


def left_in(path):
    """Return the personal values that are still somewhere in the files of a link store."""
    files = [file.read_bytes() for file in path.parent.glob(f"{path.name}*")]
    with closing(sqlite3.connect(path)) as store:
        dump = "\n".join(store.iterdump())
    return [
        value
        for value in PERSONAL
        if value in dump or any(value.encode() in content for content in files)
    ]


def customer_of(box):
    (entry,) = box.go.entries("Customers")
    return entry


def test_before_an_erasure_the_store_contains_the_personal_data(ledger, records):
    ledger.run(*records)

    assert set(left_in(ledger.link_store)) >= {"kari@example.no", "Kari", "Nordmann", KARI}


def test_all_personal_data_leaves_the_link_store_and_does_not_return(ledger, box, erase, records):
    ledger.run(*records)
    addresses = box.go.entries("ContactDeliveryAddresses")

    erase()
    assert left_in(ledger.link_store) == []

    outcome = ledger.run(*records, full_check_hours=0.000001)

    assert left_in(ledger.link_store) == []
    assert customer_of(box)["IsArchived"] is True
    assert outcome.calls() == [f"PATCH /Customers/{customer_of(box)['Id']}"]
    assert len(box.go.entries("SalesOrders")) == 2
    assert box.go.entries("ContactDeliveryAddresses") == addresses
    assert [record.shop_id for record in ledger.unsettled("hold")] == ["9002"]

    assert ledger.run(*records).writes == []
    assert left_in(ledger.link_store) == []


def test_edits_of_an_erased_customer_are_neither_written_nor_stored(
    ledger, box, erase, records, kari
):
    ledger.run(*records)
    erase()
    ledger.run()
    before = box.go.entries("Customers")

    outcome = ledger.run(kari(phone="+4740000000"), kari(email="no e-mail", phone=[]))

    assert outcome.status == 3  # the held order still waits
    assert outcome.count("customers", "skipped") == 1
    assert outcome.writes == []
    assert box.go.entries("Customers") == before
    assert left_in(ledger.link_store) == []


def test_new_orders_of_an_erased_customer_are_written_and_stored_without_the_buyer(
    ledger, box, erase, records, order_of_kari, guest_order
):
    ledger.run(*records)
    erase()

    rejected = {**order_of_kari(id="9006"), "fees": [1]}
    ledger.run(order_of_kari(id="9004"), guest_order(id="9005"), rejected)

    buyers = [entry["CustomerId"] for entry in box.go.entries("SalesOrders")]
    assert buyers == [customer_of(box)["Id"]] * 4
    assert left_in(ledger.link_store) == []


def test_an_edit_of_an_order_from_before_the_erasure_is_one_patch(
    ledger, erase, records, order_of_kari
):
    ledger.run(*records)
    erase()
    ledger.run()

    outcome = ledger.run(order_of_kari(shipped_at="2026-01-08T09:00:00Z"))

    (patch,) = outcome.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/DeliveryDate"
    ]
    assert left_in(ledger.link_store) == []


def test_a_rounded_order_can_still_be_edited_after_an_erasure(
    ledger, erase, kari, product, order_of_kari
):
    ledger.settings |= {
        "sales_accounts": {"25": 3000, "0": 3100},
        "rounding_product_code": "AVRUND",
    }
    shop_order = order_of_kari(rounding="-0.40", total_incl="249.60")
    ledger.run(kari(), product(), shop_order)
    erase()
    ledger.run()

    outcome = ledger.run({**shop_order, "shipped_at": "2026-01-08T09:00:00Z"})

    assert ledger.unsettled() == []
    (patch,) = outcome.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/DeliveryDate"
    ]


def test_a_refund_from_before_the_invoice_is_not_credited_after_an_erasure(
    ledger, box, erase, kari, product, order_of_kari
):
    shop_order = order_of_kari(refunds=[REFUND], total_refunded="50.00")
    ledger.run(kari(), product(), shop_order)
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    erase()

    ledger.run({**shop_order, "shipped_at": "2026-01-08T09:00:00Z"})

    assert box.go.entries("SalesOrders") == []
    assert ledger.unsettled("reject", "hold") == []


def test_an_order_whose_credited_refund_disappeared_is_held_after_an_erasure(
    ledger, box, erase, kari, product, order_of_kari
):
    ledger.run(kari(), product(), order_of_kari())
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    ledger.run(order_of_kari(refunds=[REFUND], total_refunded="50.00"))
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    erase()

    ledger.run(order_of_kari(shipped_at="2026-01-08T09:00:00Z"))

    (hold,) = ledger.unsettled("hold")
    assert 'the shop no longer sends the refund "r1", but 50.00 was credited' in hold.reason


def test_an_order_without_personal_data_keeps_all_its_amounts(order):
    shop_order = order(rounding="0.40", refunds=[{"id": "r1", "amount_incl": "10.00"}])

    kept = impersonal_order(shop_order, "erased:1")

    assert money_members(kept) == money_members(shop_order)
    assert "rounding" in money_members(shop_order)


def test_a_held_order_of_an_erased_customer_is_written_once_it_is_corrected(
    ledger, erase, records, order_of_kari
):
    ledger.run(*records)
    erase()

    outcome = ledger.run(order_of_kari(id="9002"))

    assert outcome.count("orders", "created") == 1
    assert ledger.unsettled() == []
    assert left_in(ledger.link_store) == []


def test_conflicts_of_an_erased_customer_are_removed(ledger, box, links, erase, records, kari):
    ledger.run(*records)
    box.go.edit("Customers", customer_of(box)["Id"], {"PhoneNumber": "99887766"})
    ledger.run(kari(phone="+4740000000"))
    assert "99887766" in links("conflicts", "--show-values").output

    erase()

    assert left_in(ledger.link_store) == []
    assert "40000000" not in links("conflicts", "--show-values").output
    assert ledger.run().status == 3
    assert [record.shop_id for record in ledger.unsettled()] == ["9002"]


def test_a_customer_with_an_open_balance_is_archived_by_a_later_attempt(
    ledger, box, links, erase, records
):
    ledger.run(*records)
    (go_id,) = [
        entry["Id"]
        for entry in box.go.entries("SalesOrders")
        if entry["ExternalImportReference"] == "testshop:9001"
    ]
    invoice = box.go.send_invoice(go_id)
    erase()

    outcome = ledger.run()
    assert customer_of(box)["IsArchived"] is False
    assert "the customer has an open balance; it is tried again after" in outcome.log
    assert outcome.count("customers", "parked") == 0
    assert "perhaps because the customer has an open balance" in links("parked").output

    box.go.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
    outcome = ledger.run()
    assert (outcome.writes, customer_of(box)["IsArchived"]) == ([], False)
    assert not [request for request in outcome.reads if "/customers/" in request.path.lower()]
    assert links("retry", "--all").exit_code == 0
    ledger.run()
    assert customer_of(box)["IsArchived"] is True
    assert ledger.unsettled("parked") == []
    assert ledger.run().writes == []


def test_a_delayed_answer_about_an_archived_customer_does_not_stop_a_run(
    ledger, box, erase, records, customer
):
    ledger.run(*records)
    erase()
    box.go.switches.read_lag_reads = 10_000
    box.faults.add(method="PATCH", path="/customers/", reset="after")

    for _ in ("without an answer", "not shown yet"):
        assert ledger.run(customer(id="77", email="ola@example.no")).status in (0, 3)
    box.go.switches.read_lag_reads = 0

    assert ledger.run(ends_with=None).status in (0, 3)
    (archived,) = [entry for entry in box.go.entries("Customers") if entry["IsArchived"]]
    assert archived["ExternalImportReference"]
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        assert store.erasures.open() == []


def test_an_erased_customer_that_was_deleted_in_go_is_not_archived(ledger, box, erase, kari):
    ledger.run(kari())
    erase()
    box.go.delete("Customers", customer_of(box)["Id"])

    ledger.run(ends_with=0)

    assert not [request for request in ledger.run().reads if "/customers/" in request.path.lower()]


def test_a_dry_run_lists_the_archiving_and_changes_nothing(ledger, box, erase, records):
    ledger.run(*records)
    erase()

    outcome = ledger.run(dry_run=True)

    assert "archive customers erased:" in outcome.log
    assert customer_of(box)["IsArchived"] is False
    ledger.run()
    assert customer_of(box)["IsArchived"] is True


def test_a_new_customer_with_the_e_mail_address_of_an_erased_one_is_created(
    ledger, box, erase, records, customer
):
    ledger.run(*records)
    erase()

    ledger.run(customer(id="1005"))

    references = {entry["ExternalImportReference"] for entry in box.go.entries("Customers")}
    assert references == {f"testshop:{KARI}", "testshop:1005"}


@pytest.mark.parametrize("by_email", [True, False])
def test_a_guest_is_erased_by_e_mail_address_or_by_id(
    ledger, box, erase, product, guest_order, by_email
):
    ledger.run(product(), guest_order())
    with ledger.store() as store:
        (guest,) = [link.shop_id for _, link in store.links.in_all_namespaces("customers")]

    words = ["--email", " Kari@example.no"] if by_email else [guest]
    erase(*words)
    ledger.run(product(), guest_order(), guest_order(id="9002"))

    assert left_in(ledger.link_store) == []
    with closing(sqlite3.connect(ledger.link_store)) as dumped:
        assert guest not in "\n".join(dumped.iterdump())
    assert customer_of(box)["IsArchived"] is True
    assert len(box.go.entries("SalesOrders")) == 2


def test_erasing_a_guest_names_the_customer_who_shares_the_entry(ledger, box, erase, records):
    ledger.run(*records)

    printed = erase("--email", "kari@example.no")

    assert f"belongs to customer {KARI}; erase that one too" in printed
    ledger.run()
    assert customer_of(box)["IsArchived"] is False
    erase()
    assert left_in(ledger.link_store) == []
    ledger.run()
    assert customer_of(box)["IsArchived"] is True


def test_a_company_that_another_customer_shares_is_erased_only_after_it(
    ledger, box, links, erase, company
):
    ledger.run(company(), company(id="2002", email="per@example.no"))

    refused = links("erase", "customer", "2001", "--yes")
    assert refused.exit_code == 1
    assert "customer 2002 shares the customer" in refused.output
    assert "erase or unlink 2002 first; nothing was erased" in refused.output

    erase("2002")
    outcome = ledger.run(company(), company(id="2002", email="per@example.no"))
    assert outcome.writes == []
    assert customer_of(box)["IsArchived"] is False
    erase("2001")
    ledger.run()
    assert customer_of(box)["IsArchived"] is True


def test_a_follower_whose_leader_was_unlinked_is_erased_without_a_change_in_go(
    ledger, box, links, erase, company
):
    ledger.run(company(), company(id="2002", email="per@example.no"))
    links("unlink", "customers", "2001", "--yes")

    printed = erase("2002")
    outcome = ledger.run(company())

    assert "is not changed, because it was only shared" in printed
    assert outcome.writes == []
    assert customer_of(box)["IsArchived"] is False
    assert outcome.count("customers", "linked") == 1


def test_erasing_a_follower_leaves_the_orders_of_its_leader_unchanged(
    ledger, box, erase, company, product, order
):
    leader, follower = company(), company(id="2002", email="per@example.no")
    of_leader = order(customer_id="2001", reference="PO 1")
    of_follower = order(id="9002", customer_id="2002", reference="Kontoret")
    ledger.run(leader, follower, product(), of_leader, of_follower)

    assert "and the buyer of 1 order\n" in erase("2002")
    assert left_in(ledger.link_store).count("Kontoret") == 0
    outcome = ledger.run({**of_leader, "reference": "PO 2", "updated_at": "2026-01-06T10:00:00Z"})

    assert outcome.status == 0
    references = {entry["PurchaseOrderReference"] for entry in box.go.entries("SalesOrders")}
    assert references == {"PO 2", "Kontoret"}


@pytest.mark.parametrize("changes", [{"email": "no e-mail"}, {}])
def test_an_erased_customer_that_was_never_in_go_is_not_stored_again(
    ledger, box, erase, kari, changes
):
    ledger.run(kari(email="no e-mail"))

    printed = erase()

    assert "never in Go; if the shop sends it again, nothing is created or stored" in printed
    outcome = ledger.run(kari(**changes))
    assert outcome.status == 0
    assert left_in(ledger.link_store) == []
    assert ledger.unsettled() == []
    assert box.go.entries("Customers") == []


def test_of_a_customer_deleted_in_the_shop_and_never_in_go_not_even_the_id_remains(
    ledger, erase, kari
):
    ledger.run(kari(email="no e-mail", deleted_at="2026-02-01T00:00:00Z"))
    assert left_in(ledger.link_store) == [KARI]

    erase()

    assert left_in(ledger.link_store) == []


def test_a_later_order_of_an_erased_customer_that_was_never_in_go_is_rejected(
    ledger, box, erase, kari, product, order_of_kari
):
    ledger.run(kari(email="no e-mail"))
    erase()

    outcome = ledger.run(product(), order_of_kari())

    assert outcome.status == 3
    (reject,) = ledger.unsettled()
    assert "post the order by hand in Go, then acknowledge" in reject.reason
    assert left_in(ledger.link_store) == []
    assert box.go.entries("Customers") == []


def test_a_customer_whose_parked_orders_would_be_lost_is_not_erased(
    ledger, links, kari, product, order_of_kari
):
    ledger.run(kari(email="no e-mail"), product(), order_of_kari())

    result = links("erase", "customer", KARI, "--yes")

    assert result.exit_code == 1
    assert "its orders (9001) would be lost" in result.output
    assert len(ledger.unsettled()) == 2


def test_unwritten_guest_orders_with_the_e_mail_address_are_erased_too(
    ledger, box, erase, kari, product, guest_order
):
    ledger.run(kari(), product(), guest_order(id="9003", total_incl="1.00"))
    assert [record.shop_id for record in ledger.unsettled("hold")] == ["9003"]

    erase()
    assert left_in(ledger.link_store) == []
    outcome = ledger.run(guest_order(id="9003"))

    assert outcome.status == 0
    (entry,) = box.go.entries("SalesOrders")
    assert entry["CustomerId"] == customer_of(box)["Id"]
    assert left_in(ledger.link_store) == []


def test_erasing_by_e_mail_names_the_id_of_the_company_of_a_guest(
    ledger, links, erase, product, guest_order
):
    buyer = {**guest_order()["buyer"], "company_name": "Fjell AS", "organization_number": ORG_NR}
    ledger.run(product(), guest_order(buyer=buyer))
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        (company,) = [link.shop_id for link in store.links.of_entity("customers")]

    result = links("erase", "customer", "--email", buyer["email"], "--yes")

    assert result.exit_code == 1
    assert f"erase them by id: {company}" in result.output
    erase(company)


def test_another_customer_in_go_with_the_e_mail_address_is_named(ledger, box, erase, kari):
    ledger.run(kari())
    other = box.go.create("Customers", {"Name": "Kari AS", "EmailAddress": "KARI@example.no"})
    ledger.run(kari(phone=None))

    assert f"Go has another customer with that e-mail address (id {other['Id']})" in erase()


def test_other_customers_of_the_shop_with_the_e_mail_address_are_named(ledger, erase, kari):
    ledger.run(
        kari(type="company", organization_number="923609016", company_name="Kari AS"),
        kari(id="linked", email="KARI@example.no", number=None),
        kari(id="held", name=None, first_name=None, last_name=None, phone=[]),
        kari(id="another", email="per@example.no"),
    )

    of_linked, of_held = erase(), erase("held")

    not_erased = "has the same e-mail address and is not erased; erase it too if it is the same"
    assert f"customers held {not_erased} person" in of_linked
    assert f"customers linked {not_erased} person" in of_linked
    assert f"customers linked {not_erased} person" in of_held
    assert of_linked.count(not_erased) == 2
    assert of_held.count(not_erased) == 1


def test_while_another_program_reads_the_store_erasing_fails_and_can_be_repeated(
    ledger, links, erase, kari
):
    ledger.run(kari())
    with closing(sqlite3.connect(ledger.link_store)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM links").fetchall()
        result = links("erase", "customer", KARI, "--yes")
        assert result.exit_code == 1
        assert "erase again once that program has ended" in result.output

    erase()
    assert left_in(ledger.link_store) == []


def test_an_unanswered_write_stops_the_erasure(ledger, links, records):
    ledger.run(*records)
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        store.intents.begin("customers", KARI, "patch", {"path": "/Customers/1", "rows": {}})

    result = links("erase", "customer", KARI, "--yes")

    assert result.exit_code == 1
    assert "run the sync until it has checked them, then erase; nothing was erased" in result.output


def test_a_voucher_without_an_answer_does_not_stop_the_erasure(
    ledger, box, erase, records, payment
):
    ledger.settings["payment_accounts"] = {"vipps": 1901}
    customer, product, order, *others = records
    body = {"title": "Bank voucher validation error(s)", "status": 400, "detail": "period closed"}
    box.faults.add(method="POST", path="/vouchers/bankjournals", reset="after")
    box.faults.add(method="POST", path="/vouchers/bankjournals", status=400, body=body)
    ledger.run(customer, product, {**order, "payments": [payment]}, *others)

    erase()

    assert left_in(ledger.link_store) == []
    ledger.run()
    assert len(box.go.entries("BankVouchers")) == 1
    assert [record.entity for record in ledger.unsettled("hold")] == ["orders"]


def test_a_run_under_way_stops_the_erasure(ledger, links, records, under_way):
    ledger.run(*records)
    with under_way():
        result = links("erase", "customer", KARI, "--yes")

    assert result.exit_code == 1
    assert "a run for the shop testshop is under way" in result.output
    assert KARI in left_in(ledger.link_store)


def test_without_a_terminal_erase_requires_yes(ledger, links, records):
    ledger.run(*records)

    result = links("erase", "customer", KARI)

    assert result.exit_code == 1
    assert "this needs confirmation" in result.output
    assert KARI in left_in(ledger.link_store)


def test_an_erased_or_unknown_customer_is_reported(ledger, links, erase, records):
    ledger.run(*records)
    erase()

    unknown = links("erase", "customer", "77", "--yes")

    assert erase() == f"customer {KARI} has already been erased; nothing is left of it\n"
    assert unknown.exit_code == 1
    assert "the link store has no customer 77; nothing was erased" in unknown.output


def test_an_unknown_guest_is_reported_without_the_hash_of_the_address(ledger, links, records):
    ledger.run(*records)

    result = links("erase", "customer", "--email", "per@example.no", "--yes")

    assert result.exit_code == 1
    assert result.output == (
        "Error: the link store has no guest with that e-mail address; nothing was erased\n"
    )


def test_an_erased_customer_cannot_be_linked_or_unlinked_by_hand(
    ledger, box, links, erase, records
):
    ledger.run(*records)
    erase()
    go_id = customer_of(box)["Id"]
    (erased,) = [
        line.split()[1]
        for line in links("links", "--go-id", go_id).output.splitlines()
        if "erased:" in line and " no " in line
    ]

    assert links("link", "customers", KARI, go_id).exit_code == 1
    assert links("link", "customers", "1005", go_id).exit_code == 1
    assert links("unlink", "customers", erased, "--yes").exit_code == 1


@pytest.mark.parametrize("words", [(), ("1001", "--email", "kari@example.no")])
def test_erase_takes_either_an_id_or_an_e_mail_address(links, words):
    assert links("erase", "customer", *words).exit_code == 2


def test_the_e_mail_address_of_the_leader_is_not_taken_for_that_of_the_follower(
    ledger, erase, company
):
    branch = company(id="2002", company_name="Avdeling", name="Avdeling", email="a@example.no")
    ledger.run(company(), branch, ends_with=0)

    assert "same e-mail address" not in erase("2002")


def test_an_order_that_waits_for_a_customer_of_another_shop_with_the_id_still_waits(
    ledger, erase, customer, product, order
):
    ledger.run(customer(), product())
    ledger.run(customer(email="wrong"), order(), shop_name="othershop", new_namespace=True)
    (waiting,) = ledger.unsettled("parked")

    erase("1001", "--shop-name", "testshop")

    with ledger.store() as store:
        assert "customers:1001" in store.unsettled.awaited_by(waiting.id)
