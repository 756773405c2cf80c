"""How the sending of an order's invoice goes in Go: asked for once, followed until Go is done.

Go answers 202 before it has made the invoice. What became of it shows in the order's sent state,
and for good in the invoice itself, which keeps the order's id.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.go_api import NotFound
from target_powerofficego.links import now
from target_powerofficego.store.intent_rows import SENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_powerofficego.go_index import Entry
    from target_powerofficego.links import Intent, LinkStore
    from target_powerofficego.walks.tools import Tools

WAITS = (1.0, 4.0, 10.0)
"""Seconds before each look, as PowerOffice suggests."""

_LONGEST_QUEUE = datetime.timedelta(hours=1)
"""How long what Go accepted, and of which it shows nothing, counts as still to come."""


class Progress(enum.Enum):
    """How far Go is; `UNSEEN`: nothing shows that it was ever asked."""

    SENT = "it was done"
    FAILED = "Go could not do it"
    UNDERWAY = "Go is still at it"
    UNSEEN = "it was not done"


@dataclass(frozen=True)
class Sending:
    """How far Go is with an invoice; `why` is what it says of a failure, personal data perhaps.

    `SENT` with a `why`: the invoice was made, and did not get to the buyer.
    """

    progress: Progress
    why: str | None = None
    invoice: Entry | None = None

    @property
    def is_over(self) -> bool:
        """Whether Go is done with it, in one way or the other."""
        return self.progress is Progress.FAILED or self.invoice is not None


def progress_of(states: object, order_id: str) -> Sending:
    """Read the array of sent states that Go answers for an order; None: it knows of none."""
    told = [one for one in states if isinstance(one, dict)] if isinstance(states, list) else []
    own = [one for one in told if str(one.get("Id")).lower() == order_id.lower()]
    if not told:
        return Sending(Progress.UNSEEN)
    state = (own or told)[-1]
    if state.get("SentDateTimeOffset"):
        return Sending(Progress.SENT)
    if state.get("LastErrorMessage") and not state.get("IsInvoiceBeingProcessed"):
        return Sending(Progress.FAILED, str(state["LastErrorMessage"]))
    return Sending(Progress.UNDERWAY)


def look(tools: Tools, go_id: str) -> Sending:
    """Ask Go how it goes; an invoice that is there was made, whatever the sent state says.

    Raises:
        Refused, StopRun, TryAgainLater: Go cannot be asked.
    """
    try:
        states = tools.go.read("/SalesOrders/sentState", params={"id": go_id})
    except NotFound:
        states = None
    told = progress_of(states, go_id)
    if told.progress is Progress.UNDERWAY:
        return told
    invoice = tools.index.read_invoice("orders", go_id)
    if invoice is None:
        return told
    return Sending(Progress.SENT, told.why, invoice)


def follow(tools: Tools, go_id: str, wait: Callable[[float], object]) -> Sending:
    """Look until Go is done, three times at most; `wait` sleeps so many seconds.

    Raises:
        Refused, StopRun, TryAgainLater: Go cannot be asked.
    """
    told = Sending(Progress.UNSEEN)
    for seconds in WAITS:
        wait(seconds)
        told = look(tools, go_id)
        if told.is_over:
            break
    return told


def may_still_come(told: Sending, intent: Intent) -> bool:
    """Tell whether what was asked for under an intent may still be done, so that it stays."""
    if told.progress is Progress.UNDERWAY:
        return True
    is_accepted = bool(intent.detail.get("accepted"))
    is_young = now() - intent.started_at < _LONGEST_QUEUE
    return told.progress is Progress.UNSEEN and is_accepted and is_young


def sendings_of(store: LinkStore, shop_id: str) -> list[Intent]:
    """Return what was asked for of an order and is not known to be over."""
    return [one for one in store.intents_of(("orders",), shop_id) if one.kind == SENDING]
