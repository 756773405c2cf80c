"""The request that makes an edit in a GraphQL shop, with one or several mutations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Mutation(NamedTuple):
    """A mutation with its input.

    Attributes:
        text: The field with `$input` and the fields of its answer:
            `customerUpdate(input: $input) { userErrors { message } }`. Request the shop's errors,
            or a refusal will not be noticed.
        input_type: The type of the input: `CustomerInput!`.
        value: The input.
    """

    text: str
    input_type: str
    value: Any


def mutations(path: str, calls: Iterable[Mutation]) -> tuple[str, str, dict[str, Any]] | None:
    """Return one request for several mutations, for `change` to return; None if there are none.

    Args:
        path: The path of the shop's GraphQL API.
        calls: The mutations; if the shop refuses one, the others are made all the same.
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
