"""Links with their base (what both sides last agreed on), and what is left of erased customers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.table import UNTOUCHED, Agreement, now
from target_powerofficego.decisions.personal_data import ERASED, ErasedCustomers
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import from_stamp, to_stamp
from target_powerofficego.store.rows import Rows, value_of
from target_powerofficego.store.values import Erasure, Link
from target_powerofficego.store.ways import on_the_way_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINKS_OF_ENTITY = sa.select(t.links).where(
    t.links.c.namespace == sa.bindparam("namespace"), t.links.c.entity == sa.bindparam("entity")
)
_LINK = _LINKS_OF_ENTITY.where(t.links.c.shop_id == sa.bindparam("shop_id"))
_LINKS_TO = _LINKS_OF_ENTITY.where(t.links.c.go_id == sa.bindparam("go_id")).order_by(
    t.links.c.is_follower
)
"""Run for every record, hence built once: building it costs many times what running it does."""

_LINKS_OF_ALL = (
    sa.select(t.links, t.namespaces.c.shop_name)
    .select_from(t.links)
    .join(t.namespaces)
    .order_by(t.links.c.entity, t.links.c.shop_id)
)


class LinkRows(Rows):
    """Which shop record is which Go entity."""

    def get(self, entity: str, shop_id: str) -> Link | None:
        """Return the link of a shop record, if it has one."""
        row = self._first(_LINK, self._key(entity=entity, shop_id=shop_id))
        return None if row is None else _link(row)

    def to(self, entity: str, go_id: str) -> list[Link]:
        """Return every link to a Go entity; all but at most one of them are followers."""
        return [_link(row) for row in self._all(_LINKS_TO, self._key(entity=entity, go_id=go_id))]

    def owner_of(self, entity: str, go_id: str) -> Link | None:
        """Return the link of the record whose properties a Go entity has, if there is one."""
        links = self.to(entity, go_id)
        return links[0] if links and not links[0].is_follower else None

    def of_entity(self, entity: str) -> Iterator[Link]:
        """Return each link of an entity."""
        query = self._select(t.links, entity=entity)
        return map(_link, self._all(query.order_by(t.links.c.shop_id)))

    def in_all_namespaces(
        self, entity: str | None = None, shop_id: str | None = None, go_id: str | None = None
    ) -> Iterator[tuple[str, Link]]:
        """Return each link of all namespaces, or those with these ids, with its shop name."""
        named = {"entity": entity, "shop_id": shop_id, "go_id": go_id}
        which = [t.links.c[name] == value for name, value in named.items() if value is not None]
        rows = self._all(_LINKS_OF_ALL.where(*which))
        return ((row.shop_name, _link(row)) for row in rows)

    def with_entries(
        self, entity: str | None = None
    ) -> Iterator[tuple[str, Link, tuple[Mapping[str, Any], str | None]]]:
        """Return each link of all namespaces with its shop name and the entry as last kept.

        The entry comes with the newest of Go's stamps known for it. Either way may have kept it:
        the way forward keeps all entries, the way back those that wait.
        """
        go, waiting, known = t.go_entries, t.unsettled, t.settled
        is_its_entry = sa.and_(
            go.c.namespace == t.links.c.namespace,
            go.c.entity == t.links.c.entity,
            go.c.go_id == t.links.c.go_id,
        )
        query = (
            _LINKS_OF_ALL.add_columns(go.c.body, waiting.c.payload, known.c.stamp)
            .outerjoin(go, is_its_entry)
            .outerjoin(waiting, _is_kept_of_the_way_back(waiting))
            .outerjoin(known, _is_kept_of_the_way_back(known))
        )
        if entity is not None:
            query = query.where(t.links.c.entity == entity)
        for row in self._all(query):
            yield row.shop_name, _link(row), (_entry_as_last_kept(row), row.stamp)

    def has_any(self) -> bool:
        """Return whether this namespace has any link."""
        return self._first(self._select(t.links).limit(1)) is not None

    def put(self, link: Link) -> None:
        """Store a link, replacing any that this shop record had."""
        values = {
            "go_id": link.go_id,
            "is_follower": link.is_follower,
            "shop_created_at": link.shop_created_at,
            "base": {name: _as_kept(agreed) for name, agreed in link.base.items()},
            "own_stamp": link.own_stamp,
            "own_shop_stamp": link.own_shop_stamp,
        }
        key = self._key(entity=link.entity, shop_id=link.shop_id)
        self._upsert(t.links, key, values, only_new={"linked_at": now()})

    def delete(self, entity: str, shop_id: str) -> None:
        """Forget a link, after we deleted the Go entity ourselves."""
        self._delete_from((t.links,), entity=entity, shop_id=shop_id)


class ErasureRows(Rows):
    """Erased customers, and their entries in Go that are still to be archived."""

    def customers(self) -> ErasedCustomers:
        """Return the erased customers of this namespace."""
        own = self._first(sa.select(t.namespaces).where(t.namespaces.c.id == self._store.namespace))
        is_erased = t.links.c.shop_id.startswith(ERASED)
        links = self._all(self._select(t.links, is_erased, entity="customers"))
        erasures = self._all(self._select(t.erasures, entity="customers"))
        return ErasedCustomers(
            key="" if own is None else f"{own.shop_name} {own.client_id}",
            ids=frozenset(row.shop_id for row in (*links, *erasures)),
            go_ids=frozenset(row.go_id for row in erasures if row.go_id is not None),
        )

    def note(self, entity: str, erased_id: str, go_id: str | None) -> None:
        """Note that a record was erased; `go_id` is its entry in Go, to be archived.

        A record that was never in Go has none, and is recognised by this note alone.
        """
        row = self._key(entity=entity, shop_id=erased_id, go_id=go_id, erased_at=now())
        self._insert(t.erasures, **row)

    def open(self) -> list[Erasure]:
        """Return the erased entries that are not yet archived in Go."""
        query = self._select(t.erasures, t.erasures.c.go_id.is_not(None), archived_at=None)
        return self._values(Erasure, query.order_by(t.erasures.c.id))

    def end(self, erasure: Erasure) -> None:
        """Note that an erased entry is archived in Go, or gone from it."""
        self._update(t.erasures, [t.erasures.c.id == erasure.id], archived_at=now())


def _is_kept_of_the_way_back(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row was kept for a link's record by the way back."""
    return sa.and_(
        table.c.namespace == t.links.c.namespace,
        table.c.entity == t.links.c.entity + on_the_way_back(""),
        table.c.shop_id == t.links.c.shop_id,
    )


def _entry_as_last_kept(row: sa.Row[Any]) -> Mapping[str, Any]:
    """Return an entry as last kept; one waiting on the way back has only the members to write."""
    entry: dict[str, Any] = row.body or {}
    waiting: dict[str, Any] = row.payload or {}
    stamps = [str(kept.get("LastChangedDateTimeOffset") or "") for kept in (entry, waiting)]
    is_newer = str(waiting.get("Id")) == row.go_id and stamps == sorted(stamps)
    return {**entry, **waiting} if is_newer else entry


def _as_kept(agreed: Agreement) -> list[Any]:
    replaced = [] if agreed.replaced is UNTOUCHED else [agreed.replaced]
    read_at = (to_stamp(agreed.shop_read_at), to_stamp(agreed.go_read_at))
    return [agreed.shop, agreed.go, *read_at, *replaced]


def _link(row: sa.Row[Any]) -> Link:
    base = {
        name: Agreement(shop, go, from_stamp(shop_at), from_stamp(go_at), *replaced)
        for name, (shop, go, shop_at, go_at, *replaced) in row.base.items()
    }
    return replace(value_of(Link, row), base=base)
