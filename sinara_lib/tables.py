"""Tables in Markdown, in lines of text and as CSV; what comes from data stays text in them.

A cell is escaped unless it is `Markup`: names of classes, file names, URLs and errors are written by strangers, and
none of their characters may end a cell, start a tag, a link or a formula, or command a terminal.
"""

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
_JOINERS = "\u200c\u200d"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?%?")
_WEB = re.compile(r"https?://\S+", re.IGNORECASE)
_UNSAFE = re.compile(r"[<>|\\`$\ufffd]")
_FORMULA = ("=", "+", "-", "@")
_EMPTY = frozenset({"", "-", "n/a"})

# Backslashes before letters, underscores within words and single ampersands mean themselves in every Markdown.
_ENTITIES = re.compile(r"[<]|^>|&(?=#|\w)|\\(?![0-9A-Za-z ])|\\(?=begin|end)")
_ESCAPED = re.compile(
    r"[`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])"  # code, emphasis, links and images, cells, strikethrough, formulas
    r"|(?<=:)/(?=/)|(?<=\bwww)\."  # what becomes a link by itself
    r"|^(?:\#(?=\#{0,5}\s)|[-+](?=\s)|-(?=-+$)|=(?==*$))|(?<=^\d)[.)](?=\s)"  # headings, lists and lines
)


class Markup(str):
    """Text that is Markdown already; made by `plain`, `bold`, `code`, `address` and `lines`."""

    __slots__ = ()


def markdown_table(headers: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    r"""Write a Markdown table; columns of numbers are aligned right.

    >>> print(markdown_table(["class", "objects"], [["a|b", 3], [bold("all"), 3]]))
    | class | objects |
    | :-- | --: |
    | a\|b | 3 |
    | **all** | 3 |
    """
    rows = [list(row) for row in rows]
    rule = [Markup("--:" if _is_numeric(column) else ":--") for column in _columns(headers, rows)]
    return "\n".join(f"| {' | '.join(map(plain, line))} |" for line in [headers, rule, *rows])


def text_table(rows: Sequence[Sequence[object]], *, indent: str = "") -> Iterator[str]:
    """Yield rows, headers among them if there are any, with columns as wide as their widest cell."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{indent}{line}".rstrip()


def csv_table(rows: Iterable[Sequence[object]]) -> str:
    """Write CSV that a spreadsheet shows as it is: text that it would take for a formula starts with a quote.

    >>> print(csv_table([["class", "AP"], ["=1+1", -0.5]]), end="")
    class,AP
    '=1+1,-0.5
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return sink.getvalue()


def plain(cell: object) -> Markup:
    """Write text as Markdown that shows it as it is, in one line; Markup stays."""
    if isinstance(cell, Markup):
        return cell
    safe = _ENTITIES.sub(_entity, printable(cell).strip(" "))
    return Markup(_ESCAPED.sub(r"\\\g<0>", safe))


def bold(cell: object) -> Markup:
    """Write text in bold; nothing stays nothing."""
    inner = plain(cell)
    return Markup(f"**{inner}**") if inner else inner


def code(cell: object) -> Markup:
    """Write text as code; nothing stays nothing."""
    inner = printable(cell).strip(" ")
    # A bar and a backtick cannot stand in a code span of a table in every Markdown.
    if "`" in inner or "|" in inner:
        return Markup(f"<code>{plain(inner)}</code>")
    return Markup(f"`{inner}`") if inner else Markup()


def address(url: object) -> Markup:
    """Write a web address as a link that shows where it leads; any other text as it is."""
    shown = printable(url).strip(" ")
    if not _WEB.fullmatch(shown):
        return plain(shown)
    return Markup(f"<{_UNSAFE.sub(lambda found: quote(found[0]), shown)}>")


def lines(cells: Iterable[object]) -> Markup:
    """Write several texts below each other within a cell."""
    return Markup("<br>".join(map(plain, cells)))


def printable(cell: object) -> str:
    """Return a value as one line of text; characters that are not seen, or command a terminal, are replaced."""
    shown = _BREAKS.sub(" ", str(cell))
    return "".join(one if one.isprintable() or one.isspace() or one in _JOINERS else "\ufffd" for one in shown)


def _cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def _entity(found: re.Match[str]) -> str:
    return "&#92;" if found[0] == "\\" else html.escape(found[0])


def _columns(headers: Sequence[object], rows: Sequence[Sequence[object]]) -> Iterator[list[str]]:
    for place in range(len(headers)):
        yield [str(row[place]).strip("*") for row in rows]


def _is_numeric(column: Sequence[str]) -> bool:
    there = [cell for cell in column if cell not in _EMPTY]
    return bool(there) and all(_NUMBER.fullmatch(re.split(r"\s", cell, maxsplit=1)[0]) for cell in there)
