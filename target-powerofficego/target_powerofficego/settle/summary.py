"""What a person reads at the end of a run: a table on a terminal, else one structured line."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from target_powerofficego.settle.shown_by import shown_by
from target_powerofficego.settle.tally import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping


def tell_summary(
    counts: Mapping[str, Mapping[str, int]],
    calls: Mapping[str, Any],
    open_ones: Mapping[str, int],
    *,
    waits_elsewhere: bool,
    own_faults: int,
    is_plan: bool,
    system: str,
    exit_status: int,
    logger: logging.Logger,
) -> None:
    """Print what became of the records, the calls it took, and last what waits for a person.

    `system` is what the calls went to, `own_faults` is how many rejects are faults of this program;
    `waits_elsewhere`: something of the other way waits for a person too.
    """
    ending = _ending(
        calls.get("writes", 0), open_ones, is_plan=is_plan, system=system, exit_status=exit_status
    )
    if waits_elsewhere:
        ending += "; on the other way something waits, see " + shown_by("check")
    parked = sum(outcomes.get("parked", 0) for outcomes in counts.values())
    if parked and not is_plan:
        ending += f"; {parked} parked, which the next run tries again"
    console = Console(stderr=True)
    if not console.is_terminal:
        summary: dict[str, Any] = {"records": counts, "calls": calls, "unacknowledged": open_ones}
        if is_plan:
            summary["nothing_was_written"] = True
        logger.info("run summary: %s", json.dumps(summary, sort_keys=True), extra=summary)
        if own_faults:
            logger.error("%s", own_faults_in_words(own_faults))
        logger.log(logging.WARNING if any(open_ones.values()) else logging.INFO, "%s", ending)
        return
    console.print(outcome_table(counts))
    console.print(
        f"Calls to {system}: {calls.get('reads', 0)} reads, {calls.get('writes', 0)} writes"
    )
    if own_faults:
        console.print(own_faults_in_words(own_faults))
    console.print(ending, markup=False, soft_wrap=True)


def own_faults_in_words(number: int) -> str:
    """Say that this program failed on that many records, and what to do about it."""
    which = "1 reject is a fault" if number == 1 else f"{number} rejects are faults"
    return f"{which} of this program; report the lines of the log that say where"


def _ending(
    writes: int, open_ones: Mapping[str, int], *, is_plan: bool, system: str, exit_status: int
) -> str:
    """Say whether anything was written, and what waits for a person, in one line."""
    written = f"{_counted(writes, 'write')} to {system}"
    if is_plan:
        written = f"this is what a run would do: nothing was written to {system}"
    elif not writes:
        written = f"nothing was written to {system}"
    kinds = [kind for kind, number in open_ones.items() if number]
    if not kinds:
        return f"{written}; nothing waits for a person"
    counted = " and ".join(_counted(open_ones[kind], kind) for kind in kinds)
    if is_plan:
        return f"{written}; {counted} would wait for a person"
    verb = "waits" if sum(open_ones.values()) == 1 else "wait"
    status = f", so the exit status is {exit_status}" if exit_status else ""
    commands = " and ".join(shown_by(f"{kind}s") for kind in kinds)
    return f"{written}; {counted} {verb} for a person{status}; see {commands}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def outcome_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table of entities by those outcomes that any of them had."""
    shown = [one for one in OUTCOMES if any(one in outcomes for outcomes in counts.values())]
    table = Table(title="Records")
    table.add_column("")
    for outcome in shown:
        table.add_column(outcome, justify="right")
    for entity, outcomes in counts.items():
        table.add_row(entity, *(str(outcomes.get(outcome, 0) or "·") for outcome in shown))
    return table
