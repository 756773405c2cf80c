"""What shops do that misleads a reader: it is detected, or does no harm."""

from __future__ import annotations

import json

import pytest
import taps
from odd_shop import ALL, FIVE, HEAD, ROWS, Reply, ids, row, sliced
from tap_customwebshop.errors import ShopError, ShopFileError, ShopRefusedError
from tap_customwebshop.tap import TapCustomWebShop

# Pages


def test_a_shop_that_reports_by_graphql_that_it_is_busy_is_asked_again(read, odd_shop):
    busy = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}

    def answer(_):
        return busy if len(odd_shop.requests) < 3 else {"data": {"x": FIVE}}

    file = f"CUSTOMERS = Listing('/graphql', 'data.x', graphql='query {{ x {{ id }} }}')\n{ROWS}"
    assert ids(read(answer, file, retry_seconds=60)) == ALL
    assert len(odd_shop.requests) == 3


def test_the_cursor_of_the_last_page_is_not_followed(read, odd_shop):
    def answer(request):
        first = int(request.query.get("after", 0))
        return {"rows": sliced(FIVE, first, 2), "after": first + 2, "more": first + 2 < 5}

    file = "CUSTOMERS = Listing('/list', 'rows', Cursor('after={cursor}', 'after', 'more'))\n"
    assert ids(read(answer, file + ROWS)) == ALL
    assert [request.query for request in odd_shop.requests] == [{}, {"after": "2"}, {"after": "4"}]


def linked(pager, rows, link):
    """Return an answer with a link to the next page where the pager looks for it."""
    if pager == "Next('next')":
        return {"rows": rows, "next": link}
    return Reply({"rows": rows}, headers={"Link": f'<{link}>; rel="next"'} if link else {})


@pytest.mark.parametrize("pager", ["Link('')", "Next('next')"])
def test_a_next_page_at_another_host_is_read_from_the_host_that_is_set(read, odd_shop, pager):
    """A shop behind a proxy links to its internal name, with the path that is set."""

    def answer(request):
        first = int(request.query.get("from", 0))
        link = f"http://inner.example:8080/api/v1/list?from={first + 2}" if first < 4 else ""
        return linked(pager, sliced(FIVE, first, 2), link)

    file = f"CUSTOMERS = Listing('/list', 'rows', {pager})\n{ROWS}"
    assert ids(read(answer, file, api_url=f"{odd_shop.url}/api/v1")) == ALL
    assert odd_shop.paths() == ["/api/v1/list"] * 3
    assert {request.headers["Authorization"] for request in odd_shop.requests} == {
        "Bearer hemmelig-token"
    }


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/list?page=2",
        "/api/v1/../admin",
        "/api/v1/%2e%2e/admin",
        "/api/v1/x/..%2f..%2fadmin",
        "/api/v10/list",
        "https://me:secret@evil.example/api/v1/list",
        "//evil.example/list",
    ],
)
@pytest.mark.parametrize("pager", ["Link('')", "Next('next')"])
def test_no_link_leads_out_of_the_path_that_is_set(read, odd_shop, pager, link):
    emitted = read(
        lambda _: linked(pager, FIVE, link),
        f"CUSTOMERS = Listing('/list', 'rows', {pager})\n{ROWS}",
        api_url=f"{odd_shop.url}/api/v1",
        fails_with=ShopRefusedError,
    )
    assert odd_shop.paths() == ["/api/v1/list"]
    assert emitted.records() == []


@pytest.mark.parametrize(
    ("by", "key"),
    [
        *((by, key) for by in ("get", "list") for key in ("..", "../../x", "%2e%2e", "..%2Fx")),
        ("touched", ".."),
        ("touched", "../../x"),
    ],
)
def test_no_id_leads_out_of_the_path_that_is_set(read, odd_shop, by, key):
    """However the file inserts an id from the shop into a path."""
    file = f"""
CUSTOMERS = Listing("/list", since="after={{since}}", single="/{{id}}")
def customer(row, shop):
    if "{by}" != "touched":
        shop.{by if by != "touched" else "get"}(f"/list/{{row['name']}}/more")
    return {{"id": row["id"], "updated_at": stamp(row["changed"])}}
def touched(shop, since):
    return {{"customers": ["{key}"] if "{by}" == "touched" else []}}
"""
    rows = [row(1, name=key)]
    state = {"bookmarks": {"customers": {"replication_key_value": "2025-01-01T00:00:00Z"}}}

    def answer(request):
        return rows if request.path == "/api/v1/list" else [] if by == "list" else row(9)

    read(answer, file, api_url=f"{odd_shop.url}/api/v1", state=state, fails_with=ShopError)
    assert odd_shop.paths() == ["/api/v1/list"]


def test_a_row_that_would_lead_out_of_the_path_is_named_and_the_others_are_read(read):
    """A buyer may have typed it, such as a coupon's code."""
    file = "CUSTOMERS = Listing('/list')" + ROWS.replace(
        "    return", "    shop.get(f'/coupons/{row[\"name\"]}')\n    return"
    )
    rows = [row(1), row(2, name="../orders"), row(3)]
    emitted = read(
        lambda request: rows if request.path == "/list" else {}, file, fails_with=ShopError
    )
    assert ids(emitted) == ["1", "3"]
    assert "cannot be used in a path. (id 2)" in emitted.log


def test_rows_that_fail_alike_are_one_warning_though_a_path_has_their_ids(read):
    more = "shop.get(f'/list/{row[\"id\"]}')['x'] if row['id'] > '2' else 'x'"
    file = "CUSTOMERS = Listing('/list')" + ROWS.replace('row["name"]', more)
    emitted = read(
        lambda request: FIVE if request.path == "/list" else {"y": 1}, file, fails_with=ShopError
    )
    assert ids(emitted) == ["1", "2"]
    assert emitted.log.count("customers was not read. my_shop.py, line 4: /list/") == 1


@pytest.mark.parametrize(
    "pager", ["Page('page={page}', size=2)", "Offset('offset={offset}', size=2)"]
)
def test_a_page_with_fewer_rows_than_were_requested_is_not_the_last(read, pager):
    def answer(request):
        first = (
            int(request.query["page"]) - 1 if "page" in request.query else request.query["offset"]
        )
        return sliced(FIVE, int(first), 1)

    assert ids(read(answer, f"CUSTOMERS = Listing('/list', pager={pager})\n{ROWS}")) == ALL


def test_a_page_without_rows_is_not_the_last_while_there_is_a_cursor(read):
    def answer(request):
        first = int(request.query.get("after", 0))
        rows = [] if first % 2 else sliced(FIVE, first // 2, 1)
        return {"rows": rows, "after": first + 1 if first < 9 else None}

    file = f"CUSTOMERS = Listing('/list', 'rows', Cursor('after={{cursor}}', 'after'))\n{ROWS}"
    assert ids(read(answer, file)) == ALL


@pytest.mark.parametrize(
    ("answer", "message", "requests"),
    [
        (lambda n: {"rows": [], "after": f"{n}"}, "the pages do not end", 10),
        (
            lambda n: {"rows": [row(n)], "after": "same"},
            "the pages do not end: check what the pager follows",
            2,
        ),
    ],
    ids=["no rows, new cursors", "new rows, the same cursor"],
)
def test_pages_that_do_not_end_are_an_error(read, odd_shop, answer, message, requests):
    pager = "Cursor('after={cursor}', 'after'), most_pages=30"
    emitted = read(
        lambda _: answer(len(odd_shop.requests)),
        f"CUSTOMERS = Listing('/list', 'rows', {pager})\n{ROWS}",
        fails_with=ShopError,
    )
    assert message in emitted.log
    assert len(odd_shop.requests) == requests


@pytest.mark.parametrize(
    ("content", "headers", "place"),
    [
        ({"rows": FIVE}, {"Link": '</list?page=2>; rel="next"'}, "header Link"),
        ({"rows": FIVE, "links": {"next": "/list?page=2"}}, {}, "links.next"),
        ({"rows": FIVE, "_links": {"next": {"href": "/list?page=2"}}}, {}, "_links.next.href"),
        ({"rows": FIVE, "paging": {"next_cursor": "abc"}}, {}, "paging.next_cursor"),
        ({"rows": FIVE, "has_more": True}, {}, "has_more"),
        ({"rows": FIVE, "pageInfo": {"hasNextPage": True}}, {}, "pageInfo.hasNextPage"),
        ({"rows": FIVE, "total_count": 7}, {}, "total_count"),
        ({"rows": FIVE, "meta": {"totalItems": 7}}, {}, "meta.totalItems"),
        ({"rows": FIVE, "@odata.count": "7"}, {}, "@odata.count"),
    ],
)
def test_a_list_with_more_pages_but_no_pager_does_not_count_as_complete(
    read, content, headers, place
):
    file = f"CUSTOMERS = Listing('/list', 'rows')\n{ROWS}"
    emitted = read(lambda _: Reply(content, headers=headers), file, fails_with=ShopError)
    assert f"more rows follow according to '{place}', but the Listing has no pager" in emitted.log
    assert emitted.records() == []


def test_a_list_that_reports_no_further_pages_is_complete(read):
    content: dict = {"rows": FIVE, "next": None, "has_more": False, "links": {"next": ""}}
    content |= {"count": 5, "total": 5, "discount": 9, "total_pages": 9, "counted": {"count": True}}
    answer = Reply(content, headers={"Link": '</list?page=1>; rel="first"'})
    assert ids(read(lambda _: answer, f"CUSTOMERS = Listing('/list', 'rows')\n{ROWS}")) == ALL


@pytest.mark.parametrize(("total", "times"), [(7, 1), (5, 0), ("1249.00", 0), (None, 0)])
def test_a_total_beyond_the_rows_of_a_list_without_a_pager_is_reported_once(read, total, times):
    """It may be an amount, so it is no error."""
    file = f"CUSTOMERS = Listing('/list', 'rows')\n{ROWS}"
    emitted = read(lambda _: {"rows": FIVE, "total": total}, file)
    assert ids(emitted) == ALL
    warning = "customers: the answer says 7 rows in 'total' but has 5, and the Listing has no pager"
    assert emitted.log.count(warning) == times
    assert emitted.log.count("no pager") == times


def test_a_count_in_the_only_row_of_a_graphql_answer_is_not_a_number_of_rows(read):
    only = row(1, orders={"totalCount": 9, "total": 9})
    file = f"CUSTOMERS = Listing('/graphql', 'data.x', graphql='query {{ x {{ id }} }}')\n{ROWS}"
    emitted = read(lambda _: {"data": {"x": only}}, file)
    assert ids(emitted) == ["1"]
    assert "no pager" not in emitted.log


def test_a_row_without_the_member_that_holds_it_is_an_error(read):
    edges = [{"node": row} for row in FIVE[:4]] + [{"nod": FIVE[4]}]
    file = f"CUSTOMERS = Listing('/list', 'edges[].node')\n{ROWS}"
    emitted = read(lambda _: {"edges": edges}, file, fails_with=ShopError)
    assert "no list at rows='edges[].node'" in emitted.log


@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_filter_that_the_shop_ignores_is_reported_once_in_any_sort_order(read, is_sorted):
    file = f"CUSTOMERS = Listing('/list', since='s={{since}}', sorted={is_sorted},"
    file += f" lookback_seconds=0)\n{ROWS}"
    first = read(lambda _: FIVE, file)
    again = read(lambda _: FIVE, file, state=first.states()[-1])
    assert ids(again) == ALL
    assert again.log.count("ignores 's={since}'") == 1


# Values


def test_a_row_with_an_empty_list_is_still_read(read):
    file = """
CUSTOMERS = Listing("/list")
def customer(row, shop):
    more = shop.list(f"/list/{row['id']}/notes") + shop.list("/none", missing=[])
    texts = [note["text"] for note in more + row["notes"]]
    return {"id": row["id"], "note": " ".join(texts) or None, "addresses": [],
            "updated_at": stamp(row["changed"])}
"""

    def answer(request):
        rows = [row(1, notes=[]), row(2, notes=[{"text": "x"}])]
        answers = {"/list": rows, "/list/1/notes": [], "/list/2/notes": []}
        return answers.get(request.path, Reply({}, status=404))

    records = read(answer, file).records()
    assert [(record["id"], record["note"]) for record in records] == [("1", None), ("2", "x")]


def test_the_first_stamp_that_is_not_empty_is_taken(read):
    """Several shops give null until the first change, or zeros, or an empty text."""
    empty = (None, "", "0000-00-00 00:00:00", 0)
    rows = [row(n, changed=stamp, made="2026-01-01 09:00:00") for n, stamp in enumerate(empty, 1)]
    file = ROWS.replace('stamp(row["changed"])', 'stamp(row["changed"], row["made"])')
    emitted = read(lambda _: rows, f"CUSTOMERS = Listing('/list')\n{file}")
    assert {record["updated_at"] for record in emitted.records()} == {"2026-01-01T09:00:00.000000Z"}
    assert ids(emitted) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("sent", "currency", "minor", "expected"),
    [
        (b"131.2399", "NOK", False, "131.24"),
        (b"0.005", "NOK", False, "0.01"),
        (b"19900", "NOK", True, "199.00"),
        (b"19900", "JPY", True, "19900"),
        (b"1990", "KWD", True, "1.990"),
        (b'"25.00"', "NOK", False, "25.00"),
    ],
)
def test_an_amount_is_rounded_to_the_digits_of_its_currency(read, sent, currency, minor, expected):
    file = f"""
PRODUCTS = Listing("/list", has_stamps=False)
def product(row, shop):
    return {{"id": "1", "price_incl": money(row["p"], "{currency}", minor={minor})}}
"""
    emitted = read(lambda _: Reply(b'[{"p": %s}]' % sent), file)
    assert emitted.records("products")[0]["price_incl"] == expected


def test_no_value_changes_its_type(read):
    """A postal code keeps its zeros, a number does not become text, and null is not left out."""
    file = """
CUSTOMERS = Listing("/list")
def customer(row, shop):
    return {"id": row["id"], "phone": row["phone"], "note": row["note"],
            "addresses": [{"postal_code": row["zip"]}], "updated_at": stamp(row["changed"])}
"""
    rows = [row(1, zip="0150", phone="047", note=None)]
    (record,) = read(lambda _: rows, file).records()
    assert record["addresses"] == [{"postal_code": "0150"}]
    assert (record["phone"], record["note"], "email" in record) == ("047", None, False)
    with_number = [row(1, zip=150, phone="047", note=None)]
    emitted = read(lambda _: with_number, file, fails_with=ShopFileError)
    assert "'addresses.postal_code' must be text" in emitted.log


# What the shop sends is data


def test_nothing_that_a_shop_sends_is_run_or_filled_in(read, odd_shop, tmp_path):
    marker = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    names = ["{auth_token}", "${auth_token}", code, f"{{{{ {code} }}}}", f"f'{{{code}}}'"]
    rows = [row(n, name=name) for n, name in enumerate(names, 1)]

    def answer(request):
        after = request.query.get("after")
        following = {None: "{auth_token}", "{auth_token}": code, code: None}
        return {"rows": rows if after is None else [], "after": following[after]}

    file = f"CUSTOMERS = Listing('/list', 'rows', Cursor('after={{cursor}}', 'after'))\n{ROWS}"
    before = list(tmp_path.iterdir())
    emitted = read(answer, file)
    assert [record["name"] for record in emitted.records()] == names
    assert [request.query.get("after") for request in odd_shop.requests] == [
        None,
        "{auth_token}",
        code,
    ]
    assert sorted(tmp_path.iterdir()) == sorted({*before, tmp_path / "my_shop.py"})


@pytest.mark.parametrize("status", [400, 404, 500])
def test_the_parameters_of_a_failed_request_are_named_without_their_values(read, status):
    file = f"CUSTOMERS = Listing('/list', params='sort=verdien&dir=stigende')\n{ROWS}"
    emitted = read(lambda _: Reply({}, status=status), file, fails_with=ShopError)
    assert "sort, dir" in emitted.log
    assert "verdien" not in emitted.log
    assert "stigende" not in emitted.log


# A wrong shop file


@pytest.mark.parametrize(
    ("name", "arguments", "meant"),
    [("touchd", "shop, since", "touched()"), ("changes", "entity, key, patch, shop", "change()")],
)
def test_a_misspelled_function_is_reported(config, tmp_path, name, arguments, meant):
    file = f"CUSTOMERS = Listing('/a', single='/a/{{id}}')\n{ROWS}\ndef {name}({arguments}): ...\n"
    (tmp_path / "my_shop.py").write_text(HEAD + file, encoding="utf-8")
    with pytest.raises(ShopFileError) as failure:
        TapCustomWebShop(config={**config, "shop": str(tmp_path / "my_shop.py")}).streams  # noqa: B018
    assert f"{name}() is never called; did you mean {meant}?" in str(failure.value)
    assert str(failure.value).endswith("()?")


def test_the_files_own_functions_may_have_similar_names(read):
    file = "def changed(row): return stamp(row['changed'])\ndef touches(row): ...\n"
    file += ROWS.replace('stamp(row["changed"])', "changed(row)")
    assert ids(read(lambda _: FIVE, f"CUSTOMERS = Listing('/list')\n{file}")) == ALL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listing", "rows", "message"),
    [
        ("'/lst'", ROWS, "GET /lst: the shop answered 404"),
        ("'/list', sorted='no'", ROWS, "CUSTOMERS: sorted must be True or False"),
        (
            "'/list'",
            ROWS.replace('row["name"]', 'row["nmae"]'),
            "customers[0] has no 'nmae'; did you mean 'name'?",
        ),
        ("'/list', pager=Page('p={page}')", ROWS, "ignores what the pager sends (p)"),
        ("'/wrong', params='sort=x'", ROWS, "Sent: sort"),
    ],
    ids=["path", "type", "misspelled member", "endless pages", "sort"],
)
def test_a_wrong_shop_file_is_one_message_and_nothing_is_written_to_go(
    odd_shop, ledger, tmp_path, listing, rows, message
):
    answers = {"/list": FIVE, "/wrong": Reply({}, status=500)}
    odd_shop.answer = lambda request: answers.get(request.path, Reply({}, status=404))
    (tmp_path / "my_shop.py").write_text(f"{HEAD}CUSTOMERS = Listing({listing})\n{rows}")
    config = {"api_url": odd_shop.url, "auth_token": "hemmelig", "retry_seconds": 0}
    config["shop"] = str(tmp_path / "my_shop.py")

    ended = taps.run("tap-customwebshop", config=config, folder=tmp_path)

    taps.assert_one_error(ended, message)
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ledger.run(*messages).writes == []
    assert ledger.box.go.entries("Customers") == []
