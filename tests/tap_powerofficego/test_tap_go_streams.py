"""What the tap emits: what is in Go, member by member, with as few calls as that needs."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from decimal import Decimal

import pytest
from members import assert_members
from tap_powerofficego.tap import TapPowerOfficeGo
from target_powerofficego.go_api import GoError


def in_go(box, resource):
    """Return the entries of Go, invoices with their lines, as they are once read from JSON."""
    entries = box.go.entries(resource)
    if resource == "OutgoingInvoices":
        entries = [{**entry, "Lines": box.go.invoice_lines(entry["Id"])} for entry in entries]
    return json.loads(json.dumps(entries, default=float), parse_float=str)


def test_a_run_that_changes_no_bookmark_ends_with_a_state(filled, read_go):
    first = read_go(by_default=True)
    second = read_go(by_default=True, state=first.states()[-1])

    assert [run.messages[-1]["type"] for run in (first, second)] == ["STATE", "STATE"]
    assert second.states()[-1] == first.states()[-1]


def test_by_default_only_what_the_way_back_needs_is_read(filled, read_go):
    emitted = read_go(by_default=True)

    assert {message["stream"] for message in emitted.messages if message["type"] == "SCHEMA"} == {
        "customers",
        "products",
        "salesorders",
        "outgoing_invoices",
    }
    assert emitted.records("salesorders")
    assert emitted.records("outgoing_invoices")
    assert not any({"SalesOrderLines", "Lines"} & record.keys() for record in emitted.records())
    paths = [read.path.lower() for read in emitted.reads]
    assert not [path for path in paths if path.endswith(("/complete", "/lines"))]


def test_every_stream_emits_what_is_in_go_with_every_member_of_its_schema(
    filled, box, read_go, resources
):
    emitted = read_go()

    schemas = {
        message["stream"]: message["schema"]
        for message in emitted.messages
        if message["type"] == "SCHEMA"
    }
    assert list(schemas) == list(resources)
    for stream, resource in resources.items():
        records = emitted.records(stream)
        assert records
        by_id = {record["Id"]: record for record in records}
        assert len(by_id) == len(records)
        assert by_id == {entry["Id"]: entry for entry in in_go(box, resource)}
        assert all(record.keys() == schemas[stream]["properties"].keys() for record in records)


def test_lines_and_addresses_have_the_members_of_the_schema(filled, read_go):
    emitted = read_go()

    schemas = {
        message["stream"]: message["schema"]["properties"]
        for message in emitted.messages
        if message["type"] == "SCHEMA"
    }
    for stream, member in (("salesorders", "SalesOrderLines"), ("outgoing_invoices", "Lines")):
        members = schemas[stream][member]["items"]["properties"].keys()
        for record in emitted.records(stream):
            assert [line.keys() for line in record[member]] == [members]
    for stream in ("customers", "contact_persons"):
        (record,) = emitted.records(stream)
        members = schemas[stream]["MailAddress"]["properties"].keys()
        assert record["MailAddress"].keys() == members


def test_credit_notes_are_among_the_invoices(filled, read_go):
    types = {record["VoucherType"] for record in read_go().records("outgoing_invoices")}

    assert types == {"OutgoingInvoice", "OutgoingCreditNote"}


def test_empty_books_are_read_without_an_error_and_leave_an_empty_bookmark(read_go):
    emitted = read_go("customers", "salesorders", "outgoing_invoices")

    assert emitted.records() == []
    assert emitted.bookmarks("outgoing_invoices")[-1] == {}
    assert read_go("customers", state=emitted.states()[-1]).queries("/Customers") == [{}]


@pytest.mark.parametrize("digits", ["199.00", "0.1000000000000000055", "1E+2", "-0.005"])
def test_amounts_keep_all_their_digits(box, read_go, digits):
    body = f'[{{"Id": 1, "UnitPrice": {digits}, "UnitCost": 12345678901234567890}}]'
    box.faults.add(path="/products", status=200, body=body)

    (record,) = read_go("products").records("products")

    assert_members(record, UnitPrice=digits, UnitCost=12345678901234567890)


def test_a_new_member_of_go_is_passed_on_and_logged_once(box, read_go):
    body = [{"Id": 1, "Colour": "blå"}, {"Id": 2, "Colour": "rød"}]
    box.faults.add(path="/products", status=200, body=body)

    emitted = read_go("products")

    assert [record["Colour"] for record in emitted.records()] == ["blå", "rød"]
    assert emitted.log.count("products: Go has a new member 'Colour'") == 1


def test_an_entry_without_an_id_is_a_one_line_error(box, read_go):
    box.faults.add(path="/products", status=200, body=[{"Name": "Genser"}])

    emitted = read_go("products", fails_with=GoError)

    assert "GET /Products: an entry of the list has no usable Id" in emitted.log
    assert "Genser" not in emitted.log


def test_deselected_lines_are_not_requested(filled, read_go):
    emitted = read_go(
        "salesorders",
        "outgoing_invoices",
        without=("salesorders.SalesOrderLines", "outgoing_invoices.Lines"),
    )

    assert [read.path for read in emitted.reads] == ["/v2/SalesOrders", "/v2/OutgoingInvoices"]
    assert len(emitted.records("salesorders")) == 1
    assert len(emitted.records("outgoing_invoices")) == 2
    assert not any({"SalesOrderLines", "Lines"} & record.keys() for record in emitted.records())


def test_deselected_streams_are_not_requested_and_deselected_members_not_emitted(filled, read_go):
    emitted = read_go("customers", without=("customers.EmailAddress",))

    assert {read.path for read in emitted.reads} == {"/v2/Customers"}
    (record,) = emitted.records()
    assert record["Name"] == "Fjell AS"
    assert "EmailAddress" not in record


def test_a_member_of_an_address_can_be_deselected(filled, read_go):
    (record,) = read_go("customers", without=("customers.MailAddress.City",)).records()

    assert record["MailAddress"]["ZipCode"] == "0155"
    assert "City" not in record["MailAddress"]


def test_a_second_run_without_changes_emits_only_vat_codes_and_takes_ten_reads(filled, read_go):
    first = read_go()

    second = read_go(state=first.states()[-1])

    assert {message["stream"] for message in second.record_messages()} == {"vat_codes"}
    assert len(second.reads) == 10
    assert second.states()[-1] == first.states()[-1]


def test_time_extracted_is_just_before_the_record_was_requested(filled, box, read_go):
    arrivals: dict[str, datetime] = {}
    box.faults.on(
        "go",
        "GET",
        None,
        lambda request: arrivals.setdefault(request.path, datetime.now().astimezone()),
        times=None,
    )

    emitted = read_go()

    order = emitted.ids("salesorders")[0]
    for stream, paths in {
        "customers": ("/v2/Customers",),
        "salesorders": ("/v2/SalesOrders", f"/v2/SalesOrders/{order}/Complete"),
        "outgoing_invoices": ("/v2/OutgoingInvoices",),
    }.items():
        for message in emitted.record_messages(stream):
            assert message["time_extracted"].endswith("Z")
            moment = datetime.fromisoformat(message["time_extracted"].replace("Z", "+00:00"))
            assert moment <= arrivals[paths[-1]]
            assert len(paths) == 1 or moment >= arrivals[paths[0]]


def test_each_page_has_its_own_time(merchant, box, read_go):
    for number in range(4):
        merchant.product(Code=f"P{number}")

    messages = read_go("products", page_size=2).record_messages()

    stamps = [message["time_extracted"] for message in messages]
    assert stamps[0] == stamps[1] < stamps[2] == stamps[3]


def test_expired_vat_codes_are_requested_too(read_go):
    assert read_go("vat_codes").queries("/VatCodes") == [{"includeExpired": "true"}]


def test_a_full_table_run_by_catalog_reads_everything_and_moves_no_bookmark(
    filled, read_go, catalog
):
    chosen = catalog("products")
    for entry in chosen["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    state = read_go("products").states()[-1]

    emitted = read_go(chosen=chosen, state=state)

    assert emitted.queries("/Products") == [{}]
    assert len(emitted.records("products")) == 1
    assert emitted.states()[-1] == state


def test_stream_maps_change_and_filter_records(merchant, read_go):
    merchant.product(Code="A", Name="Genser")
    merchant.product(Code="B", Name="Lue")
    maps = {"products": {"__filter__": "Code == 'A'", "Name": "Name.upper()"}}

    (record,) = read_go("products", stream_maps=maps).records()

    assert_members(record, Code="A", Name="GENSER")


def test_batches_hold_every_record_with_all_digits(filled, read_go, tmp_path):
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }

    emitted = read_go("products", "salesorders", batch_config=batches)

    batch_streams = [
        message["stream"] for message in emitted.messages if message["type"] == "BATCH"
    ]
    assert batch_streams == ["products", "salesorders"]
    written = [
        json.loads(line, parse_float=Decimal)
        for path in sorted(tmp_path.iterdir())
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert {str(record.get("UnitPrice", record.get("TotalAmount"))) for record in written} == {
        "100.0",
        "225.0",
    }
    assert emitted.bookmarks("salesorders")[-1]["replication_key_value"]


def test_each_stream_has_its_key_and_replication_key():
    streams = TapPowerOfficeGo(config={}, validate_config=False).catalog_dict["streams"]

    assert {entry["stream"]: entry.get("replication_key") for entry in streams} == {
        "customers": "LastChangedDateTimeOffset",
        "products": "LastChangedDateTimeOffset",
        "salesorders": "LastChangedDateTimeOffset",
        "outgoing_invoices": "SentDateTimeOffset",
        "contact_persons": "LastChangedDateTimeOffset",
        "delivery_addresses": "LastChangedDateTimeOffset",
        "product_groups": "LastChangedDateTimeOffset",
        "vat_codes": None,
    }
    assert {tuple(entry["key_properties"]) for entry in streams} == {("Id",)}
