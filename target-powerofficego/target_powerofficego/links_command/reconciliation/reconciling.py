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
"""The settings that reading needs. All others decide what is written and are ignored."""
_START_UP_SECONDS = 10.0
"""How long the first call is retried, so that a wrong address is reported while a person waits."""


def read_and_compare(choices: Choices, paths: Sequence[str], period: Period) -> Comparison:
    """Compare a period, with the link store of the options, or else that of the config.

    Raises:
        click.ClickException: it cannot be compared; the text is one line with the reason.
    """
    config = {} if choices.given_link_store else _config(paths)
    location = choices.given_link_store or config.get("link_store") or choices.link_store
    with open_store(str(location)) as store:
        return _connect_and_compare(store, _settings(config or _config(paths)), period)


def _connect_and_compare(store: LinkStore, settings: Settings, period: Period) -> Comparison:
    """Connect to Go, read both sides and compare them.

    Raises:
        click.ClickException: Go could not be read; the text is one line with the reason.
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
            _choose_namespace(store, client_id, settings.shop_name)
            return _read_and_compare(store, side, settings, period, progress)
        except GoError as error:
            fail(" ".join(str(error).split()))


def _read_and_compare(
    store: LinkStore, side: GoSide, settings: Settings, period: Period, progress: Progress
) -> Comparison:
    """Read Go before the store, so that an order that a run writes in between has its link."""
    entries = side.entries(_progress_counter(progress, "sales orders and invoices"))
    orders = shop_orders(store, settings.time_zone)
    for order in orders:
        if order.go_id is not None and order.go_id not in entries and period.has(order.date):
            entry = side.find(order.go_id)
            entries |= {entry.id: entry} if entry is not None else {}
    books = Books(orders, entries, settings.shop_name)
    matched = books.match(period)
    to_read = matched.entries_to_read()
    read = side.read_all(to_read, _progress_counter(progress, "lines of orders", len(to_read)))
    return compare(books, matched, read, period)


def _choose_namespace(store: LinkStore, client_id: str, shop_name: str) -> None:
    """Choose the namespace of this Go client and shop.

    Raises:
        click.ClickException: the store has no such namespace.
    """
    namespaces = {
        (namespace.client_id, namespace.shop_name): namespace
        for namespace in store.namespaces.all()
    }
    if (client_id, shop_name) not in namespaces:
        listed = ", ".join(f"{shop} with client {client}" for client, shop in namespaces) or "none"
        fail(
            f'the link store does not have the shop "{shop_name}" with the Go client of these keys'
            f" ({client_id}); it has {listed}"
        )
    store.namespaces.choose(namespaces[client_id, shop_name])
    newest = [run for run in store.runs.newest_of_each() if run.shop_name == shop_name]
    if any(run.exit_status is None for run in newest):
        click.echo(
            "a run of the sync is under way or was cut off: orders that it has not finished may be"
            " listed as differences; compare again after the next run",
            err=True,
        )


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Show the progress of reading, on a terminal only."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def _progress_counter(
    progress: Progress, label: str, total: int | None = None
) -> Callable[[int], None]:
    task: TaskID = progress.add_task(label, total=total)
    return lambda number: progress.advance(task, number)


def _config(paths: Sequence[str]) -> dict[str, Any]:
    """Return the settings of config files, read as the target reads them.

    Environment variables are used if ENV is among the files, or if no file is named.

    Raises:
        click.ClickException: a file is missing or is not JSON.
    """
    config: dict[str, Any] = {}
    for path in paths:
        if path != _ENVIRONMENT:
            config |= read_config_file(path)
    if not paths or _ENVIRONMENT in paths:
        config |= _settings_of_environment()
    return {name: config[name] for name in USED if config.get(name) not in (None, "")}


def _settings(config: dict[str, Any]) -> Settings:
    """Check a config, convert its values to their types and fill in the defaults.

    Raises:
        click.ClickException: settings are missing or invalid; the text names them all.
    """
    errors = broken_rules(config, CONFIG.to_dict())
    if not errors:
        try:
            return Settings.from_config(config)
        except SettingsError as error:
            errors = error.lines
    raise click.ClickException(
        f"{'; '.join(errors)}. This needs the settings of target-powerofficego: name their file"
        f" with --config FILE, or set the variables {_PREFIX}…"
    )


def _settings_of_environment() -> dict[str, Any]:
    properties = CONFIG.to_dict()["properties"]
    try:
        used = {"properties": {name: properties[name] for name in USED}}
        return settings_from_environment(used, _PREFIX)
    except ValueError as error:
        fail(f"a variable {_PREFIX}… cannot be read: {error}")
