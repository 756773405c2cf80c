"""What is left of erased customers, and how deleted values leave the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.decisions.erased import ERASED, ErasedCustomers
from target_powerofficego.store import tables as t
from target_powerofficego.store.columns import from_stamp, to_json, to_stamp
from target_powerofficego.store.connection import StoreConnection
from target_powerofficego.store.values import Erasure, LinkStoreError
from target_powerofficego.store.ways import on_the_way_back, once_deleted

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCK_SECONDS = 10
_OLD_ROWS_ARE_SEEN = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()
    AND age(backend_xmin) > age(pg_current_xact_id()::xid)
"""
"""How many sessions began to read before now, and go on reading what was there then."""


class ErasureRows(StoreConnection):
    """Erased customers, and their entries in Go that are still to be archived."""

    def erased_customers(self) -> ErasedCustomers:
        """Return the erased customers of this namespace."""
        own = self._first(sa.select(t.namespaces).where(t.namespaces.c.id == self.namespace))
        links = sa.select(t.links.c.shop_id).where(
            *self._key(t.links, "customers"), t.links.c.shop_id.startswith(ERASED)
        )
        erasures = self._all(
            sa.select(t.erasures.c.shop_id, t.erasures.c.go_id).where(
                *self._key(t.erasures, "customers")
            )
        )
        return ErasedCustomers(
            key="" if own is None else f"{own.shop_name} {own.client_id}",
            ids=frozenset(row.shop_id for row in (*self._all(links), *erasures)),
            go_ids=frozenset(row.go_id for row in erasures if row.go_id is not None),
        )

    def note_erasure(self, entity: str, erased_id: str, go_id: str | None) -> None:
        """Note that a record was erased; `go_id` is its entry in Go, to be archived.

        One that was never in Go has none, and is known again by this note alone.
        """
        with self.transaction():
            self._connection.execute(
                sa.insert(t.erasures).values(
                    namespace=self.namespace,
                    entity=entity,
                    shop_id=erased_id,
                    go_id=go_id,
                    erased_at=to_stamp(now()),
                )
            )

    def open_erasures(self) -> list[Erasure]:
        """Return the erased entries that are not archived in Go yet."""
        query = sa.select(t.erasures).where(
            t.erasures.c.namespace == self.namespace,
            t.erasures.c.go_id.is_not(None),
            t.erasures.c.archived_at.is_(None),
        )
        return [
            Erasure(row.id, row.entity, row.shop_id, row.go_id, from_stamp(row.erased_at))
            for row in self._all(query.order_by(t.erasures.c.id))
        ]

    def end_erasure(self, erasure: Erasure) -> None:
        """Note that an erased entry is archived in Go, or gone from it."""
        with self.transaction():
            self._connection.execute(
                sa.update(t.erasures)
                .where(t.erasures.c.id == erasure.id)
                .values(archived_at=to_stamp(now()))
            )

    def forget_record(self, entity: str, shop_id: str) -> None:
        """Forget a record: its link, its hash, its conflicts, and who waits for it."""
        with self.transaction():
            self.forget_way_back(entity, shop_id)
            for table, kept_as in (
                *((table, entity) for table in (t.links, t.settled, t.doubts, t.conflicts)),
                (t.settled, once_deleted(entity)),
            ):
                self._connection.execute(
                    sa.delete(table).where(*self._key(table, kept_as), table.c.shop_id == shop_id)
                )
            own = sa.select(t.unsettled.c.id).where(t.unsettled.c.namespace == self.namespace)
            self._connection.execute(
                sa.delete(t.waits).where(
                    t.waits.c.awaited == f"{entity}:{shop_id}", t.waits.c.unsettled_id.in_(own)
                )
            )

    def forget_way_back(self, entity: str, shop_id: str) -> None:
        """Forget what is settled or open of a record on the way back; Go's entry comes again."""
        kept_as = on_the_way_back(entity)
        with self.transaction():
            for table in (t.settled, t.doubts, t.unsettled):
                self._connection.execute(
                    sa.delete(table).where(*self._key(table, kept_as), table.c.shop_id == shop_id)
                )

    def forget_conflicts(self, entity: str, shop_id: str) -> None:
        """Forget the conflicts of a record, with their values."""
        with self.transaction():
            self._connection.execute(
                sa.delete(t.conflicts).where(
                    *self._key(t.conflicts, entity), t.conflicts.c.shop_id == shop_id
                )
            )

    def rewrite_unsettled(self, unsettled_id: int, payload: Mapping[str, Any], reason: str) -> None:
        """Keep less of a record that waits: another payload, and none of Go's own words."""
        with self.transaction():
            self._connection.execute(
                sa.update(t.unsettled)
                .where(t.unsettled.c.id == unsettled_id)
                .values(payload=to_json(payload), reason=reason, title=None, detail=None)
            )

    def purge_deleted(self) -> None:
        """Take what was deleted out of the database's own pages, where it stays else.

        Raises:
            LinkStoreError: another program uses it; its file is not clean yet.
        """
        with self._lock:
            self._connection.rollback()
            engine = self._connection.engine.execution_options(isolation_level="AUTOCOMMIT")
            is_clean = True
            try:
                with engine.connect() as connection:
                    purge = _purge_sqlite if self.location.path else _purge_postgresql
                    is_clean = purge(connection)
            except sa.exc.DBAPIError:
                is_clean = False
            if not is_clean:
                msg = (
                    f"it was erased, but another program uses the link store {self.location}, whose"
                    " file still has the deleted values: erase again once that has ended"
                )
                raise LinkStoreError(msg)


def _purge_sqlite(connection: sa.Connection) -> bool:
    """Write the file anew; return whether the log beside it, which has the old pages, is empty."""
    connection.exec_driver_sql("VACUUM")
    emptied = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return bool(emptied.scalar_one() == 0)


def _purge_postgresql(connection: sa.Connection) -> bool:
    """Write the tables anew, and what PostgreSQL keeps of common values.

    Returned is whether no other session may see the old rows, which would be written along.
    """
    connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_SECONDS * 1000}")
    is_seen = connection.exec_driver_sql(_OLD_ROWS_ARE_SEEN).scalar_one()
    named = ", ".join(table.name for table in t.tables.sorted_tables)
    connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {named}")
    return not is_seen
