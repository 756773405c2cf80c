"""Prints rows: as a table for a person, or as one JSON object per line for a program."""

from __future__ import annotations

import datetime
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from target_powerofficego.plugin.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNLIMITED_WIDTH = 1_000_000
"""A width, in characters, that no table reaches."""
_LEAST_WRAPPED_WIDTH = 30
"""The width, in characters, below which a column that wraps is hard to read."""
_GAP = 3


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading, and the key of the row's member that it shows.

    `wraps`: on a terminal, its text may take several lines, unlike that of other columns.
    """

    heading: str
    key: str
    wraps: bool = False


@dataclass(frozen=True)
class Listing:
    """Rows with stable keys, the columns of a table, and the text to print if there are no rows."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    empty_text: str


_SHOP = Column("shop", "shop_name")


def with_shop(rows: Sequence[Mapping[str, Any]], *columns: Column) -> Sequence[Column]:
    """Return the columns, with one for the shop if the rows belong to several shops."""
    return (*columns, _SHOP) if len({row["shop_name"] for row in rows}) > 1 else columns


def members(value: object, *names: str) -> dict[str, Any]:
    """Return these attributes of a value as members of a row with the same names."""
    return {name: getattr(value, name) for name in names}


def print_listing(listing: Listing, output_format: str) -> None:
    """Print a listing; if it has no rows, print its `empty_text`, or nothing as JSON."""
    if output_format == "json":
        for row in listing.rows:
            print_json(row)
    elif listing.rows:
        _print_table(listing)
    else:
        click.echo(listing.empty_text)


def print_json(row: Mapping[str, Any]) -> None:
    """Print one row as a line of JSON."""
    print_json_line(json.dumps(row, ensure_ascii=False, default=_as_json))


def print_json_line(line: str) -> None:
    """Print a line of JSON, with unprintable characters as JSON escapes."""
    if not line.isprintable():
        line = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    click.echo(line)


def fail(reason: str) -> NoReturn:
    """End the command with a reason in one line and exit status 1.

    Raises:
        click.ClickException: always.
    """
    raise click.ClickException(reason)


def print_text(text: str, *, is_error: bool = False) -> None:
    """Print a line of text without control characters, to standard error if `is_error`."""
    click.echo(plain(text), err=is_error)


def _print_table(listing: Listing) -> None:
    """Print a table as wide as its text; on a terminal too narrow for it, print rows as blocks."""
    if not sys.stdout.isatty():
        console = Console(width=_UNLIMITED_WIDTH)
        with console.capture() as captured:
            console.print(_table(listing))
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
        return
    console = Console()
    if _least_width(listing) <= console.width:
        console.print(_table(listing))
    else:
        _print_blocks(listing, console)


def _table(listing: Listing) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in listing.columns:
        table.add_column(column.heading, no_wrap=not column.wraps, overflow="fold")
    for row in listing.rows:
        table.add_row(*(Text(_cell_text(row.get(column.key))) for column in listing.columns))
    return table


def _least_width(listing: Listing) -> int:
    """Return the least width of a table, in characters."""
    needed = 0
    for column in listing.columns:
        texts = [column.heading, *(_cell_text(row.get(column.key)) for row in listing.rows)]
        widest = max(cell_len(text) for text in texts)
        needed += _GAP + (min(widest, _LEAST_WRAPPED_WIDTH) if column.wraps else widest)
    return needed


def _print_blocks(listing: Listing, console: Console) -> None:
    for row in listing.rows:
        for column in listing.columns:
            value = _cell_text(row.get(column.key))
            if value:
                console.print(Text(f"{column.heading}: {value}"), overflow="fold")
        console.print()


def _cell_text(value: object) -> str:
    """Return the text of a cell, on one line; timestamps to the minute, in UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, (dict, list, tuple)):
        return plain(json.dumps(value, ensure_ascii=False, default=_as_json))
    return plain(str(value))


def _as_json(value: object) -> str:
    """Return a timestamp as RFC 3339 in UTC, and an amount as a decimal string."""
    if isinstance(value, datetime.datetime):
        stamp = value.astimezone(datetime.timezone.utc).isoformat(timespec="seconds")
        return stamp.replace("+00:00", "Z")
    return str(value)
