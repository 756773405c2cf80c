"""A sales order that is still a Draft: read, edited step by step, and read again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.values import is_before
from target_powerofficego.decisions.changes import Hold, RowChange, Undecidable
from target_powerofficego.decisions.merge_lines import (
    LINE,
    LinesMerge,
    are_same,
    lines_by_reference,
)
from target_powerofficego.go_api import NotFound, TestFailed, TryAgainLater
from target_powerofficego.sync.go.destinations import line_destination
from target_powerofficego.sync.go.writer import SECOND_LOOK_SECONDS
from target_powerofficego.sync.orders.wanted import UNLOCKED, OrderInGoForm, partly_agreed

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.store.link_store import Intent, Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.go.index import Entry
    from target_powerofficego.sync.go.writer import Answer

_STATUS, _DRAFT, _CONFIRMED = "SalesOrderStatus", "Draft", "Confirmed"
_READS_AFTER_WRITES = 4
_REPLICA_SECONDS = 1.0


class Drafts:
    """Reads and edits the sales orders of Go; an order that is no Draft any more is held."""

    entity = "orders"

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self.tools.settings.tables[self.entity]

    def read_complete(self, link: Link) -> Mapping[str, Any]:
        """Return an order with its lines as Go has it now, our own last write included.

        Reads may come from a replica that is a second behind (known of PowerOffice Go v1).

        Raises:
            NotFound: Go has no such sales order: it is invoiced or removed.
            TryAgainLater: Go keeps showing it as it was before our own last write.
        """
        for _ in range(_READS_AFTER_WRITES):
            complete: Mapping[str, Any] = self.tools.go.read(f"/SalesOrders/{link.go_id}/Complete")
            if not is_before(complete.get("LastChangedDateTimeOffset"), link.own_stamp):
                return complete
            time.sleep(_REPLICA_SECONDS)
        msg = f"Go shows sales order {link.go_id} as it was before it was last written"
        raise TryAgainLater(msg)

    def find(self, link: Link) -> Mapping[str, Any] | Entry | None:
        """Return the order with its lines as Go has it now; once it is invoiced, its invoice.

        None when it was removed.
        """
        try:
            return self.read_complete(link)
        except NotFound:
            return self.tools.index.read_again(self.entity, link.go_id)

    def invoice_shown_late(self, link: Link) -> Entry | None:
        """Return the invoice of an order that is gone, once a replica that is behind shows it."""
        invoice = self.tools.index.read_invoice(self.entity, link.go_id)
        if invoice is None:
            time.sleep(SECOND_LOOK_SECONDS)
            invoice = self.tools.index.read_invoice(self.entity, link.go_id)
        return invoice

    def read(self, link: Link) -> Mapping[str, Any] | Entry:
        """Return what `find` does.

        Raises:
            Undecidable: with a Hold, when it was removed.
        """
        found = self.find(link)
        if found is None:
            raise Undecidable(Hold("it was removed in Go; it is not created again"))
        return found

    def unlock(self, link: Link, read_at: datetime.datetime) -> Link:
        """Set a Confirmed order to Draft, so that it can be edited; return its link.

        That it is to be Confirmed again is kept first, so that it is whatever comes in between.

        Raises:
            TestFailed: Go was edited meanwhile.
        """
        mark = Agreement([_CONFIRMED], None, read_at, now())
        marked = replace(link, base={**link.base, UNLOCKED: mark})
        self.tools.store.put_link(marked)
        try:
            return self._set_status(marked, read_at, _CONFIRMED, _DRAFT)
        except TestFailed:
            self.tools.store.put_link(link)
            raise

    def lock_again(self, link: Link, read_at: datetime.datetime) -> None:
        """Set an order to Confirmed that was unlocked to edit it.

        Raises:
            Undecidable: with a Hold, when Go was edited meanwhile.
        """
        if UNLOCKED not in link.base:
            return
        try:
            link = self._set_status(link, read_at, _DRAFT, _CONFIRMED)
        except TestFailed:
            complete = self.find(link)
            if isinstance(complete, dict) and complete.get(_STATUS) != _CONFIRMED:
                raise Undecidable(Hold("it could not be set to Confirmed again")) from None
        base = {name: one for name, one in link.base.items() if name != UNLOCKED}
        self.tools.store.put_link(replace(link, base=base))

    def _set_status(self, link: Link, read_at: datetime.datetime, before: str, after: str) -> Link:
        row = RowChange(_STATUS, f"/{_STATUS}", before, after)
        path = f"/SalesOrders/{link.go_id}"
        answer = self.tools.writer.change(self.entity, link.shop_id, path, [row], read_at=read_at)
        link = replace(link, own_stamp=answer.body.get("LastChangedDateTimeOffset"))
        self._store_step(link, answer.intent)
        return link

    def write_header(self, order: OrderInGoForm, link: Link, writes: tuple[RowChange, ...]) -> Link:
        """Patch the header; return the link with what both sides agree on since.

        Raises:
            TestFailed: Go was edited meanwhile.
        """
        if not writes:
            return link
        path = f"/SalesOrders/{link.go_id}"
        answer = self.tools.writer.change(
            self.entity, order.record.id, path, writes, read_at=order.read_at
        )
        written = {
            row.row: Agreement(
                row.after, self.table.row(row.row).from_go(answer.body), order.read_at, now()
            )
            for row in writes
        }
        stamp = answer.body.get("LastChangedDateTimeOffset")
        link = replace(link, base={**link.base, **written}, own_stamp=stamp)
        self._store_step(link, answer.intent)
        return link

    def write_lines(
        self,
        order: OrderInGoForm,
        link: Link,
        lines: LinesMerge,
        in_go: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, Mapping[str, Any] | None]:
        """Write lines one by one; return what Go answered by reference, None for a removed one.

        The base follows each step, so that a run that is cut off goes on where it was. Lines are
        removed last: an order may not be without any in between.
        """
        tools = self.tools
        shop_id = order.record.id
        path = f"/SalesOrders/{link.go_id}/Lines"
        written: dict[str, Mapping[str, Any] | None] = {}
        for reference, rows in lines.changed.items():
            line_path = f"{path}/{in_go[reference]['Id']}"
            answer = tools.writer.change(
                self.entity, shop_id, line_path, rows, read_at=order.read_at, line=reference
            )
            link = self._agree_on_line(order, link, reference, answer, rows)
            written[reference] = answer.body
        for reference, members in lines.added.items():
            body = {"ExternalImportReference": reference, **members}
            target = line_destination(shop_id, path, reference)
            answer = tools.writer.create(target, body, members, read_at=order.read_at)
            link = self._agree_on_line(order, link, reference, answer)
            written[reference] = answer.body
        for reference in lines.removed:
            line_path = f"{path}/{in_go[reference]['Id']}"
            deletion = tools.writer.delete(self.entity, shop_id, line_path, line=reference)
            base = {name: one for name, one in link.base.items() if name != f"{LINE}{reference}"}
            link = replace(link, base=base)
            self._store_step(link, deletion.intent)
            written[reference] = None
        return written

    def _agree_on_line(
        self,
        order: OrderInGoForm,
        link: Link,
        reference: str,
        answer: Answer,
        rows: tuple[RowChange, ...] = (),
    ) -> Link:
        name = f"{LINE}{reference}"
        there = {member: answer.body.get(member) for member in ("Id", *LINE_MEMBERS)}
        if reference not in order.members:  # ours alone: the line for rounding
            self._store_step(link, answer.intent)
            return link
        one = Agreement(order.members[reference], there, order.read_at, now())
        before = link.base.get(name)
        agreed = one if before is None else partly_agreed(one, before, rows)
        link = replace(link, base={**link.base, name: agreed})
        self._store_step(link, answer.intent)
        return link

    def _store_step(self, link: Link, intent: Intent) -> None:
        with self.tools.store.transaction():
            self.tools.store.put_link(link)
            self.tools.store.note_comparison(self.entity, link.shop_id)
            self.tools.store.end_intent(intent)

    def read_after_writes(
        self, link: Link, written: Mapping[str, Mapping[str, Any] | None]
    ) -> Mapping[str, Any]:
        """Read the whole order once Go shows what it answered to our writes of lines.

        Raises:
            TryAgainLater: Go does not show it; the next run compares again.
        """
        for _ in range(_READS_AFTER_WRITES):
            complete = self.read_complete(link)
            shown = lines_by_reference(complete)
            if all(are_same(shown.get(reference), line) for reference, line in written.items()):
                return complete
            time.sleep(_REPLICA_SECONDS)
        msg = f"Go does not show yet what it answered to the lines of sales order {link.go_id}"
        raise TryAgainLater(msg)
