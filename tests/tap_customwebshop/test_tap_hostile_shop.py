"""What the tap does with records and pages that break the contract."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta, timezone

import pytest
from drips import DRIPS, dripping, packed
from members import assert_members
from tap_customwebshop.client import Page, read_pages
from tap_customwebshop.connection import ShopConnection, TemporaryError
from tap_customwebshop.errors import ContractBrokenError, ShopUnavailableError


def at(minute: int) -> str:
    return f"2026-01-01T08:{minute:02d}:00.000000Z"


def record(key: str, minute: int, **fields):
    return {"id": key, "updated_at": at(minute), **fields}


def test_records_so_far_out_of_order_that_a_resumed_run_would_lose_some_are_an_error(page, fails):
    first, second = page([record("2", 50)], "next"), page([record("1", 1)])
    emitted = fails(first, second, kind=ContractBrokenError, message="ascending order", page_size=1)
    assert [record["id"] for record in emitted.records()] == ["2"]
    assert emitted.bookmarks("customers")[-1] is None


def test_records_out_of_order_within_the_look_back_are_emitted_with_one_warning(page, read_answers):
    records = [record("1", 10), record("2", 8), record("3", 9), record("4", 5), record("5", 11)]
    emitted = read_answers(page(records))
    assert [record["id"] for record in emitted.records()] == ["1", "2", "3", "4", "5"]
    assert emitted.bookmarks("customers")[-1] == at(11)
    assert emitted.log.count("not in order of 'updated_at'") == 1


def test_a_shop_that_ignores_updated_since_is_reported_once(page, read_answers):
    emitted = read_answers(
        page([record("1", 1), record("2", 2), record("3", 30)]), start_date=at(20)
    )
    assert len(emitted.records()) == 3
    assert emitted.log.count("ignores 'updated_since'") == 1


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"]])
def test_pages_that_go_round_in_a_circle_end_the_run(page, fails, cursors):
    answers = [page([record(f"{n}", n)], cursor) for n, cursor in enumerate(cursors)]
    emitted = fails(*answers, kind=ContractBrokenError, message="circle")
    assert len(emitted.records()) == len(cursors)


@pytest.mark.parametrize(
    "ids", [[()], [("1", "2")], [("1",), ("2", "3")], [("2", "1"), ("1", "2")]]
)
def test_pages_with_nothing_new_end_the_run_though_their_cursors_differ(
    scripted_shop, page, fails, ids
):
    answers = [
        page([record(key, 1) for key in ids[number % len(ids)]], f"cursor {number}")
        for number in range(40)
    ]

    emitted = fails(
        *answers,
        kind=ContractBrokenError,
        message="GET /customers: the pages do not end: 10 in a row are empty, or the same",
    )

    assert len(scripted_shop.requests) <= len(ids) + 11
    assert {record["id"] for record in emitted.records()} == {key for keys in ids for key in keys}


def test_many_records_need_no_more_memory_than_a_page():
    numbers = iter(range(100))

    def fetch(cursor):
        number = next(numbers)
        records = [{"id": f"{number} {index}"} for index in range(1000)]
        cursor = f"{number}" if number < 99 else None
        return Page(records, cursor, datetime.now(timezone.utc), None)

    tracemalloc.start()
    try:
        count = sum(len(page.records) for page in read_pages(fetch, path="/orders", ahead=False))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 100_000
    assert peak < 2_000_000


@pytest.mark.parametrize("empty", [1, 5])
def test_a_few_empty_pages_do_not_end_the_reading(scripted_shop, page, read_answers, empty):
    cursors = [f"gap {number}" for number in range(empty)]
    gap = [page([], cursor) for cursor in cursors]
    emitted = read_answers(page([record("1", 1)], "a"), *gap, page([record("2", 2)]))
    assert [record["id"] for record in emitted.records()] == ["1", "2"]
    requests = scripted_shop.requests[: empty + 2]
    assert [request.query.get("cursor") for request in requests] == [None, "a", *cursors]


def test_numbers_keep_their_digits_and_ids_become_text(answer, read_answers):
    body = (
        '{"data": [{"id": 12345678901234567890, "customer_id": 7,'
        ' "updated_at": "2026-01-01T08:01:00Z",'
        ' "total_incl": 199.00, "total_excl": 0.1000000000000000055511151231257827,'
        ' "total_tax": 4e1, "note": 5.50, "custom": {"weight": 1.10},'
        ' "lines": [{"id": 1, "quantity": 2, "unit_price_excl": 12.50}]}], "next_cursor": null}'
    )
    (order,) = read_answers(answer(body.encode()), stream="orders").records("orders")
    assert_members(
        order,
        id="12345678901234567890",
        customer_id="7",
        total_incl="199.00",
        total_excl="0.1000000000000000055511151231257827",
        total_tax="40",
        lines=[{"id": "1", "quantity": "2", "unit_price_excl": "12.50"}],
        note="5.50",  # still a JSON number, which this test reads as text
        custom={"weight": "1.10"},
    )


@pytest.mark.parametrize(
    "garbage", ["false", "", 0, 5, [], ["x"], {}, {"a": None}, True, None, "12,50 kr"]
)
def test_garbage_is_passed_on_unchanged(page, read_answers, garbage):
    fields = {"is_guest": garbage, "name": garbage, "addresses": garbage, "note": garbage}
    (customer,) = read_answers(page([record("1", 1, **fields)])).records()
    assert customer == record("1", 1, **fields)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"Kari\\ud83d"', "Kari�"),
        ('"Kari\\u0000"', "Kari�"),
        ('"Kari \\ud83c\\udf84"', "Kari 🎄"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("-1E-99999999999999999999", "-1E-99999999999999999999"),
        ("1e999999999", "1e999999999"),
        ("9" * 5000, "9" * 5000),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
@pytest.mark.parametrize("name", ["note", "total_incl", "whatever"])
def test_an_unusable_value_spoils_nothing_else(answer, read_answers, raw, expected, name):
    spoilt = f'{{"id": "1", "updated_at": "{at(1)}", "{name}": {raw}}}'
    body = f'{{"data": [{spoilt}, {{"id": 2, "updated_at": "{at(2)}"}}], "next_cursor": null}}'

    first, second = read_answers(answer(body.encode()), stream="orders").records("orders")

    assert (first["custom"] if name == "whatever" else first)[name] == expected
    assert second == {"id": "2", "updated_at": at(2)}


@pytest.mark.parametrize(
    "deep", ["[" * 100_000 + "]" * 100_000, "[" * 500 + "]" * 500, '{"]": ' * 500 + "1" + "}" * 500]
)
def test_a_value_nested_too_deeply_is_left_out_and_its_page_is_read(answer, read_answers, deep):
    spoilt = f'{{"id": "1", "updated_at": "{at(1)}", "name": {deep}, "phone": "[[\\"{{"}}'
    body = f'{{"data": [{spoilt}, {{"id": 2, "updated_at": "{at(2)}"}}], "next_cursor": null}}'

    first, second = read_answers(answer(body.encode())).records("customers")

    assert "(left out: nested too deeply)" in str(first["name"])
    assert first["phone"] == '[["{'
    assert second["id"] == "2"


def test_missing_stays_missing_and_null_stays_null(page, read_answers):
    assert read_answers(page([record("1", 1, phone=None)])).records() == [
        record("1", 1, phone=None)
    ]


def test_unknown_fields_go_to_custom_and_are_reported_once(page, read_answers):
    first = record("1", 1, colour="red", custom={"colour": "blue", "size": 3})
    second = record("2", 2, colour="green", custom=None)
    third = record("3", 3, colour="grey", custom="mine")
    emitted = read_answers(page([first, second, third]))
    assert [record["custom"] for record in emitted.records()] == [
        {"colour": "blue", "size": 3, "_colour": "red"},
        {"colour": "green"},
        {"custom": "mine", "colour": "grey"},
    ]
    assert emitted.log.count("no field 'colour'") == 1


@pytest.mark.parametrize("broken", [{"updated_at": at(2)}, {"id": None}, {"id": ""}, "text", None])
def test_a_record_without_an_id_ends_the_run_with_its_place(page, fails, broken):
    emitted = fails(
        page([record("1", 1), broken, record("3", 3)]),
        kind=ContractBrokenError,
        message="GET /customers: record 2 of page 1",
    )
    assert at(3) not in emitted.bookmarks("customers")


@pytest.mark.parametrize("stamp", [None, "yesterday", "2026-13-01T00:00:00Z", 1767225600])
def test_a_record_without_a_readable_stamp_is_emitted_and_moves_no_bookmark(
    page, read_answers, stamp
):
    undated = {"id": "2", "updated_at": stamp}
    emitted = read_answers(page([record("1", 1), undated]))
    assert emitted.records()[1] == undated
    assert emitted.bookmarks("customers")[-1] == at(1)
    assert emitted.log.count("no readable 'updated_at'") == 1


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_stamp_in_the_year_1_counts_as_no_stamp_anywhere_in_a_list(page, read_answers, stamp):
    records = [{"id": f"{n}", "updated_at": stamp} for n in range(3)]

    emitted = read_answers(page([*records, record("3", 1), records[0]]))

    assert len(emitted.records()) == 5
    assert emitted.bookmarks("customers")[-1] == at(1)
    assert emitted.log.count("no readable 'updated_at'") == 1


def test_a_bookmark_in_the_year_1_reads_everything(scripted_shop, page, read_answers):
    bookmark = {"replication_key": "updated_at", "replication_key_value": "0001-01-01T00:00:00Z"}

    emitted = read_answers(
        page([record("1", 2), record("2", 1)]), state={"bookmarks": {"customers": bookmark}}
    )

    assert len(emitted.records()) == 2
    assert "updated_since" not in scripted_shop.requests[0].query


def test_stamps_with_an_offset_become_utc(page, read_answers):
    emitted = read_answers(page([{"id": "1", "updated_at": "2026-01-01T10:00:00+02:00"}]))
    assert emitted.records()[0]["updated_at"] == at(0)
    assert emitted.bookmarks("customers")[-1] == at(0)


@pytest.mark.parametrize("days", [-400, 0, 400])
def test_the_bookmark_never_passes_the_shops_own_clock(box, read_shop, days):
    box.shop.clock_skew_seconds = days * 86_400
    shop_time = box.shop.clock.now()
    before, after = ((shop_time + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    box.shop.put("customers", {"id": "1", "updated_at": before})
    box.shop.put("customers", {"id": "2", "updated_at": after})

    emitted = read_shop(box.tap_config(start_date="2000-01-01"))

    assert [record["id"] for record in emitted.records("customers")] == ["1", "2"]
    bookmark = emitted.bookmarks("customers")[-1]
    assert datetime.fromisoformat(bookmark.replace("Z", "+00:00")).isoformat() == before


def test_no_change_is_missed_after_a_shops_fast_clock_is_corrected(box, read_shop):
    box.shop.clock_skew_seconds = 3600
    box.shop.put("customers", {"id": "1"})
    state = read_shop(box.tap_config()).states()[-1]
    box.shop.clock_skew_seconds = 0

    emitted = read_shop(box.tap_config(), state=state, fails_with=ContractBrokenError)

    assert "bookmark of 'customers' lies in the future" in emitted.log


def test_a_stamp_far_in_the_future_does_not_move_the_bookmark(page, read_answers):
    future = {"id": "2", "updated_at": "2999-01-01T00:00:00Z"}
    emitted = read_answers(page([record("1", 1), future]))
    assert emitted.records()[1] == future
    assert emitted.bookmarks("customers")[-1] == at(1)
    assert "in the future" in emitted.log


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"data": {}}', b'{"data": []}', b'{"data": [], "next_cursor": {}}']
)
def test_an_answer_of_the_wrong_form_ends_the_run(answer, fails, body):
    fails(answer(body), kind=ContractBrokenError, message="GET /customers", requests=1)


def test_html_instead_of_json_is_requested_again_and_never_shown(answer, fails):
    emitted = fails(
        answer(b"<html>Ola Nordmann</html>"),
        kind=ShopUnavailableError,
        message="is not JSON",
        requests=3,
    )
    assert "Nordmann" not in emitted.log


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("part", DRIPS)
def test_an_answer_that_trickles_in_is_abandoned_whichever_part_is_slow(part, method):
    with dripping(part) as url:
        shop = ShopConnection(url, "not-a-real-token", user_agent="test", request_timeout=0.5)
        with pytest.raises(TemporaryError, match=r"^no answer within 0\.5 seconds$") as caught:
            shop.send(method, "/customers/1", body=b"{}" if method == "PATCH" else None)
        shop.close()

    assert caught.value.may_have_happened


def test_an_answer_that_trickles_in_ends_the_run_with_one_line(read_shop):
    with dripping("header") as url:
        settings = {"request_timeout": 1, "retry_seconds": 0, "auth_token": "not-a-real-token"}
        emitted = read_shop({**settings, "api_url": url}, fails_with=ShopUnavailableError)

    assert "GET /customers: no answer within 1 seconds" in emitted.log


def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_read(answer, fails):
    body = packed(b'{"data": [], "next_cursor": null}', 65)

    fails(
        answer(body, headers={"Content-Encoding": "gzip"}),
        kind=ShopUnavailableError,
        message="GET /customers: the answer is larger than 64 MB",
        requests=1,
    )
