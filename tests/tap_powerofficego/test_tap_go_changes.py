"""What a run emits after an earlier one: all that has changed since, by Go's own stamps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from members import assert_members
from tap_powerofficego import stamps


def last_state(emitted):
    return emitted.states()[-1]


def aged(state, stream, **hours):
    """Return the state as if its last full check had been that long ago."""
    checked_at = datetime.now(timezone.utc) - timedelta(**hours)
    bookmarks = {**state["bookmarks"][stream], "listed_in_full_at": checked_at.isoformat()}
    return {"bookmarks": {**state["bookmarks"], stream: bookmarks}}


def test_the_bookmark_is_the_newest_stamp_of_go(merchant, box, read_go):
    for number in range(3):
        merchant.product(Code=f"P{number}")
    box.go.edit("Products", box.go.entries("Products")[0]["Id"], {"Name": "Lue"})

    state = last_state(read_go("products"))

    newest = max(entry["LastChangedDateTimeOffset"] for entry in box.go.entries("Products"))
    assert state["bookmarks"]["products"]["replication_key"] == "LastChangedDateTimeOffset"
    assert state["bookmarks"]["products"]["replication_key_value"] == newest


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

    second = read_go(stream, state=last_state(first))

    (record,) = second.records(stream)
    assert record.items() >= changes.items()
    newest = second.bookmarks(stream)[-1]["replication_key_value"]
    assert newest == edited["LastChangedDateTimeOffset"]
    assert newest > first.bookmarks(stream)[-1]["replication_key_value"]


def test_a_run_begins_the_overlap_before_the_bookmark_and_the_filter_leaves_that_moment_out(
    read_go,
):
    state = {"bookmarks": {"product_groups": {"replication_key": "LastChangedDateTimeOffset"}}}
    held = state["bookmarks"]["product_groups"]
    held["replication_key_value"] = "2026-03-01T08:05:00.0000009Z"

    emitted = read_go("product_groups", state=state)

    since = "2026-03-01T07:59:59.9999990Z"
    name = "lastChangedDateTimeOffsetGreaterThan"
    assert emitted.asked("/ProductGroups") == [{name: since}]


@pytest.mark.parametrize("overlap", [0, 300])
def test_an_entry_that_comes_to_light_late_with_the_bookmarks_own_stamp_is_read(
    merchant, box, read_go, overlap
):
    first, late = merchant.product(Code="A"), merchant.product(Code="B")
    register = box.go.register("Products")
    register.remove(late["Id"])
    state = last_state(read_go("products", overlap_seconds=overlap))
    same = {"LastChangedDateTimeOffset": first["LastChangedDateTimeOffset"]}
    register.put({**late, **same})

    emitted = read_go("products", state=state, overlap_seconds=overlap)

    assert late["Id"] in emitted.ids("products")


def test_an_entry_that_comes_to_light_late_within_the_overlap_is_read(merchant, box, read_go):
    late, _ = merchant.product(Code="A"), merchant.product(Code="B")
    register = box.go.register("Products")
    register.remove(late["Id"])
    state = last_state(read_go("products"))
    register.put(late)

    assert late["Id"] in read_go("products", state=state).ids("products")
    assert read_go("products", state=state, overlap_seconds=0).ids("products") == []


def test_what_was_emitted_in_the_overlap_comes_again_once_anything_in_it_differs(
    merchant, box, read_go
):
    address = {"ZipCode": "0155", "City": "Oslo"}
    kari, per = (merchant.customer(Name=name, MailAddress=address) for name in ("Kari", "Per"))
    first = read_go("customers")
    # This moves no stamp, but it is noticed within the overlap.
    box.go.edit("Customers", kari["Id"], {"MailAddress": {"City": "Bergen"}})

    second = read_go("customers", state=last_state(first))
    third = read_go("customers", state=last_state(second))

    assert sorted(second.ids("customers")) == [kari["Id"], per["Id"]]
    assert third.ids("customers") == []


def test_records_come_from_the_oldest_change_to_the_newest_each_once(merchant, box, read_go):
    made = [merchant.product(Code=f"P{number}")["Id"] for number in range(5)]
    for product_id in (made[3], made[0]):
        box.go.edit("Products", product_id, {"Name": "Lue"})

    emitted = read_go("products", page_size=2)

    assert emitted.ids("products") == [made[1], made[2], made[4], made[3], made[0]]


def test_an_edit_of_an_address_alone_is_found_by_the_full_check_only(merchant, box, read_go):
    customer = merchant.customer(MailAddress={"ZipCode": "0155", "City": "Oslo"})
    other = merchant.customer(Name="Fjord AS")
    state = last_state(read_go("customers", overlap_seconds=0))
    box.go.edit("Customers", customer["Id"], {"MailAddress": {"City": "Bergen"}})

    before = read_go("customers", state=aged(state, "customers", hours=23), overlap_seconds=0)
    after = read_go("customers", state=aged(state, "customers", hours=24), overlap_seconds=0)

    assert before.ids("customers") == []
    assert after.asked("/Customers") == [{}]
    addresses = {record["Id"]: record["MailAddress"] for record in after.records("customers")}
    assert addresses.keys() == {customer["Id"], other["Id"]}
    assert addresses[customer["Id"]]["City"] == "Bergen"
    assert (
        after.bookmarks("customers")[-1]["listed_in_full_at"]
        > before.states()[-1]["bookmarks"]["customers"]["listed_in_full_at"]
    )
    again = read_go("customers", state=last_state(after), overlap_seconds=0)
    assert again.ids("customers") == []


@pytest.mark.parametrize("stream", ["customers", "products", "salesorders"])
def test_everything_is_read_again_when_the_full_check_is_due(filled, read_go, resources, stream):
    state = last_state(read_go(stream))

    emitted = read_go(stream, state=state, full_check_hours=0)

    assert emitted.asked(f"/{resources[stream]}") == [{}]
    assert len(emitted.records(stream)) == 1


def test_in_a_full_check_what_changed_comes_first(merchant, box, read_go):
    made = [merchant.product(Code=f"P{number}")["Id"] for number in range(4)]
    state = last_state(read_go("products", overlap_seconds=0))
    box.go.edit("Products", made[2], {"Name": "Lue"})

    emitted = read_go("products", state=state, full_check_hours=0, overlap_seconds=0)

    assert sorted(emitted.ids("products")) == made
    assert set(emitted.ids("products")[:2]) == {made[2], made[3]}


def test_an_edit_of_stock_is_found_by_the_filter_for_stock(merchant, box, read_go):
    product = merchant.product(Code="A", IsStockItem=True, StockOnHand=7)
    merchant.product(Code="B")
    first = read_go("products")
    edited = box.go.edit("Products", product["Id"], {"StockOnHand": 3})

    second = read_go("products", state=last_state(first))

    record = next(record for record in second.records() if record["Id"] == product["Id"])
    assert float(record["StockOnHand"]) == 3
    held = second.bookmarks("products")[-1]
    assert_members(
        held,
        stock_bookmark=edited["StockOnHandLastChangedDatetimeOffset"],
        replication_key_value=first.bookmarks("products")[-1]["replication_key_value"],
    )


def test_products_without_stock_are_not_listed_again_for_lack_of_a_stamp(merchant, box, read_go):
    product = merchant.product(Code="A")
    state = last_state(read_go("products"))
    box.go.edit("Products", product["Id"], {"IsStockItem": True, "StockOnHand": 3})

    emitted = read_go("products", state=state)

    assert all(emitted.asked("/Products"))
    assert float(emitted.records()[0]["StockOnHand"]) == 3


def test_a_product_that_both_filters_find_comes_once(merchant, box, read_go):
    product = merchant.product(Code="A", IsStockItem=True, StockOnHand=7)
    state = last_state(read_go("products"))
    box.go.edit("Products", product["Id"], {"Name": "Lue", "StockOnHand": 3})

    assert read_go("products", state=state).ids("products") == [product["Id"]]


def test_an_order_that_is_invoiced_leaves_one_stream_for_the_other_under_the_same_id(
    merchant, box, read_go
):
    order = merchant.order(merchant.customer(), merchant.product())
    both = ("salesorders", "outgoing_invoices")
    state = last_state(read_go(*both))
    box.go.send_invoice(order["Id"])

    emitted = read_go(*both, state=state)

    assert emitted.ids("salesorders") == []
    (invoice,) = emitted.records("outgoing_invoices")
    assert invoice["Id"] == order["Id"]
    assert [float(line["Quantity"]) for line in invoice["Lines"]] == [2]


def test_a_payment_is_found_by_the_filter_for_balances(merchant, box, read_go):
    customer, product = merchant.customer(), merchant.product()
    paid, _ = (merchant.invoice(customer, product) for _ in range(2))
    first = read_go("outgoing_invoices")
    box.go.edit("OutgoingInvoices", paid["Id"], {"Balance": 0})

    second = read_go("outgoing_invoices", state=last_state(first))

    assert paid["Id"] in second.ids("outgoing_invoices")
    record = next(record for record in second.records() if record["Id"] == paid["Id"])
    assert float(record["Balance"]) == 0
    before, after = (
        first.bookmarks("outgoing_invoices")[-1],
        second.bookmarks("outgoing_invoices")[-1],
    )
    assert after["balance_bookmark"] == record["BalanceLastChangedDateTimeOffset"]
    assert after["balance_bookmark"] > before["balance_bookmark"]
    assert after["replication_key_value"] == before["replication_key_value"]


def test_a_credit_note_comes_in_the_run_that_reads_the_balance_it_explains(merchant, box, read_go):
    customer, product = merchant.customer(), merchant.product()
    invoice = merchant.invoice(customer, product)
    state = last_state(read_go("outgoing_invoices"))
    notes = []

    def credit(_request):
        note = merchant.invoice(
            customer, product, line={"Quantity": -2}, RelatedInvoiceNo=invoice["InvoiceNo"]
        )
        box.go.edit("OutgoingInvoices", invoice["Id"], {"Balance": 0})
        notes.append(note["Id"])

    # Just before the balances are read: the second list must explain them.
    box.faults.on("go", "GET", "/outgoinginvoices$", credit)

    emitted = read_go("outgoing_invoices", state=state)

    assert [sorted(query) for query in emitted.asked("/OutgoingInvoices")] == [
        ["balanceLastChangedDateTimeOffsetGreaterThan"],
        ["sentDateTimeOffsetGreaterThan"],
    ]
    by_id = {record["Id"]: record for record in emitted.records()}
    assert float(by_id[invoice["Id"]]["Balance"]) == 0
    assert by_id[notes[0]]["RelatedInvoiceNo"] == invoice["InvoiceNo"]


def test_a_credit_note_that_is_sent_between_the_two_lists_is_in_the_second(merchant, box, read_go):
    customer, product = merchant.customer(), merchant.product()
    merchant.invoice(customer, product)
    state = last_state(read_go("outgoing_invoices"))
    made = []
    box.faults.on(
        "go",
        "GET",
        "/outgoinginvoices$",
        lambda _: made.append(merchant.invoice(customer, product, line={"Quantity": -2})["Id"]),
        skip=1,
    )

    assert set(made) <= set(read_go("outgoing_invoices", state=state).ids("outgoing_invoices"))
    assert made


def test_start_date_leaves_out_what_changed_before(merchant, box, read_go):
    old = merchant.product(Code="A")
    new = merchant.product(Code="B")
    start = new["LastChangedDateTimeOffset"]

    emitted = read_go("products", start_date=start)

    assert emitted.ids("products") == [new["Id"]]
    box.go.edit("Products", old["Id"], {"IsStockItem": True, "StockOnHand": 1})
    again = read_go("products", start_date=start, state=last_state(emitted), full_check_hours=0)
    assert sorted(again.ids("products")) == [old["Id"], new["Id"]]


def test_start_date_is_a_voucher_date_for_invoices(filled, box, read_go):
    today = box.go.entries("OutgoingInvoices")[0]["VoucherDate"]

    first = read_go("outgoing_invoices", start_date=f"{today}T12:00:00Z")
    second = read_go("outgoing_invoices", start_date=today, state=last_state(first))

    assert first.asked("/OutgoingInvoices") == [{"fromDate": today}]
    assert len(first.records()) == 2
    assert [query["fromDate"] for query in second.asked("/OutgoingInvoices")] == [today, today]
    assert read_go("outgoing_invoices", start_date="2999-01-01").records() == []


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T09:00:00.1234567+01:00",
        "2026-03-01T08:00:00.1234567Z",
        "2026-03-01 08:00:00.1234567",
    ],
)
def test_a_bookmark_in_another_form_is_the_same_moment(read_go, written):
    held = {"replication_key": "LastChangedDateTimeOffset", "replication_key_value": written}

    emitted = read_go("product_groups", state={"bookmarks": {"product_groups": held}})

    (query,) = emitted.asked("/ProductGroups")
    assert query["lastChangedDateTimeOffsetGreaterThan"] == "2026-03-01T07:55:00.1234550Z"


@pytest.mark.parametrize("settings", [{"start_date": "0001-01-01"}, {"overlap_seconds": 10**15}])
def test_a_beginning_before_all_time_is_everything(merchant, read_go, settings):
    merchant.product()
    state = last_state(read_go("products"))

    emitted = read_go("products", state=state, full_check_hours=10**15, **settings)

    assert emitted.states()[-1]["bookmarks"]["products"]["replication_key_value"]


def test_a_bookmark_does_not_move_back(merchant, read_go):
    merchant.product()
    later = stamps.format_stamp(stamps.now() + timedelta(hours=12))
    held = {
        "replication_key": "LastChangedDateTimeOffset",
        "replication_key_value": later,
        "stock_bookmark": later,
    }

    emitted = read_go("products", state={"bookmarks": {"products": held}}, full_check_hours=0)

    assert len(emitted.records()) == 1
    bookmarks = emitted.bookmarks("products")
    assert {bookmark["replication_key_value"] for bookmark in bookmarks} == {later}
