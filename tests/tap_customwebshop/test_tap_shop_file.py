"""Shops of all shapes, each read through a shop file."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from members import assert_members
from odd_shop import ALL, FIVE, HEAD, ROWS, Reply, by_page, ids, row
from tap_customwebshop.connection import TemporaryError
from tap_customwebshop.errors import ShopError, ShopFileError, ShopRefusedError
from tap_customwebshop.shop.client import ChangedMeanwhileError, NotFoundError, RequestRefusedError
from tap_customwebshop.shop.mapping import ShopFunctionError
from tap_customwebshop.shop.reading import SingleRecords, configured_file
from tap_customwebshop.tap import TapCustomWebShop


def in_cursors(request):
    first = int(request.query.get("after", 0))
    after = first + 2 if first + 2 < 5 else None
    return {"content": {"rows": FIVE[first : first + 2], "after": after}}


def in_links(request):
    first = int(request.query.get("from", 0))
    link = {"Link": f'<http://inner.example/list?from={first + 2}>; rel="next"'}
    return Reply(FIVE[first : first + 2], headers=link if first + 2 < 5 else {})


def in_addresses(request):
    first = int(request.query.get("from", 0))
    link = f"https://inner.example/list?from={first + 2}" if first + 2 < 5 else None
    return {"data": FIVE[first : first + 2], "links": {"next": link}}


def in_paths(request):
    _, _, offset, size = request.path.split("/")
    return {"data": FIVE[int(offset) :][: int(size)]}


def in_bodies(request):
    first, size = request.body["variables"]["skip"], request.body["variables"]["take"]
    edges = [{"node": row} for row in FIVE[first : first + size]]
    return {"data": {"customers": {"edges": edges, "totalItems": 5}}}


def in_one_parameter(request):
    first, size = map(int, request.query["limit"].split(","))
    return {"rows": FIVE[first : first + size]} if first < 5 else []


def not_found_past_the_end(request):
    return by_page(FIVE)(request) or Reply({}, status=404)


def last_page_again(request):
    number = min(int(request.query["page"]), 3)
    return {"items": FIVE[number * 2 - 2 : number * 2], "total_count": 5}


@pytest.mark.parametrize(
    ("answer", "listing"),
    [
        (lambda _: FIVE, '"/list"'),
        (by_page(FIVE), '"/list", pager=Page("page={page}&n={size}", size=2)'),
        (by_page(FIVE, first=0), '"/list", pager=Page("page={page}", first=0, size=2)'),
        (not_found_past_the_end, '"/list", pager=Page("page={page}", size=2)'),
        (last_page_again, '"/list", "items", Page("page={page}", size=2, total="total_count")'),
        (in_cursors, '"/list", "content.rows", Cursor("after={cursor}", "content.after")'),
        (in_links, '"/list", pager=Link()'),
        (in_addresses, '"/list", "data", Next("links.next")'),
        (in_paths, '"/list/{offset}/{size}", "data", Offset("", size=2)'),
        (in_one_parameter, '"/list", "rows", Offset("limit={offset},{size}", size=2)'),
        (
            in_bodies,
            (
                '"/graphql", "data.customers.edges[].node", graphql="query { customers { id } }",'
                ' pager=Offset({"variables": {"skip": "{offset}", "take": "{size}"}}, size=2,'
                ' total="data.customers.totalItems")'
            ),
        ),
    ],
    ids=[
        *("one_page", "pages", "pages_from_0", "404_past_the_end", "last_page_again", "cursor"),
        *("link", "next", "in_the_path", "one_parameter", "in_the_body"),
    ],
)
def test_a_list_is_read_to_its_end_however_it_is_paged(read, odd_shop, answer, listing):
    emitted = read(answer, f"CUSTOMERS = Listing({listing})\n{ROWS}")
    assert ids(emitted) == ALL
    assert {request.headers["Host"] for request in odd_shop.requests} == {
        odd_shop.url.removeprefix("http://")
    }
    assert emitted.bookmarks("customers")[-1] == "2026-01-01T08:00:05.000000Z"


AUTHS = {
    'Header("X-Key")': ("X-Key", "hemmelig-token"),
    'Header("Authorization", "Shoporama {auth_token}")': (
        "Authorization",
        "Shoporama hemmelig-token",
    ),
    "Bearer()": ("Authorization", "Bearer hemmelig-token"),
    'Basic("{auth_token}")': (
        "Authorization",
        "Basic " + base64.b64encode(b"hemmelig-token:").decode(),
    ),
    'Basic("{key}", "{secret}")': (
        "Authorization",
        "Basic " + base64.b64encode(b"hemmelig-key:hemmelig-secret").decode(),
    ),
    'ClientCredentials("/token", "{key}", "{secret}", header="X-T", value="{token}")': (
        "X-T",
        "hemmelig-given",
    ),
    'Login("/login", {"user": "{key}", "password": "{secret}"}, "data.token")': (
        "Authorization",
        "Bearer hemmelig-given",
    ),
    'Login("/bare", {"user": "{key}", "password": "{secret}"}, "")': (
        "Authorization",
        "Bearer hemmelig-given",
    ),
    'Login("/head", {"user": "{key}", "password": "{secret}"}, "header X-T")': (
        "Authorization",
        "Bearer hemmelig-given",
    ),
}
SECRETS = {"key": "hemmelig-key", "secret": "hemmelig-secret"}


def with_login(request):
    if request.path == "/token":
        assert request.body["client_secret"] == "hemmelig-secret"
        return {"access_token": "hemmelig-given", "expires_in": 86400}
    if request.method == "POST":
        assert request.body == {"user": "hemmelig-key", "password": "hemmelig-secret"}
        token = "hemmelig-given"
        bodies = {"/bare": token, "/login": {"data": {"token": token}}, "/head": {}}
        return Reply(
            bodies[request.path], headers={"X-T": token} if request.path == "/head" else {}
        )
    return FIVE


@pytest.mark.parametrize("auth", AUTHS)
def test_each_kind_of_auth_is_sent(read, odd_shop, auth):
    file = f"AUTH = {auth}\nCUSTOMERS = Listing('/list')\n{ROWS}"
    assert ids(read(with_login, file, shop_settings=SECRETS)) == ALL
    name, value = AUTHS[auth]
    assert odd_shop.requests[-1].headers[name] == value


def test_a_key_in_the_query_is_not_logged(read, odd_shop):
    file = f"AUTH = Query('ws_key')\nCUSTOMERS = Listing('/list')\n{ROWS}"
    read(lambda _: Reply({}, status=403), file, fails_with=ShopRefusedError)
    assert odd_shop.requests[0].query == {"ws_key": "hemmelig-token"}


def test_an_expired_token_is_replaced(read, odd_shop):
    def answer(request):
        if request.method == "POST":
            return {"token": f"t{len(odd_shop.requests)}"}
        is_stale = request.headers["Authorization"] == "Bearer t1" and request.query["page"] == "2"
        return Reply({}, status=401) if is_stale else by_page(FIVE)(request)

    file = "AUTH = Login('/login', {})\n"
    file += f"CUSTOMERS = Listing('/list', pager=Page('page={{page}}', size=2))\n{ROWS}"
    assert ids(read(answer, file)) == ALL


SESSIONS = """
AUTH = Login('/login', {})
CUSTOMERS = Listing('/graphql', 'data.list', Page({"variables": {"page": "{page}"}}, size=2),
    graphql='query ($page: Int) { list(page: $page) { id } }')
"""


@pytest.mark.parametrize("code", ["FORBIDDEN", "UNAUTHENTICATED"])
@pytest.mark.parametrize("data", [{"data": None}, {"data": {"list": None}}, {}])
def test_a_session_lost_during_a_run_is_opened_again(read, odd_shop, code, data):
    def answer(request):
        if request.path == "/login":
            return {"token": f"t{len(odd_shop.requests)}"}
        page = request.body["variables"]["page"]
        if request.headers["Authorization"] == "Bearer t1" and page == 2:
            return {**data, "errors": [{"message": "Log in", "extensions": {"code": code}}]}
        return {"data": {"list": FIVE[2 * page - 2 : 2 * page]}}

    assert ids(read(answer, SESSIONS + ROWS)) == ALL
    assert odd_shop.paths().count("/login") == 2


def test_a_missing_permission_is_an_error_after_one_more_log_in(read, odd_shop):
    def answer(request):
        if request.path == "/login":
            return {"token": "t"}
        if request.body["variables"]["page"] == 2:
            return {"errors": [{"message": "Not you", "extensions": {"code": "FORBIDDEN"}}]}
        return {"data": {"list": FIVE[:2]}}

    read(answer, SESSIONS + ROWS, fails_with=ShopRefusedError)
    assert odd_shop.paths() == ["/login", "/graphql", "/graphql", "/login", "/graphql"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("CUSTOMERS = Listing('/list'", "my_shop.py, line 2: '(' was never closed"),
        ("import nothing_like_it", "my_shop.py, line 2: ModuleNotFoundError"),
        ("X = 1\nCUSTOMERS = Listing('/list', sincee='')", "line 3: TypeError: Listing"),
        ("CUSTOMER = Listing('/list')", "it declares no list"),
        ("CUSTOMERS = Listing('/a')\nORDER = Listing('/b')" + ROWS, "did you mean ORDERS?"),
        ("CUSTOMERS = Listing('/list')", "CUSTOMERS has no function: def customer(row, shop)"),
        ("CUSTOMERS = Listing('list')" + ROWS, "CUSTOMERS: path must begin with /"),
        ("CUSTOMERS = Listing('/a', pager=Page(size='9'))" + ROWS, "size must be a whole number"),
        ("CUSTOMERS = Listing('/a', sorted='no')" + ROWS, "sorted must be True or False"),
        ("CUSTOMERS = Listing('/a', pager='page')" + ROWS, "pager must be one of"),
        ("CUSTOMERS = Listing('/a', pager=Page(size=0))" + ROWS, "size must be at least 1"),
        ("CUSTOMERS = Listing('/a', pager=Page('p={pge}'))" + ROWS, "did you mean {page}?"),
        (
            "CUSTOMERS = Listing('/a', pager=Offset('n={limit}&o={offset}'))" + ROWS,
            "{limit} is not a placeholder that the tap fills in; this Listing can have {offset},",
        ),
        (
            "CUSTOMERS = Listing('/a/{page}', pager=Link())" + ROWS,
            "{page} is not a placeholder that the tap fills in; this Listing can have {since},",
        ),
        ("CUSTOMERS = Listing('/a', pager=Page('p=1'))" + ROWS, "every page would be the first"),
        ("CUSTOMERS = Listing('/a', since='after=x')" + ROWS, "since has no {since}"),
        ("CUSTOMERS = Listing('/a', since_format='iso')" + ROWS, "since_format must be 'rfc3339',"),
        ("CUSTOMERS = Listing('/a', zone='Oslo')" + ROWS, "there is no time zone 'Oslo'"),
        ("AUTH = Header('X', 'abc123')\nCUSTOMERS = Listing('/a')" + ROWS, "AUTH holds a secret"),
        ("AUTH = Bearer('{key}')\nCUSTOMERS = Listing('/a')" + ROWS, "needs the setting 'key'"),
        ("AUTH = 'token'\nCUSTOMERS = Listing('/a')" + ROWS, "AUTH must be one of NoAuth, Header"),
        (
            "CUSTOMERS = Listing('/a')\ndef touched(shop, since): ..." + ROWS,
            "needs single='/…/{id}'",
        ),
        (
            "CUSTOMERS = Listing('/a')\ndef change(entity, key, patch, shop): ..." + ROWS,
            "change() is for single records, so a Listing needs single='/…/{id}'",
        ),
        (
            "CUSTOMERS = Listing('/a', single='{ customer(id: $id) { id } }')" + ROWS,
            "single must begin with /, or be a query where the list has graphql",
        ),
        (
            "CUSTOMERS = Listing('/a', pager=Page(), since='after={since}')" + ROWS,
            "let the shop sort by id and set sorted=False",
        ),
        (
            "CUSTOMERS = Listing('/a', pager=Offset(), since='after={since}')" + ROWS,
            "with pages by number or offset, a record that changes",
        ),
        ("x = 1 if 2\nCUSTOMERS = Listing('/a')", "line 2: "),
        ("if x = 1: pass", "'='?"),
    ],
)
def test_a_wrong_shop_file_is_one_message_that_names_what_to_change(
    odd_shop, tmp_path, config, file, message
):
    (tmp_path / "my_shop.py").write_text(HEAD + file, encoding="utf-8")
    shop = {"shop": str(tmp_path / "my_shop.py"), "api_url": odd_shop.url}
    with pytest.raises(ShopFileError) as failure:
        TapCustomWebShop(config={**config, **shop}).streams  # noqa: B018
    assert message in str(failure.value)
    assert str(failure.value)[-2:] not in ("?.", "..")
    assert "abc123" not in str(failure.value)
    assert not odd_shop.requests


@pytest.mark.parametrize("shop", ["./not_there.py", "woocomerce", "json", "tests"])
def test_a_shop_file_is_loaded_only_from_the_path_that_is_set(config, shop):
    with pytest.raises(ShopFileError, match="names neither an existing Python file"):
        TapCustomWebShop(config={**config, "shop": shop}).streams  # noqa: B018


@pytest.mark.parametrize(
    ("answer", "listing", "message"),
    [
        (lambda _: Reply({}, 404), "'/lst'", "GET /lst: the shop answered 404: there is nothing"),
        (
            lambda _: {"rows": []},
            "'/list', 'data.rows'",
            "no list at rows='data.rows'; it has: rows",
        ),
        (
            lambda _: {"svar": {"rader": [], "total": 0}},
            "'/list', 'svar.rows[].kunde'",
            "no list at rows='svar.rows[].kunde'; it has: svar; svar has: rader, total.",
        ),
        (lambda _: FIVE, "'/list', pager=Page('p={page}')", "page 2 is the same as page 1"),
        (last_page_again, "'/list', 'items', Page('page={page}')", "page 4 is the same as page 3"),
        (
            lambda request: {"rows": FIVE if "c" not in request.query else [], "c": "x"},
            "'/list', 'rows', Cursor('c={cursor}', 'c')",
            "the pages do not end",
        ),
        (
            lambda request: {"rows": [row(int(request.query.get("c", 1)))], "c": f"{len(HEAD)}"},
            "'/list', 'rows', Cursor('c={cursor}', 'c'), most_pages=1",
            "there are more than 1 pages (most_pages)",
        ),
        (
            lambda request: {"n": 9, "rows": FIVE if request.query["page"] == "1" else []},
            "'/list', 'rows', Page('page={page}', total='n')",
            "the shop reports 9 rows, but sent 5",
        ),
        (
            lambda request: Reply({}, 410) if request.query else {"rows": FIVE, "c": "x"},
            "'/list', 'rows', Cursor('c={cursor}', 'c'), sorted=False",
            "a page that the shop itself named was not found, so rows are missing",
        ),
        (
            lambda request: (
                Reply({}, 404) if request.query else {"rows": FIVE, "next": "/list?p=2"}
            ),
            "'/list', 'rows', Next('next'), sorted=False",
            "a page that the shop itself named was not found, so rows are missing",
        ),
        (
            lambda _: Reply({}, status=500),
            "'/list', params='sort=changd&dir=asc'",
            "Sent: sort, dir; some shops fail if one of these is wrong",
        ),
        (
            lambda _: Reply({}, status=400),
            "'/list', params='sort=changd'",
            "it does not accept what was sent; sent: sort",
        ),
        (
            lambda _: {"errors": [{"message": "Cannot query field 'nam'"}], "data": None},
            "'/graphql', 'data.x', graphql='query { x { nam } }'",
            "the shop reported: Cannot query field 'nam'",
        ),
        (
            lambda _: Reply(None, status=302, headers={"Location": "http://evil.example/list"}),
            "'/list'",
            "to another server",
        ),
    ],
)
def test_a_list_that_is_not_as_the_file_describes_ends_the_run_with_the_reason(
    read, answer, listing, message
):
    emitted = read(answer, f"CUSTOMERS = Listing({listing})\n{ROWS}", fails_with=ShopError)
    assert message in emitted.log
    assert emitted.bookmarks("customers")[-1:] in ([], [None])


def test_a_link_to_another_path_of_the_origin_is_followed_but_not_forever(read, odd_shop):
    linked = {"rows": FIVE, "next": "http://inner.example/elsewhere?page=2"}
    file = f"CUSTOMERS = Listing('/list', 'rows', Next('next'))\n{ROWS}"
    emitted = read(lambda _: linked, file, fails_with=ShopError)
    assert "page 2 is the same as page 1" in emitted.log
    assert "/elsewhere" in odd_shop.paths()
    assert emitted.bookmarks("customers")[-1:] in ([], [None])


def test_a_link_out_of_the_path_that_is_set_is_not_followed(read, odd_shop):
    linked = {"rows": FIVE, "next": "/admin/secret?page=2"}
    file = f"CUSTOMERS = Listing('/list', 'rows', Next('next'))\n{ROWS}"
    emitted = read(
        lambda _: linked, file, api_url=f"{odd_shop.url}/api", fails_with=ShopRefusedError
    )
    assert "only paths below /api are read" in emitted.log
    assert odd_shop.paths() == ["/api/list"]


def test_a_misspelled_member_ends_the_run_with_its_line_and_the_nearest_name(read):
    rows = [row(n) for n in range(30)]
    file = ROWS.replace('row["name"]', 'row["nmae"]')
    emitted = read(
        lambda _: rows, f"CUSTOMERS = Listing('/list')\n{file}", fails_with=ShopFileError
    )
    assert emitted.records() == []
    assert "my_shop.py, line 5: customers[19] has no 'nmae'; did you mean 'name'?" in emitted.log


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('row["a"][1]["nam"]', "customers[1].a[1] has no 'nam'; did you mean 'name'?"),
        ('money(row["a"][0]["name"])', "customers[1].a[0].name is not an amount"),
        ('{"ny": "new"}[row["a"][0]["name"]]', "no entry for the value of customers[1].a[0].name"),
        ('row["none"]["x"]', "last read was customers[1].none (null)"),
    ],
)
def test_a_row_that_fails_is_named_without_its_values_and_the_others_are_read(read, line, message):
    rows = [
        row(1),
        row(2, odd=True, none=None, a=[{"name": "Ola Nordmann"}, {"name": "x"}]),
        row(3),
    ]
    file = ROWS.replace('row["name"]', f'{line} if "odd" in row else "x"')
    file = f"CUSTOMERS = Listing('/list', since='s={{since}}')\n{file}"
    emitted = read(lambda _: rows, file, fails_with=ShopFileError)
    assert ids(emitted) == ["1", "3"]
    assert message in emitted.log
    assert "my_shop.py, line 5" in emitted.log
    assert "(id 2)" in emitted.log
    assert "Nordmann" not in emitted.log
    assert "1 rows were not read, and the bookmark stays before them" in emitted.log
    assert emitted.bookmarks("customers")[-1] is None


def test_what_the_file_prints_is_not_taken_as_a_singer_message(read):
    file = f"CUSTOMERS = Listing('/a')\nprint('loaded')\n{ROWS}".replace(
        "return", "return print() or"
    )
    assert ids(read(lambda _: FIVE, file)) == ALL


@pytest.mark.parametrize("ends", ["sys.exit(0)", "exit()", "raise SystemExit"])
@pytest.mark.parametrize("where", ["customer", "touched", "single"])
def test_a_file_that_ends_the_program_is_an_error_that_names_the_line(read, where, ends):
    functions = {
        "customer": ROWS.replace("    return", f"    {ends}\n    return"),
        "touched": f"{ROWS}\ndef touched(shop, since):\n    {ends}\n",
        "single": f"{ROWS}\ndef touched(shop, since):\n    return {{'customers': ['gone']}}\n",
    }
    single = f"def single(key, shop):\n    {ends}\n" if where == "single" else "single = '/a/{id}'"
    listing = f"{single}\nCUSTOMERS = Listing('/a', since='s={{since}}', single=single)"
    state = {"bookmarks": {"customers": {"replication_key_value": "2025-01-01T00:00:00Z"}}}
    emitted = read(
        lambda _: FIVE,
        f"import sys\n{listing}\n{functions[where]}",
        state=state,
        fails_with=ShopFileError,
    )
    assert "it ends the program (SystemExit)" in emitted.log
    assert "my_shop.py, line " in emitted.log
    with pytest.raises(ShopFileError, match=r"my_shop.py, line 3: it ends the program"):
        read(lambda _: FIVE, f"import sys\n{ends}\n")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ('"emial": "x"', "customer(): there is no member 'emial'; did you mean 'email'?"),
        ('"type": "firm"', "'type' must be one of person, company"),
        ('"is_guest": 1', "'is_guest' must be True or False"),
        ('"addresses": [{"line": 1}]', "no member 'addresses.line'; did you mean 'addresses.line"),
        ('"phone": 12', "'phone' must be text"),
        ('"created_at": "01.02.2026"', "'created_at' is not a time with a zone"),
        ('"updated_at": None', "has_stamps=False is for records without stamps"),
        ('"id": None', "the record has no 'id'"),
    ],
)
def test_a_record_that_breaks_the_contract_is_not_emitted(read, member, message):
    file = ROWS.replace("}", f", {member}}}")
    emitted = read(lambda _: FIVE, f"CUSTOMERS = Listing('/a')\n{file}", fails_with=ShopFileError)
    assert emitted.records() == []
    assert message in emitted.log


def test_amounts_are_rounded_exactly_and_a_float_is_refused(read):
    file = """
PRODUCTS = Listing("/list")
def product(row, shop):
    return {"id": row["id"], "price_incl": money(row["p"]),
            "price_excl": money(row["m"], minor=True),
            "cost_price": row["p"] * Decimal("1"),
            "updated_at": stamp(row["d"], zone="Europe/Oslo")}
from decimal import Decimal
"""
    rows = b'[{"id": 7, "p": 89.82000000000001, "m": 15565, "d": "2026-07-01 08:00:00"}]'
    (record,) = read(lambda _: Reply(rows), file).records("products")
    assert_members(
        record,
        id="7",
        price_incl="89.82",
        price_excl="155.65",
        cost_price="89.82000000000001",
        updated_at="2026-07-01T06:00:00.000000Z",
    )
    with_float = file.replace('row["p"] * Decimal("1")', "0.1")
    emitted = read(lambda _: Reply(rows), with_float, fails_with=ShopFileError)
    assert "'cost_price' is not a decimal; money(…) makes one" in emitted.log


def state_of(emitted, stream="customers"):
    return {"bookmarks": {stream: emitted.states()[-1]["bookmarks"][stream]}}


CHANGED = "CUSTOMERS = Listing('/list', since='after={since}', since_format='%Y-%m-%d %H:%M:%S',"
CHANGED += " zone='Europe/Oslo', is_inclusive=False, lookback_seconds=60)\n" + ROWS


def test_only_changes_are_requested_in_the_shops_own_format_and_zone(read, odd_shop):
    first = read(lambda _: FIVE, CHANGED)
    assert odd_shop.requests[-1].query == {}
    read(lambda _: FIVE[4:], CHANGED, state=state_of(first))
    assert odd_shop.requests[-1].query == {"after": "2026-01-01 08:59:04"}


def test_a_filter_that_the_shop_ignores_is_reported_once_and_everything_is_read(read):
    file = CHANGED.replace("_seconds=60", "_seconds=0")
    again = read(lambda _: FIVE, file, state=state_of(read(lambda _: FIVE, file)))
    assert ids(again) == ALL
    assert again.log.count("ignores 'after={since}'") == 1


def test_a_changed_file_reads_everything_once(read, odd_shop):
    first = read(lambda _: FIVE, CHANGED)
    second = read(lambda _: FIVE, CHANGED + "# changed\n", state=state_of(first))
    assert odd_shop.requests[-1].query == {}
    assert "the shop file is new or changed" in second.log
    read(lambda _: FIVE, CHANGED + "# changed\n", state=state_of(second))
    assert "after" in odd_shop.requests[-1].query


def test_a_changed_setting_that_is_not_a_key_reads_everything_once(read, odd_shop):
    file = f"AUTH = Header('X-Key', '{{key}}')\n{CHANGED}"
    state = state_of(read(lambda _: FIVE, file, shop_settings={"key": "a", "tax_rate": "15"}))
    settings = {"key": "b", "tax_rate": "15"}
    read(lambda _: FIVE, file, state=state, shop_settings=settings)
    assert "after" in odd_shop.requests[-1].query
    settings = {"key": "b", "tax_rate": "25"}
    state = state_of(read(lambda _: FIVE, file, state=state, shop_settings=settings))
    assert odd_shop.requests[-1].query == {}
    read(lambda _: FIVE, file, state=state, shop_settings=settings)
    assert "after" in odd_shop.requests[-1].query


def test_a_periodic_full_read_is_made_when_it_is_due(read, odd_shop):
    file = CHANGED.replace("lookback", "full_read_days=7, lookback")
    state = state_of(read(lambda _: FIVE, file))
    read(lambda _: FIVE, file, state=state)
    assert "after" in odd_shop.requests[-1].query
    nearly_seven_days_ago = datetime.now(timezone.utc) - timedelta(days=7) + timedelta(minutes=5)
    state["bookmarks"]["customers"]["full_read_at"] = nearly_seven_days_ago.isoformat()
    read(lambda _: FIVE, file, state=state)
    assert odd_shop.requests[-1].query == {}


def test_an_unsorted_list_moves_the_bookmark_at_its_end_and_only_to_its_beginning(read):
    """A change of 9:30 was read, but one of 9:20 on an earlier page would not have been."""
    pages = {
        "1": Reply([row(3), row(1)], headers={"Date": "Thu, 01 Jan 2026 09:00:00 GMT"}),
        "2": Reply(
            [row(2, changed="2026-01-01T09:30:00Z")],
            headers={"Date": "Thu, 01 Jan 2026 10:00:00 GMT"},
        ),
        "3": Reply([], status=403),
    }
    file = f"CUSTOMERS = Listing('/list', pager=Page('page={{page}}'))\n{ROWS}"
    broken = read(lambda request: pages[request.query["page"]], file, fails_with=ShopRefusedError)
    assert ids(broken) == ["3", "1", "2"]
    assert broken.bookmarks("customers")[-1:] in ([], [None])
    pages["3"] = Reply([])
    complete = read(lambda request: pages[request.query["page"]], file)
    assert complete.bookmarks("customers")[-1] == "2026-01-01T09:00:00.000000Z"


def test_the_tap_can_leave_out_what_did_not_change(read):
    file = f"CUSTOMERS = Listing('/list', client_filter=True, lookback_seconds=1)\n{ROWS}"
    first = read(lambda _: FIVE, file)
    assert ids(read(lambda _: FIVE, file, state=state_of(first))) == ["4", "5"]


def test_nothing_from_before_the_start_date_is_emitted_though_the_shop_has_no_filter(read):
    emitted = read(
        lambda _: FIVE,
        f"CUSTOMERS = Listing('/list')\n{ROWS}",
        start_date="2026-01-01T08:00:04Z",
    )
    assert ids(emitted) == ["4", "5"]


def test_records_without_stamps_are_emitted_when_their_content_changed(read):
    file = "CUSTOMERS = Listing('/list', has_stamps=False)\n"
    file += "def customer(row, shop): return {'id': row['id'], 'name': row['name']}\n"
    first = read(lambda _: FIVE, file)
    assert ids(first) == ALL
    assert ids(read(lambda _: FIVE, file, state=state_of(first))) == []
    changed = [*FIVE[:4], row(5, name="Ola")]
    second = read(lambda _: changed, file, state=state_of(first))
    assert ids(second) == ["5"]
    assert second.records()[0]["updated_at"] > "2026-11"
    assert ids(read(lambda _: changed, file, state=state_of(second))) == []


def test_rows_that_vanish_while_a_list_is_read_hold_the_bookmark(read):
    def answer(request):
        number = int(request.query["page"])
        return {"rows": FIVE[number * 2 - 2 : number * 2], "n": 6 if number == 1 else 5}

    file = f"CUSTOMERS = Listing('/list', 'rows', Page('page={{page}}', size=2, total='n'))\n{ROWS}"
    emitted = read(answer, file)
    assert "rows vanished from the list" in emitted.log
    assert emitted.bookmarks("customers")[-1] is None


ORDERS = """
CUSTOMERS = Listing("/customers")
ORDERS = Listing("/orders", since="after={since}", single="/orders/{id}", single_at="order")
REFUNDS = Listing("/refunds", since="made_after={since}")
def customer(row, shop):
    if row["role"] != "guest":
        return {"id": row["id"], "updated_at": stamp(row["changed"])}
def order(row, shop):
    rate = shop.table("rates", lambda shop: {row["id"]: row["rate"] for row in shop.list("/rates")})
    refunds = shop.get(f"/orders/{row['id']}/refunds", missing=[])
    return {"id": row["id"], "updated_at": stamp(row["changed"]),
            "total_refunded": money(sum(refund["sum"] for refund in refunds)),
            "lines": [{"id": "1", "tax_rate": rate["vat"]}], "custom": {"by": shop.settings["by"]}}
def touched(shop, since):
    return {"orders": [refund["order"] for refund in shop.list(REFUNDS, since=since)]}
"""


def shop_with_refunds(request):
    answers = {
        "/customers": [
            {"id": 1, "role": "guest"},
            {"id": 2, "role": "buyer", "changed": 1767254400},
        ],
        "/orders": FIVE[:2] if "after" not in request.query else FIVE[1:2],
        "/orders/1": {"order": FIVE[0]},
        "/orders/1/refunds": [{"sum": 100}],
        "/rates": [{"id": "vat", "rate": 25}],
        "/refunds": [{"order": 1}, {"order": 1}, {"order": 2}, {"order": 77}],
    }
    return answers.get(request.path) or Reply({}, status=404)


def test_what_a_list_leaves_out_is_joined_and_a_table_is_requested_once(read, odd_shop):
    emitted = read(shop_with_refunds, ORDERS, shop_settings={"by": "us"})
    assert ids(emitted) == ["2"]
    assert [record["total_refunded"] for record in emitted.records("orders")] == ["100.00", "0.00"]
    assert [record["lines"][0]["tax_rate"] for record in emitted.records("orders")] == ["25", "25"]
    assert odd_shop.paths().count("/rates") == 1
    assert "/refunds" not in odd_shop.paths()


def test_records_that_changed_without_a_new_stamp_are_read_if_touched_names_them(read):
    first = read(shop_with_refunds, ORDERS, shop_settings={"by": "us"})
    again = read(
        shop_with_refunds, ORDERS, state=state_of(first, "orders"), shop_settings={"by": "us"}
    )
    assert ids(again, "orders") == ["2", "1"]
    assert again.bookmarks("orders")[-1] == "2026-01-01T08:00:02.000000Z"


VARIANTS = """
def product_of(variant_id, shop):
    product_id = {"11": 1, "12": 1}.get(variant_id)
    return shop.get(f"/products/{product_id}")["product"] if product_id else None
PRODUCTS = Listing("/products", since="after={since}", single=product_of)
def product(row, shop):
    for variant in row["variants"]:
        yield {"id": variant["id"], "name": variant["name"], "updated_at": stamp(row["changed"])}
def touched(shop, since):
    assert since.utcoffset() is not None
    return {"products": shop.get("/touched")["ids"]}
"""


def with_variants(touched, name="Hvit"):
    """Answer as a shop with two products, of which the first has two variants."""
    variants = [{"id": "11", "name": name}, {"id": "12", "name": "Blå"}]
    products = [row(1, variants=variants), row(2, variants=[{"id": "21", "name": "Rød"}])]

    def answer(request):
        if request.path == "/touched":
            return {"ids": touched}
        if request.path == "/products":
            return products[1:] if "after" in request.query else products
        return {"product": products[0]} if request.path == "/products/1" else Reply({}, status=404)

    return answer


@pytest.fixture
def read_variants(read):
    """Run the tap again, after a first run, with these ids from `touched`."""
    first = read(with_variants([]), VARIANTS)

    def again(touched):
        state = state_of(first, "products")
        return read(with_variants(touched, "Svart"), VARIANTS, state=state)

    return again


def test_a_record_that_shares_a_row_is_read_with_the_others_of_the_row(read_variants, odd_shop):
    emitted = read_variants(["11", "12"])
    assert ids(emitted, "products") == ["21", "11", "12"]
    assert emitted.records("products")[1]["name"] == "Svart"
    assert odd_shop.paths().count("/products/1") == 1


def test_an_id_from_touched_that_the_shop_does_not_have_is_named(read_variants):
    emitted = read_variants(["77", "12"])
    assert ids(emitted, "products") == ["21", "11", "12"]
    assert "for 1 of the ids from touched(), 'single' gave no record: 77" in emitted.log


@pytest.mark.parametrize("key", ["11", "12"])
def test_a_record_that_shares_a_row_is_read_again_each_time(records, odd_shop, key):
    by_file = records(VARIANTS)
    for name in ("Hvit", "Svart"):
        odd_shop.answer = with_variants([], name)
        record = by_file.read("products", key)
        assert_members(record, id=key, name={"11": name, "12": "Blå"}[key])
    with pytest.raises(NotFoundError):
        by_file.read("products", "77")


def test_a_function_for_single_records_that_fails_is_named_by_its_line(records, odd_shop):
    odd_shop.answer = with_variants([])
    with pytest.raises(
        ShopFunctionError, match=r"my_shop.py, line 4: 'single' failed \(KeyError\)"
    ):
        records(VARIANTS.replace(".get(variant_id)", "[variant_id]")).read("products", "77")


CHANGE = """
def change(entity, record_id, patch, shop):
    if "note" in patch:
        return None
    if "phone" in patch:
        return "PUT", f"/{entity}/{record_id}", patch
    return "POST", "/graphql", {"query": "mutation { x }", "variables": patch}
"""


@pytest.fixture
def records(odd_shop, tmp_path):
    """Make the reader of single records for a shop file of these lines."""

    def make(file):
        (tmp_path / "my_shop.py").write_text(HEAD + file)
        config = {"shop": str(tmp_path / "my_shop.py"), "api_url": odd_shop.url, "auth_token": "t"}
        tap = TapCustomWebShop(config=config)
        return SingleRecords(configured_file(config), config, tap.connect)

    return make


def edit(by_file, patch):
    """Send the calls of an edit."""
    for call in by_file.calls("customers", "7", patch):
        by_file.send(call)


REST = "CUSTOMERS = Listing('/list', single='/list/{id}?x={id}', single_at='row')\n" + ROWS + CHANGE
GRAPHQL = (
    "CUSTOMERS = Listing('/graphql', 'data.x', graphql='query { x }', single_at='data.node',\n"
    "    single='query($id: ID!) { node(id: $id) { id name changed } }')\n" + ROWS + CHANGE
)


def test_a_record_is_read_by_its_path_or_by_a_query_and_again_each_time(records, odd_shop):
    for file, envelope in (
        (REST, lambda row: {"row": row}),
        (GRAPHQL, lambda row: {"data": {"node": row}}),
    ):
        by_file = records(file)
        for name in ("Kari", "Ola"):
            answer = envelope(row(7, name=name))
            odd_shop.answer = lambda _, answer=answer: answer
            assert by_file.read("customers", "7")["name"] == name
    rest, query = odd_shop.requests[0], odd_shop.requests[-1]
    assert (rest.method, rest.path, rest.query) == ("GET", "/list/7", {"x": "7"})
    assert (query.method, query.path) == ("POST", "/graphql")
    assert query.body["variables"] == {"id": "7"}
    assert query.body["query"].startswith("query($id: ID!)")


@pytest.mark.parametrize(
    ("file", "answer"),
    [
        (REST, Reply({}, status=404)),
        (REST, Reply({}, status=410)),
        (REST, {"row": None}),
        (REST, {"row": row(8)}),
        (GRAPHQL, {"data": {"node": None}}),
    ],
)
def test_a_record_that_the_shop_does_not_have_is_not_found(records, odd_shop, file, answer):
    odd_shop.answer = lambda _: answer
    with pytest.raises(NotFoundError):
        records(file).read("customers", "7")


def test_a_record_is_made_from_fresh_answers_but_tables_are_kept(records, odd_shop):
    joined = ROWS.replace('row["name"]', "shop.get('/more')['name'] + shop.table('t', suffix)")
    by_file = records(
        f"CUSTOMERS = Listing('/list', single='/list/{{id}}')\n{joined}"
        "def suffix(shop): return shop.get('/suffix')\n"
    )
    odd_shop.answer = lambda request: {"/more": {"name": "Kari"}, "/suffix": "!"}.get(
        request.path, row(7)
    )
    assert by_file.read("customers", "7")["name"] == "Kari!"
    odd_shop.answer = lambda request: {"/more": {"name": "Ola"}}.get(request.path, row(7))
    assert by_file.read("customers", "7")["name"] == "Ola!"


def test_an_edit_is_sent_as_the_file_makes_it_or_not_at_all(records, odd_shop):
    by_file = records(REST)
    odd_shop.answer = lambda _: Reply(b"", status=204)
    assert by_file.calls("customers", "7", {"note": "x"}) == []
    edit(by_file, {"phone": "1"})
    (request,) = odd_shop.requests
    assert (request.method, request.path, request.body) == ("PUT", "/customers/7", {"phone": "1"})
    assert request.headers["Authorization"] == "Bearer t"


@pytest.mark.parametrize(("file", "name"), [(REST, "phone"), (GRAPHQL, "price")])
def test_an_amount_in_an_edit_is_sent_as_a_number_digit_by_digit(records, odd_shop, file, name):
    odd_shop.answer = lambda _: {}
    amounts = {name: Decimal("155.00"), "vat": [Decimal("0.1234567890123456789")], "sum": "155.00"}
    edit(records(file), amounts)
    sent = f'{{"{name}":155.00,"vat":[0.1234567890123456789],"sum":"155.00"}}'
    assert sent.encode() in odd_shop.requests[0].text


@pytest.mark.parametrize("name", ["\ud800", 1 << 70])
def test_an_edit_may_contain_half_a_character_or_a_huge_number(records, odd_shop, name):
    odd_shop.answer = lambda _: {}
    records(REST).client.send("PUT", "/customers/7", {"name": name, "sum": Decimal("155.00")})
    assert odd_shop.requests[0].body["name"] == name
    assert b"155.00" in odd_shop.requests[0].text


@pytest.mark.parametrize(
    ("answer", "error", "title", "detail"),
    [
        (Reply({}, status=404), NotFoundError, None, None),
        (Reply({}, status=409), ChangedMeanwhileError, None, None),
        (Reply({}, status=412), ChangedMeanwhileError, None, None),
        (Reply({}, status=401), ShopRefusedError, None, None),
        (Reply({}, status=403), ShopRefusedError, None, None),
        (
            Reply({"code": "taken", "message": "kari@x.no is taken"}, status=400),
            RequestRefusedError,
            "taken",
            "kari@x.no is taken",
        ),
        (
            Reply({"title": "Not so", "detail": "kari@x.no"}, status=422),
            RequestRefusedError,
            "Not so",
            "kari@x.no",
        ),
        (Reply(b"<html>", status=405), RequestRefusedError, "", ""),
    ],
)
def test_the_ways_in_which_a_shop_refuses_a_change_are_distinguished(
    records, odd_shop, answer, error, title, detail
):
    odd_shop.answer = lambda _: answer
    with pytest.raises(ShopRefusedError) as refused:
        records(REST).client.send("PUT", "/customers/7", {"phone": "1"})
    assert type(refused.value) is error
    assert "kari@x.no" not in str(refused.value)
    if title is not None:
        assert isinstance(refused.value, RequestRefusedError)
        assert (refused.value.title, refused.value.detail) == (title, detail)
    assert len(odd_shop.requests) == 1


def test_an_answer_without_graphql_is_the_record_even_if_it_has_members_named_errors(
    records, odd_shop
):
    odd_shop.answer = lambda _: {"data": {"member": {"delivery_errors": ["2025: no such street"]}}}
    records(REST).client.send("PUT", "/customers/7", {"phone": "1"})
    assert len(odd_shop.requests) == 1


NOT_VALID = {"message": "kari@x.no is not valid", "extensions": {"code": "BAD_INPUT"}}
NOT_SHOWN = {
    "message": "No",
    "extensions": {"code": "FORBIDDEN"},
    "path": ["x", "customer", "orders"],
}


@pytest.mark.parametrize(
    ("answer", "error", "title"),
    [
        ({"errors": [NOT_VALID], "data": None}, RequestRefusedError, "BAD_INPUT"),
        ({"errors": [NOT_VALID], "data": {"x": None}}, RequestRefusedError, "BAD_INPUT"),
        (
            {
                "data": {
                    "x": {"userErrors": [{"field": ["a"], "message": "kari@x.no is not valid"}]}
                }
            },
            RequestRefusedError,
            "",
        ),
        (
            {"data": {"x": {"errorCode": "EMAIL", "message": "kari@x.no is not valid"}}},
            RequestRefusedError,
            "EMAIL",
        ),
        ({"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]}, ShopError, None),
    ],
)
def test_an_error_in_a_mutation_is_a_refusal_of_that_record(
    records, odd_shop, answer, error, title
):
    odd_shop.answer = lambda _: answer
    with pytest.raises(ShopError) as refused:
        edit(records(GRAPHQL), {"name": "x"})
    assert "kari@x.no" not in str(refused.value)
    if isinstance(refused.value, RequestRefusedError):
        assert (refused.value.title, refused.value.detail) == (title, "kari@x.no is not valid")
    else:
        assert type(refused.value) is ShopRefusedError


@pytest.mark.parametrize(
    ("answer", "may_have_happened"),
    [
        (Reply({}, status=503), True),
        (Reply({}, status=501), True),
        (Reply(b"<html>"), True),
        (Reply({}, status=429), False),
        ({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}, False),
        ({"errors": [NOT_VALID], "data": {"x": {"userErrors": []}}}, True),
        ({"errors": [NOT_SHOWN], "data": {"x": None}}, True),
        ({"errors": [NOT_SHOWN], "data": None}, True),
    ],
)
def test_a_change_whose_outcome_is_unclear_is_not_repeated(
    records, odd_shop, answer, may_have_happened
):
    odd_shop.answer = lambda _: answer
    with pytest.raises(TemporaryError) as trouble:
        edit(records(GRAPHQL), {"name": "x"})
    assert trouble.value.may_have_happened is may_have_happened
    assert len(odd_shop.requests) == 1


def test_a_change_is_not_repeated_when_part_of_its_result_is_hidden(records, odd_shop):
    by_file = records("AUTH = Login('/login', {})\n" + GRAPHQL)
    logged_in: dict = {"token": "t"}
    odd_shop.answer = lambda request: logged_in if request.path == "/login" else {"data": {}}
    edit(by_file, {"name": "x"})
    odd_shop.answer = lambda _: {"errors": [NOT_SHOWN], "data": {"x": None}}

    with pytest.raises(TemporaryError) as trouble:
        edit(by_file, {"name": "y"})

    assert trouble.value.may_have_happened
    assert odd_shop.paths() == ["/login", "/graphql", "/graphql"]


def test_a_mutation_without_errors_is_done(records, odd_shop):
    odd_shop.answer = lambda _: {"data": {"x": {"userErrors": [], "customer": {"id": "7"}}}}
    edit(records(GRAPHQL), {"name": "x"})
    assert len(odd_shop.requests) == 1


BEFORE_BODY = "CUSTOMERS = Listing('/list', single='/list/{id}')\n" + ROWS
BEFORE_BODY += "def change(entity, record_id, patch, shop):\n    "
"""A shop file up to the body of `change`."""
CALL = "('PUT', '/customers/7', {})"


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (f"return {CALL}", 1),
        (f"return [{CALL}, {CALL}]", 2),
        (f"yield from ({CALL}, {CALL}, {CALL})", 3),
        ("return []", 0),
        ("return None", 0),
        ("yield from ()", 0),
    ],
)
def test_an_edit_is_any_number_of_calls(records, body, number):
    calls = records(BEFORE_BODY + body).calls("customers", "7", {"phone": "1"})
    assert calls == [("PUT", "/customers/7", {})] * number


@pytest.mark.parametrize(
    ("returned", "offset", "message"),
    [
        ("patch['none']", 1, "change() failed (KeyError)"),
        ("({}[name] for name in 'x')", 1, "change() failed (KeyError)"),
        ("1", 0, "change() failed (TypeError)"),
        *(
            (returned, 0, "change() must return (method, path, body), a list of these, or None")
            for returned in (
                "('PUT', 'customers/7', {})",
                "('PUT', 7, {})",
                "'PUT'",
                "('PUT', '/customers/7')",
                f"[{CALL}, None]",
                "[['/customers/7', {}]]",
                "(None, '/customers/7', {})",
                "('PUT it', '/customers/7', {})",
                "('PUT', '/customers/7', {'a': float('nan')})",
                "('PUT', '/customers/7', {('a', 'b'): 1})",
                "('PUT', '/customers/7', {'a': (name for name in patch)})",
            )
        ),
    ],
)
def test_a_change_that_fails_is_named_by_its_line(records, returned, offset, message):
    line = (HEAD + BEFORE_BODY).count("\n") + offset
    with pytest.raises(ShopFunctionError) as failure:
        records(f"{BEFORE_BODY}return {returned}\n").calls("customers", "7", {"phone": "1"})
    assert str(failure.value) == f"my_shop.py, line {line}: {message}."


def test_a_patch_that_change_alters_is_intact_in_the_next_call(records):
    returned = "'PUT', '/x', {'city': patch['addresses'][0].pop('city')}"
    by_file = records(f"{BEFORE_BODY}return {returned}\n")
    patch = {"addresses": [{"city": "Moss"}]}
    first = by_file.calls("customers", "7", patch)
    assert by_file.calls("customers", "7", patch) == first == [("PUT", "/x", {"city": "Moss"})]
