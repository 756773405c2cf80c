"""Loads a shop file, from the configured path only, and checks what it declares."""

from __future__ import annotations

import difflib
import hashlib
import sys
import traceback
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tap_customwebshop.errors import ShopFileError
from tap_customwebshop.shop import auth as kinds_of_auth
from tap_customwebshop.shop.listing import Listing, Offset, Page, Pager
from tap_customwebshop.shop.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_customwebshop.shop.auth import Auth

STREAMS = {"customers": "customer", "products": "product", "orders": "order"}
"""Each stream, and the function that makes its records; its listing is named in capitals."""

_PRESETS = "tap_customwebshop.presets"
_STEPS = {"page", "offset", "cursor", "size", "since"}
_OF_SINGLES = {"touched", "change"}
_FUNCTIONS = {*STREAMS.values(), *_OF_SINGLES}


@dataclass(frozen=True)
class ShopFile:
    """A shop file that can be used.

    Attributes:
        name: How it is shown: the file's name, or the preset's.
        path: Where it is.
        auth: How the shop is shown who asks.
        listings: The list of each stream that the shop has.
        functions: `customer`, `product` and `order`, and `touched` and `change` if they are there.
        fingerprint: A hash of its text.
    """

    name: str
    path: str
    auth: Auth
    listings: Mapping[str, Listing]
    functions: Mapping[str, Callable[..., Any]]
    fingerprint: str

    def line_of(self, error: BaseException) -> tuple[int, str]:
        """Return the last line of the file in an error's traceback, and its text; 0 if none."""
        lines = [
            (one.lineno or 0, (one.line or "").strip())
            for one in traceback.extract_tb(error.__traceback__)
            if one.filename == self.path
        ]
        return lines[-1] if lines else (0, "")


def presets() -> list[str]:
    """Return the names of the presets."""
    folder = Path(__file__).parents[1] / "presets"
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def load_shop(shop: str, secrets: Mapping[str, str]) -> ShopFile:
    """Load a shop file by its path, or a preset by its name.

    Args:
        shop: The setting `shop`.
        secrets: The settings that its texts may name.

    Raises:
        ShopFileError: It is not there, or wrong; the text names the line or word to change.
    """
    path = Path(__file__).parents[1] / "presets" / f"{shop}.py"
    if shop not in presets():
        path = Path(shop).absolute()
        if path.suffix != ".py" or not path.is_file():
            known = ", ".join(presets()) or "none yet"
            raise ShopFileError(
                f"The setting 'shop' names neither a Python file that is there, such as"
                f" ./my_shop.py, nor a preset ({known})."
            )
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ShopFileError(f"{path.name} cannot be read: {error.strerror}.") from None
    name = shop if shop in presets() else path.name
    module = _run(path, name, text)
    auth = module.get("AUTH", kinds_of_auth.Bearer())
    listings = {one: module[one.upper()] for one in STREAMS if one.upper() in module}
    functions = {one: module[one] for one in _FUNCTIONS if one in module}
    wrong = next(_faults(module, auth, listings, functions, secrets), None)
    if wrong:
        raise ShopFileError(f"{name}: {wrong}.")
    digest = hashlib.sha256(text).hexdigest()[:16]
    return ShopFile(name, str(path), auth, listings, functions, digest)


def _run(path: Path, name: str, text: bytes) -> dict[str, Any]:
    """Run the file, and return what it declares."""
    module = sys.modules["shop_file"] = ModuleType("shop_file")  # where dataclasses look for it
    module.__file__ = str(path)
    try:
        code = compile(text, str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - the merchant's plug-in
    except SyntaxError as error:
        raise ShopFileError(f"{name}, line {error.lineno}: {error.msg}.") from None
    except Exception as error:  # noqa: BLE001 - whatever it does
        lines = [
            one for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)
        ]
        line = lines[-1].lineno if lines else 1
        raise ShopFileError(f"{name}, line {line}: {type(error).__name__}: {error}.") from None
    return vars(module)


def _faults(
    module: Mapping[str, Any],
    auth: object,
    listings: Mapping[str, Any],
    functions: Mapping[str, Any],
    secrets: Mapping[str, str],
) -> Iterator[str]:
    """Say what is wrong with what the file declares, the first fault first."""
    if not listings:
        yield "it declares no list: CUSTOMERS, PRODUCTS or ORDERS = Listing(…)"
    known = {*(one.upper() for one in STREAMS), "AUTH"}
    for name, value in module.items():
        is_stray = isinstance(value, (Listing, *kinds_of_auth.KINDS)) and name not in known
        if is_stray and (near := difflib.get_close_matches(name, known, n=1)):
            yield f"{name} is not a name that is looked for; did you mean {near[0]}?"
    if not isinstance(auth, kinds_of_auth.KINDS):
        names = ", ".join(kind.__name__ for kind in kinds_of_auth.KINDS)
        yield f"AUTH is no way to show who asks; there are {names}"
    yield from _faults_of_auth(auth, secrets)
    for stream, listing in listings.items():
        function = STREAMS[stream]
        if not callable(functions.get(function)):
            yield f"{stream.upper()} has no function: def {function}(row, shop)"
        if not isinstance(listing, Listing):
            yield f"{stream.upper()} is no Listing"
        else:
            for wrong in _faults_of_listing(listing):
                yield f"{stream.upper()}: {wrong}"
    needing = _OF_SINGLES & set(functions)
    if needing and not any(one.single for one in listings.values()):
        yield f"{min(needing)}() is for single records, so a Listing needs single='/…/{{id}}'"


def _faults_of_auth(auth: Any, secrets: Mapping[str, str]) -> Iterator[str]:  # noqa: ANN401
    texts = {one.name: getattr(auth, one.name) for one in fields(auth)}
    secret = {"token", "password", "user", "value", "client_id", "client_secret"}
    for member, text in texts.items():
        plain = isinstance(text, str) and text and not names_in(text)
        if member in secret and plain and not isinstance(auth, kinds_of_auth.Login):
            yield (
                f"AUTH holds a secret in '{member}'; write '{{auth_token}}' or another name there,"
                " and its value into the settings"
            )
        for name in sorted(names_in(text) - {"token"} - set(secrets)):
            yield f"AUTH needs the setting '{name}': give it in 'shop_settings'"


def _wrong_types(declared: Any) -> Iterator[str]:  # noqa: ANN401 - a Listing or pager
    """Say which members have a value of another type than their default."""
    for one in fields(declared):
        value = getattr(declared, one.name)
        wanted = (str, dict) if one.name in ("since", "send") else type(one.default)
        is_plain = isinstance(one.default, (str, int))
        if is_plain and (
            not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool)
        ):
            kind = {bool: "True or False", int: "a whole number"}.get(type(one.default), "text")
            yield f"{one.name} must be {kind}"


def _faults_of_listing(listing: Listing) -> Iterator[str]:
    pager = listing.pager
    if not isinstance(pager, Pager):
        yield "pager is no pager; there are OnePage, Page, Offset, Cursor, Next, Link"
        return
    for declared in (listing, pager):
        yield from _wrong_types(declared)
    if not listing.path.startswith("/"):
        yield "path must begin with /"
    if pager.size < 1:
        yield "the pager's size must be at least 1"
    yield from _faults_of_texts(listing)
    if _may_slip(listing):
        yield (
            "in pages by number a record that changes meanwhile pulls another over a page's edge;"
            " let the shop sort by id and say sorted=False"
        )
    try:
        ZoneInfo(listing.zone)
    except (ValueError, OSError, KeyError):
        yield f"there is no time zone '{listing.zone}'; write one such as Europe/Oslo"


def _faults_of_texts(listing: Listing) -> Iterator[str]:
    """Say which names in braces are wrong, or lack."""
    pager = listing.pager
    texts = (listing.path, listing.params, listing.since, pager.send)
    for name in sorted(set().union(*map(names_in, texts)) - _STEPS):
        near = difflib.get_close_matches(name, _STEPS, n=1)
        meant = f"; did you mean {{{near[0]}}}?" if near else ""
        yield f"there is no {{{name}}} to fill in{meant}"
    sent = names_in(listing.path) | names_in(pager.send)
    for name in sorted(set(pager.first_step()) - sent):
        yield f"neither path nor pager has {{{name}}}, so every page would be the first"
    if listing.single and not (listing.single.startswith("/") or listing.graphql):
        yield "single must begin with /, or be a query where the list has graphql"
    if listing.since and "since" not in names_in(listing.since):
        yield "since has no {since}, so the moment would not be sent"


def _may_slip(listing: Listing) -> bool:
    """Return whether a list that is sorted by changes is read in pages by number."""
    asks = "since" in names_in(listing.since) | names_in(listing.path)
    is_numbered = isinstance(listing.pager, (Page, Offset))
    return is_numbered and asks and listing.sorted and listing.has_stamps
