"""Writes to Go that first leave an intent, so that nothing is done twice if an answer is lost.

A POST to PowerOffice Go is not idempotent. What is about to be sent is committed to the link store
before the call; the caller replaces the intent with the answer in one transaction. If an answer is
missing, Go is checked before anything is sent again.
"""

from __future__ import annotations

import datetime
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from target_powerofficego.dataflow import values
from target_powerofficego.decisions.changes import Park, Undecidable
from target_powerofficego.go_api import (
    DuplicateReference,
    NotFound,
    Refused,
    StopRun,
    TestFailed,
    TryAgainLater,
    UnknownOutcome,
)
from target_powerofficego.settle.writes import SECOND_LOOK_SECONDS, CarefulWrite, look_twice
from target_powerofficego.store.go_rows import SENDING
from target_powerofficego.store.tables import from_json, to_json, to_stamp
from target_powerofficego.sync.go.index import read_or_none
from target_powerofficego.sync.go.operations import (
    Destination,
    applied_rows,
    describe_outcome,
    is_untouched,
    patch_operations,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_powerofficego.decisions.changes import RowChange
    from target_powerofficego.go_api import GoClient, Operation
    from target_powerofficego.settle.writes import Brakes
    from target_powerofficego.store.link_store import Intent, Link, LinkStore

logger = logging.getLogger("target-powerofficego")

CREATE_NOT_VISIBLE = Park(
    "it may be in PowerOffice Go, which does not show it (yet): the next run looks for it before it"
    " creates anything",
    ("what Go may have",),
)
"""For a create that may have been done: Go may be reading from a replica that is behind."""

CHANGE_NOT_VISIBLE = Park(
    "a change of it may be in PowerOffice Go, which does not show it (yet): the next run looks for"
    " it before it writes",
    ("what Go may have",),
)
"""For an entry with an unanswered change, which Go may have made without showing it yet."""

_GoWrite: TypeAlias = CarefulWrite[UnknownOutcome, Refused]

_LOOK_BACK = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """The entry that Go answered to a write, or has after one whose answer was lost."""

    body: Mapping[str, Any]
    intent: Intent
    existed_already: bool = False


@dataclass(frozen=True)
class Deletion:
    """An entry that Go no longer has; `was_gone`: it was already gone before.

    An order that was gone may have become an invoice.
    """

    intent: Intent
    was_gone: bool = False


class Writer:
    """Sends writes, each under an intent."""

    def __init__(
        self,
        store: LinkStore,
        go: GoClient,
        brakes: Brakes,
        *,
        tests_patches: bool,
        wait: Callable[[float], object],
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
        """Create an entry once; the answer is `existed_already` if Go turns out to have it already.

        If the answer is lost, a later run builds the base from `values_sent` and from `read_at`,
        when their record was read.

        Raises:
            Refused: Go refused it.
            Undecidable: with a Park; Go may have it without showing it. The intent of an unanswered
                attempt stays.
            UnknownOutcome: no answer, and Go could not be checked either; the intent stays.
            StopRun, TryAgainLater: nothing was done, or the intent of an earlier attempt stays.
            BrakeReached: nothing was done.
        """
        earlier = self._open_create(target)
        self._brakes.before_create()
        detail = {**target.detail(values_sent), "read_at": to_stamp(read_at), "sent_by": self._run}
        intent = earlier or self._store.intents.begin(
            target.entity, target.shop_id, "create", detail
        )
        write = self._careful(intent, was_sent=earlier is not None)

        def send() -> Answer:
            return Answer(self._go.create(target.path, body), intent)

        def look(is_last: bool) -> Answer | None:
            entry = self._look_carefully(target, write, is_last=is_last)
            if entry is not None:
                return _answer_found(entry, intent, values_sent)
            if not target.refuses_duplicates:
                raise Undecidable(CREATE_NOT_VISIBLE)
            return None

        def refused(refusal: Refused) -> Answer:
            entry = self._existing_entry(target, write, refusal)
            answer = _answer_found(entry, intent, values_sent)
            return replace(answer, existed_already=not write.was_sent)

        return write.run(send, look, refused)

    def change(
        self,
        entity: str,
        shop_id: str,
        path: str,
        rows: Sequence[RowChange],
        *,
        read_at: datetime.datetime,
        current: Mapping[str, Any] | None = None,
        line: str | None = None,
    ) -> Answer:
        """Patch an entry, guarded by a `test` of each value that was merged against.

        `current` is the entry as last read, see `patch_operations`. `line` is the reference of an
        order line.

        Raises:
            TestFailed: Go has another value: read again, merge again.
            Undecidable: with a Park; an earlier unanswered change may have set that value.
            Refused, StopRun, TryAgainLater, UnknownOutcome, BrakeReached: as for `create`.
        """
        self._brakes.before_change()
        detail = {
            "path": path,
            "rows": {row.row: [row.path, row.before, row.after] for row in rows},
            "read_at": to_stamp(read_at),
            "line": line,
            "seen_by": self._run,
        }
        earlier = self.open_changes(entity, path)
        write = self._careful(self._store.intents.begin(entity, shop_id, "patch", detail))
        try:
            answer = self._change(write, path, rows, current)
        except TestFailed as failed:
            if earlier:
                raise Undecidable(CHANGE_NOT_VISIBLE) from failed
            raise
        for older in earlier:  # whatever became of them, Go has now answered the entry
            self._store.intents.end(older)
        return answer

    def _change(
        self,
        write: _GoWrite,
        path: str,
        rows: Sequence[RowChange],
        current: Mapping[str, Any] | None,
    ) -> Answer:
        operations = list(patch_operations(rows, current, tests=self._tests_patches))

        def send() -> Answer:
            return Answer(self.patch(path, operations, current), write.intent)

        def look(is_last: bool) -> Answer | None:
            answer = self._look_for_change(write, path, rows)
            if answer is None and is_last:
                return self._look_later_for_change(write, path, rows)
            return answer

        def refused(refusal: Refused) -> Answer:
            # Go may refuse it because an earlier attempt did it; if not visible, the next run looks
            answer = self._look_later_for_change(write, path, rows) if write.was_sent else None
            return answer or write.give_up(refusal)

        return write.run(send, look, refused)

    def open_changes(self, entity: str, path: str) -> list[Intent]:
        """Return the unanswered changes of entries at a path of Go, or below it."""
        return self._open("patch", entity, path)

    def open_creates(self, entity: str, path: str) -> list[Intent]:
        """Return the unanswered creates at a path of Go, or below it."""
        return self._open("create", entity, path)

    def _open(self, kind: str, entity: str, path: str) -> list[Intent]:
        return [
            intent
            for intent in self._store.intents.of_entity(entity)
            if intent.kind == kind and f"{intent.detail['path']}/".startswith(f"{path}/")
        ]

    def patch(
        self, path: str, operations: Sequence[Operation], current: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Send a patch, and return Go's answer; `current` is the entry as last read."""
        del current
        answer: Mapping[str, Any] = self._go.change(path, operations)
        return answer

    def delete(self, entity: str, shop_id: str, path: str, *, line: str | None = None) -> Deletion:
        """Delete an entry; one that is already gone counts as deleted.

        `line` is the reference of an order line.

        Raises:
            Refused, StopRun, TryAgainLater, UnknownOutcome, BrakeReached: as for `create`.
        """
        self._brakes.before_change()
        detail = {"path": path, "line": line}
        write = self._careful(self._store.intents.begin(entity, shop_id, "delete", detail))

        def send() -> Deletion:
            self._go.delete(path)
            return Deletion(write.intent)

        def refused(refusal: Refused) -> Deletion:
            if isinstance(refusal, NotFound):
                return Deletion(write.intent, was_gone=True)
            self._store.intents.end(write.intent)
            raise refusal

        return write.run(send, lambda _is_last: None, refused)

    def _careful(self, intent: Intent, *, was_sent: bool = False) -> _GoWrite:
        not_sent = (StopRun, TryAgainLater)
        return CarefulWrite(
            self._store, intent, UnknownOutcome, not_sent, (Refused,), was_sent=was_sent
        )

    def send_invoice(
        self, link: Link, request: Mapping[str, Any], status: str, read_at: datetime.datetime
    ) -> None:
        """Ask Go once to make and send an order's invoice; the request is never repeated here.

        The intent stays even if Go accepts the request (202), until it is known whether the invoice
        was made. `status` is the status of the order that requires the invoice.

        Raises:
            UnknownOutcome: no answer.
            Refused, StopRun, TryAgainLater, BrakeReached: nothing was done.
        """
        self._brakes.before_change()
        intent = self.note_sending(link, status, read_at, is_accepted=False)
        try:
            self._go.begin(f"/SalesOrders/{link.go_id}/createAndSendInvoice", request)
        except (Refused, StopRun, TryAgainLater):
            self._store.intents.end(intent)
            raise
        self._store.intents.note(intent, {**intent.detail, "accepted": True})

    def note_sending(
        self, link: Link, status: str, read_at: datetime.datetime, *, is_accepted: bool
    ) -> Intent:
        """Keep the intent of asking Go for an order's invoice; `is_accepted`: Go has accepted."""
        detail = {
            "status": status,
            "read_at": to_stamp(read_at),
            "accepted": is_accepted,
            "seen_by": to_stamp(self._store.opened_at),
        }
        return self._store.intents.begin(link.entity, link.shop_id, SENDING, detail)

    def find_unanswered(self, intent: Intent) -> Mapping[str, Any] | None:
        """Return the entry of an unanswered create, if Go shows it, else None.

        Go is checked twice if it would accept the create a second time.
        """
        target = Destination.of_intent(intent)
        look = self._look if target.refuses_duplicates else self._look_again
        return look(target, intent)

    @property
    def _run(self) -> str | None:
        """The stamp that identifies this run."""
        return to_stamp(self._store.opened_at)

    def was_sent_by_this_run(self, intent: Intent) -> bool:
        """Return whether this run sent an unanswered create."""
        return bool(intent.detail.get("sent_by") == self._run)

    def _open_create(self, target: Destination) -> Intent | None:
        """Return an earlier run's intent for the same create, now noted as this run's.

        Raises:
            Undecidable: with a Park; there is an intent of another record, as with two records of
                one SKU, and Go would accept the entry twice.
        """
        for intent in self._store.intents.of_entity(target.entity):
            if intent.kind != "create" or Destination.of_intent(intent).place != target.place:
                continue
            if intent.shop_id == target.shop_id:
                sent = {**intent.detail, "sent_by": self._run}
                self._store.intents.note(intent, sent)
                return replace(intent, detail=sent)
            if not target.refuses_duplicates:
                raise Undecidable(CREATE_NOT_VISIBLE)
        return None

    def _look_carefully(
        self, target: Destination, write: _GoWrite, *, is_last: bool
    ) -> Mapping[str, Any] | None:
        """Look for an entry whose answer was lost.

        Look twice if Go would accept it a second time, and before giving up.

        Raises:
            UnknownOutcome: Go cannot be checked.
        """
        try:
            if target.refuses_duplicates and not is_last:
                return self._look(target, write.intent)
            return self._look_again(target, write.intent)
        except (TryAgainLater, Refused) as error:
            raise write.unanswered or error from error

    def _existing_entry(
        self, target: Destination, write: _GoWrite, refused: Refused
    ) -> Mapping[str, Any]:
        """Return the existing entry because of which Go refused a create.

        How Go words a duplicate is not known, so any refusal of a second POST may mean that the
        first one, whose answer was lost, was done.

        Raises:
            Undecidable: with a Park; Go may have such an entry, but does not show it.
            Refused: there is no such entry.
        """
        intent, was_sent = write.intent, write.was_sent
        if not was_sent and not isinstance(refused, DuplicateReference):
            self._store.intents.end(intent)
            raise refused
        try:
            entry = self._look_again(target, intent)
        except (TryAgainLater, Refused):
            entry = None
        if entry is not None:
            return entry
        lacks_entry = isinstance(refused, NotFound)  # the order, or one that the body refers to
        if lacks_entry or not was_sent:
            self._store.intents.end(intent)
        if lacks_entry:
            raise refused
        logger.warning(
            "%s %s: Go refused the create (%s), as if the entry existed, but does not show it yet",
            *(intent.entity, intent.shop_id, refused),
        )
        raise Undecidable(CREATE_NOT_VISIBLE) from refused

    def _look_again(self, target: Destination, intent: Intent) -> Mapping[str, Any] | None:
        return look_twice(lambda: self._look(target, intent), self._wait)

    def _look_for_change(
        self, write: _GoWrite, path: str, rows: Sequence[RowChange]
    ) -> Answer | None:
        """Return the entry that an unanswered patch has changed; None if it has changed nothing.

        Raises:
            TestFailed: a person edited it meanwhile, so it does not have all values that were sent.
            UnknownOutcome: it cannot be read.
        """
        intent = write.intent
        try:
            entry: Mapping[str, Any] = self._go.read(path)
        except (TryAgainLater, Refused) as error:
            raise write.unanswered or error from error
        if is_untouched(entry, rows):
            return None
        done = applied_rows(entry, rows)
        logger.info(
            "%s %s: a change got no answer; %s",
            *(intent.entity, intent.shop_id, describe_outcome(done, rows)),
        )
        if len(done) == len(rows):
            return Answer(entry, intent)
        self._store.intents.end(intent)
        raise TestFailed(
            f"PATCH {path}: Go was edited while the answer was missing", method="PATCH", path=path
        )

    def _look_later_for_change(
        self, write: _GoWrite, path: str, rows: Sequence[RowChange]
    ) -> Answer | None:
        """As `_look_for_change`, after the time in which a replica that is behind catches up."""
        self._wait(SECOND_LOOK_SECONDS)
        return self._look_for_change(write, path, rows)

    def _look(self, target: Destination, intent: Intent) -> Mapping[str, Any] | None:
        if target.path == "/SalesOrders/Complete":
            return self._look_for_order(target, intent)
        # PowerOffice Go reads a comma in a filter as a separator of values.
        params = {name: value for name, value in target.look_params.items() if "," not in value}
        try:
            for entry in self._go.list_all(target.look_path, params=params):
                if values.normalise_text(entry.get(target.member)) == target.value:
                    return entry
        except NotFound:  # the order of the line was invoiced or removed
            return None
        return None

    def _look_for_order(self, target: Destination, intent: Intent) -> Mapping[str, Any] | None:
        """Look among the sales orders and invoices changed since; no filter takes a reference."""
        since = (intent.started_at - _LOOK_BACK).isoformat().replace("+00:00", "Z")
        fields = ("Id", "ExternalImportReference")
        lists = (
            ("/SalesOrders", {"lastChangedDateTimeOffsetGreaterThan": since}),
            ("/OutgoingInvoices", {"sentDateTimeOffsetGreaterThan": since}),
        )
        for path, params in lists:
            for entry in self._go.list_all(path, params=params, fields=fields):
                if entry.get(target.member) == target.value:
                    suffix = "/Complete" if "Sales" in path else ""
                    return read_or_none(self._go, f"{path}/{entry['Id']}{suffix}")
        return None


def _answer_found(
    entry: Mapping[str, Any], intent: Intent, values_sent: Mapping[str, Any]
) -> Answer:
    """Return an entry that Go turns out to have as the answer to its create.

    Raises:
        Undecidable: with a Park; an earlier run may have sent it with other values: it is linked
            with those first.
    """
    if from_json(to_json(intent.detail["values"])) != from_json(to_json(values_sent)):
        raise Undecidable(CREATE_NOT_VISIBLE)
    return Answer(entry, intent)
