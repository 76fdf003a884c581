"""Tables as columns of values: from CSV and parquet files, and from a database by its SQLAlchemy URL."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy

from label_formats.csv_text import open_csv
from label_formats.table import Table
from sinara_lib.errors import DataError
from sinara_lib.urls import without_credentials

PASSWORD_VARIABLE = "SINARA_SQL_PASSWORD"  # noqa: S105 - the name of a variable, not a password
_READS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


@dataclass(frozen=True)
class TableFile:
    """The columns of a file, whether its numbers may have a decimal comma, and its coding where it is not Unicode."""

    table: Table
    decimal_comma: bool = False
    coding: str | None = None


@dataclass(frozen=True)
class QueryResult:
    """The rows that a database gave, as columns, with their size in bytes and sha256 as JSON lines."""

    table: Table
    size: int
    sha256: str


def read_csv(data: bytes, path: str) -> TableFile:
    """Read the columns of a CSV file with a header; those without a name are left out. Raises DataError."""
    text = open_csv(data, path)
    named = [place for place, name in enumerate(text.header) if name]
    _refuse_repeats([text.header[place] for place in named], path)
    cells: list[list[str]] = [[] for _ in named]
    for line, row in text.rows:
        if len(row) != len(text.header):
            raise DataError(f"{path}: line {line} has {len(row)} columns, the header {len(text.header)}.")
        for column, place in zip(cells, named, strict=True):
            column.append(row[place])
    table = {text.header[place]: column for place, column in zip(named, cells, strict=True)}
    return TableFile(table, decimal_comma=text.delimiter != ",", coding=text.coding)


def read_parquet(data: bytes, path: str) -> TableFile:
    """Return columns of a parquet file. Raises DataError."""
    try:
        table = pq.read_table(pa.BufferReader(data))
        table.validate(full=True)
        columns = {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: is not a parquet file that can be read: {_first_line(error)}.") from error
    _refuse_repeats(table.column_names, path)
    return TableFile(columns)


def read_query(url: str, query: str) -> QueryResult:
    """Return the rows of a query that only reads; the password comes from SINARA_SQL_PASSWORD or its driver's place.

    Raises DataError, which names the database without user and password.
    """
    shown, password = without_credentials(url), os.environ.get(PASSWORD_VARIABLE)
    if not _READS.match(query):
        raise DataError(f"{shown}: the query must be a SELECT; it starts with {query.strip()[:20]!r}.")
    try:
        address = address_of(url, password)
        _ensure_file(address, shown)
        engine = sqlalchemy.create_engine(address)
        try:
            with engine.connect() as connection:
                result = connection.execute(sqlalchemy.text(query))
                names, rows = list(result.keys()), [tuple(row) for row in result]
                connection.rollback()
        finally:
            engine.dispose()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError) as error:  # ImportError: the driver is not there
        raise DataError(f"{shown}: the query failed: {_first_line(error, hide=password)}.") from None
    _refuse_repeats(names, shown)
    return _result(names, rows)


def address_of(url: str, password: str | None) -> sqlalchemy.URL:
    """Return the address of a database, with the password where the URL names a user; shown it hides the password."""
    address = sqlalchemy.make_url(url)
    return address.set(password=password) if password and address.username else address


def _result(names: list[str], rows: Sequence[tuple[Any, ...]]) -> QueryResult:
    digest, size = hashlib.sha256(), 0
    for row in [tuple(names), *rows]:
        line = json.dumps(row, default=str).encode() + b"\n"
        digest.update(line)
        size += len(line)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return QueryResult(columns, size, digest.hexdigest())


def _ensure_file(address: Any, shown: str) -> None:
    """SQLite makes a database that is not there; a query of nothing must say so instead."""
    if address.get_backend_name() == "sqlite" and not (address.database and os.path.isfile(address.database)):
        raise DataError(f"{shown}: there is no such database file. Correct the URL.")


def _refuse_repeats(names: Sequence[str], where: str) -> None:
    if repeated := sorted({name for name in names if list(names).count(name) > 1}):
        raise DataError(f"{where}: columns have the same name: {', '.join(repeated)}. Rename them.")


def _first_line(error: Exception, *, hide: str | None = None) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
    return line.replace(hide, "***") if hide else line
