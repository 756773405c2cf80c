"""The command `reconcile`: compares the shop's orders of a period with Go's books."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from target_powerofficego.environment import settings_of_variables
from target_powerofficego.errors import SettingsError
from target_powerofficego.go_api import GoClient, GoError
from target_powerofficego.links_command.listing import (
    Column,
    Listing,
    fail,
    members,
    print_json,
    print_listing,
)
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, with_choices
from target_powerofficego.links_command.reconciliation.comparison import (
    ALL_RATES,
    Books,
    Comparison,
    compare,
    rate_in_words,
)
from target_powerofficego.links_command.reconciliation.sides import GoSide, Period, shop_orders
from target_powerofficego.settings.complaints import broken_rules
from target_powerofficego.settings.forward import Settings
from target_powerofficego.settings.schema import CONFIG

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.dataflow.orders.line_amounts import Money
    from target_powerofficego.links_command.options import Choices
    from target_powerofficego.links_command.reconciliation.comparison import (
        Comparison,
        Finding,
        SumsRow,
    )
    from target_powerofficego.links_command.reconciliation.sides import EntryKind
    from target_powerofficego.store.link_store import LinkStore


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
_KINDS: Mapping[str, EntryKind] = {
    "sales_orders": "sales order",
    "invoices": "invoice",
    "credit_notes": "credit note",
}
_DONE: Mapping[EntryKind, str] = {"sales order": "invoiced", "credit note": "sent"}
"""What has to be done to an entry before it is booked."""
DIFFERS = 3
"""The exit status when the two sides differ."""
_PREFIX = "TARGET_POWEROFFICEGO_"
_ENVIRONMENT = "ENV"
USED = (
    *("application_key", "client_key", "subscription_key", "environment", "api_url", "token_url"),
    *("shop_name", "link_store", "time_zone"),
    *("requests_per_second", "workers", "request_timeout", "retry_seconds"),
)
"""The settings that reading needs; the others decide what is written, so they are not looked at."""
_START_UP_SECONDS = 10.0
"""How long the first call is tried; a wrong address should be reported while a person watches."""


class Day(click.DateTime):
    """A day as in 2026-01-31."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Return the beginning of the day."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f'"{value}" is no day written like 2026-01-31', param, ctx)


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
    if last < first:
        raise click.UsageError("--to is before --from")
    period = Period(first.date(), last.date())
    compared = _reconciled(choices, paths, period)
    _print_comparison(compared, period, choices.output_format)
    if compared.differing:
        click.get_current_context().exit(DIFFERS)


def _print_comparison(compared: Comparison, period: Period, output_format: str) -> None:
    """Print the sums, the differences, the remarks and the outcome."""
    if output_format == "json":
        for row in _json_rows(compared, period):
            print_json(row)
        return
    sums = [_sums_row(row) for row in compared.sums]
    print_listing(Listing(_SUMS, sums, "no orders"), output_format)
    for heading, findings in (
        ("These differ:", compared.differing),
        ("Not counted as differing:", compared.remarks),
    ):
        if findings:
            click.echo(f"\n{heading}\n")
            rows = [_finding_row(finding) for finding in findings]
            print_listing(Listing(_FINDINGS, rows, ""), output_format)
    click.echo(f"\n{_outcome(compared, period)}")


def _outcome(compared: Comparison, period: Period) -> str:
    outcome = f"{period.first} to {period.last}: the shop's orders and Go's books "
    differing = f"differ ({len(compared.differing)})"
    outcome += differing if compared.differing else "are the same"
    unknown = sum(finding.kind == "not known" for finding in compared.remarks)
    if unknown:
        outcome += f"; {unknown} could not be compared"
    waiting = [
        f"{count} {kind}{'' if count == 1 else 's'} not {_DONE[kind]} yet"
        for kind, count in compared.not_in_ledger.items()
    ]
    if waiting:
        outcome += f"; in Go {' and '.join(waiting)}, and so in no ledger"
    return outcome


def _sums_row(sums: SumsRow) -> dict[str, Any]:
    return {
        "currency": sums.currency,
        "rate": ALL_RATES if sums.rate == ALL_RATES else rate_in_words(sums.rate),
        "shop_orders": sums.shop_orders,
        **_entries(sums),
        "difference": f"{sums.difference.incl:.2f}",
        **{f"shop_{name}": amount for name, amount in _as_text(sums.shop).items()},
        **{f"go_{name}": amount for name, amount in _as_text(sums.go).items()},
    }


def _entries(sums: SumsRow) -> dict[str, int]:
    return {name: sums.entries[kind] for name, kind in _KINDS.items()}


def _as_text(money: Money) -> dict[str, str]:
    return {name: f"{amount:.2f}" for name, amount in members(money, "excl", "tax", "incl").items()}


def _finding_row(finding: Finding) -> dict[str, Any]:
    return {
        **members(finding, "kind", "shop_id", "date"),
        "go_entry": finding.entry and finding.entry.in_words,
        "told": finding.text,
    }


def _json_rows(compared: Comparison, period: Period) -> Iterable[dict[str, Any]]:
    for sums in compared.sums:
        yield {
            "what": "sums",
            "currency": sums.currency,
            "vat_rate": sums.rate,
            "shop": {"orders": sums.shop_orders, **_as_text(sums.shop)},
            "go": {**_entries(sums), **_as_text(sums.go)},
            "difference": _as_text(sums.difference),
        }
    for finding in compared.findings:
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
        "differences": len(compared.differing),
        "remarks": len(compared.remarks),
        "not_in_ledger": {
            "sales_orders": compared.not_in_ledger.get("sales order", 0),
            "credit_notes": compared.not_in_ledger.get("credit note", 0),
        },
    }


def _by_rate(by_rate: Mapping[str | None, Money] | None) -> list[dict[str, str | None]] | None:
    if by_rate is None:
        return None
    return [{"vat_rate": rate, **_as_text(money)} for rate, money in by_rate.items()]


def _reconciled(choices: Choices, paths: Sequence[str], period: Period) -> Comparison:
    """Compare a period, using the link store that was chosen, else the one in the config.

    Raises:
        click.ClickException: with one line that says why it cannot be done.
    """
    config = {} if choices.given_link_store else _config(paths)
    location = choices.given_link_store or config.get("link_store") or choices.link_store
    with open_store(str(location)) as store:
        return _compared(store, _settings(config or _config(paths)), period)


def _compared(store: LinkStore, settings: Settings, period: Period) -> Comparison:
    """Read both sides and compare them.

    Raises:
        click.ClickException: with one line that says why Go could not be read.
    """
    go = GoClient(
        settings.connection,
        requests_per_second=settings.requests_per_second,
        timeout_seconds=settings.request_timeout,
        retry_seconds=settings.retry_seconds,
    )
    with contextlib.closing(go), _progress() as progress:
        side = GoSide(go, settings.workers)
        try:
            with go.giving_up_after(_START_UP_SECONDS):
                client_id = side.client_id()
            _enter(store, client_id, settings.shop_name)
            return _read_and_compare(store, side, settings, period, progress)
        except GoError as error:
            fail(" ".join(str(error).split()))


def _read_and_compare(
    store: LinkStore, side: GoSide, settings: Settings, period: Period, progress: Progress
) -> Comparison:
    """Read Go before the store, so that an order which a run writes meanwhile has its link."""
    entries = side.entries(_counting(progress, "sales orders and invoices"))
    orders = shop_orders(store, settings.time_zone)
    for order in orders:
        if order.go_id is not None and order.go_id not in entries and period.has(order.date):
            entry = side.find(order.go_id)
            entries |= {entry.id: entry} if entry is not None else {}
    books = Books(orders, entries, settings.shop_name)
    matched = books.matched(period)
    to_read = matched.to_read()
    read = side.read_all(to_read, _counting(progress, "lines of orders", len(to_read)))
    return compare(books, matched, read, period)


def _enter(store: LinkStore, client_id: str, shop_name: str) -> None:
    """Work in the namespace of this Go client and shop.

    Raises:
        click.ClickException: the store has no such namespace.
    """
    known = {(one.client_id, one.shop_name): one for one in store.namespaces.all()}
    if (client_id, shop_name) not in known:
        names = ", ".join(f"{shop} with client {client}" for client, shop in known) or "none"
        fail(
            f'the link store does not know the shop "{shop_name}" with the Go client that the keys'
            f" are for ({client_id}); it knows {names}"
        )
    store.namespaces.work_in(known[client_id, shop_name])
    newest = [run for run in store.runs.newest_of_each() if run.shop_name == shop_name]
    if any(run.exit_status is None for run in newest):
        click.echo(
            "a run of the sync is under way or was cut off: what it has not finished may be told"
            " as differing; compare again after the next run",
            err=True,
        )


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Show the progress of reading, on a terminal only."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _counting(progress: Progress, what: str, total: int | None = None) -> Callable[[int], None]:
    task: TaskID = progress.add_task(what, total=total)
    return lambda number: progress.advance(task, number)


def _config(paths: Sequence[str]) -> dict[str, Any]:
    """Return the settings of config files as the target takes them.

    The environment variables count where ENV stands among the files, or when no file is named.

    Raises:
        click.ClickException: with one line, for a file that is missing or not JSON.
    """
    config: dict[str, Any] = {}
    for path in paths:
        if path != _ENVIRONMENT:
            config |= _of_file(path)
    if not paths or _ENVIRONMENT in paths:
        config |= _of_environment()
    return {name: config[name] for name in USED if config.get(name) not in (None, "")}


def _settings(config: dict[str, Any]) -> Settings:
    """Check a config, convert its values to their types and fill in the defaults.

    Raises:
        click.ClickException: with one line that names everything that is missing or wrong.
    """
    wrong = broken_rules(config, CONFIG.to_dict())
    if not wrong:
        try:
            return Settings.from_config(config)
        except SettingsError as error:
            wrong = error.lines
    raise click.ClickException(
        f"{'; '.join(wrong)}. The settings of target-powerofficego are needed: name their file with"
        f" --config FILE, or set the variables {_PREFIX}…"
    )


def _of_file(path: str) -> dict[str, Any]:
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"--config: {path} cannot be read: {error.strerror}")
    except ValueError as error:
        fail(f"--config: {path} holds no settings as JSON: {error}")
    if not isinstance(config, dict):
        fail(f"--config: {path} holds no settings as JSON")
    return config


def _of_environment() -> dict[str, Any]:
    properties = CONFIG.to_dict()["properties"]
    try:
        used = {"properties": {name: properties[name] for name in USED}}
        return settings_of_variables(used, _PREFIX)
    except ValueError as error:
        fail(f"a variable {_PREFIX}… cannot be read: {error}")
