"""The command that tells by its exit status whether anything waits; it ends a Meltano job."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from target_powerofficego.links_command.ages import Age, AgeType
from target_powerofficego.links_command.listing import say, tell_as_json
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, only_shop_option, with_choices
from target_powerofficego.links_command.unended_runs import UnendedRuns, unended_runs
from target_powerofficego.links_command.unsettled_listing import PLURALS
from target_powerofficego.settle.shown_by import shown_by
from target_powerofficego.settle.summary import own_faults_in_words
from target_powerofficego.store.ways import entity_of

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from target_powerofficego.store.link_store import LinkStore, Run

WAITS_FOR_A_PERSON = 3
"""The exit status of `check` while rejects or holds are open that nobody has acknowledged."""

BROKE = 1
"""The exit status of a run that broke, and of `check` after one, or after one that was killed."""


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
        found = store.unsettled("reject", "hold", every_namespace=True, acknowledged=False)
        unended = unended_runs(store)
        runs = [run for run in store.newest_runs() if run.shop_name in shops]
    failures = _failures(runs, unended)
    ages = [Age.of(shop, runs, unended) for shop in shops]
    failures += [age.too_long() for age in ages if longest is not None and age.is_over(longest)]
    for line in failures:
        say(line, is_error=True)
    waiting = Counter((entity_of(one.entity), one.kind) for one in found if one.shop_name in shops)
    own_faults = sum(one.is_own_fault for one in found if one.shop_name in shops)
    if choices.output_format == "json":
        for (entity, kind), number in sorted(waiting.items()):
            tell_as_json({"entity": entity, "kind": kind, "waiting": number})
    else:
        for age in ages:
            say(age.in_words())
        for (entity, kind), number in sorted(waiting.items()):
            counted = f"{number} {PLURALS[kind]} wait" if number > 1 else f"1 {kind} waits"
            listed = shown_by(f"{PLURALS[kind]} --entity {entity}")
            say(f"{entity}: {counted} for a person; see {listed}")
        if own_faults:
            say(own_faults_in_words(own_faults))
        if not (waiting or failures):
            say("nothing waits for a person")
    if failures:
        click.get_current_context().exit(BROKE)
    if waiting:
        click.get_current_context().exit(WAITS_FOR_A_PERSON)


def _shops(store: LinkStore, told: str | None) -> list[str]:
    """Return the shops that are meant.

    Raises:
        click.ClickException: the link store does not know the one that was told.
    """
    known = sorted({one.shop_name for one in store.namespaces()})
    if told is None:
        return known
    if told not in known:
        msg = f"the link store knows no shop {told}; it knows {', '.join(known) or 'none'}"
        raise click.ClickException(msg)
    return [told]


def _failures(runs: Sequence[Run], unended: UnendedRuns) -> list[str]:
    """Say of each shop and way whether its last run was killed or broke.

    A dry run, or the plan of a first run, is on no record.
    """
    if not runs:
        return ["no run is on record: none came as far as Go; see the log of the first one"]
    cut_off = {run.id for run in unended.cut_off}
    lines = []
    for run in runs:
        last = f"the last run for the shop {run.shop_name}"
        which = f"(run {run.id}, {run.way})"
        if run.id in cut_off:
            lines.append(f"{last} did not end {which}: run it again, and it goes on from there")
        elif run.exit_status == BROKE:
            lines.append(f"{last} broke {which}: see the end of its log, and run it again")
    return lines
