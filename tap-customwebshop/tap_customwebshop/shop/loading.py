"""Loads a shop file, from the configured path only, and checks what it declares."""

from __future__ import annotations

import difflib
import hashlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
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

_PRESETS = Path(__file__).parents[1] / "presets"
_STEPS = {"page", "offset", "cursor", "size", "since"}
_OF_SINGLES = {"touched": 2, "change": 4}
"""The functions for single records, and how many values each is called with."""
_SECRETS = {"token", "password", "user", "value", "client_id", "client_secret"}
_SLIPS = (
    "in pages by number a record that changes meanwhile pulls another over a page's edge; let the"
    " shop sort by id and say sorted=False"
)
_TYPES = {bool: "True or False", int: "a whole number", str: "text"}


@dataclass(frozen=True)
class ShopFile:
    """A shop file that can be used.

    Attributes:
        name: How it is shown: the file's name, or the preset's.
        path: Where it is.
        auth: How the shop is shown who asks.
        listings: The list of each stream that the shop has.
        functions: `customer`, `product` and `order`, and `touched`, `change` and `refused` if they
            are there.
        fingerprint: A hash of its text, and of the settings that its functions may read.
    """

    name: str
    path: str
    auth: Auth
    listings: Mapping[str, Listing]
    functions: Mapping[str, Callable[..., Any]]
    fingerprint: str

    def line_of(self, error: BaseException) -> tuple[int, str]:
        """Return the last line of the file in an error's traceback, and its text; 0 if none."""
        return _last_line(self.path, error)

    def where(self, error: BaseException) -> str:
        """Return the file's name, and its last line in an error's traceback if there is one."""
        return _where(self.path, self.name, error)

    def left(self, error: SystemExit) -> SystemExit | ShopFileError:
        """Return what ends the run: see `_left`."""
        return _left(self.path, self.name, error)


def presets() -> list[str]:
    """Return the names of the presets."""
    return sorted(path.stem for path in _PRESETS.glob("[!_]*.py"))


def load_shop_file(shop: str, secrets: Mapping[str, str], *, needs_lists: bool = True) -> ShopFile:
    """Load a shop file by its path, or a preset by its name.

    Args:
        shop: The setting `shop`.
        secrets: The settings that its texts may name.
        needs_lists: Whether it must declare a list; one that is only begun may have AUTH alone.

    Raises:
        ShopFileError: It is not there, or wrong; the text names the line or word to change.
    """
    is_preset = shop in presets()
    path = _PRESETS / f"{shop}.py" if is_preset else Path(shop).absolute()
    if path.suffix != ".py" or not path.is_file():
        raise ShopFileError(
            "The setting 'shop' names neither a Python file that is there, such as"
            f" ./my_shop.py, nor a preset ({', '.join(presets())})."
        )
    name = shop if is_preset else path.name
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ShopFileError(f"{name} cannot be read: {error.strerror}.") from None
    module = _run(path, name, text)
    auth = module.get("AUTH", kinds_of_auth.Bearer())
    listings = {one: module[one.upper()] for one in STREAMS if one.upper() in module}
    functions = {
        one: module[one] for one in {*STREAMS.values(), *_OF_SINGLES, "refused"} if one in module
    }
    file = ShopFile(name, str(path), auth, listings, functions, _fingerprint(text, auth, secrets))
    if needs_lists and not listings:
        raise ShopFileError(
            f"{name}: it declares no list: CUSTOMERS, PRODUCTS or ORDERS = Listing(…)."
        )
    if wrong := next(_faults(file, module, secrets), None):
        raise ShopFileError(f"{name}: {wrong}.")
    return file


def _fingerprint(text: bytes, auth: object, secrets: Mapping[str, str]) -> str:
    """Return a hash of a file and of the settings that are not for AUTH, which are no secrets."""
    of_auth = names_in([*vars(auth).values()]) if hasattr(auth, "__dict__") else set()
    others = sorted((name, secrets[name]) for name in secrets.keys() - of_auth - {"auth_token"})
    told = text + repr(others).encode() if others else text
    return hashlib.sha256(told).hexdigest()[:16]


def _run(path: Path, name: str, text: bytes) -> dict[str, Any]:
    """Run the file, and return what it declares."""
    module = sys.modules["shop_file"] = ModuleType("shop_file")  # where dataclasses look for it
    module.__file__ = str(path)
    vars(module)["print"] = _print
    try:
        code = compile(text, str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - the merchant's plug-in
    except SyntaxError as error:
        raise ShopFileError(f"{name}, line {error.lineno}: {error.msg}.") from None
    except SystemExit as error:
        raise _left(str(path), name, error) from None
    except Exception as error:  # noqa: BLE001 - whatever it does
        line = _last_line(str(path), error)[0] or 1
        raise ShopFileError(f"{name}, line {line}: {type(error).__name__}: {error}.") from None
    return vars(module)


def _print(*values: object, **how: Any) -> None:  # noqa: ANN401
    """Print where logs go: standard output is for messages of Singer alone."""
    print(*values, **{"file": sys.stderr, **how})  # noqa: T201


def _left(path: str, name: str, error: SystemExit) -> SystemExit | ShopFileError:
    """Return an error instead of the file's end of the program, for that might look like success.

    A signal that came while the file ran ends the program as it would elsewhere.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if any(one.name == "_handle_termination" for one in frames):
        return error
    return ShopFileError(f"{_where(path, name, error)}: it ends the program (SystemExit).")


def _where(path: str, name: str, error: BaseException) -> str:
    number, _ = _last_line(path, error)
    return f"{name}, line {number}" if number else name


def _last_line(path: str, error: BaseException) -> tuple[int, str]:
    lines = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == path]
    return (lines[-1].lineno or 0, (lines[-1].line or "").strip()) if lines else (0, "")


def _faults(file: ShopFile, module: Mapping[str, Any], secrets: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong with what the file declares, the first fault first."""
    known = {*(one.upper() for one in STREAMS), "AUTH"}
    for name, value in module.items():
        is_stray = isinstance(value, (Listing, *kinds_of_auth.KINDS)) and name not in known
        if is_stray and (near := difflib.get_close_matches(name, known, n=1)):
            yield f"{name} is not a name that is looked for; did you mean {near[0]}?"
        takes = _arguments_of(value, file.path) if name not in file.functions else None
        singles = [one for one, count in _OF_SINGLES.items() if count == takes]
        if near := difflib.get_close_matches(name, singles, n=1):
            yield f"{name}() is not a function that is called; did you mean {near[0]}()?"
    if not isinstance(file.auth, kinds_of_auth.KINDS):
        names = ", ".join(kind.__name__ for kind in kinds_of_auth.KINDS)
        yield f"AUTH is no way to show who asks; there are {names}"
    yield from _faults_of_auth(file.auth, secrets)
    for stream, listing in file.listings.items():
        if not callable(file.functions.get(STREAMS[stream])):
            yield f"{stream.upper()} has no function: def {STREAMS[stream]}(row, shop)"
        if not isinstance(listing, Listing):
            yield f"{stream.upper()} is no Listing"
        yield from (f"{stream.upper()}: {wrong}" for wrong in _faults_of_listing(listing))
    needing = set(_OF_SINGLES) & set(file.functions)
    if needing and not any(one.single for one in file.listings.values()):
        yield f"{min(needing)}() is for single records, so a Listing needs single='/…/{{id}}'"


def _arguments_of(value: object, path: str) -> int | None:
    """Return how many values a function of the file takes; None if it is none."""
    code = value.__code__ if isinstance(value, FunctionType) else None
    return code.co_argcount if code and code.co_filename == path else None


def _faults_of_auth(auth: Auth, secrets: Mapping[str, str]) -> Iterator[str]:
    for member, text in vars(auth).items():
        is_secret = member in _SECRETS and not isinstance(auth, kinds_of_auth.Login)
        if is_secret and isinstance(text, str) and text and not names_in(text):
            yield (
                f"AUTH holds a secret in '{member}'; write '{{auth_token}}' or another name there,"
                " and its value into the settings"
            )
        for name in sorted(names_in(text) - {"token"} - set(secrets)):
            where = "" if name == "auth_token" else ": give it in 'shop_settings'"
            yield f"AUTH needs the setting '{name}'{where}"


def _faults_of_listing(listing: Listing) -> Iterator[str]:
    pager, path = listing.pager, listing.path
    if not isinstance(pager, Pager):
        yield "pager is no pager; there are OnePage, Page, Offset, Cursor, Next, Link"
    for declared in (listing, pager):
        for name, value in vars(declared).items():
            kind = type(getattr(type(declared), name, None))
            is_object = name in ("since", "send") and isinstance(value, dict)
            is_object = is_object or (name == "single" and callable(value))
            if kind in _TYPES and type(value) is not kind and not is_object:
                yield f"{name} must be {_TYPES[kind]}"
    for name in sorted(names_in([path, listing.params, listing.since, pager.send]) - _STEPS):
        near = difflib.get_close_matches(name, _STEPS, n=1)
        yield f"there is no {{{name}}} to fill in" + (
            f"; did you mean {{{near[0]}}}?" if near else ""
        )
    for name in sorted(set(pager.first_step()) - names_in([path, pager.send])):
        yield f"neither path nor pager has {{{name}}}, so every page would be the first"
    asks = "since" in names_in([path, listing.since])
    is_numbered = isinstance(pager, (Page, Offset))
    for is_wrong, words in (
        (not str(path).startswith("/"), "path must begin with /"),
        (pager.size < 1, "the pager's size must be at least 1"),
        (
            isinstance(listing.single, str)
            and listing.single
            and not (listing.single.startswith("/") or listing.graphql),
            "single must begin with /, or be a query where the list has graphql",
        ),
        (
            listing.since and "since" not in names_in(listing.since),
            "since has no {since}, so the moment would not be sent",
        ),
        (
            is_numbered and asks and listing.sorted and listing.has_stamps,
            _SLIPS,
        ),
        (
            not _is_zone(listing.zone),
            f"there is no time zone '{listing.zone}'; write one such as Europe/Oslo",
        ),
    ):
        if is_wrong:
            yield words


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (ValueError, OSError, KeyError):
        return False
