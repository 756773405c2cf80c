"""Refunds of an order, its lines less what was paid back, and the lines of credit notes; pure."""

from __future__ import annotations

import datetime
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import (
    NOTHING,
    ORE,
    ZERO,
    Money,
    Price,
    repriced,
    with_vat_of,
)
from target_powerofficego.dataflow.orders.lines import (
    LISTS,
    ByRate,
    OrderLine,
    ServiceCodes,
    by_rate,
    dicts,
    format_deductions,
    spread_lines,
    total_incl,
)
from target_powerofficego.dataflow.orders.refund_shares import (
    VAT_NOT_STATED,
    StatedVat,
    discount_shares,
    positive,
    read_vat,
    refund_shares,
    shares_by_stated_vat,
    split,
    together,
)
from target_powerofficego.dataflow.values import Contradiction, Unusable, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.table import Record

REFUND_LINE = "refund:"
"""Prefix of the references of lines for what was paid back for no line in particular."""

_ONE = Decimal(1)
_LAST = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
_FREIGHT = "shipping:"


@dataclass(frozen=True)
class RefundedLine:
    """What was paid back for a line, freight or fee, with VAT, and how many units came back.

    `references` are those of the order's lines with that id; empty, if it has none.
    """

    line_id: str
    references: tuple[str, ...]
    quantity: Decimal
    amount: Decimal | None


@dataclass(frozen=True)
class Refund:
    """One refund: what was paid back in all, with VAT; for the lines, and for the freight.

    `vat` is what the shop says about its VAT.
    """

    id: str
    amount: Decimal | None
    lines: tuple[RefundedLine, ...]
    shipping: Decimal
    created_at: object = None
    vat: StatedVat = VAT_NOT_STATED

    @property
    def called(self) -> str:
        """Its name in a reason."""
        return f"refund {values.quoted(self.id)}"


def read_refunds(order: Record) -> tuple[Refund, ...]:
    """Return the refunds of an order, the earliest first.

    Those without a time come last, in the order in which the shop lists them.

    Raises:
        Unusable: one cannot be read, or has no id or no amount at all; or two have the same id.
    """
    told = dicts(order.get("refunds"), label="refunds")
    named = _references(order) if told else {}
    found = tuple(
        _refund(raw, f"refund {number}", named) for number, raw in enumerate(told, start=1)
    )
    ids = [one.id for one in found]
    doubled = sorted({one for one in ids if ids.count(one) > 1})
    if doubled:
        raise Unusable(f"two refunds have the id {' and '.join(map(values.quoted, doubled))}")
    return tuple(sorted(found, key=_paid_back_at))


def _paid_back_at(refund: Refund) -> datetime.datetime:
    # an invalid stamp matters only for a credit note, which reports it
    return values.instant_or_none(refund.created_at) or _LAST


def _references(order: Record) -> Mapping[str, tuple[str, ...]]:
    """Return the references of the order's lines, freight and fees by the ids that the shop gives.

    Freight or a fee without an id cannot be named.
    """
    found: dict[str, tuple[str, ...]] = {}
    for member, prefix in LISTS.items():
        for raw in dicts(order.get(member), label=member):
            shop_id = values.text(raw.get("id"), label=f"{member}, id")
            if shop_id is not None:
                found[shop_id] = (*found.get(shop_id, ()), f"{prefix}{shop_id}")
    return found


def _refund(raw: Record, label: str, named: Mapping[str, tuple[str, ...]]) -> Refund:
    told = values.text(raw.get("id"), label=f"{label}, id")
    shop_id = values.require(told, f"{label} has no id")
    lines = tuple(
        _refunded_line(one, f"{label}, line {number}", named)
        for number, one in enumerate(dicts(raw.get("lines"), label=f"{label}, lines"), start=1)
    )
    vat = read_vat(raw, label)
    amount = positive(raw.get("amount_incl"), f"{label}, amount_incl")
    amount = vat.incl if amount is None else amount
    shipping = positive(raw.get("shipping_incl"), f"{label}, shipping_incl") or ZERO
    is_told = any(line.amount is not None or line.quantity for line in lines)
    if amount is None and not shipping and not is_told:
        raise Unusable(
            f"{label} has no amount_incl, and no lines or freight that tell what was paid back"
        )
    return Refund(shop_id, amount, lines, shipping, raw.get("created_at"), vat)


def _refunded_line(raw: Record, label: str, named: Mapping[str, tuple[str, ...]]) -> RefundedLine:
    told = values.text(raw.get("line_id"), label=f"{label}, line_id")
    line_id = values.require(told, f"{label} has no line_id")
    references = named.get(line_id, ())
    quantity = values.amount(raw.get("quantity"), label=f"{label}, quantity")
    if quantity is None:  # freight and fees count as one unit each
        quantity = ZERO if line_id in references or not references else _ONE
    amount = positive(raw.get("amount_incl"), label)
    return RefundedLine(line_id, references, abs(quantity), amount)


def subtract_refunds(
    lines: Iterable[OrderLine], refunds: Iterable[Refund], codes: ServiceCodes
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return the lines less what was paid back, and how much that is with VAT.

    Each refund is taken off what the earlier ones left, so their order decides which VAT rates bear
    it. A line of which all units came back stays, with a quantity of 0. What was paid back for no
    line in particular becomes a negative line for each VAT rate.

    Raises:
        Contradiction: more was paid back than there was, or a refund's amounts do not add up.
    """
    left = {line.reference: line for line in lines}
    lowest = _lowest_by_rate(left.values())
    paid_back = ZERO
    for refund in refunds:
        before = tuple(left.values())
        told = _take_named(left, refund)
        amount = told if refund.amount is None else refund.amount
        _check_amount(refund, amount, told, total_incl(before))
        if amount or told:
            left |= _for_no_line(before, left, refund, amount - told, lowest, codes)
        paid_back += total_incl(before) - total_incl(left.values())
    return tuple(left.values()), paid_back


def _lowest_by_rate(sold: Iterable[OrderLine]) -> dict[Decimal, Decimal]:
    """Return the floor that refunds leave at each VAT rate: zero, or a negative sum sold at it."""
    return {rate: min(one.incl, ZERO) for rate, one in (by_rate(sold) or {}).items()}


def _check_amount(refund: Refund, amount: Decimal, told: Decimal, before: Decimal) -> None:
    if amount < told:
        raise Contradiction(f"{refund.called} is {amount}, but its lines come to {told}")
    if amount > max(before, ZERO):
        raise Contradiction(
            f"{refund.called} is {amount}, but the order comes to {before} before it"
        )


def _for_no_line(
    before: Sequence[OrderLine],
    left: Mapping[str, OrderLine],
    refund: Refund,
    rest: Decimal,
    lowest: dict[Decimal, Decimal],
    codes: ServiceCodes,
) -> dict[str, OrderLine]:
    """Return the negative lines for the part of a refund that is not for lines that it names.

    Where the shop gives its VAT, that decides; at 0 % more may then be taken than was sold.
    """
    label, now = refund.called, tuple(left.values())

    def spread(shares: ByRate) -> list[OrderLine]:
        reference = f"{REFUND_LINE}{refund.id}"
        return spread_lines(reference, codes.discount, "Rabatt", "Refusjon", len(left), shares)

    if not refund.vat.is_told:
        found = spread(refund_shares(rest, now, lowest, label))
    else:
        shares = shares_by_stated_vat(refund.vat, rest, before, now, lowest, label)
        after = (*now, *spread(shares))
        without_vat = _lowest_by_rate(after).get(ZERO, ZERO)
        lowest[ZERO] = min(lowest.get(ZERO, ZERO), without_vat)
        found = spread(together(shares, refund_shares(ZERO, after, lowest, label)))
    return {line.reference: line for line in found}


def describe_splits(lines: Collection[OrderLine], refunds: Iterable[Refund]) -> list[str]:
    """Say how what was paid back for no line, with no VAT given, is taken off the lines.

    `lines` are those less the refunds. Nothing is split in an order that was paid back in full.
    """
    shares: dict[str, list[OrderLine]] = defaultdict(list)
    for line in lines:
        shares[line.reference.rpartition(":")[0]].append(line)
    if not any(one.incl for one in (by_rate(lines) or {}).values()):
        return []
    return [
        f"{amount} of {refund.called} is for no line and tells no VAT: it is taken"
        f" as a price reduction, {format_deductions(found)}"
        for refund in refunds
        if not refund.vat.is_told
        for found in [shares[f"{REFUND_LINE}{refund.id}"]]
        if (amount := -total_incl(found)) > 0
    ]


def _take_named(left: dict[str, OrderLine], refund: Refund) -> Decimal:
    """Take a refund from the lines that it names; return what that comes to with VAT."""
    before = total_incl(left.values())
    parts = _named_parts(left, refund)
    freight = [reference for reference, _ in parts if reference.startswith(_FREIGHT)]
    told = sum((part.amount or ZERO for one, part in parts if one in freight), ZERO)
    wanted = max(refund.shipping - told, ZERO)
    if refund.shipping:  # it covers freight that is named without an amount
        parts = [one for one in parts if one[0] not in freight or one[1].amount is not None]
    amounts, along = _settled(_read_named(left, refund, parts), refund, before, wanted)
    for (reference, part), amount in zip(parts, amounts, strict=True):
        left[reference] = _less(left[reference], refund, part.quantity, amount)
    for reference, amount in along.items():
        is_all = amount == abs(left[reference].total.incl)
        quantity = abs(left[reference].quantity) if is_all else ZERO
        left[reference] = _less(left[reference], refund, quantity, amount)
    _take_freight(left, refund, wanted, freight)
    return before - total_incl(left.values())


def _named_parts(left: Mapping[str, OrderLine], refund: Refund) -> list[tuple[str, RefundedLine]]:
    """Return the parts that a refund names, each with its line's reference, except free ones."""
    found = []
    for part in refund.lines:
        there = [one for one in part.references or (part.line_id,) if one in left]
        label = f"{refund.called} names a line {values.quoted(part.line_id)}"
        if len(there) > 1:
            raise Contradiction(
                f"{label}, which is the id of {len(there)} of the order's lines, freight and fees"
            )
        if there:
            found.append((there[0], part))
        elif not part.references or part.amount:
            raise Unusable(f"{label} that the order does not have")
    return found


@dataclass(frozen=True)
class _Named:
    """What the parts that a refund names come to, before the refund's total is considered.

    `amounts` are those of the parts in turn, `gross` their sum. `untold` holds, by position, the
    amounts of parts for which the shop gives only how many units came back. `shares` is what all
    parts bear of the order's discounts, by the discount's reference; `shares_of_untold` what the
    untold parts bear; `discounts` what is left of those discounts. `sold` lists the positions of
    parts above zero. `tolerance` is by how much the shop may have rounded: an øre on each unit that
    is left of a part, and on each share.
    """

    amounts: list[Decimal]
    gross: Decimal
    untold: dict[int, Decimal]
    shares: dict[str, Decimal]
    shares_of_untold: dict[str, Decimal]
    discounts: dict[str, Decimal]
    sold: list[int]
    tolerance: Decimal


def _read_named(
    left: Mapping[str, OrderLine], refund: Refund, parts: Sequence[tuple[str, RefundedLine]]
) -> _Named:
    rest, amounts = dict(left), []
    for reference, part in parts:
        amount = _cost(rest[reference], part.quantity) if part.amount is None else part.amount
        rest[reference] = _less(rest[reference], refund, part.quantity, amount)
        amounts.append(amount)
    untold: dict[int, Decimal] = {}
    of_untold: dict[str, Decimal] = defaultdict(Decimal)
    for place, (reference, part) in enumerate(parts):
        if part.amount is None and amounts[place] and left[reference].total.incl > 0:
            untold[place] = amounts[place]
            of_untold[reference] += amounts[place]
    taken = {one: line.total.incl - rest[one].total.incl for one, line in left.items()}
    shares = discount_shares(left.values(), taken)
    units = sum((max(abs(left[reference].quantity), _ONE) for reference, _ in parts), ZERO)
    sold = [place for place, (reference, _) in enumerate(parts) if left[reference].total.incl > 0]
    return _Named(
        amounts,
        sum(taken.values(), ZERO),
        untold,
        shares,
        discount_shares(left.values(), of_untold),
        {reference: -left[reference].total.incl for reference in shares},
        sold,
        ORE * (units + len(shares)),
    )


def _settled(
    named: _Named, refund: Refund, before: Decimal, freight: Decimal
) -> tuple[list[Decimal], dict[str, Decimal]]:
    """Return what each part comes to, and how much of each discount goes with them, by reference.

    What the parts come to beyond what was paid back is their share of the order's discounts; if all
    that was left of the order was paid back, also any rounding. What that does not explain was kept
    by the shop, and lowers, in proportion, the parts given only by their number of units.
    """
    whole, most = named.gross + freight, sum(named.shares.values(), ZERO)
    own, cost = sum(named.shares_of_untold.values(), ZERO), sum(named.untold.values(), ZERO)
    if refund.amount is None:
        return named.amounts, _along(named, min(max(own, whole - max(before, ZERO)), most))
    excess = max(whole - refund.amount, ZERO)
    came_back_for_nothing = named.untold and excess == cost
    is_all = refund.amount == before and not named.untold
    if (is_all or excess <= most + named.tolerance) and not came_back_for_nothing:
        along = _along(named, excess)
        return _lowered(named, excess - sum(along.values(), ZERO)), along
    if not named.untold or excess > cost:
        return named.amounts, {}
    paid = cost - excess
    gross = round_to_ore(cost * paid / (cost - own)) if paid else ZERO
    parts = split(gross, named.untold)
    amounts = [parts.get(place, amount) for place, amount in enumerate(named.amounts)]
    return amounts, _along(named, gross - paid)


def _along(named: _Named, amount: Decimal) -> dict[str, Decimal]:
    """Return an amount split over the discounts that bear it, in proportion to the shares in them.

    Those shares are of the parts given only by their number of units, if they suffice. Odd øre
    beyond all shares go where most is left.
    """
    own, shares = named.shares_of_untold, named.shares
    bounds = own if amount <= sum(own.values(), ZERO) else shares
    found = split(min(amount, sum(bounds.values(), ZERO)), bounds)
    room = {reference: named.discounts[reference] - one for reference, one in found.items()}
    if room:
        most = max(room, key=room.__getitem__)
        found[most] += min(amount - sum(found.values(), ZERO), room[most])
    return {reference: one for reference, one in found.items() if one}


def _lowered(named: _Named, odd: Decimal) -> list[Decimal]:
    """Return the amounts of the parts, reduced in proportion by what no discount can bear."""
    bounds = {place: named.amounts[place] for place in named.sold if named.amounts[place]}
    left = sum(bounds.values(), ZERO) - odd
    if not odd or left < 0:
        return named.amounts
    parts = split(left, bounds)
    return [parts.get(place, amount) for place, amount in enumerate(named.amounts)]


def _cost(line: OrderLine, quantity: Decimal) -> Decimal:
    """Return what this many units of a line cost, above zero whatever the line's sign."""
    return round_to_ore(abs(line.total.incl * quantity / line.quantity)) if line.quantity else ZERO


def _take_freight(
    left: dict[str, OrderLine], refund: Refund, wanted: Decimal, named: Collection[str]
) -> None:
    """Take freight that is given only as an amount, first from what the refund names."""
    there = [one for one in left if one.startswith(_FREIGHT)]
    for reference in sorted(there, key=lambda one: one not in named):
        line = left[reference]
        part = min(wanted, line.total.incl)
        if part > 0:
            left[reference] = _less(line, refund, ZERO, part)
            wanted -= part
    if wanted:
        raise Contradiction(f"{refund.called} pays back more freight than was paid")


def _less(line: OrderLine, refund: Refund, quantity: Decimal, amount: Decimal) -> OrderLine:
    """Return a line less what was paid back for it.

    Goods that came back without a payment change nothing. A payment without goods lowers the price;
    so does money that was kept although all goods came back.
    """
    if not amount and line.total.incl:
        return line
    if quantity > abs(line.quantity) or amount > abs(line.total.incl):
        raise Contradiction(
            f"{refund.called} is of more than line {values.quoted(line.reference)} had left"
        )
    total = _remaining(line, line.total.incl - amount.copy_sign(line.total.incl))
    left = line.quantity - quantity.copy_sign(line.quantity)
    if not left and total.incl:
        left = line.quantity
    price = repriced(line.price, quantity=left, total_excl=total.excl)
    return replace(line, quantity=left, price=price, total=total)


def _remaining(line: OrderLine, incl: Decimal) -> Money:
    if not incl:
        return NOTHING
    if line.rate is not None:
        return with_vat_of(incl, line.rate)
    excl = round_to_ore(line.total.excl * incl / line.total.incl)
    return Money(excl, incl - excl, incl)


def credit_lines(
    before: Sequence[OrderLine], after: Iterable[OrderLine]
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return the lines of a credit note for what was taken back, and their sum with VAT.

    That sum is exactly what the lines after come to, less those before. Where goods came back, that
    many units are credited; where only money did, one unit of that amount. A line that no longer
    exists is credited in full; a new one goes on the credit note as it is.
    """
    old = {line.reference: line for line in before}
    new = {line.reference: line for line in after}
    removed = zeroed_lines(line for line in before if line.reference not in new)
    found = [_credited(old.get(line.reference), line) for line in (*new.values(), *removed)]
    lines = tuple(
        replace(line, sort_order=place)
        for place, line in enumerate(one for one in found if one is not None)
    )
    return lines, total_incl(lines)


def zeroed_lines(lines: Iterable[OrderLine]) -> tuple[OrderLine, ...]:
    """Return the lines as they are when all of them is taken back."""
    return tuple(
        replace(
            line,
            quantity=ZERO,
            price=Price(line.price.unit_price, ZERO),
            total=NOTHING,
        )
        for line in lines
    )


def _credited(before: OrderLine | None, after: OrderLine) -> OrderLine | None:
    """Return the credit line for what was taken back of a line; None if its amount is unchanged."""
    if before is None:
        return after
    gone = before.total - after.total
    if not gone.incl and not gone.excl:
        return None
    quantity = before.quantity - after.quantity or Decimal(1).copy_sign(gone.excl)
    price = repriced(before.price, quantity=quantity, total_excl=gone.excl)
    return replace(before, quantity=-quantity, price=price, total=-gone)
