"""On the way back no wrong clock hides an edit in Go, and no old data undoes a newer edit."""

import datetime

import pytest
from clocks import machine_off_by, read_at
from ledger import singer_lines as ledger_lines

AHEAD, BEHIND = (datetime.timedelta(days=days) for days in (400, -400))
FIRST, SECOND = "+4790000001", "+4790000002"


@pytest.fixture
def in_go(linked):
    """Lets a bookkeeper edit the phone of customer 1001."""
    return lambda phone: linked.edit_in_go("customers", "1001", PhoneNumber=phone)


@pytest.fixture
def phones(linked):
    """Returns the phone of customer 1001 in the shop and in Go."""

    def read():
        entry = linked.box.go.entry("Customers", linked.go_id("customers", "1001"))
        return linked.box.shop.record("customers", "1001")["phone"], entry["PhoneNumber"]

    return read


@pytest.mark.parametrize("offset", [AHEAD, BEHIND])
def test_a_clock_that_was_wrong_once_hides_no_later_edit(linked, in_go, phones, offset):
    in_go(FIRST)
    with machine_off_by(offset):
        linked.back(*read_at(linked.entries("customers"), offset))
    in_go(SECOND)

    linked.back(*read_at(linked.entries("customers"), -offset))

    assert (*phones(), linked.open_ones()) == (SECOND, SECOND, {})


@pytest.mark.parametrize("offset", [AHEAD, BEHIND])
def test_no_edit_is_lost_if_both_ways_run_with_a_wrong_clock(linked, in_go, phones, offset):
    with machine_off_by(offset):
        in_go(FIRST)
        linked.back()
        linked.ledger.run(*read_at(linked.shop_records(), -offset))
    linked.box.shop.edit("customers", "1001", {"phone": SECOND})

    linked.forward(ends_with=0)

    assert (*phones(), linked.open_ones()) == (SECOND, SECOND, {})


@pytest.mark.parametrize("offset", [AHEAD, BEHIND, datetime.timedelta(0)])
def test_an_entry_read_before_our_own_write_and_sent_after_it_undoes_nothing(
    linked, phones, offset
):
    old = linked.entries("customers")
    linked.box.shop.edit("customers", "1001", {"phone": FIRST})
    assert linked.forward().status == 0

    assert linked.back(*read_at(old, offset)).writes == []
    assert phones() == (FIRST, FIRST)
    linked.back()
    assert linked.open_ones() == {}


@pytest.mark.parametrize("offset", [AHEAD, BEHIND, datetime.timedelta(0)])
@pytest.mark.parametrize("updated_at", ["exact", "whole seconds", "none", "not changed by patches"])
def test_a_record_read_before_our_own_write_and_sent_after_it_undoes_nothing(
    linked, in_go, phones, updated_at, offset
):
    linked.box.shop.tells_updated_at = updated_at != "none"
    linked.box.shop.whole_seconds = updated_at == "whole seconds"
    linked.box.shop.patches_move_updated_at = updated_at != "not changed by patches"
    old = linked.shop_records()
    in_go(FIRST)
    linked.back()
    assert phones() == (FIRST, FIRST)

    assert linked.ledger.run(*read_at(old, offset)).writes == []
    assert phones() == (FIRST, FIRST)
    assert ("parked", "customers", "1001") in linked.open_ones()
    linked.forward()
    assert linked.open_ones() == {}


@pytest.mark.both_link_stores
def test_a_value_that_our_write_replaced_counts_as_an_edit_once_it_is_read_three_times(
    linked, in_go, phones
):
    linked.box.shop.tells_updated_at = False
    before, _ = phones()
    in_go(FIRST)
    linked.back()
    linked.box.shop.edit("customers", "1001", {"phone": before})  # a person takes it back

    for _ in range(2):
        linked.forward()
        assert phones() == (before, FIRST)
    linked.forward()

    assert (*phones(), linked.open_ones()) == (before, before, {})


@pytest.mark.both_link_stores
def test_a_person_can_make_a_run_accept_a_record_from_before_our_own_write(
    linked, in_go, phones, links
):
    old = linked.shop_records()
    before, _ = phones()
    in_go(FIRST)
    linked.back()
    for second in (1, 2, 3):  # the shop was restored from a backup
        linked.ledger.run(*read_at(old, datetime.timedelta(seconds=second)))
    (held,) = linked.ledger.unsettled("hold")

    assert links("retry", str(held.id)).exit_code == 0
    linked.ledger.run(ends_with=0)
    assert (phones()[1], linked.open_ones()) == (before, {})


def test_an_entry_sent_again_after_the_same_edit_on_both_sides_undoes_nothing(
    linked, in_go, phones
):
    old = linked.entries("customers")
    in_go(FIRST)
    linked.box.shop.edit("customers", "1001", {"phone": FIRST})
    assert linked.forward().writes == []

    assert linked.back(*old).writes == []

    assert phones() == (FIRST, FIRST)


@pytest.mark.parametrize("offset", [AHEAD, BEHIND, datetime.timedelta(0)])
def test_lines_of_an_order_read_before_our_own_write_undo_nothing(linked, offset):
    old = linked.shop_records()
    order = linked.box.go.entries("SalesOrders")[0]
    line = order["SalesOrderLines"][0]
    linked.box.go.edit("SalesOrders", order["Id"], {"lines": {line["Id"]: {"Quantity": 3}}})
    linked.back(order_lines_back=True)
    assert linked.box.shop.record("orders", "9001")["lines"][0]["quantity"] == "3"

    linked.ledger.run(*read_at(old, offset))

    (line,) = linked.box.go.entries("SalesOrders")[0]["SalesOrderLines"]
    assert line["Quantity"] == 3
    assert linked.forward().status == 0
    assert linked.open_ones() == {}


EDITS = {
    "customers": ("1001", {"phone": FIRST}, "/customers/"),
    "products": ("501", {"price_excl": "120.00"}, "/products/"),
    "orders": ("9001", {"reference": "Bestilling 7"}, "/salesorders/"),
}


@pytest.mark.parametrize("stream", EDITS)
def test_an_old_entry_undoes_nothing_after_an_unanswered_write_to_go(linked, box, stream):
    shop_id, edit, path = EDITS[stream]
    old = linked.entries("salesorders" if stream == "orders" else stream)
    box.shop.edit(stream, shop_id, edit)
    running = linked.ledger.start()
    box.faults.on("go", "PATCH", path, lambda _: running.kill(), when="after")
    running.communicate(ledger_lines(*linked.shop_records()), timeout=60)
    assert running.returncode == -9
    assert linked.forward().status == 0
    linked.back()

    assert linked.back(*old).patches == []
    assert edit.items() <= box.shop.record(stream, shop_id).items()


@pytest.mark.parametrize("phone", [True, 91234567, ["+4791234567"], {"number": "91234567"}])
def test_an_invalid_value_in_one_entry_does_not_stop_the_others(linked, phone):
    go_id = linked.go_id("customers", "1001")
    linked.edit_in_go("customers", "2001", EmailAddress="ny@example.no")
    entries = linked.entries("customers")
    for entry in entries:
        if str(entry["record"]["Id"]) == go_id:
            entry["record"]["PhoneNumber"] = phone

    assert "Traceback" not in linked.back(*entries, ends_with=3).log
    assert linked.box.shop.record("customers", "2001")["email"] == "ny@example.no"
    assert [shop_id for _, _, shop_id in linked.open_ones()] == ["1001"]
    assert linked.box.shop.record("customers", "1001")["phone"] != phone
