"""The commands that write a link store as text, and read it into an empty one."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import IO, TYPE_CHECKING

import click

from target_powerofficego.links_command.listing import say, say_json
from target_powerofficego.links_command.opening import open_store
from target_powerofficego.links_command.options import Choices, only_shop_option, with_choices
from target_powerofficego.links_command.transfer_file import BadLine, lines_of, read_lines
from target_powerofficego.store.connection import has_tables
from target_powerofficego.store.link_store import LinkStore, LinkStoreError
from target_powerofficego.store.location import StoreLocation
from target_powerofficego.store.private_file import make_private

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command("export")
@only_shop_option
@with_choices()
@click.pass_obj
def export_store(choices: Choices, *, shop_name: str | None) -> None:
    """Write the link store as text, to move it or to restore it.

    One JSON object a line, to standard output, of all shops unless one is named. It holds personal
    data: a file that it goes to becomes readable by its owner alone; keep it as safe as the link
    store. What was read from Go is left out, for the next run
    reads it.
    """
    with open_store(choices.link_store) as store:
        found = [one for one in store.namespaces() if shop_name in (None, one.shop_name)]
        if not found:
            msg = f"the link store knows no shop {shop_name or ''}".rstrip()
            raise click.ClickException(msg)
        for name in sorted({one.shop_name for one in found}):
            store.lock(name)
        with contextlib.suppress(io.UnsupportedOperation):
            make_private(sys.stdout.fileno())
        for line in lines_of(store.rows_out([one.id for one in found])):
            say_json(line)


@click.command("import")
@click.argument("source", metavar="[FILE]", type=click.File(encoding="utf-8"), default="-")
@click.option(
    "--replace",
    is_flag=True,
    help="Into a link store that is not empty as well: what it knows of FILE's shops is replaced.",
)
@with_choices()
@click.pass_obj
def import_store(choices: Choices, *, source: IO[str], replace: bool) -> None:
    """Read an export into an empty link store.

    FILE is what `export` wrote; without it, standard input. The link store is made where there is
    none. All of it is taken in, or nothing.
    """
    try:
        rows = read_lines(source)
    except BadLine as bad:
        msg = f"{bad}; nothing was imported"
        raise click.ClickException(msg) from None
    except UnicodeDecodeError:
        msg = "it is no text in UTF-8; nothing was imported"
        raise click.ClickException(msg) from None
    shop_names = {row["shop_name"] for kind, row in rows if kind == "namespaces"}
    with _store_to_fill(choices.link_store) as store:
        for name in sorted(shop_names):
            store.lock(name)
        if not replace and not store.is_empty():
            msg = (
                "the link store is not empty; nothing was imported (--replace replaces what it"
                f" knows of {', '.join(sorted(shop_names))})"
            )
            raise click.ClickException(msg)
        store.take_in(rows)
    links = sum(kind == "links" for kind, _ in rows)
    say(f"imported {links} links of {', '.join(sorted(shop_names))}")


@contextlib.contextmanager
def _store_to_fill(location: str) -> Iterator[LinkStore]:
    """Open the link store, or make it where there is nothing yet."""
    try:
        if has_tables(StoreLocation.of(location)):
            with open_store(location) as store:
                yield store
            return
        with contextlib.closing(LinkStore(location)) as store:
            yield store
    except LinkStoreError as error:
        raise click.ClickException(str(error)) from None
