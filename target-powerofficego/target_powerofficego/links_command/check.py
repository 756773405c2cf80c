"""The command `check`, the last step of a Meltano job: its exit status says if anything waits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from target_powerofficego.links_command.listing import fail, print_json, say
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, only_shop_option, with_choices
from target_powerofficego.links_command.runs import Age, AgeType, runs_under_way
from target_powerofficego.links_command.waiting import PLURALS
from target_powerofficego.settle.summary import own_faults_in_words, shown_by
from target_powerofficego.store.ways import entity_of

if TYPE_CHECKING:
    import datetime
    from collections.abc import Collection, Sequence

    from target_powerofficego.store.link_store import LinkStore, Run

WAITS_FOR_A_PERSON = 3
"""The exit status of `check` while there are rejects or holds that nobody has acknowledged."""

BROKE = 1
"""The exit status of a run that failed, and of `check` after a run that failed or was killed."""


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
