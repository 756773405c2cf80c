"""One run, once it is open: how it comes to its end, and what is reported of it."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from target_powerofficego.settle.plan import write_changes
from target_powerofficego.settle.progress import Lines, Progress
from target_powerofficego.settle.summary import tell_summary
from target_powerofficego.store.link_store import LinkStoreError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from target_powerofficego.go_api import CallCount
    from target_powerofficego.settings.both_ways import SideSettings
    from target_powerofficego.settle.plan import Plan
    from target_powerofficego.settle.progress import Standing
    from target_powerofficego.settle.settlement import Settlement
    from target_powerofficego.settle.summary import Tally
    from target_powerofficego.settle.terminal import Bar
    from target_powerofficego.settle.writes import Brakes
    from target_powerofficego.store.link_store import LinkStore, UnsettledKind

_OPEN_KINDS: tuple[UnsettledKind, ...] = ("reject", "hold")
_DECLARING_A_TERMINAL = frozenset({"FORCE_COLOR", "TTY_COMPATIBLE"})
"""The variables that declare to `rich` whether the log goes to a terminal."""


class Client(Protocol):
    """The HTTP client of the system that is written to."""

    calls: CallCount
    system: str

    def cancel(self) -> None:
        """End every wait and every later call; those in flight finish."""


@dataclass
class Run:
    """What is open while a run lasts; `kept_as` are the store's names for what it settles."""

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
        """Start reporting how far the run is."""
        teller = _bar() or Lines(self.logger)
        self._progress = Progress(self.note, teller, self.client.system)
        self._progress.start()

    def note(self) -> Standing:
        """Record in the store how far the run is, and return it."""
        if self.number is not None:
            with contextlib.suppress(LinkStoreError):  # whatever else needs the store reports it
                self.store.runs.save_progress(
                    self.number, outcomes=self.tally.counts(), calls=self._calls()
                )
        return self.settlement.standing(self.client.calls.writes)

    def finish(self, *, has_input: bool, has_whole_input: bool) -> int:
        """Settle what is still open, print the summary and return the exit status.

        0: all is well; 1: a first run's plan was printed, or `changes_file` cannot be written;
        3: rejects or holds are open.
        """
        if not has_input:
            self.logger.warning(
                "no input: the tap sent no message, so it broke at its start, or nothing is"
                " selected; see its log"
            )
        self.settlement.finish()
        self._end_progress()
        if self.is_plan:
            self._tell_plan()
        has_written_changes = self._write_changes()
        status = self._tell_summary()
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
        """End the run early: calls in flight finish, and what is settled stays settled."""
        self.client.cancel()
        self.settlement.stop(failure)
        self._end_progress()
        with contextlib.suppress(LinkStoreError):  # the store may be why the run ends
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

    def _record_end(self, exit_status: int, **of_input: bool) -> None:
        if self.number is not None:
            self.store.runs.finish(
                self.number,
                exit_status=exit_status,
                outcomes=self.tally.counts(),
                calls=self._calls(),
                **of_input,
            )

    def _calls(self) -> dict[str, int]:
        calls = self.client.calls
        return {"reads": calls.reads, "writes": calls.writes, "tokens": calls.tokens}

    def _tell_summary(self) -> int:
        """Print the summary; return 3 where open rejects or holds fail the run, else 0."""
        unsettled = self.store.unsettled.all(*_OPEN_KINDS, acknowledged=False)
        waiting = [one for one in unsettled if one.entity in self.kept_as]
        open_ones: dict[str, int] = {
            kind: sum(one.kind == kind for one in waiting) for kind in _OPEN_KINDS
        }
        status = 3 if self.settings.fails_on_unacknowledged and waiting else 0
        tell_summary(
            self.tally.counts(),
            self._calls(),
            open_ones,
            skipped=self.tally.skipped(),
            left_alone=self.store.unsettled.count_for_shop_file(self.kept_as),
            waits_elsewhere=len(unsettled) > len(waiting),
            program_faults=sum(one.is_program_fault for one in waiting),
            is_plan=self.is_plan,
            system=self.client.system,
            exit_status=status,
            logger=self.logger,
            show=_summary_table(),
        )
        return status

    def _tell_plan(self) -> None:
        from target_powerofficego.settle.terminal import tell_plan  # noqa: PLC0415

        tell_plan(self.plan.changes(), every_one=self.settings.dry_run)
        for line in self.brakes.told_by_a_plan():
            self.logger.warning(line)

    def _write_changes(self) -> bool:
        """Write the file of changes, if one is wanted; return whether that succeeded."""
        path = self.settings.changes_file
        if path is None:
            return True
        try:
            write_changes(self.plan.changes(), path)
        except OSError as error:
            self.logger.error(
                "changes_file: %s cannot be written: %s; what the run did stands",
                path,
                error.strerror,
            )
            return False
        return True


# What draws on a terminal takes long to load, and most runs have none.


def _is_on_a_terminal() -> bool:
    """Return whether the log goes to a terminal; the run may have been started without a log."""
    return sys.stderr is not None and sys.stderr.isatty()


def _bar() -> Bar | None:
    """Return a bar on a terminal that can draw it; None where there is none."""
    if not _is_on_a_terminal():
        return None
    from target_powerofficego.settle.terminal import bar  # noqa: PLC0415

    return bar()


def _summary_table() -> Callable[..., bool] | None:
    """Return what shows a summary on a terminal; None where there is certainly none."""
    if not _is_on_a_terminal() and _DECLARING_A_TERMINAL.isdisjoint(os.environ):
        return None
    from target_powerofficego.settle.terminal import show_summary  # noqa: PLC0415

    return show_summary
