"""Keeps queries, which may hold e-mail addresses, out of what urllib3 logs."""

from __future__ import annotations

import logging
import re

# urllib3 writes the whole path and query of each request at level DEBUG, and of an answer with
# odd headers at level WARNING.
LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
QUERY = re.compile(r"\?[^\s'\"]*")


class _WithoutQueries(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                QUERY.sub("?...", value) if isinstance(value, str) else value
                for value in record.args
            )
        return True


_FILTER = _WithoutQueries()


def hide_queries() -> None:
    """Cut queries from urllib3's log lines in this process; doing it twice changes nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
