"""Serves a GraphQL schema: requests are checked against it and answered by resolvers.

    schema = schema_of(SDL, {"Query": {"orders": orders}, "Order": {"lines": lines}})

    async def endpoint(request):
        operation = read_operation(schema, await request.body())
        return JSONResponse(answer(operation, shop))

A resolver is called with the record it is a field of, the `info` of graphql-core (whose `context`
was passed to `answer`) and the arguments by their names in the schema. Without a resolver, a field
is the member of that name of a record that is a dict, or else its attribute; the type of a dict in
an interface or a union is its `__typename`. A resolver refuses with a GraphQLError, whose
`extensions` contain the code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class RefusedError(Exception):
    """A request that is not executed, with the errors.

    Attributes:
        errors: The errors of the answer.
        is_request: Whether it is not a GraphQL request at all, so that a server answers 400.
        is_in_values: Whether only the values of variables are wrong.
    """

    def __init__(
        self,
        errors: Sequence[GraphQLError],
        *,
        is_request: bool = False,
        is_in_values: bool = False,
    ) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = list(errors)
        self.is_request = is_request
        self.is_in_values = is_in_values

    @property
    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"errors": [dict(error.formatted) for error in self.errors]}


@dataclass(frozen=True)
class Operation:
    """The operation of a request, checked against the schema.

    Attributes:
        schema: The schema.
        document: The text of the request, parsed.
        chosen: The operation in it to execute.
        variables: The checked values of its variables, with defaults, from which graphql-core
            calculates the arguments of a field.
        sent: The values as sent.
    """

    schema: GraphQLSchema
    document: DocumentNode
    chosen: OperationDefinitionNode
    variables: VariableValues
    sent: dict[str, Any]


def schema_of(
    sdl: str,
    resolvers: Mapping[str, Mapping[str, Callable[..., Any]]],
    scalars: Mapping[str, Callable[[Any], Any]] | None = None,
) -> GraphQLSchema:
    """Return a schema with its resolvers.

    Args:
        sdl: The types, as text.
        resolvers: The resolvers of fields, by type and name.
        scalars: The serialisers of scalars, by name.
    """
    schema = build_schema(sdl)
    for type_name, fields in resolvers.items():
        kind = schema.type_map[type_name]
        assert isinstance(kind, GraphQLObjectType)  # noqa: S101
        for name, resolve in fields.items():
            kind.fields[name].resolve = resolve
    for name, write in (scalars or {}).items():
        scalar = schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)  # noqa: S101
        scalar.coerce_output_value = write
    return schema


def read_operation(schema: GraphQLSchema, body: bytes) -> Operation:
    """Read the body of a request.

    Raises:
        RefusedError: It is not JSON with a `query`, or does not match the schema.
    """
    try:
        sent = json.loads(body)
        text, name = sent["query"], sent.get("operationName")
        variables = dict(sent.get("variables") or {})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RefusedError(
            [GraphQLError("Must provide a query string.")], is_request=True
        ) from None
    try:
        document = parse(text)
    except GraphQLError as error:
        raise RefusedError([error]) from None
    if errors := validate(schema, document):
        raise RefusedError(errors)
    chosen = get_operation_ast(document, name)
    if chosen is None:
        raise RefusedError([GraphQLError("An operation name is required")])
    values = get_variable_values(schema, chosen.variable_definitions or (), variables)
    if isinstance(values, list):
        raise RefusedError(values, is_in_values=True)
    return Operation(schema, document, chosen, values, variables)


def answer(operation: Operation, context: object) -> dict[str, Any]:
    """Execute an operation and return the body of the answer: `data`, and `errors` if any."""
    result = execute_sync(
        operation.schema,
        operation.document,
        context_value=context,
        variable_values=operation.sent,
        operation_name=operation.chosen.name.value if operation.chosen.name else None,
    )
    return dict(result.formatted)
