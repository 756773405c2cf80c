"""Opens the link store for a change that no run may meet: under the run's own lock, in one shop."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from target_powerofficego.links_command.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_powerofficego.store.link_store import LinkStore, Namespace


@contextlib.contextmanager
def store_at_rest(location: str, shop_name: str | None) -> Iterator[tuple[LinkStore, Namespace]]:
    """Open the link store in the namespace of a shop, while no run for it is under way.

    Raises:
        click.ClickException: with one line; nothing was changed.
    """
    with open_store(location) as store:
        namespace = _chosen(store, shop_name)
        store.lock(namespace.shop_name)
        store.work_in(namespace)
        yield store, namespace


def confirm(question: str, *, is_confirmed: bool) -> None:
    """Go on when a person says yes, now or by the option --yes.

    Raises:
        click.Abort: the person says no.
        click.ClickException: nobody can be asked.
    """
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        msg = "nothing was changed: nobody can be asked here, so say --yes if it is meant"
        raise click.ClickException(msg)
    click.confirm(question, abort=True, err=True)


def _chosen(store: LinkStore, shop_name: str | None) -> Namespace:
    """Return the namespace that is meant; of several with one shop name, the one that ran last."""
    found = store.namespaces()
    names = sorted({one.shop_name for one in found})
    if shop_name is None and len(names) > 1:
        msg = f"the link store knows several shops; say --shop-name: {', '.join(names)}"
        raise click.ClickException(msg)
    meant = [one for one in found if shop_name in (None, one.shop_name)]
    if not meant:
        known = f"; it knows {', '.join(names)}" if names else ""
        msg = f"the link store knows no shop {shop_name or ''}".rstrip() + known
        raise click.ClickException(msg)
    return max(meant, key=lambda one: (one.newest_run, one.id))
