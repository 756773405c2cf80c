"""The command `check`, the last step of a Meltano job: its exit status says if anything waits."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from target_powerofficego.dataflow.table import now
from target_powerofficego.links_command.listing import fail, print_json, say
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, only_shop_option, with_choices
from target_powerofficego.links_command.runs import runs_under_way
from target_powerofficego.links_command.waiting import PLURALS
from target_powerofficego.settle.summary import own_faults_in_words, shown_by
from target_powerofficego.store.values import entity_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from target_powerofficego.store.link_store import LinkStore, Run

WAITS_FOR_A_PERSON = 3
"""The exit status of `check` while there are rejects or holds that nobody has acknowledged."""

BROKE = 1
"""The exit status of a run that failed, and of `check` after a run that failed or was killed."""


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


@click.command()
@click.option(
    "--newer-than",
    "longest",
    metavar="AGE",
    type=AgeType(),
    help="Exit 1 unless a run of each shop is newer than this: 90m, 3h or 2d, say.",
)
@only_shop_option
@with_choices()
@click.pass_obj
def check(choices: Choices, *, longest: datetime.timedelta | None, shop_name: str | None) -> None:
    """Exit 3 while rejects or holds wait for a person.

    They wait until they are solved or acknowledged, whatever the setting fail_on says; else the
    exit status is 0. Exit 1: the last run of a way broke or did not end, the newest run of a shop
    is older than --newer-than, or no run is on record. Made to be the
    last block of `meltano run`.
    """
    with open_store(choices.link_store) as store:
        shops = _shops(store, shop_name)
        unsettled = store.unsettled.all("reject", "hold", every_namespace=True, acknowledged=False)
        newest = store.runs.newest_of_each()
        under_way = runs_under_way(store, newest)
    runs = [run for run in newest if run.shop_name in shops]
    ages = [Age.of(shop, runs, under_way) for shop in shops]
    failures = _failures(runs, under_way)
    failures += [age.too_long() for age in ages if longest is not None and age.is_over(longest)]
    for line in failures:
        say(line, is_error=True)
    waiting = [one for one in unsettled if one.shop_name in shops]
    counts = sorted(Counter((entity_of(one.entity), one.kind) for one in waiting).items())
    if choices.output_format == "json":
        for (entity, kind), number in counts:
            print_json({"entity": entity, "kind": kind, "waiting": number})
    else:
        for age in ages:
            say(age.in_words())
        for (entity, kind), number in counts:
            counted = f"{number} {PLURALS[kind]} wait" if number > 1 else f"1 {kind} waits"
            listed = shown_by(f"{PLURALS[kind]} --entity {entity}")
            say(f"{entity}: {counted} for a person; see {listed}")
        own_faults = sum(one.is_own_fault for one in waiting)
        if own_faults:
            say(own_faults_in_words(own_faults))
        if not (waiting or failures):
            say("nothing waits for a person")
    if failures or waiting:
        click.get_current_context().exit(BROKE if failures else WAITS_FOR_A_PERSON)


def _shops(store: LinkStore, shop_name: str | None) -> list[str]:
    """Return the shops to check: the one that was named, else all.

    Raises:
        click.ClickException: the link store does not know the shop that was named.
    """
    known = sorted({one.shop_name for one in store.namespaces.all()})
    if shop_name is None:
        return known
    if shop_name not in known:
        fail(f"the link store knows no shop {shop_name}; it knows {', '.join(known) or 'none'}")
    return [shop_name]


def _failures(runs: Sequence[Run], under_way: Collection[int]) -> list[str]:
    """Return a line for each shop and way whose last run failed or was killed.

    Dry runs and the plan of a first run are not recorded. Without any run, one line says so.
    """
    if not runs:
        return ["no run is on record: none came as far as Go; see the log of the first one"]
    lines = []
    for run in runs:
        last = f"the last run for the shop {run.shop_name}"
        which = f"(run {run.id}, {run.way})"
        if run.exit_status is None and run.id not in under_way:
            lines.append(f"{last} did not end {which}: run it again, and it goes on from there")
        elif run.exit_status == BROKE:
            lines.append(f"{last} broke {which}: see the end of its log, and run it again")
    return lines
