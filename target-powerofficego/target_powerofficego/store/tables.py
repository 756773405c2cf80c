"""The tables of the link store, with plain names, so that anyone can read it with sqlite3.

Stamps are ISO 8601 text in UTC; values in Go's form are JSON with exact decimals. First come the
types of columns, then the tables, then the steps that migrate an older store.
"""

from __future__ import annotations

import datetime
import hashlib
from typing import TYPE_CHECKING, Any

import simplejson
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Dialect,
    Executable,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    text,
    update,
)
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_LONGEST_KEY = 300
_KEPT_LENGTH = 200


def to_json(value: object) -> str:
    """Return JSON text; decimals stay exact."""
    return simplejson.dumps(
        value, use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True
    )


def from_json(json: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of JSON text; numbers with a fraction become Decimals."""
    return simplejson.loads(json, use_decimal=True, allow_nan=True)


def to_key(key: str) -> str:
    """Return a text as an index key, whose length PostgreSQL limits."""
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[:_KEPT_LENGTH]} {hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def to_stamp(moment: datetime.datetime) -> str:
    """Return an aware datetime as ISO 8601 text in UTC."""
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")


def from_stamp(stamp: str) -> datetime.datetime:
    """Return a stamp as an aware datetime."""
    return datetime.datetime.fromisoformat(stamp)


SCHEMA_VERSION = 8
"""Increase it with each change to a table, and add a step to `STEPS`."""

tables = MetaData()


class Stamp(TypeDecorator[datetime.datetime]):
    """A column of aware datetimes, kept as ISO 8601 text in UTC, which sorts in the same order."""

    impl = String
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime.datetime | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> str | None:
        """Return the text that a datetime is kept as."""
        return None if value is None else to_stamp(value)

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002 - as SQLAlchemy calls it
    ) -> datetime.datetime | None:
        """Return the datetime that is kept."""
        return None if value is None else from_stamp(value)


class Json(TypeDecorator[Any]):
    """A column of JSON text with exact decimals.

    Args:
        has_null: whether None is kept as JSON's `null`, instead of SQL's NULL.
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
    Column("text_hash", String),
)
"""`stamp` is when the record was last changed, according to its own side.

`text_hash` is the hash of bytes that hold the record of `record_hash`, so both change together.
"""

doubts = Table(
    "doubts",
    tables,
    _namespace(),
    Column("entity", String, primary_key=True),
    Column("shop_id", String, primary_key=True),
    Column("readings", Json, nullable=False),
)
"""Records that may be older than the version that is known; `readings` are when they were read.

Their content is not compared: a shop without stamps may report a different stock level each time.
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
"""`settings` are those of a run forward that the way back must share."""

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
"""Payments of orders in Go; each has a `voucher` once it may have been sent to Go.

A voucher that `was_met` was found in Go: it was posted before this store existed, perhaps with
payments that are not known here. No column says who paid.
"""

notices = Table(
    "notices",
    tables,
    _namespace(),
    Column("said", Json, nullable=False),
)
"""What the last message about a shop reported, so that nothing is reported twice."""


STEPS: Mapping[int, Iterable[Table | Executable]] = {
    # Conflicts and erasures. The index of orders no longer keeps buyers' names and references, so
    # it is dropped and read again.
    1: (
        conflicts,
        erasures,
        *(delete(index).where(index.c.entity == "orders") for index in (go_keys, go_entries)),
    ),
    # For the way back: the shop's stamp after our own writes, and the way of each run.
    2: (
        text("ALTER TABLE links ADD COLUMN own_shop_stamp VARCHAR"),
        text("ALTER TABLE runs ADD COLUMN way VARCHAR DEFAULT 'forward' NOT NULL"),
    ),
    3: (payments,),
    # The settings that both ways must share.
    4: (text("ALTER TABLE runs ADD COLUMN settings TEXT"),),
    # What distinguishes an old version of a record from an edit: its stamp and its readings.
    5: (text("ALTER TABLE settled ADD COLUMN stamp VARCHAR"), doubts),
    # The hash of a record's bytes, by which it is recognised as unchanged without being parsed.
    6: (text("ALTER TABLE settled ADD COLUMN text_hash VARCHAR"),),
    # What the last message of `notify` reported.
    7: (notices,),
}
"""The tables and statements that migrate a store to the next version, by its version.

A step creates a table as it is defined above. Before you change such a table, write out its
definition of that version in the step.

"""


def migrate(connection: Connection, version: int) -> None:
    """Migrate a store from this version to the current one, inside the caller's transaction."""
    # The first statement must write rows: Python's sqlite3 begins a transaction only before such a
    # statement, and tables created outside it would remain if a step were interrupted.
    connection.execute(update(about).values(schema_version=SCHEMA_VERSION))
    for step in range(version, SCHEMA_VERSION):
        for change in STEPS[step]:
            if isinstance(change, Table):
                change.create(connection)
            else:
                connection.execute(change)
