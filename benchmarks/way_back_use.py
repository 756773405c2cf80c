"""Measures the way back when few of many linked customers were edited in Go.

`python benchmarks/way_back_use.py [--linked 100000] [--edited 50]`

The processes of `tap-powerofficego | target-customwebshop` run first without a state, so that
everything is listed, then with the state of that run. The links are entered in the link store as a
run would. Budget: 2 reads and 1 write of the shop for each edit, and for Go the lists.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from go_sandbox import Sandbox
from measuring import start_measured
from target_powerofficego.dataflow.customer import CUSTOMER
from target_powerofficego.dataflow.table import Conversion, now
from target_powerofficego.decisions.merge import base_of_created
from target_powerofficego.store.link_store import Link, LinkStore

_MINUTE = 60
CONVERSION = Conversion(shop_name="testshop", time_zone=ZoneInfo("Europe/Oslo"))


def link_all(box: Sandbox, count: int, path: Path) -> list[object]:
    """Put linked customers into the shop and into Go; return their ids in Go.

    One was changed in Go each minute, so that few are in the overlap that the tap reads again.
    """
    store = LinkStore(str(path))
    store.namespaces.enter(str(box.go.client_id), None, "testshop", new_namespace=False)
    read_at = now()
    ids = []
    with store.transaction():
        for number in range(count):
            box.go.switches.clock_skew_seconds = (number - count) * _MINUTE
            record = box.shop.put("customers", customer(str(number)))
            values = CUSTOMER.read(record, CONVERSION).values
            entry = box.go.create("Customers", CUSTOMER.create_body(values))
            base = base_of_created(CUSTOMER, values, entry, read_at, now())
            stamp = entry["LastChangedDateTimeOffset"]
            go_id = str(entry["Id"])
            store.links.put(Link("customers", record["id"], go_id, base=base, own_stamp=stamp))
            ids.append(entry["Id"])
    store.close()
    box.go.switches.clock_skew_seconds = 0
    return ids


def customer(shop_id: str) -> dict:
    """Return a customer of the shop."""
    address = {"type": "billing", "is_default": True, "line1": f"Storgata {shop_id}"}
    return {
        "id": shop_id,
        "type": "person",
        "first_name": "Kari",
        "last_name": "Nordmann",
        "name": "Kari Nordmann",
        "email": f"kunde{shop_id}@example.no",
        "phone": "+4791234567",
        "addresses": [{**address, "postal_code": "0155", "city": "Oslo", "country_code": "NO"}],
        "created_at": "2026-01-02T09:00:00Z",
    }


def run(box: Sandbox, folder: Path, name: str, state: str | None) -> str:
    """Run the pipe, print what it cost, and return the last state."""
    tap = [sys.executable, "-m", "tap_powerofficego", "--config", str(folder / "go.json")]
    tap += ["--catalog", str(folder / "catalog.json")]
    if state:
        (folder / "state.json").write_text(state)
        tap += ["--state", str(folder / "state.json")]
    target = [sys.executable, "-m", "target_customwebshop", "--config", str(folder / "shop.json")]
    states, log = folder / "states.jsonl", folder / "log.txt"
    box.requests.clear()
    started = time.perf_counter()
    with states.open("w") as output, log.open("w") as errors:
        reading = start_measured(
            tap, folder / "tap", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        writing = start_measured(
            target, folder / "target", stdin=reading.stdout, stdout=output, stderr=errors
        )
        assert reading.stdout
        reading.stdout.close()
        has_failed = writing.wait() or reading.wait()
    seconds = time.perf_counter() - started
    if has_failed:
        sys.exit(f"{name}: {log.read_text()[-2000:]}")
    print(
        f"{name:<24}{seconds:7.1f} s; Go: {len(box.requests.reads('go'))} reads,"
        f" {len(box.requests.writes('go'))} writes; shop: {len(box.requests.reads('shop'))} reads,"
        f" {len(box.requests.writes('shop'))} writes;"
        f" tap: {(folder / 'tap').read_text()}; target: {(folder / 'target').read_text()}",
        flush=True,
    )
    return states.read_text().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--linked", type=int, default=100_000)
    parser.add_argument("--edited", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Sandbox.start() as box:
        folder = Path(name)
        ids = link_all(box, options.linked, folder / "links.db")
        go = box.target_config()
        go.pop("shop_name")
        shop = {"api_url": box.shop_api_url, "auth_token": box.shop_token}
        shop |= {"shop_name": "testshop", "link_store": str(folder / "links.db")}
        (folder / "go.json").write_text(json.dumps(go))
        (folder / "shop.json").write_text(json.dumps(shop))
        write_catalog(folder)
        state = run(box, folder, "everything listed", None)
        step = max(1, options.linked // options.edited)
        for go_id in ids[::step][: options.edited]:
            box.go.edit("Customers", go_id, {"PhoneNumber": "+4790000001"})
        state = run(box, folder, f"{options.edited} edited", state)
        run(box, folder, "nothing edited", state)


def write_catalog(folder: Path) -> None:
    """Select the streams that the way back needs."""
    tap = [sys.executable, "-m", "tap_powerofficego", "--config", str(folder / "go.json")]
    command = [*tap, "--discover"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    catalog = json.loads(output)
    needed = ("customers", "products", "salesorders", "outgoing_invoices")
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in needed
    (folder / "catalog.json").write_text(json.dumps(catalog))


if __name__ == "__main__":
    main()
