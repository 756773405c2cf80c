"""Erases a customer's personal data from the link store, and from what it keeps of its orders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.buyers import guest_id, known_ids
from target_powerofficego.dataflow.orders.order import GUEST
from target_powerofficego.dataflow.orders.state import OrderState
from target_powerofficego.dataflow.values import same_email
from target_powerofficego.decisions.erased import ORDER_ROWS, erased_id, impersonal_order
from target_powerofficego.settle.shown_by import shown_by
from target_powerofficego.store.link_store import Link
from target_powerofficego.store.ways import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_powerofficego.store.link_store import LinkStore, Unsettled

_CUSTOMERS, _ORDERS = "customers", "orders"


class CannotErase(Exception):  # noqa: N818 - reads as what it says
    """The customer cannot be erased as things are; the text says why and what to do."""


class UnknownCustomer(Exception):  # noqa: N818 - reads as what it says
    """The link store knows no such customer."""


class ErasedAlready(Exception):  # noqa: N818 - reads as what it says
    """The customer was erased before."""


@dataclass(frozen=True)
class Erasable:
    """What is erased together: the links of one person, the customer first, and their orders.

    `shared_with` is the record that a follower shares its customer in Go with, if it is linked.
    With the same e-mail address, and not erased, are `alike_in_go`, entries that nobody is linked
    to, and `alike_in_shop`, other customers that the link store knows.
    """

    links: tuple[Link, ...]
    shop_ids: tuple[str, ...]
    order_links: tuple[Link, ...]
    waiting_orders: tuple[Unsettled, ...]
    shared_with: str | None = None
    alike_in_go: tuple[str, ...] = ()
    alike_in_shop: tuple[str, ...] = ()

    @property
    def go_id(self) -> str | None:
        """The entry in Go that is nobody else's, to be archived; None: there is none.

        A follower's never is, also when the record that had it is no longer linked.
        """
        return self.links[0].go_id if self.links and not self.links[0].is_follower else None


def erasable(store: LinkStore, shop_id: str) -> Erasable:
    """Find all that the link store knows of a customer.

    Raises:
        CannotErase: with one line.
        UnknownCustomer: nothing is known of it.
        ErasedAlready: nothing is known of it any more.
    """
    if store.erased_customers().id_of(shop_id) is not None:
        raise ErasedAlready
    if any(one.entity != PAYMENTS for one in store.intents()):
        msg = "writes of the last run are unanswered: run the sync once, then erase"
        raise CannotErase(msg)
    link = store.link(_CUSTOMERS, shop_id)
    if link is None:
        return _unlinked(store, shop_id)
    shared_with = None
    links = [link]
    for other in store.links_to(_CUSTOMERS, link.go_id):
        if other.shop_id == shop_id:
            continue
        if link.is_follower:
            shared_with = shared_with if other.is_follower else other.shop_id
        elif other.shop_id.startswith(GUEST):
            links.append(other)
        elif not store.erased_customers().id_of(other.shop_id):
            msg = (
                f"customer {other.shop_id} shares the customer {link.go_id} in Go with {shop_id}:"
                f" erase or unlink {other.shop_id} first"
            )
            raise CannotErase(msg)
    emails = set() if link.is_follower else _emails(store, link)
    links += _as_guests(store, link, emails, known={one.shop_id for one in links})
    shop_ids = tuple(one.shop_id for one in links)
    return Erasable(
        links=tuple(links),
        shop_ids=shop_ids,
        order_links=tuple(_orders_of(store, link, shop_ids)),
        waiting_orders=tuple(_waiting_orders(store, shop_ids)),
        shared_with=shared_with,
        alike_in_go=tuple(_alike_in_go(store, emails)),
        alike_in_shop=tuple(_alike_in_shop(store, emails, shop_ids)),
    )


def with_email(store: LinkStore, email: str) -> list[str]:
    """Return the ids of the customers with an e-mail address, guests' companies among them."""
    return _alike_in_shop(store, _as_compared(email), ())


def _emails(store: LinkStore, link: Link) -> set[str]:
    """Return the e-mail addresses by which a customer is known, as they are compared."""
    agreed = link.base.get("email")
    entry = store.go_entry(_CUSTOMERS, link.go_id)
    waiting = store.unsettled_of(_CUSTOMERS, link.shop_id)
    return _as_compared(
        agreed and agreed.shop,
        agreed and agreed.go,
        entry and entry[0].get("EmailAddress"),
        waiting and waiting.payload.get("email"),
    )


def _as_compared(*emails: object) -> set[str]:
    return {str(same_email(one)) for one in emails if isinstance(one, str) and one.strip()}


def _as_guests(
    store: LinkStore, link: Link, emails: set[str], *, known: set[str]
) -> Iterator[Link]:
    """Return the customer as the guest that it would be by e-mail, where no such guest is linked.

    Orders of that guest which wait, or come later, are then known to be the customer's.
    """
    for email in sorted(emails):
        guest = guest_id(email)
        if guest not in known and store.link(_CUSTOMERS, guest) is None:
            yield Link(_CUSTOMERS, guest, link.go_id, is_follower=True)


def _alike_in_go(store: LinkStore, emails: set[str]) -> Iterator[str]:
    for email in sorted(emails):
        for go_id in store.go_ids(_CUSTOMERS, f"email:{email}"):
            if not store.links_to(_CUSTOMERS, go_id):
                yield go_id


def _alike_in_shop(store: LinkStore, emails: set[str], shop_ids: tuple[str, ...]) -> list[str]:
    found = {
        link.shop_id
        for link in store.links_of(_CUSTOMERS)
        if (agreed := link.base.get("email")) and emails & _as_compared(agreed.shop, agreed.go)
    }
    found |= {
        one.shop_id
        for one in store.unsettled()
        if one.entity == _CUSTOMERS and emails & _as_compared(one.payload.get("email"))
    }
    return sorted(found.difference(shop_ids))


def _unlinked(store: LinkStore, shop_id: str) -> Erasable:
    if not store.knows(_CUSTOMERS, shop_id):
        raise UnknownCustomer
    waiting = tuple(_waiting_orders(store, (shop_id,)))
    if waiting:
        named = ", ".join(one.shop_id for one in waiting)
        msg = (
            f"customer {shop_id} is not in Go yet, and its orders ({named}) would be lost: see to"
            f" them first ({shown_by('holds')}, {shown_by('rejects')})"
        )
        raise CannotErase(msg)
    told = store.unsettled_of(_CUSTOMERS, shop_id)
    emails = _as_compared(told and told.payload.get("email"))
    return Erasable(
        links=(),
        shop_ids=(shop_id,),
        order_links=(),
        waiting_orders=(),
        alike_in_go=tuple(_alike_in_go(store, emails)),
        alike_in_shop=tuple(_alike_in_shop(store, emails, (shop_id,))),
    )


def _orders_of(store: LinkStore, customer: Link, shop_ids: tuple[str, ...]) -> Iterator[Link]:
    """Return the orders of a customer; of a follower only those that are known to be its own."""
    for link in store.links_of(_ORDERS):
        bought = link.base.get("customer")
        if bought is None or customer.go_id not in (str(bought.shop), str(bought.go)):
            continue
        buyer = OrderState(link.base).buyer
        if not customer.is_follower or (buyer is not None and buyer.id in shop_ids):
            yield link


def _waiting_orders(store: LinkStore, shop_ids: tuple[str, ...]) -> Iterator[Unsettled]:
    for one in store.unsettled():
        if one.entity == _ORDERS and _buyer_of(one) in shop_ids:
            yield one


def _buyer_of(order: Unsettled) -> str:
    return known_ids(order.payload)[0]


def erase(store: LinkStore, found: Erasable) -> None:
    """Erase what was found, all or nothing; what was deleted leaves the file afterwards."""
    key = store.erased_customers().key
    with store.transaction():
        for order in found.order_links:
            store.put_link(_impersonal(order))
            store.forget_conflicts(_ORDERS, order.shop_id)
            store.forget_way_back(_ORDERS, order.shop_id)
        for waiting in found.waiting_orders:
            _rewrite(store, waiting, erased_id(key, _buyer_of(waiting)))
        for shop_id in found.shop_ids:
            store.forget_record(_CUSTOMERS, shop_id)
            store.clear_unsettled(_CUSTOMERS, shop_id)
        for link in found.links:
            kept = erased_id(key, link.shop_id)
            store.put_link(Link(_CUSTOMERS, kept, link.go_id, is_follower=link.is_follower))
        for shop_id in found.shop_ids:
            own = found.go_id if shop_id == found.shop_ids[0] else None
            store.note_erasure(_CUSTOMERS, erased_id(key, shop_id), own)
        if found.go_id is not None:
            _erase_entries(store, found.go_id)
    store.purge_deleted()


def _impersonal(order: Link) -> Link:
    return replace(order, base=OrderState(order.base).without_buyer(ORDER_ROWS).base)


def _rewrite(store: LinkStore, waiting: Unsettled, customer_id: str) -> None:
    buyer = _buyer_of(waiting)
    reason = waiting.reason.replace(f"{_CUSTOMERS} {buyer}", f"{_CUSTOMERS} {customer_id}")
    store.rewrite_unsettled(waiting.id, impersonal_order(waiting.payload, customer_id), reason)
    store.forget_conflicts(_ORDERS, waiting.shop_id)


def _erase_entries(store: LinkStore, go_id: str) -> None:
    """Let the index keep of the customer's entry what orders need, and nothing that hangs on it."""
    for entity in ("delivery_addresses", "contact_persons"):
        for one in store.go_ids(entity, f"contact:{go_id}"):
            store.remove_go_entry(entity, one)
    entry = store.go_entry(_CUSTOMERS, go_id)
    kept = store.erased_customers().kept_entry(_CUSTOMERS, entry[0]) if entry else None
    if entry is not None and kept is not None:
        store.put_go_entry(_CUSTOMERS, go_id, kept, (), entry[1])
