"""If both sides changed the same property, the same rule decides in both directions."""

import datetime

import pytest
from ledger import A_PERSON
from members import assert_members

KARI = {**A_PERSON, "EmailAddress": "kari@example.no"}


@pytest.fixture
def clashing(linked):
    """Both ways; edits the phone of customer 1001 on both sides, one of them ten minutes later."""

    def clash(later="neither", shop="+4790000001", go="+4790000002"):
        box = linked.box
        box.shop.clock_skew_seconds = 600 if later == "shop" else 0
        box.go.switches.clock_skew_seconds = 600 if later == "go" else 0
        box.shop.edit("customers", "1001", {"phone": shop})
        box.go.edit("Customers", linked.go_id("customers", "1001"), {"PhoneNumber": go})
        return linked

    return clash


def phones(both):
    entry = both.box.go.entry("Customers", both.go_id("customers", "1001"))
    return both.box.shop.record("customers", "1001")["phone"], entry["PhoneNumber"]


def take_turns(both, first):
    """Run both ways twice in turn, check that both sides have the same phone, and return it."""
    second = {"forward": "back", "back": "forward"}[first]
    for way in (first, second, first, second):
        getattr(both, way)()
    (phone,) = set(phones(both))
    return phone


@pytest.mark.parametrize("first", ["forward", "back"])
@pytest.mark.parametrize(("later", "kept"), [("shop", "+4790000001"), ("go", "+4790000002")])
def test_the_later_edit_wins_whichever_way_runs_first(clashing, first, later, kept):
    both = clashing(later)
    assert take_turns(both, first) == kept
    both.assert_at_rest()


def test_our_write_that_does_not_change_the_timestamp_hides_no_persons_edit(linked):
    box = linked.box
    box.shop.patches_move_updated_at = False
    box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    linked.edit_in_go("customers", "1001", LastName="Hansen")
    linked.back(ends_with=0)
    assert box.shop.record("customers", "1001")["last_name"] == "Hansen"

    box.go.switches.clock_skew_seconds = 600
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000002")

    linked.back(ends_with=0)
    assert phones(linked) == ("+4790000002", "+4790000002")


@pytest.mark.parametrize("owner", ["shop", "go"])
@pytest.mark.parametrize("first", ["forward", "back"])
def test_the_owner_wins_whatever_the_timestamps(linked, clashing, owner, first):
    linked.settings = {"owners": {"customers": {"phone": owner}}}
    linked.forward()
    both = clashing({"shop": "go", "go": "shop"}[owner])
    assert take_turns(both, first) == {"shop": "+4790000001", "go": "+4790000002"}[owner]


@pytest.mark.parametrize("way", ["forward", "back"])
def test_a_person_decides_if_the_timestamps_are_too_close(clashing, way):
    both = clashing()

    getattr(both, way)(ends_with=3)
    assert phones(both) == ("+4790000001", "+4790000002")
    with both.ledger.store() as store:
        (conflict,) = store.conflicts.newest(10)
    assert (conflict.shop, conflict.go, conflict.winner) == ("+4790000001", "+4790000002", None)
    assert (conflict.base or {})["shop"] == "+4791234567"


def test_a_person_settles_a_held_conflict_by_editing_either_side(clashing):
    both = clashing()
    both.forward()
    both.back()
    both.box.shop.edit("customers", "1001", {"phone": "+4790000002"})

    both.assert_at_rest()
    assert phones(both) == ("+4790000002", "+4790000002")


@pytest.mark.parametrize("first", ["forward", "back"])
def test_an_empty_value_does_not_win_though_it_is_later(clashing, first):
    assert take_turns(clashing("go", go=None), first) == "+4790000001"


def test_edits_of_different_properties_both_cross(linked, box):
    box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    entry = linked.edit_in_go("customers", "1001", EmailAddress="ny@example.no")

    linked.back()
    linked.forward()

    record = box.shop.record("customers", "1001")
    assert_members(record, phone="+4790000001", email="ny@example.no")
    entry = box.go.entry("Customers", entry["Id"])
    assert_members(entry, PhoneNumber="+4790000001", EmailAddress="ny@example.no")
    linked.assert_at_rest()


def test_an_edit_made_between_reading_and_writing_is_not_overwritten(linked, box):
    linked.edit_in_go("customers", "1001", EmailAddress="ny@example.no")
    box.faults.on(
        "shop",
        "PATCH",
        "/customers/1001",
        lambda _: box.shop.edit("customers", "1001", {"note": "ring først"}),
        when="before",
    )

    outcome = linked.back()

    assert [write.status for write in outcome.writes] == [412, 200]
    record = box.shop.record("customers", "1001")
    assert_members(record, note="ring først", email="ny@example.no")


def test_a_record_read_before_the_way_back_wrote_does_not_undo_it(linked, box, message):
    old = message(box.shop.record("customers", "1001"))
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000002")
    linked.back()

    assert linked.ledger.run(old).writes == []
    assert phones(linked) == ("+4790000002", "+4790000002")


def test_an_entry_read_before_we_wrote_to_go_does_not_undo_it(linked, box):
    old = linked.entries("customers")
    box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    linked.forward()

    outcome = linked.back(*old)

    assert (outcome.reads, outcome.writes) == ([], [])
    assert phones(linked) == ("+4790000001", "+4790000001")


def test_a_replica_of_go_that_is_behind_does_not_undo_what_we_wrote(linked, box, address):
    old = linked.entries("customers")
    box.shop.edit("customers", "1001", {"addresses": [address(line1="Storgata 9")]})
    linked.forward()
    later = datetime.datetime.now(datetime.timezone.utc).isoformat()

    assert linked.back(*({**entry, "time_extracted": later} for entry in old)).writes == []
    assert box.shop.record("customers", "1001")["addresses"][0]["line1"] == "Storgata 9"


def test_a_replica_of_go_that_is_behind_an_edit_already_in_the_shop_is_not_an_edit(linked):
    linked.box.go.switches.read_lag_reads = 10_000
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")
    linked.back(ends_with=0)
    linked.box.shop.edit("customers", "1001", {"phone": "+4790000002"})

    linked.forward(ends_with=0)

    assert phones(linked) == ("+4790000002", "+4790000002")


def test_a_setting_makes_go_win_when_records_are_first_linked(both, box, customer):
    box.go.create("Customers", {**KARI, "PhoneNumber": "+4790000002"})
    box.shop.put("customers", customer())
    both.ledger.settings["on_link"] = "go"
    both.forward()

    both.back()

    assert phones(both) == ("+4790000002", "+4790000002")
    assert box.shop.record("customers", "1001")["addresses"][0]["city"] == "Oslo"


def test_filling_empty_properties_does_not_mix_two_addresses(both, box, customer):
    in_go = {"AddressLine1": "Kaien 3", "AddressLine2": "2. etasje", "ZipCode": "1531"}
    box.go.create("Customers", {**KARI, "MailAddress": {**in_go, "City": "Moss"}})
    box.shop.put("customers", customer())
    both.ledger.settings["on_link"] = "fill_empty"
    both.forward()

    both.back()

    assert box.shop.record("customers", "1001")["addresses"][0]["line2"] is None


def test_the_owner_wins_a_conflict_on_an_invoiced_order(linked, box):
    linked.settings = {"owners": {"orders": "shop"}}
    order = linked.edit_in_go("orders", "9001", PurchaseOrderReference="GO 1")
    box.go.send_invoice(order["Id"])
    box.shop.edit("orders", "9001", {"reference": "SHOP 1"})

    linked.forward()
    linked.back()

    assert box.shop.record("orders", "9001")["reference"] == "SHOP 1"
