"""`powerofficego-links reconcile`: the shop's orders of a period against Go's books, to the øre."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace as replaced
from decimal import Decimal
from pathlib import Path

import commands
import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main
from target_powerofficego.store.link_store import Link, LinkStore

SCRIPT = Path(sys.executable).with_name("powerofficego-links")
JANUARY = ("--from", "2026-01-01", "--to", "2026-01-31")
LATER = "2026-01-06T10:00:00Z"
ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
SAME, DIFFERS, BROKE = 0, 3, 1


@pytest.fixture
def reconcile(ledger):
    """Runs the command with the target's config; returns the exit status and what it printed."""

    def run(*words, period=JANUARY):
        config = ledger.folder / "go.json"
        config.write_text(json.dumps(ledger.config()), encoding="utf-8")
        asked = ["reconcile", *period, "--config", str(config), *words]
        return CliRunner().invoke(main, [str(word) for word in asked])

    return run


@pytest.fixture
def compare(reconcile):
    """Runs the command; returns its exit status, and its JSON lines by their kind."""

    def run(**options):
        ended = reconcile("--format", "json", **options)
        rows = [json.loads(line) for line in ended.stdout.splitlines()]
        by_what = {what: [row for row in rows if row["what"] == what] for what in WHAT}
        return ended.exit_code, by_what

    return run


WHAT = ("sums", "difference", "remark", "outcome")


@pytest.fixture
def landed(ledger, customer, product, order):
    """An order of 200 kr and 25 % VAT that has become a Draft."""
    ledger.settings["sales_accounts"] = ACCOUNTS
    assert ledger.run(customer(), product(), order()).status == 0
    return order()


def the_entry(box, resource="SalesOrders"):
    (entry,) = box.go.entries(resource)
    return entry


def test_orders_that_are_in_go_as_in_the_shop_are_the_same(box, landed, compare):
    status, rows = compare()

    assert status == SAME
    assert rows["difference"] == rows["remark"] == []
    assert box.requests.count(system="go", path="/complete") == 1, "only the POST that made it"
    of_all, of_rate = rows["sums"]
    assert (of_all["currency"], of_all["vat_rate"], of_rate["vat_rate"]) == ("NOK", "all", "25")
    amounts = {"excl": "200.00", "tax": "50.00", "incl": "250.00"}
    assert of_all["shop"] == {"orders": 1, **amounts}
    assert of_rate["go"] == {"sales_orders": 1, "invoices": 0, "credit_notes": 0, **amounts}
    assert of_rate["difference"] == {"excl": "0.00", "tax": "0.00", "incl": "0.00"}
    assert rows["outcome"] == [
        {
            "what": "outcome",
            "from": "2026-01-01",
            "to": "2026-01-31",
            "differences": 0,
            "remarks": 0,
            "not_in_ledger": {"sales_orders": 1, "credit_notes": 0},
        }
    ]


def test_a_missing_order_is_named(box, landed, compare):
    go_id = the_entry(box)["Id"]
    box.go.delete("SalesOrders", go_id)

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("missing", "9001")
    assert go_id in row["told"]
    assert rows["sums"][0]["difference"]["incl"] == "-250.00"


@pytest.mark.slow
def test_an_order_that_a_person_removed_in_go_is_no_difference_once_acknowledged(
    box, ledger, landed, compare
):
    box.go.delete("SalesOrders", the_entry(box)["Id"])
    ledger.run({**landed, "reference": "PO 1", "updated_at": LATER})
    assert [row["kind"] for row in compare()[1]["difference"]] == ["missing"]

    ledger.acknowledge_all()
    status, rows = compare()

    assert status == SAME
    assert [row["kind"] for row in rows["remark"]] == ["missing"]
    assert rows["sums"] == []


@pytest.mark.slow
def test_an_order_that_is_in_go_twice_is_named(box, landed, compare):
    there = the_entry(box)
    line = there["SalesOrderLines"][0]
    copied = ("ProductId", "Quantity", "ProductUnitPrice")
    copy = box.go.create(
        "SalesOrders",
        {
            "CustomerId": there["CustomerId"],
            "SalesOrderDate": "2026-03-01",
            "CustomMatchingReference": there["CustomMatchingReference"],
            "SalesOrderLines": [{name: line[name] for name in copied}],
        },
    )

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["go_id"]) == ("doubled", "9001", copy["Id"])
    assert rows["sums"][0]["go"]["sales_orders"] == 2
    assert rows["sums"][0]["difference"]["incl"] == "250.00"


def test_two_entries_with_one_reference_are_named(box, landed, compare):
    there = the_entry(box)
    copy = {**there, "Id": "00000000-0000-4000-8000-000000000001", "CustomMatchingReference": None}
    box.go.register("SalesOrders").put(copy)

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["go_id"]) == ("doubled", "9001", copy["Id"])
    assert "testshop:9001" in row["told"]


def test_an_order_with_our_reference_that_is_not_linked_is_named_in_its_own_period(
    box, landed, compare
):
    there = the_entry(box)
    body = {"CustomerId": there["CustomerId"], "ExternalImportReference": "testshop:77"}
    box.go.create("SalesOrders", {**body, "SalesOrderDate": "2026-01-20"})

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["date"]) == ("not linked", None, "2026-01-20")
    assert "testshop:77" in row["told"]
    assert compare(period=("--from", "2026-01-01", "--to", "2026-01-19"))[0] == SAME


@pytest.mark.slow
def test_an_entry_of_another_shop_with_the_same_number_is_not_a_duplicate(box, landed, compare):
    there = the_entry(box)
    body = {"CustomerId": there["CustomerId"], "ExternalImportReference": "othershop:9001"}
    number = {"CustomMatchingReference": there["CustomMatchingReference"]}
    box.go.create("SalesOrders", {**body, **number, "SalesOrderDate": "2026-01-05"})

    assert compare()[0] == SAME


def test_a_wrong_rate_is_named_though_the_amount_without_vat_is_the_same(box, landed, compare):
    there, product = the_entry(box), the_entry(box, "Products")
    box.go.edit("Products", product["Id"], {"StandardSalesAccountId": account(box, 3001)})
    line = there["SalesOrderLines"][0]
    box.go.edit("SalesOrders", there["Id"], {"lines": {line["Id"]: {"Description": "Genser"}}})

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("VAT rate", "9001")
    assert "25 %" in row["told"]
    assert "15 %" in row["told"]
    by_rate = {row["vat_rate"]: row["difference"]["excl"] for row in rows["sums"]}
    assert by_rate == {"all": "0.00", "25": "-200.00", "15": "200.00"}


def test_a_coupon_for_one_rate_that_is_spread_over_all_is_named(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    book = line(id="2", sku="BOK", product_id="503", tax_rate="0")
    book |= {"total_excl": "250.00", "total_tax": "0.00", "total_incl": "250.00"}
    coupon = {"code": "JAKKE", "amount_excl": "100.00", "amount_incl": "125.00"}
    whole = order(lines=[line(), book], discounts=[coupon])
    ledger.run(customer(), product(), product(id="503", sku="BOK", tax_rate="0"), whole)
    assert compare()[0] == SAME
    there = the_entry(box)
    by_reference = {row["ExternalImportReference"]: row for row in there["SalesOrderLines"]}
    spread = {by_reference["discount:25"]["Id"]: {"ProductUnitPrice": 50}}
    spread |= {by_reference["2"]["Id"]: {"ProductUnitPrice": Decimal("93.75")}}
    box.go.edit("SalesOrders", there["Id"], {"lines": spread})
    assert the_entry(box)["TotalAmount"] == Decimal(whole["total_incl"])

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert "25 %: without VAT 100.00 in the shop and 150.00 in Go" in row["told"]


@pytest.mark.slow
@pytest.mark.parametrize("is_invoiced", [False, True])
def test_an_order_with_another_buyer_in_go_is_named(
    box, ledger, landed, customer, compare, is_invoiced
):
    ledger.run(customer(id="1002", email="ola@example.no"))
    there = the_entry(box)
    (other,) = [
        entry for entry in box.go.entries("Customers") if entry["Id"] != there["CustomerId"]
    ]
    box.go.edit("SalesOrders", there["Id"], {"CustomerId": other["Id"]})
    if is_invoiced:
        box.go.send_invoice(there["Id"])

    status, rows = compare()

    assert status == SAME
    (row,) = rows["remark"]
    assert row["kind"] == "buyer"
    assert str(other["Id"]) in row["told"]


def test_rates_that_add_up_to_the_same_vat_are_distinguished_by_the_lines(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    books = product(id="502", sku="BOK-1", tax_rate="0", price_excl="80.00", price_incl="80.00")
    food = product(id="503", sku="MAT-1", tax_rate="15", price_excl="200.00", price_incl="230.00")
    one = line(
        product_id="503",
        sku="MAT-1",
        quantity="1",
        unit_price_excl="200.00",
        unit_price_incl="230.00",
        total_tax="30.00",
        total_incl="230.00",
        tax_rate="15",
    )
    ledger.run(customer(), product(), books, food, order(lines=[one]))
    there = the_entry(box)
    ids = {entry["Code"]: entry["Id"] for entry in box.go.entries("Products")}
    lines = {
        there["SalesOrderLines"][0]["Id"]: {
            "ProductId": ids["ULL-1"],
            "Quantity": 1,
            "ProductUnitPrice": 120,
        },
        "new": {"ProductId": ids["BOK-1"], "Quantity": 1, "ProductUnitPrice": 80},
    }
    after = box.go.edit("SalesOrders", there["Id"], {"lines": lines})
    assert (after["NetAmount"], after["TotalAmount"]) == (200, 230)

    status, rows = compare()

    assert status == DIFFERS
    assert [row["kind"] for row in rows["difference"]] == ["VAT rate"]


def test_an_ore_of_difference_is_named(box, landed, compare):
    there = the_entry(box)
    line = there["SalesOrderLines"][0]
    price = {line["Id"]: {"ProductUnitPrice": Decimal("100.005")}}
    box.go.edit("SalesOrders", there["Id"], {"lines": price})

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("amount", "9001")
    assert "without VAT 200.00 in the shop and 200.01 in Go" in row["told"]
    assert "with VAT 250.00 in the shop and 250.01 in Go" in row["told"]


def test_a_credit_note_without_refund_is_named(box, landed, compare):
    box.go.send_invoice(the_entry(box)["Id"])
    invoice = the_entry(box, "OutgoingInvoices")
    note = box.go.credit_invoice(invoice["Id"], "50.00")
    today = ("--from", "2026-01-01", "--to", note["VoucherDate"])

    status, rows = compare(period=today)

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("credit note without refund", "9001")
    assert (row["go_id"], row["go_number"]) == (note["Id"], note["InvoiceNo"])
    assert f"invoice {invoice['InvoiceNo']}" in row["told"]
    assert rows["sums"][0]["go"]["credit_notes"] == 1
    assert rows["sums"][0]["difference"]["incl"] == "-50.00"
    assert compare()[0] == SAME, "it belongs to the day on which it was posted"


@pytest.mark.slow
def test_what_the_sync_credits_is_no_difference(box, ledger, landed, compare, reconcile):
    box.go.send_invoice(the_entry(box)["Id"])
    refund = {"id": "r1", "amount_incl": "50.00", "lines": []}
    back = {"refunds": [refund], "total_refunded": "50.00"}
    period = ("--from", "2026-01-01", "--to", "2099-12-31")
    for changes in (back, {**back, "status": "cancelled"}):
        assert ledger.run({**landed, **changes, "updated_at": LATER}).status == 0
        status, rows = compare(period=period)
        assert status == SAME
        assert rows["sums"][0]["difference"]["incl"] == "0.00"
    assert rows["sums"][0]["go"]["incl"] == "0.00"
    assert (
        "2 credit notes are not sent yet, and so not in the ledger"
        in reconcile(period=period).output
    )


def test_an_invoice_credited_because_the_shop_deleted_the_order_is_no_difference(
    box, ledger, landed, compare
):
    box.go.send_invoice(the_entry(box)["Id"])
    ledger.run({**landed, "deleted_at": LATER, "updated_at": LATER})
    status, rows = compare()
    assert status == DIFFERS
    assert rows["difference"][0]["kind"] == "open"
    assert "deleted in the shop but invoiced in Go" in rows["difference"][0]["told"]

    note = box.go.credit_invoice(the_entry(box, "OutgoingInvoices")["Id"])
    status, rows = compare(period=("--from", "2026-01-01", "--to", note["VoucherDate"]))

    assert status == SAME
    assert {row["kind"] for row in rows["remark"]} == {"open", "credited by hand"}
    assert rows["sums"][0]["difference"]["incl"] == "0.00"


@pytest.mark.slow
def test_a_credit_note_that_is_linked_as_a_refund_is_compared_with_its_own_link(
    box, ledger, landed, compare
):
    box.go.send_invoice(the_entry(box)["Id"])
    invoice = the_entry(box, "OutgoingInvoices")
    note = box.go.credit_invoice(invoice["Id"])
    rates = [["25", "-200.00", "-50.00", "-250.00"]]
    link_as(ledger, "credit:9001:refund:r1", note["Id"], ["2026-01-09", "NOK", rates])

    status, rows = compare()

    assert status == SAME, rows
    assert rows["sums"][0]["shop"]["incl"] == "0.00"
    assert rows["sums"][0]["go"]["credit_notes"] == 1
    rates[0][3] = "-249.00"
    link_as(ledger, "credit:9001:refund:r1", note["Id"], ["2026-01-09", "NOK", rates])
    assert [row["shop_id"] for row in compare()[1]["difference"]] == ["credit:9001:refund:r1"]


def test_invoices_are_compared_by_their_lines(box, landed, compare):
    box.go.send_invoice(the_entry(box)["Id"])

    status, rows = compare()

    assert status == SAME
    assert rows["sums"][1]["go"]["invoices"] == 1
    paths = [request.path for request in box.requests.reads("go")]
    assert any(path.lower().endswith("/lines") for path in paths)


@pytest.mark.slow
def test_a_duplicate_invoice_that_was_credited_is_only_a_remark(box, landed, compare):
    box.go.send_invoice(the_entry(box)["Id"])
    invoice = the_entry(box, "OutgoingInvoices")
    double = {
        **invoice,
        "Id": "00000000-0000-4000-8000-000000000001",
        "InvoiceNo": 7001,
        "ExternalImportReference": None,
    }
    lines = box.go.invoice_lines(invoice["Id"])
    box.go.register("OutgoingInvoices").put(double)
    box.go.register("OutgoingInvoiceLines").put({"Id": double["Id"], "Lines": lines})
    assert compare()[0] == DIFFERS

    box.go.credit_invoice(double["Id"])
    status, rows = compare()

    assert status == SAME
    assert [row["kind"] for row in rows["remark"]] == ["doubled"]


def test_vat_that_go_rounds_once_per_rate_is_the_same(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    box.go.switches.vat_rounding = "rate"
    small = {"quantity": "1", "unit_price_excl": "0.10", "unit_price_incl": None}
    first = line(**small, total_excl="0.10", total_tax="0.03", total_incl="0.13")
    second = line(id="2", **small, total_excl="0.10", total_tax="0.02", total_incl="0.12")
    assert ledger.run(customer(), product(), order(lines=[first, second])).status == 0

    status, rows = compare()

    assert status == SAME, rows


def test_ore_moved_to_freight_that_a_coupon_takes_off_are_no_difference(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    box.go.switches.price_decimals = 2
    amounts = {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    third = line(quantity="3", unit_price_excl=None, unit_price_incl=None, tax_rate="15", **amounts)
    freight = {"id": "f", "tax_rate": "25", "total_excl": "80.00", "total_incl": "100.00"}
    coupon = {"code": "FRAKTFRITT", "amount_excl": "80.00", "amount_incl": "100.00"}
    whole = order(lines=[third], shipping=[freight], discounts=[coupon], **amounts)
    assert ledger.run(customer(), product(tax_rate="15"), whole).status == 0
    there = the_entry(box)
    nets = {one["ExternalImportReference"]: one["NetAmount"] for one in there["SalesOrderLines"]}
    assert there["TotalAmount"] == 115
    assert nets["shipping:f"] + nets["discount:25"] == Decimal("0.01")

    status, rows = compare()

    assert status == SAME, rows


def test_each_currency_is_summed_by_itself(box, ledger, landed, order, compare):
    ledger.run(order(id="9002", number="9002", currency="EUR"))

    status, rows = compare()

    assert status == SAME
    sums = [(row["currency"], row["vat_rate"], row["shop"]["incl"]) for row in rows["sums"]]
    assert sums == [
        ("EUR", "all", "250.00"),
        ("EUR", "25", "250.00"),
        ("NOK", "all", "250.00"),
        ("NOK", "25", "250.00"),
    ]


def test_an_order_of_half_past_eleven_in_the_evening_utc_falls_on_the_norwegian_day(
    ledger, landed, order, compare
):
    ledger.run(order(id="9002", number="9002", placed_at="2026-01-31T23:30:00Z"))

    assert compare()[1]["sums"][0]["shop"]["orders"] == 1
    february = ("--from", "2026-02-01", "--to", "2026-02-01")
    status, rows = compare(period=february)
    assert status == SAME
    assert rows["sums"][0]["shop"]["orders"] == 1
    assert rows["sums"][0]["go"]["sales_orders"] == 1


@pytest.mark.slow
def test_an_order_that_has_another_date_in_go_is_not_missing(box, landed, compare):
    box.go.edit("SalesOrders", the_entry(box)["Id"], {"SalesOrderDate": "2026-02-03"})

    status, rows = compare()

    assert status == SAME
    (row,) = rows["remark"]
    assert (row["kind"], row["shop_id"]) == ("date", "9001")
    assert "2026-02-03" in row["told"]


@pytest.mark.slow
def test_an_order_that_is_held_and_so_not_in_go_is_named_with_its_reason(
    ledger, landed, order, compare
):
    ledger.run(order(id="9003", number="9003", total_refunded="10.00"))

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["date"]) == ("not in Go", "9003", "2026-01-05")
    assert "paid back" in row["told"]
    assert rows["sums"][0]["difference"]["incl"] == "-250.00"

    ledger.acknowledge_all()
    status, rows = compare()
    assert status == SAME
    assert "(acknowledged)" in rows["remark"][0]["told"]


@pytest.mark.slow
def test_an_order_that_was_rejected_is_named(ledger, landed, order, compare):
    ledger.run(order(id="9003", number="9003", total_incl="1.00"))

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert "total_incl is 1.00, but the lines come to 250.00" in row["told"]
    assert row["told"].endswith("; its total with VAT is 1.00")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("currency", "comes_to"), [("NOK", "250.00"), ("EUR", "250.00 EUR")], ids=["krone", "euro"]
)
def test_the_total_of_an_order_that_is_not_in_go_is_listed(
    ledger, landed, order, reconcile, currency, comes_to
):
    ledger.run(order(id="9003", number="9003", customer_id="77", currency=currency))

    printed = reconcile().output

    assert f"; its total with VAT is {comes_to}\n" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"customer_id": "77"}, {"total_refunded": "10.00"}, {"status": "shipped"}],
    ids=["parked", "held", "rejected"],
)
def test_an_order_that_states_only_its_total_with_vat_is_counted_by_its_lines(
    ledger, landed, order, compare, changes
):
    only_one = {"total_excl": None, "total_tax": None}
    ledger.run(order(id="9003", number="9003", **only_one, **changes))

    _, rows = compare()

    (row,) = rows["difference"]
    assert row["kind"] == "not in Go"
    assert row["told"].endswith("; its total with VAT is 250.00")
    amounts = {"excl": "400.00", "tax": "100.00", "incl": "500.00"}
    assert rows["sums"][0]["shop"] == {"orders": 2, **amounts}


@pytest.mark.slow
def test_an_order_that_the_shop_changed_after_its_invoice_is_open(
    box, ledger, landed, order, line, compare
):
    box.go.send_invoice(the_entry(box)["Id"])
    three = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    ledger.run(order(lines=[three], updated_at=LATER))

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert row["kind"] == "open"
    assert "the total with VAT is 375.00, but 250.00 in Go" in row["told"]
    assert rows["sums"][0]["shop"]["incl"] == "250.00", "as last agreed"


def test_an_edit_that_is_written_is_followed(ledger, landed, order, line, compare):
    three = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    ledger.run(order(lines=[three], updated_at=LATER))

    status, rows = compare()

    assert status == SAME
    assert rows["sums"][0]["shop"]["incl"] == "375.00"


def test_a_rate_that_only_the_shop_changed_is_named(ledger, landed, order, line, compare):
    of_food = line(tax_rate="15", total_tax="30.00", total_incl="230.00")
    ledger.run(order(lines=[of_food], updated_at=LATER))

    status, rows = compare()

    assert status == DIFFERS
    assert sorted(row["kind"] for row in rows["difference"]) == ["VAT rate", "open"]


def test_a_link_from_before_amounts_were_kept_is_not_known_until_the_shop_is_read(
    ledger, landed, order, compare
):
    store = LinkStore(str(ledger.link_store))
    store.namespaces.choose(store.namespaces.all()[0])
    link = store.links.get("orders", "9001")
    assert link
    base = {name: one for name, one in link.base.items() if name != "amounts"}
    store.links.put(replaced(link, base=base))
    store.close()

    status, rows = compare()
    assert status == SAME
    assert [row["kind"] for row in rows["remark"]] == ["not known"]

    outcome = ledger.run({**order(), "payment_status": "authorized", "updated_at": LATER})

    assert outcome.writes == []
    assert compare()[1]["remark"] == []


def test_the_orders_of_an_erased_customer_are_compared_like_any_other(ledger, landed, compare):
    store = ["--link-store", str(ledger.link_store)]
    erased = CliRunner().invoke(main, [*store, "erase", "customer", "1001", "--yes"])
    assert erased.exit_code == 0, erased.output

    status, rows = compare()

    assert (status, rows["remark"]) == (SAME, [])
    assert rows["sums"][0]["shop"]["incl"] == "250.00"


def test_nothing_is_written_in_go_or_in_the_store(box, ledger, landed, order, reconcile):
    box.go.send_invoice(the_entry(box)["Id"])
    before, seen = exported(ledger), len(box.requests.writes("go"))

    assert reconcile().exit_code == SAME

    made = box.requests.writes("go")[seen:]
    assert [request for request in made if "oauth" not in request.path.lower()] == []
    assert exported(ledger) == before


def test_a_person_reads_tables(box, landed, reconcile):
    line = the_entry(box)["SalesOrderLines"][0]
    edit = {"lines": {line["Id"]: {"ProductUnitPrice": 90}}}
    box.go.edit("SalesOrders", the_entry(box)["Id"], edit)

    printed = reconcile().output

    assert "These differ:" in printed
    assert "Go has more" in printed
    assert "sales order 1" in printed
    assert (
        "2026-01-01 to 2026-01-31: the shop's orders and Go's books differ (1);"
        " in Go, 1 sales order is not invoiced yet, and so not in the ledger"
    ) in printed


def test_a_period_without_orders_is_the_same(landed, reconcile):
    ended = reconcile(period=("--from", "2025-01-01", "--to", "2025-01-31"))

    assert ended.exit_code == SAME
    assert "no orders" in ended.output


def test_keys_are_read_from_the_variables_of_the_target(ledger, landed):
    keys = {f"TARGET_POWEROFFICEGO_{name.upper()}": value for name, value in plain(ledger).items()}
    ended = commands.run(
        "powerofficego-links",
        "reconcile",
        *JANUARY,
        env={**os.environ, **keys},
        cwd=ledger.folder,
    )

    assert (ended.returncode, ended.stderr) == (SAME, "")
    assert "are the same" in ended.stdout


def plain(ledger):
    return {name: str(value) for name, value in ledger.config().items() if name != "sales_accounts"}


def test_missing_keys_are_reported_in_one_line(ledger, landed):
    asked = ["--link-store", str(ledger.link_store), "reconcile", *JANUARY]

    ended = CliRunner().invoke(main, asked)

    assert ended.exit_code == BROKE
    assert len(ended.output.splitlines()) == 1
    assert "application_key is missing" in ended.output
    assert "--config FILE" in ended.output


def test_an_invalid_config_is_reported_in_one_line(ledger, landed, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    asked = ["--link-store", str(ledger.link_store), "reconcile", *JANUARY, "--config"]
    for name in ("broken.json", "missing.json"):
        ended = CliRunner().invoke(main, [*asked, str(tmp_path / name)])
        assert ended.exit_code == BROKE
        assert name in ended.output
        assert len(ended.output.splitlines()) == 1


def test_keys_of_another_client_are_reported_in_one_line(box, ledger, landed, reconcile):
    ledger.settings["shop_name"] = "othershop"

    ended = reconcile()

    assert ended.exit_code == BROKE
    assert 'does not have the shop "othershop"' in ended.output


def test_a_missing_privilege_is_reported_in_one_line(box, landed, reconcile):
    box.go.switches.privileges.discard("OutgoingInvoice")
    box.go.revoke_tokens()

    ended = reconcile()

    assert ended.exit_code == BROKE
    assert ended.output.startswith("Error: the keys lack privileges in PowerOffice Go")


@pytest.mark.parametrize(
    ("first", "last", "complaint"),
    [
        pytest.param(
            "2026-02-01", "2026-01-01", "--to is before --from", id="it ends before it begins"
        ),
        pytest.param(
            "31.01.2026",
            "2026-01-31",
            '"31.01.2026" is not a day, such as 2026-01-31',
            id="a day that is none is told with one to copy",
        ),
    ],
)
def test_an_invalid_period_is_refused(ledger, landed, reconcile, first, last, complaint):
    ended = reconcile(period=("--from", first, "--to", last))

    assert ended.exit_code == 2
    assert complaint in ended.output


def account(box, number):
    accounts = box.go.entries("GeneralLedgerAccounts")
    return next(account["Id"] for account in accounts if account["AccountNo"] == number)


def exported(ledger):
    result = CliRunner().invoke(main, ["--link-store", str(ledger.link_store), "export"])
    assert result.exit_code == 0
    return result.output.splitlines()[1:]  # the first has the time of the export


def link_as(ledger, shop_id, go_id, amounts):
    store = LinkStore(str(ledger.link_store))
    store.namespaces.choose(store.namespaces.all()[0])
    link = store.links.get("orders", "9001")
    assert link
    kept = replaced(link.base["amounts"], shop=amounts)
    store.links.put(Link("orders", shop_id, go_id, base={"amounts": kept}))
    store.close()
