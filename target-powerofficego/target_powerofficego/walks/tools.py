"""What every walk works with, one set a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.changes import Conflict
    from target_powerofficego.dataflow.table import Conversion
    from target_powerofficego.erased import ErasedCustomers
    from target_powerofficego.go_api import GoClient
    from target_powerofficego.go_index import GoIndex
    from target_powerofficego.links import LinkStore
    from target_powerofficego.plan import Plan
    from target_powerofficego.settings import Settings
    from target_powerofficego.settle.tally import Tally
    from target_powerofficego.writing import Writer


@dataclass
class Tools:
    """The store, Go, and what is known of the run; shared by all workers.

    `on_linked` is told each record that gets a link, so that what waits for it is taken up.
    """

    settings: Settings
    conversion: Conversion
    store: LinkStore
    go: GoClient
    index: GoIndex
    writer: Writer
    plan: Plan
    tally: Tally
    fingerprint: str
    erased: ErasedCustomers
    on_linked: Callable[[str, str], None] = lambda _entity, _shop_id: None
    service_products: threading.Lock = field(default_factory=threading.Lock)

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Tell of a property that both sides changed, and keep it with its values."""
        self.tally.note_conflict(entity, shop_id, conflict)
        self.store.note_conflict(entity, shop_id, conflict)
