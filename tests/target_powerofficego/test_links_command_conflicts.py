"""`powerofficego-links conflicts`: what both sides changed, with its values and the winner."""

from __future__ import annotations

import datetime
import functools
import json
from decimal import Decimal

import pytest


@pytest.fixture
def conflicts(rows):
    """Lists the conflicts, as the JSON of each."""
    return functools.partial(rows, "conflicts")


def just_now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


@pytest.fixture
def edit_both(ledger, box, customer):
    """Edits the phone number of a linked customer on both sides."""

    def edit(in_shop="+4740000000", in_go="99887766", **settings):
        (entry,) = box.go.entries("Customers")
        box.go.edit("Customers", entry["Id"], {"PhoneNumber": in_go})
        return ledger.run(customer(phone=in_shop, updated_at=just_now()), **settings)

    ledger.run(customer())
    return edit


def test_without_conflicts_one_sentence_is_printed(ledger, listed, customer):
    ledger.run(customer())

    assert listed("conflicts") == "no property was changed on both sides\n"


def test_a_held_conflict_is_listed_without_its_values(edit_both, listed, conflicts):
    edit_both()

    (row,) = conflicts()

    assert (row["entity"], row["shop_id"], row["property"]) == ("customers", "1001", "phone")
    assert row["winner"] is None
    assert "stamps do not show" in row["why"]
    assert row["run"] == 2
    table = listed("conflicts")
    assert "held" in table
    for value in ("40000000", "99887766", "91234567"):
        assert value not in table
        assert value not in json.dumps(row)


def test_show_values_lists_the_values_of_both_sides_and_the_previous_ones(
    edit_both, listed, conflicts
):
    edit_both()

    (row,) = conflicts("--show-values")

    assert (row["shop_value"], row["go_value"]) == ("+4740000000", "99887766")
    assert row["base_value"]["shop"] == "+4791234567"
    assert "99887766" in listed("conflicts", "--show-values")


def test_a_conflict_that_a_person_resolved_is_listed_as_settled(
    edit_both, ledger, listed, conflicts, customer
):
    edit_both()
    (row,) = conflicts()
    assert row["is_settled"] is False

    ledger.run(customer(phone="+4799887766", updated_at=just_now()))

    assert ledger.unsettled() == []
    (row,) = conflicts()
    assert (row["winner"], row["is_settled"]) == (None, True)
    table = listed("conflicts")
    assert "settled" in table
    assert "held" not in table


@pytest.mark.parametrize(("owner", "number"), [("shop", "+4740000000"), ("go", "99887766")])
def test_a_conflict_that_the_owner_won_names_the_winner(
    edit_both, box, listed, conflicts, owner, number
):
    edit_both(owners={"customers": owner})

    (row,) = conflicts()

    assert row["winner"] == owner
    assert box.go.entries("Customers")[0]["PhoneNumber"] == number
    assert owner in listed("conflicts")


def test_the_same_conflict_in_later_runs_is_one_row(edit_both, ledger, conflicts):
    edit_both()
    (first,) = conflicts()
    ledger.run()
    ledger.run()

    (row,) = conflicts()

    assert row["first_seen"] == first["first_seen"]
    assert row["run"] == first["run"]


def test_a_conflict_over_another_value_is_another_row_and_the_newest_comes_first(
    edit_both, conflicts
):
    edit_both()
    edit_both(in_shop="+4740000001")

    values = [row["shop_value"] for row in conflicts("--show-values")]

    assert values == ["+4740000001", "+4740000000"]
    assert len(conflicts("--newest", "1")) == 1


def test_conflicts_are_filtered_by_entity(edit_both, conflicts):
    edit_both()

    assert len(conflicts("--entity", "customers")) == 1
    assert conflicts("--entity", "orders") == []


def test_a_property_of_an_order_line_that_both_sides_changed_is_listed(
    ledger, box, conflicts, customer, product, order, line
):
    ledger.run(customer(), product(), order())
    (entry,) = box.go.entries("SalesOrders")
    (go_line,) = entry["SalesOrderLines"]
    box.go.edit("SalesOrders", entry["Id"], {"lines": {go_line["Id"]: {"Quantity": 5}}})
    edited = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")

    ledger.run(order(lines=[edited], updated_at=just_now()))

    (row,) = conflicts("--show-values", "--entity", "orders")
    assert row["property"] == "line 1: Quantity"
    assert [Decimal(row["shop_value"]), Decimal(row["go_value"])] == [3, 5]
    assert Decimal(row["base_value"]["shop"]) == 2
    (hold,) = ledger.unsettled("hold")
    assert hold.reason == "line 1: both sides changed Quantity"


def test_an_order_reference_that_both_sides_changed_is_listed(
    ledger, box, conflicts, customer, product, order
):
    ledger.run(customer(), product(), order(reference="PO 1"))
    (entry,) = box.go.entries("SalesOrders")
    box.go.edit("SalesOrders", entry["Id"], {"PurchaseOrderReference": "PO 2"})

    ledger.run(order(reference="PO 3", updated_at=just_now()))

    (row,) = conflicts("--show-values")
    assert (row["property"], row["shop_value"], row["go_value"]) == ("reference", "PO 3", "PO 2")


def test_a_delivery_address_that_both_sides_changed_is_listed(
    ledger, box, conflicts, customer, address
):
    shipping = address(id="a1", type="shipping", line1="Fjellveien 9")
    ledger.run(customer(addresses=[address(), shipping]))
    (entry,) = box.go.entries("ContactDeliveryAddresses")
    box.go.edit("ContactDeliveryAddresses", entry["Id"], {"AddressLine1": "Fjellveien 10"})
    moved = {**shipping, "line1": "Fjellveien 11"}

    ledger.run(customer(addresses=[address(), moved], updated_at=just_now()))

    (row,) = conflicts("--show-values")
    assert row["property"] == "delivery addresses: AddressLine1"
    assert (row["shop_value"], row["go_value"]) == ("Fjellveien 11", "Fjellveien 10")
    assert row["base_value"]["go"] == "Fjellveien 9"


def test_a_contact_person_that_both_sides_changed_is_listed(ledger, box, conflicts, company):
    ledger.run(company(first_name="Kari", last_name="Berg"))
    (entry,) = box.go.entries("ContactPersons")
    box.go.edit("ContactPersons", entry["Id"], {"LastName": "Dal"})

    ledger.run(company(first_name="Kari", last_name="Fjell", updated_at=just_now()))

    (row,) = conflicts("--show-values")
    assert row["property"] == "contact persons: LastName"
    assert (row["shop_value"], row["go_value"]) == ("Fjell", "Dal")


def test_a_dry_run_records_no_conflict(edit_both, conflicts):
    edit_both(dry_run=True)

    assert conflicts() == []
