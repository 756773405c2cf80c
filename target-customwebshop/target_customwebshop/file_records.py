"""Reads and changes single records of a shop through its shop file; safe for any thread.

Such a shop has no ETag and no If-Match. So the tag is a hash of the record, and a record whose
change has to wait is read again and compared. An edit that a person makes in the shop between that
read and the change is overwritten, because nothing would reveal it.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from tap_customwebshop.connection import RetryBudget, ShopConnection, TemporaryError
from tap_customwebshop.errors import (
    ShopError,
    ShopRefusedError,
    ShopUnavailableError,
    WrongPathError,
)
from tap_customwebshop.shop.client import ChangedMeanwhileError, NotFoundError, RequestRefusedError
from tap_customwebshop.shop.mapping import ShopFunctionError
from tap_customwebshop.shop.reading import SingleRecords
from target_powerofficego.dataflow.table import now
from target_powerofficego.settle.record_flow import record_hash
from target_powerofficego.store.values import SHOP_FILE

from target_customwebshop.shop_records import (
    ChangedMeanwhile,
    ChangeRefused,
    ChangeUnsupported,
    Dry,
    NoAnswer,
    Read,
    RecordError,
    RecordMissing,
    ShopFileFailed,
    ShopRecords,
    TryLater,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests.auth import AuthBase
    from tap_customwebshop.connection import Answer
    from tap_customwebshop.shop.loading import ShopFile
    from tap_customwebshop.shop.reading import Call

    from target_customwebshop.shop_records import Record

    OnRequest = Callable[[str, str], None]


class RefusedAsConflict(ChangeRefused):
    """The shop refused the change because of its current data."""


class CountedConnection(ShopConnection):
    """A connection that calls `on_request` with the method and path of each request."""

    def __init__(self, *address: str, on_request: OnRequest, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*address, **options)
        self._on_request = on_request

    def send(self, method: str, path: str, **content: Any) -> Answer:  # noqa: ANN401
        """See `ShopConnection`."""
        self._on_request(method, path)
        return super().send(method, path, **content)


class FileRecords(ShopRecords[SingleRecords]):
    """Records as a shop file reads and changes them.

    Args:
        file: the shop file.
        config: the settings, named as in tap-customwebshop.
        connect: opens a connection that reports its requests and authenticates.
        retry_seconds: seconds for all attempts at one call.
    """

    unchanged_error = ChangeUnsupported
    detects_edits = False

    def __init__(
        self,
        file: ShopFile,
        config: Mapping[str, Any],
        connect: Callable[[OnRequest, AuthBase | None], CountedConnection],
        *,
        retry_seconds: float,
    ) -> None:
        super().__init__(self._open, retry_seconds=retry_seconds)
        self.shop_file_mark = f"{SHOP_FILE} {file.fingerprint}"
        self._file = file
        self._config = config
        self._connect = connect

    def unsupported_reason(self, entity: str) -> str | None:
        """See `ShopRecords`."""
        if "change" not in self._file.functions:
            return f"{self._file.name} has no change()"
        return self._unreadable_reason(entity)

    def _unreadable_reason(self, entity: str) -> str | None:
        """Return why no single record of an entity can be read, or None if they can."""
        listing = self._file.listings.get(entity)
        if listing is None or not listing.single:
            return f"{self._file.name} does not define how one of the {entity} is read ('single')"
        return None

    def read(self, entity: str, shop_id: str) -> Read:
        """See `ShopRecords`."""
        if reason := self._unreadable_reason(entity):
            raise TryLater(reason)
        read_at = now()
        with self._record_errors(entity):
            record = self._opened().read(entity, shop_id)
        return Read(record, record_hash(record, ""), read_at)

    def require_supported(self, entity: str, shop_id: str, patch: Record) -> None:
        """See `ShopRecords`."""
        self._calls(entity, shop_id, patch)

    def change(self, entity: str, shop_id: str, patch: Record, current: Read) -> Read:
        """See `ShopRecords`; the record is read again, because the answer has the shop's own form.

        Calls are sent in order, up to the first that fails: later ones may depend on it.
        """
        budget = RetryBudget(self._retry_seconds)
        while (error := self._send(entity, shop_id, patch, current)) is not None:
            wait = budget.next_wait(
                error.retry_after, kind=error.reason, most_attempts=error.most_attempts
            )
            if wait is None:
                raise self._final_error(
                    f"{entity} {shop_id}: {error.reason}", self._probe_for(entity)
                )
            self._sleep(wait)
            self._require_unedited(entity, shop_id, current)
        try:
            return self.read(entity, shop_id)
        except (RecordError, ShopError) as failure:
            raise NoAnswer(f"it was changed, but cannot be read again: {failure}") from None

    def _require_unedited(self, entity: str, shop_id: str, current: Read) -> None:
        """Require that a record is still as it was read.

        Raises:
            ChangedMeanwhile: it is not; and what `read` raises.
        """
        if self.read(entity, shop_id).tag != current.tag:
            raise ChangedMeanwhile(f"{entity} {shop_id} was edited in the shop in the meantime")

    def _calls(self, entity: str, shop_id: str, patch: Record) -> list[Call]:
        """Return the calls that make a change, at least one.

        Raises:
            ChangeUnsupported: there are none; and what `_record_errors` raises.
        """
        with self._record_errors(entity):
            calls = self._opened().calls(entity, shop_id, patch)
        if not calls:
            members = ", ".join(sorted(patch))
            raise ChangeUnsupported(f"{self._file.name} does not support this change of {members}")
        return calls

    def _send(
        self, entity: str, shop_id: str, patch: Record, current: Read
    ) -> TemporaryError | None:
        """Send a change once; return the error if nothing was done and it may be sent again.

        A shop may also answer with a conflict because of other records, such as an e-mail address
        that another customer has.

        Raises:
            ChangedMeanwhile, RecordMissing, ChangeRefused, NoAnswer, ShopError: see `change`.
        """
        first, *others = self._calls(entity, shop_id, patch)
        try:
            error = self._send_call(first)
        except RefusedAsConflict:
            self._require_unedited(entity, shop_id, current)
            raise
        if error is None:
            for call in others:
                self._send_further_call(call)
        return error

    def _send_further_call(self, call: Call) -> None:
        """Send a further call of a change, after the shop has accepted an earlier one.

        Raises:
            NoAnswer: it was not done, or it is not known whether it was.
        """
        try:
            error = self._send_call(call)
            if error is not None:
                self._sleep(RetryBudget(self._retry_seconds).next_wait(error.retry_after) or 0)
                raise NoAnswer(f"{call[0]}: {error.reason}")
        except (RecordMissing, ChangeRefused, ShopError) as failure:
            raise NoAnswer(f"only part of it was done: {failure}", refusal=failure) from None

    def _send_call(self, call: Call) -> TemporaryError | None:
        """Send a call once; return the error if it was certainly not done and may be sent again.

        Raises:
            RecordMissing, ChangeRefused, NoAnswer, ShopError: see `change`.
        """
        method, path, _ = call
        self._thread_local.sent = (method, path)
        try:
            self._opened().send(call)
        except TemporaryError as error:
            if error.may_have_happened:
                raise NoAnswer(f"{method}: {error.reason}") from None
            return error
        except ShopFunctionError as error:
            raise NoAnswer(f"its answer could not be read: {error.reason}") from None
        except NotFoundError as error:
            raise RecordMissing(str(error)) from None
        except WrongPathError as error:
            raise ShopFileFailed(str(error)) from None
        except RequestRefusedError as error:
            kind = RefusedAsConflict if isinstance(error, ChangedMeanwhileError) else ChangeRefused
            raise kind(str(error), title=error.title, detail=error.detail) from None
        finally:
            self._thread_local.sent = None
        return None

    @contextlib.contextmanager
    def _record_errors(self, entity: str) -> Iterator[None]:
        """Convert the errors that are about one record; others end the run."""
        try:
            yield
        except NotFoundError as error:
            self._check_address(entity)
            raise RecordMissing(str(error)) from None
        except ShopFunctionError as error:
            raise ShopFileFailed(error.reason) from None
        except WrongPathError as error:
            raise ShopFileFailed(str(error)) from None
        except RequestRefusedError as error:
            raise TryLater(str(error)) from None
        except ShopUnavailableError as error:
            if self._stop.is_set():
                raise
            raise self._final_error(str(error), self._probe_for(entity)) from None

    def _check_address(self, entity: str) -> None:
        """Check, once per run, that a missing record is not due to a wrong address.

        Raises:
            ShopRefusedError: the list of such records is missing as well.
        """
        if entity in self._checked_entities:
            return
        try:
            next(self._opened().client.pages(self._file.listings[entity], None), None)
        except NotFoundError as error:
            raise ShopRefusedError(
                f"{error} Correct the setting 'api_url' or the shop file, then run again."
            ) from None
        self._checked_entities.add(entity)

    def _probe_for(self, entity: str) -> Callable[[], object]:
        return functools.partial(self._opened().client.probe, self._file.listings[entity])

    def _open(self) -> SingleRecords:
        return SingleRecords(
            self._file, self._config, functools.partial(self._connect, self._count), self._sleep
        )

    def _count(self, method: str, path: str) -> None:
        """Count a call; only a change is a write, because a shop file may also read by POST."""
        is_change = getattr(self._thread_local, "sent", None) == (method, path)
        self.calls.note(method if is_change else "GET", path)


class DryFileRecords(Dry[SingleRecords], FileRecords):
    """Records as a shop file reads them, in a dry run."""
