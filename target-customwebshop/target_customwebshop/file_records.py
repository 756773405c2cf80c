"""Reads and changes single records of a shop by its shop file, from any number of threads.

Such a shop has no ETag and no If-Match. So the tag is a hash of the record, and a record that has
to wait before it is changed is read again and compared; an edit that a person makes in the shop
between that reading and the change is overwritten, for nothing would show it.
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

    Note = Callable[[str, str], None]


class Conflict(ChangeRefused):
    """The shop refused the change because of what it holds now."""


class CountedConnection(ShopConnection):
    """A connection that says what is asked, each time."""

    def __init__(self, *address: str, note: Note, **how: Any) -> None:  # noqa: ANN401
        super().__init__(*address, **how)
        self._note = note

    def send(self, method: str, path: str, **content: Any) -> Answer:  # noqa: ANN401
        """See `ShopConnection`."""
        self._note(method, path)
        return super().send(method, path, **content)


class FileRecords(ShopRecords[SingleRecords]):
    """Records as a shop file reads and changes them.

    Args:
        file: the shop file.
        config: the settings, as of tap-customwebshop.
        connect: makes a connection that tells what is asked, and shows who asks.
        retry_seconds: seconds for all attempts at one call.
    """

    unchanged_error = ChangeUnsupported
    detects_edits = False

    def __init__(
        self,
        file: ShopFile,
        config: Mapping[str, Any],
        connect: Callable[[Note, AuthBase | None], CountedConnection],
        *,
        retry_seconds: float,
    ) -> None:
        super().__init__(self._open, retry_seconds=retry_seconds)
        self.mark = f"{SHOP_FILE} {file.fingerprint}"
        self._file = file
        self._config = config
        self._connect = connect

    def unsupported_reason(self, entity: str) -> str | None:
        """See `ShopRecords`."""
        if "change" not in self._file.functions:
            return f"{self._file.name} has no change()"
        return self._why_unread(entity)

    def _why_unread(self, entity: str) -> str | None:
        """Say why no single record of this kind can be read; None if they can."""
        listing = self._file.listings.get(entity)
        if listing is None or not listing.single:
            return f"{self._file.name} does not say how one of the {entity} is read ('single')"
        return None

    def read(self, entity: str, shop_id: str) -> Read:
        """See `ShopRecords`."""
        if why := self._why_unread(entity):
            raise TryLater(why)
        read_at = now()
        with self._of_one_record(entity):
            record = self._opened().read(entity, shop_id)
        return Read(record, record_hash(record, ""), read_at)

    def require_supported(self, entity: str, shop_id: str, patch: Record) -> None:
        """See `ShopRecords`."""
        self._calls(entity, shop_id, patch)

    def change(self, entity: str, shop_id: str, patch: Record, found: Read) -> Read:
        """See `ShopRecords`; the record is read again, for the answer has the shop's own form.

        Calls are sent in order, up to the first that fails: later ones may presuppose it.
        """
        patience = RetryBudget(self._retry_seconds)
        while (trouble := self._send(entity, shop_id, patch, found)) is not None:
            wait = patience.next_wait(
                trouble.retry_after, kind=trouble.reason, most_attempts=trouble.most_attempts
            )
            if wait is None:
                raise self._given_up(f"{entity} {shop_id}: {trouble.reason}", self._knock(entity))
            self._sleep(wait)
            self._see_that_it_is_as_found(entity, shop_id, found)
        try:
            return self.read(entity, shop_id)
        except (RecordError, ShopError) as error:
            raise NoAnswer(f"it was changed, but cannot be read again: {error}") from None

    def _see_that_it_is_as_found(self, entity: str, shop_id: str, found: Read) -> None:
        """Require that a record is still the one that was read.

        Raises:
            ChangedMeanwhile: it is another one; and what `read` raises.
        """
        if self.read(entity, shop_id).tag != found.tag:
            raise ChangedMeanwhile(f"{entity} {shop_id} was edited in the shop meanwhile")

    def _calls(self, entity: str, shop_id: str, patch: Record) -> list[Call]:
        """Return the calls with which the shop takes a change, at least one."""
        with self._of_one_record(entity):
            calls = self._opened().calls(entity, shop_id, patch)
        if not calls:
            members = ", ".join(sorted(patch))
            raise ChangeUnsupported(f"{self._file.name} takes no change of {members} here")
        return calls

    def _send(self, entity: str, shop_id: str, patch: Record, found: Read) -> TemporaryError | None:
        """Send a change once; return why nothing of it was done, if it may be sent again.

        A shop may answer a conflict for what has to do with other records, such as an e-mail
        address that another customer has.

        Raises:
            ChangedMeanwhile, RecordMissing, ChangeRefused, NoAnswer, ShopError: see `change`.
        """
        first, *others = self._calls(entity, shop_id, patch)
        try:
            trouble = self._send_call(first)
        except Conflict:
            self._see_that_it_is_as_found(entity, shop_id, found)
            raise
        if trouble is None:
            for call in others:
                self._send_on(call)
        return trouble

    def _send_on(self, call: Call) -> None:
        """Send a call of a change of which the shop has taken another one.

        Raises:
            NoAnswer: it was not done, or whether it was is not known.
        """
        try:
            trouble = self._send_call(call)
            if trouble is not None:
                self._sleep(RetryBudget(self._retry_seconds).next_wait(trouble.retry_after) or 0)
                raise NoAnswer(f"{call[0]}: {trouble.reason}")
        except (RecordMissing, ChangeRefused, ShopError) as error:
            raise NoAnswer(f"only part of it was taken: {error}", refusal=error) from None

    def _send_call(self, call: Call) -> TemporaryError | None:
        """Send a call once; return why it was certainly not done, if it may be sent again.

        Raises:
            RecordMissing, ChangeRefused, NoAnswer, ShopError: see `change`.
        """
        method, path, _ = call
        self._of_thread.sent = (method, path)
        try:
            self._opened().send(call)
        except TemporaryError as trouble:
            if trouble.may_have_happened:
                raise NoAnswer(f"{method}: {trouble.reason}") from None
            return trouble
        except ShopFunctionError as error:
            raise NoAnswer(f"what it answered is not known: {error.reason}") from None
        except NotFoundError as error:
            raise RecordMissing(str(error)) from None
        except WrongPathError as error:
            raise ShopFileFailed(str(error)) from None
        except RequestRefusedError as error:
            kind = Conflict if isinstance(error, ChangedMeanwhileError) else ChangeRefused
            raise kind(str(error), title=error.title, detail=error.detail) from None
        finally:
            self._of_thread.sent = None
        return None

    @contextlib.contextmanager
    def _of_one_record(self, entity: str) -> Iterator[None]:
        """Tell what is about one record from what ends the run."""
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
            raise self._given_up(str(error), self._knock(entity)) from None

    def _check_address(self, entity: str) -> None:
        """Check, once per run, that there is a list where a record is not found.

        Raises:
            ShopRefusedError: there is none either.
        """
        if entity in self._listed:
            return
        try:
            next(self._opened().client.pages(self._file.listings[entity], None), None)
        except NotFoundError as error:
            raise ShopRefusedError(
                f"{error} Correct the setting 'api_url' or the shop file, then run again."
            ) from None
        self._listed.add(entity)

    def _knock(self, entity: str) -> Callable[[], object]:
        return functools.partial(self._opened().client.probe, self._file.listings[entity])

    def _open(self) -> SingleRecords:
        return SingleRecords(
            self._file, self._config, functools.partial(self._connect, self._note), self._sleep
        )

    def _note(self, method: str, path: str) -> None:
        """Count a call: only a change as a write, for a shop file may read by POST as well."""
        is_change = getattr(self._of_thread, "sent", None) == (method, path)
        self.calls.note(method if is_change else "GET", path)


class DryFileRecords(Dry[SingleRecords], FileRecords):
    """Records by a shop file in a dry run."""
