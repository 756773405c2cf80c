"""How Go sends an order's invoice: it is requested once, and followed until Go is done.

Go answers 202 before it has made the invoice. The order's sent state shows the result, and so, for
good, does the invoice itself, which keeps the order's id.
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

WAIT_SECONDS = (1.0, 4.0, 10.0)
"""Seconds before each check, as PowerOffice suggests."""

MAX_RUNS = 3
"""How many later runs may find Go not done with an invoice before it counts as overdue."""


class Progress(enum.Enum):
    """How far Go is; `NOT_SHOWN`: nothing shows that it was asked, or it has not begun yet."""

    SENT = "it was done"
    FAILED = "Go could not do it"
    UNDERWAY = "Go is still working on it"
    NOT_SHOWN = "it was not done"


@dataclass(frozen=True)
class Sending:
    """How far Go is with an invoice; `failure` is Go's text, which may contain personal data.

    `SENT` with a `failure`: the invoice was made, but did not reach the buyer.
    """

    progress: Progress
    failure: str | None = None
    invoice: Entry | None = None

    @property
    def is_finished(self) -> bool:
        """Whether Go is done with it, successfully or not."""
        return self.progress is Progress.FAILED or self.invoice is not None


def progress_of(states: object, order_id: str) -> Sending:
    """Read the array of sent states that Go returned for an order; None if it has none.

    For an order that was never sent, Go only states that it is not being processed.
    """
    known = (
        [state for state in states if isinstance(state, dict)] if isinstance(states, list) else []
    )
    own = [state for state in known if str(state.get("Id")).lower() == order_id.lower()]
    if not known:
        return Sending(Progress.NOT_SHOWN)
    state = (own or known)[-1]
    if state.get("SentDateTimeOffset"):
        return Sending(Progress.SENT)
    if state.get("IsInvoiceBeingProcessed"):
        return Sending(Progress.UNDERWAY)
    if state.get("LastErrorMessage"):
        return Sending(Progress.FAILED, str(state["LastErrorMessage"]))
    return Sending(Progress.NOT_SHOWN)


def check_progress(tools: Tools, go_id: str, *, is_late: bool = False) -> Sending:
    """Ask Go how far it is; if the invoice exists it was made, whatever the sent state says.

    While Go is working on it, the invoice is not looked for, unless `is_late`: Go has taken longer
    than it can need.

    Raises:
        Refused, StopRun, TryAgainLater: Go cannot be asked.
    """
    try:
        states = tools.go.read("/SalesOrders/sentState", params={"id": go_id})
    except NotFound:
        states = None
    sending = progress_of(states, go_id)
    if sending.progress is Progress.UNDERWAY and not is_late:
        return sending
    invoice = tools.index.read_invoice("orders", go_id)
    if invoice is None:
        return sending
    return Sending(Progress.SENT, sending.failure, invoice)


def wait_until_finished(tools: Tools, go_id: str) -> Sending:
    """Check until Go is done, three times at most.

    Raises:
        Refused, StopRun, TryAgainLater: Go cannot be asked.
    """
    sending = Sending(Progress.NOT_SHOWN)
    for seconds in WAIT_SECONDS:
        tools.wait(seconds)
        sending = check_progress(tools, go_id)
        if sending.is_finished:
            break
    return sending


def is_pending(sending: Sending, intent: Intent) -> bool:
    """Return whether Go may still do what an intent asked for, so that the intent stays."""
    if sending.progress is Progress.UNDERWAY:
        return True
    is_accepted = bool(intent.detail.get("accepted"))
    return sending.progress is Progress.NOT_SHOWN and is_accepted and not is_overdue(intent)


def is_overdue(intent: Intent) -> bool:
    """Return whether more runs have waited for an intent than Go can need."""
    return bool(intent.detail.get("runs", 0) >= MAX_RUNS)


def note_run(store: LinkStore, intent: Intent) -> None:
    """Count this run among those that found Go not done; runs are counted, not hours."""
    run, detail = to_stamp(store.opened_at), intent.detail
    runs = detail.get("runs", 0) + (detail.get("seen_by") != run)
    store.intents.note(intent, {**detail, "seen_by": run, "runs": runs, "failure": None})


def note_failure(store: LinkStore, intent: Intent, sending: Sending) -> None:
    """Store the reason that Go gives for failing."""
    store.intents.note(intent, {**intent.detail, "failure": sending.failure})


def recorded_failure(intent: Intent) -> Sending | None:
    """Return the failure stored with an intent, if any."""
    failure = intent.detail.get("failure")
    return None if failure is None else Sending(Progress.FAILED, failure)


def pending_sendings(store: LinkStore, shop_id: str) -> list[Intent]:
    """Return the requests to send an order's invoice that are not known to be finished."""
    intents = store.intents.of_record(("orders",), shop_id)
    return [intent for intent in intents if intent.kind == SENDING]
