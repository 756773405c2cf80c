"""Brings the tables of an older link store to the form that this program knows, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_powerofficego.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEPS: Mapping[int, Iterable[sa.Table | sa.Executable]] = {
    # The conflicts and the erasures. The index of orders keeps less since, no buyer's name or
    # reference: it is forgotten and read anew.
    1: (
        t.conflicts,
        t.erasures,
        *(
            sa.delete(index).where(index.c.entity == "orders")
            for index in (t.go_keys, t.go_entries)
        ),
    ),
    # What the way back keeps: the shop's stamp of our own writes, and the way of a run.
    2: (
        sa.text("ALTER TABLE links ADD COLUMN own_shop_stamp VARCHAR"),
        sa.text("ALTER TABLE runs ADD COLUMN way VARCHAR DEFAULT 'forward' NOT NULL"),
    ),
    3: (t.payments,),
    # The settings of a run that both ways must have.
    4: (sa.text("ALTER TABLE runs ADD COLUMN settings TEXT"),),
    # What tells an old version of a record from an edit: stamps, and how often it was read.
    5: (sa.text("ALTER TABLE settled ADD COLUMN stamp VARCHAR"), t.doubts),
}
"""By the version that a store has, the tables and changes that bring it to the next one.

A table is made as `tables` tells it now. Whoever changes such a table later writes its form at that
version into the step.
"""


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring a store of this version to the one known here, inside the caller's transaction."""
    # The first statement must be one that writes rows: Python's sqlite3 begins a transaction before
    # such a one only, and tables made outside of it would stay when a step is cut off.
    connection.execute(sa.update(t.about).values(schema_version=t.SCHEMA_VERSION))
    for step in range(version, t.SCHEMA_VERSION):
        for change in STEPS[step]:
            if isinstance(change, sa.Table):
                change.create(connection)
            else:
                connection.execute(change)
