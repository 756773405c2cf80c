"""PowerOffice Go for a dry run: reads are real, writes are answered here and never sent."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api import GoClient
from target_powerofficego.sync.go.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_powerofficego.go_api import Operation


class DryGo(GoClient):
    """Answers a create with its body and an invented negative id, and a change with its values.

    It gives no totals: what Go calculates is known only after a real run, and not part of a plan.
    """

    _invented_ids = itertools.count(1)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer as if the entry had been created."""
        del path
        return {**body, "Id": -next(self._invented_ids)}

    def change(self, path: str, operations: Sequence[Operation]) -> dict[str, Any]:
        """Answer as if the entry had been changed."""
        answer: dict[str, Any] = {"Id": path.rsplit("/", 1)[-1]}
        for operation in operations:
            if operation.op != "replace":
                continue
            *parents, leaf = operation.path.strip("/").split("/")
            group = answer
            for parent in parents:
                group = group.setdefault(parent, {})
            group[leaf] = operation.value
        return answer

    def begin(self, path: str, body: Mapping[str, Any]) -> None:
        """Do nothing."""

    def delete(self, path: str) -> None:
        """Do nothing."""


class DryWriter(Writer):
    """A writer that answers a change with the complete entry, as Go does, if it is known."""

    def patch(
        self, path: str, operations: Sequence[Operation], current: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Return the entry as last read, with the changes of the patch."""
        entry = dict(current or {})
        for name, value in super().patch(path, operations, current).items():
            entry[name] = _merge(entry.get(name), value)
        return entry


def _merge(before: object, value: object) -> object:
    """Return a member after a change; the other members of a group, such as an address, remain."""
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
