"""A sales order that is still a Draft: read, edited step by step, read again, and deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.dataflow.values import is_before
from target_powerofficego.decisions.changes import Hold, RowChange, Undecidable
from target_powerofficego.decisions.merge import LinesMerge, are_same, lines_by_reference
from target_powerofficego.go_api import NotFound, TestFailed, TryAgainLater
from target_powerofficego.settle.careful import look_twice
from target_powerofficego.sync.go.destinations import line_destination
from target_powerofficego.sync.orders.context import ORDERS, STAMP, OrderTools, state_of
from target_powerofficego.sync.orders.wanted import OrderInGoForm, partly_agreed

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.go.index import Entry
    from target_powerofficego.sync.go.writer import Answer

_STATUS, _DRAFT, _CONFIRMED = "SalesOrderStatus", "Draft", "Confirmed"
_READS_AFTER_WRITES = 4
_REPLICA_SECONDS = 1.0

GONE = Hold("it was removed in Go; it is not created again")
EDITED_MEANWHILE = Hold("Go was edited while this was to be written")

Written = dict[str, "Mapping[str, Any] | None"]
"""What Go answered to writes of lines, by reference; None for a line that was removed."""


def read_complete(tools: OrderTools, link: Link) -> Mapping[str, Any]:
    """Return an order with its lines as Go has it now, our own last write included.

    Reads may come from a replica that is a second behind (known of PowerOffice Go v1).

    Raises:
        NotFound: Go has no such sales order: it is invoiced or removed.
        TryAgainLater: Go keeps showing it as it was before our own last write.
    """
    for _ in range(_READS_AFTER_WRITES):
        complete: Mapping[str, Any] = tools.go.read(f"/SalesOrders/{link.go_id}/Complete")
        if not is_before(complete.get(STAMP), link.own_stamp):
            return complete
        tools.run.wait(_REPLICA_SECONDS)
    raise TryAgainLater(f"Go shows sales order {link.go_id} as it was before it was last written")


def find(tools: OrderTools, link: Link) -> Mapping[str, Any] | Entry | None:
    """Return the order with its lines as Go has it now; once it is invoiced, its invoice.

    None when it was removed.
    """
    try:
        return read_complete(tools, link)
    except NotFound:
        return tools.index.read_again(ORDERS, link.go_id)


def find_late(tools: OrderTools, link: Link) -> Mapping[str, Any] | Entry | None:
    """Return what `find` does, also an invoice that a replica that is behind shows late."""
    return find(tools, link) or _invoice_shown_late(tools, link)


def _invoice_shown_late(tools: OrderTools, link: Link) -> Entry | None:
    return look_twice(lambda: tools.index.read_invoice(ORDERS, link.go_id), tools.run.wait)


def read(tools: OrderTools, link: Link) -> Mapping[str, Any] | Entry:
    """Return what `find` does.

    Raises:
        Undecidable: with a Hold, when it was removed.
    """
    there = find(tools, link)
    if there is None:
        raise Undecidable(GONE)
    return there


def read_after_writes(tools: OrderTools, link: Link, written: Written) -> Mapping[str, Any]:
    """Read the whole order once Go shows what it answered to our writes of lines.

    Raises:
        TryAgainLater: Go does not show it; the next run compares again.
    """
    for _ in range(_READS_AFTER_WRITES):
        complete = read_complete(tools, link)
        shown = lines_by_reference(complete)
        if all(are_same(shown.get(reference), line) for reference, line in written.items()):
            return complete
        tools.run.wait(_REPLICA_SECONDS)
    raise TryAgainLater(
        f"Go does not show yet what it answered to the lines of sales order {link.go_id}"
    )


def unlock(tools: OrderTools, link: Link, read_at: datetime.datetime) -> Link:
    """Set a Confirmed order to Draft, so that it can be edited; return its link.

    That it is to be Confirmed again is kept first, so that it is whatever comes in between.

    Raises:
        TestFailed: Go was edited meanwhile.
        Undecidable: with a Park, when that may be an earlier change of ours without an answer.
    """
    marked = tools.keep(link, state_of(link).unlocked(read_at))
    try:
        return _set_status(tools, marked, read_at, _CONFIRMED, _DRAFT)
    except (TestFailed, Undecidable):
        tools.store.links.put(link)
        raise


def lock_again(tools: OrderTools, link: Link, read_at: datetime.datetime) -> Link:
    """Set an order to Confirmed that was unlocked to edit it; return its link.

    Raises:
        Undecidable: with a Hold, when Go was edited meanwhile.
    """
    if not state_of(link).is_unlocked:
        return link
    try:
        link = _set_status(tools, link, read_at, _DRAFT, _CONFIRMED)
    except TestFailed:
        complete = find(tools, link)
        if isinstance(complete, dict) and complete.get(_STATUS) != _CONFIRMED:
            raise Undecidable(Hold("it could not be set to Confirmed again")) from None
    return tools.keep(link, state_of(link).locked())


def _set_status(
    tools: OrderTools, link: Link, read_at: datetime.datetime, before: str, after: str
) -> Link:
    row = RowChange(_STATUS, f"/{_STATUS}", before, after)
    answer = tools.change(link, [row], read_at)
    return tools.keep_step(replace(link, own_stamp=answer.body.get(STAMP)), answer.intent)


def write_header(
    tools: OrderTools, order: OrderInGoForm, link: Link, writes: tuple[RowChange, ...]
) -> Link:
    """Patch the header; return the link with what both sides agree on since.

    Raises:
        TestFailed: Go was edited meanwhile.
    """
    if not writes:
        return link
    answer = tools.change(link, writes, order.read_at)
    state = state_of(link).with_rows(
        {
            row.row: Agreement(
                row.after, tools.table.row(row.row).from_go(answer.body), order.read_at, now()
            )
            for row in writes
        }
    )
    link = replace(link, base=state.base, own_stamp=answer.body.get(STAMP))
    return tools.keep_step(link, answer.intent)


def write_lines(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    lines: LinesMerge,
    in_go: Mapping[str, Mapping[str, Any]],
) -> tuple[Link, Written]:
    """Write lines one by one; return the link since, and what Go answered.

    The base follows each step, so that a run that is cut off goes on where it was. Lines are
    removed last: an order may not be without any in between.
    """
    path = f"/SalesOrders/{link.go_id}/Lines"
    paths = {reference: f"{path}/{line['Id']}" for reference, line in in_go.items()}
    written: Written = {}
    for name, rows in lines.changed.items():
        answer = tools.writer.change(
            ORDERS, link.shop_id, paths[name], rows, read_at=order.read_at, line=name
        )
        link = _agree_on_line(tools, order, link, name, answer, rows)
        written[name] = answer.body
    for name, members in lines.added.items():
        body = {"ExternalImportReference": name, **members}
        target = line_destination(link.shop_id, path, name)
        answer = tools.writer.create(target, body, members, read_at=order.read_at)
        link = _agree_on_line(tools, order, link, name, answer)
        written[name] = answer.body
    for name in lines.removed:
        deletion = tools.writer.delete(ORDERS, link.shop_id, paths[name], line=name)
        link = replace(link, base=state_of(link).without_line(name).base)
        link = tools.keep_step(link, deletion.intent)
        written[name] = None
    return link, written


def _agree_on_line(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    reference: str,
    answer: Answer,
    rows: tuple[RowChange, ...] = (),
) -> Link:
    if reference in order.members:  # else it is ours alone: the line for rounding
        state = state_of(link)
        there = {member: answer.body.get(member) for member in ("Id", *LINE_MEMBERS)}
        agreed = Agreement(order.members[reference], there, order.read_at, now())
        agreed = partly_agreed(agreed, state.lines.get(reference), rows)
        link = replace(link, base=state.with_lines({reference: agreed}).base)
    return tools.keep_step(link, answer.intent)


def delete(tools: OrderTools, link: Link) -> Entry | None:
    """Delete a Draft, and its link; return the invoice instead if a person just sent it."""
    deletion = tools.writer.delete(ORDERS, link.shop_id, f"/SalesOrders/{link.go_id}")
    invoice = _invoice_shown_late(tools, link) if deletion.was_gone else None
    with tools.store.transaction():
        if invoice is None:
            forget(tools, link)
        tools.store.intents.end(deletion.intent)
    return invoice


def forget(tools: OrderTools, link: Link) -> None:
    """Forget the link of an order that Go has no more."""
    with tools.store.transaction():
        tools.store.links.delete(ORDERS, link.shop_id)
        tools.store.intents.end_comparison(ORDERS, link.shop_id)
        tools.index.forget(ORDERS, link.go_id)
