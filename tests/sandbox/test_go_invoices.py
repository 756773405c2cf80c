"""What becomes of an order when it is sent, by hand or through the API."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from go_sandbox.go.problems import Refusal
from members import assert_members


@pytest.fixture
def order(go):
    customer = go.customer(EmailAddress="a@fjell.no", PaymentTerm=30)
    line = {"ProductId": go.product()["Id"], "Quantity": 2, "ExternalImportReference": "1"}
    return go.order(customer, line, CustomMatchingReference="1001", ImportedOrderNo=1001)


@pytest.fixture
def _may_send(go):
    go.books.switches.allow_send_invoice = True
    go.log_in()


def test_a_sent_order_becomes_an_invoice_of_the_same_id(go, order):
    sent = go.books.send_invoice(order["Id"])
    assert sent["Id"] == order["Id"]
    for path in ("", "/Complete", "/Lines"):
        assert go.status(f"/SalesOrders/{order['Id']}{path}") == 404
    invoice = go.get(f"/OutgoingInvoices/{order['Id']}").json()
    assert_members(
        invoice,
        InvoiceNo=1001,
        OrderNo=order["SalesOrderNo"],
        VoucherType="OutgoingInvoice",
        TotalAmount=250,
        Balance=250,
        CustomMatchingReference="1001",
        PaymentTerm=30,
    )
    assert invoice["SentDateTimeOffset"]
    assert invoice["DueDate"] > invoice["VoucherDate"]


def test_invoice_lines_have_new_whole_number_ids(go, order):
    go.books.send_invoice(order["Id"])
    (line,) = lines_of(go, order)
    assert type(line["Id"]) is int
    assert_members(
        line,
        ExternalImportReference="1",
        AccountNo=3000,
        VatRate=0.25,
        NetAmount=200,
        TotalAmount=250,
    )


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
    assert_members(paid, Balance=0, LastChangedDateTimeOffset=sent["LastChangedDateTimeOffset"])
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
        statuses = [go.status("/OutgoingInvoices", **{name: value}) for value in (hit, miss)]
        assert statuses == [200, 204], name
    assert go.status("/OutgoingInvoices", externalImportReference="x") == 400


def test_sending_without_the_privilege_is_a_400(go, order):
    assert send(go, order, 400).json()["title"] == "Missing privilege"
    assert go.status(f"/SalesOrders/{order['Id']}") == 200


@pytest.mark.usefixtures("_may_send")
def test_an_order_sent_through_the_api_is_followed_by_its_sent_state(go, order):
    answer = send(go, order, DeliveryType="Auto", OverrideDueDate="2030-01-31")
    (state,) = go.session.get(answer.headers["Location"]).json()
    assert_members(state, Id=order["Id"], LastErrorMessage=None)
    assert state["SentDateTimeOffset"]
    invoice = go.get(f"/OutgoingInvoices/{order['Id']}").json()
    assert_members(
        invoice,
        InvoiceNo=state["InvoiceNo"],
        DueDate="2030-01-31",
        IsCreatedByCurrentIntegration=True,
    )


@pytest.mark.usefixtures("_may_send")
def test_the_sent_state_of_an_unsent_order_is_only_that_it_is_not_being_processed(go, order):
    state = {name: value for name, value in sent_state(go, order).items() if value is not None}
    assert state == {"Id": order["Id"], "IsInvoiceBeingProcessed": False}
    go.books.send_invoice(order["Id"])
    ids = (order["Id"], "5b0c4f0e-0000-4000-8000-000000000009")
    assert [go.status("/SalesOrders/sentState", id=order_id) for order_id in ids] == [204, 404]


@pytest.mark.usefixtures("_may_send")
def test_a_failed_delivery_leaves_the_order_and_gives_the_reason(go):
    order = go.order(go.customer(), {"ProductId": go.product()["Id"], "Quantity": 1})
    send(go, order, DeliveryType="PdfByEmail")
    assert sent_state(go, order)["LastErrorMessage"]
    assert go.status(f"/SalesOrders/{order['Id']}") == 200


@pytest.mark.usefixtures("_may_send")
def test_an_order_that_is_still_being_sent_is_not_sent_twice(go, order):
    go.books.switches.sending_seconds = 3600
    send(go, order)
    assert_members(sent_state(go, order), IsInvoiceBeingProcessed=True, InvoiceNo=None)
    assert go.status(f"/SalesOrders/{order['Id']}") == 200
    assert go.status(f"/OutgoingInvoices/{order['Id']}") == 404
    send(go, order, 409)

    go.books.switches.sending_seconds = 0
    assert_members(sent_state(go, order), IsInvoiceBeingProcessed=False, InvoiceNo=1001)
    assert len(go.get("/OutgoingInvoices").json()) == 1


@pytest.mark.usefixtures("_may_send")
def test_an_order_without_lines_cannot_be_sent(go):
    order = go.order(go.customer())

    send(go, order, 400)

    assert go.books.entries("OutgoingInvoices") == []
    assert go.status(f"/SalesOrders/{order['Id']}") == 200


def invoice_of(go, *quantities, **members):
    """An invoice with a line for each quantity, each of a product at 100 kroner without VAT."""
    lines = [{"ProductId": go.product()["Id"], "Quantity": quantity} for quantity in quantities]
    order = go.order(go.customer(), *lines, CustomMatchingReference="1001", **members)
    return go.books.send_invoice(order["Id"])


def balance(go, invoice):
    return go.get(f"/OutgoingInvoices/{invoice['Id']}").json()["Balance"]


def lines_of(go, invoice):
    return go.get(f"/OutgoingInvoices/{invoice['Id']}/Lines").json()


def sent_state(go, order):
    (state,) = go.get("/SalesOrders/sentState", id=order["Id"]).json()
    return state


def send(go, order, status=202, **body):
    answer = go.post(f"/SalesOrders/{order['Id']}/createAndSendInvoice", body)
    assert answer.status_code == status, answer.text
    return answer


def test_an_invoice_is_paid_in_parts_until_nothing_is_open(go):
    invoice = invoice_of(go, 2)
    stamp = "BalanceLastChangedDateTimeOffset"
    part = go.books.pay_invoice(invoice["Id"], 100)
    unmoved = {"LastChangedDateTimeOffset": invoice["LastChangedDateTimeOffset"]}
    assert_members(part, Balance=150, **unmoved)
    assert balance(go, invoice) == 150
    assert part[stamp] > invoice[stamp]
    go.books.pay_invoice(invoice["Id"])
    since = {"balanceLastChangedDateTimeOffsetGreaterThan": part[stamp]}
    assert [entry["Balance"] for entry in go.get("/OutgoingInvoices", **since).json()] == [0]
    assert go.get("/CustomerLedger/OpenItems", date="2999-01-01").status_code == 204


@pytest.mark.parametrize("amount", ["250.01", 0, -1, "0.001", "ten", True, "NaN", "1e400"])
def test_an_invalid_or_too_large_amount_is_neither_paid_nor_credited(go, amount):
    invoice = invoice_of(go, 2)
    for action in (go.books.pay_invoice, go.books.credit_invoice):
        with pytest.raises(Refusal):
            action(invoice["Id"], amount)
    assert go.books.entries("OutgoingInvoices") == [invoice]


def test_a_paid_invoice_cannot_be_paid_again(go):
    invoice = invoice_of(go, 2)
    go.books.pay_invoice(invoice["Id"])
    with pytest.raises(Refusal, match="nothing is open on 1001"):
        go.books.pay_invoice(invoice["Id"])


def test_a_full_credit_repeats_the_invoice_with_negative_quantities_and_leaves_nothing_open(go):
    invoice = invoice_of(go, 2, 3, ExternalImportReference="shop:1", ImportedOrderNo=1)
    go.books.credit_invoice(invoice["Id"])
    first, note = go.get("/OutgoingInvoices").json()
    assert_members(
        first,
        Balance=0,
        IsReversed=False,
        LastChangedDateTimeOffset=invoice["LastChangedDateTimeOffset"],
    )
    assert note["Id"] != invoice["Id"]
    assert note["VoucherNo"] != invoice["VoucherNo"]
    assert_members(
        note,
        VoucherType="OutgoingCreditNote",
        RelatedInvoiceNo=1001,
        InvoiceNo=1002,
        NetAmount=-500,
        TotalAmount=-625,
        Balance=0,
        ExternalImportReference=None,
        IsCreatedByCurrentIntegration=False,
    )
    lines = lines_of(go, note)
    amounts = [(line["Quantity"], line["TotalAmount"]) for line in lines]
    assert amounts == [(-2, -250), (-3, -375)]
    assert not {line["Id"] for line in lines} & {line["Id"] for line in lines_of(go, invoice)}


def test_a_partial_credit_is_divided_among_the_lines_to_the_ore(go):
    invoice = invoice_of(go, 1, 1, 1)
    note = go.books.credit_invoice(invoice["Id"], 100)
    assert (note["TotalAmount"], balance(go, invoice)) == (-100, 275)
    lines = lines_of(go, note)
    for line, amount in zip(lines, (-33.33, -33.33, -33.34), strict=True):
        same = {"Quantity": -1, "ProductId": None, "VatRate": 0.25, "AccountNo": 3000}
        assert_members(line, TotalAmount=amount, **same)
    assert round(sum(line["NetAmount"] for line in lines), 2) == float(note["NetAmount"])


def test_no_more_can_be_credited_than_was_invoiced(go):
    invoice = invoice_of(go, 2)
    go.books.credit_invoice(invoice["Id"], "100.50")
    with pytest.raises(Refusal, match=r"150 is more than the 149\.50"):
        go.books.credit_invoice(invoice["Id"], 150)
    rest = go.books.credit_invoice(invoice["Id"])
    assert (float(rest["TotalAmount"]), balance(go, invoice)) == (-149.5, 0)
    with pytest.raises(Refusal, match="nothing is left to credit of 1001"):
        go.books.credit_invoice(invoice["Id"])
    with pytest.raises(Refusal, match="1003 is a credit note"):
        go.books.credit_invoice(rest["Id"])


def test_an_amount_already_paid_stays_open_on_the_credit_note_until_it_is_paid_out(go):
    invoice = invoice_of(go, 2)
    go.books.pay_invoice(invoice["Id"], 200)
    note = go.books.credit_invoice(invoice["Id"])
    assert (balance(go, invoice), balance(go, note)) == (0, -200)
    items = go.get("/CustomerLedger/OpenItems", date="2999-01-01").json()
    assert [(item["InvoiceNo"], item["Balance"]) for item in items] == [("1002", -200)]
    go.books.pay_invoice(note["Id"], 50)
    assert balance(go, note) == -150


def test_goods_of_a_full_credit_return_to_stock(go):
    product = go.product(IsStockItem=True, StockOnHand=10)
    order = go.order(go.customer(), {"ProductId": product["Id"], "Quantity": 4})
    invoice = go.books.send_invoice(order["Id"])
    assert go.get(f"/Products/{product['Id']}").json()["StockOnHand"] == 6
    go.books.credit_invoice(invoice["Id"])
    assert go.get(f"/Products/{product['Id']}").json()["StockOnHand"] == 10


def test_a_reversed_invoice_is_credited_in_full_and_marked(go):
    invoice = invoice_of(go, 2)
    go.books.reverse_invoice(invoice["Id"])
    first, note = go.get("/OutgoingInvoices").json()
    assert (first["IsReversed"], first["Balance"]) == (True, 0)
    assert first["LastChangedDateTimeOffset"] > invoice["LastChangedDateTimeOffset"]
    assert_members(note, IsReversed=False, TotalAmount=-250, RelatedInvoiceNo=first["InvoiceNo"])
    with pytest.raises(Refusal, match="1001 was credited"):
        go.books.reverse_invoice(invoice["Id"])


def test_a_missing_invoice_is_neither_paid_nor_credited_nor_reversed(go, order):
    for action in (go.books.pay_invoice, go.books.credit_invoice, go.books.reverse_invoice):
        with pytest.raises(Refusal, match="not found"):
            action(order["Id"])


def test_stamps_and_dates_follow_gos_own_clock_and_never_go_back(go):
    go.books.switches.clock_skew_seconds = 10 * 86_400
    ahead = invoice_of(go, 1)
    go.books.switches.clock_skew_seconds = -10 * 86_400
    behind = invoice_of(go, 1)
    today = datetime.now(timezone.utc).date().isoformat()
    assert ahead["VoucherDate"] > today > behind["VoucherDate"]
    assert behind["CreatedDateTimeOffset"] > ahead["LastChangedDateTimeOffset"]
    paid = go.books.pay_invoice(behind["Id"])
    stamp = "BalanceLastChangedDateTimeOffset"
    assert paid[stamp] > behind[stamp]


def test_a_clock_that_is_behind_from_the_start_gives_stamps_of_the_past(go):
    go.books.switches.clock_skew_seconds = -86_400
    yesterday = datetime.now(timezone.utc) - timedelta(hours=23)
    assert invoice_of(go, 1)["CreatedDateTimeOffset"] < yesterday.isoformat()
