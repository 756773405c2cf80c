"""What a person reads at the end of a run: a table on a terminal, one structured line otherwise."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from target_powerofficego.settle.tally import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_powerofficego.plan import PlannedChange

logger = logging.getLogger("target-powerofficego")

_EXAMPLES = 10
_WIDE = 160


def tell_summary(
    counts: Mapping[str, Mapping[str, int]], calls: Mapping[str, Any], open_ones: Mapping[str, int]
) -> None:
    """Tell what came of the records, the calls it took, and what waits for a person."""
    console = Console(stderr=True)
    if not console.is_terminal:
        summary = {"records": counts, "calls": calls, "unacknowledged": open_ones}
        logger.info("run summary: %s", json.dumps(summary, sort_keys=True))
        return
    console.print(outcome_table(counts))
    console.print(
        f"Calls to PowerOffice Go: {calls.get('reads', 0)} reads, {calls.get('writes', 0)} writes"
    )
    if any(open_ones.values()):
        console.print(
            f"{open_ones.get('reject', 0)} rejects and {open_ones.get('hold', 0)} holds wait for a"
            " person: powerofficego-links rejects, powerofficego-links holds"
        )


def outcome_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table of entities by outcomes."""
    table = Table(title="Records")
    table.add_column("")
    for outcome in OUTCOMES:
        table.add_column(outcome, justify="right")
    for entity, outcomes in counts.items():
        table.add_row(entity, *(str(outcomes.get(outcome, 0) or "·") for outcome in OUTCOMES))
    return table


def tell_plan(changes: Sequence[PlannedChange], *, every_one: bool) -> None:
    """Print a plan: how many of each kind, and ten examples of each (or every change)."""
    console = Console(stderr=True, soft_wrap=True, width=None if every_one else _WIDE)
    by_kind: dict[tuple[str, str], list[PlannedChange]] = {}
    for change in changes:
        by_kind.setdefault((change.entity, change.what), []).append(change)
    if not by_kind:
        console.print("Plan: nothing would be written.")
        return
    table = Table(title="Plan: what a run would do")
    for column in ("entity", "what", "how many"):
        table.add_column(column)
    for (entity, what), found in sorted(by_kind.items()):
        table.add_row(entity, what, str(len(found)))
    console.print(table)
    for (entity, what), found in sorted(by_kind.items()):
        for change in found if every_one else found[:_EXAMPLES]:
            console.print(
                f"{what} {entity} {change.shop_id}: {change.details()}",
                markup=False,
                highlight=False,
            )
