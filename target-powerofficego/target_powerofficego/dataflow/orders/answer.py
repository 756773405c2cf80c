"""Go's answer to an order: whether it equals the shop's, and how a missing øre is corrected; pure.

Each line's VAT rate, the VAT by rate and the total are compared. As Go rounds net and VAT line by
line, some totals cannot be reached by unit prices alone. Go's answer shows how many decimals of a
price it keeps, and whether it rounds VAT on each line or once per rate; neither is published. Then
single øre are moved on lines, within one VAT rate first, and never so far that the VAT of a rate
differs from the shop's by more than rounding. What still remains goes on a line of its own without
VAT, if that is allowed.
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
"""The reference of the line for the øre that are missing because Go rounds."""

_PLACES = range(2, 9)  # decimals of a price: from whole øre to as many as are ever sent
_FARTHEST = 50  # how many øre beyond the missing ones a search goes

_Key = TypeVar("_Key", int, "tuple[int, int]")


def rate_differences(lines: Iterable[OrderLine], answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each line whose VAT rate differs in Go, whether edited or not."""
    in_go = lines_by_key(answer)
    differences = []
    for line in lines:
        rate = in_go.get(line.reference, {}).get("VatRate")
        if line.is_text or line.rate is None or rate is None:
            continue
        if percent(rate) != line.rate:
            hint = " (`exempt` in sales_accounts is for what is sold without VAT)"
            differences.append(
                f"VAT of {values.quoted(line.description)}: the shop says {rate_key(line.rate)} %,"
                f" Go's sales account gives {rate_key(percent(rate))} %{'' if line.rate else hint}"
            )
    return tuple(differences)


def expected_total(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> Decimal:
    """Return what Go's order should come to with VAT.

    That is the shop's total, but lines that were edited in Go, or exist only there, count as Go has
    them. Our own line for rounding is left out.
    """
    in_go = lines_by_key(answer)
    in_go.pop(ROUNDING, None)
    expected = total
    for line in lines:
        go_line = in_go.pop(line.reference, None)
        if line.reference in edited_in_go:
            expected += total_in_go(go_line) - line.total.incl
    return expected + sum((total_in_go(line) for line in in_go.values()), ZERO)


@dataclass(frozen=True)
class RateSums:
    """What the lines at one VAT rate should come to, and what they come to in Go.

    Lines that were edited in Go, or exist only there, count as Go has them on both sides.
    `stated_tax` is the VAT that the shop states; rounding changes it by at most `tolerance` kroner.
    """

    wanted: Money
    in_go: Money
    stated_tax: Decimal
    tolerance: Decimal

    @property
    def is_right(self) -> bool:
        """Whether the VAT equals the shop's, within rounding."""
        return abs(self.in_go.tax - self.stated_tax) <= self.tolerance


def sums_by_rate(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
    once_per_rate: bool,
) -> dict[Decimal, RateSums]:
    """Return the sums at each VAT rate, in percent.

    `once_per_rate` is whether Go rounds VAT once per rate. Our own line for rounding bears no VAT
    and is left out. An answer without VAT has no rates.
    """
    wanted_lines = {line.reference: line for line in lines if line.reference not in edited_in_go}
    pairs = [
        (percent(line["VatRate"]), money_in_go(line), wanted_lines.get(str(line.get(_REFERENCE))))
        for key, line in lines_by_key(answer).items()
        if key != ROUNDING and None not in (line.get("VatRate"), line.get("NetAmount"))
    ]
    wanted = sum_by((rate, money if line is None else line.total) for rate, money, line in pairs)
    in_go = sum_by((rate, money) for rate, money, _ in pairs)
    matched = [(rate, line) for rate, _, line in pairs if line is not None]
    counts = Counter(rate for rate, line in matched if _may_be_rounded(line))
    moved = {
        rate: sum((line.vat_moved for at, line in matched if at == rate), ZERO) for rate in wanted
    }
    if once_per_rate:
        in_go = {rate: _taxed_once(money, rate) for rate, money in in_go.items()}
    return {
        rate: RateSums(money, in_go[rate], money.tax - moved[rate], tolerance(counts[rate]))
        for rate, money in wanted.items()
    }


def _may_be_rounded(line: OrderLine) -> bool:
    """Return whether a line came to anything as sold; one paid back in full has no units left."""
    return line.total != NOTHING or not line.quantity


def _taxed_once(money: Money, rate: Decimal) -> Money:
    tax = round_to_ore(money.excl * rate / 100)
    return Money(money.excl, tax, money.excl + tax)


def vat_roundings(answer: Mapping[str, Any]) -> tuple[bool, ...]:
    """Return how Go may have rounded VAT, judging by its total: True is once per rate.

    Both are returned if both give the total. If neither does, only False is: on each line.
    """
    lines = lines_by_key(answer)
    total = total_in_go(answer) - total_in_go(lines.pop(ROUNDING, None))
    sums = sum_by((percent(line.get("VatRate") or 0), money_in_go(line)) for line in lines.values())
    by_line = sum(sums.values(), NOTHING).incl
    by_rate = sum((_taxed_once(money, rate).incl for rate, money in sums.items()), ZERO)
    possible = [once for once, come_to in ((False, by_line), (True, by_rate)) if come_to == total]
    return tuple(possible) or (False,)


def vat_differences(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> tuple[str, ...]:
    """Return a sentence for each rate whose VAT differs in Go by more than rounding explains."""
    once = vat_roundings(answer)[0]
    rates = sums_by_rate(lines, answer, edited_in_go=edited_in_go, once_per_rate=once)
    return tuple(
        f"VAT at {rate_key(rate)} %: the shop says {round_to_ore(sums.stated_tax)}, Go says"
        f" {round_to_ore(sums.in_go.tax)}"
        for rate, sums in sorted(rates.items(), reverse=True)
        if not sums.is_right
    )


def answer_differences(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> tuple[str, ...]:
    """Return how Go's order differs from the shop's: in lines' VAT rates, VAT by rate, and total.

    An answer without totals (a dry run) has no differences.
    """
    if answer.get("TotalAmount") is None:
        return ()
    lines = tuple(lines)
    differences = rate_differences(lines, answer)
    differences = differences or vat_differences(lines, answer, edited_in_go=edited_in_go)
    expected = expected_total(lines, total, answer, edited_in_go=edited_in_go)
    of_total = total_difference(expected, answer["TotalAmount"])
    return (*differences, of_total) if of_total else differences


def total_difference(expected: Decimal, go_total: Value) -> str | None:
    """Return both totals with VAT in a sentence if they differ by an øre or more.

    None also if Go gives no total.
    """
    total = None if go_total is None else number_in_go(go_total, label="TotalAmount")
    if total is None or abs(total - expected) < ORE:
        return None
    return f"total with VAT: the shop says {expected}, Go says {round_to_ore(total)}"


def vat_difference(lines: Iterable[OrderLine], header: Mapping[str, Any]) -> str | None:
    """Return both sides' total VAT in a sentence if they differ by more than rounding explains."""
    if header.get("NetAmount") is None:
        return None
    sums, in_go = sums_of(lines), money_in_go(header)
    tax = sums.total.tax
    if abs(tax - in_go.tax) <= sums.tolerance:
        return None
    return f"VAT: the shop says {round_to_ore(tax)}, Go says {round_to_ore(in_go.tax)}"


def lines_by_key(answer: Mapping[str, Any]) -> dict[str | None, Mapping[str, Any]]:
    """Return the lines in Go's answer by our reference, those without one by their Id."""
    lines = answer.get("SalesOrderLines") or ()
    return {line.get(_REFERENCE) or line.get("Id"): line for line in lines}


def total_in_go(line: Mapping[str, Any] | None) -> Decimal:
    """Return what a line, or a whole order, comes to in Go with VAT."""
    total = None if line is None else line.get("TotalAmount")
    return number_in_go(total or ZERO, label="TotalAmount")


def money_in_go(line: Mapping[str, Any]) -> Money:
    """Return the amounts of a line, or of a whole order, in Go."""
    total, net = total_in_go(line), number_in_go(line.get("NetAmount") or 0, label="NetAmount")
    return Money(net, total - net, total)


def percent(fraction: Value) -> Decimal:
    """Return a VAT rate from Go, which gives a fraction, in percent."""
    return number_in_go(fraction, label="the VAT rate") * 100


@dataclass(frozen=True)
class Correction:
    """New unit prices by line reference, and what the line for rounding should come to.

    `decimals` is how many decimals of a price Go is known to keep.
    """

    prices: Mapping[str, Decimal] = field(default_factory=dict)
    rounding: Decimal = ZERO
    decimals: int = _PLACES[-1]

    def then(self, other: Correction) -> Correction:
        """Return what was sent in all, and is known, after a further correction of the order."""
        return replace(other, prices={**self.prices, **other.prices})


@dataclass(frozen=True)
class _NewPrices:
    """New unit prices, by line reference, that move an order's total; the lowest cost is best.

    The cost is by how many øre the rates differ from the shop's, then how many prices are new.
    """

    cost: tuple[int, int] = (0, 0)
    prices: tuple[tuple[str, Decimal], ...] = ()

    def __add__(self, other: _NewPrices) -> _NewPrices:
        """Return both combined."""
        cost = (self.cost[0] + other.cost[0], self.cost[1] + other.cost[1])
        return _NewPrices(cost, self.prices + other.prices)


@dataclass(frozen=True)
class _GoLine:
    """A line as it is in Go, and what it should come to according to the shop, both without VAT.

    `factor` is what the allowance leaves of a price. `sent` is the unit price that was sent, and
    `price` the one that Go kept.
    """

    reference: str
    quantity: Decimal
    factor: Decimal
    price: Decimal
    sent: Decimal
    net: Decimal
    wanted: Decimal
    rate: Decimal

    def net_at(self, price: Decimal) -> Decimal:
        """Return what the line comes to in Go at a unit price, without VAT."""
        return round_to_ore(self.quantity * price * self.factor)


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

    None also if Go gives no total. A line is moved by an øre at most, or to the next price that Go
    can hold. The line for rounding bears at most an øre for each line. `before` is what was already
    sent to correct the order.
    """
    if answer.get("TotalAmount") is None:
        return None
    current = total_in_go(answer) - total_in_go(lines_by_key(answer).get(ROUNDING))
    missing = _in_ore(expected_total(lines, total, answer, edited_in_go=edited_in_go) - current)
    before = before or Correction()
    go_lines = _movable_lines(lines, answer, edited_in_go, before.prices)
    decimals = min(before.decimals, _kept_decimals(go_lines))
    for once in vat_roundings(answer):
        rates = sums_by_rate(lines, answer, edited_in_go=edited_in_go, once_per_rate=once)
        if not missing and all(sums.is_right for sums in rates.values()):
            return Correction(decimals=decimals)
        moves = _moves(go_lines, rates, missing, decimals, once_per_rate=once)
        if correction := _nearest(moves, missing, len(go_lines) if may_add_line else 0):
            return replace(correction, decimals=decimals)
    return None


def _nearest(moves: Mapping[int, _NewPrices], missing: int, most: int) -> Correction | None:
    """Return the correction by the missing øre, at most `most` of them on the line for rounding."""
    if missing in moves:
        return Correction(dict(moves[missing].prices))
    near = [moved for moved in moves if abs(missing - moved) <= most]
    if not near:
        return None
    best = min(near, key=lambda moved: (len(moves[moved].prices), abs(missing - moved)))
    return Correction(dict(moves[best].prices), (missing - best) * ORE)


def _in_ore(amount: Decimal) -> int:
    return int(round_to_ore(amount) / ORE)


def _movable_lines(
    lines: Iterable[OrderLine],
    answer: Mapping[str, Any],
    edited_in_go: Collection[str],
    sent: Mapping[str, Decimal],
) -> list[_GoLine]:
    """Return the lines that may be moved: those whose amount in Go follows from their price."""
    in_go = lines_by_key(answer)
    movable = []
    for line in lines:
        entry = in_go.get(line.reference)
        if entry is None or line.is_text or line.reference in edited_in_go:
            continue
        numbers = [entry.get(name) for name in ("ProductUnitPrice", "NetAmount", "VatRate")]
        if None in numbers or not line.quantity or not line.total.excl:
            continue
        price, net, rate = (number_in_go(number, label="a line") for number in numbers)
        go_line = _GoLine(
            line.reference,
            line.quantity,
            1 - line.price.allowance / 100,
            price,
            sent.get(line.reference, line.price.unit_price),
            net,
            line.total.excl,
            rate,
        )
        if go_line.factor and go_line.net_at(price) == net:
            movable.append(go_line)
    return movable


def _kept_decimals(lines: Iterable[_GoLine]) -> int:
    """Return how many decimals of a price Go is seen to keep; if it cuts none, all that are sent.

    A price that is not a rounded form of the one sent, because it was corrected before, shows
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
    lines: Sequence[_GoLine],
    rates: Mapping[Decimal, RateSums],
    missing: int,
    decimals: int,
    *,
    once_per_rate: bool,
) -> dict[int, _NewPrices]:
    """Return by how many øre the total can be moved with each rate's VAT still right, and how."""
    groups: dict[Decimal, list[_GoLine]] = defaultdict(list)
    for line in lines:
        groups[percent(line.rate)].append(line)
    farthest = abs(missing) + _FARTHEST
    reach = {0: _NewPrices()}
    for rate, sums in rates.items():
        moves = _moves_at(rate, groups[rate], sums, farthest, decimals, once_per_rate=once_per_rate)
        wider: dict[int, _NewPrices] = {}
        for moved, prices in reach.items():
            for more, more_prices in moves.items():
                if abs(moved + more) <= farthest:
                    _keep(wider, moved + more, prices + more_prices)
        reach = wider
    return reach


def _moves_at(
    rate: Decimal,
    lines: Iterable[_GoLine],
    sums: RateSums,
    farthest: int,
    decimals: int,
    *,
    once_per_rate: bool,
) -> dict[int, _NewPrices]:
    """Return by how many øre a rate's sum with VAT can be moved with VAT still right, and how."""
    reach: dict[tuple[int, int], _NewPrices] = {(0, 0): _NewPrices()}
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
            new = _NewPrices((0, 1), ((line.reference, price),))
            for (nets, taxes), prices in reach.items():
                if abs(nets + more + taxes + tax) <= farthest:
                    _keep(wider, (nets + more, taxes + tax), prices + new)
        reach = wider
    moves: dict[int, _NewPrices] = {}
    for (nets, taxes), prices in reach.items():
        vat = sums.in_go.tax + taxes * ORE
        if once_per_rate:
            vat = round_to_ore((sums.in_go.excl + nets * ORE) * rate / 100)
        if abs(vat - sums.stated_tax) <= sums.tolerance:
            moved = nets + _in_ore(vat - sums.in_go.tax)
            apart = abs(_in_ore(sums.wanted.incl - sums.in_go.incl) - moved)
            _keep(moves, moved, prices + _NewPrices((apart, 0)))
    return moves


def _keep(reach: dict[_Key, _NewPrices], key: _Key, prices: _NewPrices) -> None:
    """Keep the new prices with the lowest cost."""
    if key not in reach or prices.cost < reach[key].cost:
        reach[key] = prices


def _prices(line: _GoLine, decimals: int) -> dict[Decimal, Decimal]:
    """Return the net amounts that a line may come to, each with a unit price that gives it."""
    prices: dict[Decimal, Decimal] = {}
    for more in (ZERO, ORE, -ORE):
        exact = (line.wanted + more) / line.quantity / line.factor
        for places in range(_PLACES[0], decimals + 1):
            for rounding in (ROUND_HALF_UP, ROUND_FLOOR, ROUND_CEILING):
                price = _cut(exact, places, rounding)
                net = line.net_at(price)
                is_nearest = not more and places == decimals
                if is_nearest or abs(net - line.wanted) <= ORE:
                    prices.setdefault(net, price)
    return prices
