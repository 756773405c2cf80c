"""PowerOffice Go for a dry run: reads are real, writes are answered here and sent nowhere."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from target_powerofficego.go_api import GoClient
from target_powerofficego.sync.go.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_powerofficego.go_api import Operation


class DryGo(GoClient):
    """Answers a create with the body and a made-up negative id, and a change with what it changes.

    It gives no totals: what depends on Go's own arithmetic is an outcome, not part of a plan.
    """

    _made_up_ids = itertools.count(1)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer as if the entry were created."""
        del path
        return {**body, "Id": -next(self._made_up_ids)}

    def change(self, path: str, operations: Sequence[Operation]) -> dict[str, Any]:
        """Answer as if the entry were changed."""
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
    """A writer that answers a change with the whole entry, as Go does, where it is known."""

    def patch(
        self, path: str, operations: Sequence[Operation], whole: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Return the entry as last read, with what the patch changes."""
        known = whole or {}
        answer = super().patch(path, operations, whole)
        return {
            **known,
            **{name: _merged(known.get(name), value) for name, value in answer.items()},
        }


def _merged(known: object, value: object) -> object:
    """Return a member after a change; the rest of a group, such as an address, stays."""
    return {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
