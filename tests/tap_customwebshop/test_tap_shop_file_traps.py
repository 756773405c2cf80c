"""What shops do that a reader falls for: each is seen, or does no harm."""

from __future__ import annotations

import json

import commands
import pytest
from odd_shop import ALL, FIVE, HEAD, ROWS, Reply, ids, row, sliced
from tap_customwebshop.errors import ShopError, ShopFileError, ShopRefusedError
from tap_customwebshop.tap import TapCustomWebShop

# Pages


def test_a_shop_that_is_busy_by_graphql_is_asked_again(read, odd_shop):
    busy = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}

    def answer(_):
        return busy if len(odd_shop.asked) < 3 else {"data": {"x": FIVE}}

    file = f"CUSTOMERS = Listing('/graphql', 'data.x', graphql='query {{ x {{ id }} }}')\n{ROWS}"
    assert ids(read(answer, file, retry_seconds=60)) == ALL
    assert len(odd_shop.asked) == 3


def test_a_cursor_of_the_last_page_is_not_followed_where_the_answer_says_that_it_is_the_last(
    read, odd_shop
):
    def answer(asked):
        first = int(asked.query.get("after", 0))
        return {"rows": sliced(FIVE, first, 2), "after": first + 2, "more": first + 2 < 5}

    file = "CUSTOMERS = Listing('/list', 'rows', Cursor('after={cursor}', 'after', 'more'))\n"
    assert ids(read(answer, file + ROWS)) == ALL
    assert [request.query for request in odd_shop.asked] == [{}, {"after": "2"}, {"after": "4"}]


@pytest.mark.parametrize("where", ["header", "answer"])
def test_a_next_page_at_another_host_is_read_at_the_one_that_is_set(read, odd_shop, where):
    """As a shop behind a proxy gives it: with its internal name, and the path that is set."""

    def answer(asked):
        first = int(asked.query.get("from", 0))
        link = f"http://inner.example:8080/api/v1/list?from={first + 2}" if first < 4 else ""
        rows = sliced(FIVE, first, 2)
        if where == "answer":
            return {"rows": rows, "next": link}
        return Reply({"rows": rows}, headers={"Link": f'<{link}>; rel="next"'} if link else {})

    pager = "Link('')" if where == "header" else "Next('next')"
    file = f"CUSTOMERS = Listing('/list', 'rows', {pager})\n{ROWS}"
    assert ids(read(answer, file, api_url=f"{odd_shop.url}/api/v1")) == ALL
    assert odd_shop.paths() == ["/api/v1/list"] * 3
    assert {request.headers["Authorization"] for request in odd_shop.asked} == {
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
@pytest.mark.parametrize("where", ["header", "answer"])
def test_no_address_leads_out_of_the_path_that_is_set(read, odd_shop, where, link):
    def answer(_):
        if where == "answer":
            return {"rows": FIVE, "next": link}
        return Reply({"rows": FIVE}, headers={"Link": f'<{link}>; rel="next"'})

    pager = "Link('')" if where == "header" else "Next('next')"
    emitted = read(
        answer,
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
    """However the file puts an id of the shop into a path."""
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

    def answer(asked):
        return rows if asked.path == "/api/v1/list" else [] if by == "list" else row(9)

    read(answer, file, api_url=f"{odd_shop.url}/api/v1", state=state, fails_with=ShopError)
    assert odd_shop.paths() == ["/api/v1/list"]


def test_a_row_that_would_lead_out_of_the_path_is_named_and_the_others_go_on(read):
    """A buyer may type it: a coupon's code, for example."""
    file = "CUSTOMERS = Listing('/list')" + ROWS.replace(
        "    return", "    shop.get(f'/coupons/{row[\"name\"]}')\n    return"
    )
    rows = [row(1), row(2, name="../orders"), row(3)]
    emitted = read(lambda asked: rows if asked.path == "/list" else {}, file, fails_with=ShopError)
    assert ids(emitted) == ["1", "3"]
    assert "cannot be used in a path. (id 2)" in emitted.log


@pytest.mark.parametrize(
    "pager",
    [
        "Page('page={page}', size=2)",
        "Offset('offset={offset}', size=2)",
    ],
)
def test_a_page_with_fewer_rows_than_were_asked_for_is_not_the_last(read, pager):
    def answer(asked):
        first = int(asked.query["page"]) - 1 if "page" in asked.query else asked.query["offset"]
        return sliced(FIVE, int(first), 1)

    assert ids(read(answer, f"CUSTOMERS = Listing('/list', pager={pager})\n{ROWS}")) == ALL


def test_a_page_without_rows_is_not_the_last_while_there_is_a_cursor(read):
    def answer(asked):
        first = int(asked.query.get("after", 0))
        rows = [] if first % 2 else sliced(FIVE, first // 2, 1)
        return {"rows": rows, "after": first + 1 if first < 9 else None}

    file = f"CUSTOMERS = Listing('/list', 'rows', Cursor('after={{cursor}}', 'after'))\n{ROWS}"
    assert ids(read(answer, file)) == ALL


def test_pages_without_rows_end_although_each_has_another_cursor(read, odd_shop):
    file = "Cursor('after={cursor}', 'after'), most_pages=30"
    emitted = read(
        lambda _: {"rows": [], "after": f"{len(odd_shop.asked)}"},
        f"CUSTOMERS = Listing('/list', 'rows', {file})\n{ROWS}",
        fails_with=ShopError,
    )
    assert "the pages do not end" in emitted.log
    assert len(odd_shop.asked) == 10


def test_pages_whose_rows_change_end_when_a_cursor_comes_again(read, odd_shop):
    """No page equals an earlier one."""
    file = "Cursor('after={cursor}', 'after'), most_pages=30"
    emitted = read(
        lambda _: {"rows": [row(len(odd_shop.asked))], "after": "same"},
        f"CUSTOMERS = Listing('/list', 'rows', {file})\n{ROWS}",
        fails_with=ShopError,
    )
    assert "the pages do not end: check what the pager follows" in emitted.log
    assert len(odd_shop.asked) == 2


@pytest.mark.parametrize(
    ("content", "headers", "place"),
    [
        ({"rows": FIVE}, {"Link": '</list?page=2>; rel="next"'}, "header Link"),
        ({"rows": FIVE, "links": {"next": "/list?page=2"}}, {}, "links.next"),
        ({"rows": FIVE, "_links": {"next": {"href": "/list?page=2"}}}, {}, "_links.next.href"),
        ({"rows": FIVE, "paging": {"next_cursor": "abc"}}, {}, "paging.next_cursor"),
        ({"rows": FIVE, "has_more": True}, {}, "has_more"),
        ({"rows": FIVE, "pageInfo": {"hasNextPage": True}}, {}, "pageInfo.hasNextPage"),
    ],
)
def test_a_list_whose_paging_the_file_does_not_know_is_not_taken_as_complete(
    read, content, headers, place
):
    file = f"CUSTOMERS = Listing('/list', 'rows')\n{ROWS}"
    emitted = read(lambda _: Reply(content, headers=headers), file, fails_with=ShopError)
    assert f"more rows follow according to '{place}', but the Listing has no pager" in emitted.log
    assert emitted.records() == []


def test_a_list_that_states_that_nothing_follows_is_complete(read):
    whole = {"rows": FIVE, "next": None, "has_more": False, "links": {"next": ""}}
    first = Reply(whole, headers={"Link": '</list?page=1>; rel="first"'})
    assert ids(read(lambda _: first, f"CUSTOMERS = Listing('/list', 'rows')\n{ROWS}")) == ALL


def test_rows_that_lack_the_member_that_they_are_in_are_not_passed_over(read):
    edges = [{"node": row} for row in FIVE[:4]] + [{"nod": FIVE[4]}]
    file = f"CUSTOMERS = Listing('/list', 'edges[].node')\n{ROWS}"
    emitted = read(lambda _: {"edges": edges}, file, fails_with=ShopError)
    assert "no list at rows='edges[].node'" in emitted.log


@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_filter_that_the_shop_ignores_is_reported_once_whatever_the_order(read, is_sorted):
    file = f"CUSTOMERS = Listing('/list', since='s={{since}}', sorted={is_sorted},"
    file += f" lookback_seconds=0)\n{ROWS}"
    first = read(lambda _: FIVE, file)
    again = read(lambda _: FIVE, file, state=first.states()[-1])
    assert ids(again) == ALL
    assert again.log.count("ignores 's={since}'") == 1


# Values


def test_an_empty_list_inside_a_row_leaves_the_row(read):
    file = """
CUSTOMERS = Listing("/list")
def customer(row, shop):
    more = shop.list(f"/list/{row['id']}/notes") + shop.list("/none", missing=[])
    texts = [note["text"] for note in more + row["notes"]]
    return {"id": row["id"], "note": " ".join(texts) or None, "addresses": [],
            "updated_at": stamp(row["changed"])}
"""

    def answer(asked):
        rows = [row(1, notes=[]), row(2, notes=[{"text": "x"}])]
        answers = {"/list": rows, "/list/1/notes": [], "/list/2/notes": []}
        return answers.get(asked.path, Reply({}, status=404))

    records = read(answer, file).records()
    assert [(record["id"], record["note"]) for record in records] == [("1", None), ("2", "x")]


def test_the_first_stamp_that_is_not_empty_is_taken(read):
    """Null until the first change, zeros, or an empty text, as several shops have it."""
    rows = [
        row(n, changed=stamp) for n, stamp in enumerate((None, "", "0000-00-00 00:00:00", 0), 1)
    ]
    rows = [{**empty, "made": "2026-01-01 09:00:00"} for empty in rows]
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
def test_an_amount_is_rounded_as_its_currency_is(read, sent, currency, minor, expected):
    file = f"""
PRODUCTS = Listing("/list", has_stamps=False)
def product(row, shop):
    return {{"id": "1", "price_incl": money(row["p"], "{currency}", minor={minor})}}
"""
    emitted = read(lambda _: Reply(b'[{"p": %s}]' % sent), file)
    assert emitted.records("products")[0]["price_incl"] == expected


def test_no_value_changes_its_type_on_the_way(read):
    """A postal code keeps its zeros; a number is not taken for text, nor null for a missing one."""
    file = """
CUSTOMERS = Listing("/list")
def customer(row, shop):
    return {"id": row["id"], "phone": row["phone"], "note": row["note"],
            "addresses": [{"postal_code": row["zip"]}], "updated_at": stamp(row["changed"])}
"""
    text = [row(1, zip="0150", phone="047", note=None)]
    (record,) = read(lambda _: text, file).records()
    assert record["addresses"] == [{"postal_code": "0150"}]
    assert (record["phone"], record["note"], "email" in record) == ("047", None, False)
    number = [row(1, zip=150, phone="047", note=None)]
    emitted = read(lambda _: number, file, fails_with=ShopFileError)
    assert "'addresses.postal_code' must be text" in emitted.log


# What is sent is data


def test_nothing_that_a_shop_sends_is_run_or_filled_in(read, odd_shop, tmp_path):
    marker = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    odd = ["{auth_token}", "${auth_token}", code, f"{{{{ {code} }}}}", f"f'{{{code}}}'"]
    rows = [row(n, name=name) for n, name in enumerate(odd, 1)]

    def answer(asked):
        after = asked.query.get("after")
        following = {None: "{auth_token}", "{auth_token}": code, code: None}
        return {"rows": rows if after is None else [], "after": following[after]}

    file = f"CUSTOMERS = Listing('/list', 'rows', Cursor('after={{cursor}}', 'after'))\n{ROWS}"
    before = sorted(path for path in tmp_path.iterdir())
    emitted = read(answer, file)
    assert [record["name"] for record in emitted.records()] == odd
    assert [request.query.get("after") for request in odd_shop.asked] == [
        None,
        "{auth_token}",
        code,
    ]
    assert sorted(tmp_path.iterdir()) == sorted({*before, tmp_path / "my_shop.py"})


@pytest.mark.parametrize("status", [400, 404, 500])
def test_what_was_sent_is_named_without_its_values(read, status):
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
def test_a_misspelt_function_is_not_passed_over(config, tmp_path, name, arguments, meant):
    file = f"CUSTOMERS = Listing('/a', single='/a/{{id}}')\n{ROWS}\ndef {name}({arguments}): ...\n"
    (tmp_path / "my_shop.py").write_text(HEAD + file, encoding="utf-8")
    with pytest.raises(ShopFileError) as failure:
        TapCustomWebShop(config={**config, "shop": str(tmp_path / "my_shop.py")}).streams  # noqa: B018
    assert f"{name}() is never called; did you mean {meant}?" in str(failure.value)


def test_a_function_of_the_files_own_may_have_a_like_name(read):
    file = "def changed(row): return stamp(row['changed'])\ndef touches(row): ...\n"
    file += ROWS.replace('stamp(row["changed"])', "changed(row)")
    assert ids(read(lambda _: FIVE, f"CUSTOMERS = Listing('/list')\n{file}")) == ALL


WRONG = {
    "a wrong path": ("'/lst'", ROWS, "GET /lst: the shop answered 404"),
    "a wrong type": ("'/list', sorted='no'", ROWS, "CUSTOMERS: sorted must be True or False"),
    "a misspelt member": (
        "'/list'",
        ROWS.replace('row["name"]', 'row["nmae"]'),
        "customers[0] has no 'nmae'; did you mean 'name'?",
    ),
    "endless paging": (
        "'/list', pager=Page('p={page}')",
        ROWS,
        "ignores what the pager sends (p)",
    ),
    "a wrong sort": ("'/wrong', params='sort=x'", ROWS, "Sent: sort"),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_shop_file_is_one_message_and_nothing_is_written_to_go(
    odd_shop, ledger, tmp_path, wrong
):
    listing, rows, message = WRONG[wrong]
    answers = {"/list": FIVE, "/wrong": Reply({}, status=500)}
    odd_shop.answer = lambda asked: answers.get(asked.path, Reply({}, status=404))
    (tmp_path / "my_shop.py").write_text(f"{HEAD}CUSTOMERS = Listing({listing})\n{rows}")
    config = {"api_url": odd_shop.url, "auth_token": "hemmelig", "retry_seconds": 0}
    config["shop"] = str(tmp_path / "my_shop.py")
    (tmp_path / "tap.json").write_text(json.dumps(config))

    ended = commands.run("tap-customwebshop", "--config", tmp_path / "tap.json")

    (error,) = [line for line in ended.stderr.splitlines() if "ERROR" in line]
    assert message in ended.stderr
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, error)
    assert [text for text in ("Traceback", "hemmelig") if text in ended.stderr] == []
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ledger.run(*messages).writes == []
    assert ledger.box.go.entries("Customers") == []
