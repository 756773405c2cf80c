"""Turns a shop's rows into records by the functions of its file, and words what goes wrong."""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tap_customwebshop.errors import ShopError, ShopFileError, WrongPathError
from tap_customwebshop.shop.client import NotFoundError, RawPage, like
from tap_customwebshop.shop.contract import Contract, WrongRecordError
from tap_customwebshop.shop.listing import Listing
from tap_customwebshop.shop.loading import STREAMS
from tap_customwebshop.shop.values import MissingMemberError, Notes, WrongValueError, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tap_customwebshop.shop.client import ShopFileClient
    from tap_customwebshop.shop.loading import ShopFile

Record = dict[str, Any]

_MOST_KEPT = 1000
_ALL_WRONG = 20
"""So many rows wrong, and none right, show that it is not the rows that are wrong."""
_REQUIRED = object()


class Shop:
    """What a shop file's functions ask of the shop, beside the row. Answers are kept for the run.

    Attributes:
        settings: The setting `shop_settings`.
    """

    def __init__(self, client: ShopFileClient, settings: Mapping[str, str]) -> None:
        self.settings = MappingProxyType(dict(settings))
        self.listing = Listing("/")
        self.notes: Notes | None = None
        self._asker = client
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._tables: dict[str, Any] = {}

    def get(self, path: str, missing: Any = _REQUIRED) -> Any:  # noqa: ANN401 - JSON
        """Return the answer of a path, such as `/orders/7/refunds`, or of a link of the shop.

        Args:
            path: The path, under `api_url`; after `?` parameters.
            missing: What to return where the shop has nothing there; if left out, that is an error.
        """
        return self._keep(f"get {path}", lambda: self._asker.get(path), path, missing)

    def list(
        self,
        what: str | Listing,
        *,
        since: datetime | None = None,
        missing: Any = _REQUIRED,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - rows
        """Return all rows of a list.

        Args:
            what: A Listing, or a path: then paged as the list that the row came from.
            since: Only what changed since, where the Listing says how to ask for that.
            missing: What to return where the shop has no such list; if left out, an error.
        """
        listing = what if isinstance(what, Listing) else like(self.listing, what)

        def read() -> list[Any]:
            return [row for page in self._asker.pages(listing, since) for row in page.rows]

        return self._keep(f"list {listing} {since}", read, listing.path, missing)

    def forget(self) -> None:
        """Let answers be asked for again; tables are kept."""
        self._kept.clear()

    def table(self, name: str, make: Callable[[Shop], Any]) -> Any:  # noqa: ANN401
        """Return what `make(shop)` returned the first time in this run: VAT rates, statuses."""
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
    """A row could not be made a record.

    Attributes:
        words: What is wrong, and where in the file, without values.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Mapper:
    """Makes the records of one stream.

    Args:
        file: The shop file.
        stream: `customers`, `products` or `orders`.
        schema: The stream's schema.
        shop: What the functions ask.
    """

    def __init__(self, file: ShopFile, stream: str, schema: dict[str, Any], shop: Shop) -> None:
        self._file = file
        self._stream = stream
        self._contract = Contract(schema)
        self._shop = shop
        self._make = file.functions[STREAMS[stream]]
        self._listing = file.listings[stream]
        self._right = self._wrong = 0

    def single(self, client: ShopFileClient, key: str, asked_at: datetime) -> RawPage:
        """Return the row that holds a record, alone on its page.

        Args:
            client: What asks the shop.
            key: The record's id.
            asked_at: The moment since which the shop's answers are kept.

        Raises:
            NotFoundError: The shop has it no longer.
            ShopFunctionError: The function that `single` names fails.
            ShopError: The shop cannot be asked, or refuses.
        """
        row_of = self._listing.single
        if isinstance(row_of, str):
            return client.single(self._listing, key)
        self._shop.listing = self._listing
        try:
            row = row_of(key, self._shop)
        except ShopError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the file does
            where = self._file.where(error)
            raise ShopFunctionError(f"{where}: 'single' failed ({type(error).__name__}).") from None
        if row is None:
            raise NotFoundError(f"{self._file.name}: there is no such record of {self._stream}.")
        return RawPage([row], asked_at, None)

    def records(self, row: Any, place: str) -> list[Record]:  # noqa: ANN401 - JSON
        """Return the records of a row: none, one, or several.

        Raises:
            ShopFunctionError: It cannot be made one; others can.
            ShopFileError: Every row so far was wrong, or the file ends the program.
            ShopError: The shop cannot be asked for what belongs to it.
        """
        self._shop.listing = self._listing
        try:
            made = self._made(row)
        except (NotFoundError, WrongPathError) as error:
            failure = f"{self._file.where(error)}: {error}"
        except ShopError:
            raise
        except SystemExit as error:
            raise self._file.left(error) from None
        except Exception as error:  # noqa: BLE001 - whatever the file does
            failure = self._words(row, place, error)
        else:
            self._right += 1
            return made
        self._wrong += 1
        if self._wrong >= _ALL_WRONG and not self._right:
            raise ShopFileError(
                f"{failure} So it is with every one of {self._wrong} {self._stream}."
            )
        raise ShopFunctionError(failure)

    def explained(self, row: Any, place: str, notes: Notes) -> list[Record]:  # noqa: ANN401
        """Return the records of a row with values that know their place, and note what is read."""
        self._shop.listing, self._shop.notes = self._listing, notes
        try:
            return self._made(notes.placed(row, place))
        finally:
            self._shop.notes = None

    def _made(self, row: Any) -> list[Record]:  # noqa: ANN401 - JSON
        made = self._make(row, self._shop)
        records = []
        for one in [made] if isinstance(made, dict) else made or ():
            if not isinstance(one, dict):
                raise WrongRecordError("it returned no dict")
            record = self._contract.conform(one)
            records.append(record)
            if not record.get("id"):
                raise WrongRecordError("the record has no 'id'")
            if self._listing.has_stamps and not record.get("updated_at"):
                raise WrongRecordError(
                    "the record has no 'updated_at'; stamp(row[…], row[…]) takes the first that is"
                    " told, and has_stamps=False is for records without any"
                )
        return records

    def _words(self, row: Any, place: str, error: Exception) -> str:  # noqa: ANN401
        """Map the row again, wrapped, to say what is wrong with it."""
        notes = Notes()
        try:
            self.explained(row, place, notes)
        except Exception as again:  # noqa: BLE001 - the same, in better words
            error = again
        _, text = self._file.line_of(error)
        key = place_of(error.args[0]) if isinstance(error, KeyError) else None
        if isinstance(error, WrongRecordError):
            return ended(f"{self._file.name}, {STREAMS[self._stream]}(): {error}")
        if isinstance(error, (MissingMemberError, WrongValueError)):
            said = str(error)
        elif key:
            said = f"there is no entry for the value of {key} in `{text:.100}`"
        else:
            last, value = notes.last
            said = f"{type(error).__name__}{f' in `{text:.100}`' if text else ''}"
            said += f"; last read was {last}{' (null)' if value is None else ''}"
        return ended(f"{self._file.where(error)}: {said}")


def ended(sentence: str) -> str:
    """Return a sentence with its full stop."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."


def touched_ids(file: ShopFile, shop: Shop, stream: str, since: datetime) -> list[str]:
    """Return the ids that `touched` names for a stream.

    Raises:
        ShopFileError: It fails, or returns something else than ids by stream.
    """
    if "touched" not in file.functions:
        return []
    try:
        named = file.functions["touched"](shop, since)
        if not set(named) <= set(STREAMS):
            raise TypeError
        return list(dict.fromkeys(str(one) for one in named.get(stream, ())))
    except ShopError:
        raise
    except SystemExit as error:
        raise file.left(error) from None
    except Exception as error:  # noqa: BLE001 - whatever the file does
        raise ShopFileError(
            f"{file.where(error)}: touched() failed ({type(error).__name__}); it returns ids"
            " by stream: {'orders': ['7', '9']}."
        ) from None
