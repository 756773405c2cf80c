"""Go keeps what the shop anonymises: a retention routine is not an edit of orders or customers."""

from dataclasses import replace

import pytest

LATER, LAST = "2026-01-06T10:00:00Z", "2026-01-07T10:00:00Z"
MARKS = {"email": "deleted@site.invalid", "name": "[deleted]", "company_name": "[deleted]"}
EMPTY = {"email": None, "name": None, "first_name": "", "last_name": None}
GONE = {"line1": "[deleted]", "postal_code": "[deleted]", "city": "[deleted]", "country_code": "-"}


def wiped(order, buyer=MARKS, **changes):
    """Return an order as the shop's retention routine leaves it."""
    gone = {"buyer": buyer, "billing_address": GONE, "shipping_address": GONE, "customer_id": None}
    return {**order, **gone, "reference": None, "updated_at": LATER, **changes}


@pytest.fixture
def cabin(address):
    """An address that differs from the billing address."""
    return address(type="shipping", line1="Hytteveien 9", postal_code="2630", city="Ringebu")


@pytest.fixture(params=["guest", "registered"])
def landed(request, ledger, customer, product, order, guest_order, cabin):
    """An order that is a Draft in Go, of a guest or of a registered customer."""
    make = guest_order if request.param == "guest" else order
    record = make(shipping_address=cabin, reference="PO 7")
    assert ledger.run(customer(), product(), record).status == 0
    return record


def books(box):
    kinds = ("Customers", "SalesOrders", "OutgoingInvoices", "ContactDeliveryAddresses")
    return {kind: box.go.entries(kind) for kind in kinds}


@pytest.mark.parametrize(
    ("stage", "buyer"),
    [("Draft", MARKS), ("Draft", None), ("Confirmed", EMPTY), ("invoiced", MARKS)],
)
def test_an_anonymised_order_stays_as_it_is_in_go_and_is_counted(ledger, box, landed, stage, buyer):
    (entry,) = box.go.entries("SalesOrders")
    if stage == "invoiced":
        box.go.send_invoice(entry["Id"])
    else:
        box.go.edit("SalesOrders", entry["Id"], {"SalesOrderStatus": stage})
    before = books(box)

    outcome = ledger.run(wiped(landed, buyer))

    assert (outcome.status, outcome.writes, books(box)) == (0, [], before)
    assert outcome.count("orders", "anonymised") == 1
    assert ledger.run(wiped(landed, buyer)).writes == []


def test_an_anonymised_draft_is_still_edited_refunded_and_cancelled(ledger, box, landed, line):
    (before,) = box.go.entries("SalesOrders")
    three = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    totals = {"total_excl": "300.00", "total_tax": "75.00", "total_incl": "375.00"}
    edited = wiped(landed, lines=[three], **totals)

    assert ledger.run(edited).status == 0
    (entry,) = box.go.entries("SalesOrders")
    kept = ("CustomerId", "CustomerReference", "ContactDeliveryAddressId", "PurchaseOrderReference")
    assert [entry[name] for name in kept] == [before[name] for name in kept]
    assert entry["TotalAmount"] == 375

    refund = {"id": "r1", "amount_incl": "125.00", "lines": [], "created_at": LATER}
    refunded = {**edited, "refunds": [refund], "total_refunded": "125.00"}
    assert ledger.run({**refunded, "updated_at": LAST}).status == 0
    assert box.go.entries("SalesOrders")[0]["TotalAmount"] == 250

    ended = {**refunded, "status": "cancelled", "updated_at": "2026-01-08T10:00:00Z"}
    assert ledger.run(ended).status == 0
    assert box.go.entries("SalesOrders") == []


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_an_anonymised_invoice_is_credited_to_its_buyer(ledger, box, landed, is_cancelled):
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])
    (invoice,) = box.go.entries("OutgoingInvoices")
    refund = {"id": "r1", "amount_incl": "250.00", "lines": [], "created_at": LATER}
    paid_back = {"refunds": [refund], "total_refunded": "250.00"}

    ledger.run(
        wiped(landed, **({"status": "cancelled"} if is_cancelled else paid_back)), ends_with=0
    )

    (note,) = box.go.entries("SalesOrders")
    kept = ("CustomerId", "CustomerReference")
    assert [note[name] for name in kept] == [invoice[name] for name in kept]
    assert note["TotalAmount"] == -250


def test_a_buyer_sent_again_after_anonymisation_is_an_ordinary_edit(ledger, box, landed):
    ledger.run(wiped(landed))

    same = ledger.run({**landed, "updated_at": LAST})
    other = {**landed["buyer"], "name": "Ola Berg", "first_name": "Ola", "last_name": "Berg"}
    edited = ledger.run({**landed, "buyer": other, "updated_at": "2026-01-08T10:00:00Z"})

    assert (same.status, same.writes) == (0, [])
    assert edited.calls() == [f"PATCH /SalesOrders/{box.go.entries('SalesOrders')[0]['Id']}"]
    assert box.go.entries("SalesOrders")[0]["CustomerReference"] == "Ola Berg"


def test_an_order_posted_by_an_earlier_version_is_recognised_as_anonymised(ledger, box, landed):
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        link = store.links.get("orders", "9001")
        base = {name: agreement for name, agreement in link.base.items() if name != "buyer_told"}
        store.links.put(replace(link, base=base))
    before = books(box)

    outcome = ledger.run(wiped(landed, EMPTY))

    assert (outcome.status, outcome.writes, books(box)) == (0, [], before)


def test_an_anonymised_order_is_linked_with_its_customer_when_the_link_store_is_lost(
    ledger, box, product, landed
):
    before = books(box)
    ledger.lose_link_store()

    outcome = ledger.run(product(), wiped(landed))

    assert (outcome.status, outcome.writes, books(box)) == (0, [], before)
    assert ledger.run(wiped(landed, note="x")).writes == []


def test_an_order_first_seen_anonymised_is_held_until_guest_customer_number_is_set(
    ledger, box, product, guest_order
):
    ledger.run(product(), wiped(guest_order()), ends_with=3)

    (hold,) = ledger.unsettled("hold")
    assert "set guest_customer_number" in hold.reason
    assert box.go.entries("Customers") == []

    counter = box.go.create("Customers", {"Name": "Netthandel"})
    ledger.run(
        product(), wiped(guest_order()), guest_customer_number=counter["Number"], ends_with=0
    )

    (entry,) = box.go.entries("SalesOrders")
    assert (entry["CustomerId"], entry["CustomerReference"]) == (counter["Id"], None)
    assert len(box.go.entries("Customers")) == 1


def test_an_order_first_seen_anonymised_goes_to_its_customer_who_is_not_anonymised(
    ledger, box, customer, product, order
):
    ledger.run(customer(), product(), wiped(order(), customer_id="1001"), ends_with=0)

    (entry,) = box.go.entries("SalesOrders")
    assert entry["CustomerId"] == box.go.entries("Customers")[0]["Id"]
    assert entry["CustomerReference"] is None
    assert box.go.entries("ContactDeliveryAddresses") == []


def test_the_marks_are_a_setting(ledger, box, landed):
    before = books(box)
    record = wiped(landed, {"email": "x@anon.example", "name": "Borte"})

    outcome = ledger.run(record, anonymised_marks=["borte", ".anon.example"])

    assert (outcome.writes, books(box)) == ([], before)


@pytest.mark.parametrize("names", [{"name": "[deleted]", "last_name": "[deleted]"}, EMPTY])
def test_an_anonymised_customer_is_not_edited_but_archived_when_it_is_switched_off(
    ledger, box, customer, names, address
):
    ledger.run(customer(addresses=[address(), address(type="shipping", line1="Kaien 3")]))
    (before,) = box.go.entries("Customers")
    gone = {"addresses": [GONE, {**GONE, "type": "shipping"}], "phone": None, "first_name": None}
    record = customer(**{"email": None, **gone, **names}, updated_at=LATER)

    outcome = ledger.run(record)

    assert (outcome.status, outcome.writes) == (0, [])
    assert outcome.count("customers", "anonymised") == 1

    ledger.run({**record, "is_active": False, "updated_at": LAST})
    (after,) = box.go.entries("Customers")
    assert after["IsArchived"]
    assert after["LastName"] == before["LastName"]
    assert after["MailAddress"] == before["MailAddress"]


def test_a_customer_first_seen_anonymised_is_not_created(ledger, box, customer):
    record = customer(
        email="deleted@site.invalid", name="[deleted]", first_name=None, last_name=None
    )

    assert (ledger.run(record).status, box.go.entries("Customers")) == (0, [])


@pytest.mark.parametrize("is_active", [True, False])
def test_a_customer_first_seen_anonymised_is_archived_only_if_it_is_switched_off(
    ledger, box, customer, product, order, is_active
):
    gone = {"first_name": None, "last_name": None, "is_active": is_active}
    records = (customer(**MARKS, **gone), product(), order())

    assert ledger.run(*records).status == 0

    (entry,) = box.go.entries("Customers")
    assert entry["IsArchived"] is not is_active
    assert ledger.run(*records).writes == []


def test_a_reject_of_a_customer_ends_when_it_is_anonymised(ledger, customer):
    assert ledger.run(customer(email="no e-mail")).status == 3

    assert ledger.run(customer(**MARKS, first_name="", last_name="", updated_at=LATER)).status == 0

    assert ledger.unsettled() == []
