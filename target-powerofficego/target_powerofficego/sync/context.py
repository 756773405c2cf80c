"""The tools of every walk into Go, one set per run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_powerofficego.settle.record_flow import RunTools

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.dataflow.orders.payments import PaymentAccounts
    from target_powerofficego.go_api import GoClient
    from target_powerofficego.settings.forward import Settings
    from target_powerofficego.settle.writes import Brakes
    from target_powerofficego.sync.go.index import GoIndex
    from target_powerofficego.sync.go.writer import Writer
    from target_powerofficego.sync.named_in_go import NamedInGo


@dataclass(kw_only=True)
class Tools(RunTools):
    """The store, Go, and the state of the run; shared by all workers.

    `on_linked` is called with each record that gets a link, so that records waiting for it proceed.
    """

    settings: Settings
    go: GoClient
    index: GoIndex
    writer: Writer
    brakes: Brakes
    named: NamedInGo
    on_linked: Callable[[str, str], None] = lambda _entity, _shop_id: None
    service_products: threading.Lock = field(default_factory=threading.Lock)

    @property
    def payment_accounts(self) -> PaymentAccounts | None:
        """The accounts that payments are posted to; raises what `NamedInGo.entries` does."""
        return self.named.entries().payment_accounts

    @property
    def guest_customer_id(self) -> str | None:
        """The customer in Go for all guests; raises what `NamedInGo.entries` does."""
        return self.named.entries().guest_customer
