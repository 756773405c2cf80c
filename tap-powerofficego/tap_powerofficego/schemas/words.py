"""The words that members of several entries take, as Go publishes them."""

from __future__ import annotations

AGRICULTURE = (
    "None",
    "Finance",
    "Farming",
    "Forestry",
    "FurAnimals",
    "OtherIndustries",
    "Private",
)
LINE_TYPES = ("Normal", "Text", "Summary", "InvoiceFee", "TotalHours")
VAT_RETURN = (
    "None",
    "Adjustment",
    "LossesOnClaims",
    "ReversalOfInputValueAddedTax",
    "Withdrawals",
    "AdjustmentVatCompensationRealProperty",
    "PurchasesEligibleForCompensation",
)
