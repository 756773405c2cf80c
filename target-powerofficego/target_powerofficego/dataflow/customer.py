"""Customer ↔ Customers: the property table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_powerofficego.dataflow import customer_back as back
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.addresses import Address, default_address
from target_powerofficego.dataflow.names import NAMELESS, person_names
from target_powerofficego.dataflow.table import (
    Conversion,
    Direction,
    Property,
    Record,
    Table,
    is_deleted,
    to_member,
)
from target_powerofficego.dataflow.values import ABSENT, Unusable, Value

if TYPE_CHECKING:
    from collections.abc import Callable


def is_company(record: Record) -> bool:
    """Tell whether a customer is a company: as the shop says, else by what only companies have.

    Raises:
        Unusable: the shop says that it is neither a person nor a company.
    """
    kind = values.one_of(record.get("type"), ("person", "company"), what="type")
    if kind is not None:
        return kind == "company"
    return company_name(record) is not None or _number_told(record) is not None


def company_name(record: Record) -> str | None:
    """Return the name of a company; a dash or the like, typed where none is asked for, is none.

    Raises:
        Unusable: it is no text.
    """
    name = values.words(record.get("company_name"), what="company_name", longest=400)
    return name if name and any(one.isalnum() for one in name) else None


def _number_told(record: Record) -> str | None:
    address = billing_address(record)
    return values.organization_number(
        record.get("organization_number"),
        country_code=address.country_code if address else None,
        what="organization_number",
    )


def billing_address(record: Record) -> Address | None:
    """Return the default billing address of a customer.

    Raises:
        Unusable: see `default_address`.
    """
    return default_address(record.get("addresses"), "billing")


def shipping_address(record: Record) -> Address | None:
    """Return the default shipping address, when it is another than the billing address.

    Raises:
        Unusable: see `default_address`.
    """
    shipping = default_address(record.get("addresses"), "shipping")
    billing = billing_address(record)
    if shipping is None or not shipping.is_complete:
        return None
    return None if billing and billing.content == shipping.content else shipping


def contact_person(record: Record) -> tuple[str, str] | None:
    """Return first and last name of a company's contact person, when the shop tells one."""
    if not is_company(record) or not (record.get("first_name") or record.get("last_name")):
        return None
    return person_names({**record, "name": None})


def _company_name(record: Record, _: Conversion) -> Value:
    if not is_company(record):
        return ABSENT
    name = company_name(record) or values.words(record.get("name"), what="name", longest=400)
    if name is None:
        msg = "the company has no name (company_name or name)"
        raise Unusable(msg)
    return name


def _person_name(part: int) -> Callable[[Record, Conversion], Value]:
    def read(record: Record, _: Conversion) -> Value:
        if is_company(record):
            return ABSENT
        names = person_names(record)
        if names == (NAMELESS, NAMELESS) and not record.get("email"):
            msg = "the customer has neither a name nor an e-mail address"
            raise Unusable(msg)
        return names[part]

    return read


def _organization_number(record: Record, _: Conversion) -> Value:
    return _number_told(record) if "organization_number" in record else ABSENT


def _email(record: Record, _: Conversion) -> Value:
    return values.email(record["email"], what="email") if "email" in record else ABSENT


def _phone(record: Record, _: Conversion) -> Value:
    return values.text(record["phone"], what="phone", longest=50) if "phone" in record else ABSENT


def _address_part(part: str) -> Callable[[Record, Conversion], Value]:
    def read(record: Record, _: Conversion) -> Value:
        if "addresses" not in record:
            return ABSENT
        address = billing_address(record)
        if address is None or address.is_empty:
            return None
        return getattr(address, part) if address.is_complete else ABSENT

    return read


def _currency(record: Record, _: Conversion) -> Value:
    return values.currency(record.get("currency"), what="currency")


def _is_vat_free(record: Record, _: Conversion) -> Value:
    if "tax_exempt" not in record:
        return ABSENT
    return values.flag(record["tax_exempt"], what="tax_exempt") or False


def _delivery_type(record: Record, _: Conversion) -> Value:
    return None if record.get("email") else "Print"


def is_archived(record: Record) -> bool:
    """Tell whether the shop has deleted the customer or switched it off.

    Raises:
        Unusable: `is_active` is neither true nor false, or `deleted_at` is no stamp.
    """
    return is_deleted(record) or values.flag(record.get("is_active"), what="is_active") is False


def _archived(record: Record, _: Conversion) -> Value:
    if "is_active" not in record and "deleted_at" not in record:
        return ABSENT
    return is_archived(record)


def _reference(record: Record, conversion: Conversion) -> Value:
    return values.short_reference(conversion.shop_name, record["id"])


def _number(record: Record, _: Conversion) -> Value:
    if "number" not in record:
        return ABSENT
    return values.number_of_digits(values.text(record["number"], what="number"))


def _is_person(record: Record, _: Conversion) -> Value:
    return not is_company(record)


NO_NUMBER = "the organisation number is not a valid one, and was left out"


def _repairs(record: Record, _: Conversion) -> tuple[str, ...]:
    found = []
    if values.same_text(record.get("organization_number")) and _number_told(record) is None:
        found.append(NO_NUMBER)
    address = billing_address(record)
    if address is not None and not address.is_complete and not address.is_empty:
        missing = "postal code" if address.city else "city"
        found.append(f"the billing address has no {missing} and was left out")
    return tuple(found)


def _address_row(part: str, go: str, go_type: str) -> Property:
    row = Property(
        f"address_{part}",
        f"default billing address: {part}",
        f"MailAddress.{go}",
        go_type,
        Direction.BOTH,
        _address_part("country" if part == "country_code" else part),
        note="only when city and postal code exist",
        to_shop=back.address_part(part),
    )
    if part == "country_code":
        return replace(row, same=values.same_code, note=f"{row.note}; NO when it tells none")
    return row


CUSTOMER = Table(
    entity="customers",
    resource="Customers",
    repairs=_repairs,
    rows=(
        Property(
            "id",
            "id",
            "ExternalImportReference",
            "string(≤50)",
            Direction.ON_CREATE,
            _reference,
            note="`{shop_name}:{id}`; also at linking when empty (`write_references`)",
        ),
        Property(
            "number",
            "number",
            "ExternalNumber",
            "int64",
            Direction.OFF,
            _number,
            same=values.same_amount,
            note="only digits; switch on by `properties`",
        ),
        Property("type", "type", "IsPerson", "boolean", Direction.ON_CREATE, _is_person),
        Property(
            "company_name",
            "company_name, else name",
            "Name",
            "string",
            Direction.BOTH,
            _company_name,
            note="companies",
            to_shop=back.company_name,
        ),
        Property(
            "first_name",
            "first_name, else from name",
            "FirstName",
            "string",
            Direction.BOTH,
            _person_name(0),
            note='persons; missing: "-", which never travels back',
            to_shop=back.person_name(0),
        ),
        Property(
            "last_name",
            "last_name, else from name",
            "LastName",
            "string",
            Direction.BOTH,
            _person_name(1),
            note='persons; missing: "-", which never travels back',
            to_shop=back.person_name(1),
        ),
        Property(
            "organization_number",
            "organization_number",
            "OrganizationNumber",
            "string",
            Direction.BOTH,
            _organization_number,
            same=values.same_organization_number,
            note="without spaces and MVA; what is no number in the billing country is left out",
            to_shop=to_member("organization_number"),
        ),
        Property(
            "email",
            "email",
            "EmailAddress",
            "string",
            Direction.BOTH,
            _email,
            same=values.same_email,
            to_shop=to_member("email"),
        ),
        Property(
            "invoice_email",
            "email",
            "InvoiceEmailAddress",
            "string",
            Direction.TO_GO,
            _email,
            same=values.same_email,
        ),
        Property(
            "phone",
            "phone",
            "PhoneNumber",
            "string",
            Direction.BOTH,
            _phone,
            same=values.same_phone,
            note="compared in E.164",
            to_shop=to_member("phone"),
        ),
        _address_row("line1", "AddressLine1", "string(≤200)"),
        _address_row("line2", "AddressLine2", "string(≤200)"),
        _address_row("postal_code", "ZipCode", "string(≤50)"),
        _address_row("city", "City", "string(≤100)"),
        _address_row("country_code", "CountryCode", "string, ISO 3166-1 alpha-2"),
        Property(
            "currency",
            "currency",
            "CurrencyCode",
            "string, ISO 4217",
            Direction.ON_CREATE,
            _currency,
            same=values.same_code,
        ),
        Property(
            "tax_exempt",
            "tax_exempt",
            "IsVatFree",
            "boolean",
            Direction.TO_GO,
            _is_vat_free,
            same=values.same_flag,
        ),
        Property(
            "delivery_type",
            "no email at all",
            "InvoiceDeliveryType",
            "enum: Print",
            Direction.ON_CREATE,
            _delivery_type,
            note="PowerOffice Go refuses PdfByEmail without an e-mail address",
        ),
        Property(
            "archived",
            "is_active, deleted_at",
            "IsArchived",
            "boolean",
            Direction.TO_GO,
            _archived,
            same=values.same_flag,
            note="archived, never deleted; done at end of input, see `max_archives`",
            to_shop=back.archived,
        ),
    ),
)


SHIPPING, CONTACT_PERSON = "shipping_address", "contact_person"
"""The names under which a base keeps what becomes entries of their own in Go."""


def what_hangs_on(record: Record) -> dict[str, list[str] | None]:
    """Return what the shop tells of entries of their own, under the names that the base has.

    Raises:
        Unusable: it cannot be read.
    """
    address, names = shipping_address(record), contact_person(record)
    return {
        SHIPPING: list(address.content) if address else None,
        CONTACT_PERSON: list(names) if names else None,
    }
