"""A product's description as plain text: its HTML markup taken out, and none of its words."""

from __future__ import annotations

import re
from html import unescape

from inscriptis import get_text

from target_powerofficego.dataflow.values import ENTITY

_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>=]*=[^<>]*)?\s*/?>|<!doctype[^<>]*>", re.IGNORECASE)
_UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


def plain_text(html: str | None) -> str | None:
    """Return a description without its HTML markup, lines trimmed.

    A `<` that begins no tag is text: "str. <M". What the converter cannot show (elements nested
    too deep, half a character) is kept by only taking the tags out.
    """
    if html is None or not is_marked_up(html):
        return html
    marked_up = re.sub(rf"(?!{_TAG.pattern})<", "&lt;", _UNSEEN.sub(" ", html), flags=_TAG.flags)
    shown_text = _trimmed(get_text(marked_up))
    stripped = _trimmed(unescape(_TAG.sub(" ", marked_up)))
    return (shown_text if _signs(shown_text) >= _signs(stripped) else stripped) or None


def is_marked_up(text: str | None) -> bool:
    """Tell whether text has HTML markup in it."""
    return text is not None and any(one.search(text) for one in (_TAG, ENTITY, _UNSEEN))


def _trimmed(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines()).strip()


def _signs(text: str) -> int:
    return sum(not character.isspace() for character in text)
