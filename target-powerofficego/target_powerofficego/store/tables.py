"""The tables of the link store: plain names, so that anyone can open it with sqlite3.

Stamps are ISO 8601 text in UTC; values in Go's form are JSON with exact decimals.
"""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from target_powerofficego.store.columns import from_json, from_stamp, to_json, to_stamp

SCHEMA_VERSION = 6
"""Increase it with each change to a table, and add a step to `migrations`."""

tables = MetaData()


class Stamp(TypeDecorator[datetime.datetime]):
    """A column of aware moments, kept as ISO 8601 text in UTC, which sorts as they do."""

    impl = String
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime.datetime | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> str | None:
        """Return the text that a moment is kept as."""
        return None if value is None else to_stamp(value)

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> datetime.datetime | None:
        """Return the moment that is kept."""
        return None if value is None else from_stamp(value)


class Json(TypeDecorator[Any]):
    """A column of JSON text with exact decimals; no text where there is no value.

    Args:
        has_null: whether None is a value of its own, kept as JSON's `null`.
    """

    impl = Text
    cache_ok = True

    def __init__(self, *, has_null: bool = False) -> None:
        super().__init__()
        self.has_null = has_null

    def process_bind_param(
        self,
        value: object,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> str | None:
        """Return the text that a value is kept as."""
        return to_json(value) if self.has_null or value is not None else None

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> Any:  # noqa: ANN401 - JSON
        """Return the value that is kept."""
        return None if value is None else from_json(value)


def _namespace() -> Column[int]:
    return Column("namespace", ForeignKey("namespaces.id"), primary_key=True)


about = Table(
    "about",
    tables,
    Column("schema_version", Integer, primary_key=True),
)

namespaces = Table(
    "namespaces",
    tables,
    Column("id", Integer, primary_key=True),
    Column("client_id", String, nullable=False),
    Column("shop_name", String, nullable=False),
    Column("client_name", String),
    Column("opened_at", Stamp, nullable=False),
    UniqueConstraint("client_id", "shop_name"),
)

links = Table(
    "links",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("shop_id", String, primary_key=True),
    Column("go_id", String, nullable=False),
    Column("is_follower", Boolean, nullable=False),
    Column("shop_created_at", String),
    Column("base", Json, nullable=False),
    Column("own_stamp", String),
    Column("own_shop_stamp", String),
    Column("linked_at", Stamp, nullable=False),
    Index("links_by_go_id", "namespace", "entity", "go_id"),
)

settled = Table(
    "settled",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("shop_id", String, primary_key=True),
    Column("record_hash", String, nullable=False),
    Column("read_at", Stamp, nullable=False),
    Column("stamp", String),
)
"""`stamp` is when its own side says that the record was last changed."""

doubts = Table(
    "doubts",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("shop_id", String, primary_key=True),
    Column("readings", Json, nullable=False),
)
"""Records that may be older than what is known of them; `readings` are the times they were read.

Their content does not count: a shop without stamps may report another stock level each time.
"""

intents = Table(
    "intents",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("detail", Json, nullable=False),
    Column("started_at", Stamp, nullable=False),
)

unsettled = Table(
    "unsettled",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", Json, nullable=False),
    Column("read_at", Stamp, nullable=False),
    Column("reason", Text, nullable=False),
    Column("title", Text),
    Column("detail", Text),
    Column("first_seen", Stamp, nullable=False),
    Column("last_seen", Stamp, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Stamp),
    Column("acknowledged_at", Stamp),
    UniqueConstraint("namespace", "entity", "shop_id"),
)

waits = Table(
    "waits",
    tables,
    Column("unsettled_id", ForeignKey("unsettled.id", ondelete="CASCADE"), primary_key=True),
    Column("awaited", String, primary_key=True),
    Index("waits_by_awaited", "awaited"),
)

go_entries = Table(
    "go_entries",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("go_id", String, primary_key=True),
    Column("body", Json, nullable=False),
    Column("read_at", Stamp, nullable=False),
)

go_keys = Table(
    "go_keys",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("match_key", String, primary_key=True),
    Column("go_id", String, primary_key=True),
    Index("go_keys_by_go_id", "namespace", "entity", "go_id"),
)

watermarks = Table(
    "watermarks",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("changed_since", String),
    Column("full_read_at", Stamp, nullable=False),
)

runs = Table(
    "runs",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("way", String, nullable=False, server_default="forward"),
    Column("started_at", Stamp, nullable=False),
    Column("finished_at", Stamp),
    Column("exit_status", Integer),
    Column("outcomes", Json),
    Column("calls", Json),
    Column("settings", Json),
)
"""`settings` are, as JSON, those of a run forward that the way back must share."""

conflicts = Table(
    "conflicts",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("run", ForeignKey("runs.id")),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("property", String, nullable=False),
    Column("shop_value", Json(has_null=True), nullable=False),
    Column("go_value", Json(has_null=True), nullable=False),
    Column("base_value", Json),
    Column("winner", String),
    Column("why", Text, nullable=False),
    Column("first_seen", Stamp, nullable=False),
    Column("last_seen", Stamp, nullable=False),
    Index("conflicts_by_record", "namespace", "entity", "shop_id"),
)

erasures = Table(
    "erasures",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("go_id", String),
    Column("erased_at", Stamp, nullable=False),
    Column("archived_at", Stamp),
)

payments = Table(
    "payments",
    tables,
    _namespace(),
    Column("order_id", String, primary_key=True),
    Column("payment_id", String, primary_key=True),
    Column("day", String, nullable=False),
    Column("method", String, nullable=False),
    Column("amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("voucher", String),
    Column("was_met", Boolean, nullable=False),
    Column("posted_at", Stamp),
    Index("payments_by_voucher", "namespace", "voucher"),
    Index("payments_by_method", "namespace", "method", "day", "voucher"),
)
"""Payments of orders in Go: still to be posted; of a `voucher`, once it may have been sent to Go.

A voucher that `was_met` was posted before this store began, perhaps with payments that are not
known here. No column tells who paid.
"""
