"""Runs PowerOffice Go, the shop and the admin surface on three loopback ports."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import socket
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from go_sandbox import admin
from go_sandbox.faults import Faults
from go_sandbox.go import app as go_app
from go_sandbox.go.books import Books
from go_sandbox.go.ledger import Switches
from go_sandbox.interception import TRANSPORT, Interception
from go_sandbox.requests_log import RequestLog
from go_sandbox.shop import app as shop_app
from go_sandbox.shop.shop import Shop
from go_sandbox.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from starlette.types import ASGIApp
    from typing_extensions import Self

LOOPBACK = "127.0.0.1"
START_SECONDS = 30
IDLE_SECONDS = 600
GRACE_SECONDS = 1


class Running(abc.ABC):
    """A server or sandbox that runs until the end of a `with` block."""

    faults: Faults

    @abc.abstractmethod
    def close(self) -> None:
        """Stop it."""

    def __enter__(self) -> Self:
        """Return it, running."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and raise what a hook raised unless something else went wrong."""
        self.close()
        if error is None and self.faults.failed_hooks:
            raise self.faults.failed_hooks[0]


class Sandbox(Running):
    """A running sandbox; use it as a context manager, or `close` it.

    `go` and `shop` are the states of the two systems, to be edited as a person would. With a
    `state_file` (SQLite) they survive a restart.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._servers: list[LoopbackServer] = []
        self.go = Books(storage, Switches())
        self.shop = Shop(storage)
        self.faults = Faults()
        self.requests = RequestLog()

    @classmethod
    def start(
        cls,
        state_file: Path | None = None,
        go_port: int = 0,
        shop_port: int = 0,
        admin_port: int = 0,
    ) -> Sandbox:
        """Start all three servers and return once they answer; port 0 takes a free port.

        Raises:
            OSError: when a port is taken or the state file cannot be used.
        """
        box = cls(_opened(state_file))
        go = Interception(
            go_app.create_app(box.go),
            *("go", box.faults, box.requests, box.go.clock.now, box.go.revoke_tokens),
        )
        shop = Interception(
            shop_app.create_app(box.shop), "shop", box.faults, box.requests, box.shop.clock.now
        )
        try:
            for app, port in (
                (go, go_port),
                (shop, shop_port),
                (admin.create_app(box), admin_port),
            ):
                box._servers.append(LoopbackServer(app, port))
            for server in box._servers:
                server.start()
        except BaseException:
            box.close()
            raise
        return box

    def close(self) -> None:
        """Stop all servers and close the state file."""
        for server in self._servers:
            server.ask_to_stop()
        for server in self._servers:
            server.stop()
        self._storage.close()

    @property
    def go_api_url(self) -> str:
        """The address of PowerOffice Go's API."""
        return f"{self._servers[0].url}/v2"

    @property
    def go_token_url(self) -> str:
        """The address of PowerOffice Go's tokens."""
        return f"{self._servers[0].url}/OAuth/Token"

    @property
    def shop_api_url(self) -> str:
        """The address of the shop's API."""
        return self._servers[1].url

    @property
    def admin_url(self) -> str:
        """The address of the admin surface."""
        return self._servers[2].url

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of all servers."""
        names = ("go_api_url", "go_token_url", "shop_api_url", "admin_url")
        return {name: getattr(self, name) for name in names}

    @property
    def shop_token(self) -> str:
        """The bearer token for the shop's API; obviously a fake."""
        return self.shop.token

    def target_config(self, **overrides: object) -> dict[str, Any]:
        """Return a ready config for target-powerofficego."""
        return {
            "environment": "custom",
            "api_url": self.go_api_url,
            "token_url": self.go_token_url,
            "application_key": self.go.application_key,
            "client_key": self.go.client_key,
            "subscription_key": self.go.subscription_key,
            "shop_name": "testshop",
            **overrides,
        }

    def tap_config(self, **overrides: object) -> dict[str, Any]:
        """Return a ready config for tap-customwebshop."""
        return {
            "api_url": self.shop_api_url,
            "auth_token": self.shop_token,
            "start_date": "2000-01-01T00:00:00Z",
            **overrides,
        }


class LoopbackServer(uvicorn.Server):
    """Serves an ASGI app from a thread of its own, and stops at once if no request is open.

    uvicorn checks every tenth of a second whether to stop, and then waits another tenth.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ExposingProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,  # each system gives the time of its own clock
                timeout_keep_alive=IDLE_SECONDS,
            )
        )
        self._ready = threading.Event()
        self._asked_to_stop = asyncio.Event()
        self._socket = _listening_socket(port)
        self._thread = threading.Thread(
            target=self.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        """Start the thread and wait until the server is up."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError(f"the sandbox's server at {self.url} did not start")

    def ask_to_stop(self) -> None:
        """Ask it to stop soon, if it runs; several that are asked first stop at the same time."""
        if self._ready.is_set() and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has already ended
                self._loop.call_soon_threadsafe(self._asked_to_stop.set)

    def stop(self) -> None:
        """Stop the thread and free the port."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start up, and signal the thread that waits for it."""
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        self._ready.set()

    async def main_loop(self) -> None:
        """Serve until asked to stop."""
        await self._asked_to_stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Close the port and the connections, and abort requests not answered within a second."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.sleep(0)  # lets the connections close


class ExposingProtocol(H11Protocol):
    """Hands the connection to the app, so that a fault can reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the transport into the app's scope."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


def _opened(state_file: Path | None) -> Storage:
    try:
        return Storage(state_file)
    except sqlite3.Error as error:
        raise OSError(f"state file {state_file} cannot be used ({error}); name another") from error


def _listening_socket(port: int) -> socket.socket:
    # asyncio sends small answers at once only on sockets whose protocol is explicitly TCP.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise OSError(
            f"port {port} cannot be used ({error.strerror}); choose another, or 0 for a free one"
        ) from error
    return listening
