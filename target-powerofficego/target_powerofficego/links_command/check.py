"""The command `check`: its exit status says if anything waits for a person, or if runs fail.

It is the last step of a Meltano job, a health check, and what writes metrics.
"""

from __future__ import annotations

import datetime
import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.dataflow.table import now
from target_powerofficego.links_command.listing import fail, members, print_json, say
from target_powerofficego.links_command.metrics import metrics_of
from target_powerofficego.links_command.opening import config_of_file, open_store
from target_powerofficego.links_command.options import (
    FORMATS,
    Choices,
    only_shop_option,
    with_choices,
)
from target_powerofficego.links_command.runs import runs_under_way
from target_powerofficego.links_command.waiting import PLURALS
from target_powerofficego.notices.announcing import announce, namespace_of
from target_powerofficego.notices.news import Ending
from target_powerofficego.settings.notify import addresses_in, wrong_addresses
from target_powerofficego.settle.summary import own_faults_in_words, shown_by
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.values import entity_of, way_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.store.link_store import LinkStore, Namespace, Run
    from target_powerofficego.store.values import OpenOnes, UnsettledKind

WAITS_FOR_A_PERSON = 3
"""The exit status of `check` while there are rejects or holds that nobody has acknowledged."""

BROKE = 1
"""The exit status of a run that failed, and of `check` after a run that failed or was killed."""


_NO_RUN = "no run is on record: none came as far as Go; see the log of the first one"
_NOTIFY_VARIABLES = ("TARGET_POWEROFFICEGO_NOTIFY", "TARGET_CUSTOMWEBSHOP_NOTIFY")
"""Meltano sets the variables of the plugin whose command it runs this one as."""
_WHY_IT_BROKE = {"broke": "it failed", "did not end": "it was cut off before its end"}

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
    open_ones: Sequence[OpenOnes]
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
        """A line for each way whose newest run broke or was killed, and for an old newest run.

        Dry runs and the plan of a first run are not recorded. Without any run, one line says so.
        """
        lines = [problem for run in self.runs if (problem := self._problem(run))]
        lines += [] if self.runs else [_NO_RUN]
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
        return "broke" if run.exit_status == BROKE else "ended"

    def _problem(self, run: Run) -> str | None:
        last = f"the last run for the shop {run.shop_name}"
        which = f"(run {run.id}, {run.way})"
        return {
            "did not end": f"{last} did not end {which}: run it again, and it goes on from there",
            "broke": f"{last} broke {which}: see the end of its log, and run it again",
        }.get(self.state_of(run))


@click.command()
@click.option(
    "--newer-than",
    "longest",
    metavar="AGE",
    type=AgeType(),
    help="Exit 1 unless a run of each shop is newer than this: 90m, 3h or 2d, say.",
)
@only_shop_option
@click.option(
    "--config",
    "path",
    metavar="FILE",
    help="The config of target-powerofficego, for its link_store and notify; without it, the"
    " variables TARGET_POWEROFFICEGO_….",
)
@with_choices(formats={**FORMATS, "prometheus": "metrics for node_exporter"})
@click.pass_obj
def check(
    choices: Choices,
    *,
    longest: datetime.timedelta | None,
    shop_name: str | None,
    path: str | None,
) -> None:
    """Exit 3 while rejects or holds wait for a person.

    They wait until they are solved or acknowledged, whatever the setting fail_on says; else the
    exit status is 0. Exit 1: the last run of a way broke or did not end, the newest run of a shop
    is older than --newer-than, or no run is on record. Made to be the
    last block of `meltano run`, and to be run from monitoring: what is new is also said to who set
    notify.
    """
    config = config_of_file(path) if path else {}
    addresses = _addresses(config)
    place = choices.given_link_store or config.get("link_store") or choices.link_store
    with open_store(str(place)) as store:
        shops = _health_of_all(store, shop_name, longest)
    if addresses:
        _announce(StoreLocation.of(str(place)), addresses, shops)
    problems = [line for shop in shops for line in shop.problems] if shops else [_NO_RUN]
    for line in dict.fromkeys(problems):
        say(line, is_error=True)
    _PRINTED[choices.output_format](shops, has_problems=bool(problems))
    waits = any(shop.waiting for shop in shops)
    click.get_current_context().exit(BROKE if problems else WAITS_FOR_A_PERSON * waits)


def _addresses(config: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the setting `notify`, in this config or in a variable.

    Raises:
        click.ClickException: with one line that says what is wrong with them.
    """
    given = [config.get("notify"), *(os.environ.get(name) for name in _NOTIFY_VARIABLES)]
    text = next(filter(None, given), "")
    wrong = wrong_addresses(text)
    if wrong:
        fail("; ".join(wrong))
    return addresses_in(text)


def _health_of_all(
    store: LinkStore, shop_name: str | None, longest: datetime.timedelta | None
) -> list[Health]:
    shops = _shops(store, shop_name)
    open_ones = store.unsettled.counted()
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
        for shop in shops
    ]


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


def _announce(location: StoreLocation, addresses: Sequence[str], shops: Sequence[Health]) -> None:
    """Send what is new; a shop's run that is under way says it itself at its end."""
    resting = [shop for shop in shops if not shop.age.is_under_way]

    def endings(store: LinkStore) -> Iterator[tuple[Namespace, Ending]]:
        for shop in resting:
            namespace = namespace_of(store, shop.shop_name)
            if namespace is not None:
                yield namespace, _ending(shop, namespace)

    wrong = announce(location, addresses, endings)
    if wrong:
        say(wrong, is_error=True)


def _ending(shop: Health, namespace: Namespace) -> Ending:
    states = {run.way: shop.state_of(run) for run in shop.runs}
    return Ending(
        shop.shop_name,
        namespace.newest_run,
        broken={way: _WHY_IT_BROKE[state] for way, state in states.items() if state != "ended"},
        ended_well={run.way: run.id for run in shop.runs if states[run.way] == "ended"},
        is_silent=shop.is_old,
        silence=shop.age.too_long(),
    )


def _print_table(shops: Sequence[Health], *, has_problems: bool) -> None:
    for shop in shops:
        say(shop.age.in_words())
    counts: Counter[tuple[str, UnsettledKind]] = Counter()
    for one in (one for shop in shops for one in shop.open_ones if one.waiting):
        counts[entity_of(one.entity), one.kind] += one.waiting
    for (entity, kind), number in sorted(counts.items()):
        counted = f"{number} {PLURALS[kind]} wait" if number > 1 else f"1 {kind} waits"
        listed = shown_by(f"{PLURALS[kind]} --entity {entity}")
        say(f"{entity}: {counted} for a person; see {listed}")
    own_faults = sum(one.own_faults for shop in shops for one in shop.open_ones)
    if own_faults:
        say(own_faults_in_words(own_faults))
    if not (counts or has_problems):
        say("nothing waits for a person")


def _print_json(shops: Sequence[Health], **_: bool) -> None:
    for shop in shops:
        print_json(
            {
                "shop_name": shop.shop_name,
                "exit_status": shop.exit_status,
                "waiting": shop.waiting,
                "is_newer": None if shop.is_old is None else not shop.is_old,
                "problems": shop.problems,
                "runs": [_run_row(shop, run) for run in shop.runs],
                "open": [_open_row(one) for one in shop.open_ones],
            }
        )


def _run_row(shop: Health, run: Run) -> dict[str, Any]:
    return {
        **members(run, "id", "way", "started_at", "finished_at", "exit_status"),
        "state": shop.state_of(run),
    }


def _open_row(one: OpenOnes) -> dict[str, Any]:
    return {
        "way": way_of(one.entity),
        "entity": entity_of(one.entity),
        **members(one, "kind", "number", "acknowledged", "oldest"),
    }


def _print_metrics(shops: Sequence[Health], **_: bool) -> None:
    for line in metrics_of(shops):
        click.echo(line)


_PRINTED = {"table": _print_table, "json": _print_json, "prometheus": _print_metrics}
