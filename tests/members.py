"""Compares members of what is answered or emitted, and shows all that differ at once."""

from __future__ import annotations


def assert_members(entry, **expected):
    """See that an entry has these members with these values; true is not 1."""
    found = {name: entry[name] for name in expected}
    assert found == expected
    assert {one for one in found if isinstance(found[one], bool)} == {
        one for one in expected if isinstance(expected[one], bool)
    }
