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
    return {
        operation["path"]: operation["value"]
        for operation in request.json()
        if operation["op"] == "replace"
    }


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
def test_the_same_value_written_differently_is_not_an_edit(ledger, customer, linked, changes):
    assert ledger.run(customer(**changes), ends_with=0).writes == []


def test_an_edit_in_go_of_another_property_stays(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"FirstName": "Karianne", "MailAddress": {"City": "Moss"}})

    outcome = ledger.run(customer(phone=NEW_PHONE))

    assert replaced(outcome.writes[0]) == {"/PhoneNumber": NEW_PHONE}
    entry = box.go.entry("Customers", linked)
    assert (entry["FirstName"], entry["MailAddress"]["City"]) == ("Karianne", "Moss")
    assert ledger.run(customer(phone=NEW_PHONE, note="x")).writes == []


def test_an_edit_in_go_during_the_run_of_another_property_stays(ledger, box, customer, linked):
    box.faults.on(
        "go",
        "PATCH",
        "/Customers/",
        lambda _: box.go.edit("Customers", linked, {"LastName": "Fjell"}),
    )

    ledger.run(customer(phone=NEW_PHONE))

    entry = box.go.entry("Customers", linked)
    assert (entry["LastName"], entry["PhoneNumber"]) == ("Fjell", NEW_PHONE)


@pytest.mark.parametrize("patch_guard", ["test", "reread"])
def test_an_edit_in_go_during_the_run_of_the_same_property_is_a_conflict_not_lost(
    ledger, box, customer, linked, patch_guard
):
    """The edit is made after all of Go was listed, right before the change is written."""
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


def test_an_entry_edited_in_go_at_every_attempt_is_held(ledger, box, customer, linked):
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
def test_after_a_failed_patch_test_of_any_status_the_entry_is_read_and_merged_again(
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


def test_a_record_read_before_both_agreed_does_not_undo_the_agreement(
    ledger, box, customer, message, linked
):
    stale = message(customer(phone="+4740000009"), at=now() - datetime.timedelta(hours=1))

    assert ledger.run(stale).writes == []
    assert box.go.entry("Customers", linked)["PhoneNumber"] == "+4791234567"


def test_a_stale_record_does_not_make_the_next_fresh_one_look_unchanged(
    ledger, box, customer, message, linked
):
    ledger.run(message(customer(phone=NEW_PHONE), at=now() - datetime.timedelta(hours=1)))

    assert [call.method for call in ledger.run(customer(phone=NEW_PHONE)).writes] == ["PATCH"]
    assert box.go.entry("Customers", linked)["PhoneNumber"] == NEW_PHONE


def test_both_sides_changing_to_the_same_value_agree_without_a_write(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": NEW_PHONE})

    assert ledger.run(customer(phone=NEW_PHONE), ends_with=0).writes == []
    assert [call.method for call in ledger.run(customer(phone="+4741111111")).writes] == ["PATCH"]


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


def test_edits_too_close_in_time_are_held_with_both_values(ledger, box, customer, linked, message):
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


def test_our_own_write_is_not_evidence_of_an_edit_in_go(ledger, box, customer, linked):
    """Our patch of the phone changes Go's stamp; an edit of the address does not."""
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

    entry = box.go.entry("Customers", linked)
    assert (entry["PhoneNumber"], entry["EmailAddress"]) == (GO_PHONE, "kari.ny@example.no")


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


def test_a_value_cleared_in_the_shop_is_cleared_in_go(ledger, box, customer, linked):
    assert replaced(ledger.run(customer(phone=None)).writes[0]) == {"/PhoneNumber": None}
    assert box.go.entry("Customers", linked)["PhoneNumber"] is None


def test_a_value_that_the_shop_omits_is_left_alone(ledger, box, customer, linked):
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


def test_an_address_that_go_does_not_have_yet_is_written_as_a_whole(ledger, box, customer, address):
    ledger.run(customer(addresses=[]))
    (entry,) = box.go.entries("Customers")
    assert not entry["MailAddress"]

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
    """Such an edit changes no stamp, so the index misses it; the patch's test does not."""
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
    entry = box.go.entry("Products", item["Id"])
    assert (entry["UnitPrice"], entry["Description"], entry["UnitCost"]) == (
        110,
        "Skrevet i Go",
        45,
    )


def test_an_edit_in_go_that_won_is_not_undone_by_a_later_edit_of_another_property(
    ledger, box, customer, linked
):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    ledger.run(customer(phone=NEW_PHONE, updated_at="2026-01-06T00:00:00Z"))

    ledger.run(customer(phone=NEW_PHONE, email="ny@example.no", updated_at=LATER))

    entry = box.go.entry("Customers", linked)
    assert entry["PhoneNumber"] == GO_PHONE
    assert entry["EmailAddress"] == "ny@example.no"


def test_an_open_conflict_is_not_decided_by_a_later_edit_of_another_property(
    ledger, box, customer, linked
):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    both = customer(phone=NEW_PHONE, updated_at=now().isoformat())
    assert ledger.run(both).status == 3

    ledger.run({**both, "email": "ny@example.no", "updated_at": LATER}, ends_with=3)

    entry = box.go.entry("Customers", linked)
    assert entry["PhoneNumber"] == GO_PHONE
    assert entry["EmailAddress"] == "ny@example.no"


def test_a_further_edit_of_a_property_in_conflict_wins_as_the_newest(ledger, box, customer, linked):
    box.go.edit("Customers", linked, {"PhoneNumber": GO_PHONE})
    ledger.run(customer(phone=NEW_PHONE, updated_at=now().isoformat()))

    ledger.run(customer(phone="+4799999999", updated_at=LATER), ends_with=0)

    assert box.go.entry("Customers", linked)["PhoneNumber"] == "+4799999999"
