"""An order that is invoiced: never edited; what is paid back or cancelled since is credited once.

A credit note is an order of its own, with negative quantities and the number of the invoice. It is
linked under an id made of the order's and the refund's, so that it is settled like any other order.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from target_powerofficego.changes import Change, Credit, Hold, Nothing, Park, Undecidable
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.order import CREDIT
from target_powerofficego.dataflow.order_credits import (
    CANCEL,
    credit_lines,
    credit_name,
    nothing_left,
)
from target_powerofficego.dataflow.order_refunds import Refund, read_refunds
from target_powerofficego.dataflow.table import is_deleted
from target_powerofficego.dataflow.values import to_ore
from target_powerofficego.leftovers import settle_leftovers
from target_powerofficego.links import Agreement, now
from target_powerofficego.merge_lines import LINE
from target_powerofficego.walks.order_form import (
    ADDRESS_KEY,
    CREDITED,
    carried_refunds,
    changed_header,
    changed_lines,
    changed_on_invoice,
    credited_refunds,
    refunds_to_credit,
    with_amounts,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Record, Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.go_index import Entry
    from target_powerofficego.links import Link
    from target_powerofficego.walks.order_form import OrderInGoForm
    from target_powerofficego.walks.order_forms import OrderForms
    from target_powerofficego.walks.order_meetings import OrderMeetings
    from target_powerofficego.walks.tools import Tools


class Posting(Protocol):
    """What posts an order to Go, and compares one that is there already."""

    def post(self, order: OrderInGoForm, more: Mapping[str, Value]) -> None:
        """Post it with more members of the header; held when Go's is not the shop's."""

    def compare(self, order: OrderInGoForm, link: Link, *, at_end: bool) -> tuple[str, Change]:
        """Write what the shop changed."""


class InvoicedOrders:
    """Settles orders that Go has invoiced."""

    entity = "orders"

    def __init__(
        self, tools: Tools, forms: OrderForms, meetings: OrderMeetings, posting: Posting
    ) -> None:
        self._tools = tools
        self._forms = forms
        self._meetings = meetings
        self._posting = posting

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
        uncredited = tuple(one for one in told if self._find_credit(record, one) is None)
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

    def settle(
        self, order: OrderInGoForm, link: Link, invoice: Entry, *, at_end: bool
    ) -> tuple[str, Change]:
        """Credit what was paid back since the order was invoiced, each refund once.

        Raises:
            Undecidable: with a Hold, when the shop changed what stands on the invoice.
        """
        record, read_at = order.record, order.read_at
        carried = carried_refunds(link.base)
        if set(order.refunds) != set(carried):
            order = self._forms.less(record, read_at, carried, at_end=at_end)
        self._check(order, link, invoice)
        open_refunds = refunds_to_credit(read_refunds(record), link.base)
        if self._tools.store.is_comparison_due(self.entity, link.shop_id):
            _see_that_it_comes_to(order.total, invoice)
            self._tools.store.end_comparison(self.entity, link.shop_id)
        elif open_refunds:
            self._see_that_it_bears(order, invoice)
        self._leave_differing(order, link, invoice)
        credited = [
            self._credit_refund(record, read_at, link, invoice, one, at_end=at_end)
            for one in open_refunds
        ]
        if not credited:
            return "unchanged", Nothing("invoiced; what changed is not on the invoice")
        return "credited", Credit({"total with VAT": sum(credited, Decimal(0))})

    def cancel(
        self,
        record: Record,
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
        if is_deleted(record):
            reason = "it is deleted in the shop but invoiced in Go: credit it in Go"
            raise Undecidable(Hold(reason))
        if CANCEL in credited_refunds(link.base):
            return "unchanged", Nothing("cancelled, and credited in Go")
        order = self._forms.less(record, read_at, carried_refunds(link.base), at_end=at_end)
        self._check(order, link, invoice)
        _see_that_it_comes_to(order.total, invoice)
        total = Decimal(0)
        for one in refunds_to_credit(read_refunds(record), link.base):
            total += self._credit_refund(record, read_at, link, invoice, one, at_end=at_end)
        left, _ = self._forms.amounts(record, [one.id for one in read_refunds(record)])
        lines, amount = credit_lines(left, nothing_left(left))
        made = replace(order, lines=lines, total=amount)
        self._credit(made, link, invoice, CANCEL, None, at_end=at_end)
        return "credited", Credit({"total with VAT": total + amount})

    def _check(self, order: OrderInGoForm, link: Link, invoice: Entry) -> None:
        """See that who buys what for how much is as invoiced, and what was credited is still told.

        Raises:
            Undecidable: with a Hold, when it is not.
        """
        told = {one.id for one in read_refunds(order.record)}
        gone = [one for one in credited_refunds(link.base) if one not in told]
        changed = changed_on_invoice(self.table, order, link)
        if CANCEL in gone:
            reason = (
                "it was cancelled and credited in Go, and is open again in the shop: post it by"
                " hand in Go, if it should be"
            )
        elif gone:
            named = ", ".join(values.shown(one) for one in gone)
            reason = f"refund {named} was credited in Go, but the shop tells it no more"
        elif changed:
            reason = (
                f"it is invoiced in Go (invoice {invoice.body.get('InvoiceNo')}), and the shop then"
                f" changed {', '.join(changed)}: an invoice is never edited (total with VAT: the"
                f" shop says {order.total}, the invoice {_total(invoice)})"
            )
        else:
            return
        raise Undecidable(Hold(reason))

    def _see_that_it_bears(self, order: OrderInGoForm, invoice: Entry) -> None:
        """See that no more was paid back since than is invoiced: a person may have invoiced less.

        Raises:
            Undecidable: with a Hold, when it was.
        """
        told = [one.id for one in read_refunds(order.record)]
        paid_back = order.total - self._forms.amounts(order.record, told)[1]
        if paid_back > _total(invoice):
            raise Undecidable(_other_total(order.total, invoice))

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
        for name in (f"{LINE}{reference}" for reference in changed_lines(order, link)):
            line = order.members[name.removeprefix(LINE)]
            told[name] = replace(link.base[name], shop=line, shop_read_at=order.read_at)
        told[ADDRESS_KEY] = Agreement(order.address_key, None, order.read_at, now())
        if CREDITED not in link.base:
            told[CREDITED] = Agreement([], None, order.read_at, now())
        link = self._tools.store.link(self.entity, link.shop_id) or link
        link = replace(link, base={**link.base, **told})
        self._tools.store.put_link(with_amounts(order, link))

    def _keep(self, link: Link, told: Mapping[str, Agreement]) -> None:
        link = self._tools.store.link(self.entity, link.shop_id) or link
        self._tools.store.put_link(replace(link, base={**link.base, **told}))

    def _credit_refund(
        self,
        record: Record,
        read_at: datetime.datetime,
        link: Link,
        invoice: Entry,
        refund: Refund,
        *,
        at_end: bool,
    ) -> Decimal:
        """Credit one refund; return the credit note's total, below zero."""
        link = self._tools.store.link(self.entity, link.shop_id) or link
        earlier = [one for one in credited_refunds(link.base) if one != refund.id]
        before = (*carried_refunds(link.base), *earlier)
        had, _ = self._forms.amounts(record, before)
        left, _ = self._forms.amounts(record, (*before, refund.id))
        lines, total = credit_lines(had, left)
        header = self.table.read(record, self._tools.conversion).values
        order = self._forms.of_lines(record, read_at, header, lines, total, at_end=at_end)
        self._credit(order, link, invoice, refund.id, refund, at_end=at_end)
        return total

    def _credit(
        self,
        order: OrderInGoForm,
        link: Link,
        invoice: Entry,
        name: str,
        refund: Refund | None,
        *,
        at_end: bool,
    ) -> None:
        """Post a credit note once, and keep that it is there.

        Raises:
            Undecidable: with a Hold, when it is not what was paid back.
        """
        record, read_at = order.record, order.read_at
        if order.lines:
            note = self._note(order, name, refund, at_end=at_end)
            self._post_once(note, credit_name(record["id"], name), invoice, at_end=at_end)
        link = self._tools.store.link(self.entity, link.shop_id) or link
        credited = {**credited_refunds(link.base), name: str(refund.amount if refund else None)}
        told = [[one, amount] for one, amount in credited.items()]
        self._keep(link, {CREDITED: Agreement(told, None, read_at, now())})

    def _note(
        self, order: OrderInGoForm, name: str, refund: Refund | None, *, at_end: bool
    ) -> OrderInGoForm:
        """Return a credit note as an order of its own, dated when the money was paid back."""
        called = credit_name(order.record["id"], name)
        record = {**order.record, "id": f"{CREDIT}{called}", "refunds": None}
        placed = refund.created_at if refund else order.record.get("cancelled_at")
        dated = {**order.record, "placed_at": placed or order.record.get("updated_at")}
        header = {
            **order.header,
            "id": values.short_reference(self._tools.settings.shop_name, called),
            "placed_at": self.table.row("placed_at").to_go(dated, self._tools.conversion),
        }
        told = {one: value for one, value in header.items() if one not in ("number", "shipped_at")}
        return self._forms.of_lines(
            record, order.read_at, told, order.lines, order.total, at_end=at_end
        )

    def _post_once(self, note: OrderInGoForm, called: str, invoice: Entry, *, at_end: bool) -> None:
        """Post a credit note unless Go has it; compare what is there."""
        store, shop_id = self._tools.store, note.record["id"]
        settle_leftovers(self._tools, store.intents_of((self.entity,), shop_id))
        known = store.link(self.entity, shop_id)
        met = None if known else self._meetings.find_named(called)
        if known is not None:
            self._posting.compare(note, known, at_end=at_end)
        elif met is not None:
            self._meetings.link(note, met)
        else:
            number = self._number(invoice)
            self._see_that_it_is_of(note.header["customer"], invoice)
            # PowerOffice Go takes the number only where the sum is below zero
            self._posting.post(note, {"RelatedInvoiceNo": number} if note.total < 0 else {})

    def _see_that_it_is_of(self, customer_id: Value, invoice: Entry) -> None:
        """See that an invoice is of the customer who is to be credited: a person may have moved it.

        Raises:
            Undecidable: with a Hold, when it is not.
        """
        body = self._tools.go.read(f"/OutgoingInvoices/{invoice.go_id}")
        if str(body.get("CustomerId")) != str(customer_id):
            reason = (
                f"its invoice {invoice.body.get('InvoiceNo')} is of another customer in Go (id"
                f" {body.get('CustomerId')}) than the order's ({customer_id}): credit it by hand in"
                " Go"
            )
            raise Undecidable(Hold(reason))

    def _find_credit(self, record: Record, refund_id: str) -> LinkChange | None:
        return self._meetings.find_named(credit_name(record["id"], refund_id))

    def _number(self, invoice: Entry) -> int:
        """Return the number of an invoice that nobody has credited by hand.

        A credit note that bears our reference is no such: its link was lost.

        Raises:
            Undecidable: with a Hold, when somebody has: it would be credited twice; with a Park,
                while Go has given it no number yet.
        """
        number = invoice.body.get("InvoiceNo")
        if number is None:
            raise Undecidable(Park("Go has given its invoice no number yet", ()))
        for note in self._tools.index.find(self.entity, f"credits:{number}"):
            reference = str(note.body.get("ExternalImportReference") or "")
            is_ours = reference.startswith(f"{self._tools.settings.shop_name}:")
            if not is_ours and not self._tools.store.links_to(self.entity, note.go_id):
                reason = (
                    f"it was paid back or cancelled in the shop, but its invoice {number} was"
                    f" credited by hand in Go too (credit note {note.body.get('InvoiceNo')}): if"
                    " that is the same, acknowledge; else credit the rest by hand"
                )
                raise Undecidable(Hold(reason))
        return int(number)


def _total(invoice: Entry) -> Decimal:
    return to_ore(Decimal(str(invoice.body.get("TotalAmount") or 0)))


def _see_that_it_comes_to(total: Decimal, invoice: Entry) -> None:
    """See that an invoice comes to what the shop's order does, before more is credited of it.

    Raises:
        Undecidable: with a Hold, when it does not.
    """
    if _total(invoice) != total:
        raise Undecidable(_other_total(total, invoice))


def _other_total(total: Decimal, invoice: Entry) -> Hold:
    reason = (
        f"its invoice {invoice.body.get('InvoiceNo')} is not the shop's order (total with VAT: the"
        f" shop says {total}, the invoice {_total(invoice)}): see in Go what is left to credit"
    )
    return Hold(reason)
