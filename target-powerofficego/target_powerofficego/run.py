"""One run, once it is open: how it comes to its end, and what is told of it."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.links import LinkStoreError
from target_powerofficego.settle.plan_listing import tell_plan, write_changes
from target_powerofficego.settle.summary import tell_summary

if TYPE_CHECKING:
    from target_powerofficego.brakes import Brakes
    from target_powerofficego.go_api import GoClient
    from target_powerofficego.links import LinkStore, UnsettledKind
    from target_powerofficego.plan import Plan
    from target_powerofficego.settings import Settings
    from target_powerofficego.settle.settlement import Settlement
    from target_powerofficego.settle.tally import Tally

logger = logging.getLogger("target-powerofficego")

_OPEN_KINDS: tuple[UnsettledKind, ...] = ("reject", "hold")


class CannotStart(Exception):  # noqa: N818 - reads as what it says
    """The run cannot start as things are; the text says why in one line."""


@dataclass
class Run:
    """What is open while a run lasts."""

    settings: Settings
    store: LinkStore
    go: GoClient
    settlement: Settlement
    plan: Plan
    brakes: Brakes
    tally: Tally
    number: int | None
    is_plan: bool
    opened: contextlib.ExitStack

    def finish(self) -> int:
        """Settle what is still open, tell the summary and return the exit status.

        0: all is well; 1: a first run's plan was printed; 3: rejects or holds are open.
        """
        self.settlement.finish()
        open_ones = self._open()
        status = 3 if self.settings.fails_on_unacknowledged and any(open_ones.values()) else 0
        if self.is_plan:
            tell_plan(self.plan.changes(), every_one=self.settings.dry_run)
            for line in self.brakes.told_by_a_plan():
                logger.warning(line)
        if self.settings.changes_file is not None:
            write_changes(self.plan.changes(), self.settings.changes_file)
        counts, calls = self.tally.counts(), _calls(self.go)
        tell_summary(counts, calls, open_ones, is_plan=self.is_plan)
        if self.is_plan and not self.settings.dry_run and counts:
            logger.error(
                "This is the first run against a Go that already has entries: the plan was printed"
                " and nothing was written. Set first_run: accept to carry it out."
            )
            status = 1
        if self.number is not None:
            self.store.finish_run(self.number, exit_status=status, outcomes=counts, calls=calls)
        return status

    def stop(self, failure: BaseException, *, exit_status: int) -> None:
        """End the run early: calls in flight finish, what is settled stays so."""
        self.go.cancel()
        self.settlement.stop(failure)
        if self.number is None:
            return
        with contextlib.suppress(LinkStoreError):  # it may be why the run ends
            self.store.finish_run(
                self.number,
                exit_status=exit_status,
                outcomes=self.tally.counts(),
                calls=_calls(self.go),
            )

    def close(self) -> None:
        """Let go of everything."""
        self.settlement.close()
        self.opened.close()

    def _open(self) -> dict[str, int]:
        found = self.store.unsettled(*_OPEN_KINDS, acknowledged=False)
        return {kind: sum(one.kind == kind for one in found) for kind in _OPEN_KINDS}


def _calls(go: GoClient) -> dict[str, int]:
    return {"reads": go.calls.reads, "writes": go.calls.writes, "tokens": go.calls.tokens}
