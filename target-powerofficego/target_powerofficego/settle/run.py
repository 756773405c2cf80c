"""An open run: how it ends, and what is reported about it."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from target_powerofficego.settle.plan import write_changes
from target_powerofficego.settle.progress import LogReporter, Progress
from target_powerofficego.settle.summary import report_summary
from target_powerofficego.store.link_store import LinkStoreError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from target_powerofficego.go_api import CallCount
    from target_powerofficego.settings.both_ways import SideSettings
    from target_powerofficego.settle.plan import Plan
    from target_powerofficego.settle.progress import Snapshot
    from target_powerofficego.settle.settlement import Settlement
    from target_powerofficego.settle.summary import Tally
    from target_powerofficego.settle.terminal import Bar
    from target_powerofficego.settle.writes import Brakes
    from target_powerofficego.store.link_store import LinkStore, UnsettledKind

_OPEN_KINDS: tuple[UnsettledKind, ...] = ("reject", "hold")
_DECLARING_A_TERMINAL = frozenset({"FORCE_COLOR", "TTY_COMPATIBLE"})
"""The variables that tell `rich` whether the log goes to a terminal."""


class Client(Protocol):
    """The HTTP client of the system that is written to."""

    calls: CallCount
    system: str

    def cancel(self) -> None:
        """End every wait and refuse later calls; calls in flight finish."""


@dataclass
class Run:
    """What is open during a run; `kept_as` are the store's names for the records it settles."""

    settings: SideSettings
    store: LinkStore
    client: Client
    settlement: Settlement
    plan: Plan
    brakes: Brakes
    tally: Tally
    number: int | None
    is_plan: bool
    opened: contextlib.ExitStack
    kept_as: tuple[str, ...]
    logger: logging.Logger

    _progress: Progress | None = field(default=None, init=False)

    def start_progress(self) -> None:
        """Start reporting the progress of the run."""
        reporter = _bar() or LogReporter(self.logger)
        self._progress = Progress(self.save_progress, reporter, self.client.system)
        self._progress.start()

    def save_progress(self) -> Snapshot:
        """Save the progress of the run in the store, and return it."""
        if self.number is not None:
            with contextlib.suppress(LinkStoreError):  # the next use of the store reports it
                self.store.runs.save_progress(
                    self.number, outcomes=self.tally.counts(), calls=self._calls()
                )
        return self.settlement.snapshot(self.client.calls.writes)

    def finish(self, *, has_input: bool, has_whole_input: bool) -> int:
        """Settle what is still open, report the summary and return the exit status.

        0: success; 1: a first run's plan was printed, or `changes_file` cannot be written;
        3: rejects or holds are open.
        """
        if not has_input:
            self.logger.warning(
                "no input: the tap sent no message, so it failed at its start, or nothing is"
                " selected; see its log"
            )
        self.settlement.finish()
        self._end_progress()
        if self.is_plan:
            self._print_plan()
        has_written_changes = self._write_changes()
        status = self._report_summary()
        if self.is_plan and not self.settings.dry_run and self.tally.counts():
            self.logger.error(
                "This is the first run against a Go that already has entries: the plan was printed"
                " and nothing was written. Set first_run: accept to carry it out."
            )
            status = 1
        if not has_written_changes:
            status = 1
        self._record_end(status, has_input=has_input, has_whole_input=has_whole_input)
        return status

    def stop(self, failure: BaseException, *, exit_status: int) -> None:
        """End the run early: calls in flight finish, and settled records stay settled."""
        self.client.cancel()
        self.settlement.stop(failure)
        self._end_progress()
        with contextlib.suppress(LinkStoreError):  # it may be the reason why the run ends
            self._record_end(exit_status)

    def close(self) -> None:
        """Close everything that is open."""
        self._end_progress()
        self.settlement.close()
        self.opened.close()

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def _record_end(self, exit_status: int, **input_state: bool) -> None:
        if self.number is not None:
            self.store.runs.finish(
                self.number,
                exit_status=exit_status,
                outcomes=self.tally.counts(),
                calls=self._calls(),
                **input_state,
            )

    def _calls(self) -> dict[str, int]:
        calls = self.client.calls
        return {"reads": calls.reads, "writes": calls.writes, "tokens": calls.tokens}

    def _report_summary(self) -> int:
        """Report the summary; return 3 if open rejects or holds fail the run, else 0."""
        unsettled = self.store.unsettled.all(*_OPEN_KINDS, acknowledged=False)
        waiting = [record for record in unsettled if record.entity in self.kept_as]
        open_ones: dict[str, int] = {
            kind: sum(record.kind == kind for record in waiting) for kind in _OPEN_KINDS
        }
        status = 3 if self.settings.fails_on_unacknowledged and waiting else 0
        report_summary(
            self.tally.counts(),
            self._calls(),
            open_ones,
            skipped=self.tally.skipped(),
            unsupported=self.store.unsettled.count_for_shop_file(self.kept_as),
            other_way_waits=len(unsettled) > len(waiting),
            program_faults=sum(record.is_program_fault for record in waiting),
            is_plan=self.is_plan,
            system=self.client.system,
            exit_status=status,
            logger=self.logger,
            show=_summary_table(),
        )
        return status

    def _print_plan(self) -> None:
        from target_powerofficego.settle.terminal import print_plan  # noqa: PLC0415

        print_plan(self.plan.changes(), is_complete=self.settings.dry_run)
        for line in self.brakes.plan_warnings():
            self.logger.warning(line)

    def _write_changes(self) -> bool:
        """Write the file of changes, if one is set; return False if that failed."""
        path = self.settings.changes_file
        if path is None:
            return True
        try:
            write_changes(self.plan.changes(), path)
        except OSError as error:
            self.logger.error(
                "changes_file: %s cannot be written: %s; what the run did is kept",
                path,
                error.strerror,
            )
            return False
        return True


# The code that draws on a terminal takes long to load, and most runs have none.


def _is_on_a_terminal() -> bool:
    """Return whether the log goes to a terminal; a run may have no standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


def _bar() -> Bar | None:
    """Return a bar on a terminal that can draw it, else None."""
    if not _is_on_a_terminal():
        return None
    from target_powerofficego.settle.terminal import bar  # noqa: PLC0415

    return bar()


def _summary_table() -> Callable[..., bool] | None:
    """Return the function that shows a summary on a terminal; None if there is certainly none."""
    if not _is_on_a_terminal() and _DECLARING_A_TERMINAL.isdisjoint(os.environ):
        return None
    from target_powerofficego.settle.terminal import show_summary  # noqa: PLC0415

    return show_summary
