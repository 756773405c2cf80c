"""The link store: which shop record is which Go entity, their last agreement, and what is open."""

from __future__ import annotations

import sqlalchemy as sa

from target_powerofficego.store import tables as t
from target_powerofficego.store.connection import StoreConnection, WhenOlder
from target_powerofficego.store.go_rows import GoRows, IntentRows, PaymentRows
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.namespaces import NamespaceRows, NoticeRows, RunRows
from target_powerofficego.store.record_rows import (
    ConflictRows,
    ErasureRows,
    LinkRows,
    SettledRows,
    UnsettledRows,
)
from target_powerofficego.store.transfer_rows import TransferRows
from target_powerofficego.store.values import (
    LONGEST_REST,
    NEWER_VERSION,
    PROGRAM_FAULT,
    Erasure,
    Intent,
    Link,
    LinkStoreError,
    Namespace,
    Run,
    Settled,
    StoredConflict,
    Unsettled,
    UnsettledKind,
    back_name,
)

__all__ = [
    "LONGEST_REST",
    "NEWER_VERSION",
    "PROGRAM_FAULT",
    "Erasure",
    "Intent",
    "Link",
    "LinkStore",
    "LinkStoreError",
    "Namespace",
    "Run",
    "Settled",
    "StoredConflict",
    "Unsettled",
    "UnsettledKind",
]


class LinkStore(StoreConnection):
    """A link store in its parts, over one connection.

    `namespaces.enter` chooses the namespace in which the other parts work.
    """

    def __init__(
        self,
        location: str | StoreLocation,
        *,
        locked_for: str | None = None,
        when_older: WhenOlder = "refuse",
    ) -> None:
        super().__init__(location, locked_for=locked_for, when_older=when_older)
        self.namespaces = NamespaceRows(self)
        self.runs = RunRows(self)
        self.notices = NoticeRows(self)
        self.links = LinkRows(self)
        self.unsettled = UnsettledRows(self)
        self.settled = SettledRows(self, self.unsettled)
        self.intents = IntentRows(self, self.settled)
        self.conflicts = ConflictRows(self)
        self.erasures = ErasureRows(self)
        self.payments = PaymentRows(self)
        self.go_entries = GoRows(self)
        self.transfer = TransferRows(self)

    def knows(self, entity: str, shop_id: str) -> bool:
        """Return whether anything is stored of a shop record: a link, an open record or a hash."""
        return (
            self.links.get(entity, shop_id) is not None
            or self.unsettled.get(entity, shop_id) is not None
            or self.settled.last(entity, shop_id) is not None
        )

    def forget_record(self, entity: str, shop_id: str) -> None:
        """Delete all that is stored of a record, and let no other record wait for it."""
        with self.transaction():
            self.forget_way_back(entity, shop_id)
            self.links.delete(entity, shop_id)
            self.settled.remove(entity, shop_id)
            self.settled.forget_deleted(entity, shop_id)
            self.conflicts.forget(entity, shop_id)
            self.unsettled.forget_awaited(entity, shop_id)

    def forget_way_back(self, entity: str, shop_id: str) -> None:
        """Delete what is settled or open of a record on the way back, so that it is read again."""
        kept_as = back_name(entity)
        with self.transaction():
            self.settled.remove(kept_as, shop_id)
            self.unsettled.clear(kept_as, shop_id)

    def copy_in_memory(self) -> LinkStore:
        """Return a copy in memory, for a dry run or a plan; it is never written to disk."""
        copy = LinkStore(StoreLocation.in_memory())
        with self.transaction(), copy.transaction():
            inspector = sa.inspect(self.connection)
            existing = inspector.get_table_names()
            for table in t.tables.sorted_tables:
                if table is t.about or table.name not in existing:
                    continue
                columns = {column["name"] for column in inspector.get_columns(table.name)}
                names = [column.name for column in table.c if column.name in columns]
                untyped = sa.table(table.name, *map(sa.column, names))  # values pass unchanged
                result = self.connection.execute(sa.select(untyped)).mappings()
                for rows in result.partitions(1000):
                    copy.connection.execute(sa.insert(untyped), [dict(row) for row in rows])
        copy.namespace = self.namespace
        copy.location = self.location
        return copy
