"""Writes whose answer never came: Go is looked at, and the base follows what it turns out to hold.

An earlier run left them when it was cut off, or this one when Go could not be looked at.
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
    is_overdue,
    is_pending,
    look,
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
"""What hangs on a customer: its name in the base, its members in their order there, and how the
shop's value of one is kept."""


def settle_at_start(tools: Tools, intents: Sequence[Intent]) -> None:
    """Settle what earlier runs left; a write that Go refuses to be asked about waits on alone.

    Raises:
        StopRun, TryAgainLater: Go could not be looked at; the intents stay.
    """
    wait_for_late_writes(intents, tools.wait)
    for intent in intents:
        try:
            settle_unanswered(tools, [intent], is_start=True)
        except Undecidable:
            _tell(intent, "Go does not show it; its record looks again")
        except Refused as refused:
            logger.warning(
                "%s %s: what became of an unanswered %s cannot be looked at (%s); the next run"
                " looks again, and nothing is written to it until then",
                intent.entity,
                intent.shop_id,
                intent.kind,
                refused,
            )


def wait_for_late_writes(intents: Sequence[Intent], wait: Callable[[float], object]) -> None:
    """Wait until what an interrupted run had sent is there, or never will be.

    That run sent it before this one could begin, however long it had tried.
    """
    if intents:
        wait(SECOND_LOOK_SECONDS)


def settle_unanswered(tools: Tools, intents: Sequence[Intent], *, is_start: bool = False) -> None:
    """Settle writes without an answer, oldest first.

    What Go turns out to have is linked with base := (values sent, what is there). What was never
    done is dropped: its record was not settled, so it comes again. What Go does not show may be
    there all the same: it is dropped only when several runs do not see it. A create is sent again
    by a later run, when its record comes, and is then known to be a second try; a change is sent
    again at once, and its answer is what counts.

    Raises:
        Undecidable: with a Park, when that cannot be decided yet; the intents stay.
        Refused, StopRun, TryAgainLater: Go could not be looked at; the intents stay.
    """
    if intents and not is_start:
        age = (now() - intents[-1].started_at).total_seconds()
        tools.wait(min(max(SECOND_LOOK_SECONDS - age, 0), SECOND_LOOK_SECONDS))
    for intent in intents:
        if intent.kind == "create":
            _settle_create(tools, intent, is_start=is_start)
        else:
            _SETTLING[intent.kind](tools, intent)


def _tell(intent: Intent, found: str) -> None:
    logger.info(
        "%s %s: looked what became of an unanswered %s: %s",
        intent.entity,
        intent.shop_id,
        intent.kind,
        found,
    )


def _settle_create(tools: Tools, intent: Intent, *, is_start: bool) -> None:
    if not is_start:  # what is matched against later must not be newer than what is seen here
        tools.index.ensure_read(intent.entity)
    there = tools.writer.find_unanswered(intent)
    if there is None and not is_overdue(intent):
        is_own = tools.writer.was_sent_by_this_run(intent)
        if not is_own:  # at the start too: its record may never come again
            note_run(tools.store, intent)
        if is_start or is_own:
            raise Undecidable(CREATE_NOT_VISIBLE)
        return
    _tell(intent, "it was not done" if there is None else "it was done")
    link = tools.store.links.get(intent.entity, intent.shop_id)
    stamp = None if there is None else _stamp_of(tools, intent, there)
    with tools.store.transaction():
        tools.store.settled.note_version(back_name(intent.entity), intent.shop_id, stamp)
        if there is None:
            pass
        elif intent.detail["path"].endswith(_LINES):
            _agree_on_line(tools, intent, intent.detail["values"], there)
        elif intent.entity not in tools.settings.tables:  # what belongs to a customer
            tools.index.remember(intent.entity, there, now())
        elif link is None:
            tools.store.links.put(_link(tools, intent, there))
            tools.index.remember(intent.entity, there, now())
        _end(tools, intent)


def _link(tools: Tools, intent: Intent, there: Mapping[str, Any]) -> Link:
    table = tools.settings.tables[intent.entity]
    sent = intent.detail["values"]
    base = base_of_created(table, sent, there, intent.read_at, now())
    lines = lines_by_reference(there)
    rows = {row.name for row in table.rows}
    for name in sent.keys() - rows:  # an order's lines, and what is kept of it beside Go's values
        in_go = lines.get(name.removeprefix(LINE)) if name.startswith(LINE) else None
        base[name] = Agreement(sent[name], in_go, intent.read_at, now())
    return Link(intent.entity, intent.shop_id, str(there["Id"]), base=base)


def _settle_patch(tools: Tools, intent: Intent) -> None:
    path, read_at = intent.detail["path"], now()
    is_line = _LINES in path
    there = _read_line(tools, path) if is_line else _read(tools, path)
    rows = [RowChange(name, *told) for name, told in intent.detail["rows"].items()]
    if there is not None and is_untouched(there, rows) and not is_overdue(intent):
        note_run(tools.store, intent)
        _tell(intent, "it was not done, or Go does not show it yet")
        return
    done = () if there is None else applied_rows(there, rows)
    _tell(intent, "it is gone from Go" if there is None else describe_outcome(done, rows))
    stamp = _stamp_of(tools, intent, there) if done else None
    with tools.store.transaction():
        tools.store.settled.note_version(back_name(intent.entity), intent.shop_id, stamp)
        if there is not None and done:
            if not is_line:  # no list need show it: an edit of an address moves no stamp
                tools.index.remember(intent.entity, there, read_at)
            after = {row.row: row.after for row in done}
            if is_line:
                _agree_on_line(tools, intent, after, there)
            elif intent.entity in _PARTS:
                _agree_on_part(tools, intent, after, there)
            else:
                _agree_on_rows(tools, intent, after, there)
        _end(tools, intent)


def _stamp_of(tools: Tools, intent: Intent, there: Mapping[str, Any] | None) -> str | None:
    """Return Go's stamp of an entry after our write, by which an older reading of it is known.

    That of an order whose line was written is read again. What belongs to a customer has none of
    its own.
    """
    if intent.entity not in tools.settings.tables:
        return None
    if _LINES not in intent.detail["path"]:
        return newest_stamp(there or {})
    link = tools.store.links.get(intent.entity, intent.shop_id)
    entry = link and tools.index.read_again(intent.entity, link.go_id)
    return newest_stamp(entry.body) if entry else None


def _agree_on_rows(
    tools: Tools, intent: Intent, sent: Mapping[str, Any], there: Mapping[str, Any]
) -> None:
    link = tools.store.links.get(intent.entity, intent.shop_id)
    if link is None:
        return
    at = {name: path for name, (path, _, _) in intent.detail["rows"].items()}
    agreed = {
        name: Agreement(value, member_at(there, at[name]), intent.read_at, now())
        for name, value in sent.items()
        if name in link.base
    }
    tools.store.links.put(replace(link, base={**link.base, **agreed}))


def _agree_on_part(
    tools: Tools, intent: Intent, sent: Mapping[str, Any], there: Mapping[str, Any]
) -> None:
    """Take what was sent of a delivery address or contact person into the base of its customer."""
    name, members, kept = _PARTS[intent.entity]
    link = tools.store.links.get("customers", intent.shop_id)
    before = link.base.get(name) if link else None
    if link is None or before is None or before.shop is None:
        return
    shop, go = list(before.shop), list(before.go or (there.get(member) for member in members))
    for place, member in enumerate(members):
        if member in sent:
            shop[place], go[place] = kept(sent[member]), there.get(member)
    one = Agreement(shop, go, intent.read_at, now())
    tools.store.links.put(replace(link, base={**link.base, name: one}))


def _agree_on_line(
    tools: Tools, intent: Intent, sent: Mapping[str, Any], there: Mapping[str, Any]
) -> None:
    """Take the members of a line that were sent, and what Go has of them, into the base."""
    link = tools.store.links.get(intent.entity, intent.shop_id)
    if link is None:
        return
    reference = there.get("ExternalImportReference")
    if reference == ROUNDING:
        return
    name = f"{LINE}{reference}"
    before = link.base.get(name)
    shop, go = (before.shop, before.go) if before else ({}, {})
    in_go = {member: there.get(member) for member in ("Id", *sent)}
    one = Agreement({**(shop or {}), **sent}, {**(go or {}), **in_go}, intent.read_at, now())
    tools.store.links.put(replace(link, base={**link.base, name: one}))


def _settle_delete(tools: Tools, intent: Intent) -> None:
    link = tools.store.links.get(intent.entity, intent.shop_id)
    is_gone = link is not None and _is_gone(tools, intent, link)
    _tell(intent, "it was done" if is_gone else "it was not done")
    stamp = _stamp_of(tools, intent, None) if is_gone else None
    with tools.store.transaction():
        tools.store.settled.note_version(back_name(intent.entity), intent.shop_id, stamp)
        if link is not None and is_gone:
            line = intent.detail.get("line")
            if line is None:
                tools.store.links.delete(intent.entity, intent.shop_id)
            else:
                base = {name: one for name, one in link.base.items() if name != f"{LINE}{line}"}
                tools.store.links.put(replace(link, base=base))
        _end(tools, intent)


def _settle_sending(tools: Tools, intent: Intent) -> None:
    """See whether Go made an invoice; the intent stays while it may still do so.

    Where Go could not, the intent stays with Go's words, so that the order's record is held with
    them.
    """
    link = tools.store.links.get(intent.entity, intent.shop_id)
    told = Sending(Progress.UNSEEN)
    if link is not None:
        told = look(tools, link.go_id, is_late=is_overdue(intent))
    _tell(intent, told.progress.value)
    if link is not None and is_pending(told, intent):
        note_run(tools.store, intent)
        return
    if link is not None and told.progress is Progress.FAILED:
        note_failure(tools.store, intent, told)
        return
    stage = Stage.UNDELIVERED if told.why else Stage.INVOICED
    with tools.store.transaction():
        if link is not None and told.progress is Progress.SENT:
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
    """End an intent; what it did to a linked order has yet to be compared with the shop's."""
    if intent.entity == "orders":
        is_linked = tools.store.links.get(intent.entity, intent.shop_id) is not None
        note = (
            tools.store.intents.note_comparison if is_linked else tools.store.intents.end_comparison
        )
        note(intent.entity, intent.shop_id)
    tools.store.intents.end(intent)


def _read(tools: Tools, path: str) -> Mapping[str, Any] | None:
    try:
        there: Mapping[str, Any] = tools.go.read(path)
    except NotFound:
        return None
    return there


def _read_line(tools: Tools, path: str) -> Mapping[str, Any] | None:
    """Return a line of an order, which Go returns with the whole order; None when it is gone."""
    order_path, _, line_id = path.partition(f"{_LINES}/")
    complete = _read(tools, f"{order_path}/Complete") or {}
    lines: list[Mapping[str, Any]] = complete.get("SalesOrderLines") or []
    return next((line for line in lines if str(line.get("Id")) == line_id), None)


_SETTLING = {
    "patch": _settle_patch,
    "delete": _settle_delete,
    SENDING: _settle_sending,
}
