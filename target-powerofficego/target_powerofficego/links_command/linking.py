"""The commands by which a person links a record with an entry in Go, or forgets a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_powerofficego.dataflow import values
from target_powerofficego.links_command.opening import confirm, open_locked_store
from target_powerofficego.links_command.options import (
    Choices,
    entity_argument,
    shop_id_argument,
    shop_name_option,
    with_choices,
    yes_option,
)
from target_powerofficego.links_command.output import fail, say
from target_powerofficego.settle.summary import links_command_for
from target_powerofficego.store.link_store import Link

if TYPE_CHECKING:
    from target_powerofficego.store.link_store import LinkStore, Namespace

_NEXT = "the next run of target-powerofficego"


@click.command()
@entity_argument
@shop_id_argument
@click.argument("go_id", metavar="GO_ID")
@click.option(
    "--follower",
    "is_follower",
    is_flag=True,
    help="Share the customer in Go that another record has: orders go there, no properties flow.",
)
@yes_option
@shop_name_option
@with_choices()
@click.pass_obj
def link(
    choices: Choices,
    *,
    entity: str,
    shop_id: str,
    go_id: str,
    is_follower: bool,
    is_confirmed: bool,
    shop_name: str | None,
) -> None:
    """Say which entry in Go a record of the shop is.

    GO_ID is the id that `holds` shows of each candidate, not the number that people see in Go. The
    next run takes both sides' values as they stand, as at every first meeting, and writes our
    reference where Go's is empty. It asks first when nothing is known of SHOP_ID.
    """
    if is_follower and entity != "customers":
        raise click.UsageError("--follower is for customers only")
    wanted = Link(entity, shop_id, go_id, is_follower=is_follower)
    with open_locked_store(choices.link_store, shop_name) as (store, namespace):
        if _is_linked_so(store, wanted):
            say(f"{entity} {shop_id} is linked to {go_id} in Go already")
            return
        _check_entry(store, namespace, wanted)
        if not store.knows(entity, shop_id):
            say(f"the shop has told of no {entity} {shop_id} so far, or its link was forgotten")
            confirm("Link it even so?", is_confirmed=is_confirmed)
        with store.transaction():
            store.settled.forget(entity, shop_id)
            store.links.put(wanted)
    say(f"{entity} {shop_id} is linked to {go_id} in Go; {_NEXT} goes on from there")


def _is_linked_so(store: LinkStore, wanted: Link) -> bool:
    """Return whether the record is already linked so.

    Raises:
        click.ClickException: the record has another link, or was erased.
    """
    entity, shop_id = wanted.entity, wanted.shop_id
    erased = store.erasures.customers()
    if entity == "customers" and (erased.id_of(shop_id) or wanted.go_id in erased.go_ids):
        fail(f"customers {shop_id} or {wanted.go_id} in Go was erased; nothing was changed")
    there = store.links.get(entity, shop_id)
    if there is None:
        return False
    if (there.go_id, there.is_follower) != (wanted.go_id, wanted.is_follower):
        fail(
            f"{_linked_so(there)}; nothing was changed:"
            f" unlink it first ({links_command_for(f'unlink {entity} {shop_id}')})"
        )
    return True


def _linked_so(link: Link) -> str:
    how = " as a follower" if link.is_follower else ""
    return f"{link.entity} {link.shop_id} is linked to {link.go_id} in Go{how}"


def _check_entry(store: LinkStore, namespace: Namespace, wanted: Link) -> None:
    """Check that Go has the entry and that this record may take it.

    Raises:
        click.ClickException: with one line that says why not.
    """
    entity, shop_id, go_id = wanted.entity, wanted.shop_id, wanted.go_id
    entry = store.go_entries.get(entity, go_id)
    if entry is None:
        fail(
            f"Go had no entry {go_id} among its {entity} at the last run; nothing was changed"
            f" ({links_command_for('holds')} shows the ids of the candidates)"
        )
    holder = _holder(store, namespace, wanted, entry[0].get("ExternalImportReference"))
    if holder is None and wanted.is_follower:
        fail(f"no other record has {go_id} in Go; link {entity} {shop_id} without --follower")
    if holder is not None and not wanted.is_follower:
        share = "; --follower shares it" if entity == "customers" else ""
        fail(f"{go_id} in Go is {holder} already; nothing was changed{share}")


def _holder(
    store: LinkStore, namespace: Namespace, wanted: Link, reference: str | None
) -> str | None:
    """Return the other record that has an entry, by its link or by the reference in Go."""
    for other in store.links.to_entry(wanted.entity, wanted.go_id):
        if not other.is_follower:
            return f"{other.entity} {other.shop_id}"
    own = values.short_reference(namespace.shop_name, wanted.shop_id)
    if reference and reference != own:
        return f"the entry with the reference {reference}"
    return None


@click.command()
@entity_argument
@shop_id_argument
@yes_option
@shop_name_option
@with_choices()
@click.pass_obj
def unlink(
    choices: Choices, *, entity: str, shop_id: str, is_confirmed: bool, shop_name: str | None
) -> None:
    """Forget which entry in Go a record of the shop is.

    Nothing changes in Go or in the shop. When the shop sends the record again, it is matched like a
    new one.
    """
    with open_locked_store(choices.link_store, shop_name) as (store, namespace):
        there = store.links.get(entity, shop_id)
        if there is None:
            fail(f"{entity} {shop_id} is not linked; nothing was changed")
        if entity == "customers" and store.erasures.customers().id_of(shop_id):
            fail(f"{shop_id} was erased; only its link keeps it from being created again")
        say(_linked_so(there))
        say(_what_follows(store, namespace, there))
        confirm("Forget this link?", is_confirmed=is_confirmed)
        with store.transaction():
            store.links.delete(entity, shop_id)
            store.settled.forget(entity, shop_id)
            store.forget_way_back(entity, shop_id)
    say(f"the link of {entity} {shop_id} is forgotten")


def _what_follows(store: LinkStore, namespace: Namespace, link: Link) -> str:
    """Say what becomes of a record that is no longer linked."""
    when = "when the shop sends it again, it is matched anew"
    entry = store.go_entries.get(link.entity, link.go_id)
    reference = entry[0].get("ExternalImportReference") if entry else None
    if reference == values.short_reference(namespace.shop_name, link.shop_id):
        return f"{when}: its entry in Go, if it is still there, is found again by our reference"
    if link.entity == "orders":
        return (
            f"{when}: its order in Go does not bear our reference, so it is not found again and"
            " would be posted a second time"
        )
    return f"{when}: linked with the entry in Go that it matches, or created where there is none"
