"""What becomes of an order in Go: its invoice, and whether it is paid, come to the shop."""

from __future__ import annotations

from decimal import Decimal

import pytest


@pytest.fixture
def invoiced(linked):
    """Both ways, with an order that is not paid in the shop and whose invoice a person sent."""
    linked.box.shop.edit("orders", "9001", {"payment_status": "unpaid", "paid_at": None})
    linked.forward()
    linked.box.go.send_invoice(linked.go_id("orders", "9001"))
    return linked


def invoice_of(box):
    return next(one for one in box.go.entries("OutgoingInvoices") if one["ExternalImportReference"])


def test_an_invoice_that_a_person_sent_is_told_to_the_shop_in_one_write(invoiced):
    box = invoiced.box
    invoice = invoice_of(box)

    outcome = invoiced.back()

    assert (len(outcome.reads), len(outcome.writes)) == (1, 1)
    told = box.shop.record("orders", "9001")
    assert told["invoice"]["number"] == str(invoice["InvoiceNo"])
    assert told["invoice"]["due_on"] == invoice["DueDate"]
    assert Decimal(told["invoice"]["balance"]) == invoice["TotalAmount"]
    assert told["invoice"]["sent_at"].startswith(invoice["SentDateTimeOffset"][:19])
    assert told["payment_status"] == "unpaid"
    assert invoiced.forward().writes == []
    assert invoiced.back().writes == []


def test_a_paid_invoice_makes_the_order_paid(invoiced):
    box = invoiced.box
    invoiced.back()
    box.go.pay_invoice(invoice_of(box)["Id"])

    outcome = invoiced.back()

    assert (len(outcome.reads), len(outcome.writes)) == (1, 1)
    told = box.shop.record("orders", "9001")
    assert told["payment_status"] == "paid"
    assert Decimal(told["invoice"]["balance"]) == 0
    assert invoiced.back().writes == []


def test_a_part_payment_moves_the_balance_only(invoiced):
    box = invoiced.box
    invoiced.back()
    box.go.pay_invoice(invoice_of(box)["Id"], 100)

    invoiced.back()

    told = box.shop.record("orders", "9001")
    assert Decimal(told["invoice"]["balance"]) == 150
    assert told["payment_status"] == "unpaid"


@pytest.mark.parametrize("credit", ["credit_invoice", "reverse_invoice"])
@pytest.mark.parametrize("in_one_run", [True, False])
def test_a_credited_invoice_does_not_make_the_order_paid(invoiced, credit, in_one_run):
    box = invoiced.box
    if not in_one_run:
        invoiced.back()
    getattr(box.go, credit)(invoice_of(box)["Id"])

    outcome = invoiced.back()

    assert outcome.status == 0
    told = box.shop.record("orders", "9001")
    assert told["payment_status"] == "unpaid"
    assert Decimal(told["invoice"]["balance"]) == 0


@pytest.mark.parametrize("status", ["refunded", "partially_refunded", "voided", "paid"])
def test_an_order_that_the_shop_no_longer_counts_as_open_is_not_made_paid(linked, status):
    box = linked.box
    box.go.send_invoice(linked.go_id("orders", "9001"))
    box.go.pay_invoice(invoice_of(box)["Id"])
    box.shop.edit("orders", "9001", {"payment_status": status})

    linked.back()

    assert box.shop.record("orders", "9001")["payment_status"] == status


def test_a_shop_that_knows_no_invoices_is_told_none(invoiced):
    box = invoiced.box
    order = box.shop.record("orders", "9001")
    del order["invoice"]
    box.shop.put("orders", order)
    box.go.pay_invoice(invoice_of(box)["Id"])

    outcome = invoiced.back()

    assert outcome.patches == [{"payment_status": "paid"}]
