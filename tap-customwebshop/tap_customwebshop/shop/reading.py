"""Puts together what reads a shop by its file, and what changes its records."""

from __future__ import annotations

import inspect
import time
from copy import deepcopy
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_customwebshop.errors import ShopError
from tap_customwebshop.schemas import CUSTOMERS, ORDERS, PRODUCTS
from tap_customwebshop.shop.auth import Bearer
from tap_customwebshop.shop.client import (
    NotFoundError,
    RequestRefusedError,
    ShopFileClient,
    write_json,
)
from tap_customwebshop.shop.loading import load_shop_file
from tap_customwebshop.shop.mapping import Mapper, Shop, ShopFunctionError
from tap_customwebshop.shop.streams import FileStream
from tap_customwebshop.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from requests.auth import AuthBase
    from singer_sdk import Tap

    from tap_customwebshop.connection import ShopConnection
    from tap_customwebshop.shop.auth import Auth
    from tap_customwebshop.shop.loading import ShopFile

    Connect = Callable[[AuthBase | None], ShopConnection]
    Call = tuple[str, str, Any]

_PARTS_OF_CALL = 3
_SCHEMAS = {"customers": CUSTOMERS, "products": PRODUCTS, "orders": ORDERS}


def open_streams(tap: Tap, connect: Connect) -> list[FileStream]:
    """Return the streams that the setting `shop` reads.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    file = configured_file(tap.config)
    client = make_client(tap.config, connect, file.auth)
    shop = Shop(client, _settings(tap.config))
    kinds = [kind for kind in STREAMS if kind.path[1:] in file.listings]
    return [FileStream(tap, kind, client, file, shop) for kind in kinds]


def configured_file(config: Mapping[str, Any]) -> ShopFile:
    """Return the file that the setting `shop` names.

    Raises:
        ShopFileError: It is wrong.
    """
    return load_shop_file(config["shop"], _secrets(config))


def configured_auth(config: Mapping[str, Any]) -> Auth:
    """Return how the shop is shown who asks; by the token alone where there is no file yet.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    if not config.get("shop"):
        return Bearer()
    return load_shop_file(config["shop"], _secrets(config), needs_lists=False).auth


class SingleRecords:
    """Reads and changes single records of a shop by its file. Not for more than one thread.

    Args:
        file: The shop file.
        config: The settings, as of this tap.
        connect: Makes a connection that shows who asks.
        sleep: Waits so many seconds before something is asked for again; what it raises ends that.
    """

    def __init__(
        self,
        file: ShopFile,
        config: Mapping[str, Any],
        connect: Connect,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.client = make_client(config, connect, file.auth, sleep)
        self._file = file
        self._shop = Shop(self.client, _settings(config))
        self._mappers = {
            stream: Mapper(file, stream, _SCHEMAS[stream], self._shop) for stream in file.listings
        }

    def read(self, entity: str, record_id: str) -> dict[str, Any]:
        """Return a record as the shop has it now; nothing but tables is taken from earlier answers.

        Raises:
            NotFoundError: The shop has no such record, or the file makes none of it.
            ShopFunctionError: The file cannot make a record of what the shop has.
            ShopError: The shop cannot be asked, or refuses.
        """
        self._shop.forget()
        mapper, asked_at = self._mappers[entity], datetime.now(timezone.utc)
        page = mapper.single(self.client, record_id, asked_at)
        records = mapper.records(page.rows[0], entity)
        for record in records:
            if record["id"] == record_id:
                return record
        raise NotFoundError(f"{self._file.name} makes no record of {entity} {record_id}.")

    def calls(self, entity: str, record_id: str, patch: Mapping[str, Any]) -> list[Call]:
        """Return the calls with which the shop takes an edit, in order; none where it does not.

        Args:
            entity: `customers`, `products` or `orders`.
            record_id: The record's id.
            patch: What changes, as a JSON merge patch of the contract's record.

        Raises:
            ShopFunctionError: `change` fails, or returns something else.
            ShopError: The shop cannot be asked for what `change` needs to know.
        """
        change = self._file.functions["change"]
        try:
            own = deepcopy(dict(patch))  # it is called again if the change is sent again
            made = change(entity, record_id, own, self._shop)
            calls = [made] if _is_call(made) else list(made or ())
        except ShopError:
            raise
        except SystemExit as error:
            raise self._file.left(error) from None
        except Exception as error:  # noqa: BLE001 - whatever the file does
            kind, number = type(error).__name__, self._file.line_of(error)[0]
            raise self._wrong(number or _line_of(change), f"change() failed ({kind})") from None
        if not all(_is_call(call) for call in calls):
            what = "change() must return (method, path, body), a list of such, or None"
            raise self._wrong(_line_of(change), what)
        return calls

    def send(self, call: Call) -> None:
        """Send a call once; what the file finds refused in its answer, the shop refused.

        Raises:
            ShopFunctionError: `refused` fails; the change may have been made.
            TemporaryError, ShopError: As of `ShopFileClient.send`.
        """
        answer = self.client.send(*call)
        refused = self._file.functions.get("refused")
        if refused is None:
            return
        try:
            words = refused(answer)
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and self._file.left(error) is error:
                raise  # it is a signal's
            kind, number = type(error).__name__, self._file.line_of(error)[0]
            raise self._wrong(number or _line_of(refused), f"refused() failed ({kind})") from None
        if words:
            shown = f"{call[0]} {call[1].partition('?')[0]}"
            raise RequestRefusedError(f"{shown}: the shop refused the change", detail=words)

    def _wrong(self, line: int, what: str) -> ShopFunctionError:
        return ShopFunctionError(f"{self._file.name}, line {line}: {what}.")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _is_call(made: object) -> bool:
    """Return whether this is method, path and body."""
    if not isinstance(made, (tuple, list)) or len(made) != _PARTS_OF_CALL:
        return False
    method, path, body = made
    try:
        write_json(body)
        return bool(method.isalpha() and path.startswith("/"))
    except (AttributeError, TypeError, ValueError):
        return False


def _line_of(function: Callable[..., Any]) -> int:
    """Return the line in which a function of a file begins; 1 where it is no function."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else 1


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    settings = config.get("shop_settings")
    return dict(settings) if isinstance(settings, dict) else {}  # discovery checks no settings


def _secrets(config: Mapping[str, Any]) -> dict[str, str]:
    token = config.get("auth_token")
    return _settings(config) | ({"auth_token": token} if token else {})


def make_client(
    config: Mapping[str, Any],
    connect: Connect,
    auth: Auth,
    sleep: Callable[[float], object] = time.sleep,
) -> ShopFileClient:
    """Return what asks the shop that is shown in this way who asks."""
    return ShopFileClient(
        connect,
        auth,
        _secrets(config),
        retry_seconds=config.get("retry_seconds", 300),
        page_size=config.get("page_size", 500),
        sleep=sleep,
    )
