"""Text that cannot have been meant is refused in one sentence that names where it stands and its key."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara_lib.errors import ParamsError
from sinara_lib.strict_text.json_text import parse_json
from sinara_lib.strict_text.values import check_values, read_text
from sinara_lib.strict_text.yaml_text import parse_yaml

DIGITS = "9" * 5000
EXPLODING = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "'a' is NaN"),
        ('{"a": [0, -Infinity]}', "'a.1' is infinite"),
        ('{"a": {"b": 1e400}}', "'a.b' is infinite"),
        (f'{{"a": {DIGITS}}}', "'a' is infinite, or larger"),
        (f'{{"a": {"9" * 309}}}', "'a' is infinite, or larger"),
        ('{"a": {"b": 1, "b": 2}}', "'a.b' is given twice"),
        ('[{"b": {}, "b": 2}]', "'0.b' is given twice"),
        ('{"a": "\\ud800"}', "'a' is no Unicode text"),
        ('{"a": {"\\udfff": 1}}', "'a' has a key that is no Unicode text"),
        (f'{{"a": {"[" * 60}{"]" * 60}}}', r"'a\.0\.0\.0\.0\.0\.0\.0\.…' nests deeper than 50 levels"),
        (f'{{"a":\t{"[" * 5_000}', r"'a\.0\.0\.0\.0\.0\.0\.0\.…' nests deeper than 50 levels"),
        ('{"a": ' * 100_000, r"'a\.a\.a.*' nests deeper than 50 levels"),
    ],
)
def test_json_that_cannot_have_been_meant_is_refused_by_its_key(text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=rf"^job\.json: {message}.*\.$"):
        parse_json(text, "job.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: .nan", "'a' is NaN"),
        ("a: [-.inf]", "'a.0' is infinite"),
        ("a: 1.0e+400", "'a' is infinite"),
        (f"a: {DIGITS}", "'a' is infinite, or larger"),
        ("a: {b: 1, c: 2, b: 3}", "'a.b' is given twice"),
        ("a: 1\na: 2", "'a' is given twice"),
        ('a: "\\ud800"', "'a' is no Unicode text"),
        (f"a: {'[' * 200}", r"'a\.0.*' nests deeper than 50 levels"),
        ("\n".join(" " * level + "a:" for level in range(500)), r"'a\.a.*' nests deeper than 50 levels"),
        ("? " * 200 + "a", "the value nests deeper than 50 levels"),
        (EXPLODING, r"'a5\.0' repeats more than 100,000 values, by \*a4"),
        ("a: &a {b: [*a]}", r"'a\.b\.0' contains itself, as \*a"),
    ],
)
def test_yaml_that_cannot_have_been_meant_is_refused_by_its_key(text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=rf"^job\.yaml: {message}.*\.$"):
        parse_yaml(text, "job.yaml")


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: !!bool x", "a: !!timestamp x", "a: 2024-13-40", "a: !!float x", "? [a]\n: b", "!!python/tuple []"],
)
def test_what_is_no_yaml_is_told_on_one_line(text: str) -> None:
    with pytest.raises(ParamsError, match=r"^job\.yaml is not valid YAML: [^\n]+\.$"):
        parse_yaml(text, "job.yaml")


def test_aliases_and_merged_objects_in_yaml_are_read_as_before() -> None:
    text = "base: &base {a: 1}\nx: {y: &more {<<: *base, a: 2}}\nlast: {<<: *more, a: 3}\nmany: [*base, *base]"
    assert parse_yaml(text, "job.yaml") == {
        "base": {"a": 1},
        "x": {"y": {"a": 2}},
        "last": {"a": 3},
        "many": [{"a": 1}, {"a": 1}],
    }


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_else_json_says_is_read_as_python_reads_it(document: object) -> None:
    assert parse_json(json.dumps(document), "job.json") == document


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": -math.inf}, ["\ud800"], {"\ud800": 1}])
def test_values_that_never_were_text_are_judged_alike(value: object) -> None:
    with pytest.raises(ParamsError, match=r"^parameters: "):
        check_values(value, "parameters")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_is_read_in_each_unicode_encoding_with_and_without_a_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_bytes('{"grün": 1}'.encode(encoding))
    assert read_text(tmp_path / "a.json") == '{"grün": 1}'


@pytest.mark.parametrize(("data", "name"), [(b'{"a": "\xff"}', "UTF-8"), (b"\xff\xfe{\x00}", "UTF-16")])
def test_what_is_no_unicode_is_named_with_its_place(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(ParamsError, match=rf"a\.json is not {name}.* text \(.* at byte \d+\): save it as UTF-8"):
        read_text(tmp_path / "a.json")
