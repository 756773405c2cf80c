"""What `--explain` shows: a row, the record that it became, and what that is in PowerOffice Go."""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tap_customwebshop.plugin.plain_text import plain
from tap_customwebshop.shop.checking import first_rows
from tap_customwebshop.shop.mapping import ShopFunctionError
from tap_customwebshop.shop.values import Notes, leaves, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_customwebshop.shop.streams import FileStream

_LONGEST = 40


def explain(streams: Iterable[FileStream]) -> Iterator[str]:
    """Yield, for each stream, its first record that is one, and what no function read.

    Raises:
        ShopError: The shop cannot be read.
    """
    for stream in streams:
        go = _go_properties(stream.name)
        yield f"{stream.name}: raw → record{' → PowerOffice Go' if go else ''}"
        for row in first_rows(stream, 20):
            try:
                made = stream.mapper.records(row, "row")
            except ShopFunctionError as error:
                yield f"  {error.reason}"
                continue
            if made:
                notes = Notes()
                yield from _record_lines(stream.mapper.explained(row, "row", notes)[0], go)
                unread = [place for place, _ in leaves(row, "row") if not _is_read(place, notes)]
                yield f"  Not read: {', '.join(unread) or 'nothing'}"
                break
        else:
            yield "  no row became a record"


def _record_lines(record: dict[str, Any], go: dict[str, list[str]]) -> Iterator[str]:
    lines = []
    for place, value in leaves(record, ""):
        name = place.lstrip(".")
        bare = re.sub(r"\[\d+\]", "", name)
        top, leaf = bare.partition(".")[0], bare.rpartition(".")[2]
        of_address = go.get(f"address: {leaf}", []) if top == "addresses" else []
        properties = [*go.get(bare, []), *of_address] or (go.get(top, []) if top != bare else [])
        shown = plain(f"{name} = {value!s:.{_LONGEST}}" if value is not None else f"{name} = null")
        lines.append((place_of(value) or "(made)", shown, ", ".join(properties)))
    first, second = (max(len(line[column]) for line in lines) for column in (0, 1))
    for raw, shown, property_ in lines:
        tail = f" → {property_}" if property_ else ""
        yield f"  {raw:<{first}} → {shown:<{second}}{tail}".rstrip()


def _is_read(place: str, notes: Notes) -> bool:
    """Return whether a function read a value; lists are read row by row, by their members."""
    return not notes.read.isdisjoint((place, re.sub(r"\[\d+\]$", "", place)))


def _go_properties(stream: str) -> dict[str, list[str]]:
    """Return the Go properties by the record's member; none without target-powerofficego here."""
    try:
        tables = importlib.import_module("target_powerofficego.dataflow.overrides").TABLES
    except ImportError:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for row in tables[stream].rows:
        for member in re.findall(r"address: \w+|[a-z_.]+", row.shop):
            found[member].append(row.go)
    return found
