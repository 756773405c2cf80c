"""Posts vouchers of payments, each once: Go refuses a second voucher with the same reference.

Go has no list of vouchers, so a voucher that got no answer cannot be looked for. Instead, the same
voucher is posted again; if Go refuses it as a duplicate, Go has it. Which payments are in a voucher
is committed to the link store before it is sent, with an intent.
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
    """Posts vouchers, and stores rejects and holds for those that were not posted."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._open: set[str] = set()

    def settle_unanswered(self) -> None:
        """Post again the vouchers that got no answer.

        Raises:
            StopRun: the run cannot go on; the intents stay.
        """
        for intent in self._tools.store.intents.of_entity(PAYMENTS):
            if self._send(intent, None, was_sent=True) is not None:
                logger.info("payments %s: an unanswered voucher is in Go now", intent.shop_id)

    def post(self, voucher: Voucher, orders: Mapping[str, OrderInGo]) -> set[Key] | None:
        """Post a voucher and return which of its payments are now in Go; None if not known.

        Raises:
            StopRun, TryAgainLater, BrakeReached: nothing was done.
        """
        tools, accounts = self._tools, self._tools.payment_accounts
        if accounts is None:
            return None
        body = voucher_body(voucher, tools.settings.shop_name, accounts, orders)
        if self._is_resting(voucher.reference, body):
            return None
        tools.brakes.before_create()
        with tools.store.transaction():
            in_go = tools.store.payments.vouchers_of(voucher.method, voucher.day, in_go=True)
            tools.store.payments.put_into_voucher(voucher.payments, voucher.reference)
            detail = {"body": body, "is_met": voucher.reference in in_go}
            intent = tools.store.intents.begin(PAYMENTS, voucher.reference, "create", detail)
        planned = Create(voucher.planned(accounts.by_method[voucher.method]))
        return self._send(intent, planned, was_sent=False)

    def hold(self, shop_id: str, reason: str) -> None:
        """Store a hold, which a person must settle."""
        self._store(shop_id, Hold(reason), {"id": shop_id})

    def _is_resting(self, reference: str, body: Mapping[str, Any]) -> bool:
        """Return whether Go refused this same voucher and it is too early to try again."""
        previous = self._tools.store.unsettled.resting(PAYMENTS, reference)
        if previous is None or previous.payload != _payload(reference, body):
            return False
        self._open.add(reference)
        self._tools.tally.count(PAYMENTS, reference, "rejected")
        return True

    def forget_settled(self) -> None:
        """Forget rejects and holds that are no longer open, once all due payments were tried."""
        for record in self._tools.store.unsettled.all("reject", "hold"):
            if record.entity == PAYMENTS and record.shop_id not in self._open:
                self._tools.store.unsettled.clear(PAYMENTS, record.shop_id)

    def _send(self, intent: Intent, planned: Create | None, *, was_sent: bool) -> set[Key] | None:
        """Send a voucher until it is known whether Go has it; see `post`."""
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
            return self._posted(intent, planned)

        def refused(refusal: Refused) -> set[Key] | None:
            if isinstance(refusal, DuplicateReference):
                return self._resolve_duplicate(intent, refusal, planned, was_sent=write.was_sent)
            self._refuse(intent, refusal, was_sent=write.was_sent)
            return None

        try:
            return write.run(send, self._wait_before_next, refused)
        except UnknownOutcome as unknown:
            logger.warning("payments %s: %s", intent.shop_id, unknown)
        reject = Reject("PowerOffice Go did not answer; the next run posts the same voucher again")
        self._store(intent.shop_id, reject, {"id": intent.shop_id})
        return None

    def _wait_before_next(self, is_last: bool) -> None:
        """Wait before the same voucher is sent again, as it cannot be looked for."""
        if not is_last:
            self._tools.wait(SECOND_LOOK_SECONDS)

    def _posted(self, intent: Intent, planned: Create | None) -> set[Key]:
        if planned is not None:
            self._tools.plan.add(PAYMENTS, intent.shop_id, planned)
        self._tools.tally.count(PAYMENTS, intent.shop_id, "created")
        return self._end(intent, is_posted=True)

    def _resolve_duplicate(
        self,
        intent: Intent,
        refused: DuplicateReference,
        planned: Create | None,
        *,
        was_sent: bool,
    ) -> set[Key] | None:
        """Take over the voucher that Go has under a reference; Go's refusal contains its id.

        It need not be the one that was sent: it may have been posted before the link store was
        lost.
        """
        was_sent = was_sent and not intent.detail["is_met"]
        try:
            entry = self._read_by_refusal(refused, intent.shop_id)
        except (StopRun, TryAgainLater):
            if not was_sent:
                self._end(intent)
            raise
        if entry is None and was_sent:
            return self._posted(intent, planned)
        if entry is not None:
            payments = self._tools.store.payments.in_voucher(intent.shop_id)
            in_go = payments_in_voucher(entry, self._tools.settings.shop_name, payments)
            if was_sent and len(in_go) == len(payments):
                return self._posted(intent, planned)
            self._tools.tally.count(PAYMENTS, intent.shop_id, "linked")
            return self._end(intent, in_go=in_go)
        self._end(intent)
        self.hold(
            intent.shop_id,
            "Go has a voucher with this reference, and which payments it contains cannot be looked"
            " up: no payment of that day and method is posted; settle it by hand",
        )
        return None

    def _read_by_refusal(self, refused: Refused, reference: str) -> Mapping[str, Any] | None:
        """Read the voucher whose id is in Go's refusal; None if none has the reference.

        The text alone is not relied on: the voucher that is read must have the reference.
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
        """Store why Go did not accept a voucher; one that was sent before may be in Go anyway."""
        title = f": {refused.title}" if refused.title else ""
        answer = f"{refused.status}{title}"
        if was_sent:
            self.hold(
                intent.shop_id,
                f"it was sent without an answer, and then refused ({answer}), so it is not known"
                " whether Go has it: check in Go; each run tries again",
            )
            return
        self._end(intent)
        reason = f"PowerOffice Go refused it ({answer})"
        reject = Reject(reason, refused.title, refused.detail, is_refusal=True)
        self._store(intent.shop_id, reject, _payload(intent.shop_id, intent.detail["body"]))

    def _end(
        self, intent: Intent, *, is_posted: bool = False, in_go: list[Payment] | None = None
    ) -> set[Key]:
        """End an intent: the voucher was posted, or Go has one with these payments, or neither."""
        store = self._tools.store
        with store.transaction():
            if in_go is not None:
                store.payments.note_in_go(intent.shop_id, in_go)
            elif is_posted:
                store.payments.note_posted(intent.shop_id)
            else:
                store.payments.empty_voucher(intent.shop_id)
            posted = store.payments.in_voucher(intent.shop_id)
            store.intents.end(intent)
        return {(payment.order_id, payment.payment_id) for payment in posted}

    def _store(self, shop_id: str, change: Hold | Reject, payload: Mapping[str, Any]) -> None:
        tools = self._tools
        self._open.add(shop_id)
        tools.store.unsettled.put(
            change.kind,
            PAYMENTS,
            shop_id,
            payload=payload,
            read_at=now(),
            reason=change.reason,
            title=change.title,
            detail=change.detail,
            is_refusal=change.is_refusal,
        )
        tools.plan.add(PAYMENTS, shop_id, change)
        tools.tally.count(PAYMENTS, shop_id, change.outcome)


def _payload(reference: str, body: Mapping[str, Any]) -> dict[str, str]:
    """Return what is stored of a voucher that Go refused, by which the same one is recognised."""
    return {"id": reference, "sent": record_hash({**body}, "")}
