"""The link store: which shop record is which Go entity, what both last agreed on, what is open."""

from __future__ import annotations

import sqlalchemy as sa

from target_powerofficego.store import tables as t
from target_powerofficego.store.conflict_rows import ConflictRows
from target_powerofficego.store.erasure_rows import ErasureRows
from target_powerofficego.store.go_rows import GoRows
from target_powerofficego.store.intent_rows import IntentRows
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.namespaces import Namespaces
from target_powerofficego.store.payment_rows import PaymentRows
from target_powerofficego.store.transfer_rows import TransferRows
from target_powerofficego.store.values import (
    LONGEST_REST,
    NEWER_VERSION,
    OWN_FAULT,
    Erasure,
    Intent,
    KeptConflict,
    Link,
    LinkStoreError,
    Namespace,
    Run,
    Settled,
    Unsettled,
    UnsettledKind,
)

__all__ = [
    "LONGEST_REST",
    "NEWER_VERSION",
    "OWN_FAULT",
    "Erasure",
    "Intent",
    "KeptConflict",
    "Link",
    "LinkStore",
    "LinkStoreError",
    "Namespace",
    "Run",
    "Settled",
    "Unsettled",
    "UnsettledKind",
]


class LinkStore(
    Namespaces, IntentRows, ConflictRows, ErasureRows, PaymentRows, TransferRows, GoRows
):
    """The store of one file (or database); `enter` chooses the namespace that all else works in."""

    def knows(self, entity: str, shop_id: str) -> bool:
        """Tell whether anything is kept of a record of the shop, if only that it was settled."""
        return (
            self.link(entity, shop_id) is not None
            or self.unsettled_of(entity, shop_id) is not None
            or self.last_settled(entity, shop_id) is not None
        )

    def copy_in_memory(self) -> LinkStore:
        """Return a copy that is written nowhere, for a dry run or a plan."""
        copy = LinkStore(StoreLocation.in_memory())
        with self._lock, copy.transaction():
            there = sa.inspect(self._connection)
            tables = there.get_table_names()
            for table in t.tables.sorted_tables:
                if table is t.about or table.name not in tables:
                    continue
                named = {column["name"] for column in there.get_columns(table.name)}
                query = sa.select(*(column for column in table.c if column.name in named))
                for rows in self._connection.execute(query).mappings().partitions(1000):
                    copy._connection.execute(sa.insert(table), [dict(row) for row in rows])
            self._connection.rollback()
        copy.namespace = self.namespace
        copy.location = self.location
        return copy
