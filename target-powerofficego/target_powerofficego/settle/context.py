"""What the walks of either way work with, one set a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_powerofficego.dataflow.table import Conversion
    from target_powerofficego.decisions.changes import Conflict
    from target_powerofficego.decisions.erased import ErasedCustomers
    from target_powerofficego.settings.both_ways import SideSettings
    from target_powerofficego.settle.plan import Plan
    from target_powerofficego.settle.tally import Tally
    from target_powerofficego.store.link_store import LinkStore


@dataclass(kw_only=True)
class RunTools:
    """The store, and what is known of the run; shared by all workers."""

    settings: SideSettings
    conversion: Conversion
    store: LinkStore
    plan: Plan
    tally: Tally
    fingerprint: str
    erased: ErasedCustomers

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Log a property that both sides changed, and keep it with its values."""
        self.tally.note_conflict(entity, shop_id, conflict)
        self.store.note_conflict(entity, shop_id, conflict)
