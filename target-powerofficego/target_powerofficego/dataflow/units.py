"""What shops call their units, and PowerOffice Go's codes (UN/ECE Recommendation 20)."""

from __future__ import annotations

_CODES = {
    "": "EA",
    "ea": "EA",
    "stk": "EA",
    "pcs": "EA",
    "pc": "EA",
    "piece": "EA",
    "each": "EA",
    "h": "HUR",
    "hour": "HUR",
    "time": "HUR",
    "t": "HUR",
    "hur": "HUR",
    "kg": "KGM",
    "kgm": "KGM",
    "g": "GRM",
    "grm": "GRM",
    "l": "LTR",
    "liter": "LTR",
    "litre": "LTR",
    "ltr": "LTR",
    "m": "MTR",
    "meter": "MTR",
    "metre": "MTR",
    "mtr": "MTR",
    "m2": "MTK",
    "mtk": "MTK",
    "m3": "MTQ",
    "mtq": "MTQ",
    "cm": "CMT",
    "km": "KMT",
    "day": "DAY",
    "dag": "DAY",
}

UNIT_WORDS = {
    "EA": "stk",
    "HUR": "time",
    "KGM": "kg",
    "GRM": "g",
    "LTR": "l",
    "MTR": "m",
    "MTK": "m2",
    "MTQ": "m3",
    "CMT": "cm",
    "KMT": "km",
    "DAY": "dag",
}
"""What Norwegian shops call a unit, by Go's code."""


def is_unit(unit: str) -> bool:
    """Return whether a shop's word for a unit is known."""
    return _plain(unit) in _CODES


def unit_code(unit: str | None) -> str:
    """Return PowerOffice Go's unit of measure code; EA (piece) for an unknown unit."""
    return _CODES.get(_plain(unit or ""), "EA")


def _plain(unit: str) -> str:
    return unit.strip().rstrip(".").casefold()
