"""The command `check`: its exit status shows whether records wait for a person or runs fail.

It serves as the last step of a Meltano job, as a health check, and as the source of metrics.
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
from target_powerofficego.links_command.output import fail, members, print_json, print_text
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
"""Meltano sets the variables of the plugin as whose command it runs this one."""
_REASONS = {
    "broke": "it stopped on an error",
    "did not end": "it was cut off before its end",
    "incomplete": NOT_ALL_READ,
}


@click.command()
@click.option(
    "--newer-than",
    metavar="AGE",
    type=AgeType(),
    help="Exit 1 unless each shop has a run newer than this, for example 90m, 3h or 2d.",
)
@only_shop_option
@click.option(
    "--config",
    "path",
    metavar="FILE",
    help="The config file of target-powerofficego, for link_store, shop_name and notify. Settings"
    " that it lacks are read from the variables TARGET_POWEROFFICEGO_….",
)
@click.option(
    "--test-notify",
    "is_test",
    is_flag=True,
    help="Only send a test message to each address of notify; exit 1 unless all accept it.",
)
@with_choices(formats={**FORMATS, "prometheus": "metrics for node_exporter"})
@click.pass_obj
def check(
    choices: Choices,
    *,
    newer_than: datetime.timedelta | None,
    shop_name: str | None,
    path: str | None,
    is_test: bool,
) -> None:
    """Exit 3 while rejects or holds wait for a person.

    They wait until they are resolved or acknowledged, whatever the setting fail_on is. Otherwise
    the exit status is 0.

    Exit 1: the last run in either direction, or its tap, failed or did not finish; the newest run
    of a shop is older than --newer-than; or no run is on record.

    Use it as the last block of `meltano run`, and from monitoring. If notify is set, anything new
    is also sent there: about the shop named by --shop-name or the setting shop_name, or else about
    all shops.
    """
    config = read_config_file(path) if path else {}
    addresses = _addresses(_setting("notify", config) or "")
    if is_test:
        _test(addresses, path if config.get("notify") else "the environment")
        return
    location = choices.given_link_store or config.get("link_store") or choices.link_store
    with open_store(str(location)) as store:
        shops = assess_health(_shops(store, shop_name), store, newer_than)
    problems = [line for shop in shops for line in shop.problems] if shops else [NO_RUN]
    for line in dict.fromkeys(problems):
        print_text(line, is_error=True)
    if choices.output_format == "json":
        _print_json(shops)
    elif choices.output_format == "prometheus":
        click.echo("".join(f"{line}\n" for line in metrics_of(shops)), nl=False)
    else:
        _print_table(shops, has_problems=bool(problems))
    if addresses:
        only = shop_name or _setting("shop_name", config)
        announced = [shop for shop in shops if only in (None, shop.shop_name)]
        _announce(StoreLocation.of(str(location)), addresses, announced)
    has_waiting = any(shop.waiting for shop in shops)
    click.get_current_context().exit(BROKE if problems else WAITS_FOR_A_PERSON * has_waiting)


def _test(addresses: Sequence[str], source: str | None) -> None:
    """Send a test message to the addresses; `source` is where they are set.

    Raises:
        click.ClickException: there is no address, or not all of them accepted the message.
    """
    if not addresses:
        fail("notify is not set, neither in --config nor by TARGET_POWEROFFICEGO_NOTIFY")
    if refusing := send_test_message(addresses):
        numbers = " and ".join(map(str, refusing))
        fail(f"notify: of {len(addresses)} addresses, number {numbers} did not accept the message")
    print_text(f"each address of notify in {source} accepted the test message")


def _setting(name: str, config: Mapping[str, Any]) -> str | None:
    """Return a setting of the config, or else of a variable, or None if it is not set."""
    variables = (f"{prefix}_{name.upper()}" for prefix in _PREFIXES)
    return config.get(name) or next(filter(None, map(os.environ.get, variables)), None)


def _addresses(notify: str) -> list[str]:
    """Return the addresses in the setting `notify`.

    Raises:
        click.ClickException: some of them are invalid.
    """
    errors = address_errors(notify)
    if errors:
        fail("; ".join(errors))
    return addresses_in(notify)


def _shops(store: LinkStore, shop_name: str | None) -> list[str]:
    """Return the names of the shops to check: the given one, or else all.

    Raises:
        click.ClickException: the link store does not have the given shop.
    """
    shop_names = sorted({namespace.shop_name for namespace in store.namespaces.all()})
    if shop_name is None:
        return shop_names
    if shop_name not in shop_names:
        listed = ", ".join(shop_names) or "none"
        fail(f"the link store has no shop {shop_name}; it has {listed}")
    return [shop_name]


def _announce(location: StoreLocation, addresses: Sequence[str], shops: Sequence[Health]) -> None:
    """Send what is new, except about shops with a run under way, which sends it at its end."""
    idle = [shop for shop in shops if not shop.age.is_under_way]

    def endings(store: LinkStore) -> Iterator[tuple[Namespace, Ending]]:
        for shop in idle:
            namespace = find_namespace(store, shop.shop_name)
            if namespace is not None:
                yield namespace, _ending(shop, namespace)

    if error := announce(location, addresses, endings):
        print_text(error, is_error=True)


def _ending(shop: Health, namespace: Namespace) -> Ending:
    states = {run.way: shop.state_of(run) for run in shop.runs}
    return Ending(
        shop.shop_name,
        namespace.newest_run,
        broken={way: _REASONS[state] for way, state in states.items() if state != "ended"},
        ended_well={run.way: run.id for run in shop.runs if states[run.way] == "ended"},
        is_silent=shop.is_old,
        silence=shop.age.too_old_message(),
    )


def _print_table(shops: Sequence[Health], *, has_problems: bool) -> None:
    for shop in shops:
        print_text(shop.age.describe())
    counts: Counter[tuple[str, UnsettledKind]] = Counter()
    open_counts = [count for shop in shops for count in shop.open_counts]
    for count in open_counts:
        if count.waiting:
            counts[entity_of(count.entity), count.kind] += count.waiting
    for (entity, kind), number in sorted(counts.items()):
        subject = f"{number} {PLURALS[kind]} wait" if number > 1 else f"1 {kind} waits"
        command = links_command_for(f"{PLURALS[kind]} --entity {entity}")
        print_text(f"{entity}: {subject} for a person; see {command}")
    program_faults = sum(count.program_faults for count in open_counts)
    if program_faults:
        print_text(describe_program_faults(program_faults))
    if not (counts or has_problems):
        print_text("nothing waits for a person")


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
                "open": [_open_row(count) for count in shop.open_counts],
            }
        )


def _run_row(shop: Health, run: Run) -> dict[str, Any]:
    return {
        **members(run, "id", "way", "started_at", "finished_at", "exit_status"),
        "state": shop.state_of(run),
    }


def _open_row(count: OpenCount) -> dict[str, Any]:
    return {
        "way": way_of(count.entity),
        "entity": entity_of(count.entity),
        **members(count, "kind", "number", "acknowledged", "oldest"),
    }
