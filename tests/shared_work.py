"""Makes runs in this process faster without changing what they do.

Each run opens an engine, which compiles all SQL again, and validates each SCHEMA against the JSON
schema of schemas: a third of the time of a run of few records. The results are shared here. Shared
are also the definitions of a new store's tables, the versions of packages, and the environment's
proxies, which are looked up for each request. Commits do not wait for the disk, which matters only
in a power failure.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import sqlite3
import urllib.request
from typing import Any

import requests
import sqlalchemy as sa
from singer_sdk.sinks.core import DEFAULT_JSONSCHEMA_VALIDATOR as VALIDATOR
from sqlalchemy.ext.compiler import compiles

_dialects: dict[str, sa.Dialect] = {}
_compiled: dict[Any, Any] = {}
_check_schema = VALIDATOR.check_schema
_definitions: dict[Any, str] = {}
_getproxies = urllib.request.getproxies_environment
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")


@sa.event.listens_for(sa.Engine, "engine_connect")
def _share(connection: sa.Connection) -> None:
    """Let a connection use the first dialect of its kind, and the SQL compiled for it."""
    shared = _dialects.setdefault(connection.dialect.name, connection.dialect)
    connection.dialect = connection.engine.dialect = shared
    connection.execution_options(compiled_cache=_compiled)


@sa.event.listens_for(sa.pool.Pool, "connect")
def _do_not_wait_at_first(connection: Any, _record: Any) -> None:
    """Do not wait for the file of a new store, made before the store sets this itself."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@sa.event.listens_for(sa.Engine, "before_cursor_execute", retval=True)
def _do_not_wait(_connection, _cursor, statement, parameters, _context, _is_many):
    return statement.replace("synchronous = FULL", "synchronous = OFF"), parameters


@compiles(sa.schema.CreateTable)
@compiles(sa.schema.CreateIndex)
def _share_definition(definition: Any, compiler: Any, **choices: Any) -> str:
    """Compile the definition of a table or an index once for each kind of database."""
    key = (type(definition), definition.element, compiler.dialect.name)
    if key not in _definitions:
        visit = getattr(compiler, f"visit_{definition.__visit_name__}")
        _definitions[key] = visit(definition, **choices)
    return _definitions[key]


@functools.cache
def _check_text(text: str) -> None:
    _check_schema(json.loads(text))


VALIDATOR.check_schema = staticmethod(lambda schema: _check_text(json.dumps(schema)))

importlib.metadata.version = functools.cache(importlib.metadata.version)


def _proxies() -> dict[str, str]:
    """Return the proxies in the environment, which a test may have changed."""
    values = [os.environ.get(name) for lower in _PROXIES for name in (lower, lower.upper())]
    return dict(_proxies_of(*values))


@functools.cache
def _proxies_of(*_: str | None) -> dict[str, str]:
    return _getproxies()


urllib.request.getproxies_environment = _proxies
requests.utils.getproxies = _proxies  # type: ignore[attr-defined]
