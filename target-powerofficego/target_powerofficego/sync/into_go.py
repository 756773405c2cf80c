"""The base of all walks into Go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.table import UNTOUCHED
from target_powerofficego.decisions.changes import Hold, Nothing, Reject, Undecidable
from target_powerofficego.go_api import Refused, StopRun, TryAgainLater, UnknownOutcome
from target_powerofficego.settle.record_flow import OLD_VERSION, Walk
from target_powerofficego.settle.shop_values import equality_by_name, shop_values
from target_powerofficego.settle.writes import BrakeReached
from target_powerofficego.store.link_store import LinkStoreError
from target_powerofficego.sync.context import Tools
from target_powerofficego.sync.go.writer import CREATE_NOT_VISIBLE
from target_powerofficego.sync.invoice_sending import MAX_RUNS
from target_powerofficego.sync.unanswered_writes import settle_unanswered

if TYPE_CHECKING:
    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.decisions.changes import Change
    from target_powerofficego.settle.record_flow import Arrival
    from target_powerofficego.store.link_store import Link

logger = logging.getLogger("target-powerofficego")

_NEVER_VISIBLE = Hold(
    "it may be in PowerOffice Go, but several runs have not seen it there: look for it in Go, also"
    " among archived entries; every run keeps looking"
)
_NO_ANSWER = "PowerOffice Go did not answer; the next run checks whether it was done"


class GoWalk(Walk[Tools]):
    """The walk of a shop record into Go."""

    stops = (StopRun, BrakeReached, LinkStoreError)

    def _take(self, arrival: Arrival) -> Change:
        """See `Walk`; after several runs, an entry that Go may have but does not show is held.

        Until the entry is visible, its record is not settled, even if nothing is left to create.
        """
        try:
            change = super()._take(arrival)
            is_old = isinstance(change, Nothing) and change.reason == OLD_VERSION
            if not is_old and self._is_create_open(arrival.shop_id):
                raise Undecidable(CREATE_NOT_VISIBLE)
        except Undecidable as undecidable:
            if undecidable.change is CREATE_NOT_VISIBLE and self._was_long_invisible(
                arrival.shop_id
            ):
                raise Undecidable(_NEVER_VISIBLE) from None
            raise
        return change

    def _is_create_open(self, shop_id: str) -> bool:
        intents = self.tools.store.intents.of_record(self._intent_entities, shop_id)
        return any(intent.kind == "create" for intent in intents)

    def _was_long_invisible(self, shop_id: str) -> bool:
        """Return whether several runs have looked in vain for what Go may have of a record."""
        before = self.tools.store.unsettled.get(self.entity, shop_id)
        if before is None or before.reason not in (
            CREATE_NOT_VISIBLE.reason,
            _NEVER_VISIBLE.reason,
        ):
            return False
        return before.kind == "hold" or before.attempts > MAX_RUNS

    def settle_unanswered(self, shop_id: str) -> None:
        """See `Walk`."""
        store = self.tools.store
        settle_unanswered(self.tools, store.intents.of_record(self._intent_entities, shop_id))

    @property
    def _intent_entities(self) -> tuple[str, ...]:
        """The entities under which the unanswered writes of a record are stored."""
        return (self.entity,)

    def _refusal(self, error: Exception) -> Reject | None:
        if isinstance(error, Refused):
            return _go_refusal(error)
        if isinstance(error, (TryAgainLater, UnknownOutcome)):
            logger.warning("%s: %s", self.entity, error)
            return Reject(_NO_ANSWER)
        return None

    def _require_newest(self, arrival: Arrival) -> str | None:
        """See `Walk`; a record that was made for an order is not one of the shop's versions."""
        if arrival.is_made:
            return None
        return super()._require_newest(arrival)

    def stamp_of(self, record: Record) -> str | None:
        """See `Walk`."""
        stamp = record.get("updated_at")
        return stamp if isinstance(stamp, str) else None

    def _own_stamp(self, link: Link) -> str | None:
        return link.own_shop_stamp

    def _shows_what_was_replaced(self, record: Record, link: Link) -> bool:
        written = {
            name: agreed for name, agreed in link.base.items() if agreed.replaced is not UNTOUCHED
        }
        if not written:
            return False
        stated = shop_values(self.entity, record, self.table, self.tools.conversion)
        are_equal = equality_by_name(self.table)
        return any(
            name in stated
            and are_equal(name, stated[name], agreed.replaced)
            and not are_equal(name, stated[name], agreed.shop)
            for name, agreed in written.items()
        )


def _go_refusal(refused: Refused) -> Reject:
    title = f": {refused.title}" if refused.title else ""
    return Reject(
        f"PowerOffice Go refused it ({refused.status}{title})",
        title=refused.title or None,
        detail=refused.detail or None,
        is_refusal=True,
    )
