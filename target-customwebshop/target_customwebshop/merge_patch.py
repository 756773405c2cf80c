"""JSON merge patches (RFC 7396) of shop records; pure."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def patched(record: Record, patch: Record) -> Record:
    """Return a record after a merge patch; what the patch empties is null, not absent.

    Two patches are joined by the same rule: `patched(first, second)` does what both do.
    """
    result = dict(record)
    for name, value in patch.items():
        known = result.get(name)
        is_group = isinstance(value, dict)
        result[name] = (
            patched(known if isinstance(known, dict) else {}, value) if is_group else value
        )
    return result
