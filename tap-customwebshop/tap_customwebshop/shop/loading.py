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
from tap_customwebshop.shop.auth import AUTH_KINDS, Bearer, Login
from tap_customwebshop.shop.listing import Listing, Offset, Page, Pager
from tap_customwebshop.shop.templates import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_customwebshop.shop.auth import Auth

STREAMS = {"customers": "customer", "products": "product", "orders": "order"}
"""Each stream, and the function that makes its records; its Listing is the name in capitals."""

_PRESETS = Path(__file__).parents[1] / "presets"
_SINGLE_FUNCTIONS = {"touched": 2, "change": 4}
"""The functions for single records, and how many parameters each has."""
_SECRETS = {"token", "password", "user", "value", "client_id", "client_secret"}
_NUMBERED_PAGES = (
    "with pages by number or offset, a record that changes during a read moves another to a page"
    " that was already read; let the shop sort by id and set sorted=False"
)
_TYPES = {bool: "True or False", int: "a whole number", str: "text"}


@dataclass(frozen=True)
class Source:
    """Where a shop file is, and what in it caused an error.

    Attributes:
        name: Its name in messages: the file's name, or the preset's.
        path: Its path.
    """

    name: str
    path: str

    def last_line(self, error: BaseException) -> tuple[int, str]:
        """Return the file's last line in an error's traceback, and its text; 0 and "" if none."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename == self.path:
                return frame.lineno or 0, (frame.line or "").strip()
        return 0, ""

    def location(self, error: BaseException) -> str:
        """Return the file's name, and its last line in an error's traceback if there is one."""
        number, _ = self.last_line(error)
        return f"{self.name}, line {number}" if number else self.name

    def exit_error(self, error: SystemExit) -> SystemExit | ShopFileError:
        """Return what to raise if the file exits the program, which could look like a success.

        An exit by a signal that came while the file ran stays an exit.
        """
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.name == "_handle_termination" for frame in frames):
            return error
        return ShopFileError(f"{self.location(error)}: it ends the program (SystemExit).")


@dataclass(frozen=True)
class ShopFile(Source):
    """A shop file that was loaded and has no faults.

    Attributes:
        auth: How requests are authenticated.
        listings: The list of each stream that the shop has.
        functions: `customer`, `product` and `order`, and `touched`, `change` and `refused`, as far
            as the file has them.
        fingerprint: A hash of its text and of the settings that its functions may read.
    """

    auth: Auth
    listings: Mapping[str, Listing]
    functions: Mapping[str, Callable[..., Any]]
    fingerprint: str


def presets() -> list[str]:
    """Return the names of the presets."""
    return sorted(path.stem for path in _PRESETS.glob("[!_]*.py"))


def load_shop_file(shop: str, secrets: Mapping[str, str], *, needs_lists: bool = True) -> ShopFile:
    """Load a shop file by its path, or a preset by its name.

    Args:
        shop: The setting `shop`.
        secrets: The settings that its texts may name.
        needs_lists: Whether it must declare a list; a first draft may have AUTH only.

    Raises:
        ShopFileError: It is missing or has a fault; the text names the line or word to change.
    """
    is_preset = shop in presets()
    path = _PRESETS / f"{shop}.py" if is_preset else Path(shop).absolute()
    if path.suffix != ".py" or not path.is_file():
        raise ShopFileError(
            "The setting 'shop' names neither an existing Python file, such as ./my_shop.py, nor a"
            f" preset ({', '.join(presets())})."
        )
    source = Source(shop if is_preset else path.name, str(path))
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ShopFileError(f"{source.name} cannot be read: {error.strerror}.") from None
    module = _run(source, text)
    auth = module.get("AUTH", Bearer())
    listings = {stream: module[stream.upper()] for stream in STREAMS if stream.upper() in module}
    names = {*STREAMS.values(), *_SINGLE_FUNCTIONS, "refused"} & module.keys()
    functions = {name: module[name] for name in names}
    fingerprint = _fingerprint(text, auth, secrets)
    file = ShopFile(source.name, source.path, auth, listings, functions, fingerprint)
    if needs_lists and not listings:
        raise ShopFileError(
            f"{file.name}: it declares no list: CUSTOMERS, PRODUCTS or ORDERS = Listing(…)."
        )
    if fault := next(_faults(file, module, secrets), None):
        raise ShopFileError(sentence(f"{file.name}: {fault}"))
    return file


def sentence(text: str) -> str:
    """Return text with a full stop, unless it ends with one or with a question mark."""
    return text if text.endswith(("?", ".")) else f"{text}."


def _fingerprint(text: bytes, auth: object, secrets: Mapping[str, str]) -> str:
    """Return a hash of a file and of the settings that AUTH does not use; those are not secret."""
    of_auth = names_in([*vars(auth).values()]) if hasattr(auth, "__dict__") else set()
    others = sorted((name, secrets[name]) for name in secrets.keys() - of_auth - {"auth_token"})
    content = text + repr(others).encode() if others else text
    return hashlib.sha256(content).hexdigest()[:16]


def _run(source: Source, text: bytes) -> dict[str, Any]:
    """Run the file, and return what it declares."""
    module = sys.modules["shop_file"] = ModuleType("shop_file")  # where dataclasses look for it
    module.__file__ = source.path
    vars(module)["print"] = _print
    try:
        code = compile(text, source.path, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - the merchant's plug-in
    except SyntaxError as error:
        fault = f"{source.name}, line {error.lineno}: {error.msg}"
        raise ShopFileError(sentence(fault)) from None
    except SystemExit as error:
        raise source.exit_error(error) from None
    except Exception as error:  # noqa: BLE001 - whatever the file does
        location = f"{source.name}, line {source.last_line(error)[0] or 1}"
        raise ShopFileError(sentence(f"{location}: {type(error).__name__}: {error}")) from None
    return vars(module)


def _print(*values: object, **options: Any) -> None:  # noqa: ANN401
    """Print to the log: standard output is for Singer messages only."""
    print(*values, **{"file": sys.stderr, **options})  # noqa: T201


def _faults(file: ShopFile, module: Mapping[str, Any], secrets: Mapping[str, str]) -> Iterator[str]:
    """Yield the faults in what the file declares; later checks rely on earlier ones."""
    known = {*(stream.upper() for stream in STREAMS), "AUTH"}
    for name, value in module.items():
        is_stray = isinstance(value, (Listing, *AUTH_KINDS)) and name not in known
        if is_stray and (near := difflib.get_close_matches(name, known, n=1)):
            yield f"{name} is not a name that the tap knows; did you mean {near[0]}?"
        count = _parameter_count(value, file.path) if name not in file.functions else None
        alike = [function for function, needed in _SINGLE_FUNCTIONS.items() if needed == count]
        if near := difflib.get_close_matches(name, alike, n=1):
            yield f"{name}() is never called; did you mean {near[0]}()?"
    if not isinstance(file.auth, AUTH_KINDS):
        yield f"AUTH must be one of {', '.join(kind.__name__ for kind in AUTH_KINDS)}"
    yield from _faults_of_auth(file.auth, secrets)
    for stream, listing in file.listings.items():
        if not callable(file.functions.get(STREAMS[stream])):
            yield f"{stream.upper()} has no function: def {STREAMS[stream]}(row, shop)"
        if not isinstance(listing, Listing):
            yield f"{stream.upper()} must be a Listing"
        yield from (f"{stream.upper()}: {fault}" for fault in _faults_of_listing(listing))
    needing = _SINGLE_FUNCTIONS.keys() & file.functions.keys()
    if needing and not any(listing.single for listing in file.listings.values()):
        yield f"{min(needing)}() is for single records, so a Listing needs single='/…/{{id}}'"


def _parameter_count(value: object, path: str) -> int | None:
    """Return how many parameters a function of the file has; None for anything else."""
    code = value.__code__ if isinstance(value, FunctionType) else None
    return code.co_argcount if code and code.co_filename == path else None


def _faults_of_auth(auth: Auth, secrets: Mapping[str, str]) -> Iterator[str]:
    for member, text in vars(auth).items():
        is_secret = member in _SECRETS and not isinstance(auth, Login)
        if is_secret and isinstance(text, str) and text and not names_in(text):
            yield (
                f"AUTH holds a secret in '{member}'; write '{{auth_token}}' or another name there,"
                " and put the value into the settings"
            )
        for name in sorted(names_in(text) - {"token"} - set(secrets)):
            advice = "" if name == "auth_token" else "; add it to 'shop_settings'"
            yield f"AUTH needs the setting '{name}'{advice}"


def _faults_of_listing(listing: Listing) -> Iterator[str]:
    pager, path = listing.pager, listing.path
    if not isinstance(pager, Pager):
        yield "pager must be one of OnePage, Page, Offset, Cursor, Next, Link"
    for declared in (listing, pager):
        for name, value in vars(declared).items():
            kind = type(getattr(type(declared), name, None))
            is_object = name in ("since", "send") and isinstance(value, dict)
            is_object = is_object or (name == "single" and callable(value))
            if kind in _TYPES and type(value) is not kind and not is_object:
                yield f"{name} must be {_TYPES[kind]}"
    known = sorted({*pager.first_step(), "size", "since"})
    for name in sorted(names_in([path, listing.params, listing.since, pager.send]) - {*known}):
        near = difflib.get_close_matches(name, known, n=1)
        others = ", ".join(f"{{{placeholder}}}" for placeholder in known)
        advice = f"did you mean {{{near[0]}}}?" if near else f"this Listing can have {others}"
        yield f"{{{name}}} is not a placeholder that the tap fills in; {advice}"
    for name in sorted(set(pager.first_step()) - names_in([path, pager.send])):
        yield f"neither path nor pager has {{{name}}}, so every page would be the first"
    is_filtered = "since" in names_in([path, listing.since])
    is_numbered = isinstance(pager, (Page, Offset))
    for is_wrong, fault in (
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
            listing.since_format not in ("rfc3339", "unix") and "%" not in listing.since_format,
            "since_format must be 'rfc3339', 'unix' or a format such as '%Y-%m-%d %H:%M:%S'",
        ),
        (is_numbered and is_filtered and listing.sorted and listing.has_stamps, _NUMBERED_PAGES),
        (
            not _is_zone(listing.zone),
            f"there is no time zone '{listing.zone}'; use one such as Europe/Oslo",
        ),
    ):
        if is_wrong:
            yield fault


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (ValueError, OSError, KeyError):
        return False
