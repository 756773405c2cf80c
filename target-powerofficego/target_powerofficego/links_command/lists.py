"""The commands `links`, `differences` and `conflicts`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.orders.state import LINE
from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.dataflow.table import NEVER, Direction
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import (
    Choices,
    entity_option,
    go_id_option,
    newest_option,
    shop_id_option,
    show_values_option,
    with_choices,
)
from target_powerofficego.links_command.output import (
    Column,
    Listing,
    members,
    print_listing,
    with_shop,
)
from target_powerofficego.sync.go.index import newest_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_powerofficego.dataflow.table import Agreement, Property
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link, StoredConflict

_PAIR = (Column("entity", "entity"), Column("shop id", "shop_id"), Column("Go id", "go_id"))
_LINKS = (*_PAIR, Column("follower", "is_follower"), Column("linked (UTC)", "linked_at"))
_BASE = (Column("base", "base", wraps=True),)
_DIFFERENCES = (*_PAIR, Column("property", "property"))
_BOTH_VALUES = (
    Column("shop, last agreed", "shop_value", wraps=True),
    Column("Go, last read", "go_value", wraps=True),
)
_CONFLICTS = (
    Column("entity", "entity"),
    Column("shop id", "shop_id"),
    Column("property", "property"),
    Column("winner", "winner_in_words"),
    Column("why", "why", wraps=True),
    Column("run", "run"),
    Column("first seen (UTC)", "first_seen"),
    Column("last seen (UTC)", "last_seen"),
)
_THREE_VALUES = (
    Column("in the shop", "shop_value", wraps=True),
    Column("in Go", "go_value", wraps=True),
    Column("before", "base_value", wraps=True),
)
_NOT_COMPARED = (Direction.ON_CREATE, Direction.TO_SHOP)


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
    """List which record of the shop is linked to which entry in Go.

    A follower shares the entry of another record: its orders go to that entry, but none of its
    properties do. A record that the shop deleted becomes a follower once another record has taken
    over its entry.
    """
    with open_store(choices.link_store) as store:
        rows = [
            _link_row(shop_name, link, show_values=show_values)
            for shop_name, link in store.links.in_all_namespaces(entity, shop_id, go_id)
        ]
    columns = with_shop(rows, *_LINKS, *(_BASE if show_values else ()))
    print_listing(Listing(columns, rows, "no such record is linked"), choices.output_format)


def _link_row(shop_name: str, link: Link, *, show_values: bool) -> dict[str, Any]:
    base = {name: {"shop": agreed.shop, "go": agreed.go} for name, agreed in link.base.items()}
    return {
        **members(link, "entity", "shop_id", "go_id"),
        "shop_name": shop_name,
        **members(link, "is_follower", "linked_at"),
        **({"base": base} if show_values else {}),
    }


@click.command()
@entity_option
@newest_option("conflicts")
@show_values_option
@with_choices()
@click.pass_obj
def conflicts(choices: Choices, *, entity: str | None, newest: int, show_values: bool) -> None:
    """List properties that both sides changed.

    For each, the list shows which side won and why, or that it is held for a person, or has been
    settled since. The most recently seen come first.
    """
    in_words = choices.output_format == "table"
    with open_store(choices.link_store) as store:
        rows = [
            _conflict_row(conflict, in_words=in_words, show_values=show_values)
            for conflict in store.conflicts.newest(newest, entity)
        ]
    columns = with_shop(rows, *_CONFLICTS, *(_THREE_VALUES if show_values else ()))
    listing = Listing(columns, rows, "no property was changed on both sides")
    print_listing(listing, choices.output_format)


def _conflict_row(conflict: StoredConflict, *, in_words: bool, show_values: bool) -> dict[str, Any]:
    all_values = {
        "shop_value": conflict.shop,
        "go_value": conflict.go,
        "base_value": conflict.base,
    }
    winner = conflict.winner or ("settled" if conflict.is_settled else "held")
    return {
        **members(conflict, "entity", "shop_id", "shop_name", "property", "winner", "is_settled"),
        **members(conflict, "why", "run", "first_seen", "last_seen"),
        **(all_values if show_values else {}),
        **({"winner_in_words": winner} if in_words else {}),
    }


@click.command()
@entity_option
@show_values_option
@with_choices()
@click.pass_obj
def differences(choices: Choices, *, entity: str | None, show_values: bool) -> None:
    """List linked records whose properties differ.

    Lists the properties that have one value in the shop and another in Go. With --show-values,
    "shop, last agreed" is the shop's value when both sides last agreed or were linked, and "Go,
    last read" is Go's value when a run from the shop to Go last read it, or when a run from Go to
    the shop wrote it or left it waiting.

    An edit in Go that is listed here goes to the shop with the next run in that direction, if the
    property flows that way and nothing prevents it. Values that differed when the two were linked
    stay different until somebody edits one side. Changes to an order's lines that wait are listed
    by `rejects` and `holds` only.
    """
    with open_store(choices.link_store) as store:
        rows = [
            {
                **members(link, "entity", "shop_id", "go_id"),
                "shop_name": shop_name,
                "property": name,
                **({"shop_value": shop, "go_value": go} if show_values else {}),
            }
            for shop_name, link, indexed in store.links.with_entries(entity)
            for name, shop, go in _differing_properties(link, *indexed)
        ]
    columns = with_shop(rows, *_DIFFERENCES, *(_BOTH_VALUES if show_values else ()))
    print_listing(Listing(columns, rows, "no linked record differs"), choices.output_format)


def _differing_properties(
    link: Link, entry: Mapping[str, Any], known_stamp: str | None
) -> Iterator[tuple[str, Value, Value]]:
    """Yield each property that differs, with both values in Go's form.

    The shop's value is the one last agreed on, and Go's is the one last read. If Go is known up to
    a later timestamp than the indexed entry has, because the way back has seen it since, Go's value
    is the one in the agreement. Values that differ when two records are first linked stay so until
    one side is edited. A row that is written only when an entry is created never changes, so it is
    not listed. The properties of a follower do not flow.
    """
    if link.is_follower:
        return
    rows = {row.name: row for row in TABLES[link.entity].rows}
    stamp = newest_stamp(entry)
    is_behind = any(values.is_before(stamp, known) for known in (link.own_stamp, known_stamp))
    for name, agreed in link.base.items():
        if name.startswith(LINE):
            yield from _differing_members(f"line {name.removeprefix(LINE)}", agreed)
            continue
        row = rows.get(name)
        if row is not None and row.go.split(".")[0] in entry and not is_behind:
            agreed = replace(agreed, go=row.from_go(entry))  # noqa: PLW2901 - as read
        if _differs(row, agreed):
            yield name, agreed.shop, agreed.go


def _differs(row: Property | None, agreed: Agreement) -> bool:
    if agreed.shop_read_at == NEVER:
        return False
    if row is None:
        # a list holds entries that belong to this one, and only its shop side is kept; anything
        # else is a row that the setting `properties` added, whose table is not known here
        normalise = values.normalise_text
        is_list = isinstance(agreed.shop, list)
        return not is_list and bool(normalise(agreed.shop) != normalise(agreed.go))
    return row.direction not in _NOT_COMPARED and not row.are_equal(agreed.shop, agreed.go)


def _differing_members(line: str, agreed: Agreement) -> Iterator[tuple[str, Value, Value]]:
    if agreed.shop is None or agreed.go is None:
        if agreed.shop is not agreed.go:
            yield line, agreed.shop, agreed.go
        return
    for member, normalise in LINE_MEMBERS.items():
        shop, go = agreed.shop.get(member), agreed.go.get(member)
        if normalise(shop) != normalise(go):
            yield f"{line}: {member}", shop, go
