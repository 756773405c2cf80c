"""The health of a shop, as `check` reports it: its newest runs, their age, and what is open."""

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

NO_RUN = "no run is on record: none has reached PowerOffice Go; see the log of the first one"

_UNITS = {"m": ("minute", 60), "h": ("hour", 3600), "d": ("day", 86400)}
"""The name and the length in seconds of each unit, by its letter."""


class AgeType(click.ParamType):  # type: ignore[type-arg]
    """A number of minutes, hours or days, such as 90m, 3h or 2d."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.timedelta:
        """Return the age as a length of time."""
        parts = re.fullmatch(r"([0-9]{1,5})([mhd])", str(value))
        if parts is None:
            self.fail(f"{value} is not an age; write for example 90m, 3h or 2d", param, ctx)
        return datetime.timedelta(seconds=int(parts[1]) * _UNITS[parts[2]][1])


@dataclass(frozen=True)
class Age:
    """How long ago a shop's newest run ended, or that it is under way, or that there is none."""

    shop_name: str
    run: Run | None
    is_under_way: bool

    @classmethod
    def of(cls, shop_name: str, runs: Iterable[Run], under_way: Collection[int]) -> Age:
        """Return the age of the newest run of the shop among these."""
        of_shop = (run for run in runs if run.shop_name == shop_name)
        newest = max(of_shop, key=lambda run: run.id, default=None)
        return cls(shop_name, newest, newest is not None and newest.id in under_way)

    @property
    def ago(self) -> datetime.timedelta:
        """How long ago the run ended, or began if it was cut off; the maximum if there was none."""
        if self.run is None:
            return datetime.timedelta.max
        return now() - (self.run.finished_at or self.run.started_at)

    def is_over(self, limit: datetime.timedelta) -> bool:
        """Return whether no run is under way and the newest one is older than `limit`."""
        return not self.is_under_way and self.ago > limit

    def describe(self) -> str:
        """Return the age in a sentence."""
        if self.run is None:
            return f"no run for the shop {self.shop_name} is on record"
        ended = f"{'ended' if self.run.finished_at else 'began'} {_length(self.ago)} ago"
        state = f"has been under way for {_length(self.ago)}" if self.is_under_way else ended
        number = f"(run {self.run.id}, {self.run.way})"
        return f"the newest run for the shop {self.shop_name} {state} {number}"

    def too_old_message(self) -> str:
        """Return a line for when the newest run is too old, with what to check."""
        return f"{self.describe()}: check that runs are still being started, and see their log"


def _length(ago: datetime.timedelta) -> str:
    """Return a length of time in the largest unit that fits twice, or else in minutes."""
    seconds = max(ago.total_seconds(), 0)
    for name, size in reversed(_UNITS.values()):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}s"
    return "1 minute" if seconds >= _UNITS["m"][1] else "less than a minute"


@dataclass(frozen=True)
class Health:
    """The health of a shop: the newest run of each way, and how many records are open.

    `ended` has the newest run of each way that has ended, and `under_way` the numbers of the runs
    that have not. `newer_than` is the greatest allowed age of the newest run; None allows any.
    """

    shop_name: str
    runs: Sequence[Run]
    ended: Sequence[Run]
    under_way: Collection[int]
    open_counts: Sequence[OpenCount]
    newer_than: datetime.timedelta | None

    @property
    def age(self) -> Age:
        """The age of the newest run."""
        return Age.of(self.shop_name, self.runs, self.under_way)

    @property
    def is_old(self) -> bool | None:
        """Whether the newest run is older than allowed; None if any age is allowed."""
        return None if self.newer_than is None else self.age.is_over(self.newer_than)

    @property
    def waiting(self) -> int:
        """How many records wait for a person."""
        return sum(count.waiting for count in self.open_counts)

    @property
    def problems(self) -> list[str]:
        """A line for each way whose newest run or its tap failed, and one if runs are too old.

        If no run is on record, that is a problem too. Dry runs and the plan of a first run are not
        recorded.
        """
        lines = [problem for run in self.runs if (problem := self._problem(run))]
        lines += [] if self.runs else [NO_RUN]
        return [*lines, self.age.too_old_message()] if self.is_old else lines

    @property
    def exit_status(self) -> int:
        """The exit status of `check` for this shop alone."""
        if self.problems:
            return BROKE
        return WAITS_FOR_A_PERSON if self.waiting else 0

    def state_of(self, run: Run) -> str:
        """Return the state of a run in a word or two."""
        if run.exit_status is None:
            return "under way" if run.id in self.under_way else "did not end"
        if run.exit_status == BROKE:
            return "broke"
        return "ended" if run.has_whole_input else "incomplete"

    def _problem(self, run: Run) -> str | None:
        last = f"the last run for the shop {run.shop_name}"
        number = f"(run {run.id}, {run.way})"
        return {
            "did not end": f"{last} did not finish {number}: run it again, and it continues from"
            " there",
            "broke": f"{last} failed {number}: see the end of its log, and run it again",
            "incomplete": f"{last} did not get everything {number}: its tap stopped before it had"
            " read all; see the log, and run it again",
        }.get(self.state_of(run))


def assess_health(
    shop_names: Sequence[str], store: LinkStore, newer_than: datetime.timedelta | None
) -> list[Health]:
    """Return the health of each of these shops."""
    open_counts = store.unsettled.counts()
    newest = store.runs.newest_of_each()
    ended = store.runs.newest_of_each(ended=True)
    under_way = runs_under_way(store, newest)
    return [
        Health(
            shop,
            [run for run in newest if run.shop_name == shop],
            [run for run in ended if run.shop_name == shop],
            under_way,
            [count for count in open_counts if count.shop_name == shop],
            newer_than,
        )
        for shop in shop_names
    ]
