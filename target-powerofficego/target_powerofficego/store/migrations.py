"""Brings the tables of an older link store to the form that this program knows, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_powerofficego.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _to_version_2(connection: sa.Connection) -> None:
    """Add the conflicts and the erasures, and forget the index of orders, which is read anew.

    The index of orders keeps less since: no buyer's name or reference.
    """
    for table in (t.conflicts, t.erasures):
        table.create(connection)
    for index in (t.go_keys, t.go_entries):
        connection.execute(sa.delete(index).where(index.c.entity == "orders"))


def _to_version_3(connection: sa.Connection) -> None:
    """Add what the way back keeps: the shop's stamp of our own writes, and the way of a run."""
    connection.exec_driver_sql("ALTER TABLE links ADD COLUMN own_shop_stamp VARCHAR")
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN way VARCHAR DEFAULT 'forward' NOT NULL")


def _to_version_4(connection: sa.Connection) -> None:
    """Add the payments."""
    t.payments.create(connection)


def _to_version_5(connection: sa.Connection) -> None:
    """Add the settings of a run that both ways must have."""
    connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN settings TEXT")


def _to_version_6(connection: sa.Connection) -> None:
    """Add what tells an old version of a record from an edit: stamps, and how often it was read."""
    connection.exec_driver_sql("ALTER TABLE settled ADD COLUMN stamp VARCHAR")
    t.doubts.create(connection)


STEPS: Mapping[int, Callable[[sa.Connection], None]] = {
    1: _to_version_2,
    2: _to_version_3,
    3: _to_version_4,
    4: _to_version_5,
    5: _to_version_6,
}
"""By the version that a store has, what brings it to the next one.

A step that makes a table makes it as `tables` tells it now. Whoever changes such a table later
writes its form at that version into the step.
"""


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring a store of this version to the one known here, inside the caller's transaction."""
    # The first statement must be one that writes rows: Python's sqlite3 begins a transaction before
    # such a one only, and tables made outside of it would stay when a step is cut off.
    connection.execute(sa.update(t.about).values(schema_version=t.SCHEMA_VERSION))
    for step in range(version, t.SCHEMA_VERSION):
        STEPS[step](connection)
