"""A wrong clock of the machine that a target or a tap runs on."""

import contextlib
import datetime
import types
from unittest import mock

from target_powerofficego.dataflow import table


@contextlib.contextmanager
def machine_off_by(offset):
    """Shift the clock that targets read in this process, not that of the sandbox or the test."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + offset

    names = {name: getattr(datetime, name) for name in dir(datetime)}
    wrong = types.SimpleNamespace(**{**names, "datetime": Clock})
    with mock.patch.object(table, "datetime", wrong):
        yield


def read_at(messages, offset):
    """Return messages as a tap with a wrong clock would have written them."""
    return [
        {**message, "time_extracted": _moved(message["time_extracted"], offset)}
        if message.get("type") == "RECORD"
        else message
        for message in messages
    ]


def _moved(stamp, offset):
    return (datetime.datetime.fromisoformat(stamp) + offset).isoformat()
