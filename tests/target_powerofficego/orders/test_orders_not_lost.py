"""No change of an order is lost: it is written or held, also after a hold or a lost link store."""

from decimal import Decimal

import pytest
from ledger import the_order

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"
HELD = ("hold", "orders", "9001")
FOUR = {"quantity": "4", "total_excl": "400.00", "total_tax": "100.00", "total_incl": "500.00"}
SINGLE = {"quantity": "1", "total_excl": "100.00", "total_tax": "25.00", "total_incl": "125.00"}


def refund(**changes):
    return {
        "id": "r1",
        "amount_incl": "50.00",
        "created_at": "2026-01-06T09:00:00Z",
        "lines": [],
        "shipping_incl": None,
        **changes,
    }


def credit_notes(box):
    """Return the total of each credit note in Go, by its refund or cancellation."""
    return {
        entry["ExternalImportReference"].removeprefix("testshop:9001:"): entry["TotalAmount"]
        for entry in box.go.entries("SalesOrders")
    }


def with_refunds(order, *refunds, **changes):
    amounts = [refund["amount_incl"] for refund in refunds]
    back = None if None in amounts else str(sum(map(Decimal, amounts), Decimal("0.00")))
    return {
        **order,
        "refunds": [*refunds],
        "total_refunded": back,
        "payment_status": "partially_refunded",
        "updated_at": LATER,
        **changes,
    }


def test_a_refund_whose_lines_alone_have_amounts_moves_its_credit_note(ledger, box, invoiced):
    for amount, at in (("25.00", LATER), ("100.00", LATEST)):
        lines = [{"line_id": "1", "quantity": "0", "amount_incl": amount}]
        back = refund(amount_incl=None, lines=lines)

        assert ledger.run(with_refunds(invoiced, back, updated_at=at)).status == 0
        assert credit_notes(box) == {"refund:r1": -Decimal(amount)}


def test_a_refund_moved_to_a_line_of_another_rate_moves_the_vat_of_its_note(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    food = {"unit_price_excl": "100.00", "unit_price_incl": "115.00", "tax_rate": "15"}
    food |= {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", quantity="1", **food)]
    record = order(lines=lines)
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), record)
    box.go.send_invoice(the_order(box)["Id"])

    for line_id, at in (("1", LATER), ("2", LATEST)):
        part = {"line_id": line_id, "quantity": "0", "amount_incl": "50.00"}
        ledger.run(with_refunds(record, refund(lines=[part]), updated_at=at), ends_with=0)

    (note_line,) = the_order(box)["SalesOrderLines"]
    assert (note_line["VatRate"], note_line["TotalAmount"]) == (Decimal("0.15"), -50)


@pytest.mark.parametrize(
    ("changes", "notes"),
    [({"note": "angret"}, {}), (with_refunds({}, refund(id="r2")), {"refund:r2": -50})],
    ids=["withdrawn", "replaced"],
)
def test_a_held_credit_note_is_dropped_when_its_refund_is_withdrawn_or_replaced(
    reasons, ledger, box, invoiced, changes, notes
):
    assert ledger.run(with_refunds(invoiced, refund(amount_incl="50.02"))).status == 3

    outcome = ledger.run({**invoiced, **changes, "updated_at": LATEST}, ends_with=0)

    assert len(outcome.writes) == len(notes)
    assert (reasons(), credit_notes(box)) == ({}, notes)


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_an_order_that_is_found_in_go_with_another_total_is_held(
    reasons, ledger, box, landed, customer, product, order, line, is_invoiced
):
    go_id = the_order(box)["Id"]
    if is_invoiced:
        box.go.send_invoice(go_id)
    else:
        box.go.edit("SalesOrders", go_id, {"SalesOrderStatus": "Confirmed"})
    ledger.lose_link_store()

    record = order(lines=[line(**FOUR)], updated_at=LATER)
    ledger.run(customer(), product(), record, ends_with=3)

    (in_go,) = box.go.entries("OutgoingInvoices" if is_invoiced else "SalesOrders")
    assert in_go["TotalAmount"] == 250
    assert "the shop says 500.00, Go says 250.00" in reasons()[HELD]
    assert ledger.run().status == 3


def test_a_guests_old_invoice_is_still_credited_once_guests_are_distinguished(
    ledger, box, customer, product, guest_order
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    ledger.run(customer(id="77", email="gjest@example.no"))
    (guest,) = box.go.entries("Customers")
    settings = {"guests": "one_customer", "guest_customer_number": guest["Number"]}
    assert ledger.run(product(), guest_order(), **settings).status == 0
    box.go.send_invoice(the_order(box)["Id"])

    ledger.run(with_refunds(guest_order(), refund()), ends_with=0)

    assert len(box.go.entries("Customers")) == 1


def test_a_held_credit_note_is_dropped_when_its_cancellation_is_withdrawn(
    reasons, ledger, box, invoiced
):
    products = {entry["Code"]: entry["Id"] for entry in box.go.entries("Products")}
    ids = {entry["AccountNo"]: entry["Id"] for entry in box.go.entries("GeneralLedgerAccounts")}
    box.go.edit("Products", products["ULL-1"], {"StandardSalesAccountId": ids[3001]})
    assert ledger.run({**invoiced, "status": "cancelled", "updated_at": LATER}).status == 3
    assert credit_notes(box) == {}
    assert "the shop says 25 %, Go's sales account gives 15 %" in reasons()[HELD]

    outcome = ledger.run({**invoiced, "note": "likevel", "updated_at": LATEST})

    assert (outcome.status, outcome.writes) == (0, [])
    assert reasons() == {}


def test_a_cancelled_order_that_was_sent_a_moment_ago_is_credited_though_reads_lag_behind(
    ledger, box, landed
):
    go_id = the_order(box)["Id"]
    box.go.switches.read_lag_seconds = 1
    box.faults.on("go", "DELETE", None, lambda _: box.go.send_invoice(go_id), when="before")

    ledger.run({**landed, "status": "cancelled", "updated_at": LATER}, ends_with=0)

    assert credit_notes(box) == {"cancel": -250}


def test_a_refund_of_a_linked_order_from_before_orders_from_is_not_lost(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, refund()), orders_from="2026-02-01", ends_with=0)

    assert credit_notes(box) == {"refund:r1": -50}


def test_an_invoiced_order_that_is_paid_back_in_full_is_credited_whatever_statuses_are_written(
    ledger, box, invoiced
):
    refunded = {"status": "refunded", "payment_status": "refunded"}
    record = with_refunds(invoiced, refund(amount_incl="250.00"), **refunded)

    ledger.run(record, order_statuses=["processing", "completed"], ends_with=0)

    assert credit_notes(box) == {"refund:r1": -250}


def test_a_refund_after_an_acknowledged_hold_of_an_invoice_is_held(
    reasons, ledger, box, invoiced, order, line
):
    edited = order(lines=[line(**SINGLE)], updated_at=LATER)
    assert ledger.run(edited).status == 3
    ledger.acknowledge_all()
    assert ledger.run({**edited, "updated_at": LATEST}).status == 0

    ledger.run(with_refunds(edited, refund(), updated_at=LAST), ends_with=3)

    assert "the shop then changed the lines" in reasons()[HELD]


def test_a_refund_after_one_whose_credit_note_a_person_deleted_is_credited(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, refund()))
    box.go.delete("SalesOrders", the_order(box)["Id"])

    assert ledger.run({**invoiced, "note": "angret", "updated_at": LATEST}).status == 0
    assert ledger.run(with_refunds(invoiced, refund(id="r2"), updated_at=LAST)).status == 0
    assert credit_notes(box) == {"refund:r2": -50}


def test_a_refund_of_a_draft_with_an_acknowledged_conflict_is_held(reasons, ledger, box, landed):
    box.go.edit("SalesOrders", the_order(box)["Id"], {"PurchaseOrderReference": "Go"})
    edited_at = the_order(box)["LastChangedDateTimeOffset"]
    clash = {**landed, "reference": "Butikk", "updated_at": edited_at}
    assert ledger.run(clash).status == 3
    ledger.acknowledge_all()

    ledger.run(with_refunds(clash, refund(), updated_at=edited_at), ends_with=3)

    assert "both sides changed reference" in reasons()[HELD]


def test_vat_that_moves_after_an_acknowledged_conflict_is_held(
    reasons, ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    food = {"tax_rate": "15", "total_excl": "200.00", "total_tax": "30.00", "total_incl": "230.00"}
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", **food)]
    coupon = {"name": "Kupong", "amount_excl": None, "amount_incl": "115.00"}
    record = order(lines=lines, discounts=[coupon], total_excl="308.00", total_tax="57.00")
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), record)
    box.go.edit("SalesOrders", the_order(box)["Id"], {"PurchaseOrderReference": "Go"})
    edited_at = the_order(box)["LastChangedDateTimeOffset"]
    clash = {**record, "reference": "Butikk", "updated_at": edited_at}
    assert ledger.run(clash).status == 3
    ledger.acknowledge_all()

    ledger.run({**clash, "total_excl": "300.00", "total_tax": "65.00"}, ends_with=3)

    assert "both sides changed reference" in reasons()[HELD]


def test_an_order_without_a_currency_is_not_posted_in_that_of_its_customer(
    ledger, box, customer, product, order
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    ledger.run(customer(currency="EUR"), product())

    ledger.run(order(currency=None), ends_with=0)

    assert the_order(box)["CurrencyCode"] == "NOK"


def test_a_sent_credit_note_of_another_amount_is_held_without_the_link_store(
    reasons, ledger, box, invoiced, customer, product
):
    ledger.run(with_refunds(invoiced, refund()))
    box.go.send_invoice(the_order(box)["Id"])
    ledger.lose_link_store()

    record = with_refunds(invoiced, refund(amount_incl="100.00"), updated_at=LATEST)
    ledger.run(customer(), product(), record, ends_with=3)

    assert "the shop says -100.00, Go says -50.00" in reasons()[HELD]


def test_a_new_order_of_a_customer_whose_reject_was_acknowledged_is_rejected(
    reasons, ledger, box, company, product, order
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    assert ledger.run(company(email="feil"), product()).status == 3
    ledger.acknowledge_all()

    ledger.run(order(customer_id="2001"), ends_with=3)

    reason = reasons()["reject", "orders", "9001"]
    assert reason == "it needs customers 2001, which itself waits and was acknowledged"
    ledger.acknowledge_all()
    assert ledger.run().status == 0
    assert ledger.run(company()).status == 0
    assert len(box.go.entries("SalesOrders")) == 1


def test_an_order_waits_until_everything_that_it_waits_for_is_acknowledged(
    reasons, ledger, customer, product, order
):
    assert ledger.run(customer(email="feil"), product(sku=None), order()).status == 3
    with ledger.store() as store:
        ids = {record.shop_id: record.id for record in store.unsettled.all(every_namespace=True)}
        assert store.unsettled.acknowledge(ids["501"])

    ledger.run(ends_with=3)

    assert ("parked", "orders", "9001") in reasons()


def test_an_order_that_a_person_unlocks_while_it_is_edited_is_not_confirmed_again(
    ledger, box, landed, order, line
):
    go_id = the_order(box)["Id"]
    box.go.edit("SalesOrders", go_id, {"SalesOrderStatus": "Confirmed"})
    draft = {"SalesOrderStatus": "Draft"}
    box.faults.on("go", "PATCH", None, lambda _: box.go.edit("SalesOrders", go_id, draft))

    ledger.run(order(lines=[line(**FOUR)], updated_at=LATER))

    assert the_order(box)["TotalAmount"] == 500
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_a_hold_of_an_invoice_that_was_found_in_go_is_acknowledged_once(
    ledger, invoiced, customer, product, order, line
):
    ledger.lose_link_store()
    record = order(lines=[line(**SINGLE)], updated_at=LATER)
    assert ledger.run(customer(), product(), record).status == 3
    ledger.acknowledge_all()

    assert ledger.run().status == 0


def test_a_refund_of_nothing_that_is_withdrawn_is_not_a_hold(ledger, box, invoiced):
    exchanged = [{"line_id": "1", "quantity": "1", "amount_incl": "0.00"}]
    exchange = refund(amount_incl="0.00", lines=exchanged)
    assert ledger.run(with_refunds(invoiced, exchange, payment_status="paid")).status == 0
    assert box.go.entries("SalesOrders") == []

    assert ledger.run({**invoiced, "updated_at": LATEST}).status == 0
