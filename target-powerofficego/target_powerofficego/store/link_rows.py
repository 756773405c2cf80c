"""Links with their base, and the hashes of settled records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.agreement import NEVER, UNTOUCHED, Agreement, now
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import (
    from_json,
    from_stamp,
    to_json,
    to_stamp,
)
from target_powerofficego.store.unsettled_rows import UnsettledRows
from target_powerofficego.store.values import Link, Settled
from target_powerofficego.store.ways import on_the_way_back, once_deleted

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Mapping


_LAST_SETTLED = sa.select(t.settled.c.record_hash, t.settled.c.read_at, t.settled.c.stamp).where(
    t.settled.c.namespace == sa.bindparam("namespace"),
    t.settled.c.entity == sa.bindparam("entity"),
    t.settled.c.shop_id == sa.bindparam("shop_id"),
)
"""Asked of every record: building a statement costs many times what running it does."""

_LINKS_OF_ENTITY = sa.select(t.links).where(
    t.links.c.namespace == sa.bindparam("namespace"), t.links.c.entity == sa.bindparam("entity")
)
_LINK = _LINKS_OF_ENTITY.where(t.links.c.shop_id == sa.bindparam("shop_id"))
_LINKS_TO = _LINKS_OF_ENTITY.where(t.links.c.go_id == sa.bindparam("go_id")).order_by(
    t.links.c.is_follower
)
"""These two likewise, of every entry of Go."""


class LinkRows(UnsettledRows):
    """What is linked, and what was last settled."""

    def link(self, entity: str, shop_id: str) -> Link | None:
        """Return the link of a shop record, if it has one."""
        key = {"namespace": self.namespace, "entity": entity, "shop_id": shop_id}
        row = self._first(_LINK, key)
        return None if row is None else _link(row)

    def links_to(self, entity: str, go_id: str) -> list[Link]:
        """Return every link to a Go entity: at most one of them is no follower."""
        key = {"namespace": self.namespace, "entity": entity, "go_id": go_id}
        return [_link(row) for row in self._all(_LINKS_TO, key)]

    def owner_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link of the one record whose properties a Go entity has, if it has one."""
        links = self.links_to(entity, go_id)
        return links[0] if links and not links[0].is_follower else None

    def all_links(
        self, entity: str | None = None, shop_id: str | None = None, go_id: str | None = None
    ) -> Iterator[tuple[str, Link]]:
        """Return each link of all namespaces, or those with these ids, with its shop name."""
        query = sa.select(t.links, t.namespaces.c.shop_name).join(t.namespaces)
        for column, value in (
            (t.links.c.entity, entity),
            (t.links.c.shop_id, shop_id),
            (t.links.c.go_id, go_id),
        ):
            if value is not None:
                query = query.where(column == value)
        for row in self._all(query.order_by(t.links.c.entity, t.links.c.shop_id)):
            yield row.shop_name, _link(row)

    def links_of(self, entity: str) -> Iterator[Link]:
        """Return each link of an entity."""
        query = sa.select(t.links).where(*self._key(t.links, entity))
        for row in self._all(query.order_by(t.links.c.shop_id)):
            yield _link(row)

    def links_with_entries(
        self, entity: str | None = None
    ) -> Iterator[tuple[str, Link, tuple[Mapping[str, Any], str | None]]]:
        """Return each link of all namespaces with its shop name and the entry as last kept.

        With the entry comes up to which of Go's stamps it is known. Either way may have kept it:
        forward keeps all, the way back what waits.
        """
        go, waiting, known = t.go_entries, t.unsettled, t.settled
        is_known = sa.and_(
            known.c.namespace == t.links.c.namespace,
            known.c.entity == t.links.c.entity + on_the_way_back(""),
            known.c.shop_id == t.links.c.shop_id,
        )
        is_its_entry = sa.and_(
            go.c.namespace == t.links.c.namespace,
            go.c.entity == t.links.c.entity,
            go.c.go_id == t.links.c.go_id,
        )
        waits_on_the_way_back = sa.and_(
            waiting.c.namespace == t.links.c.namespace,
            waiting.c.entity == t.links.c.entity + on_the_way_back(""),
            waiting.c.shop_id == t.links.c.shop_id,
        )
        query = (
            sa.select(
                t.links,
                t.namespaces.c.shop_name,
                go.c.body,
                waiting.c.payload,
                known.c.stamp,
            )
            .select_from(t.links)
            .join(t.namespaces)
            .outerjoin(go, is_its_entry)
            .outerjoin(waiting, waits_on_the_way_back)
            .outerjoin(known, is_known)
        )
        if entity is not None:
            query = query.where(t.links.c.entity == entity)
        for row in self._all(query.order_by(t.links.c.entity, t.links.c.shop_id)):
            yield row.shop_name, _link(row), (_entry_as_last_kept(row), row.stamp)

    def has_links(self) -> bool:
        """Tell whether this namespace has any link."""
        query = sa.select(t.links.c.shop_id).where(t.links.c.namespace == self.namespace)
        return self._first(query.limit(1)) is not None

    def put_link(self, link: Link) -> None:
        """Store a link, in place of the one that this shop record had."""
        values = {
            "go_id": link.go_id,
            "is_follower": link.is_follower,
            "shop_created_at": link.shop_created_at,
            "base": to_json({name: _as_kept(one) for name, one in link.base.items()}),
            "own_stamp": link.own_stamp,
            "own_shop_stamp": link.own_shop_stamp,
        }
        key = {"namespace": self.namespace, "entity": link.entity, "shop_id": link.shop_id}
        self._upsert(t.links, key, values, only_new={"linked_at": to_stamp(now())})

    def delete_link(self, entity: str, shop_id: str) -> None:
        """Forget a link, after we deleted the Go entity ourselves."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.links).where(*self._key(t.links, entity), t.links.c.shop_id == shop_id)
            )

    def forget_settled(self, entity: str, shop_id: str) -> None:
        """Let the very same record be taken anew when it comes again, on either way."""
        with self.transaction():
            for kept_as in (entity, on_the_way_back(entity)):
                self._connection.execute(
                    sa.delete(t.settled).where(
                        *self._key(t.settled, kept_as), t.settled.c.shop_id == shop_id
                    )
                )

    def was_deleted(self, entity: str, shop_id: str) -> bool:
        """Return whether the shop deleted the record that it last told under this id."""
        return self.last_settled(once_deleted(entity), shop_id) is not None

    def note_deleted(
        self, entity: str, shop_id: str, record_hash: str, read_at: datetime.datetime
    ) -> None:
        """Remember that the shop deleted a record, until it tells one under this id again."""
        self._put_hash(once_deleted(entity), shop_id, record_hash, read_at)

    def forget_deleted(self, entity: str, shop_id: str) -> None:
        """Forget that the shop had deleted a record: it is there again."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.settled).where(
                    *self._key(t.settled, once_deleted(entity)), t.settled.c.shop_id == shop_id
                )
            )

    def last_settled(self, entity: str, shop_id: str) -> Settled | None:
        """Return what was last fully settled under this id, if nothing was written since."""
        known = self.last_version(entity, shop_id)
        return known if known and known.record_hash else None

    def last_version(self, entity: str, shop_id: str) -> Settled | None:
        """Return what was last fully settled under this id; without hash, if written to since."""
        key = {"namespace": self.namespace, "entity": entity, "shop_id": shop_id}
        row = self._first_at_once(_LAST_SETTLED, key)
        return None if row is None else Settled(str(row[0]), from_stamp(row[1]), row[2])

    def put_settled(
        self,
        entity: str,
        shop_id: str,
        record_hash: str,
        read_at: datetime.datetime,
        stamp: str | None = None,
    ) -> None:
        """Remember that a record with this hash, read then, is fully settled; no reject stays."""
        with self.transaction():
            self._put_hash(entity, shop_id, record_hash, read_at, stamp)
            self.clear_unsettled(entity, shop_id)
            self._forget_doubts(entity, shop_id)

    def open_anew(self, entity: str, shop_id: str) -> None:
        """Let the record that was settled last count as an edit, should it come again."""
        with self.transaction():
            for kept_as in (entity, on_the_way_back(entity)):
                self._connection.execute(
                    sa.update(t.settled)
                    .where(*self._key(t.settled, kept_as), t.settled.c.shop_id == shop_id)
                    .values(record_hash="")
                )

    def note_version(self, kept_as: str, shop_id: str, stamp: str | None) -> None:
        """Remember up to which of its side's stamps a record is known by now, settled or not."""
        if stamp is None:
            return
        key = {"namespace": self.namespace, "entity": kept_as, "shop_id": shop_id}
        unsettled = {"record_hash": "", "read_at": to_stamp(NEVER)}
        self._upsert(t.settled, key, {"stamp": stamp}, only_new=unsettled)

    def newest_reading(self) -> datetime.datetime | None:
        """Return when a record was read last, by the clock of who read it; None: none was."""
        newest = sa.select(sa.func.max(t.settled.c.read_at).label("read_at"))
        row = self._first(newest.where(t.settled.c.namespace == self.namespace))
        return from_stamp(row.read_at) if row and row.read_at else None

    def readings(self, kept_as: str, shop_id: str, read_at: datetime.datetime) -> int:
        """Count how often a record was read that may be an old version; this reading too."""
        key = {"namespace": self.namespace, "entity": kept_as, "shop_id": shop_id}
        of_it = (*self._key(t.doubts, kept_as), t.doubts.c.shop_id == shop_id)
        with self.transaction():
            row = self._first(sa.select(t.doubts).where(*of_it))
            known = from_json(row.readings) if row else []
            readings = sorted({*known, to_stamp(read_at)})
            self._upsert(t.doubts, key, {"readings": to_json(readings)})
        return len(readings)

    def _forget_doubts(self, kept_as: str, shop_id: str) -> None:
        self._connection.execute(
            sa.delete(t.doubts).where(*self._key(t.doubts, kept_as), t.doubts.c.shop_id == shop_id)
        )

    def _put_hash(
        self,
        kept_as: str,
        shop_id: str,
        record_hash: str,
        read_at: datetime.datetime,
        stamp: str | None = None,
    ) -> None:
        key = {"namespace": self.namespace, "entity": kept_as, "shop_id": shop_id}
        values = {"record_hash": record_hash, "read_at": to_stamp(read_at), "stamp": stamp}
        self._upsert(t.settled, key, values)


def _entry_as_last_kept(row: sa.Row[Any]) -> Mapping[str, Any]:
    """Return an entry; one that waits on the way back has only the members that are written."""
    entry: dict[str, Any] = from_json(row.body) if row.body else {}
    waiting: dict[str, Any] = from_json(row.payload) if row.payload else {}
    stamps = [str(one.get("LastChangedDateTimeOffset") or "") for one in (entry, waiting)]
    is_newer = str(waiting.get("Id")) == row.go_id and stamps == sorted(stamps)
    return {**entry, **waiting} if is_newer else entry


def _as_kept(one: Agreement) -> list[Any]:
    replaced = [] if one.replaced is UNTOUCHED else [one.replaced]
    return [one.shop, one.go, to_stamp(one.shop_read_at), to_stamp(one.go_read_at), *replaced]


def _link(row: sa.Row[Any]) -> Link:
    base = {
        name: Agreement(shop, go, from_stamp(shop_at), from_stamp(go_at), *replaced)
        for name, (shop, go, shop_at, go_at, *replaced) in from_json(row.base).items()
    }
    return Link(
        entity=row.entity,
        shop_id=row.shop_id,
        go_id=row.go_id,
        is_follower=row.is_follower,
        shop_created_at=row.shop_created_at,
        base=base,
        own_stamp=row.own_stamp,
        own_shop_stamp=row.own_shop_stamp,
        linked_at=from_stamp(row.linked_at),
    )
