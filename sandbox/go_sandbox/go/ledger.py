"""What all rules of PowerOffice Go work on: one client's entries, numbers, clock and switches."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from go_sandbox.go.problems import not_found
from go_sandbox.go.reference_data import first_entries
from go_sandbox.go.register import Register
from go_sandbox.go.replica import Replica
from go_sandbox.go.stamps import Clock

if TYPE_CHECKING:
    from go_sandbox.go.register import Entry
    from go_sandbox.go.switches import Switches
    from go_sandbox.storage import Storage

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

# The client's first entries are older than any clock that is behind, which so may be set at once.
_SECONDS_SINCE_OPENED = 365 * 24 * 60 * 60


class Ledger:
    """The accounting state of one Go client.

    Args:
        storage: where the state survives a restart.
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
        for resource, entries in first_entries().items():
            if not len(self.register(resource)):
                for entry in entries:
                    self.register(resource).put(entry)

    def _skew(self) -> float:
        return self.switches.clock_skew_seconds
