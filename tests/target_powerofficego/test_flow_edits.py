"""Edits of linked customers and products on either side, and of both at once."""

from __future__ import annotations

import datetime

import pytest

pytestmark = pytest.mark.both_link_stores(if_slow=True)

LATER = "2036-01-01T00:00:00Z"
NEW_PHONE = "+4798765432"
GO_PHONE = "+4740000000"


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture
def linked(ledger, box, customer):
    """A customer that was created in Go; returns its id there."""
    assert ledger.run(customer()).status == 0
    return box.go.entries("Customers")[0]["Id"]


def replaced(request) -> dict:
    """Return what a JSON Patch replaces."""
    return {one["path"]: one["value"] for one in request.json() if one["op"] == "replace"}


def test_one_changed_phone_is_one_patch_of_one_property(ledger, box, customer, linked):
    (patch,) = ledger.run(customer(phone=NEW_PHONE)).writes
    assert (patch.method, patch.path) == ("PATCH", f"/v2/Customers/{linked}")
    assert patch.json() == [
        {"op": "test", "path": "/PhoneNumber", "value": "+4791234567"},
        {"op": "replace", "path": "/PhoneNumber", "value": NEW_PHONE},
    ]
    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE


@pytest.mark.parametrize(
    "changes",
    [
        {"phone": "91 23 45 67"},
        {"phone": "004791234567"},
        {"email": "KARI@example.no "},
        {"first_name": " Kari "},
        {"note": "ringer tilbake", "language": "nn"},
        {"updated_at": LATER},
    ],
)
def test_the_same_value_written_otherwise_is_no_edit(ledger, customer, linked, changes):

    assert ledger.run(customer(**changes), ends_with=0).writes == []


def test_an_edit_in_go_of_another_property_stays(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"FirstName": "Karianne", "MailAddress": {"City": "Moss"}})

    outcome = ledger.run(customer(phone=NEW_PHONE))

    assert replaced(outcome.writes[0]) == {"/PhoneNumber": NEW_PHONE}
    there = box.go.entry("Customers", linked)
    assert (there["FirstName"], there["MailAddress"]["City"]) == ("Karianne", "Moss")
    assert ledger.run(customer(phone=NEW_PHONE, note="x")).writes == []


def test_an_edit_in_go_during_the_run_of_another_property_stays(ledger, box, customer, linked):
    box.faults.on(
        "go",
        "PATCH",
        "/Customers/",
        lambda _: box.go.edit("Customers", linked, {"LastName": "Fjell"}),
    )

    ledger.run(customer(phone=NEW_PHONE))

    there = box.go.entry("Customers", linked)
    assert (there["LastName"], there["PhoneNumber"]) == ("Fjell", NEW_PHONE)


@pytest.mark.parametrize("patch_guard", ["test", "reread"])
def test_an_edit_in_go_during_the_run_of_the_same_property_is_a_conflict_not_lost(
    ledger, box, customer, linked, patch_guard
):
    """The edit comes after all of Go was listed, and right before the change is written."""
    box.faults.on(
        "go",
        "PATCH" if patch_guard == "test" else "GET",
        f"/Customers/{linked}" if patch_guard == "reread" else "/Customers/",
        lambda _: box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE}),
    )

    outcome = ledger.run(
        customer(phone=NEW_PHONE), patch_guard=patch_guard, owners={"customers": "go"}
    )

    assert box.go.entry("Customers", linked)["PhoneNumber"] == GO_PHONE
    assert "both sides changed phone" in outcome.log
    assert "go wins" in outcome.log


def test_go_edited_at_every_try_is_held_in_the_end(ledger, box, customer, linked):
    phones = iter(("+4740000001", "+4740000002", "+4740000003"))
    box.faults.on(
        "go",
        "PATCH",
        "/Customers/",
        lambda _: box.go.edit("Customers", linked, {"PhoneNumber": next(phones)}),
        times=3,
    )

    outcome = ledger.run(customer(phone=NEW_PHONE), owners={"customers": "shop"}, ends_with=3)

    assert outcome.count("customers", "held") == 1
    assert box.go.entry("Customers", linked)["PhoneNumber"] == "+4740000002"


@pytest.mark.parametrize("status", [400, 409, 412, 422])
def test_a_failed_test_is_read_and_merged_again_whatever_status_it_has(
    ledger, box, customer, linked, status
):
    box.go.switches.patch_test_status = status
    box.faults.on(
        "go",
        "PATCH",
        "/Customers/",
        lambda _: box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE}),
    )

    ledger.run(customer(phone=NEW_PHONE), owners={"customers": "shop"}, ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE


def test_a_record_read_before_both_agreed_does_not_undo_it(ledger, box, customer, message, linked):
    stale = message(customer(phone="+4740000009"), at=now() - datetime.timedelta(hours=1))

    assert ledger.run(stale).writes == []
    assert box.go.entry("Customers", linked)["PhoneNumber"] == "+4791234567"


def test_a_stale_record_does_not_make_the_next_fresh_one_look_unchanged(
    ledger, box, customer, message, linked
):
    ledger.run(message(customer(phone=NEW_PHONE), at=now() - datetime.timedelta(hours=1)))

    assert [one.method for one in ledger.run(customer(phone=NEW_PHONE)).writes] == ["PATCH"]
    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE


def test_both_sides_changing_to_the_same_value_agree_without_a_write(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": NEW_PHONE})

    assert ledger.run(customer(phone=NEW_PHONE), ends_with=0).writes == []
    assert [one.method for one in ledger.run(customer(phone="+4741111111")).writes] == ["PATCH"]


def test_another_extension_of_the_same_number_is_an_edit(ledger, box, customer, linked):
    ledger.run(customer(phone="22000000 ext. 12"))

    assert ledger.run(customer(phone="+47 22 00 00 00 x12", note="x")).writes == []
    ledger.run(customer(phone="22000000 ext. 14"))

    assert box.go.entry("Customers", linked)["PhoneNumber"] == "22000000 ext. 14"


@pytest.mark.parametrize(("owner", "kept"), [("shop", NEW_PHONE), ("go", GO_PHONE)])
def test_the_owner_of_a_row_wins_its_conflict(ledger, box, customer, linked, owner, kept):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})

    ledger.run(
        customer(phone=NEW_PHONE),
        owners={"customers": {"phone": owner, "*": "newest"}},
        ends_with=0,
    )

    assert box.go.entry("Customers", linked)["PhoneNumber"] == kept
    again = ledger.run(customer(phone=NEW_PHONE, note="x"), owners={"customers": {"phone": owner}})
    assert again.writes == []


def test_an_owner_does_not_stop_the_other_sides_lone_edit(ledger, box, customer, linked):
    outcome = ledger.run(customer(phone=NEW_PHONE), owners={"customers": "go"})

    assert len(outcome.writes) == 1
    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE


@pytest.mark.parametrize(
    ("updated_at", "kept"),
    [(LATER, NEW_PHONE), ("2026-01-06T00:00:00Z", GO_PHONE)],
)
def test_the_newest_edit_wins_when_the_stamps_are_far_apart(
    ledger, box, customer, linked, updated_at, kept
):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})

    ledger.run(customer(phone=NEW_PHONE, updated_at=updated_at), ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == kept


def test_edits_too_near_each_other_are_held_with_both_values(
    ledger, box, customer, linked, message
):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE, "FirstName": "Karianne"})
    edited = customer(phone=NEW_PHONE, first_name="Kaia", updated_at=now().isoformat())

    outcome = ledger.run(edited, ends_with=3)

    assert outcome.writes == []
    (hold,) = ledger.unsettled("hold")
    for value in (NEW_PHONE, GO_PHONE, "Karianne", "Kaia"):
        assert value in hold.detail
        assert value not in hold.reason
        assert value not in outcome.log


def test_a_margin_of_zero_decides_by_the_stamps_alone(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})

    ledger.run(customer(phone=NEW_PHONE, updated_at=now().isoformat()), clock_margin=0, ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE


def test_our_own_write_is_no_evidence_of_an_edit_in_go(ledger, box, customer, linked):
    """Go's stamp moved by our patch of the phone; the address was edited, which moves no stamp."""
    ledger.run(customer(phone=NEW_PHONE))
    box.go.edit("Customers", linked, {"MailAddress": {"City": "Moss"}})
    edited = customer(phone=NEW_PHONE, updated_at=LATER)
    edited["addresses"][0]["city"] = "Bergen"

    ledger.run(edited, full_check_hours=0, ends_with=3)

    assert box.go.entry("Customers", linked)["MailAddress"]["City"] == "Moss"


def test_a_hold_on_a_conflict_leaves_other_edits_to_be_written(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    edited = customer(phone=NEW_PHONE, email="kari.ny@example.no", updated_at=now().isoformat())

    ledger.run(edited, ends_with=3)

    there = box.go.entry("Customers", linked)
    assert (there["PhoneNumber"], there["EmailAddress"]) == (GO_PHONE, "kari.ny@example.no")


def test_a_held_conflict_is_settled_when_go_is_set_to_the_shops_value(
    ledger, box, customer, linked
):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    edited = customer(phone=NEW_PHONE, updated_at=now().isoformat())
    assert ledger.run(edited).status == 3

    box.go.edit("Customers", linked, {"PhoneNumber": NEW_PHONE})

    assert ledger.run(ends_with=0).writes == []
    assert ledger.unsettled() == []


def test_an_empty_value_loses_a_conflict_whatever_the_stamps(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE, "LastName": "Fjell"})

    ledger.run(customer(phone=None, updated_at=LATER), ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == GO_PHONE


def test_a_clearing_in_the_shop_alone_crosses(ledger, box, customer, linked):
    assert replaced(ledger.run(customer(phone=None)).writes[0]) == {"/PhoneNumber": None}
    assert box.go.entry("Customers", linked)["PhoneNumber"] is None


def test_a_value_that_the_shop_does_not_tell_is_left_alone(ledger, box, customer, linked):
    silent = customer()
    del silent["phone"]
    del silent["addresses"]

    assert ledger.run(silent).writes == []
    assert box.go.entry("Customers", linked)["PhoneNumber"] == "+4791234567"


def test_an_address_is_changed_member_by_member_and_cleared_as_a_whole(
    ledger, box, customer, address, linked
):
    moved = ledger.run(customer(addresses=[address(line1="Storgata 2")]))
    assert replaced(moved.writes[0]) == {"/MailAddress/AddressLine1": "Storgata 2"}

    ledger.run(customer(addresses=[address(line1="Kaien 1", postal_code="5003", city="Bergen")]))
    mail = box.go.entry("Customers", linked)["MailAddress"]
    assert (mail["AddressLine1"], mail["ZipCode"], mail["City"]) == ("Kaien 1", "5003", "Bergen")


def test_an_address_that_go_does_not_have_yet_is_given_as_a_whole(ledger, box, customer, address):
    ledger.run(customer(addresses=[]))
    (there,) = box.go.entries("Customers")
    assert not there["MailAddress"]

    assert len(ledger.run(customer(addresses=[address()]), ends_with=0).writes) == 1
    assert box.go.entries("Customers")[0]["MailAddress"]["City"] == "Oslo"


def test_an_address_without_a_city_leaves_the_one_in_go(ledger, box, customer, address, linked):
    outcome = ledger.run(customer(addresses=[address(city=None)]), ends_with=0)

    assert outcome.writes == []
    assert "has no city" in outcome.log
    assert box.go.entry("Customers", linked)["MailAddress"]["City"] == "Oslo"


def test_an_address_edited_in_go_between_full_checks_is_not_overwritten(
    ledger, box, customer, address, linked
):
    """Such an edit moves no stamp, so the index does not know of it; the patch's test does."""
    box.go.edit("Customers", linked, {"MailAddress": {"AddressLine1": "Endret i Go 3"}})

    ledger.run(customer(addresses=[address(line1="Storgata 2")]), ends_with=3)

    assert box.go.entry("Customers", linked)["MailAddress"]["AddressLine1"] == "Endret i Go 3"


def test_a_cleared_address_does_not_break_the_customer(ledger, box, customer, linked):
    ledger.run(customer(addresses=[], phone=NEW_PHONE), ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE
    assert ledger.run(customer(addresses=[], phone=NEW_PHONE, note="x")).writes == []


def test_a_product_edited_in_both_is_merged_row_by_row(ledger, box, product):
    ledger.run(product())
    (item,) = box.go.entries("Products")
    box.go.edit("Products", item["Id"], {"Description": "Skrevet i Go", "UnitCost": 45})

    outcome = ledger.run(product(price_excl="110.00", price_incl="137.50"))

    assert replaced(outcome.writes[0]) == {"/UnitPrice": 110}
    there = box.go.entry("Products", item["Id"])
    assert (there["UnitPrice"], there["Description"], there["UnitCost"]) == (
        110,
        "Skrevet i Go",
        45,
    )


def test_an_edit_of_gos_that_won_is_not_undone_by_a_later_edit_of_something_else(
    ledger, box, customer
):
    ledger.run(customer())
    entry_id = box.go.entries("Customers")[0]["Id"]
    box.go.edit("Customers", entry_id, {"PhoneNumber": GO_PHONE})
    ledger.run(customer(phone=NEW_PHONE, updated_at="2026-01-06T00:00:00Z"))

    ledger.run(customer(phone=NEW_PHONE, email="ny@example.no", updated_at=LATER))

    there = box.go.entry("Customers", entry_id)
    assert there["PhoneNumber"] == GO_PHONE
    assert there["EmailAddress"] == "ny@example.no"


def test_what_a_person_is_to_decide_is_not_decided_by_a_later_edit_of_something_else(
    ledger, box, customer, linked
):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    both = customer(phone=NEW_PHONE, updated_at=now().isoformat())
    assert ledger.run(both).status == 3

    ledger.run({**both, "email": "ny@example.no", "updated_at": LATER}, ends_with=3)

    there = box.go.entry("Customers", linked)
    assert there["PhoneNumber"] == GO_PHONE
    assert there["EmailAddress"] == "ny@example.no"


def test_a_further_edit_of_what_a_person_is_to_decide_is_the_newest(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    ledger.run(customer(phone=NEW_PHONE, updated_at=now().isoformat()))

    ledger.run(customer(phone="+4799999999", updated_at=LATER), ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == "+4799999999"
