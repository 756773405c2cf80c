"""Reads both sides of a period and compares them, telling on a terminal how far it is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from target_powerofficego.go_api import GoClient, GoError
from target_powerofficego.links_command.go_settings import settings_of, told_config
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.reconciliation.comparison import Comparison, compare
from target_powerofficego.links_command.reconciliation.go_side import GoSide
from target_powerofficego.links_command.reconciliation.matched import Books
from target_powerofficego.links_command.reconciliation.shop_side import shop_orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_powerofficego.links_command.options import Choices
    from target_powerofficego.links_command.reconciliation.sides import Period
    from target_powerofficego.settings.forward import Settings
    from target_powerofficego.store.link_store import LinkStore

_START_UP_SECONDS = 10.0
"""How long the first call is tried; a wrong address should be told while one is still looking."""


def reconciled(choices: Choices, paths: Sequence[str], period: Period) -> Comparison:
    """Compare a period by the link store that was told, else by that of the config.

    Raises:
        click.ClickException: with one line that says why it cannot be done.
    """
    config = {} if choices.told_link_store else told_config(paths)
    location = choices.told_link_store or config.get("link_store") or choices.link_store
    with open_store(str(location)) as store:
        return _compared(store, settings_of(config or told_config(paths)), period)


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
            raise click.ClickException(" ".join(str(error).split())) from None


def _read_and_compare(
    store: LinkStore, side: GoSide, settings: Settings, period: Period, progress: Progress
) -> Comparison:
    """Read Go before the store: what a run writes meanwhile is then no order without a link."""
    entries = side.entries(_counting(progress, "sales orders and invoices"))
    orders = shop_orders(store, settings.time_zone)
    for order in orders:
        if order.go_id is not None and order.go_id not in entries and period.has(order.date):
            found = side.find(order.go_id)
            entries |= {found.id: found} if found is not None else {}
    books = Books(orders, entries, settings.shop_name)
    matched = books.matched(period)
    to_read = matched.to_read()
    read = side.read_all(to_read, _counting(progress, "lines of orders", len(to_read)))
    return compare(books, matched, read, period)


def _enter(store: LinkStore, client_id: str, shop_name: str) -> None:
    """Work in the namespace of this Go client and shop.

    Raises:
        click.ClickException: the store does not have it.
    """
    known = store.namespaces()
    for one in known:
        if (one.client_id, one.shop_name) == (client_id, shop_name):
            store.work_in(one)
            _warn_of_a_run(store, shop_name)
            return
    told = ", ".join(f"{one.shop_name} with client {one.client_id}" for one in known) or "none"
    msg = (
        f'the link store does not know the shop "{shop_name}" with the Go client that the keys are'
        f" for ({client_id}); it knows {told}"
    )
    raise click.ClickException(msg)


def _warn_of_a_run(store: LinkStore, shop_name: str) -> None:
    unended = [one for one in store.newest_runs() if one.exit_status is None]
    if any(one.shop_name == shop_name for one in unended):
        click.echo(
            "a run of the sync is under way or was cut off: what it has not finished may be told"
            " as differing; compare again after the next run",
            err=True,
        )


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Show on a terminal how far reading is; nowhere else."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _counting(progress: Progress, what: str, total: int | None = None) -> Callable[[int], None]:
    task: TaskID = progress.add_task(what, total=total)
    return lambda number: progress.advance(task, number)
