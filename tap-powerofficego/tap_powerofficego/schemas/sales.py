"""What sales orders, the invoices they become, and the lines of both have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_powerofficego.fields import choice, day, decimal, flag, text, whole
from tap_powerofficego.schemas.words import LINE_TYPES, VAT_RETURN

if TYPE_CHECKING:
    from tap_powerofficego.fields import Field


def dimensions() -> list[Field]:
    """Return what a sale is booked on besides its account: pairs of an id and a code."""
    named = {
        "Department": "department",
        "Project": "project",
        "Location": "location",
        "Dim1": "first custom dimension",
        "Dim2": "second custom dimension",
        "Dim3": "third custom dimension",
    }
    return [
        field
        for name, what in named.items()
        for field in (
            whole(f"{name}Id", f"Id of the {what}."),
            text(f"{name}Code", f"Code of the {what}."),
        )
    ]


def references() -> list[Field]:
    """Return who buys, and by which references the sale is found again."""
    return [
        whole("CustomerId", "The customer's `Id`."),
        whole("CustomerNo", "The customer's `Number`."),
        text("CustomerReference", "The buyer's reference, as it stands on the invoice."),
        whole("CustomerReferenceContactPersonId", "Id of the contact person it names."),
        text("PurchaseOrderReference", "The buyer's purchase order."),
        text("ContractNo", "The contract it falls under."),
        text("ExternalImportReference", "Another system's reference; people do not see it."),
        whole("ImportedOrderNo", "Order number in the system that it came from."),
        text("CustomMatchingReference", "By which Go matches payments to it."),
        whole("RelatedInvoiceNo", "Of a credit note: the number of the invoice it credits."),
    ]


def terms() -> list[Field]:
    """Return on what terms is sold."""
    return [
        text("CurrencyCode", "Currency of all amounts, ISO 4217: `NOK`."),
        decimal("CurrencyExchangeRate", "What one unit of the currency is worth in kroner."),
        whole("PaymentTermId", "Id of the payment term."),
        whole("PaymentTerm", "Days until it falls due."),
        whole("DeliveryTermId", "Id of the delivery term."),
        text("DeliveryTerm", "Code of the delivery term."),
        day("DeliveryDate", "The day of delivery."),
        whole("BrandingThemeId", "Id of the invoice's design."),
        text("BrandingThemeCode", "Code of the invoice's design."),
        flag("IsCreatedByCurrentIntegration", "Whether it came in by the keys that read it."),
    ]


def line_members() -> list[Field]:
    """Return what a line of an order and one of an invoice have in common, but the key."""
    return [
        choice("LineType", "What the line is.", *LINE_TYPES),
        whole("SortOrder", "Its place, from 0."),
        whole("ProductId", "The product's `Id`."),
        text("ProductCode", "The product's `Code`."),
        text("Description", "What the buyer reads."),
        decimal("Quantity", "How many units; negative ones are credited."),
        text("UnitOfMeasureCode", "The unit: `EA` is a piece, `HUR` an hour."),
        decimal("ProductUnitPrice", "Price of one unit before discount, without VAT."),
        decimal("ProductUnitCost", "What one unit costs the merchant."),
        decimal("Allowance", "Discount in percent; a negative one is a surcharge."),
        decimal("NetAmount", "The line, without VAT."),
        decimal("VatAmount", "VAT of the line."),
        decimal("TotalAmount", "The line, with VAT."),
        whole("VatId", "The VAT code's `Id`."),
        text("VatCode", "The VAT code's `Code`: `3` is the high rate of sales."),
        decimal("VatRate", "VAT rate as a fraction: `0.25`."),
        choice("VatReturnSpecification", "Its note in the VAT return.", *VAT_RETURN),
        *dimensions(),
        whole("SellersReferenceEmployeeId", "Id of the employee who sold it."),
        whole("SellersReferenceEmployeeNo", "Number of that employee."),
        text("ExternalImportReference", "Another system's reference of the line."),
    ]
