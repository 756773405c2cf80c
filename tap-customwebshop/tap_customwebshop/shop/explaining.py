"""What `--explain` shows: a row, the record made from it, and its properties in PowerOffice Go."""

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
    """Yield the first record of each stream, and which members no function read.

    Raises:
        ShopError: The shop cannot be read.
    """
    for stream in streams:
        go = _go_properties(stream.name)
        yield f"{stream.name}: raw → record{' → PowerOffice Go' if go else ''}"
        for row in first_rows(stream.client.pages(stream.listing, None), 20):
            try:
                records = stream.mapper.records(row, "row")
            except ShopFunctionError as error:
                yield f"  {error.reason}"
                continue
            if records:
                notes = Notes()
                yield from _record_lines(stream.mapper.trace(row, "row", notes)[0], go)
                unread = [place for place, _ in leaves(row, "row") if not _is_read(place, notes)]
                yield f"  Not read: {', '.join(unread) or 'nothing'}"
                break
        else:
            yield "  no row became a record"


def _record_lines(record: dict[str, Any], go: dict[str, list[str]]) -> Iterator[str]:
    lines = []
    for place, value in leaves(record, ""):
        name = place.lstrip(".")
        path = re.sub(r"\[\d+\]", "", name)
        top, leaf = path.partition(".")[0], path.rpartition(".")[2]
        of_address = go.get(f"address: {leaf}", []) if top == "addresses" else []
        properties = [*go.get(path, []), *of_address] or (go.get(top, []) if top != path else [])
        member = plain(f"{name} = {value!s:.{_LONGEST}}" if value is not None else f"{name} = null")
        lines.append((place_of(value) or "(made)", member, ", ".join(properties)))
    first, second = (max(len(line[column]) for line in lines) for column in (0, 1))
    for source, member, in_go in lines:
        tail = f" → {in_go}" if in_go else ""
        yield f"  {source:<{first}} → {member:<{second}}{tail}".rstrip()


def _is_read(place: str, notes: Notes) -> bool:
    """Return whether a function read a value; an element is read if its list is."""
    return not notes.read.isdisjoint((place, re.sub(r"\[\d+\]$", "", place)))


def _go_properties(stream: str) -> dict[str, list[str]]:
    """Return Go's properties by the record's member; none if target-powerofficego is missing."""
    try:
        tables = importlib.import_module("target_powerofficego.dataflow.overrides").TABLES
    except ImportError:
        return {}
    properties: dict[str, list[str]] = defaultdict(list)
    for row in tables[stream].rows:
        for member in re.findall(r"address: \w+|[a-z_.]+", row.shop):
            properties[member].append(row.go)
    return properties
