"""`powerofficego-links reconcile`: the shop's orders of a period against Go's books, to the øre."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from decimal import Decimal

import commands
import pytest
from click.testing import CliRunner
from target_powerofficego.links_command import main
from target_powerofficego.store.link_store import Link

JANUARY = ("--from", "2026-01-01", "--to", "2026-01-31")
LATER = "2026-01-06T10:00:00Z"
ACCOUNTS = {"25": 3000, "15": 3001, "0": 3100}
SAME, DIFFERS, FAILED = 0, 3, 1


@pytest.fixture
def reconcile(ledger):
    """Runs the command with the target's config; returns its result."""

    def run(*words, period=JANUARY):
        config = ledger.folder / "go.json"
        config.write_text(json.dumps(ledger.config()), encoding="utf-8")
        return CliRunner().invoke(main, ["reconcile", *period, "--config", str(config), *words])

    return run


@pytest.fixture
def compare(reconcile):
    """Runs the command; returns its exit status, and its JSON lines by their kind."""

    def run(**options):
        result = reconcile("--format", "json", **options)
        rows: dict[str, list] = {kind: [] for kind in ("sums", "difference", "remark", "outcome")}
        for line in result.stdout.splitlines():
            row = json.loads(line)
            rows[row["what"]].append(row)
        return result.exit_code, rows

    return run


@pytest.fixture
def shop_order(ledger, customer, product, order):
    """An order of 200 kr and 25 % VAT that is a Draft in Go."""
    ledger.settings["sales_accounts"] = ACCOUNTS
    assert ledger.run(customer(), product(), order()).status == 0
    return order()


def only_entry(box, resource="SalesOrders"):
    (entry,) = box.go.entries(resource)
    return entry


def test_orders_that_agree_have_no_difference(box, shop_order, compare):
    status, rows = compare()

    assert status == SAME
    assert rows["difference"] == rows["remark"] == []
    assert box.requests.count(system="go", path="/complete") == 1, "only the POST that made it"
    all_rates, of_rate = rows["sums"]
    assert (all_rates["currency"], all_rates["vat_rate"]) == ("NOK", "all")
    assert of_rate["vat_rate"] == "25"
    amounts = {"excl": "200.00", "tax": "50.00", "incl": "250.00"}
    assert all_rates["shop"] == {"orders": 1, **amounts}
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


def test_a_missing_order_is_reported(box, shop_order, compare):
    go_id = only_entry(box)["Id"]
    box.go.delete("SalesOrders", go_id)

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("missing", "9001")
    assert go_id in row["told"]
    assert rows["sums"][0]["difference"]["incl"] == "-250.00"


@pytest.mark.slow
def test_a_removed_order_is_not_a_difference_once_acknowledged(box, ledger, shop_order, compare):
    box.go.delete("SalesOrders", only_entry(box)["Id"])
    ledger.run({**shop_order, "reference": "PO 1", "updated_at": LATER})
    assert [row["kind"] for row in compare()[1]["difference"]] == ["missing"]

    ledger.acknowledge_all()
    status, rows = compare()

    assert status == SAME
    assert [row["kind"] for row in rows["remark"]] == ["missing"]
    assert rows["sums"] == []


@pytest.mark.slow
def test_an_order_that_is_in_go_twice_is_reported(box, shop_order, compare):
    entry = only_entry(box)
    line = entry["SalesOrderLines"][0]
    same = ("ProductId", "Quantity", "ProductUnitPrice")
    copy = box.go.create(
        "SalesOrders",
        {
            "CustomerId": entry["CustomerId"],
            "SalesOrderDate": "2026-03-01",
            "CustomMatchingReference": entry["CustomMatchingReference"],
            "SalesOrderLines": [{name: line[name] for name in same}],
        },
    )

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["go_id"]) == ("doubled", "9001", copy["Id"])
    assert rows["sums"][0]["go"]["sales_orders"] == 2
    assert rows["sums"][0]["difference"]["incl"] == "250.00"


def test_two_entries_with_the_same_reference_are_reported(box, shop_order, compare):
    entry = only_entry(box)
    copy = {**entry, "Id": "00000000-0000-4000-8000-000000000001", "CustomMatchingReference": None}
    box.go.register("SalesOrders").put(copy)

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["go_id"]) == ("doubled", "9001", copy["Id"])
    assert "testshop:9001" in row["told"]


def test_an_unlinked_order_with_our_reference_is_reported_in_its_period(box, shop_order, compare):
    box.go.create(
        "SalesOrders",
        {
            "CustomerId": only_entry(box)["CustomerId"],
            "ExternalImportReference": "testshop:77",
            "SalesOrderDate": "2026-01-20",
        },
    )

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"], row["date"]) == ("not linked", None, "2026-01-20")
    assert "testshop:77" in row["told"]
    assert compare(period=("--from", "2026-01-01", "--to", "2026-01-19"))[0] == SAME


@pytest.mark.slow
def test_an_entry_of_another_shop_with_the_same_number_is_not_a_duplicate(box, shop_order, compare):
    entry = only_entry(box)
    same = {name: entry[name] for name in ("CustomerId", "CustomMatchingReference")}
    other = {"ExternalImportReference": "othershop:9001", "SalesOrderDate": "2026-01-05"}
    box.go.create("SalesOrders", {**same, **other})

    assert compare()[0] == SAME


def test_a_wrong_vat_rate_is_reported_even_if_the_amount_without_vat_agrees(
    box, shop_order, compare
):
    (account,) = [
        account["Id"]
        for account in box.go.entries("GeneralLedgerAccounts")
        if account["AccountNo"] == 3001
    ]
    product = only_entry(box, "Products")
    box.go.edit("Products", product["Id"], {"StandardSalesAccountId": account})
    entry = only_entry(box)
    line = entry["SalesOrderLines"][0]
    box.go.edit("SalesOrders", entry["Id"], {"lines": {line["Id"]: {"Description": "Genser"}}})

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("VAT rate", "9001")
    assert "25 %" in row["told"]
    assert "15 %" in row["told"]
    by_rate = {sums["vat_rate"]: sums["difference"]["excl"] for sums in rows["sums"]}
    assert by_rate == {"all": "0.00", "25": "-200.00", "15": "200.00"}


def test_a_coupon_for_one_vat_rate_that_was_spread_over_all_is_reported(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    book = line(id="2", sku="BOK", product_id="503", tax_rate="0")
    book |= {"total_excl": "250.00", "total_tax": "0.00", "total_incl": "250.00"}
    coupon = {"code": "JAKKE", "amount_excl": "100.00", "amount_incl": "125.00"}
    with_coupon = order(lines=[line(), book], discounts=[coupon])
    ledger.run(customer(), product(), product(id="503", sku="BOK", tax_rate="0"), with_coupon)
    assert compare()[0] == SAME
    entry = only_entry(box)
    ids = {
        go_line["ExternalImportReference"]: go_line["Id"] for go_line in entry["SalesOrderLines"]
    }
    spread = {
        ids["discount:25"]: {"ProductUnitPrice": 50},
        ids["2"]: {"ProductUnitPrice": Decimal("93.75")},
    }
    box.go.edit("SalesOrders", entry["Id"], {"lines": spread})
    assert only_entry(box)["TotalAmount"] == Decimal(with_coupon["total_incl"])

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert "25 %: without VAT 100.00 in the shop and 150.00 in Go" in row["told"]


@pytest.mark.slow
@pytest.mark.parametrize("is_invoiced", [False, True])
def test_an_order_with_another_buyer_in_go_is_a_remark(
    box, ledger, shop_order, customer, compare, is_invoiced
):
    ledger.run(customer(id="1002", email="ola@example.no"))
    order = only_entry(box)
    (other,) = [
        entry["Id"] for entry in box.go.entries("Customers") if entry["Id"] != order["CustomerId"]
    ]
    box.go.edit("SalesOrders", order["Id"], {"CustomerId": other})
    if is_invoiced:
        box.go.send_invoice(order["Id"])

    status, rows = compare()

    assert status == SAME
    (row,) = rows["remark"]
    assert row["kind"] == "buyer"
    assert str(other) in row["told"]


def test_vat_rates_are_compared_by_the_lines_if_their_vat_adds_up_to_the_same(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    books = product(id="502", sku="BOK-1", tax_rate="0", price_excl="80.00", price_incl="80.00")
    food = product(id="503", sku="MAT-1", tax_rate="15", price_excl="200.00", price_incl="230.00")
    food_line = line(
        product_id="503",
        sku="MAT-1",
        quantity="1",
        unit_price_excl="200.00",
        unit_price_incl="230.00",
        total_tax="30.00",
        total_incl="230.00",
        tax_rate="15",
    )
    ledger.run(customer(), product(), books, food, order(lines=[food_line]))
    entry = only_entry(box)
    ids = {entry["Code"]: entry["Id"] for entry in box.go.entries("Products")}
    lines = {
        entry["SalesOrderLines"][0]["Id"]: {
            "ProductId": ids["ULL-1"],
            "Quantity": 1,
            "ProductUnitPrice": 120,
        },
        "new": {"ProductId": ids["BOK-1"], "Quantity": 1, "ProductUnitPrice": 80},
    }
    after = box.go.edit("SalesOrders", entry["Id"], {"lines": lines})
    assert (after["NetAmount"], after["TotalAmount"]) == (200, 230)

    status, rows = compare()

    assert status == DIFFERS
    assert [row["kind"] for row in rows["difference"]] == ["VAT rate"]


def test_a_difference_of_one_ore_is_reported(box, shop_order, compare):
    entry = only_entry(box)
    line = entry["SalesOrderLines"][0]
    price = {line["Id"]: {"ProductUnitPrice": Decimal("100.005")}}
    box.go.edit("SalesOrders", entry["Id"], {"lines": price})

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("amount", "9001")
    assert "without VAT 200.00 in the shop and 200.01 in Go" in row["told"]
    assert "with VAT 250.00 in the shop and 250.01 in Go" in row["told"]


def test_a_credit_note_without_a_refund_is_reported(box, shop_order, compare):
    box.go.send_invoice(only_entry(box)["Id"])
    invoice = only_entry(box, "OutgoingInvoices")
    note = box.go.credit_invoice(invoice["Id"], "50.00")

    status, rows = compare(period=("--from", "2026-01-01", "--to", note["VoucherDate"]))

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert (row["kind"], row["shop_id"]) == ("credit note without refund", "9001")
    assert (row["go_id"], row["go_number"]) == (note["Id"], note["InvoiceNo"])
    assert f"invoice {invoice['InvoiceNo']}" in row["told"]
    assert rows["sums"][0]["go"]["credit_notes"] == 1
    assert rows["sums"][0]["difference"]["incl"] == "-50.00"
    assert compare()[0] == SAME, "it belongs to the day on which it was posted"


@pytest.mark.slow
def test_credit_notes_of_the_sync_are_not_a_difference(box, ledger, shop_order, compare, reconcile):
    box.go.send_invoice(only_entry(box)["Id"])
    refund = {"id": "r1", "amount_incl": "50.00", "lines": []}
    refunded = {"refunds": [refund], "total_refunded": "50.00"}
    period = ("--from", "2026-01-01", "--to", "2099-12-31")
    for changes in (refunded, {**refunded, "status": "cancelled"}):
        assert ledger.run({**shop_order, **changes, "updated_at": LATER}).status == 0
        status, rows = compare(period=period)
        assert status == SAME
        assert rows["sums"][0]["difference"]["incl"] == "0.00"
    assert rows["sums"][0]["go"]["incl"] == "0.00"
    assert (
        "2 credit notes are not sent yet, and so not in the ledger"
        in reconcile(period=period).output
    )


def test_an_invoice_credited_because_the_shop_deleted_the_order_is_a_remark(
    box, ledger, shop_order, compare
):
    box.go.send_invoice(only_entry(box)["Id"])
    ledger.run({**shop_order, "deleted_at": LATER, "updated_at": LATER})
    status, rows = compare()
    assert status == DIFFERS
    assert rows["difference"][0]["kind"] == "open"
    assert "deleted in the shop but invoiced in Go" in rows["difference"][0]["told"]

    note = box.go.credit_invoice(only_entry(box, "OutgoingInvoices")["Id"])
    status, rows = compare(period=("--from", "2026-01-01", "--to", note["VoucherDate"]))

    assert status == SAME
    assert {row["kind"] for row in rows["remark"]} == {"open", "credited by hand"}
    assert rows["sums"][0]["difference"]["incl"] == "0.00"


@pytest.mark.slow
def test_a_credit_note_of_a_refund_is_compared_with_its_own_link(box, ledger, shop_order, compare):
    box.go.send_invoice(only_entry(box)["Id"])
    invoice = only_entry(box, "OutgoingInvoices")
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


def test_invoices_are_compared_by_their_lines(box, shop_order, compare):
    box.go.send_invoice(only_entry(box)["Id"])

    status, rows = compare()

    assert status == SAME
    assert rows["sums"][1]["go"]["invoices"] == 1
    assert any(request.path.lower().endswith("/lines") for request in box.requests.reads("go"))


@pytest.mark.slow
def test_a_credited_duplicate_invoice_is_a_remark(box, shop_order, compare):
    box.go.send_invoice(only_entry(box)["Id"])
    invoice = only_entry(box, "OutgoingInvoices")
    duplicate = {
        **invoice,
        "Id": "00000000-0000-4000-8000-000000000001",
        "InvoiceNo": 7001,
        "ExternalImportReference": None,
    }
    lines = box.go.invoice_lines(invoice["Id"])
    box.go.register("OutgoingInvoices").put(duplicate)
    box.go.register("OutgoingInvoiceLines").put({"Id": duplicate["Id"], "Lines": lines})
    assert compare()[0] == DIFFERS

    box.go.credit_invoice(duplicate["Id"])
    status, rows = compare()

    assert status == SAME
    assert [row["kind"] for row in rows["remark"]] == ["doubled"]


def test_vat_that_go_rounds_per_rate_is_not_a_difference(
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


def test_ore_moved_to_freight_that_a_coupon_covers_are_not_a_difference(
    box, ledger, customer, product, order, line, compare
):
    ledger.settings["sales_accounts"] = ACCOUNTS
    box.go.switches.price_decimals = 2
    amounts = {"total_excl": "100.00", "total_tax": "15.00", "total_incl": "115.00"}
    three = line(quantity="3", unit_price_excl=None, unit_price_incl=None, tax_rate="15", **amounts)
    freight = {"id": "f", "tax_rate": "25", "total_excl": "80.00", "total_incl": "100.00"}
    coupon = {"code": "FRAKTFRITT", "amount_excl": "80.00", "amount_incl": "100.00"}
    free_freight = order(lines=[three], shipping=[freight], discounts=[coupon], **amounts)
    assert ledger.run(customer(), product(tax_rate="15"), free_freight).status == 0
    entry = only_entry(box)
    nets = {
        go_line["ExternalImportReference"]: go_line["NetAmount"]
        for go_line in entry["SalesOrderLines"]
    }
    assert entry["TotalAmount"] == 115
    assert nets["shipping:f"] + nets["discount:25"] == Decimal("0.01")

    status, rows = compare()

    assert status == SAME, rows


def test_each_currency_has_its_own_sums(ledger, shop_order, order, compare):
    ledger.run(order(id="9002", number="9002", currency="EUR"))

    status, rows = compare()

    assert status == SAME
    in_shop = [(sums["currency"], sums["vat_rate"], sums["shop"]["incl"]) for sums in rows["sums"]]
    assert in_shop == [
        ("EUR", "all", "250.00"),
        ("EUR", "25", "250.00"),
        ("NOK", "all", "250.00"),
        ("NOK", "25", "250.00"),
    ]


def test_an_order_late_in_the_evening_utc_belongs_to_the_norwegian_day(
    ledger, shop_order, order, compare
):
    ledger.run(order(id="9002", number="9002", placed_at="2026-01-31T23:30:00Z"))

    assert compare()[1]["sums"][0]["shop"]["orders"] == 1
    status, rows = compare(period=("--from", "2026-02-01", "--to", "2026-02-01"))
    assert status == SAME
    assert rows["sums"][0]["shop"]["orders"] == 1
    assert rows["sums"][0]["go"]["sales_orders"] == 1


@pytest.mark.slow
def test_an_order_with_another_date_in_go_is_a_remark(box, shop_order, compare):
    box.go.edit("SalesOrders", only_entry(box)["Id"], {"SalesOrderDate": "2026-02-03"})

    status, rows = compare()

    assert status == SAME
    (row,) = rows["remark"]
    assert (row["kind"], row["shop_id"]) == ("date", "9001")
    assert "2026-02-03" in row["told"]


@pytest.mark.slow
def test_a_held_order_that_is_not_in_go_is_reported_with_its_reason(
    ledger, shop_order, order, compare
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
def test_a_rejected_order_is_reported_with_its_reason(ledger, shop_order, order, compare):
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
    ledger, shop_order, order, reconcile, currency, comes_to
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
def test_an_order_not_in_go_without_other_totals_is_summed_from_its_lines(
    ledger, shop_order, order, compare, changes
):
    not_stated = {"total_excl": None, "total_tax": None}
    ledger.run(order(id="9003", number="9003", **not_stated, **changes))

    _, rows = compare()

    (row,) = rows["difference"]
    assert row["kind"] == "not in Go"
    assert row["told"].endswith("; its total with VAT is 250.00")
    amounts = {"excl": "400.00", "tax": "100.00", "incl": "500.00"}
    assert rows["sums"][0]["shop"] == {"orders": 2, **amounts}


@pytest.mark.slow
def test_an_order_that_the_shop_changed_after_its_invoice_is_reported_as_open(
    box, ledger, shop_order, order, line, compare
):
    box.go.send_invoice(only_entry(box)["Id"])
    three = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    ledger.run(order(lines=[three], updated_at=LATER))

    status, rows = compare()

    assert status == DIFFERS
    (row,) = rows["difference"]
    assert row["kind"] == "open"
    assert "the total with VAT is then 375.00 in the shop, but 250.00 in Go" in row["told"]
    assert rows["sums"][0]["shop"]["incl"] == "250.00", "as last agreed"


def test_an_edit_that_was_written_is_compared(ledger, shop_order, order, line, compare):
    three = line(quantity="3", total_excl="300.00", total_tax="75.00", total_incl="375.00")
    ledger.run(order(lines=[three], updated_at=LATER))

    status, rows = compare()

    assert status == SAME
    assert rows["sums"][0]["shop"]["incl"] == "375.00"


def test_a_vat_rate_that_only_the_shop_changed_is_reported(
    ledger, shop_order, order, line, compare
):
    food_line = line(tax_rate="15", total_tax="30.00", total_incl="230.00")
    ledger.run(order(lines=[food_line], updated_at=LATER))

    status, rows = compare()

    assert status == DIFFERS
    assert sorted(row["kind"] for row in rows["difference"]) == ["VAT rate", "open"]


def test_a_link_without_amounts_is_a_remark_until_the_shop_is_read_again(
    ledger, shop_order, order, compare
):
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        link = store.links.get("orders", "9001")
        assert link
        del link.base["amounts"]
        store.links.put(link)

    status, rows = compare()
    assert status == SAME
    assert [row["kind"] for row in rows["remark"]] == ["not known"]

    outcome = ledger.run({**order(), "payment_status": "authorized", "updated_at": LATER})

    assert outcome.writes == []
    assert compare()[1]["remark"] == []


def test_orders_of_an_erased_customer_are_compared_like_any_other(listed, shop_order, compare):
    listed("erase", "customer", "1001", "--yes")

    status, rows = compare()

    assert (status, rows["remark"]) == (SAME, [])
    assert rows["sums"][0]["shop"]["incl"] == "250.00"


def test_nothing_is_written_to_go_or_the_link_store(box, listed, shop_order, reconcile):
    def exported():
        return listed("export").splitlines()[1:]  # the first line has the time of the export

    box.go.send_invoice(only_entry(box)["Id"])
    before, seen = exported(), len(box.requests.writes("go"))

    assert reconcile().exit_code == SAME

    writes = box.requests.writes("go")[seen:]
    assert [request for request in writes if "oauth" not in request.path.lower()] == []
    assert exported() == before


def test_differences_are_printed_as_tables(box, shop_order, reconcile):
    line = only_entry(box)["SalesOrderLines"][0]
    edit = {"lines": {line["Id"]: {"ProductUnitPrice": 90}}}
    box.go.edit("SalesOrders", only_entry(box)["Id"], edit)

    printed = reconcile().output

    assert "These differ:" in printed
    assert "Go minus shop" in printed
    assert "sales order 1" in printed
    assert (
        "2026-01-01 to 2026-01-31: the shop's orders and Go's books differ (1);"
        " in Go, 1 sales order is not invoiced yet, and so not in the ledger"
    ) in printed


def test_a_period_without_orders_has_no_difference(shop_order, reconcile):
    result = reconcile(period=("--from", "2025-01-01", "--to", "2025-01-31"))

    assert result.exit_code == SAME
    assert "no orders" in result.output


def test_keys_are_read_from_the_variables_of_the_target(ledger, shop_order):
    keys = {
        f"TARGET_POWEROFFICEGO_{name.upper()}": str(value)
        for name, value in ledger.config().items()
        if name != "sales_accounts"
    }
    result = commands.run(
        "powerofficego-links",
        "reconcile",
        *JANUARY,
        env={**os.environ, **keys},
        cwd=ledger.folder,
    )

    assert (result.returncode, result.stderr) == (SAME, "")
    assert "are the same" in result.stdout


def test_missing_keys_are_reported_in_one_line(links, shop_order):
    result = links("reconcile", *JANUARY)

    assert result.exit_code == FAILED
    assert len(result.output.splitlines()) == 1
    assert "application_key is missing" in result.output
    assert "--config FILE" in result.output


@pytest.mark.parametrize("name", ["invalid.json", "missing.json"])
def test_an_invalid_config_is_reported_in_one_line(links, shop_order, tmp_path, name):
    (tmp_path / "invalid.json").write_text("{")

    result = links("reconcile", *JANUARY, "--config", tmp_path / name)

    assert result.exit_code == FAILED
    assert name in result.output
    assert len(result.output.splitlines()) == 1


def test_keys_of_another_client_are_reported_in_one_line(ledger, shop_order, reconcile):
    ledger.settings["shop_name"] = "othershop"

    result = reconcile()

    assert result.exit_code == FAILED
    assert 'does not have the shop "othershop"' in result.output


def test_a_missing_privilege_is_reported_in_one_line(box, shop_order, reconcile):
    box.go.switches.privileges.discard("OutgoingInvoice")
    box.go.revoke_tokens()

    result = reconcile()

    assert result.exit_code == FAILED
    assert result.output.startswith("Error: the keys lack privileges in PowerOffice Go")


@pytest.mark.parametrize(
    ("first", "last", "complaint"),
    [
        ("2026-02-01", "2026-01-01", "--to is before --from"),
        ("31.01.2026", "2026-01-31", '"31.01.2026" is not a day, such as 2026-01-31'),
    ],
    ids=["ends before it begins", "not a date"],
)
def test_an_invalid_period_is_refused(shop_order, reconcile, first, last, complaint):
    result = reconcile(period=("--from", first, "--to", last))

    assert result.exit_code == 2
    assert complaint in result.output


def link_as(ledger, shop_id, go_id, amounts):
    """Link a record with an entry, with these amounts in the shop."""
    with ledger.store() as store:
        store.namespaces.choose(store.namespaces.all()[0])
        link = store.links.get("orders", "9001")
        assert link
        agreed = replace(link.base["amounts"], shop=amounts)
        store.links.put(Link("orders", shop_id, go_id, base={"amounts": agreed}))
