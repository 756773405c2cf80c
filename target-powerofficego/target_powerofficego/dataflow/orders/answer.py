"""Go's answer to an order: whether it equals the shop's, and how the odd øre is mended; pure.

Compared are each line's VAT rate, VAT by rate, and the total. With net and VAT rounded line by
line, some totals cannot be reached by the unit prices alone. Go's answer shows how many decimals of
a price Go keeps, and whether it rounds VAT on each line or once per rate, neither of which is
published. Then single øre are moved on lines, within one VAT rate first, and never so far that the
VAT of a rate differs from the shop's by more than rounding; what still remains goes on a line of
its own without VAT, if that is allowed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import NOTHING, ORE, ZERO, Money, sum_by
from target_powerofficego.dataflow.orders.sums import sums_of, tolerance
from target_powerofficego.dataflow.values import Value, number_in_go, rate_key, round_to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from target_powerofficego.dataflow.orders.lines import OrderLine

_REFERENCE = "ExternalImportReference"
ROUNDING = "rounding:"
"""The reference of the line that bears the øre that Go's rounding leaves missing."""

_PLACES = range(2, 9)  # decimals of a price: from whole øre to as many as are ever sent
_FARTHEST = 50  # how many øre beyond the wanted total a search goes

_Key = TypeVar("_Key", int, "tuple[int, int]")


def rate_differences(lines: Iterable[OrderLine], answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which lines have another VAT rate in Go than in the shop, whether edited or not."""
    in_go = answered_lines(answer)
    found = []
    for line in lines:
        rate = in_go.get(line.reference, {}).get("VatRate")
        if line.is_text or line.rate is None or rate is None:
            continue
        if percent(rate) != line.rate:
            hint = " (`exempt` in sales_accounts is for what is sold without VAT)"
            found.append(
                f"VAT of {values.quoted(line.description)}: the shop says {rate_key(line.rate)} %,"
                f" Go's sales account gives {rate_key(percent(rate))} %{'' if line.rate else hint}"
            )
    return tuple(found)


def expected_total(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> Decimal:
    """Return what Go's order should come to with VAT.

    That is the shop's total, with lines that were edited in Go, or exist only there, counted as Go
    has them. The line for rounding is our own and is left out.
    """
    in_go = answered_lines(answer)
    in_go.pop(ROUNDING, None)
    expected = total
    for line in lines:
        there = in_go.pop(line.reference, None)
        if line.reference in edited_in_go:
            expected += total_in_go(there) - line.total.incl
    return expected + sum((total_in_go(line) for line in in_go.values()), ZERO)


@dataclass(frozen=True)
class RateAnswer:
    """What the lines at one VAT rate come to in Go, beside what they come to in the shop.

    Lines that were edited in Go, or exist only there, count as Go has them on both sides.
    `told_tax` is the VAT that the shop gives, `most` how much (kroner) rounding may change it by.
    """

    wanted: Money
    there: Money
    told_tax: Decimal
    most: Decimal

    @property
    def is_right(self) -> bool:
        """Whether the VAT equals the shop's, within rounding."""
        return abs(self.there.tax - self.told_tax) <= self.most


def by_rate_in_go(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
    once_per_rate: bool,
) -> dict[Decimal, RateAnswer]:
    """Return what each VAT rate, in percent, comes to in Go and in the shop.

    `once_per_rate` is whether Go rounds VAT once per rate. The line for rounding is our own, bears
    no VAT and is left out. An answer without VAT has no rates.
    """
    told = {line.reference: line for line in lines if line.reference not in edited_in_go}
    by_line = [line for key, line in answered_lines(answer).items() if key != ROUNDING]
    known = [
        (percent(line["VatRate"]), money_in_go(line), told.get(str(line.get(_REFERENCE))))
        for line in by_line
        if None not in (line.get("VatRate"), line.get("NetAmount"))
    ]
    wanted = sum_by((rate, money if ours is None else ours.total) for rate, money, ours in known)
    there = sum_by((rate, money) for rate, money, _ in known)
    ours_at = [(rate, ours) for rate, _, ours in known if ours is not None]
    counts = Counter(rate for rate, ours in ours_at if _may_be_rounded(ours))
    moved = {
        rate: sum((ours.vat_moved for at, ours in ours_at if at == rate), ZERO) for rate in wanted
    }
    if once_per_rate:
        there = {rate: _taxed_once(one, rate) for rate, one in there.items()}
    return {
        rate: RateAnswer(one, there[rate], one.tax - moved[rate], tolerance(counts[rate]))
        for rate, one in wanted.items()
    }


def _may_be_rounded(line: OrderLine) -> bool:
    """Return whether a line came to something as sold; paid back in full, it has no unit left."""
    return line.total != NOTHING or not line.quantity


def _taxed_once(money: Money, rate: Decimal) -> Money:
    tax = round_to_ore(money.excl * rate / 100)
    return Money(money.excl, tax, money.excl + tax)


def vat_roundings(answer: Mapping[str, Any]) -> tuple[bool, ...]:
    """Return, judging by its total, whether Go may have rounded VAT once per rate, or not.

    Both answers are returned when both give the total; when neither does, only False: on each line.
    """
    lines = [line for key, line in answered_lines(answer).items() if key != ROUNDING]
    total = total_in_go(answer) - total_in_go(answered_lines(answer).get(ROUNDING))
    sums = sum_by((percent(line.get("VatRate") or 0), money_in_go(line)) for line in lines)
    by_line = sum(sums.values(), NOTHING).incl
    by_rate = sum((_taxed_once(one, rate).incl for rate, one in sums.items()), ZERO)
    found = [once for once, told in ((False, by_line), (True, by_rate)) if told == total]
    return tuple(found) or (False,)


def vat_differences(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> tuple[str, ...]:
    """State both sums where the VAT of a rate differs in Go by more than rounding explains."""
    once = vat_roundings(answer)[0]
    rates = by_rate_in_go(lines, answer, edited_in_go=edited_in_go, once_per_rate=once)
    return tuple(
        f"VAT at {rate_key(rate)} %: the shop says {round_to_ore(one.told_tax)}, Go says"
        f" {round_to_ore(one.there.tax)}"
        for rate, one in sorted(rates.items(), reverse=True)
        if not one.is_right
    )


def answer_differences(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> tuple[str, ...]:
    """Compare Go's order with the shop's: each line's VAT rate, VAT by rate, and the total.

    An answer without totals (a dry run) has no differences.
    """
    if answer.get("TotalAmount") is None:
        return ()
    lines = tuple(lines)
    found = rate_differences(lines, answer)
    found = found or vat_differences(lines, answer, edited_in_go=edited_in_go)
    expected = expected_total(lines, total, answer, edited_in_go=edited_in_go)
    off = total_difference(expected, answer["TotalAmount"])
    return (*found, off) if off else found


def total_difference(expected: Decimal, go_total: Value) -> str | None:
    """State both totals with VAT if they differ by an øre or more; None also if Go gives none."""
    told = None if go_total is None else number_in_go(go_total, label="TotalAmount")
    if told is None or abs(told - expected) < ORE:
        return None
    return f"total with VAT: the shop says {expected}, Go says {round_to_ore(told)}"


def vat_difference(lines: Iterable[OrderLine], header: Mapping[str, Any]) -> str | None:
    """State the whole VAT on both sides where it differs by more than rounding explains."""
    if header.get("NetAmount") is None:
        return None
    sums, in_go = sums_of(lines), money_in_go(header)
    if abs(sums.whole.tax - in_go.tax) <= sums.tolerance:
        return None
    return f"VAT: the shop says {round_to_ore(sums.whole.tax)}, Go says {round_to_ore(in_go.tax)}"


def answered_lines(answer: Mapping[str, Any]) -> dict[str | None, Mapping[str, Any]]:
    """Return the lines of an order in Go's answer, by our reference."""
    lines = answer.get("SalesOrderLines") or ()
    return {line.get(_REFERENCE) or line.get("Id"): line for line in lines}


def total_in_go(line: Mapping[str, Any] | None) -> Decimal:
    """Return what a line, or a whole order, comes to in Go with VAT."""
    told = ZERO if line is None else line.get("TotalAmount") or ZERO
    return number_in_go(told, label="TotalAmount")


def money_in_go(line: Mapping[str, Any]) -> Money:
    """Return the amounts of a line, or of a whole order, in Go."""
    total, net = total_in_go(line), number_in_go(line.get("NetAmount") or 0, label="NetAmount")
    return Money(net, total - net, total)


def percent(fraction: Value) -> Decimal:
    """Return a VAT rate from Go, where it is a fraction, in percent."""
    return number_in_go(fraction, label="the VAT rate") * 100


@dataclass(frozen=True)
class Correction:
    """New unit prices by line reference, and what the line for rounding should come to.

    `decimals` is how many decimals of a price Go has been seen to keep so far.
    """

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    rounding: Decimal = ZERO
    decimals: int = _PLACES[-1]

    def then(self, other: Correction) -> Correction:
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
        return round_to_ore(self.quantity * price * self.left)


def find_correction(
    lines: Sequence[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
    may_add_line: bool,
    before: Correction | None = None,
) -> Correction | None:
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
    before = before or Correction()
    answered = _answered(lines, answer, edited_in_go, before.prices)
    decimals = min(before.decimals, _kept_decimals(answered))
    for once in vat_roundings(answer):
        rates = by_rate_in_go(lines, answer, edited_in_go=edited_in_go, once_per_rate=once)
        if not off and all(one.is_right for one in rates.values()):
            return Correction(decimals=decimals)
        moves = _moves(answered, rates, off, decimals, once_per_rate=once)
        if found := _nearest(moves, off, len(answered) if may_add_line else 0):
            return replace(found, decimals=decimals)
    return None


def _nearest(moves: Mapping[int, _Way], off: int, most: int) -> Correction | None:
    """Return the way to the missing øre, of which the line for rounding may bear at most `most`."""
    if off in moves:
        return Correction(dict(moves[off].new))
    near = [moved for moved in moves if abs(off - moved) <= most]
    if not near:
        return None
    moved = min(near, key=lambda one: (len(moves[one].new), abs(off - one)))
    return Correction(dict(moves[moved].new), (off - moved) * ORE)


def _in_ore(amount: Decimal) -> int:
    return int(round_to_ore(amount) / ORE)


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
        price, net, rate = (number_in_go(one, label="a line") for one in told)
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
                else _in_ore(round_to_ore(net * line.rate) - round_to_ore(line.net * line.rate))
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
            vat = round_to_ore((answer.there.excl + nets * ORE) * rate / 100)
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
