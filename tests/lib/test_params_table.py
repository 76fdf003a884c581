"""Parameters as people look them up: text, Markdown and JSON Schema say what the models say."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, PositiveInt

from sinara_lib.errors import ParamsError
from sinara_lib.params import ParamsModel
from sinara_lib.params_table import help_text, parameter_table, parameters_of, with_tables


class Copies(ParamsModel):
    """Changed copies."""

    angle: float = Field(ge=0, lt=180)
    """Degrees."""


class Job(ParamsModel):
    """What the notebook can be told."""

    size: list[int] = Field(default=[640, 640], min_length=2, max_length=2)
    """Height and
    width."""
    name: Literal["a|b", "c"] | None = None
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    devices: Literal["cpu"] | PositiveInt = "cpu"
    copies: Copies | None = None
    others: "list[Job]" = Field(default_factory=list)


MODELS = {"job.ipynb": Job}


def test_each_parameter_has_its_type_its_default_and_those_within_it() -> None:
    assert [(one.name, one.kind, one.default) for one in parameters_of(Job)] == [
        ("size", "list of 2 integers", "[640, 640]"),
        ("name", "`a|b`, `c` or `null`", "null"),
        ("shares", "object of numbers from 0 to 1", "{}"),
        ("devices", "`cpu` or integer > 0", '"cpu"'),
        ("copies", "object or `null`", "null"),
        ("copies.angle", "number >= 0, < 180", None),
        ("others", "list of objects", "[]"),
    ]


def test_help_keeps_to_the_width_and_says_what_is_required() -> None:
    text = help_text(MODELS, width=20)
    assert "  size: list of 2 integers; default [640, 640]\n      Height and\n      width.\n" in text
    assert "  copies.angle: number >= 0, < 180; required\n      Degrees.\n" in text


def test_a_cell_of_the_table_stays_a_cell() -> None:
    rows = parameter_table(Job).splitlines()
    assert rows[2] == "| `size` | list of 2 integers | `[640, 640]` | Height and width. |"
    assert rows[3] == r"| `name` | `a\|b`, `c` or `null` | `null` |  |"


def test_tables_are_written_between_their_marks_and_nowhere_else() -> None:
    marked = (
        "# Job\n\n<!-- parameters of job.ipynb: sinara params --write -->\nold\n<!-- end of parameters -->\n\nrest\n"
    )
    once = with_tables(marked, MODELS)
    assert with_tables(once, MODELS) == once
    assert once == marked.replace("old", parameter_table(Job))


@pytest.mark.parametrize("page", ["# Job\n", "<!-- parameters of job.ipynb: sinara params --write -->\nno end"])
def test_a_page_without_marks_is_told_which(page: str) -> None:
    with pytest.raises(ParamsError, match=r"no place for the parameters of job\.ipynb: write <!-- parameters of job"):
        with_tables(page, MODELS)
