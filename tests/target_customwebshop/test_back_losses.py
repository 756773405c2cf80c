"""A lost state or link store costs the way back reads, but never a wrong write."""

from decimal import Decimal

import pytest


def test_a_lost_link_store_costs_reads_and_no_write_on_either_way(linked, box):
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000001")
    box.shop.edit("products", "501", {"name": "Lusekofte"})
    linked.ledger.lose_link_store()

    assert (linked.forward().writes, linked.back().writes) == ([], [])

    assert box.shop.record("customers", "1001")["phone"] == "+4791234567"
    assert box.go.entries("Products")[0]["Name"] == "Ullgenser"
    linked.edit_in_go("customers", "1001", PhoneNumber="+4790000002")
    linked.back()
    assert box.shop.record("customers", "1001")["phone"] == "+4790000002"


@pytest.mark.slow
def test_a_lost_state_of_either_way_costs_reads_and_no_write(linked, tap):
    """`forward` and `tap` without a state read everything, as after a lost state."""
    linked.box.shop.edit("customers", "1001", {"phone": "+4790000001"})
    linked.forward()
    assert linked.run(*tap()).writes == []
    assert linked.forward().writes == []
    assert linked.run(*tap()).writes == []


@pytest.mark.slow
def test_an_edit_in_go_costs_one_read_and_one_write_of_the_shop_and_a_few_of_go(
    linked, box, tap, customer
):
    for number in range(30):
        box.shop.put("customers", customer(id=f"c{number}", email=f"kunde{number}@example.no"))
    linked.forward()
    state = [message["value"] for message in tap() if message["type"] == "STATE"][-1]
    for number in range(5):
        linked.edit_in_go("customers", f"c{number}", PhoneNumber=f"+479000000{number}")
    box.requests.clear()

    outcome = linked.run(*tap(state))

    assert (len(outcome.reads), len(outcome.writes)) == (5, 5)
    assert len(box.requests.writes("go")) == 0
    assert len(box.requests.reads("go")) <= 10


def test_edits_read_by_the_tap_reach_the_shop_once(linked, box, tap):
    linked.edit_in_go("products", "501", UnitPrice=Decimal("120.50"))
    box.go.send_invoice(linked.go_id("orders", "9001"))

    linked.run(*tap(), ends_with=0)

    assert box.shop.record("products", "501")["price_excl"] == "120.50"
    assert box.shop.record("orders", "9001")["invoice"]["balance"] == "250.00"
    assert linked.run(*tap()).writes == []
