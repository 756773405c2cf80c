"""How requests to a shop are authenticated. Texts name settings in braces and hold no secret.

`{auth_token}` is that setting; any other name is looked up in the setting `shop_settings`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from requests.auth import AuthBase, HTTPBasicAuth
from typing_extensions import override

from tap_customwebshop.shop.templates import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest


@dataclass(frozen=True)
class NoAuth:
    """A shop that anyone may read."""


@dataclass(frozen=True)
class Header:
    """A header: `Header("X-Shop-Key", "{auth_token}")`."""

    name: str
    value: str = "{auth_token}"


@dataclass(frozen=True)
class Bearer:
    """The header `Authorization: Bearer …`."""

    token: str = "{auth_token}"  # noqa: S105 - a setting's name


@dataclass(frozen=True)
class Basic:
    """A user name and password; either may be empty: `Basic("{auth_token}")`."""

    user: str
    password: str = ""


@dataclass(frozen=True)
class Query:
    """A query parameter, which is never logged: `Query("ws_key", "{auth_token}")`."""

    name: str
    value: str = "{auth_token}"


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth 2: id and secret are exchanged at `path` for a token that lasts for some hours.

    Attributes:
        path: Where tokens are issued, under `api_url`.
        header: The header that carries the token.
        value: The header's text; `{token}` is the token.
    """

    path: str
    client_id: str = "{client_id}"
    client_secret: str = "{client_secret}"  # noqa: S105 - a setting's name
    header: str = "Authorization"
    value: str = "Bearer {token}"
    token: ClassVar[str] = "access_token"  # noqa: S105 - a member's name

    @property
    def body(self) -> dict[str, str]:
        """The body of the request, sent as a form (RFC 6749, section 4.4.2)."""
        keys = {"client_id": self.client_id, "client_secret": self.client_secret}
        return {"grant_type": "client_credentials", **keys}


@dataclass(frozen=True)
class Login:
    """A request that logs in, and whose answer has a token.

    Attributes:
        path: Where to log in, under `api_url`.
        body: What is sent as JSON: `{"username": "{user}", "password": "{password}"}`.
        token: Where the token is in the answer: `data.token`, `header X-Token`, or "" if the
            answer itself is the token.
        header: The header that carries the token.
        value: The header's text; `{token}` is the token.
    """

    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    token: str = "token"  # noqa: S105 - a member's name
    header: str = "Authorization"
    value: str = "Bearer {token}"


Auth: TypeAlias = "NoAuth | Header | Bearer | Basic | Query | ClientCredentials | Login"
AUTH_KINDS = (NoAuth, Header, Bearer, Basic, Query, ClientCredentials, Login)


class Authenticator(AuthBase):
    """Authenticates each request.

    Attributes:
        token: The token from the log-in; "" before one.
    """

    def __init__(self, auth: Auth, secrets: Mapping[str, str]) -> None:
        self._auth = auth
        self._secrets = secrets
        self.token = ""

    @override
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        auth = self._auth
        if isinstance(auth, Basic):
            user, password = (self._text(name).encode() for name in (auth.user, auth.password))
            HTTPBasicAuth(user, password)(request)
        elif isinstance(auth, Query):
            request.prepare_url(request.url, {auth.name: self._text(auth.value)})
        elif isinstance(auth, Header):
            request.headers[auth.name] = self._text(auth.value)
        elif isinstance(auth, Bearer):
            request.headers["Authorization"] = f"Bearer {self._text(auth.token)}"
        elif isinstance(auth, (ClientCredentials, Login)) and self.token:
            request.headers[auth.header] = filled(auth.value, {"token": self.token})
        return request

    def _text(self, template: str) -> str:
        return str(filled(template, self._secrets))
