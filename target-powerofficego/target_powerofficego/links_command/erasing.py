"""The command `erase`: removes a customer's personal data from the link store on request.

What the link store keeps of the customer's orders stays, but not who bought.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from target_powerofficego.dataflow.orders.order import GUEST
from target_powerofficego.dataflow.orders.shop_order import buyer_ids, guest_id
from target_powerofficego.dataflow.orders.state import OrderState
from target_powerofficego.dataflow.values import normalise_email
from target_powerofficego.decisions.personal_data import ORDER_ROWS, erased_id, impersonal_order
from target_powerofficego.links_command.opening import confirm, open_locked_store
from target_powerofficego.links_command.options import (
    Choices,
    EntityChoice,
    shop_name_option,
    with_choices,
    yes_option,
)
from target_powerofficego.links_command.output import fail, say
from target_powerofficego.settle.summary import links_command_for
from target_powerofficego.store.link_store import Link
from target_powerofficego.store.values import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_powerofficego.store.link_store import LinkStore, Unsettled

_CUSTOMERS, _ORDERS = "customers", "orders"
_NOTHING = "; nothing was erased"


@dataclass(frozen=True)
class Erasable:
    """What is erased together: the links of one person, the customer first, and their orders.

    `shared_with` is the record that a follower shares its customer in Go with, if it is linked.
    `alike_in_go` are entries that no record is linked to, and `alike_in_shop` other customers that
    the link store knows: they have the same e-mail address, and are not erased.
    """

    links: Sequence[Link]
    shop_ids: Sequence[str]
    order_links: Sequence[Link]
    waiting_orders: Sequence[Unsettled]
    shared_with: str | None
    alike_in_go: Sequence[str]
    alike_in_shop: Sequence[str]

    @property
    def go_id(self) -> str | None:
        """The id of the entry in Go to be archived, which is nobody else's; None: there is none.

        A follower's entry is somebody else's even when the record that had it is no longer linked.
        """
        return self.links[0].go_id if self.links and not self.links[0].is_follower else None


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
        raise click.UsageError("say SHOP_ID or --email, one of the two")
    wanted = shop_id if shop_id is not None else guest_id(email or "")
    who = f"customer {shop_id}" if shop_id is not None else "guest with that e-mail address"
    with open_locked_store(choices.link_store, shop_name) as (store, _):
        if store.erasures.customers().id_of(wanted) is not None:
            store.purge_deleted()
            say(f"{who} was erased already; nothing is left of it")
            return
        erasable = find_erasable(store, wanted)
        if erasable is None:
            others = _alike_in_shop(store, _as_compared(email), ())
            hint = f"; these have it, erase them by their ids: {', '.join(others)}"
            fail(f"the link store knows no {who}{_NOTHING}{hint if others else ''}")
        for line in _what_is_erased(erasable):
            say(line)
        confirm("Erase this? It cannot be undone.", is_confirmed=is_confirmed)
        erase_all(store, erasable)
    click.echo("erased from the link store")


def _what_is_erased(erasable: Erasable) -> list[str]:
    """Return lines that say what is erased and what becomes of the entry in Go."""
    named = ", ".join(erasable.shop_ids)
    orders = len(erasable.order_links) + len(erasable.waiting_orders)
    lines = [
        f"customer {named}: all that is kept of it, and who bought ({orders} orders)",
        *(
            f"Go has another customer with that e-mail address (id {go_id}), which is left alone;"
            " see to it in Go"
            for go_id in erasable.alike_in_go
        ),
        *(
            f"customers {shop_id} has the same e-mail address and is not erased; erase it too if it"
            " is the same person"
            for shop_id in erasable.alike_in_shop
        ),
    ]
    if erasable.go_id is not None:
        lines.append(f"the next run archives the customer {erasable.go_id} in Go")
    elif erasable.shared_with is not None:
        lines.append(
            f"the customer {erasable.links[0].go_id} in Go stays as it is: it is customer"
            f" {erasable.shared_with}'s; erase that one too if it is the same person"
        )
    elif erasable.links:
        lines.append(
            f"the customer {erasable.links[0].go_id} in Go stays as it is, for it was only shared;"
            " see to it in Go"
        )
    else:
        lines.append("it was never in Go; if the shop sends it again, nothing is created or kept")
    return lines


def find_erasable(store: LinkStore, shop_id: str) -> Erasable | None:
    """Return all that the link store knows of a customer; None when it knows nothing.

    Raises:
        click.ClickException: it cannot be erased as things are; the text says why and what to do.
    """
    if any(intent.entity != PAYMENTS for intent in store.intents.all()):
        what = "writes have no answer yet: run the sync until it has looked them up, then erase"
        fail(f"{what}{_NOTHING}")
    link = store.links.get(_CUSTOMERS, shop_id)
    if link is None and not store.knows(_CUSTOMERS, shop_id):
        return None
    links, shared_with = _sharing(store, link) if link is not None else ([], None)
    emails = _emails(store, shop_id, link)
    if link is not None:
        links += _as_guests(store, link, emails, known={one.shop_id for one in links})
    shop_ids = [one.shop_id for one in links] or [shop_id]
    waiting = [
        one for one in store.unsettled.all() if one.entity == _ORDERS and _buyer_of(one) in shop_ids
    ]
    if link is None and waiting:
        named = ", ".join(one.shop_id for one in waiting)
        fail(
            f"customer {shop_id} is not in Go yet, and its orders ({named}) would be lost: see to"
            f" them first ({links_command_for('holds')}, {links_command_for('rejects')}){_NOTHING}"
        )
    return Erasable(
        links=links,
        shop_ids=shop_ids,
        order_links=[
            order
            for order in (store.links.of_entity(_ORDERS) if link is not None else ())
            if link is not None and _is_order_of(order, link, shop_ids)
        ],
        waiting_orders=waiting,
        shared_with=shared_with,
        alike_in_go=_alike_in_go(store, emails),
        alike_in_shop=_alike_in_shop(store, emails, shop_ids),
    )


def _sharing(store: LinkStore, link: Link) -> tuple[list[Link], str | None]:
    """Return one person's links, this one first, and whose customer in Go a follower shares.

    Raises:
        click.ClickException: another customer's record shares this one's entry.
    """
    links = [link]
    shared_with: str | None = None
    for other in store.links.to_entry(_CUSTOMERS, link.go_id):
        if other.shop_id == link.shop_id:
            continue
        if link.is_follower:
            shared_with = shared_with if other.is_follower else other.shop_id
        elif other.shop_id.startswith(GUEST):
            links.append(other)
        elif not store.erasures.customers().id_of(other.shop_id):
            fail(
                f"customer {other.shop_id} shares the customer {link.go_id} in Go with"
                f" {link.shop_id}: erase or unlink {other.shop_id} first{_NOTHING}"
            )
    return links, shared_with


def _emails(store: LinkStore, shop_id: str, link: Link | None) -> set[str]:
    """Return a customer's own e-mail addresses, in the form in which they are compared."""
    waiting = store.unsettled.get(_CUSTOMERS, shop_id)
    in_shop = waiting and waiting.payload.get("email")
    if link is None:
        return _as_compared(in_shop)
    if link.is_follower:
        return set()
    agreed = link.base.get("email")
    entry = store.go_entries.get(_CUSTOMERS, link.go_id)
    in_go = entry and entry[0].get("EmailAddress")
    return _as_compared(agreed and agreed.shop, agreed and agreed.go, in_go, in_shop)


def _as_compared(*emails: object) -> set[str]:
    return {str(normalise_email(one)) for one in emails if isinstance(one, str) and one.strip()}


def _as_guests(store: LinkStore, link: Link, emails: set[str], *, known: set[str]) -> list[Link]:
    """Return the customer as the guest that each e-mail address makes, unless that one is linked.

    That guest's orders that wait, or come later, are then known to be the customer's.
    """
    return [
        Link(_CUSTOMERS, guest, link.go_id, is_follower=True)
        for guest in map(guest_id, sorted(emails))
        if guest not in known and store.links.get(_CUSTOMERS, guest) is None
    ]


def _alike_in_go(store: LinkStore, emails: set[str]) -> list[str]:
    """Return the entries with one of these e-mail addresses that no record is linked to."""
    return [
        go_id
        for email in sorted(emails)
        for go_id in store.go_entries.ids(_CUSTOMERS, f"email:{email}")
        if not store.links.to_entry(_CUSTOMERS, go_id)
    ]


def _alike_in_shop(store: LinkStore, emails: set[str], shop_ids: Sequence[str]) -> list[str]:
    """Return the other customers that are known by one of these e-mail addresses."""
    found = {
        link.shop_id
        for link in store.links.of_entity(_CUSTOMERS)
        if (agreed := link.base.get("email")) and emails & _as_compared(agreed.shop, agreed.go)
    }
    found |= {
        one.shop_id
        for one in store.unsettled.all()
        if one.entity == _CUSTOMERS and emails & _as_compared(one.payload.get("email"))
    }
    return sorted(found.difference(shop_ids))


def _is_order_of(order: Link, customer: Link, shop_ids: Sequence[str]) -> bool:
    """Return whether an order is a customer's; a follower's only if it is known to be its own."""
    bought, buyer = order.base.get("customer"), OrderState(order.base).buyer
    if bought is None or customer.go_id not in (str(bought.shop), str(bought.go)):
        return False
    return not customer.is_follower or (buyer is not None and buyer.id in shop_ids)


def _buyer_of(order: Unsettled) -> str:
    return buyer_ids(order.payload)[0]


def erase_all(store: LinkStore, erasable: Erasable) -> None:
    """Erase all of it, or nothing; afterwards what was deleted is purged from the file as well."""
    key = store.erasures.customers().key
    with store.transaction():
        for order in erasable.order_links:
            store.links.put(_impersonal(order))
            store.conflicts.forget(_ORDERS, order.shop_id)
            store.forget_way_back(_ORDERS, order.shop_id)
        for waiting in erasable.waiting_orders:
            _rewrite(store, waiting, erased_id(key, _buyer_of(waiting)))
        for shop_id in erasable.shop_ids:
            store.forget_record(_CUSTOMERS, shop_id)
            store.unsettled.clear(_CUSTOMERS, shop_id)
        for link in erasable.links:
            kept = erased_id(key, link.shop_id)
            store.links.put(Link(_CUSTOMERS, kept, link.go_id, is_follower=link.is_follower))
        for shop_id in erasable.shop_ids:
            own = erasable.go_id if shop_id == erasable.shop_ids[0] else None
            store.erasures.note(_CUSTOMERS, erased_id(key, shop_id), own)
        if erasable.go_id is not None:
            _erase_entries(store, erasable.go_id)
    store.purge_deleted()


def _impersonal(order: Link) -> Link:
    return replace(order, base=OrderState(order.base).without_buyer(ORDER_ROWS).base)


def _rewrite(store: LinkStore, waiting: Unsettled, customer_id: str) -> None:
    buyer = _buyer_of(waiting)
    reason = waiting.reason.replace(f"{_CUSTOMERS} {buyer}", f"{_CUSTOMERS} {customer_id}")
    store.unsettled.redact(waiting.id, impersonal_order(waiting.payload, customer_id), reason)
    store.conflicts.forget(_ORDERS, waiting.shop_id)


def _erase_entries(store: LinkStore, go_id: str) -> None:
    """Reduce the customer's entry in the index to what orders need; remove what belongs to it."""
    for entity in ("delivery_addresses", "contact_persons"):
        for one in store.go_entries.ids(entity, f"contact:{go_id}"):
            store.go_entries.remove(entity, one)
    entry = store.go_entries.get(_CUSTOMERS, go_id)
    kept = store.erasures.customers().kept_entry(_CUSTOMERS, entry[0]) if entry else None
    if entry is not None and kept is not None:
        store.go_entries.put(_CUSTOMERS, go_id, kept, (), entry[1])
