"""Reads and changes single records of a shop that has the contract's API; safe for any thread.

An error that ends the whole run is tap_customwebshop's `ShopError`. The following are about one
record:

RecordError
 ├─ RecordMissing       the shop has no such record: reject, and each run looks again
 ├─ ChangedMeanwhile    it was edited since it was read (412): read and merge again
 ├─ ChangeRefused       the shop understood the change and refused it: reject
 ├─ ChangeUnsupported   the shop file does not support the change: parked until the file changes
 ├─ TryLater            the shop kept failing on this record: reject, and the next run retries
 │   └─ ShopFileFailed  the shop file fails on this record: reject, and the next run retries
 └─ NoAnswer            a change was sent, but (part of) its answer is missing: look, then retry

`str()` is one line with method, path and status. What the shop says about the reason may contain
personal data, so it is only in `.detail`.
"""

from __future__ import annotations

import abc
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import quote, unquote

import simplejson
from tap_customwebshop.connection import RetryBudget, ShopConnection, TemporaryError
from tap_customwebshop.errors import (
    ContractBrokenError,
    ShopRefusedError,
    ShopUnavailableError,
    WrongPathError,
)
from tap_customwebshop.plugin.json_text import read_json
from tap_customwebshop.records import move_to_custom, numbers_to_text
from tap_customwebshop.schemas import CUSTOMERS, ORDERS, PRODUCTS
from target_powerofficego.dataflow.table import now
from target_powerofficego.go_api import CallCount

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_customwebshop.connection import Answer


# ruff: noqa: N818 - the names say what happened, as the tree above shows


class RecordError(Exception):
    """A record could not be read or changed."""

    def __init__(self, message: str, *, title: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.title = title
        self.detail = detail


class RecordMissing(RecordError):
    """The shop has no such record."""


class ChangedMeanwhile(RecordError):
    """The record was edited after it was read; nothing was changed."""


class ChangeRefused(RecordError):
    """The shop understood the change and refused it; nothing was changed."""


class ChangeUnsupported(RecordError):
    """The shop does not support the change: its file leaves it out, or the shop ignored it."""


class TryLater(RecordError):
    """The shop kept failing; nothing was changed."""


class ShopFileFailed(TryLater):
    """The shop file fails on this record; nothing was changed."""


class NoAnswer(RecordError):
    """The change was sent, but its answer is missing; only a look at the shop shows the outcome.

    If the change takes several calls and the shop accepted some of them, `refusal` is why it
    refused the next one, or None if that one may be sent again.
    """

    def __init__(self, message: str, *, refusal: Exception | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


Record = dict[str, Any]


def patched(record: Record, patch: Record) -> Record:
    """Return a record after a merge patch; what the patch removes becomes null, not absent.

    Two patches combine by the same rule: `patched(first, second)` does what both do.
    """
    result = dict(record)
    for name, value in patch.items():
        current = result.get(name)
        if isinstance(value, dict):
            result[name] = patched(current if isinstance(current, dict) else {}, value)
        else:
            result[name] = value
    return result


MERGE_PATCH = "application/merge-patch+json"
_GONE = (404, 410)
_KEY_ADVICE = {
    401: "the key is not valid; correct the setting 'auth_token', then run again",
    403: "the key is not allowed to do this; let it read and change customers, products and orders"
    " in the shop, or set another 'auth_token'",
}
_SCHEMAS = {"customers": CUSTOMERS, "products": PRODUCTS, "orders": ORDERS}
_PROBE_SECONDS = 10.0
_LONGEST_TITLE = 200


@dataclass(frozen=True)
class Read:
    """A record in the contract's form, as the tap emits it.

    `tag` changes whenever the record does; `read_at` is the time just before the request.
    `extra_fields` are the names of fields that are not in the contract: they are in `custom` here,
    but beside it in the shop.
    """

    record: Record
    tag: str
    read_at: datetime
    extra_fields: frozenset[str] = frozenset()


Opened = TypeVar("Opened", bound="Closeable")


class Closeable(Protocol):
    """What each thread opens for itself."""

    def close(self) -> None:
        """Close the connections."""


class ShopRecords(abc.ABC, Generic[Opened]):
    """Access to the shop's single records.

    Args:
        open_for_thread: opens the client with which a thread calls the shop.
        retry_seconds: seconds for all attempts at one call.

    Class attributes:
        unchanged_error: the error if the shop accepts a change but keeps its own value.
        detects_edits: whether the shop refuses a change if the record was edited since it was
            read. Then any other change in its answer is the shop's own.
    """

    system = "the shop"
    unchanged_error: type[RecordError] = ChangeRefused
    detects_edits = True
    shop_file_mark = ""
    """What an unsupported edit waits for: a shop file other than this one."""

    def __init__(self, open_for_thread: Callable[[], Opened], *, retry_seconds: float) -> None:
        self.calls = CallCount()
        self._open_for_thread = open_for_thread
        self._retry_seconds = retry_seconds
        self._thread_local = threading.local()
        self._stop = threading.Event()
        self._all_opened: list[Opened] = []
        self._checked_entities: set[str] = set()
        self._lock = threading.Lock()

    @abc.abstractmethod
    def read(self, entity: str, shop_id: str) -> Read:
        """Return a record.

        Raises:
            RecordMissing: the shop has no record with this id.
            TryLater: the shop kept failing on this record.
            ShopError: no call can succeed now.
        """

    @abc.abstractmethod
    def change(self, entity: str, shop_id: str, patch: Record, current: Read) -> Read:
        """Change a record if it is still as it was read, and return the changed record.

        Raises:
            ChangedMeanwhile, RecordMissing, ChangeRefused, ChangeUnsupported, TryLater: nothing was
                changed.
            NoAnswer: it is not known whether, or how much of, the change was made.
            ShopError: no call can succeed now; nothing was changed.
        """

    def unsupported_reason(self, entity: str) -> str | None:
        """Return why no record of an entity can be changed, or None if they can."""
        del entity
        return None

    def require_supported(self, entity: str, shop_id: str, patch: Record) -> None:
        """Require that the shop supports a change; nothing is changed.

        Raises:
            ChangeUnsupported, ShopFileFailed: it does not.
            TryLater, ShopError: the shop cannot be asked for what this depends on.
        """

    def cancel(self) -> None:
        """End all waits; calls that are under way finish."""
        self._stop.set()

    def close(self) -> None:
        """Close the connections of all threads, whose calls must be over."""
        with self._lock:
            for opened in self._all_opened:
                opened.close()

    def _sleep(self, seconds: float) -> None:
        """Wait before the shop is called again.

        Raises:
            ShopUnavailableError: the run is being stopped.
        """
        if self._stop.wait(seconds):
            raise ShopUnavailableError("stopped on request while waiting to call the shop again")

    def _opened(self) -> Opened:
        """Return the client with which this thread calls the shop."""
        opened: Opened | None = getattr(self._thread_local, "opened", None)
        if opened is None:
            opened = self._thread_local.opened = self._open_for_thread()
            with self._lock:
                self._all_opened.append(opened)
        return opened

    def _final_error(
        self, text: str, probe: Callable[[], object]
    ) -> TryLater | ShopUnavailableError:
        """Return the error for a call that keeps failing, by whether the shop answers a probe."""
        budget = RetryBudget(min(_PROBE_SECONDS, self._retry_seconds))
        while True:
            try:
                probe()
            except TemporaryError as error:
                wait = budget.next_wait(error.retry_after)
                if wait is None or self._stop.wait(wait):
                    return ShopUnavailableError(f"{text}. Run again later.")
            else:
                return TryLater(text)


class ContractRecords(ShopRecords[ShopConnection]):
    """Records of a shop with the contract's API: `GET` with an ETag, `PATCH` with If-Match."""

    def read(self, entity: str, shop_id: str) -> Read:
        """See `ShopRecords`."""
        path = f"/{entity}/{quote(shop_id, safe='')}"
        read_at = now()
        answer = self._ask("GET", path)
        if answer.status in _GONE:
            self._check_address(entity)
            raise RecordMissing(f"GET {self._redacted(path)}: {answer.status}")
        if answer.status != 200:
            raise TryLater(f"GET {self._redacted(path)}: the shop answered {answer.status}")
        return self._record("GET", path, answer, read_at)

    def change(self, entity: str, shop_id: str, patch: Record, current: Read) -> Read:
        """See `ShopRecords`."""
        path = f"/{entity}/{quote(shop_id, safe='')}"
        shop_patch = _with_extra_fields_beside(patch, current.extra_fields)
        body = simplejson.dumps(shop_patch, use_decimal=True, ensure_ascii=False).encode()
        headers = {"Content-Type": MERGE_PATCH, "If-Match": current.tag}
        answer = self._ask("PATCH", path, body=body, headers=headers)
        message = f"PATCH {self._redacted(path)}: {answer.status}"
        if answer.status == 412:
            raise ChangedMeanwhile(message)
        if answer.status in _GONE:
            raise RecordMissing(message)
        if answer.status in (405, 501):
            raise ContractBrokenError(
                f"{message}: the shop's API does not support changes; see docs/shop-api.md."
            )
        if not 200 <= answer.status < 300:
            raise _refusal(message, answer)
        try:
            return self._record("PATCH", path, answer, now())
        except (ContractBrokenError, TryLater) as error:
            raise NoAnswer(str(error)) from None

    def _ask(self, method: str, path: str, **content: Any) -> Answer:  # noqa: ANN401
        budget = RetryBudget(self._retry_seconds)
        while True:
            self.calls.note(method, path.split("/")[1])
            try:
                answer = self._opened().send(method, path, **content)
            except WrongPathError as error:
                raise RecordMissing(str(error)) from None
            except TemporaryError as error:
                text = f"{method} {self._redacted(path)}: {error.reason}"
                if method != "GET" and error.may_have_happened:
                    raise NoAnswer(text) from None
                wait = budget.next_wait(
                    error.retry_after, kind=error.reason, most_attempts=error.most_attempts
                )
                if wait is None:
                    raise self._final_error(text, self._probe) from None
            else:
                self._check_key(method, path, answer)
                return answer
            self._sleep(wait)

    def _check_key(self, method: str, path: str, answer: Answer) -> None:
        if advice := _KEY_ADVICE.get(answer.status):
            raise ShopRefusedError(
                f"{method} {self._redacted(path)}: the shop answered {answer.status}: {advice}."
            )

    def _check_address(self, entity: str) -> None:
        """Check, once per run, that a missing record is not due to a wrong address.

        Raises:
            ShopRefusedError: the list of such records is missing as well.
        """
        if entity in self._checked_entities:
            return
        path = f"/{entity}"
        answer = self._ask("GET", path, query={"limit": "1"})
        if answer.status in _GONE:
            raise ShopRefusedError(
                f"GET {self._redacted(path)}: the shop answered {answer.status}: there is nothing"
                " at this address; correct the setting 'api_url', then run again."
            )
        self._checked_entities.add(entity)

    def _probe(self) -> Answer:
        self.calls.note("GET", "customers")
        return self._opened().send("GET", "/customers", query={"limit": "1"})

    def _record(self, method: str, path: str, answer: Answer, read_at: datetime) -> Read:
        """Return the record in an answer.

        Raises:
            ContractBrokenError: the answer has no record, or no tag.
            TryLater: it is another record.
        """
        try:
            record = read_json(answer.body)
        except ValueError:
            record = None
        request = f"{method} {self._redacted(path)}"
        if not isinstance(record, dict):
            raise ContractBrokenError(
                f"{request}: the answer is not a record; see docs/shop-api.md."
            )
        tag = answer.headers.get("ETag", "")
        if not tag or tag.startswith("W/"):
            fault = "a weak ETag, which If-Match never accepts" if tag else "no ETag"
            raise ContractBrokenError(
                f"{request}: the answer has {fault}, so an edit made in the shop in the meantime"
                " could be lost; see docs/shop-api.md."
            )
        schema = _SCHEMAS[path.split("/")[1]]
        numbers_to_text(record, schema)
        shop_id = unquote(path.rpartition("/")[2])
        if str(record.get("id", shop_id)).strip() != shop_id:
            raise TryLater(f"{request}: the answer is a different record; see docs/shop-api.md")
        extra_fields = frozenset(record.keys() - schema["properties"].keys())
        if extra_fields:
            move_to_custom(record, extra_fields)
        return Read(record, tag, read_at, extra_fields)

    def _redacted(self, path: str) -> str:
        return self._opened().redacted(path)


class Dry(ShopRecords[Opened]):
    """Records in a dry run: reads are real, but changes are only simulated."""

    def change(self, entity: str, shop_id: str, patch: Record, current: Read) -> Read:
        """Return the record as it would be."""
        del entity, shop_id
        return replace(current, record=patched(current.record, patch))


class DryContractRecords(Dry[ShopConnection], ContractRecords):
    """Records of a shop with the contract's API, in a dry run."""


def _with_extra_fields_beside(patch: Record, extra_fields: frozenset[str]) -> Record:
    """Return a patch in which extra fields are beside `custom`, as in the shop."""
    custom = patch.get("custom")
    if not isinstance(custom, dict) or not extra_fields.intersection(custom):
        return patch
    within = {name: value for name, value in custom.items() if name not in extra_fields}
    beside = {name: value for name, value in custom.items() if name in extra_fields}
    others = {name: value for name, value in patch.items() if name != "custom"}
    return {**others, **beside, **({"custom": within} if within else {})}


def _refusal(message: str, answer: Answer) -> ChangeRefused:
    """Return the refusal with the title and detail from the shop, if any (RFC 9457)."""
    try:
        problem = read_json(answer.body)
    except ValueError:
        problem = None
    members = problem if isinstance(problem, dict) else {}
    title, detail = (str(members.get(name) or "")[:_LONGEST_TITLE] for name in ("title", "detail"))
    return ChangeRefused(message, title=title, detail=detail)
