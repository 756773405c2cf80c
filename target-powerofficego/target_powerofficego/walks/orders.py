"""The walk of an order: posted and edited as a Draft, compared to the øre, deleted if cancelled."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from target_powerofficego.changes import Link as LinkChange
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.order import Wanted, not_yet_posted, wanted
from target_powerofficego.dataflow.order_lines import (
    LINE_MEMBERS,
    OrderLine,
    answer_differences,
    check_total,
    read_lines,
)
from target_powerofficego.go_api import NotFound, TestFailed
from target_powerofficego.links import Agreement, Link, now
from target_powerofficego.merge import Evidence, Side, go_side, merge
from target_powerofficego.merge_lines import LINE, LinesMerge, are_same, base_members, merge_lines
from target_powerofficego.walks.order_parties import OrderParties
from target_powerofficego.walks.walk import Walk
from target_powerofficego.writing import line_target, order_target

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping
    from decimal import Decimal

    from target_powerofficego.dataflow.table import Record, Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.merge import Merge
    from target_powerofficego.walks.customers import CustomersWalk
    from target_powerofficego.walks.products import ProductsWalk
    from target_powerofficego.walks.tools import Tools


@dataclass(frozen=True)
class OrderInGoForm:
    """An order as it is to stand in Go: header values by row name, line members by reference."""

    record: Record
    read_at: datetime.datetime
    header: Mapping[str, Value]
    lines: tuple[OrderLine, ...]
    members: Mapping[str, Mapping[str, Value]]
    total: Decimal


class OrdersWalk(Walk):
    """Orders of the shop."""

    entity = "orders"

    def __init__(self, tools: Tools, customers: CustomersWalk, products: ProductsWalk) -> None:
        super().__init__(tools)
        self._parties = OrderParties(tools, customers, products)

    def _settle(
        self, record: Record, read_at: datetime.datetime, *, at_end: bool
    ) -> tuple[str, Change]:
        settings = self.tools.settings
        link = self.tools.store.link(self.entity, record["id"])
        if link is not None:
            self._check_identity(record, link)
        want = wanted(record, settings.order_statuses, settings.orders_from)
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
        if link is None:
            met = self._meet(record)
            if met is not None:
                link = self._link(record, met)
                order = self._in_go_form(
                    record, read_at, reading.values, lines, total, at_end=at_end
                )
                self.tools.store.put_link(replace(link, base=self._base(order, None)))
                return "linked", met
        order = self._in_go_form(record, read_at, reading.values, lines, total, at_end=at_end)
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
        resolved = {
            "customer": parties.customer_id,
            "shipping_address": parties.delivery_address_id,
        }
        return OrderInGoForm(record, read_at, {**header, **resolved}, lines, members, total)

    # An unlinked order

    def _meet(self, record: Record) -> LinkChange | None:
        """Find an order by our reference, among sales orders and invoices; None: not in Go."""
        reference = values.short_reference(self.tools.settings.shop_name, record["id"])
        found = self.tools.index.find("orders", f"ref:{reference}")
        if len(found) > 1:
            named = " and ".join(entry.go_id for entry in found)
            raise Undecidable(Hold(f"several orders in Go bear its reference: {named}"))
        return LinkChange(found[0].go_id) if found else None

    def _link(self, record: Record, met: LinkChange) -> Link:
        return Link(self.entity, record["id"], met.go_id, shop_created_at=record.get("created_at"))

    def _create(self, order: OrderInGoForm) -> tuple[str, Change]:
        tools = self.tools
        body = self.table.create_body(order.header)
        body["SalesOrderStatus"] = "Draft"
        body["SalesOrderLines"] = [
            {"ExternalImportReference": reference, "LineType": "Normal", **members}
            for reference, members in order.members.items()
        ]
        target = order_target(order.record["id"], body["ExternalImportReference"])
        answer = tools.writer.create(target, body, {})
        answered_at = now()
        link = Link(
            self.entity,
            order.record["id"],
            str(answer.body["Id"]),
            shop_created_at=order.record.get("created_at"),
            base=self._base(order, answer.body),
            own_stamp=answer.body.get("LastChangedDateTimeOffset"),
        )
        with tools.store.transaction():
            tools.store.put_link(link)
            tools.index.remember(self.entity, answer.body, answered_at)
            tools.store.end_intent(answer.intent)
        self._check_answer(order, answer.body)
        return "created", Create(self._shown(order))

    def _shown(self, order: OrderInGoForm) -> dict[str, Value]:
        """Return the order for a plan: by shop ids, for Go has yet to give its own."""
        shown = dict(order.header)
        shown["customer"] = order.record.get("customer_id") or "guest"
        shown["shipping_address"] = None
        return {**shown, "lines": len(order.lines), "total with VAT": order.total}

    def _base(self, order: OrderInGoForm, answer: Mapping[str, Any] | None) -> dict[str, Agreement]:
        """Return what both sides hold now; without an answer, the shop's values twice."""
        answered_at = now()
        base = {
            row.name: Agreement(
                order.header[row.name],
                order.header[row.name] if answer is None else row.from_go(answer),
                order.read_at,
                answered_at,
            )
            for row in self.table.active
            if row.name in order.header
        }
        in_go = None if answer is None else _lines_of(answer)
        for reference, members in order.members.items():
            there = members if in_go is None else in_go.get(reference)
            base[f"{LINE}{reference}"] = Agreement(members, there, order.read_at, answered_at)
        return base

    def _check_answer(
        self, order: OrderInGoForm, answer: Mapping[str, Any], *, lines: LinesMerge | None = None
    ) -> None:
        """Hold an order whose total or VAT rates in Go are not the shop's; it stays a Draft."""
        edited = lines.edited_in_go if lines else frozenset()
        found = answer_differences(order.lines, order.total, answer, edited_in_go=edited)
        if found:
            told = "; ".join(found)
            raise Undecidable(Hold(f"Go's order is not the shop's: {told}. It stays a Draft"))

    # A linked order

    def _compare(self, order: OrderInGoForm, link: Link) -> tuple[str, Change]:
        before = self.tools.store.unsettled_of(self.entity, order.record["id"])
        if not _is_changed(self.table, order, link):
            if before is None or before.kind != "hold":
                return "unchanged", Nothing()
            return self._compare_again(order, link)
        complete = self._read_draft(order, link)
        if complete is None:
            return "unchanged", Nothing("invoiced; what changed is not on the invoice")
        header = self._merge_header(order, link, complete)
        lines = merge_lines(order.members, _lines_of(complete), base_members(link.base))
        for conflict in header.conflicts:
            self.tools.tally.note_conflict(self.entity, order.record["id"], conflict)
        clashing = [*(str(one) for one in header.open_conflicts), *lines.conflicts]
        if clashing:
            raise Undecidable(Hold(f"both sides were edited: {'; '.join(clashing)}"))
        try:
            self._write_header(order, link, header.writes)
            self._write_lines(order, link, lines, _lines_of(complete))
        except TestFailed:
            raise Undecidable(Hold("Go was edited while this was to be written")) from None
        wrote = bool(header.writes) or not lines.is_empty
        answer = self._read_complete(link) if wrote else complete
        self._store_compared(order, link, header, lines, answer, is_ours=wrote)
        self._check_answer(order, answer, lines=lines)
        if not wrote:
            return "unchanged", Nothing()
        rows = (*header.writes, *(row for rows in lines.changed.values() for row in rows))
        return "changed", Patch(rows)

    def _compare_again(self, order: OrderInGoForm, link: Link) -> tuple[str, Change]:
        """Look whether a person has meanwhile mended an order that is held."""
        complete = self._read_draft(order, link)
        if complete is not None:
            merged = merge_lines(order.members, _lines_of(complete), base_members(link.base))
            self._check_answer(order, complete, lines=merged)
        return "unchanged", Nothing()

    def _read_complete(self, link: Link) -> Mapping[str, Any]:
        complete: Mapping[str, Any] = self.tools.go.read(f"/SalesOrders/{link.go_id}/Complete")
        return complete

    def _read_draft(self, order: OrderInGoForm, link: Link) -> Mapping[str, Any] | None:
        """Return the order with its lines as Go has it now, as long as it may be edited.

        None when it is invoiced and nothing that stands on the invoice was changed in the shop.

        Raises:
            Undecidable: with a Hold, when it is confirmed, invoiced or removed.
        """
        try:
            complete = self._read_complete(link)
        except NotFound:
            entry = self.tools.index.read_again(self.entity, link.go_id)
            if entry is None:
                raise Undecidable(Hold("it was removed in Go; it is not created again")) from None
            changed = _changed_on_invoice(self.table, order, link)
            if not changed:
                return None
            reason = (
                f"it is invoiced in Go (invoice {entry.body.get('InvoiceNo')}), and the shop then"
                f" changed {', '.join(changed)}: an invoice is never edited"
            )
            raise Undecidable(Hold(reason)) from None
        if complete.get("SalesOrderStatus") == "Confirmed":
            names = ", ".join(_changed_names(self.table, order, link)) or "nothing"
            reason = (
                f"it is Confirmed in Go and so locked; set it to Draft (the shop changed {names})"
            )
            raise Undecidable(Hold(reason))
        return complete

    def _merge_header(self, order: OrderInGoForm, link: Link, complete: Mapping[str, Any]) -> Merge:
        settings = self.tools.settings
        stamp = complete.get("LastChangedDateTimeOffset")
        return merge(
            self.table,
            Side(order.header, order.read_at),
            go_side(self.table, complete, now()),
            link.base,
            owners=settings.owners[self.entity],
            evidence=Evidence(
                shop=values.instant(order.record.get("updated_at"), what="updated_at"),
                go=None if stamp == link.own_stamp else values.instant(stamp, what="Go's stamp"),
                margin=settings.clock_margin,
            ),
        )

    def _write_header(
        self, order: OrderInGoForm, link: Link, writes: tuple[RowChange, ...]
    ) -> None:
        if not writes:
            return
        path = f"/SalesOrders/{link.go_id}"
        answer = self.tools.writer.change(self.entity, order.record["id"], path, writes)
        self.tools.store.end_intent(answer.intent)

    def _write_lines(
        self,
        order: OrderInGoForm,
        link: Link,
        lines: LinesMerge,
        in_go: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write lines one by one; each is found again by its reference when an answer is lost."""
        tools = self.tools
        shop_id = order.record["id"]
        path = f"/SalesOrders/{link.go_id}/Lines"
        for reference in lines.removed:
            intent = tools.writer.delete(self.entity, shop_id, f"{path}/{in_go[reference]['Id']}")
            tools.store.end_intent(intent)
        for reference, rows in lines.changed.items():
            line_path = f"{path}/{in_go[reference]['Id']}"
            changed = tools.writer.change(self.entity, shop_id, line_path, rows)
            tools.store.end_intent(changed.intent)
        for reference, members in lines.added.items():
            body = {"ExternalImportReference": reference, "LineType": "Normal", **members}
            added = tools.writer.create(line_target(shop_id, path, reference), body, {})
            tools.store.end_intent(added.intent)

    def _store_compared(
        self,
        order: OrderInGoForm,
        link: Link,
        header: Merge,
        lines: LinesMerge,
        answer: Mapping[str, Any],
        *,
        is_ours: bool,
    ) -> None:
        """Keep what both sides now agree on; rows that only Go changed keep their base."""
        agreed = self._base(order, answer)
        written = {row.row for row in header.writes}
        base = {
            name: agreed[name] if name in written or name not in header.base else header.base[name]
            for name in agreed
            if not name.startswith(LINE)
        }
        old = base_members(link.base)
        for reference in order.members:
            one = agreed[f"{LINE}{reference}"]
            if reference in lines.edited_in_go and reference in old:
                one = _partly_agreed(one, old[reference], lines.changed.get(reference, ()))
            base[f"{LINE}{reference}"] = one
        stamp = answer.get("LastChangedDateTimeOffset") if is_ours else link.own_stamp
        with self.tools.store.transaction():
            self.tools.store.put_link(replace(link, base=base, own_stamp=stamp))
            self.tools.index.remember(self.entity, answer, now())

    # An order that the shop cancelled or deleted

    def _delete(self, record: Record, link: Link | None) -> tuple[str, Change]:
        """Delete a Draft; whatever is further on is for a person."""
        if link is None:
            if self._meet(record) is not None:
                reason = (
                    "it is cancelled in the shop but in Go, and was not linked: see to it in Go"
                )
                raise Undecidable(Hold(reason))
            return "unchanged", Nothing("cancelled before it was ever in Go")
        try:
            complete = self._read_complete(link)
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
        self.tools.store.delete_link(self.entity, record["id"])
        self.tools.index.forget(self.entity, link.go_id)


def _lines_of(complete: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the lines of an order in Go that bear a reference, by it."""
    return {
        line["ExternalImportReference"]: {
            "Id": line.get("Id"),
            **{m: line.get(m) for m in LINE_MEMBERS},
        }
        for line in complete.get("SalesOrderLines") or ()
        if line.get("ExternalImportReference")
    }


def _changed_header(table: Table, order: OrderInGoForm, link: Link) -> list[str]:
    return [
        row.name
        for row in table.active
        if row.direction.reaches_go
        and row.name in order.header
        and (one := link.base.get(row.name)) is not None
        and order.read_at >= one.shop_read_at
        and not row.are_equal(order.header[row.name], one.shop)
    ]


def _has_changed_lines(order: OrderInGoForm, link: Link) -> bool:
    base = base_members(link.base)
    if any(order.read_at < one.shop_read_at for one in base.values()):
        return False
    return set(base) != set(order.members) or any(
        not are_same(order.members[reference], one.shop) for reference, one in base.items()
    )


def _changed_names(table: Table, order: OrderInGoForm, link: Link) -> list[str]:
    """Name what the shop changed since both sides agreed; costs no call."""
    lines = ["lines"] if _has_changed_lines(order, link) else []
    return _changed_header(table, order, link) + lines


def _is_changed(table: Table, order: OrderInGoForm, link: Link) -> bool:
    return bool(_changed_names(table, order, link))


def _changed_on_invoice(table: Table, order: OrderInGoForm, link: Link) -> list[str]:
    """Name what the shop changed that makes an invoice wrong: who buys, and what for how much.

    A date of shipping, say, often follows the invoice; that is no reason to call a person.
    """
    return [name for name in _changed_names(table, order, link) if name in ("customer", "lines")]


def _partly_agreed(
    now_agreed: Agreement, before: Agreement, rows: tuple[RowChange, ...]
) -> Agreement:
    """Return the base of a line of which Go changed some members and the shop perhaps others."""
    written = {row.row: now_agreed.go[row.row] for row in rows if now_agreed.go}
    return replace(now_agreed, go=None if before.go is None else {**before.go, **written})
