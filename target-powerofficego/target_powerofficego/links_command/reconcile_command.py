"""The command that compares the shop's orders of a period with Go's books."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_powerofficego.links_command.options import Choices, with_choices
from target_powerofficego.links_command.reconcile_listing import tell_comparison
from target_powerofficego.links_command.reconciliation.sides import Period

if TYPE_CHECKING:
    import datetime


class Day(click.DateTime):
    """A day as in 2026-01-31."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Return the day's beginning."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f'"{value}" is no day written like 2026-01-31', param, ctx)


DIFFERS = 3
"""The exit status when the two sides differ."""


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
    help="The last day, itself included.",
)
@click.option(
    "--config",
    "paths",
    metavar="FILE",
    multiple=True,
    help="The config of target-powerofficego, with the keys to Go; ENV, or none, stands for the"
    " variables TARGET_POWEROFFICEGO_….",
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

    Go's sales orders, invoices and credit notes are read afresh; the shop's orders are those of the
    link store, as the shop last told them. Counts and sums are told by currency and VAT rate, and
    each order that differs. Nothing is changed.

    An order belongs to the period by the day on which it was placed, in the shop's time zone,
    whatever date it has in Go. What in Go is linked to no order belongs to it by its own date: that
    of the order, of a credit note that of its voucher.

    Exit status: 0 when both sides are the same, 3 when they differ, 1 when it could not be told.
    """
    # what reads Go takes long to load, and no other command needs it
    from target_powerofficego.links_command.reconciling import reconciled  # noqa: PLC0415

    if last < first:
        msg = "--to is before --from"
        raise click.UsageError(msg)
    period = Period(first.date(), last.date())
    compared = reconciled(choices, paths, period)
    tell_comparison(compared, period, choices.output_format)
    if compared.differing:
        click.get_current_context().exit(DIFFERS)
