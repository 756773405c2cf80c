"""A Singer target that settles records one by one: messages in, settled STATE out.

It is the base of the targets of both ways: it reports each wrong setting in one line, handles
signals, and emits a STATE only once everything before it is settled. A record that no stream map
changes is first offered to its sink as bytes, and parsed only if the sink does not recognise them.
"""

from __future__ import annotations

import abc
import functools
import itertools
import sys
import time
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Protocol,
    TypeVar,
    runtime_checkable,
)

from singer_sdk import Sink, Target
from singer_sdk.exceptions import (
    ConfigValidationError,
    InvalidJSONSchema,
    MappingError,
    RecordsWithoutSchemaException,
)
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.plugin_base import PluginBase
from singer_sdk.sinks import RecordSink

from target_powerofficego.dataflow.table import now
from target_powerofficego.dataflow.values import instant_or_none
from target_powerofficego.errors import CannotStart, SettingsError
from target_powerofficego.plugin.command_line import CommandLine
from target_powerofficego.plugin.open_files import OUT_OF_FILES, is_out_of_files
from target_powerofficego.settings.schema import as_number
from target_powerofficego.settings.validation import NO_SETTINGS, broken_rules, unknown_settings
from target_powerofficego.settle.record_text import record_text
from target_powerofficego.settle.schedule import OutputClosed
from target_powerofficego.settle.signals import (
    BrokenInput,
    InterruptibleReader,
    Terminated,
    catch_signals,
    require,
)
from target_powerofficego.settle.writes import BrakeReached
from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from singer_sdk.mapper import StreamMap

    from target_powerofficego.plugin.sdk_internals import ConfigInput
    from target_powerofficego.settle.record_text import RecordText
    from target_powerofficego.settle.run import Run
    from target_powerofficego.store.values import WayName

RunT = TypeVar("RunT", bound="Run")

_KEYS = ("id", "Id")
"""The member that holds a record's id in the shop, and the one in Go."""
_STREAMS_OF_BOTH_TAPS = ("customers", "products")
_FAILED = 1
_ENDED_BY_SIGNAL = 128


class UnknownStream(Exception):  # noqa: N818 - the name says what happened
    """A stream that this target does not support."""


class DroppedSink(RecordSink):
    """Ignores a stream that `stream_maps` drops, whatever its name."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Do nothing."""


@runtime_checkable
class TextSink(Protocol):
    """A sink that recognises the records it has settled by their bytes."""

    def are_unchanged(self, texts: Sequence[RecordText]) -> Iterator[bool]:
        """Yield for each record, when its turn comes, whether its bytes are those last settled.

        It may yield true only if parsing the record would find nothing new either.
        """


class SettlingTarget(CommandLine, Target, Generic[RunT]):
    """Settles records through a `Run`; a subclass says how to open one and which streams it takes.

    Class attributes:
        sinks: the sink class by the name of the stream, in lower case.
        key: the member that holds a record's id.
        tap: the tap whose output this target reads.
        tap_ends_with_state: whether that tap always ends with a STATE.
        way: the way in which records flow.
    """

    sinks: ClassVar[Mapping[str, type[Sink]]] = {}
    key: ClassVar[str]
    tap: ClassVar[str]
    tap_ends_with_state: ClassVar[bool] = False
    way: ClassVar[WayName]
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_reader_class = InterruptibleReader
    wait: Callable[[float], object] = time.sleep
    """Waits for a number of seconds, where a run may have read from a replica that lags."""
    _run: RunT | None = None
    exit_status = 0
    _ended: BaseException | int | None = None
    """The exception that ended the run, or its exit status; None for a plan."""
    _ends_with_state = False
    _text: RecordText | None = None
    """The bytes of the current record, if it can be recognised by them."""

    # Settings

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add those of the SDK's settings that this target supports: stream maps only.

        Batches, load methods and metadata columns make no sense for a ledger.
        """
        super(Target, cls).append_builtin_config(config_jsonschema)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Return a line for each wrong setting; if some are unknown, only for those.

        A setting that is null has its default. The SDK leaves numbers in environment variables as
        text.
        """
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        settings = schema["properties"]
        numbers = {name for name, rule in settings.items() if "number" in rule.get("type", ())}
        self._config = {
            name: as_number(value) if name in numbers else value
            for name, value in self._config.items()
            if value is not None
        }
        errors = unknown_settings(self._config, settings) if self._config else [NO_SETTINGS]
        errors = errors or broken_rules(self._config, schema)
        if errors and raise_errors:
            summary = "Config validation failed"
            raise ConfigValidationError(summary, errors=errors, schema={})
        return errors

    # Running

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Run the target and exit with its status."""
        with cls.printing():
            PluginBase.invoke.__func__(cls, about=about, about_format=about_format)  # type: ignore[attr-defined]
        cls.print_version(print_fn=cls.logger.info)
        try:
            target = cls(
                config=dict(config.config) if config else {},
                parse_env_config=bool(config and config.parse_env),
            )
        except ConfigValidationError as error:
            cls.exit_with(*error.errors)
        sys.exit(target.run(file_input))

    def run(self, file_input: IO[str] | None = None) -> int:
        """Settle all input; return the exit status: 0, 1 (failed), or 3 (open rejects or holds)."""
        expected: tuple[type[Exception], ...] = (*_EXPECTED, *self.expected_errors())
        self.message_reader.are_unchanged = self._are_unchanged  # type: ignore[attr-defined]
        try:
            self.begin()
            self.listen(file_input)
        except Terminated as terminated:
            self.logger.warning(
                "%s: what is settled is stored; the rest is read again by the next run", terminated
            )
            self._stop(terminated, _ENDED_BY_SIGNAL + terminated.signum)
            return _ENDED_BY_SIGNAL + terminated.signum
        except SettingsError as error:
            for line in error.lines:
                self.logger.error(line)
            return _FAILED
        except expected as error:
            self._stop(error, _FAILED)
            self.logger.error("%s", " ".join(str(error).split()))
            return _FAILED
        except BaseException as error:
            self._stop(error, _FAILED)
            if not is_out_of_files(error):
                raise
            self.logger.error("%s", OUT_OF_FILES)
            return _FAILED
        finally:
            self._close()
            self._notify()
        return self.exit_status

    @abc.abstractmethod
    def expected_errors(self) -> tuple[type[Exception], ...]:
        """Return the other system's errors that end the run with one line in the log."""

    @abc.abstractmethod
    def open_run(self) -> RunT:
        """Open a run with the settings; it writes STATE messages to standard output.

        Raises:
            SettingsError, CannotStart, LinkStoreError, and those of `expected_errors`: each with
                a line that says why.
        """

    def begin(self) -> RunT:
        """Return the run, and open it if it is not open yet.

        Raises:
            SettingsError, CannotStart, LinkStoreError: see `open_run`.
        """
        if self._run is None:
            with self.message_reader.interruptible():  # type: ignore[attr-defined]
                self._run = self.open_run()
            self._run.start_progress()
        return self._run

    @property
    def has_whole_input(self) -> bool:
        """Whether the tap seems to have sent all that it was to send.

        A tap made with the SDK may end without a STATE if its last streams did not change it.
        """
        has_input: bool = self.message_reader.has_messages  # type: ignore[attr-defined]
        return has_input and (self._ends_with_state or not self.tap_ends_with_state)

    def process_endofpipe(self) -> None:
        """Settle what is still open once all input is read."""
        self._log_metrics()
        has_input: bool = self.message_reader.has_messages  # type: ignore[attr-defined]
        self.exit_status = self.begin().finish(
            has_input=has_input, has_whole_input=self.has_whole_input
        )
        self._note_end(self.exit_status)
        self._close()

    def _log_metrics(self) -> None:
        """Let each sink log how many records it received, as the SDK's own targets do."""
        for sink in (*self._sinks_to_clear, *self._sinks_active.values()):
            sink.clean_up()
        self._sinks_to_clear.clear()
        self._sinks_active.clear()

    def _stop(self, error: BaseException, exit_status: int) -> None:
        self._log_metrics()
        self._note_end(error)
        if self._run is not None:
            self._run.stop(error, exit_status=exit_status)

    def _note_end(self, ended: BaseException | int) -> None:
        is_plan = self.config["dry_run"] or (self._run is not None and self._run.is_plan)
        self._ended = None if is_plan else ended

    def _notify(self) -> None:
        """Send what is new to the addresses of `notify`, once the lock is released."""
        if self._ended is None or not self.config.get("notify"):
            return
        from target_powerofficego.notices.after_run import notify_after_run  # noqa: PLC0415

        notify_after_run(
            self.config,
            self.way,
            self._ended,
            is_whole=self.has_whole_input,
            other_system_errors=self.expected_errors(),
            logger=self.logger,
        )

    def _close(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None

    def _setup_signal_handlers(self) -> None:
        catch_signals(self._ask_to_end)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self._ask_to_end(signum)

    def _ask_to_end(self, signum: int) -> None:
        """End the run; the SDK makes its reader only after the signal handlers are set."""
        self.message_reader.request_stop(signum)  # type: ignore[attr-defined]
        if self._run is not None:
            self._run.settlement.interrupt(Terminated(signum))
            self._run.client.cancel()

    # Messages

    def get_sink_class(self, stream_name: str) -> type[Sink]:
        """Return the sink of a stream, by its name in any case.

        Raises:
            UnknownStream: this target does not support it, and no stream map drops it.
        """
        maps = self.mapper.stream_maps.get(stream_name, ())
        if any(isinstance(stream_map, RemoveRecordTransform) for stream_map in maps):
            return DroppedSink
        sink = self.sinks.get(stream_name.lower())
        if sink is None:
            raise UnknownStream(self.describe_unknown_stream(stream_name))
        return sink

    @abc.abstractmethod
    def describe_unknown_stream(self, stream_name: str) -> str:
        """Return a message that a stream is not supported, and what to do about it."""

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        self._assert_line_requires(message_dict, requires={"stream", "schema"})
        require(message_dict["schema"], {"properties"})
        require(message_dict["schema"]["properties"], set())
        self._ends_with_state = False
        stream = message_dict["stream"]
        try:
            super()._process_schema_message(message_dict)
        except (InvalidJSONSchema, RecursionError):
            raise BrokenInput(
                f'the SCHEMA of the stream "{stream}" in the input is not a JSON schema'
            ) from None
        for stream_map in self.mapper.stream_maps[stream]:
            self._require_own_tap(stream_map)

    def _require_own_tap(self, stream_map: StreamMap) -> None:
        """Check that a stream that both taps have comes from the tap of this target.

        Raises:
            CannotStart: the stream comes from the other tap.
        """
        is_dropped = isinstance(stream_map, RemoveRecordTransform)
        if is_dropped or stream_map.stream_alias.lower() not in _STREAMS_OF_BOTH_TAPS:
            return
        keys = [key for key in _KEYS if key in stream_map.transformed_schema["properties"]]
        if keys and self.key not in keys:
            raise CannotStart(
                f'the stream "{stream_map.stream_alias}" comes from the wrong tap:'
                f" {self.name} must read the output of {self.tap}"
            )

    def _are_unchanged(self, lines: Sequence[bytes]) -> Iterator[bool]:
        """Yield for each line, when its turn comes, whether it is an unchanged record."""
        for stream, group in itertools.groupby(map(record_text, lines), _stream_of):
            texts = list(group)
            sink = self._find_text_sink(stream)
            if sink is None:
                self._text = None
                yield from itertools.repeat(False, len(texts))
                continue
            for self._text, is_unchanged in zip(texts, sink.are_unchanged(texts), strict=True):
                if is_unchanged:
                    self._ends_with_state = False
                    sink.record_counter_metric.increment()
                yield is_unchanged

    def _find_text_sink(self, stream: str | None) -> Any:  # noqa: ANN401 - RecordSink and TextSink
        """Return the sink that can recognise a stream's records by their bytes, if there is one."""
        maps = self.mapper.stream_maps.get(stream, ()) if stream is not None else ()
        if len(maps) != 1 or type(maps[0]) is not SameRecordTransform:
            return None
        sink = self._sinks_active.get(maps[0].stream_alias)
        return sink if isinstance(sink, TextSink) else None

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Pass a RECORD to its sink without the SDK's validation: its table checks every record."""
        self._assert_line_requires(message_dict, requires={"stream", "record"})
        require(message_dict["record"], set())
        self._ends_with_state = False
        stream = message_dict["stream"]
        if stream not in self.mapper.stream_maps:
            self._assert_sink_exists(stream)
        read_at = _read_at(message_dict.get("time_extracted"))
        for stream_map in self.mapper.stream_maps[stream]:
            record = _mapped(stream_map, message_dict["record"])
            if record is not None:
                sink = self.get_sink(stream_map.stream_alias, record=record)
                sink.process_record(record, {"read_at": read_at, "text": self._text})
                sink.record_counter_metric.increment()

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        self._assert_line_requires(message_dict, requires={"value"})
        self._ends_with_state = True
        if message_dict["value"] is not None:
            require(message_dict["value"], set())
        if message_dict["value"]:
            try:
                self.begin().settlement.add_state(message_dict["value"])
            except RecursionError:
                raise BrokenInput("a STATE of the input is nested too deeply") from None

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Ignore it: nothing is deleted from a ledger because a tap starts a stream again."""
        self.logger.info("ACTIVATE_VERSION is ignored (stream %s)", message_dict.get("stream"))

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        raise CannotStart(
            f"BATCH messages are not supported (stream {message_dict.get('stream')}); send RECORDs"
        )


_EXPECTED = (
    CannotStart,
    LinkStoreError,
    BrakeReached,
    UnknownStream,
    BrokenInput,
    MappingError,
    OutputClosed,
    RecordsWithoutSchemaException,
)


def _stream_of(text: RecordText | None) -> str | None:
    return None if text is None else text.stream


def _read_at(stamp: object) -> datetime.datetime:
    """Return when a record was read, or the present time if the stamp is not usable."""
    return (_instant(stamp) if isinstance(stamp, str) else None) or now()


@functools.lru_cache(maxsize=8)
def _instant(stamp: str) -> datetime.datetime | None:
    """Parse a stamp, or return None; cached, as all records of a page have the same stamp."""
    return instant_or_none(stamp)


def _mapped(stream_map: StreamMap, record: dict[str, Any]) -> dict[str, Any] | None:
    """Return a record as changed by a stream map; None if the map drops it.

    Raises:
        MappingError: the map fails on the record; the message has no values, as they may be
            personal data.
    """
    try:
        return stream_map.transform(dict(record))
    except Exception as error:  # noqa: BLE001 - an expression of the user can raise anything
        kind = type(error).__name__
    raise MappingError(
        f'stream_maps: the map of "{stream_map.stream_alias}" fails on a record ({kind})'
    )
