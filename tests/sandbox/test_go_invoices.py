"""What becomes of an order when it is sent, by hand or through the API."""

from __future__ import annotations

import pytest


@pytest.fixture
def order(go):
    customer = go.customer(EmailAddress="a@fjell.no", PaymentTerm=30)
    line = {"ProductId": go.product()["Id"], "Quantity": 2, "ExternalImportReference": "1"}
    return go.order(customer, line, CustomMatchingReference="1001", ImportedOrderNo=1001)


def test_a_sent_order_becomes_an_invoice_of_the_same_id(go, order):
    sent = go.books.send_invoice(order["Id"])
    assert sent["Id"] == order["Id"]
    for path in ("", "/Complete", "/Lines"):
        assert go.get(f"/SalesOrders/{order['Id']}{path}").status_code == 404
    invoice = go.get(f"/OutgoingInvoices/{order['Id']}").json()
    assert invoice["InvoiceNo"] == 1001
    assert invoice["OrderNo"] == order["SalesOrderNo"]
    assert invoice["VoucherType"] == "OutgoingInvoice"
    assert (invoice["TotalAmount"], invoice["Balance"]) == (250, 250)
    assert invoice["CustomMatchingReference"] == "1001"
    assert invoice["SentDateTimeOffset"]
    assert invoice["DueDate"] > invoice["VoucherDate"]
    assert invoice["PaymentTerm"] == 30


def test_invoice_lines_have_new_whole_number_ids(go, order):
    go.books.send_invoice(order["Id"])
    lines = go.get(f"/OutgoingInvoices/{order['Id']}/Lines").json()
    assert [type(line["Id"]) for line in lines] == [int]
    assert lines[0]["ExternalImportReference"] == "1"
    assert lines[0]["AccountNo"] == 3000
    assert (lines[0]["VatRate"], lines[0]["TotalAmount"]) == (0.25, 250)
    assert lines == [
        {**line, "NetAmount": float(line["NetAmount"]), "TotalAmount": 250} for line in lines
    ]


def test_an_invoice_sent_by_hand_does_not_count_as_created_by_the_integration(go, order):
    go.books.send_invoice(order["Id"])
    mine = {"onlyCreatedByCurrentIntegration": "true"}
    assert go.get("/OutgoingInvoices", **mine).status_code == 204
    assert len(go.get("/OutgoingInvoices").json()) == 1


def test_a_payment_moves_only_the_balances_stamp(go, order):
    sent = go.books.send_invoice(order["Id"])
    stamp = "BalanceLastChangedDateTimeOffset"
    since = {"balanceLastChangedDateTimeOffsetGreaterThan": sent[stamp]}
    assert go.get("/OutgoingInvoices", **since).status_code == 204
    go.books.edit("OutgoingInvoices", order["Id"], {"Balance": 0})
    paid = go.get("/OutgoingInvoices", **since).json()[0]
    assert paid["Balance"] == 0
    assert paid["LastChangedDateTimeOffset"] == sent["LastChangedDateTimeOffset"]
    assert go.get("/OutgoingInvoices", onlyUnpaidInvoices="true").status_code == 204


def test_invoices_are_filtered(go, order):
    sent = go.books.send_invoice(order["Id"])
    for name, hit, miss in (
        ("invoiceIds", sent["Id"].upper(), "5b0c4f0e-0000-4000-8000-000000000009"),
        ("invoiceNos", "1000-1001", "1002-"),
        ("voucherNos", sent["VoucherNo"], 99),
        ("customerNos", sent["CustomerNo"], 99),
        ("customMatchingReferences", "7, 1001", "7"),
        ("fromDate", sent["VoucherDate"], "2999-01-01"),
        ("toDate", sent["VoucherDate"], "2020-01-01"),
        ("sentDateTimeOffsetGreaterThan", "2020-01-01", sent["SentDateTimeOffset"]),
    ):
        assert go.get("/OutgoingInvoices", **{name: hit}).status_code == 200, name
        assert go.get("/OutgoingInvoices", **{name: miss}).status_code == 204, name
    assert go.get("/OutgoingInvoices", externalImportReference="x").status_code == 400


def test_sending_needs_a_privilege_and_its_lack_is_a_400(go, order):
    answer = go.post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", {})
    assert (answer.status_code, answer.json()["title"]) == (400, "Missing privilege")
    assert go.get(f"/SalesOrders/{order['Id']}").status_code == 200


def test_an_order_sent_through_the_api_is_followed_by_its_sent_state(go, order):
    go.books.switches.allow_send_invoice = True
    go.log_in()
    assert go.get("/SalesOrders/sentState", id=order["Id"]).status_code == 204
    body = {"DeliveryType": "Auto", "OverrideDueDate": "2030-01-31"}
    answer = go.post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", body)
    assert answer.status_code == 202
    states = go.session.get(answer.headers["Location"]).json()
    assert [one["Id"] for one in states] == [order["Id"]]
    assert states[0]["SentDateTimeOffset"]
    assert states[0]["LastErrorMessage"] is None
    invoice = go.get(f"/OutgoingInvoices/{order['Id']}").json()
    assert invoice["InvoiceNo"] == states[0]["InvoiceNo"]
    assert invoice["DueDate"] == "2030-01-31"
    assert invoice["IsCreatedByCurrentIntegration"] is True


def test_a_delivery_that_fails_leaves_the_order_and_tells_why(go):
    go.books.switches.allow_send_invoice = True
    go.log_in()
    order = go.order(go.customer(), {"ProductId": go.product()["Id"], "Quantity": 1})
    path = f"/SalesOrders/{order['Id']}"
    body = {"DeliveryType": "PdfByEmail"}
    assert go.post(f"{path}/createAndSendInvoice", body).status_code == 202
    assert go.get("/SalesOrders/sentState", id=order["Id"]).json()[0]["LastErrorMessage"]
    assert go.get(path).status_code == 200


def test_an_order_without_lines_cannot_be_sent(go):
    go.books.switches.allow_send_invoice = True
    go.log_in()
    order = go.order(go.customer())
    assert go.post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", {}).status_code == 400
