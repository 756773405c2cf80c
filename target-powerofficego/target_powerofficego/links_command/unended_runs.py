"""Runs with no end on record: the one that is under way, and those that were cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.store.link_store import LinkStoreError

if TYPE_CHECKING:
    from target_powerofficego.store.link_store import LinkStore, Run


@dataclass(frozen=True)
class UnendedRuns:
    """The newest runs that have not ended: numbers of those under way, and the others."""

    under_way: frozenset[int]
    cut_off: tuple[Run, ...]


def unended_runs(store: LinkStore) -> UnendedRuns:
    """Tell them apart by the lock, which a run holds for as long as it lives.

    Of each shop only its newest run can be under way. A lock that is free is held until the store
    is closed.
    """
    newest = store.newest_runs()
    unended = [run for run in newest if run.exit_status is None]
    last = {
        run.shop_name: max(one.id for one in newest if one.shop_name == run.shop_name)
        for run in unended
    }
    under_way = frozenset(
        run.id for run in unended if run.id == last[run.shop_name] and _is_locked(store, run)
    )
    return UnendedRuns(under_way, tuple(run for run in unended if run.id not in under_way))


def _is_locked(store: LinkStore, run: Run) -> bool:
    try:
        store.lock(run.shop_name)
    except LinkStoreError:
        return True
    return False
