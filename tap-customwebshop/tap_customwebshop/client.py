"""The HTTP client of the shop's API: one page per call, retried while that can help."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from singer_sdk.authenticators import BearerTokenAuthenticator

from tap_customwebshop.errors import ContractBrokenError, ShopRefusedError, ShopUnavailableError
from tap_customwebshop.pages import Page, parse_page
from tap_customwebshop.patience import Patience, read_retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("tap-customwebshop.client")

_CHUNK = 1 << 18
_MOST_REDIRECTS = 5
_WAIT_FOR_CONNECTION = 10
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_ADVICE = {
    400: "it does not take the parameters updated_since, limit and cursor; see docs/shop-api.md",
    401: "it does not know the key; check 'auth_token'",
    403: "the key may not read this; check 'auth_token' and its rights in the shop",
    404: "there is nothing at this address; check 'api_url'",
}


class _PassingError(Exception):
    """Trouble that may be gone when asked again.

    Attributes:
        what: What happened, for a person.
        retry_after: Seconds that the shop asked to wait.
        most_attempts: Attempts after which trouble of this kind stays; None for no limit.
    """

    def __init__(
        self, what: str, *, retry_after: float | None = None, most_attempts: int | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after
        self.most_attempts = most_attempts


class ShopClient:
    """Reads pages from the shop.

    Args:
        api_url: Address of the API, without the stream's name.
        auth_token: Bearer token; sent to this origin only, never logged.
        user_agent: How the tap introduces itself.
        request_timeout: Seconds for one attempt at one page, to the last byte.
        retry_seconds: Seconds for all attempts at one page.
    """

    def __init__(
        self,
        api_url: str,
        auth_token: str,
        *,
        user_agent: str,
        request_timeout: float,
        retry_seconds: float,
    ) -> None:
        self._base = api_url.rstrip("/")
        self._timeout = request_timeout
        self._retry_seconds = retry_seconds
        self._was_reached = False
        self._session = requests.Session()
        # As `auth`, not as a header: requests would let a netrc entry replace the header.
        self._session.auth = BearerTokenAuthenticator(token=auth_token)
        self._session.headers.update({"Accept": "application/json", "User-Agent": user_agent})

    def get_page(self, path: str, query: Mapping[str, str]) -> Page:
        """Ask for one page until it comes, the budget is spent or asking again cannot help.

        Raises:
            ShopUnavailableError: No useful answer within the budget.
            ShopRefusedError: A refusal, or a way to another server.
            ContractBrokenError: An answer of another form than the contract's.
        """
        patience = Patience(self._retry_seconds)
        while True:
            read_at = datetime.now(timezone.utc)
            try:
                return self._parse(path, self._read(path, query), read_at)
            except _PassingError as trouble:
                wait = patience.next_wait(
                    trouble.retry_after, kind=trouble.what, most_attempts=trouble.most_attempts
                )
                if wait is None:
                    msg = f"GET {self._shown(path)}: {trouble.what}. Run again later."
                    raise ShopUnavailableError(msg) from None
                shown = self._shown(path)
                logger.warning("GET %s: %s; asking again in %.1f s", shown, trouble.what, wait)
            time.sleep(wait)

    def _parse(self, path: str, body: bytes, read_at: datetime) -> Page:
        try:
            return parse_page(body, read_at)
        except ContractBrokenError as error:
            msg = f"GET {self._shown(path)}: {error}; see docs/shop-api.md."
            raise ContractBrokenError(msg) from None
        except ValueError:
            what = "the shop's answer is not JSON"
            raise _PassingError(what, most_attempts=3) from None

    def _read(self, path: str, query: Mapping[str, str]) -> bytes:
        deadline = time.monotonic() + self._timeout
        try:
            with self._follow(path, query) as response:
                self._was_reached = True
                self._check_status(path, response)
                return self._body(response, deadline)
        except requests.exceptions.SSLError:
            msg = f"GET {self._shown(path)}: the shop's certificate is not valid for its address."
            raise ShopRefusedError(msg) from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _PassingError(self._too_slow(), most_attempts=self._first_contact()) from None
        except (requests.ConnectionError, urllib3.exceptions.HTTPError):
            what = "the connection broke off" if self._was_reached else self._no_connection()
            raise _PassingError(what, most_attempts=self._first_contact()) from None
        except requests.RequestException as error:
            kind = type(error).__name__
            msg = f"GET {self._shown(path)}: cannot be asked ({kind}); check 'api_url'."
            raise ShopRefusedError(msg) from None

    def _follow(self, path: str, query: Mapping[str, str]) -> requests.Response:
        """Get the answer, following redirects within the shop's own origin only."""
        url, params = self._base + path, dict(query)
        for _ in range(_MOST_REDIRECTS):
            response = self._session.get(
                url,
                params=params,
                timeout=(min(_WAIT_FOR_CONNECTION, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
            )
            if not response.is_redirect:
                return response
            response.close()
            url, params = urljoin(response.url, response.headers["Location"]), {}
            if _origin(url) != _origin(self._base):
                msg = (
                    f"GET {self._shown(path)}: the shop sends the tap on to another server, "
                    f"{_origin(url)}, where the token must not go. If that is right, set 'api_url'."
                )
                raise ShopRefusedError(msg)
        msg = f"GET {self._shown(path)}: the shop's redirects go round in a circle."
        raise ShopRefusedError(msg)

    def _check_status(self, path: str, response: requests.Response) -> None:
        status = response.status_code
        if status == requests.codes.ok:
            return
        if status in _PASSING:
            asked = read_retry_after(response.headers.get("Retry-After"))
            what = f"the shop answered {status}"
            raise _PassingError(what, retry_after=asked)
        advice = _ADVICE.get(status, "the tap cannot go on from here")
        msg = f"GET {self._shown(path)}: the shop answered {status}: {advice}."
        raise ShopRefusedError(msg)

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        chunks = []
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            if time.monotonic() > deadline:
                raise _PassingError(self._too_slow())
        return b"".join(chunks)

    def _first_contact(self) -> int | None:
        return None if self._was_reached else 3

    def _too_slow(self) -> str:
        return f"no answer within {self._timeout:g} seconds"

    def _no_connection(self) -> str:
        return f"no connection to {urlsplit(self._base).netloc}; check 'api_url' and the network"

    def _shown(self, path: str) -> str:
        return urlsplit(self._base).path + path


def _origin(url: str) -> str:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port or default
    return f"{parts.scheme}://{parts.hostname}" + ("" if port == default else f":{port}")
