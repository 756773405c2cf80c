"""Bank vouchers that pay invoices, and the open items of the customer ledger."""

from __future__ import annotations

import pytest

TODAY = "2999-01-01"


@pytest.fixture
def invoice(go):
    order = go.order(
        go.customer(),
        {"ProductId": go.product()["Id"], "Quantity": 2},
        CustomMatchingReference="1001",
    )
    return go.books.send_invoice(order["Id"])


@pytest.fixture
def voucher(go, invoice):
    """A voucher that pays the invoice from the bank."""
    bank = go.get("/GeneralLedgerAccounts", accountNos="1920").json()[0]
    customer = go.books.entry("Customers", invoice["CustomerId"])
    no_vat = go.get("/VatCodes", Fields="Id").json()[0]["Id"]
    line = {"PostingDate": "2026-01-31", "VatId": no_vat, "CustomMatchingReference": "1001"}
    return {
        "CurrencyCode": "NOK",
        "VoucherDate": "2026-01-31",
        "ExternalImportReference": "shop:2026-01-31:card",
        "VoucherLines": [
            {**line, "AccountId": bank["Id"], "CurrencyAmount": 250},
            {**line, "AccountId": customer["SubledgerAccountId"], "CurrencyAmount": -250},
        ],
    }


def test_an_invoice_is_an_open_item_until_it_is_paid(go, invoice, voucher):
    items = go.get("/CustomerLedger/OpenItems", date=TODAY).json()
    assert [(item["InvoiceNo"], item["Balance"]) for item in items] == [("1001", 250)]
    go.create("/Vouchers/BankJournals", voucher)
    assert go.get("/CustomerLedger/OpenItems", date=TODAY).status_code == 204
    assert go.get(f"/OutgoingInvoices/{invoice['Id']}").json()["Balance"] == 0


def test_a_payment_without_a_match_stays_open(go, invoice, voucher):
    for line in voucher["VoucherLines"]:
        line["CustomMatchingReference"] = "7"
    go.create("/Vouchers/BankJournals", voucher)
    items = go.get("/CustomerLedger/OpenItems", date=TODAY).json()
    assert [item["Balance"] for item in items] == [250, -250]
    references = {"date": TODAY, "customMatchingReferences": "7"}
    assert len(go.get("/CustomerLedger/OpenItems", **references).json()) == 1


def test_open_items_need_a_date(go, invoice):
    assert go.get("/CustomerLedger/OpenItems").status_code == 400
    assert go.get("/CustomerLedger/OpenItems", date="2020-01-01").status_code == 204


def test_a_voucher_is_read_by_its_id(go, voucher):
    created = go.create("/Vouchers/BankJournals", voucher)
    assert go.get(f"/Vouchers/BankJournals/{created['Id']}").json() == created
    assert [line["CurrencyAmount"] for line in created["VoucherLines"]] == [250, -250]


def test_a_voucher_is_posted_once_for_each_reference(go, voucher):
    created = go.create("/Vouchers/BankJournals", voucher)
    again = go.post("/Vouchers/BankJournals", voucher)
    assert again.status_code == 400
    assert created["Id"] in again.json()["detail"]


def test_a_voucher_must_sum_to_zero_on_known_accounts(go, voucher):
    first, second = voucher["VoucherLines"]
    for lines, status in (
        ([], 400),
        ([first], 400),
        ([first, {**second, "CurrencyAmount": -249}], 400),
        ([first, {**second, "AccountId": 1}], 404),
        ([first, {**second, "VatId": 1}], 404),
    ):
        answer = go.post("/Vouchers/BankJournals", {**voucher, "VoucherLines": lines})
        assert answer.status_code == status


@pytest.mark.parametrize(("paid", "is_open"), [(250, False), (249, True)])
def test_an_earlier_payment_settles_the_invoice_of_the_same_amount(go, voucher, paid, is_open):
    customer = go.customer()
    line = {"ProductId": go.product(Code="X")["Id"], "Quantity": 2}
    order = go.order(customer, line, CustomMatchingReference="1002")
    first, second = (
        {**line, "CustomMatchingReference": "1002"} for line in voucher["VoucherLines"]
    )
    first["CurrencyAmount"], second["CurrencyAmount"] = paid, -paid
    second["AccountId"] = go.books.entry("Customers", customer["Id"])["SubledgerAccountId"]
    go.create("/Vouchers/BankJournals", {**voucher, "VoucherLines": [first, second]})

    path = f"/Customers/{customer['Id']}"
    archive = {"op": "replace", "path": "/IsArchived", "value": True}
    assert go.patch(path, archive).status_code == 400
    invoice = go.books.send_invoice(order["Id"])

    assert invoice["Balance"] == (250 if is_open else 0)
    references = {"date": TODAY, "customMatchingReferences": "1002"}
    items = go.get("/CustomerLedger/OpenItems", **references)
    assert items.status_code == (200 if is_open else 204)
    assert go.patch(path, archive).status_code == (400 if is_open else 200)
