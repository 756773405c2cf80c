"""Runs a shop of another make on a loopback port, with the sandbox's request log and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from go_sandbox.faults import Faults
from go_sandbox.interception import Interception
from go_sandbox.requests_log import RequestLog
from go_sandbox.server import LoopbackServer, Running

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.types import ASGIApp


class Clock(Protocol):
    """The clock of a shop."""

    def now(self) -> datetime:
        """Return the present moment as an aware datetime."""


class Shop(Protocol):
    """The state of a shop."""

    @property
    def clock(self) -> Clock:
        """The shop's clock, which dates its answers."""


AnyShop = TypeVar("AnyShop", bound=Shop)


class Served(Running, Generic[AnyShop]):
    """A running shop of another make; use it as a context manager, or `close` it.

    Requests and faults are those of the system "shop", as in the sandbox.

    Attributes:
        shop: its state, to be edited as the merchant and the buyers would.
        requests: the log of its requests.
        faults: its faults.
    """

    def __init__(self, shop: AnyShop, app: ASGIApp, port: int = 0) -> None:
        self.shop = shop
        self.requests = RequestLog()
        self.faults = Faults()
        watched = Interception(app, "shop", self.faults, self.requests, shop.clock.now)
        self._server = LoopbackServer(watched, port)
        self._server.start()

    @property
    def url(self) -> str:
        """The address of the shop: scheme, host and port."""
        return self._server.url

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()
