"""How an order's invoice is sent by Go: asked for once, and followed until Go is done.

Go answers 202 before it has made the invoice. What became of it shows in the order's sent state,
and for good in the invoice itself, which keeps the order's id.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.go_api import NotFound
from target_powerofficego.store.go_rows import SENDING
from target_powerofficego.store.tables import to_stamp

if TYPE_CHECKING:
    from target_powerofficego.store.link_store import Intent, LinkStore
    from target_powerofficego.sync.context import Tools
    from target_powerofficego.sync.go.index import Entry

WAITS = (1.0, 4.0, 10.0)
"""Seconds before each look, as PowerOffice suggests."""

MAX_RUNS = 3
"""How many later runs may find Go not done with an invoice before that is taking too long."""


class Progress(enum.Enum):
    """How far Go is; `UNSEEN`: nothing shows that it was asked, or was asked and is yet to act."""

    SENT = "it was done"
    FAILED = "Go could not do it"
    UNDERWAY = "Go is still at it"
    UNSEEN = "it was not done"


@dataclass(frozen=True)
class Sending:
    """How far Go is with an invoice; `why` is what it says of a failure, possibly personal data.

    `SENT` with a `why`: the invoice was made, but did not reach the buyer.
    """

    progress: Progress
    why: str | None = None
    invoice: Entry | None = None

    @property
    def is_finished(self) -> bool:
        """Whether Go is done with it, one way or the other."""
        return self.progress is Progress.FAILED or self.invoice is not None


def progress_of(states: object, order_id: str) -> Sending:
    """Read the array of sent states that Go answers for an order; None: it knows of none.

    Of an order that was never sent, Go says that it is not being processed, and nothing else.
    """
    told = [one for one in states if isinstance(one, dict)] if isinstance(states, list) else []
    own = [one for one in told if str(one.get("Id")).lower() == order_id.lower()]
    if not told:
        return Sending(Progress.UNSEEN)
    state = (own or told)[-1]
    if state.get("SentDateTimeOffset"):
        return Sending(Progress.SENT)
    if state.get("IsInvoiceBeingProcessed"):
        return Sending(Progress.UNDERWAY)
    if state.get("LastErrorMessage"):
        return Sending(Progress.FAILED, str(state["LastErrorMessage"]))
    return Sending(Progress.UNSEEN)


def look(tools: Tools, go_id: str, *, is_late: bool = False) -> Sending:
    """Ask Go how far it is; an invoice that is there was made, whatever the sent state says.

    While Go is working on it, the invoice is not looked for, unless `is_late`: Go has been working
    on it for longer than it can need.

    Raises:
        Refused, StopRun, TryAgainLater: Go cannot be asked.
    """
    try:
        states = tools.go.read("/SalesOrders/sentState", params={"id": go_id})
    except NotFound:
        states = None
    told = progress_of(states, go_id)
    if told.progress is Progress.UNDERWAY and not is_late:
        return told
    invoice = tools.index.read_invoice("orders", go_id)
    if invoice is None:
        return told
    return Sending(Progress.SENT, told.why, invoice)


def follow(tools: Tools, go_id: str) -> Sending:
    """Look until Go is done, three times at most.

    Raises:
        Refused, StopRun, TryAgainLater: Go cannot be asked.
    """
    told = Sending(Progress.UNSEEN)
    for seconds in WAITS:
        tools.wait(seconds)
        told = look(tools, go_id)
        if told.is_finished:
            break
    return told


def is_pending(told: Sending, intent: Intent) -> bool:
    """Return whether what was asked for under an intent may still be done, so that it stays."""
    if told.progress is Progress.UNDERWAY:
        return True
    is_accepted = bool(intent.detail.get("accepted"))
    return told.progress is Progress.UNSEEN and is_accepted and not is_overdue(intent)


def is_overdue(intent: Intent) -> bool:
    """Return whether more runs have waited for what was asked for than Go can need."""
    return bool(intent.detail.get("runs", 0) >= MAX_RUNS)


def note_run(store: LinkStore, intent: Intent) -> None:
    """Count that this run has found Go not done, once a run; no clock tells how long that is."""
    run, detail = to_stamp(store.opened_at), intent.detail
    runs = detail.get("runs", 0) + (detail.get("seen_by") != run)
    store.intents.note(intent, {**detail, "seen_by": run, "runs": runs, "failure": None})


def note_failure(store: LinkStore, intent: Intent, told: Sending) -> None:
    """Keep what Go says of why it could not do what was asked for."""
    store.intents.note(intent, {**intent.detail, "failure": told.why})


def recorded_failure(intent: Intent) -> Sending | None:
    """Return the failure that was kept, if any."""
    why = intent.detail.get("failure")
    return None if why is None else Sending(Progress.FAILED, why)


def pending_sendings(store: LinkStore, shop_id: str) -> list[Intent]:
    """Return the sendings asked for of an order that are not known to be over."""
    return [one for one in store.intents.of_record(("orders",), shop_id) if one.kind == SENDING]
