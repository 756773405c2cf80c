"""Counts the outcomes of the records of a run, and reports them at its end.

A terminal gets a table; otherwise one structured line is logged.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from target_powerofficego.plugin.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.decisions.changes import Conflict


OUTCOMES = (
    "created",
    "linked",
    "changed",
    "archived",
    "deleted",
    "confirmed",
    "invoiced",
    "credited",
    "anonymised",
    "unchanged",
    "skipped",
    "parked",
    "rejected",
    "held",
)


_EXAMPLES = 10
_NAMES = ("MELTANO_LOADER_NAME", "MELTANO_UTILITY_NAME")


class Tally:
    """Counts one outcome per record: the last, if a record comes twice or is tried again.

    The stage that an order has reached, and that its buyer was anonymised, are counted separately.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._outcomes: dict[tuple[str, str], str] = {}
        self._skip_reasons: dict[tuple[str, str], str] = {}
        self._stages: set[tuple[str, str, str]] = set()
        self._unchanged: Counter[str] = Counter()

    def count(self, entity: str, shop_id: str, outcome: str, skip_reason: str = "") -> None:
        """Count one record; `skip_reason` is why it was skipped, if it was."""
        with self._lock:
            record = (entity, shop_id)
            before = self._outcomes.get(record)
            if before in ("created", "linked", "changed", "credited") and outcome == "unchanged":
                return
            self._outcomes[record] = outcome
            self._skip_reasons.pop(record, None)
            if skip_reason:
                self._skip_reasons[record] = skip_reason

    def count_stage(self, entity: str, shop_id: str, stage: str) -> None:
        """Count that a record was confirmed, invoiced or anonymised, beside its outcome."""
        with self._lock:
            self._stages.add((entity, shop_id, stage))

    def count_unchanged(self, entity: str) -> None:
        """Count a record that is identical to the version last settled."""
        with self._lock:
            self._unchanged[entity] += 1

    def skipped(self) -> list[str]:
        """Return a line for each reason for skipping records: how many, and their first ids."""
        ids_by_reason: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        with self._lock:
            for (entity, shop_id), reason in self._skip_reasons.items():
                ids_by_reason[entity, reason].append(shop_id)
        return [
            f"{entity}: {len(ids):,} skipped: {reason} ({_first_ids(ids)})"
            for (entity, reason), ids in sorted(ids_by_reason.items())
        ]

    def note(self, remark: str) -> None:
        """Log something that the run as a whole has left undone."""
        self._logger.warning("%s", remark)

    def log_repair(self, entity: str, shop_id: str, repair: str) -> None:
        """Log a value that was left out or replaced so that the rest could be written."""
        self._logger.warning("%s %s: %s", entity, shop_id, repair)

    def note_conflict(self, entity: str, shop_id: str, conflict: Conflict) -> None:
        """Log a property that both sides changed, without the values."""
        self._logger.warning(
            "%s %s: both sides changed %s; %s (%s)",
            entity,
            shop_id,
            conflict.row,
            f"{conflict.winner} wins" if conflict.winner else "held",
            conflict.reason,
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many records of each entity had each outcome."""
        with self._lock:
            counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
            for (entity, _), outcome in self._outcomes.items():
                counts[entity][outcome] += 1
            for entity, _, stage in self._stages:
                counts[entity][stage] += 1
            for entity, number in self._unchanged.items():
                counts[entity]["unchanged"] += number
        return {entity: dict(outcomes) for entity, outcomes in counts.items()}


def report_summary(
    counts: Mapping[str, Mapping[str, int]],
    calls: Mapping[str, Any],
    open_ones: Mapping[str, int],
    *,
    skipped: Sequence[str],
    unsupported: int,
    other_way_waits: bool,
    program_faults: int,
    is_plan: bool,
    system: str,
    exit_status: int,
    logger: logging.Logger,
    show: Callable[..., bool] | None,
) -> None:
    """Report the outcomes of the records, the calls, and last what waits for a person.

    `skipped` has a line for each reason for skipping records; `unsupported` is the number of parked
    edits that the shop does not accept; `other_way_waits`: something of the other direction waits
    for a person too; `program_faults` is the number of rejects that are faults of this program;
    `system` is the system that was called; `show` is `show_summary` if there may be a terminal.
    """
    ending = _ending(
        calls.get("writes", 0), open_ones, is_plan=is_plan, system=system, exit_status=exit_status
    )
    if other_way_waits:
        ending += "; in the other direction something waits, see " + links_command_for("check")
    parked = sum(outcomes.get("parked", 0) for outcomes in counts.values())
    if not is_plan:
        ending += _parked(parked - unsupported, "the next run tries again")
        ending += _parked(
            unsupported, f"the shop does not accept; see {links_command_for('parked')}"
        )
    faults = [describe_program_faults(program_faults)] if program_faults else []
    if show is not None and show(counts, calls, system, [*skipped, *faults], ending):
        return
    summary: dict[str, Any] = {"records": counts, "calls": calls, "unacknowledged": open_ones}
    if is_plan:
        summary["nothing_was_written"] = True
    logger.info("run summary: %s", json.dumps(summary, sort_keys=True), extra=summary)
    for line in skipped:
        logger.info("%s", line)
    for line in faults:
        logger.error("%s", line)
    logger.log(logging.WARNING if any(open_ones.values()) else logging.INFO, "%s", ending)


def _first_ids(ids: Sequence[str]) -> str:
    more = f", and {len(ids) - _EXAMPLES:,} more" if len(ids) > _EXAMPLES else ""
    return plain(", ".join(ids[:_EXAMPLES])) + more


def describe_program_faults(number: int) -> str:
    """Return that this program failed on a number of records, and what to do about it."""
    subject = "1 reject is a fault" if number == 1 else f"{number:,} rejects are faults"
    return f"{subject} of this program; report the lines of the log that say where"


def _parked(number: int, clause: str) -> str:
    return f"; {number:,} parked, which {clause}" if number > 0 else ""


def _ending(
    writes: int, open_ones: Mapping[str, int], *, is_plan: bool, system: str, exit_status: int
) -> str:
    """Return in one line whether anything was written, and what waits for a person."""
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
    commands = " and ".join(links_command_for(f"{kind}s") for kind in kinds)
    return f"{written}; {counted} {verb} for a person{status}; see {commands}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def links_command_for(words: str) -> str:
    """Return the command line of `powerofficego-links` with these words, for this process's user.

    Under Meltano, a plugin is given its own name and the environment of the run, and the definition
    of each target has the commands of `powerofficego-links`.
    """
    plugin = next((os.environ[name] for name in _NAMES if os.environ.get(name)), None)
    if plugin is None:
        return f"powerofficego-links {words}"
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    chosen = f" --environment {environment}" if environment else ""
    return f"meltano{chosen} invoke {plugin}:{words}"
