"""What the tap emits from a shop that follows the contract."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

import pytest
from go_sandbox.seed.store import seed_store
from tap_customwebshop.errors import ContractBrokenError
from tap_customwebshop.tap import TapCustomWebShop


def at(number: int) -> str:
    return f"2026-01-01T08:00:{number:02d}.000000Z"


def fill(box, stream="customers", count=5):
    for number in range(count):
        box.shop.put(stream, {"id": f"{number}", "updated_at": at(number)})


def test_streams_come_in_order_and_each_schema_comes_once(box, read_shop):
    for stream in ("orders", "products", "customers"):
        fill(box, stream)
    emitted = read_shop(box.tap_config(page_size=2))
    schemas = [message["stream"] for message in emitted.messages if message["type"] == "SCHEMA"]
    assert schemas == ["customers", "products", "orders"]
    streams = [message["stream"] for message in emitted.record_messages()]
    assert streams == ["customers"] * 5 + ["products"] * 5 + ["orders"] * 5


def test_a_seeded_shop_is_emitted_with_all_its_records_and_members(box, read_shop):
    seed_store(box.shop, customers=12, products=8, orders=20)
    emitted = read_shop(box.tap_config(page_size=5))
    for stream in ("customers", "products", "orders"):
        in_shop = {record["id"]: record for record in box.shop.records(stream)}
        records = emitted.records(stream)
        assert {record["id"] for record in records} == in_shop.keys()
        assert all(record.keys() == in_shop[record["id"]].keys() for record in records)


def test_state_is_written_about_once_per_page(box, read_shop):
    fill(box, count=6)
    emitted = read_shop(box.tap_config(page_size=2))
    assert [at(1), at(3), at(5)] == list(dict.fromkeys(emitted.bookmarks("customers")))


def test_a_second_run_begins_one_look_back_before_the_bookmark(box, read_shop):
    fill(box)
    state = read_shop(box.tap_config()).states()[-1]
    box.requests.clear()
    emitted = read_shop(box.tap_config(lookback_seconds=2), state=state)
    assert [record["id"] for record in emitted.records("customers")] == ["2", "3", "4"]
    assert set(emitted.bookmarks("customers")) == {at(4)}


def test_records_from_the_look_back_do_not_move_the_bookmark_back(box, read_shop):
    fill(box, count=2)
    later = "2026-01-01T08:03:00.000000Z"
    state = {"bookmarks": {"customers": {"replication_key": "updated_at"}}}
    state["bookmarks"]["customers"]["replication_key_value"] = later
    emitted = read_shop(box.tap_config(), state=state)
    assert len(emitted.records("customers")) == 2
    assert set(emitted.bookmarks("customers")) == {later}


def test_the_look_back_does_not_reach_before_the_start_date(box, read_shop):
    fill(box)
    state = read_shop(box.tap_config()).states()[-1]
    emitted = read_shop(box.tap_config(start_date=at(3)), state=state)
    assert [record["id"] for record in emitted.records("customers")] == ["3", "4"]


@pytest.mark.parametrize("written", ["2026-01-01T09:00:03+01:00", "2026-01-01T08:00:03Z"])
def test_a_bookmark_in_another_form_is_the_same_moment(box, read_shop, written):
    fill(box)
    bookmark = {"replication_key": "updated_at", "replication_key_value": written}
    state = {"bookmarks": {"customers": bookmark}}
    emitted = read_shop(box.tap_config(lookback_seconds=0), state=state)
    assert [record["id"] for record in emitted.records("customers")] == ["3", "4"]


def test_a_run_resumed_from_any_state_misses_nothing(box, read_shop):
    fill(box, count=9)
    config = box.tap_config(page_size=2, lookback_seconds=0)
    complete = read_shop(config)
    seen: set[str] = set()
    for message in complete.messages:
        if message["type"] == "RECORD":
            seen.add(message["record"]["id"])
        elif message["type"] == "STATE":
            resumed = read_shop(config, state=message["value"])
            rest = {record["id"] for record in resumed.records()}
            assert seen | rest == {f"{number}" for number in range(9)}


def test_time_extracted_is_before_the_request_of_the_page(box, read_shop):
    fill(box, count=4)
    arrivals: list[datetime] = []
    box.faults.on(
        "shop",
        "GET",
        "/customers",
        lambda _: arrivals.append(datetime.now().astimezone()),
        times=None,
    )
    emitted = read_shop(box.tap_config(page_size=2))
    stamps = [message["time_extracted"] for message in emitted.record_messages("customers")]
    assert all(stamp.endswith("Z") for stamp in stamps)
    moments = [datetime.fromisoformat(stamp.replace("Z", "+00:00")) for stamp in stamps]
    assert moments[0] == moments[1] < moments[2] == moments[3]
    assert moments[0] <= arrivals[0]
    assert moments[2] <= arrivals[1]
    assert arrivals[1] - moments[2] < timedelta(seconds=30)


def test_deleted_records_are_still_emitted(box, read_shop):
    fill(box, count=2)
    box.shop.remove("customers", "1")
    by_id = {record["id"]: record for record in read_shop(box.tap_config()).records()}
    assert by_id["1"]["deleted_at"] is not None


def test_deselected_streams_are_not_requested_and_deselected_fields_not_emitted(box, read_shop):
    box.shop.put("customers", {"id": "1", "name": "Åse", "email": "aase@example.no"})
    box.shop.put("orders", {"id": "1"})

    catalog = TapCustomWebShop(config=box.tap_config()).catalog_dict
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if not metadata["breadcrumb"]:
                metadata["metadata"]["selected"] = entry["stream"] != "orders"
            if metadata["breadcrumb"] == ["properties", "email"]:
                metadata["metadata"]["selected"] = False
    emitted = read_shop(box.tap_config(), catalog=catalog)
    assert emitted.records("orders") == []
    assert box.requests.count(system="shop", path="/orders") == 0
    (customer,) = emitted.records("customers")
    assert customer["name"] == "Åse"
    assert "email" not in customer
    schema = next(message for message in emitted.messages if message["type"] == "SCHEMA")
    assert "email" not in schema["schema"]["properties"]


def test_stream_maps_change_and_filter_records(box, read_shop):
    box.shop.put("customers", {"id": "1", "email": "a@example.no", "name": "A"})
    box.shop.put("customers", {"id": "2", "email": "b@example.no", "name": "B"})
    maps = {"customers": {"email": "md5(email)", "__filter__": "name == 'A'"}}
    (customer,) = read_shop(box.tap_config(stream_maps=maps)).records("customers")
    assert customer["id"] == "1"
    assert "@" not in customer["email"]


def test_a_full_table_run_by_catalog_reads_everything_and_keeps_no_bookmark(box, read_shop):
    fill(box)
    config = box.tap_config(start_date=at(3))
    catalog = TapCustomWebShop(config=dict(config)).catalog_dict
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
        for metadata in entry["metadata"]:
            metadata["metadata"]["selected"] = True
    emitted = read_shop(config, catalog=catalog)
    assert len(emitted.records("customers")) == 5
    assert set(emitted.bookmarks("customers")) == {None}


def test_batches_hold_every_record(box, read_shop, tmp_path):
    fill(box)
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }
    emitted = read_shop(box.tap_config(batch_config=batches))
    assert [message["manifest"] for message in emitted.messages if message["type"] == "BATCH"]
    written = [gzip.decompress(path.read_bytes()) for path in tmp_path.iterdir()]
    assert [len(text.splitlines()) for text in written] == [5]
    assert emitted.bookmarks("customers")[-1] == at(4)


PAGES = (
    [
        {"id": "1", "name": "Bjørg Ås", "updated_at": at(1)},
        {"id": 2, "name": "a number as its id", "updated_at": at(2)},
        {"id": "3", "colour": "a field of the shop's own", "updated_at": at(3)},
        {"id": "4", "custom": {"size": "XL"}, "updated_at": at(4)},
        {"id": "5", "custom": {"size": 1.10}, "updated_at": "2026-01-01T09:00:05+01:00"},
        *({"id": f"{n}", "is_guest": False, "updated_at": at(n)} for n in range(6, 30)),
    ],
    [{"id": f"{n}", "addresses": [{"city": "Oslo"}], "updated_at": at(n)} for n in (30, 31)],
    [{"id": f"{n}", "currency": 7, "updated_at": at(n)} for n in range(32, 50)],
)
NEUTRAL_MAP = {"stream_maps": {"customers": {"__filter__": "True"}}}
"""A map that changes nothing, but for which the SDK parses each record."""


def test_what_is_passed_on_as_bytes_is_what_the_sdk_would_write(page, read_answers):
    def run(**settings):
        pages = [page(records, f"{number}") for number, records in enumerate(PAGES)]
        return read_answers(*pages, page([]), **settings)

    passed_on, parsed = run(), run(**NEUTRAL_MAP)

    assert passed_on.records() == parsed.records()
    assert [record["id"] for record in passed_on.records()] == [f"{n}" for n in range(1, 50)]
    assert passed_on.bookmarks("customers")[-1] == parsed.bookmarks("customers")[-1]
    members = [
        [message.keys() for message in run.messages if message["type"] in ("SCHEMA", "RECORD")]
        for run in (passed_on, parsed)
    ]
    assert members[0] == members[1]


@pytest.mark.parametrize("settings", [{}, NEUTRAL_MAP], ids=["passed on", "parsed"])
def test_records_before_one_that_is_far_out_of_order_are_written_and_the_bookmark_goes_back(
    page, read_answers, settings
):
    records = [{"id": f"{n}", "updated_at": at(n)} for n in (1, 2, 3)]
    late = {"id": "4", "updated_at": "2025-01-01T08:00:00Z"}

    emitted = read_answers(
        page([*records, late, records[0]]), fails_with=ContractBrokenError, **settings
    )

    assert [record["id"] for record in emitted.records()] == ["1", "2", "3"]
    assert emitted.bookmarks("customers")[-1] is None


def test_the_record_counter_counts_records_that_are_passed_on(box, read_shop):
    fill(box, count=7)
    assert '"metric":"record_count","value":7' in read_shop(box.tap_config(page_size=3)).log
