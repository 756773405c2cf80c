"""The examples of the shop's API: our own tap reads all, and our target changes the Flask one."""

import importlib.util
import itertools
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
import taps
from werkzeug.serving import make_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "shop-api"
TOKEN = "hemmelig"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
MERGE = {**HEADERS, "Content-Type": "application/merge-patch+json"}


class FlaskShop:
    """The Flask example on a free port, and its records in SQLite."""

    def __init__(self, database, monkeypatch):
        monkeypatch.setenv("SHOP_TOKEN", TOKEN)
        monkeypatch.setenv("SHOP_DATABASE", str(database))
        spec = importlib.util.spec_from_file_location("example_app", EXAMPLES / "app.py")
        assert spec
        assert spec.loader
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.server = make_server("127.0.0.1", 0, self.module.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, stream, record):
        with self.module.app.app_context():
            self.module.write(stream, record)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    shop = FlaskShop(tmp_path / "shop.db", monkeypatch)
    yield shop
    shop.stop()


@pytest.fixture
def read(shop, tmp_path):
    """Runs tap-customwebshop on the shop from a state on; returns all messages as text."""

    def read(state=None, **settings):
        config = {"api_url": shop.url, "auth_token": TOKEN, "page_size": 2, **settings}
        (tmp_path / "state.json").write_text(json.dumps(state or {}), encoding="utf-8")
        ended = taps.run(
            "tap-customwebshop",
            *("--state", tmp_path / "state.json"),
            config=config,
            folder=tmp_path,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return read


def records_of(text):
    told = [json.loads(line) for line in text.splitlines()]
    return [
        (record["stream"], record["record"]["id"]) for record in told if record["type"] == "RECORD"
    ]


def state_of(text):
    return [json.loads(line) for line in text.splitlines() if '"STATE"' in line][-1]["value"]


def test_the_tap_reads_every_record_once_and_then_only_what_changed(shop, read, customer, product):
    for number in range(5):  # stamps of the same moment, so that the cursor needs the id
        shop.put("customers", customer(id=str(1000 + number), updated_at="2026-01-05T10:00:00Z"))
    shop.put("products", product())

    text = read()
    assert records_of(text) == [
        *(("customers", str(1000 + number)) for number in range(5)),
        ("products", "501"),
    ]

    changed = requests.patch(f"{shop.url}/customers/1002", json={"note": "ny"}, headers=HEADERS)
    assert changed.status_code == 200
    again = read(state_of(text), lookback_seconds=0)
    assert ("customers", "1002") in records_of(again)
    assert records_of(read(state_of(again), lookback_seconds=0)).count(("customers", "1002")) == 1


def test_an_order_of_the_shop_comes_to_go_and_an_edit_in_go_comes_back(
    shop, read, both, customer, product, order
):
    shop.put("customers", customer())
    shop.put("products", product())
    shop.put("orders", order())
    accounts = {"25": 3000, "15": 3001, "0": 3100}
    both.ledger.command_on(read(), 0, sales_accounts=accounts)
    (there,) = both.box.go.entries("SalesOrders")
    assert there["TotalAmount"] == 250

    both.edit_in_go("customers", "1001", PhoneNumber="+4793000930")
    both.edit_in_go("products", "501", Name="Ullgenser, blå")
    for _ in range(2):  # the second finds both sides alike
        both.back(api_url=shop.url, auth_token=TOKEN, ends_with=0)
    kept = {
        stream: requests.get(f"{shop.url}/{stream}/{record_id}", headers=HEADERS).json()
        for stream, record_id in (("customers", "1001"), ("products", "501"))
    }
    assert kept["customers"]["phone"] == "+4793000930"
    assert kept["products"]["name"] == "Ullgenser, blå"
    assert both.ledger.command_on(read(), 0, sales_accounts=accounts).writes == []


@pytest.mark.parametrize(
    ("patch", "headers", "status"),
    [
        ({"note": "ny"}, {"If-Match": '"another"'}, 412),
        ({"note": "ny"}, {"Content-Type": "text/plain"}, 415),
        (["note"], {}, 400),
        ({"nothing": "ny"}, {}, 422),
        ({"updated_at": "2026-01-05T10:00:00Z"}, {}, 422),
        ({"type": "robot"}, {}, 422),
        ({"is_active": "true"}, {}, 422),
        ({"phone": 4712345678}, {}, 422),
        ({"addresses": {}}, {}, 422),
        ({"deleted_at": "i går"}, {}, 422),
        ({"note": "ny", "type": "robot"}, {}, 422),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(shop, customer, patch, headers, status):
    shop.put("customers", customer())
    url = f"{shop.url}/customers/1001"
    before = requests.get(url, headers=HEADERS)

    answer = requests.patch(url, data=json.dumps(patch), headers={**MERGE, **headers})

    assert answer.status_code == status
    assert_problem(answer)
    after = requests.get(url, headers=HEADERS)
    assert (after.text, after.headers["ETag"]) == (before.text, before.headers["ETag"])


def test_a_change_moves_the_stamp_and_the_etag_and_one_that_changes_nothing_does_not(
    shop, customer
):
    shop.put("customers", customer())
    url = f"{shop.url}/customers/1001"
    before = requests.get(url, headers=HEADERS)
    read_then = {**MERGE, "If-Match": before.headers["ETag"]}

    same = requests.patch(url, data=json.dumps({"name": "Kari Nordmann"}), headers=read_then)
    assert (same.status_code, same.text) == (200, before.text)
    assert same.headers["ETag"] == before.headers["ETag"]

    changed = requests.patch(url, data=json.dumps({"name": None}), headers=read_then)
    assert changed.json()["name"] is None
    assert changed.json()["updated_at"] > before.json()["updated_at"]
    assert changed.headers["ETag"] == requests.get(url, headers=HEADERS).headers["ETag"]
    assert requests.patch(url, data="{}", headers=read_then).status_code == 412

    shop.put("customers", customer(deleted_at="2026-01-06T10:00:00Z"))
    assert requests.patch(url, data="{}", headers=MERGE).status_code == 409
    assert requests.get(f"{shop.url}/customers/none", headers=HEADERS).status_code == 404


def assert_problem(answer):
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["status"] == answer.status_code


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def of_express(shop, folder):
    """Return how the Express example is started, where Node.js and Express are at hand."""
    node = shutil.which("node")
    if not node:
        pytest.skip("there is no node")
    asked = [node, "-e", "require.resolve('express')"]
    if subprocess.run(asked, cwd=EXAMPLES, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip(
            "there is no express: npm install --prefix examples/shop-api express, or NODE_PATH"
        )
    told = {
        stream: requests.get(f"{shop.url}/{stream}?limit=1000", headers=HEADERS).json()["data"]
        for stream in shop.module.STREAMS
    }
    (folder / "records.json").write_text(json.dumps(told), encoding="utf-8")
    return ["node", "app.js"], {"SHOP_RECORDS": str(folder / "records.json")}


def of_php(shop, folder):
    """Return how the PHP example is started, where PHP with SQLite is at hand."""
    php = shutil.which("php")
    if not php or "pdo_sqlite" not in subprocess.check_output([php, "-m"], text=True):
        pytest.skip("there is no php with pdo_sqlite")
    return ["php", "-S", "127.0.0.1:PORT", "index.php"], {}


@pytest.fixture(params=["flask", of_express, of_php])
def url(request, shop, customer, product, tmp_path):
    """The address of each example in turn, with the same records."""
    for number in range(7):  # the last four have one stamp
        stamp = f"2026-01-05T10:00:0{min(number, 3)}.000001Z"
        shop.put("customers", customer(id=str(1000 + number), updated_at=stamp))
    shop.put("products", product())
    if request.param == "flask":
        yield shop.url
        return
    port = free_port()
    line, variables = request.param(shop, tmp_path)
    with subprocess.Popen(
        [word.replace("PORT", str(port)) for word in line],
        cwd=EXAMPLES,
        env={**os.environ, **variables, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(port):
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise TimeoutError(port)


def listed(url, **query):
    """Return the ids of all pages, and how many pages there were."""
    ids, cursor = [], None
    for pages in itertools.count(1):
        asked = {**query, "cursor": cursor} if cursor else query
        page = requests.get(url, params=asked, headers=HEADERS).json()
        ids += [record["id"] for record in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids, pages
    raise AssertionError


def test_each_example_lists_in_pages_in_the_order_of_change(url):
    whole = [str(1000 + number) for number in range(7)]
    for limit, pages in ((1, 7), (2, 4), (7, 1), (1000, 1)):
        assert listed(f"{url}/customers", limit=limit) == (whole, pages)
    since = "2026-01-05T11:00:02.000001+01:00"
    assert listed(f"{url}/customers", updated_since=since, limit=2) == (whole[2:], 3)
    later = "2026-01-05T10:00:02.000002Z"
    assert listed(f"{url}/customers", updated_since=later) == (whole[3:], 1)
    assert listed(f"{url}/orders") == ([], 1)
    page = requests.get(f"{url}/products", headers=HEADERS).json()
    assert page["data"][0]["custom"] == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("customers?page=2", 400),
        ("customers?limit=0", 400),
        ("customers?limit=1001", 400),
        ("customers?limit=many", 400),
        ("customers?updated_since=yesterday", 400),
        ("customers?updated_since=2026-01-05T10:00:00", 400),
        ("customers?cursor=1", 400),
        ("customers?cursor=none", 400),
        ("invoices", 404),
    ],
)
def test_each_example_refuses_what_it_does_not_know(url, path, status):
    answer = requests.get(f"{url}/{path}", headers=HEADERS)
    assert answer.status_code == status
    assert_problem(answer)


def test_each_example_asks_for_the_token(url):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = requests.get(f"{url}/customers", headers=headers)
        assert answer.status_code == 401
        assert_problem(answer)


def test_the_tap_reads_each_example(url, tmp_path):
    config = {"api_url": url, "auth_token": TOKEN, "page_size": 2}
    ended = taps.run("tap-customwebshop", config=config, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    whole = [("customers", str(1000 + number)) for number in range(7)]
    assert records_of(ended.stdout) == [*whole, ("products", "501")]
