"""What the tap emits: what is in Go, member by member, with no more calls than that needs."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from decimal import Decimal

import pytest
from members import assert_members
from tap_powerofficego.tap import TapPowerOfficeGo


def in_go(box, resource):
    """Return the entries of Go, invoices with their lines, as they are after JSON."""
    entries = box.go.entries(resource)
    if resource == "OutgoingInvoices":
        entries = [{**entry, "Lines": box.go.invoice_lines(entry["Id"])} for entry in entries]
    return json.loads(json.dumps(entries, default=float), parse_float=str)


def test_a_run_that_changes_no_bookmark_ends_with_a_state(filled, read_go):
    first = read_go(by_default=True)
    again = read_go(by_default=True, state=first.states()[-1])

    assert [run.messages[-1]["type"] for run in (first, again)] == ["STATE", "STATE"]
    assert again.states()[-1] == first.states()[-1]


def test_by_default_only_what_the_way_back_needs_is_read(filled, read_go):
    run = read_go(by_default=True)

    assert {message["stream"] for message in run.messages if message["type"] == "SCHEMA"} == {
        "customers",
        "products",
        "salesorders",
        "outgoing_invoices",
    }
    assert run.records("salesorders")
    assert run.records("outgoing_invoices")
    assert not [record for record in run.records() if {"SalesOrderLines", "Lines"} & record.keys()]
    paths = [read.path.lower() for read in run.reads]
    assert not [path for path in paths if path.endswith(("/complete", "/lines"))]


def test_every_stream_emits_what_is_in_go_with_every_member_of_its_schema(
    filled, box, read_go, resources
):
    emitted = read_go()

    schemas = {m["stream"]: m["schema"] for m in emitted.messages if m["type"] == "SCHEMA"}
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

    schemas = {m["stream"]: m["schema"]["properties"] for m in emitted.messages if "schema" in m}
    for stream, member in (("salesorders", "SalesOrderLines"), ("outgoing_invoices", "Lines")):
        known = schemas[stream][member]["items"]["properties"]
        for record in emitted.records(stream):
            assert [line.keys() for line in record[member]] == [known.keys()]
    for stream in ("customers", "contact_persons"):
        known = schemas[stream]["MailAddress"]["properties"]
        (record,) = emitted.records(stream)
        assert record["MailAddress"].keys() == known.keys()


def test_a_credit_note_is_among_the_invoices(filled, read_go):
    kinds = {record["VoucherType"] for record in read_go().records("outgoing_invoices")}

    assert kinds == {"OutgoingInvoice", "OutgoingCreditNote"}


def test_empty_books_are_read_without_an_error_and_remembered_as_nothing(read_go):
    emitted = read_go("customers", "salesorders", "outgoing_invoices")

    assert emitted.records() == []
    assert emitted.bookmarks("outgoing_invoices")[-1] == {}
    assert read_go("customers", state=emitted.states()[-1]).asked("/Customers") == [{}]


@pytest.mark.parametrize("digits", ["199.00", "0.1000000000000000055", "1E+2", "-0.005"])
def test_amounts_are_written_digit_by_digit(box, read_go, digits):
    body = f'[{{"Id": 1, "UnitPrice": {digits}, "UnitCost": 12345678901234567890}}]'
    box.faults.add(path="/products", status=200, body=body)

    (record,) = read_go("products").records("products")

    assert_members(record, UnitPrice=digits, UnitCost=12345678901234567890)


def test_a_member_that_go_adds_later_is_passed_on_and_named_once(box, read_go):
    box.faults.add(
        path="/products", status=200, body=[{"Id": 1, "Colour": "blå"}, {"Id": 2, "Colour": "rød"}]
    )

    emitted = read_go("products")

    assert [record["Colour"] for record in emitted.records()] == ["blå", "rød"]
    assert emitted.log.count("products: Go has a new member 'Colour'") == 1


def test_an_entry_without_an_id_is_one_line(box, read_go):
    from target_powerofficego.go_api import GoError

    box.faults.add(path="/products", status=200, body=[{"Name": "Genser"}])

    emitted = read_go("products", fails_with=GoError)

    assert "GET /Products: an entry of the list has no usable Id" in emitted.log
    assert "Genser" not in emitted.log


def test_deselected_lines_cost_no_call(filled, read_go):
    emitted = read_go(
        "salesorders",
        "outgoing_invoices",
        without=("salesorders.SalesOrderLines", "outgoing_invoices.Lines"),
    )

    assert [read.path for read in emitted.reads] == ["/v2/SalesOrders", "/v2/OutgoingInvoices"]
    assert len(emitted.records("salesorders")) == 1
    assert len(emitted.records("outgoing_invoices")) == 2
    assert not any({"SalesOrderLines", "Lines"} & record.keys() for record in emitted.records())


def test_a_deselected_stream_is_not_asked_for_and_a_deselected_member_not_emitted(filled, read_go):
    emitted = read_go("customers", without=("customers.EmailAddress",))

    assert {read.path for read in emitted.reads} == {"/v2/Customers"}
    (record,) = emitted.records()
    assert record["Name"] == "Fjell AS"
    assert "EmailAddress" not in record


def test_a_member_of_an_address_can_be_deselected(filled, read_go):
    (record,) = read_go("customers", without=("customers.MailAddress.City",)).records()

    assert record["MailAddress"]["ZipCode"] == "0155"
    assert "City" not in record["MailAddress"]


def test_an_unchanged_second_run_emits_vat_codes_only_and_costs_ten_reads(filled, read_go):
    first = read_go()

    second = read_go(state=first.states()[-1])

    assert {m["stream"] for m in second.record_messages()} == {"vat_codes"}
    assert len(second.reads) == 10
    assert second.states()[-1] == first.states()[-1]


def test_time_extracted_is_the_moment_before_the_record_was_requested(filled, box, read_go):
    arrived: dict[str, datetime] = {}
    box.faults.on(
        "go",
        "GET",
        None,
        lambda request: arrived.setdefault(request.path, datetime.now().astimezone()),
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
            assert moment <= arrived[paths[-1]]
            assert len(paths) == 1 or moment >= arrived[paths[0]]


def test_each_page_has_its_own_time(merchant, box, read_go):
    for number in range(4):
        merchant.product(Code=f"P{number}")

    messages = read_go("products", page_size=2).record_messages()

    stamps = [message["time_extracted"] for message in messages]
    assert stamps[0] == stamps[1] < stamps[2] == stamps[3]


def test_vat_codes_that_expired_are_asked_for(read_go):
    assert read_go("vat_codes").asked("/VatCodes") == [{"includeExpired": "true"}]


def test_a_full_table_run_by_catalog_asks_for_everything_and_keeps_no_bookmark(
    filled, read_go, catalog
):
    chosen = catalog("products")
    for entry in chosen["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    state = read_go("products").states()[-1]

    emitted = read_go(chosen=chosen, state=state)

    assert emitted.asked("/Products") == [{}]
    assert len(emitted.records("products")) == 1
    assert emitted.states()[-1] == state


def test_stream_maps_change_and_filter_records(merchant, read_go):
    merchant.product(Code="A", Name="Genser")
    merchant.product(Code="B", Name="Lue")
    maps = {"products": {"__filter__": "Code == 'A'", "Name": "Name.upper()"}}

    (record,) = read_go("products", stream_maps=maps).records()

    assert (record["Code"], record["Name"]) == ("A", "GENSER")


def test_batches_hold_every_record_digit_by_digit(filled, read_go, tmp_path):
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }

    emitted = read_go("products", "salesorders", batch_config=batches)

    assert [m["stream"] for m in emitted.messages if m["type"] == "BATCH"] == [
        "products",
        "salesorders",
    ]
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


def test_the_streams_have_their_keys_and_replication_keys():
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
