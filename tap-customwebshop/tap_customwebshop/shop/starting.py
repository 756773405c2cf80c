"""What `--init` writes: a first shop file, guessed from one page of a list."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from tap_customwebshop import schemas
from tap_customwebshop.errors import ContractBrokenError
from tap_customwebshop.shop.listing import value_at
from tap_customwebshop.shop.loading import STREAMS
from tap_customwebshop.stamps import parse_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCHEMAS = {
    "customers": schemas.CUSTOMERS,
    "products": schemas.PRODUCTS,
    "orders": schemas.ORDERS,
}
_SIGNS = {"/wp-json/wc/": "woocommerce", "/admin-api": "vendure", "/admin/api/": "shopify"}
_SIGNS |= {"/rest/V1": "magento", "/api/search/": "shopware"}
_CHANGED = re.compile(r"updat|modif|chang|upd", re.IGNORECASE)
_CURSOR = re.compile(r"cursor|after|next", re.IGNORECASE)


def recognised(url: str) -> str | None:
    """Return the make of the shop whose API is at an address; None if it is not known by that."""
    return next((make for sign, make in _SIGNS.items() if sign in url), None)


def first_file(path: str, content: object, headers: Mapping[str, str]) -> str:
    """Return the text of a shop file for one list.

    Args:
        path: The list's path.
        content: One page of it.
        headers: The page's headers.

    Raises:
        ContractBrokenError: There are no rows to guess from.
    """
    place = next((one for one in _lists(content, "") if value_at(content, one)), None)
    if place is None:
        raise ContractBrokenError(f"{path}: there is no list with rows in the answer.")
    row = value_at(content, place)[0]
    near = difflib.get_close_matches(path.rstrip("/").rpartition("/")[2], STREAMS, n=1)
    stream = near[0] if near else "customers"
    rows = f', rows="{place}"' if place else ""
    members = "\n".join(_members(row, _SCHEMAS[stream]["properties"]))
    unread = ", ".join(row)
    return f'''"""How this shop is read (docs/own-shop.md); guessed: look at each line."""

from tap_customwebshop.shop import *

AUTH = Bearer("{{auth_token}}")
{stream.upper()} = Listing("{path}"{rows}, pager={_pager(content, headers)})


def {STREAMS[stream]}(row, shop):
    # A row has: {unread}
    return {{
{members}
    }}
'''


def _lists(value: object, place: str) -> Iterator[str]:
    """Yield the places of lists of objects, the outer ones first."""
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        yield place
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _lists(one, f"{place}.{name}".lstrip("."))


def _pager(content: Any, headers: Mapping[str, str]) -> str:  # noqa: ANN401 - JSON
    if "rel=" in (headers.get("Link") or ""):
        return "Link()"
    for place, value in _texts(content, ""):
        if isinstance(value, str) and _CURSOR.search(place):
            is_address = value.startswith(("http", "/", "?"))
            return f'Next("{place}")' if is_address else f'Cursor("cursor={{cursor}}", "{place}")'
    totals = [place for place, _ in _texts(content, "") if re.search(r"total|count", place)]
    if totals:
        return f'Page("page={{page}}", total="{totals[0]}")'
    return "OnePage()  # if there are more rows than these, say how to get them"


def _texts(value: object, place: str) -> Iterator[tuple[str, object]]:
    """Yield what stands beside the rows, and where."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _texts(one, f"{place}.{name}".lstrip("."))
    elif not isinstance(value, list):
        yield place, value


def _members(row: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a record: members whose name is the contract's, and the stamp."""
    by_name = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in row}
    yield f'        "id": row["{by_name.get("id", next(iter(row)))}"],'
    for name, field in fields.items():
        raw = by_name.get(name, "")
        if name in ("id", "updated_at") or isinstance(row.get(raw), (dict, list)) or not raw:
            continue
        if field.get("format") == "date-time":
            yield f'        "{name}": stamp(row["{raw}"]),'
        elif "decimal" in field.get("format", ""):
            yield f'        "{name}": money(row["{raw}"]),'
        elif field["type"][0] == "string" and " One of " not in field["description"]:
            yield f'        "{name}": row["{raw}"],'
    changed = [name for name in row if _CHANGED.search(name) and parse_start(str(row[name]))]
    if changed:
        yield f'        "updated_at": stamp(row["{changed[0]}"]),'
    else:
        yield "        # no stamp of a change was seen: say has_stamps=False in the Listing"
