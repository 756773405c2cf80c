"""Opens the link store that a run has made: to read it, or to change it while no run is under way.

It never creates a link store, and never waits for a run to end. A config may say where it is.
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
def open_store(place: str) -> Iterator[LinkStore]:
    """Open the link store at a path or database URL.

    It takes no run lock: both kinds of database let it read while a run writes.

    Raises:
        click.ClickException: with one line that says why there is nothing to read; exit status 1.
    """
    with fail_on_store_error():
        location = StoreLocation.of(place)
        _require_store(location)
        with contextlib.closing(LinkStore(location)) as store:
            yield store


@contextlib.contextmanager
def fail_on_store_error() -> Iterator[None]:
    """End the command with one line when something is wrong with the link store.

    Raises:
        click.ClickException: with the line of the `LinkStoreError`.
    """
    try:
        yield
    except LinkStoreError as error:
        fail(str(error))


def _require_store(location: StoreLocation) -> None:
    shown = str(location.path.absolute() if location.path else location)
    if location.path is not None and not location.path.is_file():
        raise LinkStoreError(
            f"the link store {shown} does not exist: no run has happened yet, or it is"
            " kept elsewhere (--link-store, or TARGET_POWEROFFICEGO_LINK_STORE)"
        )
    if not has_store(location):
        raise LinkStoreError(f"{shown} is not a link store: no run has written to it")


@contextlib.contextmanager
def open_locked_store(place: str, shop_name: str | None) -> Iterator[tuple[LinkStore, Namespace]]:
    """Open the link store in the namespace of a shop, while no run for it is under way.

    Raises:
        click.ClickException: with one line; nothing was changed.
    """
    with open_store(place) as store:
        namespace = _chosen(store, shop_name)
        store.lock(namespace.shop_name)
        store.namespaces.choose(namespace)
        yield store, namespace


def _chosen(store: LinkStore, shop_name: str | None) -> Namespace:
    """Return the namespace of the shop; of several with its name, the one that ran last."""
    known = store.namespaces.all()
    names = ", ".join(sorted({one.shop_name for one in known}))
    if shop_name is None and len({one.shop_name for one in known}) > 1:
        fail(f"the link store knows several shops; say --shop-name: {names}")
    meant = [one for one in known if shop_name in (None, one.shop_name)]
    if not meant:
        unknown = f"the link store knows no shop {shop_name or ''}".rstrip()
        fail(unknown + (f"; it knows {names}" if names else ""))
    return max(meant, key=lambda one: (one.newest_run, one.id))


def read_config_file(path: str) -> dict[str, Any]:
    """Return the settings in a config file of target-powerofficego.

    Raises:
        click.ClickException: with one line, for a file that is missing or not JSON.
    """
    shown = "the file that is named" if may_be_a_key(path) else path
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"--config: {shown} cannot be read: {error.strerror}")
    except ValueError as error:
        fail(f"--config: {shown} holds no settings as JSON: {error}")
    if not isinstance(config, dict):
        fail(f"--config: {shown} holds no settings as JSON")
    return config


def confirm(question: str, *, is_confirmed: bool) -> None:
    """Go on if a person says yes, now or by the option --yes.

    Raises:
        click.Abort: the person says no.
        click.ClickException: there is nobody to ask.
    """
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        fail("nothing was changed: nobody can be asked here, so say --yes if it is meant")
    click.confirm(question, abort=True, err=True)
