"""The tap: settings, the order of the streams, and how a run ends."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_customwebshop.client import ShopClient
from tap_customwebshop.connection import ShopConnection
from tap_customwebshop.errors import ShopError, ShopFileError
from tap_customwebshop.plugin.command_line import CommandLine, read_bookmarks
from tap_customwebshop.plugin.sdk_internals import ConfigInput
from tap_customwebshop.settings import SETTINGS, setting_errors
from tap_customwebshop.stamps import format_stamp, parse_start
from tap_customwebshop.streams import STREAMS
from tap_customwebshop.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    import click
    from requests.auth import AuthBase
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from tap_customwebshop.shop.streams import FileStream

_NO_STATE = (
    "--state: the file is not a state, which is one JSON object: give the last line that the target"
    " printed (a dry run prints none), or leave --state out"
)
_NO_CATALOG = (
    "--catalog: the file is not a catalog: give what --discover prints, or leave --catalog out"
)


class TapCustomWebShop(CommandLine, Tap):
    """Reads customers, products and orders from a custom-built web shop."""

    name = "tap-customwebshop"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS
    message_writer_class = LineWriter
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.TEST,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @override
    def discover_streams(self) -> list[Stream]:
        if self.config.get("shop"):
            return list(self.shop_file_streams())
        shop = ShopClient(self.connect(), retry_seconds=self.config.get("retry_seconds", 300))
        return [stream(self, shop) for stream in STREAMS]

    def shop_file_streams(self) -> list[FileStream]:
        """Return the streams that the shop file reads.

        Raises:
            ShopFileError: There is no shop file, or it is wrong.
        """
        if not self.config.get("shop"):
            raise ShopFileError("There is no shop file: name one in the setting 'shop'.")
        from tap_customwebshop.shop.reading import open_streams  # noqa: PLC0415 - not always needed

        return open_streams(self, self.connect)

    def connect(self, auth: AuthBase | None = None) -> ShopConnection:
        """Return a connection to the shop; by default it authenticates by `auth_token`."""
        return ShopConnection(
            self.config.get("api_url") or "",
            self.config.get("auth_token") or "",
            user_agent=self.config.get("user_agent") or f"tap-customwebshop/{self.plugin_version}",
            request_timeout=self.config.get("request_timeout", 60),
            auth=auth,
        )

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """The streams in the order in which they are emitted; the SDK would sort them by name."""
        by_name = super().streams
        names = [stream.path[1:] for stream in STREAMS]
        return {name: by_name[name] for name in names if name in by_name}

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; messages name a setting and never contain its value."""
        self.append_builtin_config(self.config_jsonschema)
        errors = setting_errors(self._config, self.config_jsonschema)
        if errors and raise_errors:
            raise ConfigValidationError(
                "The settings are not usable", errors=errors, schema=self.config_jsonschema
            )
        if not errors and (start := parse_start(self._config.get("start_date") or "")):
            self._config["start_date"] = format_stamp(start)
        return errors

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Load the bookmarks, in the one form in which they can be compared as text.

        Raises:
            ConfigValidationError: A bookmark is not a timestamp.
        """
        super().load_state(state)
        for stream, bookmark in self.state.get("bookmarks", {}).items():
            value = bookmark.get("replication_key_value")
            moment = parse_start(value) if isinstance(value, str) else None
            if moment is not None:
                bookmark["replication_key_value"] = format_stamp(moment)
            elif value is not None:
                msg = "The state is not usable"
                line = (
                    f"The state's bookmark of '{stream}' is not a timestamp; correct or remove it."
                )
                raise ConfigValidationError(msg, errors=[line], schema={})

    @override  # type: ignore[misc]
    def sync_all(self) -> None:
        """Read all streams.

        The method is final in the SDK, where a run reads all records or fails.

        Raises:
            ShopFileError: Some records could not be read; all others were emitted.
        """
        gc.freeze()  # what exists now stays to the end; the collector need not search it
        super().sync_all()
        unread = [getattr(stream, "unread", "") for stream in self.streams.values()]
        if any(unread):
            raise ShopFileError(" ".join(filter(None, unread)))

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        end = partial(super()._handle_termination, signum, frame)
        if isinstance(self.message_writer, LineWriter):
            self.message_writer.when_free(end)
        else:
            end()

    @classmethod
    @override
    def invoke(cls, **arguments: Any) -> None:
        if (state := arguments.get("state")) is not None:
            arguments["state"] = cls.checked_json(state, _NO_STATE, read_bookmarks)
        if (catalog := arguments.get("catalog")) is not None:
            arguments["catalog"] = cls.checked_json(catalog, _NO_CATALOG, Catalog.from_dict)
        try:
            super().invoke(**arguments)
        except ShopError as error:
            cls.exit_with(str(error))

    @classmethod
    @override
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        try:
            with cls.printing():
                super().cb_discover(ctx, param, value)
        except ShopError as error:
            cls.exit_with(str(error))

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        from tap_customwebshop.shop import commands  # noqa: PLC0415 - rarely needed

        command = super().get_singer_command()
        command.params += commands.options(cls._run_command)
        return command

    @classmethod
    def _run_command(
        cls,
        command: Callable[[TapCustomWebShop, Any], bool],
        ctx: click.Context,
        _: click.Parameter,
        value: Any,  # noqa: ANN401 - click's
    ) -> None:
        """Run a command instead of a sync, and exit; faults end it with one line each."""
        if not value:
            return
        given: ConfigInput = ctx.params.get("config", ConfigInput())
        try:
            tap = cls(config=given.config, parse_env_config=given.parse_env, setup_mapper=False)
            with cls.printing():
                is_successful = command(tap, value)
        except ConfigValidationError as error:
            cls.exit_with(*error.errors)
        except ShopError as error:
            cls.exit_with(str(error))
        ctx.exit(0 if is_successful else 1)

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        try:
            super().cb_test(ctx, param, value)
        except ConfigValidationError as error:
            cls.exit_with(*error.errors)
        except ShopError as error:
            cls.exit_with(str(error))
