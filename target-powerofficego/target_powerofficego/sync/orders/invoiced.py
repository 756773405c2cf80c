"""An order that is invoiced: never edited; what is paid back or cancelled since is credited."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.orders.amounts import AMOUNTS, from_kept, order_amounts
from target_powerofficego.dataflow.orders.answer import total_in_go
from target_powerofficego.dataflow.orders.credits import (
    CANCEL,
    credit_lines,
    nothing_left,
)
from target_powerofficego.dataflow.values import to_ore
from target_powerofficego.decisions.changes import Change, Credit, Hold, Nothing, Undecidable
from target_powerofficego.decisions.changes import Link as LinkChange
from target_powerofficego.decisions.merge_lines import LINE
from target_powerofficego.sync.orders.credit_notes import see_that_it_credits
from target_powerofficego.sync.orders.wanted import (
    ADDRESS_KEY,
    CREDITED,
    carried_refunds,
    changed_header,
    changed_lines,
    changed_on_invoice,
    credited_refunds,
    has_other_refunds,
    refunds_to_credit,
    with_amounts,
)

if TYPE_CHECKING:
    import datetime
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.refunds import Refund
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.go.index import Entry
    from target_powerofficego.sync.orders.credit_notes import CreditNotes
    from target_powerofficego.sync.orders.reading import OrderForms
    from target_powerofficego.sync.orders.wanted import OrderInGoForm


class InvoicedOrders:
    """Settles orders that Go has invoiced."""

    entity = "orders"

    def __init__(self, tools: Tools, forms: OrderForms, notes: CreditNotes) -> None:
        self._tools = tools
        self._forms = forms
        self._notes = notes

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self._tools.settings.tables[self.entity]

    def as_met(self, order: OrderInGoForm, met: LinkChange, *, at_end: bool) -> OrderInGoForm:
        """Return an order that is found in Go, less the refunds that its invoice is less.

        Its total tells which: all of them, those without a credit note of ours, or none.

        Raises:
            Undecidable: with a Hold, when it is none of these.
        """
        entry = self._tools.index.entry(self.entity, met.go_id)
        if not order.refunds or entry is None or not entry.is_invoice:
            return order
        record, told = order.record, order.refunds
        uncredited = tuple(one for one in told if self._notes.find(record, one) is None)
        invoiced = _total(entry)
        for ids in (told, uncredited, ()):
            if self._forms.amounts(record, ids)[1] == invoiced:
                return self._forms.less(record, order.read_at, ids, at_end=at_end)
        reason = (
            f"its invoice {entry.body.get('InvoiceNo')} comes to {invoiced}, the order to"
            f" {self._forms.amounts(record, ())[1]} before and {order.total} after its refunds: see"
            " in Go which of them are credited"
        )
        raise Undecidable(Hold(reason))

    def is_credited(self, record: ShopOrder, invoice: Entry) -> bool:
        """Tell whether credit notes with our references take back all of an invoice."""
        if not invoice.is_invoice:
            return False
        names = (*(one.id for one in record.refunds), CANCEL)
        met = [found for one in names if (found := self._notes.find(record, one)) is not None]
        notes = [self._tools.index.entry(self.entity, one.go_id) for one in met]
        return _total(invoice) + sum(_total(one) for one in notes if one is not None) == 0

    def settle(
        self, order: OrderInGoForm, link: Link, invoice: Entry, *, at_end: bool
    ) -> tuple[str, Change]:
        """Credit what was paid back since the order was invoiced, each refund once.

        Raises:
            Undecidable: with a Hold, when the shop changed what stands on the invoice.
        """
        record, read_at = order.record, order.read_at
        carried = carried_refunds(link.base)
        if order.refunds != carried:
            order = self._forms.less(record, read_at, carried, at_end=at_end)
        told = [one.id for one in record.refunds]
        self._check(order, link, invoice)
        is_due = self._tools.store.is_comparison_due(self.entity, link.shop_id)
        open_refunds = refunds_to_credit(record.refunds, link.base)
        if is_due or open_refunds or has_other_refunds(order, link):
            _see_that_it_comes_to(order.total, invoice)
        taken_back = self._notes.take_back_untold(record, link, told, read_at)
        link = self._tools.store.link(self.entity, link.shop_id) or link
        open_refunds = refunds_to_credit(record.refunds, link.base)
        if is_due:
            self._tools.store.end_comparison(self.entity, link.shop_id)
        self._leave_differing(order, link, invoice)
        if not open_refunds and not taken_back:
            return "unchanged", Nothing("invoiced; what changed is not on the invoice")
        credited = self._notes.credit_refunds(
            record, read_at, link, invoice, open_refunds, at_end=at_end
        )
        return "credited", Credit({"total with VAT": credited + taken_back})

    def cancel(
        self,
        record: ShopOrder,
        read_at: datetime.datetime,
        link: Link,
        invoice: Entry,
        *,
        at_end: bool,
    ) -> tuple[str, Change]:
        """Credit what is left of an order that the shop cancelled.

        Raises:
            Undecidable: with a Hold, when the shop deleted the order, or changed what is invoiced.
        """
        if CANCEL in credited_refunds(link.base):
            return "unchanged", Nothing("cancelled, and credited in Go")
        if record.is_deleted:
            reason = "it is deleted in the shop but invoiced in Go: credit it in Go"
            raise Undecidable(Hold(reason))
        order = self._forms.less(record, read_at, carried_refunds(link.base), at_end=at_end)
        told = [one.id for one in record.refunds]
        self._check(order, link, invoice)
        _see_that_it_comes_to(order.total, invoice)
        taken_back = self._notes.take_back_untold(record, link, [*told, CANCEL], read_at)
        link = self._tools.store.link(self.entity, link.shop_id) or link
        refunds = refunds_to_credit(self._beside_the_cancellation(record, link), link.base)
        total = self._notes.credit_refunds(record, read_at, link, invoice, refunds, at_end=at_end)
        link = self._tools.store.link(self.entity, link.shop_id) or link
        known = (*carried_refunds(link.base), *credited_refunds(link.base))
        left, rest = self._forms.amounts(record, known)
        lines, amount = credit_lines(left, nothing_left(left))
        see_that_it_credits(rest, amount)
        made = replace(order, lines=lines, total=amount)
        self._notes.credit(made, link, invoice, CANCEL, None, at_end=at_end)
        return "credited", Credit({"total with VAT": total + amount + taken_back})

    def _beside_the_cancellation(self, record: ShopOrder, link: Link) -> tuple[Refund, ...]:
        """Return the refunds that a cancellation's credit note is less.

        Where Go has that note already, because its answer or the link store was lost, what the shop
        has told since is in it.
        """
        told = record.refunds
        if self._notes.find(record, CANCEL) is None:
            return told
        known = {*carried_refunds(link.base), *credited_refunds(link.base)}
        return tuple(
            one for one in told if one.id in known or self._notes.find(record, one.id) is not None
        )

    def _check(self, order: OrderInGoForm, link: Link, invoice: Entry) -> None:
        """See that who buys what for how much is as invoiced.

        Raises:
            Undecidable: with a Hold, when it is not.
        """
        if changed := changed_on_invoice(self.table, order, link):
            reason = (
                f"it is invoiced in Go (invoice {invoice.body.get('InvoiceNo')}), and the shop then"
                f" changed {', '.join(changed)}: an invoice is never edited (total with VAT: the"
                f" shop says {order.total}, the invoice {_total(invoice)}"
                f"{_other_vat(order, link)}). Credit it in Go, then acknowledge"
            )
            raise Undecidable(Hold(reason))

    def _leave_differing(self, order: OrderInGoForm, link: Link, invoice: Entry) -> None:
        """Keep both sides' values as they stand, so that `differences` lists what differs.

        A property that Go has edited too is left to the way back, which merges it.
        """
        body = self._tools.go.read(f"/OutgoingInvoices/{invoice.go_id}")
        told = {}
        for name in changed_header(self.table, order, link):
            row, agreed = self.table.row(name), link.base[name]
            if not row.direction.reaches_shop or row.are_equal(row.from_go(body), agreed.go):
                told[name] = replace(agreed, shop=order.header[name], shop_read_at=order.read_at)
        for reference in changed_lines(order, link):
            line, known = order.members.get(reference), link.base.get(f"{LINE}{reference}")
            if line is not None and known is not None:
                told[f"{LINE}{reference}"] = replace(known, shop=line, shop_read_at=order.read_at)
        told[ADDRESS_KEY] = Agreement(order.address_key, None, order.read_at, now())
        if CREDITED not in link.base:
            told[CREDITED] = Agreement([], None, order.read_at, now())
        link = self._tools.store.link(self.entity, link.shop_id) or link
        link = replace(link, base={**link.base, **told})
        self._tools.store.put_link(with_amounts(order, link))


def _other_vat(order: OrderInGoForm, link: Link) -> str:
    """Name the VAT of an order now and before, where it is another; of one total it may be."""
    before = from_kept(link.base[AMOUNTS].shop).total.tax if AMOUNTS in link.base else None
    vat = order_amounts(order.header, order.lines).total.tax
    return "" if before in (None, vat) else f"; VAT in it: {vat}, before {before}"


def _total(invoice: Entry) -> Decimal:
    return to_ore(total_in_go(invoice.body))


def _see_that_it_comes_to(total: Decimal, invoice: Entry) -> None:
    """See that an invoice comes to what the shop's order does, before more is credited of it.

    Raises:
        Undecidable: with a Hold, when it does not.
    """
    if _total(invoice) == total:
        return
    reason = (
        f"its invoice {invoice.body.get('InvoiceNo')} is not the shop's order (total with VAT: the"
        f" shop says {total}, the invoice {_total(invoice)}): see in Go what is left to credit"
    )
    raise Undecidable(Hold(reason))
