"""What strangers wrote stays text in every table, in the Markdown of notebooks and of forges."""

import csv
import html
import io
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from sinara_lib.tables import address, bold, code, csv_table, lines, markdown_table, plain, printable, text_table

Render = Callable[[str], str]
RENDERERS: dict[str, Render] = {
    "notebook": markdown2html_mistune,
    "forge": MarkdownIt("commonmark").enable(["table", "strikethrough"]).render,
}
WORDS = st.lists(
    st.one_of(
        st.sampled_from(list("ab1 _*`~[]()!<>&|\\$#-+=.:/@{}^\"'\n\t;wl")),
        st.sampled_from(
            ["www.", "http://", "&lt;", "<b>", "![x](y)", "[x](y)", "\\begin{a}", "\x1b[31m", "- ", "1. ", "$$"]
        ),
    ),
    max_size=10,
).map("".join)


def _cells(page: str) -> list[str]:
    """The text of each cell; a tag that came out of the data would show as a sign that the data does not have."""
    found = re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)
    return [_seen(html.unescape(re.sub("<[^>]*>", "\0", cell))) for cell in found]


def _seen(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS.keys())
@settings(max_examples=150, deadline=None)
@given(first=WORDS, second=WORDS)
def test_any_text_is_shown_as_it_is_and_stays_in_its_cell(render: Render, first: str, second: str) -> None:
    page = render(markdown_table(["x", "y"], [[first, second], ["q", "r"]]))
    assert _cells(page) == [_seen(printable(first)), _seen(printable(second)), "q", "r"]


@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS.keys())
@settings(max_examples=100, deadline=None)
@given(text=WORDS)
def test_any_text_is_shown_as_it_is_in_bold_as_code_and_in_lines(render: Render, text: str) -> None:
    page = render(markdown_table(["x"], [[bold(text)], [code(text)], [lines([text, text])]]))
    seen = _seen(printable(text))
    assert _cells(re.sub("</?(strong|code|br)[ /]*>", "", page)) == [seen, seen, seen * 2]


@pytest.mark.parametrize(
    "text",
    [
        "a|b",
        "<img src=x onerror=alert(1)>",
        "`a`",
        "a\nb",
        "[a](javascript:b)",
        "![a](http://b/c.png)",
        "\x1b[2J",
        "\u202ea",
    ],
)
@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS.keys())
def test_no_class_name_breaks_a_table(render: Render, text: str) -> None:
    page = render(markdown_table([text, "n"], [[text, 1]]))
    assert _cells(page) == [_seen(printable(text)), "1"]
    assert not re.search("<(img|a|code)", page)
    assert page.isprintable() or set(page) - {"\n"} == {one for one in page if one.isprintable()}


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "> a", "---", "===", "***"])
def test_no_text_becomes_a_heading_a_list_a_quote_or_a_line(text: str) -> None:
    for render in RENDERERS.values():
        assert _seen(html.unescape(re.sub("</?p>", "", render(plain(text))))) == text


def test_markdown_tables_align_numbers_right_and_escape_bars() -> None:
    table = markdown_table(["name", "n"], [["a|b", "1,200"], ["c\nd", bold(3)]])
    assert table.splitlines() == ["| name | n |", "| :-- | --: |", r"| a\|b | 1,200 |", "| c d | **3** |"]


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        (["-0.5", "+1e-03", "12%", "3 (60%)", "1.5\N{NO-BREAK SPACE}MB"], "--:"),
        (["1", "-", "n/a", ""], "--:"),
        (["-", ""], ":--"),
        (["1", "run-26-11-21-013711-482"], ":--"),
        (["2026-01-02 03:04:05 UTC"], ":--"),
        ([], ":--"),
    ],
)
def test_a_column_is_one_of_numbers_when_every_cell_is_one_or_empty(column: list[str], rule: str) -> None:
    assert markdown_table(["x"], [[cell] for cell in column]).splitlines()[1] == f"| {rule} |"


def test_a_web_address_is_a_link_to_what_it_shows_and_anything_else_is_none() -> None:
    shown = [markdown2html_mistune(address(url)) for url in ("http://h/a_b_c|<d>", "javascript:a", "file:///a b", "x")]
    assert [re.findall('href="([^"]*)"', page) for page in shown] == [["http://h/a_b_c%7C%3Cd%3E"], [], [], []]


def test_columns_of_text_are_as_wide_as_their_widest_cell_and_command_no_terminal() -> None:
    assert list(text_table([["a", "b"], ["\x1b[31mred", 1], ["x\ny", ""]], indent="  ")) == [
        "  a         b",
        "  \N{REPLACEMENT CHARACTER}[31mred  1",
        "  x y",
    ]
    assert list(text_table([])) == []


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "a\rb", 'a"b,c', "a\nb"])
def test_no_text_is_a_formula_or_another_row_of_a_spreadsheet(name: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_table([["class", "AP"], [name, -0.5]]))))
    assert (len(rows), len(rows[1])) == (2, 2)
    assert not rows[1][0].startswith(("=", "+", "-", "@", "\t"))


def test_numbers_stay_numbers_in_csv_also_as_text() -> None:
    assert csv_table([[-0.5, "-0.5", "+3", "1e-3", None]]) == "-0.5,-0.5,+3,1e-3,\n"
