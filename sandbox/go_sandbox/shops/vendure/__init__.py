"""A local Vendure with the part of its admin API that the preset uses, as a real one answers.

It behaves as a Vendure 3.7 with SQLite was observed to behave: what moves which stamp, what is
rounded and when, what is refused and how. The tests of the preset run against both. Records are
made by the methods of `Vendure`, as buyers and the merchant make them.
"""

from __future__ import annotations

from go_sandbox.shops.serving import Served
from go_sandbox.shops.vendure.app import create_app
from go_sandbox.shops.vendure.shop import Vendure

__all__ = ["Vendure", "start"]


def start(shop: Vendure | None = None, port: int = 0) -> Served[Vendure]:
    """Serve a Vendure, a new one by default; port 0 takes a free one."""
    shop = shop or Vendure()
    return Served(shop, create_app(shop), port)
