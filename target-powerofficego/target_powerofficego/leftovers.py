"""Intents that an earlier run left: what was sent and never answered is looked for first thing."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.values import same_text
from target_powerofficego.go_api import NotFound
from target_powerofficego.links import Agreement, Link, now
from target_powerofficego.merge_lines import LINE, lines_by_reference
from target_powerofficego.writing import SECOND_LOOK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.links import Intent
    from target_powerofficego.walks.tools import Tools

logger = logging.getLogger("target-powerofficego")


def settle_leftovers(tools: Tools) -> None:
    """Settle every intent left over, oldest first.

    What Go turns out to have is linked with base := (values sent, what is there). What was never
    done is dropped: its record was not settled, so it comes again.

    Raises:
        StopRun, TryAgainLater: Go could not be looked at; the intents stay.
    """
    intents = tools.store.intents()
    if intents:
        age = (now() - intents[-1].started_at).total_seconds()
        time.sleep(min(max(SECOND_LOOK_SECONDS - age, 0), SECOND_LOOK_SECONDS))
    for intent in intents:
        logger.info(
            "%s %s: looking what became of an unanswered %s",
            intent.entity,
            intent.shop_id,
            intent.kind,
        )
        if intent.kind == "create":
            _settle_create(tools, intent)
        elif intent.kind == "patch":
            _settle_patch(tools, intent)
        else:
            tools.store.end_intent(intent)


def _settle_create(tools: Tools, intent: Intent) -> None:
    there = None
    if intent.entity in tools.settings.tables and not intent.detail["path"].endswith("/Lines"):
        there = tools.writer.look_after(intent)
    with tools.store.transaction():
        if there is not None and tools.store.link(intent.entity, intent.shop_id) is None:
            tools.store.put_link(_link(tools, intent, there))
            tools.index.remember(intent.entity, there, now())
            tools.found_again.add((intent.entity, intent.shop_id))
        tools.store.end_intent(intent)


def _link(tools: Tools, intent: Intent, there: Mapping[str, Any]) -> Link:
    table = tools.settings.tables[intent.entity]
    sent = intent.detail["values"]
    base = {
        row.name: Agreement(sent[row.name], row.from_go(there), intent.started_at, now())
        for row in table.active
        if row.name in sent
    }
    lines = lines_by_reference(there)
    for name, members in sent.items():
        if name.startswith(LINE):
            line = lines.get(name.removeprefix(LINE))
            base[name] = Agreement(members, line, intent.started_at, now())
    return Link(intent.entity, intent.shop_id, str(there["Id"]), base=base)


def _settle_patch(tools: Tools, intent: Intent) -> None:
    rows: Mapping[str, tuple[str, Any, Any]] = intent.detail["rows"]
    link = tools.store.link(intent.entity, intent.shop_id)
    if link is None or set(rows) - set(link.base):
        tools.store.end_intent(intent)
        return
    try:
        there = tools.go.read(intent.detail["path"])
    except NotFound:
        tools.store.end_intent(intent)
        return
    was_done = any(
        same_text(_at(there, path)) != same_text(before) for path, before, _ in rows.values()
    )
    with tools.store.transaction():
        if was_done:
            base = dict(link.base)
            for name, (path, _, after) in rows.items():
                base[name] = Agreement(after, _at(there, path), intent.started_at, now())
            tools.store.put_link(replace(link, base=base))
        tools.store.end_intent(intent)


def _at(entry: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    found: Any = entry
    for part in path.lstrip("/").split("/"):
        found = None if found is None else found.get(part)
    return found
