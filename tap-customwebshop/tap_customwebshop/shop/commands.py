"""The options for who writes a shop file: `--check`, `--explain` and `--init`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from singer_sdk.exceptions import ConfigValidationError

from tap_customwebshop.errors import ShopError
from tap_customwebshop.sdk_internals import ConfigInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_customwebshop.tap import TapCustomWebShop

_CHECK = "Read some records of each stream, and say what would be wrong with them."
_EXPLAIN = "Show the first record of each stream beside the shop's row and Go's properties."
_INIT = "Print a first shop file, guessed from the list at this path of the shop."


def options(kind: type[TapCustomWebShop]) -> list[click.Parameter]:
    """Return the options, for the tap's command line."""
    return [
        click.Option(
            [f"--{name}"],
            help=text,
            metavar=metavar,
            is_flag=metavar is None,
            expose_value=False,
            callback=partial(_run, kind, command),
        )
        for name, metavar, command, text in (
            ("check", None, _check, _CHECK),
            ("explain", None, _explain, _EXPLAIN),
            ("init", "PATH", _init, _INIT),
        )
    ]


def _run(
    kind: type[TapCustomWebShop],
    command: Callable[[TapCustomWebShop, Any], bool],
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


def _check(tap: TapCustomWebShop, _: object) -> bool:
    from tap_customwebshop.shop.checking import check_streams  # noqa: PLC0415 - needed here only

    lines = list(check_streams(tap.shop_file_streams()))
    click.echo("\n".join(lines))
    return all(line.endswith(" 0 kinds of faults") for line in lines)


def _explain(tap: TapCustomWebShop, _: object) -> bool:
    from tap_customwebshop.shop.explaining import explain  # noqa: PLC0415 - needed here only

    for line in explain(tap.shop_file_streams()):
        click.echo(line)
    return True


def _init(tap: TapCustomWebShop, place: str) -> bool:
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
