"""First and last name of a person, from what the shop tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.dataflow import values

if TYPE_CHECKING:
    from target_powerofficego.dataflow.table import Record

NAMELESS = "-"
"""Stands for a name that is missing: PowerOffice Go refuses a person without first or last name."""


def person_names(record: Record) -> tuple[str, str]:
    """Return first and last name; a missing one is taken from `name`, else it is "-".

    Raises:
        Unusable: a name is no text.
    """
    first = values.words(record.get("first_name"), what="first_name")
    last = values.words(record.get("last_name"), what="last_name")
    words = (values.words(record.get("name"), what="name") or "").split()
    if first is None and last is None and words:
        return " ".join(words[:-1]) or NAMELESS, words[-1]
    if first is None and last is not None:
        first = " ".join(word for word in words if word not in last.split()) or None
    if last is None and first is not None:
        last = " ".join(word for word in words if word not in first.split()) or None
    return first or NAMELESS, last or NAMELESS
