"""An order in Go's form, what both sides hold of it, and what the shop has changed since; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.agreement import Agreement, now
from target_powerofficego.dataflow.orders.amounts import AMOUNTS, as_kept, from_kept, order_amounts
from target_powerofficego.dataflow.orders.credits import CANCEL
from target_powerofficego.dataflow.orders.line_amounts import ORE
from target_powerofficego.dataflow.orders.lines import LINE_MEMBERS
from target_powerofficego.dataflow.orders.lines_back import NUMBERS, unmet
from target_powerofficego.dataflow.orders.refunds import REFUND_LINE
from target_powerofficego.dataflow.orders.stages import STAGE
from target_powerofficego.dataflow.values import number_in_go, text_id, to_ore
from target_powerofficego.decisions.merge_lines import (
    LINE,
    are_same,
    base_members,
    lines_by_reference,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from target_powerofficego.dataflow.buyers import AgreedBuyer
    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.orders.refunds import Refund
    from target_powerofficego.dataflow.orders.shop_order import ShopOrder
    from target_powerofficego.dataflow.table import Table
    from target_powerofficego.dataflow.values import Value
    from target_powerofficego.decisions.changes import RowChange
    from target_powerofficego.store.link_store import Link

ADDRESS_KEY = "address_key"
"""Under this the base keeps where an order goes, as the shop told it."""

REFUNDS = "refunds"
"""Under this the base keeps the ids of the refunds that the order's lines are less."""

CREDITED = "credited"
"""In the base of an order that is known to be invoiced: the refunds that are credited since, see
`credit_marks`."""

TAKEN_BACK = "taken_back"
"""Under this the base of an invoiced order keeps the credit notes that Go made otherwise, so that
they were deleted: by the refund's id what was to be credited, and why it is held."""

UNLOCKED = "unlocked"
"""This is in the base while an order that was Confirmed is a Draft, for us to edit."""

_LASTING = (CREDITED, TAKEN_BACK, UNLOCKED, STAGE)
"""What stays in a base however often both sides agree anew."""


@dataclass(frozen=True)
class OrderInGoForm:
    """An order as it is to stand in Go: header values by row name, line members by reference."""

    record: ShopOrder
    read_at: datetime.datetime
    header: Mapping[str, Value]
    lines: tuple[OrderLine, ...]
    members: Mapping[str, Mapping[str, Value]]
    total: Decimal
    address_key: list[str] | None
    buyer: AgreedBuyer
    refunds: tuple[str, ...] = ()
    """The ids of the refunds that the lines are less."""


def agreed_base(
    table: Table, order: OrderInGoForm, answer: Mapping[str, Any] | None
) -> dict[str, Agreement]:
    """Return what both sides hold now; without an answer, the shop's values twice."""
    answered_at = now()
    base = {
        row.name: Agreement(
            order.header[row.name],
            order.header[row.name] if answer is None else row.from_go(answer),
            order.read_at,
            answered_at,
        )
        for row in table.active
        if row.name in order.header
    }
    in_go = None if answer is None else lines_by_reference(answer)
    for reference, members in order.members.items():
        there = members if in_go is None else in_go.get(reference)
        base[f"{LINE}{reference}"] = Agreement(members, there, order.read_at, answered_at)
    base.setdefault("shipping_address", Agreement(None, None, order.read_at, answered_at))
    kept = {
        name: Agreement(value, None, order.read_at, answered_at)
        for name, value in kept_beside(order).items()
    }
    return {**base, **kept}


def kept_beside(order: OrderInGoForm) -> dict[str, Any]:
    """Return what a base keeps of an order beside what Go holds of it."""
    return {
        ADDRESS_KEY: order.address_key,
        **order.buyer.as_kept(),
        REFUNDS: list(order.refunds),
        AMOUNTS: as_kept(order_amounts(order.header, order.lines)),
    }


def with_lines_of_go(link: Link, complete: Mapping[str, Any]) -> Link:
    """Return the link with Go's lines as they stand, where its base has never seen them.

    Of an order that was found in Go and linked only the shop's side is known, and what differs is
    no edit of Go's: it must not count as one when the totals are compared.
    """
    base = base_members(link.base)
    seen = {
        f"{LINE}{reference}": replace(base[reference], go=line, go_read_at=now())
        for reference, line in unmet(lines_by_reference(complete), base).items()
    }
    return replace(link, base={**link.base, **seen}) if seen else link


def lasting(base: Mapping[str, Agreement]) -> dict[str, Agreement]:
    """Return what stays in a base however often both sides agree anew."""
    return {name: base[name] for name in _LASTING if name in base}


def carried_refunds(base: Mapping[str, Agreement]) -> tuple[str, ...]:
    """Return the ids of the refunds that an order's lines are less in Go."""
    return tuple(base[REFUNDS].shop or ()) if REFUNDS in base else ()


def credit_marks(base: Mapping[str, Agreement]) -> dict[str, str | None]:
    """Return what is kept of credit notes by the id of the refund, in the order they were made in.

    That is `as_credited`, or None while it is only begun.
    """
    return dict(base[CREDITED].shop or ()) if CREDITED in base else {}


def credited_refunds(base: Mapping[str, Agreement]) -> dict[str, str]:
    """Return the refunds that have a credit note in Go, if they moved any sum, as paid back."""
    return {one: told for one, told in credit_marks(base).items() if told is not None}


def known_refunds(base: Mapping[str, Agreement]) -> tuple[str, ...]:
    """Return the refunds that an order is less in Go, or that have a credit note, if only begun."""
    return (*carried_refunds(base), *credit_marks(base))


def as_credited(refund: Refund | None) -> str:
    """Return what tells whether a credited refund is still the same; None: a cancellation."""
    if refund is None:
        return "cancelled"
    lines = [
        (one.line_id, one.quantity.normalize(), one.amount and one.amount.normalize())
        for one in refund.lines
    ]
    vat = (refund.vat,) if refund.vat.is_told else ()
    told = (refund.amount, lines, refund.shipping, *vat)
    return hashlib.blake2b(repr(told).encode(), digest_size=8).hexdigest()


def refunds_to_credit(refunds: Iterable[Refund], base: Mapping[str, Agreement]) -> list[Refund]:
    """Return the refunds of an invoiced order that no credit note says as the shop does.

    With one that is another by now come all that were credited after it: what each takes of a VAT
    rate is what those before it have left.
    """
    carried, marks = carried_refunds(base), credit_marks(base)
    told = {one.id: one for one in refunds if one.id not in carried}
    known = [told[name] for name in marks if name in told]
    changed = (place for place, one in enumerate(known) if marks[one.id] != as_credited(one))
    first = next(changed, len(known))
    return known[first:] + [one for one in told.values() if one.id not in marks]


def with_amounts(order: OrderInGoForm, link: Link) -> Link:
    """Return the link with what the order comes to as the shop tells it; itself if it has that.

    So is a link of before these were kept.
    """
    known = link.base.get(AMOUNTS)
    kept = as_kept(order_amounts(order.header, order.lines))
    told = Agreement(kept, None, order.read_at, now())
    if known is not None and known.shop == told.shop:
        return link
    return replace(link, base={**link.base, AMOUNTS: told})


def with_refunds(order: OrderInGoForm, link: Link) -> Link:
    """Return the link of an order that did not change with the refunds it is less by now.

    A shop may take a refund back and make another that comes to the same.
    """
    if CREDITED in link.base or set(carried_refunds(link.base)) == set(order.refunds):
        return link
    told = Agreement(list(order.refunds), None, order.read_at, now())
    return replace(link, base={**link.base, REFUNDS: told})


def address_key(record: ShopOrder, customer_id: int) -> list[str] | None:
    """Return where an order goes and to whom: while it stays, no delivery address is looked for."""
    address = record.address
    return None if address is None else [str(customer_id), *address.content]


def changed_header(table: Table, order: OrderInGoForm, link: Link) -> list[str]:
    """Name the rows of the header that the shop changed since both sides agreed; costs no call."""
    return [
        row.name
        for row in table.active
        if row.direction.reaches_go
        and row.name in order.header
        and (one := link.base.get(row.name)) is not None
        and not row.are_equal(order.header[row.name], one.shop)
    ]


def changed_lines(order: OrderInGoForm, link: Link) -> list[str]:
    """Name the lines, by reference, that the shop changed, added or removed since; no call."""
    base = base_members(link.base)
    return [
        reference
        for reference in dict.fromkeys([*base, *order.members])
        if reference not in base
        or reference not in order.members
        or not are_same(order.members[reference], base[reference].shop)
    ]


def is_changed(table: Table, order: OrderInGoForm, link: Link) -> bool:
    """Tell whether the shop changed anything since both sides agreed, or tells a row anew."""
    return bool(
        changed_header(table, order, link)
        or changed_lines(order, link)
        or _has_unmet_rows(table, order, link)
    )


def _has_unmet_rows(table: Table, order: OrderInGoForm, link: Link) -> bool:
    """Tell whether a row has no base: both sides' values are first met then."""
    return any(
        row.direction.reaches_go and row.name in order.header and row.name not in link.base
        for row in table.active
    )


def has_other_refunds(order: OrderInGoForm, link: Link) -> bool:
    """Return whether an order known to be invoiced, and not cancelled, has others than credited."""
    marks = credit_marks(link.base)
    if CREDITED not in link.base or not order.record.tells_refunds:
        return CANCEL in marks
    refunds = order.record.refunds
    gone = marks.keys() - {one.id for one in refunds}
    return bool(gone or refunds_to_credit(refunds, link.base))


def changed_on_invoice(table: Table, order: OrderInGoForm, link: Link) -> list[str]:
    """Name what the shop changed that makes an invoice wrong: who buys, and what for how much.

    A date of shipping, say, often follows the invoice; that is no reason to call a person. Nor is
    who a guest is, the order of the lines, or what follows from settings and from the customer in
    Go; nor how øre are rounded and refunds are taken off, which an earlier version may have done
    otherwise.
    """
    is_guest = text_id(order.record.raw.get("customer_id")) is None
    changed = changed_header(table, order, link)
    names = [name for name in changed if name == "customer" and not is_guest]
    lines = [one for one in changed_lines(order, link) if _is_another(one, order, link)]
    if lines and not (_are_of_refunds(lines, order) and _comes_to_the_same(order, link)):
        names.append("lines")
    return names


def _are_of_refunds(references: Iterable[str], order: OrderInGoForm) -> bool:
    """Return whether lines are only those that the refunds which an order is less bear upon."""
    carried = [one for one in order.record.refunds if one.id in order.refunds]
    named = {name for refund in carried for part in refund.lines for name in part.references}
    begins = (REFUND_LINE, "discount:", "shipping:") if carried else (REFUND_LINE,)
    return all(one in named or one.startswith(begins) for one in references)


def _comes_to_the_same(order: OrderInGoForm, link: Link) -> bool:
    known = link.base.get(AMOUNTS)
    return known is not None and from_kept(known.shop).total.incl == order.total


def _is_another(reference: str, order: OrderInGoForm, link: Link) -> bool:
    """Tell whether a changed line says that something else was sold, or for another amount."""
    told, agreed = order.members.get(reference), base_members(link.base).get(reference)
    if told is None or agreed is None:
        return True
    follows = {"SortOrder", "UseStandardSalesAccount"}
    if any(line.reference == reference and line.service for line in order.lines):
        follows.add("ProductId")
    if _comes_to_the_same(order, link) and abs(_net(told) - _net(agreed.shop)) <= ORE:
        follows |= {"ProductUnitPrice", "Allowance"}  # an øre was moved between lines, at most
    return any(
        same(told.get(name)) != same(agreed.shop.get(name))
        for name, same in LINE_MEMBERS.items()
        if name not in follows
    )


def _net(members: Mapping[str, Value]) -> Decimal:
    """Return what Go makes of a line without VAT; of a text nothing."""
    quantity, price, allowance = (
        number_in_go(members.get(name) or 0, what=name) for name in NUMBERS
    )
    return to_ore(quantity * price * (1 - allowance / 100))


def partly_agreed(
    now_agreed: Agreement, before: Agreement, rows: tuple[RowChange, ...]
) -> Agreement:
    """Return the base of a line: new are the members that were written or are the same by now.

    What only Go changed keeps its base, so that it is still known as an edit of Go's.
    """
    if before.go is None or now_agreed.go is None:
        is_agreed = are_same(now_agreed.shop, now_agreed.go)
        return now_agreed if is_agreed else replace(now_agreed, go=before.go)
    written = {row.row for row in rows}
    new = {
        name: now_agreed.go[name]
        for name, same in LINE_MEMBERS.items()
        if name in written or same(now_agreed.shop.get(name)) == same(now_agreed.go[name])
    }
    return replace(now_agreed, go={**before.go, **new})
