"""How a comparison of the shop's orders with Go's books is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.links_command.listing import Column, Listing, tell, tell_as_json
from target_powerofficego.links_command.reconciliation.findings import rate_in_words
from target_powerofficego.links_command.reconciliation.sums import ALL_RATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_powerofficego.dataflow.orders.line_amounts import Money
    from target_powerofficego.links_command.reconciliation.comparison import Comparison
    from target_powerofficego.links_command.reconciliation.findings import Finding
    from target_powerofficego.links_command.reconciliation.sides import EntryKind, Period
    from target_powerofficego.links_command.reconciliation.sums import SumsRow

_SUMS = (
    Column("currency", "currency"),
    Column("VAT rate", "rate"),
    Column("shop: orders", "shop_orders"),
    Column("without VAT", "shop_excl"),
    Column("VAT", "shop_tax"),
    Column("with VAT", "shop_incl"),
    Column("Go: sales orders", "sales_orders"),
    Column("invoices", "invoices"),
    Column("credit notes", "credit_notes"),
    Column("without VAT", "go_excl"),
    Column("VAT", "go_tax"),
    Column("with VAT", "go_incl"),
    Column("Go has more", "difference"),
)
_FINDINGS = (
    Column("what", "kind"),
    Column("order", "shop_id"),
    Column("date", "date"),
    Column("in Go", "go_entry"),
    Column("told", "told", wraps=True),
)
_DONE: Mapping[EntryKind, str] = {"sales order": "invoiced", "credit note": "sent"}
"""What is done to an entry that books it."""


def tell_comparison(compared: Comparison, period: Period, output_format: str) -> None:
    """Print sums, differences, remarks, and the outcome."""
    if output_format == "json":
        for row in _json_rows(compared, period):
            tell_as_json(row)
        return
    tell(Listing(_SUMS, [_sums_row(one) for one in compared.sums], "no orders"), output_format)
    for heading, findings in (
        ("These differ:", compared.differing),
        ("Not counted as differing:", compared.remarks),
    ):
        if findings:
            click.echo(f"\n{heading}\n")
            tell(Listing(_FINDINGS, [_finding_row(one) for one in findings], ""), output_format)
    click.echo(f"\n{_outcome(compared, period)}")


def _outcome(compared: Comparison, period: Period) -> str:
    days = f"{period.first} to {period.last}"
    unknown = sum(one.kind == "not known" for one in compared.remarks)
    more = f"; {unknown} could not be compared" if unknown else ""
    waiting = [
        f"{count} {kind}{'' if count == 1 else 's'} not {_DONE[kind]} yet"
        for kind, count in compared.not_in_ledger.items()
    ]
    if waiting:
        more += f"; in Go {' and '.join(waiting)}, and so in no ledger"
    if compared.differing:
        return f"{days}: the shop's orders and Go's books differ ({len(compared.differing)}){more}"
    return f"{days}: the shop's orders and Go's books are the same{more}"


def _sums_row(one: SumsRow) -> dict[str, Any]:
    row = {
        "currency": one.currency,
        "rate": ALL_RATES if one.rate == ALL_RATES else rate_in_words(one.rate),
        "shop_orders": one.shop_orders,
        "sales_orders": one.sales_orders,
        "invoices": one.invoices,
        "credit_notes": one.credit_notes,
        "difference": f"{one.difference.incl:.2f}",
    }
    return {**row, **_flat("shop", one.shop), **_flat("go", one.go)}


def _flat(side: str, one: Money) -> dict[str, str]:
    return {f"{side}_{name}": told for name, told in _as_text(one).items()}


def _as_text(one: Money) -> dict[str, str]:
    return {"excl": f"{one.excl:.2f}", "tax": f"{one.tax:.2f}", "incl": f"{one.incl:.2f}"}


def _finding_row(one: Finding) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "shop_id": one.shop_id,
        "date": one.date,
        "go_entry": one.entry and one.entry.in_words,
        "told": one.told,
    }


def _json_rows(compared: Comparison, period: Period) -> Iterable[dict[str, Any]]:
    for sums in compared.sums:
        yield {
            "what": "sums",
            "currency": sums.currency,
            "vat_rate": sums.rate,
            "shop": {"orders": sums.shop_orders, **_as_text(sums.shop)},
            "go": {
                "sales_orders": sums.sales_orders,
                "invoices": sums.invoices,
                "credit_notes": sums.credit_notes,
                **_as_text(sums.go),
            },
            "difference": _as_text(sums.difference),
        }
    for finding in compared.findings:
        yield _json_finding(finding)
    yield {
        "what": "outcome",
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "differences": len(compared.differing),
        "remarks": len(compared.remarks),
        "not_in_ledger": {
            "sales_orders": compared.not_in_ledger.get("sales order", 0),
            "credit_notes": compared.not_in_ledger.get("credit note", 0),
        },
    }


def _json_finding(one: Finding) -> dict[str, Any]:
    return {
        "what": "difference" if one.is_difference else "remark",
        "kind": one.kind,
        "shop_id": one.shop_id,
        "date": one.date,
        "currency": one.currency,
        "go_id": one.entry and one.entry.id,
        "go_kind": one.entry and one.entry.kind,
        "go_number": one.entry and one.entry.number,
        "shop": _by_rate(one.shop),
        "go": _by_rate(one.go),
        "told": one.told,
    }


def _by_rate(by_rate: Mapping[str | None, Money] | None) -> list[dict[str, str | None]] | None:
    if by_rate is None:
        return None
    return [{"vat_rate": rate, **_as_text(one)} for rate, one in by_rate.items()]
