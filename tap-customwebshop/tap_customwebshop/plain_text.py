"""Text of others, such as a name, as it may stand on a terminal or in a log: as text alone.

An escape sequence steers a terminal, a line break forges a line of a log, and the characters that
turn the direction of writing let a line read otherwise than it is. And what should be a path may be
a key in the wrong place.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

NOT_SHOWN = "its name is not shown, for it may be a key in the wrong place"

_LONGEST_NAME = 40
_NAME = re.compile(r"[a-z]+([_-][a-z]+)*")
_KEY = re.compile(r"(?=.*[0-9])[A-Za-z0-9+=_-]{16,}")


def plain(text: str) -> str:
    """Return text on one line, a space in place of each character that cannot be seen."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else " " for one in text)


def may_be_a_key(text: str) -> bool:
    """Tell whether what stands in the place of a path looks like a key: no folder, no ending."""
    return _KEY.fullmatch(text) is not None


def is_like_a_name(text: str) -> bool:
    """Tell whether what stands in the place of a setting's name looks like one, and like no key."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def keep_logs_plain() -> None:
    """Make every log line of this process plain, what ends it included; twice changes nothing."""
    logging.setLogRecordFactory(_PlainRecord)
    sys.excepthook = _log_what_ended


class _PlainRecord(logging.LogRecord):
    def __init__(self, *told: Any, **named: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*told, **named)
        if self.exc_info and self.exc_info[0]:
            # Indented, for a line break in the text of an error would else begin a line of the log.
            lines = "".join(traceback.format_exception(*self.exc_info)).splitlines()
            self.exc_text = "\n".join(f"  {plain(line)}" for line in lines)

    def getMessage(self) -> str:  # noqa: N802 - the standard library's
        return plain(super().getMessage())


def _log_what_ended(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.getLogger().error("%s", error, exc_info=(kind, error, trace))
