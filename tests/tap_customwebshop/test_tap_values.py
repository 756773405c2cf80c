"""Properties that hold for all stamps, numbers and pages."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import simplejson
from hostile_json import RAW
from hypothesis import example, given
from hypothesis import strategies as st
from tap_customwebshop import schemas
from tap_customwebshop.client import Page, parse_page, read_pages
from tap_customwebshop.connection import RetryBudget, parse_retry_after
from tap_customwebshop.plugin.json_text import read_json
from tap_customwebshop.raw_records import RawRecord, RecordForm
from tap_customwebshop.records import move_to_custom, numbers_to_text
from tap_customwebshop.stamps import format_stamp, parse_stamp, parse_start, sortable_stamp

NOW = datetime.now(timezone.utc)
TODAY = "2026-01-01T08:00:01.000000Z"

zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(timezones=zones).filter(lambda moment: 1900 < moment.year < 2200)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(moments, moments)
def test_sortable_stamps_sort_by_time(moment, other):
    stamp, other_stamp = sortable_stamp(moment.isoformat()), sortable_stamp(other.isoformat())
    assert stamp
    assert other_stamp
    assert (stamp < other_stamp) == (moment < other)
    assert (stamp == other_stamp) == (moment == other)


@given(moments)
def test_a_stamp_is_read_back_as_the_same_moment(moment):
    assert parse_stamp(format_stamp(moment)) == moment
    assert sortable_stamp(format_stamp(moment)) == format_stamp(moment)


shop_moments = st.from_regex(
    r"20\d\d-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-6]\d:[0-6]\d([.,]\d{1,8})?([Zz]|\+0\d:?00)",
    fullmatch=True,
)


@given(st.text() | shop_moments)
@example("2026-01-01T24:00:00.000000Z")
@example("2026-01-01 24:00:00Z")
@example("2026-01-01T10:00:00.\u0661Z")
def test_any_text_has_the_sortable_form_of_its_moment_or_none(text):
    moment = parse_stamp(text)
    assert sortable_stamp(text) == (moment and format_stamp(moment))


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"]": ', "}")])
@pytest.mark.parametrize("more", ["", '"}]}]", "\\ud800"', f'"{"long" * 5000}"'])
def test_json_is_read_up_to_a_hundred_levels_deep(begin, end, more):
    def read(levels):
        return read_json(f'[[{more}], {begin * levels}"seen"{end * levels}]')[1]

    assert "seen" in str(read(99))
    assert "seen" not in str(read(100))
    assert "nested too deeply" in str(read(100))


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("2026-01-31T10:00:00", "2026-01-31T10:00:00.000000Z"),
        ("2026-01-31t10:00:00.123456789z", "2026-01-31T10:00:00.123456Z"),
        ("2026-01-31 10:00:00+0130", "2026-01-31T08:30:00.000000Z"),
    ],
)
def test_a_start_date_may_have_any_common_form(written, moment):
    start = parse_start(written)
    assert start
    assert format_stamp(start) == moment


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.integers())
def test_money_as_a_number_becomes_text_of_the_same_value(number):
    order = {"total_incl": number, "lines": [{"total_incl": number}]}
    numbers_to_text(order, schemas.ORDERS)
    assert isinstance(order["total_incl"], str)
    assert Decimal(order["total_incl"]) == number
    assert order["lines"][0]["total_incl"] == order["total_incl"]


@given(st.dictionaries(st.sampled_from(sorted(schemas.ORDERS["properties"])), json_values))
def test_numbers_become_text_in_any_record(record):
    before = record.keys()
    numbers_to_text(record, schemas.ORDERS)
    assert record.keys() == before


@given(st.dictionaries(st.text(min_size=1), json_values), json_values)
def test_nothing_is_lost_when_members_are_moved_to_custom(unknown, custom):
    unknown.pop("custom", None)
    before = list(custom.values()) if isinstance(custom, dict) else [custom]
    expected = [*before, *unknown.values()] if custom is not None else [*unknown.values()]
    record = {**unknown, "custom": custom}
    move_to_custom(record, set(unknown))
    assert record.keys() == {"custom"}
    assert sorted(map(repr, record["custom"].values())) == sorted(map(repr, expected))


def test_the_next_page_is_requested_while_the_current_one_is_used():
    is_next_requested = threading.Event()

    def fetch(cursor):
        if cursor:
            is_next_requested.set()
        return Page([], None if cursor else "next", datetime.now(timezone.utc), None)

    pages = read_pages(fetch, path="/customers", ahead=True)
    next(pages)
    assert is_next_requested.wait(10)
    assert len(list(pages)) == 1


def test_nan_is_passed_on_as_text():
    page = parse_page(b'{"data": [NaN], "next_cursor": null}', datetime.now(timezone.utc), None)
    assert page.records == ["NaN"]


def _member(field):
    """Values of a field, mostly of the type in the contract."""
    if "properties" in field.get("items", {}):
        valid: st.SearchStrategy[Any] = st.lists(_object(field["items"]), max_size=2)
    elif "object" in field["type"]:
        valid = _object(field)
    else:
        valid = st.booleans() if "boolean" in field["type"] else st.text(max_size=4)
    return st.integers(0, 30).flatmap(lambda n: json_values if n == 0 else valid | st.none())


def _object(schema):
    fields = {name: _member(field) for name, field in schema.get("properties", {}).items()}
    known = st.fixed_dictionaries({}, optional=fields)
    unknown = st.dictionaries(st.text(max_size=3), json_values, max_size=2)
    return st.tuples(unknown if not fields else st.just({}) | unknown, known).map(
        lambda members: {**members[0], **members[1]}
    )


shop_stamps = st.sampled_from(
    [
        *("2026-01-01T08:00:00.000000Z", "2026-01-01T08:00:00Z", "2026-01-01 08:00:00Z"),
        *("2026-01-01T09:00:00+01:00", "0001-01-01T00:00:00Z", "2026-13-01T08:00:00Z", "", None),
    ]
)
keys = st.text("0123456789", min_size=1) | st.sampled_from(["", None, 7])
shop_records = st.tuples(_object(schemas.CUSTOMERS), keys, shop_stamps | st.just(TODAY)).map(
    lambda parts: {**parts[0], "id": parts[1], "updated_at": parts[2]}
)


@given(st.lists(shop_records, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_bytes_are_passed_on_only_where_parsing_would_change_nothing(records, ascii_only, indent):
    answer = {"data": records, "next_cursor": "2"}
    body = simplejson.dumps(answer, use_decimal=True, ensure_ascii=ascii_only, indent=indent)
    encoded = body.encode("utf-8", "surrogatepass")
    parsed_page = parse_page(encoded, NOW, None)
    page = parse_page(encoded, NOW, None, RecordForm(schemas.CUSTOMERS))

    assert page.next_cursor == parsed_page.next_cursor
    for record, parsed in zip(page.records, parsed_page.records, strict=True):
        if not isinstance(record, RawRecord):
            assert record == parsed
            continue
        numbers_to_text(parsed, schemas.CUSTOMERS)
        assert read_json(bytes(record.text)) == parsed
        assert parsed.keys() <= schemas.CUSTOMERS["properties"].keys()
        assert (record.id, record.stamp) == (parsed["id"], sortable_stamp(parsed["updated_at"]))
        assert parsed["updated_at"][10] + parsed["updated_at"][-1] == "TZ"
        assert len(bytes(record.text).splitlines()) == 1


@pytest.mark.parametrize("odd", RAW.values(), ids=RAW)
@pytest.mark.parametrize("place", ["name", "custom", "unknown"])
def test_unusable_json_is_never_passed_on_as_bytes(odd, place):
    odd = f'{{"member": {odd}}}' if place == "custom" else odd
    record = f'{{"id": "1", "updated_at": "{TODAY}", "{place}": {odd}}}'
    valid = f'{{"id": "2", "updated_at": "{TODAY}"}}'
    body = f'{{"data": [{valid}, {record}], "next_cursor": null}}'.encode()

    page = parse_page(body, NOW, None, RecordForm(schemas.CUSTOMERS))

    assert page.records[1] == parse_page(body, NOW, None).records[1]


@pytest.mark.parametrize("broken", [b"\xff", b"\xed\xa0\x80", b"\n", b"\t"])
def test_an_answer_that_is_not_json_is_not_passed_on_as_bytes(broken):
    record = b'{"id": "1", "updated_at": "%b", "name": "Kari%b"}' % (TODAY.encode(), broken)
    body = b'{"data": [%b], "next_cursor": null}' % record
    answer = RecordForm(schemas.CUSTOMERS).parse_answer(body)

    assert answer is None or not isinstance(answer["data"][0], RawRecord)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("0", 0, 0), ("120", 120, 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)],
)
def test_retry_after_is_seconds_or_a_date(header, least, most):
    assert least <= parse_retry_after(header) <= most


@pytest.mark.parametrize("header", [None, "", "soon", "-1", "1.5"])
def test_an_unusable_retry_after_is_none(header):
    assert parse_retry_after(header) is None


@given(st.integers(1, 60))
def test_no_wait_goes_beyond_the_budget(attempts):
    budget = RetryBudget(10)
    waits = [budget.next_wait() for _ in range(attempts)]
    assert all(wait is None or 0 < wait <= 10 for wait in waits)
    assert RetryBudget(10).next_wait(asked=11) is None
    assert (RetryBudget(10).next_wait(asked=2) or 0) >= 2


@given(asked=st.floats(0, 5), attempts=st.integers(1, 8))
def test_no_wait_is_shorter_than_the_back_off_or_what_the_shop_asks_for(asked, attempts):
    budget = RetryBudget(1000)
    waits = [budget.next_wait(asked=asked) for _ in range(attempts)]

    assert all(wait >= max(asked, 0.125 * 2**number) for number, wait in enumerate(waits))
