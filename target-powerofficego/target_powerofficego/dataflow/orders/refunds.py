"""Refunds of an order, its lines less what was paid back, and the lines of credit notes; pure."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
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
_END_OF_TIME = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
_FREIGHT = "shipping:"


@dataclass(frozen=True)
class RefundedLine:
    """What was paid back for a line, freight or fee, with VAT, and how many units came back.

    `references` are those of the order's lines with that id; empty if there are none.
    """

    line_id: str
    references: tuple[str, ...]
    quantity: Decimal
    amount: Decimal | None


@dataclass(frozen=True)
class Refund:
    """A refund: what was paid back, with VAT, in total, for lines and for freight.

    `vat` is what the shop states of its VAT.
    """

    id: str
    amount: Decimal | None
    lines: tuple[RefundedLine, ...]
    shipping: Decimal
    created_at: object = None
    vat: StatedVat = VAT_NOT_STATED

    @property
    def label(self) -> str:
        """What it is called in a reason."""
        return f"refund {values.quoted(self.id)}"


def read_refunds(order: Record) -> tuple[Refund, ...]:
    """Return the refunds of an order, the earliest first.

    Those without a time come last, in the order in which the shop lists them.

    Raises:
        Unusable: a refund cannot be read, or has no id or no amount; or two have the same id.
    """
    listed = dicts(order.get("refunds"), label="refunds")
    references = _references_by_id(order) if listed else {}
    refunds = [
        _refund(raw, f"refund {number}", references) for number, raw in enumerate(listed, start=1)
    ]
    counts = Counter(refund.id for refund in refunds)
    doubled = sorted(shop_id for shop_id, count in counts.items() if count > 1)
    if doubled:
        raise Unusable(f"two refunds have the id {' and '.join(map(values.quoted, doubled))}")
    return tuple(sorted(refunds, key=_paid_back_at))


def _paid_back_at(refund: Refund) -> datetime.datetime:
    # an invalid stamp matters only to a credit note, which reports it
    return values.instant_or_none(refund.created_at) or _END_OF_TIME


def _references_by_id(order: Record) -> Mapping[str, tuple[str, ...]]:
    """Return the references of the order's lines, freight and fees by their ids in the shop.

    A refund cannot name freight or a fee that has no id.
    """
    references: dict[str, tuple[str, ...]] = {}
    for member, prefix in LISTS.items():
        for raw in dicts(order.get(member), label=member):
            shop_id = values.text(raw.get("id"), label=f"{member}, id")
            if shop_id is not None:
                references[shop_id] = (*references.get(shop_id, ()), f"{prefix}{shop_id}")
    return references


def _refund(raw: Record, label: str, references: Mapping[str, tuple[str, ...]]) -> Refund:
    shop_id = values.require(values.text(raw.get("id"), label=f"{label}, id"), f"{label} has no id")
    lines = tuple(
        _refunded_line(line, f"{label}, line {number}", references)
        for number, line in enumerate(dicts(raw.get("lines"), label=f"{label}, lines"), start=1)
    )
    vat = read_vat(raw, label)
    amount = positive(raw.get("amount_incl"), f"{label}, amount_incl")
    amount = vat.incl if amount is None else amount
    shipping = positive(raw.get("shipping_incl"), f"{label}, shipping_incl") or ZERO
    has_lines = any(line.amount is not None or line.quantity for line in lines)
    if amount is None and not shipping and not has_lines:
        raise Unusable(
            f"{label} has no amount_incl, and neither its lines nor its freight show what was paid"
            " back"
        )
    return Refund(shop_id, amount, lines, shipping, raw.get("created_at"), vat)


def _refunded_line(
    raw: Record, label: str, references: Mapping[str, tuple[str, ...]]
) -> RefundedLine:
    line_id = values.require(
        values.text(raw.get("line_id"), label=f"{label}, line_id"), f"{label} has no line_id"
    )
    own = references.get(line_id, ())
    quantity = values.amount(raw.get("quantity"), label=f"{label}, quantity")
    if quantity is None:  # freight and fees count as one unit each
        quantity = ZERO if line_id in own or not own else _ONE
    amount = positive(raw.get("amount_incl"), label)
    return RefundedLine(line_id, own, abs(quantity), amount)


def subtract_refunds(
    lines: Iterable[OrderLine], refunds: Iterable[Refund], codes: ServiceCodes
) -> tuple[tuple[OrderLine, ...], Decimal]:
    """Return the lines less what was paid back, and what was paid back with VAT.

    Each refund is taken off what the earlier ones left, so their order decides which VAT rates bear
    it. A line whose units all came back stays, with a quantity of 0. What was paid back for no line
    in particular becomes a negative line for each VAT rate.

    Raises:
        Contradiction: more was paid back than there was, or a refund's amounts do not add up.
    """
    left = {line.reference: line for line in lines}
    lowest = _lowest_by_rate(left.values())
    paid_back = ZERO
    for refund in refunds:
        before = tuple(left.values())
        of_lines = _subtract_named(left, refund)
        amount = of_lines if refund.amount is None else refund.amount
        _require_amount(refund, amount, of_lines, total_incl(before))
        if amount or of_lines:
            left |= _lines_for_rest(before, left, refund, amount - of_lines, lowest, codes)
        paid_back += total_incl(before) - total_incl(left.values())
    return tuple(left.values()), paid_back


def _lowest_by_rate(sold: Iterable[OrderLine]) -> dict[Decimal, Decimal]:
    """Return the floor for refunds at each VAT rate: zero, or the sum sold there if negative."""
    return {rate: min(money.incl, ZERO) for rate, money in (by_rate(sold) or {}).items()}


def _require_amount(refund: Refund, amount: Decimal, of_lines: Decimal, before: Decimal) -> None:
    """Require that a refund is at least what its lines come to, and at most what is left.

    Raises:
        Contradiction: it is not.
    """
    if amount < of_lines:
        raise Contradiction(f"{refund.label} is {amount}, but its lines come to {of_lines}")
    if amount > max(before, ZERO):
        raise Contradiction(
            f"{refund.label} is {amount}, but the order comes to {before} before it"
        )


def _lines_for_rest(
    before: Sequence[OrderLine],
    left: Mapping[str, OrderLine],
    refund: Refund,
    rest: Decimal,
    lowest: dict[Decimal, Decimal],
    codes: ServiceCodes,
) -> dict[str, OrderLine]:
    """Return the negative lines for the part of a refund that is for no line in particular.

    If the shop states its VAT, that decides; more may then be taken at 0 % than was sold, and
    `lowest` is changed accordingly.
    """
    current = tuple(left.values())

    def spread(shares: ByRate) -> list[OrderLine]:
        reference = f"{REFUND_LINE}{refund.id}"
        return spread_lines(reference, codes.discount, "Rabatt", "Refusjon", len(left), shares)

    if not refund.vat.is_stated:
        lines = spread(refund_shares(rest, current, lowest, refund.label))
    else:
        shares = shares_by_stated_vat(refund.vat, rest, before, current, lowest, refund.label)
        after = (*current, *spread(shares))
        without_vat = _lowest_by_rate(after).get(ZERO, ZERO)
        lowest[ZERO] = min(lowest.get(ZERO, ZERO), without_vat)
        lines = spread(together(shares, refund_shares(ZERO, after, lowest, refund.label)))
    return {line.reference: line for line in lines}


def describe_splits(lines: Collection[OrderLine], refunds: Iterable[Refund]) -> list[str]:
    """Return how the parts of refunds that are for no line, without stated VAT, are taken off.

    `lines` are those less the refunds. There is no such part if the order was paid back in full.
    """
    deductions: dict[str, list[OrderLine]] = defaultdict(list)
    for line in lines:
        deductions[line.reference.rpartition(":")[0]].append(line)
    if not any(money.incl for money in (by_rate(lines) or {}).values()):
        return []
    sentences = []
    for refund in refunds:
        own = deductions[f"{REFUND_LINE}{refund.id}"]
        amount = -total_incl(own)
        if amount > 0 and not refund.vat.is_stated:
            sentences.append(
                f"{amount} of {refund.label} is for no line and has no stated VAT: it is taken as a"
                f" price reduction, {format_deductions(own)}"
            )
    return sentences


def _subtract_named(left: dict[str, OrderLine], refund: Refund) -> Decimal:
    """Subtract a refund from the lines that it names; return what that comes to with VAT."""
    before = total_incl(left.values())
    parts = _named_parts(left, refund)
    freight = [reference for reference, _ in parts if reference.startswith(_FREIGHT)]
    freight_amounts = [part.amount or ZERO for reference, part in parts if reference in freight]
    freight_rest = max(refund.shipping - sum(freight_amounts, ZERO), ZERO)
    if refund.shipping:  # it covers freight that is named without an amount
        parts = [
            (reference, part)
            for reference, part in parts
            if reference not in freight or part.amount is not None
        ]
    sums = _sum_named(left, refund, parts)
    amounts, discounts = _settle_with_total(sums, refund, before, freight_rest)
    for (reference, part), amount in zip(parts, amounts, strict=True):
        left[reference] = _less(left[reference], refund, part.quantity, amount)
    for reference, amount in discounts.items():
        is_all = amount == abs(left[reference].total.incl)
        quantity = abs(left[reference].quantity) if is_all else ZERO
        left[reference] = _less(left[reference], refund, quantity, amount)
    _subtract_freight(left, refund, freight_rest, freight)
    return before - total_incl(left.values())


def _named_parts(left: Mapping[str, OrderLine], refund: Refund) -> list[tuple[str, RefundedLine]]:
    """Return the parts that a refund names, each with its line's reference, except free ones.

    Raises:
        Contradiction: a part may be for several lines.
        Unusable: the order does not have its line.
    """
    parts = []
    for part in refund.lines:
        matches = [line for line in part.references or (part.line_id,) if line in left]
        fault = f"{refund.label} names a line {values.quoted(part.line_id)}"
        if len(matches) > 1:
            raise Contradiction(
                f"{fault}, which is the id of {len(matches)} of the order's lines, freight and fees"
            )
        if matches:
            parts.append((matches[0], part))
        elif not part.references or part.amount:
            raise Unusable(f"{fault} that the order does not have")
    return parts


@dataclass(frozen=True)
class _NamedSums:
    """What the parts that a refund names come to, before its total is considered.

    `amounts` are those of the parts in turn, `gross` their sum. `calculated` has, by position, the
    amounts of parts for which the shop gives only how many units came back. `shares` is what all
    parts bear of the order's discounts, by the discount's reference; `shares_of_calculated` is what
    the calculated parts bear, `discounts` what is left of those discounts. `sold` has the positions
    of parts above zero. `tolerance` is by how much the shop may have rounded: an øre on each unit
    that is left of a part, and on each share.
    """

    amounts: list[Decimal]
    gross: Decimal
    calculated: dict[int, Decimal]
    shares: dict[str, Decimal]
    shares_of_calculated: dict[str, Decimal]
    discounts: dict[str, Decimal]
    sold: list[int]
    tolerance: Decimal


def _sum_named(
    left: Mapping[str, OrderLine], refund: Refund, parts: Sequence[tuple[str, RefundedLine]]
) -> _NamedSums:
    after, amounts = dict(left), []
    for reference, part in parts:
        amount = _cost(after[reference], part.quantity) if part.amount is None else part.amount
        after[reference] = _less(after[reference], refund, part.quantity, amount)
        amounts.append(amount)
    calculated: dict[int, Decimal] = {}
    calculated_by_line: dict[str, Decimal] = defaultdict(Decimal)
    for place, (reference, part) in enumerate(parts):
        if part.amount is None and amounts[place] and left[reference].total.incl > 0:
            calculated[place] = amounts[place]
            calculated_by_line[reference] += amounts[place]
    refunded = {
        reference: line.total.incl - after[reference].total.incl for reference, line in left.items()
    }
    shares = discount_shares(left.values(), refunded)
    units = sum((max(abs(left[reference].quantity), _ONE) for reference, _ in parts), ZERO)
    sold = [place for place, (reference, _) in enumerate(parts) if left[reference].total.incl > 0]
    return _NamedSums(
        amounts,
        sum(refunded.values(), ZERO),
        calculated,
        shares,
        discount_shares(left.values(), calculated_by_line),
        {reference: -left[reference].total.incl for reference in shares},
        sold,
        ORE * (units + len(shares)),
    )


def _settle_with_total(
    sums: _NamedSums, refund: Refund, before: Decimal, freight: Decimal
) -> tuple[list[Decimal], dict[str, Decimal]]:
    """Return what each part comes to, and how much of each discount goes with them, by reference.

    What the parts come to beyond what was paid back is their share of the order's discounts; if all
    that was left of the order was paid back, also any rounding. What that does not explain, the
    shop kept: it lowers, in proportion, the parts given only by their number of units.
    """
    total, most = sums.gross + freight, sum(sums.shares.values(), ZERO)
    own, cost = sum(sums.shares_of_calculated.values(), ZERO), sum(sums.calculated.values(), ZERO)
    if refund.amount is None:
        return sums.amounts, _split_discounts(sums, min(max(own, total - max(before, ZERO)), most))
    excess = max(total - refund.amount, ZERO)
    came_back_for_nothing = sums.calculated and excess == cost
    is_all = refund.amount == before and not sums.calculated
    if (is_all or excess <= most + sums.tolerance) and not came_back_for_nothing:
        discounts = _split_discounts(sums, excess)
        return _lowered(sums, excess - sum(discounts.values(), ZERO)), discounts
    if not sums.calculated or excess > cost:
        return sums.amounts, {}
    paid = cost - excess
    gross = round_to_ore(cost * paid / (cost - own)) if paid else ZERO
    parts = split(gross, sums.calculated)
    amounts = [parts.get(place, amount) for place, amount in enumerate(sums.amounts)]
    return amounts, _split_discounts(sums, gross - paid)


def _split_discounts(sums: _NamedSums, amount: Decimal) -> dict[str, Decimal]:
    """Return an amount split over the discounts that bear it, in proportion to the shares in them.

    Those shares are of the parts given only by their number of units, if they suffice. Odd øre
    beyond all shares go where most is left.
    """
    own = sums.shares_of_calculated
    bounds = own if amount <= sum(own.values(), ZERO) else sums.shares
    parts = split(min(amount, sum(bounds.values(), ZERO)), bounds)
    room = {reference: sums.discounts[reference] - part for reference, part in parts.items()}
    if room:
        largest = max(room, key=room.__getitem__)
        parts[largest] += min(amount - sum(parts.values(), ZERO), room[largest])
    return {reference: part for reference, part in parts.items() if part}


def _lowered(sums: _NamedSums, excess: Decimal) -> list[Decimal]:
    """Return the amounts of the parts, reduced in proportion by what no discount can bear."""
    bounds = {place: sums.amounts[place] for place in sums.sold if sums.amounts[place]}
    left = sum(bounds.values(), ZERO) - excess
    if not excess or left < 0:
        return sums.amounts
    parts = split(left, bounds)
    return [parts.get(place, amount) for place, amount in enumerate(sums.amounts)]


def _cost(line: OrderLine, quantity: Decimal) -> Decimal:
    """Return what this many units of a line cost: above zero, whatever the line's sign."""
    return round_to_ore(abs(line.total.incl * quantity / line.quantity)) if line.quantity else ZERO


def _subtract_freight(
    left: dict[str, OrderLine], refund: Refund, amount: Decimal, named: Collection[str]
) -> None:
    """Subtract freight that is given only as an amount, first from what the refund names."""
    freight = [reference for reference in left if reference.startswith(_FREIGHT)]
    for reference in sorted(freight, key=lambda reference: reference not in named):
        line = left[reference]
        part = min(amount, line.total.incl)
        if part > 0:
            left[reference] = _less(line, refund, ZERO, part)
            amount -= part
    if amount:
        raise Contradiction(f"{refund.label} pays back more freight than was paid")


def _less(line: OrderLine, refund: Refund, quantity: Decimal, amount: Decimal) -> OrderLine:
    """Return a line less what was paid back for it.

    Goods that came back without a payment change nothing. A payment without goods lowers the price;
    so does money that was kept although all goods came back.

    Raises:
        Contradiction: more was paid back, or came back, than the line had left.
    """
    if not amount and line.total.incl:
        return line
    if quantity > abs(line.quantity) or amount > abs(line.total.incl):
        raise Contradiction(
            f"{refund.label} is for more than line {values.quoted(line.reference)} had left"
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
    """Return the lines of a credit note for what was paid back, and their sum with VAT.

    That sum is exactly what the lines after come to, less those before. If goods came back, that
    many units are credited; if only money was paid back, one unit of that amount. A line that no
    longer exists is credited in full; a new one goes on the credit note as it is.
    """
    old = {line.reference: line for line in before}
    new = {line.reference: line for line in after}
    removed = zeroed_lines(line for line in before if line.reference not in new)
    credited = (_credited(old.get(line.reference), line) for line in (*new.values(), *removed))
    lines = tuple(
        replace(line, sort_order=place)
        for place, line in enumerate(line for line in credited if line is not None)
    )
    return lines, total_incl(lines)


def zeroed_lines(lines: Iterable[OrderLine]) -> tuple[OrderLine, ...]:
    """Return the lines with nothing left of them."""
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
    """Return the credit line for what was paid back of a line; None if its amount is unchanged."""
    if before is None:
        return after
    paid_back = before.total - after.total
    if not paid_back.incl and not paid_back.excl:
        return None
    quantity = before.quantity - after.quantity or Decimal(1).copy_sign(paid_back.excl)
    price = repriced(before.price, quantity=quantity, total_excl=paid_back.excl)
    return replace(before, quantity=-quantity, price=price, total=-paid_back)
