"""The command `runs`, and what `check` needs as well: which runs are under way, and their age."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.dataflow.table import now
from target_powerofficego.links_command.listing import Column, Listing, members, print_listing
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, newest_option, with_choices
from target_powerofficego.settle.tally import OUTCOMES
from target_powerofficego.store.link_store import LinkStoreError
from target_powerofficego.store.ways import PAYMENTS

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
_UNITS = {"m": ("minute", 60), "h": ("hour", 3600), "d": ("day", 86400)}
"""A unit's name and its length in seconds, by its letter."""


@click.command()
@newest_option("runs")
@with_choices()
@click.pass_obj
def runs(choices: Choices, *, newest: int) -> None:
    """List the newest runs and what came of each."""
    with open_store(choices.link_store) as store:
        listed = store.runs.newest(newest)
        under_way = runs_under_way(store, store.runs.newest_of_each())
    in_words = choices.output_format == "table"
    rows = [{**_row(run), **(_words(run, under_way) if in_words else {})} for run in listed]
    listing = Listing(_COLUMNS, rows, "no run has been recorded yet")
    print_listing(listing, choices.output_format)


def _row(run: Run) -> dict[str, Any]:
    return {
        **members(run, "id", "shop_name", "way", "started_at", "finished_at", "exit_status"),
        **members(run, "outcomes", "calls", "has_input"),
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


def runs_under_way(store: LinkStore, newest: Iterable[Run]) -> frozenset[int]:
    """Return the numbers of the newest runs that have yet to end.

    A run that has no exit status and is not among them was cut off. A run holds its lock for as
    long as it lives, and only a shop's newest run can be under way. A lock that turns out to be
    free is then held here until the store is closed.
    """
    last = {run.shop_name: run for run in sorted(newest, key=lambda run: run.id)}
    return frozenset(
        run.id for run in last.values() if run.exit_status is None and _is_locked(store, run)
    )


def _is_locked(store: LinkStore, run: Run) -> bool:
    try:
        store.lock(run.shop_name)
    except LinkStoreError:
        return True
    return False


class AgeType(click.ParamType):  # type: ignore[type-arg]
    """A number of minutes, hours or days, such as 90m, 3h or 2d."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.timedelta:
        """Return the length of time."""
        parts = re.fullmatch(r"([0-9]{1,5})([mhd])", str(value))
        if parts is None:
            self.fail(f"{value} is no age; say 90m, 3h or 2d", param, ctx)
        return datetime.timedelta(seconds=int(parts[1]) * _UNITS[parts[2]][1])


@dataclass(frozen=True)
class Age:
    """How long ago a shop's newest run ended; or that it is under way, or that there is none."""

    shop_name: str
    run: Run | None
    is_under_way: bool

    @classmethod
    def of(cls, shop_name: str, known: Iterable[Run], under_way: Collection[int]) -> Age:
        """Return the age of the newest run of the shop among these."""
        of_shop = (run for run in known if run.shop_name == shop_name)
        newest = max(of_shop, key=lambda run: run.id, default=None)
        return cls(shop_name, newest, newest is not None and newest.id in under_way)

    @property
    def ago(self) -> datetime.timedelta:
        """How long ago the run ended, or began if it was cut off; the maximum if there is none."""
        if self.run is None:
            return datetime.timedelta.max
        return now() - (self.run.finished_at or self.run.started_at)

    def is_over(self, longest: datetime.timedelta) -> bool:
        """Return whether no run is under way and the newest one is older than this."""
        return not self.is_under_way and self.ago > longest

    def in_words(self) -> str:
        """Return the age in a sentence."""
        if self.run is None:
            return f"no run for the shop {self.shop_name} is on record"
        ended = f"{'ended' if self.run.finished_at else 'began'} {_length(self.ago)} ago"
        what = f"has been under way for {_length(self.ago)}" if self.is_under_way else ended
        which = f"(run {self.run.id}, {self.run.way})"
        return f"the newest run for the shop {self.shop_name} {what} {which}"

    def too_long(self) -> str:
        """Return a line that says that it is too long ago, and what to look at."""
        return f"{self.in_words()}: see whether what starts the runs still does, and its log"


def _length(ago: datetime.timedelta) -> str:
    """Return a length of time in the largest unit of which it has at least two, else in minutes."""
    seconds = max(ago.total_seconds(), 0)
    for name, size in reversed(_UNITS.values()):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}s"
    return "1 minute" if seconds >= _UNITS["m"][1] else "less than a minute"
