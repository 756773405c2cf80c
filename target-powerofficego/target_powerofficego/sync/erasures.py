"""Archives customers in Go whose personal data was erased: by law the ledger entry must stay."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.table import now
from target_powerofficego.decisions.changes import Archive, RowChange, Undecidable
from target_powerofficego.go_api import (
    NotFound,
    Refused,
    TestFailed,
    TryAgainLater,
    UnknownOutcome,
)

if TYPE_CHECKING:
    from target_powerofficego.store.link_store import Erasure
    from target_powerofficego.sync.context import Tools

logger = logging.getLogger("target-powerofficego")

_KEPT_AS = "erased"
"""The entity name under which the store keeps that Go refused to archive."""


def archive_erased(tools: Tools) -> None:
    """Archive each customer still to be archived.

    One that Go refuses is retried after a pause; one that got no answer, in the next run.

    Raises:
        StopRun, BrakeReached, LinkStoreError: the run cannot go on.
    """
    for erasure in tools.store.erasures.open():
        if tools.store.unsettled.resting(_KEPT_AS, erasure.shop_id) is not None:
            continue
        try:
            _archive(tools, erasure)
        except NotFound:
            _end(tools, erasure)
        except TestFailed:
            _log_open(erasure, "it was edited meanwhile; the next run tries again")
        except Undecidable as undecidable:
            _log_open(erasure, undecidable.change.reason)
        except Refused as refused:
            answer = refused.title or refused.status
            reason = f"Go refused it ({answer}), perhaps because the customer has an open balance"
            _retry_later(tools, erasure, f"{reason}; it is tried again after at most a day")
        except (TryAgainLater, UnknownOutcome):
            _log_open(erasure, "Go gave no answer; the next run tries again")


def _archive(tools: Tools, erasure: Erasure) -> None:
    path = f"/Customers/{erasure.go_id}"
    current = tools.go.read(path)
    is_archived = current.get("IsArchived")
    if is_archived:
        _end(tools, erasure)
        return
    row = RowChange("archived", "/IsArchived", is_archived, True)
    answer = tools.writer.change(
        erasure.entity, erasure.shop_id, path, [row], read_at=now(), current=current
    )
    with tools.store.transaction():
        tools.index.remember(erasure.entity, answer.body, now())
        _end(tools, erasure)
        tools.store.intents.end(answer.intent)
    tools.plan.add(erasure.entity, erasure.shop_id, Archive())
    tools.tally.count(erasure.entity, erasure.shop_id, "archived")


def _end(tools: Tools, erasure: Erasure) -> None:
    with tools.store.transaction():
        tools.store.erasures.end(erasure)
        tools.store.unsettled.clear(_KEPT_AS, erasure.shop_id)


def _retry_later(tools: Tools, erasure: Erasure, reason: str) -> None:
    tools.store.unsettled.put(
        "parked",
        _KEPT_AS,
        erasure.shop_id,
        payload={"id": erasure.shop_id},
        read_at=now(),
        reason=f"an erased customer (id {erasure.go_id} in Go) is not archived yet: {reason}",
        is_refusal=True,
    )
    _log_open(erasure, reason)


def _log_open(erasure: Erasure, reason: str) -> None:
    logger.warning(
        "An erased customer (id %s in Go) is not archived yet: %s", erasure.go_id, reason
    )
