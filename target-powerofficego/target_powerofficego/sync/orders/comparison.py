"""Whether an order in Go is the shop's, to the øre; an odd øre of Go's rounding is mended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.answer import (
    ROUNDING,
    answer_differences,
    rate_differences,
    total_in_go,
)
from target_powerofficego.dataflow.orders.charges import service_line
from target_powerofficego.dataflow.orders.line_amounts import ZERO, Money
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS, Service
from target_powerofficego.dataflow.orders.rounding import Mending, mending
from target_powerofficego.dataflow.values import same_code
from target_powerofficego.decisions.changes import Hold, RowChange, Undecidable
from target_powerofficego.decisions.merge_lines import (
    LinesMerge,
    base_members,
    lines_by_reference,
    merge_lines,
)
from target_powerofficego.go_api import TestFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.orders.draft import Drafts
    from target_powerofficego.sync.orders.wanted import OrderInGoForm
    from target_powerofficego.sync.products import ProductsWalk

_MOST_ROUNDS = 4
ROUNDING_HINT = "with rounding_product_code set, the odd øre would go on a line of its own"


class OrderComparison:
    """Compares orders with what Go made of them, and mends Drafts that only rounding set off."""

    entity = "orders"

    def __init__(self, tools: Tools, drafts: Drafts, products: ProductsWalk) -> None:
        self._tools = tools
        self._drafts = drafts
        self._products = products

    def differences(
        self, order: OrderInGoForm, answer: Mapping[str, Any], link: Link
    ) -> Sequence[str]:
        """Say in words where currency, total or VAT rates in Go are not the shop's."""
        edited = _edited_in_go(order, answer, link)
        found = answer_differences(order.lines, order.total, answer, edited_in_go=edited)
        shop, go = order.header.get("currency"), answer.get("CurrencyCode")
        if shop and go and same_code(shop) != same_code(go):
            return (f"the shop says {shop}, Go says {go}", *found)
        return found

    def note(self, order: OrderInGoForm, found: Sequence[str]) -> None:
        """Keep that an order differs from Go's until it is found not to."""
        store = self._tools.store
        note = store.note_comparison if found else store.end_comparison
        note(self.entity, order.record.id)

    def mended(
        self, order: OrderInGoForm, link: Link, answer: Mapping[str, Any], found: Sequence[str]
    ) -> Sequence[str]:
        """Mend a Draft of which only the total is off; return what differs still.

        An order that a person has Confirmed as it is stays so.

        Raises:
            Undecidable: with a Hold, when Go was edited meanwhile.
        """
        before = Mending()
        for _ in range(_MOST_ROUNDS):
            edited = _edited_in_go(order, answer, link)
            is_locked = answer.get("SalesOrderStatus") == "Confirmed"
            if not found or is_locked or rate_differences(order.lines, answer):
                return found
            wanted = self._mending(order, answer, edited, before)
            if wanted is None:
                return self._with_hint(order, answer, edited, found)
            try:
                written = self._carry_out(order, link, answer, wanted)
            except TestFailed:
                raise Undecidable(Hold("Go was edited while this was to be written")) from None
            if self._tools.plan.is_dry:  # what Go makes of it is no part of a plan
                return ()
            answer = self._drafts.read_after_writes(link, written)
            before = before.then(wanted)
            link = self._tools.store.link(self.entity, link.shop_id) or link
            link = replace(link, own_stamp=answer.get("LastChangedDateTimeOffset"))
            self._tools.store.put_link(link)  # what was written here is no edit of a person's
            found = self.differences(order, answer, link)
        return found

    def _mending(
        self,
        order: OrderInGoForm,
        answer: Mapping[str, Any],
        edited: frozenset[str],
        before: Mending,
    ) -> Mending | None:
        """Return how to mend an order, if that changes anything in Go."""
        code = self._tools.settings.service_codes.rounding
        wanted = mending(
            order.lines,
            order.total,
            answer,
            edited_in_go=edited,
            may_add_line=code is not None,
            before=before,
        )
        if wanted is None or (wanted.rounding == _rounding_there(answer) and not wanted.prices):
            return None
        return wanted

    def _with_hint(
        self,
        order: OrderInGoForm,
        answer: Mapping[str, Any],
        edited: frozenset[str],
        found: Sequence[str],
    ) -> Sequence[str]:
        if self._tools.settings.service_codes.rounding is not None:
            return found
        could = mending(order.lines, order.total, answer, edited_in_go=edited, may_add_line=True)
        return found if could is None else [*found[:-1], f"{found[-1]} ({ROUNDING_HINT})"]

    def _carry_out(
        self, order: OrderInGoForm, link: Link, answer: Mapping[str, Any], wanted: Mending
    ) -> Mapping[str, Mapping[str, Any] | None]:
        """Write new unit prices and the line for rounding; return what Go answered by line."""
        in_go = lines_by_reference(answer)
        changed: dict[str, tuple[RowChange, ...]] = {
            reference: (
                RowChange(
                    "ProductUnitPrice",
                    "/ProductUnitPrice",
                    in_go[reference]["ProductUnitPrice"],
                    price,
                ),
            )
            for reference, price in wanted.prices.items()
        }
        added: dict[str, Mapping[str, Value]] = {}
        removed: tuple[str, ...] = ()
        there = in_go.get(ROUNDING)
        if there is not None and not wanted.rounding:
            removed = (ROUNDING,)
        elif wanted.rounding:
            line = self._rounding_line(order, wanted.rounding)
            if there is None:
                added = {ROUNDING: line}
            else:
                changed[ROUNDING] = _line_changes(there, line)
        lines = LinesMerge(added, changed, removed, frozenset(), ())
        return self._drafts.write_lines(order, link, lines, in_go)

    def _rounding_line(self, order: OrderInGoForm, amount: Decimal) -> Mapping[str, Value]:
        """Return the line that bears what rounding does not reach.

        Raises:
            Undecidable: with a Hold, when its product cannot be made.
        """
        code = self._tools.settings.service_codes.rounding or ""
        service = Service(code, "Øreavrunding")
        product = self._products.service(service, ZERO, order.read_at)
        if product is None:
            reason = f"the odd øre needs the product {code}, which could not be made"
            raise Undecidable(Hold(reason))
        total = Money(amount, ZERO, amount)
        place = len(order.lines)
        line = service_line(ROUNDING, service, service.name, place, ZERO, total)
        return line.values(product, standard_account=True)


def _edited_in_go(order: OrderInGoForm, answer: Mapping[str, Any], link: Link) -> frozenset[str]:
    in_go = lines_by_reference(answer)
    return merge_lines(order.members, in_go, base_members(link.base)).edited_in_go


def _rounding_there(answer: Mapping[str, Any]) -> Decimal:
    lines = answer.get("SalesOrderLines") or ()
    found = [one for one in lines if one.get("ExternalImportReference") == ROUNDING]
    return total_in_go(found[0] if found else None)


def _line_changes(there: Mapping[str, Value], line: Mapping[str, Value]) -> tuple[RowChange, ...]:
    return tuple(
        RowChange(name, f"/{name}", there.get(name), line[name])
        for name, same in LINE_MEMBERS.items()
        if name in ("Quantity", "ProductUnitPrice") and same(there.get(name)) != same(line[name])
    )
