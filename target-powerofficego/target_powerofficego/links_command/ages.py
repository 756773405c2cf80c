"""How long ago the newest run of a shop was, and how long ago it may be."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from target_powerofficego.dataflow.agreement import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_powerofficego.links_command.unended_runs import UnendedRuns
    from target_powerofficego.store.link_store import Run

_UNITS = {"m": ("minute", 60), "h": ("hour", 3600), "d": ("day", 86400)}
"""By its letter: a unit's name, and its seconds."""


class AgeType(click.ParamType):  # type: ignore[type-arg]
    """A number of minutes, hours or days, such as 90m, 3h or 2d."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.timedelta:
        """Return how long it is."""
        told = re.fullmatch(r"([0-9]{1,5})([mhd])", str(value))
        if told is None:
            self.fail(f"{value} is no age; say 90m, 3h or 2d", param, ctx)
        return datetime.timedelta(seconds=int(told[1]) * _UNITS[told[2]][1])


@dataclass(frozen=True)
class Age:
    """Since when the newest run of a shop has ended, or is under way; without a run, neither."""

    shop_name: str
    run: Run | None
    is_under_way: bool
    ago: datetime.timedelta

    @classmethod
    def of(cls, shop_name: str, runs: Iterable[Run], unended: UnendedRuns) -> Age:
        """Return it by the newest run among these; one that was cut off counts from its start."""
        of_shop = [run for run in runs if run.shop_name == shop_name]
        newest = max(of_shop, key=lambda run: run.id, default=None)
        if newest is None:
            return cls(shop_name, None, is_under_way=False, ago=datetime.timedelta.max)
        since = newest.finished_at or newest.started_at
        return cls(shop_name, newest, newest.id in unended.under_way, now() - since)

    def is_over(self, longest: datetime.timedelta) -> bool:
        """Return whether no run is under way, and the newest is older than that."""
        return not self.is_under_way and self.ago > longest

    def in_words(self) -> str:
        """Say it in a sentence."""
        of_shop = f"the newest run for the shop {self.shop_name}"
        if self.run is None:
            return f"no run for the shop {self.shop_name} is on record"
        which = f"(run {self.run.id}, {self.run.way})"
        if self.is_under_way:
            return f"{of_shop} has been under way for {_told(self.ago)} {which}"
        verb = "ended" if self.run.finished_at else "began"
        return f"{of_shop} {verb} {_told(self.ago)} ago {which}"

    def too_long(self) -> str:
        """Say that it is too long, and what to look at."""
        return f"{self.in_words()}: see whether what starts the runs still does, and its log"


def _told(ago: datetime.timedelta) -> str:
    """Return a length of time in the largest unit of which it has two, or in minutes."""
    seconds = max(ago.total_seconds(), 0)
    for name, size in reversed(_UNITS.values()):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}s"
    return "1 minute" if seconds >= _UNITS["m"][1] else "less than a minute"
