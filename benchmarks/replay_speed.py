"""Times an unchanged replay against a do-nothing target of the SDK, and measures its memory.

`python benchmarks/replay_speed.py [--records 100000] [--only-ours]`

The figures are of entire processes, including the start of the interpreter and the import of the
SDK. The link store has every record as settled, as after a run that wrote all of them; PowerOffice
Go is asked only which client this is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from go_sandbox import Sandbox
from measuring import start_measured
from tap_customwebshop.schemas import ORDERS
from tap_speed import order
from target_powerofficego.dataflow.table import now
from target_powerofficego.forward_side import settings_fingerprint
from target_powerofficego.settings.forward import Settings
from target_powerofficego.settle.record_flow import record_hash
from target_powerofficego.settle.record_text import record_text
from target_powerofficego.settle.signals import read_message
from target_powerofficego.store.link_store import LinkStore
from target_powerofficego.target import TargetPowerOfficeGo

if TYPE_CHECKING:
    from collections.abc import Iterator

SDK_DO_NOTHING = """
from singer_sdk import Target, typing as th
from singer_sdk.sinks import RecordSink

class Nothing(RecordSink):
    def process_record(self, record, context):
        pass

class DoNothing(Target):
    name = "target-do-nothing"
    config_jsonschema = th.PropertiesList().to_dict()
    default_sink_class = Nothing

DoNothing.cli()
"""


def messages(records: int) -> Iterator[dict]:
    """Yield a SCHEMA, the orders, and a STATE after each thousand."""
    yield {"type": "SCHEMA", "stream": "orders", "schema": ORDERS, "key_properties": ["id"]}
    for number in range(records):
        yield {
            "type": "RECORD",
            "stream": "orders",
            "record": order(number),
            "time_extracted": "2026-01-02T00:00:00Z",
        }
        if number % 1000 == 999:
            yield {"type": "STATE", "value": {"bookmarks": {"orders": {"seen": number}}}}


def write_input(records: int, path: Path) -> None:
    """Write the input to a file."""
    with path.open("w", encoding="utf-8") as file:
        for message in messages(records):
            file.write(json.dumps(message, ensure_ascii=False) + "\n")


def settle_all(box: Sandbox, config: dict, source: Path) -> None:
    """Enter every record of the input in the link store as settled, as a run would."""
    settings = Settings.from_config(TargetPowerOfficeGo(config=config).config)
    fingerprint, read_at = settings_fingerprint(settings), now()
    store = LinkStore(settings.link_store)
    store.namespaces.enter(str(box.go.client_id), None, settings.shop_name, new_namespace=False)
    with store.transaction(), source.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            text = record_text(line)
            if text is not None:
                record = read_message(line.decode(), number)["record"]
                hashes = record_hash(record, fingerprint), text.hash(fingerprint)
                store.settled.put("orders", text.shop_id, hashes[0], read_at, None, hashes[1])
    store.close()


def timed(name: str, command: list[str], source: Path, records: int) -> float:
    """Run a command and return the seconds that it took."""
    usage = source.with_name("used")
    started = time.perf_counter()
    with source.open("rb") as lines:
        process = start_measured(
            command, usage, stdin=lines, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        log = process.communicate()[1].decode()
    seconds = time.perf_counter() - started
    if process.returncode or (name == "ours" and f'"unchanged": {records}' not in log):
        sys.exit(f"{name}: status {process.returncode}\n{log[-2000:]}")
    print(f"{name:<12}{seconds:7.2f} s {records / seconds:9.0f} rec/s; {usage.read_text()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--only-ours", action="store_true", help="for memory at many records")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Sandbox.start() as box:
        folder = Path(name)
        source = folder / "input.jsonl"
        write_input(options.records, source)
        config = box.target_config(link_store=str(folder / "links.db"))
        (folder / "config.json").write_text(json.dumps(config))
        settle_all(box, config, source)
        ours = [
            sys.executable,
            "-m",
            "target_powerofficego",
            "--config",
            str(folder / "config.json"),
        ]
        seconds = timed("ours", ours, source, options.records)
        if options.only_ours:
            return
        sdk = [sys.executable, "-c", SDK_DO_NOTHING]
        theirs = timed("SDK", sdk, source, options.records)
    print(f"against the SDK's do-nothing target: {theirs / seconds:.2f} times")


if __name__ == "__main__":
    main()
