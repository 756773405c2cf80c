"""How a shop stands, as `check` tells it: its newest runs, their age, and what is open."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from target_powerofficego.dataflow.table import now
from target_powerofficego.links_command.runs import runs_under_way

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from target_powerofficego.store.link_store import LinkStore, Run
    from target_powerofficego.store.values import OpenCount

WAITS_FOR_A_PERSON = 3
"""The exit status of `check` while there are rejects or holds that nobody has acknowledged."""

BROKE = 1
"""The exit status of a run that failed, and of `check` after a run that failed or was killed."""

NO_RUN = "no run is on record: none came as far as Go; see the log of the first one"

_UNITS = {"m": ("minute", 60), "h": ("hour", 3600), "d": ("day", 86400)}
"""A unit's name and its length in seconds, by its letter."""


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


@dataclass(frozen=True)
class Health:
    """How a shop stands: the newest run of each way, and how many records are open.

    `ended` has the newest run of each way that ended, and `under_way` the numbers of runs that have
    yet to. `longest` is how old the newest run may be, None if any age will do.
    """

    shop_name: str
    runs: Sequence[Run]
    ended: Sequence[Run]
    under_way: Collection[int]
    open_ones: Sequence[OpenCount]
    longest: datetime.timedelta | None

    @property
    def age(self) -> Age:
        """The age of the newest run."""
        return Age.of(self.shop_name, self.runs, self.under_way)

    @property
    def is_old(self) -> bool | None:
        """Whether the newest run is older than allowed, None if any age is."""
        return None if self.longest is None else self.age.is_over(self.longest)

    @property
    def waiting(self) -> int:
        """How many records wait for a person."""
        return sum(one.waiting for one in self.open_ones)

    @property
    def problems(self) -> list[str]:
        """A line for each way whose newest run or its tap broke, and for an old newest run.

        Dry runs and the plan of a first run are not recorded. Without any run, one line says so.
        """
        lines = [problem for run in self.runs if (problem := self._problem(run))]
        lines += [] if self.runs else [NO_RUN]
        return [*lines, self.age.too_long()] if self.is_old else lines

    @property
    def exit_status(self) -> int:
        """The exit status of `check` for this shop alone."""
        if self.problems:
            return BROKE
        return WAITS_FOR_A_PERSON if self.waiting else 0

    def state_of(self, run: Run) -> str:
        """Return in a word or two how a run is, or how it ended."""
        if run.exit_status is None:
            return "under way" if run.id in self.under_way else "did not end"
        if run.exit_status == BROKE:
            return "broke"
        return "ended" if run.has_whole_input else "incomplete"

    def _problem(self, run: Run) -> str | None:
        last = f"the last run for the shop {run.shop_name}"
        which = f"(run {run.id}, {run.way})"
        return {
            "did not end": f"{last} did not end {which}: run it again, and it goes on from there",
            "broke": f"{last} broke {which}: see the end of its log, and run it again",
            "incomplete": f"{last} did not get all that there was to read {which}: its tap did not"
            " come to its end; see the log, and run it again",
        }.get(self.state_of(run))


def assess_health(
    shop_names: Sequence[str], store: LinkStore, longest: datetime.timedelta | None
) -> list[Health]:
    """Return how each of these shops stands."""
    open_ones = store.unsettled.counts()
    newest = store.runs.newest_of_each()
    ended = store.runs.newest_of_each(ended=True)
    under_way = runs_under_way(store, newest)
    return [
        Health(
            shop,
            [run for run in newest if run.shop_name == shop],
            [run for run in ended if run.shop_name == shop],
            under_way,
            [one for one in open_ones if one.shop_name == shop],
            longest,
        )
        for shop in shop_names
    ]
