"""Opens the link store that a run has made; never makes one, and never waits for the run to end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from target_powerofficego.store.connection import has_store
from target_powerofficego.store.link_store import LinkStore, LinkStoreError
from target_powerofficego.store.location import StoreLocation

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def open_store(told: str) -> Iterator[LinkStore]:
    """Open the link store at a path or database URL.

    It takes no run lock: both kinds of database let it read while a run writes.

    Raises:
        click.ClickException: with one line that says why there is nothing to read; exit status 1.
    """
    try:
        location = StoreLocation.of(told)
        _check_there_is_one(location)
        with contextlib.closing(LinkStore(location)) as store:
            yield store
    except LinkStoreError as error:
        raise click.ClickException(str(error)) from None


def _check_there_is_one(location: StoreLocation) -> None:
    shown = str(location.path.absolute() if location.path else location)
    if location.path is not None and not location.path.is_file():
        msg = (
            f"the link store {shown} does not exist: no run has happened yet, or it is"
            " kept elsewhere (--link-store, or TARGET_POWEROFFICEGO_LINK_STORE)"
        )
        raise LinkStoreError(msg)
    if not has_store(location):
        msg = f"{shown} is not a link store: no run has written to it"
        raise LinkStoreError(msg)
