"""The commands `link` and `unlink`, with which a person links a record to an entry in Go."""

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
from target_powerofficego.links_command.output import fail, print_text
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
    help="Share the customer in Go of another record: orders go to it, but no properties.",
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
    """Link a record of the shop to an entry in Go.

    GO_ID is the id that `holds` shows for each candidate, not the number that people see in Go. The
    next run accepts the values of both sides as they are, as whenever two records are first linked,
    and writes our reference if Go's is empty. If the link store has never seen SHOP_ID, the command
    asks for confirmation.
    """
    if is_follower and entity != "customers":
        raise click.UsageError("--follower is for customers only")
    wanted = Link(entity, shop_id, go_id, is_follower=is_follower)
    with open_locked_store(choices.link_store, shop_name) as (store, namespace):
        if _is_already_linked(store, wanted):
            print_text(f"{entity} {shop_id} is already linked to {go_id} in Go")
            return
        _require_free_entry(store, namespace, wanted)
        if not store.knows(entity, shop_id):
            print_text(f"the shop has not sent {entity} {shop_id} yet, or its link was removed")
            confirm("Link it even so?", is_confirmed=is_confirmed)
        with store.transaction():
            store.settled.forget(entity, shop_id)
            store.links.put(wanted)
    print_text(f"{entity} {shop_id} is linked to {go_id} in Go; {_NEXT} continues from there")


def _is_already_linked(store: LinkStore, wanted: Link) -> bool:
    """Return whether exactly this link exists.

    Raises:
        click.ClickException: the record has another link, or was erased.
    """
    entity, shop_id = wanted.entity, wanted.shop_id
    erased = store.erasures.customers()
    if entity == "customers" and (erased.id_of(shop_id) or wanted.go_id in erased.go_ids):
        fail(f"customers {shop_id} or {wanted.go_id} in Go was erased; nothing was changed")
    existing = store.links.get(entity, shop_id)
    if existing is None:
        return False
    if (existing.go_id, existing.is_follower) != (wanted.go_id, wanted.is_follower):
        fail(
            f"{_describe_link(existing)}; nothing was changed:"
            f" unlink it first ({links_command_for(f'unlink {entity} {shop_id}')})"
        )
    return True


def _describe_link(link: Link) -> str:
    suffix = " as a follower" if link.is_follower else ""
    return f"{link.entity} {link.shop_id} is linked to {link.go_id} in Go{suffix}"


def _require_free_entry(store: LinkStore, namespace: Namespace, wanted: Link) -> None:
    """Require that Go has the entry and that this record can be linked to it.

    Raises:
        click.ClickException: it cannot.
    """
    entity, shop_id, go_id = wanted.entity, wanted.shop_id, wanted.go_id
    entry = store.go_entries.get(entity, go_id)
    if entry is None:
        fail(
            f"at the last run, Go had no entry {go_id} among its {entity}; nothing was changed"
            f" ({links_command_for('holds')} shows the ids of the candidates)"
        )
    holder = _holder(store, namespace, wanted, entry[0].get("ExternalImportReference"))
    if holder is None and wanted.is_follower:
        fail(f"no other record has {go_id} in Go; link {entity} {shop_id} without --follower")
    if holder is not None and not wanted.is_follower:
        hint = "; to share it, add --follower" if entity == "customers" else ""
        fail(f"{go_id} in Go already belongs to {holder}; nothing was changed{hint}")


def _holder(
    store: LinkStore, namespace: Namespace, wanted: Link, reference: str | None
) -> str | None:
    """Return the other record that an entry belongs to, by its link or its reference in Go."""
    for other in store.links.to_entry(wanted.entity, wanted.go_id):
        if not other.is_follower:
            return f"{other.entity} {other.shop_id}"
    own_reference = values.short_reference(namespace.shop_name, wanted.shop_id)
    if reference and reference != own_reference:
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
    """Remove a record's link to its entry in Go.

    Nothing changes in Go or in the shop. When the shop sends the record again, it is matched like a
    new one.
    """
    with open_locked_store(choices.link_store, shop_name) as (store, namespace):
        existing = store.links.get(entity, shop_id)
        if existing is None:
            fail(f"{entity} {shop_id} is not linked; nothing was changed")
        if entity == "customers" and store.erasures.customers().id_of(shop_id):
            fail(f"{shop_id} was erased; only its link keeps it from being created again")
        print_text(_describe_link(existing))
        print_text(_consequence(store, namespace, existing))
        confirm("Remove this link?", is_confirmed=is_confirmed)
        with store.transaction():
            store.links.delete(entity, shop_id)
            store.settled.forget(entity, shop_id)
            store.forget_way_back(entity, shop_id)
    print_text(f"the link of {entity} {shop_id} was removed")


def _consequence(store: LinkStore, namespace: Namespace, link: Link) -> str:
    """Return a line about what happens to a record once its link is removed."""
    when = "when the shop sends it again, it is matched again"
    entry = store.go_entries.get(link.entity, link.go_id)
    reference = entry[0].get("ExternalImportReference") if entry else None
    if reference == values.short_reference(namespace.shop_name, link.shop_id):
        return f"{when}: its entry in Go, if it still exists, is found by our reference"
    if link.entity == "orders":
        return (
            f"{when}: its order in Go does not have our reference, so it would not be found, and"
            " the order would be posted a second time"
        )
    return f"{when}: it is linked to the entry in Go that it matches, or created if none does"
