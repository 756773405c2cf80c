"""Errors that keep a run of either way from starting; each is reported in one line.

SettingsError   settings that cannot be right: correct them
CannotStart     something that a run needs is missing: the message says what, and what to do
"""

from __future__ import annotations

# ruff: noqa: N818 - the name says what happened


class SettingsError(Exception):
    """One or more settings cannot be right; `lines` has a line for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class CannotStart(Exception):
    """The run cannot start; the message says why in one line."""
