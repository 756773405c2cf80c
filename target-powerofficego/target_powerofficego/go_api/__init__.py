"""The HTTP client for PowerOffice Go: token, rate limit, retries, JSON Patch, typed errors."""

from __future__ import annotations

from target_powerofficego.go_api.calls import CallCount, Operation
from target_powerofficego.go_api.client import GoClient, has_id, with_ids
from target_powerofficego.go_api.connection import Connection
from target_powerofficego.go_api.errors import (
    ConfigurationError,
    Conflict,
    DuplicateReference,
    GoError,
    MissingPrivilege,
    NotFound,
    OutOfService,
    Refused,
    RouteNotFound,
    StopRequested,
    StopRun,
    TestFailed,
    TryAgainLater,
    UnknownOutcome,
    Unreachable,
    WrongKeys,
)

__all__ = [
    "CallCount",
    "ConfigurationError",
    "Conflict",
    "Connection",
    "DuplicateReference",
    "GoClient",
    "GoError",
    "MissingPrivilege",
    "NotFound",
    "Operation",
    "OutOfService",
    "Refused",
    "RouteNotFound",
    "StopRequested",
    "StopRun",
    "TestFailed",
    "TryAgainLater",
    "UnknownOutcome",
    "Unreachable",
    "WrongKeys",
    "has_id",
    "with_ids",
]
