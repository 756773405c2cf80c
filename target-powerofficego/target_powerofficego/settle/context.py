"""What the walks of either way work with, one set per run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.decisions.merge import Evidence, Way, human_edit, merge

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.dataflow.table import Conversion
    from target_powerofficego.decisions.changes import Conflict
    from target_powerofficego.decisions.merge import Merge, Side
    from target_powerofficego.decisions.personal_data import ErasedCustomers
    from target_powerofficego.settings.both_ways import SideSettings
    from target_powerofficego.settle.plan import Plan
    from target_powerofficego.settle.tally import Tally
    from target_powerofficego.store.link_store import Link, LinkStore


@dataclass(kw_only=True)
class RunTools:
    """The store, and what is known of the run; shared by all workers.

    `wait` sleeps for that many seconds, where what is read may come from a replica that is behind.
    """

    settings: SideSettings
    conversion: Conversion
    store: LinkStore
    plan: Plan
    tally: Tally
    fingerprint: str
    erased: ErasedCustomers
    wait: Callable[[float], object] = time.sleep

    def merge(
        self,
        link: Link,
        shop: Side,
        go: Side,
        *,
        stamps: tuple[Any, Any],
        silent_rows: frozenset[str] = frozenset(),
        way: Way = Way.FORWARD,
    ) -> Merge:
        """Merge what both sides hold of a linked record; see `merge`.

        `stamps` are when the record was last changed on each side, as the shop and Go state it.
        """
        of_shop, of_go = stamps
        return merge(
            self.settings.tables[link.entity],
            shop,
            go,
            link.base,
            owners=self.settings.owners[link.entity],
            evidence=Evidence(
                shop=human_edit(of_shop, link.own_shop_stamp),
                go=human_edit(of_go, link.own_stamp),
                margin=self.settings.clock_margin,
                silent_rows=silent_rows,
                asked=self.store.conflicts.asked(link.entity, link.shop_id),
            ),
            way=way,
        )

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Log a property that both sides changed, and keep it with its values."""
        self.tally.note_conflict(entity, shop_id, conflict)
        self.store.conflicts.note(entity, shop_id, conflict)
