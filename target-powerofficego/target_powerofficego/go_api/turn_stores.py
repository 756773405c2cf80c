"""Where the turns of all who share a subscription key are kept: memory, a file, or PostgreSQL.

A store has the one clock by which its turns are told, for the clocks of several machines differ.
What it holds is no secret: the key stands there as a keyed hash.
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
"""The setting for a limit that this process keeps to itself."""
_BUSY_SECONDS = 5.0
"""How long another process may hold a store, which it should for some milliseconds."""
_BACK_SECONDS = 5.0
"""A clock that went back further began anew, as that of a machine does when it starts."""


class TurnStoreError(Exception):
    """A store that cannot be used; `str()` says why in one line."""


class TurnStore(Protocol):
    """Keeps the turns of one subscription key."""

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Return what `change` makes of the turns and the moment; nobody else changes them then.

        Raises:
            TurnStoreError: the store cannot be used.
        """

    def close(self) -> None:
        """Let go of what the store holds open; it is opened again when it is used again."""


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
    """The turns of a key, and the moment at which they were stored."""

    at: float
    turns: Turns

    def turns_at(self, now: float) -> Turns:
        """Return the turns, unless they are from before the clock began anew."""
        return self.turns if self.at <= now + _BACK_SECONDS else Turns()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """What a file holds: the turns by the hash of the key."""

    rate_limits: dict[str, _Stored]


_BEGINNING = msgspec.json.encode(_File({})).removesuffix(b"}}")


class TurnsInFile:
    """The turns of all processes of one machine, by the clock that it counts from its start.

    The file is locked, read and written as a whole in a fraction of a millisecond. It must not be
    on a drive that other machines share: each has a clock of its own.
    """

    def __init__(self, path: Path, key: str, stop: threading.Event) -> None:
        self._path = path
        self._key = key
        self._stop = stop

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Change the turns.

        Raises:
            TurnStoreError: the file cannot be opened, is locked for long, or is no such file.
        """
        try:
            with self._locked() as file:
                return self._change(file, change)
        except OSError as error:
            raise TurnStoreError(f"{self._path}: {self._why(error)}") from None
        except msgspec.MsgspecError:
            raise TurnStoreError(
                f"{self._path} is another program's file, and nothing was changed in it; name a"
                " file of its own, or remove this one"
            ) from None

    def _change(self, file: int, change: Callable[[Turns, float], _T]) -> _T:
        content = os.pread(file, os.fstat(file).st_size, 0)
        stored = _stored_in(content)
        now = time.monotonic()
        own = stored.rate_limits.get(self._key)
        turns = own.turns_at(now) if own else Turns()
        result = change(turns, now)
        stored.rate_limits[self._key] = _Stored(now, turns)
        # Never shorter, so that nothing of what was there before stays behind it.
        text = msgspec.json.encode(stored).ljust(len(content))
        if os.pwrite(file, text, 0) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return result

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the file, made private if there is none, and lock it against other threads too."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            give_up_at = time.monotonic() + _BUSY_SECONDS
            while not _is_locked_now(file):
                if self._stop.wait(0.001) or time.monotonic() > give_up_at:
                    raise OSError(errno.EAGAIN, "another process keeps it locked")
            yield file
        finally:
            os.close(file)

    def _why(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return f"there is no folder {self._path.resolve().parent}; create it"
        return str(error.strerror)

    def close(self) -> None:
        """Do nothing: the file is open only while it is used."""


def _stored_in(content: bytes) -> _File:
    """Return what a file holds; nothing if a power cut or a full disk left only a part of it.

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
        if not content.startswith(_BEGINNING):
            raise
        return _File({})


def _is_locked_now(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Without WAL: the turns of the last second are worth nothing after a crash.
_TABLE = """
BEGIN;
SELECT pg_advisory_xact_lock({lock});
CREATE UNLOGGED TABLE IF NOT EXISTS rate_limits (key text PRIMARY KEY, stored text NOT NULL);
COMMIT
"""
# One journey for all. The lock is given in the order asked for, and the clock is read once it is
# held; a process that then sleeps or is cut off does not hold it for long.
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
    """The turns of all processes of any machines, by the database's clock; two journeys a change.

    A wait for a machine that cannot be reached ends after a few seconds, not at once.
    """

    def __init__(self, url: sa.URL, key: str) -> None:
        self._url = url
        self._key = key
        self._lock_number = int(key[:15], 16)
        self._lock = threading.Lock()
        self._opened: sa.Connection | None = None

    def change(self, change: Callable[[Turns, float], _T]) -> _T:
        """Change the turns.

        Raises:
            TurnStoreError: the database cannot be reached, or refuses.
        """
        with self._lock:
            try:
                return self._change(change)
            except self._failures() as error:
                self._disconnect()
                why = str(getattr(error, "orig", error)).strip().partition("\n")[0]
                place = self._url.set(drivername="postgresql").render_as_string()
                raise TurnStoreError(f"{place}: {why}") from None
            except ImportError:
                raise TurnStoreError(
                    "turns in PostgreSQL need the package psycopg: install"
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
        """Run statements in the driver's own way, which takes several at once."""
        driver: Any = self._connection().connection.driver_connection
        cursor = driver.execute(statements.format(key=self._key, lock=self._lock_number, **values))
        while cursor.nextset():
            pass
        return cursor

    def _connection(self) -> sa.Connection:
        if self._opened is None:
            import sqlalchemy as sa  # noqa: PLC0415 - takes long to load

            self._opened = sa.create_engine(
                self._url,
                isolation_level="AUTOCOMMIT",
                connect_args={
                    "connect_timeout": round(_BUSY_SECONDS),
                    "tcp_user_timeout": round(_BUSY_SECONDS * 1000),
                    "application_name": "powerofficego rate limit",
                    "client_encoding": "utf8",
                },
            ).connect()
            if not sa.inspect(self._opened).has_table("rate_limits"):
                self._run(_TABLE)
        return self._opened

    def _failures(self) -> tuple[type[Exception], ...]:
        import sqlalchemy as sa  # noqa: PLC0415 - takes long to load

        own = self._opened.dialect.loaded_dbapi.Error if self._opened else sa.exc.DBAPIError
        return sa.exc.DBAPIError, own, msgspec.MsgspecError

    def _disconnect(self) -> None:
        if self._opened is not None:
            self._opened.invalidate()
            self._opened.engine.dispose()
            self._opened = None

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._disconnect()


def turn_store(place: str, subscription_key: str, stop: threading.Event) -> TurnStore:
    """Return the store at a place: `memory`, a path, or the address of a PostgreSQL database.

    A wait for others to let go of a file ends when `stop` is set.

    Raises:
        ConfigurationError: it is no such place.
    """
    if place == IN_MEMORY:
        return TurnsInMemory()
    url = check_store_location(place)
    hashed = hashlib.blake2b(subscription_key.encode(), digest_size=16, key=b"rate_limit_store")
    key = hashed.hexdigest()
    return TurnsInFile(Path(place), key, stop) if url is None else TurnsInPostgresql(url, key)


def check_store_location(place: str) -> sa.URL | None:
    """Return the address of the database where a store is, None for one elsewhere.

    Raises:
        ConfigurationError: it is no such place.
    """
    if place == IN_MEMORY:
        return None
    # takes long to load, and --help gives no turns
    from target_powerofficego.database_address import database_address  # noqa: PLC0415

    try:
        return database_address(place, "rate_limit_store")
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
