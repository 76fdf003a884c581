"""Tables as columns of values, from CSV and parquet files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from label_formats.csv_text import open_csv
from label_formats.parquet_footer import announced_values
from label_formats.table import Table
from sinara_lib.errors import DataError
from sinara_lib.urls import without_credentials

MOST_VALUES = 200_000_000
"""No table has more fields, in rows times columns: as Python's objects they take some 10 GB."""
FREE_VALUES, VALUES_PER_BYTE = 4_000_000, 100
"""A table of so many fields is never refused; beyond, a parquet file of n bytes may not announce n times 100."""


@dataclass(frozen=True)
class TableFile:
    """The columns of a file, whether its numbers may have a decimal comma, and its coding where it is not Unicode.

    `features` is what Hugging Face's tools write into a parquet file about its columns, as JSON.
    """

    table: Table
    decimal_comma: bool = False
    coding: str | None = None
    features: str | None = None


def read_csv(data: bytes, path: str) -> TableFile:
    """Read the columns of a CSV file with a header; those without a name are left out. Raises DataError."""
    text = open_csv(data, path)
    named = [place for place, name in enumerate(text.header) if name]
    refuse_repeats([text.header[place] for place in named], path)
    cells: list[list[str]] = [[] for _ in named]
    for number, (line, row) in enumerate(text.rows, 1):
        if number * len(text.header) > MOST_VALUES:
            raise DataError(f"holds more than {MOST_VALUES:,} fields, the limit for a table. Split it.", place=path)
        if len(row) != len(text.header):
            raise DataError(f"{path}: line {line} has {len(row)} columns, the header {len(text.header)}.")
        for column, place in zip(cells, named, strict=True):
            column.append(row[place])
    table = {text.header[place]: column for place, column in zip(named, cells, strict=True)}
    return TableFile(table, decimal_comma=text.delimiter != ",", coding=text.coding)


def read_parquet(data: bytes, path: str) -> TableFile:
    """Return columns of a parquet file. Raises DataError, also when a small file announces more than fits."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        names = file.schema_arrow.names
        refuse_repeats(names, path)
        _refuse_bomb(data, file.metadata.num_rows, path)
        features = (file.schema_arrow.metadata or {}).get(b"huggingface")
        # As a dictionary a text that repeats takes its room once, however often it does.
        words = [column.path for column in _leaves(file.metadata) if column.physical_type == "BYTE_ARRAY"]
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=words)
        columns: dict[str, list[object]] = {name: [] for name in names}
        for batch in file.iter_batches():
            batch.validate(full=True)
            for name, array in zip(names, batch.columns, strict=True):
                columns[name] += _values(array)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: is not a parquet file that can be read: {first_line(error)}.") from error
    return TableFile(columns, features=None if features is None else features.decode("utf-8", "replace"))


def column_names(file: Path) -> list[str]:
    """Return the names of the columns of a parquet file; none where it cannot be read, which reading it will say."""
    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowException, OSError, ValueError):
        return []


def _refuse_bomb(data: bytes, rows: int, path: str) -> None:
    values, size = max(announced_values(data), rows), len(data)
    most = min(MOST_VALUES, max(FREE_VALUES, size * VALUES_PER_BYTE))
    if values > most:
        raise DataError(
            f"{path}: {size:,} bytes announce {values:,} values, and the limit for a table of "
            f"this size is {most:,}; refused as a bomb. Split the table, or export it as CSV."
        )


def _leaves(facts: pq.FileMetaData) -> Iterator[pq.ColumnSchema]:
    return map(facts.schema.column, range(facts.num_columns))


def _values(array: pa.Array) -> list[object]:
    """Return an array as Python's values; texts of a dictionary, also deep inside, are made once."""
    if pa.types.is_dictionary(array.type):
        words = array.dictionary.to_pylist()
        return [None if place is None else words[place] for place in array.indices.to_pylist()]
    if pa.types.is_struct(array.type):
        names = [field.name for field in array.type]
        columns = zip(*map(_values, map(array.field, range(len(names)))), strict=True)
        rows = [dict(zip(names, row, strict=True)) for row in columns] if names else [{}] * len(array)
        return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)]
    if pa.types.is_map(array.type):
        return _slices(array, list(zip(_values(array.keys), _values(array.items), strict=True)))
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return _slices(array, _values(array.values))
    return list(array.to_pylist())


def _slices(array: pa.Array, inner: list[object]) -> list[object]:
    ends = array.offsets.to_pylist()
    places = zip(ends, ends[1:], array.is_valid().to_pylist(), strict=False)
    return [inner[start:end] if valid else None for start, end, valid in places]


def refuse_repeats(names: Sequence[str], where: str) -> None:
    """Raise DataError for columns of one name."""
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"columns have the same name: {', '.join(repeated)}. Rename them.", place=where)


def first_line(error: Exception) -> str:
    """Return what another library said, in one short line without URLs' credentials."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return without_credentials(line)[:300].rstrip(".")
