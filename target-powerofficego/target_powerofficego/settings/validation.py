"""Errors of settings, one line each, in the words of the person who wrote them; pure.

No line shows the value of a setting, as any value may be a key in the wrong place.
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
    "no settings were given: name their file with --config FILE, or use --config ENV to read them"
    " from environment variables"
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
    """Fill in the defaults, and return a line for each rule of the schema that is broken."""
    broken = list(JSONSchemaValidator(schema).iter_errors(config))
    missing = [name for name in schema.get("required", ()) if name not in config]
    return [
        *(f"{name} is missing" for name in missing),
        *(_line_for(error) for error in broken if error.path),
    ]


def _line_for(error: ValidationError) -> str:
    name = ".".join(str(part) for part in error.path)
    rule, allowed = str(error.validator), error.validator_value
    if rule == "type":
        kinds = [allowed] if isinstance(allowed, str) else allowed
        return f"{name} must be {' or '.join(_KINDS[kind] for kind in kinds if kind != 'null')}"
    if rule == "enum":
        values = [str(value) for value in allowed if value is not None]
        setting = ".".join(part for part in error.path if isinstance(part, str))
        return f"{setting} must be one of: {', '.join(values)}"
    if rule in _LIMITS:
        return f"{name} must be {_LIMITS[rule]} {allowed}"
    return f"{name} has an invalid value ({rule}: {allowed})"


def unknown_settings(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return a line for each setting that does not exist, with the one that was perhaps meant."""
    lines: list[str] = []
    for name in names:
        if name in known:
            continue
        if matches := difflib.get_close_matches(name, known, n=1):
            lines.append(f'There is no setting "{name}"; did you mean "{matches[0]}"?')
        elif looks_like_a_name(name):
            lines.append(f'There is no setting "{name}"')
        else:
            lines.append(f"One of the settings does not exist; {NOT_SHOWN}")
    return lines
