"""The request with which a GraphQL shop takes an edit: its mutations, and the values of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Mutation(NamedTuple):
    """A mutation, with what it answers and its input as `$input`.

    Attributes:
        text: `customerUpdate(input: $input) { userErrors { message } }`. Ask for what the shop says
            where it refuses, or a refusal is not seen.
        input_type: `CustomerInput!`.
        value: The input.
    """

    text: str
    input_type: str
    value: Any


def mutations(path: str, calls: Iterable[Mutation]) -> tuple[str, str, dict[str, Any]] | None:
    """Return what `change` returns: one request for all of some mutations; None for none.

    Args:
        path: Where the shop takes GraphQL.
        calls: The mutations; one that the shop refuses does not undo the others.
    """
    named = {f"input{number}": call for number, call in enumerate(calls)}
    if not named:
        return None
    head = ", ".join(f"${name}: {call.input_type}" for name, call in named.items())
    body = " ".join(
        f"{name}: {call.text.replace('$input', f'${name}')}" for name, call in named.items()
    )
    values = {name: call.value for name, call in named.items()}
    return "POST", path, {"query": f"mutation({head}) {{ {body} }}", "variables": values}
