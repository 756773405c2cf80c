"""Fills in names in braces, such as `{since}`, in paths, parameters and bodies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Template: TypeAlias = "str | Mapping[str, Any]"
"""Parameters of the query, as `name={value}&…`, or an object that is merged into the body."""

_NAME = re.compile(r"\{(?!__)(\w+)\}")
"""Not `{__typename}`: names with `__` belong to GraphQL (GraphQL specification, section 4)."""


def names_in(template: Any) -> set[str]:  # noqa: ANN401 - a template
    """Return the names in braces in text, or anywhere in an object."""
    if isinstance(template, str):
        return set(_NAME.findall(template))
    inner = template.values() if isinstance(template, dict) else template
    return set().union(*map(names_in, inner)) if isinstance(template, (dict, list)) else set()


def filled(template: Any, values: Mapping[str, Any], write: Callable[[Any], str] = str) -> Any:  # noqa: ANN401
    """Return text or an object with its names replaced; `"{size}"` alone stays a number."""
    if isinstance(template, dict):
        return {name: filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    alone = _NAME.fullmatch(template)
    if alone and write is str:
        return values[alone[1]]
    return _NAME.sub(lambda match: write(values[match[1]]), template)


def query_of(template: Template, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters in text such as `changed={since}&sort=asc`; an object has none."""
    if not isinstance(template, str) or not template:
        return {}
    pairs = [pair.partition("=") for pair in template.split("&")]
    return {name: str(filled(value, values)) for name, _, value in pairs}


def joined(body: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with another's members, with the objects inside merged as well."""
    both = dict(body)
    for name, value in further.items():
        inner = both.get(name)
        is_object = isinstance(inner, dict) and isinstance(value, dict)
        both[name] = joined(inner, value) if is_object else value  # type: ignore[arg-type]
    return both
