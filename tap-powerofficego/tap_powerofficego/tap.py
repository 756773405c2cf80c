"""The tap: settings, the order of the streams, and how a run ends."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib import Catalog, StateMessage
from target_powerofficego.go_api import GoClient, GoError
from target_powerofficego.plugin.command_line import CommandLine, read_bookmarks
from typing_extensions import override

from tap_powerofficego import stamps
from tap_powerofficego.bookmarks import LISTED_IN_FULL_AT
from tap_powerofficego.settings import SETTINGS, connection_of, rate_limit_store, setting_errors
from tap_powerofficego.streams import STREAMS
from tap_powerofficego.writer import LineWriter

if TYPE_CHECKING:
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

_FIRST_CONTACT_SECONDS = 10.0
"""How long to try to reach Go at all; a wrong address should be reported while a person watches."""

_NO_STATE = (
    "--state: the file is not a state, which is one JSON object: give the last line that the target"
    " printed, or leave --state out"
)
_NO_CATALOG = (
    "--catalog: the file is not a catalog: give what --discover prints, or leave --catalog out"
)


class TapPowerOfficeGo(CommandLine, Tap):
    """Reads customers, products, sales orders and invoices from PowerOffice Go."""

    name = "tap-powerofficego"
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

    @functools.cached_property
    def go(self) -> GoClient:
        """The client that all streams share, so that they keep one rate limit and one token.

        Raises:
            ConfigurationError: A setting for the connection is not valid.
        """
        return GoClient(
            connection_of(self.config),
            requests_per_second=self.config["requests_per_second"],
            rate_limit_store=rate_limit_store(self.config),
            timeout_seconds=self.config["request_timeout"],
            retry_seconds=self.config["retry_seconds"],
            user_agent=f"{self.name}/{self.plugin_version}",
            first_contact_seconds=_FIRST_CONTACT_SECONDS,
            on_retry=self.logger.warning,
        )

    @override
    def discover_streams(self) -> list[Stream]:
        return [stream(self, lambda: self.go) for stream in STREAMS]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """The streams in the order in which they are emitted; the SDK would sort them by name."""
        by_class = {type(stream): stream for stream in super().streams.values()}
        return {by_class[stream].name: by_class[stream] for stream in STREAMS}

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; messages name a setting and never contain its value."""
        self.append_builtin_config(self.config_jsonschema)
        errors = setting_errors(self._config, self.config_jsonschema)
        if errors and raise_errors:
            raise ConfigValidationError(
                "The settings are not usable", errors=errors, schema=self.config_jsonschema
            )
        if not errors and (start := stamps.parse_start(self._config.get("start_date") or "")):
            self._config["start_date"] = start
        return errors

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Load the bookmarks, in the one form in which they can be compared as text.

        Raises:
            ConfigValidationError: A bookmark is not a timestamp.
        """
        super().load_state(state)
        names = {filter_.bookmark for stream in STREAMS for filter_ in stream.filters}
        for stream_name, bookmarks in self.state.get("bookmarks", {}).items():
            for name in sorted({*names, LISTED_IN_FULL_AT} & bookmarks.keys()):
                bookmarks[name] = stamps.normalise(bookmarks[name])
                if not bookmarks[name]:
                    msg = "The state is not usable"
                    line = (
                        f"The state's {name} of '{stream_name}' is not a timestamp; correct or"
                        " remove it."
                    )
                    raise ConfigValidationError(msg, errors=[line], schema={})

    @override  # type: ignore[misc]
    def sync_all(self) -> None:
        """Read all streams, and end with a STATE, which shows a target that everything came.

        The method is final in the SDK, which writes no STATE if nothing has changed.
        """
        super().sync_all()
        if isinstance(self.message_writer, LineWriter) and not self.message_writer.ends_with_state:
            self.write_message(StateMessage(value=self.state))

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End with the state of what was emitted.

        With batches, the bookmarks are ahead of the file, which is written once it is complete. The
        last state that was printed is then the right one.
        """
        has_batches = bool(self.config.get("batch_config"))
        handler = self._end_without_state if has_batches else super()._handle_termination
        end = functools.partial(handler, signum, frame)
        if isinstance(self.message_writer, LineWriter):
            self.message_writer.when_free(end)
        else:
            end()

    def _end_without_state(self, signum: int, frame: FrameType | None) -> None:
        PluginBase._handle_termination(self, signum, frame)  # noqa: SLF001 - past the SDK's Tap

    @classmethod
    @override
    def invoke(cls, **arguments: Any) -> None:
        if (state := arguments.get("state")) is not None:
            arguments["state"] = cls.checked_json(state, _NO_STATE, read_bookmarks)
        if (catalog := arguments.get("catalog")) is not None:
            arguments["catalog"] = cls.checked_json(catalog, _NO_CATALOG, Catalog.from_dict)
        try:
            super().invoke(**arguments)
        except GoError as error:
            cls.exit_with(str(error))

    @classmethod
    @override
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        with cls.printing():
            super().cb_discover(ctx, param, value)

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        try:
            super().cb_test(ctx, param, value)
        except ConfigValidationError as error:
            cls.exit_with(*error.errors)
        except GoError as error:
            cls.exit_with(str(error))
