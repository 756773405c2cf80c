"""Shops of all shapes, each read by a shop file."""

from __future__ import annotations

import base64

import pytest
from odd_shop import OddShop, Reply
from tap_customwebshop.errors import ContractBrokenError, ShopError, ShopFileError, ShopRefusedError

HEAD = "from tap_customwebshop.shop import *\n"
ROWS = """
def customer(row, shop):
    return {"id": row["id"], "name": row["name"], "updated_at": stamp(row["changed"])}
"""


def row(number, **members):
    stamp = f"2026-01-01T08:{number // 60:02d}:{number % 60:02d}Z"
    return {"id": f"{number}", "name": f"Kari {number}", "changed": stamp, **members}


@pytest.fixture
def odd_shop():
    shop = OddShop(lambda asked: [])
    yield shop
    shop.close()


@pytest.fixture
def read(odd_shop, tmp_path, read_shop):
    """Run the tap on a shop that answers so, by a file with these lines."""

    def run(answer, file, *, state=None, fails_with=None, **settings):
        path = tmp_path / "my_shop.py"
        path.write_text(HEAD + file, encoding="utf-8")
        odd_shop.answer = answer
        odd_shop.asked.clear()
        config = {
            "api_url": odd_shop.url,
            "auth_token": "hemmelig-token",
            "shop": str(path),
            "retry_seconds": 0,
            **settings,
        }
        emitted = read_shop(config, state=state, fails_with=fails_with)
        assert "hemmelig" not in emitted.log
        return emitted

    return run


def ids(emitted, stream="customers"):
    return [record["id"] for record in emitted.records(stream)]


def sliced(rows, first, size):
    return rows[first : first + size]


def by_page(rows, *, first=1, size=2, envelope=lambda rows: rows):
    return lambda asked: envelope(sliced(rows, (int(asked.query["page"]) - first) * size, size))


FIVE = [row(n) for n in range(1, 6)]
ALL = ["1", "2", "3", "4", "5"]


def in_cursors(asked):
    first = int(asked.query.get("after", 0))
    after = first + 2 if first + 2 < 5 else None
    return {"content": {"rows": FIVE[first : first + 2], "after": after}}


def in_links(asked):
    first = int(asked.query.get("from", 0))
    more = {"Link": f'<http://inner.example/list?from={first + 2}>; rel="next"'}
    return Reply(FIVE[first : first + 2], headers=more if first + 2 < 5 else {})


def in_addresses(asked):
    first = int(asked.query.get("from", 0))
    more = f"https://inner.example/list?from={first + 2}" if first + 2 < 5 else None
    return {"data": FIVE[first : first + 2], "links": {"next": more}}


def in_paths(asked):
    _, _, offset, size = asked.path.split("/")
    return {"data": FIVE[int(offset) :][: int(size)]}


def in_bodies(asked):
    first, size = asked.body["variables"]["skip"], asked.body["variables"]["take"]
    edges = [{"node": one} for one in FIVE[first : first + size]]
    return {"data": {"customers": {"edges": edges, "totalItems": 5}}}


def in_one_parameter(asked):
    first, size = map(int, asked.query["limit"].split(","))
    return {"rows": FIVE[first : first + size]} if first < 5 else []


def gone_past_the_end(asked):
    rows = by_page(FIVE)(asked)
    return rows or Reply({}, status=404)


def last_page_again(asked):
    number = min(int(asked.query["page"]), 3)
    return {"items": FIVE[number * 2 - 2 : number * 2], "total_count": 5}


@pytest.mark.parametrize(
    ("answer", "listing"),
    [
        (lambda asked: FIVE, '"/list"'),
        (by_page(FIVE), '"/list", pager=Page("page={page}&n={size}", size=2)'),
        (by_page(FIVE, first=0), '"/list", pager=Page("page={page}", first=0, size=2)'),
        (gone_past_the_end, '"/list", pager=Page("page={page}", size=2)'),
        (last_page_again, '"/list", "items", Page("page={page}", size=2, total="total_count")'),
        (in_cursors, '"/list", "content.rows", Cursor("after={cursor}", "content.after")'),
        (in_links, '"/list", pager=Link()'),
        (in_addresses, '"/list", "data", Next("links.next")'),
        (in_paths, '"/list/{offset}/{size}", "data", Offset("", size=2)'),
        (in_one_parameter, '"/list", "rows", Offset("limit={offset},{size}", size=2)'),
        (
            in_bodies,
            '"/graphql", "data.customers.edges[].node", graphql="query { customers { id } }",'
            ' pager=Offset({"variables": {"skip": "{offset}", "take": "{size}"}}, size=2,'
            ' total="data.customers.totalItems")',
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
    assert {one.headers["Host"] for one in odd_shop.asked} == {odd_shop.url.removeprefix("http://")}
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


def logging_in(asked):
    if asked.path == "/token":
        assert asked.body["client_secret"] == "hemmelig-secret"
        return {"access_token": "hemmelig-given", "expires_in": 86400}
    if asked.method == "POST":
        assert asked.body == {"user": "hemmelig-key", "password": "hemmelig-secret"}
        token = "hemmelig-given"
        bodies = {"/bare": token, "/login": {"data": {"token": token}}, "/head": {}}
        return Reply(bodies[asked.path], headers={"X-T": token} if asked.path == "/head" else {})
    return FIVE


@pytest.mark.parametrize("auth", AUTHS)
def test_the_shop_is_shown_who_asks(read, odd_shop, auth):
    file = f"AUTH = {auth}\nCUSTOMERS = Listing('/list')\n{ROWS}"
    assert ids(read(logging_in, file, shop_settings=SECRETS)) == ALL
    name, value = AUTHS[auth]
    assert odd_shop.asked[-1].headers[name] == value


def test_a_key_in_the_query_is_in_no_log(read, odd_shop):
    file = f"AUTH = Query('ws_key')\nCUSTOMERS = Listing('/list')\n{ROWS}"
    read(lambda asked: Reply({}, status=403), file, fails_with=ShopRefusedError)
    assert odd_shop.asked[0].query == {"ws_key": "hemmelig-token"}


def test_a_token_that_ran_out_is_replaced(read, odd_shop):
    def answer(asked):
        if asked.method == "POST":
            return {"token": f"t{len(odd_shop.asked)}"}
        is_stale = asked.headers["Authorization"] == "Bearer t1" and asked.query["page"] == "2"
        return Reply({}, status=401) if is_stale else by_page(FIVE)(asked)

    file = "AUTH = Login('/login', {})\n"
    file += f"CUSTOMERS = Listing('/list', pager=Page('page={{page}}', size=2))\n{ROWS}"
    assert ids(read(answer, file)) == ALL
