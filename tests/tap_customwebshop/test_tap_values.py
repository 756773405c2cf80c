"""Rules that hold for all stamps, numbers and pages."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tap_customwebshop import schemas
from tap_customwebshop.client import Page, parse_page, read_pages
from tap_customwebshop.connection import Patience, read_retry_after
from tap_customwebshop.records import move_to_custom, numbers_to_text
from tap_customwebshop.stamps import parse_stamp, parse_start, sortable_stamp, write_stamp

zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(timezones=zones).filter(lambda moment: 1900 < moment.year < 2200)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(moments, moments)
def test_sortable_stamps_sort_as_the_moments_do(one, other):
    first, second = sortable_stamp(one.isoformat()), sortable_stamp(other.isoformat())
    assert first
    assert second
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@given(moments)
def test_a_stamp_is_read_back_as_the_same_moment(moment):
    assert parse_stamp(write_stamp(moment)) == moment
    assert sortable_stamp(write_stamp(moment)) == write_stamp(moment)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", fullmatch=True))
def test_any_text_is_a_stamp_or_none(text):
    stamp = sortable_stamp(text)
    assert stamp is None or parse_stamp(stamp) is not None


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        ("2026-01-31T10:00:00", "2026-01-31T10:00:00.000000Z"),
        ("2026-01-31t10:00:00.123456789z", "2026-01-31T10:00:00.123456Z"),
        ("2026-01-31 10:00:00+0130", "2026-01-31T08:30:00.000000Z"),
    ],
)
def test_a_start_date_may_be_written_as_people_do(written, moment):
    start = parse_start(written)
    assert start
    assert write_stamp(start) == moment


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.integers())
def test_money_as_a_number_becomes_text_of_the_same_value(number):
    order = {"total_incl": number, "lines": [{"total_incl": number}]}
    numbers_to_text(order, schemas.ORDERS)
    assert isinstance(order["total_incl"], str)
    assert Decimal(order["total_incl"]) == number
    assert order["lines"][0]["total_incl"] == order["total_incl"]


@given(st.dictionaries(st.sampled_from(sorted(schemas.ORDERS["properties"])), json_values))
def test_no_record_at_all_upsets_the_reading_of_numbers(record):
    before = record.keys()
    numbers_to_text(record, schemas.ORDERS)
    assert record.keys() == before


@given(st.dictionaries(st.text(min_size=1), json_values), json_values)
def test_nothing_is_lost_on_the_way_into_custom(unknown, custom):
    unknown.pop("custom", None)
    held = list(custom.values()) if isinstance(custom, dict) else [custom]
    expected = [*held, *unknown.values()] if custom is not None else [*unknown.values()]
    record = {**unknown, "custom": custom}
    move_to_custom(record, set(unknown))
    assert record.keys() == {"custom"}
    assert sorted(map(repr, record["custom"].values())) == sorted(map(repr, expected))


def test_the_next_page_is_asked_for_while_this_one_is_in_hand():
    asked_again = threading.Event()

    def fetch(cursor):
        if cursor:
            asked_again.set()
        return Page(
            [], None if cursor else "next", datetime.now(timezone.utc), None, has_numbers=False
        )

    pages = read_pages(fetch, path="/customers", ahead=True)
    next(pages)
    assert asked_again.wait(10)
    assert len(list(pages)) == 1


def test_not_a_number_passes_as_text():
    page = parse_page(b'{"data": [NaN], "next_cursor": null}', datetime.now(timezone.utc), None)
    assert page.records == ["NaN"]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("0", 0, 0), ("120", 120, 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)],
)
def test_retry_after_is_seconds_or_a_date(header, least, most):
    assert least <= read_retry_after(header) <= most


@pytest.mark.parametrize("header", [None, "", "soon", "-1", "1.5"])
def test_a_retry_after_that_says_nothing_is_none(header):
    assert read_retry_after(header) is None


@given(st.integers(1, 60))
def test_no_wait_goes_beyond_the_budget(attempts):
    patience = Patience(10)
    waits = [patience.next_wait() for _ in range(attempts)]
    assert all(wait is None or 0 < wait <= 10 for wait in waits)
    assert Patience(10).next_wait(asked=11) is None
    assert (Patience(10).next_wait(asked=2) or 0) >= 2


@given(asked=st.floats(0, 5), attempts=st.integers(1, 8))
def test_no_wait_is_shorter_than_the_back_off_or_than_what_the_shop_asks_for(asked, attempts):
    patience = Patience(1000)
    waits = [patience.next_wait(asked=asked) for _ in range(attempts)]

    assert all(wait >= max(asked, 0.125 * 2**number) for number, wait in enumerate(waits))
