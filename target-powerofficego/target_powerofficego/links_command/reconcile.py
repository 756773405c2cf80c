"""The command `reconcile`: compares the shop's orders of a period with Go's books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.links_command.options import Choices, with_choices
from target_powerofficego.links_command.output import (
    Column,
    Listing,
    members,
    print_json,
    print_listing,
)
from target_powerofficego.links_command.reconciliation.comparison import ALL_RATES, format_rate
from target_powerofficego.links_command.reconciliation.sides import Period

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping

    from target_powerofficego.dataflow.orders.line_amounts import Money
    from target_powerofficego.links_command.reconciliation.comparison import (
        Comparison,
        Finding,
        SumsRow,
    )
    from target_powerofficego.links_command.reconciliation.sides import EntryKind

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
    Column("Go minus shop", "difference"),
)
_FINDINGS = (
    Column("finding", "kind"),
    Column("order", "shop_id"),
    Column("date", "date"),
    Column("in Go", "go_entry"),
    Column("details", "told", wraps=True),
)
_KINDS: Mapping[str, EntryKind] = {
    "sales_orders": "sales order",
    "invoices": "invoice",
    "credit_notes": "credit note",
}
_BOOKED_WHEN: Mapping[EntryKind, str] = {"sales order": "invoiced", "credit note": "sent"}
"""What has to happen to an entry before it is booked."""
DIFFERS = 3
"""The exit status when the two sides differ."""


class Day(click.DateTime):
    """A day, such as 2026-01-31."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Return the start of the day."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f'"{value}" is not a day, such as 2026-01-31', param, ctx)


@click.command()
@click.option(
    "--from",
    "first",
    metavar="DATE",
    type=Day(),
    required=True,
    help="The first day, such as 2026-01-01.",
)
@click.option(
    "--to",
    "last",
    metavar="DATE",
    type=Day(),
    required=True,
    help="The last day, which is included.",
)
@click.option(
    "--config",
    "paths",
    metavar="FILE",
    multiple=True,
    help="The config file of target-powerofficego, with the keys to Go. ENV, or no file at all,"
    " means the variables TARGET_POWEROFFICEGO_….",
)
@with_choices()
@click.pass_obj
def reconcile(
    choices: Choices,
    *,
    first: datetime.datetime,
    last: datetime.datetime,
    paths: tuple[str, ...],
) -> None:
    """Compare a period's orders with Go's books.

    Reads Go's sales orders, invoices and credit notes, and takes the shop's orders from the link
    store, as the shop last sent them. Prints counts and sums by currency and VAT rate, and each
    order that differs. Nothing is changed.

    An order belongs to the day on which it was placed, in the time zone of the settings, whatever
    its date in Go. An entry in Go that no order is linked to belongs to its own date; a credit
    note, to the date of its voucher.

    Exit status: 0 if both sides are the same, 3 if they differ, 1 if they could not be compared.
    """
    # the modules that read Go are slow to load, and no other command needs them
    from target_powerofficego.links_command.reconciliation.reconciling import (  # noqa: PLC0415
        read_and_compare,
    )

    if last < first:
        raise click.UsageError("--to is before --from")
    period = Period(first.date(), last.date())
    comparison = read_and_compare(choices, paths, period)
    _print_comparison(comparison, period, choices.output_format)
    if comparison.differing:
        click.get_current_context().exit(DIFFERS)


def _print_comparison(comparison: Comparison, period: Period, output_format: str) -> None:
    """Print the sums, the differences, the remarks and the outcome."""
    if output_format == "json":
        for row in _json_rows(comparison, period):
            print_json(row)
        return
    sums = [_sums_row(row) for row in comparison.sums]
    print_listing(Listing(_SUMS, sums, "no orders"), output_format)
    for heading, findings in (
        ("These differ:", comparison.differing),
        ("Not counted as differing:", comparison.remarks),
    ):
        if findings:
            click.echo(f"\n{heading}\n")
            rows = [_finding_row(finding) for finding in findings]
            print_listing(Listing(_FINDINGS, rows, ""), output_format)
    click.echo(f"\n{_outcome(comparison, period)}")


def _outcome(comparison: Comparison, period: Period) -> str:
    outcome = f"{period.first} to {period.last}: the shop's orders and Go's books "
    differing = f"differ ({len(comparison.differing)})"
    outcome += differing if comparison.differing else "are the same"
    unknown = sum(finding.kind == "not known" for finding in comparison.remarks)
    if unknown:
        outcome += f"; {unknown} could not be compared"
    not_booked = [
        f"{count} {kind}{' is' if count == 1 else 's are'} not {_BOOKED_WHEN[kind]} yet"
        for kind, count in comparison.not_in_ledger.items()
    ]
    if not_booked:
        outcome += f"; in Go, {' and '.join(not_booked)}, and so not in the ledger"
    return outcome


def _sums_row(sums: SumsRow) -> dict[str, Any]:
    return {
        "currency": sums.currency,
        "rate": ALL_RATES if sums.rate == ALL_RATES else format_rate(sums.rate),
        "shop_orders": sums.shop_orders,
        **_entry_counts(sums),
        "difference": f"{sums.difference.incl:.2f}",
        **{f"shop_{name}": amount for name, amount in _format_money(sums.shop).items()},
        **{f"go_{name}": amount for name, amount in _format_money(sums.go).items()},
    }


def _entry_counts(sums: SumsRow) -> dict[str, int]:
    return {name: sums.entries[kind] for name, kind in _KINDS.items()}


def _format_money(money: Money) -> dict[str, str]:
    return {name: f"{amount:.2f}" for name, amount in members(money, "excl", "tax", "incl").items()}


def _finding_row(finding: Finding) -> dict[str, Any]:
    return {
        **members(finding, "kind", "shop_id", "date"),
        "go_entry": finding.entry and finding.entry.description,
        "told": finding.text,
    }


def _json_rows(comparison: Comparison, period: Period) -> Iterable[dict[str, Any]]:
    for sums in comparison.sums:
        yield {
            "what": "sums",
            "currency": sums.currency,
            "vat_rate": sums.rate,
            "shop": {"orders": sums.shop_orders, **_format_money(sums.shop)},
            "go": {**_entry_counts(sums), **_format_money(sums.go)},
            "difference": _format_money(sums.difference),
        }
    for finding in comparison.findings:
        yield {
            "what": "difference" if finding.is_difference else "remark",
            **members(finding, "kind", "shop_id", "date", "currency"),
            "go_id": finding.entry and finding.entry.id,
            "go_kind": finding.entry and finding.entry.kind,
            "go_number": finding.entry and finding.entry.number,
            "shop": _by_rate(finding.shop),
            "go": _by_rate(finding.go),
            "told": finding.text,
        }
    yield {
        "what": "outcome",
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "differences": len(comparison.differing),
        "remarks": len(comparison.remarks),
        "not_in_ledger": {
            "sales_orders": comparison.not_in_ledger.get("sales order", 0),
            "credit_notes": comparison.not_in_ledger.get("credit note", 0),
        },
    }


def _by_rate(by_rate: Mapping[str | None, Money] | None) -> list[dict[str, str | None]] | None:
    if by_rate is None:
        return None
    return [{"vat_rate": rate, **_format_money(money)} for rate, money in by_rate.items()]
