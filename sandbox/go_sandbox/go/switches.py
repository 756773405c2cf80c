"""What may be changed while the local Go runs: its limits, and the behaviour nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass
class Switches:
    """The switches of one local PowerOffice Go; each takes effect with the next request.

    Attributes:
        price_decimals: decimals kept of `ProductUnitPrice` on lines and `UnitPrice` on products;
            None keeps what is sent. The real number is not published.
        vat_rounding: "line" rounds VAT on every line, "rate" once per VAT rate on the summed net.
            Which of them Go does is not published. Applies to an order when it is next written.
        read_lag_seconds: GETs answer from the state as it was this many seconds ago.
        read_lag_reads: GETs answer from the state as it was this many GETs ago.
        rate_limit: requests in any one second per subscription key before 429; Go documents 10.
            None is no limit.
        send_retry_after: whether a 429 carries the header `Retry-After`.
        product_code_unique: whether two products may not share a `Code`; not published.
        patch_test_status: the status of a JSON Patch whose `test` failed; not published.
        token_seconds: life of a token; Go documents 20 minutes.
        privileges: the privileges that the next token carries. As in Go, a token keeps those that
            it was given, so a change shows only with a new token.
        allow_send_invoice: whether the next token may send invoices.
        sending_seconds: how long Go takes to make and send an invoice that the API asked for; it
            answers 202 at once. It happens with the first request after that time.
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
    clock_skew_seconds: float = 0
