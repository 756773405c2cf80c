"""The commands of `powerofficego-links`; each reads the link store, only `acknowledge` writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from target_powerofficego.links_command.difference_listing import difference_listing
from target_powerofficego.links_command.listing import tell, tell_as_json
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import (
    LINK_STORE_VARIABLE,
    Choices,
    all_option,
    entity_option,
    show_values_option,
    with_choices,
)
from target_powerofficego.links_command.run_listing import run_listing
from target_powerofficego.links_command.unsettled_listing import (
    PLURALS,
    unsettled_listing,
    unsettled_row,
)

if TYPE_CHECKING:
    from target_powerofficego.links import LinkStore, UnsettledKind

WAITS_FOR_A_PERSON = 3
"""The exit status of `check` while rejects or holds are open that nobody has acknowledged."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@with_choices(variable=LINK_STORE_VARIABLE)
def main() -> None:
    """Look into the link store of target-powerofficego, also while a run is under way.

    What is rejected or held is tried again by each run. Solve it in the shop or in PowerOffice Go,
    or acknowledge it, so that `check` no longer counts it.
    """


@main.command()
@with_choices()
@click.pass_obj
def check(choices: Choices) -> None:
    """Exit 3 while rejects or holds wait for a person.

    They wait until they are solved or acknowledged, whatever the setting fail_on says; else the
    exit status is 0. Exit 1: there is no link store, so no run has happened. Made to be the last
    block of `meltano run`.
    """
    with open_store(choices.link_store) as store:
        found = store.unsettled("reject", "hold", every_namespace=True, acknowledged=False)
    waiting = Counter((one.entity, one.kind) for one in found)
    for (entity, kind), number in sorted(waiting.items()):
        if choices.output_format == "json":
            tell_as_json({"entity": entity, "kind": kind, "waiting": number})
        else:
            counted = f"{number} {PLURALS[kind]} wait" if number > 1 else f"1 {kind} waits"
            told_by = f"powerofficego-links {PLURALS[kind]} --entity {entity}"
            click.echo(f"{entity}: {counted} for a person; see {told_by}")
    if waiting:
        click.get_current_context().exit(WAITS_FOR_A_PERSON)
    if choices.output_format == "table":
        click.echo("nothing waits for a person")


@main.command()
@entity_option
@all_option
@show_values_option
@with_choices()
@click.pass_obj
def rejects(
    choices: Choices, *, entity: str | None, with_acknowledged: bool, show_values: bool
) -> None:
    """List records that cannot be written, with the reason."""
    _list_unsettled(
        "reject", choices, entity, with_acknowledged=with_acknowledged, show_values=show_values
    )


@main.command()
@entity_option
@all_option
@show_values_option
@with_choices()
@click.pass_obj
def holds(
    choices: Choices, *, entity: str | None, with_acknowledged: bool, show_values: bool
) -> None:
    """List records that could be written but need a person first."""
    _list_unsettled(
        "hold", choices, entity, with_acknowledged=with_acknowledged, show_values=show_values
    )


@main.command()
@entity_option
@show_values_option
@with_choices()
@click.pass_obj
def parked(choices: Choices, *, entity: str | None, show_values: bool) -> None:
    """List records that wait for another record, or for Go.

    They need no person: each run takes them up again.
    """
    _list_unsettled("parked", choices, entity, with_acknowledged=True, show_values=show_values)


def _list_unsettled(
    kind: UnsettledKind,
    choices: Choices,
    entity: str | None,
    *,
    with_acknowledged: bool,
    show_values: bool,
) -> None:
    with open_store(choices.link_store) as store:
        found = store.unsettled(kind, every_namespace=True, acknowledged=with_acknowledged)
    of_entity = [one for one in found if entity in (None, one.entity)]
    tell(unsettled_listing(kind, of_entity, show_values=show_values), choices.output_format)


@main.command()
@entity_option
@show_values_option
@with_choices()
@click.pass_obj
def differences(choices: Choices, *, entity: str | None, show_values: bool) -> None:
    """List linked records whose properties differ.

    Told are the properties that have one value in the shop and another in Go since both sides last
    agreed. They are left so until somebody edits one side.
    """
    with open_store(choices.link_store) as store:
        links = [one for one in store.all_links() if entity in (None, one[1].entity)]
    tell(difference_listing(links, show_values=show_values), choices.output_format)


@main.command()
@click.option(
    "--newest",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many runs to list, the newest first.",
)
@with_choices()
@click.pass_obj
def runs(choices: Choices, *, newest: int) -> None:
    """List the newest runs and what came of each."""
    with open_store(choices.link_store) as store:
        found = store.runs(newest)
    in_words = choices.output_format == "table"
    tell(run_listing(found, in_words=in_words), choices.output_format)


@main.command()
@click.argument("numbers", metavar="ID...", nargs=-1, required=True, type=click.IntRange(min=1))
@with_choices()
@click.pass_obj
def acknowledge(choices: Choices, *, numbers: tuple[int, ...]) -> None:
    """Note that a person knows of these rejects or holds.

    ID is the number that `rejects` or `holds` shows. It stands until the reason of the record
    changes. If there is none of one of the numbers, none is acknowledged.
    """
    with open_store(choices.link_store) as store:
        _acknowledge(store, numbers)
        found = [
            one
            for one in store.unsettled("reject", "hold", every_namespace=True)
            if one.id in numbers
        ]
    for one in found:
        if choices.output_format == "json":
            tell_as_json(unsettled_row(one, show_values=False))
        else:
            click.echo(f"{one.id}: the {one.kind} of {one.entity} {one.shop_id} is acknowledged")


def _acknowledge(store: LinkStore, numbers: tuple[int, ...]) -> None:
    with store.transaction():
        missing = [number for number in numbers if not store.acknowledge(number)]
        if missing:
            named = ", ".join(str(number) for number in missing)
            msg = (
                f"there is no reject or hold with the number {named}; nothing was acknowledged"
                " (powerofficego-links rejects and powerofficego-links holds show the numbers)"
            )
            raise click.ClickException(msg)
