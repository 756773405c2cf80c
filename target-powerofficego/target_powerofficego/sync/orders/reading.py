"""Brings orders of the shop into Go's form: lines to the øre, less refunds, with Go's ids."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow.orders.refunds import less_refunds, splits_in_words
from target_powerofficego.dataflow.values import Contradiction
from target_powerofficego.decisions.changes import Hold, Undecidable
from target_powerofficego.sync.orders.wanted import (
    ADDRESS_KEY,
    CREDITED,
    OrderInGoForm,
    address_key,
    carried_refunds,
    known_refunds,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.orders.refunds import Refund
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.store.link_store import Link
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.orders.parties import OrderParties

_WHAT_TO_DO = (
    "let the shop tell each refund, or take it off in Go by hand"
    " (by a credit note, once it is invoiced)"
)
_WHAT_TO_MEND = (
    "correct that in the shop; or take it off in Go by hand (by a credit note, once it is"
    " invoiced), then acknowledge"
)


class OrderForms:
    """Reads orders; what is missing in Go is waited for, or made at end of input."""

    entity = "orders"

    def __init__(self, tools: Tools, parties: OrderParties) -> None:
        self._tools = tools
        self._parties = parties

    @property
    def table(self) -> Table:
        """The property table of orders."""
        return self._tools.settings.tables[self.entity]

    def of_order(
        self, record: ShopOrder, read_at: datetime.datetime, link: Link | None, *, at_end: bool
    ) -> OrderInGoForm:
        """Return an order as it is to stand in Go, less its refunds.

        Once it is known to be invoiced, only less those that the invoice is less already.

        Raises:
            Unusable: it cannot be read.
            Undecidable: it waits for its parties, or tells that it was paid back but not how.
        """
        ids = [one.id for one in record.refunds]
        whole = record.lines
        _, paid_back = self._less_refunds(whole, record.refunds)
        untold = record.untold_refund(paid_back)
        if untold:
            raise Undecidable(Hold(f"{untold}: {_WHAT_TO_DO}"))
        if link is not None and CREDITED in link.base:
            ids = [one for one in carried_refunds(link.base) if one in ids]
        return self.less(record, read_at, ids, at_end=at_end)

    def less(
        self, record: ShopOrder, read_at: datetime.datetime, ids: Sequence[str], *, at_end: bool
    ) -> OrderInGoForm:
        """Return an order less the refunds with these ids, in their order.

        Raises:
            Unusable, Undecidable: as `of_order`.
        """
        lines, total = self.amounts(record, ids)
        header = self.table.read(record.raw, self._tools.conversion).values
        order = self.of_lines(record, read_at, header, lines, total, at_end=at_end)
        told = {one.id for one in record.refunds}
        return replace(order, refunds=tuple(one for one in ids if one in told))

    def amounts(
        self, record: ShopOrder, ids: Sequence[str]
    ) -> tuple[tuple[OrderLine, ...], Decimal]:
        """Return an order's lines less the refunds with these ids, and what they come to.

        The refunds are taken off in the order of the ids: that of Go, once it is invoiced there.

        Raises:
            Unusable: they cannot be read.
            Undecidable: with a Hold, when what is told of a refund does not add up.
        """
        whole = record.lines
        total = record.total
        told = {one.id: one for one in record.refunds}
        refunds = [told[one] for one in dict.fromkeys(ids) if one in told]
        lines, paid_back = self._less_refunds(whole, refunds)
        return lines, total - paid_back

    def _less_refunds(
        self, lines: Iterable[OrderLine], refunds: Iterable[Refund]
    ) -> tuple[tuple[OrderLine, ...], Decimal]:
        try:
            return less_refunds(lines, refunds, self._tools.settings.service_codes)
        except Contradiction as contradiction:
            raise Undecidable(Hold(f"{contradiction}: {_WHAT_TO_MEND}")) from None

    @contextlib.contextmanager
    def splits_logged(self, record: ShopOrder, link: Link | None) -> Iterator[None]:
        """Log how refunds are split that are taken off an order here, or credited, the first time.

        Also when the order is then held: the next run knows them already.
        """
        before = known_refunds(link.base) if link else ()
        try:
            yield
        finally:
            link = self._tools.store.link(self.entity, record.id)
            known = known_refunds(link.base) if link else ()
            if set(known) - set(before):
                self._log_splits(record, known, before)

    def _log_splits(self, record: ShopOrder, known: Sequence[str], before: Sequence[str]) -> None:
        lines, _ = self.amounts(record, known)
        new = [one for one in record.refunds if one.id in known and one.id not in before]
        for split in splits_in_words(lines, new):
            self._tools.tally.note_repair(self.entity, record.id, split)

    def of_lines(
        self,
        record: ShopOrder,
        read_at: datetime.datetime,
        header: Mapping[str, Value],
        lines: tuple[OrderLine, ...],
        total: Decimal,
        *,
        at_end: bool,
    ) -> OrderInGoForm:
        """Return an order of a header and lines, with the ids of its parties in Go.

        Raises:
            Undecidable: it waits for its parties.
        """
        parties = self._parties.resolve(record, lines, read_at, at_end=at_end)
        return OrderInGoForm(
            record,
            read_at,
            {**header, "customer": parties.customer_id},
            lines,
            {line.reference: parties.members(line) for line in lines},
            total,
            address_key(record, parties.customer_id),
            parties.buyer,
        )

    def with_address(self, order: OrderInGoForm, link: Link | None) -> OrderInGoForm:
        """Return the order with its delivery address, which is looked for only when it changed."""
        base = link.base if link else {}
        before = base.get(ADDRESS_KEY)
        if before is not None and before.shop == order.address_key:
            address = base["shipping_address"].shop
        else:
            customer = order.header["customer"]
            address = self._parties.delivery_address(
                order.record, order.buyer.id, customer, order.read_at
            )
        return replace(order, header={**order.header, "shipping_address": address})
