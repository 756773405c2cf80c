"""Reads a page of a list as the text of each entry, and parses only the members that a run uses.

Parsing and serializing entire entries would be most of the tap's work and memory, and would change
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
from target_powerofficego.plugin.json_text import (
    may_hold_invalid_character,
    parse_fraction,
    read_json,
)

from tap_powerofficego.writer import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY_AND_LINES = ("Id", "SalesOrderLines")
"""An entry without an id, or with lines without one, cannot be used."""
_PAGE = msgspec.json.Decoder(list[msgspec.Raw])
_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""JSON has no line breaks within a text."""
_DIGITS_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_MANY_DIGITS = b"0" * 40
_EXPONENT = b"0e0"
_MOST_BRACKETS = 50
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ListedEntry(dict[str, Any]):
    """The members of an entry that a run uses, if the entry has them.

    Attributes:
        text: The entire entry, as JSON on one line.
    """

    __slots__ = ("text",)

    def __init__(self, members: dict[str, Any], text: bytes) -> None:
        super().__init__(members)
        self.text = text


class PageReader:
    """Reads pages for `GoClient.list_pages`.

    Args:
        members: The members to read, besides the key.
    """

    def __init__(self, members: Iterable[str]) -> None:
        names = (*_KEY_AND_LINES, *members)
        form: Any = TypedDict("form", dict.fromkeys(names, Any), total=False)  # type: ignore[misc]
        self._members: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            form, float_hook=parse_fraction
        )

    def __call__(self, answer: bytes) -> Any:  # noqa: ANN401
        """Return the entries of an answer.

        An answer that is not a list, and items that are not objects, are returned as they are. The
        texts contain the values that `read_json` returns for the same answer.

        Raises:
            ValueError: It is not JSON.
        """
        try:
            return [self._entry(bytes(text)) for text in _PAGE.decode(answer)]
        except (ValueError, RecursionError):
            page = read_json(answer)
        if not isinstance(page, list):
            return page
        return [self._listed(as_json(item)) if isinstance(item, dict) else item for item in page]

    def _entry(self, text: bytes) -> ListedEntry:
        if _is_plain(text):
            return self._listed(text.translate(_ON_ONE_LINE))
        (body,) = read_json(b"[%b]" % text)  # nested as deep as in the answer
        return self._listed(as_json(body))

    def _listed(self, text: bytes) -> ListedEntry:
        return ListedEntry(self._members.decode(text), text)


def _is_plain(text: bytes) -> bool:
    """Return whether `read_json` certainly changes nothing in a text of valid JSON.

    Raises:
        ValueError: It is not UTF-8.
    """
    alike = text.translate(_DIGITS_ALIKE, b"+-")
    return (
        text.count(b"{") + text.count(b"[") <= _MOST_BRACKETS
        and _EXPONENT not in alike
        and _MANY_DIGITS not in alike
        and not may_hold_invalid_character(text.decode())
    )


def members_of(text: bytes) -> dict[str, msgspec.Raw]:
    """Return the members of an entry by name, each as its text."""
    return _MEMBERS.decode(text)


def as_text(members: dict[str, msgspec.Raw]) -> bytes:
    """Return the text of an entry with these members."""
    return msgspec.json.encode(members)
