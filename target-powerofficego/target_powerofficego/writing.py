"""Writes to Go that leave an intent first, so that nothing is done twice when an answer is lost.

A POST to PowerOffice Go is not idempotent. What is about to be sent is committed to the link store
before the call; the caller replaces the intent by the answer in one transaction. Where an answer is
missing, Go is looked at before anything is sent again.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.destinations import Destination
from target_powerofficego.go_api import (
    DuplicateReference,
    NotFound,
    Operation,
    Refused,
    StopRun,
    TryAgainLater,
    UnknownOutcome,
)
from target_powerofficego.store.columns import to_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_powerofficego.brakes import Brakes
    from target_powerofficego.changes import RowChange
    from target_powerofficego.go_api import GoClient
    from target_powerofficego.links import Intent, LinkStore

_MOST_TRIES = 3
SECOND_LOOK_SECONDS = 2.0
"""PowerOffice Go v1 read from a replica up to 1 s behind; unstated for v2."""

_LOOK_BACK = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """What Go answered to a write, or holds after one whose answer was lost."""

    body: Mapping[str, Any]
    intent: Intent
    was_there: bool = False


class Writer:
    """Sends writes, each under an intent."""

    def __init__(
        self,
        store: LinkStore,
        go: GoClient,
        brakes: Brakes,
        *,
        tests_patches: bool,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._go = go
        self._brakes = brakes
        self._tests_patches = tests_patches
        self._wait = wait

    def create(
        self,
        target: Destination,
        body: Mapping[str, Any],
        values_sent: Mapping[str, Any],
        *,
        read_at: datetime.datetime,
    ) -> Answer:
        """Create an entry once; `was_there` when Go turns out to have it already.

        `values_sent` and when their record was read are what a later run makes the base of, should
        the answer never come.

        Raises:
            Refused: Go said no.
            UnknownOutcome: no answer, and Go could not be looked at either; the intent stays.
            StopRun, TryAgainLater, BrakeReached: nothing was done.
        """
        self._brakes.before_create()
        intent = self._store.begin_intent(
            target.entity,
            target.shop_id,
            "create",
            {**target.detail(values_sent), "read_at": to_stamp(read_at)},
        )
        for tries_left in reversed(range(_MOST_TRIES)):
            is_first_try = tries_left == _MOST_TRIES - 1
            try:
                return Answer(self._go.create(target.path, body), intent)
            except UnknownOutcome as unknown:
                found = self._look_carefully(target, intent, unknown, is_last=not tries_left)
                if found is not None:
                    return Answer(found, intent)
                if not tries_left:
                    raise
            except Refused as refused:
                # How Go words a duplicate is not known, so whatever it says to a second POST may
                # mean that the first one, whose answer was lost, was carried out.
                may_be_there = not is_first_try or isinstance(refused, DuplicateReference)
                found = self._look_again(target, intent) if may_be_there else None
                if found is None:
                    self._store.end_intent(intent)
                    raise
                return Answer(found, intent, was_there=is_first_try)
            except (StopRun, TryAgainLater):
                self._store.end_intent(intent)
                raise
        msg = "unreachable: the last try returns or raises"
        raise AssertionError(msg)

    def change(
        self,
        entity: str,
        shop_id: str,
        path: str,
        rows: Sequence[RowChange],
        *,
        read_at: datetime.datetime,
        whole: Mapping[str, Any] | None = None,
        line: str | None = None,
    ) -> Answer:
        """Patch an entry, guarded by a `test` of each value merged against.

        `whole` is the entry as last read; a member of it that is null is replaced as a whole,
        since a JSON Patch cannot reach into it. `line` is the reference of an order's line.

        Raises:
            TestFailed: Go holds another value; nothing was changed.
            Refused, StopRun, TryAgainLater, UnknownOutcome, BrakeReached: as for `create`.
        """
        self._brakes.before_change()
        detail = {
            "path": path,
            "rows": {row.row: [row.path, row.before, row.after] for row in rows},
            "read_at": to_stamp(read_at),
            "line": line,
        }
        intent = self._store.begin_intent(entity, shop_id, "patch", detail)
        unanswered: UnknownOutcome | None = None
        operations = list(patch_operations(rows, whole, tests=self._tests_patches))
        for tries_left in reversed(range(_MOST_TRIES)):
            try:
                return Answer(self._go.change(path, operations), intent)
            except UnknownOutcome as unknown:
                there = self._read(path, unknown)
                if not _still_is(there, rows):
                    return Answer(there, intent)
                behind = None if tries_left else self._read_behind(path, rows, unknown)
                if behind is not None:
                    return Answer(behind, intent)
                if not tries_left:
                    raise
                unanswered = unknown
            except Refused:
                behind = self._read_behind(path, rows, unanswered) if unanswered else None
                if behind is None:
                    self._store.end_intent(intent)
                    raise
                return Answer(behind, intent)
            except (StopRun, TryAgainLater):
                self._store.end_intent(intent)
                raise
        msg = "unreachable: the last try returns or raises"
        raise AssertionError(msg)

    def delete(self, entity: str, shop_id: str, path: str, *, line: str | None = None) -> Intent:
        """Delete an entry; one that is gone already counts as deleted.

        `line` is the reference of an order's line.

        Raises:
            Refused, StopRun, TryAgainLater, UnknownOutcome, BrakeReached: as for `create`.
        """
        self._brakes.before_change()
        intent = self._store.begin_intent(entity, shop_id, "delete", {"path": path, "line": line})
        for tries_left in reversed(range(_MOST_TRIES)):
            try:
                self._go.delete(path)
            except NotFound:
                return intent
            except UnknownOutcome:
                if not tries_left:
                    raise
            except (Refused, StopRun, TryAgainLater):
                self._store.end_intent(intent)
                raise
            else:
                return intent
        msg = "unreachable: the last try returns or raises"
        raise AssertionError(msg)

    def look_after(self, intent: Intent) -> Mapping[str, Any] | None:
        """Return what Go holds of a create that an earlier run left unanswered, or None."""
        return self._look(Destination.of_intent(intent), intent)

    def _look_carefully(
        self, target: Destination, intent: Intent, unknown: UnknownOutcome, *, is_last: bool
    ) -> Mapping[str, Any] | None:
        """Look for an entry whose answer was lost.

        Twice where Go would take it a second time, and before giving up.
        """
        try:
            if target.refuses_duplicates and not is_last:
                return self._look(target, intent)
            return self._look_again(target, intent)
        except TryAgainLater as error:
            raise unknown from error

    def _look_again(self, target: Destination, intent: Intent) -> Mapping[str, Any] | None:
        """Look, and once more when a replica that is behind would show it."""
        found = self._look(target, intent)
        if found is None:
            self._wait(SECOND_LOOK_SECONDS)
            found = self._look(target, intent)
        return found

    def _read_behind(
        self, path: str, rows: Sequence[RowChange], unknown: UnknownOutcome
    ) -> Mapping[str, Any] | None:
        """Read an entry that a patch without an answer may have changed; None if it did not."""
        self._wait(SECOND_LOOK_SECONDS)
        there = self._read(path, unknown)
        return None if _still_is(there, rows) else there

    def _look(self, target: Destination, intent: Intent) -> Mapping[str, Any] | None:
        if target.path == "/SalesOrders/Complete":
            return self._look_for_order(target, intent)
        # PowerOffice Go reads a comma in a filter as the end of one value.
        params = {name: told for name, told in target.look_params.items() if "," not in told}
        try:
            for entry in self._go.list_all(target.look_path, params=params):
                if values.same_text(entry.get(target.member)) == target.value:
                    return entry
        except NotFound:  # the order that the line belongs to is invoiced or removed
            return None
        return None

    def _look_for_order(self, target: Destination, intent: Intent) -> Mapping[str, Any] | None:
        """Look among sales orders and invoices changed since: there is no filter by reference."""
        since = (intent.started_at - _LOOK_BACK).isoformat().replace("+00:00", "Z")
        fields = ("Id", "ExternalImportReference")
        lists = (
            ("/SalesOrders", {"lastChangedDateTimeOffsetGreaterThan": since}),
            ("/OutgoingInvoices", {"sentDateTimeOffsetGreaterThan": since}),
        )
        for path, params in lists:
            for entry in self._go.list_all(path, params=params, fields=fields):
                if entry.get(target.member) == target.value:
                    whole = f"{path}/{entry['Id']}" + ("/Complete" if "Sales" in path else "")
                    return self._read_if_there(whole)
        return None

    def _read_if_there(self, path: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._go.read(path)
        except NotFound:
            return None
        return found

    def _read(self, path: str, unknown: UnknownOutcome) -> Mapping[str, Any]:
        try:
            there: Mapping[str, Any] = self._go.read(path)
        except (TryAgainLater, Refused) as error:
            raise unknown from error
        return there


def patch_operations(
    rows: Sequence[RowChange], whole: Mapping[str, Any] | None, *, tests: bool
) -> Iterator[Operation]:
    """Yield the JSON Patch: first every `test` of what was merged against, then every `replace`."""
    nested: dict[str, dict[str, Any]] = {}
    flat: list[RowChange] = []
    for row in rows:
        parent, _, leaf = row.path.lstrip("/").rpartition("/")
        if parent and whole is not None and whole.get(parent) is None:
            nested.setdefault(parent, {})[leaf] = row.after
        else:
            flat.append(row)
    if tests:
        yield from (Operation("test", f"/{parent}", None) for parent in nested)
        yield from (Operation("test", row.path, row.before) for row in flat)
    for parent, members in nested.items():
        given = {name: value for name, value in members.items() if value is not None}
        if given:
            yield Operation("replace", f"/{parent}", given)
    yield from (Operation("replace", row.path, row.after) for row in flat)


def _still_is(entry: Mapping[str, Any], rows: Sequence[RowChange]) -> bool:
    """Tell whether every row still holds the value merged against, so that nothing was done."""
    return all(
        values.same_text(values.member_at(entry, row.path)) == values.same_text(row.before)
        for row in rows
    )
