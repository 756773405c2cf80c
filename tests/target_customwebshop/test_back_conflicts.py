"""Where both sides changed the same property, one rule decides on both ways."""

import datetime

import pytest
from target_powerofficego.store.link_store import LinkStore

MARGIN = datetime.timedelta(minutes=10)


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


@pytest.mark.parametrize("first", ["forward", "back"])
@pytest.mark.parametrize(("later", "kept"), [("shop", "+4790000001"), ("go", "+4790000002")])
def test_the_later_edit_wins_whichever_way_runs_first(clashing, first, later, kept):
    both = clashing(later)
    second = {"forward": "back", "back": "forward"}[first]
    for way in (first, second, first, second):
        getattr(both, way)()
    assert phones(both) == (kept, kept)
    assert both.open_ones() == {}
    assert both.forward().writes == []
    assert both.back().writes == []


def test_a_write_of_ours_that_moves_no_stamp_hides_no_edit_of_a_persons(linked):
    box, go_id = linked.box, linked.go_id("customers", "1001")
    box.shop.patches_move_updated_at = False
    box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    box.go.edit("Customers", go_id, {"LastName": "Hansen"})
    assert linked.back().status == 0
    assert box.shop.record("customers", "1001")["last_name"] == "Hansen"

    box.go.switches.clock_skew_seconds = 600
    box.go.edit("Customers", go_id, {"PhoneNumber": "+4790000002"})

    assert linked.back().status == 0
    assert phones(linked) == ("+4790000002", "+4790000002")


@pytest.mark.parametrize("owner", ["shop", "go"])
@pytest.mark.parametrize("first", ["forward", "back"])
def test_the_owner_wins_whatever_the_stamps(linked, clashing, owner, first):
    linked.settings = {"owners": {"customers": {"phone": owner}}}
    linked.forward()
    both = clashing({"shop": "go", "go": "shop"}[owner])
    second = {"forward": "back", "back": "forward"}[first]
    for way in (first, second, first, second):
        getattr(both, way)()
    kept = {"shop": "+4790000001", "go": "+4790000002"}[owner]
    assert phones(both) == (kept, kept)


@pytest.mark.parametrize("way", ["forward", "back"])
def test_stamps_too_near_to_tell_leave_it_to_a_person(clashing, way):
    both = clashing()

    assert getattr(both, way)().status == 3
    assert phones(both) == ("+4790000001", "+4790000002")
    store = LinkStore(str(both.ledger.link_store))
    (conflict,) = store.conflicts.newest(10)
    store.close()
    assert (conflict.shop, conflict.go, conflict.winner) == ("+4790000001", "+4790000002", None)
    assert (conflict.base or {})["shop"] == "+4791234567"


def test_a_person_settles_a_held_conflict_by_editing_either_side(clashing):
    both = clashing()
    both.forward()
    both.back()
    both.box.shop.edit("customers", "1001", {"phone": "+4790000002"})

    both.forward()
    both.back()

    assert phones(both) == ("+4790000002", "+4790000002")
    assert both.open_ones() == {}


@pytest.mark.parametrize("first", ["forward", "back"])
def test_an_empty_value_does_not_win_though_it_is_later(clashing, first):
    both = clashing("go", go=None)
    second = {"forward": "back", "back": "forward"}[first]
    for way in (first, second, first, second):
        getattr(both, way)()
    assert phones(both) == ("+4790000001", "+4790000001")


def test_edits_of_different_properties_both_cross(linked, box):
    box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    box.go.edit("Customers", linked.go_id("customers", "1001"), {"EmailAddress": "ny@example.no"})

    linked.back()
    linked.forward()

    entry = box.go.entry("Customers", linked.go_id("customers", "1001"))
    record = box.shop.record("customers", "1001")
    assert (record["phone"], record["email"]) == ("+4790000001", "ny@example.no")
    assert (entry["PhoneNumber"], entry["EmailAddress"]) == ("+4790000001", "ny@example.no")
    assert linked.forward().writes == []
    assert linked.back().writes == []


def test_an_edit_made_between_reading_and_writing_is_not_overwritten(linked, box):
    box.go.edit("Customers", linked.go_id("customers", "1001"), {"EmailAddress": "ny@example.no"})
    box.faults.on(
        "shop",
        "PATCH",
        "/customers/1001",
        lambda _: box.shop.edit("customers", "1001", {"note": "ring først"}),
        when="before",
    )

    outcome = linked.back()

    assert [one.status for one in outcome.writes] == [412, 200]
    record = box.shop.record("customers", "1001")
    assert (record["note"], record["email"]) == ("ring først", "ny@example.no")


def test_what_a_tap_read_before_the_way_back_wrote_does_not_undo_it(linked, box, message):
    old = message(box.shop.record("customers", "1001"))
    box.go.edit("Customers", linked.go_id("customers", "1001"), {"PhoneNumber": "+4790000002"})
    linked.back()

    assert linked.ledger.run(old).writes == []
    assert phones(linked) == ("+4790000002", "+4790000002")


def test_what_was_read_of_go_before_we_wrote_there_does_not_undo_it(linked, box):
    old = linked.entries("customers")
    box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    linked.forward()

    outcome = linked.back(*old)

    assert (outcome.reads, outcome.writes) == ([], [])
    assert phones(linked) == ("+4790000001", "+4790000001")


def test_a_replica_of_go_that_is_behind_does_not_undo_what_we_wrote(linked, box, address):
    behind = linked.entries("customers")
    box.shop.edit("customers", "1001", {"addresses": [address(line1="Storgata 9")]})
    linked.forward()
    later = datetime.datetime.now(datetime.timezone.utc).isoformat()

    assert linked.back(*({**one, "time_extracted": later} for one in behind)).writes == []
    assert box.shop.record("customers", "1001")["addresses"][0]["line1"] == "Storgata 9"


def test_a_replica_of_go_that_is_behind_what_came_back_tells_of_no_edit(linked):
    box, go_id = linked.box, linked.go_id("customers", "1001")
    box.go.switches.read_lag_reads = 10_000
    box.go.edit("Customers", go_id, {"PhoneNumber": "+4790000001"})
    assert linked.back().status == 0
    box.shop.edit("customers", "1001", {"phone": "+4790000002"})

    assert linked.forward().status == 0

    assert phones(linked) == ("+4790000002", "+4790000002")


def test_at_the_first_meeting_go_can_be_told_to_lead(both, box, customer):
    entry = box.go.create(
        "Customers",
        {
            "IsPerson": True,
            "FirstName": "Kari",
            "LastName": "Nordmann",
            "EmailAddress": "kari@example.no",
            "PhoneNumber": "+4790000002",
        },
    )
    box.shop.put("customers", customer())
    both.ledger.settings["on_link"] = "go"
    both.forward()

    both.back()

    assert box.shop.record("customers", "1001")["phone"] == "+4790000002"
    assert box.go.entry("Customers", entry["Id"])["PhoneNumber"] == "+4790000002"
    assert box.shop.record("customers", "1001")["addresses"][0]["city"] == "Oslo"


def test_filling_what_is_empty_mixes_no_two_addresses(both, box, customer):
    there = {"AddressLine1": "Kaien 3", "AddressLine2": "2. etasje", "ZipCode": "1531"}
    person = {"IsPerson": True, "FirstName": "Kari", "LastName": "Nordmann"}
    person |= {"EmailAddress": "kari@example.no", "MailAddress": {**there, "City": "Moss"}}
    box.go.create("Customers", person)
    box.shop.put("customers", customer())
    both.ledger.settings["on_link"] = "fill_empty"
    both.forward()

    both.back()

    assert box.shop.record("customers", "1001")["addresses"][0]["line2"] is None


def test_a_conflict_on_an_invoiced_order_goes_by_the_owner(linked, box):
    linked.settings = {"owners": {"orders": "shop"}}
    go_id = linked.go_id("orders", "9001")
    box.go.edit("SalesOrders", go_id, {"PurchaseOrderReference": "GO 1"})
    box.go.send_invoice(go_id)
    box.shop.edit("orders", "9001", {"reference": "SHOP 1"})

    linked.forward()
    linked.back()

    assert box.shop.record("orders", "9001")["reference"] == "SHOP 1"
