"""How an entry in Go passes from a record that the shop deleted to another one.

A deleted record owns nothing: its link becomes a follower's, and its base passes on.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.order import is_made_up
from target_powerofficego.dataflow.table import NEVER, UNTOUCHED
from target_powerofficego.decisions.changes import Hold, Patch, Undecidable
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.personal_data import ERASED
from target_powerofficego.settle.record_flow import created_at
from target_powerofficego.store.link_store import Link, LinkStoreError
from target_powerofficego.sync.go.writer import CHANGE_NOT_SEEN
from target_powerofficego.sync.linked import ReadArrival, is_archived

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.settle.arrival import Arrival
    from target_powerofficego.sync.linked import LinkedWalk

logger = logging.getLogger("target-powerofficego")


def take_over(walk: LinkedWalk, arrival: Arrival, go_id: str) -> Link:
    """Give a record the entry of one that the shop deleted; return its link.

    A record that was only made for an order says too little to be written; it only takes the entry
    out of the archive.

    Raises:
        Undecidable: with a Hold, or with a Park while a write of the way back has no answer.
    """
    owner = _owner_at_rest(walk, go_id)
    if arrival.is_made:
        _write_told(walk, owner, {"archived": False}, arrival.read_at, as_of=arrival.shop_id)
    return _pass_on(walk, owner.shop_id, arrival.shop_id, created_at(arrival.record))


def _owner_at_rest(walk: LinkedWalk, go_id: str) -> Link:
    """Return the link of the deleted record that has an entry, once its writes are answered.

    Raises:
        Undecidable: with a Hold, when another record took the entry meanwhile; with a Park, while a
            write of either way has no answer.
    """
    store = walk.tools.store
    owner = store.links.owner_of(walk.entity, go_id)
    if owner is not None:
        walk.settle_leftovers(owner.shop_id)
        owner = store.links.owner_of(walk.entity, go_id)
    if owner is None:
        raise Undecidable(Hold("another record took its entry in Go meanwhile"))
    if walk.tools.writer.open_changes(walk.entity, f"/{walk.table.resource}/{owner.go_id}"):
        raise Undecidable(CHANGE_NOT_SEEN)
    walk.see_that_the_other_way_is_answered(owner.shop_id)
    return owner


def _pass_on(walk: LinkedWalk, from_id: str, to_id: str, created: str | None) -> Link:
    """Make a deleted record, of which nothing is waiting any longer, a follower of the new one."""
    store, entity = walk.tools.store, walk.entity
    with store.transaction():
        old = store.links.get(entity, from_id)
        if old is None:
            raise LinkStoreError(f"{entity} {from_id} is linked no more")
        new = passed_on(old, to_id, created)
        store.links.put(replace(old, is_follower=True, base={}, own_stamp=None))
        store.links.put(new)
        store.unsettled.clear(entity, from_id)
        store.forget_way_back(entity, from_id)
        store.settled.forget(entity, to_id)
    logger.info(
        "%s %s: takes over the entry %s in Go from %s, which the shop deleted",
        *(entity, to_id, new.go_id, from_id),
    )
    return new


def heir_of(walk: LinkedWalk, link: Link) -> Link | None:
    """Return the follower that has shared a record's entry longest and is still in the shop."""
    store = walk.tools.store
    followers = [
        one
        for one in store.links.to(walk.entity, link.go_id)
        if one.is_follower
        and not is_archived(one)
        and not is_made_up(one.shop_id)
        and not one.shop_id.startswith(ERASED)
        and not store.settled.was_deleted(walk.entity, one.shop_id)
    ]
    return min(followers, key=lambda one: one.linked_at or NEVER, default=None)


def promote(walk: LinkedWalk, heir: Link, link: Link, read_at: datetime.datetime) -> None:
    """Pass a deleted record's entry on to a follower, with what the shop last said of the follower.

    Raises:
        Undecidable: with a Hold, when the two sides cannot be merged.
    """
    found = LinkChange(link.go_id, shared_with=link.shop_id, takes_over=True)
    walk.tools.plan.add(walk.entity, heir.shop_id, found)
    told = {name: one.shop for name, one in heir.base.items()}
    _write_told(walk, link, {**told, "archived": False}, read_at, as_of=heir.shop_id)
    _pass_on(walk, link.shop_id, heir.shop_id, heir.shop_created_at)


def _write_told(
    walk: LinkedWalk,
    link: Link,
    told: Mapping[str, Value],
    read_at: datetime.datetime,
    *,
    as_of: str,
) -> None:
    """Write to an entry what the shop said of the record `as_of`, to which it is to pass on."""
    arrival = ReadArrival({"id": link.shop_id}, read_at, values=told)
    change = walk.write_alone(arrival, passed_on(link, link.shop_id, link.shop_created_at))
    if isinstance(change, Patch):
        walk.tools.plan.add(walk.entity, as_of, change)


def passed_on(link: Link, shop_id: str, created: str | None) -> Link:
    """Return the link that a record gets from a deleted one.

    No stamp of the other record says anything of this one, nor does what our own write replaced
    there.
    """
    base = {name: replace(one, replaced=UNTOUCHED) for name, one in link.base.items()}
    return replace(link, shop_id=shop_id, shop_created_at=created, base=base, own_shop_stamp=None)
