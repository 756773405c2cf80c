"""Archives the customers in Go whose personal data was erased: the law keeps the ledger's entry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from target_powerofficego.changes import Archive, RowChange
from target_powerofficego.go_api import (
    NotFound,
    Refused,
    TestFailed,
    TryAgainLater,
    UnknownOutcome,
)
from target_powerofficego.links import now

if TYPE_CHECKING:
    from target_powerofficego.links import Erasure
    from target_powerofficego.walks.tools import Tools

logger = logging.getLogger("target-powerofficego")


def archive_erased(tools: Tools) -> None:
    """Archive each entry that is open; what Go refuses or does not answer is tried every run.

    Raises:
        StopRun, BrakeReached, LinkStoreError: the run cannot go on.
    """
    for erasure in tools.store.open_erasures():
        try:
            _archive(tools, erasure)
        except NotFound:
            tools.store.end_erasure(erasure)
        except TestFailed:
            _tell_open(erasure, "it was edited meanwhile")
        except Refused as refused:
            said = refused.title or refused.status
            _tell_open(erasure, f"Go refused it ({said}), perhaps because its balance is open")
        except (TryAgainLater, UnknownOutcome):
            _tell_open(erasure, "Go gave no answer")


def _archive(tools: Tools, erasure: Erasure) -> None:
    path = f"/Customers/{erasure.go_id}"
    there = tools.go.read(path)
    is_archived = there.get("IsArchived")
    if is_archived:
        tools.store.end_erasure(erasure)
        return
    row = RowChange("archived", "/IsArchived", is_archived, True)
    answer = tools.writer.change(
        erasure.entity, erasure.shop_id, path, [row], read_at=now(), whole=there
    )
    with tools.store.transaction():
        tools.index.remember(erasure.entity, answer.body, now())
        tools.store.end_erasure(erasure)
        tools.store.end_intent(answer.intent)
    tools.plan.add(erasure.entity, erasure.shop_id, Archive())
    tools.tally.count(erasure.entity, erasure.shop_id, "archived")


def _tell_open(erasure: Erasure, why: str) -> None:
    logger.warning(
        "An erased customer (id %s in Go) is not archived yet: %s; tried every run",
        erasure.go_id,
        why,
    )
