"""How the runs are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.links_command.listing import Column, Listing
from target_powerofficego.settle.tally import OUTCOMES
from target_powerofficego.store.ways import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_powerofficego.store.link_store import Run

_COLUMNS = (
    Column("run", "id"),
    Column("shop", "shop_name"),
    Column("way", "way"),
    Column("started (UTC)", "started_at"),
    Column("finished (UTC)", "finished_at"),
    Column("exit status", "exit_status"),
    Column("records", "records", wraps=True),
    Column("calls", "calls_in_words", wraps=True),
)


def run_listing(runs: Sequence[Run], under_way: Collection[int], *, in_words: bool) -> Listing:
    """Return the runs as rows; in words for a table, by their recorded counts otherwise.

    `under_way` are the numbers of runs that have yet to end.
    """
    rows = [{**_row(run), **(_words(run, under_way) if in_words else {})} for run in runs]
    return Listing(_COLUMNS, rows, "no run has been recorded yet")


def _row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "shop_name": run.shop_name,
        "way": run.way,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "exit_status": run.exit_status,
        "outcomes": run.outcomes,
        "calls": run.calls,
        "has_input": run.has_input,
    }


def _words(run: Run, under_way: Collection[int]) -> dict[str, Any]:
    unended = "under way" if run.id in under_way else "did not end"
    records = [
        f"{entity}: {_counts(run.outcomes[entity], OUTCOMES)}"
        for entity in (*TABLES, PAYMENTS)
        if entity in run.outcomes
    ]
    return {
        "exit_status": unended if run.exit_status is None else run.exit_status,
        "records": "; ".join(records if run.has_input else ["no input", *records]),
        "calls_in_words": _counts(run.calls, ("reads", "writes")),
    }


def _counts(counts: Mapping[str, int], names: Sequence[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in names if name in counts)
