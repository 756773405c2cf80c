"""The enums of the API: the texts that each of them allows."""

from __future__ import annotations

from go_sandbox.go.shapes import words

ORDER_STATUS = ("Draft", "Confirmed")
LINE_TYPE = ("Normal", "Text", "Summary", "InvoiceFee", "TotalHours")
PRODUCT_TYPE = ("Product", "Service")
INVOICE_DELIVERY = (
    "PdfByEmail",
    "Print",
    "EHF",
    "AvtaleGiro",
    "External",
    "Efaktura",
    "Factoring",
)
REMINDER_DELIVERY = ("PdfByEmail", "Print")
SEND_DELIVERY = ("PdfByEmail", "PdfPrintForDownload", "Auto")
AGRICULTURE = (
    "None",
    "Finance",
    "Farming",
    "Forestry",
    "FurAnimals",
    "OtherIndustries",
    "Private",
)
VAT_RETURN = (
    "None",
    "Adjustment",
    "LossesOnClaims",
    "ReversalOfInputValueAddedTax",
    "Withdrawals",
    "AdjustmentVatCompensationRealProperty",
    "PurchasesEligibleForCompensation",
)
UNIT = words(
    "BX MTR KMT KGM EA LTR HUR DAY MTK MTQ TNE MON ANN QAN NL XRO XBA XPL XPC PR XCI XBG SET XTY"
    " XOF FTK KWH MWH LBR CMT DMT LM XPK GRM HGM XFL XBE E54 MMT DAA H18 MLT HLT DLT AK XCR E14 MJ"
    " J57 XJG XCT XSA XTU WEE XCA XCN NAR M4 XVQ P1 MFU KMK LM3 FOT FM3 E34 E35"
)
