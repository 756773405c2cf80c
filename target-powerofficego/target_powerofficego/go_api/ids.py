"""What an id of PowerOffice Go can be, by the path: a positive whole number, or a UUID."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger("target-powerofficego")

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OF_PATH = re.compile(rf"/(\d+|{_UUID.pattern})(?:/Complete)?$", re.IGNORECASE)
# Source: the published schemas. What is not named here has whole numbers.
_WITH_UUIDS = re.compile(
    r"/(SalesOrders\b.*|OutgoingInvoices(/[^/]*)?|Vouchers/BankJournals(/[^/]*)?)$", re.IGNORECASE
)


def has_id(path: str, entry: object) -> bool:
    """Return whether an answer of a path is an entry with an id, and its order lines with theirs.

    Nothing may be linked to an entry without one.
    """
    if not isinstance(entry, dict) or not _is_id(path, entry.get("Id")):
        return False
    lines = entry.get("SalesOrderLines") or ()
    return all(isinstance(one, dict) and _is_id(path, one.get("Id")) for one in lines)


def is_entry_of(path: str, entry: object) -> bool:
    """Return whether an answer is the entry that a path names; true of a path that names none."""
    named = _OF_PATH.search(path)
    if named is None:
        return True
    return has_id(path, entry) and str(entry["Id"]).lower() == named[1].lower()  # type: ignore[index]


def with_ids(path: str, entries: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entries of a list that have an id; how many have none is logged."""
    told = list(entries)
    found = [entry for entry in told if has_id(path, entry)]
    if len(found) < len(told):
        left_out = len(told) - len(found)
        logger.warning("GET %s: entries without a usable Id are left out (%s)", path, left_out)
    return found


def _is_id(path: str, value: object) -> bool:
    if _WITH_UUIDS.match(path):
        return isinstance(value, str) and bool(_UUID.fullmatch(value))
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
