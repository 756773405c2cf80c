"""The lists of `powerofficego-links`: rejects, holds, parked records, differences and runs."""

from __future__ import annotations

import datetime
import os
import pty
import signal
import subprocess
from contextlib import suppress

import commands
import pytest
from ledger import A_PERSON, singer_lines

PERSONAL = ("Kari", "Nordmann", "kari@example.no", "91234567", "99887766", "Storgata")


@pytest.fixture
def refused(ledger, box, customer):
    """A customer that Go refused, with a detail that identifies it."""
    box.faults.add(
        method="POST",
        path="/Customers",
        status=400,
        body={"title": "Invalid customer", "status": 400, "detail": "Kari Nordmann is no one"},
    )
    ledger.run(customer())


@pytest.fixture
def in_conflict(ledger, box, customer):
    """A customer whose phone number both sides have just edited."""
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": "99887766"})
    now = datetime.datetime.now(datetime.timezone.utc)
    ledger.run(customer(phone="91234568", updated_at=now.isoformat()))


def test_without_a_terminal_a_reject_is_one_line_of_any_length(ledger, listed, product):
    ledger.run(product(name="Ull" * 150, sku=None, price_excl="12,50 kr"))

    heading, _, reject = listed("rejects").splitlines()

    assert [part.strip() for part in heading.split("  ") if part.strip()] == [
        "ID",
        "entity",
        "shop id",
        "reason",
        "first seen (UTC)",
        "last seen (UTC)",
        "attempts",
    ]
    assert "the product has no SKU; PowerOffice Go finds products by it" in reject
    assert "name has 450 characters; PowerOffice Go takes at most 400" in reject
    assert "products" in reject
    assert "501" in reject


def test_a_narrow_terminal_shows_each_reject_as_a_block(ledger, product):
    ledger.run(product(sku=None))

    printed = on_a_terminal(60, "rejects", "--link-store", str(ledger.link_store))

    assert "shop id: 501" in printed
    joined = " ".join(printed.split())
    assert "reason: the product has no SKU; PowerOffice Go finds products by it" in joined


def test_a_wide_terminal_shows_rejects_as_a_table(ledger, product):
    ledger.run(product(sku=None))

    printed = on_a_terminal(170, "rejects", "--link-store", str(ledger.link_store))

    heading, _, reject, *_ = printed.splitlines()
    assert "attempts" in heading
    assert "501" in reject
    assert "…" not in printed


def test_what_go_refused_is_listed_with_the_title_and_the_next_attempt(refused, rows):
    (row,) = rows("rejects")

    assert row["title"] == "Invalid customer"
    assert row["attempts"] == 1
    assert row["next_attempt_at"] > row["first_seen"]
    assert row["acknowledged_at"] is None


def test_the_detail_of_a_refusal_and_the_record_are_listed_only_with_show_values(
    refused, listed, rows
):
    assert not personal_values_in(listed("rejects") + listed("rejects", "--format", "json"))

    (row,) = rows("rejects", "--show-values")
    assert row["detail"] == "Kari Nordmann is no one"
    assert row["payload"]["email"] == "kari@example.no"
    table = listed("rejects", "--show-values")
    assert "Kari Nordmann is no one" in table
    assert "kari@example.no" in table


def test_rejects_are_listed_with_the_number_or_sku_of_the_record(
    ledger, listed, rows, order, product, customer
):
    ledger.run(
        order(number="10047", status="sent"),
        product(sku="ULL-7", price_excl="12,50 kr"),
        product(id="502", sku="U" * 41, price_excl="12,50 kr"),
        customer(number="kari@example.no", email="no e-mail"),
    )

    assert {(row["entity"], row["shop_id"]): row["number"] for row in rows("rejects")} == {
        ("orders", "9001"): "10047",
        ("products", "501"): "ULL-7",
        ("products", "502"): None,
        ("customers", "1001"): None,
    }
    assert "number or SKU" in listed("rejects").splitlines()[0]


def test_a_run_counts_as_one_attempt_even_if_it_processes_the_record_twice(
    ledger, rows, product, guest_order
):
    for attempts in (1, 2):
        ledger.run(product(), guest_order(buyer={}, billing_address=None))

        assert [row["attempts"] for row in rows("rejects", "--entity", "customers")] == [attempts]


def test_a_hold_lists_the_properties_in_conflict_without_values(in_conflict, listed, rows):
    (row,) = rows("holds")

    assert "phone" in row["reason"]
    assert not personal_values_in(listed("holds"))


def test_show_values_lists_the_values_of_both_sides_of_a_hold(in_conflict, rows):
    (row,) = rows("holds", "--show-values")

    assert "phone: the shop says 91234568, Go says 99887766" in row["detail"]


def test_a_hold_lists_all_candidates_in_go(ledger, box, listed, customer):
    first, second = (
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
        for _ in range(2)
    )
    ledger.run(customer())

    output = listed("holds")

    assert f"id {first['Id']}" in output
    assert f"id {second['Id']}" in output


def test_rejects_are_filtered_by_entity(ledger, rows, customer, product):
    ledger.run(product(sku=None), customer(name=None, phone=[]))

    assert {row["entity"] for row in rows("rejects")} == {"customers", "products"}
    assert {row["entity"] for row in rows("rejects", "--entity", "products")} == {"products"}
    assert rows("rejects", "--entity", "orders") == []


def test_an_order_whose_customer_is_held_is_listed_as_parked(
    ledger, box, listed, rows, customer, product, order
):
    for _ in range(2):
        box.go.create("Customers", {**A_PERSON, "EmailAddress": "kari@example.no"})
    ledger.run(customer(), product(), order())

    (row,) = rows("parked")

    assert (row["entity"], row["shop_id"], row["kind"]) == ("orders", "9001", "parked")
    assert row["reason"] == "waits for customers 1001"
    assert "waits for customers 1001" in listed("parked")


def test_an_empty_list_is_one_sentence(ledger, listed, customer):
    ledger.run(customer())

    assert listed("rejects") == "no open rejects\n"
    assert listed("holds") == "no open holds\n"
    assert listed("parked") == "no records are parked\n"
    assert listed("differences") == "no linked record differs\n"


def test_differences_since_a_record_was_linked_are_listed_without_values(
    ledger, box, listed, rows, customer, address
):
    contact = {"EmailAddress": "KARI@example.no", "PhoneNumber": "99887766"}
    entry = box.go.create("Customers", {**A_PERSON, **contact})
    shipping = address(type="shipping", line1="Fjellveien 9")
    ledger.run(customer(addresses=[address(), shipping]))

    differences = rows("differences", "--entity", "customers")

    assert {row["go_id"] for row in differences} == {str(entry["Id"])}
    assert {row["shop_id"] for row in differences} == {"1001"}
    properties = {row["property"] for row in differences}
    assert "phone" in properties
    assert not {"id", "email", "first_name", "shipping_address", "contact_person"} & properties
    assert not personal_values_in(listed("differences"))
    assert rows("differences", "--entity", "orders") == []


def test_show_values_lists_both_values_of_a_difference(ledger, box, listed, rows, product):
    box.go.create("Products", {"Code": "ULL-1", "Name": "Genser", "UnitPrice": 90})
    ledger.run(product())

    by_property = {row["property"]: row for row in rows("differences", "--show-values")}

    name = by_property["name"]
    assert (name["shop_value"], name["go_value"]) == ("Ullgenser", "Genser")
    table = listed("differences", "--show-values")
    assert "Ullgenser" in table
    assert "Genser" in table


def test_differences_are_not_repeated_for_another_shop_with_the_same_go(ledger, box, rows, product):
    box.go.create("Products", {"Code": "ULL-1", "Name": "Genser", "UnitPrice": 90})
    ledger.run(product())
    before = rows("differences", "--show-values")

    ledger.run(product(id="7", sku="ULL-7"), shop_name="another", new_namespace=True)

    assert before
    assert rows("differences", "--show-values") == before


def test_records_that_go_stored_unchanged_have_no_differences(
    ledger, rows, customer, company, product, order, address
):
    ledger.settings["sales_accounts"] = {"25": 3000}
    shipping = address(type="shipping", line1="Fjellveien 9")
    no_country = customer(id="2", email="ola@example.no", addresses=[address(country_code=None)])
    customers = [customer(addresses=[address(), shipping]), company(), no_country]
    outcome = ledger.run(*customers, product(), order())

    assert outcome.status == 0
    assert rows("differences", "--show-values") == []


def test_runs_are_listed_newest_first_with_their_outcomes(ledger, listed, rows, customer):
    ledger.run(customer())
    ledger.run(customer(phone="99887766"))

    newest, first = rows("runs")

    assert first["outcomes"] == {"customers": {"created": 1}}
    assert newest["outcomes"] == {"customers": {"changed": 1}}
    assert newest["exit_status"] == 0
    assert newest["calls"]["writes"] == 1
    assert newest["finished_at"].endswith("Z")
    assert [row["id"] for row in rows("runs", "--newest", "1")] == [newest["id"]]
    table = listed("runs")
    assert "customers: 1 changed" in table
    assert "1 writes" in table


def test_a_run_that_a_signal_ended_is_listed_with_its_exit_status(ledger, rows, customer):
    running = ledger.start()
    running.stdin.write(singer_lines(customer()))
    running.stdin.flush()
    running.stdout.readline()  # the state leaves while the tap holds the pipe open

    running.send_signal(signal.SIGTERM)
    running.wait(timeout=20)
    running.communicate()

    assert [row["exit_status"] for row in rows("runs")] == [143]


def test_runs_are_listed_with_the_number_of_invoices_and_vouchers(
    ledger, box, listed, rows, customer, product, order, payment
):
    box.go.switches.allow_send_invoice = True
    ledger.settings.update(payment_accounts={"vipps": 1901}, invoice_on=["completed"])
    ledger.run(customer(), product(), order(status="completed", payments=[payment]))

    output = listed("runs")

    assert "orders: 1 created, 1 invoiced; payments: 1 created" in output
    assert rows("runs")[0]["outcomes"]["orders"] == {"created": 1, "invoiced": 1}


def test_a_run_to_which_the_tap_sent_nothing_is_listed_as_having_no_input(
    ledger, listed, rows, product
):
    ledger.run(product(sku=None))
    log = ledger.command_on("").log

    newest, first = rows("runs")

    (warning,) = [line for line in log.splitlines() if "no input" in line]
    assert "WARNING" in warning
    assert (first["has_input"], newest["has_input"]) == (True, False)
    assert (first["has_whole_input"], newest["has_whole_input"]) == (True, False)
    assert newest["outcomes"] == {"products": {"rejected": 1}}
    assert "no input; products: 1 rejected" in listed("runs")


def test_a_run_without_input_does_not_count_as_the_first(ledger, box, customer):
    ledger.command_on("")
    box.go.create("Customers", {"Name": "Fjell AS"})

    outcome = ledger.run(customer(), first_run="plan")

    assert (outcome.status, outcome.writes) == (1, [])


def test_an_empty_column_is_omitted(ledger, listed, product, refused):
    heading = listed("rejects").splitlines()[0]
    assert ("title of the refusal" in heading, "next attempt" in heading) == (True, True)
    assert "acknowledged" not in heading

    ledger.run(product(sku=None))
    heading = listed("rejects", "--entity", "products").splitlines()[0]

    assert heading.split("  ")[0].strip() == "ID"
    assert "reason" in heading
    for column in ("title of the refusal", "next attempt", "acknowledged"):
        assert column not in heading


def test_text_of_the_shop_cannot_control_the_terminal_or_break_a_line(ledger, listed, product):
    ledger.run(product(price_excl="\x1b[31m1\n2[bold]"))

    output = listed("rejects")

    assert "\x1b" not in output
    assert len(output.splitlines()) == 3
    assert "[bold]" in output


def personal_values_in(text):
    return [value for value in PERSONAL if value in text]


def on_a_terminal(columns, *words):
    """Run the command on a terminal with this many columns, and return what it printed."""
    terminal, output = pty.openpty()
    command = [commands.script("powerofficego-links"), *words]
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    printed = b""
    with (
        subprocess.Popen(command, stdout=output, env=environment),
        os.fdopen(terminal, "rb", 0) as read_end,
    ):
        os.close(output)
        with suppress(OSError):  # with which Linux ends a terminal that no process writes to
            while part := read_end.read(4096):
                printed += part
    return printed.decode()


def test_an_edit_in_go_that_was_not_written_to_the_shop_is_a_difference(
    ledger, box, rows, customer
):
    ledger.run(customer())
    (entry,) = box.go.entries("Customers")
    box.go.edit("Customers", entry["Id"], {"PhoneNumber": "+4740000000"})

    ledger.run(customer(email="ny@example.no", updated_at="2026-02-01T00:00:00Z"))

    (row,) = rows("differences", "--show-values")
    assert row["property"] == "phone"
    assert (row["shop_value"], row["go_value"]) == ("+4791234567", "+4740000000")
