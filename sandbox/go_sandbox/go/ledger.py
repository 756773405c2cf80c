"""The state of one client of PowerOffice Go: entries, numbers, clock and switches."""

from __future__ import annotations

import time
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from go_sandbox.go.problems import not_found
from go_sandbox.go.stamps import Clock

if TYPE_CHECKING:
    from go_sandbox.storage import Storage

ALL_PRIVILEGES = frozenset(
    {
        "BankVoucher_Full",
        "CommonServices",
        "ContactDeliveryAddress_Full",
        "ContactPerson_Full",
        "CustomerLedger",
        "Customer_Full",
        "GeneralLedgerAccount",
        "OutgoingInvoice",
        "Product_Full",
        "SalesOrders_Full",
    }
)

Entry = dict[str, Any]
_UNIQUE = {
    "BankVouchers": ("ExternalImportReference",),
    "ContactDeliveryAddresses": ("ExternalCode",),
    "ContactPersons": ("ExternalCode",),
    "Customers": ("ExternalImportReference", "ExternalNumber", "Number", "SubledgerAccountId"),
    "Products": ("Code",),
    "SalesOrders": ("ExternalImportReference",),
    "OutgoingInvoices": ("ExternalImportReference", "InvoiceNo"),
    "GeneralLedgerAccounts": ("AccountNo",),
    "VatCodes": ("Code",),
    "PaymentTerms": ("CreditDays",),
}
# The client's first entries are old enough for a clock to be set back right from the start.
_SECONDS_SINCE_OPENED = 365 * 24 * 60 * 60


@dataclass
class Switches:
    """The switches of one local PowerOffice Go; each takes effect with the next request.

    Attributes:
        price_decimals: decimals kept of `ProductUnitPrice` on lines and `UnitPrice` on products;
            None keeps what is sent. The real number is not published.
        vat_rounding: "line" rounds VAT on every line, "rate" once per VAT rate on the summed net.
            Which of the two Go does is not published. Applies to an order when it is next written.
        read_lag_seconds: GETs answer from the state as it was this many seconds ago.
        read_lag_reads: GETs answer from the state as it was this many GETs ago.
        rate_limit: requests in any one second per subscription key before 429; Go documents 10.
            None means no limit.
        send_retry_after: whether a 429 carries the header `Retry-After`.
        product_code_unique: whether two products may not share a `Code`; not published.
        patch_test_status: the status of a JSON Patch whose `test` failed; not published.
        token_seconds: life of a token; Go documents 20 minutes.
        privileges: the privileges that the next token carries. As in Go, a token keeps those that
            it was given, so a change shows only with a new token.
        allow_send_invoice: whether the next token may send invoices.
        sending_seconds: how long Go takes to create and send an invoice at the API's request; it
            answers 202 at once. It is sent with the first request after that time.
        passed_seconds: time that counts as passed, without waiting, for anything
            read or sent with a delay.
        clock_skew_seconds: how far Go's clock is ahead; behind, if negative. It is in every stamp
            and date that Go makes.
    """

    price_decimals: int | None = None
    vat_rounding: str = "line"
    read_lag_seconds: float = 0
    read_lag_reads: int = 0
    rate_limit: int | None = None
    send_retry_after: bool = False
    product_code_unique: bool = True
    patch_test_status: int = 400
    token_seconds: int = 1200
    privileges: set[str] = field(default_factory=lambda: set(ALL_PRIVILEGES))
    allow_send_invoice: bool = False
    sending_seconds: float = 0
    passed_seconds: float = 0
    clock_skew_seconds: float = 0


@dataclass(frozen=True)
class Moment:
    """When an entry was written: by the clock, and after how many reads."""

    seconds: float
    reads: int


class Replica:
    """The copy that late readers see; `reads` is the number of GETs so far."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.reads = 0

    @property
    def is_behind(self) -> bool:
        """Whether the copy lags behind."""
        return bool(self._switches.read_lag_seconds or self._switches.read_lag_reads)

    def now(self) -> Moment:
        """Return this moment."""
        return Moment(time.monotonic() + self._switches.passed_seconds, self.reads)

    def shows(self, written: Moment) -> bool:
        """Return whether the copy includes what was written at that moment."""
        is_old = written.seconds < self.now().seconds - self._switches.read_lag_seconds
        is_read_past = self.reads - written.reads > self._switches.read_lag_reads
        return is_old and (is_read_past or not self._switches.read_lag_reads)


class Register:
    """Entries by id, in the order of their creation.

    An entry that was put is never changed in place: it is replaced by a new one.

    Args:
        storage: where the entries are kept.
        kind: the resource, such as "Customers".
        unique: fields that are indexed, to find which entry holds a value.
        replica: the copy that late readers see.
    """

    def __init__(
        self, storage: Storage, kind: str, unique: tuple[str, ...], replica: Replica
    ) -> None:
        self.kind = kind
        self._table = storage.table(f"go {kind}")
        self._entries: dict[str, Entry] = {}
        self._holders: dict[str, dict[object, str]] = {field: {} for field in unique}
        self._replica = replica
        self._past: deque[tuple[Moment, str, Entry | None]] = deque()
        for entry in self._table.values():
            self._entries[str(entry["Id"])] = entry
            self._index(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, entry_id: object, *, late: bool = False) -> Entry | None:
        """Return the entry; with `late`, as a reader that lags behind sees it."""
        return (self._late() if late else self._entries).get(str(entry_id))

    def values(self, *, late: bool = False) -> list[Entry]:
        """Return all entries; with `late`, as a reader that lags behind sees them."""
        return list((self._late() if late else self._entries).values())

    def put(self, entry: Entry) -> Entry:
        """Store the entry under its `Id`, in place of any earlier one."""
        key = str(entry["Id"])
        self._remember(key)
        self._unindex(key)
        self._entries[key] = entry
        self._index(entry)
        self._table.put(key, entry)
        return entry

    def remove(self, entry_id: object) -> None:
        """Remove the entry."""
        key = str(entry_id)
        self._remember(key)
        self._unindex(key)
        self._entries.pop(key, None)
        self._table.delete(key)

    def holder(self, field: str, value: object) -> Entry | None:
        """Return the entry that has this value in a unique field."""
        key = self._holders[field].get(value)
        return None if key is None else self._entries[key]

    def _index(self, entry: Entry) -> None:
        for name, holders in self._holders.items():
            if entry.get(name) is not None:
                holders.setdefault(entry[name], str(entry["Id"]))

    def _unindex(self, key: str) -> None:
        entry = self._entries.get(key, {})
        for name, holders in self._holders.items():
            if holders.get(entry.get(name)) == key:
                del holders[entry[name]]

    def _remember(self, key: str) -> None:
        while self._past and self._replica.shows(self._past[0][0]):
            self._past.popleft()
        if self._replica.is_behind:
            self._past.append((self._replica.now(), key, self._entries.get(key)))

    def _late(self) -> dict[str, Entry]:
        if not self._past or self._replica.shows(self._past[-1][0]):
            return self._entries
        entries = dict(self._entries)
        for moment, key, before in reversed(self._past):
            if self._replica.shows(moment):
                break
            if before is None:
                entries.pop(key, None)
            else:
                entries[key] = before
        return entries


class Ledger:
    """The accounting state of one Go client.

    Args:
        storage: where the state is kept.
        switches: limits and unknown behaviour, changeable at any time.
        client_id: the id of the client, as text.
        client_name: the name of the company.
    """

    application_key = "fake-application-key"
    client_key = "fake-client-key"
    subscription_key = "fake-subscription-key"

    def __init__(
        self,
        storage: Storage,
        switches: Switches,
        *,
        client_id: str = "5b0c4f0e-0000-4000-8000-000000000001",
        client_name: str = "Fjordbutikken AS",
    ) -> None:
        self.storage = storage
        self.switches = switches
        self.client_id = client_id
        self.client_name = client_name
        self.clock = Clock(lambda: -_SECONDS_SINCE_OPENED)
        self.replica = Replica(switches)
        self._registers: dict[str, Register] = {}
        with storage.lock:
            self._open()
        self.clock = Clock(self._skew)

    def register(self, resource: str) -> Register:
        """Return the entries of a resource as they are stored."""
        if resource not in self._registers:
            unique = _UNIQUE.get(resource, ())
            self._registers[resource] = Register(self.storage, resource, unique, self.replica)
        return self._registers[resource]

    def next_number(self, series: str, first: int) -> int:
        """Return the next number of a series of ids or numbers."""
        return self.storage.next_number(f"go {series}", first)

    def invoice_lines(self, invoice_id: object) -> list[Entry]:
        """Return the lines of an invoice.

        Raises:
            Refusal: there is no such invoice.
        """
        with self.storage.lock:
            invoice = self.register("OutgoingInvoiceLines").get(invoice_id)
            if invoice is None:
                raise not_found("OutgoingInvoiceLines", invoice_id)
            return deepcopy(invoice["Lines"])

    def _open(self) -> None:
        """Enter the first entries of a client's books."""

    def _skew(self) -> float:
        return self.switches.clock_skew_seconds
