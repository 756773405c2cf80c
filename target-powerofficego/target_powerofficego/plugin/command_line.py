"""A plugin's command line: its help, and one line for each file or variable that cannot be read.

Files and variables are checked before the SDK reads them: the SDK would end in a traceback, or read
any unknown word as "false".
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import PluginBase

from . import standard_output
from .environment import load_dotenv, settings_from_environment
from .open_files import OUT_OF_FILES, is_out_of_files
from .plain_text import NOT_SHOWN, keep_logs_plain, looks_like_a_name, may_be_a_key
from .sdk_internals import classproperty, load_json, read_json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import click

    from .sdk_internals import ConfigInput

_ENVIRONMENT = "ENV"
_BOOLEANS = ("true", "1", "yes", "on", "false", "0", "no", "off")


class CommandLine(PluginBase):
    """A base class of a plugin, listed before the SDK's class."""

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Make `--help` say what the plugin does and where to read more; keep output readable."""
        keep_logs_plain()
        standard_output.print_in_utf8()
        command = super().get_singer_command()
        command.help = (
            f"{cls.__doc__} A Singer plugin: --about lists its settings, and README.md explains it."
        )
        return command

    @classmethod
    def invoke(cls, **arguments: Any) -> None:  # noqa: ANN401 - the SDK's, passed on
        """Run the plugin; unusable settings end it, with one line for each."""
        try:
            with cls.printing():
                super().invoke(**arguments)
        except ConfigValidationError as error:
            cls.exit_with(*error.errors)
        except OSError as error:
            if not is_out_of_files(error):
                raise
            cls.exit_with(f"{OUT_OF_FILES}.")

    @classmethod
    @contextlib.contextmanager
    def printing(cls) -> Iterator[None]:
        """End the program with one line if something printed inside cannot be written."""
        if standard_output.is_closed():
            cls.exit_with(standard_output.CLOSED)
        try:
            yield
            sys.stdout.flush()
        except BrokenPipeError:
            standard_output.discard()
            cls.exit_with("What reads this output has stopped reading; its own log says why.")
        except OSError as error:
            if error.errno is None:  # raised by requests, not by the operating system
                raise
            standard_output.discard()
            cls.exit_with(f"The output cannot be written: {error.strerror}.")

    @classmethod
    def exit_with(cls, *lines: str) -> NoReturn:
        """Log the lines as errors, and exit with status 1."""
        for line in lines:
            cls.logger.error("%s", line)
        sys.exit(1)

    @classmethod
    def checked_json(
        cls, file: IO[str], fault: str, read: Callable[[Any], object] = dict.copy
    ) -> IO[str]:
        """Return a file whose JSON can be read, by default as an object; otherwise exit.

        Args:
            file: The file.
            fault: The line to exit with.
            read: Reads the JSON, and raises an error if it is not as it should be.
        """
        text = file.read()
        try:
            read(load_json(text))
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
            cls.exit_with(fault)
        return io.StringIO(text)

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> ConfigInput:
        """Read the config files; a file that cannot be read ends the program with one line."""
        for path in value:
            if path != _ENVIRONMENT and (fault := config_file_fault(path)):
                cls.exit_with(f"--config: {fault}")
        return super().cb_config(ctx, param, value)

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as the SDK has it
        schema = cls.config_jsonschema
        cls.append_builtin_config(schema)
        if faults := variable_faults(cls._env_var_prefix, schema["properties"]):
            raise ConfigValidationError("The variables are not usable", errors=faults, schema={})
        return settings_from_environment(schema, cls._env_var_prefix)


def read_bookmarks(state: Any) -> None:  # noqa: ANN401 - JSON
    """Go through the bookmarks of a state as the SDK does, to fail where the SDK would.

    Raises:
        TypeError, AttributeError: It is not a state, or its bookmarks are not bookmarks.
    """
    for bookmark in dict.copy(state).get("bookmarks", {}).values():
        for part in (bookmark, *bookmark.get("partitions", ())):
            dict.copy(part).get("progress_markers", {}).items()


def config_file_fault(path: str) -> str | None:
    """Return why a file is not a config; None if it is one."""
    file = "the file that is named" if not path or may_be_a_key(path) else path
    if Path(path).exists() and not Path(path).is_file():
        return f"{file} is not a file, but for example a pipe, which can be read only once"
    try:
        settings: object = read_json_file(path)
    except (OSError, RuntimeError):
        return f"{file} cannot be read; check that it exists and is readable"
    except ValueError as error:
        return f"{file} does not contain settings as JSON: {error}"
    if not isinstance(settings, dict):
        return f'{file} must contain an object of settings, such as {{"name": "value"}}'
    return None


def variable_faults(prefix: str, settings: Mapping[str, Any]) -> list[str]:
    """Return a line for each variable with a plugin's prefix that is unknown or invalid.

    Args:
        prefix: What the names of the plugin's variables begin with, such as `TAP_CUSTOMWEBSHOP_`.
        settings: The schema of each setting by its name.
    """
    load_dotenv()
    known = {prefix + name.upper(): schema for name, schema in settings.items()}
    lines: list[str] = []
    for variable, value in sorted(os.environ.items()):
        if variable in known:
            lines += _value_faults(variable, value, known[variable].get("type", ()))
        elif _is_meant_as_setting(variable, prefix):
            name = variable.removeprefix(prefix).lower()
            close = difflib.get_close_matches(name, settings, n=1)
            hint = f"; did you mean {prefix}{close[0].upper()}?" if close else ""
            is_shown = close or looks_like_a_name(name)
            label = variable if is_shown else f"that begins with {prefix} ({NOT_SHOWN})"
            lines.append(f"There is no setting for the variable {label}{hint}")
    return lines


def _is_meant_as_setting(variable: str, prefix: str) -> bool:
    """Return whether a variable is meant as a setting, not for the SDK or Meltano (`…__SELECT`)."""
    name = variable.removeprefix(prefix)
    return name != variable and name != "LOGLEVEL" and not name.startswith("_")


def _value_faults(variable: str, value: str, types: Collection[str]) -> list[str]:
    """Return what a value should be, without showing it: it may be a key in the wrong place."""
    if "boolean" in types and value.lower() not in _BOOLEANS:
        return [f"{variable} must be true or false"]
    if "integer" in types and _parse_error(int, value):
        return [f"{variable} must be a whole number"]
    if "object" in types and (reason := _parse_error(load_json, value)):
        return [f"{variable} must be an object of names and values, as JSON: {reason}"]
    return []


def _parse_error(parse: Callable[[str], object], value: str) -> str | None:
    try:
        parse(value)
    except ValueError as error:
        return str(error)
    return None
