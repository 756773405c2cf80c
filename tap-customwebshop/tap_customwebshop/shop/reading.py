"""Puts together what reads a shop by its file, and what changes its records."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import TYPE_CHECKING

from tap_customwebshop.errors import ShopError
from tap_customwebshop.schemas import CUSTOMERS, ORDERS, PRODUCTS
from tap_customwebshop.shop.asking import Asker, NotThereError, write_json
from tap_customwebshop.shop.auth import Bearer
from tap_customwebshop.shop.loading import load_shop
from tap_customwebshop.shop.mapping import Mapper, Shop, WrongRowError
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

_SCHEMAS = {"customers": CUSTOMERS, "products": PRODUCTS, "orders": ORDERS}


def open_shop(tap: Tap, connect: Connect) -> list[FileStream]:
    """Return the streams that the setting `shop` reads.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    file = file_of(tap.config)
    asker = _asker(tap.config, connect, file.auth)
    shop = Shop(asker, _settings(tap.config))
    kinds = [kind for kind in STREAMS if kind.path[1:] in file.listings]
    return [FileStream(tap, kind, asker, file, shop) for kind in kinds]


def file_of(config: Mapping[str, Any]) -> ShopFile:
    """Return the file that the setting `shop` names.

    Raises:
        ShopFileError: It is wrong.
    """
    return load_shop(config["shop"], _secrets(config))


def asker_of(config: Mapping[str, Any], connect: Connect) -> Asker:
    """Return what asks the shop by its file, or by the token alone where there is no file yet.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    auth = file_of(config).auth if config.get("shop") else Bearer()
    return _asker(config, connect, auth)


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
        self.asker = _asker(config, connect, file.auth, sleep)
        self._file = file
        self._shop = Shop(self.asker, _settings(config))
        self._mappers = {
            stream: Mapper(file, stream, _SCHEMAS[stream], self._shop) for stream in file.listings
        }

    def read(self, entity: str, record_id: str) -> dict[str, Any]:
        """Return a record as the shop has it now; nothing but tables is taken from earlier answers.

        Raises:
            NotThereError: The shop has no such record, or the file makes none of it.
            WrongRowError: The file cannot make a record of what the shop has.
            ShopError: The shop cannot be asked, or refuses.
        """
        self._shop.forget()
        page = self.asker.single(self._file.listings[entity], record_id)
        records = self._mappers[entity].records(page.rows[0], entity)
        for record in records:
            if record["id"] == record_id:
                return record
        raise NotThereError(f"{self._file.name} makes no record of {entity} {record_id}.")

    def request(
        self, entity: str, record_id: str, patch: Mapping[str, Any]
    ) -> tuple[str, str, Any] | None:
        """Return the method, path and body with which the shop takes an edit; None: it does not.

        Args:
            entity: `customers`, `products` or `orders`.
            record_id: The record's id.
            patch: What changes, as a JSON merge patch of the contract's record.

        Raises:
            WrongRowError: `change` fails, or returns something else.
            ShopError: The shop cannot be asked for what `change` needs to know.
        """
        try:
            own = deepcopy(dict(patch))  # it is called again if the change is sent again
            request = self._file.functions["change"](entity, record_id, own, self._shop)
            method, path, body = request or ("GET", "/", None)
            if not (path.startswith("/") and method.isalpha()):
                raise ValueError
            write_json(body)
        except ShopError:
            raise
        except SystemExit as error:
            raise self._file.left(error) from None
        except Exception as error:  # noqa: BLE001 - whatever the file does
            number, _ = self._file.line_of(error)
            raise WrongRowError(
                f"{self._file.name}, line {number}: change() failed ({type(error).__name__}); it"
                " returns method, path and body, or None."
            ) from None
        return (method, path, body) if request else None

    def close(self) -> None:
        """Close the connections."""
        self.asker.close()


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    settings = config.get("shop_settings")
    return dict(settings) if isinstance(settings, dict) else {}  # discovery checks no settings


def _secrets(config: Mapping[str, Any]) -> dict[str, str]:
    token = config.get("auth_token")
    return _settings(config) | ({"auth_token": token} if token else {})


def _asker(
    config: Mapping[str, Any],
    connect: Connect,
    auth: Auth,
    sleep: Callable[[float], object] = time.sleep,
) -> Asker:
    return Asker(
        connect,
        auth,
        _secrets(config),
        retry_seconds=config.get("retry_seconds", 300),
        page_size=config.get("page_size", 500),
        sleep=sleep,
    )
