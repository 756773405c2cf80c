"""Whether an order in Go is the shop's, to the øre; an odd øre of Go's rounding is mended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.answer import (
    ROUNDING,
    Mending,
    answer_differences,
    mending,
    rate_differences,
    total_in_go,
)
from target_powerofficego.dataflow.orders.line_amounts import ZERO, Money
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS, Service, service_line
from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import Value, same_code
from target_powerofficego.decisions.changes import Differing, Hold, RowChange, Undecidable
from target_powerofficego.decisions.merge import LinesMerge, lines_by_reference, merge_lines
from target_powerofficego.go_api import TestFailed
from target_powerofficego.sync.orders import draft
from target_powerofficego.sync.orders.context import ORDERS, STAMP, OrderTools, state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.orders.wanted import OrderInGoForm

_MOST_ROUNDS = 4
ROUNDING_HINT = "with rounding_product_code set, the odd øre would go on a line of its own"


def differences(order: OrderInGoForm, answer: Mapping[str, Any], link: Link) -> Sequence[str]:
    """Say in words where currency, total or VAT rates in Go are not the shop's."""
    edited = _edited_in_go(order, answer, link)
    differing = answer_differences(order.lines, order.total, answer, edited_in_go=edited)
    shop, go = order.header.get("currency"), answer.get("CurrencyCode")
    if shop and go and same_code(shop) != same_code(go):
        return (f"the shop says {shop}, Go says {go}", *differing)
    return differing


def note(tools: OrderTools, link: Link, differing: Sequence[str]) -> None:
    """Keep that an order differs from Go's until it is found not to."""
    keep = tools.store.intents.note_comparison if differing else tools.store.intents.end_comparison
    keep(ORDERS, link.shop_id)


def require_equal(differing: Sequence[str]) -> None:
    """See that the total and the VAT rates of an order in Go are the shop's.

    Raises:
        Differing: they are not; the order stays as it is.
    """
    if differing:
        raise Differing(differing)


def require_as_in_shop(
    tools: OrderTools, order: OrderInGoForm, complete: Mapping[str, Any], link: Link
) -> Link:
    """See that Go's order is the shop's, before it goes on; return its link.

    Raises:
        Differing: it is not.
    """
    link = with_lines_of_go(tools, link, complete)
    differing = differences(order, complete, link)
    note(tools, link, differing)
    require_equal(differing)
    return link


def with_lines_of_go(tools: OrderTools, link: Link, complete: Mapping[str, Any]) -> Link:
    """Keep Go's lines of an order that was met, once they are read for the first time."""
    return tools.keep(link, state_of(link).with_lines_of_go(lines_by_reference(complete), now()))


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
    return draft.lock_again(tools, link, order.read_at)


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
    before = Mending()
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
            raise Undecidable(draft.EDITED_MEANWHILE) from None
        if tools.run.plan.is_dry:  # what Go makes of it is no part of a plan
            return link, ()
        answer = draft.read_after_writes(tools, link, written)
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
    before: Mending,
) -> Mending | None:
    """Return how to mend an order, if that changes anything in Go."""
    may_add_line = tools.settings.service_codes.rounding is not None
    wanted = mending(
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
    could = mending(order.lines, order.total, answer, edited_in_go=edited, may_add_line=True)
    return differing if could is None else [*differing[:-1], f"{differing[-1]} ({ROUNDING_HINT})"]


def _carry_out(
    tools: OrderTools,
    order: OrderInGoForm,
    link: Link,
    answer: Mapping[str, Any],
    wanted: Mending,
) -> tuple[Link, draft.Written]:
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
    return draft.write_lines(tools, order, link, lines, in_go)


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
