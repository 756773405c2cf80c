"""The walk of an order: posted and edited as a Draft, compared to the øre, deleted if cancelled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.changes import (
    Change,
    Create,
    Delete,
    Hold,
    Nothing,
    Patch,
    RowChange,
    Undecidable,
)
from target_powerofficego.dataflow.order import Wanted, not_yet_posted, wanted
from target_powerofficego.dataflow.order_lines import (
    OrderLine,
    answer_differences,
    check_total,
    read_lines,
    total_difference,
)
from target_powerofficego.destinations import order_destination
from target_powerofficego.erased import impersonal_order
from target_powerofficego.go_api import NotFound, TestFailed
from target_powerofficego.links import Agreement, Link, now
from target_powerofficego.merge import Evidence, Side, go_side, human_edit, merge
from target_powerofficego.merge_lines import (
    LINE,
    LinesMerge,
    base_members,
    lines_by_reference,
    merge_lines,
)
from target_powerofficego.walks.drafts import Drafts
from target_powerofficego.walks.entity_walk import both_edited
from target_powerofficego.walks.go_walk import GoWalk
from target_powerofficego.walks.order_form import (
    ADDRESS_KEY,
    BUYER,
    OrderInGoForm,
    address_key,
    agreed_base,
    changed_names,
    is_changed,
    partly_agreed,
)
from target_powerofficego.walks.order_meetings import OrderMeetings
from target_powerofficego.walks.order_parties import OrderParties, buyer_id
from target_powerofficego.walks.walk import created_at

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.go_index import Entry
    from target_powerofficego.links import Unsettled
    from target_powerofficego.merge import Merge
    from target_powerofficego.walks.customers import CustomersWalk
    from target_powerofficego.walks.products import ProductsWalk
    from target_powerofficego.walks.tools import Tools


class OrdersWalk(GoWalk):
    """Orders of the shop."""

    entity = "orders"

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        super().__init__(tools)
        self._parties = OrderParties(tools, customers, products)
        self._drafts = Drafts(tools)
        self._meetings = OrderMeetings(tools)

    def kept(self, record: Record) -> Record:
        """Return an order without who bought it, when that customer was erased."""
        if not self.tools.erased.ids:
            return record
        erased = self.tools.erased.id_of(buyer_id(record))
        return record if erased is None else impersonal_order(record, erased)

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        settings = self.tools.settings
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            link = self.identified(record, link)
        want = wanted(record, settings.order_statuses, settings.orders_from, settings.time_zone)
        if want is Wanted.LEFT_ALONE:
            return "unchanged", Nothing("left alone: its status or date is not one to write")
        if want is Wanted.DELETED:
            return self._delete(record, link)
        unposted = not_yet_posted(record)
        if unposted:
            reason = f"the order has {unposted}, which is not posted yet; post that by hand in Go"
            raise Undecidable(Hold(reason))
        reading = self.table.read(record, self.tools.conversion)
        lines = read_lines(record, shipping_code=settings.shipping_product_code)
        total = check_total(record, lines)
        met = self._meetings.met(record, link)
        order = self._in_go_form(record, read_at, reading.values, lines, total, at_end=at_end)
        if met is not None:
            return self._meetings.link(order, met)
        return self._create(order) if link is None else self._compare(order, link)

    def _in_go_form(
        self,
        record: Record,
        read_at: datetime.datetime,
        header: Mapping[str, Value],
        lines: tuple[OrderLine, ...],
        total: Decimal,
        *,
        at_end: bool,
    ) -> OrderInGoForm:
        parties = self._parties.resolve(record, lines, read_at, at_end=at_end)
        members = {
            line.reference: line.values(
                parties.product_ids[line.reference], standard_account=not parties.is_vat_free
            )
            for line in lines
        }
        return OrderInGoForm(
            record,
            read_at,
            {**header, "customer": parties.customer_id},
            lines,
            members,
            total,
            address_key(record, parties.customer_id),
        )

    def _with_address(self, order: OrderInGoForm, link: Link | None) -> OrderInGoForm:
        """Return the order with its delivery address, which is looked for only when it changed."""
        base = link.base if link else {}
        before = base.get(ADDRESS_KEY)
        if before is not None and before.shop == order.address_key:
            address = base["shipping_address"].shop
        else:
            customer = order.header["customer"]
            address = self._parties.delivery_address(order.record, customer, order.read_at)
        return replace(order, header={**order.header, "shipping_address": address})

    # An unlinked order

    def _create(self, order: OrderInGoForm) -> tuple[str, Change]:
        tools = self.tools
        order = self._with_address(order, None)
        body = self.table.create_body(order.header)
        body["SalesOrderStatus"] = "Draft"
        body["SalesOrderLines"] = [
            {"ExternalImportReference": reference, "LineType": "Normal", **members}
            for reference, members in order.members.items()
        ]
        target = order_destination(order.record["id"], body["ExternalImportReference"])
        sent = {**order.header, **{f"{LINE}{ref}": line for ref, line in order.members.items()}}
        answer = tools.writer.create(target, body, sent, read_at=order.read_at)
        answered_at = now()
        link = Link(
            self.entity,
            order.record["id"],
            str(answer.body["Id"]),
            shop_created_at=created_at(order.record),
            base=agreed_base(self.table, order, answer.body),
            own_stamp=answer.body.get("LastChangedDateTimeOffset"),
        )
        found = self._differences(order, answer.body, link)
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            self._note_differences(order, found)
            tools.store.end_intent(answer.intent)
        _hold_if(found)
        return "created", Create(self._shown(order))

    def _shown(self, order: OrderInGoForm) -> dict[str, Value]:
        """Return the order for a plan: by shop ids, for Go has yet to give its own."""
        shown = dict(order.header)
        shown["customer"] = order.record.get("customer_id") or "guest"
        shown["shipping_address"] = None
        return {**shown, "lines": len(order.lines), "total with VAT": order.total}

    def _differences(
        self, order: OrderInGoForm, answer: Mapping[str, Any], link: Link
    ) -> Sequence[str]:
        """Say in words where total or VAT rates in Go are not the shop's."""
        in_go = lines_by_reference(answer)
        edited = merge_lines(order.members, in_go, base_members(link.base)).edited_in_go
        return answer_differences(order.lines, order.total, answer, edited_in_go=edited)

    def _note_differences(self, order: OrderInGoForm, found: Sequence[str]) -> None:
        """Keep that an order differs from Go's until it is found not to."""
        note = self.tools.store.note_comparison if found else self.tools.store.end_comparison
        note(self.entity, order.record["id"])

    # A linked order

    def _compare(self, order: OrderInGoForm, link: Link) -> tuple[str, Change]:
        order = self._with_address(order, link)
        if not is_changed(self.table, order, link):
            if self.tools.store.is_comparison_due(self.entity, link.shop_id):
                self._compare_again(order, link)
            return "unchanged", Nothing()
        try:
            return self._merge_and_write(order, link)
        except TestFailed:
            link = self.tools.store.link(self.entity, order.record["id"]) or link
        try:
            return self._merge_and_write(order, link)
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be written")) from None

    def _merge_and_write(self, order: OrderInGoForm, link: Link) -> tuple[str, Change]:
        """Merge with what Go has now, write what follows, and compare what came of it.

        Raises:
            TestFailed: Go was edited meanwhile; the link holds what was written until then.
        """
        complete = self._drafts.read(order, link)
        if complete is None:
            self._leave_differing(order, link)
            return "unchanged", Nothing("invoiced; what changed is not on the invoice")
        header = self._merge_header(order, link, complete)
        lines = merge_lines(order.members, lines_by_reference(complete), base_members(link.base))
        for conflict in (*header.conflicts, *lines.conflicts):
            self.tools.note_conflict(self.entity, order.record["id"], conflict)
        if header.open_conflicts:
            raise Undecidable(both_edited(header.open_conflicts))
        if lines.conflicts:
            raise Undecidable(Hold("; ".join(conflict.why for conflict in lines.conflicts)))
        link = self._drafts.write_header(order, link, header.writes)
        written = self._drafts.write_lines(order, link, lines, lines_by_reference(complete))
        wrote = bool(header.writes) or not lines.is_empty
        change = Patch((*_shown_header(order, header), *lines.shown())) if wrote else Nothing()
        if wrote and self.tools.plan.is_dry:
            return "changed", change
        answer = self._drafts.read_after_writes(link, written) if wrote else complete
        _hold_if(self._store_compared(order, link, header, lines, answer, is_ours=wrote))
        return ("changed" if wrote else "unchanged"), change

    def _leave_differing(self, order: OrderInGoForm, link: Link) -> None:
        """Keep both sides' values as they stand, so that `differences` lists what differs.

        A property that Go has edited too is left to the way back, which merges it.
        """
        invoice = self.tools.go.read(f"/OutgoingInvoices/{link.go_id}")
        told = {}
        for name in changed_names(self.table, order, link):
            row, agreed = self.table.row(name), link.base[name]
            if not row.direction.reaches_shop or row.are_equal(row.from_go(invoice), agreed.go):
                told[name] = replace(agreed, shop=order.header[name], shop_read_at=order.read_at)
        told[ADDRESS_KEY] = Agreement(order.address_key, None, order.read_at, now())
        self.tools.store.put_link(replace(link, base={**link.base, **told}))

    def _compare_again(self, order: OrderInGoForm, link: Link) -> None:
        """Compare an order that was never found to be as the shop has it: a person may mend it."""
        entry = self.tools.index.entry(self.entity, link.go_id)
        before = self.tools.store.unsettled_of(self.entity, link.shop_id)
        if before is not None and entry is not None and _is_as_held(entry, before, order, link):
            raise Undecidable(Hold(before.reason, before.detail))
        complete = self._drafts.read(order, link)
        if complete is not None:
            found = self._differences(order, complete, link)
        else:
            invoice = self.tools.index.entry(self.entity, link.go_id)
            differing = total_difference(order.total, invoice and invoice.body.get("TotalAmount"))
            found = [f"on its invoice {differing}"] if differing else []
        self._note_differences(order, found)
        _hold_if(found)

    def _merge_header(self, order: OrderInGoForm, link: Link, complete: Mapping[str, Any]) -> Merge:
        settings = self.tools.settings
        return merge(
            self.table,
            Side(order.header, order.read_at),
            go_side(self.table, complete, now()),
            link.base,
            owners=settings.owners[self.entity],
            evidence=Evidence(
                shop=human_edit(order.record.get("updated_at"), link.own_shop_stamp),
                go=human_edit(complete.get("LastChangedDateTimeOffset"), link.own_stamp),
                margin=settings.clock_margin,
                asked=self.tools.store.asked(self.entity, link.shop_id),
            ),
        )

    def _store_compared(
        self,
        order: OrderInGoForm,
        link: Link,
        header: Merge,
        lines: LinesMerge,
        answer: Mapping[str, Any],
        *,
        is_ours: bool,
    ) -> Sequence[str]:
        """Keep what both sides now agree on; rows that only Go changed keep their base.

        Return where total or VAT rates in Go are not the shop's.
        """
        agreed = agreed_base(self.table, order, answer)
        written = {ADDRESS_KEY, BUYER, *(row.row for row in header.writes)}
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
        link = replace(link, base=base, own_stamp=stamp)
        found = self._differences(order, answer, link)
        with self.tools.store.transaction():
            self.tools.store.put_link(link)
            self.tools.index.remember(self.entity, answer, now())
            self._note_differences(order, found)
        return found

    # An order that the shop cancelled or deleted

    def _delete(self, record: Record, link: Link | None) -> tuple[str, Change]:
        """Delete a Draft; whatever is further on is for a person."""
        if link is None:
            if self._meetings.find(record) is not None:
                reason = (
                    "it is cancelled in the shop but in Go, and was not linked: see to it in Go"
                )
                raise Undecidable(Hold(reason))
            return "unchanged", Nothing("cancelled before it was ever in Go")
        try:
            complete = self._drafts.read_complete(link)
        except NotFound:
            if self.tools.index.read_again(self.entity, link.go_id) is not None:
                reason = "it is cancelled in the shop but invoiced in Go: credit it in Go"
                raise Undecidable(Hold(reason)) from None
            self._forget(record, link)
            return "unchanged", Nothing("cancelled, and gone from Go already")
        if complete.get("SalesOrderStatus") == "Confirmed":
            reason = "it is cancelled in the shop but Confirmed in Go: set it to Draft or delete it"
            raise Undecidable(Hold(reason))
        path = f"/SalesOrders/{link.go_id}"
        intent = self.tools.writer.delete(self.entity, record["id"], path)
        with self.tools.store.transaction():
            self._forget(record, link)
            self.tools.store.end_intent(intent)
        return "deleted", Delete()

    def _forget(self, record: Record, link: Link) -> None:
        with self.tools.store.transaction():
            self.tools.store.delete_link(self.entity, record["id"])
            self.tools.store.end_comparison(self.entity, record["id"])
            self.tools.index.forget(self.entity, link.go_id)


def _shown_header(order: OrderInGoForm, header: Merge) -> Iterator[RowChange]:
    """Yield what was written to a header, for a plan: without ids, which Go has yet to give."""
    ids = {"customer": order.record.get("customer_id") or "guest", "shipping_address": "another"}
    for row in header.writes:
        yield replace(row, before=None, after=ids[row.row]) if row.row in ids else row


def _hold_if(differences: Sequence[str]) -> None:
    """Hold an order whose total or VAT rates in Go are not the shop's; it stays as it is.

    Raises:
        Undecidable: with a Hold, if there are any.
    """
    if differences:
        told = "; ".join(differences)
        raise Undecidable(Hold(f"Go's order is not the shop's: {told}. See to it in Go"))


def _is_as_held(entry: Entry, before: Unsettled, order: OrderInGoForm, link: Link) -> bool:
    """Tell from the index, without a call, that nobody has touched a held order in Go since."""
    return (
        before.kind == "hold"
        and not entry.is_invoice
        and entry.body.get("LastChangedDateTimeOffset") == link.own_stamp
        and total_difference(order.total, entry.body.get("TotalAmount")) is not None
    )
