"""Wrong clocks: that of the machine a target runs on, in this process."""

import contextlib
import datetime
import types
from unittest import mock

from target_powerofficego.dataflow import table


@contextlib.contextmanager
def machine_off_by(offset):
    """Let the clock that targets read be wrong; those of the sandbox and of this test are not."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + offset

    names = {name: getattr(datetime, name) for name in dir(datetime)}
    wrong = types.SimpleNamespace(**{**names, "datetime": Clock})
    with mock.patch.object(table, "datetime", wrong):
        yield


def read_at(messages, offset):
    """Return messages as a tap whose clock is wrong would have told them."""
    return [
        {**one, "time_extracted": _moved(one["time_extracted"], offset)}
        if one.get("type") == "RECORD"
        else one
        for one in messages
    ]


def _moved(stamp, offset):
    return (datetime.datetime.fromisoformat(stamp) + offset).isoformat()
