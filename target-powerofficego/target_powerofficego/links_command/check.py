"""The command `check`: its exit status says if anything waits for a person, or if runs fail.

It is the last step of a Meltano job, a health check, and what writes metrics.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.links_command.health import (
    BROKE,
    NO_RUN,
    WAITS_FOR_A_PERSON,
    AgeType,
    Health,
    assess_health,
)
from target_powerofficego.links_command.metrics import metrics_of
from target_powerofficego.links_command.opening import open_store, read_config_file
from target_powerofficego.links_command.options import (
    FORMATS,
    Choices,
    only_shop_option,
    with_choices,
)
from target_powerofficego.links_command.output import fail, members, print_json, say
from target_powerofficego.links_command.waiting import PLURALS
from target_powerofficego.notices.announcing import (
    announce,
    find_namespace,
    send_test_message,
)
from target_powerofficego.notices.news import NOT_ALL_READ, Ending
from target_powerofficego.settings.notify import address_errors, addresses_in
from target_powerofficego.settle.summary import describe_program_faults, links_command_for
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.values import entity_of, way_of

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Mapping, Sequence

    from target_powerofficego.store.link_store import LinkStore, Namespace, Run
    from target_powerofficego.store.values import OpenCount, UnsettledKind

_PREFIXES = ("TARGET_POWEROFFICEGO", "TARGET_CUSTOMWEBSHOP")
"""Meltano sets the variables of the plugin whose command it runs this one as."""
_WHY_IT_BROKE = {
    "broke": "it failed",
    "did not end": "it was cut off before its end",
    "incomplete": NOT_ALL_READ,
}


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
    help="The config of target-powerofficego, for link_store, shop_name and notify; the variables"
    " TARGET_POWEROFFICEGO_… say what it does not.",
)
@click.option(
    "--test-notify",
    "is_test",
    is_flag=True,
    help="Only send a test message to each address of notify; exit 1 unless all take it.",
)
@with_choices(formats={**FORMATS, "prometheus": "metrics for node_exporter"})
@click.pass_obj
def check(
    choices: Choices,
    *,
    longest: datetime.timedelta | None,
    shop_name: str | None,
    path: str | None,
    is_test: bool,
) -> None:
    """Exit 3 while rejects or holds wait for a person.

    They wait until they are solved or acknowledged, whatever the setting fail_on says; else the
    exit status is 0. Exit 1: the last run of a way or the tap before it broke or did not end, the
    newest run of a shop is older than --newer-than, or no run is on record. Made to be the
    last block of `meltano run`, and to be run from monitoring. Where notify is set, what is new is
    also sent there: of the shop that is named, here or by the setting shop_name, else of all.
    """
    config = read_config_file(path) if path else {}
    addresses = _addresses(_setting("notify", config) or "")
    if is_test:
        _test(addresses, path if config.get("notify") else "the environment")
        return
    place = choices.given_link_store or config.get("link_store") or choices.link_store
    with open_store(str(place)) as store:
        shops = assess_health(_shops(store, shop_name), store, longest)
    problems = [line for shop in shops for line in shop.problems] if shops else [NO_RUN]
    for line in dict.fromkeys(problems):
        say(line, is_error=True)
    if choices.output_format == "json":
        _print_json(shops)
    elif choices.output_format == "prometheus":
        click.echo("".join(f"{line}\n" for line in metrics_of(shops)), nl=False)
    else:
        _print_table(shops, has_problems=bool(problems))
    if addresses:
        only = shop_name or _setting("shop_name", config)
        told = [shop for shop in shops if only in (None, shop.shop_name)]
        _announce(StoreLocation.of(str(place)), addresses, told)
    waits = any(shop.waiting for shop in shops)
    click.get_current_context().exit(BROKE if problems else WAITS_FOR_A_PERSON * waits)


def _test(addresses: Sequence[str], place: str | None) -> None:
    """Send a test message to the addresses, which are set in a place.

    Raises:
        click.ClickException: with one line: there is no address, or not all took the message.
    """
    if not addresses:
        fail("notify is not set, neither in --config nor by TARGET_POWEROFFICEGO_NOTIFY")
    if refusing := send_test_message(addresses):
        numbers = " and ".join(map(str, refusing))
        fail(f"notify: of {len(addresses)} addresses, number {numbers} did not take the message")
    say(f"each address of notify in {place} took the test message")


def _setting(name: str, config: Mapping[str, Any]) -> str | None:
    """Return a setting of this config, else of a variable; None where it is not set."""
    variables = (f"{prefix}_{name.upper()}" for prefix in _PREFIXES)
    return config.get(name) or next(filter(None, map(os.environ.get, variables)), None)


def _addresses(notify: str) -> list[str]:
    """Return the addresses in the setting `notify`.

    Raises:
        click.ClickException: with one line that says what is wrong with them.
    """
    wrong = address_errors(notify)
    if wrong:
        fail("; ".join(wrong))
    return addresses_in(notify)


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
            namespace = find_namespace(store, shop.shop_name)
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
        listed = links_command_for(f"{PLURALS[kind]} --entity {entity}")
        say(f"{entity}: {counted} for a person; see {listed}")
    program_faults = sum(one.program_faults for shop in shops for one in shop.open_ones)
    if program_faults:
        say(describe_program_faults(program_faults))
    if not (counts or has_problems):
        say("nothing waits for a person")


def _print_json(shops: Sequence[Health]) -> None:
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


def _open_row(one: OpenCount) -> dict[str, Any]:
    return {
        "way": way_of(one.entity),
        "entity": entity_of(one.entity),
        **members(one, "kind", "number", "acknowledged", "oldest"),
    }
