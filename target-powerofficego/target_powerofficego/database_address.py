"""A setting that names a place: the path of a file, or the address of a PostgreSQL database."""

from __future__ import annotations

import sqlalchemy as sa

from target_powerofficego.plugin.plain_text import may_be_a_key

MAY_BE_A_KEY = (
    "looks like a key and is not shown; if it is a path, write it with its folder or an ending"
)

_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")
_SECRETS = frozenset({"sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"})
"""The parameters of a URL for libpq that must not be shown, besides `password` (PostgreSQL 18)."""


def database_address(text: str, setting: str) -> sa.URL | None:
    """Return the address of the database that a setting or option names; None for a path.

    Raises:
        ValueError: the text is neither, or holds a secret, which would be shown wherever settings
            are shown.
    """
    if not text.strip() or "\0" in text:
        raise ValueError(f"{setting} is empty or not a path; set it to the path of a file")
    if may_be_a_key(text):
        raise ValueError(f"{setting} {MAY_BE_A_KEY}, such as ./{setting.replace('_', '-')}.db")
    if "://" not in text:
        return None
    url = _url(text, setting)
    if url.password is not None or "password" in url.query:
        raise ValueError(
            f"{setting} must not hold the database's password: put it in the environment variable"
            " PGPASSWORD or in the file ~/.pgpass"
        )
    if secrets := sorted(_SECRETS.intersection(url.query)):
        raise ValueError(
            f"{setting} must not hold {' or '.join(secrets)}: put that in the file"
            f" ~/.pg_service.conf, and name its service in {setting} (?service=NAME)"
        )
    return url.set(drivername="postgresql+psycopg")


def _url(text: str, setting: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _POSTGRESQL:
        raise ValueError(
            f"{setting} must be the path of a file, or the address of a PostgreSQL database"
            " (postgresql://user@host/database)"
        )
    return url
