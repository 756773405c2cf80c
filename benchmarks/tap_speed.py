"""Times the tap against an SDK-default tap and a bare loop over the same pages on loopback.

`python benchmarks/tap_speed.py [--records 100000] [--delay 0.1]`

Whole processes, so the start of the interpreter and the SDK's import are in the figures.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BARE_LOOP = """
import json, sys, requests
session = requests.Session()
url, query = sys.argv[1] + "/orders", {"limit": 1000}
while True:
    answer = session.get(url, params=query).json()
    for record in answer["data"]:
        print(json.dumps({"type": "RECORD", "stream": "orders", "record": record}))
    query["cursor"] = answer["next_cursor"]
    if query["cursor"] is None:
        break
"""

SDK_DEFAULT_TAP = """
import sys
from singer_sdk import RESTStream, Tap, typing as th
from singer_sdk.pagination import JSONPathPaginator
from tap_customwebshop.schemas import ORDERS

class Orders(RESTStream):
    name, path, schema, url_base = "orders", "/orders", ORDERS, sys.argv.pop(1)
    primary_keys, replication_key = ("id",), "updated_at"
    records_jsonpath = "$.data[*]"
    def get_new_paginator(self):
        return JSONPathPaginator("$.next_cursor")
    def get_url_params(self, context, next_page_token):
        return {"limit": 1000, **({"cursor": next_page_token} if next_page_token else {})}

class SDKTap(Tap):
    name = "tap-sdk-default"
    config_jsonschema = th.PropertiesList().to_dict()
    def discover_streams(self):
        return [Orders(self)]

SDKTap.cli()
"""


def order(number: int) -> dict:
    """An order as a shop would send it: two lines, freight, a payment, two addresses."""
    stamp = (
        f"2026-01-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000000Z"
    )
    stamp = stamp.replace("01-01", f"01-{1 + number // 86400:02d}")
    address = {
        "name": "Bjørg Ås", "line1": "Storgata 5", "postal_code": "0150", "city": "Oslo",
        "country_code": "NO", "phone": "+4790000000",
    }  # fmt: skip
    line = {
        "id": "1", "type": "product", "product_id": "77", "sku": "A-77", "name": "Genser, blå",
        "quantity": "2", "unit": "stk", "unit_price_excl": "199.00", "discount_excl": "0.00",
        "total_excl": "398.00", "total_tax": "99.50", "total_incl": "497.50", "tax_rate": "25",
    }  # fmt: skip
    return {
        "id": str(number), "number": f"2026-{number}", "status": "processing", "currency": "NOK",
        "payment_status": "paid", "fulfillment_status": "unfulfilled", "customer_id": "17",
        "prices_include_tax": True, "is_guest": False, "billing_address": address,
        "shipping_address": address, "buyer": {"email": "b@example.no", "name": "Bjørg Ås"},
        "lines": [line, line], "shipping": [{"name": "Posten", "total_excl": "79.20"}],
        "payments": [{"id": "1", "method": "vipps", "amount": "1074.20"}], "refunds": [],
        "total_excl": "875.20", "total_tax": "218.80", "total_incl": "1094.00", "note": None,
        "placed_at": stamp, "created_at": stamp, "updated_at": stamp, "deleted_at": None,
    }  # fmt: skip


def make_pages(records: int) -> list[bytes]:
    """Answers of a thousand orders each."""
    starts = range(0, records, 1000)
    return [
        json.dumps(
            {
                "data": [order(n) for n in range(start, min(start + 1000, records))],
                "next_cursor": str(index + 1) if start + 1000 < records else None,
            },
            ensure_ascii=False,
        ).encode()
        for index, start in enumerate(starts)
    ]


class PageServer(ThreadingHTTPServer):
    """Serves the orders; customers and products are empty."""

    daemon_threads = True

    def __init__(self, pages: list[bytes], delay: float) -> None:
        self.pages, self.delay = pages, delay
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: PageServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        cursor = int(dict(parse_qsl(parts.query)).get("cursor", 0))
        body = b'{"data": [], "next_cursor": null}'
        if parts.path == "/orders":
            time.sleep(self.server.delay)
            body = self.server.pages[cursor]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing, so that no time goes into it."""


def _serve(records: int, delay: float, address: Connection) -> None:
    server = PageServer(make_pages(records), delay)
    address.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


def start_server(records: int, delay: float) -> str:
    """Serve from a process of its own, whose memory does not count as that of what is measured."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(records, delay, there), daemon=True)
    server.start()
    return here.recv()


def timed(name: str, command: list[str], records: int) -> float:
    """Run to the end, count the records, and return the seconds that it took."""
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        emitted = sum(1 for line in out if b'"RECORD"' in line)
    if process.returncode or emitted != records:
        sys.exit(f"{name}: status {process.returncode}, {emitted} of {records} records")
    print(
        f"{name:<12}{seconds:7.2f} s {records / seconds:9.0f} rec/s {used.ru_maxrss // 1024:6} MB"
    )
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each page takes")
    options = parser.parse_args()
    url = start_server(options.records, options.delay)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"api_url": url, "auth_token": "none", "page_size": 1000}))
        tap_command = [sys.executable, "-m", "tap_customwebshop", "--config", str(config)]
        bare = timed("bare loop", [sys.executable, "-c", BARE_LOOP, url], options.records)
        tap = timed("tap", tap_command, options.records)
        default = timed(
            "SDK default", [sys.executable, "-c", SDK_DEFAULT_TAP, url], options.records
        )
    print(
        f"tap against SDK default: {default / tap:.2f} times; against bare loop: {bare / tap:.2f}"
    )


if __name__ == "__main__":
    main()
