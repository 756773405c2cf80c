"""Whether Go's order equals the shop's: each line's VAT rate, VAT by rate, and the total; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.orders.line_amounts import NOTHING, ORE, ZERO, Money, sum_by
from target_powerofficego.dataflow.orders.sums import sums_of, tolerance
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.dataflow.values import number_in_go, to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from decimal import Decimal

    from target_powerofficego.dataflow.orders.lines import OrderLine
    from target_powerofficego.dataflow.values import Value

_REFERENCE = "ExternalImportReference"
ROUNDING = "rounding:"
"""The reference of the line that bears the øre that Go's rounding leaves missing."""


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
                f"VAT of {values.shown(line.description)}: the shop says {rate_key(line.rate)} %,"
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
    tax = to_ore(money.excl * rate / 100)
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
        f"VAT at {rate_key(rate)} %: the shop says {to_ore(one.told_tax)}, Go says"
        f" {to_ore(one.there.tax)}"
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
    told = None if go_total is None else number_in_go(go_total, what="TotalAmount")
    if told is None or abs(told - expected) < ORE:
        return None
    return f"total with VAT: the shop says {expected}, Go says {to_ore(told)}"


def vat_difference(lines: Iterable[OrderLine], header: Mapping[str, Any]) -> str | None:
    """State the whole VAT on both sides where it differs by more than rounding explains."""
    if header.get("NetAmount") is None:
        return None
    sums, in_go = sums_of(lines), money_in_go(header)
    if abs(sums.whole.tax - in_go.tax) <= sums.tolerance:
        return None
    return f"VAT: the shop says {to_ore(sums.whole.tax)}, Go says {to_ore(in_go.tax)}"


def answered_lines(answer: Mapping[str, Any]) -> dict[str | None, Mapping[str, Any]]:
    """Return the lines of an order in Go's answer, by our reference."""
    lines = answer.get("SalesOrderLines") or ()
    return {line.get(_REFERENCE) or line.get("Id"): line for line in lines}


def total_in_go(line: Mapping[str, Any] | None) -> Decimal:
    """Return what a line, or a whole order, comes to in Go with VAT."""
    told = ZERO if line is None else line.get("TotalAmount") or ZERO
    return number_in_go(told, what="TotalAmount")


def money_in_go(line: Mapping[str, Any]) -> Money:
    """Return the amounts of a line, or of a whole order, in Go."""
    total, net = total_in_go(line), number_in_go(line.get("NetAmount") or 0, what="NetAmount")
    return Money(net, total - net, total)


def percent(fraction: Value) -> Decimal:
    """Return a VAT rate from Go, where it is a fraction, in percent."""
    return number_in_go(fraction, what="the VAT rate") * 100
