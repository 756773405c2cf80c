"""Where a link store is kept: in a private file or in PostgreSQL, locked during a run."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from target_powerofficego.database_address import database_address
from target_powerofficego.store.values import LinkStoreError, RunUnderWay

_IN_MEMORY = ":memory:"


@dataclass(frozen=True)
class StoreLocation:
    """The location of a link store; its `str` is the form shown to people, without a password."""

    url: sa.URL

    @classmethod
    def of(cls, text: str) -> StoreLocation:
        """Return the location that a setting or option names.

        Raises:
            LinkStoreError: it is neither a path nor the address of a PostgreSQL database, or it
                holds a secret, which would be shown wherever settings are shown.
        """
        try:
            url = database_address(text, "link_store")
        except ValueError as error:
            raise LinkStoreError(str(error)) from None
        return cls(url or sa.URL.create("sqlite", database=text))

    @classmethod
    def in_memory(cls) -> StoreLocation:
        """Return the location of a store in memory."""
        return cls(sa.URL.create("sqlite", database=_IN_MEMORY))

    @property
    def path(self) -> Path | None:
        """The file, or None for a store in PostgreSQL or in memory."""
        if self.url.get_backend_name() != "sqlite" or self.url.database == _IN_MEMORY:
            return None
        return Path(self.url.database or "")

    @property
    def is_postgresql(self) -> bool:
        """Whether it is kept in PostgreSQL."""
        return self.url.get_backend_name() == "postgresql"

    def __str__(self) -> str:
        if not self.is_postgresql:
            return str(self.url.database)
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)


PRIVATE = 0o600
"""The mode of a private file."""

_RIGHTS_OF_OTHERS = 0o077

logger = logging.getLogger("target-powerofficego")


def open_private(path: str, flags: int) -> int:
    """Open a file, creating it as private if there is none; an `opener` for `open`."""
    return os.open(path, flags, PRIVATE)


def make_private(descriptor: int) -> None:
    """Make an open file private if it is a regular file of ours; otherwise leave it as it is."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, PRIVATE)


def keep_private(path: Path) -> None:
    """Revoke the rights of others to a file that an earlier version left, and log that.

    A path that does not exist, is not a file, or belongs to another user is ignored.
    """
    with contextlib.suppress(OSError):
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if is_ours and mode & _RIGHTS_OF_OTHERS:
            path.chmod(PRIVATE)
            logger.warning("%s can now be read by its owner only (its mode was %o)", path, mode)


_SECONDS_TO_END = 2.0
"""How long the session of a run that has just ended may take to release its lock."""


def lock_file(location: StoreLocation, shop_name: str) -> FileLock | None:
    """Acquire and return the lock of a store in a file; return None if the store is not in a file.

    A file has one lock, whichever path or symbolic link names the file.

    Raises:
        RunUnderWay: another process holds the lock.
        LinkStoreError: the lock cannot be written.
    """
    if location.path is None:
        return None
    require_folder(location)
    path = Path(f"{location.path.resolve()}.{shop_name}.lock")
    keep_private(path)
    lock = FileLock(path, mode=PRIVATE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunUnderWay(_another_run(shop_name, str(path))) from None
    except OSError as error:
        raise LinkStoreError(
            f"the link store {location} cannot be written: {error.strerror}"
        ) from None
    return lock


def require_folder(location: StoreLocation) -> None:
    """Check that the folder of a store in a file exists.

    Raises:
        LinkStoreError: it does not exist.
    """
    folder = location.path.resolve().parent if location.path else None
    if folder is not None and not folder.is_dir():
        raise LinkStoreError(
            f"link_store: there is no folder {folder}; create it, or correct the path"
        )


def lock_session(connection: sa.Connection, location: StoreLocation, shop_name: str) -> None:
    """Acquire the lock of a store in PostgreSQL; it is held until this connection is closed.

    Raises:
        RunUnderWay: another session holds the lock.
    """
    digest = hashlib.sha256(f"target-powerofficego {shop_name}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    give_up_at = time.monotonic() + _SECONDS_TO_END
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
        if time.monotonic() > give_up_at:
            raise RunUnderWay(_another_run(shop_name, str(location)))
        time.sleep(_SECONDS_TO_END / 20)


def _another_run(shop_name: str, lock: str) -> str:
    return (
        f"a run for the shop {shop_name} is under way (it holds {lock}); nothing was done:"
        " wait until it ends"
    )
