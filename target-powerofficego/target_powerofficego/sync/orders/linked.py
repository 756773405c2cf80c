"""An order that is linked: edited as a Draft as the shop was, and compared with it to the øre."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.agreement import now
from target_powerofficego.dataflow.buyers import BUYER, BUYER_TOLD
from target_powerofficego.dataflow.orders.amounts import AMOUNTS
from target_powerofficego.dataflow.orders.answer import total_difference, vat_difference
from target_powerofficego.dataflow.orders.payments import ITS_PAYMENT
from target_powerofficego.decisions.changes import (
    Change,
    Differing,
    Hold,
    Nothing,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.decisions.merge import Evidence, Side, go_side, human_edit, merge
from target_powerofficego.decisions.merge_lines import (
    LINE,
    LinesMerge,
    base_members,
    lines_by_reference,
    merge_lines,
)
from target_powerofficego.go_api import TestFailed
from target_powerofficego.store.ways import on_the_way_back
from target_powerofficego.sync.go.index import Entry
from target_powerofficego.sync.linked import both_edited
from target_powerofficego.sync.orders.comparison import ROUNDING_HINT
from target_powerofficego.sync.orders.wanted import (
    ADDRESS_KEY,
    REFUNDS,
    UNLOCKED,
    OrderInGoForm,
    agreed_base,
    has_other_refunds,
    is_changed,
    lasting,
    partly_agreed,
    with_amounts,
    with_lines_of_go,
    with_refunds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.decisions.merge import Merge
    from target_powerofficego.store.link_store import Link, Unsettled
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.orders.comparison import OrderComparison
    from target_powerofficego.sync.orders.draft import Drafts
    from target_powerofficego.sync.orders.invoiced import InvoicedOrders
    from target_powerofficego.sync.orders.reading import OrderForms


class LinkedOrders:
    """Writes what the shop changed in linked orders."""

    entity = "orders"

    def __init__(
        self,
        tools: Tools,
        forms: OrderForms,
        drafts: Drafts,
        comparison: OrderComparison,
        invoiced: InvoicedOrders,
    ) -> None:
        self.tools = tools
        self._forms = forms
        self._drafts = drafts
        self._comparison = comparison
        self._invoiced = invoiced

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self.tools.settings.tables[self.entity]

    def compare(self, order: OrderInGoForm, link: Link, *, at_end: bool) -> tuple[str, Change]:
        """Write what the shop changed in a linked order, or compare what was not found equal yet.

        Raises:
            Undecidable: with a Hold.
        """
        order = self._forms.with_address(order, link)
        if not is_changed(self.table, order, link) and not has_other_refunds(order, link):
            link = self._with_amounts(order, link)
            is_due = self.tools.store.is_comparison_due(self.entity, link.shop_id)
            if is_due or UNLOCKED in link.base:
                self._compare_again(order, link)
            return "unchanged", Nothing()
        try:
            return self._merge_and_write(order, link, at_end=at_end)
        except TestFailed:
            link = self.tools.store.link(self.entity, order.record.id) or link
        try:
            return self._merge_and_write(order, link, at_end=at_end)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be written")) from None

    def _with_amounts(self, order: OrderInGoForm, link: Link) -> Link:
        """Keep what the order comes to in the shop now; if that is something else, it is compared.

        A VAT rate that the shop corrects changes no line in Go.
        """
        kept = with_amounts(order, link)
        if kept is not link:
            with self.tools.store.transaction():
                self.tools.store.put_link(kept)
                if AMOUNTS in link.base:
                    self.tools.store.note_comparison(self.entity, link.shop_id)
        return self._with_refunds(order, kept)

    def _with_refunds(self, order: OrderInGoForm, link: Link) -> Link:
        """Keep which refunds the order is less: once it is invoiced, those are not credited."""
        kept = with_refunds(order, link)
        if kept is not link:
            self.tools.store.put_link(kept)
        return kept

    def _merge_and_write(
        self, order: OrderInGoForm, link: Link, *, at_end: bool
    ) -> tuple[str, Change]:
        """Merge with what Go has now, write what follows, and compare what came of it.

        Raises:
            TestFailed: Go was edited meanwhile; the link holds what was written until then.
        """
        complete = self._drafts.read(link)
        if isinstance(complete, Entry):
            return self._invoiced.settle(order, link, complete, at_end=at_end)
        link = self._with_lines_of_go(link, complete)
        header = self._merge_header(order, link, complete)
        lines = merge_lines(order.members, lines_by_reference(complete), base_members(link.base))
        for conflict in (*header.conflicts, *lines.conflicts):
            self.tools.note_conflict(self.entity, order.record.id, conflict)
        if header.open_conflicts:
            raise Undecidable(both_edited(header.open_conflicts))
        if lines.conflicts:
            raise Undecidable(Hold("; ".join(conflict.why for conflict in lines.conflicts)))
        wrote = bool(header.writes) or not lines.is_empty
        if wrote and complete.get("SalesOrderStatus") == "Confirmed":
            link = self._drafts.unlock(link, order.read_at)
        link = self._drafts.write_header(order, link, header.writes)
        written = self._drafts.write_lines(order, link, lines, lines_by_reference(complete))
        change = Patch((*_shown_header(order, header), *lines.shown())) if wrote else Nothing()
        if wrote and self.tools.plan.is_dry:
            return "changed", change
        answer = self._drafts.read_after_writes(link, written) if wrote else complete
        link = self._agreed(order, link, header, lines, answer, is_ours=wrote)
        self.settle_differences(
            order, link, answer, self._comparison.differences(order, answer, link)
        )
        self.tools.store.end_comparison(self.entity, link.shop_id)
        return ("changed" if wrote else "unchanged"), change

    def _compare_again(self, order: OrderInGoForm, link: Link) -> None:
        """Compare an order that was never found to be as the shop has it: a person may mend it."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        before = self.tools.store.unsettled_of(self.entity, link.shop_id)
        if before and entry and self._is_as_held(entry, before, order, link):
            raise Undecidable(Hold(before.reason, before.detail))
        complete = self._drafts.read(link)
        if isinstance(complete, Entry):
            _hold_if(self._differences_of_invoice(order, complete))
        else:
            link = self._with_lines_of_go(link, complete)
            found = self._comparison.differences(order, complete, link)
            self.settle_differences(order, link, complete, found)
        self.tools.store.end_comparison(self.entity, link.shop_id)

    def _differences_of_invoice(self, order: OrderInGoForm, invoice: Entry) -> list[str]:
        """Say in words where total or VAT of an invoice, which a person may have sent, differ."""
        body = self.tools.go.read(f"/OutgoingInvoices/{invoice.go_id}")
        differing = total_difference(order.total, body.get("TotalAmount"))
        differing = differing or vat_difference(order.lines, body)
        return [f"on its invoice {differing}"] if differing else []

    def _is_as_held(
        self, entry: Entry, before: Unsettled, order: OrderInGoForm, link: Link
    ) -> bool:
        """Tell from the index, without a call, that nobody has touched a held order in Go since."""
        may_mend = ROUNDING_HINT in before.reason and self.tools.settings.service_codes.rounding
        return (
            before.kind == "hold"
            and not before.reason.startswith(ITS_PAYMENT)
            and not may_mend
            and not entry.is_invoice
            and entry.body.get("LastChangedDateTimeOffset") == link.own_stamp
            and total_difference(order.total, entry.body.get("TotalAmount")) is not None
        )

    def _merge_header(self, order: OrderInGoForm, link: Link, complete: Mapping[str, Any]) -> Merge:
        settings = self.tools.settings
        return merge(
            self.table,
            Side(order.header, order.read_at),
            go_side(self.table, complete, now()),
            link.base,
            owners=settings.owners[self.entity],
            evidence=Evidence(
                shop=human_edit(order.record.raw.get("updated_at"), link.own_shop_stamp),
                go=human_edit(complete.get("LastChangedDateTimeOffset"), link.own_stamp),
                margin=settings.clock_margin,
                asked=self.tools.store.asked(self.entity, link.shop_id),
            ),
        )

    def _agreed(
        self,
        order: OrderInGoForm,
        link: Link,
        header: Merge,
        lines: LinesMerge,
        answer: Mapping[str, Any],
        *,
        is_ours: bool,
    ) -> Link:
        """Keep what both sides now agree on; rows that only Go changed keep their base.

        That it is the shop's order to the øre is yet to be found.
        """
        agreed = agreed_base(self.table, order, answer)
        written = {ADDRESS_KEY, BUYER, BUYER_TOLD, REFUNDS, *(row.row for row in header.writes)}
        base = {
            name: agreed[name] if name in written or name not in header.base else header.base[name]
            for name in agreed
            if not name.startswith(LINE)
        }
        old = base_members(link.base)
        for reference in order.members:
            one = agreed[f"{LINE}{reference}"]
            if reference in old:
                one = partly_agreed(one, old[reference], lines.changed.get(reference, ()))
            base[f"{LINE}{reference}"] = one
        stamp = answer.get("LastChangedDateTimeOffset") if is_ours else link.own_stamp
        base[AMOUNTS] = with_amounts(order, link).base.get(AMOUNTS, base[AMOUNTS])
        link = replace(link, base={**base, **lasting(link.base)}, own_stamp=stamp)
        with self.tools.store.transaction():
            self.tools.store.put_link(link)
            self.tools.store.note_comparison(self.entity, link.shop_id)
            self.tools.index.remember(self.entity, answer, now())
            known = answer.get("LastChangedDateTimeOffset")
            self.tools.store.note_version(on_the_way_back(self.entity), link.shop_id, known)
        return link

    def settle_differences(
        self, order: OrderInGoForm, link: Link, answer: Mapping[str, Any], found: Sequence[str]
    ) -> None:
        """Mend what only Go's rounding set off, and lock an order again that we unlocked.

        Raises:
            Undecidable: with a Hold, when Go's order still is not the shop's.
        """
        if found:
            found = self._comparison.mended(order, link, answer, found)
            self._comparison.note(order, found)
        _hold_if(found)
        link = self.tools.store.link(self.entity, link.shop_id) or link
        self._drafts.lock_again(link, order.read_at)

    def see_that_equal(self, order: OrderInGoForm, complete: Mapping[str, Any], link: Link) -> None:
        """See that Go's order is the shop's, before it goes on.

        Raises:
            Undecidable: with a Hold.
        """
        link = self._with_lines_of_go(link, complete)
        found = self._comparison.differences(order, complete, link)
        self._comparison.note(order, found)
        _hold_if(found)

    def _with_lines_of_go(self, link: Link, complete: Mapping[str, Any]) -> Link:
        """Keep Go's lines of an order that was met, once they are read for the first time."""
        seen = with_lines_of_go(link, complete)
        if seen is not link:
            self.tools.store.put_link(seen)
        return seen


def _shown_header(order: OrderInGoForm, header: Merge) -> Iterator[RowChange]:
    """Yield what was written to a header, for a plan: without ids, which Go has yet to give."""
    ids = {
        "customer": order.record.raw.get("customer_id") or "guest",
        "shipping_address": "another",
    }
    for row in header.writes:
        yield replace(row, before=None, after=ids[row.row]) if row.row in ids else row


def _hold_if(differences: Sequence[str]) -> None:
    """Hold an order whose total or VAT rates in Go are not the shop's; it stays as it is.

    Raises:
        Differing: if there are any.
    """
    if differences:
        raise Differing(differences)
