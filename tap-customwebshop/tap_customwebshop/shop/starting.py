"""What `--init` prints: a first shop file, guessed from one page of a list."""

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

_PLATFORMS = {"/wp-json/wc/": "woocommerce", "/admin-api": "vendure", "/admin/api/": "shopify"}
_PLATFORMS |= {"/rest/V1": "magento", "/api/search/": "shopware"}
"""Platforms by a part of their API's address."""
_CHANGED = re.compile(r"updat|modif|chang|upd|endret|oppdat", re.IGNORECASE)
_CREATED = re.compile(r"creat|made|added|opprett", re.IGNORECASE)
_NORWEGIAN = {
    "email": ("epost", "e_post"),
    "name": ("navn", "tittel"),
    "first_name": ("fornavn",),
    "last_name": ("etternavn",),
    "phone": ("telefon", "tlf", "mobil"),
    "organization_number": ("orgnr", "organisasjonsnummer"),
    "sku": ("varenummer", "varenr"),
    "description": ("beskrivelse",),
    "created_at": ("opprettet",),
}
"""What members of the contract are called in Norwegian."""
_CURSOR = re.compile(r"cursor|after|next", re.IGNORECASE)
_NAMES = {
    "customers": "customer|client|member|kunde",
    "products": "product|article|variant|produkt|vare",
    "orders": "order|sale|ordre|salg",
}
"""Words by which the path of a list names its stream."""
_NO_STAMP = (
    "No field with a usual name says when a row changed. If one does, use it for updated_at and in",
    "`since`, and remove has_stamps=False; if none does, keep has_stamps=False.",
)
READS_LISTS = (
    "--init reads a list by GET. For GraphQL, or a list that is requested by POST, begin with the"
    " example in docs/own-shop.md, 'GraphQL'."
)


def known_platform(url: str) -> str | None:
    """Return the platform whose API has such an address; None if it is not a known one."""
    return next((platform for part, platform in _PLATFORMS.items() if part in url), None)


def first_file(path: str, content: object, headers: Mapping[str, str], auth: Auth) -> str:
    """Return the text of a shop file for one list.

    Args:
        path: The list's path.
        content: A page of it.
        headers: The page's headers.
        auth: How the request was authenticated.

    Raises:
        ContractBrokenError: There are no rows to guess from.
    """
    values = list(values_in(content))
    place, rows = next((found for found in values if _are_rows(found[1])), ("", []))
    if not rows:
        raise ContractBrokenError(f"{path}: the answer has no list with rows. {READS_LISTS}")
    stream = _stream_of(path)
    names = list(dict.fromkeys(name for row in rows for name in row))
    stamps, pager = _stamps(rows, names), _pager(values, headers)
    hints = [
        "" if stream else "For products or orders, rename CUSTOMERS and customer.",
        "" if pager != "OnePage()" else "If there are more rows than these, set another pager.",
        *([] if stamps else _NO_STAMP),
    ]
    stream = stream or "customers"
    at = f", rows={_quoted(place)}" if place else ""
    end = "" if stamps else ", has_stamps=False"
    listing = f"{stream.upper()} = Listing({_quoted(path)}{at}, pager={pager}{end})"
    members = _members(rows, names, getattr(schemas, stream.upper())["properties"])
    return _text(auth, [*filter(None, hints)], listing, stream, names, [*members, *stamps])


def _text(
    auth: Auth, hints: list[str], listing: str, stream: str, names: list[str], members: list[str]
) -> str:
    """Return the text of a file with one list."""
    return "\n".join(
        [
            '"""How this shop is read (docs/own-shop.md); guessed: check each line."""',
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
    return isinstance(value, list) and value != [] and all(isinstance(row, dict) for row in value)


def _stream_of(path: str) -> str | None:
    """Return the stream that a path names last; None if it does not name one."""
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
        if re.search(r"total|count|antall", place) and not isinstance(value, list):
            return f'Page("page={{page}}", total={_quoted(place)})'
    return "OnePage()"


def _members(
    rows: list[dict[str, Any]], names: list[str], fields: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the lines of a record: the members whose name is one of the contract."""
    by_name = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in names}
    yield f'"id": {_read(rows, by_name.get("id", names[0]))}'
    for name, field in fields.items():
        words = (name, *_NORWEGIAN.get(name, ()))
        shop_name = next((by_name[word] for word in words if word in by_name), None)
        if shop_name is None or name in ("id", "updated_at"):
            continue
        if any(isinstance(row.get(shop_name), (dict, list)) for row in rows):
            continue
        value = _read(rows, shop_name)
        if field.get("format") == "date-time":
            yield f'"{name}": stamp({value})'
        elif field.get("format") == schemas.DECIMAL_FORMAT:
            yield f'"{name}": money({value})'
        elif field["type"][0] == "string" and not Rule(name, field).words:
            yield f'"{name}": {value}'


def _read(rows: list[dict[str, Any]], name: str) -> str:
    """Return the code that reads a member of a row, which some rows may lack."""
    is_everywhere = all(name in row for row in rows)
    return f"row[{_quoted(name)}]" if is_everywhere else f"row.get({_quoted(name)})"


def _quoted(text: str) -> str:
    """Return text as Python source, whatever is in it, because the shop chooses the names."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _stamps(rows: list[dict[str, Any]], names: list[str]) -> list[str]:
    """Return the line with the change stamp, or with the creation where that is null; or none."""
    changed, created = (
        next(
            (
                name
                for name in names
                if kind.search(name) and any(parse_start(str(row.get(name))) for row in rows)
            ),
            None,
        )
        for kind in (_CHANGED, _CREATED)
    )
    if changed is None:
        return []
    is_complete = created is None or all(row.get(changed) for row in rows)
    stamps = [changed] if is_complete else [changed, str(created)]
    return [f'"updated_at": stamp({", ".join(_read(rows, name) for name in stamps)})']
