"""The tables of the link store: plain names, so that anyone can open it with sqlite3.

Stamps are ISO 8601 text in UTC; values in Go's form are JSON with exact decimals.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 6
"""Raise it with each change of a table, and add a step to `migrations`."""

tables = MetaData()


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
    Column("opened_at", String, nullable=False),
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
    Column("base", Text, nullable=False),
    Column("own_stamp", String),
    Column("own_shop_stamp", String),
    Column("linked_at", String, nullable=False),
    Index("links_by_go_id", "namespace", "entity", "go_id"),
)

settled = Table(
    "settled",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("shop_id", String, primary_key=True),
    Column("record_hash", String, nullable=False),
    Column("read_at", String, nullable=False),
    Column("stamp", String),
)
"""`stamp` is when its own side says that the record was last changed."""

doubts = Table(
    "doubts",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("shop_id", String, primary_key=True),
    Column("readings", Text, nullable=False),
)
"""Records that may be older than what is known of them; `readings` are when each was read.

What they said does not count: a shop that tells no stamps may tell another stock each time.
"""

intents = Table(
    "intents",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("started_at", String, nullable=False),
)

unsettled = Table(
    "unsettled",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("read_at", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("title", Text),
    Column("detail", Text),
    Column("first_seen", String, nullable=False),
    Column("last_seen", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", String),
    Column("acknowledged_at", String),
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
    Column("body", Text, nullable=False),
    Column("read_at", String, nullable=False),
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
    Column("full_read_at", String, nullable=False),
)

runs = Table(
    "runs",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("way", String, nullable=False, server_default="forward"),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),
    Column("exit_status", Integer),
    Column("outcomes", Text),
    Column("calls", Text),
    Column("settings", Text),
)
"""`settings` are those of a run forward that the way back must have as well, as JSON."""

conflicts = Table(
    "conflicts",
    tables,
    Column("id", Integer, primary_key=True),
    Column("namespace", ForeignKey("namespaces.id"), nullable=False),
    Column("run", ForeignKey("runs.id")),
    Column("entity", String, nullable=False),
    Column("shop_id", String, nullable=False),
    Column("property", String, nullable=False),
    Column("shop_value", Text, nullable=False),
    Column("go_value", Text, nullable=False),
    Column("base_value", Text),
    Column("winner", String),
    Column("why", Text, nullable=False),
    Column("first_seen", String, nullable=False),
    Column("last_seen", String, nullable=False),
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
    Column("erased_at", String, nullable=False),
    Column("archived_at", String),
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
    Column("posted_at", String),
    Index("payments_by_voucher", "namespace", "voucher"),
    Index("payments_by_method", "namespace", "method", "day", "voucher"),
)
"""Payments of orders in Go: still to be posted; of a `voucher`, once it may have been sent to Go.

A voucher that `was_met` was posted before this store began, perhaps with payments that are not
known here. No column tells who paid.
"""
