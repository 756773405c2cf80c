"""Makes text from others, such as a name, safe to show on a terminal or in a log.

An escape sequence controls a terminal, a line break forges a line of a log, and characters that
change the direction of writing disguise what a line says. And what should be a path may be a key in
the wrong place.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

NOT_SHOWN = "its name is not shown, because it may be a key in the wrong place"

_LONGEST_NAME = 40
_NAME = re.compile(r"[a-z]+([_-][a-z]+)*")
_KEY = re.compile(r"(?=.*[0-9])[A-Za-z0-9+=_-]{16,}")


def plain(text: str) -> str:
    """Return text on one line, with a space in place of each character that cannot be seen."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def may_be_a_key(text: str) -> bool:
    """Return whether text given as a path looks like a key: no folder, no file extension."""
    return _KEY.fullmatch(text) is not None


def looks_like_a_name(text: str) -> bool:
    """Return whether text given as a setting's name looks like a name, and not like a key."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def keep_logs_plain() -> None:
    """Make each log line of this process plain, also of an uncaught error; safe to repeat."""
    logging.setLogRecordFactory(_PlainRecord)
    sys.excepthook = _log_uncaught


class _PlainRecord(logging.LogRecord):
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*args, **kwargs)
        if self.exc_info and self.exc_info[0]:
            # Indented, so that a line break in an error's text does not begin a line of the log.
            lines = "".join(traceback.format_exception(*self.exc_info)).splitlines()
            self.exc_text = "\n".join(f"  {plain(line)}" for line in lines)

    def getMessage(self) -> str:  # noqa: N802 - the standard library's
        return plain(super().getMessage())


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger().error("%s", error, exc_info=(kind, error, trace))
