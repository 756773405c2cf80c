"""An order that the shop cancels, and an order that is confirmed or invoiced in Go."""

from decimal import Decimal

import pytest
from click.testing import CliRunner
from ledger import the_order
from target_powerofficego.links_command import main

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"


def confirm(box):
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Confirmed"})


@pytest.mark.parametrize(
    "changes",
    [{"status": "cancelled"}, {"status": "failed"}, {"deleted_at": LATER}],
    ids=["cancelled", "failed", "deleted"],
)
def test_a_draft_of_an_order_that_is_cancelled_or_deleted_is_deleted(ledger, box, landed, changes):
    outcome = ledger.run({**landed, **changes, "updated_at": LATER}, ends_with=0)

    assert [write.method for write in outcome.writes] == ["DELETE"]
    assert box.go.entries("SalesOrders") == []
    assert outcome.count("orders", "deleted") == 1
    assert ledger.run({**landed, **changes, "updated_at": LATER}).writes == []


def test_an_order_that_was_cancelled_and_opened_again_is_created_again(ledger, box, landed):
    ledger.run({**landed, "status": "cancelled", "updated_at": LATER})

    outcome = ledger.run({**landed, "updated_at": LATEST}, ends_with=0)

    assert the_order(box)["ExternalImportReference"] == "testshop:9001"
    assert outcome.count("orders", "created") == 1


def test_an_order_that_is_cancelled_and_opened_again_within_a_run_is_one_draft(ledger, box, landed):
    cancelled = {**landed, "status": "cancelled", "updated_at": LATER}

    ledger.run(cancelled, {**landed, "updated_at": LATEST}, workers=8, ends_with=0)

    assert the_order(box)["TotalAmount"] == 250


def test_an_order_that_was_cancelled_before_it_ever_landed_is_not_written(ledger, order):
    assert ledger.run(order(status="cancelled"), ends_with=0).writes == []


def test_a_held_order_that_is_cancelled_is_no_longer_held(ledger, reasons, order):
    ledger.run(order(total_refunded="10.00"))
    assert len(reasons()) == 1

    assert ledger.run(order(status="cancelled", updated_at=LATER)).status == 0
    assert reasons() == {}


def test_a_parked_order_that_is_cancelled_is_no_longer_parked(
    ledger, box, reasons, customer, order
):
    ledger.run(customer(email="wrong"), order())
    assert ("parked", "orders", "9001") in reasons()

    ledger.run(customer(updated_at=LATER), order(status="cancelled", updated_at=LATER))

    assert reasons() == {}
    assert box.go.entries("SalesOrders") == []


def test_a_confirmed_order_is_unlocked_edited_and_confirmed_again(ledger, box, landed):
    confirm(box)
    edited = {**landed, "reference": "PO 17", "updated_at": LATER}

    outcome = ledger.run(edited, ends_with=0)

    assert [write.method for write in outcome.writes] == ["PATCH"] * 3
    assert the_order(box)["PurchaseOrderReference"] == "PO 17"
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"
    assert ledger.run({**edited, "updated_at": LATEST}).writes == []


@pytest.mark.slow
@pytest.mark.parametrize("skip", range(3))
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_edit_of_a_confirmed_order_is_finished_by_the_next_run(
    ledger, box, landed, cut_off, skip, when
):
    confirm(box)
    edited = {**landed, "reference": "PO 17", "updated_at": LATER}
    cut_off("PATCH", when, edited, skip=skip)

    ledger.run(edited, ends_with=0)

    assert the_order(box)["PurchaseOrderReference"] == "PO 17"
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"
    assert ledger.run({**edited, "updated_at": LATEST}).writes == []


def test_a_confirmed_order_that_is_edited_to_another_total_is_a_draft_until_it_is_right(
    ledger, box, reasons, landed, line
):
    confirm(box)
    totals = {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    low = line(quantity="1", tax_rate="15", **totals)

    ledger.run({**landed, "lines": [low], **totals, "updated_at": LATER}, ends_with=3)

    assert "15 %" in reasons()["hold", "orders", "9001"]
    assert the_order(box)["SalesOrderStatus"] == "Draft"
    assert ledger.run({**landed, "updated_at": LATEST}).status == 0
    assert the_order(box)["SalesOrderStatus"] == "Confirmed"


def test_a_confirmed_order_that_did_not_change_is_not_held(ledger, box, landed):
    confirm(box)

    outcome = ledger.run({**landed, "payment_status": "paid", "updated_at": LATER}, ends_with=0)

    assert outcome.writes == []


def test_a_vat_rate_that_the_shop_corrects_is_compared_even_if_nothing_is_written(
    ledger, box, reasons, landed, line
):
    low = line(tax_rate="15", total_tax="30.00", total_incl="230.00")
    corrected = {**landed, "lines": [low], "total_tax": "30.00", "total_incl": "230.00"}

    assert ledger.run({**corrected, "updated_at": LATER}, ends_with=3).writes == []
    assert "15 %" in reasons()["hold", "orders", "9001"]
    assert ledger.run({**landed, "updated_at": LATEST}).status == 0


def test_a_confirmed_order_that_is_cancelled_is_unlocked_and_deleted(ledger, box, landed):
    confirm(box)
    cancelled = {**landed, "status": "cancelled", "updated_at": LATER}

    ledger.run(cancelled, ends_with=0)

    assert box.go.entries("SalesOrders") == []
    assert ledger.run({**cancelled, "updated_at": LATEST}).writes == []


def test_a_held_order_that_a_person_corrected_and_confirmed_in_go_is_no_longer_held(
    ledger, box, reasons, customer, product, order, odd_line, edit_line
):
    box.go.switches.price_decimals = 2
    assert ledger.run(customer(), product(), order(lines=[odd_line()])).status == 3
    edit_line(Quantity=1, ProductUnitPrice=100)
    confirm(box)

    assert ledger.run().status == 0
    assert reasons() == {}


THREE = {"quantity": "3", "total_excl": "300.00", "total_tax": "75.00", "total_incl": "375.00"}


@pytest.mark.parametrize(
    ("line_changes", "customer_id", "differences"),
    [(THREE, "1001", ("375.00", "250.00")), ({}, "1002", ("customer",))],
    ids=["lines", "customer"],
)
def test_an_invoiced_order_that_is_edited_is_held_with_the_difference(
    ledger, box, reasons, invoiced, customer, order, line, line_changes, customer_id, differences
):
    (invoice,) = box.go.entries("OutgoingInvoices")
    edited = order(lines=[line(**line_changes)], customer_id=customer_id, updated_at=LATER)

    outcome = ledger.run(customer(id="1002", email="ola@example.no"), edited, ends_with=3)

    assert outcome.calls(entity="SalesOrders") == []
    reason = reasons()["hold", "orders", "9001"]
    for words in (str(invoice["InvoiceNo"]), *differences):
        assert words in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"shipped_at": "2026-01-07T08:00:00Z"},
        {"status": "completed"},
        {"payment_status": "partially_paid"},
        {"fulfillment_status": "fulfilled"},
        {"note": "Levert"},
    ],
)
def test_changes_that_usually_follow_an_invoice_are_not_held(ledger, reasons, invoiced, changes):
    assert ledger.run({**invoiced, **changes, "updated_at": LATER}, ends_with=0).writes == []
    assert reasons() == {}


def test_reordered_lines_after_the_invoice_are_not_held(
    ledger, box, reasons, customer, product, order, line
):
    lines = [line(), line(id="2", name="Skjorte")]
    ledger.run(customer(), product(), order(lines=lines))
    box.go.send_invoice(the_order(box)["Id"])
    reordered = order(lines=lines[::-1], updated_at=LATER)

    assert ledger.run(reordered, ends_with=0).writes == []
    later = ledger.run({**reordered, "payment_status": "unpaid", "updated_at": LATEST})
    assert not [read for read in later.reads if "/Complete" in read.path]


@pytest.mark.parametrize(
    ("nets", "is_held"),
    [(("200.00", "100.00"), False), (("200.01", "99.99"), False), (("201.00", "99.00"), True)],
)
def test_other_prices_after_the_invoice_are_held_only_if_more_than_an_ore_moves_between_lines(
    ledger, box, reasons, customer, product, order, line, nets, is_held
):
    """An earlier version may have chosen other prices; kroner moved between lines are an edit."""
    single = {"quantity": "1", "total_excl": "100.00", "total_tax": "25.00", "total_incl": "125.00"}
    lines = [line(unit_price_excl="125.00", discount_excl="50.00"), line(id="2", **single)]
    ledger.run(customer(), product(), order(lines=lines))
    box.go.send_invoice(the_order(box)["Id"])
    edited_lines = [
        {**sold, "discount_excl": "0.00", "unit_price_excl": None, "total_excl": net}
        | {"total_tax": None, "total_incl": str(Decimal(net) * Decimal("1.25"))}
        for sold, net in zip(lines, nets, strict=True)
    ]
    totals = {"total_excl": "300.00", "total_tax": "75.00", "total_incl": "375.00"}

    outcome = ledger.run(order(lines=edited_lines, **totals, updated_at=LATER))

    assert outcome.writes == []
    assert outcome.status == (3 if is_held else 0), reasons()


def test_vat_that_is_rounded_differently_after_the_invoice_is_not_held(
    ledger, box, reasons, customer, product, order, line
):
    amounts = {"total_excl": "8.02", "total_tax": "2.00", "total_incl": "10.02"}
    price = {"quantity": "1", "unit_price_excl": "8.02", "unit_price_incl": "10.02"}
    lines = [line(id=line_id, **price, **amounts) for line_id in ("1", "2")]
    ledger.run(customer(), product(), order(lines=lines))
    box.go.send_invoice(the_order(box)["Id"])
    totals = {"total_excl": "16.03", "total_tax": "4.01"}
    taxes = [{"rate": "25", "base": "16.03", "amount": "4.01"}]
    record = order(lines=lines, **totals, total_incl="20.04", taxes=taxes, updated_at=LATER)

    assert ledger.run(record, ends_with=0).writes == []
    assert reasons() == {}


def test_an_invoiced_order_whose_vat_has_changed_is_held_with_both_sums(
    ledger, box, reasons, customer, product, order, line
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    food = {"tax_rate": "15", "total_excl": "200.00", "total_tax": "30.00", "total_incl": "230.00"}
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", **food)]
    coupon = {"name": "Kupong", "amount_excl": None, "amount_incl": "115.00"}
    record = order(lines=lines, discounts=[coupon], total_excl="308.00", total_tax="57.00")
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), record)
    box.go.send_invoice(the_order(box)["Id"])

    ledger.run({**record, "total_excl": "300.00", "total_tax": "65.00", "updated_at": LATER})

    assert "VAT: 65.00, before 57.00" in reasons()["hold", "orders", "9001"]


def test_an_invoiced_order_whose_customer_becomes_exempt_from_vat_is_not_held(
    ledger, reasons, invoiced, customer
):
    ledger.run(customer(tax_exempt=True, updated_at=LATER))

    ledger.run({**invoiced, "shipped_at": LATER, "updated_at": LATEST}, ends_with=0)

    assert reasons() == {}


def test_another_product_for_freight_in_the_settings_leaves_invoices_alone(
    ledger, box, reasons, customer, product, order, freight
):
    ledger.settings["sales_accounts"] = {"25": 3000}
    ledger.run(customer(), product(), order(shipping=[freight()]))
    box.go.send_invoice(the_order(box)["Id"])
    shipped = order(shipping=[freight()], shipped_at=LATER, updated_at=LATER)

    ledger.run(shipped, shipping_product_code="PORTO", ends_with=0)

    assert reasons() == {}


def test_a_change_in_the_shop_after_the_invoice_is_listed_as_a_difference(ledger, invoiced):
    edited = {**invoiced, "reference": "PO 17", "updated_at": LATER}
    ledger.run(edited)

    arguments = ["--link-store", str(ledger.link_store), "differences", "--show-values"]
    listed = CliRunner().invoke(main, arguments)

    (row,) = [line for line in listed.output.splitlines() if "orders" in line]
    assert row.split()[3:] == ["reference", "PO", "17"]
    later = ledger.run({**edited, "payment_status": "unpaid"}, ends_with=0)
    assert not [read for read in later.reads if "/Complete" in read.path]


def test_an_order_that_is_invoiced_while_a_line_is_removed_is_held(
    ledger, box, reasons, customer, product, order, line
):
    ledger.run(customer(), product(), order(lines=[line(), line(id="2")]))
    go_id = the_order(box)["Id"]
    box.faults.on("go", "DELETE", None, lambda _: box.go.send_invoice(go_id), when="before")
    ledger.run(order(updated_at=LATER))
    box.faults.clear()

    assert ledger.run(order(shipped_at=LATER, updated_at=LATEST), ends_with=3).writes == []
    assert "250.00 in the shop, 500.00 on the invoice" in reasons()["hold", "orders", "9001"]


def test_an_invoiced_order_that_is_deleted_in_the_shop_is_held(ledger, reasons, invoiced):
    deleted = {**invoiced, "deleted_at": LATER, "updated_at": LATER}

    assert ledger.run(deleted, ends_with=3).writes == []
    assert "credit it in Go" in reasons()["hold", "orders", "9001"]


def test_an_order_that_a_person_deleted_in_go_is_held_and_not_created_again(
    ledger, box, reasons, landed
):
    box.go.delete("SalesOrders", the_order(box)["Id"])

    edited = {**landed, "reference": "PO 17", "updated_at": LATER}
    for _ in range(2):
        assert ledger.run(edited, ends_with=3).writes == []
        assert "removed in Go" in reasons()["hold", "orders", "9001"]


def test_an_order_deleted_in_go_and_then_cancelled_in_the_shop_is_no_longer_held(
    ledger, box, reasons, landed
):
    box.go.delete("SalesOrders", the_order(box)["Id"])
    ledger.run({**landed, "reference": "PO 17", "updated_at": LATER})

    ledger.run({**landed, "status": "cancelled", "updated_at": LATEST}, ends_with=0)

    assert reasons() == {}


def test_another_order_under_the_same_id_is_held(ledger, reasons, landed):
    another = {**landed, "created_at": LATER, "updated_at": LATEST}

    assert ledger.run(another, ends_with=3).writes == []
    assert "another record under the id 9001" in reasons()["hold", "orders", "9001"]
