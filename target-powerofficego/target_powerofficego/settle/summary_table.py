"""Shows the summary of a run on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from target_powerofficego.settle.summary import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping


def show_summary(
    counts: Mapping[str, Mapping[str, int]],
    calls: Mapping[str, Any],
    system: str,
    own_faults: str | None,
    ending: str,
) -> bool:
    """Show the summary, and return True; False, and nothing shown, where there is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return False
    console.print(outcome_table(counts))
    console.print(
        f"Calls to {system}: {calls.get('reads', 0)} reads, {calls.get('writes', 0)} writes"
    )
    if own_faults:
        console.print(own_faults)
    console.print(ending, markup=False, soft_wrap=True)
    return True


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
