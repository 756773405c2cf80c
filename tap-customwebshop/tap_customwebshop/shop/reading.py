"""Puts together what reads a shop by its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_customwebshop.errors import ShopFileError
from tap_customwebshop.shop.asking import Asker
from tap_customwebshop.shop.auth import Bearer
from tap_customwebshop.shop.loading import load_shop
from tap_customwebshop.shop.mapping import Shop
from tap_customwebshop.shop.streams import FILE_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from requests.auth import AuthBase
    from singer_sdk import Tap

    from tap_customwebshop.connection import ShopConnection
    from tap_customwebshop.shop.auth import Auth
    from tap_customwebshop.shop.loading import ShopFile
    from tap_customwebshop.shop.streams import FileStream


def open_shop(tap: Tap, connect: Callable[[AuthBase | None], ShopConnection]) -> list[FileStream]:
    """Return the streams that the setting `shop` reads.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    file, asker, shop = opened(tap.config, connect)
    kinds = [kind for kind in FILE_STREAMS if kind.path[1:] in file.listings]
    return [kind(tap, asker, file, shop) for kind in kinds]


def opened(
    config: Mapping[str, Any], connect: Callable[[AuthBase | None], ShopConnection]
) -> tuple[ShopFile, Asker, Shop]:
    """Return a shop file, what asks the shop by it, and what its functions get.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    settings = dict(config.get("shop_settings") or {})
    secrets = (
        {**settings, "auth_token": config["auth_token"]} if "auth_token" in config else settings
    )
    file = load_shop(config["shop"], secrets)
    asker = _asker(config, connect, file.auth, secrets)
    return file, asker, Shop(asker, settings)


def asker_of(
    config: Mapping[str, Any], connect: Callable[[AuthBase | None], ShopConnection]
) -> Asker:
    """Return what asks the shop by its file, or by the token alone where there is no file yet.

    Raises:
        ShopFileError: The shop file is wrong.
    """
    if config.get("shop"):
        return opened(config, connect)[1]
    return _asker(config, connect, Bearer(), {"auth_token": config["auth_token"]})


def _asker(
    config: Mapping[str, Any],
    connect: Callable[[AuthBase | None], ShopConnection],
    auth: Auth,
    secrets: Mapping[str, str],
) -> Asker:
    return Asker(
        connect,
        auth,
        secrets,
        retry_seconds=config.get("retry_seconds", 300),
        page_size=config.get("page_size", 500),
    )


def write_change(
    config: Mapping[str, Any],
    connect: Callable[[AuthBase | None], ShopConnection],
    entity: str,
    record_id: str,
    patch: Mapping[str, Any],
) -> Any:  # noqa: ANN401 - JSON
    """Write one edit to the shop as `change` of its file says, once; return the shop's answer.

    Nothing is sent, and None returned, where `change` returns None.

    Args:
        config: The settings, as of this tap.
        connect: Makes a connection that shows who asks.
        entity: `customers`, `products` or `orders`.
        record_id: The record's id.
        patch: What changes, as a JSON merge patch of the contract's record.

    Raises:
        ShopFileError: The file has no `change`, or it returns no method, path and body.
        PassingTrouble: No answer, or one that may be different at another attempt.
        ShopError: The shop refuses.
    """
    file, asker, shop = opened(config, connect)
    change = file.functions.get("change")
    if change is None:
        raise ShopFileError(f"{file.name} has no change(), so the shop is only read.")
    try:
        request = change(entity, record_id, patch, shop)
        method, path, body = request or ("", "", None)
    except Exception as error:  # noqa: BLE001 - whatever the file does
        number, _ = file.line_of(error)
        raise ShopFileError(
            f"{file.name}, line {number}: change() failed ({type(error).__name__}); it returns"
            " method, path and body."
        ) from None
    return asker.send(method, path, body) if request else None
