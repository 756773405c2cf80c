"""Entries of Go that nothing can be done with: the others come all the same."""

from __future__ import annotations

import pytest
import simplejson
from hostile_json import RAW
from target_powerofficego.go_api import OutOfOrder


def spoil(box, entries, member, raw):
    body = simplejson.dumps(
        [{**entries[0], member: "spoilt"}, *entries[1:]], use_decimal=True
    ).replace('"spoilt"', raw)
    box.faults.add(system="go", method="GET", path="/products$", status=200, body=body, times=None)


@pytest.fixture
def products(merchant, box):
    for code in "ABC":
        merchant.product(Code=code)
    return [dict(one) for one in box.go.entries("Products")]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("member", ["Name", "UnitPrice", "LastChangedDateTimeOffset", "New"])
def test_an_entry_with_what_nothing_can_be_done_with_stops_no_other(
    products, box, read_go, raw, member
):
    spoil(box, products, member, raw)

    first = read_go("products")
    second = read_go("products", state=first.states()[-1])

    assert [one["Code"] for one in sorted(first.records(), key=lambda one: one["Code"])] == [*"ABC"]
    for one in (first, second):
        assert "\0" not in simplejson.dumps(one.records(), ensure_ascii=False)
    newest = max(one["LastChangedDateTimeOffset"] for one in products[1:])
    assert second.bookmarks("products")[-1]["replication_key_value"] >= newest


@pytest.mark.parametrize(
    "stamp",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.0000000Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "2026-13-41T99:99:99.0000000Z",
        "2999-01-01T00:00:00.0000000Z",
        5,
        {},
        None,
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "member", ["LastChangedDateTimeOffset", "StockOnHandLastChangedDatetimeOffset"]
)
def test_a_stamp_that_cannot_be_hides_no_later_change(products, box, read_go, stamp, member):
    spoil(box, products, member, simplejson.dumps(stamp))

    first = read_go("products", full_check_hours=1)
    box.faults.clear()
    box.go.edit("Products", products[1]["Id"], {"Name": "Lue"})
    second = read_go("products", state=first.states()[-1], full_check_hours=1)

    assert len(first.records()) == 3
    assert "Lue" in [one["Name"] for one in second.records()]
    is_to_come = str(stamp)[:4] in ("2999", "9999") and not str(stamp).endswith("-14:00")
    assert (f"products: an entry has a {member} in the future" in first.log) is is_to_come


def test_pages_that_never_end_are_one_line(products, box, read_go):
    headers = {"X-Pagination": '{"nextPageLink": "https://goapi.example/next"}'}
    box.faults.add(path="/products$", status=200, body=products, headers=headers, times=None)

    emitted = read_go("products", fails_with=OutOfOrder)

    assert emitted.log.splitlines()[-1].startswith("GET /Products: the pages do not end: 10 in a")
    assert len(emitted.reads) == 11
