"""Prints how much of ten requests a second the Go client uses, as a ratio (goal: 0.95).

The server on the other side answers after 200 ms and keeps the connections open. The first
seconds, in which the client fetches its token and opens its connections, are left out.

    python benchmarks/rate_limit_use.py [threads] [seconds]
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from target_powerofficego.go_api import Connection, GoClient, StopRequested

LATENCY_SECONDS = 0.2
WARM_UP_SECONDS = 2.5
REQUESTS_PER_SECOND = 10


class SlowGo(BaseHTTPRequestHandler):
    """Answers every request after the usual latency and notes when it came."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    arrivals: list[float] = []  # noqa: RUF012

    def do_GET(self):
        """Answer an entry after the usual latency."""
        self.arrivals.append(time.monotonic())
        time.sleep(LATENCY_SECONDS)
        self.answer(b'{"Id": 1}')

    def do_POST(self):
        """Give out a token."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.arrivals.append(time.monotonic())
        self.answer(b'{"access_token": "fake", "token_type": "bearer", "expires_in": 1200}')

    def answer(self, body: bytes):
        """Send a JSON body."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Stay silent."""


def keep_reading(client: GoClient):
    try:
        while True:
            client.read("/Customers/1")
    except StopRequested:
        return


def arrivals_of(threads: int, seconds: float) -> list[float]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowGo)
    threading.Thread(target=server.serve_forever).start()
    address = f"http://127.0.0.1:{server.server_port}"
    connection = Connection(f"{address}/v2", f"{address}/token", "app", "client", "subscription")
    with GoClient(connection, requests_per_second=REQUESTS_PER_SECOND) as client:
        readers = [threading.Thread(target=keep_reading, args=(client,)) for _ in range(threads)]
        for reader in readers:
            reader.start()
        time.sleep(WARM_UP_SECONDS + seconds)
        client.cancel()
        for reader in readers:
            reader.join()
    server.shutdown()
    server.server_close()
    return sorted(SlowGo.arrivals)


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    arrivals = arrivals_of(threads, seconds)
    warm = [moment for moment in arrivals if moment >= arrivals[0] + WARM_UP_SECONDS]
    # Turns come in heaps, so only whole seconds' worth of them may be compared with the clock.
    whole = (len(warm) - 1) // REQUESTS_PER_SECOND * REQUESTS_PER_SECOND
    used = whole / (warm[whole] - warm[0]) / REQUESTS_PER_SECOND
    shortest = min(
        last - first for first, last in zip(arrivals, arrivals[REQUESTS_PER_SECOND:], strict=False)
    )
    print(f"used of {REQUESTS_PER_SECOND} requests a second, {threads} threads: {used:.3f}")
    print(f"shortest time in which Go got {REQUESTS_PER_SECOND + 1} requests: {shortest:.3f} s")


if __name__ == "__main__":
    main()
