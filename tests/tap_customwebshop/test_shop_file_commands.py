"""What `--check`, `--explain` and `--init` print for the author of a shop file."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import commands
import pytest
from go_sandbox.shops import shopify, woocommerce
from go_sandbox.shops.shopify import Shopify
from go_sandbox.shops.shopify.shop import number_of
from go_sandbox.shops.woocommerce import WooCommerce
from odd_shop import FIVE, HEAD, ROWS, Reply, ids, row
from tap_customwebshop.shop.listing import Listing
from tap_customwebshop.shop.loading import load_shop_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def command(odd_shop, tmp_path):
    def run(answer, file, *arguments, **settings):
        odd_shop.answer = answer
        config = {"api_url": odd_shop.url, "auth_token": "hemmelig", **settings}
        if file:
            (tmp_path / "my_shop.py").write_text(HEAD + file)
            config["shop"] = str(tmp_path / "my_shop.py")
        (tmp_path / "config.json").write_text(json.dumps(config))
        line = ("tap-customwebshop", "--config", tmp_path / "config.json", *arguments)
        return commands.run_here(*line)

    return run


UNCHANGED_ROWS = """
{stream} = Listing("/{name}"{options})
def {name}(row, shop): return row
"""
SALES = UNCHANGED_ROWS.format(stream="ORDERS", name="order", options="")
STAMP = "2026-01-02T08:00:00Z"
LINE = {"id": "1", "sku": "ULL", "quantity": 1, "total_excl": 80, "total_incl": 100, "tax_rate": 25}
FREIGHT = {"id": "2", "total_excl": 40, "tax_rate": "25"}
SALE = {
    "id": "7",
    "number": 1007,
    "status": "processing",
    "updated_at": STAMP,
    "placed_at": "2026-01-01T08:00:00Z",
    "lines": [LINE, {"id": "t", "type": "text", "name": "Takk!"}],
    "shipping": [FREIGHT],
    "taxes": [{"rate": "25", "amount": "30"}],
    "billing_address": {"country_code": "NO", "postal_code": "0580"},
    "total_excl": 120,
    "total_tax": 30,
    "total_incl": 150,
}


def line(**members):
    return {"lines": [{**LINE, **members}]}


def refund(**members):
    return {"refunds": [{"id": "r", "created_at": STAMP, **members}]}


@pytest.mark.parametrize(
    "members",
    [
        {},
        line(total_incl=None),
        line(sku=None, product_id="7"),
        line(total_excl=None, total_tax="20"),
        {"discounts": [{"amount_incl": 10, "is_in_lines": True}]},
        {"discounts": [{"amount_incl": 50}], "taxes": [], "total_tax": 20, "total_incl": 100},
        {"lines": [LINE, {**LINE, "id": "2", "sku": None}], "shipping": [], "total_incl": 200}
        | {"taxes": [], "total_tax": None, "total_excl": 160},
        {"lines": [LINE, {"id": "g", "type": "gift_card", "quantity": 1, "total_incl": 50}]}
        | {"shipping": [], "taxes": [], "total_tax": 20, "total_excl": 130},
        refund(amount_incl=100, amount_excl=80, taxes=[{"rate": 25, "amount": 20}]),
        refund(amount_incl=100, lines=[{"line_id": "1", "quantity": 1, "amount_incl": 100}]),
        refund(amount_incl="0.00", lines=[{"line_id": "1", "quantity": 1}]),
        {"billing_address": {"country_code": "IS", "postal_code": "101"}},
    ],
)
def test_check_finds_no_fault_in_an_order_that_the_target_accepts(command, members):
    ended = command(lambda _: [{**SALE, **members}], SALES, "--check")
    assert (ended.stdout, ended.returncode) == (
        "orders: 1 record checked, 0 kinds of faults\n",
        0,
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"status": "pending"},
            "all have the status pending, which target-powerofficego leaves alone by default",
        ),
        (
            {"lines": [LINE, LINE]},
            "lines, shipping and fees less discounts do not add up to total_incl (id 7)",
        ),
        (
            {"discounts": [{"amount_incl": 10}]},
            "a discount is already deducted from the lines: set its is_in_lines to True (id 7)",
        ),
        ({"total_tax": 31}, "the amounts in taxes do not add up to total_tax (id 7)"),
        ({"total_excl": 150}, "total_incl equals total_excl, although there is VAT (id 7)"),
        ({"total_incl": None}, "one of the orders has no total_incl, without which"),
        (line(sku=None), "no line has a sku or product_id, so target-powerofficego treats each as"),
        (
            {"lines": [LINE, {"id": "2", "quantity": 1, "total_incl": 0, "tax_rate": 25}]},
            "a line has no sku; if it is not for a product, set sku and product_id to None (id 7)",
        ),
        (line(tax_rate=None), "has no tax_rate; the target calculates it where it can (id 7)"),
        (line(quantity=None), "a line has no quantity, without which target-powerofficego rejects"),
        (
            line(tax_rate=None, total_excl=None),
            "a line, freight or fee lacks amounts: two of",
        ),
        (
            line(total_tax="25"),
            "total_excl and total_tax of a line, freight or fee do not add up to its total_incl",
        ),
        (
            line(unit_price_excl=100, unit_price_incl=100),
            "unit_price_incl of a line, freight or fee equals unit_price_excl, although it has VAT",
        ),
        ({"taxes": [{"rate": "0.25", "amount": 30}]}, "a VAT rate is a fraction; rates are in"),
        (
            {"billing_address": {"country_code": "NO", "postal_code": "580"}},
            "a Norwegian postal_code has fewer than four digits",
        ),
        (refund(amount_incl=151), "refunds add up to more than total_incl (id 7)"),
        (refund(amount_incl=80, amount_excl=80), "amount_incl of a refund is without VAT (id 7)"),
        (
            refund(amount_incl=80, taxes=[{"rate": 25, "amount": 20}]),
            "amount_incl of a refund is without VAT (id 7)",
        ),
        (
            refund(amount_incl=80, lines=[{"line_id": "1", "quantity": 1, "amount_incl": 100}]),
            "amount_incl of a refund is less than the sum of its lines and freight (id 7)",
        ),
        ({"total_incl": "x"}, "'total_incl' is not a decimal"),
    ],
)
def test_check_reports_what_would_be_wrong_in_the_accounts(command, members, message):
    ended = command(lambda _: [{**SALE, **members}], SALES, "--check")
    assert ended.returncode == 1
    assert message in ended.stdout
    assert len(ended.stdout.splitlines()) == 2, ended.stdout


@pytest.mark.parametrize(
    ("options", "file", "is_accepted"),
    [
        ("", "", True),
        (", since='from={since}'", "", False),
        (", since='from={since}', full_read_days=7", "", True),
        (
            ", since='from={since}', single='/order/{id}'",
            "def touched(shop, since): return {'orders': ['7']}",
            True,
        ),
    ],
)
def test_check_accepts_an_early_stamp_only_where_changes_are_found_without_it(
    command, options, file, is_accepted
):
    def answer(request):
        return [] if request.query.get("from", "1970") > STAMP else [sale]

    sale = {**SALE, "placed_at": "2026-01-09T08:00:00Z"}
    listing = UNCHANGED_ROWS.format(stream="ORDERS", name="order", options=options)
    ended = command(answer, listing + file, "--check")
    assert ("updated_at is before placed_at" in ended.stdout) != is_accepted
    assert ended.returncode == (0 if is_accepted else 1)


@pytest.mark.parametrize(
    ("filtered", "message"),
    [
        ({"rows": FIVE}, "customers: the shop ignores 'from={since}'; correct 'since'"),
        ({"rows": None}, "if nothing has changed, /list: the answer has no list at rows="),
        ([], None),
        (Reply({"error": "from"}, status=422), None),
    ],
)
def test_check_finds_out_whether_the_shop_ignores_the_filter(command, filtered, message):
    def answer(request):
        return filtered if "from" in request.query else {"rows": FIVE}

    listing = "CUSTOMERS = Listing('/list', rows='rows', since='from={since}')\n"
    ended = command(answer, listing + ROWS, "--check")
    assert ended.returncode == (1 if message else 0), ended
    assert (message or "0 kinds") in ended.stdout


def fill_woocommerce(shop):
    wool = shop.add_product("Ull", "ULL", "199.00")
    kari = shop.add_customer("kari@example.com")
    shop.add_coupon("TI", "percent", "10")
    shop.place_order([(wool, 2)], customer_id=kari, freight="79.00", coupons=["TI"])
    shop.place_order([(wool, 1)], fees=[("Gebyr", "40.00", None)], status="completed")
    return {"consumer_key": shop.consumer_key, "consumer_secret": shop.consumer_secret}


def fill_shopify(shop):
    wool = shop.add_product("Ull", "ULL", "199.00")
    kari = shop.add_customer("kari@example.com")
    order = shop.place_order([(wool, 3, "33.33")], customer=kari, freight="79.00", tip="20.00")
    line, _ = shop.record("Order", order)["lines"]
    shop.refund(order, {number_of(line["id"]): 1}, freight=True)
    return {"client_id": shop.client_id, "client_secret": shop.client_secret, "tax_rate": "25"}


@pytest.mark.parametrize(
    ("preset", "start", "fill"),
    [
        ("woocommerce", lambda: woocommerce.start(WooCommerce()), fill_woocommerce),
        ("shopify", lambda: shopify.start(Shopify()), fill_shopify),
    ],
)
def test_check_finds_no_fault_in_a_shop_that_a_preset_reads(tmp_path, preset, start, fill):
    with start() as served:
        config = {"api_url": served.url, "shop": preset, "shop_settings": fill(served.shop)}
        (tmp_path / "config.json").write_text(json.dumps(config))
        arguments = "--config", tmp_path / "config.json", "--check"
        ended = commands.run_here("tap-customwebshop", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " 0 records" not in ended.stdout


GUESTS = [
    {"id": key, "is_guest": True, "email": "kari@example.com", "updated_at": STAMP} for key in "12"
]
GOODS = {"id": "1", "sku": "A", "name": "A", "tax_rate": 25, "updated_at": STAMP}


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("customer", GUESTS, "customers: a guest has the e-mail address of another customer"),
        ("customer", GUESTS[:1], None),
        (
            "product",
            [{**GOODS, "price_excl": "100.00", "price_incl": "100.00"}],
            "price_incl equals price_excl",
        ),
        ("product", [{**GOODS, "price_excl": "80.00", "price_incl": "100.00"}], None),
    ],
)
def test_check_finds_guests_who_are_customers_and_prices_that_lack_vat(
    command, name, rows, message
):
    listing = UNCHANGED_ROWS.format(stream=f"{name.upper()}S", name=name, options="")
    ended = command(lambda _: rows, listing, "--check")
    assert ended.returncode == (1 if message else 0)
    assert (message or "0 kinds") in ended.stdout


ORDER = "shop.get(f'/ordrer/{row[\"id\"]}')"


@pytest.mark.parametrize(
    ("returned", "faults"),
    [
        (f"{ORDER}['rader']", ["/ordrer/1 has no 'rader'; it has svar. (rows 0, 1, 2 and 2 more)"]),
        (
            f"{ORDER}['x'] if row['id'] < '3' else row",
            ["/ordrer/1 has no 'x'; it has svar. (rows 0, 1)"],
        ),
        (
            f"{ORDER.replace('/{', '/ORD-{')}['x'] if row['id'] > '3' else row",
            ["/ordrer/ORD-4 has no 'x'; it has svar. (rows 3, 4)"],
        ),
        ("row if row['id'] < '5' else row['x']", ["customers[4] has no 'x'; it has id. (row 4)"]),
        (
            "row if row['id'] < '4' else row['x' + row['id']]",
            [
                "customers[3] has no 'x4'; it has id. (row 3)",
                "customers[4] has no 'x5'; it has id. (row 4)",
            ],
        ),
    ],
)
def test_check_shows_once_what_is_wrong_with_many_rows(command, returned, faults):
    rows = [{"id": f"{number}"} for number in range(1, 6)]
    file = "CUSTOMERS = Listing('/list', has_stamps=False)\n"
    file += f"def customer(row, shop):\n    return {returned}\n"
    answers = {"/list": rows}
    ended = command(lambda request: answers.get(request.path, {"svar": 1}), file, "--check")
    *lines, _ = ended.stdout.splitlines()
    assert lines == [f"customers: my_shop.py, line 4: {fault}" for fault in faults]
    assert f", {len(faults)} kind{'s' * (len(faults) > 1)} of fault" in ended.stdout
    assert ended.returncode == 1


def test_check_reports_a_total_beyond_the_rows_of_a_list_without_a_pager(command):
    file = f"CUSTOMERS = Listing('/list', 'rows')\n{ROWS}"
    ended = command(lambda _: {"rows": FIVE, "total": 7}, file, "--check")
    assert ended.stdout.splitlines() == [
        "customers: the answer says 7 rows in 'total' but has 5, and the Listing has no pager",
        "customers: 5 records checked, 1 kind of fault",
    ]
    assert ended.returncode == 1


def test_check_reports_that_nothing_is_wrong(command):
    ended = command(lambda _: FIVE, f"CUSTOMERS = Listing('/list')\n{ROWS}", "--check")
    assert (ended.returncode, ended.stdout) == (
        0,
        "customers: 5 records checked, 0 kinds of faults\n",
    )


def test_explain_shows_each_member_from_the_row_to_go_and_what_was_not_read(command):
    rows = [row(1, vat_no="9", more={"x": [1, 2]})]
    ended = command(lambda _: rows, f"CUSTOMERS = Listing('/list')\n{ROWS}", "--explain")
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stderr
    assert "row.name → name = Kari 1 → Name, FirstName, LastName" in lines
    assert "row.changed → updated_at = 2026-01-01T08:00:01.000000Z" in lines
    assert lines[-1] == "Not read: row.vat_no, row.more.x[0], row.more.x[1]"


def test_init_prints_a_first_file_that_runs(command, tmp_path, odd_shop, read_shop):
    def answer(request):
        rows = {"content": {"rows": [{**row(1), "email": "a@b.no", "updated": "2026-01-01"}]}}
        return {**rows, "total": 1} if request.path == "/v3/customers" else Reply({}, status=404)

    ended = command(answer, "", "--init", "/v3/customers")
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "first.py").write_text(ended.stdout)
    config = {"api_url": odd_shop.url, "auth_token": "t", "shop": str(tmp_path / "first.py")}
    (record,) = read_shop(config).records()
    assert record == {
        "id": "1",
        "email": "a@b.no",
        "name": "Kari 1",
        "updated_at": "2026-01-01T08:00:01.000000Z",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--init", "/nothing"), "GET /nothing: the shop answered 404"),
        (("--check",), "There is no shop file: name one in the setting 'shop'."),
    ],
)
def test_a_wrong_path_for_init_and_a_missing_file_for_check_are_one_line_errors(
    command, arguments, message
):
    ended = command(lambda _: Reply({}, status=404), "", *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


AUTH = "AUTH = Header('X-Key', '{key}')\n"


@pytest.fixture
def first_file(command, tmp_path, odd_shop, read_shop):
    """Return what `--init` prints for a list, and what the tap reads with it."""

    def read(path, rows, auth=""):
        def answer(request):
            is_allowed = not auth or request.headers.get("X-Key") == "hemmelig"
            return rows if is_allowed else Reply({}, status=401)

        settings = {"shop_settings": {"key": "hemmelig"}} if auth else {}
        ended = command(answer, auth, "--init", path, **settings)
        assert ended.returncode == 0, ended.stderr
        (tmp_path / "first.py").write_text(ended.stdout, encoding="utf-8")
        config = {"api_url": odd_shop.url, "auth_token": "t", "shop": str(tmp_path / "first.py")}
        return ended.stdout, read_shop(config | settings)

    return read


def test_init_uses_and_prints_the_auth_of_a_file_that_has_no_list_yet(first_file):
    text, emitted = first_file("/products/page/1", [row(1)], AUTH)
    assert "AUTH = Header(name='X-Key', value='{key}')" in text
    assert ids(emitted, "products") == ["1"]
    assert "hemmelig" not in text


def test_init_looks_at_all_rows_for_a_stamp_and_for_members_that_some_lack(first_file):
    rows = [row(1, changed=None, created="2026-01-01"), {**row(2, phone="1"), "created": None}]
    text, emitted = first_file("/members", rows)
    assert 'stamp(row["changed"], row["created"])' in text
    assert 'row.get("phone")' in text
    assert "For products or orders, rename CUSTOMERS" not in text
    assert ids(emitted) == ["1", "2"]


def test_init_knows_norwegian_names(first_file):
    rows = [
        {"id": 1, "navn": "Kari N", "Fornavn": "Kari", "etternavn": "N", "epost": "k@b.no"}
        | {"mobil": "1", "orgnr": "9", "opprettet": "2026-01-01", "endret": "2026-01-02"}
    ]
    text, emitted = first_file("/kunder", {"rader": rows, "antall": 1})
    assert 'total="antall"' in text
    assert emitted.records() == [
        {"id": "1", "name": "Kari N", "first_name": "Kari", "last_name": "N", "email": "k@b.no"}
        | {"phone": "1", "organization_number": "9", "created_at": "2026-01-01T00:00:00.000000Z"}
        | {"updated_at": "2026-01-02T00:00:00.000000Z"}
    ]
    text, _ = first_file("/varer", [{"id": 1, "varenr": "A", "tittel": "Ull", "beskrivelse": ""}])
    for line in ('"sku": row["varenr"]', '"name": row["tittel"]', '"description": row["besk'):
        assert line in text


def test_what_init_prints_for_rows_without_a_stamp_can_be_run(first_file):
    text, emitted = first_file("/customers", [{"id": 1, "name": "Kari"}])
    assert "# No field with a usual name says when a row changed. If one does" in text
    assert "has_stamps=False)" in text
    assert ids(emitted) == ["1"]


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        ("/orders/page/1", "ORDERS ="),
        ("/api/v2/Varer", "PRODUCTS ="),
        ("/customers/7/sales.json", "ORDERS ="),
        ("/x", "# For products or orders, rename CUSTOMERS and customer.\n"),
    ],
)
def test_init_names_the_stream_by_the_path(first_file, path, declared):
    assert declared in first_file(path, [row(1)])[0]


@pytest.mark.parametrize("name", ['a"b', "a\n    import os", "\\", "\ud800", "å", "a'\u2028"])
def test_what_init_prints_can_be_run_whatever_the_shop_calls_its_members(first_file, name):
    answer = {name: [{name: 1, "changed": "2026-01-01"}], f"{name}total": 1}
    text, emitted = first_file("/customers", answer)
    assert not [line for line in text.splitlines() if line.strip() == "import os"]
    assert ids(emitted) == ["1"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/list", 401, "write AUTH alone into a file and name it in 'shop'"),
        ("/list", 405, "--init reads a list by GET. For GraphQL"),
        ("/graphql", 200, "--init reads a list by GET. For GraphQL"),
        ("/list", 200, "the answer has no list with rows. --init reads a list by GET."),
    ],
)
def test_init_suggests_what_to_try_where_it_cannot_read(command, path, status, message):
    ended = command(lambda _: Reply({}, status=status), "", "--init", path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr.splitlines()[-1]


BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "own-shop.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.parametrize("text", [text for text in BLOCKS if "AUTH =" in text])
def test_each_complete_shop_file_in_the_guide_can_be_loaded(tmp_path, text):
    (tmp_path / "my_shop.py").write_text(text, encoding="utf-8")
    file = load_shop_file(
        str(tmp_path / "my_shop.py"), {"auth_token": "t", "user": "u", "password": "p"}
    )
    assert "orders" in file.listings


def test_the_guide_describes_every_member_of_a_listing():
    guide = (ROOT / "docs" / "own-shop.md").read_text(encoding="utf-8")
    rows = {name for line in guide.splitlines() for name in re.findall(r"`(\w+)`", line[:60])}
    assert {member.name for member in fields(Listing)} <= rows
