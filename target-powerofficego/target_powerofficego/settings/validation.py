"""What is wrong with settings, in the words of the person who wrote them: one line each; pure.

No line holds the value of a setting, for any of them may be a key in the wrong place.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from singer_sdk.plugin_base import JSONSchemaValidator

from target_powerofficego.plugin.plain_text import NOT_SHOWN, looks_like_a_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, MutableMapping

    from jsonschema import ValidationError  # type: ignore[import-untyped]

NO_SETTINGS = (
    "no settings were given: name their file with --config FILE, or say --config ENV to have them"
    " read from environment variables"
)

_KINDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object of names and values",
}
_LIMITS = {"minimum": "at least", "maximum": "at most"}


def broken_rules(config: MutableMapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Fill in the defaults, and say which rules of the schema are broken."""
    broken = list(JSONSchemaValidator(schema).iter_errors(config))
    missing = [name for name in schema.get("required", ()) if name not in config]
    return [
        *(f"{name} is missing" for name in missing),
        *(_in_words(error) for error in broken if error.path),
    ]


def _in_words(error: ValidationError) -> str:
    name = ".".join(str(part) for part in error.path)
    rule, wanted = str(error.validator), error.validator_value
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"{name} must be {' or '.join(_KINDS[one] for one in kinds if one != 'null')}"
    if rule == "enum":
        words = [str(one) for one in wanted if one is not None]
        setting = ".".join(part for part in error.path if isinstance(part, str))
        return f"{setting} must be one of: {', '.join(words)}"
    if rule in _LIMITS:
        return f"{name} must be {_LIMITS[rule]} {wanted}"
    return f"{name} has a value that it cannot have ({rule}: {wanted})"


def unknown_settings(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Say which settings do not exist, and what each was perhaps meant to be."""
    lines: list[str] = []
    for name in (one for one in names if one not in known):
        near = difflib.get_close_matches(name, known, n=1)
        meant = f'; did you mean "{near[0]}"?' if near else ""
        shown = f'"{name}"' if near or looks_like_a_name(name) else f"of one name: {NOT_SHOWN}"
        lines.append(f"There is no setting {shown}{meant}")
    return lines
