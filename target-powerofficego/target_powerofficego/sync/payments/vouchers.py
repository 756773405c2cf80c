"""Posts vouchers of payments under intents, each once: Go refuses a second with its reference.

There is no list of vouchers, so a voucher whose answer is missing cannot be looked for. Instead the
very same one is posted again; that it is refused as a duplicate means that it is there. Which
payments are in a voucher is committed to the link store before it is sent.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow.orders.payments import (
    OrderInGo,
    Voucher,
    payments_in_voucher,
    voucher_body,
)
from target_powerofficego.dataflow.table import now
from target_powerofficego.decisions.changes import Create, Hold, Reject
from target_powerofficego.go_api import (
    DuplicateReference,
    NotFound,
    Refused,
    StopRun,
    TryAgainLater,
    UnknownOutcome,
)
from target_powerofficego.settle.record_flow import record_hash
from target_powerofficego.settle.writes import SECOND_LOOK_SECONDS, CarefulWrite
from target_powerofficego.store.values import PAYMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_powerofficego.dataflow.orders.payments import Payment
    from target_powerofficego.store.link_store import Intent
    from target_powerofficego.sync.context import Tools

logger = logging.getLogger("target-powerofficego")

_PATH = "/Vouchers/BankJournals"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Key = tuple[str, str]
"""An order's id and the id of one of its payments."""


class VoucherWriter:
    """Posts vouchers, and keeps what is open of those that were not posted."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._open: set[str] = set()

    def settle_unanswered(self) -> None:
        """Post again the vouchers whose answer never came.

        Raises:
            StopRun: the run cannot go on; the intents stay.
        """
        for intent in self._tools.store.intents.of_entity(PAYMENTS):
            if self._send(intent, None, was_sent=True) is not None:
                logger.info("payments %s: an unanswered voucher is in Go now", intent.shop_id)

    def post(self, voucher: Voucher, orders: Mapping[str, OrderInGo]) -> set[Key] | None:
        """Post a voucher and return which of its payments are now in Go; None: that is not known.

        Raises:
            StopRun, TryAgainLater, BrakeReached: nothing was done.
        """
        tools, accounts = self._tools, self._tools.payment_accounts
        if accounts is None:
            return None
        body = voucher_body(voucher, tools.settings.shop_name, accounts, orders)
        if self._rests(voucher.reference, body):
            return None
        tools.brakes.before_create()
        with tools.store.transaction():
            met = tools.store.payments.vouchers_of(voucher.method, voucher.day, in_go=True)
            tools.store.payments.put_into_voucher(voucher.payments, voucher.reference)
            detail = {"body": body, "is_met": voucher.reference in met}
            intent = tools.store.intents.begin(PAYMENTS, voucher.reference, "create", detail)
        shown = Create(voucher.planned(accounts.by_method[voucher.method]))
        return self._send(intent, shown, was_sent=False)

    def hold(self, shop_id: str, reason: str) -> None:
        """Keep what a person must see to."""
        self._keep(shop_id, Hold(reason), {"id": shop_id})

    def _rests(self, reference: str, body: Mapping[str, Any]) -> bool:
        """Return whether Go refused this very voucher and it is too early to try again."""
        before = self._tools.store.unsettled.resting(PAYMENTS, reference)
        if before is None or before.payload != _payload(reference, body):
            return False
        self._open.add(reference)
        self._tools.tally.count(PAYMENTS, reference, "rejected")
        return True

    def forget_solved(self) -> None:
        """Forget what was open and no longer is, once all that is due was tried."""
        for open_one in self._tools.store.unsettled.all("reject", "hold"):
            if open_one.entity == PAYMENTS and open_one.shop_id not in self._open:
                self._tools.store.unsettled.clear(PAYMENTS, open_one.shop_id)

    def _send(self, intent: Intent, shown: Create | None, *, was_sent: bool) -> set[Key] | None:
        """Send a voucher until it is known to be in Go, or not; see `post`."""
        write = CarefulWrite(
            self._tools.store, intent, UnknownOutcome, (), (Refused,), was_sent=was_sent
        )

        def send() -> set[Key] | None:
            try:
                self._tools.go.create(_PATH, intent.detail["body"])
            except (StopRun, TryAgainLater):
                if not write.was_sent:
                    self._end(intent)
                raise
            return self._posted(intent, shown)

        def refused(refusal: Refused) -> set[Key] | None:
            if isinstance(refusal, DuplicateReference):
                return self._meet(intent, refusal, shown, was_sent=write.was_sent)
            self._refuse(intent, refusal, was_sent=write.was_sent)
            return None

        try:
            return write.run(send, self._wait_before_next, refused)
        except UnknownOutcome as unknown:
            logger.warning("payments %s: %s", intent.shop_id, unknown)
        why = Reject("PowerOffice Go did not answer; the next run posts the same voucher again")
        self._keep(intent.shop_id, why, {"id": intent.shop_id})
        return None

    def _wait_before_next(self, is_last: bool) -> None:
        """Wait before the same voucher is sent again: it cannot be looked for."""
        if not is_last:
            self._tools.wait(SECOND_LOOK_SECONDS)

    def _posted(self, intent: Intent, shown: Create | None) -> set[Key]:
        if shown is not None:
            self._tools.plan.add(PAYMENTS, intent.shop_id, shown)
        self._tools.tally.count(PAYMENTS, intent.shop_id, "created")
        return self._end(intent, is_posted=True)

    def _meet(
        self,
        intent: Intent,
        refused: DuplicateReference,
        shown: Create | None,
        *,
        was_sent: bool,
    ) -> set[Key] | None:
        """Take what Go has under a reference: its refusal names the voucher that bears it, by id.

        It need not be the one that was sent: an earlier link store may have posted another one.
        """
        was_sent = was_sent and not intent.detail["is_met"]
        try:
            entry = self._read(refused, intent.shop_id)
        except (StopRun, TryAgainLater):
            if not was_sent:
                self._end(intent)
            raise
        if entry is None and was_sent:
            return self._posted(intent, shown)
        if entry is not None:
            payments = self._tools.store.payments.in_voucher(intent.shop_id)
            there = payments_in_voucher(entry, self._tools.settings.shop_name, payments)
            if was_sent and len(there) == len(payments):
                return self._posted(intent, shown)
            self._tools.tally.count(PAYMENTS, intent.shop_id, "linked")
            return self._end(intent, met=there)
        self._end(intent)
        self.hold(
            intent.shop_id,
            "Go has a voucher with this reference, and which payments it holds cannot be looked up:"
            " no payment of that day and method is posted; see to it by hand",
        )
        return None

    def _read(self, refused: Refused, reference: str) -> Mapping[str, Any] | None:
        """Read the voucher whose id Go's words name; None: none bears the reference.

        The words are not relied on: what is read must bear the reference.
        """
        for go_id in dict.fromkeys(_UUID.findall(f"{refused.title} {refused.detail}")):
            for is_last in (False, True):
                try:
                    entry: Mapping[str, Any] = self._tools.go.read(f"{_PATH}/{go_id}")
                except NotFound:
                    if not is_last:
                        self._tools.wait(SECOND_LOOK_SECONDS)
                except Refused:
                    break
                else:
                    if entry.get("ExternalImportReference") == reference:
                        return entry
                    break
        return None

    def _refuse(self, intent: Intent, refused: Refused, *, was_sent: bool) -> None:
        """Keep why Go did not accept a voucher; one that was sent before may be there even so."""
        said = f" ({refused.status}: {refused.title})" if refused.title else f" ({refused.status})"
        if was_sent:
            self.hold(
                intent.shop_id,
                f"it was sent without an answer, and then refused{said}: whether it is in Go is not"
                " known; look in Go, each run tries again",
            )
            return
        self._end(intent)
        reason = f"PowerOffice Go refused it{said}"
        why = Reject(reason, refused.title, refused.detail, is_refusal=True)
        self._keep(intent.shop_id, why, _payload(intent.shop_id, intent.detail["body"]))

    def _end(
        self, intent: Intent, *, is_posted: bool = False, met: list[Payment] | None = None
    ) -> set[Key]:
        """End an intent: the voucher was posted, or met with these payments in it, or neither."""
        store = self._tools.store
        with store.transaction():
            if met is not None:
                store.payments.note_in_go(intent.shop_id, met)
            elif is_posted:
                store.payments.note_posted(intent.shop_id)
            else:
                store.payments.empty_voucher(intent.shop_id)
            posted = store.payments.in_voucher(intent.shop_id)
            store.intents.end(intent)
        return {(one.order_id, one.payment_id) for one in posted}

    def _keep(self, shop_id: str, why: Hold | Reject, payload: Mapping[str, Any]) -> None:
        tools = self._tools
        self._open.add(shop_id)
        tools.store.unsettled.put(
            "hold" if isinstance(why, Hold) else "reject",
            PAYMENTS,
            shop_id,
            payload=payload,
            read_at=now(),
            reason=why.reason,
            title=why.title if isinstance(why, Reject) else None,
            detail=why.detail,
            is_refusal=isinstance(why, Reject) and why.is_refusal,
        )
        tools.plan.add(PAYMENTS, shop_id, why)
        tools.tally.count(PAYMENTS, shop_id, why.outcome)


def _payload(reference: str, body: Mapping[str, Any]) -> dict[str, str]:
    """Return what is kept of a voucher that Go refused, by which the same one is recognised."""
    return {"id": reference, "sent": record_hash({**body}, "")}
