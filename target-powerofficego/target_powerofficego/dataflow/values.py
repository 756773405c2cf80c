"""How single shop values become Go values, and how two values are compared.

Every function here is pure. `Unusable` carries a reason that a bookkeeper understands; the record
is then rejected with that reason. The codes of units, countries and currencies are at the end.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from html import escape, unescape
from html.entities import html5
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from stdnum import ean
from stdnum.no import orgnr

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

Value = Any
"""A value in Go's form: text, whole number, Decimal, bool, ISO date text, or None for empty."""

_T = TypeVar("_T")
_AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_FEWEST_DIGITS = 4  # of a company number in any country, such as B1234 in Luxembourg
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ENTITY = re.compile(r"&(\w+|#[0-9]+|#[xX][0-9a-fA-F]+);")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_MOST_ESCAPES = 5
_LARGEST_NUMBER = 2**63 - 1
_MOST_DIGITS = 100  # Python refuses to parse a number with thousands of digits
_YEARS = range(1900, 2200)  # other years are mistakes; some cannot be converted between time zones
_LONGEST_REFERENCE = 50  # PowerOffice Go: ExternalImportReference and ExternalCode, 50 characters


class Unusable(Exception):  # noqa: N818 - the name says what is wrong with a value
    """A value that cannot be converted to Go's form; the text is the reason for the reject."""


class Contradiction(Unusable):
    """Two things that the shop states about a record contradict each other: it is held instead."""


def require(value: _T | None, reason: str) -> _T:
    """Return a value that must be present.

    Raises:
        Unusable: it is None; `reason` is the message.
    """
    if value is None:
        raise Unusable(reason)
    return value


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""The value of a field that the shop omits; such a row is neither compared nor written."""


def quoted(value: object) -> str:
    """Return a value as shown in a reason: in quotation marks, and truncated if it is long."""
    text = str(value)
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'


def text(value: object, *, label: str, longest: int | None = None) -> str | None:
    """Return trimmed text, or None when it is empty.

    Raises:
        Unusable: it is not text, or is longer than `longest` characters.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise Unusable(f"{label} should be text but is a {kind_of(value)}")
    trimmed = str(value).strip()
    if longest is not None and len(trimmed) > longest:
        raise Unusable(
            f"{label} has {len(trimmed)} characters; PowerOffice Go takes at most {longest}"
        )
    return trimmed or None


def unescaped_text(value: object, *, label: str, longest: int | None = None) -> str | None:
    """Return text that people read, such as a name, without HTML entities (`without_entities`).

    Raises:
        Unusable: see `text`.
    """
    escaped = text(value, label=label)
    return escaped and text(without_entities(escaped), label=label, longest=longest)


def without_entities(string: str) -> str:
    """Return text with each HTML entity replaced by its character: "&amp;" becomes "&".

    Shops store names ready for a web page, which a ledger is not. Some escape them more than once.
    """
    for _ in range(_MOST_ESCAPES):
        if "&" not in string or (unescaped := ENTITY.sub(_character, string)) == string:
            break
        string = unescaped
    return string


def _character(entity: re.Match[str]) -> str:
    is_known = entity[1].startswith("#") or f"{entity[1]};" in html5
    return unescape(entity[0]).replace("\xa0", " ") if is_known else entity[0]


def written_like(value: Value, replaced: object) -> Value:
    """Return text for the shop: with HTML entities if the text that it replaces has any."""
    has_entities = isinstance(replaced, str) and without_entities(replaced) != replaced
    return escape(value, quote=False) if has_entities and isinstance(value, str) else value


def member_at(entry: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    """Return the member of an entry of Go at "MailAddress.City" or "/MailAddress/City", or None."""
    value = value_at(entry, path.strip("/").replace("/", "."))
    return None if value is ABSENT else value


LONGEST_ID = 255
"""The most characters that a shop id may have, so that a database can index it."""


def shop_id(value: object, *, label: str) -> str | None:
    """Return the id of a shop record that another record refers to, or None when it is empty.

    Raises:
        Unusable: it is not text, or is longer than an id may be.
    """
    plain = text(value, label=label)
    if plain is not None and len(plain) > LONGEST_ID:
        raise Unusable(f"{label} has {len(plain)} characters; an id may have at most {LONGEST_ID}")
    return plain


def text_id(value: Any) -> str | None:  # noqa: ANN401 - anything a shop may send
    """Return an id as text, or None when it is not an id or is too long to be one."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    plain = str(value).strip()
    return plain if 0 < len(plain) <= LONGEST_ID else None


def number_of_digits(value: object, *, label: str) -> int | None:
    """Return text as a whole number, or None when it has other characters or is too large for Go.

    PowerOffice Go: ExternalNumber and ImportedOrderNo are int64.

    Raises:
        Unusable: it is not text.
    """
    number = text(value, label=label)
    if not number or not number.isascii() or not number.isdecimal() or len(number) > _MOST_DIGITS:
        return None
    return int(number) if int(number) <= _LARGEST_NUMBER else None


def choice(value: object, choices: Collection[str], *, label: str) -> str | None:
    """Return one of a fixed set of words, or None when the value is empty.

    Raises:
        Unusable: it is not one of `choices`.
    """
    word = text(value, label=label)
    if word is not None and word not in choices:
        raise Unusable(f"{label} {quoted(word)} is not one of {', '.join(choices)}")
    return word


def flag(value: object, *, label: str) -> bool | None:
    """Return a boolean, or None when it is empty.

    Raises:
        Unusable: it is neither true nor false; the text "false" does not count as false.
    """
    if value is None or isinstance(value, bool):
        return value
    raise Unusable(f"{label} should be true or false but is {quoted(value)}")


def flag_or_false(value: object, *, label: str) -> bool:
    """Return a boolean; an empty value is false.

    Raises:
        Unusable: see `flag`.
    """
    return flag(value, label=label) or False


def amount(value: object, *, label: str) -> Decimal | None:
    """Return an amount, rate or quantity as a Decimal, or None when it is empty.

    Raises:
        Unusable: it is not a plain decimal number such as "12.50".
    """
    if value is None or value == "":
        return None
    if not isinstance(value, bool) and isinstance(value, (str, int, Decimal)):
        plain = str(value).strip()
        if _AMOUNT.fullmatch(plain):
            return Decimal(plain)
    raise Unusable(f'{label} {quoted(value)} is not a number; it should be written like "12.50"')


def number_in_go(value: object, *, label: str) -> Decimal:
    """Return a number as Go returns it.

    Raises:
        Unusable: it is not a number, or is not finite.
    """
    if not isinstance(normalise_amount(value), Decimal):
        raise Unusable(f"{label} in Go is not a number: {quoted(value)}")
    return Decimal(str(value))


def vat_rate(value: object, *, label: str) -> Decimal | None:
    """Return a VAT rate in percent, or None when it is empty.

    Raises:
        Unusable: it is not a number between 0 and 100.
    """
    rate = amount(value, label=label)
    if rate is not None and not 0 <= rate <= 100:
        raise Unusable(
            f'{label} {quoted(value)} is not a VAT rate; it should be in percent, such as "25"'
        )
    return rate


def rate_key(rate: Decimal) -> str:
    """Return a rate in percent as written in the keys of `sales_accounts`: "25", "12.5", "0"."""
    plain = format(rate, "f")
    return (plain.rstrip("0").rstrip(".") or "0") if "." in plain else plain


def email(value: object, *, label: str) -> str | None:
    """Return an e-mail address.

    Raises:
        Unusable: it does not have the form name@domain.
    """
    address = text(value, label=label)
    if address is not None and not _EMAIL.fullmatch(address):
        raise Unusable(f"{label} is not an e-mail address")
    return address


def country(value: object, *, label: str) -> str | None:
    """Return a country code, ISO 3166-1 alpha-2, in capitals.

    Raises:
        Unusable: there is no such country.
    """
    return _code(
        value, COUNTRIES, label, 'is not a country code; it should be two letters such as "NO"'
    )


def currency(value: object, *, label: str) -> str | None:
    """Return a currency code, ISO 4217, in capitals.

    Raises:
        Unusable: there is no such currency.
    """
    return _code(value, CURRENCIES, label, 'is not a currency code; it should be like "NOK"')


def _code(value: object, codes: Collection[str], label: str, fault: str) -> str | None:
    code = text(value, label=label)
    if code is not None and code.upper() not in codes:
        raise Unusable(f"{label} {quoted(code)} {fault}")
    return code and code.upper()


def organization_number(value: object, *, country_code: str | None, label: str) -> str | None:
    """Return an organisation number without spaces or MVA, or None when it is not valid.

    Buyers who are asked for one type "privat" or "-". Norwegian numbers are checked (nine digits,
    the last a check digit); those of other countries must have at least four digits.

    Raises:
        Unusable: it is not text.
    """
    number = text(value, label=label)
    if number is None:
        return None
    if country_code in (None, "NO"):
        digits = normalise_organization_number(number)
        return digits if digits and orgnr.is_valid(digits) else None
    compact = _without_separators(number)
    return compact if sum(map(str.isdigit, compact)) >= _FEWEST_DIGITS else None


def _without_separators(number: str) -> str:
    return re.sub(r"[\s.\-]", "", number).upper()


def is_gtin(value: str) -> bool:
    """Return whether text is a GTIN-8, -12, -13 or -14 with a correct check digit."""
    return ean.is_valid(value)


def date_in_zone(stamp: object, *, zone: ZoneInfo, label: str) -> str | None:
    """Return the ISO date of a stamp in a time zone.

    Raises:
        Unusable: it is not an RFC 3339 stamp with an offset.
    """
    moment = instant(stamp, label=label)
    return None if moment is None else moment.astimezone(zone).date().isoformat()


def day(value: object, *, zone: ZoneInfo, label: str) -> str | None:
    """Return an ISO date: the value itself if it is one, else a stamp's date in a time zone.

    Raises:
        Unusable: it is neither a date nor an RFC 3339 stamp with an offset.
    """
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        value = f"{value.strip()}T12:00:00Z"
        zone = ZoneInfo("UTC")
    return date_in_zone(value, zone=zone, label=label)


def instant(stamp: object, *, label: str) -> datetime.datetime | None:
    """Return a stamp of the shop, or of Go (seven fraction digits), as an aware datetime in UTC.

    Raises:
        Unusable: it is not an RFC 3339 stamp with an offset.
    """
    plain = text(stamp, label=label)
    if plain is None:
        return None
    try:
        trimmed = re.sub(
            r"(\.\d{6})\d+", r"\1", plain.replace("Z", "+00:00").replace("z", "+00:00")
        )
        moment = datetime.datetime.fromisoformat(_six_digits(trimmed))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise Unusable(
            f"{label} {quoted(plain)} is not a date and time; it should be like"
            ' "2026-01-31T12:00:00Z"'
        )
    return moment.astimezone(datetime.timezone.utc)


def instant_or_none(stamp: object) -> datetime.datetime | None:
    """Return a stamp as a datetime; None when it is missing or invalid (such as the year 1)."""
    try:
        return instant(stamp, label="the stamp")
    except Unusable:
        return None


def is_before(stamp: str | None, other: str | None) -> bool:
    """Return whether a stamp of Go is earlier than another; false when either is missing."""
    moment, other_moment = instant_or_none(stamp), instant_or_none(other)
    return moment is not None and other_moment is not None and moment < other_moment


def _six_digits(stamp: str) -> str:
    """Pad fractions of a second for Python 3.10's `fromisoformat`, which takes 3 or 6 digits."""
    return re.sub(r"\.(\d{1,5})(?=\D|$)", lambda match: "." + match[1].ljust(6, "0"), stamp)


def short_reference(shop_name: str, shop_id: str) -> str:
    """Return our reference in Go for a shop id: `{shop_name}:{id}`, or a hash if that is too long.

    PowerOffice Go accepts 50 characters.
    """
    reference = f"{shop_name}:{shop_id}"
    if len(reference) <= _LONGEST_REFERENCE:
        return reference
    digest = hashlib.sha256(reference.encode()).hexdigest()[:24]
    return f"{shop_name[:20]}:#{digest}"


def numbered_references(shop_name: str, shop_id: str) -> Iterator[str]:
    """Yield our reference for a shop id, then `…:2`, `…:3` and so on, in case it is taken."""
    yield short_reference(shop_name, shop_id)
    for number in itertools.count(2):
        yield short_reference(shop_name, f"{shop_id}:{number}")


def round_to_ore(value: Decimal) -> Decimal:
    """Round half up to whole øre (two decimals), as PowerOffice Go shows amounts."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def plain_number(number: Decimal) -> Decimal:
    """Return a number without trailing zeros."""
    return number.normalize() if number else Decimal(0)


def money_step(amount: Decimal) -> Decimal:
    """Return the unit of an amount's last decimal: an øre, or less where it has more decimals."""
    exponent = plain_number(amount).as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    return Decimal(1).scaleb(-max(decimals, 2))


def money(amount: Decimal) -> str:
    """Return an amount as text, with two decimals, or more if it has more."""
    return format(plain_number(amount).quantize(money_step(amount)), "f")


def normalise_text(value: Value) -> Value:
    """Normalise text for comparing: trimmed, uniform line ends, no entities, and "" is None.

    An earlier version wrote the shop's entities to Go as they were; nobody has edited those.
    """
    if isinstance(value, str):
        return without_entities(value).replace("\r\n", "\n").strip() or None
    return value


def normalise_amount(value: Value) -> Value:
    """Normalise a number for comparing: 1, 1.0 and "1.00" are equal; other values are unchanged."""
    if value is None or isinstance(value, bool):
        return value
    try:
        number = Decimal(str(value)).normalize()
    except ArithmeticError:
        return value
    return number if number.is_finite() else value


def _normaliser(normalise: Callable[[str], str]) -> Callable[[Value], Value]:
    """Return a function that normalises a value as text, then by `normalise` if it is text."""

    def normalise_if_text(value: Value) -> Value:
        plain = normalise_text(value)
        return normalise(plain) or None if isinstance(plain, str) else plain

    return normalise_if_text


normalise_code = _normaliser(str.upper)
"""Normalise a code for comparing: trimmed, in upper case."""

normalise_gtin = _normaliser(ean.compact)
"""Normalise a GTIN for comparing: without spaces and hyphens."""

normalise_email = _normaliser(str.lower)
"""Normalise an e-mail address for comparing: trimmed, in lower case."""


@_normaliser
def normalise_organization_number(plain: str) -> str:
    """Normalise an organisation number for comparing: no spaces, dots or hyphens; upper case.

    A Norwegian one is reduced to its nine digits, without NO before or MVA after them.
    """
    compact = _without_separators(plain)
    digits = compact.removeprefix("NO").removesuffix("MVA")
    return digits if re.fullmatch(r"[0-9]{9}", digits) else compact


@_normaliser
@lru_cache(maxsize=4096)
def normalise_phone(plain: str) -> str:
    """Normalise a telephone number for comparing: E.164 if it can be parsed.

    An extension is kept after it: two extensions of one company are two numbers.
    """
    import phonenumbers  # noqa: PLC0415 - takes long to load, and --help parses no number

    try:
        number = phonenumbers.parse(plain, "NO")
    except phonenumbers.NumberParseException:
        return plain
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{e164};ext={number.extension}" if number.extension else str(e164)


def normalise_date(value: Value) -> Value:
    """Normalise a date for comparing: Go may return a date with a time part."""
    return value[:10] if isinstance(value, str) else value


def normalise_flag(value: Value) -> Value:
    """Normalise a boolean for comparing: Go returns false for one that was never set."""
    return bool(value)


def value_at(record: Mapping[str, Any], path: str) -> Value:
    """Return the value at a dotted path such as `custom.erp_no`, or ABSENT if a part is missing."""
    value: Any = record
    for part in path.split("."):
        if value is None:
            return None
        if not isinstance(value, dict) or part not in value:
            return ABSENT
        value = value[part]
    return value


def kind_of(value: object) -> str:
    """Return the kind of a value, for a reason that must not quote it: it may be personal data."""
    names = {str: "text", bool: "yes/no", list: "list", dict: "group of fields"}
    return names.get(type(value), "number")


_UNITS = {
    "": "EA",
    "ea": "EA",
    "stk": "EA",
    "pcs": "EA",
    "pc": "EA",
    "piece": "EA",
    "each": "EA",
    "h": "HUR",
    "hour": "HUR",
    "time": "HUR",
    "t": "HUR",
    "hur": "HUR",
    "kg": "KGM",
    "kgm": "KGM",
    "g": "GRM",
    "grm": "GRM",
    "l": "LTR",
    "liter": "LTR",
    "litre": "LTR",
    "ltr": "LTR",
    "m": "MTR",
    "meter": "MTR",
    "metre": "MTR",
    "mtr": "MTR",
    "m2": "MTK",
    "mtk": "MTK",
    "m3": "MTQ",
    "mtq": "MTQ",
    "cm": "CMT",
    "km": "KMT",
    "day": "DAY",
    "dag": "DAY",
}

UNIT_WORDS = {
    "EA": "stk",
    "HUR": "time",
    "KGM": "kg",
    "GRM": "g",
    "LTR": "l",
    "MTR": "m",
    "MTK": "m2",
    "MTQ": "m3",
    "CMT": "cm",
    "KMT": "km",
    "DAY": "dag",
}
"""The word that Norwegian shops use for a unit, by Go's code."""


def is_unit(unit: str) -> bool:
    """Return whether a shop's word for a unit is known."""
    return _folded(unit) in _UNITS


def unit_code(unit: str | None) -> str:
    """Return PowerOffice Go's unit of measure code; EA (piece) for an unknown unit."""
    return _UNITS.get(_folded(unit or ""), "EA")


def _folded(unit: str) -> str:
    return unit.strip().rstrip(".").casefold()


COUNTRIES = frozenset(
    """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ
EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW
GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY
KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG
TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM
ZW
    """.split()  # noqa: SIM905 - a line for each is too many
)

CURRENCIES = frozenset(
    """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR
FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB
XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a line for each is too many
)
