"""Times the tap against a tap with the SDK's defaults and a bare loop, over the same pages.

`python benchmarks/tap_speed.py [--stream customers] [--records 100000] [--delay 0.1]`

The figures are of entire processes, including the start of the interpreter and the import of the
SDK. The pages come from a server on loopback.
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
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BARE_LOOP = """
import json, sys, requests
session = requests.Session()
url, query = f"{sys.argv[1]}/{sys.argv[2]}", {"limit": 1000}
while True:
    answer = session.get(url, params=query).json()
    for record in answer["data"]:
        print(json.dumps({"type": "RECORD", "stream": sys.argv[2], "record": record}))
    query["cursor"] = answer["next_cursor"]
    if query["cursor"] is None:
        break
"""

SDK_DEFAULT_TAP = """
import sys
from singer_sdk import RESTStream, Tap, typing as th
from singer_sdk.pagination import JSONPathPaginator
from tap_customwebshop import schemas

STREAM, URL = sys.argv.pop(2), sys.argv.pop(1)

class Records(RESTStream):
    name, path, url_base = STREAM, f"/{STREAM}", URL
    schema = getattr(schemas, STREAM.upper())
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
        return [Records(self)]

SDKTap.cli()
"""


ADDRESS = {
    "name": "Bjørg Ås", "line1": "Storgata 5", "postal_code": "0150", "city": "Oslo",
    "country_code": "NO", "phone": "+4790000000",
}  # fmt: skip


def stamp_of(number: int) -> str:
    """The stamp of so many seconds after the beginning of 2026."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=number)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def customer(number: int) -> dict:
    """A customer as a shop sends it, with two addresses."""
    stamp = stamp_of(number)
    return {
        "id": str(number), "number": str(10_000 + number), "type": "person", "is_guest": False,
        "email": f"bjorg{number}@example.no", "name": "Bjørg Ås", "first_name": "Bjørg",
        "last_name": "Ås", "phone": "+4790000000", "company_name": None,
        "organization_number": None,
        "addresses": [
            {"id": "1", "type": "billing", "is_default": True, **ADDRESS},
            {"id": "2", "type": "shipping", "is_default": True, **ADDRESS},
        ],
        "created_at": stamp, "updated_at": stamp, "deleted_at": None,
    }  # fmt: skip


def order(number: int) -> dict:
    """An order as a shop sends it: two lines, freight, a payment, two addresses."""
    stamp = stamp_of(number)
    line = {
        "id": "1", "type": "product", "product_id": "77", "sku": "A-77", "name": "Genser, blå",
        "quantity": "2", "unit": "stk", "unit_price_excl": "199.00", "discount_excl": "0.00",
        "total_excl": "398.00", "total_tax": "99.50", "total_incl": "497.50", "tax_rate": "25",
    }  # fmt: skip
    return {
        "id": str(number), "number": f"2026-{number}", "status": "processing", "currency": "NOK",
        "payment_status": "paid", "fulfillment_status": "unfulfilled", "customer_id": "17",
        "prices_include_tax": True, "is_guest": False, "billing_address": ADDRESS,
        "shipping_address": ADDRESS, "buyer": {"email": "b@example.no", "name": "Bjørg Ås"},
        "lines": [line, line], "shipping": [{"name": "Posten", "total_excl": "79.20"}],
        "payments": [{"id": "1", "method": "vipps", "amount": "1074.20"}], "refunds": [],
        "total_excl": "875.20", "total_tax": "218.80", "total_incl": "1094.00", "note": None,
        "placed_at": stamp, "created_at": stamp, "updated_at": stamp, "deleted_at": None,
    }  # fmt: skip


MAKE = {"customers": customer, "orders": order}


def make_pages(stream: str, records: int) -> list[bytes]:
    """Answers of a thousand records each."""
    starts = range(0, records, 1000)
    return [
        json.dumps(
            {
                "data": [MAKE[stream](n) for n in range(start, min(start + 1000, records))],
                "next_cursor": str(index + 1) if start + 1000 < records else None,
            },
            ensure_ascii=False,
        ).encode()
        for index, start in enumerate(starts)
    ]


class PageServer(ThreadingHTTPServer):
    """Serves one stream; the others are empty."""

    daemon_threads = True

    def __init__(self, stream: str, pages: list[bytes], delay: float) -> None:
        self.path, self.pages, self.delay = f"/{stream}", pages, delay
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
        if parts.path == self.server.path:
            time.sleep(self.server.delay)
            body = self.server.pages[cursor]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Log nothing, which would take time."""


def _serve(stream: str, records: int, delay: float, address: Connection) -> None:
    server = PageServer(stream, make_pages(stream, records), delay)
    address.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


def start_server(stream: str, records: int, delay: float) -> str:
    """Serve from another process, so that its memory is not counted as that of a command."""
    receiver, sender = multiprocessing.Pipe()
    arguments = (stream, records, delay, sender)
    server = multiprocessing.Process(target=_serve, args=arguments, daemon=True)
    server.start()
    return receiver.recv()


def timed(name: str, command: list[str], records: int) -> float:
    """Run a command, count its records, and return the seconds that it took."""
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        emitted = sum(1 for line in out if b'"RECORD"' in line)
    if process.returncode or emitted != records:
        sys.exit(f"{name}: status {process.returncode}, {emitted} of {records} records")
    print(
        f"{name:<12}{seconds:7.2f} s {records / seconds:9.0f} rec/s {usage.ru_maxrss // 1024:6} MB"
    )
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", choices=MAKE, default="orders")
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each page takes")
    options = parser.parse_args()
    stream, records = options.stream, options.records
    url = start_server(stream, records, options.delay)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"api_url": url, "auth_token": "none", "page_size": 1000}))
        tap_command = [sys.executable, "-m", "tap_customwebshop", "--config", str(config)]
        sdk_command = [sys.executable, "-c", SDK_DEFAULT_TAP, url, stream]
        bare = timed("bare loop", [sys.executable, "-c", BARE_LOOP, url, stream], records)
        start = timed("tap's start", [*tap_command, "--version"], 0)
        tap = timed("tap", tap_command, records)
        default = timed("SDK default", sdk_command, records)
    print(
        f"tap against SDK default: {default / tap:.2f} times; against bare loop: {bare / tap:.2f},"
        f" without its start {bare / (tap - start):.2f}"
    )


if __name__ == "__main__":
    main()
