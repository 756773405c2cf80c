"""Reads from the link store what came of the newest run, and what waits for a person.

The link store is plain SQLite with plain names, so that a program which shares no code with the
target can read it; this one does.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import simplejson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Waiting:
    """A record that waits: `kind` is reject, hold or park, `reason` says why."""

    kind: str
    entity: str
    shop_id: str
    reason: str


def newest_outcomes(link_store: Path) -> Mapping[str, Mapping[str, int]]:
    """Return how many records of each entity had each outcome in the newest finished run."""
    query = "SELECT outcomes FROM runs WHERE outcomes IS NOT NULL ORDER BY id DESC LIMIT 1"
    rows = _rows(link_store, query)
    outcomes: Mapping[str, Mapping[str, int]] = simplejson.loads(rows[0][0]) if rows else {}
    return outcomes


def all_waiting(link_store: Path) -> list[Waiting]:
    """Return every record that is parked, rejected or held."""
    query = "SELECT kind, entity, shop_id, reason FROM unsettled ORDER BY kind, entity, shop_id"
    return [Waiting(*row) for row in _rows(link_store, query)]


@dataclass(frozen=True)
class Decided:
    """A property that both sides changed; `winner` is shop, go, or None: a person must decide."""

    entity: str
    shop_id: str
    property: str
    shop: object
    go: object
    winner: str | None
    why: str


def newest_conflicts(link_store: Path) -> list[Decided]:
    """Return the conflicts that the newest runs met, of each way the newest."""
    query = (
        "SELECT entity, shop_id, property, shop_value, go_value, winner, why FROM conflicts"
        " WHERE run IN (SELECT max(id) FROM runs GROUP BY way) ORDER BY id"
    )
    return [
        Decided(entity, shop_id, name, simplejson.loads(shop), simplejson.loads(go), winner, why)
        for entity, shop_id, name, shop, go, winner, why in _rows(link_store, query)
    ]


def _rows(link_store: Path, query: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"{link_store.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()
