"""Refunds and cancelled orders: lines are lowered in a Draft; an invoice gets credit notes."""

from decimal import Decimal

import pytest
from ledger import singer_lines, the_order

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"


def one_back(**changes):
    """A refund of one of the two units, with the goods."""
    lines = [{"line_id": "1", "quantity": "1", "amount_incl": "125.00"}]
    return {
        "id": "r1",
        "amount_incl": "125.00",
        "created_at": "2026-01-06T09:00:00Z",
        "lines": lines,
        **changes,
    }


def with_refunds(order, *refunds, **changes):
    back = str(sum((Decimal(refund["amount_incl"]) for refund in refunds), Decimal("0.00")))
    return {
        **order,
        "refunds": [*refunds],
        "total_refunded": back,
        "payment_status": "partially_refunded",
        "updated_at": LATER,
        **changes,
    }


def credit_notes(box):
    """Return the credit notes in Go that are Drafts, by reference."""
    orders = box.go.entries("SalesOrders")
    return {note["ExternalImportReference"]: note for note in orders if note["TotalAmount"] < 0}


# While it is a Draft


def test_goods_that_came_back_lower_the_quantity_of_a_draft(ledger, box, landed):
    record = with_refunds(landed, one_back())

    assert [write.method for write in ledger.run(record, ends_with=0).writes] == ["PATCH"]
    (line,) = the_order(box)["SalesOrderLines"]
    assert (line["Quantity"], line["ProductUnitPrice"]) == (1, 100)
    assert the_order(box)["TotalAmount"] == 125
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


def test_money_without_goods_lowers_the_price_of_a_draft(ledger, box, landed):
    part = one_back(
        amount_incl="25.00", lines=[{"line_id": "1", "quantity": "0", "amount_incl": "25.00"}]
    )

    assert ledger.run(with_refunds(landed, part)).status == 0
    (line,) = the_order(box)["SalesOrderLines"]
    assert (line["Quantity"], line["ProductUnitPrice"]) == (2, 90)
    assert the_order(box)["TotalAmount"] == 225


def test_money_for_no_line_in_particular_is_a_line_below_zero(ledger, box, landed):
    assert ledger.run(with_refunds(landed, one_back(amount_incl="50.00", lines=[]))).status == 0
    in_go = {line["ExternalImportReference"]: line for line in the_order(box)["SalesOrderLines"]}
    assert in_go["refund:r1:25"]["TotalAmount"] == -50
    assert the_order(box)["TotalAmount"] == 200


def test_all_paid_back_leaves_a_draft_that_comes_to_nothing(ledger, box, landed):
    everything = one_back(
        amount_incl="250.00", lines=[{"line_id": "1", "quantity": "2", "amount_incl": "250.00"}]
    )

    record = with_refunds(landed, everything, status="refunded", payment_status="refunded")

    assert ledger.run(record).status == 0
    (line,) = the_order(box)["SalesOrderLines"]
    assert line["Quantity"] == 0
    assert the_order(box)["TotalAmount"] == 0


def test_freight_that_is_paid_back_is_taken_off_the_freight(
    ledger, box, customer, product, order, freight
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    whole = order(shipping=[freight()])
    ledger.run(customer(), product(), whole)
    refund = one_back(amount_incl="174.00", shipping_incl="49.00")

    assert ledger.run(with_refunds(whole, refund)).status == 0
    in_go = {line["ExternalImportReference"]: line for line in the_order(box)["SalesOrderLines"]}
    assert in_go["shipping:f1"]["TotalAmount"] == 50
    assert the_order(box)["TotalAmount"] == 175


@pytest.fixture
def food_with_fee(ledger, customer, product, order, line):
    """An order of food for 115 kr at 15 % with a fee of 50 kr at 25 %, that has landed."""
    ledger.settings["sales_accounts"] = ACCOUNTS
    food = {"unit_price_excl": "100.00", "unit_price_incl": "115.00", "tax_rate": "15"}
    food |= {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    fee = {"id": "f1", "name": "Fakturagebyr", "total_incl": "50.00", "tax_rate": "25"}
    whole = order(lines=[line(quantity="1", **food)], fees=[fee], total_incl="165.00")
    assert ledger.run(customer(), product(tax_rate="15"), whole).status == 0
    return whole


@pytest.mark.parametrize("is_invoiced", [False, True])
@pytest.mark.parametrize("named", [True, False])
def test_a_fee_is_paid_back_at_its_own_rate_once_it_is_named(
    ledger, box, food_with_fee, is_invoiced, named
):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    lines = [{"line_id": "f1", "quantity": "1", "amount_incl": "50.00"}] if named else []
    record = with_refunds(food_with_fee, one_back(amount_incl="50.00", lines=lines))

    outcome = ledger.run(record, ends_with=0)

    back: dict[int, Decimal] = {}
    for line in the_order(box)["SalesOrderLines"]:
        back[line["VatRate"]] = back.get(line["VatRate"], 0) + line["TotalAmount"]
    sold = {Decimal("0.25"): 50, Decimal("0.15"): 115}
    rate = Decimal("0.25") if named else Decimal("0.15")
    assert back == ({rate: -50} if is_invoiced else {**sold, rate: sold[rate] - 50})
    note = 'orders 9001: 50.00 of refund "r1" is for no line and has no stated VAT'
    assert (note in outcome.log) is not named
    again = ledger.run({**record, "note": "Ring på", "updated_at": LATEST})
    assert (again.status, note in again.log) == (0, False)


def test_the_split_of_a_refund_is_logged_once_though_its_credit_note_is_held(ledger, invoiced):
    record = with_refunds(invoiced, one_back(amount_incl="50.02", lines=[]))
    note = 'orders 9001: 50.02 of refund "r1" is for no line and has no stated VAT'

    runs = [ledger.run(record) for _ in range(3)]

    assert [(run.status, run.log.count(note)) for run in runs] == [(3, 1), (3, 0), (3, 0)]


def test_a_refund_whose_stated_vat_does_not_add_up_is_held_with_both_sums(
    ledger, box, reasons, food_with_fee
):
    lines = [{"line_id": "f1", "quantity": "1", "amount_incl": "50.00"}]
    wrong = one_back(amount_incl="50.00", lines=lines, amount_excl="43.48")

    assert ledger.run(with_refunds(food_with_fee, wrong), ends_with=3).writes == []
    reason = reasons()["hold", "orders", "9001"]
    assert "VAT of 6.52, " in reason
    assert "VAT of 10.00 at 25 %" in reason
    right = with_refunds(food_with_fee, {**wrong, "amount_excl": "40.00"}, updated_at=LATEST)
    assert ledger.run(right).status == 0
    assert the_order(box)["TotalAmount"] == 115


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_goods_that_came_back_without_money_change_nothing_in_go(ledger, box, landed, is_invoiced):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    lines = [{"line_id": "1", "quantity": "1", "amount_incl": "0.00"}]

    outcome = ledger.run(
        with_refunds(landed, one_back(amount_incl="0.00", lines=lines), payment_status="paid")
    )

    assert (outcome.status, outcome.writes) == (0, [])


@pytest.mark.parametrize("is_invoiced", [False, True])
@pytest.mark.parametrize("exchanged", ["0.00", None])
def test_what_was_exchanged_may_still_be_paid_back(ledger, box, landed, is_invoiced, exchanged):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    back = [{"line_id": "1", "quantity": "1", "amount_incl": exchanged}]
    exchange = one_back(amount_incl="0.00", lines=back)
    assert ledger.run(with_refunds(landed, exchange, payment_status="paid")).writes == []

    both = [{"line_id": "1", "quantity": "2", "amount_incl": "250.00"}]
    all_of_it = one_back(id="r2", amount_incl="250.00", lines=both)
    ledger.run(with_refunds(landed, exchange, all_of_it, updated_at=LATEST), ends_with=0)

    assert the_order(box)["TotalAmount"] == (-250 if is_invoiced else 0)


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_their_share_of_the_discount_goes_with_goods(
    ledger, box, customer, product, order, is_invoiced
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    whole = order(discounts=[{"code": "JUL", "amount_incl": "50.00"}], total_incl="200.00")
    ledger.run(customer(), product(), whole)
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    record = with_refunds(whole, one_back(amount_incl="100.00"))

    assert ledger.run(record).status == 0
    in_go = [(line["Quantity"], line["TotalAmount"]) for line in the_order(box)["SalesOrderLines"]]
    assert in_go == ([(-1, -125), (1, 25)] if is_invoiced else [(1, 125), (-1, -25)])
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


def test_an_order_that_is_paid_back_in_full_without_its_lines_leaves_nothing_at_any_vat_rate(
    ledger, box, customer, product, order, line, freight
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    food = {"unit_price_excl": "100.00", "unit_price_incl": "115.00", "tax_rate": "15"}
    food |= {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", quantity="1", **food)]
    discount = {"code": "JUL", "amount_incl": "200.00"}
    whole = order(lines=lines, shipping=[freight()], discounts=[discount], total_incl="264.00")
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), whole)
    back = one_back(amount_incl="264.00", lines=[])

    assert ledger.run(with_refunds(whole, back, status="refunded")).status == 0
    left = dict.fromkeys((Decimal("0.25"), Decimal("0.15")), Decimal(0))
    for go_line in the_order(box)["SalesOrderLines"]:
        left[go_line["VatRate"]] += go_line["TotalAmount"]
    assert set(left.values()) == {0}


@pytest.mark.parametrize("is_of_a_line", [False, True])
def test_a_refund_of_more_than_a_discounted_order_came_to_is_held(
    ledger, reasons, customer, product, order, is_of_a_line
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    half = order(discounts=[{"code": "HALV", "amount_incl": "125.00"}], total_incl="125.00")
    ledger.run(customer(), product(), half)

    lines = [{"line_id": "1", "quantity": "1", "amount_incl": "200.00"}] if is_of_a_line else []
    assert ledger.run(with_refunds(half, one_back(amount_incl="200.00", lines=lines))).writes == []
    assert "the order comes to 125.00 before it" in reasons()["hold", "orders", "9001"]


def test_a_refund_of_a_whole_order_with_a_coupon_line_takes_both_lines(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    amounts = {"total_excl": "-40.00", "total_tax": "-10.00", "total_incl": "-50.00"}
    coupon = line(
        id="2", product_id="502", sku="KUPONG", quantity="1", unit_price_excl="-40.00", **amounts
    )
    whole = order(lines=[line(), coupon])
    ledger.run(customer(), product(), product(id="502", sku="KUPONG"), whole)
    parts = [
        {"line_id": "1", "quantity": "2", "amount_incl": "250.00"},
        {"line_id": "2", "quantity": "1", "amount_incl": "-50.00"},
    ]
    record = with_refunds(whole, one_back(amount_incl="200.00", lines=parts), status="refunded")

    assert ledger.run(record).status == 0
    assert [go_line["Quantity"] for go_line in the_order(box)["SalesOrderLines"]] == [0, 0]
    without_amounts = [{**part, "amount_incl": None} for part in parts]
    back = one_back(amount_incl="200.00", lines=without_amounts)
    assert ledger.run(with_refunds(whole, back, updated_at=LATEST)).writes == []


@pytest.mark.parametrize(
    ("back", "amount", "left"), [("2", "200.00", 0), ("1", "100.00", 100), ("1", "130.00", 70)]
)
def test_units_without_an_amount_take_no_more_than_was_paid_back(
    ledger, box, customer, product, order, back, amount, left
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    whole = order(discounts=[{"code": "JUL", "amount_incl": "50.00"}], total_incl="200.00")
    ledger.run(customer(), product(), whole)
    parts = [{"line_id": "1", "quantity": back, "amount_incl": None}]

    assert ledger.run(with_refunds(whole, one_back(amount_incl=amount, lines=parts))).status == 0
    assert the_order(box)["TotalAmount"] == left


def test_units_without_an_amount_bear_what_the_other_lines_of_their_refund_do_not(
    ledger, box, customer, product, order, line, freight
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    more = [line(id=name, product_id=f"50{name}", sku=f"ULL-{name}") for name in ("2", "3")]
    products = [product(id=sold["product_id"], sku=sold["sku"]) for sold in more]
    whole = order(lines=[line(), *more], shipping=[freight()])
    ledger.run(customer(), product(), *products, whole)
    parts = [
        {"line_id": "1", "quantity": "1", "amount_incl": "100.00"},
        {"line_id": "2", "quantity": "2", "amount_incl": None},
        {"line_id": "3", "quantity": "1", "amount_incl": None},
    ]
    record = with_refunds(whole, one_back(amount_incl="449.00", shipping_incl="49.00", lines=parts))

    assert ledger.run(record).status == 0
    assert [go_line["TotalAmount"] for go_line in the_order(box)["SalesOrderLines"]] == [
        150,
        50,
        150,
        50,
    ]


def test_an_order_that_lands_with_a_refund_lands_without_what_was_paid_back(
    ledger, box, customer, product, order
):
    ledger.settings["sales_accounts"] = ACCOUNTS

    ledger.run(customer(), product(), with_refunds(order(), one_back()), ends_with=0)

    assert the_order(box)["TotalAmount"] == 125


def test_a_second_refund_lowers_what_the_first_left(ledger, box, landed):
    ledger.run(with_refunds(landed, one_back()))
    second = one_back(
        id="r2", amount_incl="25.00", lines=[{"line_id": "1", "amount_incl": "25.00"}]
    )

    record = with_refunds(landed, one_back(), second, updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert the_order(box)["TotalAmount"] == 100


def test_a_refund_that_replaces_an_equal_one_is_neither_credited_nor_a_hold_once_invoiced(
    ledger, box, reasons, landed
):
    ledger.run(with_refunds(landed, one_back()))
    record = with_refunds(landed, one_back(id="r2"), updated_at=LATEST)
    ledger.run(record)
    box.go.send_invoice(the_order(box)["Id"])

    again = {**record, "shipped_at": LATEST, "updated_at": "2026-01-08T10:00:00Z"}

    assert ledger.run(again, ends_with=0).writes == []
    assert reasons() == {}


MORE_OF_A_LINE = {"lines": [{"line_id": "1", "quantity": "3", "amount_incl": "125.00"}]}


@pytest.mark.parametrize(
    ("refund", "kind", "reason"),
    [
        (MORE_OF_A_LINE, "hold", "for more than line"),
        ({"lines": [{"line_id": "7", "quantity": "1"}]}, "reject", "that the order does not have"),
        ({"shipping_incl": "10.00"}, "hold", "pays back more freight than was paid"),
        ({"amount_incl": "100.00"}, "hold", "but its lines come to 125.00"),
        ({"amount_incl": "900.00"}, "hold", "the order comes to"),
        ({"id": None}, "reject", "has no id"),
    ],
)
def test_an_impossible_refund_waits_and_the_draft_is_left(
    ledger, box, reasons, landed, refund, kind, reason
):
    assert ledger.run(with_refunds(landed, one_back(**refund))).writes == []
    assert reason in reasons()[kind, "orders", "9001"]
    assert the_order(box)["TotalAmount"] == 250


@pytest.mark.parametrize("lines", [[], [{"line_id": "1", "quantity": None, "amount_incl": None}]])
def test_a_refund_without_any_amount_is_rejected(ledger, box, reasons, landed, lines):
    bare = one_back(id="r2", lines=lines)
    record = with_refunds(landed, one_back(), bare, total_refunded=None)

    outcome = ledger.run({**record, "refunds": [one_back(), {**bare, "amount_incl": None}]})

    assert (outcome.status, outcome.writes) == (3, [])
    assert "refund 2 has no amount_incl" in reasons()["reject", "orders", "9001"]
    assert the_order(box)["TotalAmount"] == 250


@pytest.mark.parametrize(
    "refund",
    [
        {"lines": [{"line_id": "1", "quantity": "1"}]},
        {"lines": [{"line_id": "1", "amount_incl": "125.00"}]},
    ],
)
def test_a_refund_without_an_amount_is_what_its_lines_come_to(ledger, box, landed, refund):
    record = with_refunds(landed, one_back())

    ledger.run({**record, "refunds": [one_back(**{**refund, "amount_incl": None})]}, ends_with=0)

    assert the_order(box)["TotalAmount"] == 125


# Once it is invoiced


def test_a_refund_after_the_invoice_is_one_credit_note(ledger, box, invoiced):
    record = with_refunds(invoiced, one_back())

    assert ledger.run(record, ends_with=0).count("orders", "credited") == 1
    note = credit_notes(box)["testshop:9001:refund:r1"]
    (invoice,) = box.go.entries("OutgoingInvoices")
    assert note["RelatedInvoiceNo"] == invoice["InvoiceNo"]
    assert note["CustomMatchingReference"] == "9001"
    assert note["CustomerId"] == invoice["CustomerId"]
    assert str(note["SalesOrderDate"])[:10] == "2026-01-06"
    (line,) = note["SalesOrderLines"]
    assert (line["Quantity"], line["ProductUnitPrice"]) == (-1, 100)
    assert note["TotalAmount"] == -125
    for at in (LATER, LATEST):
        assert ledger.run({**record, "updated_at": at}).writes == []


def test_each_refund_has_its_own_credit_note_and_together_they_leave_what_was_paid(
    ledger, box, invoiced
):
    money = one_back(id="r2", amount_incl="33.33", lines=[])
    ledger.run(with_refunds(invoiced, one_back()))

    ledger.run(with_refunds(invoiced, one_back(), money, updated_at=LATEST), ends_with=0)

    notes = credit_notes(box)
    assert set(notes) == {"testshop:9001:refund:r1", "testshop:9001:refund:r2"}
    (invoice,) = box.go.entries("OutgoingInvoices")
    paid = invoice["TotalAmount"] + sum(note["TotalAmount"] for note in notes.values())
    assert paid == Decimal("250.00") - 125 - Decimal("33.33")


def test_a_refund_that_was_subtracted_before_the_invoice_is_not_credited(ledger, box, landed):
    ledger.run(with_refunds(landed, one_back()))
    box.go.send_invoice(the_order(box)["Id"])
    money = one_back(id="r2", amount_incl="25.00", lines=[])

    record = with_refunds(landed, one_back(), money, updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert set(credit_notes(box)) == {"testshop:9001:refund:r2"}


def test_an_invoiced_order_that_is_cancelled_is_credited_once(ledger, box, invoiced):
    record = {**invoiced, "status": "cancelled", "updated_at": LATER}

    ledger.run(record, ends_with=0)

    note = credit_notes(box)["testshop:9001:cancel"]
    assert note["TotalAmount"] == -250
    for at in (LATER, LATEST):
        assert ledger.run({**record, "updated_at": at}).writes == []


def test_an_order_that_comes_again_in_the_run_that_credited_it_counts_as_credited(ledger, invoiced):
    record = with_refunds(invoiced, one_back())

    outcome = ledger.run(record, {**record, "updated_at": LATEST}, ends_with=0)

    assert outcome.count("orders", "credited") == 1


def test_a_cancelled_order_that_is_invoiced_while_it_is_deleted_is_credited(ledger, box, landed):
    go_id = the_order(box)["Id"]
    box.faults.on("go", "DELETE", None, lambda _: box.go.send_invoice(go_id), when="before")

    ledger.run({**landed, "status": "cancelled", "updated_at": LATER}, ends_with=0)

    assert credit_notes(box)["testshop:9001:cancel"]["TotalAmount"] == -250


@pytest.mark.parametrize("name", ["r1", "cancel"])
def test_what_was_paid_back_before_is_not_credited_again_when_the_order_is_cancelled(
    ledger, box, invoiced, name
):
    ledger.run(with_refunds(invoiced, one_back(id=name)))

    record = with_refunds(invoiced, one_back(id=name), status="cancelled", updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert {key: note["TotalAmount"] for key, note in credit_notes(box).items()} == {
        f"testshop:9001:refund:{name}": -125,
        "testshop:9001:cancel": -125,
    }
    assert ledger.run({**record, "updated_at": "2026-01-08T10:00:00Z"}).writes == []


@pytest.mark.parametrize("at_once", [True, False])
def test_an_order_that_is_cancelled_and_paid_back_in_full_has_one_credit_note(
    ledger, box, invoiced, at_once
):
    whole = {"id": "z", "amount_incl": "250.00", "lines": [], "created_at": LATER}
    if not at_once:
        ledger.run(with_refunds(invoiced, whole))

    ledger.run(with_refunds(invoiced, whole, status="cancelled", updated_at=LATEST), ends_with=0)

    assert [note["TotalAmount"] for note in credit_notes(box).values()] == [-250]
    assert [note["RelatedInvoiceNo"] for note in credit_notes(box).values()] == [1001]
    again = with_refunds(invoiced, whole, status="cancelled", updated_at="2026-01-09T10:00:00Z")
    assert ledger.run(again).writes == []


@pytest.mark.parametrize("is_paid_back", [True, False])
def test_a_cancelled_and_credited_order_is_linked_again_without_the_link_store(
    ledger, box, invoiced, customer, product, is_paid_back
):
    back = [one_back()] if is_paid_back else []
    record = with_refunds(invoiced, *back, status="cancelled", updated_at=LATEST)
    ledger.run(record)
    notes = credit_notes(box)
    ledger.lose_link_store()

    assert ledger.run(customer(), product(), record, ends_with=0).writes == []
    assert credit_notes(box) == notes
    assert ledger.run({**record, "updated_at": "2026-01-09T10:00:00Z"}).writes == []


@pytest.mark.slow
@pytest.mark.parametrize("amount", ["125.00", "250.00"])
@pytest.mark.parametrize("mishap", ["store lost", "killed"])
def test_a_refund_that_comes_after_a_cancellation_was_credited_is_part_of_it(
    ledger, box, invoiced, customer, product, amount, mishap
):
    cancelled = {**invoiced, "status": "cancelled", "updated_at": LATER}
    record = with_refunds(
        invoiced, one_back(amount_incl=amount, lines=[]), status="cancelled", updated_at=LATEST
    )
    if mishap == "killed":
        running = ledger.start(workers=1)
        box.faults.on("go", "POST", "/complete$", lambda _: running.kill(), when="after")
        running.communicate(singer_lines(cancelled), timeout=60)
    else:
        ledger.run(cancelled)
        ledger.lose_link_store()

    assert ledger.run(customer(), product(), record).status == 0
    assert {key: note["TotalAmount"] for key, note in credit_notes(box).items()} == {
        "testshop:9001:cancel": -250
    }


@pytest.mark.slow
def test_a_credited_cancellation_of_a_killed_run_is_taken_back_when_the_order_is_open_again(
    ledger, box, invoiced
):
    running = ledger.start(workers=1)
    box.faults.on("go", "POST", "/complete$", lambda _: running.kill(), when="after")
    running.communicate(
        singer_lines({**invoiced, "status": "cancelled", "updated_at": LATER}), timeout=60
    )
    assert list(credit_notes(box)) == ["testshop:9001:cancel"]
    box.faults.clear()

    ledger.run({**invoiced, "updated_at": LATEST}, ends_with=0)

    assert credit_notes(box) == {}


@pytest.mark.parametrize("is_store_lost", [False, True])
def test_a_cancelled_and_credited_order_that_the_shop_deletes_needs_no_person(
    ledger, invoiced, customer, product, is_store_lost
):
    cancelled = {**invoiced, "status": "cancelled", "updated_at": LATER}
    ledger.run(cancelled)
    if is_store_lost:
        ledger.lose_link_store()

    gone = {**cancelled, "deleted_at": LATEST, "updated_at": LATEST}
    assert ledger.run(customer(), product(), gone, ends_with=0).writes == []


def test_a_cancelled_order_that_is_not_credited_is_held_without_the_link_store(
    ledger, box, invoiced, customer, product, reasons
):
    ledger.lose_link_store()

    record = {**invoiced, "status": "cancelled", "updated_at": LATER}
    assert ledger.run(customer(), product(), record, ends_with=3).writes == []
    assert "delete or credit it in Go" in reasons()["hold", "orders", "9001"]


def test_a_refund_of_an_invoice_that_was_credited_by_hand_is_held(ledger, box, reasons, invoiced):
    (invoice,) = box.go.entries("OutgoingInvoices")
    box.go.credit_invoice(invoice["Id"], "125.00")

    assert ledger.run(with_refunds(invoiced, one_back()), ends_with=3).writes == []
    assert "credited by hand in Go too" in reasons()["hold", "orders", "9001"]


def test_a_refund_whose_amount_changes_moves_its_credit_note_while_that_is_a_draft(
    ledger, box, invoiced
):
    ledger.run(with_refunds(invoiced, one_back(amount_incl="25.00", lines=[])))
    more = one_back(amount_incl="50.00", lines=[])

    ledger.run(with_refunds(invoiced, more, updated_at=LATEST), ends_with=0)

    assert credit_notes(box)["testshop:9001:refund:r1"]["TotalAmount"] == -50


@pytest.mark.slow
def test_a_refund_that_a_cut_off_run_took_off_the_lines_is_not_credited_on_the_invoice_too(
    ledger, box, reasons, landed
):
    record = with_refunds(landed, one_back())
    running = ledger.start(workers=1)
    box.faults.on("go", "PATCH", None, lambda _: running.kill(), when="after")
    running.communicate(singer_lines(record), timeout=60)
    box.faults.clear()
    box.go.send_invoice(the_order(box)["Id"])

    assert ledger.run(record, ends_with=3).writes == []
    assert "250.00 in the shop, 125.00 on the invoice" in reasons()["hold", "orders", "9001"]


def invoiced_for_one(box):
    """Have a person remove one of the two units from the Draft, and send its invoice."""
    in_go = the_order(box)
    line = in_go["SalesOrderLines"][0]["Id"]
    box.go.edit("SalesOrders", in_go["Id"], {"lines": {line: {"Quantity": 1}}})
    box.go.send_invoice(in_go["Id"])


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_no_more_is_credited_than_a_person_has_invoiced(ledger, box, reasons, landed, is_cancelled):
    invoiced_for_one(box)
    both = one_back(
        amount_incl="250.00", lines=[{"line_id": "1", "quantity": "2", "amount_incl": "250.00"}]
    )
    record = {**landed, "status": "cancelled"} if is_cancelled else with_refunds(landed, both)

    assert ledger.run({**record, "updated_at": LATER}, ends_with=3).writes == []
    assert "250.00 in the shop, 125.00 on the invoice" in reasons()["hold", "orders", "9001"]


def test_a_refund_of_what_a_person_has_not_invoiced_is_held(ledger, box, landed, reasons):
    """One of two was invoiced, and one is paid back: that may be the one that was left out."""
    invoiced_for_one(box)

    assert ledger.run(with_refunds(landed, one_back())).status == 3
    assert "250.00 in the shop, 125.00 on the invoice" in reasons()["hold", "orders", "9001"]
    assert credit_notes(box) == {}


@pytest.mark.slow
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_lost_link_store_credits_nothing_twice(ledger, box, invoiced, is_cancelled):
    record = with_refunds(invoiced, one_back())
    if is_cancelled:
        record = {**record, "status": "cancelled"}
    ledger.run(record)
    before = {key: note["TotalAmount"] for key, note in credit_notes(box).items()}
    ledger.lose_link_store()

    outcome = ledger.run({**record, "updated_at": LATEST}, ends_with=0)

    assert [write for write in outcome.writes if write.method == "POST"] == []
    ledger.run({**record, "updated_at": "2026-01-08T10:00:00Z"})
    assert {key: note["TotalAmount"] for key, note in credit_notes(box).items()} == before


def test_a_refund_that_was_made_while_the_link_store_was_lost_is_credited_at_once(
    ledger, box, customer, product, invoiced
):
    ledger.lose_link_store()
    record = with_refunds(invoiced, one_back())

    assert ledger.run(customer(), product(), record).status == 0
    assert credit_notes(box)["testshop:9001:refund:r1"]["TotalAmount"] == -125
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


@pytest.mark.slow
def test_our_own_sent_credit_note_does_not_count_as_made_by_hand_without_the_link_store(
    ledger, box, invoiced
):
    ledger.run(with_refunds(invoiced, one_back()))
    box.go.send_invoice(the_order(box)["Id"])
    ledger.lose_link_store()
    newest = one_back(id="r2", amount_incl="25.00", lines=[])
    record = with_refunds(invoiced, newest, one_back(), updated_at=LATEST)

    ledger.run(record)

    assert ledger.run({**record, "updated_at": "2026-01-08T10:00:00Z"}).status == 0
    assert set(credit_notes(box)) == {"testshop:9001:refund:r2"}


def test_a_guest_without_an_e_mail_address_is_credited_as_the_customer_who_bought(
    ledger, box, product, guest_order
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    record = guest_order()
    record["buyer"]["email"] = None
    assert ledger.run(product(), record).status == 0
    box.go.send_invoice(the_order(box)["Id"])

    assert ledger.run(with_refunds(record, one_back())).status == 0
    (invoice,) = box.go.entries("OutgoingInvoices")
    assert the_order(box)["CustomerId"] == invoice["CustomerId"]


def test_a_refund_of_an_invoice_that_a_person_moved_to_another_customer_is_held(
    ledger, box, reasons, customer, landed
):
    ledger.run(customer(id="1002", email="ola@example.no", first_name="Ola"))
    ids = {entry["ExternalImportReference"]: entry["Id"] for entry in box.go.entries("Customers")}
    go_id = the_order(box)["Id"]
    box.go.edit("SalesOrders", go_id, {"CustomerId": ids["testshop:1002"]})
    box.go.send_invoice(go_id)

    assert ledger.run(with_refunds(landed, one_back()), ends_with=3).writes == []
    assert "made out to another customer in Go" in reasons()["hold", "orders", "9001"]


def test_a_cancelled_invoice_that_came_to_nothing_at_every_rate_needs_no_credit_note(
    ledger, box, customer, product, order
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    free = order(discounts=[{"code": "GAVE", "amount_incl": "250.00"}], total_incl="0.00")
    ledger.run(customer(), product(), free)
    box.go.send_invoice(the_order(box)["Id"])

    outcome = ledger.run({**free, "status": "cancelled", "updated_at": LATER})

    assert (outcome.status, outcome.writes) == (0, [])
    assert ledger.run({**free, "status": "cancelled", "updated_at": LATEST}).writes == []


def test_a_cancelled_invoice_that_came_to_nothing_with_vat_in_it_is_credited_line_by_line(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    card = {"total_excl": "-250.00", "total_tax": "0.00", "total_incl": "-250.00"}
    paid = line(id="2", type="gift_card", product_id="502", sku="KORT", quantity="-1", **card)
    free = order(lines=[line(), {**paid, "tax_rate": "0"}], total_incl="0.00")
    ledger.run(customer(), product(), product(id="502", sku="KORT", tax_rate="0"), free)
    box.go.send_invoice(the_order(box)["Id"])

    assert ledger.run({**free, "status": "cancelled", "updated_at": LATER}).status == 0
    in_go = the_order(box)["SalesOrderLines"]
    assert [line["Quantity"] for line in in_go] == [-2, 1]
    assert [line["VatAmount"] for line in in_go] == [-50, 0]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_credit_note_whose_run_is_killed_is_in_go_once(ledger, box, invoiced, when, is_cancelled):
    record = with_refunds(invoiced, one_back(), **({"status": "cancelled"} if is_cancelled else {}))
    running = ledger.start(workers=1)
    box.faults.on("go", "POST", None, lambda _: running.kill(), when=when)
    running.communicate(singer_lines(record), timeout=60)
    box.faults.clear()

    assert ledger.run(record).status == 0
    assert sum(note["TotalAmount"] for note in credit_notes(box).values()) == (
        -250 if is_cancelled else -125
    )
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


def test_a_dry_run_shows_the_credit_note_and_posts_none(ledger, box, invoiced):
    outcome = ledger.run(with_refunds(invoiced, one_back()), dry_run=True)

    assert outcome.writes == []
    assert "credit orders 9001: total with VAT: -125" in outcome.log
    assert credit_notes(box) == {}
