"""Entries of Go that cannot be used: the others are emitted all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal

import pytest
import simplejson
from hostile_json import RAW
from hypothesis import given
from hypothesis import strategies as st
from tap_powerofficego.entries import PageReader, as_text, members_of
from tap_powerofficego.writer import as_json
from target_powerofficego.go_api import OutOfService
from target_powerofficego.plugin.json_text import read_json

STAMP = "LastChangedDateTimeOffset"


def spoil(box, entries, member, raw):
    body = simplejson.dumps(
        [{**entries[0], member: "spoilt"}, *entries[1:]], use_decimal=True
    ).replace('"spoilt"', raw)
    box.faults.add(system="go", method="GET", path="/products$", status=200, body=body, times=None)


@pytest.fixture
def products(merchant, box):
    for code in "ABC":
        merchant.product(Code=code)
    return [dict(entry) for entry in box.go.entries("Products")]


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
@pytest.mark.parametrize("member", ["Name", "UnitPrice", "LastChangedDateTimeOffset", "New"])
def test_an_unusable_entry_does_not_stop_the_others(products, box, read_go, raw, member):
    spoil(box, products, member, raw)

    first = read_go("products")
    second = read_go("products", state=first.states()[-1])

    assert sorted(record["Code"] for record in first.records()) == [*"ABC"]
    for run in (first, second):
        assert "\0" not in simplejson.dumps(run.records(), ensure_ascii=False)
    newest = max(product[STAMP] for product in products[1:])
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
def test_an_impossible_stamp_hides_no_later_change(products, box, read_go, stamp, member):
    spoil(box, products, member, simplejson.dumps(stamp))

    first = read_go("products", full_check_hours=1)
    box.faults.clear()
    box.go.edit("Products", products[1]["Id"], {"Name": "Lue"})
    second = read_go("products", state=first.states()[-1], full_check_hours=1)

    assert len(first.records()) == 3
    assert "Lue" in [record["Name"] for record in second.records()]
    is_future = str(stamp)[:4] in ("2999", "9999") and not str(stamp).endswith("-14:00")
    assert (f"products: an entry has a {member} in the future" in first.log) is is_future


def test_pages_that_never_end_are_one_line_errors(products, box, read_go):
    headers = {"X-Pagination": '{"nextPageLink": "https://goapi.example/next"}'}
    box.faults.add(path="/products$", status=200, body=products, headers=headers, times=None)

    emitted = read_go("products", fails_with=OutOfService)

    assert emitted.log.splitlines()[-1].startswith("GET /Products: the pages do not end: 10 in a")
    assert len(emitted.reads) == 11


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_entries_passed_on_have_the_same_values_as_parsed_ones(products, box, read_go, raw):
    spoil(box, products, "New", raw)

    passed_on = read_go("products")
    parsed = read_go("products", stream_maps={"products": {"Copy": "Code"}})

    assert passed_on.records() == [without("Copy", record) for record in parsed.records()]
    bookmarks = [
        [without("listed_in_full_at", bookmark) for bookmark in run.bookmarks("products")]
        for run in (passed_on, parsed)
    ]
    assert bookmarks[0] == bookmarks[1] != []
    assert passed_on.log.count("products: Go has a new member 'New'") == 1


def without(member, record):
    return {name: value for name, value in record.items() if name != member}


numbers = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
fragments = st.sampled_from([*RAW.values(), '"\\ud83d\\ude00"', '"\\u00e5"', "-0.0", "1E+16", "-0"])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
members = st.sampled_from(["Id", "Name", "UnitPrice", STAMP, "New", ""]) | st.text(max_size=3)
entries = st.dictionaries(members, values, max_size=6)


@given(st.lists(entries | values, max_size=4), fragments, st.booleans(), st.sampled_from([None, 1]))
def test_a_page_as_text_has_the_values_of_the_parsed_page(page, fragment, ascii_only, indent):
    entries = [*page, {"Id": 1, "New": "spoilt"}]
    text = simplejson.dumps(entries, use_decimal=True, ensure_ascii=ascii_only, indent=indent)
    answer = text.replace('"spoilt"', fragment).encode("utf-8", "surrogatepass")

    for entry, body in zip(PageReader([STAMP])(answer), read_json(answer), strict=True):
        if not isinstance(body, dict):
            assert entry == body
            continue
        assert dict(entry) == {name: body[name] for name in ("Id", STAMP) if name in body}
        assert exactly(entry.text) == exactly(as_json(body))
        assert exactly(as_text(members_of(entry.text))) == exactly(entry.text)
        assert exactly(as_json(read_json(entry.text))) == exactly(entry.text)
        assert len(entry.text.splitlines()) == 1


def exactly(text):
    """Parse JSON with its numbers as Decimal; fail at NaN and infinity, which are not JSON."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=pytest.fail)


@pytest.mark.parametrize("broken", [b"\xff", b"\xed\xa0\x80", b"\n", b"\t", b"\\x", b'"'])
def test_an_answer_that_is_not_json_is_not_taken_for_a_page(broken):
    answer = b'[{"Id": 1, "Name": "Kari%b"}]' % broken
    try:
        parsed = read_json(answer)
    except ValueError:
        with pytest.raises(ValueError, match=r"line|byte"):
            PageReader([])(answer)
    else:
        assert [read_json(entry.text) for entry in PageReader([])(answer)] == parsed


def test_a_list_too_large_for_the_temporary_files_ends_the_run_with_one_line(box, config, tmp_path):
    body = [{"Id": number, "Description": "Genser " * 200} for number in range(1, 4000)]
    box.faults.add(path="/products$", status=200, body=body, times=None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from tap_powerofficego.tap import TapPowerOfficeGo; TapPowerOfficeGo.cli()"
    )
    command = [sys.executable, "-c", limited, "--config", tmp_path / "config.json"]

    ended = subprocess.run(command, check=False, capture_output=True, text=True)

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    message = "products: what was read does not fit into the folder for temporary files"
    assert message in ended.stderr.splitlines()[-1]
