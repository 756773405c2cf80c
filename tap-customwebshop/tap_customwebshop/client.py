"""The client of the shop's lists: one page per call, asked for again while that can help."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import requests

from tap_customwebshop.connection import PassingTrouble, ShopConnection
from tap_customwebshop.errors import ContractBrokenError, ShopRefusedError, ShopUnavailableError
from tap_customwebshop.pages import Page, parse_page
from tap_customwebshop.patience import Patience
from tap_customwebshop.stamps import parse_date

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("tap-customwebshop.client")

_ADVICE = {
    400: "it does not take the parameters updated_since, limit and cursor; see docs/shop-api.md",
    401: "it does not know the key; check 'auth_token'",
    403: "the key may not read this; check 'auth_token' and its rights in the shop",
    404: "there is nothing at this address; check 'api_url'",
}


class ShopClient:
    """Reads pages from the shop.

    Args:
        connection: How the shop is asked.
        retry_seconds: Seconds for all attempts at one page.
    """

    def __init__(self, connection: ShopConnection, *, retry_seconds: float) -> None:
        self._connection = connection
        self._retry_seconds = retry_seconds

    def get_page(self, path: str, query: Mapping[str, str]) -> Page:
        """Ask for one page until it comes, the budget is spent or asking again cannot help.

        Raises:
            ShopUnavailableError: No useful answer within the budget.
            ShopRefusedError: A refusal, or a way to another server.
            ContractBrokenError: An answer of another form than the contract's.
        """
        patience = Patience(self._retry_seconds)
        shown = self._connection.shown(path)
        while True:
            read_at = datetime.now(timezone.utc)
            try:
                return self._page(path, query, read_at)
            except PassingTrouble as trouble:
                wait = patience.next_wait(
                    trouble.retry_after, kind=trouble.what, most_attempts=trouble.most_attempts
                )
                if wait is None:
                    msg = f"GET {shown}: {trouble.what}. Run again later."
                    raise ShopUnavailableError(msg) from None
                logger.warning("GET %s: %s; asking again in %.1f s", shown, trouble.what, wait)
            time.sleep(wait)

    def _page(self, path: str, query: Mapping[str, str], read_at: datetime) -> Page:
        answer = self._connection.ask("GET", path, query=query)
        shown = self._connection.shown(path)
        if answer.status != requests.codes.ok:
            advice = _ADVICE.get(answer.status, "the tap cannot go on from here")
            msg = f"GET {shown}: the shop answered {answer.status}: {advice}."
            raise ShopRefusedError(msg)
        try:
            return parse_page(answer.body, read_at, parse_date(answer.headers.get("Date")))
        except ContractBrokenError as error:
            msg = f"GET {shown}: {error}; see docs/shop-api.md."
            raise ContractBrokenError(msg) from None
        except ValueError:
            what = "the shop's answer is not JSON"
            raise PassingTrouble(what, most_attempts=3) from None
