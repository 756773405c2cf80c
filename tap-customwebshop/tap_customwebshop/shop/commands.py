"""The options for who writes a shop file: `--check`, `--explain` and `--init`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import urlsplit

import click
from singer_sdk.exceptions import ConfigValidationError

from tap_customwebshop.errors import ShopError
from tap_customwebshop.sdk_internals import ConfigInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from requests.auth import AuthBase

    from tap_customwebshop.connection import ShopConnection
    from tap_customwebshop.shop.streams import FileStream


class ShopTap(Protocol):
    """What the options need of the tap."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings, checked."""

    def __init__(
        self,
        *,
        config: Any,  # noqa: ANN401 - the SDK's, whose type it keeps to itself
        parse_env_config: bool,
        validate_config: bool,
    ) -> None: ...

    def connect(self, auth: AuthBase | None = None) -> ShopConnection:
        """Return a connection to the shop."""

    def shop_file_streams(self) -> list[FileStream]:
        """Return the streams as the shop file reads them."""

    @classmethod
    def printing(cls) -> AbstractContextManager[None]:
        """Let standard output be printed to."""

    @classmethod
    def end_with(cls, *lines: str) -> NoReturn:
        """End the command with lines that say why."""


def options(kind: type[ShopTap]) -> list[click.Parameter]:
    """Return the options, for the tap's command line."""
    flag: dict[str, Any] = {"is_flag": True, "expose_value": False}
    return [
        click.Option(
            ["--check"],
            help="Read some records of each stream, and say what would be wrong with them.",
            callback=partial(_run, kind, _check),
            **flag,
        ),
        click.Option(
            ["--explain"],
            help="Show the first record of each stream beside the shop's row and Go's properties.",
            callback=partial(_run, kind, _explain),
            **flag,
        ),
        click.Option(
            ["--init"],
            metavar="PATH",
            help="Print a first shop file, guessed from the list at this path of the shop.",
            callback=partial(_run, kind, _init),
            expose_value=False,
        ),
    ]


def _run(
    kind: type[ShopTap],
    command: Callable[[ShopTap, Any], bool],
    ctx: click.Context,
    _: click.Parameter,
    value: Any,  # noqa: ANN401 - click's
) -> None:
    """Run a command instead of a sync, and end; faults end it with one line each."""
    if not value:
        return
    given: ConfigInput = ctx.params.get("config", ConfigInput())
    try:
        tap = kind(config=given.config, parse_env_config=given.parse_env, validate_config=True)
        with kind.printing():
            is_right = command(tap, value)
    except ConfigValidationError as error:
        kind.end_with(*error.errors)
    except ShopError as error:
        kind.end_with(str(error))
    ctx.exit(0 if is_right else 1)


def _check(tap: ShopTap, _: object) -> bool:
    from tap_customwebshop.shop.checking import check_streams  # noqa: PLC0415 - needed here only

    lines = list(check_streams(tap.shop_file_streams()))
    for line in lines:
        click.echo(line)
    return all(line.endswith(" 0 kinds of faults") for line in lines)


def _explain(tap: ShopTap, _: object) -> bool:
    from tap_customwebshop.shop.explaining import explain  # noqa: PLC0415 - needed here only

    for line in explain(tap.shop_file_streams()):
        click.echo(line)
    return True


def _init(tap: ShopTap, place: str) -> bool:
    from tap_customwebshop.shop.loading import presets  # noqa: PLC0415 - needed here only
    from tap_customwebshop.shop.reading import asker_of  # noqa: PLC0415
    from tap_customwebshop.shop.starting import first_file, recognised  # noqa: PLC0415

    make = recognised(str(tap.config["api_url"]) + place)
    if make in presets():
        click.echo(f"# This shop is read by a file that comes with the tap: set shop to {make}.")
        return True
    path = "/" + place.lstrip("/")
    content, headers = asker_of(tap.config, tap.connect).look(path)
    click.echo(first_file(urlsplit(path).path, content, headers), nl=False)
    return True
