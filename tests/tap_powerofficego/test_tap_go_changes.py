"""What a run emits after an earlier one: everything that changed since, by Go's own stamps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from members import assert_members
from tap_powerofficego import stamps


def aged(state, stream, hours):
    """Return the state as if the last full check had been that long ago."""
    checked_at = datetime.now(timezone.utc) - timedelta(hours=hours)
    bookmark = {**state["bookmarks"][stream], "listed_in_full_at": checked_at.isoformat()}
    return {"bookmarks": {**state["bookmarks"], stream: bookmark}}


def test_the_bookmark_is_the_newest_stamp_of_go(merchant, box, read_go):
    for number in range(3):
        merchant.product(Code=f"P{number}")
    box.go.edit("Products", box.go.entries("Products")[0]["Id"], {"Name": "Lue"})

    state = read_go("products").states()[-1]

    newest = max(entry["LastChangedDateTimeOffset"] for entry in box.go.entries("Products"))
    assert_members(
        state["bookmarks"]["products"],
        replication_key="LastChangedDateTimeOffset",
        replication_key_value=newest,
    )


@pytest.mark.parametrize(
    ("stream", "resource", "changes"),
    [
        ("customers", "Customers", {"Name": "Fjord AS"}),
        ("products", "Products", {"Name": "Lue"}),
        ("salesorders", "SalesOrders", {"CustomerReference": "Kari"}),
        ("contact_persons", "ContactPersons", {"Title": "Daglig leder"}),
        ("delivery_addresses", "ContactDeliveryAddresses", {"City": "Bergen"}),
        ("product_groups", "ProductGroups", {"Name": "Klær"}),
    ],
)
def test_an_edit_is_emitted_by_the_next_run_and_moves_the_bookmark(
    filled, box, read_go, stream, resource, changes
):
    first = read_go(stream)
    entry = box.go.entries(resource)[0]
    edited = box.go.edit(resource, entry["Id"], changes)

    second = read_go(stream, state=first.states()[-1])

    (record,) = second.records(stream)
    assert record.items() >= changes.items()
    newest = second.bookmarks(stream)[-1]["replication_key_value"]
    assert newest == edited["LastChangedDateTimeOffset"]
    assert newest > first.bookmarks(stream)[-1]["replication_key_value"]


@pytest.mark.parametrize(
    ("stamp", "since"),
    [
        # The filter leaves out the moment that it names.
        ("2026-03-01T08:05:00.0000009Z", "2026-03-01T07:59:59.9999990Z"),
        ("2026-03-01T09:00:00.1234567+01:00", "2026-03-01T07:55:00.1234550Z"),
        ("2026-03-01T08:00:00.1234567Z", "2026-03-01T07:55:00.1234550Z"),
        ("2026-03-01 08:00:00.1234567", "2026-03-01T07:55:00.1234550Z"),
    ],
)
def test_a_run_begins_one_overlap_before_the_bookmark(read_go, stamp, since):
    bookmark = {"replication_key": "LastChangedDateTimeOffset", "replication_key_value": stamp}

    emitted = read_go("product_groups", state={"bookmarks": {"product_groups": bookmark}})

    assert emitted.queries("/ProductGroups") == [{"lastChangedDateTimeOffsetGreaterThan": since}]


@pytest.mark.parametrize("overlap", [0, 300])
def test_an_entry_that_appears_late_with_the_bookmarks_own_stamp_is_read(
    merchant, box, read_go, overlap
):
    first, late = merchant.product(Code="A"), merchant.product(Code="B")
    register = box.go.register("Products")
    register.remove(late["Id"])
    state = read_go("products", overlap_seconds=overlap).states()[-1]
    register.put({**late, "LastChangedDateTimeOffset": first["LastChangedDateTimeOffset"]})

    emitted = read_go("products", state=state, overlap_seconds=overlap)

    assert late["Id"] in emitted.ids("products")


def test_an_entry_that_appears_late_within_the_overlap_is_read(merchant, box, read_go):
    late, _ = merchant.product(Code="A"), merchant.product(Code="B")
    register = box.go.register("Products")
    register.remove(late["Id"])
    state = read_go("products").states()[-1]
    register.put(late)

    assert late["Id"] in read_go("products", state=state).ids("products")
    assert read_go("products", state=state, overlap_seconds=0).ids("products") == []


def test_an_entry_in_the_overlap_is_emitted_again_if_anything_in_it_differs(merchant, box, read_go):
    address = {"ZipCode": "0155", "City": "Oslo"}
    kari, per = (merchant.customer(Name=name, MailAddress=address) for name in ("Kari", "Per"))
    first = read_go("customers")
    # This does not move the stamp, but it is noticed within the overlap.
    box.go.edit("Customers", kari["Id"], {"MailAddress": {"City": "Bergen"}})

    second = read_go("customers", state=first.states()[-1])
    third = read_go("customers", state=second.states()[-1])

    assert sorted(second.ids("customers")) == [kari["Id"], per["Id"]]
    assert third.ids("customers") == []


def test_records_are_emitted_oldest_change_first_each_once(merchant, box, read_go):
    ids = [merchant.product(Code=f"P{number}")["Id"] for number in range(5)]
    for product_id in (ids[3], ids[0]):
        box.go.edit("Products", product_id, {"Name": "Lue"})

    emitted = read_go("products", page_size=2)

    assert emitted.ids("products") == [ids[1], ids[2], ids[4], ids[3], ids[0]]


def test_an_edit_of_an_address_alone_is_found_only_by_the_full_check(merchant, box, read_go):
    customer = merchant.customer(MailAddress={"ZipCode": "0155", "City": "Oslo"})
    other = merchant.customer(Name="Fjord AS")
    state = read_go("customers", overlap_seconds=0).states()[-1]
    box.go.edit("Customers", customer["Id"], {"MailAddress": {"City": "Bergen"}})

    before = read_go("customers", state=aged(state, "customers", hours=23), overlap_seconds=0)
    after = read_go("customers", state=aged(state, "customers", hours=24), overlap_seconds=0)

    assert before.ids("customers") == []
    assert after.queries("/Customers") == [{}]
    addresses = {record["Id"]: record["MailAddress"] for record in after.records("customers")}
    assert addresses.keys() == {customer["Id"], other["Id"]}
    assert addresses[customer["Id"]]["City"] == "Bergen"
    assert (
        after.bookmarks("customers")[-1]["listed_in_full_at"]
        > before.states()[-1]["bookmarks"]["customers"]["listed_in_full_at"]
    )
    again = read_go("customers", state=after.states()[-1], overlap_seconds=0)
    assert again.ids("customers") == []


@pytest.mark.parametrize("stream", ["customers", "products", "salesorders"])
def test_everything_is_read_again_when_the_full_check_is_due(filled, read_go, resources, stream):
    state = read_go(stream).states()[-1]

    emitted = read_go(stream, state=state, full_check_hours=0)

    assert emitted.queries(f"/{resources[stream]}") == [{}]
    assert len(emitted.records(stream)) == 1


def test_in_a_full_check_what_changed_comes_first(merchant, box, read_go):
    ids = [merchant.product(Code=f"P{number}")["Id"] for number in range(4)]
    state = read_go("products", overlap_seconds=0).states()[-1]
    box.go.edit("Products", ids[2], {"Name": "Lue"})

    emitted = read_go("products", state=state, full_check_hours=0, overlap_seconds=0)

    assert sorted(emitted.ids("products")) == ids
    assert set(emitted.ids("products")[:2]) == {ids[2], ids[3]}


def test_an_edit_of_stock_is_found_by_the_filter_for_stock(merchant, box, read_go):
    product = merchant.product(Code="A", IsStockItem=True, StockOnHand=7)
    merchant.product(Code="B")
    first = read_go("products")
    edited = box.go.edit("Products", product["Id"], {"StockOnHand": 3})

    second = read_go("products", state=first.states()[-1])

    record = next(record for record in second.records() if record["Id"] == product["Id"])
    assert float(record["StockOnHand"]) == 3
    assert_members(
        second.bookmarks("products")[-1],
        stock_bookmark=edited["StockOnHandLastChangedDatetimeOffset"],
        replication_key_value=first.bookmarks("products")[-1]["replication_key_value"],
    )


def test_products_without_stock_do_not_make_the_next_run_list_everything(merchant, box, read_go):
    product = merchant.product(Code="A")
    state = read_go("products").states()[-1]
    box.go.edit("Products", product["Id"], {"IsStockItem": True, "StockOnHand": 3})

    emitted = read_go("products", state=state)

    assert all(emitted.queries("/Products"))
    assert float(emitted.records()[0]["StockOnHand"]) == 3


def test_a_product_that_both_filters_find_comes_once(merchant, box, read_go):
    product = merchant.product(Code="A", IsStockItem=True, StockOnHand=7)
    state = read_go("products").states()[-1]
    box.go.edit("Products", product["Id"], {"Name": "Lue", "StockOnHand": 3})

    assert read_go("products", state=state).ids("products") == [product["Id"]]


def test_an_order_that_is_invoiced_moves_to_the_other_stream_with_the_same_id(
    merchant, box, read_go
):
    order = merchant.order(merchant.customer(), merchant.product())
    streams = ("salesorders", "outgoing_invoices")
    state = read_go(*streams).states()[-1]
    box.go.send_invoice(order["Id"])

    emitted = read_go(*streams, state=state)

    assert emitted.ids("salesorders") == []
    (invoice,) = emitted.records("outgoing_invoices")
    assert invoice["Id"] == order["Id"]
    assert [float(line["Quantity"]) for line in invoice["Lines"]] == [2]


def test_a_payment_is_found_by_the_filter_for_balances(merchant, box, read_go):
    customer, product = merchant.customer(), merchant.product()
    paid, _ = (merchant.invoice(customer, product) for _ in range(2))
    first = read_go("outgoing_invoices")
    box.go.edit("OutgoingInvoices", paid["Id"], {"Balance": 0})

    second = read_go("outgoing_invoices", state=first.states()[-1])

    assert paid["Id"] in second.ids("outgoing_invoices")
    record = next(record for record in second.records() if record["Id"] == paid["Id"])
    assert float(record["Balance"]) == 0
    before, after = (run.bookmarks("outgoing_invoices")[-1] for run in (first, second))
    assert after["balance_bookmark"] == record["BalanceLastChangedDateTimeOffset"]
    assert after["balance_bookmark"] > before["balance_bookmark"]
    assert after["replication_key_value"] == before["replication_key_value"]


def test_a_credit_note_is_read_in_the_same_run_as_the_balance_that_it_explains(
    merchant, box, read_go
):
    customer, product = merchant.customer(), merchant.product()
    invoice = merchant.invoice(customer, product)
    state = read_go("outgoing_invoices").states()[-1]
    notes = []

    def credit(_request):
        note = merchant.invoice(
            customer, product, line={"Quantity": -2}, RelatedInvoiceNo=invoice["InvoiceNo"]
        )
        box.go.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
        notes.append(note["Id"])

    # This happens just before the balances are read; the second list must explain them.
    box.faults.on("go", "GET", "/outgoinginvoices$", credit)

    emitted = read_go("outgoing_invoices", state=state)

    assert [sorted(query) for query in emitted.queries("/OutgoingInvoices")] == [
        ["balanceLastChangedDateTimeOffsetGreaterThan"],
        ["sentDateTimeOffsetGreaterThan"],
    ]
    by_id = {record["Id"]: record for record in emitted.records()}
    assert float(by_id[invoice["Id"]]["Balance"]) == 0
    assert by_id[notes[0]]["RelatedInvoiceNo"] == invoice["InvoiceNo"]


def test_a_credit_note_that_is_sent_between_the_two_lists_is_in_the_second(merchant, box, read_go):
    customer, product = merchant.customer(), merchant.product()
    merchant.invoice(customer, product)
    state = read_go("outgoing_invoices").states()[-1]
    notes = []
    box.faults.on(
        "go",
        "GET",
        "/outgoinginvoices$",
        lambda _: notes.append(merchant.invoice(customer, product, line={"Quantity": -2})["Id"]),
        skip=1,
    )

    emitted = read_go("outgoing_invoices", state=state)

    (note_id,) = notes
    assert note_id in emitted.ids("outgoing_invoices")


def test_what_changed_before_the_start_date_is_left_out(merchant, box, read_go):
    old = merchant.product(Code="A")
    new = merchant.product(Code="B")
    start = new["LastChangedDateTimeOffset"]

    emitted = read_go("products", start_date=start)

    assert emitted.ids("products") == [new["Id"]]
    box.go.edit("Products", old["Id"], {"IsStockItem": True, "StockOnHand": 1})
    again = read_go("products", start_date=start, state=emitted.states()[-1], full_check_hours=0)
    assert sorted(again.ids("products")) == [old["Id"], new["Id"]]


def test_the_start_date_is_a_voucher_date_for_invoices(filled, box, read_go):
    today = box.go.entries("OutgoingInvoices")[0]["VoucherDate"]

    first = read_go("outgoing_invoices", start_date=f"{today}T12:00:00Z")
    second = read_go("outgoing_invoices", start_date=today, state=first.states()[-1])

    assert first.queries("/OutgoingInvoices") == [{"fromDate": today}]
    assert len(first.records()) == 2
    assert [query["fromDate"] for query in second.queries("/OutgoingInvoices")] == [today, today]
    assert read_go("outgoing_invoices", start_date="2999-01-01").records() == []


@pytest.mark.parametrize("settings", [{"start_date": "0001-01-01"}, {"overlap_seconds": 10**15}])
def test_a_beginning_before_the_first_possible_time_reads_everything(merchant, read_go, settings):
    merchant.product()
    state = read_go("products").states()[-1]

    emitted = read_go("products", state=state, full_check_hours=10**15, **settings)

    assert emitted.states()[-1]["bookmarks"]["products"]["replication_key_value"]


def test_a_bookmark_does_not_move_back(merchant, read_go):
    merchant.product()
    later = stamps.format_stamp(stamps.now() + timedelta(hours=12))
    bookmark = {
        "replication_key": "LastChangedDateTimeOffset",
        "replication_key_value": later,
        "stock_bookmark": later,
    }

    emitted = read_go("products", state={"bookmarks": {"products": bookmark}}, full_check_hours=0)

    assert len(emitted.records()) == 1
    assert {bookmark["replication_key_value"] for bookmark in emitted.bookmarks("products")} == {
        later
    }
