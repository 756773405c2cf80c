"""The laws of the functions that bring shop values into Go's form."""

from __future__ import annotations

import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pycountry
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from target_powerofficego.dataflow import values
from target_powerofficego.dataflow.customer import read_address
from target_powerofficego.dataflow.product import price_repairs, price_without_vat, write_price
from target_powerofficego.dataflow.values import (
    COUNTRIES,
    CURRENCIES,
    UNIT_WORDS,
    Unusable,
    rate_key,
    unit_code,
)

OSLO = ZoneInfo("Europe/Oslo")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.just(float("nan"))
    | st.text()
    | st.sampled_from(["12,50 kr", "1e9", "NO", "nok", "2026-01-31T12:00:00Z", "0001-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)

READERS = {
    "text": lambda value: values.text(value, label="it", longest=40),
    "flag": lambda value: values.flag(value, label="it"),
    "amount": lambda value: values.amount(value, label="it"),
    "vat_rate": lambda value: values.vat_rate(value, label="it"),
    "email": lambda value: values.email(value, label="it"),
    "country": lambda value: values.country(value, label="it"),
    "currency": lambda value: values.currency(value, label="it"),
    "organization_number": lambda value: values.organization_number(
        value, country_code="NO", label="it"
    ),
    "instant": lambda value: values.instant(value, label="it"),
    "day": lambda value: values.day(value, zone=OSLO, label="it"),
    "date_in_zone": lambda value: values.date_in_zone(value, zone=OSLO, label="it"),
    "read_address": lambda value: read_address(value, label="it"),
}


@pytest.mark.parametrize("name", READERS)
@given(value=json_values)
@example(value="0001-01-01T00:00:00+14:00")
@example(value="9999-12-31T23:59:59-14:00")
@example(value="9999-12-31T23:59:59Z")
@example(value=10**4000)
@example(value=Decimal("1E+999999"))
@example(value={"country_code": ["NO"], "city": {}})
def test_any_json_value_is_read_or_refused_with_its_name(name, value):
    try:
        READERS[name](value)
    except Unusable as unusable:
        message = str(unusable)
        assert message.startswith("it")
        assert len(message) < 250
        message.encode()


NORMALISERS = {
    "normalise_text": (values.normalise_text, st.none() | st.text()),
    "normalise_organization_number": (
        values.normalise_organization_number,
        st.none() | st.text() | st.text(alphabet="NOMVA0123456789 .-se"),
    ),
    "normalise_gtin": (values.normalise_gtin, st.none() | st.text() | st.from_regex(r"[0-9 -]+")),
    "normalise_code": (values.normalise_code, st.none() | st.text()),
    "normalise_email": (values.normalise_email, st.none() | st.text()),
    "normalise_phone": (
        values.normalise_phone,
        st.none() | st.text() | st.from_regex(r"\+?[0-9 ]{5,14}( x[0-9]{1,5})?"),
    ),
    "normalise_date": (values.normalise_date, st.none() | st.dates().map(str)),
    "normalise_flag": (values.normalise_flag, st.none() | st.booleans()),
    "normalise_amount": (
        values.normalise_amount,
        st.none() | st.integers(-(10**12), 10**12) | st.decimals(-(10**9), 10**9, places=4),
    ),
}


@pytest.mark.parametrize("name", NORMALISERS)
def test_normalising_twice_is_normalising_once(name):
    normalise, strategy = NORMALISERS[name]

    @given(value=strategy)
    def check(value):
        once = normalise(value)
        assert normalise(once) == once

    check()


@given(value=st.text())
def test_space_around_text_makes_no_difference_and_empty_text_is_none(value):
    assert values.normalise_text(f" {value}\n") == values.normalise_text(value)
    assert values.normalise_text(value) != ""
    assert values.text(value, label="it") == values.text(f"  {value}\t", label="it")


@given(value=st.decimals("-999999999", "999999999", places=4))
def test_an_amount_is_the_same_however_it_is_written(value):
    written = (value, str(value), f"{value}00", float(value))

    assert len({values.normalise_amount(form) for form in written}) == 1
    assert values.amount(str(value), label="it") == value


@given(value=st.from_regex(r"[ ]?-?[0-9]{1,12}(\.[0-9]{1,12})?[ ]?", fullmatch=True))
def test_a_plain_decimal_number_is_read_unchanged(value):
    assert values.amount(value, label="it") == Decimal(value.strip())


NEVER_GUESSED: dict[str, tuple[str, list[object]]] = {
    "amount": (
        "is not a number",
        [
            "12,50",
            "12,50 kr",
            "kr 12.50",
            "1 000.00",
            "1.000,00",
            "NaN",
            "Infinity",
            "-",
            ".",
            "1e3",
            "0x10",
            "١٢",
            "1_000",
            "12.",
            ".5",
            "9" * 40,
            True,
            False,
            float("nan"),
            Decimal("NaN"),
            Decimal("Infinity"),
            ["12.50"],
            {"amount": "12.50"},
        ],
    ),
    "vat_rate": ("in percent", ["-1", "100.01", "2500", Decimal(-25)]),
    "instant": (
        "is not a date and time",
        ["2026-01-31", "2026-01-31T12:00:00", "31.01.2026 12:00", "yesterday", "1769860800"],
    ),
    "country": ("not a country code", ["XX", "NOR", "578", "ZZ", "Norge"]),
}
"""The values that each reader refuses, and part of its message for all of them."""


@pytest.mark.parametrize(
    ("name", "complaint", "value"),
    [
        pytest.param(name, complaint, value, id=f"{value!r} is not {name}")
        for name, (complaint, refused) in NEVER_GUESSED.items()
        for value in refused
    ],
)
def test_what_cannot_be_read_is_never_guessed(name, complaint, value):
    with pytest.raises(Unusable, match=complaint):
        READERS[name](value)


@given(number=st.none() | st.text() | st.from_regex(r"[0-9]{1,25}", fullmatch=True))
@example(number="٣٤")
@example(number="²")
@example(number=str(2**63 - 1))
@example(number=str(2**63))
@example(number="9" * 5000)
def test_digits_are_read_as_a_number_that_go_accepts(number):
    read = values.number_of_digits(number, label="number")

    is_plain = bool(number) and set(number) <= set("0123456789") and len(number) < 100
    assert read == (int(number) if is_plain and int(number) < 2**63 else None)


@given(value=st.decimals("-9999999", "9999999", places=6))
def test_rounding_to_ore_changes_an_amount_by_half_an_ore_at_most(value):
    rounded = values.round_to_ore(value)

    assert abs(rounded - value) <= Decimal("0.005")
    assert values.round_to_ore(rounded) == rounded
    assert rounded.as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"), ("0.0049999", "0.00")],
)
def test_half_an_ore_is_rounded_away_from_zero(value, rounded):
    assert values.round_to_ore(Decimal(value)) == Decimal(rounded)


@given(
    national=st.from_regex(r"[49][0-9]{7}", fullmatch=True),
    form=st.sampled_from(["{}", "+47{}", "0047{}", "+47 {}", " {} ", "(+47) {}"]),
)
def test_a_norwegian_number_is_the_same_in_every_form(national, form):
    assert values.normalise_phone(form.format(national)) == f"+47{national}"


@given(extension=st.integers(1, 99999), other=st.integers(1, 99999))
def test_two_extensions_of_one_number_are_two_numbers(extension, other):
    numbers = [
        values.normalise_phone(f"+47 22 00 00 00 ext. {each}") for each in (extension, other)
    ]

    assert (numbers[0] == numbers[1]) == (extension == other)
    assert values.normalise_phone("+47 22 00 00 00") not in numbers
    assert values.normalise_phone(f"22000000;ext={extension}") == numbers[0]


def test_numbers_of_different_countries_differ():
    assert values.normalise_phone("+46 701234567") != values.normalise_phone("+47 701234567")


@given(
    moment=st.datetimes(
        datetime.datetime(1970, 1, 1),  # noqa: DTZ001 - the time zone is given beside
        datetime.datetime(2199, 1, 1),  # noqa: DTZ001
        timezones=st.just(datetime.timezone.utc),
    ),
    digits=st.integers(0, 9),
)
def test_a_stamp_is_read_with_any_number_of_fraction_digits(moment, digits):
    fraction = f"{moment.microsecond:06d}000"[:digits]
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"

    read = values.instant(stamp, label="it")

    lost = moment.microsecond - int((fraction + "000000")[:6])
    assert read == moment - datetime.timedelta(microseconds=lost)
    assert read.utcoffset() == datetime.timedelta(0)


@given(shop=st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True), shop_id=st.text(max_size=80))
def test_a_reference_fits_and_is_the_id_itself_when_that_fits(shop, shop_id):
    reference = values.short_reference(shop, shop_id)

    assert len(reference) <= 50
    assert reference.startswith(f"{shop}:")
    if len(shop) + 1 + len(shop_id) <= 50:
        assert reference == f"{shop}:{shop_id}"
    assert values.short_reference(shop, shop_id) == reference


@given(shop_id=st.text(min_size=45, max_size=80), other=st.text(min_size=45, max_size=80))
def test_two_long_ids_have_two_references(shop_id, other):
    same = values.short_reference("shop", shop_id) == values.short_reference("shop", other)

    assert same == (shop_id == other)


@pytest.mark.parametrize(
    "written", ["923609016", "923 609 016", "NO923609016MVA", "no 923 609 016 mva", "923.609.016"]
)
def test_an_organisation_number_is_read_in_every_usual_form(written):
    read = values.organization_number(written, country_code="NO", label="it")

    assert read == "923609016"
    assert values.organization_number(read, country_code="NO", label="it") == read


@pytest.mark.parametrize(
    ("country_code", "written"),
    [
        *((None, each) for each in ("923609017", "12345", "923609016 923609016", "abc", "-")),
        *(("SE", each) for each in ("privat", "-", "n/a", "000")),
    ],
)
def test_a_number_that_is_not_valid_in_its_country_is_read_as_none(country_code, written):
    assert values.organization_number(written, country_code=country_code, label="it") is None


@given(written=st.text(alphabet="0123456789ABC -.", min_size=1, max_size=15))
def test_a_foreign_organisation_number_only_loses_its_spaces(written):
    assume(sum(map(str.isdigit, written)) >= 4)

    read = values.organization_number(written, country_code="SE", label="it")

    assert read == "".join(character for character in written if character not in " -.")


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("O&#039;Brien &amp; S&oslash;nn", "O'Brien & Sønn"),
        ("&quot;Fjell&quot; &#x2013; 5&nbsp;kg", '"Fjell" – 5 kg'),
        ("R&amp;amp;D", "R&D"),
        ("Salt & Pepper; R&D;", "Salt & Pepper; R&D;"),
        ("Tom&Jerry &notaword; &notin", "Tom&Jerry &notaword; &notin"),
    ],
)
def test_a_name_is_read_without_entities_and_equals_its_escaped_form(escaped, plain):
    assert values.unescaped_text(escaped, label="name") == plain
    assert values.normalise_text(escaped) == values.normalise_text(plain)
    assert values.normalise_text(values.written_like(plain, escaped)) == values.normalise_text(
        escaped
    )


@given(
    digits=st.from_regex(r"[0-9]{9}", fullmatch=True),
    form=st.sampled_from(["{}", "NO{}", "{}MVA", "no {} mva", " {} MVA", "NO-{}-MVA"]),
    gap=st.sampled_from(["", " ", ".", "-"]),
)
def test_a_norwegian_organisation_number_is_the_same_in_every_form(digits, form, gap):
    written = form.format(gap.join((digits[:3], digits[3:6], digits[6:])))

    assert values.normalise_organization_number(written) == digits


@given(number=st.text(alphabet="0123456789SEGBX", min_size=10, max_size=15))
def test_a_foreign_organisation_number_keeps_all_its_letters_and_digits(number):
    written = "-".join((number[:4], number[4:])).lower()

    assert values.normalise_organization_number(written) == number


@given(rate=st.decimals("0", "100", places=3))
def test_a_rate_has_one_key_however_it_is_written(rate):
    key = rate_key(rate)

    assert Decimal(key) == rate
    assert rate_key(Decimal(f"{rate}00")) == key
    assert not key.endswith(".")


@given(unit=st.none() | st.text())
def test_a_unit_is_one_that_go_knows(unit):
    assert unit_code(unit) in UNIT_WORDS


def test_a_long_value_is_not_quoted_in_full():
    with pytest.raises(Unusable) as raised:
        values.amount("x" * 500, label="price")

    assert len(str(raised.value)) < 150


@pytest.mark.parametrize(
    ("with_vat_leads", "excl", "incl", "price", "warned"),
    [
        (True, "80.00", "125.00", "100", "price_incl was used"),
        (False, "80.00", "125.00", "80", "price_excl was used"),
        (None, "80.00", "125.00", "80", "price_excl was used"),
        (True, "86.09", "99.00", "79.2", "price_incl was used"),
        (True, "79.2", "99", "79.2", None),
        (True, "0.82", "1.02", "0.82", None),
        (True, "80.00", None, "80", None),
        (True, None, "125.00", "100", None),
        (False, None, "125.00", "100", None),
        (False, "80.00", "12,50 kr", "80", "price_excl was used"),
    ],
)
def test_the_leading_price_is_used_and_prices_that_disagree_are_reported(
    with_vat_leads, excl, incl, price, warned
):
    record = {
        "prices_include_tax": with_vat_leads,
        "price_excl": excl,
        "price_incl": incl,
        "tax_rate": "25",
    }

    assert price_without_vat(record) == Decimal(price)
    repairs = "; ".join(price_repairs(record))
    assert warned in repairs if warned else repairs == ""


def test_a_leading_price_with_vat_must_be_readable():
    record = {"prices_include_tax": True, "price_excl": "80.00", "price_incl": "12,50 kr"}

    with pytest.raises(Unusable, match="price_incl"):
        price_without_vat(record)


prices = st.none() | st.decimals(min_value=0, max_value=10**6, places=2).map(str)


@given(
    st.decimals(min_value=0, max_value=10**6, places=2),
    st.fixed_dictionaries(
        {
            "price_excl": prices,
            "price_incl": prices,
            "prices_include_tax": st.sampled_from([True, False, None]),
            "tax_rate": st.sampled_from([None, "0", "11.11", "12", "15", "25"]),
        }
    ),
)
@example(
    Decimal("86.09"),
    {"price_excl": None, "price_incl": "99", "prices_include_tax": True, "tax_rate": "25"},
)
def test_a_price_written_back_to_the_shop_is_read_as_the_price_in_go(in_go, record):
    try:
        patch = write_price(in_go, record)
    except Unusable:
        assume(False)

    assert price_without_vat({**record, **patch}) == in_go


def test_the_codes_of_countries_and_currencies_are_those_of_the_standards():
    assert {country.alpha_2 for country in pycountry.countries} == COUNTRIES
    assert {currency.alpha_3 for currency in pycountry.currencies} == CURRENCIES
