"""Where clients with the same subscription key share their turns: memory, a file or PostgreSQL.

Each store has a single clock for its turns, since the clocks of several machines differ. It holds
no secret: the subscription key is stored as a keyed hash.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from target_powerofficego.go_api.errors import ConfigurationError
from target_powerofficego.go_api.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy as sa

_T = TypeVar("_T")

IN_MEMORY = "memory"
"""The value of the setting for a limit that is not shared with other processes."""
_BUSY_SECONDS = 5.0
"""How long to wait for another process that has locked the store, normally for milliseconds."""
_CLOCK_TOLERANCE_SECONDS = 5.0
"""A clock that went back further has been reset, as when a machine restarts."""


class TurnStoreError(Exception):
    """A store that cannot be used; `str()` is the reason in one line."""


class TurnStore(Protocol):
    """Keeps the turns of one subscription key."""

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Call `change` with the turns and the time, under a lock, and return its result.

        Raises:
            TurnStoreError: the store cannot be used.
        """

    def close(self) -> None:
        """Close what the store has open; the next use opens it again."""


class TurnsInMemory:
    """The turns of one process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turns = Turns()
        self._lock = threading.Lock()

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Change the turns."""
        with self._lock:
            return change(self._turns, self._now())

    def close(self) -> None:
        """Do nothing."""


class _Stored(msgspec.Struct):
    """The turns of a key, and when they were stored."""

    at: float
    turns: Turns

    def turns_at(self, now: float) -> Turns:
        """Return the turns; new ones if the clock has been reset since."""
        return self.turns if self.at <= now + _CLOCK_TOLERANCE_SECONDS else Turns()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a file: the turns by the hash of the key."""

    rate_limits: dict[str, _Stored]


_FILE_START = msgspec.json.encode(_File({})).removesuffix(b"}}")


class TurnsInFile:
    """The turns of all processes of a machine, by its monotonic clock.

    The file is locked, read and rewritten in a fraction of a millisecond. It must not be on a drive
    that several machines share, since each has its own clock.
    """

    def __init__(self, path: Path, key: str, stop: threading.Event) -> None:
        self._path = path
        self._key = key
        self._stop = stop

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Change the turns.

        Raises:
            TurnStoreError: the file cannot be opened, stays locked, or is another program's.
        """
        try:
            with self._locked() as file:
                return self._change(file, change)
        except OSError as error:
            raise TurnStoreError(f"{self._path}: {self._describe(error)}") from None
        except msgspec.MsgspecError:
            raise TurnStoreError(
                f"{self._path} is another program's file, and was not changed; name another file,"
                " or remove this one"
            ) from None

    def _change(self, file: int, change: Callable[[Turns, float], _T]) -> _T:
        content = os.pread(file, os.fstat(file).st_size, 0)
        stored = _parse(content)
        now = time.monotonic()
        of_key = stored.rate_limits.get(self._key)
        turns = of_key.turns_at(now) if of_key else Turns()
        result = change(turns, now)
        stored.rate_limits[self._key] = _Stored(now, turns)
        # Padded to the old length, so that nothing of the old content remains.
        text = msgspec.json.encode(stored).ljust(len(content))
        if os.pwrite(file, text, 0) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return result

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the file, created private if missing, and lock it, against other threads too."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "it is not a file")
            give_up_at = time.monotonic() + _BUSY_SECONDS
            while not _try_to_lock(file):
                if self._stop.wait(0.001) or time.monotonic() > give_up_at:
                    raise OSError(errno.EAGAIN, "another process keeps it locked")
            yield file
        finally:
            os.close(file)

    def _describe(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f"there is no folder {self._path.resolve().parent}; create it"
        return str(error.strerror)

    def close(self) -> None:
        """Do nothing: the file is open only while it is used."""


def _parse(content: bytes) -> _File:
    """Return the content of a file; an empty one if a power cut or full disk left only a part.

    Raises:
        MsgspecError: it is another program's file.
    """
    if not content.strip(b"\0 "):
        return _File({})
    try:
        return msgspec.json.decode(content, type=_File)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if not content.startswith(_FILE_START):
            raise
        return _File({})


def _try_to_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Without WAL: the turns of the last second are worthless after a crash.
_TABLE = """
BEGIN;
SELECT pg_advisory_xact_lock({lock});
CREATE UNLOGGED TABLE IF NOT EXISTS rate_limits (key text PRIMARY KEY, stored text NOT NULL);
COMMIT
"""
# One round trip for all. Locks are granted in the order of the requests, and the clock is read
# under the lock; a process that then sleeps or loses its connection does not hold it for long.
_READ = """
BEGIN;
SET LOCAL lock_timeout = {milliseconds};
SET LOCAL idle_in_transaction_session_timeout = {milliseconds};
SELECT pg_advisory_xact_lock({lock});
SELECT extract(epoch FROM clock_timestamp())::float8,
    (SELECT stored FROM rate_limits WHERE key = '{key}')
"""
_WRITE = """
INSERT INTO rate_limits (key, stored) VALUES ('{key}', '{stored}')
    ON CONFLICT (key) DO UPDATE SET stored = excluded.stored;
COMMIT
"""


class TurnsInPostgresql:
    """The turns of processes on any machine, by the database's clock; a change is two round trips.

    A wait for a machine that cannot be reached ends after a few seconds, not at once.
    """

    def __init__(self, url: sa.URL, key: str) -> None:
        self._url = url
        self._key = key
        self._lock_number = int(key[:15], 16)
        self._lock = threading.Lock()
        self._open_connection: sa.Connection | None = None

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Change the turns.

        Raises:
            TurnStoreError: the database cannot be reached, or reports an error.
        """
        with self._lock:
            try:
                return self._change(change)
            except self._errors() as error:
                self._disconnect()
                reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
                address = self._url.set(drivername="postgresql").render_as_string()
                raise TurnStoreError(f"{address}: {reason}") from None
            except ImportError:
                raise TurnStoreError(
                    "a rate limit in PostgreSQL needs the package psycopg: install"
                    " target-powerofficego[postgresql]"
                ) from None

    def _change(self, change: Callable[[Turns, float], _T]) -> _T:
        now, text = self._run(_READ, milliseconds=round(_BUSY_SECONDS * 1000)).fetchone()
        stored = msgspec.json.decode(text, type=_Stored) if text else None
        turns = stored.turns_at(now) if stored else Turns()
        result = change(turns, now)
        self._run(_WRITE, stored=msgspec.json.encode(_Stored(now, turns)).decode())
        return result

    def _run(self, statements: str, **values: object) -> Any:  # noqa: ANN401 - a driver's cursor
        """Run statements through the driver, which accepts several at once."""
        driver: Any = self._connection().connection.driver_connection
        cursor = driver.execute(statements.format(key=self._key, lock=self._lock_number, **values))
        while cursor.nextset():
            pass
        return cursor

    def _connection(self) -> sa.Connection:
        if self._open_connection is None:
            import sqlalchemy as sa  # noqa: PLC0415 - takes long to load

            self._open_connection = sa.create_engine(
                self._url,
                isolation_level="AUTOCOMMIT",
                connect_args={
                    "connect_timeout": round(_BUSY_SECONDS),
                    "tcp_user_timeout": round(_BUSY_SECONDS * 1000),
                    "application_name": "powerofficego rate limit",
                    "client_encoding": "utf8",
                },
            ).connect()
            if not sa.inspect(self._open_connection).has_table("rate_limits"):
                self._run(_TABLE)
        return self._open_connection

    def _errors(self) -> tuple[type[Exception], ...]:
        import sqlalchemy as sa  # noqa: PLC0415 - takes long to load

        if self._open_connection is None:
            return sa.exc.DBAPIError, msgspec.MsgspecError
        driver_error = self._open_connection.dialect.loaded_dbapi.Error
        return sa.exc.DBAPIError, driver_error, msgspec.MsgspecError

    def _disconnect(self) -> None:
        if self._open_connection is not None:
            self._open_connection.invalidate()
            self._open_connection.engine.dispose()
            self._open_connection = None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()


def turn_store(place: str, subscription_key: str, stop: threading.Event) -> TurnStore:
    """Return the store at `memory`, a path, or the address of a PostgreSQL database.

    A wait for a locked file ends when `stop` is set.

    Raises:
        ConfigurationError: `place` is none of these.
    """
    if place == IN_MEMORY:
        return TurnsInMemory()
    url = check_store_location(place)
    hashed = hashlib.blake2b(subscription_key.encode(), digest_size=16, key=b"rate_limit_store")
    key = hashed.hexdigest()
    return TurnsInFile(Path(place), key, stop) if url is None else TurnsInPostgresql(url, key)


def check_store_location(place: str) -> sa.URL | None:
    """Return the address if `place` is a database, else None.

    Raises:
        ConfigurationError: it is not `memory`, a path or the address of a PostgreSQL database.
    """
    if place == IN_MEMORY:
        return None
    # takes long to load, and --help does not need it
    from target_powerofficego.database_address import database_address  # noqa: PLC0415

    try:
        return database_address(place, "rate_limit_store")
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
