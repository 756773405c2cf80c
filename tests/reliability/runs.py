"""Runs the target with what changed in the shop since its last state."""

from __future__ import annotations

import contextlib
import datetime
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import commands
from target_powerofficego.store.link_store import LinkStore

if TYPE_CHECKING:
    from pathlib import Path

    from go_sandbox import Sandbox

STREAMS = ("customers", "products", "orders")
RECORDS_A_STATE = 20
WATCHDOG_SECONDS = 300
BROKEN = ("this program could not read it", "Traceback")
NEVER = ("both sides changed", *BROKEN)


@dataclass(frozen=True)
class Ended:
    """What came of one run."""

    status: int
    log: str
    writes: list


@dataclass
class Sync:
    """Runs of the target against a sandbox, each from the state of the run before.

    No log may contain any of the texts in `never`.
    """

    box: Sandbox
    folder: Path
    settings: dict = field(default_factory=dict)
    state: dict = field(default_factory=dict)
    never: tuple = NEVER

    @property
    def link_store(self):
        return self.folder / "links.db"

    @property
    def config(self):
        config = {
            "link_store": str(self.link_store),
            "requests_per_second": 100,
            "workers": 8,
            "max_archives": 1000,
            "sales_accounts": {"25": 3000, "15": 3001, "0": 3100},
        }
        return self.box.target_config(**{**config, **self.settings})

    def run(self, lines=None):
        """Run to the end; a run that hangs fails the test."""
        seen = len(self.box.requests.all())
        started = self.start()
        output, log = started.communicate(lines or self.changed(), timeout=WATCHDOG_SECONDS)
        return self.ended(started.returncode, output, log, seen)

    def start(self):
        """Start the command, with its three streams open."""
        return commands.Command(*self.command_line())

    def command_line(self):
        """Return the command that runs the target with a config file."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config), encoding="utf-8")
        return ["target-powerofficego", "--config", str(path)]

    def ended(self, status, output, log, seen):
        """Keep the last state that was printed, and check the log for what it may never contain."""
        states = output[: output.rfind("\n") + 1].splitlines()
        if states:
            self.state = json.loads(states[-1])
        for text in self.never:
            assert text not in log, log
        return Ended(status, log, writes_since(self.box, seen))

    def changed(self):
        """Return the Singer text of all records changed since the state."""
        return singer_text(self.box.shop, self.state.get("bookmarks", {}))

    def all_records(self):
        """Return the Singer text of all records, as if there were no state."""
        return singer_text(self.box.shop, {})

    def unsettled(self, *kinds):
        """Return what is parked, rejected or held."""
        with contextlib.closing(LinkStore(str(self.link_store))) as store:
            return store.unsettled.all(*kinds, every_namespace=True)

    def made_of_lines(self):
        """Return the SKUs of the products that were made for a line of an order."""
        with contextlib.closing(LinkStore(str(self.link_store))) as store:
            ids = [link.shop_id for _, link in store.links.in_all_namespaces("products")]
        return {shop_id.removeprefix("sku:") for shop_id in ids if shop_id.startswith("sku:")}


def writes_since(box, seen):
    """Return the writes to Go among the requests after the first `seen`."""
    return [
        request
        for request in box.requests.all()[seen:]
        if request.system == "go"
        and request.method != "GET"
        and "/oauth/" not in request.path.lower()
    ]


def singer_text(shop, bookmarks):
    """Return the records of a shop changed since the bookmarks, as a tap emits them.

    A STATE follows every 20 records.
    """
    lines = []
    bookmarks = {stream: dict(mark) for stream, mark in bookmarks.items()}
    for stream in STREAMS:
        read_at = datetime.datetime.now(datetime.timezone.utc).isoformat()
        since = bookmarks.get(stream, {}).get("updated_at", "")
        lines.append(schema(stream))
        records = [record for record in shop.records(stream) if record["updated_at"] >= since]
        for place, record in enumerate(sorted(records, key=lambda record: record["updated_at"]), 1):
            lines.append(
                {"type": "RECORD", "stream": stream, "record": record, "time_extracted": read_at}
            )
            bookmarks[stream] = {"updated_at": record["updated_at"]}
            if place % RECORDS_A_STATE == 0:
                lines.append(state(bookmarks))
    lines.append(state(bookmarks))
    return "".join(json.dumps(line) + "\n" for line in lines)


def schema(stream):
    """Return the SCHEMA of a stream."""
    properties = {"type": "object", "properties": {"id": {"type": "string"}}}
    return {"type": "SCHEMA", "stream": stream, "schema": properties, "key_properties": ["id"]}


def state(bookmarks):
    """Return a STATE."""
    return {"type": "STATE", "value": {"bookmarks": dict(bookmarks)}}
