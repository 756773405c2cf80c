"""Whether Go's order is the shop's, to the øre: the VAT rate of each line, and the total; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.line_amounts import ORE, ZERO
from target_powerofficego.dataflow.product import rate_key
from target_powerofficego.dataflow.values import to_ore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from target_powerofficego.dataflow.order_lines import OrderLine
    from target_powerofficego.dataflow.values import Value

ROUNDING = "rounding:"
"""The reference of the line that bears the øre which Go's rounding does not reach."""


def rate_differences(lines: Iterable[OrderLine], answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Say in words which lines have another VAT rate in Go than in the shop, edited or not."""
    in_go = answered_lines(answer)
    found = []
    for line in lines:
        rate = in_go.get(line.reference, {}).get("VatRate")
        if line.is_text or line.rate is None or rate is None:
            continue
        if percent(rate) != line.rate:
            hint = "" if line.rate else " (`exempt` in sales_accounts is for what is sold without)"
            found.append(
                f"VAT of {values.shown(line.description)}: the shop says {rate_key(line.rate)} %,"
                f" Go's sales account gives {rate_key(percent(rate))} %{hint}"
            )
    return tuple(found)


def expected_total(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> Decimal:
    """Return what Go's order is to come to with VAT.

    That is the shop's total, with the lines that were edited in Go, or are only there, as Go has
    them; the line for rounding is ours.
    """
    in_go = answered_lines(answer)
    in_go.pop(ROUNDING, None)
    expected = total
    for line in lines:
        there = in_go.pop(line.reference, None)
        if line.reference in edited_in_go:
            expected += total_in_go(there) - line.total.incl
    return expected + sum((total_in_go(line) for line in in_go.values()), ZERO)


def answer_differences(
    lines: Iterable[OrderLine],
    total: Decimal,
    answer: Mapping[str, Any],
    *,
    edited_in_go: Collection[str] = (),
) -> tuple[str, ...]:
    """Compare Go's order with the shop's: the VAT rate of each line, and the total with VAT.

    An answer without totals (a dry run) has no differences.
    """
    if answer.get("TotalAmount") is None:
        return ()
    lines = tuple(lines)
    found = rate_differences(lines, answer)
    expected = expected_total(lines, total, answer, edited_in_go=edited_in_go)
    off = total_difference(expected, answer["TotalAmount"])
    return (*found, off) if off else found


def total_difference(expected: Decimal, go_total: Value) -> str | None:
    """Name both totals with VAT when they differ by an øre or more; None when Go tells none."""
    if go_total is None or abs(Decimal(str(go_total)) - expected) < ORE:
        return None
    in_go = to_ore(Decimal(str(go_total)))
    return f"total with VAT: the shop says {expected}, Go says {in_go}"


def answered_lines(answer: Mapping[str, Any]) -> dict[str | None, Mapping[str, Any]]:
    """Return the lines of an order that Go answered, by our reference."""
    lines = answer.get("SalesOrderLines") or ()
    return {line.get("ExternalImportReference") or line.get("Id"): line for line in lines}


def total_in_go(line: Mapping[str, Any] | None) -> Decimal:
    """Return what a line comes to in Go with VAT."""
    return ZERO if line is None else Decimal(str(line.get("TotalAmount") or 0))


def percent(fraction: Value) -> Decimal:
    """Return a VAT rate of Go's, which is a fraction, in percent."""
    return Decimal(str(fraction)) * 100
