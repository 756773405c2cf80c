"""The examples of the shop's API: our own tap reads them, and our own target changes the Flask one."""

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
    return [(one["stream"], one["record"]["id"]) for one in told if one["type"] == "RECORD"]


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
        stream: requests.get(f"{shop.url}/{stream}/{id}", headers=HEADERS).json()
        for stream, id in (("customers", "1001"), ("products", "501"))
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
