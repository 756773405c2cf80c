"""Opens an existing link store: to read it, or to change it while no run is under way.

A link store is never created here, and nothing waits for a run to end. Also reads config files and
asks for confirmation.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from target_powerofficego.links_command.output import fail
from target_powerofficego.plugin.plain_text import may_be_a_key
from target_powerofficego.store.connection import has_store
from target_powerofficego.store.link_store import LinkStore, LinkStoreError
from target_powerofficego.store.location import StoreLocation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_powerofficego.store.link_store import Namespace


@contextlib.contextmanager
def open_store(location: str) -> Iterator[LinkStore]:
    """Open the link store at a path or database URL.

    It takes no run lock: both kinds of database allow reading while a run writes.

    Raises:
        click.ClickException: the store cannot be read; exit status 1, with the reason in one line.
    """
    with fail_on_store_error():
        parsed = StoreLocation.of(location)
        _require_store(parsed)
        with contextlib.closing(LinkStore(parsed)) as store:
            yield store


@contextlib.contextmanager
def fail_on_store_error() -> Iterator[None]:
    """Turn a `LinkStoreError` into an error that ends the command with one line.

    Raises:
        click.ClickException: with the text of the `LinkStoreError`.
    """
    try:
        yield
    except LinkStoreError as error:
        fail(str(error))


def _require_store(location: StoreLocation) -> None:
    label = str(location.path.absolute() if location.path else location)
    if location.path is not None and not location.path.is_file():
        raise LinkStoreError(
            f"the link store {label} does not exist: nothing has been synced yet, or it is kept"
            " elsewhere (see --link-store, or TARGET_POWEROFFICEGO_LINK_STORE)"
        )
    if not has_store(location):
        raise LinkStoreError(f"{label} is not a link store: no run has written to it")


@contextlib.contextmanager
def open_locked_store(
    location: str, shop_name: str | None
) -> Iterator[tuple[LinkStore, Namespace]]:
    """Open the link store in the namespace of a shop, and keep runs of that shop from starting.

    Raises:
        click.ClickException: a run is under way, or the shop is unknown or not named.
    """
    with open_store(location) as store:
        namespace = _select_namespace(store, shop_name)
        store.lock(namespace.shop_name)
        store.namespaces.choose(namespace)
        yield store, namespace


def _select_namespace(store: LinkStore, shop_name: str | None) -> Namespace:
    """Return the namespace of the shop; if several have its name, the one that ran last."""
    namespaces = store.namespaces.all()
    shop_names = sorted({namespace.shop_name for namespace in namespaces})
    listed = ", ".join(shop_names)
    if shop_name is None and len(shop_names) > 1:
        fail(f"the link store has several shops; choose one with --shop-name: {listed}")
    matches = [namespace for namespace in namespaces if shop_name in (None, namespace.shop_name)]
    if not matches:
        unknown = f"the link store has no shop {shop_name or ''}".rstrip()
        fail(unknown + (f"; it has {listed}" if listed else ""))
    return max(matches, key=lambda namespace: (namespace.newest_run, namespace.id))


def read_config_file(path: str) -> dict[str, Any]:
    """Return the settings in a config file of target-powerofficego.

    Raises:
        click.ClickException: the file is missing or is not a JSON object.
    """
    label = "the named file" if may_be_a_key(path) else path
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"--config: {label} cannot be read: {error.strerror}")
    except ValueError as error:
        fail(f"--config: {label} is not valid JSON: {error}")
    if not isinstance(config, dict):
        fail(f"--config: {label} is not a JSON object with settings")
    return config


def confirm(question: str, *, is_confirmed: bool) -> None:
    """Return if a person confirms, now or with the option --yes.

    Raises:
        click.Abort: the person answers no.
        click.ClickException: there is nobody to ask.
    """
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        fail("nothing was changed: this needs confirmation, so run it on a terminal or add --yes")
    click.confirm(question, abort=True, err=True)
