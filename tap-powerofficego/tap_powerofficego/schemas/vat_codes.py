"""VAT codes."""

from __future__ import annotations

from typing import Any

from singer_sdk import typing as th

from tap_powerofficego.fields import day, decimal, flag, number_key, rows, stamp, text, whole

VAT_CODES: dict[str, Any] = th.PropertiesList(
    number_key("Id of the VAT code."),
    text("Code", "The code that people read: `3` is the high rate of sales."),
    text("Name", "The code's name."),
    text("Description", "Description."),
    decimal("Rate", "VAT rate as a fraction: `0.25`."),
    flag("IsActive", "Whether it is in use."),
    flag("IsCustom", "Whether the client made it."),
    whole("BaseVatCodeId", "Id of the standard code that a custom one is made from."),
    day("ValidFrom", "The first day that it is valid."),
    day("ValidTo", "The last day that it is valid."),
    decimal("VatBasisRatio", "How much of an amount bears VAT, as a fraction."),
    stamp("VatBasisRatioValidFrom", "From when that is so."),
    rows(
        "VatBasisRatios",
        "How much of an amount bore VAT, by time.",
        decimal("VatBasisRatio", "The share, as a fraction."),
        day("VatBasisRatioValidFrom", "From which day."),
    ),
).to_dict()
"""How much VAT a sale bears, and how it is reported."""
