"""Turns a shop's rows into records by the functions of its file, and reports what goes wrong."""

from __future__ import annotations

import re
from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ShopError, ShopFileError, WrongPathError
from tap_customwebshop.shop.client import NotFoundError, RawPage, like
from tap_customwebshop.shop.contract import Contract, WrongRecordError
from tap_customwebshop.shop.listing import Listing
from tap_customwebshop.shop.loading import STREAMS, sentence
from tap_customwebshop.shop.values import MissingMemberError, Notes, WrongValueError, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tap_customwebshop.shop.client import ShopFileClient
    from tap_customwebshop.shop.loading import ShopFile

Record = dict[str, Any]

_MOST_KEPT = 1000
_MOST_FAILURES = 20
"""If so many rows fail and none succeeds, the file is wrong, not the rows."""
_REQUIRED = object()
_OF_ROW = re.compile(r"\(id .*\)|(?<=/)[\w-]*\d[\w-]*|(?<!line )\b\d+\b")
"""Ids, also in paths, and numbers other than those of the file's lines."""


class Shop:
    """What a shop file's functions get as `shop`. Answers are kept for the run.

    Attributes:
        settings: The setting `shop_settings`.
    """

    def __init__(self, client: ShopFileClient, settings: Mapping[str, str]) -> None:
        self.settings = MappingProxyType(dict(settings))
        self.listing = Listing("/")
        self.notes: Notes | None = None
        self._client = client
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._tables: dict[str, Any] = {}

    def get(self, path: str, missing: Any = _REQUIRED) -> Any:  # noqa: ANN401 - JSON
        """Return the answer at a path, such as `/orders/7/refunds`, or at a link from the shop.

        Args:
            path: The path under `api_url`; parameters follow `?`.
            missing: What to return if the shop has nothing there; an error if left out.
        """
        return self._keep(f"get {path}", lambda: self._client.get(path), path, missing)

    def list(
        self,
        what: str | Listing,
        *,
        since: datetime | None = None,
        missing: Any = _REQUIRED,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - rows
        """Return all rows of a list.

        Args:
            what: A Listing, or a path, which is paged like the list that the row came from.
            since: Only what changed since then, if the Listing has `since`.
            missing: What to return if the shop has no such list; an error if left out.
        """
        listing = what if isinstance(what, Listing) else like(self.listing, what)

        def read() -> list[Any]:
            return [row for page in self._client.pages(listing, since) for row in page.rows]

        return self._keep(f"list {listing} {since}", read, listing.path, missing)

    def forget(self) -> None:
        """Forget all answers, so that they are requested again; tables are kept."""
        self._kept.clear()

    def table(self, name: str, make: Callable[[Shop], Any]) -> Any:  # noqa: ANN401
        """Return what `make(shop)` returned the first time in this run, such as VAT rates."""
        if name not in self._tables:
            notes, self.notes = self.notes, None
            try:
                self._tables[name] = make(self)
            finally:
                self.notes = notes
        return self._tables[name]

    def _keep(self, key: str, read: Callable[[], Any], place: str, missing: object) -> Any:  # noqa: ANN401
        if key not in self._kept:
            try:
                self._kept[key] = read()
            except NotFoundError:
                if missing is _REQUIRED:
                    raise
                self._kept[key] = missing
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        value = self._kept[key]
        return self.notes.placed(value, place) if self.notes else value


class ShopFunctionError(Exception):
    """A function of the shop file failed for one record, or returned something unusable.

    Attributes:
        reason: What is wrong and where in the file, without values.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def kind_of(reason: str) -> str:
    """Return what is the same in the reasons of all rows in which the same is wrong."""
    return _OF_ROW.sub("", reason)


class Mapper:
    """Turns the rows of one stream into records.

    Args:
        file: The shop file.
        stream: `customers`, `products` or `orders`.
        schema: The stream's schema.
        shop: What the functions get as `shop`.
    """

    def __init__(self, file: ShopFile, stream: str, schema: dict[str, Any], shop: Shop) -> None:
        self._file = file
        self._stream = stream
        self._contract = Contract(schema)
        self._shop = shop
        self._make = file.functions[STREAMS[stream]]
        self._listing = file.listings[stream]
        self._succeeded = self._failed = 0

    def single(self, client: ShopFileClient, key: str, asked_at: datetime) -> RawPage:
        """Return the row that holds a record, alone on its page.

        Args:
            client: The client of the shop.
            key: The record's id.
            asked_at: The moment since which the shop's answers are kept.

        Raises:
            NotFoundError: The shop no longer has it.
            ShopFunctionError: The function in `single` failed.
            ShopFileError: The function in `single` ended the program.
            ShopError: The shop cannot be reached, or refuses.
        """
        find_row = self._listing.single
        if isinstance(find_row, str):
            return client.single(self._listing, key)
        self._shop.listing = self._listing
        try:
            row = find_row(key, self._shop)
        except ShopError:
            raise
        except SystemExit as error:
            raise self._file.exit_error(error) from None
        except Exception as error:  # noqa: BLE001 - whatever the file does
            reason = f"{self._file.location(error)}: 'single' failed ({type(error).__name__})."
            raise ShopFunctionError(reason) from None
        if row is None:
            raise NotFoundError(f"{self._file.name}: there is no such record of {self._stream}.")
        return RawPage([row], asked_at, None)

    def records(self, row: Any, place: str) -> list[Record]:  # noqa: ANN401 - JSON
        """Return the records of a row: none, one or several.

        Raises:
            ShopFunctionError: This row cannot be turned into a record; others can.
            ShopFileError: Every row so far failed, or the file ended the program.
            ShopError: What belongs to the row cannot be read from the shop.
        """
        self._shop.listing = self._listing
        try:
            records = self._map(row)
        except (NotFoundError, WrongPathError) as error:
            reason = f"{self._file.location(error)}: {error}"
        except ShopError:
            raise
        except SystemExit as error:
            raise self._file.exit_error(error) from None
        except Exception as error:  # noqa: BLE001 - whatever the file does
            reason = self._describe(row, place, error)
        else:
            self._succeeded += 1
            return records
        self._failed += 1
        if self._failed >= _MOST_FAILURES and not self._succeeded:
            raise ShopFileError(f"{reason} All {self._failed} {self._stream} failed so far.")
        raise ShopFunctionError(reason)

    def trace(self, row: Any, place: str, notes: Notes) -> list[Record]:  # noqa: ANN401 - JSON
        """Return the records of a row with values that know their place, and note what is read."""
        self._shop.listing, self._shop.notes = self._listing, notes
        try:
            return self._map(notes.placed(row, place))
        finally:
            self._shop.notes = None

    def _map(self, row: Any) -> list[Record]:  # noqa: ANN401 - JSON
        made = self._make(row, self._shop)
        records = []
        for returned in [made] if isinstance(made, dict) else made or ():
            if not isinstance(returned, dict):
                raise WrongRecordError("it returned something that is not a dict")
            record = self._contract.conform(returned)
            records.append(record)
            if not record.get("id"):
                raise WrongRecordError("the record has no 'id'")
            if self._listing.has_stamps and not record.get("updated_at"):
                raise WrongRecordError(
                    "the record has no 'updated_at'; stamp(row[…], row[…]) takes the first that is"
                    " not empty, and has_stamps=False is for records without stamps"
                )
        return records

    def _describe(self, row: Any, place: str, error: Exception) -> str:  # noqa: ANN401 - JSON
        """Map a row again with values that know their place, and return what is wrong with it."""
        notes = Notes()
        try:
            self.trace(row, place, notes)
        except Exception as repeated:  # noqa: BLE001 - the same error, with places
            error = repeated
        _, text = self._file.last_line(error)
        key = place_of(error.args[0]) if isinstance(error, KeyError) else None
        location = self._file.location(error)
        if isinstance(error, WrongRecordError):
            location, fault = f"{self._file.name}, {STREAMS[self._stream]}()", str(error)
        elif isinstance(error, (MissingMemberError, WrongValueError)):
            fault = str(error)
        elif key:
            fault = f"there is no entry for the value of {key} in `{text:.100}`"
        else:
            last, value = notes.last
            fault = f"{type(error).__name__}{f' in `{text:.100}`' if text else ''}"
            fault += f"; last read was {last}{' (null)' if value is None else ''}"
        return sentence(f"{location}: {fault}")


def touched_ids(file: ShopFile, shop: Shop, stream: str, since: datetime) -> list[str]:
    """Return the ids that `touched` returns for a stream.

    Raises:
        ShopFileError: It failed, or returned something other than ids by stream.
    """
    if "touched" not in file.functions:
        return []
    try:
        ids = file.functions["touched"](shop, since)
        if not set(ids) <= set(STREAMS):
            raise TypeError
        return list(dict.fromkeys(map(str, ids.get(stream, ()))))
    except ShopError:
        raise
    except SystemExit as error:
        raise file.exit_error(error) from None
    except Exception as error:  # noqa: BLE001 - whatever the file does
        raise ShopFileError(
            f"{file.location(error)}: touched() failed ({type(error).__name__}); it must return ids"
            " by stream: {'orders': ['7', '9']}."
        ) from None
