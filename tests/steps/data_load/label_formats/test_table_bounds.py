"""A query only reads, and a table takes no more room than its size lets expect."""

import contextlib
import io
import sqlite3
import time
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy

from child_processes import exit_code, start_child
from label_formats import database, table_reading, values
from label_formats.coco_reading import read_coco
from label_formats.database import read_query
from label_formats.parquet_footer import announced_values
from label_formats.table_reading import read_csv, read_parquet
from sinara_lib.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with two rows, under a name that a URL would read in another way."""
    path = tmp_path / "la bels%41#?.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (a)")
        connection.executemany("insert into t values (?)", [(1,), (2,)])
    connection.close()
    return path


def _address(path: Path) -> str:
    return sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "statement",
    [
        "with d as (select 1) delete from t",
        "with d as (select 3 as a) insert into t select a from d",
        "with d as (select 1) update t set a = 5",
        "with d as (select 3 as a) replace into t select a from d",
    ],
)
def test_a_statement_that_writes_leaves_the_table_as_it_was(path: Path, statement: str) -> None:
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"the query failed: .*readonly database"):
        read_query(_address(path), statement)
    assert path.read_bytes() == before
    assert read_query(_address(path), "select a from t;").table == {"a": [1, 2]}


@pytest.mark.parametrize(
    "statement", ["select 1; delete from t", "select a into outfile '/x' from t", "with d as (select 1) select 1;;"]
)
def test_a_query_of_several_statements_or_into_a_file_is_refused(path: Path, statement: str) -> None:
    with pytest.raises(DataError, match="give one SELECT that writes no file"):
        read_query(_address(path), statement)


@pytest.mark.parametrize("dialect", ["mssql+pyodbc", "snowflake", "trino"])
def test_a_database_that_cannot_refuse_to_write_is_refused_by_name(dialect: str) -> None:
    with pytest.raises(DataError, match=f"{dialect.partition('+')[0]} cannot be told to refuse to write.*postgresql"):
        read_query(f"{dialect}://host/db", "select 1")


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("postgresql", "SET TRANSACTION READ ONLY"),
        ("mysql", "START TRANSACTION READ ONLY"),
        ("mariadb", "START TRANSACTION READ ONLY"),
        ("oracle", "SET TRANSACTION READ ONLY"),
    ],
)
def test_a_server_is_told_to_refuse_to_write_before_it_gets_the_query(
    path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, told: str
) -> None:
    engine, sent = sqlalchemy.create_engine(_address(path)), list[str]()

    def before(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        sent.append(statement)
        return ("select 1" if statement == told else statement), parameters

    sqlalchemy.event.listen(engine, "before_cursor_execute", before, retval=True)
    monkeypatch.setattr(database, "_engine", lambda _address: engine)
    assert read_query(f"{dialect}://host/db", "select a from t").table == {"a": [1, 2]}
    assert sent == [told, "select a from t"]


def test_more_rows_than_the_limit_are_refused_while_they_come(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MOST_VALUES", 20_000)
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
    with pytest.raises(DataError, match=r"gives more than 20,000 rows, the limit"):
        read_query(_address(path), endless)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def test_a_parquet_file_of_a_kilobyte_that_announces_gigabytes_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = _parquet(pa.table({"x": pa.nulls(5_000_000, pa.int64())}))
    assert len(data) < 20_000
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    with pytest.raises(DataError, match=r"[\d,]+ bytes announce 5,000,000 values, and the limit .* is 4,0"):
        read_parquet(data, "t.parquet")


def test_a_text_that_repeats_takes_its_room_once() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0, None] * 5_000, pa.int32()), pa.array(["w" * 100_000]))
    table = read_parquet(_parquet(pa.table({"label": words, "x": list(range(10_000))})), "t.parquet").table
    assert len({id(word) for word in table["label"]}) == 2
    assert (table["label"][:2], table["x"][-1]) == (["w" * 100_000, None], 9_999)


def test_a_large_table_of_real_numbers_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_reading, "FREE_VALUES", 1_000)
    columns = {name: [(row * step) % 997 / 2 for row in range(20_000)] for step, name in enumerate("xywh", start=3)}
    assert (
        read_parquet(_parquet(pa.table({**columns, "label": ["car"] * 20_000})), "t.parquet").table["w"] == columns["w"]
    )


def test_a_text_that_repeats_deep_inside_takes_its_room_once() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000, pa.int32()), pa.array(["w" * 100_000]))
    lists = pa.ListArray.from_arrays(pa.array([0, 1_000, 4_000], pa.int32()), words)
    table = read_parquet(_parquet(pa.table({"labels": lists})), "t.parquet").table
    (first, second) = table["labels"]
    assert [len(first), len(second)] == [1_000, 3_000]
    assert len({id(word) for word in (*first, *second)}) == 1


def test_nested_values_are_read_as_they_stand() -> None:
    columns = {
        "lists": [[1, 2], None, [], [None]],
        "deep": [[[1.5]], None, [[], None], []],
        "structs": [{"q": "x", "r": ["a"]}, None, {"q": None, "r": None}, {"q": "x", "r": []}],
        "objects": [{"bbox": [[1, 2, 3, 4]], "category": ["car"]}, {"bbox": [], "category": []}, None, None],
    }
    table = pa.table(
        {**columns, "maps": pa.array([[("k", "v")], None, [], [("k", None)]], pa.map_("string", "string"))}
    )
    expected = {name: table[name].to_pylist() for name in table.column_names}
    assert read_parquet(_parquet(table), "t.parquet").table == expected


def test_a_header_of_fifty_thousand_columns_is_read_in_the_time_of_its_length() -> None:
    header = ",".join(f"c{number}" for number in range(50_000))
    began = time.process_time()
    assert len(read_csv(f"{header}\n".encode(), "t.csv").table) == 50_000
    with pytest.raises(DataError, match="columns have the same name: c7"):
        read_csv(f"{header},c7\n".encode(), "t.csv")
    assert time.process_time() - began < 20


def test_a_plain_table_or_document_of_more_values_than_memory_holds_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(table_reading, "MOST_VALUES", 1_000)
    monkeypatch.setattr(values, "MOST_BRACKETS", 1_000)
    rows = "a,b\n" + "1,\n" * 500
    assert len(read_csv(rows.encode(), "t.csv").table["a"]) == 500
    with pytest.raises(DataError, match=r"t\.csv: holds more than 1,000 fields"):
        read_csv(f"{rows}1,\n".encode(), "t.csv")
    (tmp_path / "a.json").write_text("[" + ",".join(["{}"] * 1_000) + "]")
    with pytest.raises(DataError, match=r"a\.json: holds more than 1,000 lists and objects"):
        read_coco(tmp_path / "a.json", "a.json")
    with pytest.raises(DataError, match=r"holds more than 1,000 lists and objects"):
        values.json_value((tmp_path / "a.json").read_bytes(), "a.json")


@pytest.mark.parametrize("options", [{}, {"row_group_size": 3}, {"version": "1.0", "write_statistics": False}])
def test_what_a_footer_announces_is_what_pyarrow_reads_in_it(options: dict[str, Any]) -> None:
    columns = {"a": [[1, 2], None, [], [3]] * 5, "b": [{"q": "x", "r": [True]}, None] * 10, "t": ["u", None] * 10}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata({"k": "v" * 1_000}), sink, **options)
    facts = pq.ParquetFile(sink).metadata
    groups = map(facts.row_group, range(facts.num_row_groups))
    expected = sum(group.column(number).num_values for group in groups for number in range(facts.num_columns))
    assert announced_values(sink.getvalue()) == expected


def _read_changed(_: str) -> None:
    data, dice = (
        _parquet(pa.table({"image": ["a.jpg", "b.jpg"], "box": [[1.0, 2.0], [3.0]], "n": [1, None]})),
        Random(16),
    )
    for _number in range(2_000):
        changed = bytearray(data)
        for _time in range(dice.choice([1, 1, 4])):
            changed[dice.randrange(len(data))] = dice.choice([0, 1, 127, 128, 255, dice.randrange(256)])
        with contextlib.suppress(DataError):
            read_parquet(bytes(changed), "t.parquet")


def test_random_changes_of_a_parquet_file_end_in_our_own_error_and_never_the_process(tmp_path: Path) -> None:
    assert exit_code(start_child(_read_changed, str(tmp_path)), seconds=300) == 0
