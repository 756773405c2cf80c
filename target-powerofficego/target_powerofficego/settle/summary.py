"""What a person reads at the end of a run: a table on a terminal, one structured line otherwise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from target_powerofficego.settle.tally import OUTCOMES

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping


def tell_summary(
    counts: Mapping[str, Mapping[str, int]],
    calls: Mapping[str, Any],
    open_ones: Mapping[str, int],
    *,
    is_plan: bool,
    system: str,
    logger: logging.Logger,
) -> None:
    """Tell what came of the records, the calls it took, and what waits for a person.

    `system` is what the calls went to.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        summary: dict[str, Any] = {"records": counts, "calls": calls, "unacknowledged": open_ones}
        if is_plan:
            summary["nothing_was_written"] = True
        logger.info("run summary: %s", json.dumps(summary, sort_keys=True))
        return
    console.print(outcome_table(counts))
    if is_plan:
        console.print("This is what a run would do: nothing was written.")
    console.print(
        f"Calls to {system}: {calls.get('reads', 0)} reads, {calls.get('writes', 0)} writes"
    )
    if any(open_ones.values()):
        console.print(
            f"{open_ones.get('reject', 0)} rejects and {open_ones.get('hold', 0)} holds wait for a"
            " person: powerofficego-links rejects, powerofficego-links holds"
        )


def outcome_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table of entities by those outcomes that any of them had."""
    told = [one for one in OUTCOMES if any(one in outcomes for outcomes in counts.values())]
    table = Table(title="Records")
    table.add_column("")
    for outcome in told:
        table.add_column(outcome, justify="right")
    for entity, outcomes in counts.items():
        table.add_row(entity, *(str(outcomes.get(outcome, 0) or "·") for outcome in told))
    return table
