"""What the shop tells of an order is written or told: after a hold, a lost store, and so on."""

from decimal import Decimal

from ledger import the_order

LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"
HELD = ("hold", "orders", "9001")


def refund(**changes):
    return {
        "id": "r1",
        "amount_incl": "50.00",
        "created_at": "2026-01-06T09:00:00Z",
        "lines": [],
        "shipping_incl": None,
        **changes,
    }


def notes(box):
    return {
        one["ExternalImportReference"]: one["TotalAmount"] for one in box.go.entries("SalesOrders")
    }


def with_refunds(order, *refunds, **changes):
    known = [one["amount_incl"] for one in refunds]
    back = None if None in known else str(sum(map(Decimal, known), Decimal("0.00")))
    return {
        **order,
        "refunds": [*refunds],
        "total_refunded": back,
        "payment_status": "partially_refunded",
        "updated_at": LATER,
        **changes,
    }


def test_a_refund_told_by_its_lines_alone_moves_its_credit_note(ledger, box, invoiced):
    def told(amount):
        return refund(
            amount_incl=None, lines=[{"line_id": "1", "quantity": "0", "amount_incl": amount}]
        )

    assert ledger.run(with_refunds(invoiced, told("25.00"))).status == 0
    assert notes(box) == {"testshop:9001:refund:r1": -25}

    ledger.run(with_refunds(invoiced, told("100.00"), updated_at=LATEST), ends_with=0)

    assert notes(box) == {"testshop:9001:refund:r1": -100}


def test_a_refund_moved_to_a_line_of_another_rate_moves_the_vat_of_its_note(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    food = {"unit_price_excl": "100.00", "unit_price_incl": "115.00", "tax_rate": "15"}
    food |= {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", quantity="1", **food)]
    whole = order(lines=lines)
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), whole)
    box.go.send_invoice(the_order(box)["Id"])

    def told(line_id):
        return refund(lines=[{"line_id": line_id, "quantity": "0", "amount_incl": "50.00"}])

    ledger.run(with_refunds(whole, told("1")))
    ledger.run(with_refunds(whole, told("2"), updated_at=LATEST), ends_with=0)

    (note_line,) = the_order(box)["SalesOrderLines"]
    assert (note_line["VatRate"], note_line["TotalAmount"]) == (Decimal("0.15"), -50)


def test_a_held_credit_note_of_a_refund_that_is_taken_back_leaves_nothing(
    reasons, ledger, box, invoiced
):
    assert ledger.run(with_refunds(invoiced, refund(amount_incl="50.02"))).status == 3

    outcome = ledger.run({**invoiced, "note": "angret", "updated_at": LATEST})

    assert (outcome.status, outcome.writes) == (0, [])
    assert (reasons(), notes(box)) == ({}, {})


def test_a_held_credit_note_of_a_refund_that_is_replaced_is_not_beside_the_new_one(
    reasons, ledger, box, invoiced
):
    assert ledger.run(with_refunds(invoiced, refund(amount_incl="50.02"))).status == 3

    ledger.run(
        with_refunds(invoiced, refund(id="r2", amount_incl="50.00"), updated_at=LATEST), ends_with=0
    )

    assert (reasons(), notes(box)) == ({}, {"testshop:9001:refund:r2": -50})


def test_a_confirmed_order_met_with_another_total_is_told(
    reasons, ledger, box, landed, customer, product, order, line
):
    box.go.edit("SalesOrders", the_order(box)["Id"], {"SalesOrderStatus": "Confirmed"})
    ledger.lose_link_store()
    more = line(quantity="4", total_excl="400.00", total_tax="100.00", total_incl="500.00")

    ledger.run(customer(), product(), order(lines=[more], updated_at=LATER), ends_with=3)

    assert the_order(box)["TotalAmount"] == 250
    assert "the shop says 500.00, Go says 250.00" in reasons()[HELD]
    assert ledger.run().status == 3


def test_an_invoice_met_with_another_total_is_told(
    reasons, ledger, box, invoiced, customer, product, order, line
):
    ledger.lose_link_store()
    more = line(quantity="4", total_excl="400.00", total_tax="100.00", total_incl="500.00")

    ledger.run(customer(), product(), order(lines=[more], updated_at=LATER), ends_with=3)

    assert "the shop says 500.00, Go says 250.00" in reasons()[HELD]
    assert ledger.run().status == 3


def test_a_guests_old_invoice_is_still_credited_once_guests_are_told_apart(
    ledger, box, customer, product, guest_order
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    ledger.run(customer(id="77", email="gjest@example.no"))
    (guest,) = box.go.entries("Customers")
    one = {"guests": "one_customer", "guest_customer_number": guest["Number"]}
    assert ledger.run(product(), guest_order(), **one).status == 0
    box.go.send_invoice(the_order(box)["Id"])

    ledger.run(with_refunds(guest_order(), refund()), ends_with=0)

    assert len(box.go.entries("Customers")) == 1


def test_a_held_credit_note_of_a_cancellation_that_is_taken_back_leaves_nothing(
    reasons, ledger, box, invoiced
):
    (goods,) = (one for one in box.go.entries("Products") if one["Code"] == "ULL-1")
    accounts = {one["AccountNo"]: one["Id"] for one in box.go.entries("GeneralLedgerAccounts")}
    box.go.edit("Products", goods["Id"], {"StandardSalesAccountId": accounts[3001]})
    assert ledger.run({**invoiced, "status": "cancelled", "updated_at": LATER}).status == 3
    assert notes(box) == {}
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

    assert notes(box) == {"testshop:9001:cancel": -250}


def test_a_refund_of_a_linked_order_from_before_orders_from_is_not_lost(ledger, box, invoiced):
    ledger.run(with_refunds(invoiced, refund()), orders_from="2026-02-01", ends_with=0)

    assert notes(box) == {"testshop:9001:refund:r1": -50}


def test_an_invoiced_order_that_is_paid_back_whole_is_credited_whatever_statuses_are_written(
    ledger, box, customer, product, order
):
    ledger.settings |= {
        "sales_accounts": {"25": 3000, "15": 3001, "0": 3100},
        "order_statuses": ["processing", "completed"],
    }
    ledger.run(customer(), product(), order())
    box.go.send_invoice(the_order(box)["Id"])

    told = with_refunds(
        order(), refund(amount_incl="250.00"), status="refunded", payment_status="refunded"
    )
    ledger.run(told, ends_with=0)

    assert notes(box) == {"testshop:9001:refund:r1": -250}


def test_a_refund_after_an_acknowledged_hold_of_an_invoice_is_told(
    reasons, ledger, box, invoiced, order, line
):
    other = line(quantity="1", total_excl="100.00", total_tax="25.00", total_incl="125.00")
    edited = order(lines=[other], updated_at=LATER)
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
    assert notes(box) == {"testshop:9001:refund:r2": -50}


def test_a_refund_of_a_draft_with_an_acknowledged_conflict_is_told(reasons, ledger, box, landed):
    go_id = the_order(box)["Id"]
    box.go.edit("SalesOrders", go_id, {"PurchaseOrderReference": "Go"})
    clash = {
        **landed,
        "reference": "Butikk",
        "updated_at": the_order(box)["LastChangedDateTimeOffset"],
    }
    assert ledger.run(clash).status == 3
    ledger.acknowledge_all()

    ledger.run(with_refunds(clash, refund(), updated_at=clash["updated_at"]), ends_with=3)

    assert "both sides changed reference" in reasons()[HELD]


def test_vat_that_moves_after_an_acknowledged_conflict_is_told(
    reasons, ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    food = {"tax_rate": "15", "total_excl": "200.00", "total_tax": "30.00", "total_incl": "230.00"}
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", **food)]
    coupon = {"name": "Kupong", "amount_excl": None, "amount_incl": "115.00"}
    whole = order(lines=lines, discounts=[coupon], total_excl="308.00", total_tax="57.00")
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), whole)
    box.go.edit("SalesOrders", the_order(box)["Id"], {"PurchaseOrderReference": "Go"})
    clash = {
        **whole,
        "reference": "Butikk",
        "updated_at": the_order(box)["LastChangedDateTimeOffset"],
    }
    assert ledger.run(clash).status == 3
    ledger.acknowledge_all()

    ledger.run({**clash, "total_excl": "300.00", "total_tax": "65.00"}, ends_with=3)

    assert "both sides changed reference" in reasons()[HELD]


def test_an_order_without_a_currency_is_not_posted_in_the_customers_own(
    ledger, box, customer, product, order
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    ledger.run(customer(currency="EUR"), product())

    ledger.run(order(currency=None), ends_with=0)

    assert the_order(box)["CurrencyCode"] == "NOK"


def test_a_sent_credit_note_of_another_amount_is_told_without_the_link_store(
    reasons, ledger, box, invoiced, customer, product
):
    ledger.run(with_refunds(invoiced, refund()))
    box.go.send_invoice(the_order(box)["Id"])
    ledger.lose_link_store()

    told = with_refunds(invoiced, refund(amount_incl="100.00"), updated_at=LATEST)
    ledger.run(customer(), product(), told, ends_with=3)

    assert "the shop says -100.00, Go says -50.00" in reasons()[HELD]


def test_a_new_order_of_a_customer_whose_reject_was_acknowledged_is_told(
    reasons, ledger, box, company, product, order
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001, "0": 3100}
    assert ledger.run(company(email="feil"), product()).status == 3
    ledger.acknowledge_all()

    ledger.run(order(customer_id="2001"), ends_with=3)

    told = reasons()[("reject", "orders", "9001")]
    assert told == "it needs customers 2001, which itself waits and was acknowledged"
    ledger.acknowledge_all()
    assert ledger.run().status == 0
    assert ledger.run(company()).status == 0
    assert len(box.go.entries("SalesOrders")) == 1


def test_an_order_waits_as_long_as_one_of_what_it_waits_for_is_not_acknowledged(
    reasons, ledger, customer, product, order
):
    assert ledger.run(customer(email="feil"), product(sku=None), order()).status == 3
    with ledger.store() as store:
        (one,) = [one for one in store.unsettled.all(every_namespace=True) if one.shop_id == "501"]
        assert store.unsettled.acknowledge(one.id)

    ledger.run(ends_with=3)

    assert ("parked", "orders", "9001") in reasons()


def test_an_order_that_a_person_unlocks_while_it_is_edited_is_not_confirmed_by_us(
    ledger, box, landed, order, line
):
    go_id = the_order(box)["Id"]
    box.go.edit("SalesOrders", go_id, {"SalesOrderStatus": "Confirmed"})
    box.faults.on(
        "go",
        "PATCH",
        None,
        lambda _: box.go.edit("SalesOrders", go_id, {"SalesOrderStatus": "Draft"}),
        when="before",
    )
    more = line(quantity="4", total_excl="400.00", total_tax="100.00", total_incl="500.00")

    ledger.run(order(lines=[more], updated_at=LATER))

    assert the_order(box)["TotalAmount"] == 500
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_a_hold_of_an_invoice_that_was_met_is_acknowledged_once(
    ledger, invoiced, customer, product, order, line
):
    ledger.lose_link_store()
    other = line(quantity="1", total_excl="100.00", total_tax="25.00", total_incl="125.00")
    assert ledger.run(customer(), product(), order(lines=[other], updated_at=LATER)).status == 3
    ledger.acknowledge_all()

    assert ledger.run().status == 0


def test_a_refund_of_nothing_that_is_taken_back_is_no_hold(ledger, box, invoiced):
    exchanged = [{"line_id": "1", "quantity": "1", "amount_incl": "0.00"}]
    exchange = refund(amount_incl="0.00", lines=exchanged)
    assert ledger.run(with_refunds(invoiced, exchange, payment_status="paid")).status == 0
    assert box.go.entries("SalesOrders") == []

    assert ledger.run({**invoiced, "updated_at": LATEST}).status == 0
