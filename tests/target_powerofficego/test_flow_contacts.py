"""Delivery addresses and contact persons: created once, changed once, equal ones reused."""

import pytest

COTTAGE = {
    "id": "a7",
    "type": "shipping",
    "line1": "Hytteveien 4",
    "postal_code": "2635",
    "city": "Tretten",
}


@pytest.fixture
def with_cottage(customer, address):
    """A customer with a separate delivery address: `with_cottage(line1=…)`."""

    def make(record=customer, **changes):
        return record(addresses=[address(), address(**{**COTTAGE, **changes})])

    return make


def delivery_addresses(box):
    return box.go.entries("ContactDeliveryAddresses")


def test_a_customers_delivery_address_is_created_once(ledger, box, with_cottage):
    outcome = ledger.run(with_cottage())

    (entry,) = delivery_addresses(box)
    (customer,) = box.go.entries("Customers")
    assert entry["ContactId"] == customer["Id"]
    assert entry["ExternalCode"] == "testshop:1001:a7"
    assert (entry["AddressLine1"], entry["ZipCode"]) == ("Hytteveien 4", "2635")
    assert len(outcome.writes) == 2
    assert ledger.run(with_cottage()).writes == []


def test_a_changed_delivery_address_is_one_patch(ledger, box, with_cottage):
    ledger.run(with_cottage())

    outcome = ledger.run(with_cottage(line1="Hytteveien 6"), ends_with=0)

    assert outcome.count("customers", "changed") == 1
    (patch,) = outcome.writes
    assert patch.method == "PATCH"
    (entry,) = delivery_addresses(box)
    assert entry["AddressLine1"] == "Hytteveien 6"


def test_a_delivery_address_with_a_part_cleared_loses_it_in_go(ledger, box, with_cottage):
    ledger.run(with_cottage(line2="Oppgang B"))

    ledger.run(with_cottage(line2=None), ends_with=0)

    (entry,) = delivery_addresses(box)
    assert not entry["AddressLine2"]


def test_an_edit_of_a_delivery_address_in_go_stays_while_the_shop_does_not_change_it(
    ledger, box, with_cottage
):
    ledger.run(with_cottage())
    (entry,) = delivery_addresses(box)
    box.go.edit("ContactDeliveryAddresses", entry["Id"], {"AddressLine1": "Rettet i Go 5"})

    assert ledger.run(with_cottage(), full_check_hours=0).writes == []
    assert delivery_addresses(box)[0]["AddressLine1"] == "Rettet i Go 5"


def test_edits_of_different_parts_of_a_delivery_address_are_both_kept(ledger, box, with_cottage):
    """Go and the shop edit different parts of the address."""
    ledger.run(with_cottage())
    (entry,) = delivery_addresses(box)
    box.go.edit("ContactDeliveryAddresses", entry["Id"], {"AddressLine2": "Bakgården"})

    ledger.run(with_cottage(line1="Hytteveien 6"))

    (entry,) = delivery_addresses(box)
    assert (entry["AddressLine1"], entry["AddressLine2"]) == ("Hytteveien 6", "Bakgården")


@pytest.mark.parametrize("moment", ["before the run", "during the run"])
def test_a_part_of_a_delivery_address_that_both_changed_is_held(ledger, box, with_cottage, moment):
    ledger.run(with_cottage())
    (entry,) = delivery_addresses(box)

    def edit(_=None):
        box.go.edit("ContactDeliveryAddresses", entry["Id"], {"AddressLine1": "Rettet i Go 5"})

    if moment == "before the run":
        edit()
    else:
        box.faults.on("go", "PATCH", "/ContactDeliveryAddresses/", edit)

    ledger.run(with_cottage(line1="Hytteveien 6"), ends_with=3)

    assert delivery_addresses(box)[0]["AddressLine1"] == "Rettet i Go 5"
    assert "AddressLine1" in ledger.unsettled("hold")[0].reason
    box.go.edit("ContactDeliveryAddresses", entry["Id"], {"AddressLine1": "Hytteveien 6"})
    assert ledger.run().status == 0


def test_an_equal_delivery_address_made_by_hand_is_used_again(ledger, box, customer, with_cottage):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    by_hand = {
        "AddressLine1": "HYTTEVEIEN 4",
        "ZipCode": "2635",
        "City": "TRETTEN",
        "CountryCode": "NO",
    }
    box.go.create("ContactDeliveryAddresses", by_hand, entry["Id"])

    assert ledger.run(with_cottage()).writes == []
    assert len(delivery_addresses(box)) == 1


def test_a_delivery_address_equal_to_the_billing_address_is_not_created(
    ledger, box, customer, address
):
    ledger.run(customer(addresses=[address(), address(type="shipping")]))

    assert delivery_addresses(box) == []


@pytest.mark.parametrize("uses", ["once, for both uses", "once for each use"])
def test_an_address_that_is_default_for_both_uses_is_posted_once(
    ledger, box, customer, address, uses
):
    old = address(id="a1", is_default=False, line1="Gamleveien 1")
    used = [
        address(id="a2", type=kind)
        for kind in ((None,) if uses == "once, for both uses" else ("billing", "shipping"))
    ]
    record = customer(addresses=[old, *used, address(id="a3", type="other", line1="Kaien 3")])

    ledger.run(record, ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["MailAddress"]["AddressLine1"] == "Storgata 1"
    assert delivery_addresses(box) == []
    assert ledger.run(record, full_check_hours=0).writes == []


def test_an_order_to_the_address_that_is_default_for_both_uses_needs_no_delivery_address(
    ledger, box, customer, product, order, address
):
    both = address(type=None)

    ledger.run(customer(addresses=[both]), product(), order(shipping_address=both), ends_with=0)

    assert delivery_addresses(box) == []
    assert box.go.entries("SalesOrders")[0]["ContactDeliveryAddressId"] is None


def test_a_delivery_address_may_differ_from_the_default_for_both_uses(
    ledger, box, customer, address
):
    both = address(type=None)
    cottage = address(**{**COTTAGE, "is_default": True})

    ledger.run(customer(addresses=[both, cottage]), ends_with=0)

    (entry,) = box.go.entries("Customers")
    assert entry["MailAddress"]["AddressLine1"] == "Storgata 1"
    assert [entry["AddressLine1"] for entry in delivery_addresses(box)] == ["Hytteveien 4"]


def test_addresses_without_a_type_that_are_not_default_are_ignored(ledger, box, customer, address):
    two = [address(id=address_id, type=None, is_default=False) for address_id in ("a1", "a2")]

    ledger.run(customer(addresses=two), ends_with=0)

    assert not (box.go.entries("Customers")[0]["MailAddress"] or {}).get("AddressLine1")


def test_an_incomplete_delivery_address_is_left_out(ledger, box, with_cottage):
    ledger.run(with_cottage(city=None), ends_with=0)

    assert delivery_addresses(box) == []


def test_addresses_without_ids_are_distinguished_by_their_content(ledger, box, with_cottage):
    ledger.run(with_cottage(id=None))
    assert ledger.run(with_cottage(id=None, city="TRETTEN")).writes == []

    ledger.run(with_cottage(id=None, line1="Hytteveien 6"))

    assert len(delivery_addresses(box)) == 2


@pytest.mark.parametrize("address_id", ["a7", None, "a" * 60])
def test_two_customers_may_have_one_address(ledger, box, with_cottage, address_id):
    """Go accepts a code only once, whichever customer it belongs to."""
    other = with_cottage(id=address_id)
    other.update(id="1002", email="ola@example.no")

    ledger.run(with_cottage(id=address_id), other, ends_with=0)

    assert len({entry["ContactId"] for entry in delivery_addresses(box)}) == 2
    assert ledger.run(with_cottage(id=address_id), other, full_check_hours=0).writes == []


@pytest.mark.parametrize("moment", ["before the run", "during the run"])
def test_the_next_code_is_used_if_another_contact_has_the_first(
    ledger, box, company, with_cottage, moment
):
    """For an address and a contact person; what was created with the next code is recognised."""
    firm = with_cottage(company)
    firm.update(first_name="Berit", last_name="Berg")
    stranger = box.go.create("Customers", {"Name": "En annen"})["Id"]
    cabin = {"AddressLine1": "Kaien 1", "ZipCode": "5003", "City": "Bergen"}
    theirs = {
        "ContactDeliveryAddresses": {**cabin, "ExternalCode": "testshop:2001:a7"},
        "ContactPersons": {"FirstName": "O", "LastName": "D", "ExternalCode": "testshop:2001"},
    }
    for resource, entry in theirs.items():
        if moment == "before the run":
            box.go.create(resource, entry, stranger)
        else:
            box.faults.on(
                "go",
                "POST",
                f"/{resource}/",
                lambda _, resource=resource, entry=entry: box.go.create(resource, entry, stranger),
            )

    assert ledger.run(firm, first_run="accept").status == 0
    firm.update(last_name="Dal", addresses=with_cottage(line1="Hytteveien 6")["addresses"])
    outcome = ledger.run(firm)

    assert (outcome.status, [call.method for call in outcome.writes]) == (0, ["PATCH", "PATCH"])
    made = delivery_addresses(box)[-1]
    assert (made["AddressLine1"], made["ExternalCode"]) == ("Hytteveien 6", "testshop:2001:a7:2")
    assert box.go.entries("ContactPersons")[-1]["LastName"] == "Dal"
    assert [len(box.go.entries(resource)) for resource in theirs] == [2, 2]


def test_a_code_of_an_earlier_version_is_recognised(ledger, box, with_cottage):
    ledger.run(with_cottage())
    (entry,) = delivery_addresses(box)
    box.go.edit("ContactDeliveryAddresses", entry["Id"], {"ExternalCode": "testshop:a7"})

    assert ledger.run(with_cottage(), full_check_hours=0).writes == []
    outcome = ledger.run(with_cottage(line1="Hytteveien 6"))

    assert [call.method for call in outcome.writes] == ["PATCH"]
    (entry,) = delivery_addresses(box)
    assert entry["AddressLine1"] == "Hytteveien 6"


def test_linking_writes_no_address_and_no_person(ledger, box, company, with_cottage):
    box.go.create("Customers", {"Name": "Fjord", "OrganizationNumber": "923609016"})
    met = with_cottage(company)
    met.update(first_name="Berit", last_name="Berg")

    ledger.run(met)

    assert delivery_addresses(box) == []
    assert box.go.entries("ContactPersons") == []


def test_a_companys_contact_person_is_created_once_and_changed_once(ledger, box, company):
    outcome = ledger.run(company(first_name="Berit", last_name="Berg"))
    (entry,) = box.go.entries("ContactPersons")
    assert (entry["FirstName"], entry["LastName"]) == ("Berit", "Berg")
    assert len(outcome.writes) == 2
    assert ledger.run(company(first_name="Berit", last_name="Berg")).writes == []

    changed = ledger.run(company(first_name="Berit", last_name="Dal"), ends_with=0)

    (patch,) = changed.writes
    assert [operation["path"] for operation in patch.json() if operation["op"] == "replace"] == [
        "/LastName"
    ]
    assert box.go.entries("ContactPersons")[0]["LastName"] == "Dal"


def test_a_person_has_no_contact_person(ledger, box, customer):
    ledger.run(customer())

    assert box.go.entries("ContactPersons") == []


def test_a_contact_person_edited_in_go_stays(ledger, box, company):
    ledger.run(company(first_name="Berit", last_name="Berg"))
    (entry,) = box.go.entries("ContactPersons")
    box.go.edit("ContactPersons", entry["Id"], {"LastName": "Bergersen"})

    ledger.run(company(first_name="Berit", last_name="Berg", phone="+4740000000"))

    assert box.go.entries("ContactPersons")[0]["LastName"] == "Bergersen"


def test_the_contact_person_of_a_follower_is_not_created(ledger, box, company):
    ledger.run(
        company(first_name="Berit", last_name="Berg"),
        company(id="2002", first_name="Ola", last_name="Dal"),
        ends_with=0,
    )

    assert [entry["FirstName"] for entry in box.go.entries("ContactPersons")] == ["Berit"]


def test_a_refused_contact_person_leaves_the_customer_linked_and_is_tried_again(
    ledger, box, company
):
    refusal = {"title": "Contact person validation error(s)", "status": 400}
    box.faults.add(method="POST", path="/ContactPersons", status=400, body=refusal)
    ledger.run(company(first_name="Berit", last_name="Berg"), ends_with=3)
    assert len(box.go.entries("Customers")) == 1

    changed = company(first_name="Berit", last_name="Berg", updated_at="2026-01-06T10:00:00Z")
    ledger.run(changed, ends_with=0)

    assert len(box.go.entries("Customers")) == 1
    assert len(box.go.entries("ContactPersons")) == 1


def test_an_address_is_written_even_if_another_edit_of_the_customer_is_held(
    ledger, box, customer, with_cottage
):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": "+4740000000"})
    edited = with_cottage()
    edited["phone"] = "+4741111111"

    assert ledger.run(edited, clock_margin=10**9).status == 3
    assert ledger.run(edited, owners={"customers": "go"}).status == 0

    assert len(delivery_addresses(box)) == 1
