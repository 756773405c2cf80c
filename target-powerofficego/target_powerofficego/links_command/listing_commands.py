"""The commands that list what the link store knows; none of them writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_powerofficego.links_command.conflict_listing import conflict_listing
from target_powerofficego.links_command.difference_listing import difference_listing
from target_powerofficego.links_command.link_listing import link_listing
from target_powerofficego.links_command.listing import tell
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import (
    Choices,
    all_option,
    entity_option,
    go_id_option,
    newest_option,
    reason_option,
    shop_id_option,
    show_values_option,
    waiting_entity_option,
    with_choices,
)
from target_powerofficego.links_command.run_listing import run_listing
from target_powerofficego.links_command.unended_runs import unended_runs
from target_powerofficego.links_command.unsettled_listing import Filter, unsettled_listing

if TYPE_CHECKING:
    from target_powerofficego.store.link_store import UnsettledKind


@click.command()
@waiting_entity_option
@shop_id_option
@reason_option
@all_option
@show_values_option
@with_choices()
@click.pass_obj
def rejects(
    choices: Choices,
    *,
    entity: str | None,
    shop_id: str | None,
    reason: str | None,
    with_acknowledged: bool,
    show_values: bool,
) -> None:
    """List records that cannot be written, with the reason."""
    wanted = Filter(entity, shop_id, reason, with_acknowledged=with_acknowledged)
    _list_unsettled("reject", choices, wanted, show_values=show_values)


@click.command()
@waiting_entity_option
@shop_id_option
@reason_option
@all_option
@show_values_option
@with_choices()
@click.pass_obj
def holds(
    choices: Choices,
    *,
    entity: str | None,
    shop_id: str | None,
    reason: str | None,
    with_acknowledged: bool,
    show_values: bool,
) -> None:
    """List records that could be written but need a person first."""
    wanted = Filter(entity, shop_id, reason, with_acknowledged=with_acknowledged)
    _list_unsettled("hold", choices, wanted, show_values=show_values)


@click.command()
@waiting_entity_option
@shop_id_option
@reason_option
@show_values_option
@with_choices()
@click.pass_obj
def parked(
    choices: Choices,
    *,
    entity: str | None,
    shop_id: str | None,
    reason: str | None,
    show_values: bool,
) -> None:
    """List records that wait for another record, for Go, or to be read again.

    They need no person: each run takes them up again.
    """
    _list_unsettled("parked", choices, Filter(entity, shop_id, reason), show_values=show_values)


def _list_unsettled(
    kind: UnsettledKind, choices: Choices, wanted: Filter, *, show_values: bool
) -> None:
    with open_store(choices.link_store) as store:
        found = store.unsettled(kind, every_namespace=True, acknowledged=wanted.with_acknowledged)
    matching = [one for one in found if wanted.takes(one)]
    tell(unsettled_listing(kind, matching, show_values=show_values), choices.output_format)


@click.command()
@entity_option
@newest_option("conflicts")
@show_values_option
@with_choices()
@click.pass_obj
def conflicts(choices: Choices, *, entity: str | None, newest: int, show_values: bool) -> None:
    """List properties that both sides changed.

    Told are which side won and why, or that it is held for a person, or settled since; those seen
    last come first.
    """
    with open_store(choices.link_store) as store:
        found = store.conflicts(newest, entity)
    in_words = choices.output_format == "table"
    listing = conflict_listing(found, show_values=show_values, in_words=in_words)
    tell(listing, choices.output_format)


@click.command()
@entity_option
@shop_id_option
@go_id_option
@show_values_option
@with_choices()
@click.pass_obj
def links(
    choices: Choices,
    *,
    entity: str | None,
    shop_id: str | None,
    go_id: str | None,
    show_values: bool,
) -> None:
    """List which record of the shop is which entry in Go.

    A follower shares the entry of another record: its orders go there, no properties flow. So does
    a record that the shop deleted, once another one has taken over its entry.
    """
    with open_store(choices.link_store) as store:
        found = list(store.all_links(entity, shop_id, go_id))
    tell(link_listing(found, show_values=show_values), choices.output_format)


@click.command()
@entity_option
@show_values_option
@with_choices()
@click.pass_obj
def differences(choices: Choices, *, entity: str | None, show_values: bool) -> None:
    """List linked records whose properties differ.

    Told are the properties that have one value in the shop and another in Go. With --show-values,
    "shop, last agreed" is what the shop had when both sides last agreed or were linked, and "Go,
    last read" what Go had when a run forward last read it, or one of the way back wrote it or let
    it wait. An edit in Go that is listed goes to the shop by the way back, if the property flows
    that way and nothing stands against it; what differed when the two were linked is left so until
    somebody edits one side. What waits of an order's lines is listed by `rejects` and `holds` only.
    """
    with open_store(choices.link_store) as store:
        found = list(store.links_with_entries(entity))
    tell(difference_listing(found, show_values=show_values), choices.output_format)


@click.command()
@newest_option("runs")
@with_choices()
@click.pass_obj
def runs(choices: Choices, *, newest: int) -> None:
    """List the newest runs and what came of each."""
    with open_store(choices.link_store) as store:
        found = store.runs(newest)
        under_way = unended_runs(store).under_way
    in_words = choices.output_format == "table"
    tell(run_listing(found, under_way, in_words=in_words), choices.output_format)
