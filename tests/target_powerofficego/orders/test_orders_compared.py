"""An order that was written is compared with Go's, however the run that wrote it ended."""

import copy
from decimal import Decimal

import pytest
from click.testing import CliRunner
from ledger import the_order
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.decisions.merge import merge_lines
from target_powerofficego.links_command import main

LATER = "2026-01-06T10:00:00Z"


def edited(order, lines):
    totals = {
        name: str(sum((Decimal(line[name]) for line in lines), Decimal(0)))
        for name in ("total_excl", "total_tax", "total_incl")
    }
    return {**order, **totals, "lines": lines, "updated_at": LATER}


def assert_held_for_its_total(ledger, outcome):
    assert outcome.status == 3
    (hold,) = ledger.unsettled()
    assert (hold.kind, hold.entity) == ("hold", "orders")
    assert "the shop says 125.00, Go says 124.99" in hold.reason
    assert "both sides" not in hold.reason


@pytest.mark.slow
def test_an_order_is_compared_after_a_kill_between_the_edit_and_the_comparison(
    box, ledger, cut_off, customer, product, order, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])
    assert cut_off("PATCH", "after", record, path="/lines/") == -9

    assert_held_for_its_total(ledger, ledger.run(copy.deepcopy(record)))


@pytest.mark.slow
def test_an_order_is_compared_after_sigterm_between_the_edit_and_the_comparison(
    box, ledger, lines_of, customer, product, order, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])

    running = ledger.start()
    box.faults.add(method="PATCH", path="/lines/", delay_seconds=1)
    box.faults.on("go", "PATCH", "/lines/", lambda _: running.terminate(), when="after")

    running.communicate(lines_of(record), timeout=30)

    box.faults.clear()
    assert running.returncode == 143
    assert_held_for_its_total(ledger, ledger.run(copy.deepcopy(record)))


@pytest.mark.slow
def test_an_order_is_compared_after_a_kill_at_its_creation_and_a_run_without_records(
    box, ledger, cut_off, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])
    shop = (customer(), product(), record)
    cut_off("POST", "after", *shop, path="/salesorders/complete$")

    ledger.run()

    assert_held_for_its_total(ledger, ledger.run(*copy.deepcopy(shop)))


@pytest.mark.slow
def test_a_line_added_before_a_kill_is_known_though_go_rounds_its_price(
    box, ledger, cut_off, customer, product, order, line, odd_line
):
    ledger.run(customer(), product(), order())
    box.go.switches.price_decimals = 2
    record = edited(order(), [line(), odd_line(id="2")])
    cut_off("POST", "after", record, path="/lines$")

    outcome = ledger.run(copy.deepcopy(record))

    (hold,) = ledger.unsettled("hold")
    assert "the shop says 375.00, Go says 374.99" in hold.reason
    assert outcome.writes == []


@pytest.mark.slow
def test_a_line_removed_before_a_kill_is_posted_again_if_the_shop_has_it_again(
    box, ledger, cut_off, customer, product, order, line
):
    both = edited(order(), [line(), line(id="2")])
    ledger.run(customer(), product(), both)
    cut_off("DELETE", "after", edited(order(), [line()]), path="/lines/")

    assert ledger.run({**both, "updated_at": "2026-01-07T10:00:00Z"}).status == 0

    assert the_order(box)["TotalAmount"] == 500


@pytest.mark.slow
def test_an_order_cancelled_before_a_kill_is_posted_again_if_it_is_open_again(
    box, ledger, cut_off, customer, product, order
):
    ledger.run(customer(), product(), order())
    cancelled = order(status="cancelled", updated_at=LATER)
    cut_off("DELETE", "after", cancelled, path="/salesorders/")

    ledger.run(order(updated_at="2026-01-07T10:00:00Z"), ends_with=0)

    assert len(box.go.entries("SalesOrders")) == 1


def test_a_held_order_that_nobody_edited_is_not_read_again(
    box, ledger, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    shop = (customer(), product(), edited(order(), [odd_line()]))
    ledger.run(*shop)

    again = ledger.run()

    assert again.count("orders", "held") == 1
    assert not [read for read in again.reads if "/SalesOrders/" in read.path]


def test_a_held_order_is_settled_once_a_person_has_corrected_it_in_go(
    box, ledger, customer, product, order, odd_line, edit_line
):
    box.go.switches.price_decimals = 2
    ledger.run(customer(), product(), edited(order(), [odd_line()]))
    edit_line(Quantity=1, ProductUnitPrice=100)

    assert ledger.run().status == 0
    assert ledger.unsettled() == []


def test_a_held_order_that_a_person_edited_to_another_total_is_held_with_that_total(
    box, ledger, customer, product, order, odd_line, edit_line
):
    box.go.switches.price_decimals = 2
    ledger.run(customer(), product(), edited(order(), [odd_line()]))
    (before,) = ledger.unsettled("hold")
    edit_line(Quantity=1, ProductUnitPrice=90)

    assert [read for read in ledger.run().reads if "/SalesOrders/" in read.path]
    assert "Go says 124.99" in before.reason
    assert not any("Go says 124.99" in hold.reason for hold in ledger.unsettled("hold"))


def test_a_held_order_that_was_invoiced_anyway_is_compared_with_its_invoice(
    box, ledger, customer, product, order, odd_line
):
    box.go.switches.price_decimals = 2
    ledger.run(customer(), product(), edited(order(), [odd_line()]))
    box.go.send_invoice(the_order(box)["Id"])

    ledger.run(ends_with=3)

    (hold,) = ledger.unsettled("hold")
    assert "on its invoice total with VAT: the shop says 125.00, Go says 124.99" in hold.reason


def test_an_invoice_of_the_same_total_with_other_vat_stays_held(
    box, ledger, customer, product, order, edit_line
):
    ledger.settings["sales_accounts"] = {"25": 3000, "15": 3001}
    ledger.run(customer(), product(tax_rate="15"))
    ledger.run(order())  # 200.00 and 25 %, which Go's product does not bear
    edit_line(ProductUnitPrice=Decimal("108.695652"))
    box.go.send_invoice(the_order(box)["Id"])
    assert box.go.entries("OutgoingInvoices")[0]["TotalAmount"] == 250

    assert ledger.run().status == 3

    (hold,) = ledger.unsettled("hold")
    assert "on its invoice VAT: the shop says 50.00, Go says 32.61" in hold.reason


# What a bookkeeper edits in Go

TEXTS = [{"Description": "Etter avtale"}, {"SortOrder": 7}, {"UnitOfMeasureCode": "KGM"}]


@pytest.mark.parametrize("changes", [*TEXTS, {"Quantity": 3}], ids=str)
def test_an_order_of_another_vat_rate_stays_held_whatever_a_bookkeeper_edits(
    box, ledger, customer, product, order, line, edit_line, changes
):
    ledger.settings["confirm_on"] = ["completed"]
    low = line(tax_rate="15", total_tax="30.00", total_incl="230.00")
    assert ledger.run(customer(), product(), order(status="completed", lines=[low])).status == 3
    edit_line(**changes)

    assert ledger.run().status == 3

    (hold,) = ledger.unsettled("hold")
    assert "the shop says 15 %, Go's sales account gives 25 %" in hold.reason
    assert ("the shop says 230.00, Go says 250.00" in hold.reason) == (changes in TEXTS)
    assert the_order(box)["SalesOrderStatus"] == "Draft"


def test_an_order_whose_product_a_bookkeeper_swapped_for_one_of_another_rate_is_held(
    box, ledger, customer, product, order, edit_line
):
    ledger.settings |= {"sales_accounts": {"25": 3000, "15": 3001}, "confirm_on": ["completed"]}
    food = product(id="502", sku="MAT-1", tax_rate="15", price_incl="115.00")
    ledger.run(customer(), product(), food, order())
    ids = {entry["Code"]: entry["Id"] for entry in box.go.entries("Products")}
    edit_line(ProductId=ids["MAT-1"])

    assert ledger.run(order(status="completed", updated_at=LATER)).status == 3

    (hold,) = ledger.unsettled("hold")
    assert "the shop says 25 %, Go's sales account gives 15 %" in hold.reason
    assert the_order(box)["SalesOrderStatus"] == "Draft"


@pytest.mark.parametrize("changes", TEXTS, ids=str)
def test_an_odd_ore_is_held_or_corrected_whatever_text_a_bookkeeper_edited(
    box, ledger, customer, product, order, odd_line, edit_line, changes
):
    ledger.settings["sales_accounts"] = {"25": 3000, "0": 3100}
    ledger.run(customer(), product(), order())
    edit_line(**changes)
    box.go.switches.price_decimals = 2
    record = edited(order(), [odd_line()])

    assert_held_for_its_total(ledger, ledger.run(copy.deepcopy(record)))
    assert ledger.run(rounding_product_code="ORE").status == 0

    in_go = the_order(box)
    assert in_go["TotalAmount"] == 125
    (line,) = [line for line in in_go["SalesOrderLines"] if line["ExternalImportReference"] == "1"]
    assert changes.items() <= line.items()


def test_a_unit_price_that_is_moved_by_an_ore_is_listed_though_a_bookkeeper_edited_the_text(
    box, ledger, customer, product, order, line, edit_line
):
    ledger.run(customer(), product(), order())
    edit_line(Description="Etter avtale")
    price = {"unit_price_excl": None, "unit_price_incl": None, "quantity": "1"}
    totals = {"total_excl": "79.99", "total_tax": "20.01", "total_incl": "100.00"}

    assert ledger.run(edited(order(), [line(**price, **totals)])).status == 0

    assert the_order(box)["TotalAmount"] == 100
    arguments = ["--link-store", str(ledger.link_store), "differences", "--show-values"]
    output = CliRunner().invoke(main, arguments).output
    assert "ProductUnitPrice" in output
    assert "Description" not in output


@pytest.mark.parametrize("changes", TEXTS, ids=str)
def test_an_order_whose_text_a_bookkeeper_edited_is_invoiced(
    box, ledger, customer, product, order, edit_line, changes
):
    box.go.switches.allow_send_invoice = True
    ledger.settings["invoice_on"] = ["completed"]
    ledger.run(customer(), product(), order())
    edit_line(**changes)

    assert ledger.run(order(status="completed", updated_at=LATER)).status == 0

    (invoice,) = box.go.entries("OutgoingInvoices")
    assert invoice["TotalAmount"] == 250


LINE = {"Description": "Lue", "Quantity": 2, "ProductUnitPrice": "33.33333333", "Allowance": 0}
ROUNDED = {**LINE, "ProductUnitPrice": "33.33"}
"""The same line as Go keeps it."""


@pytest.mark.parametrize(
    ("shop", "go", "is_edited_in_go"),
    [
        ({}, {"Description": "Hatt", "SortOrder": 3, "UnitOfMeasureCode": "KGM"}, False),
        ({}, {"ProductId": 7, "UseStandardSalesAccount": False}, False),
        ({}, {"Quantity": 3}, True),
        ({}, {"ProductUnitPrice": "40"}, True),
        ({}, {"Allowance": 10}, True),
        ({}, {"ProductUnitPrice": "33.33333333"}, False),
        ({"Quantity": 3}, {"Quantity": 3}, False),
        ({"Quantity": 3}, {"Description": "Hatt"}, False),
        ({"Description": "Hatt"}, {"Quantity": 3}, True),
        ({}, None, True),
    ],
)
def test_only_edits_of_amounts_mark_a_line_as_edited_in_go(shop, go, is_edited_in_go):
    base = {"1": Agreement(LINE, ROUNDED, now(), now())}
    in_go = {} if go is None else {"1": ROUNDED | go}
    merged = merge_lines({"1": LINE | shop}, in_go, base)
    assert merged.edited_in_go == ({"1"} if is_edited_in_go else set())
