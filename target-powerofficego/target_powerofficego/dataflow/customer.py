"""Customer ↔ Customers: the property table, and how each row is read and written back; pure.

Addresses come first, including those of orders: which one applies, whether Go accepts it, and how
it is recognised.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.table import (
    Conversion,
    Direction,
    Property,
    Record,
    Table,
    archived_reader,
    archived_writer,
    is_deleted,
    member_reader,
    member_writer,
    reference,
)
from target_powerofficego.dataflow.values import ABSENT, Unusable, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# PowerOffice Go accepts 200 characters in AddressLine1 and 2, 100 in City, 50 in ZipCode.
_LONGEST = {"line1": 200, "line2": 200, "city": 100, "postal_code": 50}
_GO_NAMES = {
    "line1": "AddressLine1",
    "line2": "AddressLine2",
    "postal_code": "ZipCode",
    "city": "City",
    "country_code": "CountryCode",
}
DELIVERY_MEMBERS = tuple(_GO_NAMES.values())
"""The members of a delivery address in Go, in the order of `Address.content`."""


@dataclass(frozen=True)
class Address:
    """An address in Go's form; `shop_id` is the shop's id of it, if it has one."""

    line1: str | None
    line2: str | None
    postal_code: str | None
    city: str | None
    country_code: str | None
    shop_id: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether Go accepts it: PowerOffice Go requires both a city and a postal code."""
        return self.city is not None and self.postal_code is not None

    @property
    def is_empty(self) -> bool:
        """Whether every part is missing, except perhaps the country."""
        return not (self.line1 or self.line2 or self.postal_code or self.city)

    @property
    def country(self) -> str:
        """The country code; PowerOffice Go assumes NO when none is given."""
        return self.country_code or "NO"

    @property
    def content(self) -> tuple[str, ...]:
        """The parts by which addresses are compared, ignoring case and extra spaces."""
        parts = (self.line1, self.line2, self.postal_code, self.city, self.country)
        return tuple(folded(part) for part in parts)

    @property
    def key(self) -> str:
        """What identifies it among its customer's addresses: its shop id, else its content."""
        return self.shop_id or hashlib.sha256("\n".join(self.content).encode()).hexdigest()[:16]

    def members(self) -> dict[str, str | None]:
        """Return its members under PowerOffice Go's names, in the order of `content`."""
        members = {go: getattr(self, shop) for shop, go in _GO_NAMES.items()}
        return {**members, "CountryCode": self.country}


def folded(part: str | None) -> str:
    """Return a part of an address in the form used for comparing: lower case, single spaces."""
    return " ".join(values.without_entities(part or "").casefold().split())


def address_codes(shop_name: str, customer_id: str, address: Address) -> Iterator[str]:
    """Yield the possible ExternalCodes for a shop customer's address; the first free one is used.

    PowerOffice Go requires codes to be unique within a client, so they include the customer.
    """
    return values.numbered_references(shop_name, f"{customer_id}:{address.key}")


def former_address_code(shop_name: str, address: Address) -> str:
    """Return the ExternalCode that earlier versions used, without the customer."""
    return values.short_reference(shop_name, address.key)


def read_address(raw: object, *, label: str) -> Address | None:
    """Return an address of a shop record, or None when it has none.

    Raises:
        values.Unusable: a part is not text or is too long, or there is no such country.
    """
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise values.Unusable(f"{label} should be an address but is a {values.kind_of(raw)}")
    parts = {
        part: values.unescaped_text(raw.get(part), label=f"{label}, {part}", longest=longest)
        for part, longest in _LONGEST.items()
    }
    return Address(
        **parts,
        country_code=values.country(raw.get("country_code"), label=f"{label}, country_code"),
        shop_id=values.text(raw.get("id"), label=f"{label}, id"),
    )


def address_from_go(entry: Mapping[str, Any]) -> Address:
    """Return an address read from Go."""
    return Address(**{shop: entry.get(go) or None for shop, go in _GO_NAMES.items()})


def default_address(addresses: object, kind: str) -> Address | None:
    """Return the default billing or shipping address among a customer's addresses.

    Raises:
        values.Unusable: `addresses` is not a list of addresses, or the chosen one is unusable.
    """
    if addresses is None:
        return None
    if not isinstance(addresses, list) or not all(
        isinstance(address, dict) for address in addresses
    ):
        raise values.Unusable("addresses should be a list of addresses")
    index = _default_index(addresses, kind)
    return read_address(None if index is None else addresses[index], label=f"the {kind} address")


def _default_index(addresses: Sequence[Mapping[str, Any]], kind: str) -> int | None:
    """Return the index of the default address of a kind, or None.

    A default address without a type is the default for both kinds. An address without a type that
    is not a default is used for billing if it is the customer's only address.
    """
    of_kind = [index for index, address in enumerate(addresses) if address.get("type") == kind]
    untyped = [index for index, address in enumerate(addresses) if not address.get("type")]
    defaults = [at for at in (*of_kind, *untyped) if addresses[at].get("is_default") is True]
    only_one = untyped if kind == "billing" and len(addresses) == 1 else []
    return next(iter([*defaults, *of_kind, *only_one]), None)


MISSING_NAME = "-"
"""Stands for a missing name: PowerOffice Go refuses a person without a first or last name."""

PERSON_NAMES = ("first_name", "last_name")
"""The members and rows of a person's name, which a shop may keep in a single member."""


def person_names(record: Record) -> tuple[str, str]:
    """Return first and last name; a missing one is taken from `name`, or else is "-".

    Raises:
        Unusable: a name is not text.
    """
    first = values.unescaped_text(record.get("first_name"), label="first_name")
    last = values.unescaped_text(record.get("last_name"), label="last_name")
    words = (values.unescaped_text(record.get("name"), label="name") or "").split()
    if first is None and last is None and words:
        return " ".join(words[:-1]) or MISSING_NAME, words[-1]
    if first is None and last is not None:
        first = " ".join(word for word in words if word not in last.split()) or None
    if last is None and first is not None:
        last = " ".join(word for word in words if word not in first.split()) or None
    return first or MISSING_NAME, last or MISSING_NAME


def is_company(record: Record) -> bool:
    """Return whether a customer is a company: by its type, or else by what only companies have.

    Raises:
        Unusable: its type is neither person nor company.
    """
    kind = values.choice(record.get("type"), ("person", "company"), label="type")
    if kind is not None:
        return kind == "company"
    return company_name(record) is not None or _valid_number(record) is not None


def company_name(record: Record) -> str | None:
    """Return the name of a company, or None; a filler such as a dash counts as no name.

    Raises:
        Unusable: it is not text.
    """
    name = values.unescaped_text(record.get("company_name"), label="company_name", longest=400)
    return name if name and any(map(str.isalnum, name)) else None


def _valid_number(record: Record) -> str | None:
    address = billing_address(record)
    return values.organization_number(
        record.get("organization_number"),
        country_code=address.country_code if address else None,
        label="organization_number",
    )


def billing_address(record: Record) -> Address | None:
    """Return the default billing address of a customer.

    Raises:
        Unusable: see `default_address`.
    """
    return default_address(record.get("addresses"), "billing")


def shipping_address(record: Record) -> Address | None:
    """Return the default shipping address, if it differs from the billing address.

    Raises:
        Unusable: see `default_address`.
    """
    shipping = default_address(record.get("addresses"), "shipping")
    billing = billing_address(record)
    if shipping is None or not shipping.is_complete:
        return None
    return None if billing and billing.content == shipping.content else shipping


def contact_person(record: Record) -> tuple[str, str] | None:
    """Return first and last name of a company's contact person, if the shop has one."""
    if not is_company(record) or not (record.get("first_name") or record.get("last_name")):
        return None
    return person_names({**record, "name": None})


def _company_name(record: Record, _: Conversion) -> Value:
    if not is_company(record):
        return ABSENT
    name = company_name(record) or values.unescaped_text(
        record.get("name"), label="name", longest=400
    )
    return values.require(name, "the company has no name (company_name or name)")


def _person_name(part: int) -> Callable[[Record, Conversion], Value]:
    def read(record: Record, _: Conversion) -> Value:
        if is_company(record):
            return ABSENT
        names = person_names(record)
        if names == (MISSING_NAME, MISSING_NAME) and not record.get("email"):
            raise Unusable("the customer has neither a name nor an e-mail address")
        return names[part]

    return read


def _organization_number(record: Record, _: Conversion) -> Value:
    return _valid_number(record) if "organization_number" in record else ABSENT


def _address_part(part: str) -> Callable[[Record, Conversion], Value]:
    def read(record: Record, _: Conversion) -> Value:
        if "addresses" not in record:
            return ABSENT
        address = billing_address(record)
        if address is None or address.is_empty:
            return None
        return getattr(address, part) if address.is_complete else ABSENT

    return read


def _delivery_type(record: Record, _: Conversion) -> Value:
    return None if record.get("email") else "Print"


def is_archived(record: Record) -> bool:
    """Return whether the shop has deleted or deactivated the customer.

    Raises:
        Unusable: `is_active` is neither true nor false, or `deleted_at` is not a timestamp.
    """
    return is_deleted(record) or values.flag(record.get("is_active"), label="is_active") is False


def _is_person(record: Record, _: Conversion) -> Value:
    return not is_company(record)


INVALID_NUMBER = "the organisation number is not valid and was left out"


def _repairs(record: Record, _: Conversion) -> tuple[str, ...]:
    repairs = []
    if values.normalise_text(record.get("organization_number")) and _valid_number(record) is None:
        repairs.append(INVALID_NUMBER)
    address = billing_address(record)
    if address is not None and not address.is_complete and not address.is_empty:
        missing = "postal code" if address.city else "city"
        repairs.append(f"the billing address has no {missing} and was left out")
    return tuple(repairs)


def _write_company_name(value: Value, record: Record) -> Record:
    """Write a company's name where the shop keeps it, and to `name` if that repeats it."""
    name, previous = record.get("name"), record.get("company_name")
    value = values.written_like(value, previous or name)
    if not previous:
        return {"name": value}
    return {"company_name": value, **({"name": value} if name == previous else {})}


def _write_person_name(part: int) -> Callable[[Value, Record], Record]:
    """Return the function that writes a first name (0) or last name (1).

    The full `name` is updated too if it consists of the two. "-" stands for a missing name in Go,
    and is written to the shop as empty.
    """

    def write(value: Value, record: Record) -> Record:
        before = person_names(record)
        after = [*before]
        after[part] = values.normalise_text(value) or MISSING_NAME
        full = _joined(after)
        if not (record.get("first_name") or record.get("last_name")):
            patch: Record = {"name": full}
            if person_names({**record, **patch}) == tuple(after):
                return _written_like(patch, record)
        patch = {
            member_name: _without_placeholder(name)
            for member_name, name in zip(PERSON_NAMES, after, strict=True)
            if values.normalise_text(record.get(member_name))
            not in (name, _without_placeholder(name))
        }
        if values.normalise_text(record.get("name")) == _joined(before):
            patch["name"] = full
        return _written_like(patch, record)

    return write


def _write_address_part(part: str) -> Callable[[Value, Record], Record]:
    """Return the function that writes a part of the default billing address.

    The other addresses and parts are written as they were read, unknown members included.
    """

    def write(value: Value, record: Record) -> Record:
        addresses = record.get("addresses") or []
        index = _default_index(addresses, "billing")
        if index is None:
            new = {"type": "billing", "is_default": True, part: value}
            return {"addresses": [*addresses, new]} if value is not None else {}
        before = addresses[index]
        changed = {**before, part: values.written_like(value, before.get(part))}
        return {"addresses": [*addresses[:index], changed, *addresses[index + 1 :]]}

    return write


def _written_like(patch: Record, record: Record) -> Record:
    return {name: values.written_like(value, record.get(name)) for name, value in patch.items()}


def _joined(names: list[str] | tuple[str, ...]) -> str | None:
    present = (values.text(name, label="the name in Go") for name in names if name != MISSING_NAME)
    return " ".join(name or "" for name in present) or None


def full_name(parts: Mapping[str, Value]) -> str | None:
    """Return a person's full name from the values of the rows `PERSON_NAMES`."""
    return _joined(
        [values.normalise_text(parts.get(name)) or MISSING_NAME for name in PERSON_NAMES]
    )


def _without_placeholder(name: str) -> str | None:
    return None if name == MISSING_NAME else name


def _address_row(part: str, go: str, go_type: str) -> Property:
    row = Property(
        f"address_{part}",
        f"default billing address: {part}",
        f"MailAddress.{go}",
        go_type,
        Direction.BOTH,
        _address_part("country" if part == "country_code" else part),
        note="only when city and postal code exist",
        to_shop=_write_address_part(part),
    )
    if part == "country_code":
        return replace(
            row, normalise=values.normalise_code, note=f"{row.note}; NO when it has no country"
        )
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
            reference,
            note="`{shop_name}:{id}`; also at linking when empty (`write_references`)",
        ),
        Property(
            "number",
            "number",
            "ExternalNumber",
            "int64",
            Direction.OFF,
            member_reader("number", values.number_of_digits),
            normalise=values.normalise_amount,
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
            to_shop=_write_company_name,
        ),
        Property(
            "first_name",
            "first_name, else from name",
            "FirstName",
            "string",
            Direction.BOTH,
            _person_name(0),
            note='persons; "-" if missing, which is never written back',
            to_shop=_write_person_name(0),
        ),
        Property(
            "last_name",
            "last_name, else from name",
            "LastName",
            "string",
            Direction.BOTH,
            _person_name(1),
            note='persons; "-" if missing, which is never written back',
            to_shop=_write_person_name(1),
        ),
        Property(
            "organization_number",
            "organization_number",
            "OrganizationNumber",
            "string",
            Direction.BOTH,
            _organization_number,
            normalise=values.normalise_organization_number,
            note="without spaces and MVA; left out if it is not valid in the billing country",
            to_shop=member_writer("organization_number"),
        ),
        Property(
            "email",
            "email",
            "EmailAddress",
            "string",
            Direction.BOTH,
            member_reader("email", values.email),
            normalise=values.normalise_email,
            to_shop=member_writer("email"),
        ),
        Property(
            "invoice_email",
            "email",
            "InvoiceEmailAddress",
            "string",
            Direction.TO_GO,
            member_reader("email", values.email),
            normalise=values.normalise_email,
        ),
        Property(
            "phone",
            "phone",
            "PhoneNumber",
            "string",
            Direction.BOTH,
            member_reader("phone", longest=50),
            normalise=values.normalise_phone,
            note="compared in E.164",
            to_shop=member_writer("phone"),
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
            member_reader("currency", values.currency, omitted=None),
            normalise=values.normalise_code,
        ),
        Property(
            "tax_exempt",
            "tax_exempt",
            "IsVatFree",
            "boolean",
            Direction.TO_GO,
            member_reader("tax_exempt", values.flag_or_false),
            normalise=values.normalise_flag,
        ),
        Property(
            "delivery_type",
            "no email at all",
            "InvoiceDeliveryType",
            "enum: Print",
            Direction.ON_CREATE,
            _delivery_type,
            note="PowerOffice Go refuses PdfByEmail for customers without an e-mail address",
        ),
        Property(
            "archived",
            "is_active, deleted_at",
            "IsArchived",
            "boolean",
            Direction.TO_GO,
            archived_reader(is_archived, "is_active"),
            normalise=values.normalise_flag,
            note="archived, never deleted; done at the end of the input, see `max_archives`",
            to_shop=archived_writer({"is_active": False}, {"is_active": True}),
        ),
    ),
)


SHIPPING, CONTACT_PERSON = "shipping_address", "contact_person"
"""The names under which a base keeps the parts of a customer that are separate entries in Go."""


def separate_entries(record: Record) -> dict[str, list[str] | None]:
    """Return the parts of a customer that are separate entries in Go, under their names in a base.

    Raises:
        Unusable: it cannot be read.
    """
    address, names = shipping_address(record), contact_person(record)
    return {
        SHIPPING: list(address.content) if address else None,
        CONTACT_PERSON: list(names) if names else None,
    }
