"""The invoice of an order in Go, and whether it is paid, reach the shop."""

from decimal import Decimal

import pytest
from members import assert_members


@pytest.fixture
def invoiced(linked):
    """Both ways, with an order that is not paid in the shop and whose invoice a person sent."""
    linked.box.shop.edit("orders", "9001", {"payment_status": "unpaid", "paid_at": None})
    linked.forward()
    linked.box.go.send_invoice(linked.go_id("orders", "9001"))
    return linked


def assert_order(box, **expected):
    """Check the shop's order: its payment, and the balance of its invoice."""
    order = box.shop.record("orders", "9001")
    invoice = order["invoice"] or {}
    open_amount = {"balance": Decimal(invoice["balance"])} if invoice else {}
    assert_members({**order, **open_amount}, **expected)


def invoice_of(box):
    invoices = box.go.entries("OutgoingInvoices")
    return next(invoice for invoice in invoices if invoice["ExternalImportReference"])


def test_an_invoice_that_a_person_sent_reaches_the_shop_in_one_write(invoiced, box):
    invoice = invoice_of(box)

    outcome = invoiced.back()

    assert (len(outcome.reads), len(outcome.writes)) == (1, 1)
    assert_order(box, payment_status="unpaid", balance=invoice["TotalAmount"])
    in_shop = box.shop.record("orders", "9001")["invoice"]
    assert_members(in_shop, number=str(invoice["InvoiceNo"]), due_on=invoice["DueDate"])
    assert in_shop["sent_at"].startswith(invoice["SentDateTimeOffset"][:19])
    invoiced.assert_at_rest()


def test_a_paid_invoice_makes_the_order_paid(invoiced, box):
    invoiced.back()
    box.go.pay_invoice(invoice_of(box)["Id"])

    outcome = invoiced.back()

    assert (len(outcome.reads), len(outcome.writes)) == (1, 1)
    assert_order(box, payment_status="paid", balance=0)
    assert invoiced.back().writes == []


def test_a_part_payment_changes_only_the_balance(invoiced, box):
    invoiced.back()
    box.go.pay_invoice(invoice_of(box)["Id"], 100)

    invoiced.back()

    assert_order(box, payment_status="unpaid", balance=150)


@pytest.mark.parametrize("credit", ["credit_invoice", "reverse_invoice"])
@pytest.mark.parametrize("in_one_run", [True, False])
def test_a_credited_invoice_does_not_make_the_order_paid(invoiced, box, credit, in_one_run):
    if not in_one_run:
        invoiced.back()
    getattr(box.go, credit)(invoice_of(box)["Id"])

    invoiced.back(ends_with=0)

    assert_order(box, payment_status="unpaid", balance=0)


@pytest.mark.parametrize("status", ["refunded", "partially_refunded", "voided", "paid"])
def test_an_order_that_is_no_longer_open_in_the_shop_is_not_made_paid(linked, box, status):
    box.go.send_invoice(linked.go_id("orders", "9001"))
    box.go.pay_invoice(invoice_of(box)["Id"])
    box.shop.edit("orders", "9001", {"payment_status": status})

    linked.back()

    assert_order(box, payment_status=status)


def test_a_shop_whose_orders_have_no_invoice_gets_only_the_payment_status(invoiced, box):
    order = box.shop.record("orders", "9001")
    del order["invoice"]
    box.shop.put("orders", order)
    box.go.pay_invoice(invoice_of(box)["Id"])

    assert invoiced.back().patches == [{"payment_status": "paid"}]


def test_a_payment_that_was_reversed_and_made_again_makes_the_order_paid_again(invoiced, box):
    invoice_id, total = invoice_of(box)["Id"], invoice_of(box)["TotalAmount"]
    box.go.pay_invoice(invoice_id)
    invoiced.back()
    box.go.edit("OutgoingInvoices", invoice_id, {"Balance": total})
    invoiced.back()
    assert_order(box, payment_status="paid")
    box.shop.edit("orders", "9001", {"payment_status": "unpaid"})
    invoiced.forward()
    box.go.pay_invoice(invoice_id)

    invoiced.back()

    assert_order(box, payment_status="paid")
    assert invoiced.back().writes == []


def messages_of(both, invoice_id):
    messages = both.entries("outgoing_invoices")
    return [message for message in messages if message["record"]["Id"] == invoice_id]


def test_a_credit_note_counts_even_if_the_link_store_was_lost(invoiced, box):
    invoice_id = invoice_of(box)["Id"]
    box.go.credit_invoice(invoice_id, 50)
    invoiced.back()
    invoiced.ledger.lose_link_store()
    invoiced.forward()
    box.go.pay_invoice(invoice_id)

    invoiced.back(*messages_of(invoiced, invoice_id))

    assert_order(box, payment_status="unpaid")


def test_no_order_is_made_paid_if_the_tap_leaves_out_what_shows_credit_notes(invoiced, box):
    box.go.credit_invoice(invoice_of(box)["Id"])
    entries = invoiced.entries("outgoing_invoices")
    for entry in entries:
        del entry["record"]["RelatedInvoiceNo"]

    invoiced.back(*entries)

    shop_order = box.shop.record("orders", "9001")
    assert (shop_order["payment_status"], bool(shop_order["invoice"])) == ("unpaid", True)


STATE = {"type": "STATE", "value": {"bookmarks": {"read": 1}}}
SCHEMA = {
    "type": "SCHEMA",
    "stream": "salesorders",
    "schema": {"properties": {"Id": {}}},
    "key_properties": ["Id"],
}


@pytest.mark.parametrize(("before", "after"), [([], []), ([STATE], []), ([], [STATE, SCHEMA])])
def test_an_input_that_was_cut_off_makes_no_order_paid(invoiced, box, before, after):
    invoice_id = invoice_of(box)["Id"]
    box.go.credit_invoice(invoice_id)

    messages = (*before, *messages_of(invoiced, invoice_id), *after)

    assert invoiced.run(*messages, is_whole=False, ends_with=0).writes == []
    invoiced.back()
    assert_order(box, payment_status="unpaid")


def test_a_deleted_draft_of_a_credit_note_does_not_keep_an_order_from_being_paid(invoiced, box):
    invoice = invoice_of(box)
    draft = {"Id": "d1", "RelatedInvoiceNo": invoice["InvoiceNo"], "SalesOrderStatus": "Draft"}
    invoiced.run({"type": "RECORD", "stream": "salesorders", "record": draft})
    box.go.pay_invoice(invoice["Id"])

    invoiced.back()

    assert_order(box, payment_status="paid")


def test_an_order_linked_by_a_person_goes_forward_once_before_anything_comes_back(
    linked, box, links
):
    go_id = linked.go_id("orders", "9001")
    box.go.send_invoice(go_id)
    linked.forward()
    for words in (
        ["unlink", "orders", "9001", "--yes"],
        ["link", "orders", "9001", str(go_id), "--yes"],
    ):
        result = links(*words)
        assert result.exit_code == 0, result.output

    assert (linked.back().writes, linked.forward().writes) == ([], [])
    linked.back()

    assert box.shop.record("orders", "9001")["invoice"]["number"]
    assert linked.open_ones() == {}
