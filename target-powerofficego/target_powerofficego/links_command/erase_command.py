"""The command that erases a customer's personal data on a privacy request."""

from __future__ import annotations

import click

from target_powerofficego.dataflow.buyers import guest_id
from target_powerofficego.links_command.at_rest import confirm, store_at_rest
from target_powerofficego.links_command.erasing import (
    CannotErase,
    Erasable,
    ErasedAlready,
    UnknownCustomer,
    erasable,
    with_email,
)
from target_powerofficego.links_command.erasing import erase as erase_found
from target_powerofficego.links_command.listing import say
from target_powerofficego.links_command.options import (
    Choices,
    EntityChoice,
    shop_name_option,
    with_choices,
    yes_option,
)


@click.command()
@click.argument("what", metavar="customer", type=EntityChoice(["customers"]))
@click.argument("shop_id", metavar="[SHOP_ID]", required=False)
@click.option("--email", metavar="ADDRESS", help="The guest with this e-mail address.")
@yes_option
@shop_name_option
@with_choices()
@click.pass_obj
def erase(
    choices: Choices,
    *,
    what: str,
    shop_id: str | None,
    email: str | None,
    is_confirmed: bool,
    shop_name: str | None,
) -> None:
    """Erase a customer's personal data from the link store.

    SHOP_ID is the customer's id in the shop, or a guest's that begins with "guest:". Go keeps its
    entry, as the law on bookkeeping asks; the next run archives it. The customer is remembered by a
    keyed hash of its id, so that it is not created again and its orders stay its own. This cannot
    be undone. Copies of the link store, and exports, keep what they hold.
    """
    del what
    if (shop_id is None) == (email is None):
        msg = "say SHOP_ID or --email, one of the two"
        raise click.UsageError(msg)
    wanted = shop_id if shop_id is not None else guest_id(email or "")
    who = f"customer {shop_id}" if shop_id is not None else "guest with that e-mail address"
    with store_at_rest(choices.link_store, shop_name) as (store, _):
        try:
            found = erasable(store, wanted)
        except ErasedAlready:
            store.purge_deleted()
            say(f"{who} was erased already; nothing is left of it")
            return
        except UnknownCustomer:
            others = with_email(store, email) if email is not None else []
            hint = (
                f"; these have it, erase them by their ids: {', '.join(others)}" if others else ""
            )
            msg = f"the link store knows no {who}; nothing was erased{hint}"
            raise click.ClickException(msg) from None
        except CannotErase as reason:
            msg = f"{reason}; nothing was erased"
            raise click.ClickException(msg) from None
        for line in _told(found):
            say(line)
        confirm("Erase this? It cannot be undone.", is_confirmed=is_confirmed)
        erase_found(store, found)
    click.echo("erased from the link store")


def _told(found: Erasable) -> list[str]:
    """Say what is erased and what becomes of the entry in Go."""
    named = ", ".join(found.shop_ids)
    orders = len(found.order_links) + len(found.waiting_orders)
    lines = [
        f"customer {named}: all that is kept of it, and who bought ({orders} orders)",
        *(
            f"Go has another customer with that e-mail address (id {go_id}), which is left alone;"
            " see to it in Go"
            for go_id in found.alike_in_go
        ),
        *(
            f"customers {shop_id} has the same e-mail address and is not erased; erase it too if it"
            " is the same person"
            for shop_id in found.alike_in_shop
        ),
    ]
    if found.go_id is not None:
        lines.append(f"the next run archives the customer {found.go_id} in Go")
    elif found.shared_with is not None:
        lines.append(
            f"the customer {found.links[0].go_id} in Go stays as it is: it is customer"
            f" {found.shared_with}'s; erase that one too if it is the same person"
        )
    elif found.links:
        lines.append(
            f"the customer {found.links[0].go_id} in Go stays as it is, for it was only shared;"
            " see to it in Go"
        )
    else:
        lines.append("it was never in Go; if the shop sends it again, nothing is created or kept")
    return lines
