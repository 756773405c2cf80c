"""Text of others, such as a name, as it may stand on a terminal or in a log: as text alone.

An escape sequence steers a terminal, a line break forges a line of a log, and the characters that
turn the direction of writing let a line read otherwise than it is.
"""

from __future__ import annotations

import logging


def plain(text: str) -> str:
    """Return text on one line, a space in place of each character that cannot be seen."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else " " for one in text)


def keep_logs_plain() -> None:
    """Make every log line of this process plain; doing it twice changes nothing."""
    logging.setLogRecordFactory(_PlainRecord)


class _PlainRecord(logging.LogRecord):
    def getMessage(self) -> str:  # noqa: N802 - the standard library's
        return plain(super().getMessage())
