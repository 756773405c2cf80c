"""Opens what the setting `shop` names: streams for the tap, and single records for the target."""

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
    """Return the streams that the shop file reads.

    Raises:
        ShopFileError: The shop file has a fault.
    """
    file = configured_file(tap.config)
    client = make_client(tap.config, connect, file.auth)
    shop = Shop(client, _settings(tap.config))
    kinds = [kind for kind in STREAMS if kind.path[1:] in file.listings]
    return [FileStream(tap, kind, client, file, shop) for kind in kinds]


def configured_file(config: Mapping[str, Any]) -> ShopFile:
    """Return the file that the setting `shop` names.

    Raises:
        ShopFileError: It has a fault.
    """
    return load_shop_file(config["shop"], _secrets(config))


def configured_auth(config: Mapping[str, Any]) -> Auth:
    """Return how requests are authenticated; by the token if there is no file yet.

    Raises:
        ShopFileError: The shop file has a fault.
    """
    if not config.get("shop"):
        return Bearer()
    return load_shop_file(config["shop"], _secrets(config), needs_lists=False).auth


class SingleRecords:
    """Reads and changes single records of a shop by its file. Not thread-safe.

    Args:
        file: The shop file.
        config: The settings of the tap.
        connect: Makes a connection with this authentication.
        sleep: Waits for so many seconds before a retry; an exception from it ends the retries.
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
        """Return a record as the shop has it now; of earlier answers, only tables are used.

        Raises:
            NotFoundError: The shop has no such record, or the file leaves it out.
            ShopFunctionError: The file cannot turn the shop's row into a record.
            ShopError: The shop cannot be reached, or refuses.
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
        """Return the calls that make an edit in the shop, in order; none if it does not take it.

        Args:
            entity: `customers`, `products` or `orders`.
            record_id: The record's id.
            patch: What changes, as a JSON merge patch of the contract's record.

        Raises:
            ShopFunctionError: `change` failed, or returned something else.
            ShopError: What `change` needs to know cannot be read from the shop.
        """
        change = self._file.functions["change"]
        try:
            # A copy, because the edit may be sent again
            returned = change(entity, record_id, deepcopy(dict(patch)), self._shop)
            calls = [returned] if _is_call(returned) else list(returned or ())
        except ShopError:
            raise
        except SystemExit as error:
            raise self._file.exit_error(error) from None
        except Exception as error:  # noqa: BLE001 - whatever the file does
            raise self._failure("change", error) from None
        if not all(map(_is_call, calls)):
            fault = "change() must return (method, path, body), a list of these, or None"
            raise self._fault(_first_line(change), fault)
        return calls

    def send(self, call: Call) -> None:
        """Send a call once; the file's `refused` may find a refusal in the answer.

        Raises:
            ShopFunctionError: `refused` failed; the change may have been made.
            TemporaryError, ShopError: See `ShopFileClient.send`.
        """
        answer = self.client.send(*call)
        refused = self._file.functions.get("refused")
        if refused is None:
            return
        try:
            refusal = refused(answer)
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and self._file.exit_error(error) is error:
                raise  # by a signal
            raise self._failure("refused", error) from None
        if refusal:
            description = f"{call[0]} {call[1].partition('?')[0]}"
            raise RequestRefusedError(f"{description}: the shop refused the change", detail=refusal)

    def _failure(self, name: str, error: BaseException) -> ShopFunctionError:
        line = self._file.last_line(error)[0] or _first_line(self._file.functions[name])
        return self._fault(line, f"{name}() failed ({type(error).__name__})")

    def _fault(self, line: int, fault: str) -> ShopFunctionError:
        return ShopFunctionError(f"{self._file.name}, line {line}: {fault}.")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _is_call(value: object) -> bool:
    """Return whether this is a method, a path and a body."""
    if not isinstance(value, (tuple, list)) or len(value) != _PARTS_OF_CALL:
        return False
    method, path, body = value
    try:
        write_json(body)
        return bool(method.isalpha() and path.startswith("/"))
    except (AttributeError, TypeError, ValueError):
        return False


def _first_line(function: Callable[..., Any]) -> int:
    """Return the line in which a function of a file begins; 1 for any other callable."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else 1


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    settings = config.get("shop_settings")
    return dict(settings) if isinstance(settings, dict) else {}  # discovery does not check settings


def _secrets(config: Mapping[str, Any]) -> dict[str, str]:
    token = config.get("auth_token")
    return _settings(config) | ({"auth_token": token} if token else {})


def make_client(
    config: Mapping[str, Any],
    connect: Connect,
    auth: Auth,
    sleep: Callable[[float], object] = time.sleep,
) -> ShopFileClient:
    """Return a client of the shop with this authentication."""
    return ShopFileClient(
        connect,
        auth,
        _secrets(config),
        retry_seconds=config.get("retry_seconds", 300),
        page_size=config.get("page_size", 500),
        sleep=sleep,
    )
