"""The commands for records that wait: acknowledge them, or let them be tried at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.links_command.listing import say, tell_as_json
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import (
    NUMBER,
    Choices,
    waiting_entity_option,
    with_choices,
)
from target_powerofficego.links_command.unsettled_listing import unsettled_row
from target_powerofficego.settle.shown_by import shown_by
from target_powerofficego.store.ways import entity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_powerofficego.store.link_store import LinkStore, Unsettled


@click.command()
@click.argument("numbers", metavar="[ID...]", nargs=-1, type=NUMBER)
@click.option("--all", "every_one", is_flag=True, help="Every reject and hold.")
@waiting_entity_option
@with_choices()
@click.pass_obj
def acknowledge(
    choices: Choices, *, numbers: tuple[int, ...], every_one: bool, entity: str | None
) -> None:
    """Note that a person knows of these rejects or holds.

    ID is the number that `rejects` or `holds` shows. It stands until the reason of the record
    changes. If there is none of one of the numbers, none is acknowledged.
    """
    _check_which(numbers, entity, every_one=every_one)
    with open_store(choices.link_store) as store:
        if every_one:
            numbers = tuple(_unacknowledged(store, entity))
        _do_for_all(store, store.acknowledge, numbers, "reject or hold", "acknowledged")
        found = [
            one
            for one in store.unsettled("reject", "hold", every_namespace=True)
            if one.id in numbers
        ]
    _tell_each(choices, found, "is acknowledged")
    if not found and choices.output_format == "table":
        click.echo("nothing waits for a person")


@click.command()
@click.argument("numbers", metavar="[ID...]", nargs=-1, type=NUMBER)
@click.option("--all", "every_one", is_flag=True, help="Every record that rests.")
@waiting_entity_option
@with_choices()
@click.pass_obj
def retry(
    choices: Choices, *, numbers: tuple[int, ...], every_one: bool, entity: str | None
) -> None:
    """Let the next run try records at once that rest.

    What Go refused rests 1, 2, 4 … 24 hours before it is tried again. ID is the number that
    `rejects` shows. If there is none of one of the numbers, nothing is changed.
    """
    _check_which(numbers, entity, every_one=every_one)
    with open_store(choices.link_store) as store:
        if every_one:
            numbers = tuple(_resting(store, entity))
        _do_for_all(store, store.retry, numbers, "record that waits", "changed")
        found = [one for one in store.unsettled(every_namespace=True) if one.id in numbers]
    _tell_each(choices, found, "is tried by the next run")
    if not found and choices.output_format == "table":
        click.echo("no record rests; what waits is tried by each run")


def _check_which(numbers: tuple[int, ...], entity: str | None, *, every_one: bool) -> None:
    if bool(numbers) == every_one or (numbers and entity):
        msg = "name the numbers, or say --all (with --entity, if only one is meant)"
        raise click.UsageError(msg)


def _unacknowledged(store: LinkStore, entity: str | None) -> Iterable[int]:
    for one in store.unsettled("reject", "hold", every_namespace=True, acknowledged=False):
        if entity in (None, entity_of(one.entity)):
            yield one.id


def _resting(store: LinkStore, entity: str | None) -> Iterable[int]:
    for one in store.unsettled(every_namespace=True):
        if one.rests(now()) and entity in (None, entity_of(one.entity)):
            yield one.id


def _do_for_all(
    store: LinkStore,
    change: Callable[[int], bool],
    numbers: tuple[int, ...],
    what: str,
    changed: str,
) -> None:
    """Change each, or none of them.

    Raises:
        click.ClickException: with one line that names the numbers that there are none of.
    """
    with store.transaction():
        missing = [number for number in numbers if not change(number)]
        if missing:
            named = ", ".join(str(number) for number in missing)
            msg = f"there is no {what} with the number {named}; nothing was {changed}"
            where = f"({shown_by('rejects')} and {shown_by('holds')} show the numbers)"
            raise click.ClickException(f"{msg} {where}")


def _tell_each(choices: Choices, found: Iterable[Unsettled], outcome: str) -> None:
    for one in found:
        if choices.output_format == "json":
            tell_as_json(unsettled_row(one, show_values=False))
        else:
            kind = f"the {one.kind} of" if one.kind != "parked" else "the parked"
            say(f"{one.id}: {kind} {one.entity} {one.shop_id} {outcome}")
