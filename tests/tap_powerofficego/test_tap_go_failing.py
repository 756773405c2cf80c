"""What the tap does when Go fails, or changes during a run: nothing is lost, nothing leaks."""

from __future__ import annotations

import socket

import pytest
from target_powerofficego.go_api import (
    MissingPrivilege,
    OutOfService,
    Refused,
    Unreachable,
    WrongKeys,
)

FAULTS = [
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 500},
    {"status": 503},
    {"reset": "before"},
    {"reset": "after"},
    {"html": True},
    {"html": True, "status": 200},
    {"broken_json": True},
]


@pytest.mark.parametrize("path", ["/salesorders$", "/complete$"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
def test_a_failing_go_is_asked_again(filled, box, read_go, fault, path):
    box.faults.add(path=path, **fault)

    emitted = read_go("salesorders")

    (record,) = emitted.records()
    assert len(record["SalesOrderLines"]) == 1
    assert "asking again in" in emitted.log


@pytest.mark.parametrize("name", ["api_url", "token_url"])
def test_an_unreachable_go_is_reported_at_once_and_named(read_go, name):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"

    emitted = read_go("customers", fails_with=Unreachable, **{name: address})

    assert "the host is down or refuses connections; asking again in" in emitted.log
    line = emitted.log.splitlines()[-1]
    assert line.startswith("PowerOffice Go at http://127.0.0.1:")
    assert " cannot be reached: " in line


def test_a_token_that_is_revoked_during_a_run_is_renewed(filled, box, read_go):
    box.faults.add(path="/complete$", revoke_tokens=True)
    box.faults.add(path="/contactpersons$", revoke_tokens=True)

    emitted = read_go()

    assert len(emitted.records("salesorders")) == 1
    assert len(emitted.records("contact_persons")) == 1
    assert box.requests.count(path="/oauth/token") == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            {"status": 400, "body": {"title": "Invalid resourceParameter", "detail": "Kari"}},
            Refused,
        ),
        ({"status": 403}, MissingPrivilege),
        ({"status": 401}, WrongKeys),
    ],
)
def test_a_refusal_ends_the_run_with_a_state_of_what_was_emitted(
    filled, box, read_go, answer, kind
):
    box.faults.add(path="/products$", times=None, **answer)

    emitted = read_go(fails_with=kind)

    assert f"GET /Products: {answer['status']}" in emitted.log
    assert "Kari" not in emitted.log
    assert [record["Name"] for record in emitted.records()] == ["Fjell AS"]
    assert emitted.states()[-1]["bookmarks"].keys() == {"customers"}


def test_a_go_that_fails_every_call_ends_the_run(box, read_go):
    box.faults.add(path="/v2/", status=503, headers={"Retry-After": "3600"}, times=None)

    emitted = read_go("customers", fails_with=OutOfService, retry_seconds=10)

    assert "PowerOffice Go does not answer any call" in emitted.log


def fill_orders(merchant, count):
    customer, product = merchant.customer(), merchant.product()
    return [merchant.order(customer, product, ImportedOrderNo=number) for number in range(count)]


def test_a_run_that_failed_is_resumed_where_it_ended_and_reads_no_order_twice(
    merchant, box, read_go
):
    orders = [order["Id"] for order in fill_orders(merchant, 7)]
    for hour, order_id in enumerate(orders):
        merchant.stamp("SalesOrders", order_id, hour, "LastChangedDateTimeOffset")
    box.faults.add(path="/complete$", status=400, skip=4)

    broken = read_go("salesorders", fails_with=Refused, page_size=2)
    rest = read_go("salesorders", state=broken.states()[-1], page_size=2)

    assert broken.ids("salesorders") == orders[:4]
    # The last order of the first run is read again, because another could have the same stamp.
    assert rest.ids("salesorders") == orders[3:]
    assert broken.bookmarks("salesorders")[-1]["replication_key_value"].startswith("2026-03-01T03")


def test_neither_bookmark_of_invoices_passes_what_only_the_other_would_find(merchant, box, read_go):
    customer, product = merchant.customer(), merchant.product()
    for sent, paid in ((9, 9), (8, 12), (10, 11), (7, 7), (11, 13)):
        invoice = merchant.invoice(customer, product)["Id"]
        merchant.stamp("OutgoingInvoices", invoice, sent, "SentDateTimeOffset")
        merchant.stamp("OutgoingInvoices", invoice, paid, "BalanceLastChangedDateTimeOffset")
    box.faults.add(path="/lines$", status=400, skip=3)

    broken = read_go("outgoing_invoices", fails_with=Refused, page_size=1)
    rest = read_go("outgoing_invoices", state=broken.states()[-1])

    def hours_of(emitted):
        members = ("SentDateTimeOffset", "BalanceLastChangedDateTimeOffset")
        return [
            tuple(int(invoice[member][11:13]) for member in members)
            for invoice in emitted.records()
        ]

    assert hours_of(broken) == [(7, 7), (9, 9), (10, 11)]
    assert hours_of(rest) == [(10, 11), (8, 12), (11, 13)]


@pytest.mark.parametrize("stream", ["products", "salesorders", "outgoing_invoices"])
@pytest.mark.parametrize("settings", [{}, {"full_check_hours": 0}, {"start_date": "2020-01-01"}])
def test_nothing_is_lost_whichever_state_a_run_is_resumed_from(
    merchant, box, read_go, resources, stream, settings
):
    orders = fill_orders(merchant, 6)
    for number in range(6):
        merchant.product(Code=f"S{number}", IsStockItem=number % 2 == 0)
    for order in orders[:4]:
        box.go.send_invoice(order["Id"])
    for order, invoice in zip(orders[4:], orders[1:3], strict=True):
        box.go.edit("SalesOrders", order["Id"], {"CustomerReference": "Kari"})
        box.go.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
    for product in box.go.entries("Products")[1:4:2]:
        box.go.edit("Products", product["Id"], {"StockOnHand": 5})
    settings = {"page_size": 1, "overlap_seconds": 0, **settings}
    complete = read_go(stream, **settings)
    expected = {entry["Id"] for entry in box.go.entries(resources[stream])}
    seen = set()
    for message in complete.messages:
        if message["type"] == "RECORD":
            seen.add(message["record"]["Id"])
        elif message["type"] == "STATE":
            rest = read_go(stream, state=message["value"], **settings)
            assert seen | set(rest.ids(stream)) == expected


def test_a_state_is_written_at_least_after_each_page_and_is_never_ahead(merchant, read_go):
    for number in range(5):
        merchant.product(Code=f"P{number}")

    emitted = read_go("products", page_size=2)

    newest = ""
    count_since_state = 0
    for message in emitted.messages:
        if message["type"] == "RECORD":
            newest = max(newest, message["record"]["LastChangedDateTimeOffset"])
            count_since_state += 1
        elif message["type"] == "STATE":
            bookmark = message["value"]["bookmarks"]["products"]
            assert bookmark.get("replication_key_value", "") <= newest
            count_since_state = 0
        assert count_since_state <= 2
    assert count_since_state == 0


def test_entries_added_while_the_list_is_read_are_in_this_run_or_the_next(merchant, box, read_go):
    fill_orders(merchant, 6)
    box.faults.on("go", "GET", "/salesorders$", lambda _: fill_orders(merchant, 3), skip=1)

    first = read_go("salesorders", page_size=2)
    second = read_go("salesorders", page_size=2, state=first.states()[-1])

    first_ids, second_ids = first.ids("salesorders"), second.ids("salesorders")
    assert {*first_ids, *second_ids} == {entry["Id"] for entry in box.go.entries("SalesOrders")}
    assert len(set(first_ids)) == len(first_ids)


def test_an_edit_of_an_entry_already_read_is_not_lost_to_a_later_edit(merchant, box, read_go):
    first, last = (merchant.product(Code=code)["Id"] for code in ("A", "B"))

    def edit(_request):
        for product_id in (first, last):
            box.go.edit("Products", product_id, {"Name": "Lue"})

    box.faults.on("go", "GET", "/products$", edit, skip=1)
    settings = {"page_size": 1, "overlap_seconds": 0}

    before = read_go("products", **settings)
    after = read_go("products", state=before.states()[-1], **settings)

    assert [record["Name"] for record in before.records()] == ["Genser", "Lue"]
    names = {record["Id"]: record["Name"] for record in after.records()}
    assert names == {first: "Lue", last: "Lue"}


def test_a_payment_between_the_two_lists_of_invoices_is_not_lost_to_a_later_one(
    merchant, box, read_go
):
    customer, product = merchant.customer(), merchant.product()
    first, last = (merchant.invoice(customer, product)["Id"] for _ in range(2))
    before = read_go("outgoing_invoices", overlap_seconds=0)

    def pay(_request):
        for invoice_id in (first, last):
            box.go.edit("OutgoingInvoices", invoice_id, {"Balance": 0})

    box.faults.on("go", "GET", "/outgoinginvoices$", pay, skip=1)

    during = read_go("outgoing_invoices", state=before.states()[-1], overlap_seconds=0)
    after = read_go("outgoing_invoices", state=during.states()[-1], overlap_seconds=0)

    assert during.ids("outgoing_invoices") == [last]
    assert sorted(after.ids("outgoing_invoices")) == sorted([first, last])
    assert {float(record["Balance"]) for record in after.records()} == {0}


def test_orders_invoiced_while_the_list_is_read_hide_no_other_order(merchant, box, read_go):
    fill_orders(merchant, 6)
    invoiced, *others = sorted(entry["Id"] for entry in box.go.entries("SalesOrders"))
    box.faults.on("go", "GET", "/salesorders$", lambda _: box.go.send_invoice(invoiced), skip=1)

    emitted = read_go("salesorders", "outgoing_invoices", page_size=2)

    assert set(others) <= set(emitted.ids("salesorders"))
    assert emitted.ids("outgoing_invoices") == [invoiced]


def test_an_order_invoiced_before_its_lines_are_read_is_an_invoice_of_this_run(
    merchant, box, read_go
):
    invoiced, other = (order["Id"] for order in fill_orders(merchant, 2))
    box.faults.on("go", "GET", "/complete$", lambda _: box.go.send_invoice(invoiced))

    emitted = read_go("salesorders", "outgoing_invoices")

    assert emitted.ids("salesorders") == [other]
    assert emitted.ids("outgoing_invoices") == [invoiced]
    assert f"salesorders: {invoiced} left the list" in emitted.log


def test_an_order_that_was_missing_for_a_moment_is_emitted_by_the_next_run(merchant, box, read_go):
    late, other = (order["Id"] for order in fill_orders(merchant, 2))
    not_found = {"title": "Object(s) not found", "status": 404}
    box.faults.add(path="/complete$", status=404, body=not_found)

    first = read_go("salesorders")
    second = read_go("salesorders", state=first.states()[-1])

    assert first.ids("salesorders") == [other]
    assert late in second.ids("salesorders")


def test_a_list_that_changes_too_fast_to_be_read_is_reported_and_the_run_ends(
    merchant, box, read_go
):
    fill_orders(merchant, 3)
    box.faults.on("go", "GET", "/salesorders$", lambda _: fill_orders(merchant, 1), times=60)

    emitted = read_go("salesorders", page_size=3, without=("salesorders.SalesOrderLines",))

    assert "GET /SalesOrders: entries come and go faster than the list can be read" in emitted.log
    assert len(emitted.reads) < 60
    assert emitted.states()[-1]["bookmarks"]["salesorders"]["replication_key_value"]
