"""What `--init` writes: a first shop file, guessed from one page of a list."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from tap_customwebshop import schemas
from tap_customwebshop.errors import ContractBrokenError
from tap_customwebshop.shop.contract import Rule
from tap_customwebshop.shop.listing import values_in
from tap_customwebshop.shop.loading import STREAMS
from tap_customwebshop.stamps import parse_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    values = list(values_in(content))
    place, rows = next(((place, one) for place, one in values if _are_rows(one)), ("", []))
    if not rows:
        raise ContractBrokenError(f"{path}: there is no list with rows in the answer.")
    row = rows[0]
    near = difflib.get_close_matches(path.rstrip("/").rpartition("/")[2], STREAMS, n=1)
    stream = near[0] if near else "customers"
    at = f', rows="{place}"' if place else ""
    members = "\n".join(_members(row, getattr(schemas, stream.upper())["properties"]))
    return f'''"""How this shop is read (docs/own-shop.md); guessed: look at each line."""

from tap_customwebshop.shop import *

AUTH = Bearer("{{auth_token}}")
{stream.upper()} = Listing("{path}"{at}, pager={_pager(values, headers)})


def {STREAMS[stream]}(row, shop):
    # A row has: {", ".join(row)}
    return {{
{members}
    }}
'''


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value) and value != []


def _pager(values: list[tuple[str, Any]], headers: Mapping[str, str]) -> str:
    if "rel=" in (headers.get("Link") or ""):
        return "Link()"
    for place, value in values:
        if isinstance(value, str) and _CURSOR.search(place):
            is_address = value.startswith(("http", "/", "?"))
            return f'Next("{place}")' if is_address else f'Cursor("cursor={{cursor}}", "{place}")'
    for place, value in values:
        if re.search(r"total|count", place) and not isinstance(value, list):
            return f'Page("page={{page}}", total="{place}")'
    return "OnePage()  # if there are more rows than these, say how to get them"


def _members(row: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a record: members whose name is the contract's, and the stamp."""
    by_name = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): name for name in row}
    yield f'        "id": row["{by_name.get("id", next(iter(row)))}"],'
    for name, field in fields.items():
        raw = by_name.get(name)
        if raw is None or name in ("id", "updated_at") or isinstance(row[raw], (dict, list)):
            continue
        if field.get("format") == "date-time":
            yield f'        "{name}": stamp(row["{raw}"]),'
        elif field.get("format") == schemas.DECIMAL_FORMAT:
            yield f'        "{name}": money(row["{raw}"]),'
        elif field["type"][0] == "string" and not Rule(name, field).words:
            yield f'        "{name}": row["{raw}"],'
    changed = (name for name in row if _CHANGED.search(name) and parse_start(str(row[name])))
    unseen = "        # no stamp of a change was seen: say has_stamps=False in the Listing"
    yield next((f'        "updated_at": stamp(row["{name}"]),' for name in changed), unseen)
