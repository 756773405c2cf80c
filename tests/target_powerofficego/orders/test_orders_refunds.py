"""Refunds and cancelled orders: lines are lowered in a Draft; an invoice gets credit notes."""

from decimal import Decimal

import pytest
from ledger import the_order

ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
LATER = "2026-01-06T10:00:00Z"
LATEST = "2026-01-07T10:00:00Z"
LAST = "2026-01-08T10:00:00Z"
FOOD = {"unit_price_excl": "100.00", "unit_price_incl": "115.00", "quantity": "1"}
FOOD |= {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00", "tax_rate": "15"}


def part(amount, quantity="0", line_id="1"):
    """A part of a refund, for one line of the order."""
    return {"line_id": line_id, "quantity": quantity, "amount_incl": amount}


def one_back(**changes):
    """A refund of one of the two units, with the goods."""
    return {
        "id": "r1",
        "amount_incl": "125.00",
        "created_at": "2026-01-06T09:00:00Z",
        "lines": [part("125.00", "1")],
        **changes,
    }


def two_back(**changes):
    """A refund of both units, with the goods."""
    return one_back(**{"amount_incl": "250.00", "lines": [part("250.00", "2")], **changes})


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


def credited(box):
    """Return the totals of the credit notes in Go, by reference."""
    return {reference: note["TotalAmount"] for reference, note in credit_notes(box).items()}


# While it is a Draft


def test_goods_that_came_back_lower_the_quantity_of_a_draft(ledger, box, landed):
    record = with_refunds(landed, one_back())

    assert [write.method for write in ledger.run(record, ends_with=0).writes] == ["PATCH"]
    (line,) = the_order(box)["SalesOrderLines"]
    assert (line["Quantity"], line["ProductUnitPrice"]) == (1, 100)
    assert the_order(box)["TotalAmount"] == 125
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


def test_money_without_goods_lowers_the_price_of_a_draft(ledger, box, landed):
    money = one_back(amount_incl="25.00", lines=[part("25.00")])

    assert ledger.run(with_refunds(landed, money)).status == 0
    (line,) = the_order(box)["SalesOrderLines"]
    assert (line["Quantity"], line["ProductUnitPrice"]) == (2, 90)
    assert the_order(box)["TotalAmount"] == 225


def test_money_for_no_line_in_particular_is_a_line_below_zero(ledger, box, landed):
    assert ledger.run(with_refunds(landed, one_back(amount_incl="50.00", lines=[]))).status == 0
    in_go = {line["ExternalImportReference"]: line for line in the_order(box)["SalesOrderLines"]}
    assert in_go["refund:r1:25"]["TotalAmount"] == -50
    assert the_order(box)["TotalAmount"] == 200


def test_a_draft_that_is_paid_back_in_full_comes_to_nothing(ledger, box, landed):
    refunded = {"status": "refunded", "payment_status": "refunded"}
    record = with_refunds(landed, two_back(), **refunded)

    assert ledger.run(record).status == 0
    (line,) = the_order(box)["SalesOrderLines"]
    assert line["Quantity"] == 0
    assert the_order(box)["TotalAmount"] == 0


def test_freight_that_is_paid_back_is_taken_off_the_freight(
    ledger, box, customer, product, order, freight
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    record = order(shipping=[freight()])
    ledger.run(customer(), product(), record)
    refund = one_back(amount_incl="174.00", shipping_incl="49.00")

    assert ledger.run(with_refunds(record, refund)).status == 0
    in_go = {line["ExternalImportReference"]: line for line in the_order(box)["SalesOrderLines"]}
    assert in_go["shipping:f1"]["TotalAmount"] == 50
    assert the_order(box)["TotalAmount"] == 175


@pytest.fixture
def food_with_fee(ledger, customer, product, order, line):
    """An order of food for 115 kr at 15 % with a fee of 50 kr at 25 %, that has landed."""
    ledger.settings["sales_accounts"] = ACCOUNTS
    fee = {"id": "f1", "name": "Fakturagebyr", "total_incl": "50.00", "tax_rate": "25"}
    record = order(lines=[line(**FOOD)], fees=[fee], total_incl="165.00")
    assert ledger.run(customer(), product(tax_rate="15"), record).status == 0
    return record


@pytest.mark.parametrize("is_invoiced", [False, True])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_fee_is_paid_back_at_its_own_rate_if_it_is_named(
    ledger, box, food_with_fee, is_invoiced, is_named
):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    lines = [part("50.00", "1", "f1")] if is_named else []
    record = with_refunds(food_with_fee, one_back(amount_incl="50.00", lines=lines))

    outcome = ledger.run(record, ends_with=0)

    back: dict[int, Decimal] = {}
    for line in the_order(box)["SalesOrderLines"]:
        back[line["VatRate"]] = back.get(line["VatRate"], 0) + line["TotalAmount"]
    sold = {Decimal("0.25"): 50, Decimal("0.15"): 115}
    rate = Decimal("0.25") if is_named else Decimal("0.15")
    assert back == ({rate: -50} if is_invoiced else {**sold, rate: sold[rate] - 50})
    note = 'orders 9001: 50.00 of refund "r1" is for no line and has no stated VAT'
    assert (note in outcome.log) is not is_named
    record |= {"note": "Ring på", "updated_at": LATEST}
    assert note not in ledger.run(record, ends_with=0).log


def test_the_split_of_a_refund_is_logged_once_though_its_credit_note_is_held(ledger, invoiced):
    record = with_refunds(invoiced, one_back(amount_incl="50.02", lines=[]))
    note = 'orders 9001: 50.02 of refund "r1" is for no line and has no stated VAT'

    runs = [ledger.run(record) for _ in range(3)]

    assert [(run.status, run.log.count(note)) for run in runs] == [(3, 1), (3, 0), (3, 0)]


def test_a_refund_whose_stated_vat_does_not_add_up_is_held_with_both_sums(
    ledger, box, reasons, food_with_fee
):
    wrong = one_back(amount_incl="50.00", lines=[part("50.00", "1", "f1")], amount_excl="43.48")

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
    exchange = one_back(amount_incl="0.00", lines=[part("0.00", "1")])
    record = with_refunds(landed, exchange, payment_status="paid")

    assert ledger.run(record, ends_with=0).writes == []


@pytest.mark.parametrize("is_invoiced", [False, True])
@pytest.mark.parametrize("exchanged", ["0.00", None])
def test_goods_that_were_exchanged_can_still_be_paid_back(
    ledger, box, landed, is_invoiced, exchanged
):
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    exchange = one_back(amount_incl="0.00", lines=[part(exchanged, "1")])
    assert ledger.run(with_refunds(landed, exchange, payment_status="paid")).writes == []

    record = with_refunds(landed, exchange, two_back(id="r2"), updated_at=LATEST)
    ledger.run(record, ends_with=0)

    assert the_order(box)["TotalAmount"] == (-250 if is_invoiced else 0)


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_goods_come_back_with_their_share_of_the_discount(
    ledger, box, customer, product, order, is_invoiced
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    discounted = order(discounts=[{"code": "JUL", "amount_incl": "50.00"}], total_incl="200.00")
    ledger.run(customer(), product(), discounted)
    if is_invoiced:
        box.go.send_invoice(the_order(box)["Id"])
    record = with_refunds(discounted, one_back(amount_incl="100.00"))

    assert ledger.run(record).status == 0
    in_go = [(line["Quantity"], line["TotalAmount"]) for line in the_order(box)["SalesOrderLines"]]
    assert in_go == ([(-1, -125), (1, 25)] if is_invoiced else [(1, 125), (-1, -25)])
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


def test_an_order_that_is_paid_back_in_full_without_its_lines_leaves_nothing_at_any_vat_rate(
    ledger, box, customer, product, order, line, freight
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    lines = [line(), line(id="2", product_id="502", sku="MAT-1", **FOOD)]
    discount = {"code": "JUL", "amount_incl": "200.00"}
    record = order(lines=lines, shipping=[freight()], discounts=[discount], total_incl="264.00")
    ledger.run(customer(), product(), product(id="502", sku="MAT-1", tax_rate="15"), record)
    back = one_back(amount_incl="264.00", lines=[])

    assert ledger.run(with_refunds(record, back, status="refunded")).status == 0
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
    lines = [part("200.00", "1")] if is_of_a_line else []

    assert ledger.run(with_refunds(half, one_back(amount_incl="200.00", lines=lines))).writes == []
    assert "the order comes to 125.00 before it" in reasons()["hold", "orders", "9001"]


def test_a_refund_of_all_lines_takes_the_line_of_a_coupon_too(
    ledger, box, customer, product, order, line
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    amounts = {"total_excl": "-40.00", "total_tax": "-10.00", "total_incl": "-50.00"}
    coupon = line(
        id="2", product_id="502", sku="KUPONG", quantity="1", unit_price_excl="-40.00", **amounts
    )
    sold = order(lines=[line(), coupon])
    ledger.run(customer(), product(), product(id="502", sku="KUPONG"), sold)
    back = one_back(amount_incl="200.00", lines=[part("250.00", "2"), part("-50.00", "1", "2")])

    assert ledger.run(with_refunds(sold, back, status="refunded")).status == 0
    assert [go_line["Quantity"] for go_line in the_order(box)["SalesOrderLines"]] == [0, 0]
    without_amounts = {**back, "lines": [part(None, "2"), part(None, "1", "2")]}
    assert ledger.run(with_refunds(sold, without_amounts, updated_at=LATEST)).writes == []


@pytest.mark.parametrize(
    ("quantity", "amount", "left"), [("2", "200.00", 0), ("1", "100.00", 100), ("1", "130.00", 70)]
)
def test_units_without_an_amount_take_no_more_than_was_paid_back(
    ledger, box, customer, product, order, quantity, amount, left
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    discounted = order(discounts=[{"code": "JUL", "amount_incl": "50.00"}], total_incl="200.00")
    ledger.run(customer(), product(), discounted)
    back = one_back(amount_incl=amount, lines=[part(None, quantity)])

    assert ledger.run(with_refunds(discounted, back)).status == 0
    assert the_order(box)["TotalAmount"] == left


def test_units_without_an_amount_bear_the_rest_of_their_refund(
    ledger, box, customer, product, order, line, freight
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    more = [line(id=name, product_id=f"50{name}", sku=f"ULL-{name}") for name in ("2", "3")]
    products = [product(id=sold["product_id"], sku=sold["sku"]) for sold in more]
    sold = order(lines=[line(), *more], shipping=[freight()])
    ledger.run(customer(), product(), *products, sold)
    parts = [part("100.00", "1"), part(None, "2", "2"), part(None, "1", "3")]
    back = one_back(amount_incl="449.00", shipping_incl="49.00", lines=parts)

    assert ledger.run(with_refunds(sold, back)).status == 0
    left = [go_line["TotalAmount"] for go_line in the_order(box)["SalesOrderLines"]]
    assert left == [150, 50, 150, 50]


def test_an_order_that_lands_with_a_refund_lands_without_what_was_paid_back(
    ledger, box, customer, product, order
):
    ledger.settings["sales_accounts"] = ACCOUNTS

    ledger.run(customer(), product(), with_refunds(order(), one_back()), ends_with=0)

    assert the_order(box)["TotalAmount"] == 125


def test_a_second_refund_lowers_what_the_first_left(ledger, box, landed):
    ledger.run(with_refunds(landed, one_back()))
    second_part = {"line_id": "1", "amount_incl": "25.00"}
    second = one_back(id="r2", amount_incl="25.00", lines=[second_part])
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

    shipped = {**record, "shipped_at": LATEST, "updated_at": LAST}
    assert ledger.run(shipped, ends_with=0).writes == []
    assert reasons() == {}


@pytest.mark.parametrize(
    ("refund", "kind", "reason"),
    [
        ({"lines": [part("125.00", "3")]}, "hold", "for more than line"),
        ({"lines": [{"line_id": "7", "quantity": "1"}]}, "reject", "that the order does not have"),
        ({"shipping_incl": "10.00"}, "hold", "pays back more freight than was paid"),
        ({"amount_incl": "100.00"}, "hold", "but its lines come to 125.00"),
        ({"amount_incl": "900.00"}, "hold", "the order comes to"),
        ({"id": None}, "reject", "has no id"),
    ],
)
def test_an_impossible_refund_is_held_or_rejected_and_the_draft_is_left_as_it_is(
    ledger, box, reasons, landed, refund, kind, reason
):
    assert ledger.run(with_refunds(landed, one_back(**refund))).writes == []
    assert reason in reasons()[kind, "orders", "9001"]
    assert the_order(box)["TotalAmount"] == 250


@pytest.mark.parametrize("lines", [[], [part(None, None)]])
def test_a_refund_without_any_amount_is_rejected(ledger, box, reasons, landed, lines):
    bare = one_back(id="r2", amount_incl=None, lines=lines)
    record = with_refunds(landed, one_back(), total_refunded=None)
    record["refunds"].append(bare)

    assert ledger.run(record, ends_with=3).writes == []
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
    bare = one_back(amount_incl=None, **refund)

    ledger.run({**with_refunds(landed, one_back()), "refunds": [bare]}, ends_with=0)

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


@pytest.mark.parametrize("refund_id", ["r1", "cancel"])
def test_a_credited_refund_is_not_credited_again_when_the_order_is_cancelled(
    ledger, box, invoiced, refund_id
):
    ledger.run(with_refunds(invoiced, one_back(id=refund_id)))

    record = with_refunds(invoiced, one_back(id=refund_id), status="cancelled", updated_at=LATEST)

    assert ledger.run(record).status == 0
    assert credited(box) == {
        f"testshop:9001:refund:{refund_id}": -125,
        "testshop:9001:cancel": -125,
    }
    assert ledger.run({**record, "updated_at": LAST}).writes == []


@pytest.mark.parametrize("at_once", [True, False])
def test_an_order_that_is_cancelled_and_paid_back_in_full_has_one_credit_note(
    ledger, box, invoiced, at_once
):
    back = {"id": "z", "amount_incl": "250.00", "lines": [], "created_at": LATER}
    if not at_once:
        ledger.run(with_refunds(invoiced, back))
    record = with_refunds(invoiced, back, status="cancelled", updated_at=LATEST)

    ledger.run(record, ends_with=0)

    (note,) = credit_notes(box).values()
    assert (note["TotalAmount"], note["RelatedInvoiceNo"]) == (-250, 1001)
    assert ledger.run({**record, "updated_at": LAST}).writes == []


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
    assert ledger.run({**record, "updated_at": LAST}).writes == []


@pytest.mark.slow
@pytest.mark.parametrize("amount", ["125.00", "250.00"])
@pytest.mark.parametrize("mishap", ["store lost", "killed"])
def test_a_refund_that_comes_after_a_cancellation_was_credited_is_part_of_it(
    ledger, box, invoiced, customer, product, cut_off, amount, mishap
):
    cancelled = {**invoiced, "status": "cancelled", "updated_at": LATER}
    back = one_back(amount_incl=amount, lines=[])
    record = with_refunds(invoiced, back, status="cancelled", updated_at=LATEST)
    if mishap == "killed":
        cut_off("POST", "after", cancelled, path="/complete$")
    else:
        ledger.run(cancelled)
        ledger.lose_link_store()

    assert ledger.run(customer(), product(), record).status == 0
    assert credited(box) == {"testshop:9001:cancel": -250}


@pytest.mark.slow
def test_the_credited_cancellation_of_a_killed_run_is_withdrawn_when_the_order_is_open_again(
    ledger, box, invoiced, cut_off
):
    cancelled = {**invoiced, "status": "cancelled", "updated_at": LATER}
    cut_off("POST", "after", cancelled, path="/complete$")
    assert list(credit_notes(box)) == ["testshop:9001:cancel"]

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
    ledger, box, reasons, landed, cut_off
):
    record = with_refunds(landed, one_back())
    cut_off("PATCH", "after", record)
    box.go.send_invoice(the_order(box)["Id"])

    assert ledger.run(record, ends_with=3).writes == []
    assert "250.00 in the shop, 125.00 on the invoice" in reasons()["hold", "orders", "9001"]


@pytest.mark.parametrize(
    "changes",
    [
        with_refunds({}, two_back()),
        {"status": "cancelled", "updated_at": LATER},
        with_refunds({}, one_back()),
    ],
    ids=["both paid back", "cancelled", "one paid back"],
)
def test_no_more_is_credited_than_a_person_has_invoiced(
    ledger, box, reasons, landed, edit_line, changes
):
    """If one of two was invoiced, what is paid back may be the one that was left out."""
    edit_line(Quantity=1)
    box.go.send_invoice(the_order(box)["Id"])

    assert ledger.run({**landed, **changes}, ends_with=3).writes == []
    assert "250.00 in the shop, 125.00 on the invoice" in reasons()["hold", "orders", "9001"]
    assert credit_notes(box) == {}


@pytest.mark.slow
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_lost_link_store_credits_nothing_twice(ledger, box, invoiced, is_cancelled):
    record = with_refunds(invoiced, one_back())
    if is_cancelled:
        record = {**record, "status": "cancelled"}
    ledger.run(record)
    before = credited(box)
    ledger.lose_link_store()

    outcome = ledger.run({**record, "updated_at": LATEST}, ends_with=0)

    assert [write for write in outcome.writes if write.method == "POST"] == []
    ledger.run({**record, "updated_at": LAST})
    assert credited(box) == before


def test_a_refund_that_was_made_while_the_link_store_was_lost_is_credited_at_once(
    ledger, box, customer, product, invoiced
):
    ledger.lose_link_store()
    record = with_refunds(invoiced, one_back())

    assert ledger.run(customer(), product(), record).status == 0
    assert credit_notes(box)["testshop:9001:refund:r1"]["TotalAmount"] == -125
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


@pytest.mark.slow
def test_a_sent_credit_note_of_the_target_does_not_count_as_made_by_hand_without_the_link_store(
    ledger, box, invoiced
):
    ledger.run(with_refunds(invoiced, one_back()))
    box.go.send_invoice(the_order(box)["Id"])
    ledger.lose_link_store()
    newest = one_back(id="r2", amount_incl="25.00", lines=[])
    record = with_refunds(invoiced, newest, one_back(), updated_at=LATEST)

    ledger.run(record)

    assert ledger.run({**record, "updated_at": LAST}).status == 0
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

    for at in (LATER, LATEST):
        cancelled = {**free, "status": "cancelled", "updated_at": at}
        assert ledger.run(cancelled, ends_with=0).writes == []


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
    go_lines = the_order(box)["SalesOrderLines"]
    assert [(go_line["Quantity"], go_line["VatAmount"]) for go_line in go_lines] == [
        (-2, -50),
        (1, 0),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("changes", "total"), [({}, -125), ({"status": "cancelled"}, -250)])
def test_a_credit_note_whose_run_is_killed_is_in_go_once(
    ledger, box, invoiced, cut_off, when, changes, total
):
    record = with_refunds(invoiced, one_back(), **changes)
    cut_off("POST", when, record)

    assert ledger.run(record).status == 0
    assert sum(credited(box).values()) == total
    assert ledger.run({**record, "updated_at": LATEST}).writes == []


def test_a_dry_run_shows_the_credit_note_and_posts_none(ledger, box, invoiced):
    outcome = ledger.run(with_refunds(invoiced, one_back()), dry_run=True)

    assert outcome.writes == []
    assert "credit orders 9001: total with VAT: -125" in outcome.log
    assert credit_notes(box) == {}
