"""Settles writes that got no answer: looks in Go what came of them, and adjusts the base.

They were left by an earlier run that was interrupted, or by this one because Go could not be read.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.customer import DELIVERY_MEMBERS, folded
from target_powerofficego.dataflow.orders.answer import ROUNDING
from target_powerofficego.dataflow.orders.state import LINE, OrderState, Stage
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.dataflow.values import member_at
from target_powerofficego.decisions.changes import RowChange, Undecidable
from target_powerofficego.decisions.merge import base_of_created, lines_by_reference
from target_powerofficego.go_api import NotFound, Refused
from target_powerofficego.settle.writes import SECOND_LOOK_SECONDS
from target_powerofficego.store.go_rows import SENDING
from target_powerofficego.store.link_store import Link
from target_powerofficego.store.values import back_name
from target_powerofficego.sync.go.index import newest_stamp
from target_powerofficego.sync.go.operations import applied_rows, describe_outcome, is_untouched
from target_powerofficego.sync.go.writer import CREATE_NOT_VISIBLE
from target_powerofficego.sync.invoice_sending import (
    Progress,
    Sending,
    check_progress,
    is_overdue,
    is_pending,
    note_failure,
    note_run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.store.link_store import Intent
    from target_powerofficego.sync.context import Tools

logger = logging.getLogger("target-powerofficego")

_LINES = "/Lines"

_PARTS: Mapping[str, tuple[str, tuple[str, ...], Callable[[str | None], str | None]]] = {
    "delivery_addresses": ("shipping_address", DELIVERY_MEMBERS, folded),
    "contact_persons": ("contact_person", ("FirstName", "LastName"), lambda name: name),
}
"""The entries that belong to a customer: their name in its base, their members in the order that
the base holds them in, and how the base holds the shop's value of a member."""


def settle_at_start(tools: Tools, intents: Sequence[Intent]) -> None:
    """Settle what earlier runs left; if Go refuses to show one of them, only that one waits.

    Raises:
        StopRun, TryAgainLater: Go could not be read; the intents stay.
    """
    wait_for_late_writes(intents, tools.wait)
    for intent in intents:
        try:
            settle_unanswered(tools, [intent], is_start=True)
        except Undecidable:
            _log_result(intent, "Go does not show it; it is looked for again with its record")
        except Refused as refused:
            logger.warning(
                "%s %s: what became of an unanswered %s cannot be checked in Go (%s); the next run"
                " checks again, and nothing is written to it until then",
                intent.entity,
                intent.shop_id,
                intent.kind,
                refused,
            )


def wait_for_late_writes(intents: Sequence[Intent], wait: Callable[[float], object]) -> None:
    """Wait until the writes of an interrupted run show in Go, or never will.

    That run sent them before this one could begin, so the wait need not depend on their age.
    """
    if intents:
        wait(SECOND_LOOK_SECONDS)


def settle_unanswered(tools: Tools, intents: Sequence[Intent], *, is_start: bool = False) -> None:
    """Settle writes without an answer, oldest first.

    What Go turns out to have is linked with base := (values sent, Go's values). What was not done
    is dropped: its record was not settled, so it comes again. Something that Go does not show may
    exist nevertheless, so it is dropped only after several runs have not seen it. A create is sent
    again by a later run, when its record comes, and is then known to be a second try; a change is
    sent again at once, and then its answer counts.

    Raises:
        Undecidable: with a Park, when that cannot be decided yet; the intents stay.
        Refused, StopRun, TryAgainLater: Go could not be read; the intents stay.
    """
    if intents and not is_start:
        age = (now() - intents[-1].started_at).total_seconds()
        tools.wait(min(max(SECOND_LOOK_SECONDS - age, 0), SECOND_LOOK_SECONDS))
    for intent in intents:
        if intent.kind == "create":
            _settle_create(tools, intent, is_start=is_start)
        else:
            _SETTLING[intent.kind](tools, intent)


def _log_result(intent: Intent, result: str) -> None:
    logger.info(
        "%s %s: checked what became of an unanswered %s: %s",
        intent.entity,
        intent.shop_id,
        intent.kind,
        result,
    )


def _settle_create(tools: Tools, intent: Intent, *, is_start: bool) -> None:
    if not is_start:  # the index matched against later must not be newer than what is seen here
        tools.index.ensure_read(intent.entity)
    body = tools.writer.find_unanswered(intent)
    if body is None and not is_overdue(intent):
        is_own = tools.writer.was_sent_by_this_run(intent)
        if not is_own:  # also at the start of a run: its record may never come again
            note_run(tools.store, intent)
        if is_start or is_own:
            raise Undecidable(CREATE_NOT_VISIBLE)
        return
    _log_result(intent, "it was not done" if body is None else "it was done")
    link = tools.store.links.get(intent.entity, intent.shop_id)
    stamp = None if body is None else _stamp_of(tools, intent, body)
    with tools.store.transaction():
        tools.store.settled.note_version(back_name(intent.entity), intent.shop_id, stamp)
        if body is None:
            pass
        elif intent.detail["path"].endswith(_LINES):
            _agree_on_line(tools, intent, intent.detail["values"], body)
        elif intent.entity not in tools.settings.tables:  # an address or contact person
            tools.index.remember(intent.entity, body, now())
        elif link is None:
            tools.store.links.put(_link(tools, intent, body))
            tools.index.remember(intent.entity, body, now())
        _end(tools, intent)


def _link(tools: Tools, intent: Intent, body: Mapping[str, Any]) -> Link:
    table = tools.settings.tables[intent.entity]
    sent = intent.detail["values"]
    base = base_of_created(table, sent, body, intent.read_at, now())
    lines = lines_by_reference(body)
    rows = {row.name for row in table.rows}
    for name in sent.keys() - rows:  # an order's lines, and what the base holds besides Go's values
        line = lines.get(name.removeprefix(LINE)) if name.startswith(LINE) else None
        base[name] = Agreement(sent[name], line, intent.read_at, now())
    return Link(intent.entity, intent.shop_id, str(body["Id"]), base=base)


def _settle_patch(tools: Tools, intent: Intent) -> None:
    path, read_at = intent.detail["path"], now()
    is_line = _LINES in path
    body = _read_line(tools, path) if is_line else _read(tools, path)
    rows = [RowChange(name, *change) for name, change in intent.detail["rows"].items()]
    if body is not None and is_untouched(body, rows) and not is_overdue(intent):
        note_run(tools.store, intent)
        _log_result(intent, "it was not done, or Go does not show it yet")
        return
    done = () if body is None else applied_rows(body, rows)
    _log_result(intent, "it is gone from Go" if body is None else describe_outcome(done, rows))
    stamp = _stamp_of(tools, intent, body) if done else None
    with tools.store.transaction():
        tools.store.settled.note_version(back_name(intent.entity), intent.shop_id, stamp)
        if body is not None and done:
            if not is_line:  # lists may not show it: an edit of an address does not move the stamp
                tools.index.remember(intent.entity, body, read_at)
            after = {row.row: row.after for row in done}
            if is_line:
                _agree_on_line(tools, intent, after, body)
            elif intent.entity in _PARTS:
                _agree_on_part(tools, intent, after, body)
            else:
                _agree_on_rows(tools, intent, after, body)
        _end(tools, intent)


def _stamp_of(tools: Tools, intent: Intent, body: Mapping[str, Any] | None) -> str | None:
    """Return Go's stamp of an entry after our write, by which older versions are recognised.

    For an order whose line was written, the order is read again. Addresses and contact persons
    have no stamp of their own.
    """
    if intent.entity not in tools.settings.tables:
        return None
    if _LINES not in intent.detail["path"]:
        return newest_stamp(body or {})
    link = tools.store.links.get(intent.entity, intent.shop_id)
    entry = link and tools.index.read_again(intent.entity, link.go_id)
    return newest_stamp(entry.body) if entry else None


def _agree_on_rows(
    tools: Tools, intent: Intent, sent: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    link = tools.store.links.get(intent.entity, intent.shop_id)
    if link is None:
        return
    paths = {name: path for name, (path, _, _) in intent.detail["rows"].items()}
    agreed = {
        name: Agreement(value, member_at(body, paths[name]), intent.read_at, now())
        for name, value in sent.items()
        if name in link.base
    }
    tools.store.links.put(replace(link, base={**link.base, **agreed}))


def _agree_on_part(
    tools: Tools, intent: Intent, sent: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    """Take the sent members of a delivery address or contact person into its customer's base."""
    name, members, to_base = _PARTS[intent.entity]
    link = tools.store.links.get("customers", intent.shop_id)
    before = link.base.get(name) if link else None
    if link is None or before is None or before.shop is None:
        return
    shop, go = list(before.shop), list(before.go or (body.get(member) for member in members))
    for position, member in enumerate(members):
        if member in sent:
            shop[position], go[position] = to_base(sent[member]), body.get(member)
    agreed = Agreement(shop, go, intent.read_at, now())
    tools.store.links.put(replace(link, base={**link.base, name: agreed}))


def _agree_on_line(
    tools: Tools, intent: Intent, sent: Mapping[str, Any], body: Mapping[str, Any]
) -> None:
    """Take the sent members of a line, and Go's values of them, into the base."""
    link = tools.store.links.get(intent.entity, intent.shop_id)
    if link is None:
        return
    reference = body.get("ExternalImportReference")
    if reference == ROUNDING:
        return
    name = f"{LINE}{reference}"
    before = link.base.get(name)
    shop, go = (before.shop, before.go) if before else ({}, {})
    in_go = {member: body.get(member) for member in ("Id", *sent)}
    agreed = Agreement({**(shop or {}), **sent}, {**(go or {}), **in_go}, intent.read_at, now())
    tools.store.links.put(replace(link, base={**link.base, name: agreed}))


def _settle_delete(tools: Tools, intent: Intent) -> None:
    link = tools.store.links.get(intent.entity, intent.shop_id)
    is_gone = link is not None and _is_gone(tools, intent, link)
    _log_result(intent, "it was done" if is_gone else "it was not done")
    stamp = _stamp_of(tools, intent, None) if is_gone else None
    with tools.store.transaction():
        tools.store.settled.note_version(back_name(intent.entity), intent.shop_id, stamp)
        if link is not None and is_gone:
            line = intent.detail.get("line")
            if line is None:
                tools.store.links.delete(intent.entity, intent.shop_id)
            else:
                state = OrderState(link.base).without_line(line)
                tools.store.links.put(replace(link, base=state.base))
        _end(tools, intent)


def _settle_sending(tools: Tools, intent: Intent) -> None:
    """Check whether Go made an invoice; the intent stays while Go may still do so.

    If Go failed, the intent stays too, with Go's reason, so that the order is held with it.
    """
    link = tools.store.links.get(intent.entity, intent.shop_id)
    sending = Sending(Progress.NOT_SHOWN)
    if link is not None:
        sending = check_progress(tools, link.go_id, is_late=is_overdue(intent))
    _log_result(intent, sending.progress.value)
    if link is not None and is_pending(sending, intent):
        note_run(tools.store, intent)
        return
    if link is not None and sending.progress is Progress.FAILED:
        note_failure(tools.store, intent, sending)
        return
    stage = Stage.UNDELIVERED if sending.failure else Stage.INVOICED
    with tools.store.transaction():
        if link is not None and sending.progress is Progress.SENT:
            state = OrderState(link.base)
            state = state.at_stage(stage, intent.detail["status"], intent.read_at)
            tools.store.links.put(replace(link, base=state.base))
            tools.tally.count_stage(intent.entity, intent.shop_id, "invoiced")
        tools.store.intents.end(intent)


def _is_gone(tools: Tools, intent: Intent, link: Link) -> bool:
    if intent.detail.get("line") is not None:
        return _read_line(tools, intent.detail["path"]) is None
    return tools.index.read_again(intent.entity, link.go_id) is None


def _end(tools: Tools, intent: Intent) -> None:
    """End an intent; a linked order that it changed has yet to be compared with the shop's."""
    if intent.entity == "orders":
        is_linked = tools.store.links.get(intent.entity, intent.shop_id) is not None
        note = (
            tools.store.intents.note_comparison if is_linked else tools.store.intents.end_comparison
        )
        note(intent.entity, intent.shop_id)
    tools.store.intents.end(intent)


def _read(tools: Tools, path: str) -> Mapping[str, Any] | None:
    try:
        body: Mapping[str, Any] = tools.go.read(path)
    except NotFound:
        return None
    return body


def _read_line(tools: Tools, path: str) -> Mapping[str, Any] | None:
    """Return a line of an order, read with the order as a whole; None if it is gone."""
    order_path, _, line_id = path.partition(f"{_LINES}/")
    complete = _read(tools, f"{order_path}/Complete") or {}
    lines: list[Mapping[str, Any]] = complete.get("SalesOrderLines") or []
    return next((line for line in lines if str(line.get("Id")) == line_id), None)


_SETTLING = {
    "patch": _settle_patch,
    "delete": _settle_delete,
    SENDING: _settle_sending,
}
