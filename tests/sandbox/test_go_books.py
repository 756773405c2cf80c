"""What a bookkeeper does on Go's own screens, and what the API returns afterwards."""

from __future__ import annotations

from decimal import Decimal

import pytest
from go_sandbox.go.problems import Refusal
from members import assert_members

STAMP = "LastChangedDateTimeOffset"


def test_an_edit_by_hand_moves_the_stamp_and_shows_in_the_api(go):
    created = go.customer(MailAddress={"City": "Oslo", "ZipCode": "0150"})
    go.books.edit(
        "Customers", created["Id"], {"Name": "Fjord AS", "MailAddress": {"City": "Bergen"}}
    )
    current = go.get(f"/Customers/{created['Id']}").json()
    assert current["Name"] == "Fjord AS"
    assert (current["MailAddress"]["City"], current["MailAddress"]["ZipCode"]) == ("Bergen", "0150")
    assert current[STAMP] > created[STAMP]


def test_entries_have_decimals_and_lines(go):
    go.order(go.customer(), {"ProductId": go.product()["Id"], "Quantity": 2})
    entry = go.books.entries("SalesOrders")[0]
    assert entry["TotalAmount"] == Decimal("250.00")
    assert isinstance(entry["SalesOrderLines"][0]["ProductUnitPrice"], Decimal)
    assert go.books.entry("SalesOrders", "none") is None


def test_a_changed_copy_of_an_entry_changes_nothing_in_the_books(go):
    created = go.customer(MailAddress={"City": "Oslo", "ZipCode": "0150"})
    copy = go.books.entry("Customers", created["Id"])
    copy["Name"] = copy["MailAddress"]["City"] = "Bergen"
    assert go.get(f"/Customers/{created['Id']}").json() == created


def test_orders_are_edited_by_hand_even_when_confirmed(go):
    product = go.product()
    goods = {"ProductId": product["Id"], "Quantity": 2}
    created = go.order(go.customer(), goods, goods, SalesOrderStatus="Confirmed")
    first, second = (line["Id"] for line in created["SalesOrderLines"])
    edited = go.books.edit(
        "SalesOrders",
        created["Id"],
        {
            "CustomerReference": "Kari",
            "lines": {first: {"Quantity": 5}, second: None, "new": goods},
        },
    )
    assert [line["Quantity"] for line in edited["SalesOrderLines"]] == [5, 2]
    assert_members(edited, SalesOrderStatus="Confirmed", CustomerReference="Kari")
    current = go.get(f"/SalesOrders/{created['Id']}").json()
    assert current["NetAmount"] == 700
    go.books.delete("SalesOrders", created["Id"])
    assert go.get(f"/SalesOrders/{created['Id']}").status_code == 404


def test_delivery_addresses_are_created_by_hand_for_a_customer(go):
    created = go.customer()
    address = {"City": "Oslo", "ZipCode": "0150"}
    entry = go.books.create("ContactDeliveryAddresses", address, contact_id=created["Id"])
    path = f"/ContactDeliveryAddresses/{created['Id']}/{entry['Id']}"
    assert go.get(path).json()["City"] == "Oslo"


def test_an_account_can_be_closed_by_hand(go):
    account = go.get("/GeneralLedgerAccounts", accountNos="3000").json()[0]
    go.books.edit("GeneralLedgerAccounts", account["Id"], {"IsActive": False})
    assert go.get("/GeneralLedgerAccounts", accountNos="3000").json()[0]["IsActive"] is False


def test_a_broken_rule_or_a_missing_entry_is_refused_by_hand_too(go):
    created = go.customer()
    with pytest.raises(Refusal, match="Name is required"):
        go.books.edit("Customers", created["Id"], {"Name": None})
    with pytest.raises(Refusal, match="not found"):
        go.books.delete("Customers", 42)
    with pytest.raises(Refusal, match="not a member"):
        go.books.edit("Customers", created["Id"], {"Nickname": "F"})
