"""The cost of a query, and the bucket of points that pays for it.

An object costs 1 point, text and numbers nothing, a mutation 10; a connection costs 2, and each
object that it may return its own cost (Shopify's engineering blog, "Rate Limiting GraphQL APIs
by Calculating Query Complexity"; shopify.dev, GraphQL Admin API rate limits). Today's Shopify
counts less for long connections by a rule that it does not publish, so a query accepted here
is accepted there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.values import get_argument_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from graphql import SelectionSetNode

    from go_sandbox.shops.graphql import Operation

MOST_FOR_A_QUERY = 1000
OF_A_MUTATION = 10
OF_A_CONNECTION = 2


class Costs:
    """Calculates the cost of an operation: the maximum before execution, the actual one after."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._fragments = {
            definition.name.value: definition
            for definition in operation.document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def requested(self) -> int:
        """Return the cost if every connection is as long as requested."""
        return self._of_operation(None)

    def actual(self, data: Any) -> int:  # noqa: ANN401 - JSON
        """Return the cost of the answer."""
        return self._of_operation(data or {})

    def _of_operation(self, data: Any) -> int:  # noqa: ANN401
        chosen, schema = self._operation.chosen, self._operation.schema
        if chosen.operation is OperationType.MUTATION:
            return OF_A_MUTATION * len(chosen.selection_set.selections)
        assert schema.query_type is not None  # noqa: S101
        return self._of_members(schema.query_type, chosen.selection_set, data)

    def _of_members(self, kind: Any, chosen: SelectionSetNode | None, data: Any) -> int:  # noqa: ANN401
        """Return the cost of the members; for an interface, that of the most expensive type."""
        by_type: dict[str, int] = {}
        for owner, field in self._fields(kind, chosen):
            by_type[owner.name] = by_type.get(owner.name, 0) + self._of_field(owner, field, data)
        of_all = by_type.pop(kind.name, 0)
        further = by_type.values()
        return of_all + (max(further, default=0) if is_abstract_type(kind) else sum(further))

    def _fields(
        self,
        kind: Any,  # noqa: ANN401
        chosen: SelectionSetNode | None,
    ) -> Iterator[tuple[Any, FieldNode]]:
        for selection in chosen.selections if chosen else ():
            if isinstance(selection, FieldNode):
                if not selection.name.value.startswith("__"):
                    yield kind, selection
                continue
            fragment = (
                self._fragments[selection.name.value]
                if isinstance(selection, FragmentSpreadNode)
                else selection
            )
            assert isinstance(fragment, (InlineFragmentNode, FragmentDefinitionNode))  # noqa: S101
            named = fragment.type_condition
            owner = self._operation.schema.type_map[named.name.value] if named else kind
            yield from self._fields(owner, fragment.selection_set)

    def _of_field(self, owner: GraphQLObjectType, field: FieldNode, data: Any) -> int:  # noqa: ANN401
        definition = owner.fields[field.name.value]
        kind = get_named_type(definition.type)
        name = field.alias.value if field.alias else field.name.value
        value = None if data is None else data.get(name)
        if is_leaf_type(kind) or kind.name == "PageInfo" or (data is not None and value is None):
            return 0
        arguments = get_argument_values(definition, field, self._operation.variables)
        size = arguments.get("first") or arguments.get("last") or 1
        if kind.name.endswith("Connection"):
            return OF_A_CONNECTION + self._of_connection(kind, field, value, size)
        if data is None:
            return int(size * (1 + self._of_members(kind, field.selection_set, None)))
        values = value if isinstance(value, list) else [value]
        return sum(1 + self._of_members(kind, field.selection_set, value or {}) for value in values)

    def _of_connection(self, kind: Any, field: FieldNode, value: Any, size: int) -> int:  # noqa: ANN401
        """Return the cost of the objects of a connection, whether as nodes or in edges."""
        costs = []
        for owner, part in self._fields(kind, field.selection_set):
            name = part.name.value
            if name == "pageInfo":
                continue
            node = get_named_type(owner.fields[name].type)
            if value is None:
                each = self._of_members(node, part.selection_set, None) + (name == "nodes")
                costs.append(size * each)
            else:
                shown = value[part.alias.value if part.alias else name]
                costs.append(
                    sum(
                        self._of_members(node, part.selection_set, item) + (name == "nodes")
                        for item in shown
                    )
                )
        return max(costs, default=0)


class Bucket:
    """Points that pay for queries; they are restored with time (the leaky bucket of the docs).

    Attributes:
        most: its capacity: 2,000 in answers of shops on the standard plan.
        restore_rate: points restored per second: 100 on the standard plan.
    """

    def __init__(
        self, now: Callable[[], datetime], most: int = 2000, restore_rate: int = 100
    ) -> None:
        self.most = most
        self.restore_rate = restore_rate
        self._now = now
        self._left = float(most)
        self._at = now()

    @property
    def left(self) -> float:
        """The current number of points."""
        now = self._now()
        came_back = (now - self._at).total_seconds() * self.restore_rate
        self._left, self._at = min(float(self.most), self._left + max(came_back, 0.0)), now
        return self._left

    def take(self, points: float) -> None:
        """Take points out."""
        self._left = self.left - points

    @property
    def status(self) -> dict[str, float]:
        """Its state in an answer."""
        return {
            "maximumAvailable": float(self.most),
            "currentlyAvailable": int(self.left),
            "restoreRate": float(self.restore_rate),
        }
