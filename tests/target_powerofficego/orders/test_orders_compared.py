"""An order that was written is compared with Go's, however the run ended that wrote it."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest

LATER = "2026-01-06T10:00:00Z"
ODD = {"quantity": "3", "unit_price_excl": None, "unit_price_incl": None}
"""33.333… kr each: Go cannot come to the øre with prices of two decimals."""


@pytest.fixture
def odd_line(line):
    """Makes a line of 100 kr, of which Go makes 99.99."""

    def make(**changes):
        totals = {"total_excl": "100.00", "total_tax": "25.00", "total_incl": "125.00"}
        return line(**{**ODD, **totals, **changes})

    return make


def edited(order, lines):
    totals = {
        name: str(sum((Decimal(line[name]) for line in lines), Decimal(0)))
        for name in ("total_excl", "total_tax", "total_incl")
    }
    return {**order, **totals, "lines": lines, "updated_at": LATER}


@pytest.fixture
def cut_off(box, ledger, lines_of):
    """Run the command and end it by a signal when Go has done a certain write."""

    def run(method, path, *records, end, delay=0):
        running = ledger.start()
        if delay:
            box.faults.add(method=method, path=path, delay_seconds=delay)
        box.faults.on("go", method, path, lambda _: end(running), when="after")
        running.communicate(lines_of(*records), timeout=30)
        box.faults.clear()
        return running.returncode

    return run


def assert_held_for_its_total(ledger, outcome):
    assert outcome.status == 3
    (hold,) = ledger.unsettled()
    assert (hold.kind, hold.entity) == ("hold", "orders")
    assert "the shop says 125.00, Go says 124.99" in hold.reason


def test_after_a_kill_between_the_edit_and_the_comparison(
    box, ledger, cut_off, customer, product, order, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])
    assert cut_off("PATCH", "/lines/", record, end=lambda running: running.kill()) == -9

    assert_held_for_its_total(ledger, ledger.run(copy.deepcopy(record)))


def test_after_sigterm_between_the_edit_and_the_comparison(
    box, ledger, cut_off, customer, product, order, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])

    def terminate(running):
        running.terminate()

    assert cut_off("PATCH", "/lines/", record, end=terminate, delay=1) == 143
    assert_held_for_its_total(ledger, ledger.run(copy.deepcopy(record)))


def test_after_a_kill_at_the_create_and_a_run_without_records(
    box, ledger, cut_off, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])
    shop = (customer(), product(), record)
    cut_off("POST", "/salesorders/complete$", *shop, end=lambda running: running.kill())

    ledger.run()

    assert_held_for_its_total(ledger, ledger.run(*copy.deepcopy(shop)))


def test_a_line_added_before_a_kill_is_known_though_go_rounds_its_price(
    box, ledger, cut_off, customer, product, order, line, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [line(), odd_line(id="2")])
    cut_off("POST", "/lines$", record, end=lambda running: running.kill())

    outcome = ledger.run(copy.deepcopy(record))

    (hold,) = ledger.unsettled("hold")
    assert "the shop says 375.00, Go says 374.99" in hold.reason
    assert outcome.writes == []


def test_a_line_changed_before_a_kill_is_known_though_go_rounds_its_price(
    box, ledger, cut_off, customer, product, order, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])
    cut_off("PATCH", "/lines/", record, end=lambda running: running.kill())
    ledger.run(copy.deepcopy(record))

    (hold,) = ledger.unsettled("hold")

    assert "both sides" not in hold.reason


def test_a_line_removed_before_a_kill_and_taken_back_is_posted_again(
    box, ledger, cut_off, customer, product, order, line
):
    both = edited(order(), [line(), line(id="2")])
    ledger.run(customer(), product(), both)
    cut_off("DELETE", "/lines/", edited(order(), [line()]), end=lambda running: running.kill())

    assert ledger.run({**both, "updated_at": "2026-01-07T10:00:00Z"}).status == 0

    (there,) = box.go.entries("SalesOrders")
    assert there["TotalAmount"] == 500


def test_an_order_cancelled_before_a_kill_and_taken_back_is_posted_again(
    box, ledger, cut_off, customer, product, order
):
    ledger.run(customer(), product(), order())
    cancelled = order(status="cancelled", updated_at=LATER)
    cut_off("DELETE", "/salesorders/", cancelled, end=lambda running: running.kill())

    outcome = ledger.run(order(updated_at="2026-01-07T10:00:00Z"))

    assert outcome.status == 0
    assert len(box.go.entries("SalesOrders")) == 1


def test_a_held_order_that_nobody_touched_costs_no_read(
    box, ledger, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    shop = (customer(), product(), edited(order(), [odd_line()]))
    ledger.run(*shop)

    again = ledger.run()

    assert again.count("orders", "held") == 1
    assert not [one for one in again.reads if "/SalesOrders/" in one.path]


def test_a_held_order_is_settled_once_a_person_has_mended_it_in_go(
    box, ledger, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    ledger.run(customer(), product(), edited(order(), [odd_line()]))
    (there,) = box.go.entries("SalesOrders")
    (line,) = there["SalesOrderLines"]
    mended = {"Quantity": 1, "ProductUnitPrice": 100}
    box.go.edit("SalesOrders", there["Id"], {"lines": {line["Id"]: mended}})

    assert ledger.run().status == 0
    assert ledger.unsettled() == []


def test_a_held_order_that_was_invoiced_all_the_same_is_compared_with_its_invoice(
    box, ledger, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    ledger.run(customer(), product(), edited(order(), [odd_line()]))
    box.go.send_invoice(box.go.entries("SalesOrders")[0]["Id"])

    outcome = ledger.run()

    assert outcome.status == 3
    (hold,) = ledger.unsettled("hold")
    assert "on its invoice total with VAT: the shop says 125.00, Go says 124.99" in hold.reason
