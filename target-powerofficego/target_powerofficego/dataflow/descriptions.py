"""A product's description as plain text: HTML markup is removed, every word is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from itertools import zip_longest

from target_powerofficego.dataflow.values import ENTITY

_TAG = re.compile(
    r"<(/?)([a-z][a-z0-9]*)(?:\s[^<>=]*=[^<>]*)?\s*/?>|<!doctype[^<>]*>", re.IGNORECASE
)
_INVISIBLE = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)

_SPACED_BLOCKS = ("p", "figure", "h1", "h2", "h3", "h4", "h5", "h6")
"""Elements with an empty line before and after them."""
_BLOCKS = (
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    *("div", "dl", "dt", "fieldset", "figcaption", "footer", "form", "header", "hr", "html", "li"),
    *("main", "nav", "ol", "pre", "section", "summary", "table", "title", "ul"),
)
_ROWS = ("table", "tr", "tbody", "thead", "tfoot")
_CELLS = ("td", "th")
_BULLETS = ("* ", "+ ", "o ", "- ")
_CELL_SEPARATOR = "  "
_WIDEST_COLUMN = 100  # characters; longer cells are prose, and their column is not aligned


def plain_text(html: str | None) -> str | None:
    """Return a description without HTML markup, its lines trimmed.

    A `<` that does not begin a tag is text, as in "str. <M".
    """
    if html is None or not is_marked_up(html):
        return html
    renderer = _Renderer()
    position = 0
    visible = _INVISIBLE.sub(" ", html).strip()
    for tag in _TAG.finditer(visible):
        renderer.write(visible[position : tag.start()])
        if name := (tag[2] or "").lower():
            (renderer.close if tag[1] else renderer.open)(name)
        position = tag.end()
    renderer.write(visible[position:])
    return renderer.text()


def is_marked_up(text: str | None) -> bool:
    """Return whether text contains HTML markup."""
    markup = (_TAG, ENTITY, _INVISIBLE)
    return text is not None and any(pattern.search(text) for pattern in markup)


@dataclass
class _Page:
    """The lines of a description or of a table cell; `line` is the unfinished last one."""

    lines: list[str] = field(default_factory=list)
    line: str = ""
    bullet: str = ""
    ends_with_space: bool = True

    def write(self, text: str, *, preformatted: bool = False) -> None:
        if not preformatted:
            before = " " if not self.line or self.line[-1].isspace() else ""
            text = re.sub(r"\s+", " ", before + text)[len(before) :]
        if text and not self.line:
            text, self.bullet = self.bullet + text, ""
        self.line += text

    def end_line(self) -> bool:
        """Begin a new line; return whether the previous one had any text."""
        line, self.line = self.line.removesuffix(" "), ""
        if line:
            self.lines.append(line)
            self.ends_with_space = False
        return bool(line)

    def add_space(self) -> None:
        """Add an empty line, unless there already is one or nothing has been written yet."""
        if not self.ends_with_space:
            self.lines.append("")
        self.ends_with_space = True

    def end_item(self) -> None:
        """End the line; an empty list item is a line with only its bullet."""
        if not self.end_line() and self.bullet:
            self.lines.append(self.bullet)
            self.ends_with_space = False
        self.bullet = ""


class _Renderer:
    """Renders HTML as lines of text, as a browser would show it; tags need not be closed.

    The columns of tables are aligned.
    """

    def __init__(self) -> None:
        self._pages = [_Page()]
        self._tables: list[list[list[_Page]]] = []
        self._lists: list[str | int] = []
        self._is_in_paragraph = False
        self._pre_depth = 0

    def text(self) -> str | None:
        while self._tables:
            self._end_table()
        page = self._pages[0]
        page.end_item()
        lines = "\n".join(page.lines).splitlines()
        return "\n".join(line.strip() for line in lines).strip() or None

    def write(self, text: str) -> None:
        plain = unescape(unescape(text))
        self._pages[-1].write(plain, preformatted=self._pre_depth > 0)

    def open(self, name: str) -> None:
        """Handle the start of an element."""
        page = self._pages[-1]
        if name == "br":
            if not page.end_line():
                page.lines.append("")
        elif name in ("span", "q"):
            page.write('"' if name == "q" else " ")
        elif name in _ROWS or name in _CELLS:
            self._open_in_table(name)
        elif name in _SPACED_BLOCKS or name in _BLOCKS:
            self._begin_block(name)
            self._is_in_paragraph = name == "p"
        if name in ("ul", "ol"):
            self._lists.append(1 if name == "ol" else _BULLETS[len(self._lists) % len(_BULLETS)])
        elif name == "li":
            self._begin_item()
        elif name == "pre":
            self._pre_depth += 1

    def close(self, name: str) -> None:
        """Handle the end of an element."""
        page = self._pages[-1]
        if name in ("span", "q"):
            page.write('"' if name == "q" else " ")
        elif name == "table" and self._tables:
            self._end_table()
        elif name in _CELLS and self._tables:
            self._end_cell()
        elif name == "li":
            page.end_item()
        elif name in _SPACED_BLOCKS or name in _BLOCKS:
            self._begin_block(name)
        if name in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif name == "pre":
            self._pre_depth = max(0, self._pre_depth - 1)

    def _begin_block(self, name: str) -> None:
        page = self._pages[-1]
        page.end_line()
        if name in _SPACED_BLOCKS or self._is_in_paragraph:
            page.add_space()
        self._is_in_paragraph = False

    def _begin_item(self) -> None:
        page = self._pages[-1]
        page.end_item()
        marker = self._lists[-1] if self._lists else _BULLETS[0]
        if isinstance(marker, int):
            self._lists[-1] = marker + 1
            marker = f"{marker}. "
        page.bullet = marker

    def _open_in_table(self, name: str) -> None:
        if name == "table":
            self._begin_block(name)
            self._tables.append([])
            return
        if not self._tables:
            self._pages[-1].write(" ")
            return
        self._end_cell()
        rows = self._tables[-1]
        if name == "tr" or not rows:
            rows.append([])
        if name in _CELLS:
            rows[-1].append(_Page())
            self._pages.append(rows[-1][-1])
        self._is_in_paragraph = False

    def _end_cell(self) -> None:
        """End the open cell of the innermost table, if there is one."""
        rows = self._tables[-1]
        if rows and rows[-1] and rows[-1][-1] is self._pages[-1]:
            self._pages.pop().end_item()

    def _end_table(self) -> None:
        self._end_cell()
        self._is_in_paragraph = False
        page = self._pages[-1]
        page.end_line()
        if lines := _table_lines(self._tables.pop()):
            page.lines += [*lines, ""]
            page.ends_with_space = False


def _table_lines(rows: list[list[_Page]]) -> list[str]:
    """Return the lines of a table, each cell centred vertically and aligned left in its column."""
    cells_by_row = [["\n".join(cell.lines).split("\n") for cell in row] for row in rows]
    columns = zip_longest(*cells_by_row, fillvalue=[""])
    longest = [max(len(line) for cell in column for line in cell) for column in columns]
    widths = [width if width <= _WIDEST_COLUMN else 0 for width in longest]
    table_lines = []
    for row in cells_by_row:
        height = max(map(len, row), default=0)
        cells = [[""] * ((height - len(lines)) // 2) + lines for lines in row]
        for texts in zip_longest(*cells, fillvalue=""):
            padded = (text.ljust(width) for text, width in zip(texts, widths, strict=False))
            table_lines.append(_CELL_SEPARATOR.join(padded))
    return table_lines
