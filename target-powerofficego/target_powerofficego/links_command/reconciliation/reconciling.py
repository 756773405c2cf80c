"""Reads both sides of a period and compares them, showing its progress on a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from target_powerofficego.errors import SettingsError
from target_powerofficego.go_api import GoClient, GoError
from target_powerofficego.links_command.opening import open_store, read_config_file
from target_powerofficego.links_command.output import fail
from target_powerofficego.links_command.reconciliation.comparison import (
    Books,
    Comparison,
    compare,
)
from target_powerofficego.links_command.reconciliation.sides import GoSide, shop_orders
from target_powerofficego.plugin.environment import settings_from_environment
from target_powerofficego.settings.forward import Settings
from target_powerofficego.settings.schema import CONFIG
from target_powerofficego.settings.validation import broken_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_powerofficego.links_command.options import Choices
    from target_powerofficego.links_command.reconciliation.sides import Period
    from target_powerofficego.store.link_store import LinkStore

_PREFIX = "TARGET_POWEROFFICEGO_"
_ENVIRONMENT = "ENV"
USED = (
    *("application_key", "client_key", "subscription_key", "environment", "api_url", "token_url"),
    *("shop_name", "link_store", "time_zone"),
    *("requests_per_second", "rate_limit_store", "workers", "request_timeout", "retry_seconds"),
)
"""The settings that reading needs; the others decide what is written, so they are not looked at."""
_START_UP_SECONDS = 10.0
"""How long the first call is tried; a wrong address should be reported while a person watches."""


def reconciled(choices: Choices, paths: Sequence[str], period: Period) -> Comparison:
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
        rate_limit_store=settings.rate_limit_store,
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
    store.namespaces.choose(known[client_id, shop_name])
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
            config |= read_config_file(path)
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


def _of_environment() -> dict[str, Any]:
    properties = CONFIG.to_dict()["properties"]
    try:
        used = {"properties": {name: properties[name] for name in USED}}
        return settings_from_environment(used, _PREFIX)
    except ValueError as error:
        fail(f"a variable {_PREFIX}… cannot be read: {error}")
