"""Opens the link store that a run has made; never makes one, and never waits for the run to end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click
import sqlalchemy as sa

from target_powerofficego.links import LinkStore, LinkStoreError
from target_powerofficego.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def open_store(location: str) -> Iterator[LinkStore]:
    """Open the link store of a path or database URL.

    It takes no run lock: SQLite's write-ahead log lets it read while a run writes.

    Raises:
        click.ClickException: with one line that says why there is nothing to read; exit status 1.
    """
    try:
        _check_there_is_one(location)
        store = LinkStore(location)
        try:
            yield store
        finally:
            store.close()
    except LinkStoreError as error:
        raise click.ClickException(str(error)) from None
    except ImportError as error:
        msg = f"the Python package {error.name}, which this kind of database needs, is missing"
        raise click.ClickException(msg) from None
    except sa.exc.DBAPIError as error:
        # the text of SQLAlchemy's own error shows values of the statement
        msg = f"the link store {_shown(location)} cannot be used now: {error.orig}"
        raise click.ClickException(msg) from None


def _check_there_is_one(location: str) -> None:
    url = _url(location)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        msg = (
            f"the link store {_shown(location)} does not exist: no run has happened yet, or it is"
            " kept elsewhere (--link-store, or TARGET_POWEROFFICEGO_LINK_STORE)"
        )
        raise LinkStoreError(msg)
    engine = sa.create_engine(url)
    try:
        is_one = sa.inspect(engine).has_table(t.about.name)
    finally:
        engine.dispose()
    if not is_one:
        msg = f"{_shown(location)} is not a link store: no run has written to it"
        raise LinkStoreError(msg)


def _url(location: str) -> sa.URL:
    try:
        url = sa.make_url(location if "://" in location else f"sqlite:///{location}")
        url.get_dialect()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        msg = "the link store is named by neither a file path nor a database URL"
        raise LinkStoreError(msg) from None
    return url


def _shown(location: str) -> str:
    """Return the location as it may be printed: a path in full, a URL without its password."""
    if "://" in location:
        return _url(location).render_as_string(hide_password=True)
    return str(Path(location).absolute())
