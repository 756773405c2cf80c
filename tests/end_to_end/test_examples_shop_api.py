"""The example servers of the shop's API: our tap reads each, and our target writes to Flask."""

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
from ledger import the_order
from werkzeug.serving import make_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "shop-api"
TOKEN = "hemmelig"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
MERGE = {**HEADERS, "Content-Type": "application/merge-patch+json"}


class FlaskShop:
    """The Flask example on a free port, with its records in SQLite."""

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
    """Runs tap-customwebshop on the shop from a state; returns all messages as text."""

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
    messages = map(json.loads, text.splitlines())
    return [(line["stream"], line["record"]["id"]) for line in messages if line["type"] == "RECORD"]


def state_of(text):
    return [json.loads(line) for line in text.splitlines() if '"STATE"' in line][-1]["value"]


def test_the_tap_reads_every_record_once_and_then_only_what_changed(shop, read, customer, product):
    for number in range(5):  # equal stamps, so that the cursor needs the id
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


def test_an_order_of_the_shop_reaches_go_and_an_edit_in_go_comes_back(
    shop, read, both, customer, product, order
):
    shop.put("customers", customer())
    shop.put("products", product())
    shop.put("orders", order())
    accounts = {"25": 3000, "15": 3001, "0": 3100}
    both.ledger.command_on(read(), 0, sales_accounts=accounts)
    assert the_order(both.box)["TotalAmount"] == 250

    both.edit_in_go("customers", "1001", PhoneNumber="+4793000930")
    both.edit_in_go("products", "501", Name="Ullgenser, blå")
    for _ in range(2):  # the second run finds both sides equal
        both.back(api_url=shop.url, auth_token=TOKEN, ends_with=0)
    records = {
        stream: requests.get(f"{shop.url}/{stream}/{record_id}", headers=HEADERS).json()
        for stream, record_id in (("customers", "1001"), ("products", "501"))
    }
    assert records["customers"]["phone"] == "+4793000930"
    assert records["products"]["name"] == "Ullgenser, blå"
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
def test_an_invalid_change_changes_nothing(shop, customer, patch, headers, status):
    shop.put("customers", customer())
    url = f"{shop.url}/customers/1001"
    before = requests.get(url, headers=HEADERS)

    answer = requests.patch(url, data=json.dumps(patch), headers={**MERGE, **headers})

    assert answer.status_code == status
    assert_problem(answer)
    after = requests.get(url, headers=HEADERS)
    assert (after.text, after.headers["ETag"]) == (before.text, before.headers["ETag"])


def test_only_a_real_change_moves_the_stamp_and_the_etag(shop, customer):
    shop.put("customers", customer())
    url = f"{shop.url}/customers/1001"
    before = requests.get(url, headers=HEADERS)
    if_unchanged = {**MERGE, "If-Match": before.headers["ETag"]}

    same = requests.patch(url, data=json.dumps({"name": "Kari Nordmann"}), headers=if_unchanged)
    assert (same.status_code, same.text) == (200, before.text)
    assert same.headers["ETag"] == before.headers["ETag"]

    changed = requests.patch(url, data=json.dumps({"name": None}), headers=if_unchanged)
    assert changed.json()["name"] is None
    assert changed.json()["updated_at"] > before.json()["updated_at"]
    assert changed.headers["ETag"] == requests.get(url, headers=HEADERS).headers["ETag"]
    assert requests.patch(url, data="{}", headers=if_unchanged).status_code == 412

    shop.put("customers", customer(deleted_at="2026-01-06T10:00:00Z"))
    assert requests.patch(url, data="{}", headers=MERGE).status_code == 409
    assert requests.get(f"{shop.url}/customers/none", headers=HEADERS).status_code == 404


def assert_problem(answer):
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["status"] == answer.status_code


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def of_express(shop, folder):
    """Return the command and variables of the Express example, if Express is installed."""
    node = shutil.which("node")
    if not node:
        pytest.skip("Node.js is not installed")
    look_up = [node, "-e", "require.resolve('express')"]
    if subprocess.run(look_up, cwd=EXAMPLES, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip(
            "Express is not installed: npm install --prefix examples/shop-api express, or NODE_PATH"
        )
    records = {
        stream: requests.get(f"{shop.url}/{stream}?limit=1000", headers=HEADERS).json()["data"]
        for stream in shop.module.STREAMS
    }
    (folder / "records.json").write_text(json.dumps(records), encoding="utf-8")
    return ["node", "app.js"], {"SHOP_RECORDS": str(folder / "records.json")}


def of_php(shop, folder):
    """Return the command and variables of the PHP example, if PHP with SQLite is installed."""
    php = shutil.which("php")
    if not php or "pdo_sqlite" not in subprocess.check_output([php, "-m"], text=True):
        pytest.skip("PHP with pdo_sqlite is not installed")
    return ["php", "-S", "127.0.0.1:PORT", "index.php"], {}


@pytest.fixture(params=["flask", of_express, of_php])
def url(request, shop, customer, product, tmp_path):
    """The address of each example in turn, with the same records."""
    for number in range(7):  # the last four share a stamp
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
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise TimeoutError(port)


def listed(url, **query):
    """Return the ids of all pages, and how many pages there were."""
    ids, cursor = [], None
    for pages in itertools.count(1):
        params = {**query, "cursor": cursor} if cursor else query
        page = requests.get(url, params=params, headers=HEADERS).json()
        ids += [record["id"] for record in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids, pages
    raise AssertionError


def test_each_example_lists_in_pages_in_the_order_of_change(url):
    ids = [str(1000 + number) for number in range(7)]
    for limit, pages in ((1, 7), (2, 4), (7, 1), (1000, 1)):
        assert listed(f"{url}/customers", limit=limit) == (ids, pages)
    since = "2026-01-05T11:00:02.000001+01:00"
    assert listed(f"{url}/customers", updated_since=since, limit=2) == (ids[2:], 3)
    later = "2026-01-05T10:00:02.000002Z"
    assert listed(f"{url}/customers", updated_since=later) == (ids[3:], 1)
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
def test_each_example_refuses_invalid_requests(url, path, status):
    answer = requests.get(f"{url}/{path}", headers=HEADERS)
    assert answer.status_code == status
    assert_problem(answer)


def test_each_example_requires_the_token(url):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = requests.get(f"{url}/customers", headers=headers)
        assert answer.status_code == 401
        assert_problem(answer)


def test_the_tap_reads_each_example(url, tmp_path):
    config = {"api_url": url, "auth_token": TOKEN, "page_size": 2}
    ended = taps.run("tap-customwebshop", config=config, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    customers = [("customers", str(1000 + number)) for number in range(7)]
    assert records_of(ended.stdout) == [*customers, ("products", "501")]
