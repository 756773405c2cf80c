"""Where a link store is kept: an SQLite file by its path, or a PostgreSQL database by its URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from target_powerofficego.plain_text import may_be_a_key
from target_powerofficego.store.values import LinkStoreError

MAY_BE_A_KEY = (
    "looks like a key and is not shown; if it is a path, write it with its folder or an ending"
)

_IN_MEMORY = ":memory:"
_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")
_SECRETS = frozenset({"sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"})
"""What libpq accepts in a URL and must not be shown, besides `password` (PostgreSQL 18)."""


@dataclass(frozen=True)
class StoreLocation:
    """The place of a link store, in the forms that SQLAlchemy and a person read."""

    url: sa.URL

    @classmethod
    def of(cls, text: str) -> StoreLocation:
        """Return the location that a setting or option names.

        Raises:
            LinkStoreError: it is neither, or holds a secret, which would be shown wherever
                settings are shown.
        """
        if not text.strip() or "\0" in text:
            raise LinkStoreError("link_store is empty or no path; set it to the path of a file")
        if may_be_a_key(text):
            raise LinkStoreError(f"link_store {MAY_BE_A_KEY}, such as ./links.db")
        if "://" not in text:
            return cls(sa.URL.create("sqlite", database=text))
        url = _url(text)
        if url.password is not None or "password" in url.query:
            raise LinkStoreError(
                "link_store must not hold the database's password: give that in the environment"
                " variable PGPASSWORD or in the file ~/.pgpass"
            )
        if secrets := sorted(_SECRETS.intersection(url.query)):
            raise LinkStoreError(
                f"link_store must not hold {' or '.join(secrets)}: give that in the file"
                " ~/.pg_service.conf, and name its service in link_store (?service=NAME)"
            )
        return cls(url.set(drivername="postgresql+psycopg"))

    @classmethod
    def in_memory(cls) -> StoreLocation:
        """Return the location of a store that is only in memory."""
        return cls(sa.URL.create("sqlite", database=_IN_MEMORY))

    @property
    def path(self) -> Path | None:
        """The file, or None for a database or a store in memory."""
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


def _url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _POSTGRESQL:
        raise LinkStoreError(
            "link_store must be the path of a file, or the address of a PostgreSQL database"
            " (postgresql://user@host/database)"
        )
    return url
