"""The command `erase`: removes a customer's personal data from the link store on request.

The customer's orders stay in the link store, but without the buyer.
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
from target_powerofficego.links_command.output import fail, print_text
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
    """What is erased together: the links of one person, the customer's own first, and their orders.

    `shared_with` is the linked record with which a follower shares its customer in Go. The
    following have the same e-mail address and are not erased: `same_email_in_go` are entries that
    no record is linked to, and `same_email_in_shop` are other customers in the link store.
    """

    links: Sequence[Link]
    shop_ids: Sequence[str]
    order_links: Sequence[Link]
    waiting_orders: Sequence[Unsettled]
    shared_with: str | None
    same_email_in_go: Sequence[str]
    same_email_in_shop: Sequence[str]

    @property
    def go_id(self) -> str | None:
        """The id of the entry in Go to archive; None if there is none of the customer's own.

        A follower's entry is never its own, even if the record it shared it with is no longer
        linked.
        """
        return self.links[0].go_id if self.links and not self.links[0].is_follower else None


@click.command()
@click.argument("entity", metavar="customer", type=EntityChoice(["customers"]))
@click.argument("shop_id", metavar="[SHOP_ID]", required=False)
@click.option("--email", metavar="ADDRESS", help="The guest with this e-mail address.")
@yes_option
@shop_name_option
@with_choices()
@click.pass_obj
def erase(
    choices: Choices,
    *,
    entity: str,
    shop_id: str | None,
    email: str | None,
    is_confirmed: bool,
    shop_name: str | None,
) -> None:
    """Erase a customer's personal data from the link store.

    SHOP_ID is the customer's id in the shop, or the id of a guest, which begins with "guest:". Go
    keeps its entry, as bookkeeping law requires; the next run archives it. The link store keeps a
    keyed hash of the customer's id, so that the customer is not created again and its later orders
    are still assigned to it. This cannot be undone. Copies and exports of the link store are not
    changed.
    """
    del entity
    if (shop_id is None) == (email is None):
        raise click.UsageError("give either SHOP_ID or --email")
    wanted = shop_id if shop_id is not None else guest_id(email or "")
    subject = f"customer {shop_id}" if shop_id is not None else "guest with that e-mail address"
    with open_locked_store(choices.link_store, shop_name) as (store, _):
        if store.erasures.customers().id_of(wanted) is not None:
            store.purge_deleted()
            print_text(f"{subject} has already been erased; nothing is left of it")
            return
        erasable = find_erasable(store, wanted)
        if erasable is None:
            others = _same_email_in_shop(store, _normalised(email), ())
            hint = f"; these customers have it, so erase them by id: {', '.join(others)}"
            fail(f"the link store has no {subject}{_NOTHING}{hint if others else ''}")
        for line in _describe(erasable):
            print_text(line)
        confirm("Erase this? It cannot be undone.", is_confirmed=is_confirmed)
        erase_all(store, erasable)
    click.echo("erased from the link store")


def _describe(erasable: Erasable) -> list[str]:
    """Return lines about what is erased and what happens to the entry in Go."""
    named = ", ".join(erasable.shop_ids)
    orders = len(erasable.order_links) + len(erasable.waiting_orders)
    plural = "" if orders == 1 else "s"
    lines = [
        (
            f"this erases customer {named} from the link store,"
            f" and the buyer of {orders} order{plural}"
        ),
        *(
            f"Go has another customer with that e-mail address (id {go_id}), which is not changed;"
            " deal with it in Go"
            for go_id in erasable.same_email_in_go
        ),
        *(
            f"customers {shop_id} has the same e-mail address and is not erased; erase it too if it"
            " is the same person"
            for shop_id in erasable.same_email_in_shop
        ),
    ]
    if erasable.go_id is not None:
        lines.append(f"the next run archives the customer {erasable.go_id} in Go")
    elif erasable.shared_with is not None:
        lines.append(
            f"the customer {erasable.links[0].go_id} in Go is not changed: it belongs to customer"
            f" {erasable.shared_with}; erase that one too if it is the same person"
        )
    elif erasable.links:
        lines.append(
            f"the customer {erasable.links[0].go_id} in Go is not changed, because it was only"
            " shared; deal with it in Go"
        )
    else:
        lines.append("it was never in Go; if the shop sends it again, nothing is created or stored")
    return lines


def find_erasable(store: LinkStore, shop_id: str) -> Erasable | None:
    """Return everything that the link store has about a customer; None if it has nothing.

    Raises:
        click.ClickException: it cannot be erased now; the text gives the reason and what to do.
    """
    if any(intent.entity != PAYMENTS for intent in store.intents.all()):
        fail(
            "some writes have no answer yet: run the sync until it has checked them, then erase"
            f"{_NOTHING}"
        )
    link = store.links.get(_CUSTOMERS, shop_id)
    if link is None and not store.knows(_CUSTOMERS, shop_id):
        return None
    links, shared_with = _links_of_person(store, link) if link is not None else ([], None)
    emails = _emails(store, shop_id, link)
    if link is not None:
        links += _guest_links(store, link, emails, existing={other.shop_id for other in links})
    shop_ids = [other.shop_id for other in links] or [shop_id]
    waiting_orders = [
        record
        for record in store.unsettled.all()
        if record.entity == _ORDERS and _buyer_of(record) in shop_ids
    ]
    if link is None and waiting_orders:
        named = ", ".join(order.shop_id for order in waiting_orders)
        fail(
            f"customer {shop_id} is not in Go yet, and its orders ({named}) would be lost: settle"
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
        waiting_orders=waiting_orders,
        shared_with=shared_with,
        same_email_in_go=_same_email_in_go(store, emails),
        same_email_in_shop=_same_email_in_shop(store, emails, shop_ids),
    )


def _links_of_person(store: LinkStore, link: Link) -> tuple[list[Link], str | None]:
    """Return the person's links, this one first, and the record that a follower shares with.

    Raises:
        click.ClickException: another customer shares the entry of this one.
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
    """Return a customer's own e-mail addresses, normalised."""
    waiting = store.unsettled.get(_CUSTOMERS, shop_id)
    in_shop = waiting and waiting.payload.get("email")
    if link is None:
        return _normalised(in_shop)
    if link.is_follower:
        return set()
    agreed = link.base.get("email")
    entry = store.go_entries.get(_CUSTOMERS, link.go_id)
    in_go = entry and entry[0].get("EmailAddress")
    return _normalised(agreed and agreed.shop, agreed and agreed.go, in_go, in_shop)


def _normalised(*emails: object) -> set[str]:
    return {
        str(normalise_email(email)) for email in emails if isinstance(email, str) and email.strip()
    }


def _guest_links(
    store: LinkStore, link: Link, emails: set[str], *, existing: set[str]
) -> list[Link]:
    """Return a link for the guest of each e-mail address, unless that guest is linked already.

    A guest's orders that wait, or come later, then count as the customer's.
    """
    return [
        Link(_CUSTOMERS, guest, link.go_id, is_follower=True)
        for guest in map(guest_id, sorted(emails))
        if guest not in existing and store.links.get(_CUSTOMERS, guest) is None
    ]


def _same_email_in_go(store: LinkStore, emails: set[str]) -> list[str]:
    """Return the unlinked entries in Go that have one of these e-mail addresses."""
    return [
        go_id
        for email in sorted(emails)
        for go_id in store.go_entries.ids(_CUSTOMERS, f"email:{email}")
        if not store.links.to_entry(_CUSTOMERS, go_id)
    ]


def _same_email_in_shop(store: LinkStore, emails: set[str], shop_ids: Sequence[str]) -> list[str]:
    """Return the customers, other than these, that have one of these e-mail addresses."""
    customer_ids = {
        link.shop_id
        for link in store.links.of_entity(_CUSTOMERS)
        if (agreed := link.base.get("email")) and emails & _normalised(agreed.shop, agreed.go)
    }
    customer_ids |= {
        record.shop_id
        for record in store.unsettled.all()
        if record.entity == _CUSTOMERS and emails & _normalised(record.payload.get("email"))
    }
    return sorted(customer_ids.difference(shop_ids))


def _is_order_of(order: Link, customer: Link, shop_ids: Sequence[str]) -> bool:
    """Return whether an order is a customer's; a follower's only if it is certainly its own."""
    agreed, buyer = order.base.get("customer"), OrderState(order.base).buyer
    if agreed is None or customer.go_id not in (str(agreed.shop), str(agreed.go)):
        return False
    return not customer.is_follower or (buyer is not None and buyer.id in shop_ids)


def _buyer_of(order: Unsettled) -> str:
    return buyer_ids(order.payload)[0]


def erase_all(store: LinkStore, erasable: Erasable) -> None:
    """Erase all of it, or nothing; then purge what was deleted from the database file."""
    key = store.erasures.customers().key
    with store.transaction():
        for order in erasable.order_links:
            store.links.put(_without_buyer(order))
            store.conflicts.forget(_ORDERS, order.shop_id)
            store.forget_way_back(_ORDERS, order.shop_id)
        for waiting in erasable.waiting_orders:
            _redact(store, waiting, erased_id(key, _buyer_of(waiting)))
        for shop_id in erasable.shop_ids:
            store.forget_record(_CUSTOMERS, shop_id)
            store.unsettled.clear(_CUSTOMERS, shop_id)
        for link in erasable.links:
            new_id = erased_id(key, link.shop_id)
            store.links.put(Link(_CUSTOMERS, new_id, link.go_id, is_follower=link.is_follower))
        for shop_id in erasable.shop_ids:
            go_id = erasable.go_id if shop_id == erasable.shop_ids[0] else None
            store.erasures.note(_CUSTOMERS, erased_id(key, shop_id), go_id)
        if erasable.go_id is not None:
            _erase_index_entries(store, erasable.go_id)
    store.purge_deleted()


def _without_buyer(order: Link) -> Link:
    return replace(order, base=OrderState(order.base).without_buyer(ORDER_ROWS).base)


def _redact(store: LinkStore, waiting: Unsettled, customer_id: str) -> None:
    buyer = _buyer_of(waiting)
    reason = waiting.reason.replace(f"{_CUSTOMERS} {buyer}", f"{_CUSTOMERS} {customer_id}")
    store.unsettled.redact(waiting.id, impersonal_order(waiting.payload, customer_id), reason)
    store.conflicts.forget(_ORDERS, waiting.shop_id)


def _erase_index_entries(store: LinkStore, go_id: str) -> None:
    """Reduce the customer's index entry to what orders need, and remove what belongs to it."""
    for entity in ("delivery_addresses", "contact_persons"):
        for entry_id in store.go_entries.ids(entity, f"contact:{go_id}"):
            store.go_entries.remove(entity, entry_id)
    entry = store.go_entries.get(_CUSTOMERS, go_id)
    kept = store.erasures.customers().kept_entry(_CUSTOMERS, entry[0]) if entry else None
    if entry is not None and kept is not None:
        store.go_entries.put(_CUSTOMERS, go_id, kept, (), entry[1])
