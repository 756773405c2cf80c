"""The options for those who write a shop file: `--check`, `--explain` and `--init`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import click

from tap_customwebshop.errors import ShopRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests.auth import AuthBase

    from tap_customwebshop.connection import ShopConnection
    from tap_customwebshop.shop.auth import Auth
    from tap_customwebshop.shop.streams import FileStream

_CHECK = "Check the first records of each stream for what would go wrong in the accounts."
_EXPLAIN = "Show the first record of each stream beside the shop's row and Go's properties."
_OTHER_AUTH = (
    " The header 'Authorization: Bearer' was sent. If the shop expects another, or a log-in, write"
    " AUTH alone into a file and name it in 'shop' (docs/own-shop.md)."
)
_INIT = "Print a first shop file, guessed from the list at this path of the shop."


class ShopTap(Protocol):
    """What the options need of the tap."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings, checked."""

    def connect(self, auth: AuthBase | None = None) -> ShopConnection:
        """Return a connection to the shop."""

    def shop_file_streams(self) -> list[FileStream]:
        """Return the streams as the shop file reads them."""


def options(run: Callable[..., None]) -> list[click.Parameter]:
    """Return the options; each calls `run` with its command and what click passes."""
    return [
        click.Option(
            [f"--{name}"],
            help=text,
            metavar=metavar,
            is_flag=metavar is None,
            expose_value=False,
            callback=partial(run, command),
        )
        for name, metavar, command, text in (
            ("check", None, _check, _CHECK),
            ("explain", None, _explain, _EXPLAIN),
            ("init", "PATH", _init, _INIT),
        )
    ]


def _check(tap: ShopTap, _: object) -> bool:
    from tap_customwebshop.shop.checking import check_stream  # noqa: PLC0415 - needed here only

    checked = [check_stream(stream) for stream in tap.shop_file_streams()]
    click.echo("\n".join(line for lines, _ in checked for line in lines))
    return not any(faults for _, faults in checked)


def _explain(tap: ShopTap, _: object) -> bool:
    from tap_customwebshop.shop.explaining import explain  # noqa: PLC0415 - needed here only

    for line in explain(tap.shop_file_streams()):
        click.echo(line)
    return True


def _init(tap: ShopTap, path: str) -> bool:
    from tap_customwebshop.shop.loading import presets  # noqa: PLC0415 - needed here only
    from tap_customwebshop.shop.reading import configured_auth  # noqa: PLC0415
    from tap_customwebshop.shop.starting import first_file, known_platform  # noqa: PLC0415

    platform = known_platform(str(tap.config["api_url"]) + path)
    if platform in presets():
        click.echo(
            f"# This shop is read by a file that comes with the tap: set shop to {platform}."
        )
        return True
    path = "/" + path.lstrip("/")
    auth = configured_auth(tap.config)
    content, headers = _look(tap, path, auth)
    click.echo(first_file(urlsplit(path).path, content, headers, auth), nl=False)
    return True


def _look(tap: ShopTap, path: str, auth: Auth) -> tuple[Any, Mapping[str, str]]:
    """Return a path's answer and its headers; errors say what else to try."""
    from tap_customwebshop.shop.auth import Bearer  # noqa: PLC0415
    from tap_customwebshop.shop.client import NotFoundError, RequestRefusedError  # noqa: PLC0415
    from tap_customwebshop.shop.reading import make_client  # noqa: PLC0415
    from tap_customwebshop.shop.starting import READS_LISTS  # noqa: PLC0415

    if "graphql" in path.lower():
        raise ShopRefusedError(READS_LISTS)
    try:
        return make_client(tap.config, tap.connect, auth).look(path)
    except NotFoundError:
        raise
    except RequestRefusedError as error:
        raise ShopRefusedError(f"{error} {READS_LISTS}") from None
    except ShopRefusedError as error:
        hint = _OTHER_AUTH if isinstance(auth, Bearer) else ""
        raise ShopRefusedError(f"{error}{hint}") from None
