"""Reads and changes single records of a shop by its shop file, from any number of threads.

Such a shop has no ETag and no If-Match. So the tag is a hash of the record, and a record that has
to wait before it is changed is read again and compared; an edit that a person makes in the shop
between that reading and the change is overwritten, for nothing would show it.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from tap_customwebshop.connection import PassingTrouble, Patience, ShopConnection
from tap_customwebshop.errors import (
    ShopError,
    ShopRefusedError,
    ShopUnavailableError,
    WrongPathError,
)
from tap_customwebshop.shop.asking import ChangedMeanwhileError, NotTakenError, NotThereError
from tap_customwebshop.shop.mapping import WrongRowError
from tap_customwebshop.shop.reading import SingleRecords
from target_powerofficego.dataflow.table import now
from target_powerofficego.settle.record_flow import record_hash

from target_customwebshop.shop_records import (
    ChangedMeanwhile,
    Dry,
    LeftAlone,
    NoAnswer,
    NotByFile,
    NotTaken,
    NotThere,
    Read,
    RecordError,
    ShopRecords,
    TryLater,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests.auth import AuthBase
    from tap_customwebshop.connection import Answer
    from tap_customwebshop.shop.loading import ShopFile

    from target_customwebshop.shop_records import Record

    Note = Callable[[str, str], None]
    Request = tuple[str, str, Any]


class CountedConnection(ShopConnection):
    """A connection that says what is asked, each time."""

    def __init__(self, *address: str, note: Note, **how: Any) -> None:  # noqa: ANN401
        super().__init__(*address, **how)
        self._note = note

    def ask(self, method: str, path: str, **content: Any) -> Answer:  # noqa: ANN401
        """See `ShopConnection`."""
        self._note(method, path)
        return super().ask(method, path, **content)


class FileRecords(ShopRecords[SingleRecords]):
    """Records as a shop file reads and changes them.

    Args:
        file: the shop file.
        config: the settings, as of tap-customwebshop.
        connect: makes a connection that tells what is asked, and shows who asks.
        retry_seconds: seconds for all attempts at one call.
    """

    kept_as_it_was = LeftAlone
    sees_edits_meanwhile = False

    def __init__(
        self,
        file: ShopFile,
        config: Mapping[str, Any],
        connect: Callable[[Note, AuthBase | None], CountedConnection],
        *,
        retry_seconds: float,
    ) -> None:
        super().__init__(self._open, retry_seconds=retry_seconds)
        self.mark = f"shop file {file.fingerprint}"
        self._file = file
        self._config = config
        self._connect = connect

    def why_left_alone(self, entity: str) -> str | None:
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

    def see_that_it_is_taken(self, entity: str, shop_id: str, patch: Record) -> None:
        """See `ShopRecords`."""
        self._request(entity, shop_id, patch)

    def change(self, entity: str, shop_id: str, patch: Record, found: Read) -> Read:
        """See `ShopRecords`; the record is read again, for the answer has the shop's own form."""
        patience = Patience(self._retry_seconds)
        while (trouble := self._send(entity, shop_id, patch, found)) is not None:
            wait = patience.next_wait(
                trouble.retry_after, kind=trouble.what, most_attempts=trouble.most_attempts
            )
            if wait is None:
                raise self._given_up(f"{entity} {shop_id}: {trouble.what}", self._knock(entity))
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

    def _request(self, entity: str, shop_id: str, patch: Record) -> Request:
        """Return the request with which the shop takes a change."""
        with self._of_one_record(entity):
            request = self._opened().request(entity, shop_id, patch)
        if request is None:
            members = ", ".join(sorted(patch))
            raise LeftAlone(f"{self._file.name} takes no change of {members} here")
        return request

    def _send(self, entity: str, shop_id: str, patch: Record, found: Read) -> PassingTrouble | None:
        """Send a change once; return why it was certainly not done, if it may be sent again.

        A shop may answer a conflict for what has to do with other records, such as an e-mail
        address that another customer has.

        Raises:
            ChangedMeanwhile, NotThere, NotTaken, NoAnswer, ShopError: see `change`.
        """
        method, path, _ = request = self._request(entity, shop_id, patch)
        self._of_thread.sent = (method, path)
        try:
            self._opened().asker.send(*request)
        except PassingTrouble as trouble:
            if trouble.may_be_done:
                raise NoAnswer(f"{method}: {trouble.what}") from None
            return trouble
        except NotThereError as error:
            raise NotThere(str(error)) from None
        except WrongPathError as error:
            raise NotByFile(str(error)) from None
        except NotTakenError as error:
            self._of_thread.sent = None
            if isinstance(error, ChangedMeanwhileError):
                self._see_that_it_is_as_found(entity, shop_id, found)
            raise NotTaken(str(error), title=error.title, detail=error.detail) from None
        finally:
            self._of_thread.sent = None
        return None

    @contextlib.contextmanager
    def _of_one_record(self, entity: str) -> Iterator[None]:
        """Tell what is about one record from what ends the run."""
        try:
            yield
        except NotThereError as error:
            self._check_address(entity)
            raise NotThere(str(error)) from None
        except WrongRowError as error:
            raise NotByFile(error.words) from None
        except WrongPathError as error:
            raise NotByFile(str(error)) from None
        except NotTakenError as error:
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
            next(self._opened().asker.pages(self._file.listings[entity], None), None)
        except NotThereError as error:
            raise ShopRefusedError(
                f"{error} Correct the setting 'api_url' or the shop file, then run again."
            ) from None
        self._listed.add(entity)

    def _knock(self, entity: str) -> Callable[[], object]:
        return functools.partial(self._opened().asker.knock, self._file.listings[entity])

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
