"""The command `runs`, and `runs_under_way`, which `check` uses as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, newest_option, with_choices
from target_powerofficego.links_command.output import Column, Listing, members, print_listing
from target_powerofficego.settle.summary import OUTCOMES
from target_powerofficego.store.link_store import LinkStoreError
from target_powerofficego.store.values import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.store.link_store import LinkStore, Run

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


@click.command()
@newest_option("runs")
@with_choices()
@click.pass_obj
def runs(choices: Choices, *, newest: int) -> None:
    """List the newest runs and the outcome of each."""
    with open_store(choices.link_store) as store:
        listed = store.runs.newest(newest)
        under_way = runs_under_way(store, store.runs.newest_of_each())
    in_words = choices.output_format == "table"
    rows = [{**_row(run), **(_cells(run, under_way) if in_words else {})} for run in listed]
    listing = Listing(_COLUMNS, rows, "no run has been recorded yet")
    print_listing(listing, choices.output_format)


def _row(run: Run) -> dict[str, Any]:
    return {
        **members(run, "id", "shop_name", "way", "started_at", "finished_at", "exit_status"),
        **members(run, "outcomes", "calls", "has_input", "has_whole_input"),
    }


def _cells(run: Run, under_way: Collection[int]) -> dict[str, Any]:
    """Return what only the table shows of a run."""
    no_status = "under way" if run.id in under_way else "did not end"
    records = [
        f"{entity}: {_counts(run.outcomes[entity], OUTCOMES)}"
        for entity in (*TABLES, PAYMENTS)
        if entity in run.outcomes
    ]
    return {
        "exit_status": no_status if run.exit_status is None else run.exit_status,
        "records": "; ".join([*_input_faults(run), *records]),
        "calls_in_words": _counts(run.calls, ("reads", "writes")),
    }


def _input_faults(run: Run) -> list[str]:
    if run.has_whole_input:
        return []
    return ["input cut off" if run.has_input else "no input"]


def _counts(counts: Mapping[str, int], names: Sequence[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in names if name in counts)


def runs_under_way(store: LinkStore, newest: Iterable[Run]) -> frozenset[int]:
    """Return the numbers of those of the newest runs that are still under way.

    Any other run without an exit status was cut off. A run holds its shop's lock until it ends, and
    only a shop's newest run can be under way. A lock that turns out to be free is taken, and held
    until the store is closed.
    """
    newest_of_shop = {run.shop_name: run for run in sorted(newest, key=lambda run: run.id)}
    return frozenset(
        run.id
        for run in newest_of_shop.values()
        if run.exit_status is None and _is_locked(store, run)
    )


def _is_locked(store: LinkStore, run: Run) -> bool:
    try:
        store.lock(run.shop_name)
    except LinkStoreError:
        return True
    return False
