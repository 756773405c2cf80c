"""What `--init` writes: a first shop file, guessed from one page of a list."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tap_customwebshop import schemas
from tap_customwebshop.errors import ContractBrokenError
from tap_customwebshop.plugin.plain_text import plain
from tap_customwebshop.shop.contract import Rule
from tap_customwebshop.shop.listing import values_in
from tap_customwebshop.shop.loading import STREAMS
from tap_customwebshop.stamps import parse_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_customwebshop.shop.auth import Auth

_SIGNS = {"/wp-json/wc/": "woocommerce", "/admin-api": "vendure", "/admin/api/": "shopify"}
_SIGNS |= {"/rest/V1": "magento", "/api/search/": "shopware"}
_CHANGED = re.compile(r"updat|modif|chang|upd", re.IGNORECASE)
_MADE = re.compile(r"creat|made|added", re.IGNORECASE)
_CURSOR = re.compile(r"cursor|after|next", re.IGNORECASE)
_NAMES = {
    "customers": "customer|client|member|kunde",
    "products": "product|article|variant|produkt|vare",
    "orders": "order|sale|ordre|salg",
}
"""What lists of each stream are called."""
READS_LISTS = (
    "--init reads a list by GET. For GraphQL, or a list that is asked for by POST, begin with the"
    " example in docs/own-shop.md, 'GraphQL'."
)


def recognised(url: str) -> str | None:
    """Return the make of the shop whose API is at an address; None if it is not known by that."""
    return next((make for sign, make in _SIGNS.items() if sign in url), None)


def first_file(path: str, content: object, headers: Mapping[str, str], auth: Auth) -> str:
    """Return the text of a shop file for one list.

    Args:
        path: The list's path.
        content: One page of it.
        headers: The page's headers.
        auth: How the shop was shown who asks.

    Raises:
        ContractBrokenError: There are no rows to guess from.
    """
    values = list(values_in(content))
    place, rows = next(((place, one) for place, one in values if _are_rows(one)), ("", []))
    if not rows:
        raise ContractBrokenError(
            f"{path}: there is no list with rows in the answer. {READS_LISTS}"
        )
    stream = _stream_of(path)
    names = list(dict.fromkeys(name for row in rows for name in row))
    stamps, pager = _stamps(rows, names), _pager(values, headers)
    hints = [
        "" if stream else "For products or orders, rename CUSTOMERS and customer.",
        "" if pager != "OnePage()" else "If there are more rows than these, say how to get them.",
        "" if stamps else "No stamp of a change was seen: say has_stamps=False in the Listing.",
    ]
    stream = stream or "customers"
    at = f", rows={_quoted(place)}" if place else ""
    listing = f"{stream.upper()} = Listing({_quoted(path)}{at}, pager={pager})"
    members = _members(rows, names, getattr(schemas, stream.upper())["properties"])
    return _text(auth, [*filter(None, hints)], listing, stream, names, [*members, *stamps])


def _text(
    auth: Auth, hints: list[str], listing: str, stream: str, names: list[str], members: list[str]
) -> str:
    """Return the text of a file with one list."""
    return "\n".join(
        [
            '"""How this shop is read (docs/own-shop.md); guessed: look at each line."""',
            "",
            "from tap_customwebshop.shop import *",
            "",
            f"AUTH = {auth!r}",
            *(f"# {hint}" for hint in hints),
            listing,
            "",
            "",
            f"def {STREAMS[stream]}(row, shop):",
            f"    # A row has: {plain(', '.join(names))}",
            "    return {",
            *(f"        {line}," for line in members),
            "    }",
            "",
        ]
    )


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value) and value != []


def _stream_of(path: str) -> str | None:
    """Return the stream that a path names last; None if it names none."""
    ends = {
        stream: max((match.end() for match in re.finditer(names, path, re.IGNORECASE)), default=0)
        for stream, names in _NAMES.items()
    }
    last = max(ends, key=lambda stream: ends[stream])
    return last if ends[last] else None


def _pager(values: list[tuple[str, Any]], headers: Mapping[str, str]) -> str:
    if "rel=" in (headers.get("Link") or ""):
        return "Link()"
    for place, value in values:
        if isinstance(value, str) and _CURSOR.search(place):
            is_address = value.startswith(("http", "/", "?"))
            at = _quoted(place)
            return f"Next({at})" if is_address else f'Cursor("cursor={{cursor}}", {at})'
    for place, value in values:
        if re.search(r"total|count", place) and not isinstance(value, list):
            return f'Page("page={{page}}", total={_quoted(place)})'
    return "OnePage()"


def _members(
    rows: list[dict[str, Any]], names: list[str], fields: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what goes into a record: members whose name is the contract's."""
    by_name = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in names}
    yield f'"id": {_read(rows, by_name.get("id", names[0]))}'
    for name, field in fields.items():
        raw = by_name.get(name)
        if raw is None or name in ("id", "updated_at"):
            continue
        if any(isinstance(row.get(raw), (dict, list)) for row in rows):
            continue
        value = _read(rows, raw)
        if field.get("format") == "date-time":
            yield f'"{name}": stamp({value})'
        elif field.get("format") == schemas.DECIMAL_FORMAT:
            yield f'"{name}": money({value})'
        elif field["type"][0] == "string" and not Rule(name, field).words:
            yield f'"{name}": {value}'


def _read(rows: list[dict[str, Any]], name: str) -> str:
    """Return what reads a member of a row, whether all rows have it or not."""
    is_everywhere = all(name in row for row in rows)
    return f"row[{_quoted(name)}]" if is_everywhere else f"row.get({_quoted(name)})"


def _quoted(text: str) -> str:
    """Return text as Python source, whatever is in it, for the shop chooses the names."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _stamps(rows: list[dict[str, Any]], names: list[str]) -> list[str]:
    """Return the line with the stamp of a change, and what to take where it is null; or none."""
    changed, made = (
        next(
            (
                name
                for name in names
                if kind.search(name) and any(parse_start(str(row.get(name))) for row in rows)
            ),
            None,
        )
        for kind in (_CHANGED, _MADE)
    )
    if changed is None:
        return []
    is_whole = made is None or all(row.get(changed) for row in rows)
    taken = [changed] if is_whole else [changed, str(made)]
    return [f'"updated_at": stamp({", ".join(_read(rows, name) for name in taken)})']
