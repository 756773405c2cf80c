"""A linked order: the shop's edits go to its Draft in Go; an invoice is left alone."""

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


def update(tools: OrderTools, order: OrderInGoForm, link: Link) -> Settled:
    """Write what the shop changed in a linked order, or compare it if it was not equal so far.

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
    except TestFailed:  # the store already has what was written until then
        link = tools.store.links.get(ORDERS, link.shop_id) or link
    try:
        return _merge_and_write(tools, order, link)
    except TestFailed:
        raise Undecidable(draft.EDITED_MEANWHILE) from None


def _with_amounts(tools: OrderTools, order: OrderInGoForm, link: Link) -> Link:
    """Store the amounts of an order in the shop; if they have changed, it is compared with Go's.

    A VAT rate that the shop corrects does not change a line in Go. The subtracted refunds are
    stored too: once the order is invoiced, they must not be credited.
    """
    before = state_of(link)
    state = before.with_amounts(order.amounts, order.read_at)
    with tools.store.transaction():
        if state is not before and before.amounts is not None:
            tools.store.intents.note_comparison(ORDERS, link.shop_id)
        return tools.save(link, state.with_refunds(order.refunds, order.read_at))


def _compare_again(tools: OrderTools, order: OrderInGoForm, link: Link) -> Link:
    """Compare an order that has never equalled the shop's: a person may have corrected it."""
    entry = tools.index.entry(ORDERS, link.go_id)
    previous = tools.store.unsettled.get(ORDERS, link.shop_id)
    if previous and entry and _is_untouched_since(tools, entry, previous, order, link):
        raise Undecidable(Hold(previous.reason, previous.detail))
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


def _is_untouched_since(
    tools: OrderTools, entry: Entry, previous: Unsettled, order: OrderInGoForm, link: Link
) -> bool:
    """Return whether nobody has touched a held order in Go since, by the index, without a call."""
    is_correctable = (
        draft.ROUNDING_HINT in previous.reason and tools.settings.service_codes.rounding
    )
    return (
        previous.kind == "hold"
        and not previous.reason.startswith(ITS_PAYMENT)
        and not is_correctable
        and not entry.is_invoice
        and entry.body.get(STAMP) == link.own_stamp
        and total_difference(order.total, entry.body.get("TotalAmount")) is not None
    )


def _merge_and_write(tools: OrderTools, order: OrderInGoForm, link: Link) -> Settled:
    """Merge an order with Go's, write the result, and compare Go's answer with the shop's order.

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
    # built on the link from before the lines were written, which shows what only Go changed in them
    link = replace(link, own_stamp=answer.get(STAMP))
    link = _agreed(tools, order, link, header, lines, answer)
    return _compared(tools, order, link, answer, change)


def _is_other_vat_or_address(order: OrderInGoForm, state: OrderState) -> bool:
    """Return whether an order now goes to another address or customer, or has other VAT."""
    agreed = state.amounts
    return not state.goes_to(order.address_key) or (
        agreed is not None and agreed.by_rate != order.amounts.by_rate
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
    """Note what both sides changed, and require that no person must decide it.

    Raises:
        Undecidable: with a Hold, when a person must.
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
    """Compare the result of a merge to the øre, and return the order as settled."""
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
    """Store what both sides now agree on; rows that only Go changed keep their base.

    The order has still to be compared with the shop's to the øre.
    """
    before, agreed = state_of(link), agreed_state(tools.table, order, answer)
    written = {row.row for row in header.writes}
    unwritten = {
        name: header.base[name]
        for name in agreed.rows
        if name in header.base and name not in written
    }
    merged_lines = {
        reference: partially_agreed(
            line, before.lines.get(reference), lines.changed.get(reference, ())
        )
        for reference, line in agreed.lines.items()
    }
    state = agreed.with_rows(unwritten).with_lines(merged_lines).after(before)
    with tools.store.transaction():
        link = tools.save(link, state)
        tools.store.intents.note_comparison(ORDERS, link.shop_id)
        tools.index.remember(ORDERS, answer, now())
        tools.store.settled.note_version(back_name(ORDERS), link.shop_id, answer.get(STAMP))
    return link


def _shown_header(order: OrderInGoForm, header: Merge) -> Iterator[RowChange]:
    """Yield the changes of a header for a plan: without ids, which Go has yet to assign."""
    ids = {"customer": order.shop_order.customer_label, "shipping_address": "another"}
    for row in header.writes:
        yield replace(row, before=None, after=ids[row.row]) if row.row in ids else row


# An order that is invoiced


def require_as_invoiced(
    table: Table, order: OrderInGoForm, state: OrderState, invoice: Entry
) -> None:
    """Require that the shop has not changed the customer or lines of an invoiced order.

    Raises:
        Undecidable: with a Hold, when it has.
    """
    if changed := changed_on_invoice(table, order, state):
        *first, last = (f"the {name}" for name in changed)
        names = f"{', '.join(first)} and {last}" if first else last
        reason = (
            f"it is invoiced in Go (invoice {invoice.body.get('InvoiceNo')}), and the shop then"
            f" changed {names}: an invoice is never edited (total with VAT: {order.total} in the"
            f" shop, {total_of(invoice)} on the invoice{_changed_vat(order, state)}). Credit it in"
            " Go, then acknowledge"
        )
        raise Undecidable(Hold(reason))


def _changed_vat(order: OrderInGoForm, state: OrderState) -> str:
    """Return in words the VAT of an order now and before, if it changed; totals may be equal."""
    before = state.amounts.total.tax if state.amounts else None
    vat = order.amounts.total.tax
    return "" if before in (None, vat) else f"; VAT: {vat}, before {before}"


def require_total(order: OrderInGoForm, invoice: Entry) -> None:
    """Require that an invoice has the total of the shop's order, before more of it is credited.

    Raises:
        Undecidable: with a Hold, when it has not.
    """
    if total_of(invoice) != order.total:
        reason = (
            f"its invoice {invoice.body.get('InvoiceNo')} is not the shop's order (total with VAT:"
            f" {order.total} in the shop, {total_of(invoice)} on the invoice): check in Go what is"
            " left to credit"
        )
        raise Undecidable(Hold(reason))


def accept_differences(tools: OrderTools, order: OrderInGoForm, link: Link) -> Link:
    """Store both sides' values as they are, so that `differences` lists what differs.

    A property that was edited in Go too is left to the way back, which merges it.
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
    """Return the total of an invoice or order in Go, with VAT."""
    return round_to_ore(total_in_go(invoice.body))
