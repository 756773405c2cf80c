"""Reads and changes single records of a shop with the contract's API, from any number of threads.

What a request to the shop for one record can yield instead of the record.

What ends the whole run is tap_customwebshop's `ShopError`. Of these each is about one record:

RecordError
 ├─ RecordMissing          the shop has no such record: reject, each run looks again
 ├─ ChangedMeanwhile  it was edited since it was read (412): read again, merge again
 ├─ ChangeRefused          the shop understood the change and said no: reject
 ├─ ChangeUnsupported         by its shop file the shop does not take the change: kept until that changes
 ├─ TryLater          the shop kept failing on this record and did nothing: reject, next run tries
 │   └─ ShopFileFailed     the shop file fails on this record: reject, next run tries
 └─ NoAnswer          a change left and its answer, or part of it, is missing: look before repeating

`str()` is one line with method, path and status; what the shop says of the reason may quote
personal data and stands only in `.detail`.
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
    """Something prevented the handling of one record."""

    def __init__(self, message: str, *, title: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.title = title
        self.detail = detail


class RecordMissing(RecordError):
    """The shop has no such record."""


class ChangedMeanwhile(RecordError):
    """The record is no longer the one that was read; nothing was changed."""


class ChangeRefused(RecordError):
    """The shop understood the change and refused it; nothing was changed."""


class ChangeUnsupported(RecordError):
    """The shop takes no such change, by its shop file or by what it did with it."""


class TryLater(RecordError):
    """The shop kept failing, and did nothing."""


class ShopFileFailed(TryLater):
    """The shop file fails on this record; nothing was changed."""


class NoAnswer(RecordError):
    """The change was sent and its answer is missing; only the shop can tell whether it happened.

    Or it was sent in several calls, of which the shop took some: then `refusal` is why it did not
    take the next one; None where that may be sent again.
    """

    def __init__(self, message: str, *, refusal: Exception | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal


Record = dict[str, Any]


def patched(record: Record, patch: Record) -> Record:
    """Return a record after a merge patch; what the patch empties is null, not absent.

    Two patches are joined by the same rule: `patched(first, second)` does what both do.
    """
    result = dict(record)
    for name, value in patch.items():
        known = result.get(name)
        is_group = isinstance(value, dict)
        result[name] = (
            patched(known if isinstance(known, dict) else {}, value) if is_group else value
        )
    return result


MERGE_PATCH = "application/merge-patch+json"
_GONE = (404, 410)
_KEY_ADVICE = {
    401: "it does not know the key; correct the setting 'auth_token', then run again",
    403: "the key may not do this; let it read and change customers, products and orders in the"
    " shop, or set another 'auth_token'",
}
_SCHEMAS = {"customers": CUSTOMERS, "products": PRODUCTS, "orders": ORDERS}
_SIGN_OF_LIFE_SECONDS = 10.0
_LONGEST_TITLE = 200


@dataclass(frozen=True)
class Read:
    """A record in the contract's form, as the tap emits it.

    `tag` changes whenever the record does; `read_at` is just before the request; `outside` are the
    names of fields that the contract does not have: they are in `custom` here, but stand beside it
    in the shop.
    """

    record: Record
    tag: str
    read_at: datetime
    outside: frozenset[str] = frozenset()


Opened = TypeVar("Opened", bound="Closeable")


class Closeable(Protocol):
    """What each thread opens for itself."""

    def close(self) -> None:
        """Close its connections."""


class ShopRecords(abc.ABC, Generic[Opened]):
    """The shop's single records.

    Args:
        open_for_thread: opens what each thread has of its own to ask the shop with.
        retry_seconds: seconds for all attempts at one call.

    Class attributes:
        unchanged_error: what it means that the shop took a change, and kept its own value.
        detects_edits: whether a change is refused if a person edited the record since it
            was read, so that all else in the answer is the shop's own doing.
    """

    system = "the shop"
    unchanged_error: type[RecordError] = ChangeRefused
    detects_edits = True
    mark = ""
    """What an edit that the shop does not take waits for: another shop file than this one."""

    def __init__(self, open_for_thread: Callable[[], Opened], *, retry_seconds: float) -> None:
        self.calls = CallCount()
        self._open_for_thread = open_for_thread
        self._retry_seconds = retry_seconds
        self._of_thread = threading.local()
        self._stop = threading.Event()
        self._all: list[Opened] = []
        self._listed: set[str] = set()
        self._lock = threading.Lock()

    @abc.abstractmethod
    def read(self, entity: str, shop_id: str) -> Read:
        """Return a record.

        Raises:
            RecordMissing: the shop has none under this id.
            TryLater: it kept failing on this one.
            ShopError: no call can succeed as things are.
        """

    @abc.abstractmethod
    def change(self, entity: str, shop_id: str, patch: Record, found: Read) -> Read:
        """Change a record that is still as it was found, and return it.

        Raises:
            ChangedMeanwhile, RecordMissing, ChangeRefused, ChangeUnsupported, TryLater: nothing was changed.
            NoAnswer: whether it was changed, or how much of it, is not known.
            ShopError: no call can succeed as things are; nothing was changed.
        """

    def unsupported_reason(self, entity: str) -> str | None:
        """Say why no record of this kind can be written to; None if they can."""
        del entity
        return None

    def require_supported(self, entity: str, shop_id: str, patch: Record) -> None:
        """Require that there is a request by which the shop takes a change; nothing is changed.

        Raises:
            ChangeUnsupported, ShopFileFailed: there is none.
            TryLater, ShopError: the shop cannot be asked for what that depends on.
        """

    def cancel(self) -> None:
        """End every wait; calls in flight finish."""
        self._stop.set()

    def close(self) -> None:
        """Close the connections of all threads, once their calls are over."""
        with self._lock:
            for opened in self._all:
                opened.close()

    def _sleep(self, seconds: float) -> None:
        """Wait before the shop is asked again.

        Raises:
            ShopUnavailableError: the run is to end.
        """
        if self._stop.wait(seconds):
            raise ShopUnavailableError("stopped on request while waiting to ask the shop again")

    def _opened(self) -> Opened:
        """Return what this thread asks the shop with."""
        opened: Opened | None = getattr(self._of_thread, "opened", None)
        if opened is None:
            opened = self._of_thread.opened = self._open_for_thread()
            with self._lock:
                self._all.append(opened)
        return opened

    def _given_up(self, what: str, ask: Callable[[], object]) -> TryLater | ShopUnavailableError:
        """Distinguish one record that keeps failing from a shop that answers nothing at all."""
        patience = RetryBudget(min(_SIGN_OF_LIFE_SECONDS, self._retry_seconds))
        while True:
            try:
                ask()
            except TemporaryError as silent:
                wait = patience.next_wait(silent.retry_after)
                if wait is None or self._stop.wait(wait):
                    return ShopUnavailableError(f"{what}. Run again later.")
            else:
                return TryLater(what)


class ContractRecords(ShopRecords[ShopConnection]):
    """Records by the contract's API: `GET` with an ETag, `PATCH` with If-Match."""

    def read(self, entity: str, shop_id: str) -> Read:
        """See `ShopRecords`."""
        path = f"/{entity}/{quote(shop_id, safe='')}"
        read_at = now()
        answer = self._ask("GET", path)
        if answer.status in _GONE:
            self._check_address(entity)
            raise RecordMissing(f"GET {self._shown(path)}: {answer.status}")
        if answer.status != 200:
            raise TryLater(f"GET {self._shown(path)}: the shop answered {answer.status}")
        return self._record("GET", path, answer, read_at)

    def change(self, entity: str, shop_id: str, patch: Record, found: Read) -> Read:
        """See `ShopRecords`."""
        path = f"/{entity}/{quote(shop_id, safe='')}"
        told = _as_the_shop_has_it(patch, found.outside)
        body = simplejson.dumps(told, use_decimal=True, ensure_ascii=False).encode()
        headers = {"Content-Type": MERGE_PATCH, "If-Match": found.tag}
        answer = self._ask("PATCH", path, body=body, headers=headers)
        shown = f"PATCH {self._shown(path)}: {answer.status}"
        if answer.status == 412:
            raise ChangedMeanwhile(shown)
        if answer.status in _GONE:
            raise RecordMissing(shown)
        if answer.status in (405, 501):
            raise ContractBrokenError(
                f"{shown}: the shop takes no changes over its API; see docs/shop-api.md."
            )
        if not 200 <= answer.status < 300:
            raise _not_taken(shown, answer)
        try:
            return self._record("PATCH", path, answer, now())
        except (ContractBrokenError, TryLater) as error:
            raise NoAnswer(str(error)) from None

    def _ask(self, method: str, path: str, **content: Any) -> Answer:  # noqa: ANN401
        patience = RetryBudget(self._retry_seconds)
        while True:
            self.calls.note(method, path.split("/")[1])
            try:
                answer = self._opened().send(method, path, **content)
            except WrongPathError as error:
                raise RecordMissing(str(error)) from None
            except TemporaryError as trouble:
                if method != "GET" and trouble.may_have_happened:
                    raise NoAnswer(f"{method} {self._shown(path)}: {trouble.reason}") from None
                wait = patience.next_wait(
                    trouble.retry_after, kind=trouble.reason, most_attempts=trouble.most_attempts
                )
                if wait is None:
                    what = f"{method} {self._shown(path)}: {trouble.reason}"
                    raise self._given_up(what, self._ask_for_a_list) from None
            else:
                self._check_key(method, path, answer)
                return answer
            self._sleep(wait)

    def _check_key(self, method: str, path: str, answer: Answer) -> None:
        if advice := _KEY_ADVICE.get(answer.status):
            raise ShopRefusedError(
                f"{method} {self._shown(path)}: the shop answered {answer.status}: {advice}."
            )

    def _check_address(self, entity: str) -> None:
        """Check, once per run, that there is a shop at the address where a record is not found.

        Raises:
            ShopRefusedError: its list is not there either.
        """
        if entity in self._listed:
            return
        path = f"/{entity}"
        answer = self._ask("GET", path, query={"limit": "1"})
        if answer.status in _GONE:
            raise ShopRefusedError(
                f"GET {self._shown(path)}: the shop answered {answer.status}: there is nothing at"
                " this address; correct the setting 'api_url', then run again."
            )
        self._listed.add(entity)

    def _ask_for_a_list(self) -> Answer:
        self.calls.note("GET", "customers")
        return self._opened().send("GET", "/customers", query={"limit": "1"})

    def _record(self, method: str, path: str, answer: Answer, read_at: datetime) -> Read:
        """Read a record from an answer.

        Raises:
            ContractBrokenError: it holds none, or has no tag.
        """
        try:
            record = read_json(answer.body)
        except ValueError:
            record = None
        shown = f"{method} {self._shown(path)}"
        if not isinstance(record, dict):
            raise ContractBrokenError(f"{shown}: the answer is no record; see docs/shop-api.md.")
        tag = answer.headers.get("ETag", "")
        if not tag or tag.startswith("W/"):
            kind = "a weak ETag, which If-Match never takes" if tag else "no ETag"
            raise ContractBrokenError(
                f"{shown}: the answer has {kind}, so an edit made meanwhile in the shop could be"
                " lost; see docs/shop-api.md."
            )
        schema = _SCHEMAS[path.split("/")[1]]
        numbers_to_text(record, schema)
        shop_id = unquote(path.rpartition("/")[2])
        if str(record.get("id", shop_id)).strip() != shop_id:
            raise TryLater(f"{shown}: the answer is another record's; see docs/shop-api.md")
        outside = frozenset(record.keys() - schema["properties"].keys())
        if outside:
            move_to_custom(record, outside)
        return Read(record, tag, read_at, outside)

    def _shown(self, path: str) -> str:
        return self._opened().redacted(path)


class Dry(ShopRecords[Opened]):
    """Records in a dry run: reads are real, a change is answered here and sent nowhere."""

    def change(self, entity: str, shop_id: str, patch: Record, found: Read) -> Read:
        """Answer with the record as it would be."""
        del entity, shop_id
        return replace(found, record=patched(found.record, patch))


class DryContractRecords(Dry[ShopConnection], ContractRecords):
    """Records by the contract's API in a dry run."""


def _as_the_shop_has_it(patch: Record, outside: frozenset[str]) -> Record:
    """Return a patch with fields outside the contract placed where they stand in the shop."""
    custom = patch.get("custom")
    if not isinstance(custom, dict) or not outside.intersection(custom):
        return patch
    within = {name: value for name, value in custom.items() if name not in outside}
    beside = {name: value for name, value in custom.items() if name in outside}
    told = {name: value for name, value in patch.items() if name != "custom"}
    return {**told, **beside, **({"custom": within} if within else {})}


def _not_taken(shown: str, answer: Answer) -> ChangeRefused:
    """Return the refusal with what the shop says about it (RFC 9457), if it says anything."""
    try:
        problem = read_json(answer.body)
    except ValueError:
        problem = None
    told = problem if isinstance(problem, dict) else {}
    title, detail = (str(told.get(name) or "")[:_LONGEST_TITLE] for name in ("title", "detail"))
    return ChangeRefused(shown, title=title, detail=detail)
