"""The odd øre: how an order is brought to the shop's total where Go's rounding missed it; pure.

With net and VAT rounded line by line, some totals cannot be reached by the unit prices alone. Go's
answer shows how many decimals of a price Go keeps, and whether it rounds VAT on each line or once
per rate, neither of which is published. Then single øre are moved on lines, within one VAT rate
first, and never so far that the VAT of a rate differs from the shop's by more than rounding; what
still remains goes on a line of its own without VAT, if that is allowed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from target_powerofficego.dataflow.orders.answer import (
    ROUNDING,
    answered_lines,
    by_rate_in_go,
    expected_total,
    percent,
    total_in_go,
    vat_roundings,
)
from target_powerofficego.dataflow.orders.line_amounts import ORE, ZERO
from target_powerofficego.dataflow.values import number_in_go, to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.orders.answer import RateAnswer
    from target_powerofficego.dataflow.orders.lines import OrderLine

_PLACES = range(2, 9)  # decimals of a price: from whole øre to as many as are ever sent
_FARTHEST = 50  # how many øre beyond the wanted total a search goes

_Key = TypeVar("_Key", int, "tuple[int, int]")


@dataclass(frozen=True)
class Mending:
    """New unit prices by line reference, and what the line for rounding should come to.

    `decimals` is how many decimals of a price Go has been seen to keep so far.
    """

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    rounding: Decimal = ZERO
    decimals: int = _PLACES[-1]

    def then(self, other: Mending) -> Mending:
        """Return what has been sent, and is known, after a further correction of the same order."""
        return replace(other, prices={**self.prices, **other.prices})


@dataclass(frozen=True)
class _Way:
    """New unit prices that move an order's total, as a chain; the lower its cost, the better.

    The cost is by how many øre the rates differ from the shop's, then how many prices are new.
    """

    cost: tuple[int, int] = (0, 0)
    new: tuple[tuple[str, Decimal], ...] = ()

    def __add__(self, other: _Way) -> _Way:
        """Return the two combined."""
        cost = (self.cost[0] + other.cost[0], self.cost[1] + other.cost[1])
        return _Way(cost, self.new + other.new)


@dataclass(frozen=True)
class _AnsweredLine:
    """A line as it is in Go, beside what it should come to according to the shop."""

    reference: str
    quantity: Decimal
    left: Decimal
    price: Decimal
    sent: Decimal
    net: Decimal
    wanted: Decimal
    rate: Decimal

    def net_at(self, price: Decimal) -> Decimal:
        """Return what the line comes to in Go at a unit price, without VAT."""
        return to_ore(self.quantity * price * self.left)


def mending(
    lines: Sequence[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
    may_add_line: bool,
    before: Mending | None = None,
) -> Mending | None:
    """Return what brings Go's order to the shop's total and VAT; None if that is not possible.

    None also where Go gives no total. A line is moved by an øre at most, or to the next price that
    Go can hold. The line for rounding bears at most an øre for each line. `before` is what was
    already sent to correct the order.
    """
    if answer.get("TotalAmount") is None:
        return None
    there = total_in_go(answered_lines(answer).get(ROUNDING))
    now = total_in_go(answer) - there
    off = _in_ore(expected_total(lines, total, answer, edited_in_go=edited_in_go) - now)
    before = before or Mending()
    answered = _answered(lines, answer, edited_in_go, before.prices)
    decimals = min(before.decimals, _kept_decimals(answered))
    for once in vat_roundings(answer):
        rates = by_rate_in_go(lines, answer, edited_in_go=edited_in_go, once_per_rate=once)
        if not off and all(one.is_right for one in rates.values()):
            return Mending(decimals=decimals)
        moves = _moves(answered, rates, off, decimals, once_per_rate=once)
        if found := _nearest(moves, off, len(answered) if may_add_line else 0):
            return replace(found, decimals=decimals)
    return None


def _nearest(moves: Mapping[int, _Way], off: int, most: int) -> Mending | None:
    """Return the way to the missing øre, of which the line for rounding may bear at most `most`."""
    if off in moves:
        return Mending(dict(moves[off].new))
    near = [moved for moved in moves if abs(off - moved) <= most]
    if not near:
        return None
    moved = min(near, key=lambda one: (len(moves[one].new), abs(off - one)))
    return Mending(dict(moves[moved].new), (off - moved) * ORE)


def _in_ore(amount: Decimal) -> int:
    return int(to_ore(amount) / ORE)


def _answered(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    edited_in_go: Collection[str],
    sent: Mapping[str, Decimal],
) -> list[_AnsweredLine]:
    """Return the lines that may be moved: those whose amount in Go follows from their price."""
    in_go = answered_lines(answer)
    found = []
    for line in lines:
        there = in_go.get(line.reference)
        if there is None or line.is_text or line.reference in edited_in_go:
            continue
        told = [there.get(name) for name in ("ProductUnitPrice", "NetAmount", "VatRate")]
        if None in told or not line.quantity or not line.total.excl:
            continue
        price, net, rate = (number_in_go(one, what="a line") for one in told)
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


def _kept_decimals(lines: Iterable[_AnsweredLine]) -> int:
    """Return how many decimals of a price Go is seen to keep: all that are sent, if it cuts none.

    A price that is not a rounded form of what was sent, because it was corrected before, shows
    nothing.
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
    lines: Sequence[_AnsweredLine],
    rates: Mapping[Decimal, RateAnswer],
    off: int,
    decimals: int,
    *,
    once_per_rate: bool,
) -> dict[int, _Way]:
    """Return by how many øre the total can be moved with each rate's VAT still right, and how."""
    groups: dict[Decimal, list[_AnsweredLine]] = defaultdict(list)
    for line in lines:
        groups[percent(line.rate)].append(line)
    farthest = abs(off) + _FARTHEST
    reach = {0: _Way()}
    for rate, one in rates.items():
        moves = _moves_at(rate, groups[rate], one, farthest, decimals, once_per_rate=once_per_rate)
        wider: dict[int, _Way] = {}
        for moved, way in reach.items():
            for more, further in moves.items():
                if abs(moved + more) <= farthest:
                    _keep(wider, moved + more, way + further)
        reach = wider
    return reach


def _moves_at(
    rate: Decimal,
    lines: Iterable[_AnsweredLine],
    answer: RateAnswer,
    farthest: int,
    decimals: int,
    *,
    once_per_rate: bool,
) -> dict[int, _Way]:
    """Return by how many øre one rate's sum with VAT can be moved, its VAT still right, and how."""
    reach: dict[tuple[int, int], _Way] = {(0, 0): _Way()}
    for line in lines:
        wider = dict(reach)
        for net, price in _prices(line, decimals).items():
            if net == line.net:
                continue
            more = _in_ore(net - line.net)
            tax = (
                0
                if once_per_rate
                else _in_ore(to_ore(net * line.rate) - to_ore(line.net * line.rate))
            )
            new = _Way((0, 1), ((line.reference, price),))
            for (nets, taxes), way in reach.items():
                if abs(nets + more + taxes + tax) <= farthest:
                    _keep(wider, (nets + more, taxes + tax), way + new)
        reach = wider
    found: dict[int, _Way] = {}
    for (nets, taxes), way in reach.items():
        vat = answer.there.tax + taxes * ORE
        if once_per_rate:
            vat = to_ore((answer.there.excl + nets * ORE) * rate / 100)
        if abs(vat - answer.told_tax) <= answer.most:
            moved = nets + _in_ore(vat - answer.there.tax)
            apart = abs(_in_ore(answer.wanted.incl - answer.there.incl) - moved)
            _keep(found, moved, way + _Way((apart, 0)))
    return found


def _keep(reach: dict[_Key, _Way], key: _Key, way: _Way) -> None:
    if key not in reach or way.cost < reach[key].cost:
        reach[key] = way


def _prices(line: _AnsweredLine, decimals: int) -> dict[Decimal, Decimal]:
    """Return the net amounts that a line may come to, each with a unit price that gives it."""
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
