"""A table from a database by its SQLAlchemy URL, on a connection that can only read."""

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import sqlalchemy

from label_formats.table import Table
from label_formats.table_reading import MOST_VALUES, first_line, refuse_repeats
from sinara_lib.errors import DataError
from sinara_lib.urls import without_credentials

PASSWORD_VARIABLE = "SINARA_SQL_PASSWORD"  # noqa: S105 - the name of a variable, not a password
BEGIN = {
    "postgresql": "SET TRANSACTION READ ONLY",
    "cockroachdb": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
    "mysql": "START TRANSACTION READ ONLY",
    "mariadb": "START TRANSACTION READ ONLY",
}
"""By dialect, what makes the server itself refuse to write until the transaction ends."""
FILES = frozenset({"sqlite", "duckdb"})
"""Dialects whose file is opened for reading alone."""
BLOCK = 10_000
"""Rows that are taken from the database at once."""
_READS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
# These leave the transaction, or the database: a second statement, and a file on the server.
_LEAVES = re.compile(r";|\binto\s+(outfile|dumpfile)\b", re.IGNORECASE)


@dataclass(frozen=True)
class QueryResult:
    """The rows that a database gave, as columns, with their size in bytes and sha256 as JSON lines."""

    table: Table
    size: int
    sha256: str


def read_query(url: str, query: str) -> QueryResult:
    """Return the rows of a query; the password comes from SINARA_SQL_PASSWORD or its driver's place.

        read_query("sqlite:///labels.db", "select path as image, kind as label, x, y, w, h from boxes")

    Raises DataError, which names the database without user and password: the query does more than read, the database
    cannot be told to refuse to write, or there are more rows than fit.
    """
    shown, password = without_credentials(url), os.environ.get(PASSWORD_VARIABLE)
    statement = query.strip().removesuffix(";").rstrip()
    _ensure_reads(statement, shown)
    try:
        address = address_of(url, password)
        begin = _ensure_read_only(address, shown)
        engine = _engine(address)
        try:
            with engine.connect() as connection:
                if begin:
                    connection.exec_driver_sql(begin)
                result = connection.execute(sqlalchemy.text(statement))
                names, rows = list(result.keys()), _rows(result, shown)
                connection.rollback()
        finally:
            engine.dispose()
    except DataError:
        raise
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError) as error:  # ImportError: the driver is not there
        raise DataError(f"the query failed: {_told(error, password)}.", place=shown) from None
    refuse_repeats(names, shown)
    return _result(names, rows)


def address_of(url: str, password: str | None) -> sqlalchemy.URL:
    """Return the address of a database, with the password where the URL names a user; shown it hides the password."""
    address = sqlalchemy.make_url(url)
    return address.set(password=password) if password and address.username else address


def _ensure_reads(statement: str, shown: str) -> None:
    if not _READS.match(statement):
        raise DataError(f"the query must be a SELECT; it starts with {statement[:20]!r}.", place=shown)
    if found := _LEAVES.search(statement):
        raise DataError(
            f"the query holds {found[0]!r}: give one SELECT that writes no file; in a text write ; as chr(59).",
            place=shown,
        )


def _ensure_read_only(address: sqlalchemy.URL, shown: str) -> str | None:
    """Return the statement that begins a transaction for reading; None where the file is opened so.

    Raises DataError for a file that is not there, which SQLite would make, and for a dialect that promises nothing.
    """
    dialect = address.get_backend_name()
    if dialect in FILES:
        if not (address.database and os.path.isfile(address.database)):
            raise DataError("there is no such database file. Correct the URL.", place=shown)
        return None
    if dialect not in BEGIN:
        raise DataError(
            f"{dialect} cannot be told to refuse to write, so no query is sent to it. Export the rows as CSV "
            f"or parquet; what can be asked: {', '.join(sorted(FILES | BEGIN.keys()))}.",
            place=shown,
        )
    return BEGIN[dialect]


def _engine(address: sqlalchemy.URL) -> sqlalchemy.Engine:
    if address.get_backend_name() == "duckdb":
        return sqlalchemy.create_engine(address, connect_args={"read_only": True})
    if address.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(address)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{Path(str(address.database)).absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("PRAGMA query_only = ON")
        return connection

    return sqlalchemy.create_engine(address, creator=connect)


def _rows(result: sqlalchemy.CursorResult[Any], shown: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    most = MOST_VALUES // max(1, len(result.keys()))
    while block := result.fetchmany(BLOCK):
        rows += map(tuple, block)
        if len(rows) > most:
            raise DataError(f"the query gives more than {most:,} rows, the limit. Ask for fewer.", place=shown)
    return rows


def _result(names: list[str], rows: Sequence[tuple[Any, ...]]) -> QueryResult:
    digest, size = hashlib.sha256(), 0
    for row in [tuple(names), *rows]:
        line = json.dumps(row, default=str).encode() + b"\n"
        digest.update(line)
        size += len(line)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return QueryResult(columns, size, digest.hexdigest())


def _told(error: Exception, password: str | None) -> str:
    line = first_line(error)
    for form in {password, quote_plus(password or "")} - {None, ""}:
        line = line.replace(str(form), "***")
    return line
