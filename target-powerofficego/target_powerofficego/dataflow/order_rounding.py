"""The odd øre: how an order whose total Go's rounding missed is made to come to the shop's; pure.

With net and VAT rounded line by line some totals are not reached by the unit prices alone. From
Go's answer it is seen how many decimals of a price Go keeps, and whether it rounds VAT on each line
or once per rate, neither of which is published. Then single øre are moved on lines; what still
remains goes on one line of its own without VAT, if that is allowed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.line_amounts import ORE, ZERO
from target_powerofficego.dataflow.order_answer import (
    ROUNDING,
    answered_lines,
    expected_total,
    total_in_go,
)
from target_powerofficego.dataflow.values import to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.order_lines import OrderLine

_PLACES = range(2, 9)  # decimals of a price: whole øre at least, and as many as are ever sent
_FARTHEST = Decimal("0.50")  # krone beyond the wanted total that a search goes
_MOST_CUT_OFF = Decimal("0.50")  # krone; it bears no VAT on its line, so more is for a person

_NONE_SENT: Mapping[str, Decimal] = MappingProxyType({})

Prices = dict[str, Decimal]
Reach = dict[Decimal, Prices]
"""What can be added to a total, and by which unit prices, by line reference; the fewest of them."""


@dataclass(frozen=True)
class Mending:
    """New unit prices by line reference, and what the line for rounding is to come to."""

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    rounding: Decimal = ZERO


@dataclass(frozen=True)
class _AnsweredLine:
    """A line as Go has it, next to what the shop wants of it."""

    reference: str
    quantity: Decimal
    left: Decimal
    price: Decimal
    sent: Decimal
    net: Decimal
    wanted: Decimal
    rate: Decimal

    def net_at(self, price: Decimal) -> Decimal:
        """Return what Go makes of a unit price, without VAT."""
        return to_ore(self.quantity * price * self.left)

    def total_at(self, net: Decimal) -> Decimal:
        """Return the line with VAT, when VAT is rounded on each line."""
        return net + to_ore(net * self.rate)


def mending(
    lines: Sequence[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
    may_add_line: bool,
    sent: Mapping[str, Decimal] = _NONE_SENT,
) -> Mending | None:
    """Return how Go's order comes to the shop's total; None if it cannot, or should not.

    A line is moved by an øre at most, or to the next price that Go can hold. The line for rounding
    bears at most an øre for each line, and 50 øre that Go is seen to have cut off prices. `sent`
    are the unit prices that were sent last, where they are others than the lines' own.
    """
    if answer.get("TotalAmount") is None:
        return None
    there = total_in_go(answered_lines(answer).get(ROUNDING))
    now = Decimal(str(answer["TotalAmount"])) - there
    off = to_ore(expected_total(lines, total, answer, edited_in_go=edited_in_go) - now)
    answered = _answered(lines, answer, edited_in_go, sent)
    moves = _moves(answered, answer, now, off) if off else {ZERO: {}}
    if off in moves:
        return Mending(moves[off])
    cut_off = sum((_cut_off(line) for line in answered), ZERO)
    most = len(answered) * ORE + min(cut_off, _MOST_CUT_OFF)
    if not may_add_line:
        return None
    if abs(off) <= most:
        return Mending(rounding=off)
    rest = min((off - moved for moved in moves), key=abs)
    return Mending(moves[off - rest], rest) if abs(rest) <= most else None


def _answered(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    edited_in_go: Collection[str],
    sent: Mapping[str, Decimal],
) -> list[_AnsweredLine]:
    """Return the lines that may be moved: what they come to in Go follows from their price."""
    in_go = answered_lines(answer)
    found = []
    for line in lines:
        there = in_go.get(line.reference)
        if there is None or line.is_text or line.reference in edited_in_go:
            continue
        told = [there.get(name) for name in ("ProductUnitPrice", "NetAmount", "VatRate")]
        if None in told or not line.quantity or not line.total.excl:
            continue
        price, net, rate = (Decimal(str(one)) for one in told)
        one = _AnsweredLine(
            line.reference,
            line.quantity,
            1 - line.price.allowance / 100,
            price,
            sent.get(line.reference, line.price.unit_price),
            net,
            line.total.excl,
            rate,
        )
        if one.left and one.net_at(price) == net:
            found.append(one)
    return found


def _cut_off(line: _AnsweredLine) -> Decimal:
    """Return what a line is off, with VAT, because Go keeps fewer decimals of its price."""
    return ZERO if line.price == line.sent else abs(line.wanted - line.net) * (1 + line.rate)


def _kept_decimals(lines: Iterable[_AnsweredLine]) -> int:
    """Return how many decimals of a price Go is seen to keep; as many as are sent, if it cuts none.

    A price that is no rounded form of what was sent, because it was mended before, tells nothing.
    """
    seen = [
        min(places)
        for line in lines
        if line.price != line.sent
        for places in [[n for n in _PLACES if _cut(line.sent, n) == line.price]]
        if places
    ]
    return max(seen, default=_PLACES[-1])


def _cut(price: Decimal, decimals: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    return price.quantize(Decimal(1).scaleb(-decimals), rounding=rounding)


def _moves(
    lines: Sequence[_AnsweredLine], answer: Mapping[str, Any], total: Decimal, off: Decimal
) -> Reach:
    """Return every change of the total that is within reach, by the fewest new prices."""
    decimals = _kept_decimals(lines)
    options = {line.reference: _prices(line, decimals) for line in lines}
    rates: dict[Decimal, list[_AnsweredLine]] = defaultdict(list)
    for line in lines:
        rates[line.rate].append(line)
    farthest = abs(off) + _FARTHEST
    if _rounds_by_rate(answer, total):
        nets = _nets(answer)
        groups = [
            _at_rate(
                nets[rate], rate, _sums([_nets_moved(one, options) for one in group], farthest)
            )
            for rate, group in rates.items()
        ]
    else:
        groups = [_totals_moved(line, options) for line in lines]
    return _sums(groups, farthest)


def _rounds_by_rate(answer: Mapping[str, Any], total: Decimal) -> bool:
    """Tell whether Go's total only follows when VAT is rounded once per rate."""
    lines = [line for key, line in answered_lines(answer).items() if key != ROUNDING]
    if sum((total_in_go(line) for line in lines), ZERO) == total:
        return False
    by_rate = sum((net + to_ore(net * rate) for rate, net in _nets(answer).items()), ZERO)
    return by_rate == total


def _nets(answer: Mapping[str, Any]) -> dict[Decimal, Decimal]:
    nets: dict[Decimal, Decimal] = defaultdict(Decimal)
    for key, line in answered_lines(answer).items():
        if key != ROUNDING and line.get("NetAmount") is not None:
            nets[Decimal(str(line.get("VatRate") or 0))] += Decimal(str(line["NetAmount"]))
    return nets


def _prices(line: _AnsweredLine, decimals: int) -> dict[Decimal, Decimal]:
    """Return the nets that a line may come to, each with a unit price that gives it."""
    found: dict[Decimal, Decimal] = {}
    for more in (ZERO, ORE, -ORE):
        exact = (line.wanted + more) / line.quantity / line.left
        for places in range(_PLACES[0], decimals + 1):
            for rounding in (ROUND_HALF_UP, ROUND_FLOOR, ROUND_CEILING):
                price = _cut(exact, places, rounding)
                net = line.net_at(price)
                is_next = not more and places == decimals
                if is_next or abs(net - line.wanted) <= ORE:
                    found.setdefault(net, price)
    return found


def _nets_moved(line: _AnsweredLine, options: Mapping[str, Mapping[Decimal, Decimal]]) -> Reach:
    return {
        net - line.net: {line.reference: price} if net != line.net else {}
        for net, price in options[line.reference].items()
    } | {ZERO: {}}


def _totals_moved(line: _AnsweredLine, options: Mapping[str, Mapping[Decimal, Decimal]]) -> Reach:
    found: Reach = {ZERO: {}}
    nets = sorted(options[line.reference], key=lambda net: abs(net - line.wanted))
    for net in nets:
        moved = line.total_at(net) - line.total_at(line.net)
        found.setdefault(moved, {line.reference: options[line.reference][net]})
    return found


def _at_rate(net: Decimal, rate: Decimal, moves: Reach) -> Reach:
    found: Reach = {}
    for more, prices in sorted(moves.items(), key=lambda one: len(one[1])):
        moved = more + to_ore((net + more) * rate) - to_ore(net * rate)
        found.setdefault(moved, prices)
    return found


def _sums(groups: Iterable[Reach], farthest: Decimal) -> Reach:
    """Return what one choice of each group adds up to, by the fewest prices."""
    reach: Reach = {ZERO: {}}
    for group in groups:
        wider = dict(reach)
        for moved, prices in reach.items():
            for more, new in group.items():
                added = moved + more
                if abs(added) > farthest:
                    continue
                if added not in wider or len(prices) + len(new) < len(wider[added]):
                    wider[added] = {**prices, **new}
        reach = wider
    return reach
