"""Writes to a Draft in Go, and compares the order with the shop's, to the øre.

An odd øre of Go's rounding is mended; an order that we unlocked is locked again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.answer import (
    ROUNDING,
    Correction,
    answer_differences,
    find_correction,
    rate_differences,
    total_in_go,
)
from target_powerofficego.dataflow.orders.line_amounts import ZERO, Money
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS, Service, service_line
from target_powerofficego.dataflow.table import Agreement, now
from target_powerofficego.dataflow.values import Value, is_before, normalise_code
from target_powerofficego.decisions.changes import (
    Delete,
    Hold,
    Nothing,
    OrderDiffers,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.merge import (
    LinesMerge,
    are_lines_equal,
    lines_by_reference,
    merge_lines,
)
from target_powerofficego.go_api import NotFound, TestFailed, TryAgainLater
from target_powerofficego.settle.writes import look_twice
from target_powerofficego.sync.go.operations import line_destination
from target_powerofficego.sync.orders.context import (
    ORDERS,
    STAMP,
    OrderInGoForm,
    OrderTools,
    partially_agreed,
    state_of,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

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


_MOST_ROUNDS = 4
ROUNDING_HINT = "with rounding_product_code set, the odd øre would go on a line of its own"


def read_complete(
    tools: OrderTools, link: Link, written: Written | None = None
) -> Mapping[str, Any]:
    """Return an order with its lines as Go has it now, our own last writes included.

    `written` is what Go answered to writes of lines. Reads may come from a replica that is a second
    behind (known of PowerOffice Go v1).

    Raises:
        NotFound: Go has no such sales order: it is invoiced or removed.
        TryAgainLater: Go keeps showing it as it was before; the next run compares again.
    """
    behind = ""
    for _ in range(_READS_AFTER_WRITES):
        complete: Mapping[str, Any] = tools.go.read(f"/SalesOrders/{link.go_id}/Complete")
        behind = _what_is_behind(complete, link, written or {})
        if not behind:
            return complete
        tools.run.wait(_REPLICA_SECONDS)
    raise TryAgainLater(behind)


def _what_is_behind(complete: Mapping[str, Any], link: Link, written: Written) -> str:
    """Say which write of ours an order does not show yet; empty: it shows all."""
    if is_before(complete.get(STAMP), link.own_stamp):
        return f"Go shows sales order {link.go_id} as it was before it was last written"
    shown = lines_by_reference(complete)
    if all(are_lines_equal(shown.get(reference), line) for reference, line in written.items()):
        return ""
    return f"Go does not show yet what it answered to the lines of sales order {link.go_id}"


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


def unlock(tools: OrderTools, link: Link, read_at: datetime.datetime) -> Link:
    """Set a Confirmed order to Draft, so that it can be edited; return its link.

    That it is to be Confirmed again is kept first, so that it is whatever comes in between.

    Raises:
        TestFailed: Go was edited meanwhile.
        Undecidable: with a Park, when that may be an earlier change of ours without an answer.
    """
    marked = tools.save(link, state_of(link).unlocked(read_at))
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
    return tools.save(link, state_of(link).locked())


def _set_status(
    tools: OrderTools, link: Link, read_at: datetime.datetime, before: str, after: str
) -> Link:
    row = RowChange(_STATUS, f"/{_STATUS}", before, after)
    answer = tools.change(link, [row], read_at)
    return tools.save_step(replace(link, own_stamp=answer.body.get(STAMP)), answer.intent)


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
    return tools.save_step(link, answer.intent)


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
        link = tools.save_step(link, deletion.intent)
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
        agreed = partially_agreed(agreed, state.lines.get(reference), rows)
        link = replace(link, base=state.with_lines({reference: agreed}).base)
    return tools.save_step(link, answer.intent)


def delete(tools: OrderTools, link: Link) -> Entry | Delete | Nothing:
    """Delete a Draft, and its link; return the invoice instead if a person just sent it."""
    deletion = tools.writer.delete(ORDERS, link.shop_id, f"/SalesOrders/{link.go_id}")
    invoice = _invoice_shown_late(tools, link) if deletion.was_gone else None
    with tools.store.transaction():
        if invoice is None:
            forget(tools, link)
        tools.store.intents.end(deletion.intent)
    if invoice is not None:
        return invoice
    return Nothing("gone from Go already") if deletion.was_gone else Delete()


def forget(tools: OrderTools, link: Link) -> None:
    """Forget the link of an order that Go has no more."""
    with tools.store.transaction():
        tools.store.links.delete(ORDERS, link.shop_id)
        tools.store.intents.end_comparison(ORDERS, link.shop_id)
        tools.index.forget(ORDERS, link.go_id)


def differences(order: OrderInGoForm, answer: Mapping[str, Any], link: Link) -> Sequence[str]:
    """Say in words where currency, total or VAT rates in Go are not the shop's."""
    edited = _edited_in_go(order, answer, link)
    differing = answer_differences(order.lines, order.total, answer, edited_in_go=edited)
    shop, go = order.header.get("currency"), answer.get("CurrencyCode")
    if shop and go and normalise_code(shop) != normalise_code(go):
        return (f"the shop says {shop}, Go says {go}", *differing)
    return differing


def note(tools: OrderTools, link: Link, differing: Sequence[str]) -> None:
    """Keep that an order differs from Go's until it is found not to."""
    keep = tools.store.intents.note_comparison if differing else tools.store.intents.end_comparison
    keep(ORDERS, link.shop_id)


def require_equal(differing: Sequence[str]) -> None:
    """See that the total and the VAT rates of an order in Go are the shop's.

    Raises:
        OrderDiffers: they are not; the order stays as it is.
    """
    if differing:
        raise OrderDiffers(differing)


def require_as_in_shop(
    tools: OrderTools, order: OrderInGoForm, complete: Mapping[str, Any], link: Link
) -> Link:
    """See that Go's order is the shop's, before it goes on; return its link.

    Raises:
        OrderDiffers: it is not.
    """
    link = with_go_lines(tools, link, complete)
    differing = differences(order, complete, link)
    note(tools, link, differing)
    require_equal(differing)
    return link


def with_go_lines(tools: OrderTools, link: Link, complete: Mapping[str, Any]) -> Link:
    """Keep Go's lines of an order that was met, once they are read for the first time."""
    return tools.save(link, state_of(link).with_go_lines(lines_by_reference(complete), now()))


def settle_differences(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
) -> Link:
    """Mend what only Go's rounding set off, and lock an order again that we unlocked.

    Raises:
        Undecidable: with a Hold, when Go's order still is not the shop's.
    """
    differing = differences(order, answer, link)
    if differing:
        link, differing = _mended(tools, order, link, answer, differing)
        note(tools, link, differing)
    require_equal(differing)
    return lock_again(tools, link, order.read_at)


def _mended(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
    differing: Sequence[str],
) -> tuple[Link, Sequence[str]]:
    """Mend a Draft of which only the total is off; return its link, and what differs still.

    An order that a person has Confirmed as it is stays so.

    Raises:
        Undecidable: with a Hold, when Go was edited meanwhile.
    """
    before = Correction()
    for _ in range(_MOST_ROUNDS):
        is_locked = answer.get("SalesOrderStatus") == "Confirmed"
        if not differing or is_locked or rate_differences(order.lines, answer):
            break
        edited = _edited_in_go(order, answer, link)
        wanted = _mending(tools, order, answer, edited, before)
        if wanted is None:
            return link, _with_hint(tools, order, answer, edited, differing)
        try:
            link, written = _carry_out(tools, order, link, answer, wanted)
        except TestFailed:
            raise Undecidable(EDITED_MEANWHILE) from None
        if tools.run.plan.is_dry:  # what Go makes of it is no part of a plan
            return link, ()
        answer = read_complete(tools, link, written)
        before = before.then(wanted)
        link = replace(link, own_stamp=answer.get(STAMP))
        tools.store.links.put(link)  # what was written here is no edit of a person's
        differing = differences(order, answer, link)
    return link, differing


def _mending(
    tools: OrderTools,
    order: OrderInGoForm,
    answer: Mapping[str, Any],
    edited: frozenset[str],
    before: Correction,
) -> Correction | None:
    """Return how to mend an order, if that changes anything in Go."""
    may_add_line = tools.settings.service_codes.rounding is not None
    wanted = find_correction(
        order.lines,
        order.total,
        answer,
        edited_in_go=edited,
        may_add_line=may_add_line,
        before=before,
    )
    if wanted is None or (wanted.rounding == _rounding_there(answer) and not wanted.prices):
        return None
    return wanted


def _with_hint(
    tools: OrderTools,
    order: OrderInGoForm,
    answer: Mapping[str, Any],
    edited: frozenset[str],
    differing: Sequence[str],
) -> Sequence[str]:
    """Return what differs, with what setting would mend it."""
    if tools.settings.service_codes.rounding is not None:
        return differing
    could = find_correction(
        order.lines, order.total, answer, edited_in_go=edited, may_add_line=True
    )
    return differing if could is None else [*differing[:-1], f"{differing[-1]} ({ROUNDING_HINT})"]


def _carry_out(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
    wanted: Correction,
) -> tuple[Link, Written]:
    """Write new unit prices and the line for rounding."""
    in_go = lines_by_reference(answer)
    changed: dict[str, tuple[RowChange, ...]] = {
        reference: (_change(in_go[reference], "ProductUnitPrice", price),)
        for reference, price in wanted.prices.items()
    }
    added: dict[str, Mapping[str, Value]] = {}
    removed: tuple[str, ...] = ()
    if wanted.rounding:
        line = _rounding_line(tools, order, wanted.rounding)
        if ROUNDING in in_go:
            changed[ROUNDING] = _changes_of(in_go[ROUNDING], line)
        else:
            added = {ROUNDING: line}
    elif ROUNDING in in_go:
        removed = (ROUNDING,)
    lines = LinesMerge(added, changed, removed, frozenset(), ())
    return write_lines(tools, order, link, lines, in_go)


def _changes_of(there: Mapping[str, Value], line: Mapping[str, Value]) -> tuple[RowChange, ...]:
    return tuple(
        _change(there, name, line[name])
        for name, same in LINE_MEMBERS.items()
        if name in ("Quantity", "ProductUnitPrice") and same(there.get(name)) != same(line[name])
    )


def _change(there: Mapping[str, Value], name: str, value: Value) -> RowChange:
    return RowChange(name, f"/{name}", there.get(name), value)


def _rounding_line(tools: OrderTools, order: OrderInGoForm, amount: Decimal) -> Mapping[str, Value]:
    """Return the line that bears what rounding does not reach.

    Raises:
        Undecidable: with a Hold, when its product cannot be made.
    """
    code = tools.settings.service_codes.rounding or ""
    service = Service(code, "Øreavrunding")
    product = tools.products.service(service, ZERO, order.read_at)
    if product is None:
        raise Undecidable(Hold(f"the odd øre needs the product {code}, which could not be made"))
    total = Money(amount, ZERO, amount)
    line = service_line(ROUNDING, service, service.name, len(order.lines), ZERO, total)
    return line.values(product, standard_account=True)


def _edited_in_go(order: OrderInGoForm, answer: Mapping[str, Any], link: Link) -> frozenset[str]:
    in_go = lines_by_reference(answer)
    return merge_lines(order.members, in_go, state_of(link).lines).edited_in_go


def _rounding_there(answer: Mapping[str, Any]) -> Decimal:
    lines = answer.get("SalesOrderLines") or ()
    ours = [line for line in lines if line.get("ExternalImportReference") == ROUNDING]
    return total_in_go(ours[0] if ours else None)
