"""Lets the link stores of all runs in a process share the SQL that SQLAlchemy compiled.

Each run opens an engine of its own and compiles its statements anew, once a run; a test has several
runs of a few records each, where that is a third of all work. The text of the SQL stays the same.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_dialects: dict[str, sa.Dialect] = {}
_compiled: dict[Any, Any] = {}


@sa.event.listens_for(sa.Engine, "engine_connect")
def _share(connection: sa.Connection) -> None:
    """Give a connection the dialect of the first of its kind, whose compiled SQL it then finds."""
    shared = _dialects.setdefault(connection.dialect.name, connection.dialect)
    connection.dialect = connection.engine.dialect = shared
    connection.execution_options(compiled_cache=_compiled)
