"""A shop may have one run at a time: a lock that ends with its process, however that ends.

With SQLite it is the operating system's lock on a file beside the store, with PostgreSQL an
advisory lock of the same session that writes: a run that has lost it can no longer write anything.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from filelock import FileLock, Timeout

from target_powerofficego.store.private_file import PRIVATE, keep_private
from target_powerofficego.store.values import LinkStoreError

if TYPE_CHECKING:
    from target_powerofficego.store.location import StoreLocation


_SECONDS_TO_END = 2.0
"""How long the session of a run that has just ended may take to release its lock."""


def lock_file(location: StoreLocation, shop_name: str) -> FileLock | None:
    """Acquire the lock of a store in a file, and return it; None for a store that is not in a file.

    It belongs to the file, whatever path or symbolic link is used to name it.

    Raises:
        LinkStoreError: another process holds it, or its file cannot be written.
    """
    if location.path is None:
        return None
    see_that_it_has_a_folder(location)
    path = Path(f"{location.path.resolve()}.{shop_name}.lock")
    keep_private(path)
    lock = FileLock(path, mode=PRIVATE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LinkStoreError(_another_run(shop_name, str(path))) from None
    except OSError as error:
        raise LinkStoreError(
            f"the link store {location} cannot be written: {error.strerror}"
        ) from None
    return lock


def see_that_it_has_a_folder(location: StoreLocation) -> None:
    """Check that the folder of a store in a file exists.

    Raises:
        LinkStoreError: it does not.
    """
    folder = location.path.resolve().parent if location.path else None
    if folder is not None and not folder.is_dir():
        raise LinkStoreError(
            f"link_store: there is no folder {folder}; create it, or correct the path"
        )


def lock_session(connection: sa.Connection, location: StoreLocation, shop_name: str) -> None:
    """Acquire the lock of a store in PostgreSQL; it is held until this connection ends.

    Raises:
        LinkStoreError: another session holds it.
    """
    digest = hashlib.sha256(f"target-powerofficego {shop_name}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    give_up_at = time.monotonic() + _SECONDS_TO_END
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
        if time.monotonic() > give_up_at:
            raise LinkStoreError(_another_run(shop_name, str(location)))
        time.sleep(_SECONDS_TO_END / 20)


def _another_run(shop_name: str, held: str) -> str:
    return (
        f"a run for the shop {shop_name} is under way (it holds {held}); nothing was done:"
        " wait until it ends"
    )
