"""Brings the tables of an older link store to this program's form, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_powerofficego.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEPS: Mapping[int, Iterable[sa.Table | sa.Executable]] = {
    # The conflicts and the erasures. The index of orders has kept less since then, without buyers'
    # names and references: it is forgotten and read again.
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
    # The settings of a run that both ways must share.
    4: (sa.text("ALTER TABLE runs ADD COLUMN settings TEXT"),),
    # What distinguishes an old version of a record from an edit: stamps, and how often it was read.
    5: (sa.text("ALTER TABLE settled ADD COLUMN stamp VARCHAR"), t.doubts),
}
"""By a store's version, the tables and changes that bring it to the next one.

A table is made as `tables` defines it now. Whoever changes such a table later must write its form
at that version into the step.
"""


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring a store of this version to the current one, inside the caller's transaction."""
    # The first statement must be one that writes rows: Python's sqlite3 begins a transaction only
    # before such a statement, and tables made outside it would remain if a step were interrupted.
    connection.execute(sa.update(t.about).values(schema_version=t.SCHEMA_VERSION))
    for step in range(version, t.SCHEMA_VERSION):
        for change in STEPS[step]:
            if isinstance(change, sa.Table):
                change.create(connection)
            else:
                connection.execute(change)
