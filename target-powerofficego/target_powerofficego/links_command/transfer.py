"""The commands `export` and `import`: a link store as text, one JSON object per line.

An export is fully checked before any of it is imported.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from typing import IO, TYPE_CHECKING, Any, get_args

import click
import simplejson
import sqlalchemy as sa

from target_powerofficego.dataflow.overrides import TABLES
from target_powerofficego.dataflow.table import now
from target_powerofficego.links_command.opening import fail_on_store_error, open_store
from target_powerofficego.links_command.options import Choices, only_shop_option, with_choices
from target_powerofficego.links_command.output import fail, print_json_line, print_text
from target_powerofficego.store.connection import has_tables
from target_powerofficego.store.go_rows import KINDS
from target_powerofficego.store.link_store import LinkStore, UnsettledKind
from target_powerofficego.store.location import StoreLocation, make_private
from target_powerofficego.store.tables import from_stamp, to_json, to_stamp
from target_powerofficego.store.transfer_rows import JSON_COLUMNS, REFERENCES, TRANSFERRED
from target_powerofficego.store.values import (
    LARGEST_NUMBER,
    PAYMENTS,
    WayName,
    back_name,
    is_shop_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

FORMAT = 6
"""The format that is written. Raise it when a table changes, and keep reading the older ones."""

_SETTLED = {"stamp": None, "text_hash": None}
_MISSING_COLUMNS: Mapping[int, Mapping[str, Mapping[str, Any]]] = {
    1: {
        "links": {"own_shop_stamp": None},
        "runs": {"way": "forward", "settings": None},
        "settled": _SETTLED,
    },
    2: {"runs": {"settings": None}, "settled": _SETTLED},
    3: {"runs": {"settings": None}, "settled": _SETTLED},
    4: {"settled": _SETTLED},
    5: {"settled": {"text_hash": None}},
}
"""The columns that rows of an older format lack, with the values to use. Payments are new in 3."""

_HEAD, _END = "powerofficego-links", "end"
_TABLES = {table.name: table for table in TRANSFERRED}
_STAMPS = (
    *("opened_at", "linked_at", "read_at", "started_at", "finished_at", "first_seen"),
    *("last_seen", "next_attempt_at", "acknowledged_at", "erased_at", "archived_at", "posted_at"),
)
_ANY_JSON = frozenset({"shop_value", "go_value"})
_ALLOWED_WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("runs", "way"): get_args(WayName),
    ("links", "entity"): tuple(TABLES),
    ("intents", "kind"): KINDS,
    ("unsettled", "kind"): get_args(UnsettledKind),
    ("unsettled", "entity"): (*TABLES, *map(back_name, TABLES), PAYMENTS),
    ("conflicts", "entity"): tuple(TABLES),
}
"""The values that are allowed in a column, by table and column."""
_AMOUNT = re.compile(r"-?[0-9]{1,15}\.[0-9]{2}")
_AGREEMENT_LENGTHS = (4, 5)  # both values, when each was read, and what our last write replaced

Row = tuple[str, dict[str, Any]]


class BadLine(Exception):  # noqa: N818 - reads as what it says
    """A line of an export cannot be read; the text has its number, but no values from it."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number} cannot be read: {reason}")


@click.command("export")
@only_shop_option
@with_choices()
@click.pass_obj
def export(choices: Choices, *, shop_name: str | None) -> None:
    """Export the link store as text, to move or restore it.

    Writes one JSON object per line to standard output, for all shops unless one is named. The
    export contains personal data: if it goes to a file, the file becomes readable by its owner
    alone. Keep it as safe as the link store. What was read from Go is left out, because the next
    run reads it again.
    """
    with open_store(choices.link_store) as store:
        exported = [
            namespace
            for namespace in store.namespaces.all()
            if shop_name in (None, namespace.shop_name)
        ]
        if not exported:
            fail(f"the link store has no shop {shop_name or ''}".rstrip())
        for name in sorted({namespace.shop_name for namespace in exported}):
            store.lock(name)
        with contextlib.suppress(io.UnsupportedOperation):
            make_private(sys.stdout.fileno())
        rows = store.transfer.export_rows([namespace.id for namespace in exported])
        for line in export_lines(rows):
            print_json_line(line)


@click.command("import")
@click.argument("source", metavar="[FILE]", type=click.File(encoding="utf-8"), default="-")
@click.option(
    "--replace",
    is_flag=True,
    help="Also import into a link store that is not empty, and replace its data of FILE's shops.",
)
@with_choices()
@click.pass_obj
def import_(choices: Choices, *, source: IO[str], replace: bool) -> None:
    """Import an export into an empty link store.

    FILE is the output of `export`; without it, standard input is read. The link store is created if
    it does not exist. Either everything is imported, or nothing.
    """
    try:
        rows = read_lines(source)
    except BadLine as error:
        fail(f"{error}; nothing was imported")
    except UnicodeDecodeError:
        fail("the input is not UTF-8 text; nothing was imported")
    shop_names = {row["shop_name"] for kind, row in rows if kind == "namespaces"}
    with _store_to_fill(choices.link_store) as store:
        for name in sorted(shop_names):
            store.lock(name)
        if not replace and not store.transfer.is_empty():
            fail(
                "the link store is not empty; nothing was imported (--replace replaces its data of"
                f" {', '.join(sorted(shop_names))})"
            )
        store.transfer.import_rows(rows)
    links = sum(kind == "links" for kind, _ in rows)
    print_text(f"imported {links} links of {', '.join(sorted(shop_names))}")


@contextlib.contextmanager
def _store_to_fill(location: str) -> Iterator[LinkStore]:
    """Open the link store, or create it if there is nothing yet."""
    with fail_on_store_error(), contextlib.ExitStack() as stack:
        if has_tables(StoreLocation.of(location)):
            yield stack.enter_context(open_store(location))
        else:
            yield stack.enter_context(contextlib.closing(LinkStore(location)))


def export_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of an export; the last one marks it as complete."""
    yield to_json({"kind": _HEAD, "format": FORMAT, "exported_at": to_stamp(now())})
    count = 0
    for kind, row in rows:
        yield to_json({"kind": kind, "row": row})
        count += 1
    yield to_json({"kind": _END, "rows": count})


def read_lines(lines: Iterable[str]) -> list[Row]:
    """Return the rows of an export.

    Raises:
        BadLine: it is not an export, it is cut off, or one of its lines is invalid.
    """
    reader = _ExportReader()
    number = 0
    for number, line in enumerate(lines, start=1):
        reader.read(number, line)
    if not reader.is_complete:
        raise BadLine(number + 1, "the export is cut off")
    return reader.rows


class _ExportReader:
    """Checks each line against the lines before it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._format = FORMAT
        self.is_complete = False
        self._unique_keys: set[tuple[Any, ...]] = set()
        self._ids: set[tuple[str, Any]] = set()

    def read(self, number: int, line: str) -> None:
        message = _parse_object(number, line)
        kind = message.get("kind")
        if number == 1:
            self._format = _require_format(number, kind, message)
        elif self.is_complete:
            raise BadLine(number, "it comes after the end")
        elif kind == _END:
            if message.get("rows") != len(self.rows):
                raise BadLine(number, f"its count of rows is not the {len(self.rows)} before it")
            self.is_complete = True
        elif not isinstance(kind, str) or kind not in _TABLES:
            raise BadLine(number, "its kind is unknown")
        else:
            row = message.get("row")
            if not isinstance(row, dict):
                raise BadLine(number, "it has no row")
            row = {**_MISSING_COLUMNS.get(self._format, {}).get(kind, {}), **row}
            self._check_row(number, _TABLES[kind], row)
            self.rows.append((kind, row))

    def _check_row(self, number: int, table: sa.Table, row: Mapping[str, Any]) -> None:
        if set(row) != set(table.c.keys()):
            wrong = sorted(set(row) ^ set(table.c.keys()))
            raise BadLine(number, f"these columns are missing or unknown: {', '.join(wrong)}")
        for column in table.c:
            value = row[column.name]
            if value is None and (column.nullable or column.name in _ANY_JSON):
                continue
            if not _is_valid(table, column, value):
                raise BadLine(number, f"{column.name} is not valid")
            referenced = REFERENCES.get(column.name)
            if referenced is not None and (referenced, value) not in self._ids:
                raise BadLine(number, f"{column.name} refers to a row that does not come before it")
        for names in _unique_columns(table):
            key = (table.name, *names, *(row[name] for name in names))
            if key in self._unique_keys:
                raise BadLine(number, f"another line has the same {', '.join(names)}")
            self._unique_keys.add(key)
        if "id" in row:
            self._ids.add((table.name, row["id"]))


def _parse_object(number: int, line: str) -> dict[str, Any]:
    try:
        message = simplejson.loads(line, use_decimal=True, allow_nan=True)
        to_json(message).encode()
    except UnicodeEncodeError:
        raise BadLine(number, "it contains half of a character (a lone surrogate)") from None
    except ValueError:
        raise BadLine(number, "it is not JSON") from None
    except RecursionError:
        raise BadLine(number, "it is nested too deeply") from None
    if not isinstance(message, dict):
        raise BadLine(number, "it is not a JSON object")
    return message


def _require_format(number: int, kind: object, message: Mapping[str, Any]) -> int:
    """Return the format of an export, which its first line has.

    Raises:
        BadLine: it is not an export, or a newer version wrote it.
    """
    version = message.get("format")
    if kind != _HEAD or type(version) is not int or version < 1:
        raise BadLine(number, "this is not an export of powerofficego-links")
    if version > FORMAT:
        raise BadLine(number, "a newer version wrote this export: upgrade target-powerofficego")
    return version


def _unique_columns(table: sa.Table) -> Iterator[tuple[str, ...]]:
    for constraint in table.constraints:
        if isinstance(constraint, (sa.PrimaryKeyConstraint, sa.UniqueConstraint)):
            yield tuple(column.name for column in constraint.columns)


def _is_valid(table: sa.Table, column: sa.Column[Any], value: Any) -> bool:  # noqa: ANN401 - JSON
    if column.name in JSON_COLUMNS.get(table.name, ()) and column.name not in _CHECKS:
        return column.name in _ANY_JSON or isinstance(value, dict)
    if (words := _ALLOWED_WORDS.get((table.name, column.name))) is not None:
        return value in words
    if isinstance(column.type, sa.Boolean):
        return isinstance(value, bool)
    if isinstance(column.type, sa.Integer):
        return type(value) is int and abs(value) <= LARGEST_NUMBER
    return _CHECKS.get(column.name, _is_text)(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_shop_name(value: object) -> bool:
    return isinstance(value, str) and is_shop_name(value)


def _is_amount(value: object) -> bool:
    return isinstance(value, str) and _AMOUNT.fullmatch(value) is not None


def _is_base(value: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(value, dict) and all(
        isinstance(agreement, list)
        and len(agreement) in _AGREEMENT_LENGTHS
        and _is_stamp(agreement[2])
        and _is_stamp(agreement[3])
        for agreement in value.values()
    )


def _is_stamp(value: object) -> bool:
    """Return whether a value is a timestamp with a time zone that can be converted to UTC."""
    if not isinstance(value, str):
        return False
    try:
        moment = from_stamp(value)
        return moment.tzinfo is not None and bool(to_stamp(moment))
    except (ValueError, OverflowError):
        return False


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "base": _is_base,
    "shop_name": _is_shop_name,
    "amount": _is_amount,
    **dict.fromkeys(_STAMPS, _is_stamp),
}
"""The checks of columns whose text has a certain form."""
