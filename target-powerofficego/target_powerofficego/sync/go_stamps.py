"""Go's stamps of an entry, by Go's own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.values import instant_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

_STAMP = "LastChangedDateTimeOffset"


def newest_stamp(entry: Mapping[str, Any]) -> str | None:
    """Return when an entry of Go, or its mail address, was last changed.

    An edit of the address moves only the address's own stamp.
    """
    address = entry.get("MailAddress")
    stamps = [entry.get(_STAMP), address.get(_STAMP) if isinstance(address, dict) else None]
    moments = {instant_or_none(one): one for one in stamps}
    found = {moment: one for moment, one in moments.items() if moment is not None}
    return found[max(found)] if found else None
