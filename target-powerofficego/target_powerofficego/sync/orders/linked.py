"""An order that is linked: edited as a Draft as the shop was; what is invoiced is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.answer import (
    total_difference,
    total_in_go,
    vat_difference,
)
from target_powerofficego.dataflow.orders.payments import ITS_PAYMENT
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import round_to_ore
from target_powerofficego.decisions.changes import Hold, Nothing, Patch, RowChange, Undecidable
from target_powerofficego.decisions.merge import (
    Evidence,
    LinesMerge,
    Merge,
    Side,
    go_side,
    human_edit,
    lines_by_reference,
    merge,
    merge_lines,
)
from target_powerofficego.go_api import TestFailed
from target_powerofficego.store.values import back_name
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.linked import both_edited
from target_powerofficego.sync.orders import draft, reading
from target_powerofficego.sync.orders.context import (
    ORDERS,
    STAMP,
    OrderInGoForm,
    OrderTools,
    Settled,
    agreed_state,
    changed_header,
    changed_lines,
    changed_on_invoice,
    has_outdated_credits,
    is_changed,
    partially_agreed,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.state import OrderState
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.store.link_store import Link, Unsettled


def compare(tools: OrderTools, order: OrderInGoForm, link: Link) -> Settled:
    """Write what the shop changed in a linked order, or compare what was not found equal yet.

    Raises:
        Undecidable: with a Hold.
    """
    state = state_of(link)
    entry = tools.index.entry(ORDERS, link.go_id)
    is_invoice = entry is not None and entry.is_invoice
    if not is_invoice and _is_other_vat_or_address(order, state):
        reading.require_no_foreign_vat(tools, order, by_hand="edit")
    order = reading.with_address(tools, order, state)
    if not is_changed(tools.table, order, state) and not has_outdated_credits(order, state):
        link = _with_amounts(tools, order, link)
        is_due = tools.store.intents.is_comparison_due(ORDERS, link.shop_id)
        if is_due or state.is_unlocked:
            link = _compare_again(tools, order, link)
        return Settled(order, link, Nothing())
    try:
        return _merge_and_write(tools, order, link)
    except TestFailed:  # the store has what was written until then
        link = tools.store.links.get(ORDERS, link.shop_id) or link
    try:
        return _merge_and_write(tools, order, link)
    except TestFailed:
        raise Undecidable(draft.EDITED_MEANWHILE) from None


def _with_amounts(tools: OrderTools, order: OrderInGoForm, link: Link) -> Link:
    """Keep what the order comes to in the shop now; if that is something else, it is compared.

    A VAT rate that the shop corrects changes no line in Go. With that is kept which refunds it is
    less: once it is invoiced, those are not credited.
    """
    before = state_of(link)
    state = before.with_amounts(order.amounts, order.read_at)
    with tools.store.transaction():
        if state is not before and before.amounts is not None:
            tools.store.intents.note_comparison(ORDERS, link.shop_id)
        return tools.save(link, state.with_refunds(order.refunds, order.read_at))


def _compare_again(tools: OrderTools, order: OrderInGoForm, link: Link) -> Link:
    """Compare an order that was never found to be as the shop has it: a person may mend it."""
    entry = tools.index.entry(ORDERS, link.go_id)
    before = tools.store.unsettled.get(ORDERS, link.shop_id)
    if before and entry and _is_as_held(tools, entry, before, order, link):
        raise Undecidable(Hold(before.reason, before.detail))
    complete = draft.read(tools, link)
    if isinstance(complete, Entry):
        body = tools.read_invoice(link)
        differing = total_difference(order.total, body.get("TotalAmount"))
        differing = differing or vat_difference(order.lines, body)
        draft.require_equal([f"on its invoice {differing}"] if differing else [])
    else:
        link = draft.with_go_lines(tools, link, complete)
        link = draft.settle_differences(tools, order, link, complete)
    tools.store.intents.end_comparison(ORDERS, link.shop_id)
    return link


def _is_as_held(
    tools: OrderTools, entry: Entry, before: Unsettled, order: OrderInGoForm, link: Link
) -> bool:
    """Return whether nobody has touched a held order in Go since, by the index, without a call."""
    may_mend = draft.ROUNDING_HINT in before.reason and tools.settings.service_codes.rounding
    return (
        before.kind == "hold"
        and not before.reason.startswith(ITS_PAYMENT)
        and not may_mend
        and not entry.is_invoice
        and entry.body.get(STAMP) == link.own_stamp
        and total_difference(order.total, entry.body.get("TotalAmount")) is not None
    )


def _merge_and_write(tools: OrderTools, order: OrderInGoForm, link: Link) -> Settled:
    """Merge with what Go has now, write what follows, and compare what came of it.

    Raises:
        TestFailed: Go was edited meanwhile; the store has what was written until then.
    """
    complete = draft.read(tools, link)
    if isinstance(complete, Entry):
        return Settled(order, link, Nothing(), complete)
    link = draft.with_go_lines(tools, link, complete)
    in_go = lines_by_reference(complete)
    header = _merge_header(tools, order, link, complete)
    lines = merge_lines(order.members, in_go, state_of(link).lines)
    _require_decided(tools, link, header, lines)
    if not header.writes and lines.is_empty:
        link = _agreed(tools, order, link, header, lines, complete)
        return _compared(tools, order, link, complete, Nothing())
    if complete.get("SalesOrderStatus") == "Confirmed":
        link = draft.unlock(tools, link, order.read_at)
    link = draft.write_header(tools, order, link, header.writes)
    _, written = draft.write_lines(tools, order, link, lines, in_go)
    change = Patch((*_shown_header(order, header), *lines.planned()))
    if tools.run.plan.is_dry:
        return Settled(order, link, change)
    answer = draft.read_complete(tools, link, written)
    # of lines that were written in part, the state before tells what only Go changed
    link = replace(link, own_stamp=answer.get(STAMP))
    link = _agreed(tools, order, link, header, lines, answer)
    return _compared(tools, order, link, answer, change)


def _is_other_vat_or_address(order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether an order goes to another address or customer, or bears other VAT, by now."""
    known = state.amounts
    return not state.goes_to(order.address_key) or (
        known is not None and known.by_rate != order.amounts.by_rate
    )


def _merge_header(
    tools: OrderTools, order: OrderInGoForm, link: Link, complete: Mapping[str, Any]
) -> Merge:
    settings = tools.settings
    return merge(
        tools.table,
        Side(order.header, order.read_at),
        go_side(tools.table, complete, now()),
        link.base,
        owners=settings.owners[ORDERS],
        evidence=Evidence(
            shop=human_edit(order.shop_order.updated_at, link.own_shop_stamp),
            go=human_edit(complete.get(STAMP), link.own_stamp),
            margin=settings.clock_margin,
            asked=tools.store.conflicts.undecided(ORDERS, link.shop_id),
        ),
    )


def _require_decided(tools: OrderTools, link: Link, header: Merge, lines: LinesMerge) -> None:
    """Note what both sides changed, and see that none of it is a person's to decide.

    Raises:
        Undecidable: with a Hold, when it is.
    """
    for conflict in (*header.conflicts, *lines.conflicts):
        tools.run.note_conflict(ORDERS, link.shop_id, conflict)
    if header.open_conflicts:
        raise Undecidable(both_edited(header.open_conflicts))
    if lines.conflicts:
        raise Undecidable(Hold("; ".join(conflict.reason for conflict in lines.conflicts)))


def _compared(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
    change: Nothing | Patch,
) -> Settled:
    """Compare what came of a merge to the øre, and return the order as settled."""
    link = draft.settle_differences(tools, order, link, answer)
    tools.store.intents.end_comparison(ORDERS, link.shop_id)
    return Settled(order, link, change)


def _agreed(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    header: Merge,
    lines: LinesMerge,
    answer: Mapping[str, Any],
) -> Link:
    """Keep what both sides now agree on; rows that only Go changed keep their base.

    That it is the shop's order to the øre is yet to be found.
    """
    before, agreed = state_of(link), agreed_state(tools.table, order, answer)
    written = {row.row for row in header.writes}
    unwritten = {
        name: header.base[name]
        for name in agreed.rows
        if name in header.base and name not in written
    }
    partly = {
        reference: partially_agreed(
            one, before.lines.get(reference), lines.changed.get(reference, ())
        )
        for reference, one in agreed.lines.items()
    }
    state = agreed.with_rows(unwritten).with_lines(partly).after(before)
    with tools.store.transaction():
        link = tools.save(link, state)
        tools.store.intents.note_comparison(ORDERS, link.shop_id)
        tools.index.remember(ORDERS, answer, now())
        tools.store.settled.note_version(back_name(ORDERS), link.shop_id, answer.get(STAMP))
    return link


def _shown_header(order: OrderInGoForm, header: Merge) -> Iterator[RowChange]:
    """Yield what was written to a header, for a plan: without ids, which Go has yet to give."""
    ids = {"customer": order.shop_order.customer_label, "shipping_address": "another"}
    for row in header.writes:
        yield replace(row, before=None, after=ids[row.row]) if row.row in ids else row


# What stands on an invoice


def require_as_invoiced(
    table: Table, order: OrderInGoForm, state: OrderState, invoice: Entry
) -> None:
    """See that who buys what for how much is as invoiced.

    Raises:
        Undecidable: with a Hold, when it is not.
    """
    if changed := changed_on_invoice(table, order, state):
        reason = (
            f"it is invoiced in Go (invoice {invoice.body.get('InvoiceNo')}), and the shop then"
            f" changed {', '.join(changed)}: an invoice is never edited (total with VAT: the"
            f" shop says {order.total}, the invoice {total_of(invoice)}"
            f"{_other_vat(order, state)}). Credit it in Go, then acknowledge"
        )
        raise Undecidable(Hold(reason))


def _other_vat(order: OrderInGoForm, state: OrderState) -> str:
    """Name the VAT of an order now and before, where it is another; of one total it may be."""
    before = state.amounts.total.tax if state.amounts else None
    vat = order.amounts.total.tax
    return "" if before in (None, vat) else f"; VAT in it: {vat}, before {before}"


def require_total(order: OrderInGoForm, invoice: Entry) -> None:
    """See that an invoice comes to what the shop's order does, before more is credited of it.

    Raises:
        Undecidable: with a Hold, when it does not.
    """
    if total_of(invoice) != order.total:
        reason = (
            f"its invoice {invoice.body.get('InvoiceNo')} is not the shop's order (total with VAT:"
            f" the shop says {order.total}, the invoice {total_of(invoice)}): see in Go what is"
            " left to credit"
        )
        raise Undecidable(Hold(reason))


def accept_differences(tools: OrderTools, order: OrderInGoForm, link: Link) -> Link:
    """Keep both sides' values as they stand, so that `differences` lists what differs.

    A property that Go has edited too is left to the way back, which merges it.
    """
    state, body, read_at = state_of(link), tools.read_invoice(link), order.read_at
    rows = {}
    for name in changed_header(tools.table, order, state):
        row, agreed = tools.table.row(name), state.base[name]
        if not row.direction.reaches_shop or row.are_equal(row.from_go(body), agreed.go):
            rows[name] = replace(agreed, shop=order.header[name], shop_read_at=read_at)
    lines = {
        reference: replace(
            state.lines[reference], shop=order.members[reference], shop_read_at=read_at
        )
        for reference in changed_lines(order, state)
        if reference in order.members and reference in state.lines
    }
    state = state.with_rows(rows).with_lines(lines).with_address(order.address_key, read_at)
    return tools.save(link, state.invoiced(read_at).with_amounts(order.amounts, read_at))


def total_of(invoice: Entry) -> Decimal:
    """Return what an invoice or order of Go comes to with VAT."""
    return round_to_ore(total_in_go(invoice.body))
