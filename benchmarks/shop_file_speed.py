"""Times a preset against a bare loop over the same pages of WooCommerce on loopback.

`python benchmarks/shop_file_speed.py [--records 20000] [--rounds 5]`

The pages are those of the sandbox's WooCommerce, with other ids and stamps; a plain server sends
them from memory. The figures are of entire processes, including the start of the interpreter and
the import of the SDK. The two run in turn, and the result is the median of the ratios of such
pairs, because a busy machine slows both of a pair; the first pair, in which Python compiles what it
loads, does not count. Processor time is compared as well: other programs slow the threads of the
tap more than a loop with only one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import requests
from go_sandbox.shops import woocommerce
from measuring import work_at_end

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PAGE = 100
"""The most orders that WooCommerce sends at a time."""
FIRST_ORDER = datetime(2026, 1, 1)  # noqa: DTZ001 - WooCommerce's stamps have no zone
PAID_AFTER = timedelta(minutes=3)
KARI = {
    "first_name": "Kari", "last_name": "Nordmann", "address_1": "Storgata 1", "postcode": "0155",
    "city": "Oslo", "country": "NO", "email": "kari@example.com", "phone": "+4722334455",
}  # fmt: skip

BARE_LOOP = """
import json, sys, requests
session = requests.Session()
page, rows = 1, True
while rows:
    query = {"per_page": 100, "page": page, "dp": 6}
    rows = session.get(sys.argv[1] + "/wp-json/wc/v3/orders", params=query).json()
    for row in rows:
        print(json.dumps({"type": "RECORD", "stream": "orders", "record": row}))
    page += 1
"""


def sample_orders() -> list[dict[str, Any]]:
    """A page of orders: each has two lines and freight, some have a coupon."""
    with woocommerce.start() as served:
        shop = served.shop
        shop.add_coupon("sommer", "percent", "10")
        goods = [shop.add_product(f"Genser {n}", f"G-{n}", f"{n}99.90") for n in range(1, 6)]
        for number in range(PAGE):
            bought = [(goods[number % 5], 1 + number % 3), (goods[(number + 2) % 5], 1)]
            coupons = ["sommer"] if number % 4 == 0 else []
            shop.place_order(bought, billing=KARI, shipping=KARI, freight="79.20", coupons=coupons)
        keys = (shop.consumer_key, shop.consumer_secret)
        query: dict[str, Any] = {"per_page": PAGE, "dp": 6}
        url = f"{served.url}/wp-json/wc/v3/orders"
        return requests.get(url, params=query, auth=keys, timeout=60).json()


def numbered_order(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the order with its own id and stamps; it is paid three minutes after it is placed."""
    placed = FIRST_ORDER + timedelta(minutes=number)
    moments = {
        name: (placed if name.startswith("date_created") else placed + PAID_AFTER).isoformat()
        for name, moment in row.items()
        if name.startswith("date_") and moment
    }
    return {**row, **moments, "id": number + 1, "number": f"{number + 1}"}


def make_pages(rows: list[dict[str, Any]], records: int) -> list[bytes]:
    """Pages of such orders, as JSON."""
    orders = [numbered_order(rows[number % PAGE], number) for number in range(records)]
    return [json.dumps(orders[first : first + PAGE]).encode() for first in range(0, records, PAGE)]


class PageServer(ThreadingHTTPServer):
    """Serves the orders; all other lists are empty."""

    daemon_threads = True

    def __init__(self, pages: list[bytes], records: int) -> None:
        self.pages, self.records = pages, records
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: PageServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        index = int(parse_qs(parts.query).get("page", ["1"])[0]) - 1
        is_page = parts.path.endswith("/orders") and index < len(self.server.pages)
        body = self.server.pages[index] if is_page else b"[]"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if parts.path.endswith("/orders"):
            self.send_header("X-WP-Total", str(self.server.records))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Log nothing, which would take time."""


def _serve(rows: list[dict[str, Any]], records: int, address: Connection) -> None:
    server = PageServer(make_pages(rows, records), records)
    address.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


class Cost(NamedTuple):
    """The time and processor time of a command, in seconds."""

    time: float
    work: float


def cost_of(name: str, command: list[str], records: int) -> Cost:
    """Run a command that writes so many records, and return its cost.

    Python has its defaults: it keeps compiled code and buffers its output.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=environment)
        work = work_at_end(process)
        cost = Cost(time.perf_counter() - started, work)
        out.seek(0)
        written = sum(1 for line in out if b'"RECORD"' in line)
    if written != records:
        sys.exit(f"{name}: {written} of {records} records")
    print(f"{name:<10}{cost.time:7.2f} s, {cost.work:5.2f} s of work")
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    receiver, sender = multiprocessing.Pipe()
    arguments = (sample_orders(), options.records, sender)
    multiprocessing.Process(target=_serve, args=arguments, daemon=True).start()
    url = receiver.recv()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        keys = {"consumer_key": "ck", "consumer_secret": "cs"}
        config.write_text(
            json.dumps({"api_url": url, "shop": "woocommerce", "shop_settings": keys})
        )
        loop = [sys.executable, "-c", BARE_LOOP, url]
        tap = [sys.executable, "-m", "tap_customwebshop", "--config", str(config)]
        _, *pairs = [
            (cost_of("bare loop", loop, options.records), cost_of("preset", tap, options.records))
            for _ in range(1 + options.rounds)
        ]
    by_time = median(bare.time / preset.time for bare, preset in pairs)
    by_work = median(bare.work / preset.work for bare, preset in pairs)
    print(f"preset against bare loop: {by_time:.2f} by time, {by_work:.2f} by work")


if __name__ == "__main__":
    main()
