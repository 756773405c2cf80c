"""Writes to a Draft in Go, and compares it with the shop's order, to the øre.

Single øre from Go's rounding are corrected, and an order that was unlocked is locked again.
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

GONE = Hold("it was removed in Go, and is not created again: acknowledge this")
EDITED_MEANWHILE = Hold("it was edited in Go while this run was writing it")

Written = dict[str, "Mapping[str, Any] | None"]
"""Go's answers to writes of lines, by reference; None for a line that was removed."""


_MAX_CORRECTIONS = 4
ROUNDING_HINT = "with rounding_product_code set, the odd øre would go on a line of its own"


def read_complete(
    tools: OrderTools, link: Link, written: Written | None = None
) -> Mapping[str, Any]:
    """Return an order with its lines as Go has it now, our own last writes included.

    `written` are Go's answers to writes of lines. A read may come from a replica that is a second
    behind (this is known of PowerOffice Go v1).

    Raises:
        NotFound: Go has no such sales order: it is invoiced or removed.
        TryAgainLater: Go keeps showing an earlier state; the next run compares again.
    """
    reason = ""
    for _ in range(_READS_AFTER_WRITES):
        complete: Mapping[str, Any] = tools.go.read(f"/SalesOrders/{link.go_id}/Complete")
        reason = _stale_reason(complete, link, written or {})
        if not reason:
            return complete
        tools.run.wait(_REPLICA_SECONDS)
    raise TryAgainLater(reason)


def _stale_reason(complete: Mapping[str, Any], link: Link, written: Written) -> str:
    """Return which write of ours an order does not show yet; empty if it shows all."""
    if is_before(complete.get(STAMP), link.own_stamp):
        return f"Go shows sales order {link.go_id} as it was before the last write"
    in_go = lines_by_reference(complete)
    if all(are_lines_equal(in_go.get(reference), line) for reference, line in written.items()):
        return ""
    return f"Go does not yet show the lines of sales order {link.go_id} as last written"


def find(tools: OrderTools, link: Link) -> Mapping[str, Any] | Entry | None:
    """Return the order with its lines as Go has it now, or its invoice once it is invoiced.

    None if it was removed.
    """
    try:
        return read_complete(tools, link)
    except NotFound:
        return tools.index.read_again(ORDERS, link.go_id)


def find_late(tools: OrderTools, link: Link) -> Mapping[str, Any] | Entry | None:
    """Return what `find` does, and also find an invoice that a replica shows a moment later."""
    return find(tools, link) or _find_late_invoice(tools, link)


def _find_late_invoice(tools: OrderTools, link: Link) -> Entry | None:
    return look_twice(lambda: tools.index.read_invoice(ORDERS, link.go_id), tools.run.wait)


def read(tools: OrderTools, link: Link) -> Mapping[str, Any] | Entry:
    """Return what `find` does.

    Raises:
        Undecidable: with a Hold, when it was removed.
    """
    current = find(tools, link)
    if current is None:
        raise Undecidable(GONE)
    return current


def unlock(tools: OrderTools, link: Link, read_at: datetime.datetime) -> Link:
    """Set a Confirmed order to Draft, so that it can be edited; return its link.

    That it must be Confirmed again is stored first, so that this is done whatever happens.

    Raises:
        TestFailed: Go was edited meanwhile.
        Undecidable: with a Park, when an earlier unanswered change of ours may be the reason.
    """
    marked = tools.save(link, state_of(link).unlocked(read_at))
    try:
        return _set_status(tools, marked, read_at, _CONFIRMED, _DRAFT)
    except (TestFailed, Undecidable):
        tools.store.links.put(link)
        raise


def lock_again(tools: OrderTools, link: Link, read_at: datetime.datetime) -> Link:
    """Set an order that was unlocked for an edit to Confirmed again; return its link.

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
    """Patch the header; return the link with what both sides now agree on.

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
    """Write lines one by one; return the updated link, and Go's answers.

    The base is stored after each step, so that an interrupted run continues where it was. Lines are
    removed last, so that the order is never without lines in between.
    """
    path = f"/SalesOrders/{link.go_id}/Lines"
    paths = {reference: f"{path}/{line['Id']}" for reference, line in in_go.items()}
    written: Written = {}
    for reference, rows in lines.changed.items():
        answer = tools.writer.change(
            ORDERS, link.shop_id, paths[reference], rows, read_at=order.read_at, line=reference
        )
        link = _agree_on_line(tools, order, link, reference, answer, rows)
        written[reference] = answer.body
    for reference, members in lines.added.items():
        body = {"ExternalImportReference": reference, **members}
        target = line_destination(link.shop_id, path, reference)
        answer = tools.writer.create(target, body, members, read_at=order.read_at)
        link = _agree_on_line(tools, order, link, reference, answer)
        written[reference] = answer.body
    for reference in lines.removed:
        deletion = tools.writer.delete(ORDERS, link.shop_id, paths[reference], line=reference)
        link = replace(link, base=state_of(link).without_line(reference).base)
        link = tools.save_step(link, deletion.intent)
        written[reference] = None
    return link, written


def _agree_on_line(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    reference: str,
    answer: Answer,
    rows: tuple[RowChange, ...] = (),
) -> Link:
    if reference in order.members:  # otherwise it is the line for rounding, which is not the shop's
        state = state_of(link)
        in_go = {member: answer.body.get(member) for member in ("Id", *LINE_MEMBERS)}
        agreed = Agreement(order.members[reference], in_go, order.read_at, now())
        agreed = partially_agreed(agreed, state.lines.get(reference), rows)
        link = replace(link, base=state.with_lines({reference: agreed}).base)
    return tools.save_step(link, answer.intent)


def delete(tools: OrderTools, link: Link) -> Entry | Delete | Nothing:
    """Delete a Draft and its link; return the invoice instead if a person has just sent it."""
    deletion = tools.writer.delete(ORDERS, link.shop_id, f"/SalesOrders/{link.go_id}")
    invoice = _find_late_invoice(tools, link) if deletion.was_gone else None
    with tools.store.transaction():
        if invoice is None:
            forget(tools, link)
        tools.store.intents.end(deletion.intent)
    if invoice is not None:
        return invoice
    return Nothing("gone from Go already") if deletion.was_gone else Delete()


def forget(tools: OrderTools, link: Link) -> None:
    """Forget the link of an order that is gone from Go."""
    with tools.store.transaction():
        tools.store.links.delete(ORDERS, link.shop_id)
        tools.store.intents.end_comparison(ORDERS, link.shop_id)
        tools.index.forget(ORDERS, link.go_id)


def differences(order: OrderInGoForm, answer: Mapping[str, Any], link: Link) -> Sequence[str]:
    """Return in words where currency, total or VAT rates in Go differ from the shop's."""
    edited = _edited_in_go(order, answer, link)
    differing = answer_differences(order.lines, order.total, answer, edited_in_go=edited)
    shop, go = order.header.get("currency"), answer.get("CurrencyCode")
    if shop and go and normalise_code(shop) != normalise_code(go):
        return (f"the shop says {shop}, Go says {go}", *differing)
    return differing


def note_comparison(tools: OrderTools, link: Link, differing: Sequence[str]) -> None:
    """Store whether an order has still to be compared with Go's, because it differs."""
    intents = tools.store.intents
    store = intents.note_comparison if differing else intents.end_comparison
    store(ORDERS, link.shop_id)


def require_equal(differing: Sequence[str]) -> None:
    """Require that an order in Go does not differ from the shop's.

    Raises:
        OrderDiffers: it does; it stays as it is.
    """
    if differing:
        raise OrderDiffers(differing)


def require_as_in_shop(
    tools: OrderTools, order: OrderInGoForm, complete: Mapping[str, Any], link: Link
) -> Link:
    """Require that Go's order equals the shop's, before it is processed further; return its link.

    Raises:
        OrderDiffers: it does not.
    """
    link = with_go_lines(tools, link, complete)
    differing = differences(order, complete, link)
    note_comparison(tools, link, differing)
    require_equal(differing)
    return link


def with_go_lines(tools: OrderTools, link: Link, complete: Mapping[str, Any]) -> Link:
    """Take Go's lines into the base of an order that was linked without them; return its link."""
    return tools.save(link, state_of(link).with_go_lines(lines_by_reference(complete), now()))


def settle_differences(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
) -> Link:
    """Correct differences that are only Go's rounding, and lock an order again that was unlocked.

    Raises:
        Undecidable: with a Hold, when Go's order still differs from the shop's.
    """
    differing = differences(order, answer, link)
    if differing:
        link, differing = _correct(tools, order, link, answer, differing)
        note_comparison(tools, link, differing)
    require_equal(differing)
    return lock_again(tools, link, order.read_at)


def _correct(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
    differing: Sequence[str],
) -> tuple[Link, Sequence[str]]:
    """Correct a Draft whose total alone is off; return its link, and what still differs.

    An order that a person has Confirmed stays as it is.

    Raises:
        Undecidable: with a Hold, when Go was edited meanwhile.
    """
    earlier = Correction()
    for _ in range(_MAX_CORRECTIONS):
        is_locked = answer.get("SalesOrderStatus") == "Confirmed"
        if not differing or is_locked or rate_differences(order.lines, answer):
            break
        edited = _edited_in_go(order, answer, link)
        correction = _next_correction(tools, order, answer, edited, earlier)
        if correction is None:
            return link, _with_hint(tools, order, answer, edited, differing)
        try:
            link, written = _write_correction(tools, order, link, answer, correction)
        except TestFailed:
            raise Undecidable(EDITED_MEANWHILE) from None
        if tools.run.plan.is_dry:  # a plan cannot show how Go would round
            return link, ()
        answer = read_complete(tools, link, written)
        earlier = earlier.then(correction)
        link = replace(link, own_stamp=answer.get(STAMP))
        tools.store.links.put(link)  # so that our own write does not count as a person's edit
        differing = differences(order, answer, link)
    return link, differing


def _next_correction(
    tools: OrderTools,
    order: OrderInGoForm,
    answer: Mapping[str, Any],
    edited: frozenset[str],
    earlier: Correction,
) -> Correction | None:
    """Return how to correct an order; None if nothing in Go would change."""
    may_add_line = tools.settings.service_codes.rounding is not None
    correction = find_correction(
        order.lines,
        order.total,
        answer,
        edited_in_go=edited,
        may_add_line=may_add_line,
        before=earlier,
    )
    if correction is None:
        return None
    is_same = correction.rounding == _rounding_in_go(answer) and not correction.prices
    return None if is_same else correction


def _with_hint(
    tools: OrderTools,
    order: OrderInGoForm,
    answer: Mapping[str, Any],
    edited: frozenset[str],
    differing: Sequence[str],
) -> Sequence[str]:
    """Return what differs, and mention the setting that would correct it."""
    if tools.settings.service_codes.rounding is not None:
        return differing
    correction = find_correction(
        order.lines, order.total, answer, edited_in_go=edited, may_add_line=True
    )
    if correction is None:
        return differing
    return [*differing[:-1], f"{differing[-1]} ({ROUNDING_HINT})"]


def _write_correction(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
    correction: Correction,
) -> tuple[Link, Written]:
    """Write new unit prices and the line for rounding."""
    in_go = lines_by_reference(answer)
    changed: dict[str, tuple[RowChange, ...]] = {
        reference: (_change(in_go[reference], "ProductUnitPrice", price),)
        for reference, price in correction.prices.items()
    }
    added: dict[str, Mapping[str, Value]] = {}
    removed: tuple[str, ...] = ()
    if correction.rounding:
        line = _rounding_line(tools, order, correction.rounding)
        if ROUNDING in in_go:
            changed[ROUNDING] = _amount_changes(in_go[ROUNDING], line)
        else:
            added = {ROUNDING: line}
    elif ROUNDING in in_go:
        removed = (ROUNDING,)
    lines = LinesMerge(added, changed, removed, frozenset(), ())
    return write_lines(tools, order, link, lines, in_go)


def _amount_changes(
    current: Mapping[str, Value], wanted: Mapping[str, Value]
) -> tuple[RowChange, ...]:
    """Return the changes of quantity and unit price from one line to another."""
    return tuple(
        _change(current, name, wanted[name])
        for name, normalise in LINE_MEMBERS.items()
        if name in ("Quantity", "ProductUnitPrice")
        and normalise(current.get(name)) != normalise(wanted[name])
    )


def _change(current: Mapping[str, Value], name: str, value: Value) -> RowChange:
    return RowChange(name, f"/{name}", current.get(name), value)


def _rounding_line(tools: OrderTools, order: OrderInGoForm, amount: Decimal) -> Mapping[str, Value]:
    """Return the line for an amount that changed unit prices cannot reach.

    Raises:
        Undecidable: with a Hold, when its product cannot be created.
    """
    code = tools.settings.service_codes.rounding or ""
    service = Service(code, "Øreavrunding")
    product = tools.products.service(service, ZERO, order.read_at)
    if product is None:
        reason = f"the line for the odd øre needs the product {code}, which could not be created"
        raise Undecidable(Hold(reason))
    total = Money(amount, ZERO, amount)
    line = service_line(ROUNDING, service, service.name, len(order.lines), ZERO, total)
    return line.values(product, standard_account=True)


def _edited_in_go(order: OrderInGoForm, answer: Mapping[str, Any], link: Link) -> frozenset[str]:
    in_go = lines_by_reference(answer)
    return merge_lines(order.members, in_go, state_of(link).lines).edited_in_go


def _rounding_in_go(answer: Mapping[str, Any]) -> Decimal:
    lines = answer.get("SalesOrderLines") or ()
    rounding = (line for line in lines if line.get("ExternalImportReference") == ROUNDING)
    return total_in_go(next(rounding, None))
